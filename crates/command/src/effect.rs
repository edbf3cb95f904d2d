//! What a handler gives back: whether and how its change goes to the journal.

use crate::CommandError;

/// How a change is told to the journal. The keyspace's record says *whether* something changed;
/// the effect says *how* it is written down: a handler that changed nothing may return `Same`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Changed nothing.
    None,
    /// The command as sent does the same wherever it is replayed.
    Same,
    /// Changed nothing, and replicas are told of it as sent: their clients may be concerned.
    Relay,
    /// The commands that the handler wrote with [`crate::Cx::rewrite`] do.
    Rewrite,
}

/// What a handler returns. After its first change a handler cannot fail.
pub type Outcome = Result<Effect, CommandError>;
