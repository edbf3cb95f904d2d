//! The far side of MIGRATE: connections to other servers, and what is said on them.
//!
//! A task of the main loop takes what commands hand over and gives each transfer a thread, some at a
//! time. The thread carries out one round of orders and ends; the command says whether another
//! follows ([`command::Transfer`]). Connections stay open for a while, by host and port.

use crate::node::Server;
use command::{CommandError, Delivery, Order, Shipment, Target, Transfer};
use parking_lot::Mutex;
use resp::{Value, parse_reply, write_command};
use runtime::clock;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};

/// Transfers that talk at a time: so many payloads are in memory at most.
const THREADS_MAX: usize = 16;
/// Connections that are kept, and for how long after their last use.
const LINKS_MAX: usize = 64;
const LINK_IDLE_MICROS: u64 = 10_000_000;
/// What is gathered before it is written, and written at a time.
const PIECE_BYTES: usize = 64 << 10;
/// How long a thread sleeps before it looks whether the client still waits.
const SLICE: Duration = Duration::from_millis(50);

/// Transfers under way, and connections that are kept.
#[derive(Debug, Default)]
pub(crate) struct Migrations {
    waiting: Mutex<VecDeque<Arc<Transfer>>>,
    added: Notify,
    links: Mutex<Vec<Link>>,
}

impl Migrations {
    /// Sees to the orders of a transfer. May be called under locks.
    pub(crate) fn add(&self, transfer: &Arc<Transfer>) {
        self.waiting.lock().push_back(Arc::clone(transfer));
        self.added.notify_one();
    }

    /// How many connections are kept.
    pub(crate) fn links(&self) -> usize {
        self.links.lock().len()
    }

    /// Closes those that nobody has used for a while.
    pub(crate) fn close_idle(&self) {
        let mut links = self.links.lock();
        if !links.is_empty() {
            let since = clock::monotonic().0.saturating_sub(LINK_IDLE_MICROS);
            links.retain(|link| link.used_micros >= since);
        }
    }

    /// A connection that is kept, if it is still one.
    fn take(&self, target: &Target) -> Option<Link> {
        let mut links = self.links.lock();
        let at = links.iter().position(|link| link.leads_to(target))?;
        Some(links.swap_remove(at)).filter(Link::is_silent)
    }

    fn keep(&self, mut link: Link) {
        link.used_micros = clock::monotonic().0;
        let mut links = self.links.lock();
        // One for each target, and the newest.
        links.retain(|other| other.host != link.host || other.port != link.port);
        if links.len() >= LINKS_MAX
            && let Some((oldest, _)) = links.iter().enumerate().min_by_key(|(_, l)| l.used_micros)
        {
            links.swap_remove(oldest);
        }
        links.push(link);
    }
}

/// Gives threads to transfers for as long as the server runs.
pub(crate) async fn run(server: Arc<Server>) {
    let threads = Arc::new(Semaphore::new(THREADS_MAX));
    loop {
        server.migrations.added.notified().await;
        loop {
            let Some(transfer) = server.migrations.waiting.lock().pop_front() else { break };
            let Ok(permit) = Arc::clone(&threads).acquire_owned().await else { return };
            let server = Arc::clone(&server);
            tokio::task::spawn_blocking(move || {
                carry_out(&server.migrations, &transfer);
                drop(permit);
            });
        }
    }
}

/// Carries out one round.
fn carry_out(migrations: &Migrations, transfer: &Transfer) {
    if transfer.has_ended() {
        return;
    }
    let orders = transfer.take_orders();
    let delivery = deliver(migrations, transfer, &orders);
    transfer.settle(&orders, delivery);
}

fn deliver(migrations: &Migrations, transfer: &Transfer, orders: &[Order]) -> Delivery {
    let mut delivery = Delivery::default();
    let kept = migrations.take(&transfer.target);
    let was_kept = kept.is_some();
    let mut link = match kept.map_or_else(|| Link::open(transfer), Ok) {
        Ok(link) => link,
        Err(fault) => return fault.end(delivery),
    };
    let mut said = link.say(transfer, orders, &mut delivery);
    if let Err(fault) = &said
        && was_kept
        && !fault.timed_out
        && delivery.done.is_empty()
    {
        // The other side has closed it just now: nothing of what was sent was read.
        link = match Link::open(transfer) {
            Ok(link) => link,
            Err(fault) => return fault.end(delivery),
        };
        said = link.say(transfer, orders, &mut delivery);
    }
    match said {
        Ok(()) => {
            if link.input.is_empty() {
                migrations.keep(link);
            }
            delivery
        }
        Err(fault) => fault.end(delivery),
    }
}

/// Why a connection is of no use any more.
#[derive(Debug)]
struct Fault {
    error: CommandError,
    timed_out: bool,
}

impl Fault {
    fn end(self, mut delivery: Delivery) -> Delivery {
        delivery.error = delivery.error.or(Some(self.error));
        delivery.broken = true;
        delivery
    }
}

/// A connection to another server.
#[derive(Debug)]
struct Link {
    host: Box<[u8]>,
    port: Box<[u8]>,
    socket: Socket,
    /// The database that is selected, if that is known.
    db: Option<i64>,
    used_micros: u64,
    /// Replies that were not looked at.
    input: Vec<u8>,
}

impl Link {
    fn leads_to(&self, target: &Target) -> bool {
        self.host == target.host && self.port == target.port
    }

    /// Whether the other side has neither closed it nor said what nobody asked for.
    fn is_silent(&self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); 1];
        let peeked = self.socket.recv_with_flags(&mut buffer, libc::MSG_PEEK | libc::MSG_DONTWAIT);
        peeked.is_err_and(|error| late(&error))
    }

    fn open(transfer: &Transfer) -> Result<Self, Fault> {
        let target = &transfer.target;
        let fault = |error: &io::Error| Fault {
            error: CommandError::TargetConnect,
            timed_out: late(error),
        };
        let socket = connect(target).map_err(|error| fault(&error))?;
        let ready = socket
            .set_tcp_nodelay(true)
            .and_then(|()| socket.set_read_timeout(Some(SLICE)))
            .and_then(|()| socket.set_write_timeout(Some(SLICE)));
        ready.map_err(|error| fault(&error))?;
        Ok(Self {
            host: target.host.clone(),
            port: target.port.clone(),
            socket,
            db: None,
            used_micros: 0,
            input: Vec::new(),
        })
    }

    /// Says all that there is to be said, and hears the answers.
    fn say(
        &mut self,
        transfer: &Transfer,
        orders: &[Order],
        delivery: &mut Delivery,
    ) -> Result<(), Fault> {
        let db = self.db.take();
        if let Some(error) = self.introduce(transfer, db)? {
            delivery.error = Some(refused(&error));
            return Ok(());
        }
        let now_ms = clock::now().0;
        let expired = |order: &Order| {
            order.value.as_ref().and_then(|s| s.expiry_ms).is_some_and(|at| at < now_ms)
        };
        let mut talk = Talk { link: self, transfer, out: Vec::new() };
        for order in orders.iter().filter(|order| !expired(order)) {
            talk.order(order, now_ms)?;
        }
        talk.flush()?;
        for order in orders {
            if expired(order) {
                delivery.done.push(false);
                continue;
            }
            let reply = self.reply(transfer)?;
            delivery.done.push(reply.is_ok());
            if let Err(error) = reply {
                delivery.error.get_or_insert_with(|| refused(&error));
            }
        }
        // After an error the next one selects the database anew.
        self.db = delivery.error.is_none().then_some(transfer.target.db);
        Ok(())
    }

    /// Logs in and selects the database, `db` being the one that is selected. The result: what the
    /// other side has against it.
    fn introduce(
        &mut self,
        transfer: &Transfer,
        db: Option<i64>,
    ) -> Result<Option<Vec<u8>>, Fault> {
        let target = &transfer.target;
        let mut replies = 0;
        let mut talk = Talk { link: self, transfer, out: Vec::new() };
        if !target.credentials.is_empty() {
            let mut words: Vec<&[u8]> = vec![b"AUTH"];
            words.extend(target.credentials.iter().map(|word| &**word));
            write_command(&mut talk.out, &words);
            replies += 1;
        }
        if db != Some(target.db) {
            write_command(&mut talk.out, &[b"SELECT", target.db.to_string().as_bytes()]);
            replies += 1;
        }
        talk.flush()?;
        let mut error = None;
        for _ in 0..replies {
            error = error.or(self.reply(transfer)?.err());
        }
        Ok(error)
    }

    /// Reads one reply: its text, if it is an error.
    fn reply(&mut self, transfer: &Transfer) -> Result<Result<(), Vec<u8>>, Fault> {
        /// No reply that is expected is longer.
        const REPLY_BYTES_MAX: usize = 64 << 10;
        let fault = |timed_out| Fault { error: CommandError::TargetRead, timed_out };
        let mut patience = Patience::new(transfer);
        let mut buffer = [0; 4096];
        loop {
            match parse_reply(&self.input) {
                Ok(Some((value, len))) => {
                    self.input.drain(..len);
                    return Ok(match value {
                        Value::Error(text) => Err(text),
                        _ => Ok(()),
                    });
                }
                Ok(None) if self.input.len() < REPLY_BYTES_MAX => {}
                Ok(None) | Err(_) => return Err(fault(false)),
            }
            match self.socket.read(&mut buffer) {
                Ok(0) => return Err(fault(false)),
                Ok(len) => self.input.extend_from_slice(&buffer[..len]),
                Err(error) if late(&error) && patience.lasts() => {}
                Err(error) => return Err(fault(late(&error))),
            }
        }
    }
}

/// What is being said.
struct Talk<'a> {
    link: &'a mut Link,
    transfer: &'a Transfer,
    out: Vec<u8>,
}

impl Talk<'_> {
    fn order(&mut self, order: &Order, now_ms: i64) -> Result<(), Fault> {
        let Some(Shipment { encode, expiry_ms, replace }) = &order.value else {
            write_command(&mut self.out, &[b"DEL", &order.key]);
            return Ok(());
        };
        let ttl_ms = expiry_ms.map_or(0, |at| at.saturating_sub(now_ms).max(1));
        let payload = encode();
        let words: u8 = if *replace { 5 } else { 4 };
        self.out.extend_from_slice(format!("*{words}\r\n$7\r\nRESTORE\r\n").as_bytes());
        self.word(&order.key)?;
        self.word(ttl_ms.to_string().as_bytes())?;
        self.word(&payload)?;
        if *replace {
            self.word(b"REPLACE")?;
        }
        Ok(())
    }

    /// A word of a command; a long one is not copied.
    fn word(&mut self, word: &[u8]) -> Result<(), Fault> {
        self.out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        if word.len() < PIECE_BYTES {
            self.out.extend_from_slice(word);
        } else {
            self.flush()?;
            self.write(word)?;
        }
        self.out.extend_from_slice(b"\r\n");
        if self.out.len() < PIECE_BYTES { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<(), Fault> {
        let out = std::mem::take(&mut self.out);
        self.write(&out)?;
        self.out = out;
        self.out.clear();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        for mut piece in bytes.chunks(PIECE_BYTES) {
            let mut patience = Patience::new(self.transfer);
            while !piece.is_empty() {
                let timed_out = match self.link.socket.write(piece) {
                    Ok(0) => false,
                    Ok(len) => {
                        piece = &piece[len..];
                        continue;
                    }
                    Err(error) if late(&error) && patience.lasts() => continue,
                    Err(error) => late(&error),
                };
                return Err(Fault { error: CommandError::TargetWrite, timed_out });
            }
        }
        Ok(())
    }
}

/// For how long something is waited for: the timeout, and as long as the client waits.
struct Patience<'a> {
    transfer: &'a Transfer,
    ends_micros: u64,
}

impl<'a> Patience<'a> {
    fn new(transfer: &'a Transfer) -> Self {
        let micros = transfer.target.timeout_ms.saturating_mul(1000);
        Self { transfer, ends_micros: clock::monotonic().0.saturating_add(micros) }
    }

    fn lasts(&mut self) -> bool {
        !self.transfer.has_ended() && clock::monotonic().0 < self.ends_micros
    }
}

/// What the other side has answered, as the client is told.
fn refused(text: &[u8]) -> CommandError {
    CommandError::err_bytes(&[b"Target instance replied with error: ", text])
}

/// Whether it was only not in time.
fn late(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted)
}

/// Connects to the first address that can be reached.
fn connect(target: &Target) -> io::Result<Socket> {
    let nowhere = || io::Error::from(io::ErrorKind::AddrNotAvailable);
    let host = str::from_utf8(&target.host).map_err(|_| nowhere())?;
    let port = stdx::num::parse_i64(&target.port).and_then(|port| u16::try_from(port).ok());
    let timeout = Duration::from_millis(target.timeout_ms);
    let mut last = nowhere();
    for address in (host, port.ok_or_else(nowhere)?).to_socket_addrs()? {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        match socket.connect_timeout(&SockAddr::from(address), timeout) {
            Ok(()) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests;
