//! The machine's public face.

use crate::{CompileError, Flags, Host, ScriptError};
use resp::Reply;

/// What one machine may use up.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of all Lua values of the machine at once, compiled scripts included.
    pub memory_bytes: usize,
    /// Bytes of one script's reply.
    pub reply_bytes: usize,
    /// Instructions between two calls of [`Host::interrupt`], at most.
    pub steps_per_pulse: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory_bytes: 256 << 20, reply_bytes: 512 << 20, steps_per_pulse: 1000 }
    }
}

/// The SHA-1 of a script's source, as 40 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha([u8; 40]);

impl Sha {
    pub fn of(_source: &[u8]) -> Self {
        Self([b'0'; 40])
    }

    /// Reads 40 hexadecimal digits of either case.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut digits: [u8; 40] = text.try_into().ok()?;
        digits.make_ascii_lowercase();
        digits.iter().all(u8::is_ascii_hexdigit).then_some(Self(digits))
    }

    pub fn as_bytes(&self) -> &[u8; 40] {
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

/// A Lua machine: compiled scripts, libraries, and one run at a time.
#[derive(Debug)]
pub struct Vm {}

impl Vm {
    /// Takes some 100 KB and 100 us.
    pub fn new(_limits: Limits) -> Self {
        Self {}
    }

    /// Compiles `source`, unless it is there already, and keeps it until [`Vm::unload`]. `source` is
    /// the whole script, with its header if it has one, and `sha` is [`Sha::of`] it.
    pub fn load(&mut self, _sha: &Sha, _source: &[u8]) -> Result<(), CompileError> {
        Err(CompileError { text: b"ERR scripts are not built yet".to_vec() })
    }

    /// Whether [`Vm::run`] finds this script.
    pub fn is_loaded(&self, _sha: &Sha) -> bool {
        false
    }

    /// Forgets a script.
    pub fn unload(&mut self, _sha: &Sha) {}

    /// Forgets everything: scripts, libraries, and all memory that they took.
    pub fn clear(&mut self) {}

    /// Runs a script that was loaded (if not: error `NOSCRIPT`) and writes what it returns to `reply`,
    /// in the protocol of `reply`. If it fails, nothing is written; what the host did stays done.
    pub fn run(
        &mut self,
        _sha: &Sha,
        _keys: &[&[u8]],
        _args: &[&[u8]],
        _host: &mut dyn Host,
        _reply: &mut Reply,
    ) -> Result<Ended, ScriptError> {
        let text = b"ERR scripts are not built yet".to_vec();
        Err(ScriptError { text, counted: false, killed: false })
    }

    /// Runs a library's source, with its header, for its `redis.register_function`s, and keeps the
    /// functions until [`Vm::unload_library`]. Their names, in the order of registration, are sound
    /// and distinct. Of the host only its log, clock and interrupt are used.
    pub fn load_library(
        &mut self,
        _id: LibraryId,
        _source: &[u8],
        _host: &mut dyn Host,
    ) -> Result<Vec<Function>, ScriptError> {
        let text = b"ERR scripts are not built yet".to_vec();
        Err(ScriptError { text, counted: false, killed: false })
    }

    pub fn is_library_loaded(&self, _id: LibraryId) -> bool {
        false
    }

    /// Forgets a library and its functions.
    pub fn unload_library(&mut self, _id: LibraryId) {}

    /// Runs a function of a loaded library, as [`Vm::run`].
    pub fn call_function(
        &mut self,
        (_library, _name): (LibraryId, &[u8]),
        _keys: &[&[u8]],
        _args: &[&[u8]],
        _host: &mut dyn Host,
        _reply: &mut Reply,
    ) -> Result<Ended, ScriptError> {
        let text = b"ERR scripts are not built yet".to_vec();
        Err(ScriptError { text, counted: false, killed: false })
    }

    /// Bytes that the machine holds now: INFO's `used_memory_vm_eval`.
    pub fn memory_bytes(&self) -> usize {
        0
    }
}
