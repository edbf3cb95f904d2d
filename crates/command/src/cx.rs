//! What a handler may reach. A struct of public fields, so that borrows stay disjoint.

use crate::{
    Clock, CommandTable, Functions, Machine, Monitors, News, Node, PubSub, Scripts, Session,
    Settings, Tracking, Waits, deletion,
};
use keyspace::{Db, Event, KeyRef, Keyspace, NewValue};
use resp::Reply;
use std::sync::Arc;

/// The context of one command.
pub struct Cx<'a> {
    /// The selected database, as far as the request's keys are locked.
    pub db: Db<'a>,
    /// The whole keyspace, for `Walk` commands: they lock shard by shard.
    pub space: &'a Keyspace,
    /// The client.
    pub session: &'a mut Session,
    /// The node, for `Conn` and `Node` commands.
    pub node: &'a dyn Node,
    /// Who is subscribed to what.
    pub pubsub: &'a PubSub,
    /// Who may have which keys in a memory of its own.
    pub tracking: &'a Tracking,
    pub monitors: &'a Monitors,
    /// Scripts that may be called by their SHA.
    pub scripts: &'a Scripts,
    /// Libraries of functions.
    pub functions: &'a Functions,
    /// The worker's Lua machine; without its inside while a script runs.
    pub machine: &'a mut Machine,
    /// For how long a text may run that is loaded.
    pub clock: Clock,
    /// Called by a script: what others are told of goes here. Use [`Cx::publish`].
    pub news: Option<&'a mut Vec<News>>,
    /// Whether the command is part of a transaction, so that its reply is part of another.
    pub in_transaction: bool,
    /// The command table, for introspection.
    pub table: &'a CommandTable,
    pub rng: &'a mut stdx::rng::Rng,
    /// Hot parameters, frozen for the command.
    pub settings: &'a Settings,
    /// The wall clock in milliseconds since 1970, frozen for the command.
    pub now_ms: i64,
    /// Long work that goes on in slices after the handler has returned: see [`Job`].
    pub later: &'a mut Option<Box<dyn Job>>,
    /// RESP commands for the journal, written by [`Cx::rewrite`].
    pub log: &'a mut Rewrites,
    /// Copies of the request's long words.
    pub ready: &'a mut Ready,
    /// What the other workers do meanwhile.
    pub others: Others,
    /// Whether the command may wait, or has waited.
    pub waits: Waits<'a>,
}

/// What the other workers do while a command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// They run, and wait only for locks that the command holds.
    Run,
    /// They stand still: the write gate is closed, and must not be closed again.
    Stand,
}

/// Copies of long words, made before a lock is taken: copying hundreds of megabytes under it would
/// hold up everybody else on the shard.
#[derive(Debug, Default)]
pub struct Ready(Vec<(usize, Arc<Vec<u8>>)>);

impl Ready {
    /// Words of this many bytes and more are copied ahead.
    pub const WORD_BYTES_MIN: usize = 64 << 10;

    /// Copies `word` if it is long.
    pub fn add(&mut self, word: &[u8]) {
        if word.len() >= Self::WORD_BYTES_MIN {
            self.0.push((word.as_ptr().addr(), Arc::new(word.to_vec())));
        }
    }

    /// Takes over `copy`, which holds the bytes of `word`.
    pub fn give(&mut self, word: &[u8], copy: Arc<Vec<u8>>) {
        self.0.push((word.as_ptr().addr(), copy));
    }

    /// The copy of `word`, which is then gone from here.
    fn take(&mut self, word: &[u8]) -> Option<Arc<Vec<u8>>> {
        let is_it = |(at, copy): &(usize, Arc<Vec<u8>>)| {
            *at == word.as_ptr().addr() && copy.len() == word.len()
        };
        let found = self.0.iter().position(is_it)?;
        Some(self.0.swap_remove(found).1)
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl Cx<'_> {
    /// Whether a script has called the command.
    pub fn in_script(&self) -> bool {
        self.news.is_some()
    }

    /// The value that SET makes of a word of the request: a number in its one canonical spelling
    /// becomes an integer, a long word is not copied any more.
    #[inline]
    pub fn value<'v>(&mut self, word: &'v [u8]) -> NewValue<'v> {
        if word.len() >= Ready::WORD_BYTES_MIN
            && let Some(copy) = self.ready.take(word)
        {
            return NewValue::Shared(copy);
        }
        NewValue::detect(word)
    }

    /// Whether a key that expires at `at` is deleted instead of kept: not in import mode, where
    /// deleting is up to the source, and not where a log is replayed, which tells of it later.
    pub fn has_passed(&self, at: i64) -> bool {
        at <= self.now_ms && !self.settings.import_mode && !self.session.replays
    }

    /// Deletes a key to which a command gave an expiry that has passed, and tells the journal; it
    /// counts as expired. `false` if it was not there.
    pub fn delete_passed(&mut self, key: &KeyRef<'_>) -> bool {
        let deleted = self.db.delete(key, Event::EXPIRED);
        if deleted {
            self.space.count_expired(1, self.now_ms);
            self.rewrite(&[deletion(self.settings.lazy_expire), key.bytes()]);
        }
        deleted
    }

    /// Writes one command that the journal is told instead of the command as sent. Return
    /// [`crate::Effect::Rewrite`] afterwards. Costs nothing while nobody reads the journal.
    pub fn rewrite(&mut self, words: &[&[u8]]) {
        self.log.push(words);
    }

    /// The same, with `number` as the last word: formatted only if somebody reads it.
    pub fn rewrite_number(&mut self, words: &[&[u8]], number: i64) {
        if !self.log.active {
            return self.log.push(&[]);
        }
        let mut text = Vec::with_capacity(stdx::num::I64_TEXT_MAX);
        stdx::num::write_i64(&mut text, number);
        let mut all = words.to_vec();
        all.push(&text);
        self.log.push(&all);
    }
}

/// The commands that stand for the effect of one command, encoded.
#[derive(Debug, Default)]
pub struct Rewrites {
    pub active: bool,
    pub bytes: Vec<u8>,
    pub commands: u32,
}

impl Rewrites {
    pub fn push(&mut self, words: &[&[u8]]) {
        if self.active {
            resp::write_command(&mut self.bytes, words);
        }
        self.commands += 1;
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.commands = 0;
    }
}

/// Whether a job is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobStep {
    More,
    /// Not now: the client's card is woken when there is.
    Wait,
    Done,
}

/// Work that goes on outside the locks to answer one command: a walk over the keyspace (KEYS), or a
/// reply too long to be written under a lock (LRANGE of a million elements, from a clone of the
/// list). The connection calls `step` until it is done and serves its worker's other clients in
/// between; it does not call it while the client leaves much unread.
pub trait Job {
    /// Does a bounded slice: about a thousand elements. What it writes goes on where the handler
    /// and the step before left off. A job that waits for others ([`JobStep::Wait`]) is of a command
    /// that runs neither in transactions nor in scripts.
    fn step(&mut self, space: &Keyspace, now_ms: i64, reply: &mut Reply) -> JobStep;

    /// Whether its replies show what others have written, and so wait for the disk as those writes do.
    fn shows_data(&self) -> bool {
        true
    }

    /// Whether it is given up when the client closes its half of the connection. Else it goes on, for who
    /// asks and closes may still read; once nobody does, writing fails.
    fn ends_with_client(&self) -> bool {
        false
    }
}
