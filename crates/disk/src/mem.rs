//! A disk in memory that knows what is durable.
//!
//! ```text
//!   names    current ── sync_dir ──► durable        a crash applies any subset of the pending
//!   content  current ──── sync ────► durable        operations, in order, to what is durable
//! ```
//!
//! The model is harsher than any real file system:
//! - what is unsynced persists by sectors of 512 bytes, in any combination, each as it was at some
//!   moment since the last sync; so does the length of a file, which may have zeros or garbage
//!   where bytes were to be;
//! - a new name, a rename and a removal persist or not, each for itself, until `sync_dir`;
//! - when `sync` fails, what was pending is lost for good, as under Linux, though reads still see
//!   it. A later `sync` says `Ok` and does not bring it back;
//! - renaming a file whose content is not durable is recorded as a violation: that is the mistake
//!   that loses both the old content and the new.
//!
//! Faults are injected by number: run a scenario with the fault at operation 1, 2, ... until
//! [`MemDisk::fired`] says that it ended before the fault. Crashes are enumerated the same way: the
//! fault [`Fault::PowerOff`] at N, then [`MemDisk::every_crash`].
//!
//! Paths are compared as written, but for `.` components. Links do not exist; a file that is open
//! outlives its name.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};
#[expect(clippy::disallowed_types, reason = "a test double: no shard is ever held around it")]
use std::sync::Mutex;
use std::sync::{Arc, MutexGuard, PoisonError};

use crate::{Disk, DiskFile, FileLock, Metadata, Open, folder};

const SECTOR: usize = 512;
/// What a file larger than that is refused as: tests have no such files.
const FILE_BYTES_MAX: u64 = 1 << 32;

/// What goes wrong at the chosen operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// EIO. A write leaves half of its bytes behind; a sync loses what was pending.
    Eio,
    /// ENOSPC, with nothing written. See also [`MemDisk::set_capacity`].
    Enospc,
    /// Half of the bytes are read or written (at least one). Other operations succeed.
    Short,
    /// EINTR, with nothing done.
    Interrupted,
    /// This and all later operations fail with EIO and change nothing.
    PowerOff,
}

/// The disk. Clones share it.
#[derive(Clone)]
pub struct MemDisk {
    #[expect(clippy::disallowed_types, reason = "a test double: no shard is ever held around it")]
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Default)]
struct State {
    nodes: Vec<Node>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    pending_names: Vec<NameChange>,
    locked: BTreeSet<usize>,
    operations: u64,
    fault: Option<(u64, Fault)>,
    fired: bool,
    power_off: bool,
    capacity_bytes: Option<u64>,
    /// What was never written reads as zeros.
    zeroes: bool,
    violations: Vec<String>,
}

#[derive(Clone, Default)]
struct Node {
    current: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
    /// A sync failed: `current` holds bytes that will never be durable.
    lost: bool,
    is_dir: bool,
    mode: u32,
}

#[derive(Clone)]
enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    Size(u64),
}

#[derive(Clone)]
struct NameChange {
    removed: Option<PathBuf>,
    added: Option<(PathBuf, usize)>,
    /// Folders that must still be synced before this is durable.
    folders: BTreeSet<PathBuf>,
}

impl Default for MemDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl MemDisk {
    /// An empty disk with the folders `/` and `.`.
    pub fn new() -> Self {
        let root = Node { is_dir: true, mode: 0o755, ..Node::default() };
        let names = BTreeMap::from([(PathBuf::from("/"), 0), (PathBuf::new(), 1)]);
        Self::from_state(State {
            nodes: vec![root.clone(), root],
            durable_names: names.clone(),
            names,
            ..State::default()
        })
    }

    /// Arms `fault` for the `nth` operation from now (1: the next) and forgets an earlier one.
    pub fn inject(&self, nth: u64, fault: Fault) {
        let mut state = self.state();
        state.fault = Some((state.operations.saturating_add(nth), fault));
        state.fired = false;
    }

    /// Whether the armed fault has struck.
    pub fn fired(&self) -> bool {
        self.state().fired
    }

    /// Operations so far, failed ones included.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Limits the bytes of all files together. The write that meets the limit is short, the next
    /// one fails with ENOSPC.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity_bytes = bytes;
    }

    /// What was never written reads as zeros after a crash, as on file systems that do not show what the
    /// disk held before, and not as anything.
    pub fn set_zeroes(&self) {
        self.state().zeroes = true;
    }

    /// Renames of files whose content was not durable, described.
    pub fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    /// What is left when the process is killed: every write, durable or not, and no lock.
    pub fn kill(&self) -> MemDisk {
        let mut state = self.state().clone();
        state.locked.clear();
        state.fault = None;
        state.fired = false;
        state.power_off = false;
        Self::from_state(state)
    }

    /// What one power failure leaves, drawn from `seed`. This disk is not changed.
    pub fn crash(&self, seed: u64) -> MemDisk {
        let mut random = seed;
        self.crash_by(&mut |choices| {
            // SplitMix64.
            random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = random;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((word ^ (word >> 31)) % u64::from(choices.max(1))) as u32
        })
    }

    /// Visits everything that a power failure may leave, up to `visits_max` states. Returns false
    /// when there are more.
    pub fn every_crash(&self, visits_max: u64, mut visit: impl FnMut(MemDisk)) -> bool {
        // An odometer of decisions: (taken, choices).
        let mut wheel: Vec<(u32, u32)> = Vec::new();
        for _ in 0..visits_max {
            let mut at = 0;
            visit(self.crash_by(&mut |choices| {
                if at == wheel.len() {
                    wheel.push((0, choices));
                }
                at += 1;
                wheel[at - 1].0
            }));
            while let Some((taken, choices)) = wheel.last_mut() {
                *taken += 1;
                if *taken < *choices {
                    break;
                }
                wheel.pop();
            }
            if wheel.is_empty() {
                return true;
            }
        }
        false
    }

    /// What a power failure leaves, where `choose(n)` decides by a number below `n` (0: lost).
    fn crash_by(&self, choose: &mut dyn FnMut(u32) -> u32) -> MemDisk {
        let old = self.state();
        let mut names = old.durable_names.clone();
        for change in &old.pending_names {
            if choose(2) == 1 {
                change.apply(&mut names);
            }
        }
        loop {
            let known: BTreeSet<_> = names.keys().cloned().collect();
            names.retain(|path, _| is_root(path) || known.contains(&parent(path)));
            if names.len() == known.len() {
                break;
            }
        }
        let kept: BTreeSet<_> = names.values().copied().collect();
        let mut nodes = old.nodes.clone();
        for (id, node) in nodes.iter_mut().enumerate() {
            if kept.contains(&id) {
                node.crash(old.zeroes, choose);
            }
        }
        Self::from_state(State {
            nodes,
            durable_names: names.clone(),
            names,
            capacity_bytes: old.capacity_bytes,
            zeroes: old.zeroes,
            violations: old.violations.clone(),
            ..State::default()
        })
    }

    #[expect(clippy::disallowed_types, reason = "a test double: no shard is ever held around it")]
    fn from_state(state: State) -> Self {
        Self { state: Arc::new(Mutex::new(state)) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        if let Some(path) = &self.removed {
            names.remove(path);
        }
        if let Some((path, node)) = &self.added {
            names.insert(path.clone(), *node);
        }
    }

    fn touches(&self, path: Option<&PathBuf>) -> bool {
        path.is_some_and(|path| {
            self.removed.as_ref() == Some(path)
                || self.added.as_ref().is_some_and(|(added, _)| added == path)
        })
    }
}

impl Node {
    fn apply(content: &mut Vec<u8>, change: &Change) {
        match change {
            Change::Size(size_bytes) => content.resize(*size_bytes as usize, 0),
            Change::Write { offset, bytes } => {
                let begin = *offset as usize;
                let end = begin + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[begin..end].copy_from_slice(bytes);
            }
        }
    }

    fn change(&mut self, change: Change) {
        Self::apply(&mut self.current, &change);
        self.pending.push(change);
    }

    fn sync(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            Self::apply(&mut self.durable, &change);
        }
    }

    fn crash(&mut self, zeroes: bool, choose: &mut dyn FnMut(u32) -> u32) {
        if !self.pending.is_empty() {
            self.durable = Versions::of(&self.durable, &self.pending).chosen(zeroes, choose);
            self.pending.clear();
        }
        self.current.clone_from(&self.durable);
        self.lost = false;
    }
}

/// What a file has been since it was synced, length and sectors apart: the page cache holds one state of
/// a sector at a time, so a later write to it is never there without those before.
struct Versions {
    /// What is durable, and the lengths since, without repetitions.
    lens: Vec<usize>,
    durable: Vec<u8>,
    /// By number: the contents of sectors that have changed, in order.
    sectors: BTreeMap<usize, Vec<Vec<u8>>>,
}

impl Versions {
    fn of(durable: &[u8], pending: &[Change]) -> Self {
        let mut content = durable.to_vec();
        let mut lens = vec![content.len()];
        let mut sectors: BTreeMap<usize, Vec<Vec<u8>>> = BTreeMap::new();
        for change in pending {
            let before = content.len();
            Node::apply(&mut content, change);
            let touched = match change {
                Change::Write { offset, bytes } => {
                    *offset as usize..(*offset as usize).saturating_add(bytes.len())
                }
                Change::Size(size) => (*size as usize).min(before)..before.max(*size as usize),
            };
            if touched.is_empty() {
                continue;
            }
            for sector in touched.start / SECTOR..touched.end.div_ceil(SECTOR) {
                sectors.entry(sector).or_default().push(sector_of(&content, sector).to_vec());
            }
            // A long write may have got through in part.
            let borders = (before / SECTOR + 1..).map(|sector| sector * SECTOR);
            let borders = borders.take_while(|border| *border < content.len());
            for len in borders.chain([content.len()]) {
                if !lens.contains(&len) {
                    lens.push(len);
                }
            }
        }
        Self { lens, durable: durable.to_vec(), sectors }
    }

    /// One of the files that may be left.
    fn chosen(self, zeroes: bool, choose: &mut dyn FnMut(u32) -> u32) -> Vec<u8> {
        let len = self.lens[choose(self.lens.len() as u32) as usize];
        let mut file = Vec::with_capacity(len);
        let mut unknown = Vec::new();
        for sector in 0..len.div_ceil(SECTOR) {
            let versions = self.sectors.get(&sector).map_or(&[][..], Vec::as_slice);
            let version = if versions.is_empty() { 0 } else { choose(versions.len() as u32 + 1) };
            let content = match version {
                0 => sector_of(&self.durable, sector),
                version => &versions[version as usize - 1],
            };
            let room = SECTOR.min(len - sector * SECTOR);
            file.extend_from_slice(&content[..content.len().min(room)]);
            let known = file.len();
            file.resize(sector * SECTOR + room, 0);
            if known < file.len() {
                unknown.push(known..file.len());
            }
        }
        if !zeroes && !unknown.is_empty() && choose(2) == 1 {
            unknown.into_iter().for_each(|range| file[range].fill(0xa5));
        }
        file
    }
}

fn sector_of(content: &[u8], sector: usize) -> &[u8] {
    let begin = (sector * SECTOR).min(content.len());
    &content[begin..content.len().min(begin + SECTOR)]
}

fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

fn parent(path: &Path) -> PathBuf {
    plain(folder(path))
}

fn is_root(path: &Path) -> bool {
    path.as_os_str().is_empty() || path == Path::new("/")
}

fn os_error(code: i32) -> io::Error {
    io::Error::from_raw_os_error(code)
}

impl State {
    /// Counts an operation and strikes when it is the chosen one. `Some`: the caller acts on it.
    fn begin(&mut self) -> io::Result<Option<Fault>> {
        self.operations += 1;
        if self.power_off {
            return Err(os_error(libc::EIO));
        }
        let Some((at, fault)) = self.fault else { return Ok(None) };
        if at != self.operations {
            return Ok(None);
        }
        self.fired = true;
        match fault {
            Fault::Enospc => Err(os_error(libc::ENOSPC)),
            Fault::Interrupted => Err(os_error(libc::EINTR)),
            Fault::PowerOff => {
                self.power_off = true;
                Err(os_error(libc::EIO))
            }
            Fault::Eio | Fault::Short => Ok(Some(fault)),
        }
    }

    /// As `begin`, for operations that have no halves.
    fn begin_whole(&mut self) -> io::Result<()> {
        match self.begin()? {
            Some(Fault::Eio) => Err(os_error(libc::EIO)),
            _ => Ok(()),
        }
    }

    fn find(&self, path: &Path) -> io::Result<usize> {
        self.names.get(&plain(path)).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn find_file(&self, path: &Path) -> io::Result<usize> {
        let id = self.find(path)?;
        if self.nodes[id].is_dir { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(id) }
    }

    fn find_dir(&self, path: &Path) -> io::Result<PathBuf> {
        let id = self.find(path)?;
        if self.nodes[id].is_dir {
            Ok(plain(path))
        } else {
            Err(io::ErrorKind::NotADirectory.into())
        }
    }

    fn change_names(&mut self, removed: Option<PathBuf>, added: Option<(PathBuf, usize)>) {
        let folders = removed
            .iter()
            .chain(added.iter().map(|(path, _)| path))
            .map(|path| parent(path))
            .collect();
        let change = NameChange { removed, added, folders };
        change.apply(&mut self.names);
        self.pending_names.push(change);
    }

    fn make(&mut self, path: &Path, is_dir: bool, mode: u32) -> io::Result<usize> {
        self.find_dir(&parent(path))?;
        let id = self.nodes.len();
        self.nodes.push(Node { is_dir, mode, ..Node::default() });
        self.change_names(None, Some((plain(path), id)));
        Ok(id)
    }

    fn has_children(&self, path: &Path) -> bool {
        self.names.keys().any(|name| !is_root(name) && parent(name) == path)
    }

    /// Makes durable what waits for `path`, and what came before it on the same names.
    fn sync_names(&mut self, path: &Path) {
        for change in &mut self.pending_names {
            change.folders.remove(path);
        }
        let mut due = vec![false; self.pending_names.len()];
        for at in (0..due.len()).rev() {
            let change = &self.pending_names[at];
            due[at] = change.folders.is_empty()
                || (at + 1..due.len()).any(|later| {
                    let later_change = &self.pending_names[later];
                    due[later]
                        && (later_change.touches(change.removed.as_ref())
                            || later_change.touches(change.added.as_ref().map(|(path, _)| path)))
                });
        }
        let mut due = due.into_iter();
        let durable = &mut self.durable_names;
        self.pending_names.retain(|change| {
            let is_due = due.next().unwrap_or(false);
            if is_due {
                change.apply(durable);
            }
            !is_due
        });
    }

    fn used_bytes(&self) -> u64 {
        self.names.values().map(|id| self.nodes[*id].current.len() as u64).sum()
    }

    fn write(&mut self, id: usize, bytes: &[u8], offset: Option<u64>) -> io::Result<usize> {
        let fault = self.begin()?;
        let size_bytes = self.nodes[id].current.len() as u64;
        let offset = offset.unwrap_or(size_bytes);
        let mut count = bytes.len();
        if fault.is_some() {
            count = count.min((count / 2).max(1));
        }
        if let Some(capacity_bytes) = self.capacity_bytes {
            let room = capacity_bytes.saturating_sub(self.used_bytes());
            let fits = size_bytes.saturating_add(room).saturating_sub(offset);
            count = count.min(usize::try_from(fits).unwrap_or(usize::MAX));
            if count == 0 && !bytes.is_empty() {
                return Err(os_error(libc::ENOSPC));
            }
        }
        if offset.saturating_add(count as u64) > FILE_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if count > 0 {
            let bytes = bytes[..count].to_vec();
            self.nodes[id].change(Change::Write { offset, bytes });
        }
        if fault == Some(Fault::Eio) { Err(os_error(libc::EIO)) } else { Ok(count) }
    }
}

struct MemFile {
    disk: MemDisk,
    node: usize,
    how: Open,
}

impl DiskFile for MemFile {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        let fault = state.begin()?;
        if fault == Some(Fault::Eio) {
            return Err(os_error(libc::EIO));
        }
        let content = &state.nodes[self.node].current;
        let begin = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
        let mut count = buf.len().min(content.len() - begin);
        if fault.is_some() {
            count = count.min((count / 2).max(1));
        }
        buf[..count].copy_from_slice(&content[begin..begin + count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        match self.how {
            Open::Read | Open::Append { .. } => Err(os_error(libc::EBADF)),
            _ => self.disk.state().write(self.node, bytes, Some(offset)),
        }
    }

    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.how {
            Open::Append { .. } => self.disk.state().write(self.node, bytes, None),
            _ => Err(os_error(libc::EBADF)),
        }
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        let result = state.begin_whole();
        let power_off = state.power_off;
        let node = &mut state.nodes[self.node];
        match &result {
            Ok(()) => node.sync(),
            Err(error) if power_off || error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => {
                node.lost |= !node.pending.is_empty();
                node.pending.clear();
            }
        }
        result
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }

    fn set_size(&self, size_bytes: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        state.begin_whole()?;
        if self.how == Open::Read {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if size_bytes > FILE_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        state.nodes[self.node].change(Change::Size(size_bytes));
        Ok(())
    }

    fn size(&self) -> io::Result<u64> {
        let mut state = self.disk.state();
        state.begin_whole()?;
        Ok(state.nodes[self.node].current.len() as u64)
    }
}

struct MemLock {
    disk: MemDisk,
    node: usize,
}

impl FileLock for MemLock {}

impl Drop for MemLock {
    fn drop(&mut self) {
        self.disk.state().locked.remove(&self.node);
    }
}

impl Disk for MemDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        state.begin_whole()?;
        let node = match (state.find_file(path), how) {
            (Ok(_), Open::CreateNew { .. }) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Ok(id), Open::Create { .. }) => {
                state.nodes[id].change(Change::Size(0));
                id
            }
            (Ok(id), _) => id,
            (Err(error), how) if error.kind() == io::ErrorKind::NotFound => match how {
                Open::Read | Open::Write => return Err(error),
                Open::Append { mode } | Open::Create { mode } | Open::CreateNew { mode } => {
                    state.make(path, false, mode)?
                }
            },
            (Err(error), _) => return Err(error),
        };
        Ok(Box::new(MemFile { disk: self.clone(), node, how }))
    }

    fn rename(&self, source: &Path, target: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.begin_whole()?;
        let id = state.find_file(source)?;
        state.find_dir(&parent(target))?;
        if state.find(target).is_ok() {
            state.find_file(target)?;
        }
        let node = &state.nodes[id];
        if node.lost || !node.pending.is_empty() {
            let why = if node.lost { "lost by a failed sync" } else { "not synced" };
            let (source, target) = (source.display(), target.display());
            let violation = format!("rename {source} -> {target}: content {why}");
            state.violations.push(violation);
        }
        if plain(source) != plain(target) {
            state.change_names(Some(plain(source)), Some((plain(target), id)));
        }
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.begin_whole()?;
        state.find_file(path)?;
        state.change_names(Some(plain(path)), None);
        Ok(())
    }

    fn create_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        let mut state = self.state();
        state.begin_whole()?;
        if state.find(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        state.make(path, true, mode)?;
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.begin_whole()?;
        let path = state.find_dir(path)?;
        if is_root(&path) || state.has_children(&path) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        state.change_names(Some(path), None);
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.begin_whole()?;
        let path = state.find_dir(path)?;
        state.sync_names(&path);
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let mut state = self.state();
        state.begin_whole()?;
        let path = state.find_dir(path)?;
        let mut names: Vec<_> = state
            .names
            .keys()
            .filter(|name| !is_root(name) && parent(name) == path)
            .filter_map(|name| name.file_name().map(OsString::from))
            .collect();
        names.sort();
        Ok(names)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let mut state = self.state();
        state.begin_whole()?;
        let node = &state.nodes[state.find(path)?];
        let size_bytes = node.current.len() as u64;
        Ok(Metadata { size_bytes, is_dir: node.is_dir, mode: node.mode, modified_ms: 0 })
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>> {
        let mut state = self.state();
        state.begin_whole()?;
        let node = match state.find_file(path) {
            Ok(id) => id,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                state.make(path, false, crate::SHARED)?
            }
            Err(error) => return Err(error),
        };
        if !state.locked.insert(node) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(MemLock { disk: self.clone(), node }))
    }
}
