//! What keeps the whole server from some commands: its data is not there yet, or cannot be kept.

use command::{Command, CommandError, Flags, Place, Transaction};
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

const LOADING: u8 = 1;
const SNAPSHOT_FAILED: u8 = 2;
const LOG_FAILED: u8 = 4;
const FEW_REPLICAS: u8 = 8;

/// Looked at before each command: one load while all is well.
#[derive(Debug, Default)]
pub struct Condition {
    bits: AtomicU8,
    /// Why the append-only file cannot be written.
    log_error: RwLock<Arc<str>>,
}

impl Condition {
    fn set(&self, bit: u8, on: bool) {
        if on {
            self.bits.fetch_or(bit, Ordering::Release);
        } else {
            self.bits.fetch_and(!bit, Ordering::Release);
        }
    }

    /// The data set is being loaded: commands that are not for that time are refused.
    pub fn set_loading(&self, on: bool) {
        self.set(LOADING, on);
    }

    pub fn is_loading(&self) -> bool {
        self.bits.load(Ordering::Acquire) & LOADING != 0
    }

    /// The last snapshot failed, and `stop-writes-on-bgsave-error` asks to refuse writes then.
    pub fn set_snapshot_failed(&self, on: bool) {
        self.set(SNAPSHOT_FAILED, on);
    }

    /// The append-only file cannot be written or synced: writes are refused with this reason.
    pub fn set_log_failed(&self, error: Option<&str>) {
        if let Some(error) = error {
            *self.log_error.write() = error.into();
        }
        self.set(LOG_FAILED, error.is_some());
    }

    /// There are fewer good replicas than `min-replicas-to-write`.
    pub fn set_few_replicas(&self, on: bool) {
        self.set(FEW_REPLICAS, on);
    }

    /// Whether something keeps everybody from writing.
    pub fn denies_writes(&self) -> bool {
        self.bits.load(Ordering::Acquire) != 0
    }

    /// What a client is told whose writes are not safe on disk in time.
    pub fn unconfirmed(&self) -> CommandError {
        let failed = self.bits.load(Ordering::Acquire) & LOG_FAILED != 0;
        CommandError::unconfirmed(failed.then(|| Arc::clone(&self.log_error.read())).as_deref())
    }

    /// Why `row`, or EXEC of what is `queued`, is not executed now.
    #[inline]
    pub(crate) fn refuses(
        &self,
        row: &Command,
        queued: Option<&Transaction>,
    ) -> Option<CommandError> {
        match self.bits.load(Ordering::Relaxed) {
            0 => None,
            bits => self.refusal(bits, row, queued),
        }
    }

    #[cold]
    fn refusal(
        &self,
        bits: u8,
        row: &Command,
        queued: Option<&Transaction>,
    ) -> Option<CommandError> {
        let writes = row.flags.has(Flags::WRITE)
            || row.place == Place::Exec && queued.is_some_and(|queue| queue.has(Flags::WRITE));
        // Who watches the server asks by PING whether it can keep what it is given.
        let looks_at_disk = writes || row.name == "PING";
        let loads = bits & LOADING != 0;
        match () {
            () if loads && !row.flags.has(Flags::LOADING) => Some(CommandError::Loading),
            () if loads => None,
            () if looks_at_disk && bits & SNAPSHOT_FAILED != 0 => {
                Some(CommandError::SnapshotFailed)
            }
            () if looks_at_disk && bits & LOG_FAILED != 0 => {
                Some(CommandError::log_failed(&self.log_error.read()))
            }
            () if writes && bits & FEW_REPLICAS != 0 => Some(CommandError::FewReplicas),
            () => None,
        }
    }
}
