//! Whole reads and writes over the short ones of a [`DiskFile`], and `std::io` adapters.

use std::io;
use std::path::Path;

use crate::{Disk, DiskFile, Open};

fn retry(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
        Err(error) => Err(error),
    }
}

fn drain(mut bytes: &[u8], mut step: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<()> {
    while !bytes.is_empty() {
        match retry(step(bytes))? {
            Some(0) => return Err(io::ErrorKind::WriteZero.into()),
            Some(count) => bytes = bytes.get(count..).unwrap_or_default(),
            None => {}
        }
    }
    Ok(())
}

/// Appends all of `bytes`. After an error any prefix of them may be there: the caller cuts it off.
pub fn append_all(file: &dyn DiskFile, bytes: &[u8]) -> io::Result<()> {
    drain(bytes, |rest| file.append(rest))
}

/// Writes all of `bytes` at `offset`.
pub fn write_all_at(file: &dyn DiskFile, bytes: &[u8], mut offset: u64) -> io::Result<()> {
    drain(bytes, |rest| {
        let count = file.write_at(rest, offset)?;
        offset = offset.saturating_add(count as u64);
        Ok(count)
    })
}

/// Fills `buf` from `offset`; `UnexpectedEof` when the file ends before.
pub fn read_exact_at(file: &dyn DiskFile, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buf.is_empty() {
        match retry(file.read_at(buf, offset))? {
            Some(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Some(count) => {
                buf = buf.get_mut(count..).unwrap_or_default();
                offset = offset.saturating_add(count as u64);
            }
            None => {}
        }
    }
    Ok(())
}

/// The content of a small file; `FileTooLarge` when it is longer than `size_bytes_max`. The length
/// that the file system reports is not trusted (files under `/proc` report 0).
pub fn read(disk: &dyn Disk, path: &Path, size_bytes_max: usize) -> io::Result<Vec<u8>> {
    let file = disk.open(path, Open::Read)?;
    let mut content = Vec::new();
    let mut chunk = [0; 8192];
    loop {
        match retry(file.read_at(&mut chunk, content.len() as u64))? {
            Some(0) => return Ok(content),
            Some(count) => content.extend_from_slice(chunk.get(..count).unwrap_or_default()),
            None => {}
        }
        if content.len() > size_bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
    }
}

/// Reads a file from front to back. Unbuffered: give it large buffers.
pub struct Reader<'a> {
    file: &'a dyn DiskFile,
    offset: u64,
}

impl<'a> Reader<'a> {
    pub fn new(file: &'a dyn DiskFile, offset: u64) -> Self {
        Self { file, offset }
    }

    /// Offset of the next byte.
    pub fn offset(&self) -> u64 {
        self.offset
    }
}

impl io::Read for Reader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buf, self.offset)?;
        self.offset = self.offset.saturating_add(count as u64);
        Ok(count)
    }
}

/// Writes a file from an offset on. Unbuffered: give it large buffers.
pub struct Writer<'a> {
    file: &'a dyn DiskFile,
    offset: u64,
}

impl<'a> Writer<'a> {
    pub fn new(file: &'a dyn DiskFile, offset: u64) -> Self {
        Self { file, offset }
    }

    /// Offset of the next byte.
    pub fn offset(&self) -> u64 {
        self.offset
    }
}

impl io::Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write_at(bytes, self.offset)?;
        self.offset = self.offset.saturating_add(count as u64);
        Ok(count)
    }

    /// Nothing is held back here. Durable is another matter: `DiskFile::sync`.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
