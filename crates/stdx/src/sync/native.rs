//! The real thing: std's atomics and threads, `parking_lot`'s locks.

pub use parking_lot::{
    Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, WaitTimeoutResult,
};
pub use std::sync::Arc;

pub mod atomic {
    //! See [`std::sync::atomic`].
    pub use std::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    };
}

pub mod hint {
    //! See [`std::hint`].
    pub use std::hint::spin_loop;
}

pub mod thread {
    //! Threads for `runtime` and for tests; nobody else starts any.
    pub use std::thread::{JoinHandle, yield_now};

    /// See [`std::thread::spawn`].
    #[expect(clippy::disallowed_methods, reason = "the facade through which threads start")]
    pub fn spawn<F, R>(body: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        std::thread::spawn(body)
    }
}
