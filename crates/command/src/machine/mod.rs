//! A worker's Lua machine: which of the server's scripts and libraries it has compiled.

#[cfg(test)]
mod tests;

use crate::{CommandError, Functions, Libraries, Library, Script, Scripts};
use script::{Header, Host, LibraryId, Limits, LogLevel, Pulse, Sha, Vm};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use stdx::hash::{Map, Seed, Set};

/// So many compiled scripts a machine keeps beyond those that the server still knows.
const STALE_MAX: usize = 256;

/// The part of a machine's memory that compiled scripts may take, one in so many; the rest is for those that
/// run, and for libraries.
const COMPILED_SHARE: usize = 4;

/// The part above which scripts make room for a library that is loaded.
const CROWDED_SHARE: usize = 2;

/// One worker's machine, made when it is first needed.
pub struct Machine {
    vm: Option<Box<Vm>>,
    limits: Limits,
    /// The flushes of [`Scripts`] that it has seen.
    flushes: u64,
    scripts: Map<Sha, Compiled>,
    /// Bytes of all of them.
    compiled_bytes: usize,
    /// Counts the uses of scripts that were not recent.
    uses: u64,
    libraries: Set<LibraryId>,
    recent: Recent,
    /// Libraries that were made before the locks of the command that stores them were taken.
    prepared: Vec<Prepared>,
}

/// A script that the machine holds. The server, or whoever calls it, has its text.
struct Compiled {
    /// What compiling it took.
    bytes: usize,
    /// When it was last used, by [`Machine::uses`], while it was not recent.
    used: u64,
}

/// A library that was made, or why it was not.
struct Prepared {
    source: Vec<u8>,
    made: Result<Arc<Library>, CommandError>,
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine").field("scripts", &self.scripts.len()).finish_non_exhaustive()
    }
}

impl Default for Machine {
    fn default() -> Self {
        let seed = Seed::new(0, 0);
        Self {
            vm: None,
            limits: Limits::default(),
            flushes: 0,
            scripts: Map::with_hasher(seed),
            compiled_bytes: 0,
            uses: 0,
            libraries: Set::with_hasher(seed),
            recent: Recent::default(),
            prepared: Vec::new(),
        }
    }
}

impl Machine {
    /// Bytes that its values take.
    pub fn memory_bytes(&self) -> usize {
        self.vm.as_ref().map_or(0, |vm| vm.memory_bytes())
    }

    /// Gives the memory of scripts back if the server has forgotten them since they were compiled here.
    /// Libraries stay, and with them what they hold of their own.
    pub fn forget_flushed(&mut self, scripts: &Scripts) {
        let flushes = scripts.flushes();
        if self.flushes == flushes {
            return;
        }
        self.flushes = flushes;
        self.recent = Recent::default();
        if let Some(mut vm) = self.vm.take() {
            self.unload(&mut vm, 0, 0);
            self.vm = Some(vm).filter(|_| !self.libraries.is_empty());
        }
    }

    /// The machine, for a run; [`Machine::give_back`] afterwards.
    pub fn take(&mut self) -> Box<Vm> {
        self.vm.take().unwrap_or_else(|| Box::new(Vm::new(self.limits)))
    }

    pub fn give_back(&mut self, vm: Box<Vm>) {
        self.vm = Some(vm);
    }

    /// Compiles a script, unless it has done so.
    #[inline]
    pub fn load(&mut self, scripts: &Scripts, script: &Script) -> Result<(), CommandError> {
        if self.flushes == scripts.flushes()
            && let Some(compiled) = self.scripts.get_mut(&script.sha)
        {
            self.uses += 1;
            compiled.used = self.uses;
            return Ok(());
        }
        self.compile(scripts, script)
    }

    /// Readies a script of the server's for a run, after which it is among the recent ones.
    #[inline]
    pub fn ready(&mut self, scripts: &Scripts, script: &Arc<Script>) -> Result<(), CommandError> {
        if self.recent.holds(script) && !script.is_gone() {
            return Ok(());
        }
        self.load(scripts, script)?;
        self.recent.put(script);
        Ok(())
    }

    /// The script of this text, if it is one of the recent ones.
    #[inline]
    pub fn recent_by_text(&self, text: &[u8]) -> Option<Arc<Script>> {
        let script = self.recent.by_text[slot_of_text(text)].as_ref()?;
        (*script.source == *text && !script.is_gone()).then(|| Arc::clone(script))
    }

    /// The script of this SHA-1 in lower case, if it is one of the recent ones.
    #[inline]
    pub fn recent_by_sha(&self, sha: &[u8]) -> Option<Arc<Script>> {
        let script = self.recent.by_sha[slot_of_sha(sha)].as_ref()?;
        (script.sha.as_bytes() == sha && !script.is_gone()).then(|| Arc::clone(script))
    }

    #[cold]
    fn compile(&mut self, scripts: &Scripts, script: &Script) -> Result<(), CommandError> {
        self.forget_flushed(scripts);
        let mut vm = self.take();
        let (count, bytes_max) = (self.scripts.len(), self.limits.memory_bytes / COMPILED_SHARE);
        if count >= scripts.len() + STALE_MAX || self.compiled_bytes >= bytes_max {
            self.unload(&mut vm, count / 2, bytes_max / 2);
        }
        let mut before = vm.memory_bytes();
        let mut loaded = vm.load(&script.sha, &script.source);
        if loaded.as_ref().is_err_and(|error| error.out_of_memory) {
            self.unload(&mut vm, 0, 0);
            before = vm.memory_bytes();
            loaded = vm.load(&script.sha, &script.source);
        }
        match &loaded {
            Ok(()) => {
                self.uses += 1;
                let bytes = vm.memory_bytes().saturating_sub(before);
                self.scripts.insert(script.sha, Compiled { bytes, used: self.uses });
                self.compiled_bytes = self.compiled_bytes.saturating_add(bytes);
            }
            Err(error) if error.out_of_memory => vm.collect(),
            Err(_) => {}
        }
        self.give_back(vm);
        loaded.map_err(|error| CommandError::text_of(error.text))
    }

    /// Unloads the scripts that were used least recently until there are at most so many, of so many
    /// bytes together, and collects all garbage.
    #[cold]
    fn unload(&mut self, vm: &mut Vm, count_max: usize, bytes_max: usize) {
        for script in std::mem::take(&mut self.recent).by_sha.iter().flatten() {
            if let Some(compiled) = self.scripts.get_mut(&script.sha) {
                compiled.used = self.uses + 1;
            }
        }
        let mut by_use: Vec<_> = self.scripts.iter().map(|(sha, one)| (one.used, *sha)).collect();
        by_use.sort_unstable();
        for (_, sha) in by_use {
            if self.scripts.len() <= count_max && self.compiled_bytes <= bytes_max {
                break;
            }
            vm.unload(&sha);
            let bytes = self.scripts.remove(&sha).map_or(0, |compiled| compiled.bytes);
            self.compiled_bytes = self.compiled_bytes.saturating_sub(bytes);
        }
        vm.collect();
    }

    /// Runs the text of a library for what it registers, unless it has done so.
    #[inline]
    pub fn load_library(
        &mut self,
        functions: &Functions,
        library: &Library,
        clock: Clock,
    ) -> Result<(), CommandError> {
        if self.libraries.contains(&library.id) {
            return Ok(());
        }
        self.run_library(functions, library.id, &library.source, clock).map(|_| ())
    }

    #[cold]
    fn run_library(
        &mut self,
        functions: &Functions,
        id: LibraryId,
        source: &[u8],
        clock: Clock,
    ) -> Result<Vec<script::Function>, CommandError> {
        let mut vm = self.take();
        let current = functions.libraries();
        self.libraries.retain(|id| {
            let made = self.prepared.iter().filter_map(|prepared| prepared.made.as_ref().ok());
            let known = current.iter().chain(made).any(|library| library.id == *id);
            if !known {
                vm.unload_library(*id);
            }
            known
        });
        if vm.memory_bytes() > self.limits.memory_bytes / CROWDED_SHARE {
            self.unload(&mut vm, 0, 0);
        }
        let mut loading = Loading { clock, began: (clock.ticks)() };
        let loaded = vm.load_library(id, source, &mut loading);
        if loaded.is_ok() {
            self.libraries.insert(id);
        }
        self.give_back(vm);
        loaded.map_err(|error| CommandError::text_of(error.text))
    }

    /// Makes the library of a text beforehand; [`Machine::make_library`] then has it, until
    /// [`Machine::prepared_is_over`]. Returns whether that worked.
    pub fn prepare_library(&mut self, functions: &Functions, source: &[u8], clock: Clock) -> bool {
        let made = self.run_source(functions, source, clock);
        let worked = made.is_ok();
        self.prepared.push(Prepared { source: source.to_vec(), made });
        worked
    }

    pub fn prepared_is_over(&mut self) {
        self.prepared.clear();
    }

    /// The library that a text makes, not yet among those in force.
    pub fn make_library(
        &mut self,
        functions: &Functions,
        source: &[u8],
        clock: Clock,
    ) -> Result<Arc<Library>, CommandError> {
        match self.prepared.iter().position(|prepared| prepared.source == source) {
            Some(at) => self.prepared.remove(at).made,
            None => self.run_source(functions, source, clock),
        }
    }

    fn run_source(
        &mut self,
        functions: &Functions,
        source: &[u8],
        clock: Clock,
    ) -> Result<Arc<Library>, CommandError> {
        let header = header_of(source)?;
        let id = functions.next_id();
        let registered = self.run_library(functions, id, source, clock)?;
        if registered.is_empty() {
            return Err(CommandError::NoFunctions);
        }
        Ok(Arc::new(Library::new(id, header.name, source.into(), registered)))
    }
}

/// Scripts that this machine has compiled and has lately been asked for, so that neither the SHA-1 of a
/// text nor the server's list is needed to find them again. Each has one place, by text and by SHA-1.
#[derive(Default)]
struct Recent {
    by_text: [Option<Arc<Script>>; RECENT],
    by_sha: [Option<Arc<Script>>; RECENT],
}

const RECENT_BITS: u32 = 5;
const RECENT: usize = 1 << RECENT_BITS;

impl Recent {
    #[inline]
    fn holds(&self, script: &Arc<Script>) -> bool {
        let at = &self.by_sha[slot_of_sha(script.sha.as_bytes())];
        at.as_ref().is_some_and(|other| Arc::ptr_eq(other, script))
    }

    fn put(&mut self, script: &Arc<Script>) {
        self.by_text[slot_of_text(&script.source)] = Some(Arc::clone(script));
        self.by_sha[slot_of_sha(script.sha.as_bytes())] = Some(Arc::clone(script));
    }
}

#[inline]
fn slot_of_sha(sha: &[u8]) -> usize {
    slot(sha.first_chunk().map_or(0, |digits| u64::from_le_bytes(*digits)))
}

/// By its length and a few of its bytes: scripts of one library begin alike and end alike.
#[inline]
fn slot_of_text(text: &[u8]) -> usize {
    /// So many samples.
    const SAMPLES: usize = 8;
    let step = (text.len() / SAMPLES).max(1);
    let samples = text.iter().step_by(step).take(SAMPLES);
    slot(samples.fold(text.len() as u64, |mix, byte| mix.rotate_left(7) ^ u64::from(*byte)))
}

#[inline]
fn slot(mix: u64) -> usize {
    (mix.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - RECENT_BITS)) as usize
}

/// The header of a library that can be loaded here.
fn header_of(source: &[u8]) -> Result<Header, CommandError> {
    let header = Header::of_library(source).map_err(CommandError::text_of)?;
    if !is_name(&header.name) {
        return Err(CommandError::LibraryName);
    }
    if !header.engine.eq_ignore_ascii_case(b"lua") {
        return Err(CommandError::err_bytes(&[b"Engine '", &header.engine, b"' not found"]));
    }
    Ok(header)
}

/// Whether it may be the name of a library: letters, digits and underscores.
fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// How time is told while a library is loaded.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    pub ticks: fn() -> u64,
    pub ticks_per_milli: u64,
}

/// The world of a library that is being loaded: there is nothing in it but time.
struct Loading {
    clock: Clock,
    began: u64,
}

impl Loading {
    fn elapsed(&self) -> u64 {
        (self.clock.ticks)().saturating_sub(self.began)
    }
}

impl Host for Loading {
    fn call(&mut self, _: &[&[u8]], reply: &mut resp::Reply) {
        reply.error("ERR redis.call can only be called inside a script invocation");
    }

    fn log(&mut self, _: LogLevel, _: &[u8]) {}

    fn set_repl(&mut self, _: bool, _: bool) {}

    fn check_command(&mut self, _: &[&[u8]]) -> script::CommandCheck {
        script::CommandCheck::Unknown
    }

    fn interrupt(&mut self) -> Pulse {
        /// As in Redis.
        const LOAD_MS_MAX: u64 = 500;
        let late = self.elapsed() > LOAD_MS_MAX.saturating_mul(self.clock.ticks_per_milli);
        if late { Pulse::Kill("FUNCTION LOAD timeout") } else { Pulse::Continue }
    }

    fn clock(&mut self) -> Duration {
        Duration::from_millis(self.elapsed() / self.clock.ticks_per_milli.max(1))
    }
}

impl Functions {
    /// Adds the library of a text, as FUNCTION LOAD does.
    pub fn load(
        &self,
        machine: &mut Machine,
        source: &[u8],
        replace: bool,
        clock: Clock,
    ) -> Result<Vec<u8>, CommandError> {
        let header = header_of(source)?;
        let mut libraries = Libraries::clone(&self.libraries());
        if !replace && libraries.iter().any(|library| library.name == header.name) {
            let name = &header.name;
            return Err(CommandError::err_bytes(&[b"Library '", name, b"' already exists"]));
        }
        let library = machine.make_library(self, source, clock)?;
        libraries.add(library, replace)?;
        self.set(libraries);
        Ok(header.name)
    }
}
