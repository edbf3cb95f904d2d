//! Libraries of functions: what FUNCTION LOAD has stored. Texts and what they registered; each
//! worker's [`Machine`](crate::Machine) runs the text of a library before it first calls one of its
//! functions.
//!
//! Changes are made under every shard's lock, so that their order is that of the journal; calls take
//! a reference to what is stored at that moment.

use crate::{CommandError, Reach};
use parking_lot::RwLock;
use script::{Flags, Function, LibraryId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A library.
#[derive(Debug)]
pub struct Library {
    pub id: LibraryId,
    pub name: Vec<u8>,
    /// The whole text, its header included.
    pub source: Arc<[u8]>,
    /// In the order of registration.
    pub functions: Vec<Registered>,
}

/// A function of a library.
#[derive(Debug)]
pub struct Registered {
    pub name: Vec<u8>,
    pub description: Option<Vec<u8>>,
    pub flags: Flags,
    pub reach: Reach,
}

impl Library {
    /// A library that was loaded, and what it has registered.
    pub fn new(id: LibraryId, name: Vec<u8>, source: Arc<[u8]>, functions: Vec<Function>) -> Self {
        let functions = functions.into_iter().map(|function| {
            let Function { name, description, flags } = function;
            Registered { name, description, flags, reach: Reach::default() }
        });
        Self { id, name, source, functions: functions.collect() }
    }

    fn memory_bytes(&self) -> u64 {
        let functions = self.functions.iter().map(|function| {
            let description = function.description.as_ref().map_or(0, Vec::len);
            size_of::<Registered>() + 2 * function.name.len() + description
        });
        (size_of::<Self>() + self.name.len() + self.source.len() + functions.sum::<usize>()) as u64
    }
}

/// A set of libraries in which no name occurs twice. Names of libraries tell cases apart, names of
/// functions do not.
#[derive(Clone, Debug, Default)]
pub struct Libraries {
    by_name: BTreeMap<Vec<u8>, Arc<Library>>,
    /// By the name in lower case: the library, and the place in it.
    by_function: BTreeMap<Vec<u8>, (Arc<Library>, usize)>,
}

impl Libraries {
    /// Adds a library in the place of the one of its name, if there is one and `replace` allows it.
    pub fn add(&mut self, library: Arc<Library>, replace: bool) -> Result<(), CommandError> {
        let old = self.by_name.get(&library.name);
        if old.is_some() && !replace {
            return Err(exists("Library", &library.name));
        }
        let old = old.map(|old| old.id);
        for function in &library.functions {
            let known = self.by_function.get(&function.name.to_ascii_lowercase());
            if known.is_some_and(|(owner, _)| Some(owner.id) != old) {
                return Err(exists("Function", &function.name));
            }
        }
        self.remove(&library.name);
        for (at, function) in library.functions.iter().enumerate() {
            let name = function.name.to_ascii_lowercase();
            self.by_function.insert(name, (Arc::clone(&library), at));
        }
        self.by_name.insert(library.name.clone(), library);
        Ok(())
    }

    /// Removes a library. `false`: there is none of that name.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let Some(library) = self.by_name.remove(name) else { return false };
        self.by_function.retain(|_, (owner, _)| owner.id != library.id);
        true
    }

    /// All libraries, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Library>> {
        self.by_name.values()
    }

    /// Adds all of `others`; those of the same name go if `replace` allows it. All or nothing.
    pub fn join(&mut self, others: &Self, replace: bool) -> Result<(), CommandError> {
        let mut joined = self.clone();
        for library in others.iter() {
            if joined.by_name.contains_key(&library.name) {
                if !replace {
                    return Err(exists("Library", &library.name));
                }
                joined.remove(&library.name);
            }
        }
        for library in others.iter() {
            joined.add(Arc::clone(library), false)?;
        }
        *self = joined;
        Ok(())
    }
}

fn exists(what: &str, name: &[u8]) -> CommandError {
    CommandError::err_bytes(&[what.as_bytes(), b" ", name, b" already exists"])
}

/// The server's libraries.
#[derive(Debug, Default)]
pub struct Functions {
    libraries: RwLock<Arc<Libraries>>,
    ids: AtomicU64,
}

impl Functions {
    /// The libraries as of now.
    pub fn libraries(&self) -> Arc<Libraries> {
        Arc::clone(&self.libraries.read())
    }

    /// Puts others in force.
    pub fn set(&self, libraries: Libraries) {
        *self.libraries.write() = Arc::new(libraries);
    }

    /// The library of a function, in any case, and its place in it.
    pub fn find(&self, function: &[u8]) -> Option<(Arc<Library>, usize)> {
        let libraries = self.libraries.read();
        if libraries.by_function.is_empty() {
            return None;
        }
        libraries.by_function.get(&function.to_ascii_lowercase()).cloned()
    }

    /// An id that no library has had.
    pub fn next_id(&self) -> LibraryId {
        LibraryId(self.ids.fetch_add(1, Ordering::Relaxed))
    }

    /// The texts of all libraries: what files keep of them.
    pub fn sources(&self) -> Vec<Arc<[u8]>> {
        self.libraries().iter().map(|library| Arc::clone(&library.source)).collect()
    }

    /// How many libraries and functions there are.
    pub fn len(&self) -> (usize, usize) {
        let libraries = self.libraries.read();
        (libraries.by_name.len(), libraries.by_function.len())
    }

    pub fn is_empty(&self) -> bool {
        self.len().0 == 0
    }

    /// Bytes held for them.
    pub fn memory_bytes(&self) -> u64 {
        self.libraries.read().iter().map(|library| library.memory_bytes()).sum()
    }
}
