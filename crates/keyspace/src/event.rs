//! Keyspace events: what a change is called to those who listen.

/// Classes of events, as bits; the letters are those of `notify-keyspace-events`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventClass {
    /// No class that could be asked for: no notification tells of it.
    Silent = 0,
    /// `g`
    Generic = 1 << 2,
    /// `$`
    String = 1 << 3,
    /// `l`
    List = 1 << 4,
    /// `s`
    Set = 1 << 5,
    /// `h`
    Hash = 1 << 6,
    /// `z`
    ZSet = 1 << 7,
    /// `x`
    Expired = 1 << 8,
    /// `e`
    Evicted = 1 << 9,
    /// `t`
    Stream = 1 << 10,
    /// `m`
    KeyMiss = 1 << 11,
    /// `n`
    New = 1 << 14,
    /// `o`
    Overwritten = 1 << 15,
    /// `c`
    TypeChanged = 1 << 16,
    /// `a`
    Array = 1 << 21,
}

/// What a change means to clients that are interested in the key itself. The log, files and counts
/// of changes see all of them alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The value is another: who watches the key, keeps it or waits for it is told.
    Value,
    /// The value is as it was, but those who wait may have to go on.
    Waiters,
    /// The value is as it was, for all who look at it.
    Aside,
}

/// One kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    pub class: EventClass,
    pub name: &'static str,
    pub extent: Extent,
}

impl Event {
    /// An event of a change of the value.
    pub const fn of(class: EventClass, name: &'static str) -> Self {
        Self { class, name, extent: Extent::Value }
    }

    /// The same event of a change of another extent.
    pub const fn within(self, extent: Extent) -> Self {
        Self { extent, ..self }
    }

    /// An event of the generic class.
    pub const fn generic(name: &'static str) -> Self {
        Self::of(EventClass::Generic, name)
    }

    /// An event of the string class.
    pub const fn string(name: &'static str) -> Self {
        Self::of(EventClass::String, name)
    }

    /// An event of the list class.
    pub const fn list(name: &'static str) -> Self {
        Self::of(EventClass::List, name)
    }

    /// An event of the set class.
    pub const fn set(name: &'static str) -> Self {
        Self::of(EventClass::Set, name)
    }

    /// An event of the hash class.
    pub const fn hash(name: &'static str) -> Self {
        Self::of(EventClass::Hash, name)
    }

    /// An event of the sorted set class.
    pub const fn zset(name: &'static str) -> Self {
        Self::of(EventClass::ZSet, name)
    }

    /// An event of the stream class.
    pub const fn stream(name: &'static str) -> Self {
        Self::of(EventClass::Stream, name)
    }

    /// An event of the array class.
    pub const fn array(name: &'static str) -> Self {
        Self::of(EventClass::Array, name)
    }

    /// A change that leaves the value as it was and that no notification tells of.
    pub const SILENT: Self = Self::of(EventClass::Silent, "").within(Extent::Aside);
    pub const EXPIRED: Self = Self::of(EventClass::Expired, "expired");
    /// A key went by command, or because nothing was left in it.
    pub const DEL: Self = Self::generic("del");
    pub const EVICTED: Self = Self::of(EventClass::Evicted, "evicted");
    pub const NEW: Self = Self::of(EventClass::New, "new");
    /// A read found no key.
    pub const KEY_MISS: Self = Self::of(EventClass::KeyMiss, "keymiss");
    /// A value was replaced as a whole.
    pub const OVERWRITTEN: Self = Self::of(EventClass::Overwritten, "overwritten");
    /// And by one of another type.
    pub const TYPE_CHANGED: Self = Self::of(EventClass::TypeChanged, "type_changed");

    /// Whether it tells of a change by itself, and not of a look or of more about a change.
    pub fn is_change(self) -> bool {
        let aside = EventClass::KeyMiss as u32
            | EventClass::New as u32
            | EventClass::Overwritten as u32
            | EventClass::TypeChanged as u32;
        self.class as u32 & aside == 0
    }
}
