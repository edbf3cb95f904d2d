//! Writing a large value in slices, from a clone that gives up what has been written: nobody who
//! writes to the value meanwhile copies that any more.

use crate::collection::Any;
use crate::{array, hash, list, set, sortedint, stream, zset};
use rdb::Writer;
use std::sync::Arc;

/// A value on its way into a file.
pub struct Saving(Form);

enum Form {
    Text { text: Arc<Vec<u8>>, written: Option<usize> },
    List(list::persist::Saving),
    Set(set::persist::Saving),
    Hash(hash::persist::Saving),
    ZSet(zset::persist::Saving),
    Stream(Box<stream::persist::Saving>),
    Array(array::persist::Saving),
    SortedInt(sortedint::persist::Saving),
}

/// A longer text is written as it is: compressing it would take as much memory, and a second of time.
const COMPRESSED_MAX: usize = 4 << 20;

impl Saving {
    /// `None`: it is short enough to be written at once.
    pub fn of_text(text: &Arc<Vec<u8>>) -> Option<Self> {
        let is_long = text.len() > COMPRESSED_MAX;
        is_long.then(|| Self(Form::Text { text: Arc::clone(text), written: None }))
    }

    /// `None`: it is packed, to be written at once.
    pub fn of_any(any: &Any) -> Option<Self> {
        if any.as_packed().is_some() {
            return None;
        }
        Some(Self(match any.clone() {
            Any::List(list) => Form::List(list::persist::Saving::new(list)?),
            Any::Set(set) => Form::Set(set::persist::Saving::new(set)?),
            Any::Hash(hash) => Form::Hash(hash::persist::Saving::new(hash)?),
            Any::ZSet(zset) => Form::ZSet(zset::persist::Saving::new(zset)?),
            Any::Array(array) => Form::Array(array::persist::Saving::new(array)?),
            Any::SortedInt(set) => Form::SortedInt(sortedint::persist::Saving::new(set)?),
            Any::Job(_) => return None,
            Any::Stream(stream) => Form::Stream(Box::new(stream::persist::Saving::new(stream))),
        }))
    }

    /// Writes about `bytes_max` more bytes; returns whether there is more.
    pub fn step(&mut self, out: &mut Writer<'_>, bytes_max: usize) -> bool {
        let end = out.offset().saturating_add(bytes_max as u64);
        match &mut self.0 {
            Form::Text { text, written } => {
                let from = *written.get_or_insert_with(|| {
                    out.length(text.len() as u64);
                    0
                });
                let until = text.len().min(from.saturating_add(bytes_max));
                out.raw(&text[from..until]);
                *written = Some(until);
                until < text.len()
            }
            Form::List(list) => list.step(out, end),
            Form::Set(set) => set.step(out, end),
            Form::Hash(hash) => hash.step(out, end),
            Form::ZSet(zset) => zset.step(out, end),
            Form::Stream(stream) => stream.step(out, end),
            Form::Array(array) => array.step(out, end),
            Form::SortedInt(set) => set.step(out, end),
        }
    }
}
