//! The worker threads. Connections come in through a worker's mailbox and live on that worker;
//! when the number of workers shrinks they move to another as soon as they are at rest.

use crate::connection::{Connection, Exit};
use crate::here::{Here, Socket, Tables};
use crate::line::usher;
use crate::scratch::Scratch;
use command::{Card, Session};
use durability::replica_feed::Over;
use engine::Engine;
use keyspace::Helper;
use parking_lot::Mutex;
use resp::ProtocolError;
use runtime::log::{Limiter, user_data};
use runtime::process::crash;
use runtime::{log_verbose as verbose, log_warning as warning};
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{LocalSet, spawn_local};

/// A connected socket, not yet registered with any worker's reactor.
#[derive(Debug)]
pub enum Transport {
    #[expect(clippy::disallowed_types, reason = "sockets change workers in their plain form")]
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

/// A connection on its way to a worker.
#[derive(Debug)]
pub struct Incoming {
    pub transport: Transport,
    pub session: Session,
}

/// What the server decides about connections.
pub trait Admission: Send + Sync {
    /// A connection has ended.
    fn ended(&self, card: &Card);
}

struct Mailbox {
    sender: UnboundedSender<Incoming>,
    /// Connections on this worker.
    connections: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

/// The workers.
pub struct Pool {
    engine: Arc<Engine>,
    admission: Arc<dyn Admission>,
    seed: u64,
    workers: Mutex<Vec<Mailbox>>,
    /// Number of workers that take connections; the mailboxes behind it drain.
    active: AtomicUsize,
}

impl Pool {
    /// Starts `count` workers; `seed` seeds their generators.
    pub fn start(
        engine: Arc<Engine>,
        admission: Arc<dyn Admission>,
        count: usize,
        seed: u64,
    ) -> io::Result<Arc<Self>> {
        let pool = Arc::new(Self {
            engine,
            admission,
            seed,
            workers: Mutex::new(Vec::new()),
            active: AtomicUsize::new(0),
        });
        pool.resize(count)?;
        Ok(pool)
    }

    /// How many workers take connections.
    pub fn active(&self) -> usize {
        self.active.load(Ordering::Relaxed)
    }

    /// Changes the number of workers. Workers above it hand their connections over and stay idle,
    /// to be used again.
    pub fn resize(self: &Arc<Self>, count: usize) -> io::Result<()> {
        let count = count.max(1);
        let mut workers = self.workers.lock();
        while workers.len() < count {
            let id = workers.len();
            workers.push(self.spawn(id)?);
        }
        self.active.store(count, Ordering::Relaxed);
        drop(workers);
        for card in self.engine.node().clients().all() {
            if usize::from(card.worker.load(Ordering::Relaxed)) >= count {
                card.move_away();
            }
        }
        Ok(())
    }

    /// Whether worker number `id` takes connections. One that had its id on its card before this is
    /// either seen by [`Pool::resize`] or told here.
    fn is_active(&self, id: usize) -> bool {
        let _workers = self.workers.lock();
        id < self.active()
    }

    fn spawn(self: &Arc<Self>, id: usize) -> io::Result<Mailbox> {
        let (sender, receiver) = unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let (pool, count) = (Arc::clone(self), Arc::clone(&connections));
        // Without a timer: what waits for the clock is woken by the server's main thread.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let thread = std::thread::Builder::new().name(format!("worker-{id}")).spawn(move || {
            // For a report of this thread's stack, should it crash.
            let guard = crash::prepare_thread();
            if let Err(error) = &guard {
                warning!("Worker {id} has no stack for crash reports: {error}");
            }
            LocalSet::new().block_on(&runtime, serve_mailbox(pool, id, receiver, count));
        })?;
        Ok(Mailbox { sender, connections, thread })
    }

    /// Gives a connection to the worker that has the fewest.
    pub fn assign(&self, incoming: Incoming) {
        let workers = self.workers.lock();
        let active = self.active().max(1);
        let least = workers
            .iter()
            .take(active)
            .min_by_key(|worker| worker.connections.load(Ordering::Relaxed));
        let Some(worker) = least else { return };
        worker.connections.fetch_add(1, Ordering::Relaxed);
        if let Err(lost) = worker.sender.send(incoming) {
            worker.connections.fetch_sub(1, Ordering::Relaxed);
            self.admission.ended(&lost.0.session.card);
            warning!(
                "A worker does not take connections any more: {:?}",
                worker.thread.thread().name()
            );
        }
    }
}

/// One worker's main task: takes connections out of the mailbox, a task for each.
async fn serve_mailbox(
    pool: Arc<Pool>,
    id: usize,
    mailbox: UnboundedReceiver<Incoming>,
    connections: Arc<AtomicUsize>,
) {
    let seed = pool.seed.wrapping_add((id as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let Some(scratch) = Scratch::new(Arc::clone(&pool.engine), seed, id) else {
        return warning!("Worker {id} does not start: there are too many threads");
    };
    let scratch = Rc::new(scratch);
    spawn_local(help(Helper::new(&pool.engine.space, id)));
    spawn_local(usher(Rc::clone(&scratch)));
    let stats = Arc::clone(&scratch.state.borrow().worker.stats);
    spawn_local(forget(Rc::clone(&scratch)));
    let here = Rc::new(Here {
        pool,
        id: id as u16,
        stats,
        scratch,
        connections,
        mailbox: RefCell::new(mailbox),
        tables: Tables::default(),
    });
    here.settle();
    while let Some(incoming) = poll_fn(|cx| here.mailbox.borrow_mut().poll_recv(cx)).await {
        here.take_in(incoming);
    }
}

/// Gives back what compiled scripts take once the server has forgotten them, however idle the worker is.
async fn forget(scratch: Rc<Scratch>) {
    let mut seen = 0;
    loop {
        seen = poll_fn(|cx| scratch.engine.scripts.poll_flush(seen, cx)).await;
        scratch.state.borrow_mut().worker.forget_scripts(&scratch.engine);
    }
}

/// Walks over the tables for a snapshot, a little at a time, and lets clients go first.
async fn help(mut helper: Helper) {
    /// Some 20 microseconds.
    const STEPS: usize = 3;
    loop {
        poll_fn(|cx| helper.poll(cx.waker())).await;
        for _ in 0..STEPS {
            helper.step();
        }
        tokio::task::yield_now().await;
    }
}

impl Here {
    /// Starts to serve a connection, unless the worker has gone idle while that was on its way.
    pub(crate) fn take_in(self: &Rc<Self>, incoming: Incoming) {
        incoming.session.card.arrived(self.id);
        if !self.pool.is_active(usize::from(self.id)) {
            self.pool.assign(incoming);
            self.connections.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let Incoming { transport, session } = incoming;
        self.stats.connections.add(1);
        let here = Rc::clone(self);
        let card = Arc::clone(&session.card);
        let scratch = Rc::clone(&self.scratch);
        match transport {
            Transport::Tcp(stream) => match TcpStream::from_std(stream) {
                Ok(stream) => {
                    let connection = self.add(Connection::new(stream, session, scratch));
                    spawn_local(
                        here.serve(connection, |stream| stream.into_std().map(Transport::Tcp)),
                    );
                }
                Err(error) => self.ended(&card, Exit::Io(error)),
            },
            Transport::Unix(stream) => match UnixStream::from_std(stream) {
                Ok(stream) => {
                    let connection = self.add(Connection::new(stream, session, scratch));
                    spawn_local(
                        here.serve(connection, |stream| stream.into_std().map(Transport::Unix)),
                    );
                }
                Err(error) => self.ended(&card, Exit::Io(error)),
            },
        }
    }

    /// One connection's task; `plain` takes its socket out of this worker's reactor.
    async fn serve<S: Socket>(
        self: Rc<Self>,
        connection: Rc<RefCell<Connection<S>>>,
        plain: impl FnOnce(S) -> io::Result<Transport>,
    ) {
        let card = Arc::clone(&connection.borrow().session.card);
        let exit = poll_fn(|cx| connection.borrow_mut().advance(cx)).await;
        self.remove(card.id);
        let Ok(connection) = Rc::try_unwrap(connection).map(RefCell::into_inner) else {
            unreachable!("the task is the connection's only owner");
        };
        let mut connection = connection;
        if !matches!(exit, Exit::Moved) {
            connection.leave();
            return self.ended(&card, exit);
        }
        let mut session = connection.session;
        match plain(connection.stream) {
            Ok(transport) => {
                self.pool.assign(Incoming { transport, session });
                self.connections.fetch_sub(1, Ordering::Relaxed);
            }
            Err(error) => {
                self.pool.engine.leave(&mut session);
                self.ended(&card, Exit::Io(error));
            }
        }
    }

    fn ended(&self, card: &Card, exit: Exit) {
        report(card, &exit);
        match exit {
            Exit::OutputLimit | Exit::Fed(Over::OutputLimit) => {
                self.stats.output_buffer_disconnections.add(1);
            }
            Exit::QueryLimit => self.stats.query_buffer_disconnections.add(1),
            _ => {}
        }
        self.pool.admission.ended(card);
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A line in the log about how a connection ended, at a level that fits.
fn report(card: &Card, exit: &Exit) {
    static FOREIGN: Limiter = Limiter::every_ms(60_000);
    let (id, addr) = (card.id, &card.addr);
    match exit {
        Exit::Closed | Exit::Moved => verbose!("Client closed connection id={id} addr={addr}"),
        Exit::Killed => verbose!("Client killed id={id} addr={addr}"),
        Exit::OutputLimit => {
            warning!("Client id={id} addr={addr} closed for overcoming of output buffer limits.");
        }
        Exit::Fed(Over::OutputLimit) => {
            warning!("Replica {addr} closed for overcoming of output buffer limits.");
        }
        Exit::Fed(Over::Timeout) => warning!("Disconnecting timedout replica: {addr}"),
        Exit::Fed(Over::NotKept(why)) => warning!(
            "Replica {addr} is disconnected: the snapshot for it, which it takes only when all of it is \
             there (no REPLCONF capa eof), could not be kept on the disk: {why}"
        ),
        Exit::Fed(Over::TakenBack) => {
            warning!("Replica {addr} is disconnected: its snapshot was in the way of another");
        }
        Exit::Fed(Over::Unfit(why)) => warning!("Replica {addr} gets no snapshot: {why}"),
        Exit::AnswerToReplica => {
            warning!("Replica {addr} sent a command that has an answer, disconnecting it");
        }
        Exit::QueryLimit => {
            warning!("Closing client that reached max query buffer length: id={id} addr={addr}");
        }
        Exit::Protocol(ProtocolError::CrossProtocol(foreign), _) => {
            if let Some(missed) = FOREIGN.pass() {
                warning!(
                    "Possible SECURITY ATTACK detected. {addr} speaks {foreign} to this port: a \
                     browser or a proxy was perhaps tricked into sending commands. Connection \
                     closed ({missed} more in the last minutes)."
                );
            }
        }
        Exit::Protocol(text, begin) => verbose!(
            "Protocol error ({text}) from client: id={id} addr={addr}. Query buffer: {}",
            user_data(begin)
        ),
        Exit::Io(error) if error.kind() == io::ErrorKind::OutOfMemory => {
            warning!("Closing client id={id} addr={addr}: there is no memory for what it sends")
        }
        Exit::Io(error) => {
            verbose!("Reading from or writing to client id={id} addr={addr}: {error}")
        }
    }
}
