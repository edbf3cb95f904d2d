//! Runs scripts from the standard input, each in the same machine, and prints their replies, one a line.
//! Scripts are separated by zero bytes. For comparison with other servers.

use resp::{Protocol, Reply};
use script::{CommandCheck, Host, Limits, LogLevel, Pulse, Sha, Vm};
use std::io::{Read, Write};
use std::time::Duration;

/// A host without commands.
struct Nothing {
    pulses: u64,
}

impl Host for Nothing {
    fn call(&mut self, words: &[&[u8]], reply: &mut Reply) {
        match words {
            [name, text] if name.eq_ignore_ascii_case(b"echo") => reply.bulk(text),
            _ => reply.error("ERR Unknown command called from script"),
        }
    }

    fn log(&mut self, _level: LogLevel, _message: &[u8]) {}

    fn set_repl(&mut self, _aof: bool, _replicas: bool) {}

    fn check_command(&mut self, _words: &[&[u8]]) -> CommandCheck {
        CommandCheck::Unknown
    }

    fn interrupt(&mut self) -> Pulse {
        self.pulses += 1;
        if self.pulses > 1_000_000 { Pulse::Kill("took too long") } else { Pulse::Continue }
    }

    fn clock(&mut self) -> Duration {
        Duration::ZERO
    }
}

fn main() -> std::io::Result<()> {
    let mut scripts = Vec::new();
    std::io::stdin().read_to_end(&mut scripts)?;
    let protocol = match std::env::args().nth(1).as_deref() {
        Some("3") => Protocol::Resp3,
        _ => Protocol::Resp2,
    };
    let mut vm = Vm::new(Limits::default());
    let mut out = std::io::stdout().lock();
    for source in scripts.split(|&byte| byte == 0) {
        let sha = Sha::of(source);
        let mut reply = Reply::new(protocol);
        let outcome = vm.load(&sha, source).map_err(|error| error.text).and_then(|()| {
            let mut host = Nothing { pulses: 0 };
            let keys: &[&[u8]] = &[b"k1", b"k2"];
            vm.run(&sha, keys, &[b"a1", b"2"], &mut host, &mut reply).map_err(|error| error.text)
        });
        if let Err(text) = outcome {
            reply.error(text);
        }
        vm.unload(&sha);
        writeln!(out, "{}", reply.out.to_vec().escape_ascii())?;
    }
    Ok(())
}
