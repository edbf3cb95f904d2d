//! Names of fields that a client has sent once, to send only the values of each hash from then on:
//! HIMPORT. They are the connection's, and go with it.

use crate::CommandError;
use std::collections::BTreeMap;

/// The fields of one name.
#[derive(Debug)]
pub struct Fieldset {
    /// In the order in which a hash of them is made: the shorter first, then by their bytes.
    fields: Vec<Box<[u8]>>,
    /// For each of these, where the client named it.
    positions: Vec<usize>,
}

impl Fieldset {
    fn new(named: &[&[u8]]) -> Result<Self, CommandError> {
        let mut positions: Vec<usize> = (0..named.len()).collect();
        positions.sort_unstable_by_key(|&at| (named[at].len(), named[at]));
        if positions.windows(2).any(|pair| named[pair[0]] == named[pair[1]]) {
            return Err(CommandError::FieldsetDuplicate);
        }
        let fields = positions.iter().map(|&at| named[at].into()).collect();
        Ok(Self { fields, positions })
    }

    /// Fields and their values in turn, of values in the order in which the fields were named.
    pub fn pairs<'a>(&'a self, values: &[&'a [u8]]) -> Result<Vec<&'a [u8]>, CommandError> {
        if values.len() != self.fields.len() {
            return Err(CommandError::FieldsetMismatch);
        }
        let named = self.fields.iter().zip(&self.positions);
        Ok(named.flat_map(|(field, &at)| [&**field, values[at]]).collect())
    }

    fn memory_bytes(&self) -> u64 {
        let texts: usize = self.fields.iter().map(|field| field.len()).sum();
        let each = size_of::<Box<[u8]>>() + size_of::<usize>();
        (texts + self.fields.len() * each + size_of::<Self>()) as u64
    }
}

/// The sets of fields of one connection, by name.
#[derive(Debug, Default)]
pub struct Fieldsets {
    sets: BTreeMap<Vec<u8>, Fieldset>,
    bytes: u64,
}

impl Fieldsets {
    /// Defines a set, in place of one of that name.
    pub fn prepare(&mut self, name: &[u8], fields: &[&[u8]]) -> Result<(), CommandError> {
        let set = Fieldset::new(fields)?;
        self.discard(name);
        self.bytes += entry_bytes(name, &set);
        self.sets.insert(name.to_vec(), set);
        Ok(())
    }

    pub fn get(&self, name: &[u8]) -> Option<&Fieldset> {
        self.sets.get(name)
    }

    /// Whether there was one.
    pub fn discard(&mut self, name: &[u8]) -> bool {
        let gone = self.sets.remove(name);
        self.bytes -= gone.as_ref().map_or(0, |set| entry_bytes(name, set));
        gone.is_some()
    }

    pub fn len(&self) -> usize {
        self.sets.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        self.bytes
    }
}

fn entry_bytes(name: &[u8], set: &Fieldset) -> u64 {
    (name.len() + size_of::<Vec<u8>>()) as u64 + set.memory_bytes()
}
