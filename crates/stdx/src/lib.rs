//! What the standard library lacks and every layer above needs: numbers as text, patterns, quoting,
//! seeded hashing, a seeded generator, units of time, ASCII folding, prefetching. No domain word lives here, and
//! nothing here reads a clock, a file, a socket or ambient randomness.

pub mod ascii;
pub mod extended;
pub mod glob;
pub mod hash;
pub mod num;
pub mod prefetch;
pub mod quote;
pub mod rng;
pub mod sync;
pub mod time;

pub use hash::{Map, Seed, Set};
pub use rng::Rng;
