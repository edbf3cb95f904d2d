//! The thread that frees what is large, so that no worker does: emptied tables, long strings.
//!
//! Tables may still be looked at by a prefetch, so they wait in the epochs first.

use keyspace::{Garbage, Keyspace};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// Counts for INFO.
#[derive(Debug, Default)]
pub(crate) struct Disposed {
    pub pending: AtomicU64,
    pub freed: AtomicU64,
    /// What is still to be given back to the allocator.
    pub pending_bytes: AtomicU64,
}

/// Garbage that is counted as pending until it is gone.
struct Pending {
    garbage: Option<Garbage>,
    counts: Arc<Disposed>,
    objects: u64,
    bytes: u64,
}

impl Pending {
    fn new(garbage: Garbage, counts: &Arc<Disposed>) -> Self {
        let (objects, bytes) = (garbage.objects(), garbage.bytes());
        counts.pending.fetch_add(objects, Ordering::Relaxed);
        counts.pending_bytes.fetch_add(bytes, Ordering::Relaxed);
        Self { garbage: Some(garbage), counts: Arc::clone(counts), objects, bytes }
    }

    fn may_be_read(&self) -> bool {
        self.garbage.as_ref().is_some_and(Garbage::may_be_read)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        drop(self.garbage.take());
        self.counts.pending.fetch_sub(self.objects, Ordering::Relaxed);
        self.counts.pending_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.counts.freed.fetch_add(self.objects, Ordering::Relaxed);
    }
}

/// Starts the thread and makes it the keyspace's disposal.
pub(crate) fn start(space: &Arc<Keyspace>) -> io::Result<Arc<Disposed>> {
    let (sender, receiver) = channel();
    let disposed = Arc::new(Disposed::default());
    let counts = Arc::clone(&disposed);
    space.set_disposal(Box::new(move |garbage| {
        if let Err(unsent) = sender.send(Pending::new(garbage, &counts)) {
            drop(unsent);
        }
    }));
    let space = Arc::clone(space);
    std::thread::Builder::new().name("disposal".into()).spawn(move || free(&space, &receiver))?;
    Ok(disposed)
}

fn free(space: &Keyspace, garbage: &Receiver<Pending>) {
    /// How soon memory that waits in the epochs is looked at again.
    const RETRY: Duration = Duration::from_millis(2);
    const IDLE: Duration = Duration::from_millis(200);
    loop {
        let wait = if space.epochs().retired() > 0 { RETRY } else { IDLE };
        match garbage.recv_timeout(wait) {
            Ok(one) if one.may_be_read() => space.epochs().retire(Box::new(one)),
            Ok(one) => drop(one),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        space.epochs().collect();
    }
}
