//! Keys on their way to another server: what MIGRATE and the thread that talks to that server tell
//! each other.
//!
//! ```text
//!   command, under the locks   carries the values away ─► orders, and waits in the keys' queues
//!   thread, without locks      sends them ─► settles ─► wakes the client's connection
//!   command again, as above    deletes what arrived and has not changed since; orders the rest anew
//! ```
//!
//! Whoever changes a key meanwhile finds the command in its queue and marks it here, under the same
//! lock ([`Transfer::note_change`]). So a key is deleted only while its value is that which arrived.

use crate::{Card, CommandError, Cx, Waiting, Wanted};
use keyspace::{KeyPlace, KeyRef, ReadyKey};
use parking_lot::Mutex;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Rounds after which keys that change all the time are given up.
pub const ROUNDS_MAX: u32 = 32;

/// Where keys go.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    pub host: Box<[u8]>,
    pub port: Box<[u8]>,
    pub db: i64,
    /// Of connecting, of each piece that is written, of each reply.
    pub timeout_ms: u64,
    /// What AUTH is sent: a password, or a user and a password.
    pub credentials: Vec<Box<[u8]>>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("db", &self.db).finish_non_exhaustive()
    }
}

/// Makes the payload of a value that was carried away. May take long: called without locks.
pub type Encode = Box<dyn Fn() -> Vec<u8> + Send + Sync>;

/// What the target is to be told of one key.
pub struct Order {
    pub key: Box<[u8]>,
    /// `None`: the key has gone since it was sent, and is to go there, too.
    pub value: Option<Shipment>,
}

/// A value to be sent.
pub struct Shipment {
    pub encode: Encode,
    /// Milliseconds since 1970.
    pub expiry_ms: Option<i64>,
    pub replace: bool,
}

/// What became of a round of orders.
#[derive(Debug, Default)]
pub struct Delivery {
    /// Of each order, whether the target has done it; those behind the last have not been.
    pub done: Vec<bool>,
    /// The first that went wrong.
    pub error: Option<CommandError>,
    /// Nothing more can be sent.
    pub broken: bool,
}

/// Where the value of a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Only here, as far as is known.
    Here,
    /// There, too.
    Arrived,
    /// There is an older one.
    Stale,
}

#[derive(Default)]
struct State {
    orders: Vec<Order>,
    /// Whether the value arrived, and whether it has changed here since it was carried away.
    keys: BTreeMap<Box<[u8]>, (bool, bool)>,
    error: Option<CommandError>,
    broken: bool,
    rounds: u32,
}

/// The keys of one MIGRATE.
pub struct Transfer {
    pub target: Target,
    /// Whether keys are deleted here once they are there.
    pub moves: bool,
    card: Arc<Card>,
    settled: AtomicBool,
    ended: AtomicBool,
    /// A leaf: taken under the locks of the keys, and by the thread without any.
    state: Mutex<State>,
}

impl std::fmt::Debug for Transfer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transfer").field("target", &self.target).finish_non_exhaustive()
    }
}

impl Transfer {
    /// A transfer for the client with this card, of no keys so far.
    pub fn new(target: Target, moves: bool, card: Arc<Card>) -> Self {
        Self {
            target,
            moves,
            card,
            settled: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            state: Mutex::default(),
        }
    }

    /// Puts down the orders of a new round. Under the locks of the keys.
    pub fn order(&self, orders: Vec<Order>) {
        let mut state = self.state.lock();
        for order in orders.iter().filter(|order| order.value.is_some()) {
            let (_, changed) = state.keys.entry(order.key.clone()).or_default();
            *changed = false;
        }
        state.orders = orders;
        state.rounds += 1;
        self.settled.store(false, Ordering::Release);
    }

    /// The orders of the round, for who carries them out.
    pub fn take_orders(&self) -> Vec<Order> {
        std::mem::take(&mut self.state.lock().orders)
    }

    /// The round is over. Wakes the client's connection.
    pub fn settle(&self, orders: &[Order], delivery: Delivery) {
        let mut state = self.state.lock();
        for (at, order) in orders.iter().enumerate() {
            let done = delivery.done.get(at).is_some_and(|done| *done);
            if order.value.is_none() && done {
                state.keys.remove(&order.key);
            } else if order.value.is_some()
                && let Some((arrived, _)) = state.keys.get_mut(&order.key)
            {
                *arrived = done;
            }
        }
        state.broken |= delivery.broken;
        state.error = state.error.take().or(delivery.error);
        drop(state);
        self.settled.store(true, Ordering::Release);
        self.card.wake();
    }

    /// Whether a round is over that the command has not looked at.
    pub fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire)
    }

    /// A key changed, or went. Under its lock.
    pub fn note_change(&self, key: &[u8]) {
        if let Some((_, changed)) = self.state.lock().keys.get_mut(key) {
            *changed = true;
        }
    }

    /// Where the value of a key is. Under its lock.
    pub fn fate(&self, key: &[u8]) -> Fate {
        match self.state.lock().keys.get(key) {
            Some((true, false)) => Fate::Arrived,
            Some((true, true)) => Fate::Stale,
            Some((false, _)) | None => Fate::Here,
        }
    }

    /// Whether another round may follow.
    pub fn goes_on(&self) -> bool {
        let state = self.state.lock();
        !state.broken && state.rounds < ROUNDS_MAX
    }

    /// The first error.
    pub fn error(&self) -> Option<CommandError> {
        self.state.lock().error.clone()
    }

    /// The client waits no more.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

impl Cx<'_> {
    /// Whether another client is moving the key to another server: it may be gone here soon.
    pub fn is_moving(&mut self, key: &KeyRef<'_>) -> bool {
        let ready = ReadyKey { db: self.db.index(), place: KeyPlace::of(key) };
        let mut at = 0;
        while let Some(waiter) = self.db.waiter(&ready, at) {
            if let Some(waiting) = (&*waiter as &dyn Any).downcast_ref::<Waiting>()
                && let Wanted::Transfer(transfer) = &waiting.wait.wanted
                && !transfer.has_ended()
            {
                return true;
            }
            at += 1;
        }
        false
    }
}

#[cfg(test)]
mod tests;
