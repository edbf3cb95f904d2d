//! Atomics, locks and threads behind one door, so that the same source runs under a model checker.
//!
//! Normally these are std's atomics and `parking_lot`'s locks: one byte each, a short spin, then
//! parking, and no poisoning (a panic aborts the server, so nobody could observe one). Under
//! `--cfg shuttle` all of them become shuttle's, whose scheduler decides at each operation which
//! thread runs next. Shuttle runs threads one after another: every ordering behaves as sequentially
//! consistent there. What a weaker ordering relies on is argued in a comment beside it.
//!
//! Two things differ under shuttle, and both make the check stricter: time does not pass, so a timed
//! wait ends only when it is notified, and a timed lock attempt waits until it has the lock.

#[cfg(not(shuttle))]
mod native;
#[cfg(shuttle)]
mod shuttled;

#[cfg(not(shuttle))]
pub use native::*;
#[cfg(shuttle)]
pub use shuttled::*;

use atomic::{AtomicU64, Ordering};

/// A value alone on its cache lines, so that its writers do not slow the neighbors down.
///
/// 128 bytes: x86 fetches lines in adjacent pairs, and some ARM cores have lines of that size.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Padded<T>(pub T);

/// Stores `value`, then a full fence: every later read of this thread happens after the store.
///
/// On x86-64 one `xchg` does both, at half the price of `mov` and `mfence`.
#[inline]
pub fn publish(slot: &AtomicU64, value: u64) {
    if cfg!(all(target_arch = "x86_64", not(shuttle))) {
        // An `xchg` is a full barrier for the processor; the fence below stops the compiler.
        slot.swap(value, Ordering::SeqCst);
        std::sync::atomic::compiler_fence(Ordering::SeqCst);
    } else {
        slot.store(value, Ordering::Relaxed);
        atomic::fence(Ordering::SeqCst);
    }
}
