//! The hash: fields with values, each of which may expire.
//!
//! A small hash is one lean block: pairs of field and value (form 0), or, once a field has had an
//! expiry, triples of field, value and expiry in milliseconds since 1970 (form 1), by rising expiry,
//! those without one (0) behind. As listpacks both are what RDB files hold. A large hash is a
//! [`Dict`]. A hash never becomes small again, and never loses form 1 but to become large, as in
//! Redis.
//!
//! Nothing expires by itself here. [`HashView::at`] shows a hash as of a moment, [`Hash::expire`]
//! removes what is due.

mod view;

pub(crate) mod persist;
#[cfg(test)]
mod tests;

use crate::Limits;
use crate::collection::{Collection, Type, View as _, any_ways};
use crate::dict::Dict;
use crate::lean::{self, Lean, Pos};
use crate::listpack::{self, Corrupt, Element};
pub use view::{Field, Fields, HashView, Live};

/// The form of packed blocks of triples.
const EXPIRING: u8 = 1;

/// An owned hash.
#[derive(Clone, Debug)]
pub struct Hash(Shape);

#[derive(Clone, Debug)]
enum Shape {
    Packed(Lean),
    Expiring(Lean),
    Large(Dict),
}

impl Default for Hash {
    fn default() -> Self {
        Self(Shape::Packed(Lean::new()))
    }
}

/// What a new value does to the expiry of its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    Clear,
    Keep,
    /// Milliseconds since 1970, not 0.
    At(i64),
}

impl Ttl {
    fn apply(self, old: Option<i64>) -> Option<i64> {
        match self {
            Self::Clear => None,
            Self::Keep => old,
            Self::At(at) => Some(at),
        }
    }
}

impl Hash {
    /// The hash of a foreign listpack of pairs (form 0) or triples (form 1), if it is one and names
    /// no field twice, in the shape that `limits` give it.
    pub fn from_listpack(form: u8, bytes: &[u8], limits: &Limits) -> Result<Self, Corrupt> {
        let elements = listpack::validate(bytes)?;
        let of_field = 2 + usize::from(form == EXPIRING);
        if elements % of_field != 0 {
            return Err(Corrupt);
        }
        let elements = listpack::View::of(bytes).iter();
        if form == EXPIRING && has_bad_expiry(elements.clone()) {
            return Err(Corrupt);
        }
        let mut pack = Lean::with_capacity(bytes.len());
        elements.for_each(|element| pack.append(element));
        let mut hash =
            Self(if form == EXPIRING { Shape::Expiring(pack) } else { Shape::Packed(pack) });
        let mut names = stdx::hash::Set::with_hasher(limits.seed);
        let mut last = Some(0);
        let mut is_small = hash.view().len() <= limits.hash_entries;
        for field in hash.view().iter() {
            // Falls from Some to None once, at most.
            let in_order = match (last, field.expiry) {
                (Some(last), Some(at)) => last <= at,
                (None, Some(_)) => false,
                (_, None) => true,
            };
            if !in_order || !names.insert(field.name.to_vec()) {
                return Err(Corrupt);
            }
            last = field.expiry;
            is_small &= field.name.len().max(field.value.len()) <= limits.hash_value_bytes;
        }
        if !is_small {
            hash.enlarge(limits);
        }
        Ok(hash)
    }

    /// Makes the hash large if what is about to be put in is too much for a packed one: `words` are
    /// the fields and values.
    pub fn prepare<'w>(&mut self, words: impl ExactSizeIterator<Item = &'w [u8]>, limits: &Limits) {
        let (Shape::Packed(pack) | Shape::Expiring(pack)) = &self.0 else { return };
        let mut bytes = 0_usize;
        let mut is_large = words.len() / 2 > limits.hash_entries;
        for word in words {
            is_large |= word.len() > limits.hash_value_bytes;
            // Beside the text: its length, twice.
            bytes = bytes.saturating_add(word.len()).saturating_add(16);
        }
        if is_large || !pack.has_room(bytes) {
            self.enlarge(limits);
        }
    }

    /// Sets a field; says whether it is new.
    pub fn set(&mut self, name: &[u8], value: &[u8], ttl: Ttl, limits: &Limits) -> bool {
        self.prepare([name, value].into_iter(), limits);
        if matches!((&self.0, ttl), (Shape::Packed(_), Ttl::At(_))) {
            self.widen();
        }
        let is_new = match &mut self.0 {
            Shape::Packed(pack) => match pack.view().find(name, 1) {
                Some(at) => {
                    let at = pack.view().after(at);
                    pack.replace(at, value);
                    false
                }
                None => {
                    pack.append(name);
                    pack.append(value);
                    true
                }
            },
            Shape::Expiring(pack) => {
                let old = expiry_in(pack.view(), name);
                match old {
                    // Where its order stays, the field does.
                    Some((at, expiry)) if ttl.apply(expiry) == expiry => {
                        let at = pack.view().after(at);
                        pack.replace(at, value);
                    }
                    _ => {
                        take_triple(pack, name);
                        let expiry = ttl.apply(old.and_then(|(_, expiry)| expiry));
                        put_triple(pack, name, value, expiry);
                    }
                }
                old.is_none()
            }
            Shape::Large(dict) => {
                let old = if ttl == Ttl::Keep { dict.get(name) } else { None };
                let expiry = ttl.apply(old.and_then(|record| record.expiry));
                dict.insert(name, value, expiry)
            }
        };
        if is_new && !matches!(self.0, Shape::Large(_)) && self.view().len() > limits.hash_entries {
            self.enlarge(limits);
        }
        is_new
    }

    /// Whether there was one.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        match &mut self.0 {
            Shape::Packed(pack) => match pack.view().find(name, 1) {
                Some(at) => pack.delete(at, 2) > 0,
                None => false,
            },
            Shape::Expiring(pack) => take_triple(pack, name),
            Shape::Large(dict) => dict.remove(name),
        }
    }

    /// Gives a field an expiry other than 0, or takes it away; `false` if there is no such field, or
    /// none to take away.
    pub fn set_expiry(&mut self, name: &[u8], expiry: Option<i64>) -> bool {
        let Some(field) = self.view().get(name) else { return false };
        if field.expiry.or(expiry).is_none() {
            return false;
        }
        let value = field.value.to_vec();
        if matches!(self.0, Shape::Packed(_)) {
            self.widen();
        }
        match &mut self.0 {
            Shape::Packed(_) => return false,
            Shape::Expiring(pack) => {
                take_triple(pack, name);
                put_triple(pack, name, &value, expiry);
            }
            Shape::Large(dict) => {
                dict.insert(name, &value, expiry);
            }
        }
        true
    }

    /// From pairs to triples.
    fn widen(&mut self) {
        let Shape::Packed(pack) = &self.0 else { return };
        let mut wide = Lean::with_capacity(pack.as_bytes().len() + pack.len());
        for field in self.view().iter() {
            wide.append(field.name);
            wide.append(field.value);
            wide.append(0);
        }
        self.0 = Shape::Expiring(wide);
    }

    fn enlarge(&mut self, limits: &Limits) {
        let mut dict = Dict::new(limits.seed);
        let (mut name, mut value) = Default::default();
        for field in self.view().iter() {
            dict.insert(field.name.text(&mut name), field.value.text(&mut value), field.expiry);
        }
        self.0 = Shape::Large(dict);
    }
}

/// Whether an expiry is not written as a number that is positive or 0.
fn has_bad_expiry(mut elements: listpack::Iter<'_>) -> bool {
    std::iter::from_fn(|| elements.nth(2)).any(|element| !matches!(element, Element::Int(0..)))
}

/// Where the triple of a field is, and its expiry.
fn expiry_in(view: lean::View<'_>, name: &[u8]) -> Option<(Pos, Option<i64>)> {
    let at = view.find(name, 2)?;
    Some((at, view::expiry_of(view.get(view.after(view.after(at))))))
}

/// Takes a triple out; says whether there was one.
fn take_triple(pack: &mut Lean, name: &[u8]) -> bool {
    pack.view().find(name, 2).is_some_and(|at| pack.delete(at, 3) > 0)
}

/// Puts a triple in before those that expire no earlier: the order of Redis.
fn put_triple(pack: &mut Lean, name: &[u8], value: &[u8], expiry: Option<i64>) {
    let at = expiry.map_or(pack.view().end(), |expiry| place_of(pack.view(), expiry));
    pack.insert_before(at, name);
    let at = pack.insert_after(at, value);
    pack.insert_after(at, expiry.unwrap_or(0));
}

fn place_of(view: lean::View<'_>, expiry: i64) -> Pos {
    let mut at = view.start();
    while at != view.end() {
        let last = view.after(view.after(at));
        if view::expiry_of(view.get(last)).is_none_or(|other| other >= expiry) {
            break;
        }
        at = view.after(last);
    }
    at
}

impl Collection for Hash {
    const TYPE: Type = Type::Hash;
    type View<'a> = HashView<'a>;

    any_ways!(Hash);

    #[inline]
    fn view(&self) -> HashView<'_> {
        match &self.0 {
            Shape::Packed(pack) => HashView::packed(0, pack.as_bytes()),
            Shape::Expiring(pack) => HashView::packed(EXPIRING, pack.as_bytes()),
            Shape::Large(dict) => HashView::large(dict),
        }
    }

    #[inline]
    fn view_packed(form: u8, bytes: &[u8]) -> HashView<'_> {
        HashView::packed(form, bytes)
    }

    fn from_packed(form: u8, bytes: Vec<u8>) -> Self {
        let pack = Lean::from_bytes(bytes);
        Self(if form == EXPIRING { Shape::Expiring(pack) } else { Shape::Packed(pack) })
    }

    fn as_packed(&self) -> Option<(u8, &[u8])> {
        match &self.0 {
            Shape::Packed(pack) => Some((0, pack.as_bytes())),
            Shape::Expiring(pack) => Some((EXPIRING, pack.as_bytes())),
            Shape::Large(_) => None,
        }
    }

    fn into_packed(self) -> Result<(u8, Vec<u8>), Self> {
        match self.0 {
            Shape::Packed(pack) => Ok((0, pack.into_bytes())),
            Shape::Expiring(pack) => Ok((EXPIRING, pack.into_bytes())),
            Shape::Large(_) => Err(self),
        }
    }

    fn prefetch(&self, names: &[&[u8]]) {
        if let Shape::Large(dict) = &self.0 {
            dict.prefetch(names);
        }
    }

    fn heap_bytes(&self) -> usize {
        match &self.0 {
            Shape::Packed(pack) | Shape::Expiring(pack) => pack.heap_bytes(),
            Shape::Large(dict) => dict.heap_bytes(),
        }
    }

    fn expire(&mut self, horizon: i64, budget: usize, gone: &mut dyn FnMut(&[u8])) -> usize {
        match &mut self.0 {
            Shape::Packed(_) => 0,
            Shape::Expiring(pack) => {
                let mut digits = Default::default();
                let view = HashView::packed(EXPIRING, pack.as_bytes());
                let due = view.iter().take_while(|field| !field.is_live(horizon)).take(budget);
                let count = due.map(|field| gone(field.name.text(&mut digits))).count();
                pack.delete_range(0, count * 3);
                count
            }
            Shape::Large(dict) => dict.expire(horizon, budget, |record| gone(record.key)),
        }
    }

    fn expire_element(&mut self, horizon: i64, name: &[u8]) -> bool {
        self.view().get(name).is_some_and(|field| !field.is_live(horizon)) && self.remove(name)
    }
}
