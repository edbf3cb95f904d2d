//! Listening sockets: TCP on any number of addresses, and a Unix socket.

use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::time::Duration;
use std::{fmt, io};

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A host name or address as in `bind` ("*", "-::1"), and a port.
    Tcp { bind: String, port: u16 },
    /// A path, its mode bits (0: as the umask leaves them), and the number of its group.
    Unix { path: String, mode: u32, group: Option<u32> },
}

/// Sockets that listen, in the order of the endpoints.
#[derive(Debug, Default)]
pub struct Listeners {
    pub tcp: Vec<Socket>,
    pub unix: Vec<Socket>,
}

/// Why an endpoint could not be opened, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unbound {
    Tcp(String),
    Unix(String),
}

impl fmt::Display for Unbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Tcp(text) | Self::Unix(text)) = self;
        f.write_str(text)
    }
}

/// Opens all endpoints. An address marked with `-` may be missing on the machine; any other
/// failure is an error that names the endpoint.
pub fn bind_all(endpoints: &[Endpoint], backlog: i32) -> Result<Listeners, Unbound> {
    let mut listeners = Listeners::default();
    for endpoint in endpoints {
        match endpoint {
            Endpoint::Tcp { bind, port } => {
                let (optional, host) = match bind.strip_prefix('-') {
                    Some(host) => (true, host),
                    None => (false, bind.as_str()),
                };
                let addresses = addresses(host, *port).map_err(|error| {
                    Unbound::Tcp(format!("Could not resolve bind address {host}: {error}"))
                })?;
                for address in addresses {
                    match listen_tcp(address, backlog) {
                        Ok(socket) => listeners.tcp.push(socket),
                        Err(error) if optional && tolerable(&error) => {}
                        Err(error) => {
                            return Err(Unbound::Tcp(format!(
                                "Could not create server TCP listening socket {host}:{port}: {error}"
                            )));
                        }
                    }
                }
            }
            Endpoint::Unix { path, mode, group } => {
                let socket = listen_unix(path, *mode, *group, backlog).map_err(|error| {
                    Unbound::Unix(format!("Failed opening Unix socket: {path}: {error}"))
                })?;
                listeners.unix.push(socket);
            }
        }
    }
    Ok(listeners)
}

fn tolerable(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::Unsupported)
        || error.raw_os_error() == Some(libc::EAFNOSUPPORT)
}

/// `*` is every IPv4 address, `::*` every IPv6 address; else one address, or a name's first.
fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let any = match host {
        "*" => Some("0.0.0.0"),
        "::*" => Some("::"),
        _ => None,
    };
    if let Ok(ip) = any.unwrap_or(host).parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    Ok((host, port).to_socket_addrs()?.take(1).collect())
}

fn listen_tcp(address: SocketAddr, backlog: i32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[expect(clippy::disallowed_methods, reason = "a socket's file is the listener's own")]
fn listen_unix(path: &str, mode: u32, group: Option<u32>, backlog: i32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A socket that a former run left behind is in the way; any other file stays, and is an error.
    if std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket()) {
        std::fs::remove_file(path)?;
    }
    socket.bind(&SockAddr::unix(path)?)?;
    if group.is_some() {
        std::os::unix::fs::chown(path, None, group)?;
    }
    if mode != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    }
    socket.listen(backlog)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Readies an accepted TCP socket. `keepalive_seconds` 0 turns keep-alive off.
pub fn tune(socket: &Socket, keepalive_seconds: u32) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if keepalive_seconds > 0 {
        let interval = (keepalive_seconds / 3).max(1);
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(u64::from(keepalive_seconds)))
            .with_interval(Duration::from_secs(u64::from(interval)))
            .with_retries(3);
        socket.set_tcp_keepalive(&keepalive)?;
    }
    Ok(())
}
