//! Every lock of the data plane: the shards' mutexes, the gate beside them, the workers' epochs.
//!
//! [`Shards`] holds the two-level protocol that makes commands atomic; [`Epochs`] tells when all
//! workers have passed a quiet point, which serves both the reclamation of memory that is read
//! without a lock and the write gate. Both are generic over what they protect, so that they are
//! tested alone, under a model checker.
//!
//! The order in which one thread may hold these, outermost first: a closed write gate or a pass
//! ([`Epochs`]), the shards' gate, shards. Room in the journal is secured before any of the latter two.

mod epochs;
#[cfg(all(test, shuttle))]
mod schedules;
mod shards;
#[cfg(all(test, not(shuttle)))]
mod tests;

pub use epochs::{Closed, Epochs, Full, PARTICIPANTS_MAX, Participant, Pass};
pub use shards::{All, Exclusive, Many, One, SHARDS_MAX, ShardId, Shards};
