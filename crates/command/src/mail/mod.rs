//! What reaches a client besides the replies to its own requests: messages of channels,
//! invalidations, lines of MONITOR, the reply to a command that has waited.
//!
//! ```text
//!  anybody ── Card::deliver ──► inbox of the card ── the connection's task ──► between two replies
//!             accounts, wakes once until it is emptied
//! ```
//!
//! A letter is made once and shared by all who get it. In which protocol it is written is decided
//! when it leaves, by what the client speaks then.

#[cfg(test)]
mod tests;

use crate::{Card, Kind, Session};
use config::OutputLimit;
use parking_lot::Mutex;
use resp::{Chunk, Protocol, Reply};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;

/// What length and line ends of a word take, at most.
const WORD_FRAME_BYTES: usize = 16;

/// One thing to be written to a client.
#[derive(Clone, Debug)]
pub enum Letter {
    /// Bytes as they are.
    Plain(Chunk),
    /// A push of RESP3, which is an array in RESP2.
    Push(Chunk),
    /// A push of RESP3, of which RESP2 hears nothing.
    Resp3(Chunk),
    /// Keys that a client that tracks may have are no longer what they were: an array of them, or
    /// all of them.
    Invalidation {
        keys: Option<Chunk>,
        /// Whether it comes from another client's tracking. In RESP2 it is then a message.
        redirected: bool,
    },
}

impl Letter {
    /// The push that `write` writes in RESP3: all of it, beginning with [`Reply::push`].
    pub fn push(write: impl FnOnce(&mut Reply)) -> Self {
        Self::Push(encoded(write))
    }

    /// The push of these words.
    pub fn words(words: &[&[u8]]) -> Self {
        let text: usize = words.iter().map(|word| word.len() + WORD_FRAME_BYTES).sum();
        let mut bytes = Vec::with_capacity(text + WORD_FRAME_BYTES);
        resp::write_command(&mut bytes, words);
        bytes[0] = b'>'; // instead of the asterisk of an array
        Self::Push(Chunk::new(Arc::new(bytes)))
    }

    /// Bytes of the letter, as far as its size is accounted.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Plain(chunk) | Self::Push(chunk) | Self::Resp3(chunk) => chunk.len() as u64,
            Self::Invalidation { keys, .. } => {
                WORD_FRAME_BYTES as u64 + keys.as_ref().map_or(0, |keys| keys.len() as u64)
            }
        }
    }

    fn write(self, session: &Session, reply: &mut Reply) {
        match self {
            Self::Plain(chunk) => reply.out.push_chunk(chunk),
            Self::Push(chunk) => match session.wire() {
                Protocol::Resp3 => reply.out.push_chunk(chunk),
                Protocol::Resp2 => {
                    reply.out.push(b"*");
                    reply.out.push_chunk(chunk.part(1, usize::MAX));
                }
            },
            Self::Resp3(chunk) => {
                if session.wire() == Protocol::Resp3 {
                    reply.out.push_chunk(chunk);
                }
            }
            Self::Invalidation { keys, redirected } => {
                if session.wire() == Protocol::Resp3 {
                    reply.push(2);
                    reply.bulk(b"invalidate");
                } else if redirected && session.subscriptions.is_some() {
                    reply.array(3);
                    reply.bulk(b"message");
                    reply.bulk(b"__redis__:invalidate");
                } else {
                    return;
                }
                match keys {
                    Some(keys) => reply.out.push_chunk(keys),
                    None => reply.null(),
                }
            }
        }
    }
}

/// What `write` writes in RESP3.
pub(crate) fn encoded(write: impl FnOnce(&mut Reply)) -> Chunk {
    let mut reply = Reply::new(Protocol::Resp3);
    write(&mut reply);
    Chunk::new(Arc::new(reply.out.to_vec()))
}

/// The limits by class of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimits {
    pub normal: OutputLimit,
    pub replica: OutputLimit,
    pub pubsub: OutputLimit,
}

impl OutputLimits {
    pub fn of(&self, kind: Kind) -> &OutputLimit {
        match kind {
            Kind::Normal | Kind::Master => &self.normal,
            Kind::Replica => &self.replica,
            Kind::PubSub => &self.pubsub,
        }
    }
}

impl Default for OutputLimits {
    fn default() -> Self {
        let limit = |hard_bytes, soft_bytes, soft_seconds| OutputLimit {
            hard_bytes,
            soft_bytes,
            soft_seconds,
        };
        Self {
            normal: limit(1 << 30, 0, 0),
            replica: limit(256 << 20, 64 << 20, 60),
            pubsub: limit(32 << 20, 8 << 20, 60),
        }
    }
}

/// The letters that a connection has not collected yet, and how its task is woken.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// Whether there is something to collect, or the inbox has overflowed. Written under the lock.
    filled: AtomicBool,
    overflowed: AtomicBool,
    bytes: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    letters: Vec<Letter>,
    waker: Option<Waker>,
}

impl Inner {
    fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }
}

impl Card {
    /// Puts a letter into the client's inbox and wakes its task, if it has not been woken for an
    /// earlier letter. A client that would exceed the hard limit of its class loses them all and is
    /// closed.
    ///
    /// May be called under any lock: it waits for nobody. Letters of one caller arrive in order.
    pub fn deliver(&self, letter: Letter, limits: &OutputLimits) {
        let mut inner = self.inbox.inner.lock();
        if self.killed() || self.mail_overflowed() {
            return;
        }
        let bytes = self.mail_bytes() + letter.bytes();
        let bytes_max = limits.of(self.kind()).hard_bytes;
        if bytes_max > 0 && bytes + self.output_bytes.load(Ordering::Relaxed) > bytes_max {
            inner.letters = Vec::new();
            self.inbox.bytes.store(0, Ordering::Relaxed);
            self.inbox.overflowed.store(true, Ordering::Relaxed);
            self.set_killed();
        } else {
            inner.letters.push(letter);
            self.inbox.bytes.store(bytes, Ordering::Relaxed);
        }
        if !self.inbox.filled.swap(true, Ordering::Relaxed) {
            inner.wake();
        }
    }

    /// Whether [`Session::collect`] would do something. Who was woken for a letter sees it.
    #[inline]
    pub fn has_mail(&self) -> bool {
        self.inbox.filled.load(Ordering::Relaxed)
    }

    /// Whether letters were lost because the client had left too much unread.
    pub fn mail_overflowed(&self) -> bool {
        self.inbox.overflowed.load(Ordering::Relaxed)
    }

    /// Bytes of the letters that wait.
    pub fn mail_bytes(&self) -> u64 {
        self.inbox.bytes.load(Ordering::Relaxed)
    }

    /// Wakes the connection's task, so that it looks at its card.
    pub fn wake(&self) {
        self.inbox.inner.lock().wake();
    }

    /// The connection's task says how it is woken.
    pub fn set_waker(&self, waker: &Waker) {
        self.inbox.inner.lock().waker = Some(waker.clone());
    }

    /// The letters, in the order in which they came. An inbox that has overflowed stays so.
    fn take_mail(&self) -> Vec<Letter> {
        let mut inner = self.inbox.inner.lock();
        self.inbox.filled.store(self.mail_overflowed(), Ordering::Relaxed);
        self.inbox.bytes.store(0, Ordering::Relaxed);
        std::mem::take(&mut inner.letters)
    }
}

impl Session {
    /// Writes what is in the inbox. To be called between two replies only.
    #[cold]
    pub fn collect(&mut self, reply: &mut Reply) {
        for letter in self.card.take_mail() {
            letter.write(self, reply);
        }
    }
}
