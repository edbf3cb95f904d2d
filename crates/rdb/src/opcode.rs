//! The numbers of the format: types of values, opcodes between them, versions.

/// Types of values.
pub mod value {
    pub const STRING: u8 = 0;
    pub const LIST: u8 = 1;
    pub const SET: u8 = 2;
    /// Scores as text.
    pub const ZSET: u8 = 3;
    pub const HASH: u8 = 4;
    /// Scores as binary doubles.
    pub const ZSET_2: u8 = 5;
    pub const MODULE_PRE_GA: u8 = 6;
    pub const MODULE_2: u8 = 7;
    pub const HASH_ZIPMAP: u8 = 9;
    pub const LIST_ZIPLIST: u8 = 10;
    pub const SET_INTSET: u8 = 11;
    pub const ZSET_ZIPLIST: u8 = 12;
    pub const HASH_ZIPLIST: u8 = 13;
    pub const LIST_QUICKLIST: u8 = 14;
    pub const STREAM_LISTPACKS: u8 = 15;
    pub const HASH_LISTPACK: u8 = 16;
    pub const ZSET_LISTPACK: u8 = 17;
    pub const LIST_QUICKLIST_2: u8 = 18;
    pub const STREAM_LISTPACKS_2: u8 = 19;
    pub const SET_LISTPACK: u8 = 20;
    pub const STREAM_LISTPACKS_3: u8 = 21;
    /// In Redis 7.4 before its release: fields with absolute times. In Valkey 9, by the version of
    /// the file, [`HASH_2`].
    pub const HASH_METADATA_PRE_GA: u8 = 22;
    pub const HASH_LISTPACK_EX_PRE_GA: u8 = 23;
    pub const HASH_METADATA: u8 = 24;
    pub const HASH_LISTPACK_EX: u8 = 25;
    /// With idempotent producers.
    pub const STREAM_LISTPACKS_4: u8 = 26;
    /// With messages that were given back.
    pub const STREAM_LISTPACKS_5: u8 = 27;
    /// Of Redis 8.8: how many elements, 1 and the index inserted at last or 0, and for each element
    /// its index, the kind of its text, and the text, or a number of eight bytes.
    pub const ARRAY: u8 = 28;

    /// A set of which members expire, in a form of our own, as no other server has written one yet:
    /// the earliest expiry as eight bytes, how many members there are, and each member behind its
    /// expiry, as in `HASH_METADATA`. The number lies far from those that are given out by turns.
    pub const SET_EXPIRING: u8 = 192;
    /// The same of a sorted set: behind each member stands its score, as in `ZSET_2`.
    pub const ZSET_EXPIRING: u8 = 193;
    /// A sorted set of integers, likewise our own: how many there are, and in ascending order how far each
    /// is above the one before, the first above 0, as lengths.
    pub const SORTED_INT: u8 = 194;
    /// A job, likewise our own: 1 if it runs once, else 0, as a length; when it runs next and its interval,
    /// eight bytes each; as lengths, how many keys it has and how many words it is; these words: the
    /// script, its keys, its arguments.
    pub const JOB: u8 = 195;

    /// A string with a tag, likewise our own: the tag as a length, which is not 0, and the string.
    pub const STRING_TAGGED: u8 = 196;

    /// Of Valkey from version 80 on, where it has the number of another type of Redis.
    pub const HASH_2: u8 = 22;

    /// Elements of arrays: text, an `i64`, a double, text of at most seven bytes.
    pub const ELEMENT_TEXT: u64 = 0;
    pub const ELEMENT_INT: u64 = 1;
    pub const ELEMENT_DOUBLE: u64 = 2;
    pub const ELEMENT_SHORT: u64 = 3;

    /// Quicklist nodes: one element, or a listpack of them.
    pub const NODE_PLAIN: u64 = 1;
    pub const NODE_PACKED: u64 = 2;
}

/// What stands between values.
pub mod op {
    /// Valkey: the state of slots under way. Redis: data of modules on the key that follows.
    pub const SLOT_IMPORT: u8 = 243;
    pub const SLOT_INFO: u8 = 244;
    pub const FUNCTION2: u8 = 245;
    pub const FUNCTION_PRE_GA: u8 = 246;
    pub const MODULE_AUX: u8 = 247;
    pub const IDLE: u8 = 248;
    pub const FREQ: u8 = 249;
    pub const AUX: u8 = 250;
    pub const RESIZEDB: u8 = 251;
    pub const EXPIRETIME_MS: u8 = 252;
    pub const EXPIRETIME: u8 = 253;
    pub const SELECTDB: u8 = 254;
    pub const EOF: u8 = 255;
}

/// The newest version of Redis's line that is read: 15 is that of Redis 8.10.
pub const REDIS_MAX: u16 = 15;
/// Versions from here on are Valkey's own.
pub const VALKEY_MIN: u16 = 80;
/// The newest of Valkey's line that is read: 81 is that of Valkey 9.1.
pub const VALKEY_MAX: u16 = 81;

/// Whether files and payloads of `version` are read.
pub const fn is_known(version: u16) -> bool {
    version <= REDIS_MAX || (version >= VALKEY_MIN && version <= VALKEY_MAX)
}

/// The oldest version whose readers know the type `value`, as our writer chooses it.
pub const fn version_of(value: u8) -> u16 {
    match value {
        ..=value::STREAM_LISTPACKS => 9,
        value::HASH_LISTPACK..=value::STREAM_LISTPACKS_2 => 10,
        value::SET_LISTPACK | value::STREAM_LISTPACKS_3 => 11,
        value::HASH_METADATA_PRE_GA..=value::HASH_LISTPACK_EX => 12,
        value::STREAM_LISTPACKS_4 => 13,
        _ => 14,
    }
}
