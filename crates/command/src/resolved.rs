//! One request after RESOLVE: its row, its words and its keys, found once. ACL, locks, tracking
//! and the handler all read this.

use crate::Command;
use keyspace::KeyRef;

/// A request that is ready to run.
#[derive(Clone, Copy, Debug)]
pub struct Resolved<'a> {
    /// The row; of a container, the subcommand's.
    pub spec: &'static Command,
    /// The position of `spec` in the table's flat list: statistics are kept by it.
    pub id: u16,
    /// All words, the name first.
    pub args: &'a [&'a [u8]],
    /// The keys in the order of the key specifications.
    pub keys: &'a [KeyRef<'a>],
    /// How many words the name has: 2 for a subcommand.
    pub name_words: usize,
}
