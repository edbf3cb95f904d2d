//! The directory of the set: names, the manifest's way to disk, what an older server left.

use super::manifest::{base_seq, is_part};
use super::{Fault, Kind, Manifest, Part};
use disk::{Disk, DiskFile, FileLock, Open, PRIVATE};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// No manifest is longer: a line for each file, and a rewrite that succeeds leaves two.
const MANIFEST_BYTES_MAX: usize = 16 << 20;

const PID_BYTES_MAX: usize = 20;

/// Where the files of an AOF are.
#[derive(Clone)]
pub struct Files {
    pub disk: Arc<dyn Disk>,
    /// `dir`, in which older servers kept their single file.
    dir: PathBuf,
    /// `appenddirname` below it.
    sub: PathBuf,
    /// `appendfilename`.
    prefix: Vec<u8>,
}

/// The use of a set by this process alone, until it is dropped.
pub struct Held {
    #[expect(dead_code, reason = "held for its lock")]
    lock: Option<Box<dyn FileLock>>,
}

/// Behind the prefix of a set: the file whose lock its user has.
const LOCK_SUFFIX: &[u8] = b".lock";

impl Held {
    fn take(disk: &dyn Disk, path: &Path) -> io::Result<Self> {
        let lock = match disk.lock(path) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let pid = disk::read(disk, path, PID_BYTES_MAX).unwrap_or_default();
                let pid = String::from_utf8_lossy(pid.trim_ascii());
                let who = if pid.is_empty() { String::new() } else { format!(", process {pid},") };
                let shown = path.display();
                return Err(io::Error::other(format!(
                    "another server{who} uses these files ({shown} is locked)"
                )));
            }
            // Some network file systems have no locks.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                return Ok(Self { lock: None });
            }
            Err(error) => return Err(error),
        };
        // For people: a full disk is no reason to do without the lock.
        drop(disk.open(path, Open::Write).and_then(|file| {
            let pid = format!("{}\n", std::process::id());
            file.set_size(0)?;
            disk::write_all_at(&*file, pid.as_bytes(), 0)
        }));
        Ok(Self { lock: Some(lock) })
    }

    /// Takes the sets of which `file` may be a part for this process, as far as a server ever had them.
    ///
    /// # Errors
    /// Another process has one.
    pub(crate) fn of_file(disk: &dyn Disk, file: &Path) -> io::Result<Vec<Self>> {
        let folder = disk::folder(file);
        let name = file.file_name().unwrap_or_default().as_bytes();
        let mut held = Vec::new();
        for lock in disk.list(folder)? {
            let prefix = lock.as_bytes().strip_suffix(LOCK_SUFFIX);
            if prefix.is_some_and(|prefix| name.starts_with(prefix)) {
                held.push(Self::take(disk, &folder.join(&lock))?);
            }
        }
        Ok(held)
    }
}

/// What there was at the start.
#[derive(Debug)]
pub enum Found {
    Nothing,
    Set(Manifest),
}

impl Files {
    pub fn new(disk: Arc<dyn Disk>, dir: &Path, sub: &str, prefix: &str) -> Self {
        Self { disk, dir: dir.to_path_buf(), sub: dir.join(sub), prefix: prefix.into() }
    }

    pub(crate) fn prefix(&self) -> &[u8] {
        &self.prefix
    }

    /// Where the file of that name is.
    pub fn path(&self, name: &[u8]) -> PathBuf {
        self.sub.join(OsStr::from_bytes(name))
    }

    pub fn manifest_path(&self) -> PathBuf {
        self.path(&[&self.prefix[..], b".manifest"].concat())
    }

    /// What bytes go to that come before their base is there.
    pub(crate) fn temporary_name(&self) -> Vec<u8> {
        [b"temp-", &self.prefix[..], b".incr"].concat()
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        match self.disk.metadata(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes the directory, unless it is there.
    pub fn make_dir(&self) -> io::Result<()> {
        if self.exists(&self.sub)? {
            return Ok(());
        }
        /// As other servers make it.
        const MODE: u32 = 0o755;
        self.disk.create_dir(&self.sub, MODE)?;
        self.disk.sync_dir(disk::folder(&self.sub))
    }

    /// Takes the set for this process. Two that append to one file, or cut its end off, would lose data.
    ///
    /// # Errors
    /// Another process has it; the error says which, if that is known.
    pub fn hold(&self) -> io::Result<Held> {
        self.make_dir()?;
        Held::take(&*self.disk, &self.path(&[&self.prefix[..], LOCK_SUFFIX].concat()))
    }

    /// At start: reads the manifest, and takes over the single file of an older server if there is one and
    /// nothing newer. What is taken over must be loaded: the next rewrite replaces it.
    pub fn find(&self) -> Result<Found, Fault> {
        let manifest = self.take_over(self.manifest()?).map_err(|error| {
            let name = String::from_utf8_lossy(&self.prefix);
            Fault(format!("Moving the old append only file {name} failed: {error}"))
        })?;
        if manifest.is_empty() { Ok(Found::Nothing) } else { Ok(Found::Set(manifest)) }
    }

    /// The single file of a server before version 7 becomes the base of a set. A crash at any point leaves
    /// what makes this start over.
    fn take_over(&self, manifest: Manifest) -> io::Result<Manifest> {
        let old = self.dir.join(OsStr::from_bytes(&self.prefix));
        let new = self.path(&self.prefix);
        let is_begun = self.is_single(&manifest) && !self.exists(&new)?;
        if !(manifest.is_empty() || is_begun) || !self.is_file(&old)? {
            return Ok(manifest);
        }
        self.make_dir()?;
        let base = Part { name: self.prefix.clone(), seq: 1, kind: Kind::Base };
        let manifest = Manifest { base: Some(base), ..Manifest::default() };
        self.store(&manifest)?;
        self.disk.rename(&old, &new)?;
        self.disk.sync_dir(&self.sub)?;
        self.disk.sync_dir(disk::folder(&old))?;
        Ok(manifest)
    }

    /// Whether the set is the single file of a server before version 7, and nothing was written behind it.
    pub(crate) fn is_single(&self, manifest: &Manifest) -> bool {
        let base = manifest.base.as_ref();
        manifest.incrementals.is_empty() && base.is_some_and(|base| base.name == self.prefix)
    }

    fn is_file(&self, path: &Path) -> io::Result<bool> {
        Ok(self.exists(path)? && !self.disk.metadata(path)?.is_dir)
    }

    /// While there is no writer: the next base, to be written.
    pub fn next_base(&self, rdb: bool) -> Result<Part, Fault> {
        let manifest = self.manifest()?;
        self.make_dir().map_err(|error| Fault(format!("Making the AOF directory: {error}")))?;
        Ok(manifest.next_base(&self.prefix, rdb))
    }

    /// While there is no writer: `base`, durable under its name, takes the place of all there was.
    pub fn adopt(&self, base: Part) -> Result<(), Fault> {
        let mut manifest = self.manifest()?;
        manifest.rebase(base, 0);
        self.store(&manifest)
            .and_then(|()| self.collect(&mut manifest))
            .map_err(|error| Fault(format!("Replacing the AOF manifest: {error}")))
    }

    /// The manifest on disk; an empty one if there is none.
    pub fn manifest(&self) -> Result<Manifest, Fault> {
        let path = self.manifest_path();
        let shown = path.display();
        match disk::read(&*self.disk, &path, MANIFEST_BYTES_MAX) {
            Ok(bytes) => Manifest::parse(&bytes)
                .map_err(|error| Fault(format!("The AOF manifest {shown} is not valid: {error}"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.no_manifest(),
            Err(error) => Err(Fault(format!("The AOF manifest {shown}: {error}"))),
        }
    }

    /// There is no manifest: there must be no files, either, that one would name. A new set would begin empty
    /// and overwrite them.
    fn no_manifest(&self) -> Result<Manifest, Fault> {
        let io = |error| Fault::io("Looking for", &String::from_utf8_lossy(&self.prefix), &error);
        let mut orphans = Vec::new();
        let names = match self.disk.list(&self.sub) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            names => names.map_err(io)?,
        };
        for name in names.iter().filter(|name| is_part(&self.prefix, name.as_bytes())) {
            if self.size_bytes(name.as_bytes()).map_err(io)? > 0 {
                orphans.push(name.to_string_lossy());
            }
        }
        if orphans.is_empty() {
            return Ok(Manifest::default());
        }
        Err(Fault(format!(
            "There is no AOF manifest {}, but what it should name: {}. Bring it back, from a backup or with a \
             line for each file ('file NAME seq NUMBER type b' for the base, 'type i' for the others in their \
             order), or move the files elsewhere to do without their data.",
            self.manifest_path().display(),
            orphans.join(", ")
        )))
    }

    /// Before the first base takes its name: a manifest that names nothing, so that a crash does not leave a
    /// base without one.
    pub(crate) fn announce(&self) -> io::Result<()> {
        if self.exists(&self.manifest_path())? {
            return Ok(());
        }
        self.store(&Manifest::default())
    }

    /// Puts a manifest in place of the one before. What it names must be durable.
    pub(crate) fn store(&self, manifest: &Manifest) -> io::Result<()> {
        disk::replace(&*self.disk, &self.manifest_path(), &manifest.print(), PRIVATE)
    }

    /// Makes an empty file, durable by name.
    pub(crate) fn create(&self, name: &[u8]) -> io::Result<Box<dyn DiskFile>> {
        let path = self.path(name);
        // An orphan of a run before; who appends must not find it.
        self.remove(name)?;
        let file = self.disk.open(&path, Open::Append { mode: PRIVATE })?;
        self.disk.sync_dir(&self.sub)?;
        Ok(file)
    }

    /// Opens a file to append to it, and makes it if need be.
    pub(crate) fn open(&self, name: &[u8]) -> io::Result<Box<dyn DiskFile>> {
        let path = self.path(name);
        let is_new = !self.exists(&path)?;
        let file = self.disk.open(&path, Open::Append { mode: PRIVATE })?;
        if is_new {
            self.disk.sync_dir(&self.sub)?;
        }
        Ok(file)
    }

    pub(crate) fn read(&self, name: &[u8]) -> io::Result<Box<dyn DiskFile>> {
        self.disk.open(&self.path(name), Open::Read)
    }

    /// Moves a synced file within the directory, durably.
    pub(crate) fn rename(&self, from: &[u8], to: &[u8]) -> io::Result<()> {
        self.disk.rename(&self.path(from), &self.path(to))?;
        self.disk.sync_dir(&self.sub)
    }

    /// Removes a file, if it is there.
    pub(crate) fn remove(&self, name: &[u8]) -> io::Result<()> {
        match self.disk.remove(&self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    pub(crate) fn size_bytes(&self, name: &[u8]) -> io::Result<u64> {
        Ok(self.disk.metadata(&self.path(name))?.size_bytes)
    }

    /// Removes what rewrites have left behind that were broken off: bases that `manifest` does not know and
    /// that are no newer than its own, and those that are not complete. `idle`: no rewrite is under way.
    /// Returns the names.
    pub(crate) fn sweep(&self, manifest: &Manifest, idle: bool) -> io::Result<Vec<Vec<u8>>> {
        let mut swept = Vec::new();
        let current = manifest.base.as_ref().map_or(0, |base| base.seq);
        for name in self.disk.list(&self.sub)? {
            let name = name.as_bytes();
            let begun = name.strip_prefix(b".").and_then(|name| name.strip_suffix(b".tmp"));
            let Some(seq) = base_seq(&self.prefix, begun.unwrap_or(name)) else { continue };
            let known = manifest.base.iter().chain(&manifest.history).any(|part| part.name == name);
            if !known && (seq <= current || begun.is_some() && idle) {
                self.remove(name)?;
                swept.push(name.to_vec());
            }
        }
        Ok(swept)
    }

    /// Removes what the manifest says is history, then forgets it. What cannot be removed is tried
    /// again another time.
    pub(crate) fn collect(&self, manifest: &mut Manifest) -> io::Result<()> {
        if manifest.history.is_empty() {
            return Ok(());
        }
        for part in &manifest.history {
            self.remove(&part.name)?;
        }
        let kept = Manifest { history: Vec::new(), ..manifest.clone() };
        self.store(&kept)?;
        *manifest = kept;
        Ok(())
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").field("sub", &self.sub).finish_non_exhaustive()
    }
}
