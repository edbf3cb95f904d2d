//! Reading a set.

use super::{Member, Set, Shape};
use crate::collection::View;
use crate::dict::{self, Dict, Record};
use crate::digest::{Digest, Kind};
use crate::intset::IntSet;
use crate::lean;
use crate::listpack::Digits;
use stdx::Rng;

/// A borrowed set of any shape.
#[derive(Clone, Copy, Debug)]
pub enum SetView<'a> {
    Ints(IntSet<'a>),
    List(lean::View<'a>),
    Large(Large<'a>),
}

/// A large set. Its members may expire, and what expires at or before a horizon can be hidden.
#[derive(Clone, Copy, Debug)]
pub struct Large<'a> {
    dict: &'a Dict,
    /// `None`: nothing is hidden.
    horizon: Option<i64>,
}

impl<'a> Large<'a> {
    pub(super) fn of(dict: &'a Dict) -> Self {
        Self { dict, horizon: None }
    }

    /// All records, the hidden among them.
    pub(super) fn dict(self) -> &'a Dict {
        self.dict
    }

    fn shows(self, record: &Record<'_>) -> bool {
        self.horizon.is_none_or(|horizon| record.expiry.is_none_or(|at| at > horizon))
    }

    /// The record of a member that is shown.
    fn get(self, member: Member<'_>) -> Option<Record<'a>> {
        let record = self.dict.get(member.text(&mut Digits::default()))?;
        self.shows(&record).then_some(record)
    }

    fn iter(self) -> LargeIter<'a> {
        LargeIter { large: self, records: self.dict.iter() }
    }

    fn len(self) -> usize {
        if self.horizon.is_none() { self.dict.len() } else { self.iter().count() }
    }

    fn random(self, rng: &mut Rng) -> Option<Member<'a>> {
        /// Draws before one is chosen by counting.
        const TRIES: usize = 32;
        for _ in 0..TRIES {
            let record = self.dict.random(rng)?;
            if self.shows(&record) {
                return Some(Member::Bytes(record.key));
            }
        }
        let len = self.len();
        if len == 0 { None } else { self.iter().nth(rng.index(len)) }
    }
}

impl<'a> SetView<'a> {
    /// An owned set of the same shape: O(1) if it is large.
    pub fn to_owned(self) -> Set {
        Set(match self {
            Self::Ints(ints) => Shape::Ints(ints.to_block()),
            Self::List(list) => Shape::List(list.to_lean()),
            Self::Large(large) => Shape::Large(large.dict.clone()),
        })
    }

    pub fn contains<'m>(self, member: impl Into<Member<'m>>) -> bool {
        let member = member.into();
        match self {
            Self::Ints(ints) => member.as_i64().is_some_and(|value| ints.contains(value)),
            Self::List(list) => list.find(member.text(&mut Digits::default()), 0).is_some(),
            Self::Large(large) => large.get(member).is_some(),
        }
    }

    /// When a member expires, in milliseconds since 1970: `Some(None)` if it does not, `None` if there
    /// is no such member.
    pub fn expiry<'m>(self, member: impl Into<Member<'m>>) -> Option<Option<i64>> {
        match self {
            Self::Large(large) => large.get(member.into()).map(|record| record.expiry),
            packed => packed.contains(member).then_some(None),
        }
    }

    /// What is hidden expires at or before this moment; `None`: nothing is.
    pub fn horizon(self) -> Option<i64> {
        match self {
            Self::Large(large) => large.horizon,
            Self::Ints(_) | Self::List(_) => None,
        }
    }

    /// All members: integers ascending, those of a listpack in order of insertion, else in an
    /// order that means nothing.
    pub fn iter(self) -> Iter<'a> {
        match self {
            Self::Ints(ints) => Iter::Ints { ints, next: 0 },
            Self::List(list) => Iter::List(list.iter()),
            Self::Large(large) => Iter::Large(large.iter()),
        }
    }

    /// A member at random, each equally likely.
    pub fn random(self, rng: &mut Rng) -> Option<Member<'a>> {
        match self {
            Self::Ints(ints) => ints.random(rng).map(Member::Int),
            Self::List(list) if list.is_empty() => None,
            Self::List(list) => list.at(rng.index(list.len())),
            Self::Large(large) => large.random(rng),
        }
    }

    /// `min(count, len)` different members, each choice equally likely; those of a packed set in
    /// its order.
    pub fn sample(self, count: usize, rng: &mut Rng, mut visit: impl FnMut(Member<'_>)) {
        if let Self::Large(Large { dict, horizon: None }) = self {
            return dict.sample(count, rng, |record| visit(Member::Bytes(record.key)));
        }
        let mut left = self.len();
        let mut wanted = count.min(left);
        for member in self.iter() {
            if wanted == 0 {
                return;
            }
            if rng.index(left) < wanted {
                visit(member);
                wanted -= 1;
            }
            left -= 1;
        }
    }

    /// Visits members from `cursor` on (0: from the first), about `budget` of them, and returns the
    /// cursor of the next step, 0 at the end. A packed set is visited whole.
    pub fn scan(self, cursor: u64, budget: usize, mut visit: impl FnMut(Member<'_>)) -> u64 {
        if let Self::Large(large) = self {
            return large.dict.scan(cursor, budget, |record| {
                if large.shows(&record) {
                    visit(Member::Bytes(record.key));
                }
            });
        }
        self.iter().for_each(visit);
        0
    }
}

impl View for SetView<'_> {
    fn len(self) -> usize {
        match self {
            Self::Ints(ints) => ints.len(),
            Self::List(list) => list.len(),
            Self::Large(large) => large.len(),
        }
    }

    fn encoding(self) -> &'static str {
        match self {
            Self::Ints(_) => "intset",
            Self::List(_) => "listpack",
            Self::Large(_) => "hashtable",
        }
    }

    fn fold(self, digest: &mut Digest) {
        digest.mix_kind(Kind::Set);
        let mut digits = Digits::default();
        for member in self.iter() {
            digest.xor(member.text(&mut digits));
            if self.expiry(member).flatten().is_some() {
                let mut own = Digest::ZERO;
                own.mix(member.text(&mut digits));
                own.xor(b"!!sexpire!!");
                digest.xor_digest(&own);
            }
        }
    }

    fn earliest_expiry(self) -> Option<i64> {
        match self {
            Self::Ints(_) | Self::List(_) => None,
            Self::Large(large) => large.dict.earliest(),
        }
    }

    fn at(self, horizon: i64) -> Self {
        match self {
            Self::Large(Large { dict, .. }) => {
                let hides = dict.earliest().is_some_and(|at| at <= horizon);
                Self::Large(Large { dict, horizon: hides.then_some(horizon) })
            }
            packed => packed,
        }
    }
}

/// All members of a set.
#[derive(Clone)]
pub enum Iter<'a> {
    Ints { ints: IntSet<'a>, next: usize },
    List(lean::Iter<'a>),
    Large(LargeIter<'a>),
}

/// Those of a large set that are shown.
#[derive(Clone)]
pub struct LargeIter<'a> {
    large: Large<'a>,
    records: dict::Iter<'a>,
}

impl<'a> Iterator for LargeIter<'a> {
    type Item = Member<'a>;

    #[inline]
    fn next(&mut self) -> Option<Member<'a>> {
        let record = self.records.find(|record| self.large.shows(record))?;
        Some(Member::Bytes(record.key))
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        match self {
            Self::Ints { ints, next } => {
                let value = ints.get(*next)?;
                *next += 1;
                Some(Member::Int(value))
            }
            Self::List(list) => list.next(),
            Self::Large(members) => members.next(),
        }
    }
}
