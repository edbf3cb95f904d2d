//! What a connection is to the commands it sends. Owned by the connection's worker; what other
//! workers may see of it is in its [`Card`].

use crate::{
    Card, DebugSession, Debugging, Fieldsets, Monitors, PubSub, Subscriptions, Sync, Tracking,
    TrackingState, Transaction,
};
use keyspace::{Keyspace, WatchedKey};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Which replies the client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ReplyMode {
    #[default]
    On,
    /// None at all.
    Off,
    /// Not for the next command.
    SkipNext,
    /// Not for this command.
    Skip,
}

/// The state of one client.
#[derive(Debug)]
pub struct Session {
    /// What others see: CLIENT LIST, CLIENT KILL.
    pub card: Arc<Card>,
    /// Selected database.
    pub db: u32,
    /// 2 or 3.
    pub protocol: u8,
    pub authenticated: bool,
    /// Whether it has ever been: RESET does not make a stranger of it.
    known: bool,
    pub reply_mode: ReplyMode,
    /// CLIENT NO-TOUCH.
    pub no_touch: bool,
    /// The end of its last write in the journal.
    pub wrote: u64,
    /// It brings what a log says: nothing that refuses a client's commands refuses its.
    pub replays: bool,
    /// Close once what is queued has been written.
    pub close_after_reply: bool,
    /// From the command under way on, the connection is fed by the log.
    pub feed: Option<Sync>,
    /// What is queued since MULTI.
    pub transaction: Option<Box<Transaction>>,
    /// Keys that must not change until EXEC. The shards know of them by the card's watch.
    pub watched: Vec<WatchedKey>,
    /// What these take, here and in the shards.
    watched_bytes: u64,
    /// `None`: it is not subscribed to anything.
    pub subscriptions: Option<Box<Subscriptions>>,
    /// `None`: it does not track keys.
    pub tracking: Option<Box<TrackingState>>,
    /// `None`: it does not debug scripts.
    pub debugging: Option<Box<Debugging>>,
    /// What HIMPORT has prepared; `None`: nothing.
    fieldsets: Option<Box<Fieldsets>>,
    /// What the command under way has written are pushes: CLIENT REPLY does not keep them back.
    pub pushed: bool,
}

impl Session {
    pub fn new(card: Arc<Card>, authenticated: bool) -> Self {
        Self {
            card,
            db: 0,
            protocol: 2,
            authenticated,
            known: authenticated,
            reply_mode: ReplyMode::On,
            no_touch: false,
            wrote: 0,
            replays: false,
            close_after_reply: false,
            feed: None,
            transaction: None,
            watched: Vec::new(),
            watched_bytes: 0,
            subscriptions: None,
            tracking: None,
            debugging: None,
            fieldsets: None,
            pushed: false,
        }
    }

    /// Whether the client has authenticated itself, now or before a RESET.
    pub fn is_known(&self) -> bool {
        self.known || self.authenticated
    }

    /// The protocol, as the reply writer names it.
    pub fn wire(&self) -> resp::Protocol {
        if self.protocol == 3 { resp::Protocol::Resp3 } else { resp::Protocol::Resp2 }
    }

    /// Ends the watching of keys. Called without locks.
    pub fn unwatch(&mut self, space: &Keyspace) {
        if !self.watched.is_empty() {
            space.unwatch(&self.card.watch, &mut self.watched);
            self.watched = Vec::new();
            self.watched_bytes = 0;
        }
    }

    /// A key is watched from now on.
    pub fn remember(&mut self, key: WatchedKey) {
        self.watched_bytes += key.memory_bytes();
        self.watched.push(key);
    }

    /// The script that is debugged: what the client sends are commands of the debugger.
    #[inline]
    pub fn debugged(&self) -> Option<&DebugSession> {
        self.debugging.as_ref()?.session.as_deref()
    }

    pub fn debugged_mut(&mut self) -> Option<&mut DebugSession> {
        self.debugging.as_mut()?.session.as_deref_mut()
    }

    /// What HIMPORT has prepared.
    pub fn fieldsets(&self) -> Option<&Fieldsets> {
        self.fieldsets.as_deref()
    }

    /// Changes that; what it takes is shown to others.
    pub fn edit_fieldsets<R>(&mut self, edit: impl FnOnce(&mut Fieldsets) -> R) -> R {
        let mut sets = self.fieldsets.take().unwrap_or_default();
        let result = edit(&mut sets);
        self.put_fieldsets(Some(sets));
        result
    }

    /// Takes that away, for a script to begin without any.
    pub fn take_fieldsets(&mut self) -> Option<Box<Fieldsets>> {
        self.fieldsets.take()
    }

    /// Puts in place what was taken away.
    pub fn put_fieldsets(&mut self, sets: Option<Box<Fieldsets>>) {
        self.fieldsets = sets.filter(|sets| !sets.is_empty());
        let bytes = self.fieldsets().map_or(0, Fieldsets::memory_bytes);
        self.card.fieldset_bytes.store(bytes, Ordering::Relaxed);
    }

    /// A command could not be queued: EXEC will do nothing.
    pub fn fail_transaction(&mut self) {
        if let Some(transaction) = &mut self.transaction {
            transaction.fail();
        }
    }

    /// Brings what is queued and watched to where others see it.
    pub fn publish(&self) {
        let card = &self.card;
        let queued = self.transaction.as_ref().map_or(-1, |queue| queue.len() as i32);
        let queue = self.transaction.as_ref().map_or(0, |queue| queue.memory_bytes());
        card.queued.store(queued, Ordering::Relaxed);
        let debugged = self.debugged().map_or(0, DebugSession::memory_bytes);
        card.multi_bytes.store(queue + self.watched_bytes + debugged, Ordering::Relaxed);
    }

    /// Whether the client speaks RESP2 and is subscribed: it cannot tell replies from messages, and
    /// may send only what is answered like them.
    #[inline]
    pub fn only_listens(&self) -> bool {
        self.subscriptions.is_some() && self.protocol == 2
    }

    /// Whether CLIENT CACHING is for the request that runs, and ends with it.
    #[inline]
    pub fn caches(&self) -> bool {
        self.transaction.is_none() && self.tracking.as_ref().is_some_and(|state| state.caching)
    }

    /// CLIENT CACHING was for one command, or for one transaction.
    #[cold]
    pub fn caching_ends(&mut self) {
        if let Some(tracking) = &mut self.tracking {
            tracking.caching = false;
        }
    }

    /// Takes the client out of all that others might tell it: RESET, or the end of the connection.
    /// Called without locks.
    pub fn leave(
        &mut self,
        space: &Keyspace,
        pubsub: &PubSub,
        tracking: &Tracking,
        monitors: &Monitors,
    ) {
        self.transaction = None;
        self.unwatch(space);
        pubsub.leave(self);
        tracking.disable(self);
        monitors.leave(self);
    }

    /// As RESET leaves it: everything but the identity of the connection. Nothing is watched.
    pub fn reset(&mut self, authenticated: bool) {
        let known = self.is_known();
        self.put_fieldsets(None);
        *self = Self::new(self.card.clone(), authenticated);
        self.known |= known;
    }
}
