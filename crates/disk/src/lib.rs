//! Files behind a trait, so that faults can be injected and crashes simulated.
//!
//! [`RealDisk`] is the only user of `std::fs` in the workspace. [`MemDisk`] keeps what a test wrote
//! in memory and models what a power failure would leave of it. Whoever replaces a file that holds
//! state does it through [`replace`] or [`Replacement`]: write, fsync, rename, fsync of the folder.
//!
//! Rules for users:
//! - a write may be short; the `*_all` functions here retry short and interrupted ones;
//! - after `sync` fails, what was written since the last good one may be lost even when a later
//!   `sync` succeeds: write it anew, to a new file;
//! - a new file, a rename and a removal are durable after `sync_dir` of the folder, not before.
//!
//! What this crate does not do: buffering, background threads, retries of errors, file formats.

mod mem;
mod real;
mod replace;
mod stream;

pub use mem::{Fault, MemDisk};
pub use real::RealDisk;
pub use replace::{Replacement, replace, temp_path};
pub use stream::{Reader, Writer, append_all, read, read_exact_at, write_all_at};

use std::ffi::OsString;
use std::io;
use std::path::Path;

/// Permission bits for files that hold secrets or data.
pub const PRIVATE: u32 = 0o600;
/// Permission bits for files that others may read.
pub const SHARED: u32 = 0o644;

/// How a file is opened. `mode` holds the permission bits of a file that is made; the process's
/// umask is taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// An existing file, to read.
    Read,
    /// An existing file, to read and write at offsets.
    Write,
    /// To read and to append; made if absent.
    Append { mode: u32 },
    /// To read and write; made if absent, emptied if present.
    Create { mode: u32 },
    /// To read and write; `AlreadyExists` if present.
    CreateNew { mode: u32 },
}

/// What is known about a file without opening it. Symbolic links are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    pub size_bytes: u64,
    pub is_dir: bool,
    /// Permission bits only.
    pub mode: u32,
    /// Last change of the content, milliseconds since 1970; 0 where it is unknown.
    pub modified_ms: i64,
}

/// An open file. All methods take `&self`; whoever shares a file orders its own writes.
pub trait DiskFile: Send + Sync {
    /// Reads at most `buf.len()` bytes from `offset`. 0: end of file. May be short.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes some of `bytes` at `offset`. May be short. Not for files opened to append.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;
    /// Writes some of `bytes` at the end. May be short. Only for files opened to append.
    fn append(&self, bytes: &[u8]) -> io::Result<usize>;
    /// Makes content and metadata durable (fsync).
    fn sync(&self) -> io::Result<()>;
    /// Makes content and length durable (fdatasync).
    fn sync_data(&self) -> io::Result<()>;
    /// Cuts or extends (with zeros) to `size_bytes`.
    fn set_size(&self, size_bytes: u64) -> io::Result<()>;
    fn size(&self) -> io::Result<u64>;
}

/// An exclusive lock on a file (flock); released when it is dropped and when the process ends.
pub trait FileLock: Send + Sync {}

/// A file system. Paths are used as they are given; relative ones start at the working directory.
pub trait Disk: Send + Sync {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>>;
    /// Moves a file over `target`, which it replaces in one step.
    fn rename(&self, source: &Path, target: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes one folder; its parent exists.
    fn create_dir(&self, path: &Path, mode: u32) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes the folder's entries durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Names in a folder, sorted bytewise, without `.` and `..`.
    fn list(&self, path: &Path) -> io::Result<Vec<OsString>>;
    fn metadata(&self, path: &Path) -> io::Result<Metadata>;
    /// Locks a file, which is made (0644) if absent. `WouldBlock`: someone else holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>>;
}

/// The folder that holds `path`; `.` for a bare name.
pub fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) => Path::new("."),
        None => path,
    }
}

#[cfg(test)]
mod tests;
