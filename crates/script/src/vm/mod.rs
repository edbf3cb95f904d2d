//! The machine's public face.

#[cfg(test)]
pub(crate) mod tests;

use crate::convert::Written;
use crate::machine::{Call, Machine, NO_MEMORY, Outcome};
use crate::{CompileError, Debugger, Flags, Header, Host, ScriptError};
use resp::Reply;
use sha1::{Digest, Sha1};
use std::fmt;
use std::hash::{Hash, Hasher};
use stdx::{Map, Seed};

/// What one machine may use up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of all Lua values of the machine at once, compiled scripts included.
    pub memory_bytes: usize,
    /// Bytes of one script's reply.
    pub reply_bytes: usize,
    /// Instructions between two calls of [`Host::interrupt`], at most; fewer at first, and while they are
    /// slow.
    pub steps_per_pulse: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_bytes: 256 << 20, reply_bytes: 512 << 20, steps_per_pulse: 10_000 }
    }
}

/// The SHA-1 of a script's source, as 40 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sha([u8; Self::DIGITS]);

/// Hashes 64 of its 160 bits.
impl Hash for Sha {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.0[..16]);
    }
}

impl Sha {
    pub const DIGITS: usize = 40;

    pub fn of(source: &[u8]) -> Self {
        let mut digits = [0; Self::DIGITS];
        let digest = Sha1::digest(source);
        for (pair, &byte) in digits.chunks_exact_mut(2).zip(digest.iter()) {
            pair.copy_from_slice(&stdx::quote::hex(byte));
        }
        Self(digits)
    }

    /// Reads 40 hexadecimal digits of either case.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut digits: [u8; Self::DIGITS] = text.try_into().ok()?;
        digits.make_ascii_lowercase();
        digits.iter().all(u8::is_ascii_hexdigit).then_some(Self(digits))
    }

    pub fn as_bytes(&self) -> &[u8; Self::DIGITS] {
        &self.0
    }
}

/// One loaded version of a library. The caller chooses it and never uses it again: FUNCTION LOAD
/// REPLACE takes a new one, so that each worker's machine can tell whether it has the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LibraryId(pub u64);

/// A function that a library registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    pub name: Vec<u8>,
    pub description: Option<Vec<u8>>,
    pub flags: Flags,
}

/// How a script ended that ran to its end; its reply is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Well,
    /// It returned an error as its value. `counted`: of a command that it called.
    WithError {
        counted: bool,
    },
}

/// A function that is kept in the machine.
pub(crate) struct Registered {
    pub(crate) function: Function,
    pub(crate) kept: i32,
}

/// A Lua machine: compiled scripts, libraries, and one run at a time.
pub struct Vm {
    machine: Machine,
    /// Compiled scripts, by the number of their kept function.
    scripts: Map<Sha, i32>,
    libraries: Map<LibraryId, Vec<Registered>>,
}

/// The keys are hashes of clients' choosing, but not numbers of their choosing.
const SEED: Seed = Seed::new(0, 0);

impl Vm {
    /// Takes some 60 KB and 200 us.
    pub fn new(limits: Limits) -> Self {
        Self {
            machine: Machine::new(limits),
            scripts: Map::with_hasher(SEED),
            libraries: Map::with_hasher(SEED),
        }
    }

    /// Compiles `source`, unless it is there already, and keeps it until [`Vm::unload`]. `source` is
    /// the whole script, with its header if it has one, and `sha` is [`Sha::of`] it. What a failure for
    /// want of memory leaves stays until [`Vm::collect`].
    pub fn load(&mut self, sha: &Sha, source: &[u8]) -> Result<(), CompileError> {
        if self.scripts.contains_key(sha) {
            return Ok(());
        }
        let compiled = self.machine.compile_script(Header::strip(source));
        let function = compiled.map_err(|message| {
            let text = b"ERR Error compiling script (new function): ";
            let out_of_memory = message == NO_MEMORY.as_bytes();
            CompileError { text: [&text[..], &message].concat(), out_of_memory }
        })?;
        self.scripts.insert(*sha, function);
        Ok(())
    }

    /// Whether [`Vm::run`] finds this script.
    pub fn is_loaded(&self, sha: &Sha) -> bool {
        self.scripts.contains_key(sha)
    }

    /// Forgets a script.
    pub fn unload(&mut self, sha: &Sha) {
        if let Some(function) = self.scripts.remove(sha) {
            self.machine.forget_script(function);
        }
    }

    /// Forgets all scripts, and gives back what they took.
    pub fn unload_all(&mut self) {
        self.scripts = Map::with_hasher(SEED);
        self.machine.forget_scripts();
    }

    /// Gives back what was forgotten, and what runs have left.
    pub fn collect(&mut self) {
        self.machine.collect();
    }

    /// Runs a script that was loaded (if not: error `NOSCRIPT`) and writes what it returns to `reply`,
    /// in the protocol of `reply`. If it fails, nothing is written; what the host did stays done.
    pub fn run(
        &mut self,
        sha: &Sha,
        keys: &[&[u8]],
        args: &[&[u8]],
        host: &mut dyn Host,
        reply: &mut Reply,
    ) -> Result<Ended, ScriptError> {
        let Some(&function) = self.scripts.get(sha) else {
            return Err(refusal("NOSCRIPT No matching script. Please use EVAL."));
        };
        let call = Call { function, is_script: true, keys, args };
        ended(self.machine.run(&call, host, reply), sha.as_bytes())
    }

    /// As [`Vm::run`], for a debugger: with the commands that it has, as far as they lead.
    pub fn debug(
        &mut self,
        sha: &Sha,
        (keys, args): (&[&[u8]], &[&[u8]]),
        host: &mut dyn Host,
        reply: &mut Reply,
        debugger: &mut Debugger,
    ) -> Result<Ended, ScriptError> {
        let Some(&function) = self.scripts.get(sha) else {
            return Err(refusal("NOSCRIPT No matching script. Please use EVAL."));
        };
        let call = Call { function, is_script: true, keys, args };
        ended(self.machine.debug(&call, host, reply, debugger), sha.as_bytes())
    }

    /// Runs a library's source, with its header, for its `redis.register_function`s, and keeps the
    /// functions until [`Vm::unload_library`]. Their names, in the order of registration, are sound
    /// and distinct; there is at least one. Of the host only its log, clock and interrupt are used.
    pub fn load_library(
        &mut self,
        id: LibraryId,
        source: &[u8],
        host: &mut dyn Host,
    ) -> Result<Vec<Function>, ScriptError> {
        self.unload_library(id);
        let compiled = self.machine.compile(Header::strip(source));
        let chunk = compiled.map_err(|message| {
            refusal([b"ERR Error compiling function: ", &message[..]].concat())
        })?;
        let loaded = self.machine.run_library(chunk, host);
        self.machine.forget(chunk);
        let (outcome, registered) = match loaded {
            Ok(registered) => (check_names(&registered), registered),
            Err((outcome, registered)) => (Err(registration_failed(&outcome)), registered),
        };
        if let Err(error) = outcome {
            self.forget_all(registered);
            return Err(error);
        }
        let functions = registered.iter().map(|one| one.function.clone()).collect();
        self.libraries.insert(id, registered);
        Ok(functions)
    }

    pub fn is_library_loaded(&self, id: LibraryId) -> bool {
        self.libraries.contains_key(&id)
    }

    /// Forgets a library and its functions.
    pub fn unload_library(&mut self, id: LibraryId) {
        if let Some(registered) = self.libraries.remove(&id) {
            self.forget_all(registered);
        }
    }

    /// Runs a function of a loaded library, as [`Vm::run`].
    pub fn call_function(
        &mut self,
        (library, name): (LibraryId, &[u8]),
        keys: &[&[u8]],
        args: &[&[u8]],
        host: &mut dyn Host,
        reply: &mut Reply,
    ) -> Result<Ended, ScriptError> {
        let registered = self.libraries.get(&library).map_or(&[][..], Vec::as_slice);
        let Some(found) = registered.iter().find(|one| one.function.name == name) else {
            return Err(refusal("ERR Function not found"));
        };
        let call = Call { function: found.kept, is_script: false, keys, args };
        ended(self.machine.run(&call, host, reply), name)
    }

    /// Bytes that the machine holds now: INFO's `used_memory_vm_eval`.
    pub fn memory_bytes(&self) -> usize {
        self.machine.used()
    }

    fn forget_all(&mut self, registered: Vec<Registered>) {
        for one in registered {
            self.machine.forget(one.kept);
        }
    }
}

impl fmt::Debug for Vm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scripts, libraries) = (self.scripts.len(), self.libraries.len());
        write!(f, "Vm({scripts} scripts, {libraries} libraries)")
    }
}

fn refusal(text: impl Into<Vec<u8>>) -> ScriptError {
    ScriptError { text: text.into(), counted: false, killed: false }
}

fn ended(outcome: Result<Written, Outcome>, name: &[u8]) -> Result<Ended, ScriptError> {
    match outcome {
        Ok(Written { error: None }) => Ok(Ended::Well),
        Ok(Written { error: Some(counted) }) => Ok(Ended::WithError { counted }),
        Err(Outcome { text, place, is_fatal, counted, killed }) => {
            let text = match place {
                _ if is_fatal => {
                    let shown = &text[..text.len().min(100)];
                    [b"ERR Error running script ", name, b", ", shown].concat()
                }
                Some((source, line)) => {
                    [&text[..], b" script: ", name, b", on ", &source, b":", &line, b"."].concat()
                }
                None => text,
            };
            Err(ScriptError { text, counted, killed })
        }
    }
}

/// An error of a library's chunk: its own words without a place, as the position is in them.
fn registration_failed(outcome: &Outcome) -> ScriptError {
    let code = if outcome.is_fatal { &b"ERR "[..] } else { b"" };
    let text = [b"ERR Error registering functions: ", code, &outcome.text].concat();
    ScriptError { text, counted: outcome.counted, killed: outcome.killed }
}

fn check_names(registered: &[Registered]) -> Result<(), ScriptError> {
    if registered.is_empty() {
        return Err(refusal("ERR No functions registered"));
    }
    for (number, one) in registered.iter().enumerate() {
        let name = &one.function.name;
        let is_sound = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        if name.is_empty() || !name.iter().all(is_sound) {
            return Err(refusal(
                "ERR Function names can only contain letters, numbers, or underscores(_) and must be \
                 at least one character long",
            ));
        }
        if registered[..number].iter().any(|other| other.function.name == *name) {
            return Err(refusal("ERR Function already exists in the library"));
        }
    }
    Ok(())
}
