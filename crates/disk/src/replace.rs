//! The one way to replace a file that holds state.
//!
//! ```text
//!   .name.tmp written ─► fsync ─► rename over name ─► fsync of the folder
//! ```
//!
//! A crash at any point leaves the old content or the new one. The temporary name is fixed, so a
//! crash leaves at most one orphan per file, which the next replacement removes. One process (it
//! holds the folder's lock) and one caller at a time replace a given file.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::{Disk, DiskFile, Open, folder, write_all_at};

/// Replaces `path` by `bytes`. On success the new content is durable. On error the old content or
/// the new one is in place, and no temporary file is left unless removing it failed too.
pub fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut new = Replacement::begin(disk, path, mode)?;
    new.write(bytes)?;
    new.commit()
}

/// Where the next content of `path` is gathered: `.NAME.tmp` beside it.
pub fn temp_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".tmp");
    path.with_file_name(name)
}

/// A replacement under way, for content that is written in pieces. Dropped before
/// [`Replacement::commit`], it removes its temporary file and the old content stays.
pub struct Replacement<'a> {
    disk: &'a dyn Disk,
    file: Option<Box<dyn DiskFile>>,
    path: PathBuf,
    temp: PathBuf,
    size_bytes: u64,
    renamed: bool,
}

impl<'a> Replacement<'a> {
    /// Makes the temporary file, with permission bits `mode` (see [`crate::PRIVATE`]).
    pub fn begin(disk: &'a dyn Disk, path: &Path, mode: u32) -> io::Result<Self> {
        Self::begin_as(disk, path, &temp_path(path), mode)
    }

    /// The same under another temporary name, in the same folder.
    pub fn begin_as(disk: &'a dyn Disk, path: &Path, temp: &Path, mode: u32) -> io::Result<Self> {
        match disk.remove(temp) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = disk.open(temp, Open::CreateNew { mode })?;
        let (path, temp) = (path.to_path_buf(), temp.to_path_buf());
        Ok(Self { disk, file: Some(file), path, temp, size_bytes: 0, renamed: false })
    }

    /// Adds to the new content. After an error the replacement can only be dropped.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = self.file.as_deref().ok_or(io::ErrorKind::BrokenPipe)?;
        if let Err(error) = write_all_at(file, bytes, self.size_bytes) {
            self.file = None;
            return Err(error);
        }
        self.size_bytes = self.size_bytes.saturating_add(bytes.len() as u64);
        Ok(())
    }

    /// Bytes written so far.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Starts writing back what is there, so that `commit` has less to wait for.
    pub fn sync_data(&mut self) -> io::Result<()> {
        let file = self.file.as_deref().ok_or(io::ErrorKind::BrokenPipe)?;
        if let Err(error) = file.sync_data() {
            self.file = None;
            return Err(error);
        }
        Ok(())
    }

    /// Makes the new content durable and puts it in place.
    pub fn commit(mut self) -> io::Result<()> {
        let file = self.file.take().ok_or(io::ErrorKind::BrokenPipe)?;
        file.sync()?;
        drop(file);
        self.disk.rename(&self.temp, &self.path)?;
        self.renamed = true;
        self.disk.sync_dir(folder(&self.path))
    }
}

impl Drop for Replacement<'_> {
    fn drop(&mut self) {
        self.file = None;
        if !self.renamed {
            // An orphan is harmless: it has no reader, and the next replacement removes it.
            drop(self.disk.remove(&self.temp));
        }
    }
}
