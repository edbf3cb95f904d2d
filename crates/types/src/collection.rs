//! What all collections have in common, and what the keyspace needs of them.
//!
//! A collection has one of two shapes. *Packed* is one block of bytes (a listpack, an intset) under
//! the thresholds of the configuration; the keyspace may keep such a block in the entry itself.
//! *Large* is a copy-on-write structure whose clone is O(1), whatever its size.
//!
//! Reads are methods of a [`View`], which borrows either shape; changes are methods of the owned
//! type, called by the keyspace's write guard only.

use crate::array::Array;
use crate::digest::Digest;
use crate::hash::Hash;
use crate::job::Job;
use crate::list::List;
use crate::set::Set;
use crate::sortedint::SortedInt;
use crate::stream::Stream;
use crate::zset::ZSet;

/// The type of a value, as TYPE names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Type {
    String = 0,
    List = 1,
    Set = 2,
    Hash = 3,
    ZSet = 4,
    Stream = 5,
    Array = 6,
    SortedInt = 7,
    Job = 8,
}

impl Type {
    /// What TYPE answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::Hash => "hash",
            Self::ZSet => "zset",
            Self::Stream => "stream",
            Self::Array => "array",
            Self::SortedInt => "sortedint",
            // As KeyDB calls what it has no name for.
            Self::Job => "unknown",
        }
    }

    /// The type called `name`, in any case.
    pub fn of_name(name: &[u8]) -> Option<Self> {
        (0..=u8::MAX)
            .map_while(Self::of_number)
            .find(|of| of.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The type of `number`, as an entry keeps it.
    pub const fn of_number(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::String,
            1 => Self::List,
            2 => Self::Set,
            3 => Self::Hash,
            4 => Self::ZSet,
            5 => Self::Stream,
            6 => Self::Array,
            7 => Self::SortedInt,
            8 => Self::Job,
            _ => return None,
        })
    }
}

/// A borrowed collection of either shape: all reads.
pub trait View: Copy {
    /// Number of elements (fields of a hash, entries of a stream).
    fn len(self) -> usize;

    fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// What OBJECT ENCODING answers.
    fn encoding(self) -> &'static str;

    /// Folds the value into the digest of its key, as DEBUG DIGEST-VALUE prints it: the same for
    /// either shape and any order of elements that has no meaning.
    fn fold(self, digest: &mut Digest);

    /// A lower bound of the times at which elements expire, in milliseconds since 1970; `None` if
    /// none does. O(1).
    fn earliest_expiry(self) -> Option<i64> {
        None
    }

    /// The collection as it is when all has expired that expires at or before `horizon`, for types
    /// whose view can hide elements.
    #[must_use]
    fn at(self, _horizon: i64) -> Self {
        self
    }
}

/// An owned collection.
pub trait Collection: Clone + Default + Send + Sync + 'static {
    const TYPE: Type;
    /// Whether a key with nothing in it stays (streams) or goes (all others).
    const KEEPS_EMPTY: bool = false;
    type View<'a>: View;

    fn view(&self) -> Self::View<'_>;

    /// The view of a packed block that lives elsewhere. `form` is 0 or 1: a type may have two kinds
    /// of packed block (set: listpack and intset). No bytes at all are the empty collection.
    fn view_packed(form: u8, bytes: &[u8]) -> Self::View<'_>;

    /// Takes over a packed block that [`Collection::into_packed`] gave; not for foreign bytes.
    fn from_packed(form: u8, bytes: Vec<u8>) -> Self;

    /// The packed block, if that is its shape.
    fn as_packed(&self) -> Option<(u8, &[u8])>;

    /// Gives the packed block away; itself, if it is large.
    fn into_packed(self) -> Result<(u8, Vec<u8>), Self>;

    /// Bytes on the heap, as asked of the allocator. O(1): large shapes keep the sum.
    fn heap_bytes(&self) -> usize;

    /// Starts the loads that a search for each of these elements will wait for.
    fn prefetch(&self, _names: &[&[u8]]) {}

    /// Removes elements that expire at or before `horizon`, after `gone` has seen their names: at
    /// least `budget` of them, if there are that many, and about as many at most. Returns how many.
    fn expire(&mut self, _horizon: i64, _budget: usize, _gone: &mut dyn FnMut(&[u8])) -> usize {
        0
    }

    /// Removes the element of this name if it expires at or before `horizon`; says whether it did.
    fn expire_element(&mut self, _horizon: i64, _name: &[u8]) -> bool {
        false
    }

    /// From and into the enum that holds any type.
    fn of(any: &Any) -> Option<&Self>;
    fn of_mut(any: &mut Any) -> Option<&mut Self>;
    fn into_any(self) -> Any;
}

/// Any collection.
#[derive(Clone, Debug)]
pub enum Any {
    List(List),
    Set(Set),
    Hash(Hash),
    ZSet(ZSet),
    Stream(Stream),
    Array(Array),
    SortedInt(SortedInt),
    Job(Job),
}

/// Calls `$body` with the collection in `$any`, whatever its type.
macro_rules! with_any {
    ($any:expr, $value:ident => $body:expr) => {
        match $any {
            Any::List($value) => $body,
            Any::Set($value) => $body,
            Any::Hash($value) => $body,
            Any::ZSet($value) => $body,
            Any::Stream($value) => $body,
            Any::Array($value) => $body,
            Any::SortedInt($value) => $body,
            Any::Job($value) => $body,
        }
    };
}
pub(crate) use with_any;

impl Any {
    pub fn type_of(&self) -> Type {
        fn of<T: Collection>(_: &T) -> Type {
            T::TYPE
        }
        with_any!(self, value => of(value))
    }

    pub fn len(&self) -> usize {
        with_any!(self, value => value.view().len())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn encoding(&self) -> &'static str {
        with_any!(self, value => value.view().encoding())
    }

    pub fn fold(&self, digest: &mut Digest) {
        with_any!(self, value => value.view().fold(digest));
    }

    /// See [`View::earliest_expiry`].
    pub fn earliest_expiry(&self) -> Option<i64> {
        with_any!(self, value => value.view().earliest_expiry())
    }

    /// See [`Collection::expire`].
    pub fn expire(&mut self, horizon: i64, budget: usize, gone: &mut dyn FnMut(&[u8])) -> usize {
        with_any!(self, value => value.expire(horizon, budget, gone))
    }

    /// See [`Collection::heap_bytes`].
    pub fn heap_bytes(&self) -> usize {
        with_any!(self, value => value.heap_bytes())
    }

    /// See [`Collection::prefetch`].
    pub fn prefetch(&self, names: &[&[u8]]) {
        with_any!(self, value => value.prefetch(names));
    }

    pub fn as_packed(&self) -> Option<(u8, &[u8])> {
        with_any!(self, value => value.as_packed())
    }
}

/// A packed block of any type, borrowed: the counterpart of [`Any`] for values within entries.
#[derive(Clone, Copy, Debug)]
pub struct Packed<'a> {
    pub of: Type,
    pub form: u8,
    pub bytes: &'a [u8],
}

/// Calls `$body` with the view of the packed block.
macro_rules! with_packed {
    ($packed:expr, $view:ident => $body:expr, $string:expr) => {{
        let $crate::collection::Packed { of, form, bytes } = $packed;
        match of {
            $crate::collection::Type::String => $string,
            $crate::collection::Type::List => {
                let $view = <$crate::list::List as $crate::Collection>::view_packed(form, bytes);
                $body
            }
            $crate::collection::Type::Set => {
                let $view = <$crate::set::Set as $crate::Collection>::view_packed(form, bytes);
                $body
            }
            $crate::collection::Type::Hash => {
                let $view = <$crate::hash::Hash as $crate::Collection>::view_packed(form, bytes);
                $body
            }
            $crate::collection::Type::ZSet => {
                let $view = <$crate::zset::ZSet as $crate::Collection>::view_packed(form, bytes);
                $body
            }
            $crate::collection::Type::Stream => {
                let $view =
                    <$crate::stream::Stream as $crate::Collection>::view_packed(form, bytes);
                $body
            }
            $crate::collection::Type::Array => {
                let $view = <$crate::array::Array as $crate::Collection>::view_packed(form, bytes);
                $body
            }
            $crate::collection::Type::SortedInt => {
                let $view =
                    <$crate::sortedint::SortedInt as $crate::Collection>::view_packed(form, bytes);
                $body
            }
            $crate::collection::Type::Job => {
                let $view = <$crate::job::Job as $crate::Collection>::view_packed(form, bytes);
                $body
            }
        }
    }};
}
pub(crate) use with_packed;

impl Packed<'_> {
    pub fn len(self) -> usize {
        with_packed!(self, view => view.len(), 0)
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    pub fn encoding(self) -> &'static str {
        with_packed!(self, view => view.encoding(), "")
    }

    pub fn fold(self, digest: &mut Digest) {
        with_packed!(self, view => view.fold(digest), ());
    }

    /// See [`View::earliest_expiry`].
    pub fn earliest_expiry(self) -> Option<i64> {
        with_packed!(self, view => view.earliest_expiry(), None)
    }

    /// An owned copy.
    pub fn to_any(self) -> Option<Any> {
        let bytes = self.bytes.to_vec();
        Some(match self.of {
            Type::String => return None,
            Type::List => Any::List(List::from_packed(self.form, bytes)),
            Type::Set => Any::Set(Set::from_packed(self.form, bytes)),
            Type::Hash => Any::Hash(Hash::from_packed(self.form, bytes)),
            Type::ZSet => Any::ZSet(ZSet::from_packed(self.form, bytes)),
            Type::Stream => Any::Stream(Stream::from_packed(self.form, bytes)),
            Type::Array => Any::Array(Array::from_packed(self.form, bytes)),
            Type::SortedInt => Any::SortedInt(SortedInt::from_packed(self.form, bytes)),
            Type::Job => Any::Job(Job::from_packed(self.form, bytes)),
        })
    }
}

/// Implements the three ways between a type and [`Any`].
macro_rules! any_ways {
    ($variant:ident) => {
        fn of(any: &$crate::collection::Any) -> Option<&Self> {
            match any {
                $crate::collection::Any::$variant(value) => Some(value),
                _ => None,
            }
        }

        fn of_mut(any: &mut $crate::collection::Any) -> Option<&mut Self> {
            match any {
                $crate::collection::Any::$variant(value) => Some(value),
                _ => None,
            }
        }

        fn into_any(self) -> $crate::collection::Any {
            $crate::collection::Any::$variant(self)
        }
    };
}
pub(crate) use any_ways;
