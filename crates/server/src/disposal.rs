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
}

/// Starts the thread and makes it the keyspace's disposal.
pub(crate) fn start(space: &Arc<Keyspace>) -> io::Result<Arc<Disposed>> {
    let (sender, receiver) = channel();
    let disposed = Arc::new(Disposed::default());
    let counts = Arc::clone(&disposed);
    space.set_disposal(Box::new(move |garbage| {
        counts.pending.fetch_add(garbage.objects(), Ordering::Relaxed);
        if let Err(unsent) = sender.send(garbage) {
            drop(unsent);
        }
    }));
    let (space, counts) = (Arc::clone(space), Arc::clone(&disposed));
    std::thread::Builder::new()
        .name("disposal".into())
        .spawn(move || free(&space, &receiver, &counts))?;
    Ok(disposed)
}

fn free(space: &Keyspace, garbage: &Receiver<Garbage>, counts: &Disposed) {
    /// How soon memory that waits in the epochs is looked at again.
    const RETRY: Duration = Duration::from_millis(2);
    const IDLE: Duration = Duration::from_millis(200);
    loop {
        let wait = if space.epochs().retired() > 0 { RETRY } else { IDLE };
        match garbage.recv_timeout(wait) {
            Ok(one) => {
                let objects = one.objects();
                match one {
                    Garbage::Entry(entry) => drop(entry),
                    Garbage::Bytes(bytes) => drop(bytes),
                    other => space.epochs().retire(Box::new(other)),
                }
                counts.pending.fetch_sub(objects, Ordering::Relaxed);
                counts.freed.fetch_add(objects, Ordering::Relaxed);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        space.epochs().collect();
    }
}
