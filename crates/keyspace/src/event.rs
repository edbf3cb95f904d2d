//! Keyspace events: what a change is called to those who listen.

/// Classes of events, as bits; the letters are those of `notify-keyspace-events`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventClass {
    /// `g`
    Generic = 1 << 2,
    /// `$`
    String = 1 << 3,
    /// `x`
    Expired = 1 << 8,
    /// `e`
    Evicted = 1 << 9,
    /// `n`
    New = 1 << 14,
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

    pub const EXPIRED: Self = Self { class: EventClass::Expired, name: "expired" };
    pub const EVICTED: Self = Self { class: EventClass::Evicted, name: "evicted" };
    pub const NEW: Self = Self { class: EventClass::New, name: "new" };
}
