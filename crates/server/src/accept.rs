//! Accepting: who may connect, and to which worker a connection goes.

use crate::node::Server;
use command::{Card, ClientFlags, CommandError, Node, Session};
use config::{ParamId, id};
use net::{Admission, Incoming, Transport};
use runtime::{clock, log_verbose, log_warning};
use socket2::Socket;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::net::{TcpListener, UnixListener};

const MAXCLIENTS: ParamId = id("maxclients");
const KEEPALIVE: ParamId = id("tcp-keepalive");
const PROTECTED: ParamId = id("protected-mode");

impl Admission for Server {
    fn ended(&self, card: &Card) {
        self.clients.remove(card.id);
    }
}

/// Accepts on one TCP listener for as long as the server runs.
pub(crate) async fn accept_tcp(server: Arc<Server>, listener: Socket) {
    let listener = match TcpListener::from_std(listener.into()) {
        Ok(listener) => listener,
        Err(error) => return log_warning!("Cannot wait for connections: {error}"),
    };
    loop {
        match listener.accept().await.and_then(|(stream, _)| stream.into_std()) {
            Ok(stream) => admit(&server, stream.into()),
            // CONFIG SET of `port` or `bind` has shut the listener.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => return,
            Err(error) => back_off(&error).await,
        }
    }
}

/// Accepts on the Unix socket for as long as the server runs.
pub(crate) async fn accept_unix(server: Arc<Server>, listener: Socket) {
    let listener = match UnixListener::from_std(listener.into()) {
        Ok(listener) => listener,
        Err(error) => return log_warning!("Cannot wait for connections: {error}"),
    };
    loop {
        match listener.accept().await.and_then(|(stream, _)| stream.into_std()) {
            Ok(stream) => admit(&server, stream.into()),
            Err(error) => back_off(&error).await,
        }
    }
}

/// Accepting failed: goes on at once if it was the peer, and otherwise, as there are most likely
/// no descriptors left, gives connections time to end.
async fn back_off(error: &io::Error) {
    if !transient(error) {
        log_warning!("Accepting client connection: {error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The peer has gone again, or the call was interrupted.
fn transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
    ) || error.raw_os_error() == Some(libc::EPROTO)
}

fn admit(server: &Arc<Server>, socket: Socket) {
    let (maxclients, keepalive, protected) = {
        let config = server.config.lock();
        let protected = config.yes(PROTECTED) && !server.password_required();
        (config.uint(MAXCLIENTS), config.uint(KEEPALIVE) as u32, protected)
    };
    server.samples.connections.fetch_add(1, Ordering::Relaxed);
    if server.clients.len() as u64 >= maxclients {
        server.samples.rejected_connections.fetch_add(1, Ordering::Relaxed);
        return refuse(socket, b"-ERR max number of clients reached\r\n");
    }
    let tcp = socket.peer_addr().ok().and_then(|peer| peer.as_socket());
    if let Some(peer) = tcp
        && protected
        && !peer.ip().to_canonical().is_loopback()
    {
        server.samples.rejected_connections.fetch_add(1, Ordering::Relaxed);
        return refuse(socket, &[b"-", CommandError::Denied.text(), b"\r\n"].concat());
    }
    let readied = match tcp {
        Some(_) => net::tune(&socket, keepalive),
        None => socket.set_nonblocking(true),
    };
    if let Err(error) = readied {
        return log_verbose!("Error readying a client's socket: {error}");
    }
    let local = socket.local_addr().ok();
    let card = card(server, &socket, tcp, local.as_ref());
    let pool = server.pool.get().cloned();
    let fd = OwnedFd::from(socket);
    let transport =
        if tcp.is_some() { Transport::Tcp(fd.into()) } else { Transport::Unix(fd.into()) };
    let card = Arc::new(card);
    server.clients.add(Arc::clone(&card));
    log_verbose!("Accepted {}", card.addr);
    let session = Session::new(card, !server.password_required());
    if let Some(pool) = pool {
        pool.assign(Incoming { transport, session });
    }
}

fn card(
    server: &Server,
    socket: &Socket,
    peer: Option<SocketAddr>,
    local: Option<&socket2::SockAddr>,
) -> Card {
    let text = |address: SocketAddr| {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        address.to_string()
    };
    let path = || {
        let path =
            local.and_then(|local| local.as_pathname().map(|path| path.display().to_string()));
        format!("{}:0", path.unwrap_or_default())
    };
    let addr = peer.map_or_else(path, text);
    let laddr = local.and_then(socket2::SockAddr::as_socket).map_or_else(path, text);
    let card = Card::new(server.clients.next_id(), addr, laddr, socket.as_raw_fd(), clock::now().0);
    card.set(ClientFlags::UNIX_SOCKET, peer.is_none());
    let loopback = peer.is_none_or(|peer| peer.ip().to_canonical().is_loopback());
    card.set(ClientFlags::LOCAL, loopback);
    card.set(ClientFlags::UNAUTHENTICATED, server.password_required());
    card
}

/// Says why and hangs up. A peer that does not read it loses only the explanation.
fn refuse(mut socket: Socket, line: &[u8]) {
    if let Err(error) = socket.set_nonblocking(true).and_then(|()| socket.write(line).map(|_| ())) {
        log_verbose!("Refusing a client: {error}");
    }
}
