//! Reading a hash of either shape.

use stdx::rng::Rng;

use crate::collection::View;
use crate::dict::{self, Dict, Record};
use crate::digest::{Digest, Kind};
use crate::lean;
use crate::listpack::{Element, Listpack};

/// A borrowed hash of either shape, with all its fields, those included whose time has passed.
#[derive(Clone, Copy, Debug)]
pub struct HashView<'a>(Shape<'a>);

#[derive(Clone, Copy, Debug)]
enum Shape<'a> {
    /// Field, value; or field, value, expiry.
    Packed(lean::View<'a>, bool),
    Large(&'a Dict),
}

/// A field with its value.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    pub name: Element<'a>,
    pub value: Element<'a>,
    /// Milliseconds since 1970.
    pub expiry: Option<i64>,
}

impl<'a> Field<'a> {
    /// Whether it has not expired when all has that expires at or before `horizon`.
    pub fn is_live(&self, horizon: i64) -> bool {
        self.expiry.is_none_or(|at| at > horizon)
    }

    fn of(record: Record<'a>) -> Self {
        let (name, value) = (Element::Bytes(record.key), Element::Bytes(record.value));
        Self { name, value, expiry: record.expiry }
    }
}

/// The expiry in a packed block, where 0 is none.
pub(super) fn expiry_of(element: Element<'_>) -> Option<i64> {
    element.as_i64().filter(|&at| at != 0)
}

impl<'a> HashView<'a> {
    #[inline]
    pub(super) fn packed(form: u8, bytes: &'a [u8]) -> Self {
        Self(Shape::Packed(lean::View::of(bytes), form == super::EXPIRING))
    }

    pub(super) fn large(dict: &'a Dict) -> Self {
        Self(Shape::Large(dict))
    }

    /// The field of this name, whether its time has passed or not.
    #[inline]
    pub fn get(self, name: &[u8]) -> Option<Field<'a>> {
        match self.0 {
            Shape::Packed(view, expires) => {
                let at = view.find(name, 1 + usize::from(expires))?;
                Fields(Source::Packed(view.iter_from(at), expires)).next()
            }
            Shape::Large(dict) => dict.get(name).map(Field::of),
        }
    }

    /// All fields.
    pub fn iter(self) -> Fields<'a> {
        Fields(match self.0 {
            Shape::Packed(view, expires) => Source::Packed(view.iter(), expires),
            Shape::Large(dict) => Source::Large(dict.iter()),
        })
    }

    /// The hash as it is when all has expired that expires at or before `horizon`.
    pub fn at(self, horizon: i64) -> Live<'a> {
        let horizon = self.earliest_expiry().filter(|&at| at <= horizon).map(|_| horizon);
        Live { hash: self, horizon }
    }

    /// The hash, carried away in O(1), if it is large.
    pub fn clone_large(self) -> Option<super::Hash> {
        match self.0 {
            Shape::Packed(..) => None,
            Shape::Large(dict) => Some(super::Hash(super::Shape::Large(dict.clone()))),
        }
    }

    /// An owned copy: O(1) if it is large.
    pub fn to_hash(self) -> super::Hash {
        match self.0 {
            Shape::Packed(view, expires) => {
                let pack = view.to_lean();
                super::Hash(if expires {
                    super::Shape::Expiring(pack)
                } else {
                    super::Shape::Packed(pack)
                })
            }
            Shape::Large(dict) => super::Hash(super::Shape::Large(dict.clone())),
        }
    }

    /// As files hold a small hash: form 0 of pairs, form 1 of triples with the expiry, 0 for none, in
    /// its order.
    pub fn to_listpack(self) -> Option<(u8, Listpack)> {
        match self.0 {
            Shape::Packed(view, expires) => Some((u8::from(expires), view.to_listpack())),
            Shape::Large(_) => None,
        }
    }

    /// Names and values in turn, if they are all that there is in one block.
    pub fn pairs(self) -> Option<lean::Iter<'a>> {
        match self.0 {
            Shape::Packed(view, false) => Some(view.iter()),
            Shape::Packed(_, true) | Shape::Large(_) => None,
        }
    }

    pub(super) fn is_packed(self) -> bool {
        matches!(self.0, Shape::Packed(..))
    }

    /// Fields that have an expiry.
    pub fn expiring(self) -> usize {
        match self.0 {
            Shape::Packed(_, false) => 0,
            Shape::Packed(_, true) => self.iter().filter(|field| field.expiry.is_some()).count(),
            Shape::Large(dict) => dict.expiring(),
        }
    }
}

impl View for HashView<'_> {
    fn len(self) -> usize {
        match self.0 {
            Shape::Packed(view, expires) => view.len() / (2 + usize::from(expires)),
            Shape::Large(dict) => dict.len(),
        }
    }

    fn encoding(self) -> &'static str {
        match self.0 {
            Shape::Packed(_, false) => "listpack",
            Shape::Packed(_, true) => "listpackex",
            Shape::Large(_) => "hashtable",
        }
    }

    fn fold(self, digest: &mut Digest) {
        let (mut name, mut value) = Default::default();
        digest.mix_kind(Kind::Hash);
        for field in self.iter() {
            let mut own = Digest::ZERO;
            own.mix(field.name.text(&mut name));
            own.mix(field.value.text(&mut value));
            if field.expiry.is_some() {
                own.xor(b"!!hexpire!!");
            }
            digest.xor_digest(&own);
        }
    }

    fn earliest_expiry(self) -> Option<i64> {
        match self.0 {
            Shape::Packed(_, false) => None,
            // In their order.
            Shape::Packed(_, true) => self.iter().next()?.expiry,
            Shape::Large(dict) => dict.earliest(),
        }
    }
}

/// Fields in the order of their block, or in none.
#[derive(Clone)]
pub struct Fields<'a>(Source<'a>);

#[derive(Clone)]
enum Source<'a> {
    Packed(lean::Iter<'a>, bool),
    Large(dict::Iter<'a>),
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    #[inline]
    fn next(&mut self) -> Option<Field<'a>> {
        match &mut self.0 {
            Source::Packed(iter, expires) => {
                let (name, value) = (iter.next()?, iter.next()?);
                let expiry = if *expires { expiry_of(iter.next()?) } else { None };
                Some(Field { name, value, expiry })
            }
            Source::Large(iter) => iter.next().map(Field::of),
        }
    }
}

/// The fields of a hash whose time has not passed: what commands show.
#[derive(Clone, Copy, Debug)]
pub struct Live<'a> {
    hash: HashView<'a>,
    /// `None`: nothing can have expired.
    horizon: Option<i64>,
}

impl<'a> Live<'a> {
    #[inline]
    pub fn get(self, name: &[u8]) -> Option<Field<'a>> {
        self.hash.get(name).filter(|field| self.shows(field))
    }

    fn shows(self, field: &Field<'_>) -> bool {
        self.horizon.is_none_or(|horizon| field.is_live(horizon))
    }

    pub fn iter(self) -> impl Iterator<Item = Field<'a>> + Clone {
        self.hash.iter().filter(move |field| self.shows(field))
    }

    /// Number of fields: O(1) unless some may have expired.
    pub fn count(self) -> usize {
        self.known_count().unwrap_or_else(|| self.iter().count())
    }

    /// Number of fields, if it is O(1) to tell.
    pub fn known_count(self) -> Option<usize> {
        self.horizon.is_none().then(|| self.hash.len())
    }

    /// A field at random, each equally likely.
    pub fn random(self, rng: &mut Rng) -> Option<Field<'a>> {
        const TRIES: usize = 32;
        match self.hash.0 {
            Shape::Large(dict) => {
                for _ in 0..TRIES {
                    let field = Field::of(dict.random(rng)?);
                    if self.shows(&field) {
                        return Some(field);
                    }
                }
                self.pick(rng)
            }
            Shape::Packed(..) => self.pick(rng),
        }
    }

    fn pick(self, rng: &mut Rng) -> Option<Field<'a>> {
        let count = self.count();
        self.iter().nth(rng.index(count))
    }

    /// `min(count, number of fields)` different ones, each choice equally likely.
    pub fn sample(self, count: usize, rng: &mut Rng, mut visit: impl FnMut(Field<'_>)) {
        if let (Shape::Large(dict), None) = (self.hash.0, self.horizon) {
            return dict.sample(count, rng, |record| visit(Field::of(record)));
        }
        let mut left = self.count();
        let mut wanted = count.min(left);
        for field in self.iter() {
            if rng.index(left) < wanted {
                visit(field);
                wanted -= 1;
            }
            left -= 1;
        }
    }

    /// Visits fields from `cursor` on (0: the first) and returns the cursor of the next step, 0 at
    /// the end; see [`Dict::scan`]. A packed hash is visited in one step.
    pub fn scan(self, cursor: u64, budget: usize, mut visit: impl FnMut(Field<'_>)) -> u64 {
        let mut show = |field: Field<'_>| {
            if self.shows(&field) {
                visit(field);
            }
        };
        match self.hash.0 {
            Shape::Packed(..) => {
                self.hash.iter().for_each(show);
                0
            }
            Shape::Large(dict) => dict.scan(cursor, budget, |record| show(Field::of(record))),
        }
    }
}
