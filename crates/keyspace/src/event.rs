//! Keyspace events: what a change is called to those who listen.

/// Classes of events, as bits; the letters are those of `notify-keyspace-events`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventClass {
    /// No class that could be asked for: a change that only watchers and trackers hear of.
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

/// One kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    pub class: EventClass,
    pub name: &'static str,
}

impl Event {
    /// An event of the generic class.
    pub const fn generic(name: &'static str) -> Self {
        Self { class: EventClass::Generic, name }
    }

    /// An event of the string class.
    pub const fn string(name: &'static str) -> Self {
        Self { class: EventClass::String, name }
    }

    /// An event of the list class.
    pub const fn list(name: &'static str) -> Self {
        Self { class: EventClass::List, name }
    }

    /// An event of the set class.
    pub const fn set(name: &'static str) -> Self {
        Self { class: EventClass::Set, name }
    }

    /// An event of the hash class.
    pub const fn hash(name: &'static str) -> Self {
        Self { class: EventClass::Hash, name }
    }

    /// An event of the sorted set class.
    pub const fn zset(name: &'static str) -> Self {
        Self { class: EventClass::ZSet, name }
    }

    /// An event of the stream class.
    pub const fn stream(name: &'static str) -> Self {
        Self { class: EventClass::Stream, name }
    }

    /// An event of the array class.
    pub const fn array(name: &'static str) -> Self {
        Self { class: EventClass::Array, name }
    }

    /// A change that no notification tells of.
    pub const SILENT: Self = Self { class: EventClass::Silent, name: "" };
    pub const EXPIRED: Self = Self { class: EventClass::Expired, name: "expired" };
    /// A key went by command, or because nothing was left in it.
    pub const DEL: Self = Self::generic("del");
    pub const EVICTED: Self = Self { class: EventClass::Evicted, name: "evicted" };
    pub const NEW: Self = Self { class: EventClass::New, name: "new" };
    /// A read found no key.
    pub const KEY_MISS: Self = Self { class: EventClass::KeyMiss, name: "keymiss" };
    /// A value was replaced as a whole.
    pub const OVERWRITTEN: Self = Self { class: EventClass::Overwritten, name: "overwritten" };
    /// And by one of another type.
    pub const TYPE_CHANGED: Self = Self { class: EventClass::TypeChanged, name: "type_changed" };

    /// Whether it tells of a change by itself, and not of a look or of more about a change.
    pub fn is_change(self) -> bool {
        let aside = EventClass::KeyMiss as u32
            | EventClass::New as u32
            | EventClass::Overwritten as u32
            | EventClass::TypeChanged as u32;
        self.class as u32 & aside == 0
    }
}
