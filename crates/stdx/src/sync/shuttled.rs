//! Shuttle's primitives in the shape of `parking_lot`'s.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{LockResult, PoisonError, TryLockError};
use std::time::Duration;

pub use shuttle::sync::Arc;

pub mod atomic {
    //! Shuttle's atomics; all orderings are sequentially consistent.
    pub use shuttle::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
}

pub mod hint {
    //! A spin is a point where the scheduler prefers another thread.
    pub use shuttle::hint::spin_loop;
}

pub mod thread {
    //! Shuttle's threads.
    pub use shuttle::thread::{JoinHandle, spawn, yield_now};
}

/// There is no poison: the first panic ends the run, and what unwinds after it must not panic again.
fn cured<T>(result: LockResult<T>) -> T {
    result.unwrap_or_else(PoisonError::into_inner)
}

/// See `parking_lot::Mutex`.
#[derive(Default)]
pub struct Mutex<T: ?Sized>(shuttle::sync::Mutex<T>);

/// See `parking_lot::MutexGuard`. Empty only inside [`Condvar::wait`].
pub struct MutexGuard<'a, T: ?Sized>(Option<shuttle::sync::MutexGuard<'a, T>>);

impl<T> Mutex<T> {
    pub fn new(value: T) -> Self {
        Self(shuttle::sync::Mutex::new(value))
    }

    pub fn into_inner(self) -> T {
        cured(self.0.into_inner())
    }
}

impl<T: ?Sized> Mutex<T> {
    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(cured(self.0.lock())))
    }

    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(MutexGuard(Some(guard))),
            Err(TryLockError::Poisoned(poison)) => Some(MutexGuard(Some(poison.into_inner()))),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Waits without limit: time does not pass under shuttle.
    pub fn try_lock_for(&self, _limit: Duration) -> Option<MutexGuard<'_, T>> {
        Some(self.lock())
    }

    pub fn get_mut(&mut self) -> &mut T {
        cured(self.0.get_mut())
    }
}

impl<T: ?Sized> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mutex")
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("present outside of `wait`")
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("present outside of `wait`")
    }
}

/// See `parking_lot::RwLock`.
#[derive(Default)]
pub struct RwLock<T: ?Sized>(shuttle::sync::RwLock<T>);

pub use shuttle::sync::{RwLockReadGuard, RwLockWriteGuard};

impl<T> RwLock<T> {
    pub fn new(value: T) -> Self {
        Self(shuttle::sync::RwLock::new(value))
    }
}

impl<T: ?Sized> RwLock<T> {
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        cured(self.0.read())
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        cured(self.0.write())
    }

    /// Waits without limit: time does not pass under shuttle.
    pub fn try_read_for(&self, _limit: Duration) -> Option<RwLockReadGuard<'_, T>> {
        Some(self.read())
    }

    /// Waits without limit: time does not pass under shuttle.
    pub fn try_write_for(&self, _limit: Duration) -> Option<RwLockWriteGuard<'_, T>> {
        Some(self.write())
    }
}

impl<T: ?Sized> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RwLock")
    }
}

/// See `parking_lot::Condvar`.
#[derive(Debug, Default)]
pub struct Condvar(shuttle::sync::Condvar);

/// See `parking_lot::WaitTimeoutResult`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitTimeoutResult;

impl WaitTimeoutResult {
    /// Time does not pass under shuttle.
    pub fn timed_out(self) -> bool {
        false
    }
}

impl Condvar {
    pub fn new() -> Self {
        Self(shuttle::sync::Condvar::new())
    }

    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let inner = guard.0.take().expect("present outside of `wait`");
        guard.0 = Some(cured(self.0.wait(inner)));
    }

    /// Waits for a notification only, so that a lost one shows as a deadlock.
    pub fn wait_for<T>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        _limit: Duration,
    ) -> WaitTimeoutResult {
        self.wait(guard);
        WaitTimeoutResult
    }

    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}
