//! The log of commands that stood out: that took long, or whose request or reply was large.
//! SLOWLOG and COMMANDLOG read it.
//!
//! A bounded list of each kind behind a lock that is taken only for a command that stands out. An
//! entry keeps the beginnings of the request's words; those that the row calls secret are replaced.

use crate::{Card, Command};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

/// What an entry stands out by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogKind {
    /// Its time.
    Slow,
    /// The size of its request.
    LargeRequest,
    /// The size of its reply.
    LargeReply,
}

/// From where on a command stands out, and how many entries are kept, for one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimit {
    /// Microseconds or bytes that a command must reach; `None`: never.
    pub threshold: Option<u64>,
    pub entries_max: usize,
}

/// Limits of the three kinds, and of what an entry keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    pub slow: LogLimit,
    pub large_request: LogLimit,
    pub large_reply: LogLimit,
    /// Words kept of a request, 2 or more.
    pub words_max: usize,
    /// Bytes kept of a word, 1 or more.
    pub word_bytes_max: usize,
}

impl Default for LogLimits {
    fn default() -> Self {
        let large = LogLimit { threshold: Some(1 << 20), entries_max: 128 };
        Self {
            slow: LogLimit { threshold: Some(10_000), entries_max: 128 },
            large_request: large,
            large_reply: large,
            words_max: 32,
            word_bytes_max: 128,
        }
    }
}

impl LogLimits {
    fn of(&self, kind: LogKind) -> LogLimit {
        match kind {
            LogKind::Slow => self.slow,
            LogKind::LargeRequest => self.large_request,
            LogKind::LargeReply => self.large_reply,
        }
    }
}

/// One command that stood out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Ascends within its kind, and never comes again.
    pub id: u64,
    /// Seconds since 1970.
    pub time: i64,
    /// Microseconds or bytes.
    pub value: u64,
    pub words: Vec<Vec<u8>>,
    pub addr: String,
    pub client_name: Vec<u8>,
}

#[derive(Debug, Default)]
struct Entries {
    next_id: u64,
    /// The newest first.
    list: VecDeque<Arc<LogEntry>>,
}

/// All three lists.
#[derive(Debug, Default)]
pub struct CommandLog {
    kinds: [Mutex<Entries>; 3],
}

impl CommandLog {
    fn entries(&self, kind: LogKind) -> &Mutex<Entries> {
        &self.kinds[kind as usize]
    }

    /// Adds a command that took `value` (microseconds or bytes) if that is enough to stand out.
    pub fn note(
        &self,
        kind: LogKind,
        value: u64,
        limits: &LogLimits,
        request: (&Command, &[&[u8]]),
        client: (&Card, i64),
    ) {
        let limit = limits.of(kind);
        if limit.entries_max == 0 || limit.threshold.is_none_or(|threshold| value < threshold) {
            return;
        }
        let (card, now_ms) = client;
        let entry = LogEntry {
            id: 0,
            time: now_ms.div_euclid(1000),
            value,
            words: abridged(request.0, request.1, limits),
            addr: card.addr.clone(),
            client_name: card.identity.lock().name.clone(),
        };
        let mut entries = self.entries(kind).lock();
        let id = entries.next_id;
        entries.next_id += 1;
        entries.list.push_front(Arc::new(LogEntry { id, ..entry }));
        entries.list.truncate(limit.entries_max);
    }

    /// Up to `count` entries, the newest first.
    pub fn newest(&self, kind: LogKind, count: usize) -> Vec<Arc<LogEntry>> {
        self.entries(kind).lock().list.iter().take(count).cloned().collect()
    }

    /// How many entries are kept.
    pub fn count(&self, kind: LogKind) -> usize {
        self.entries(kind).lock().list.len()
    }

    /// Forgets the entries.
    pub fn reset(&self, kind: LogKind) {
        self.entries(kind).lock().list.clear();
    }
}

/// The words of a request as an entry keeps them.
fn abridged(row: &Command, words: &[&[u8]], limits: &LogLimits) -> Vec<Vec<u8>> {
    let kept = words.len().min(limits.words_max);
    let mut abridged = Vec::with_capacity(kept);
    for (at, word) in words[..kept].iter().enumerate() {
        let left_out = words.len() - at;
        abridged.push(if kept < words.len() && at + 1 == kept {
            format!("... ({left_out} more arguments)").into_bytes()
        } else if row.secrets.is_some_and(|is_secret| is_secret(words, at)) {
            b"(redacted)".to_vec()
        } else if word.len() > limits.word_bytes_max {
            let more = word.len() - limits.word_bytes_max;
            let mut text = word[..limits.word_bytes_max].to_vec();
            text.extend_from_slice(format!("... ({more} more bytes)").as_bytes());
            text
        } else {
            word.to_vec()
        });
    }
    abridged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card() -> Card {
        Card::new(1, "127.0.0.1:1".into(), "127.0.0.1:2".into(), 0, 0)
    }

    fn row() -> Command {
        Command::conn("AUTH", |_, _, _| Ok(crate::Effect::None)).secrets(|_, at| at == 2)
    }

    #[test]
    fn keeps_the_newest_and_numbers_them() {
        let log = CommandLog::default();
        let slow = LogLimit { threshold: Some(10), entries_max: 3 };
        let limits = LogLimits { slow, ..LogLimits::default() };
        for value in [9, 10, 11, 12, 13] {
            log.note(LogKind::Slow, value, &limits, (&row(), &[b"AUTH"]), (&card(), 5_999));
        }
        let newest = log.newest(LogKind::Slow, 2);
        let seen: Vec<_> = newest.iter().map(|entry| (entry.id, entry.value, entry.time)).collect();
        assert_eq!(seen, [(3, 13, 5), (2, 12, 5)]);
        assert_eq!((log.count(LogKind::Slow), log.count(LogKind::LargeReply)), (3, 0));
        log.reset(LogKind::Slow);
        assert_eq!(log.count(LogKind::Slow), 0);
        let off = LogLimits { slow: LogLimit { threshold: None, entries_max: 3 }, ..limits };
        log.note(LogKind::Slow, u64::MAX, &off, (&row(), &[b"AUTH"]), (&card(), 0));
        assert_eq!(log.count(LogKind::Slow), 0);
        log.note(LogKind::Slow, 10, &limits, (&row(), &[b"AUTH"]), (&card(), 0));
        assert_eq!(log.newest(LogKind::Slow, 1)[0].id, 4, "numbers go on after a reset");
    }

    #[test]
    fn words_are_shortened_and_secrets_left_out() {
        let limits = LogLimits { words_max: 4, word_bytes_max: 3, ..LogLimits::default() };
        let words: [&[u8]; 6] = [b"AUTH", b"abc", b"secret", b"1", b"2", b"3"];
        let kept = |words: &[&[u8]]| {
            let texts = abridged(&row(), words, &limits);
            texts.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(
            kept(&words),
            ["AUT... (1 more bytes)", "abc", "(redacted)", "... (3 more arguments)"]
        );
        assert_eq!(kept(&words[..4]), ["AUT... (1 more bytes)", "abc", "(redacted)", "1"]);
    }
}
