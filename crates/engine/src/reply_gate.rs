//! The reply gate: a reply leaves only when the journal up to the reply's LSN has reached the
//! level that the connection was promised. At the default level (in memory) every LSN has.

use journal::{Lsn, Watermark};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;

/// How safe a write must be before its reply leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// Applied in memory and in the journal.
    #[default]
    Memory,
    /// And durable here.
    Fsync,
}

/// What has reached which level.
#[derive(Debug)]
pub struct ReplyGate {
    /// Up to where the journal is durable; the AOF's writer advances it.
    pub durable: Arc<Watermark>,
    /// Whether replies wait for that.
    waits: AtomicBool,
    /// How many clients wait, and how many did at most since somebody asked.
    clients: AtomicUsize,
    most: AtomicUsize,
    /// When so many wait, who makes them durable is woken; 0: never.
    wanted: AtomicUsize,
    pub gatherer: OnceLock<Waker>,
}

impl Default for ReplyGate {
    fn default() -> Self {
        /// Replies that may wait at a time.
        const WAITERS_MAX: usize = 1 << 20;
        Self {
            durable: Watermark::new(Lsn(0), WAITERS_MAX),
            waits: AtomicBool::new(false),
            clients: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            wanted: AtomicUsize::new(0),
            gatherer: OnceLock::new(),
        }
    }
}

impl ReplyGate {
    /// The level that replies have from now on. Whoever waits already is to be woken by the caller
    /// if it is a lower one.
    pub fn set_level(&self, level: Level) {
        self.waits.store(level == Level::Fsync, Ordering::Release);
    }

    #[inline]
    pub fn level(&self) -> Level {
        if self.waits.load(Ordering::Acquire) { Level::Fsync } else { Level::Memory }
    }

    /// Whether a reply that depends on `lsn` may leave.
    #[inline]
    pub fn open(&self, lsn: Lsn) -> bool {
        self.level() == Level::Memory || self.durable.reached(lsn)
    }

    /// A client begins to wait.
    pub fn comes(&self) {
        // Partner: the store in `want`. Either we see what is wanted, or the caller sees us.
        let clients = self.clients.fetch_add(1, Ordering::SeqCst).wrapping_add(1);
        self.most.fetch_max(clients, Ordering::Relaxed);
        if clients == self.wanted.load(Ordering::SeqCst)
            && let Some(gatherer) = self.gatherer.get()
        {
            gatherer.wake_by_ref();
        }
    }

    /// So many clients wait no more.
    pub fn go(&self, clients: usize) {
        self.clients.fetch_sub(clients, Ordering::SeqCst);
    }

    /// Has the gatherer woken when so many wait; how many do.
    pub fn want(&self, clients: usize) -> usize {
        self.wanted.store(clients, Ordering::SeqCst);
        self.clients.load(Ordering::SeqCst)
    }

    /// How many waited at most since this was asked last.
    pub fn most(&self) -> usize {
        self.most.swap(self.clients.load(Ordering::Relaxed), Ordering::Relaxed)
    }
}
