//! A snapshot that is kept until all of it is there: a file without a name, which the system removes when
//! the feed goes, or the process does.

use super::{Over, Whole};
use disk::{Disk, DiskFile, Open, PRIVATE};
use parking_lot::Mutex;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

/// Work for a thread of its own.
pub type Work = Box<dyn FnOnce() + Send>;

/// Where snapshots are kept, and who brings them there.
#[derive(Clone)]
pub struct Place {
    /// Its working directory is written to.
    pub disk: Arc<dyn Disk>,
    /// Does the work on another thread.
    pub spawn: Arc<dyn Fn(Work) -> io::Result<()> + Send + Sync>,
}

/// A snapshot that is being written. Ends when this is dropped.
pub(super) struct Gathering(Arc<State>);

#[derive(Default)]
struct State {
    outcome: Mutex<Option<Result<Spool, Over>>>,
    cancelled: AtomicBool,
}

impl Gathering {
    /// `waker` is called when there is an outcome.
    pub(super) fn begin(place: &Place, whole: Whole, waker: Waker) -> Result<Self, Over> {
        let not_kept = |error: io::Error| Over::NotKept(error.kind());
        let spool = Spool::open(&*place.disk).map_err(not_kept)?;
        let state = Arc::new(State::default());
        let gathering = Self(Arc::clone(&state));
        (place.spawn)(Box::new(move || {
            let outcome = spool.fill(whole, &state.cancelled);
            *state.outcome.lock() = Some(outcome);
            waker.wake();
        }))
        .map_err(not_kept)?;
        Ok(gathering)
    }

    /// What came of it, once.
    pub(super) fn take(&self) -> Option<Result<Spool, Over>> {
        self.0.outcome.lock().take()
    }
}

impl Drop for Gathering {
    fn drop(&mut self) {
        self.0.cancelled.store(true, Ordering::Relaxed);
    }
}

pub(super) struct Spool {
    file: Box<dyn DiskFile>,
    len_bytes: u64,
}

impl Spool {
    /// An empty one. Its name is that of a file on its way (`temp-<pid>.rdb`), for a moment: who holds the one
    /// snapshot that there is has that name for itself, and if the process ends between the two calls, the
    /// next one tidies up.
    fn open(disk: &dyn Disk) -> io::Result<Self> {
        let path = PathBuf::from(format!("temp-{}.rdb", std::process::id()));
        let file = disk.open(&path, Open::Create { mode: PRIVATE })?;
        disk.remove(&path)?;
        Ok(Self { file, len_bytes: 0 })
    }

    /// Puts all of the file there, unless nobody wants it any more.
    fn fill(mut self, mut whole: Whole, cancelled: &AtomicBool) -> Result<Self, Over> {
        /// Bytes that are written at once.
        const BLOCK: usize = 128 << 10;
        let mut block = Vec::with_capacity(BLOCK);
        let mut more = true;
        while more && !cancelled.load(Ordering::Relaxed) {
            block.clear();
            more = whole.read(&mut block, BLOCK).ok_or(Over::TakenBack)?;
            disk::write_all_at(&*self.file, &block, self.len_bytes)
                .map_err(|error| Over::NotKept(error.kind()))?;
            self.len_bytes += block.len() as u64;
        }
        Ok(self)
    }

    /// The bytes from `at` on, `bytes_max` at most.
    pub(super) fn read(&self, at: u64, bytes_max: usize) -> io::Result<Vec<u8>> {
        let left = self.len_bytes.saturating_sub(at);
        let mut bytes = vec![0; usize::try_from(left).unwrap_or(usize::MAX).min(bytes_max)];
        disk::read_exact_at(&*self.file, &mut bytes, at)?;
        Ok(bytes)
    }

    pub(super) fn len_bytes(&self) -> u64 {
        self.len_bytes
    }
}
