//! What one worker thread has: its connections, and those on their way to it.
//!
//! A script that runs for too long keeps its worker from turning the event loop, and with it all
//! other clients of the worker, perhaps the very one that would end the script. So the script calls
//! [`serve_others`] now and then: it reads the sockets directly, past the reactor, takes new
//! connections in, and answers what needs no lock (SCRIPT KILL, SHUTDOWN ...) or that the server is
//! busy. What was read is never lost: what is not whole yet stays with the connection, whose task
//! goes on from there.

use crate::connection::Connection;
use crate::pool::{Incoming, Pool};
use crate::scratch::{Scratch, State};
use engine::WorkerStats;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::UnboundedReceiver;

/// A socket of a connection.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin + AsFd + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + AsFd + 'static> Socket for S {}

/// A connection beside the one whose script runs.
trait Bystander {
    fn attend(&mut self, state: &mut State);
}

impl<S: Socket> Bystander for Connection<S> {
    fn attend(&mut self, state: &mut State) {
        Self::attend(self, state);
    }
}

/// The connections of a worker, by the ids of their clients.
#[derive(Default)]
pub(crate) struct Tables(RefCell<BTreeMap<u64, Weak<RefCell<dyn Bystander>>>>);

/// One worker thread.
pub(crate) struct Here {
    pub pool: Arc<Pool>,
    pub id: u16,
    pub scratch: Rc<Scratch>,
    pub stats: Arc<WorkerStats>,
    /// How many there are, for who assigns new ones.
    pub connections: Arc<AtomicUsize>,
    pub mailbox: RefCell<UnboundedReceiver<Incoming>>,
    pub tables: Tables,
}

thread_local! {
    static HERE: RefCell<Weak<Here>> = const { RefCell::new(Weak::new()) };
}

/// Called by a script that runs on this thread: answers what the other clients may still ask for.
pub fn serve_others() {
    if let Some(here) = HERE.with(|here| here.borrow().upgrade()) {
        here.serve_others();
    }
}

impl Here {
    /// This is the worker of the current thread from now on.
    pub(crate) fn settle(self: &Rc<Self>) {
        HERE.with(|here| *here.borrow_mut() = Rc::downgrade(self));
    }

    /// Makes a connection known to [`serve_others`].
    pub(crate) fn add<S: Socket>(&self, connection: Connection<S>) -> Rc<RefCell<Connection<S>>> {
        let id = connection.session.card.id;
        let connection = Rc::new(RefCell::new(connection));
        let bystander: Rc<RefCell<dyn Bystander>> = Rc::clone(&connection) as _;
        self.tables.0.borrow_mut().insert(id, Rc::downgrade(&bystander));
        connection
    }

    pub(crate) fn remove(&self, id: u64) {
        self.tables.0.borrow_mut().remove(&id);
    }

    fn serve_others(self: &Rc<Self>) {
        loop {
            let incoming = self.mailbox.try_borrow_mut().map(|mut mailbox| mailbox.try_recv());
            let Ok(Ok(incoming)) = incoming else { break };
            self.take_in(incoming);
        }
        let Some(mut deputy) = self.scratch.deputy() else { return };
        let others: Vec<_> = self.tables.0.borrow().values().filter_map(Weak::upgrade).collect();
        for other in others {
            // The one that cannot be borrowed runs the script.
            if let Ok(mut other) = other.try_borrow_mut() {
                other.attend(&mut deputy);
            }
        }
    }
}
