//! The job: a script that the server runs by itself, once or again and again, as KeyDB has it.
//!
//! A job is one block of bytes, shared by reference, so that a clone is O(1). It does not change in
//! parts: who makes its next run another one puts another job in its place.
//!
//! ```text
//!  0        1         9             17       25
//!  ┌────────┬─────────┬─────────────┬────────┬───────────────────────────────────────────┐
//!  │ single │ due, ms │ interval,ms │ keys   │ length, bytes: the script, keys, arguments │
//!  └────────┴─────────┴─────────────┴────────┴───────────────────────────────────────────┘
//!   numbers of eight bytes, little endian
//! ```

pub(crate) mod persist;
#[cfg(test)]
mod tests;

use crate::collection::{Collection, Type, View, any_ways};
use crate::digest::{Digest, Kind};
use std::sync::Arc;

const NUMBER: usize = 8;
const HEAD: usize = 1 + 3 * NUMBER;

/// When a job runs. Times are in milliseconds, moments since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// It runs once, and is gone then.
    pub single: bool,
    /// When it runs next.
    pub due_ms: i64,
    /// Above 0.
    pub interval_ms: i64,
}

impl Schedule {
    /// The moment from which intervals are counted.
    pub fn start_ms(self) -> i64 {
        self.due_ms.saturating_sub(self.interval_ms)
    }

    /// The schedule as KEYDB.CRON is told it.
    pub fn words(self) -> [Vec<u8>; 3] {
        let kind = if self.single { "single" } else { "repeat" };
        [kind.into(), self.start_ms().to_string().into(), self.interval_ms.to_string().into()]
    }

    /// When it runs next after a run at `now_ms`: what was missed is left out. The series goes on in
    /// step with its start, but that from 0 is one from the first run on.
    pub fn next_ms(self, now_ms: i64) -> i64 {
        if self.start_ms() == 0 {
            return now_ms.saturating_add(self.interval_ms);
        }
        let (due, interval) = (i128::from(self.due_ms), i128::from(self.interval_ms.max(1)));
        let passed = (i128::from(now_ms) - due).max(0) / interval;
        i64::try_from(due + interval * (passed + 1)).unwrap_or(i64::MAX)
    }
}

/// An owned job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Job(Arc<Vec<u8>>);

impl Job {
    /// A job that runs the first of `words`; the next `keys` are its keys, the rest its arguments.
    pub fn new<'w>(
        schedule: Schedule,
        keys: usize,
        words: impl IntoIterator<Item = &'w [u8]>,
    ) -> Self {
        let Schedule { single, due_ms, interval_ms } = schedule;
        let mut block = vec![u8::from(single)];
        for number in [due_ms, interval_ms, keys as i64] {
            block.extend_from_slice(&number.to_le_bytes());
        }
        for word in words {
            block.extend_from_slice(&(word.len() as u64).to_le_bytes());
            block.extend_from_slice(word);
        }
        block.shrink_to_fit();
        Self(Arc::new(block))
    }

    /// The same job, to be run at another time.
    #[must_use]
    pub fn due_at(&self, due_ms: i64) -> Self {
        let mut block = self.0.to_vec();
        if let Some(number) = block.get_mut(1..1 + NUMBER) {
            number.copy_from_slice(&due_ms.to_le_bytes());
        }
        Self(Arc::new(block))
    }
}

/// A borrowed job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobView<'a>(&'a [u8]);

impl<'a> JobView<'a> {
    /// The number at `at`: 0 where there is no job.
    fn number(self, at: usize) -> i64 {
        let bytes = self.0.get(at..at + NUMBER).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, i64::from_le_bytes)
    }

    pub fn schedule(self) -> Schedule {
        Schedule {
            single: self.0.first() == Some(&1),
            due_ms: self.due_ms(),
            interval_ms: self.number(1 + NUMBER),
        }
    }

    /// When it runs next, in milliseconds since 1970.
    pub fn due_ms(self) -> i64 {
        self.number(1)
    }

    /// How many of the words behind the script are keys.
    pub fn keys(self) -> usize {
        self.number(1 + 2 * NUMBER) as usize
    }

    /// The script, its keys, its arguments.
    pub fn words(self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.0.get(HEAD..).unwrap_or_default();
        std::iter::from_fn(move || {
            let (len, behind) = rest.split_first_chunk::<NUMBER>()?;
            let (word, behind) = behind.split_at_checked(u64::from_le_bytes(*len) as usize)?;
            rest = behind;
            Some(word)
        })
    }

    pub fn to_owned(self) -> Job {
        Job(Arc::new(self.0.to_vec()))
    }
}

impl View for JobView<'_> {
    /// One, if there is a job.
    fn len(self) -> usize {
        usize::from(!self.0.is_empty())
    }

    fn encoding(self) -> &'static str {
        "raw"
    }

    fn fold(self, digest: &mut Digest) {
        digest.mix_kind(Kind::Job);
        digest.mix(self.0);
    }
}

impl Collection for Job {
    const TYPE: Type = Type::Job;
    type View<'a> = JobView<'a>;

    any_ways!(Job);

    fn view(&self) -> JobView<'_> {
        JobView(&self.0)
    }

    fn view_packed(_: u8, bytes: &[u8]) -> JobView<'_> {
        JobView(bytes)
    }

    fn from_packed(_: u8, bytes: Vec<u8>) -> Self {
        Self(Arc::new(bytes))
    }

    fn as_packed(&self) -> Option<(u8, &[u8])> {
        Some((0, &self.0))
    }

    fn into_packed(self) -> Result<(u8, Vec<u8>), Self> {
        Ok((0, Arc::unwrap_or_clone(self.0)))
    }

    fn heap_bytes(&self) -> usize {
        self.0.capacity()
    }
}
