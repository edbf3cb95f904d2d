//! What a client has queued since MULTI: words, one after the other, in one buffer.

use crate::{Command, Flags};
use std::ops::Range;

/// Commands that wait for EXEC.
#[derive(Debug, Default)]
pub struct Transaction {
    /// All words of all commands.
    bytes: Vec<u8>,
    /// Where each word ends in `bytes`.
    words: Vec<usize>,
    commands: Vec<Queued>,
    /// Flags that at least one command has.
    flags: u64,
    /// A command could not be queued: EXEC will do nothing.
    failed: bool,
}

/// A queued command.
#[derive(Clone, Copy, Debug)]
struct Queued {
    /// Where its words end in `words`.
    words_end: usize,
    /// Its bytes on the wire.
    bytes: usize,
}

impl Transaction {
    /// Queues a request that took `bytes` bytes on the wire.
    pub fn push(&mut self, row: &Command, words: &[&[u8]], bytes: usize) {
        if self.failed {
            return;
        }
        self.bytes.reserve(words.iter().map(|word| word.len()).sum());
        for word in words {
            self.bytes.extend_from_slice(word);
            self.words.push(self.bytes.len());
        }
        self.commands.push(Queued { words_end: self.words.len(), bytes });
        self.flags |= row.flags.0;
    }

    /// A command could not be queued: frees what was, since it will never run.
    pub fn fail(&mut self) {
        *self = Self { failed: true, ..Self::default() };
    }

    pub fn failed(&self) -> bool {
        self.failed
    }

    /// How many commands are queued.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Whether at least one command has all of `flags`.
    pub fn has(&self, flags: Flags) -> bool {
        self.flags & flags.0 == flags.0
    }

    /// Bytes that the queue takes.
    pub fn memory_bytes(&self) -> u64 {
        let numbers = self.words.capacity() * size_of::<usize>();
        let commands = self.commands.capacity() * size_of::<Queued>();
        (self.bytes.capacity() + numbers + commands) as u64
    }

    /// All words of all commands, one after the other.
    pub fn words(&self) -> impl Iterator<Item = &[u8]> {
        let mut begin = 0;
        self.words.iter().map(move |&end| &self.bytes[std::mem::replace(&mut begin, end)..end])
    }

    /// Of each command, its part of the words and its bytes on the wire.
    pub fn commands(&self) -> impl Iterator<Item = (Range<usize>, usize)> {
        let mut begin = 0;
        self.commands.iter().map(move |command| {
            let from = std::mem::replace(&mut begin, command.words_end);
            (from..command.words_end, command.bytes)
        })
    }
}
