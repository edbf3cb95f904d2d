//! The sorted integer family, as Kvrocks has it. What such a set is, is `types::sortedint`. Here:
//! arguments, answers, and what the journal is told.
//!
//! Answers of many ids are written from an O(1) clone outside the lock, slice by slice.

mod change;
mod range;
mod read;

use command::{Args, Command, CommandError, KeyFlags, KeySpec};

/// The rows of the family.
pub(crate) const COMMANDS: &[Command] = &[
    change::SIADD,
    read::SICARD,
    read::SIEXISTS,
    range::SIRANGE,
    range::SIRANGEBYVALUE,
    change::SIREM,
    range::SIREVRANGE,
    range::SIREVRANGEBYVALUE,
];

const READ: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RO.or(KeyFlags::ACCESS))];
const LOOK: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RO)];

/// Ids that the generator of requests makes sets of.
const SAMPLES: &[&str] = &["0", "1", "2", "3", "5", "100", "65536", "18446744073709551615"];

fn id_of(word: &[u8]) -> Result<u64, CommandError> {
    stdx::num::parse_u64(word).ok_or(CommandError::NotAnInteger)
}

/// The next word as an id.
fn id(args: &mut Args<'_>) -> Result<u64, CommandError> {
    id_of(args.bytes()?)
}

/// All words that are left as ids.
fn ids(args: &mut Args<'_>) -> Result<Vec<u64>, CommandError> {
    args.rest().iter().map(|word| id_of(word)).collect()
}
