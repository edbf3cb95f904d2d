//! A blocking client: one connection, pipelines.
#![expect(clippy::disallowed_types, reason = "a client of running servers, outside of the server")]

use resp::{Value, parse_reply};
use std::io::{self, Read, Write};
use std::net::TcpStream;

/// A connection to a running server.
pub struct Client {
    stream: TcpStream,
    input: Vec<u8>,
    address: String,
}

impl Client {
    pub fn connect(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(std::time::Duration::from_secs(120)))?;
        Ok(Self { stream, input: Vec::new(), address: address.to_owned() })
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    pub fn receive(&mut self) -> io::Result<Value> {
        let mut buffer = [0; 64 << 10];
        loop {
            match parse_reply(&self.input) {
                Ok(Some((value, size))) => {
                    self.input.drain(..size);
                    return Ok(value);
                }
                Ok(None) => {}
                Err(error) => return Err(io::Error::other(format!("{}: {error}", self.address))),
            }
            let len = self.stream.read(&mut buffer)?;
            if len == 0 {
                return Err(io::Error::other(format!("{} closed the connection", self.address)));
            }
            self.input.extend_from_slice(&buffer[..len]);
        }
    }

    pub fn call(&mut self, words: &[&[u8]]) -> io::Result<Value> {
        let mut request = Vec::new();
        resp::write_command(&mut request, words);
        self.send(&request)?;
        self.receive()
    }

    /// A line as one would type it.
    pub fn line(&mut self, line: &str) -> io::Result<Value> {
        let words = crate::words(line);
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        self.call(&words)
    }
}
