//! The writer: takes the journal's bytes to the current incremental file and makes them durable.
//!
//! ```text
//!            prepare, cut              adopt
//!   Listed ───────────────► Listed' ──────────► Listed'        a rewrite: the new file is in the manifest
//!      │ a sync fails                                          from the beginning, behind the old one
//!      ▼       prepare, cut             adopt
//!   Nowhere ───────────────► Temporary ────────► Listed'       what came before is in the new base, or lost;
//!      ▲                         │                             a file with a hole before it would be a lie,
//!      └─────── abandon ─────────┘                             so it is named once its base is there
//! ```
//!
//! `Nowhere` is also where the AOF begins that CONFIG SET switches on. The writer reads the journal there, too,
//! and drops what it reads: replies then wait for a base rather than for nothing.
//!
//! **Failed writes.** What a failed write has left is cut off. If the disk is full, the same bytes are tried
//! again until they fit: nothing was said to be durable that is not, and a new base would need even more
//! room. Any other failure, and every failed sync, leads to `Nowhere`.

use super::annotation::{self, Seal};
use super::files::{Files, Held};
use super::manifest::{Manifest, Part};
use super::scan::Ending;
use disk::DiskFile;
use journal::{Journal, Lsn, Patience, ReadOutcome, Reader, Watermark};
use parking_lot::Mutex;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::Waker;

/// Written at a time: the records of several batches of several clients.
const WRITE_BYTES: usize = 1 << 20;
/// Less than that can wait for more.
const SOON_BYTES: u64 = 256 << 10;
/// How far the file may be behind before writers wait.
const LAG_BYTES_MAX: u64 = 64 << 20;
/// Between two attempts at a full disk.
const RETRY_MICROS: u64 = 100_000;
const EVERY_MICROS: u64 = 1_000_000;
/// Bytes without a seal get one after so long a silence.
const SILENCE_MICROS: u64 = 10_000_000;

/// `appendfsync`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fsync {
    Always,
    EverySecond,
    No,
}

/// The parameters of the writer.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    pub fsync: Fsync,
    /// `no-appendfsync-on-rewrite`, while somebody writes a snapshot.
    pub holds_sync: bool,
    /// `aof-timestamp-enabled`.
    pub timestamps: bool,
    /// `aof-annotations`: checksums.
    pub checksums: bool,
    /// `aof-disable-auto-gc`.
    pub keeps_history: bool,
}

/// How the writer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// There is no writer.
    Off,
    Good,
    /// The first base is not there yet.
    Waits,
    /// The disk is full; what is to be written waits.
    Full,
    /// A write or a sync failed: a new base is needed.
    Lost,
}

const STATES: [State; 5] = [State::Off, State::Good, State::Waits, State::Full, State::Lost];

/// What others see of the writer at any time, without waiting for a disk.
#[derive(Debug, Default)]
pub struct Status {
    state: AtomicU8,
    /// Of all files that would be loaded.
    pub size_bytes: AtomicU64,
    /// The same after the last rewrite.
    pub base_bytes: AtomicU64,
    /// The journal's position that is written.
    pub written: AtomicU64,
    /// Since when a sync is under way, in monotonic microseconds; 0: none is.
    pub syncing_since: AtomicU64,
    /// Failed writes and syncs.
    pub failures: AtomicU64,
    /// The last failure, for people.
    error: Mutex<String>,
}

impl Status {
    pub fn state(&self) -> State {
        let state = usize::from(self.state.load(Ordering::Acquire));
        STATES.get(state).copied().unwrap_or(State::Off)
    }

    /// There is a writer from now on, or none any more.
    pub fn set(&self, state: State) {
        self.state.store(state as u8, Ordering::Release);
    }

    /// What a writer finds. Who has switched the AOF off does not wait for its writer to hear of it.
    fn turn(&self, state: State) {
        let on = |current| (current != State::Off as u8).then_some(state as u8);
        self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, on).ok();
    }

    /// The last failure of the disk.
    pub fn error(&self) -> String {
        self.error.lock().clone()
    }
}

/// When to call [`Writer::step`] again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// At once.
    Now,
    /// Soon: there was little, and more is worth more.
    Soon,
    /// When the journal has more, or in so many microseconds.
    Later(Option<u64>),
}

/// Where bytes go from a cut on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// To a file that the manifest lists.
    Listed,
    /// To one that it will list together with its base.
    Temporary,
}

struct Target {
    file: Box<dyn DiskFile>,
    name: Vec<u8>,
    listed: bool,
    size: u64,
    synced: u64,
    seal: Seal,
    /// Nothing came since a line that sealed nothing and said that all before it was durable.
    confirmed: bool,
}

impl Target {
    fn new(file: Box<dyn DiskFile>, name: Vec<u8>, listed: bool) -> Self {
        Self { file, name, listed, size: 0, synced: 0, seal: Seal::default(), confirmed: true }
    }

    /// Appends a `#CK` line.
    fn append_line(&mut self, lsn: Lsn) -> Result<(), Failure> {
        let (mut line, mut seal) = (Vec::new(), self.seal);
        let seals_nothing = seal.unsealed_bytes() == 0;
        seal.write(lsn, self.synced, &mut line);
        if let Err(error) = disk::append_all(&*self.file, &line) {
            let cut = self.file.set_size(self.size);
            return Err(Failure { error, full: true, cut: cut.is_ok() });
        }
        self.seal = seal;
        self.confirmed = seals_nothing && self.synced == self.size;
        self.size = self.size.saturating_add(line.len() as u64);
        Ok(())
    }
}

struct Prepared {
    target: Target,
    cut: Option<Lsn>,
}

/// The writer of an AOF. See the head of this file.
pub struct Writer {
    files: Files,
    held: Option<Held>,
    manifest: Manifest,
    policy: Policy,
    journal: Arc<Journal>,
    durable: Arc<Watermark>,
    status: Arc<Status>,
    reader: Option<Reader>,
    target: Option<Target>,
    prepared: Option<Prepared>,
    /// Bytes to be written, annotations included, and the position behind them.
    buf: Vec<u8>,
    buf_to: Lsn,
    /// Of the last bytes that were written.
    written: Lsn,
    /// The last record that was begun is written to its end.
    is_whole: bool,
    /// Of the last `#TS` line.
    second: i64,
    /// Monotonic microseconds.
    synced_at: u64,
    written_at: u64,
    failed_at: Option<u64>,
    /// Bytes of the files before the current one.
    older_bytes: u64,
    base_bytes: u64,
}

/// The moment of a step.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Monotonic.
    pub micros: u64,
    /// Since 1970.
    pub seconds: i64,
}

impl Writer {
    /// A writer without a file: it waits for its first base. Nothing is durable before that is there. The
    /// journal is active from now on, so that who writes knows what to wait for.
    pub fn waiting(
        files: Files,
        manifest: Manifest,
        policy: Policy,
        (journal, durable): (Arc<Journal>, Arc<Watermark>),
        status: Arc<Status>,
    ) -> Self {
        status.set(State::Waits);
        durable.fail();
        let mut writer = Self {
            files,
            held: None,
            manifest,
            policy,
            journal,
            durable,
            status,
            reader: None,
            target: None,
            prepared: None,
            buf: Vec::new(),
            buf_to: Lsn(0),
            written: Lsn(0),
            is_whole: true,
            second: 0,
            synced_at: 0,
            written_at: 0,
            failed_at: None,
            older_bytes: 0,
            base_bytes: 0,
        };
        writer.read_from(writer.journal.tail());
        writer
    }

    /// Goes on behind what was loaded: at the end of the last incremental file, which ended so, or with a
    /// new one. Nothing may have been written to the journal since.
    pub(crate) fn resume(&mut self, ending: Option<Ending>) -> io::Result<()> {
        let last = self.manifest.incrementals.last().map(|part| part.name.clone());
        let mut target = match last {
            Some(name) => Target::new(self.files.open(&name)?, name, true),
            None => {
                self.files.make_dir()?;
                let (target, manifest) = self.list_next()?;
                self.manifest = manifest;
                target
            }
        };
        if let Some(ending) = ending {
            (target.size, target.synced) = (ending.valid_bytes, ending.valid_bytes);
            (target.seal, target.confirmed) = (ending.seal, ending.confirmed);
        }
        // What was loaded may be in the page cache alone, and is relied on from now on.
        target.file.sync_data()?;
        self.older_bytes = self.sizes()?.saturating_sub(target.size);
        self.target = Some(target);
        self.read_from(self.journal.tail());
        self.durable.mend(self.written);
        self.status.set(State::Good);
        self.count_base();
        self.publish();
        Ok(())
    }

    fn sizes(&self) -> io::Result<u64> {
        let mut sum = 0u64;
        for part in self.manifest.parts() {
            sum = sum.saturating_add(self.files.size_bytes(&part.name)?);
        }
        Ok(sum)
    }

    fn read_from(&mut self, lsn: Lsn) {
        let patience = Patience::Stall(LAG_BYTES_MAX);
        self.reader = self.journal.reader(lsn, patience).ok();
        self.buf.clear();
        (self.written, self.buf_to, self.is_whole) = (lsn, lsn, true);
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub fn files(&self) -> &Files {
        &self.files
    }

    /// These files are this process's already; otherwise they are when the first one is made.
    pub fn hold(&mut self, held: Held) {
        self.held = Some(held);
    }

    /// What the next writer of these files holds.
    pub fn release(&mut self) -> Option<Held> {
        self.held.take()
    }

    pub fn status(&self) -> &Arc<Status> {
        &self.status
    }

    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// The position up to which the files hold the journal.
    pub fn written(&self) -> Lsn {
        self.written
    }

    /// Has `waker` called when there is something to write; false if there is already.
    pub fn sleep(&self, waker: &Waker) -> bool {
        self.reader.as_ref().is_none_or(|reader| reader.sleep(waker))
    }

    /// Writes what there is, up to about a megabyte, and syncs if it is time.
    pub fn step(&mut self, now: Moment) -> Next {
        if let Some(failed) = self.failed_at {
            let again = failed.saturating_add(RETRY_MICROS);
            if now.micros < again {
                return Next::Later(Some(again - now.micros));
            }
        }
        match self.go(now) {
            Ok(next) => next,
            Err(error) => {
                self.fail(&error, now);
                Next::Now
            }
        }
    }

    fn go(&mut self, now: Moment) -> Result<Next, Failure> {
        self.switch_at_cut()?;
        let (mut wrote, begin) = (false, self.written);
        if self.take(now) {
            self.write(now)?;
            wrote = true;
            self.switch_at_cut()?;
        }
        if wrote && self.policy.fsync != Fsync::Always {
            // More may be there: a sync would let it wait.
            self.sync_if_due(now)?;
            let much = self.written.0.saturating_sub(begin.0) >= SOON_BYTES;
            return Ok(if much { Next::Now } else { Next::Soon });
        }
        if wrote && self.buf.is_empty() && self.journal.safe() > self.written {
            // What came meanwhile is synced with it.
            return self.sync_group(now);
        }
        self.sync_if_due(now)?;
        self.seal_if_silent(now)?;
        Ok(if wrote { Next::Now } else { Next::Later(self.wait_micros(now)) })
    }

    /// Under `always`: writes what came during the last sync, too, then syncs all of it.
    fn sync_group(&mut self, now: Moment) -> Result<Next, Failure> {
        /// So that a sync comes, however fast clients write.
        const BYTES_MAX: u64 = 8 << 20;
        let begin = self.written;
        while self.written.0 - begin.0 < BYTES_MAX && self.take(now) {
            self.write(now)?;
            self.switch_at_cut()?;
        }
        self.sync_if_due(now)?;
        Ok(Next::Now)
    }

    fn wait_micros(&self, now: Moment) -> Option<u64> {
        let target = self.target.as_ref()?;
        let unsynced = target.synced < target.size;
        if unsynced && self.policy.fsync == Fsync::EverySecond {
            // Held up, it looks again in a second.
            let since = if self.policy.holds_sync { now.micros } else { self.synced_at };
            return Some(since.saturating_add(EVERY_MICROS).saturating_sub(now.micros));
        }
        let open = target.seal.unsealed_bytes() > 0 || !unsynced && !target.confirmed;
        let open = self.policy.checksums && open;
        open.then(|| self.written_at.saturating_add(SILENCE_MICROS).saturating_sub(now.micros))
    }

    /// Fills the buffer, if it is empty. Returns whether there is something to write.
    fn take(&mut self, now: Moment) -> bool {
        if !self.buf.is_empty() {
            return true;
        }
        let Some(reader) = &mut self.reader else { return false };
        let begin = reader.position();
        let cut = self.prepared.as_ref().and_then(|prepared| prepared.cut);
        let bytes_max = match cut {
            Some(cut) if cut > begin => (cut.0 - begin.0).min(WRITE_BYTES as u64) as usize,
            _ => WRITE_BYTES,
        };
        let timed = self.policy.timestamps && self.is_whole && now.seconds > self.second;
        if timed {
            annotation::write_time(now.seconds, &mut self.buf);
        }
        match reader.poll(&mut self.buf, bytes_max) {
            ReadOutcome::Data { to, whole, .. } => {
                (self.buf_to, self.is_whole) = (to, whole);
                if timed {
                    self.second = now.seconds;
                }
                true
            }
            ReadOutcome::Empty | ReadOutcome::Lagged => {
                self.buf.clear();
                false
            }
        }
    }

    /// Writes the buffer.
    fn write(&mut self, now: Moment) -> Result<(), Failure> {
        if let Some(target) = &mut self.target {
            let sealed = target.seal;
            let len = self.buf.len();
            target.seal.add(&self.buf);
            let end = target.size.saturating_add(len as u64);
            if self.policy.checksums && self.is_whole && target.seal.wanted(target.size, end) {
                target.seal.write(self.buf_to, target.synced, &mut self.buf);
            }
            if let Err(error) = disk::append_all(&*target.file, &self.buf) {
                self.buf.truncate(len);
                target.seal = sealed;
                let cut = target.file.set_size(target.size);
                return Err(Failure { error, full: true, cut: cut.is_ok() });
            }
            target.size = target.size.saturating_add(self.buf.len() as u64);
            target.confirmed = false;
        }
        self.buf.clear();
        self.recovered();
        self.written = self.buf_to;
        self.written_at = now.micros;
        self.publish();
        Ok(())
    }

    /// The disk takes bytes again.
    fn recovered(&mut self) {
        if self.failed_at.take().is_some() && self.status.state() == State::Full {
            self.status.turn(State::Good);
            self.durable.mend(self.durable.value());
        }
    }

    fn sync_if_due(&mut self, now: Moment) -> Result<(), Failure> {
        let due = match self.policy.fsync {
            _ if self.policy.holds_sync => false,
            Fsync::Always => true,
            Fsync::EverySecond => now.micros.saturating_sub(self.synced_at) >= EVERY_MICROS,
            Fsync::No => false,
        };
        if !due || !self.buf.is_empty() {
            return Ok(());
        }
        self.synced_at = now.micros;
        self.sync()
    }

    /// Makes durable what was written.
    fn sync(&mut self) -> Result<(), Failure> {
        let Some(target) = &mut self.target else { return Ok(()) };
        if target.synced < target.size {
            self.status.syncing_since.store(self.synced_at.max(1), Ordering::Release);
            let synced = target.file.sync_data();
            self.status.syncing_since.store(0, Ordering::Release);
            synced.map_err(Failure::lost)?;
            target.synced = target.size;
        }
        if target.listed && self.status.state() == State::Good {
            self.durable.advance(self.written);
        }
        Ok(())
    }

    /// Bytes that nothing followed for a while get their checksum, and, once they are durable, a line that
    /// says so.
    fn seal_if_silent(&mut self, now: Moment) -> Result<(), Failure> {
        let silent = now.micros.saturating_sub(self.written_at) >= SILENCE_MICROS;
        if !silent {
            return Ok(());
        }
        self.seal()?;
        if self.policy.fsync == Fsync::Always {
            self.sync_if_due(now)?;
        }
        self.confirm()
    }

    /// The file is complete for now.
    fn close(&mut self) -> Result<(), Failure> {
        self.seal()?;
        self.sync()?;
        self.confirm()?;
        self.sync()
    }

    /// Seals what has no seal yet.
    fn seal(&mut self) -> Result<(), Failure> {
        let unsealed = |target: &Target| target.seal.unsealed_bytes() > 0;
        self.append_line_if(unsealed)
    }

    /// Says that all is durable, if it is. From then on no crash explains damage before.
    fn confirm(&mut self) -> Result<(), Failure> {
        self.append_line_if(|target| target.synced == target.size && !target.confirmed)
    }

    fn append_line_if(&mut self, wanted: impl Fn(&Target) -> bool) -> Result<(), Failure> {
        let allowed = self.policy.checksums && self.is_whole && self.buf.is_empty();
        let Some(target) = self.target.as_mut().filter(|target| allowed && wanted(target)) else {
            return Ok(());
        };
        target.append_line(self.written)?;
        self.recovered();
        self.publish();
        Ok(())
    }

    /// Seals and syncs all that the journal has: at the end of the process, and before files are loaded
    /// while it runs.
    pub fn flush(&mut self, now: Moment) -> io::Result<()> {
        let outcome = self.flush_all(now);
        outcome.map_err(|failure| {
            self.fail(&failure, now);
            failure.error
        })
    }

    fn flush_all(&mut self, now: Moment) -> Result<(), Failure> {
        self.switch_at_cut()?;
        while self.take(now) {
            self.write(now)?;
            self.switch_at_cut()?;
        }
        self.close()
    }

    /// Notes a failure, and what it means.
    #[cold]
    fn fail(&mut self, failure: &Failure, now: Moment) {
        self.status.failures.fetch_add(1, Ordering::Relaxed);
        *self.status.error.lock() = reason(&failure.error);
        self.durable.fail();
        let state = self.status.state();
        if failure.is_full() && (state == State::Good || state == State::Full) {
            self.failed_at = Some(now.micros);
            self.status.turn(State::Full);
        } else {
            self.lose();
        }
    }

    /// What the journal has goes nowhere from now on.
    fn lose(&mut self) {
        (self.target, self.prepared, self.failed_at) = (None, None, None);
        (self.buf, self.is_whole) = (Vec::new(), true);
        if self.status.state() != State::Waits {
            self.status.turn(State::Lost);
        }
    }

    fn publish(&self) {
        let current = self.target.as_ref().map_or(0, |target| target.size);
        let size = self.older_bytes.saturating_add(current);
        self.status.size_bytes.store(size, Ordering::Relaxed);
        self.status.written.store(self.written.0, Ordering::Relaxed);
    }
}

/// Rewrites: the way from one file to the next.
impl Writer {
    /// How a rewrite must switch.
    pub fn switch(&self) -> Switch {
        let is_listed = self.target.as_ref().is_some_and(|target| target.listed);
        if is_listed { Switch::Listed } else { Switch::Temporary }
    }

    /// Makes the file for what comes after the cut of a rewrite.
    pub fn prepare(&mut self) -> io::Result<()> {
        self.files.make_dir()?;
        if self.held.is_none() {
            self.held = Some(self.files.hold()?);
        }
        let target = match self.switch() {
            Switch::Listed => {
                let (target, manifest) = self.list_next()?;
                self.manifest = manifest;
                target
            }
            Switch::Temporary => {
                (self.target, self.prepared) = (None, None);
                let name = self.files.temporary_name();
                Target::new(self.files.create(&name)?, name, false)
            }
        };
        self.prepared = Some(Prepared { target, cut: None });
        Ok(())
    }

    /// Whether there is a file that waits for its cut.
    pub fn is_prepared(&self) -> bool {
        self.prepared.as_ref().is_some_and(|prepared| prepared.cut.is_none())
    }

    fn list_next(&self) -> io::Result<(Target, Manifest)> {
        let mut manifest = self.manifest.clone();
        let name = manifest.add_incremental(self.files.prefix());
        let file = self.files.create(&name)?;
        self.files.store(&manifest)?;
        Ok((Target::new(file, name, true), manifest))
    }

    /// The cut is here: records from `lsn` on go to the file that was prepared. While the write gate is
    /// closed.
    pub fn cut(&mut self, lsn: Lsn) {
        if let Some(prepared) = &mut self.prepared {
            prepared.cut = Some(lsn);
            if !prepared.target.listed {
                self.read_from(lsn);
            }
        }
    }

    fn switch_at_cut(&mut self) -> Result<(), Failure> {
        let is_there = self
            .prepared
            .as_ref()
            .is_some_and(|prepared| prepared.cut.is_some_and(|cut| cut <= self.written));
        let is_there = is_there && self.buf.is_empty() && self.is_whole;
        if !is_there {
            return Ok(());
        }
        // What follows must not be durable before it.
        self.close()?;
        let next = self.prepared.take().map(|prepared| prepared.target);
        if let Some(old) = std::mem::replace(&mut self.target, next) {
            self.older_bytes = self.older_bytes.saturating_add(old.size);
        }
        self.second = 0;
        self.publish();
        Ok(())
    }

    /// The next base, to be written by the rewrite.
    pub fn next_base(&self, rdb: bool) -> Part {
        self.manifest.next_base(self.files.prefix(), rdb)
    }

    /// The rewrite has succeeded: `base`, of that size, is durable under its name, and holds what came before
    /// the cut. Afterwards nothing that came before is needed.
    pub fn adopt(&mut self, base: Part, size_bytes: u64, now: Moment) -> io::Result<()> {
        let outcome = self.adopt_or_fail(base, size_bytes, now);
        outcome.map_err(|failure| {
            self.fail(&failure, now);
            failure.error
        })
    }

    fn adopt_or_fail(&mut self, base: Part, size: u64, now: Moment) -> Result<(), Failure> {
        // It may have failed before: what comes after the cut must not go to the old file.
        self.switch_at_cut()?;
        // Up to the cut at least: until then the old file is the current one.
        while self.prepared.is_some() && self.take(now) {
            self.write(now)?;
            self.switch_at_cut()?;
        }
        self.switch_at_cut()?;
        let Some(target) = &mut self.target else {
            return Err(Failure::lost(io::Error::other("the file that follows the base is lost")));
        };
        let mut manifest = self.manifest.clone();
        if !target.listed {
            target.file.sync().map_err(Failure::lost)?;
            target.synced = target.size;
            let name = manifest.add_incremental(self.files.prefix());
            self.files.rename(&target.name, &name).map_err(Failure::lost)?;
            (target.name, target.listed) = (name, true);
        }
        manifest.rebase(base, 1);
        self.files.store(&manifest).map_err(Failure::lost)?;
        self.manifest = manifest;
        self.older_bytes = size;
        if matches!(self.status.state(), State::Waits | State::Lost) {
            self.status.turn(State::Good);
            self.durable.mend(self.durable.value());
            self.sync()?;
        }
        self.count_base();
        self.publish();
        Ok(())
    }

    fn count_base(&mut self) {
        let current = self.target.as_ref().map_or(0, |target| target.size);
        self.base_bytes = self.older_bytes.saturating_add(current);
        self.status.base_bytes.store(self.base_bytes, Ordering::Relaxed);
    }

    /// The rewrite has failed, or could not begin.
    pub fn abandon(&mut self) {
        match &mut self.prepared {
            // It is in the manifest: it is used, if for no cut.
            Some(prepared) if prepared.target.listed => {
                prepared.cut.get_or_insert(self.written.max(self.buf_to));
            }
            Some(_) => self.lose(),
            None if self.target.as_ref().is_some_and(|target| !target.listed) => self.lose(),
            None => {}
        }
        if self.target.is_none() {
            // What stays behind is overwritten by the next attempt.
            drop(self.files.remove(&self.files.temporary_name()));
        }
    }

    /// Removes files that the manifest does not need any more. `idle`: no rewrite is under way. Returns the
    /// names of those that it never knew.
    pub fn collect(&mut self, idle: bool) -> io::Result<Vec<Vec<u8>>> {
        if self.policy.keeps_history {
            return Ok(Vec::new());
        }
        self.files.collect(&mut self.manifest)?;
        self.files.sweep(&self.manifest, idle)
    }
}

/// What the disk answered.
struct Failure {
    error: io::Error,
    /// It may be that nothing is wrong but that the disk is full.
    full: bool,
    /// Nothing of it is left in the file.
    cut: bool,
}

impl Failure {
    /// What was written may be gone.
    fn lost(error: io::Error) -> Self {
        Self { error, full: false, cut: false }
    }

    fn is_full(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let kind = self.error.kind();
        self.full && self.cut && matches!(kind, StorageFull | QuotaExceeded | FileTooLarge)
    }
}

/// The text of an error as the system words it, without the number that Rust adds.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
