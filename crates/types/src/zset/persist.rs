//! The form of a sorted set in RDB files: its listpack, or members and scores, the greatest first, with
//! expiries where there are any.

use super::leaf::{self, Leaf};
use super::packed::PackedIter;
use super::{Shape, ViewShape, ZSet, ZSetView};
use crate::collection::{Collection as _, View as _};
use crate::dict::Dict;
use crate::lean::Lean;
use crate::limits::Limits;
use crate::listpack::Digits;
use crate::persist::{Persist, element, has_duplicates};
use crate::tree::{Chunk as _, Tree};
use rdb::opcode::value;
use rdb::{Dialect, Error, Item, Reader, Writer, listpack, ziplist};

impl Persist for ZSetView<'_> {
    fn kind(self, dialect: Dialect) -> u8 {
        match self.shape {
            ViewShape::Packed(_) => value::ZSET_LISTPACK,
            ViewShape::Timed(_) if dialect == Dialect::Common => value::ZSET_EXPIRING,
            ViewShape::Large(_) | ViewShape::Timed(_) => value::ZSET_2,
        }
    }

    fn save(self, out: &mut Writer<'_>) {
        if let ViewShape::Packed(view) = self.shape {
            return out.string(view.to_listpack().as_bytes());
        }
        let times = match self.shape {
            ViewShape::Timed(shown) => Times::of(&shown.timed.times),
            ViewShape::Packed(_) | ViewShape::Large(_) => Times::default(),
        };
        let mut digits = Digits::default();
        times.begin(out, self.len());
        for (member, score) in self.range(0..self.len()).rev() {
            times.write(out, member.text(&mut digits), score);
        }
    }
}

/// The earliest expiry, and those of the members that have one.
#[derive(Default)]
struct Times(Option<(i64, Dict)>);

impl Times {
    fn of(times: &Dict) -> Self {
        // What the table knows is a bound: the member may be gone.
        let first = times.iter().filter_map(|record| record.expiry).min();
        Self(first.map(|first| (first, times.clone())))
    }

    /// What is written, if the file may have expiries: those who know no such sets are told when
    /// members go.
    fn told(&self, out: &Writer<'_>) -> Option<&(i64, Dict)> {
        self.0.as_ref().filter(|_| out.dialect() == Dialect::Common)
    }

    fn begin(&self, out: &mut Writer<'_>, len: usize) {
        if let Some((first, _)) = self.told(out) {
            out.millis(*first);
        }
        out.length(len as u64);
    }

    fn write(&self, out: &mut Writer<'_>, member: &[u8], score: f64) {
        if let Some((first, times)) = self.told(out) {
            let expiry = times.get(member).and_then(|record| record.expiry);
            // Relative to the first and plus one, since 0 is none.
            let behind = |at: i64| at.saturating_sub(*first).saturating_add(1);
            out.length(expiry.map_or(0, behind).cast_unsigned());
        }
        out.string(member);
        out.double(score);
    }
}

/// A large sorted set on its way into a file, the greatest first. What finds members by name is let
/// go at once.
pub(crate) struct Saving {
    tree: Tree<Leaf>,
    times: Times,
    begun: bool,
}

impl Saving {
    /// `None`: it is packed.
    pub(crate) fn new(zset: ZSet) -> Option<Self> {
        let (large, times) = match zset.shape {
            Shape::Packed(_) => return None,
            Shape::Large(large) => (large, Times::default()),
            Shape::Timed(timed) => (timed.large, Times::of(&timed.times)),
        };
        Some(Self { tree: large.into_tree(), times, begun: false })
    }

    /// Writes on until `end`; returns whether there is more.
    pub(crate) fn step(&mut self, out: &mut Writer<'_>, end: u64) -> bool {
        if !self.begun {
            self.times.begin(out, self.tree.len());
            self.begun = true;
        }
        while out.offset() < end {
            let Some(leaf) = self.tree.last() else { return false };
            for at in (0..leaf.len()).rev() {
                self.times.write(out, leaf.member(at), leaf.score(at));
            }
            let rest = self.tree.len() - leaf.len();
            self.tree.remove(rest..usize::MAX, 0);
        }
        !self.tree.is_empty()
    }
}

pub(crate) fn load(kind: u8, reader: &mut Reader<'_>, limits: &Limits) -> Result<ZSet, Error> {
    let (mut elements, mut times) = (Vec::new(), Vec::new());
    match kind {
        value::ZSET_LISTPACK => {
            let block = reader.string()?;
            if let Some(zset) = of_listpack(block, limits)? {
                return Ok(zset);
            }
            pairs(listpack::items(block)?, &mut elements)?;
        }
        value::ZSET_ZIPLIST => {
            const BROKEN: Error = Error::Corrupt("Zset ziplist integrity check failed.");
            let items = ziplist::items(reader.string()?).map_err(|_| BROKEN)?;
            pairs(items, &mut elements).map_err(|_| BROKEN)?;
        }
        _ => {
            let first = if kind == value::ZSET_EXPIRING { Some(reader.millis()?) } else { None };
            for _ in 0..reader.length()? {
                let expiry = first.map(|first| expiry(reader, first)).transpose()?.flatten();
                let member = reader.string_vec()?;
                times.extend(expiry.map(|at| (member.clone(), at)));
                let score = match kind {
                    value::ZSET => reader.double_text()?,
                    _ => reader.double()?,
                };
                if score.is_nan() {
                    return Err(Error::Corrupt("Zset with NAN score detected"));
                }
                elements.push((member, score));
            }
        }
    }
    if elements.is_empty() {
        return Err(Error::EmptyKey);
    }
    let mut zset = ZSet::from_elements(elements, limits)
        .map_err(|_| Error::Corrupt("Duplicate zset fields detected"))?;
    for (member, at) in times {
        zset.set_expiry(&member, Some(at), limits);
    }
    Ok(zset)
}

/// When a member expires: behind the `first` one.
fn expiry(reader: &mut Reader<'_>, first: i64) -> Result<Option<i64>, Error> {
    let at = match i64::try_from(reader.length()?) {
        Ok(0) => return Ok(None),
        Ok(behind) => first.checked_add(behind - 1),
        Err(_) => None,
    };
    match at {
        Some(1..) => Ok(at),
        _ => Err(Error::Corrupt("invalid expireAt time")),
    }
}

fn score(item: Item<'_>) -> Result<f64, Error> {
    match item {
        Item::Int(number) => Some(number as f64),
        Item::Bytes(text) => stdx::num::parse_f64(text),
    }
    .ok_or(Error::Corrupt("Zset with NAN score detected"))
}

/// Members and scores in turn.
fn pairs<'a>(
    mut items: impl Iterator<Item = Result<Item<'a>, Error>>,
    elements: &mut Vec<(Vec<u8>, f64)>,
) -> Result<(), Error> {
    let mut scratch = Vec::new();
    while let Some(member) = items.next() {
        let member = member?.text(&mut scratch).to_vec();
        let last =
            items.next().ok_or(Error::Corrupt("Zset listpack integrity check failed."))??;
        elements.push((member, score(last)?));
    }
    Ok(())
}

/// The elements as they stand, if ours would be written so: within the limits, in order. `None`:
/// the set is to be built anew.
fn of_listpack(block: &[u8], limits: &Limits) -> Result<Option<ZSet>, Error> {
    let mut items = listpack::items(block)?;
    let mut members = Vec::new();
    let mut pack = Lean::with_capacity(block.len());
    while let Some(member) = items.next() {
        let member = member?;
        let last =
            items.next().ok_or(Error::Corrupt("Zset listpack integrity check failed."))??;
        score(last)?;
        pack.append(element(member));
        pack.append(element(last));
        if matches!(member, Item::Bytes(text) if text.len() > limits.zset_value_bytes) {
            return Ok(None);
        }
        members.push(member);
    }
    if !items.is_canonical() || members.is_empty() || members.len() > limits.zset_entries {
        return Ok(None);
    }
    let len = members.len();
    if has_duplicates(members) {
        return Err(Error::Corrupt("Duplicate zset fields detected"));
    }
    let zset = ZSet::from_packed(0, pack.into_bytes());
    let ViewShape::Packed(view) = zset.view().shape else { return Ok(None) };
    let (mut digits, mut before_digits) = (Digits::default(), Digits::default());
    let (from_first, from_second) = (PackedIter::new(view, 0..len), PackedIter::new(view, 1..len));
    let ascends = from_first.zip(from_second).all(|((a, a_score), (b, b_score))| {
        let (a, b) = (a.text(&mut before_digits), b.text(&mut digits));
        leaf::compare(a_score, a, b_score, b).is_lt()
    });
    Ok(ascends.then_some(zset))
}
