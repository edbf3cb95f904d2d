//! The command table: all families' rows in one flat list, found by name.

use crate::{Command, Place};
use stdx::hash::{Map, Seed};

/// Where a row is and whose subcommand it is.
#[derive(Clone, Debug)]
pub struct Entry {
    pub row: &'static Command,
    /// Lower case, "client|list" for a subcommand: COMMAND, ACL and statistics use it.
    pub full_name: String,
    /// Position of the container.
    pub parent: Option<u16>,
    /// Positions of the subcommands.
    pub children: Vec<u16>,
}

/// Built once at start from the families' rows.
#[derive(Debug)]
pub struct CommandTable {
    entries: Vec<Entry>,
    /// Lower-case full name to position.
    by_name: Map<Vec<u8>, u16>,
    /// Open addressing over the top-level names, for the hot look-up: 0 is empty, else position + 1.
    slots: Vec<u16>,
}

const SLOTS: usize = 2048;

/// A cheap case-blind hash of a short name; collisions only cost a compare.
#[inline]
fn slot_of(name: &[u8]) -> usize {
    let mut hash = name.len() as u32;
    for byte in name {
        hash = hash.wrapping_mul(31).wrapping_add(u32::from(byte | 0x20));
    }
    (hash ^ (hash >> 11)) as usize % SLOTS
}

impl CommandTable {
    /// All rows of all families. Panics on a name that occurs twice: a mistake in the source.
    pub fn new(families: &[&'static [Command]]) -> Self {
        let mut table = Self {
            entries: Vec::new(),
            by_name: Map::with_hasher(Seed::new(0, 0)),
            slots: vec![0; SLOTS],
        };
        for row in families.iter().flat_map(|family| family.iter()) {
            let id = table.push(row, row.name.to_ascii_lowercase(), None);
            for sub in row.subcommands {
                let full = format!("{}|{}", row.name, sub.name).to_ascii_lowercase();
                let child = table.push(sub, full, Some(id));
                table.entries[id as usize].children.push(child);
            }
        }
        table.fill_slots();
        table
    }

    fn push(&mut self, row: &'static Command, full_name: String, parent: Option<u16>) -> u16 {
        let id = self.entries.len() as u16;
        let before = self.by_name.insert(full_name.clone().into_bytes(), id);
        assert!(before.is_none(), "command {full_name} is registered twice");
        self.entries.push(Entry { row, full_name, parent, children: Vec::new() });
        id
    }

    /// `rename-command`: `from` is called `to` from now on, or not at all if `to` is empty. At start
    /// only: a new name is never given back.
    ///
    /// # Errors
    /// No such command, or the new name is taken, in Redis's words.
    pub fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), &'static str> {
        let id = self.find(from).ok_or("No such command in rename-command")?;
        if !to.is_empty() && self.find(to).is_some() {
            return Err("Target command name already exists");
        }
        let to = std::str::from_utf8(to).map_err(|_| "A command's name must be UTF-8")?;
        let entry = &mut self.entries[usize::from(id)];
        // Rows are static; those of the program cannot be changed, and there are few lines.
        entry.row = Box::leak(Box::new(Command { name: to.to_owned().leak(), ..*entry.row }));
        self.by_name.retain(|_, known| *known != id);
        if !to.is_empty() {
            self.by_name.insert(to.to_ascii_lowercase().into_bytes(), id);
        }
        self.fill_slots();
        Ok(())
    }

    /// Lays the callable top-level names out anew.
    fn fill_slots(&mut self) {
        self.slots.fill(0);
        for (at, entry) in self.entries.iter().enumerate() {
            if entry.parent.is_some() || entry.row.name.is_empty() {
                continue;
            }
            let mut slot = slot_of(entry.row.name.as_bytes());
            while self.slots[slot] != 0 {
                slot = (slot + 1) % SLOTS;
            }
            self.slots[slot] = at as u16 + 1;
        }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn entry(&self, id: u16) -> &Entry {
        &self.entries[id as usize]
    }

    /// Every row with its position, subcommands after their container.
    pub fn entries(&self) -> impl Iterator<Item = (u16, &Entry)> {
        self.entries.iter().enumerate().map(|(id, entry)| (id as u16, entry))
    }

    /// Top-level commands in the order of registration.
    pub fn commands(&self) -> impl Iterator<Item = (u16, &Entry)> {
        self.entries().filter(|(_, entry)| entry.parent.is_none() && !entry.row.name.is_empty())
    }

    /// The position of a top-level command, in any case.
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<u16> {
        let mut slot = slot_of(name);
        loop {
            let id = self.slots[slot].checked_sub(1)?;
            if self.entries[id as usize].row.name.as_bytes().eq_ignore_ascii_case(name) {
                return Some(id);
            }
            slot = (slot + 1) % SLOTS;
        }
    }

    /// The position of "name" or "container|subcommand", in any case.
    pub fn find_full(&self, name: &[u8]) -> Option<u16> {
        self.by_name.get(&name.to_ascii_lowercase()).copied()
    }

    /// The subcommand `word` of the container at `id`.
    pub fn subcommand(&self, id: u16, word: &[u8]) -> Option<u16> {
        let entry = self.entry(id);
        entry
            .children
            .iter()
            .copied()
            .find(|child| self.entry(*child).row.name.as_bytes().eq_ignore_ascii_case(word))
    }

    /// Row, position and number of name words for a request; a container without a fitting
    /// subcommand gives the container itself.
    #[inline]
    pub fn lookup(&self, args: &[&[u8]]) -> Option<(u16, &'static Command, usize)> {
        let id = self.find(args.first()?)?;
        let row = self.entries[id as usize].row;
        if row.subcommands.is_empty() || args.len() < 2 {
            return Some((id, row, 1));
        }
        match self.subcommand(id, args[1]) {
            Some(child) => Some((child, self.entry(child).row, 2)),
            None => Some((id, row, 1)),
        }
    }

    /// Whether the row answers only through subcommands.
    pub fn is_container(row: &Command) -> bool {
        row.place == Place::Container
    }
}
