//! The scripts that clients may call by their SHA, and what is known of them. Texts only: each
//! worker's [`Machine`](crate::Machine) compiles those that it runs.

use crate::CommandError;
use parking_lot::{Mutex, RwLock};
use script::{Flags, Header, Sha};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use stdx::hash::{Map, Seed};

/// Scripts that were only called, never loaded: so many are kept, as in Redis.
const EVAL_SCRIPTS_MAX: usize = 500;

/// What a script or function touches, as far as it has been seen to run.
#[derive(Debug, Default)]
pub struct Reach(AtomicBool);

impl Reach {
    /// Whether it has touched keys that it had not declared.
    pub fn roams(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub fn roamed(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One script.
#[derive(Debug)]
pub struct Script {
    pub sha: Sha,
    pub source: Arc<[u8]>,
    /// `None`: it has no header, and so declares nothing.
    pub flags: Option<Flags>,
    pub reach: Reach,
    /// Loaded by SCRIPT LOAD, so it stays.
    kept: AtomicBool,
    /// When it was last called, by the count of calls.
    used: AtomicU64,
    /// The server has forgotten it.
    gone: AtomicBool,
}

impl Script {
    /// Whether the server has forgotten it, as by SCRIPT FLUSH.
    #[inline]
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire) // pairs with `leave`
    }

    fn leave(&self) {
        self.gone.store(true, Ordering::Release);
    }

    /// Bytes held for it.
    fn memory_bytes(&self) -> u64 {
        /// The entry of the map, and the SHA there.
        const ENTRY_BYTES: usize = 64;
        (size_of::<Self>() + self.source.len() + ENTRY_BYTES) as u64
    }
}

/// All scripts of the server.
#[derive(Debug)]
pub struct Scripts {
    by_sha: RwLock<Map<Sha, Arc<Script>>>,
    /// Counts SCRIPT FLUSH.
    flushes: AtomicU64,
    /// The workers that are to be woken by the next one.
    sleepers: Mutex<Vec<Waker>>,
    evicted: AtomicU64,
    calls: AtomicU64,
    bytes: AtomicU64,
    /// DEBUG SET-DISABLE-DENY-SCRIPTS.
    allows_all: AtomicBool,
    /// Those that run for too long.
    pub overdue: Arc<Overdue>,
}

impl Scripts {
    pub fn new(seed: Seed) -> Self {
        Self {
            by_sha: RwLock::new(Map::with_hasher(seed)),
            flushes: AtomicU64::new(0),
            sleepers: Mutex::default(),
            evicted: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            allows_all: AtomicBool::new(false),
            overdue: Arc::default(),
        }
    }

    /// Counts a call of the script, unless it stays anyway.
    #[inline]
    pub fn called(&self, script: &Script) {
        if !script.kept.load(Ordering::Relaxed) {
            script.used.store(self.calls.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    pub fn get(&self, sha: &Sha) -> Option<Arc<Script>> {
        self.by_sha.read().get(sha).cloned()
    }

    /// The script of this source as it will be, or what is wrong with its header.
    pub fn parse(source: &[u8]) -> Result<Script, CommandError> {
        let header = Header::of_script(source).map_err(CommandError::text_of)?;
        Ok(Script {
            sha: Sha::of(source),
            source: source.into(),
            flags: header.map(|header| header.flags),
            reach: Reach::default(),
            kept: AtomicBool::new(false),
            used: AtomicU64::new(0),
            gone: AtomicBool::new(false),
        })
    }

    /// Adds a script that compiles: `kept` by SCRIPT LOAD, else until others have been called more
    /// recently. Returns the one that is there now.
    pub fn add(&self, script: Script, kept: bool) -> Arc<Script> {
        let mut scripts = self.by_sha.write();
        if let Some(known) = scripts.get(&script.sha) {
            known.kept.fetch_or(kept, Ordering::Relaxed);
            return Arc::clone(known);
        }
        if !kept {
            self.make_room(&mut scripts);
        }
        script.kept.store(kept, Ordering::Relaxed);
        script.used.store(self.calls.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        self.bytes.fetch_add(script.memory_bytes(), Ordering::Relaxed);
        let script = Arc::new(script);
        scripts.insert(script.sha, Arc::clone(&script));
        script
    }

    /// Drops the least recently called scripts, if there are too many that may go.
    fn make_room(&self, scripts: &mut Map<Sha, Arc<Script>>) {
        let may_go = |script: &&Arc<Script>| !script.kept.load(Ordering::Relaxed);
        if scripts.len() < EVAL_SCRIPTS_MAX
            || scripts.values().filter(may_go).count() < EVAL_SCRIPTS_MAX
        {
            return;
        }
        let used = |script: &&Arc<Script>| script.used.load(Ordering::Relaxed);
        let oldest = scripts.values().filter(may_go).min_by_key(used).map(|script| script.sha);
        if let Some(script) = oldest.and_then(|sha| scripts.remove(&sha)) {
            script.leave();
            self.bytes.fetch_sub(script.memory_bytes(), Ordering::Relaxed);
            self.evicted.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// SCRIPT FLUSH.
    pub fn flush(&self) {
        let mut scripts = self.by_sha.write();
        scripts.drain().for_each(|(_, script)| script.leave());
        scripts.shrink_to_fit();
        self.bytes.store(0, Ordering::Relaxed);
        self.flushes.fetch_add(1, Ordering::Release); // pairs with `flushes`
        self.sleepers.lock().drain(..).for_each(Waker::wake);
    }

    /// Ready with the number of flushes once it is not `seen` any more.
    pub fn poll_flush(&self, seen: u64, cx: &Context<'_>) -> Poll<u64> {
        let mut sleepers = self.sleepers.lock();
        let flushes = self.flushes();
        if flushes != seen {
            return Poll::Ready(flushes);
        }
        if !sleepers.iter().any(|waker| waker.will_wake(cx.waker())) {
            sleepers.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// How often everything was forgotten.
    pub fn flushes(&self) -> u64 {
        self.flushes.load(Ordering::Acquire)
    }

    /// How many scripts there are.
    pub fn len(&self) -> usize {
        self.by_sha.read().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many were dropped to make room.
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    /// Bytes held for the texts.
    pub fn memory_bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Whether scripts may call commands that are not for them.
    pub fn allow_all(&self, on: bool) {
        self.allows_all.store(on, Ordering::Relaxed);
    }

    pub fn allows_all(&self) -> bool {
        self.allows_all.load(Ordering::Relaxed)
    }

    pub fn reset_stats(&self) {
        self.evicted.store(0, Ordering::Relaxed);
    }
}

/// A script or function that has run for longer than `busy-reply-threshold`.
#[derive(Debug)]
pub struct OverdueScript {
    /// The SHA of a script, the name of a function.
    pub name: Vec<u8>,
    /// Called by EVAL and its like, not by FCALL.
    pub eval: bool,
    /// The command that called it.
    pub words: Vec<Vec<u8>>,
    /// Ticks at its begin.
    pub began_ticks: u64,
    /// Reads the tick counter.
    pub ticks: fn() -> u64,
    pub ticks_per_milli: u64,
    fate: AtomicU8,
}

/// Nothing is decided: it may be ended, and may write.
const OPEN: u8 = 0;
/// It has called a write command: nobody ends it any more.
const WROTE: u8 = 1;
/// Somebody has ended it.
const KILLED: u8 = 2;

impl OverdueScript {
    pub fn new(name: Vec<u8>, eval: bool, words: &[&[u8]], clock: (u64, fn() -> u64, u64)) -> Self {
        let (began_ticks, ticks, ticks_per_milli) = clock;
        Self {
            name,
            eval,
            words: words.iter().map(|word| word.to_vec()).collect(),
            began_ticks,
            ticks,
            ticks_per_milli,
            fate: AtomicU8::new(OPEN),
        }
    }

    pub fn killed(&self) -> bool {
        self.fate.load(Ordering::Relaxed) == KILLED
    }

    fn wrote(&self) -> bool {
        self.fate.load(Ordering::Relaxed) == WROTE
    }

    /// It calls a write command now, so that nobody may end it any more. `false`: somebody has.
    pub fn writes(&self) -> bool {
        self.decide(WROTE)
    }

    /// Ends it, unless it has called a write command.
    fn kill(&self) -> bool {
        self.decide(KILLED)
    }

    fn decide(&self, fate: u8) -> bool {
        let (was, ordering) = (OPEN, Ordering::Relaxed);
        let decided = self.fate.compare_exchange(was, fate, ordering, ordering);
        decided.is_ok() || decided == Err(fate)
    }

    pub fn duration_ms(&self) -> u64 {
        (self.ticks)().saturating_sub(self.began_ticks) / self.ticks_per_milli.max(1)
    }
}

/// All that run for too long.
#[derive(Debug, Default)]
pub struct Overdue(Mutex<Vec<Arc<OverdueScript>>>);

impl Overdue {
    pub fn add(&self, script: Arc<OverdueScript>) {
        self.0.lock().push(script);
    }

    pub fn remove(&self, script: &Arc<OverdueScript>) {
        self.0.lock().retain(|one| !Arc::ptr_eq(one, script));
    }

    /// Whether there are others than `script`.
    pub fn has_others(&self, script: Option<&Arc<OverdueScript>>) -> bool {
        self.0.lock().iter().any(|one| script.is_none_or(|script| !Arc::ptr_eq(one, script)))
    }

    /// The one that has run for longest, if any.
    pub fn first(&self) -> Option<Arc<OverdueScript>> {
        self.0.lock().first().cloned()
    }

    /// The error for a command that cannot run because of them.
    #[cold]
    pub fn error(&self) -> CommandError {
        match self.first() {
            Some(script) if !script.eval => CommandError::BusyFunction,
            _ => CommandError::Busy,
        }
    }

    /// SCRIPT KILL (`eval`) and FUNCTION KILL: ends all that have not written.
    pub fn kill(&self, eval: bool) -> Result<(), CommandError> {
        let running = self.0.lock().clone();
        if running.is_empty() {
            return Err(CommandError::NotBusy);
        }
        let mut error = CommandError::Unkillable;
        let mut killed = false;
        for script in &running {
            if script.wrote() {
                continue;
            }
            if script.eval != eval {
                error = self.error();
            } else {
                killed |= script.kill();
            }
        }
        if killed { Ok(()) } else { Err(error) }
    }
}
