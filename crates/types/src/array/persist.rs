//! The form of an array in RDB files and DUMP payloads, that of Redis 8.8: see
//! [`rdb::opcode::value::ARRAY`].
//!
//! A text is written as an integer where Redis keeps one: spelled in its one way, of 62 bits at
//! most. Floats are written as their text, which Redis loads as it is; theirs are read, too.

use super::run::Run;
use super::{Array, ArrayView, Collect, INDEX_MAX, Shape};
use crate::collection::{Collection as _, View as _};
use crate::listpack::{Digits, Element};
use crate::persist::Persist;
use crate::tree::{Chunk as _, Tree};
use rdb::opcode::value::{self, ELEMENT_DOUBLE, ELEMENT_INT, ELEMENT_SHORT, ELEMENT_TEXT};
use rdb::{Dialect, Error, Reader, Writer};

/// Integers from minus this to below it are kept as such by Redis.
const INT_END: i64 = 1 << 61;
/// Bytes of the longest text that Redis keeps in a slot itself.
const SHORT_MAX: usize = 7;

impl Persist for ArrayView<'_> {
    fn kind(self, _: Dialect) -> u8 {
        value::ARRAY
    }

    fn save(self, out: &mut Writer<'_>) {
        save_head(self.len(), self.cursor(), out);
        let mut digits = Digits::default();
        for (index, element) in self.iter() {
            save_element(index, element.text(&mut digits), out);
        }
    }
}

fn save_head(len: usize, cursor: Option<u64>, out: &mut Writer<'_>) {
    out.length(len as u64);
    out.length(u64::from(cursor.is_some()));
    if let Some(cursor) = cursor {
        out.length(cursor);
    }
}

fn save_element(index: u64, text: &[u8], out: &mut Writer<'_>) {
    out.length(index);
    match Element::from(text) {
        Element::Int(number) if (-INT_END..INT_END).contains(&number) => {
            out.length(ELEMENT_INT);
            out.millis(number);
        }
        _ => {
            out.length(if text.len() <= SHORT_MAX { ELEMENT_SHORT } else { ELEMENT_TEXT });
            out.string(text);
        }
    }
}

/// A large array on its way into a file.
pub(crate) struct Saving {
    tree: Tree<Run>,
    cursor: Option<u64>,
    begun: bool,
}

impl Saving {
    /// `None`: it is packed.
    pub(crate) fn new(array: Array) -> Option<Self> {
        match array.shape {
            Shape::Packed(_) => None,
            Shape::Large(large) => {
                Some(Self { tree: large.tree, cursor: large.cursor, begun: false })
            }
        }
    }

    /// Writes on until `end`; returns whether there is more.
    pub(crate) fn step(&mut self, out: &mut Writer<'_>, end: u64) -> bool {
        if !self.begun {
            save_head(self.tree.len(), self.cursor, out);
            self.begun = true;
        }
        while out.offset() < end {
            let Some(run) = self.tree.first() else { return false };
            let len = run.len();
            (0..len).for_each(|at| save_element(run.index(at), run.text(at), out));
            self.tree.remove(0..len, 0);
        }
        !self.tree.is_empty()
    }
}

pub(crate) fn load(reader: &mut Reader<'_>) -> Result<Array, Error> {
    const BROKEN: Error = Error::Corrupt("Array integrity check failed.");
    let count = reader.length()?;
    let cursor = match reader.length()? {
        0 => None,
        1 => Some(reader.length()?).filter(|cursor| *cursor <= INDEX_MAX),
        _ => return Err(BROKEN),
    };
    let mut collect = Collect::default();
    let mut least = 0;
    let mut text = Vec::new();
    for _ in 0..count {
        let index = reader.length()?;
        if index < least || index > INDEX_MAX {
            return Err(BROKEN);
        }
        least = index + 1;
        text.clear();
        match reader.length()? {
            ELEMENT_INT => stdx::num::write_i64(&mut text, reader.millis()?),
            ELEMENT_DOUBLE => {
                let number = reader.double()?;
                if number.is_nan() {
                    return Err(BROKEN);
                }
                write_double(&mut text, number);
            }
            ELEMENT_SHORT | ELEMENT_TEXT => reader.string_into(&mut text)?,
            _ => return Err(BROKEN),
        }
        collect.push(index, &text);
    }
    let array = collect.finish(cursor);
    if array.view().is_empty() { Err(Error::EmptyKey) } else { Ok(array) }
}

/// The text of a float as Redis spells one that it keeps as a number: the shortest, and never as an
/// integer.
fn write_double(out: &mut Vec<u8>, number: f64) {
    stdx::num::write_f64(out, number);
    let is_integer = out.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-');
    if is_integer {
        out.extend_from_slice(b".0");
    }
}
