//! ACL categories: which of them a row belongs to, by rule. ACL, COMMAND INFO, COMMAND LIST and
//! ACL CAT read it; nobody lists commands by hand.
//!
//! A category follows from the row's flags (as in Redis: a writing command is in @write, an admin
//! command in @admin and @dangerous, what is not @fast is @slow) and from its group. A container
//! stands for its subcommands and is in none of its own.

use crate::{Command, Flags, Group, Place};

/// A set of categories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Categories(u32);

macro_rules! categories {
    ($($name:ident = $bit:expr, $word:expr;)*) => {
        impl Categories {
            $(pub const $name: Self = Self(1 << $bit);)*
            /// All categories and their names, in the order of ACL CAT.
            pub const ALL: &'static [(Self, &'static str)] = &[$((Self::$name, $word),)*];
        }
    };
}

categories! {
    KEYSPACE = 0, "keyspace";
    READ = 1, "read";
    WRITE = 2, "write";
    SET = 3, "set";
    SORTEDSET = 4, "sortedset";
    LIST = 5, "list";
    HASH = 6, "hash";
    STRING = 7, "string";
    BITMAP = 8, "bitmap";
    HYPERLOGLOG = 9, "hyperloglog";
    GEO = 10, "geo";
    STREAM = 11, "stream";
    PUBSUB = 12, "pubsub";
    ADMIN = 13, "admin";
    FAST = 14, "fast";
    SLOW = 15, "slow";
    BLOCKING = 16, "blocking";
    DANGEROUS = 17, "dangerous";
    CONNECTION = 18, "connection";
    TRANSACTION = 19, "transaction";
    SCRIPTING = 20, "scripting";
    ARRAY = 21, "array";
}

impl Categories {
    pub const NONE: Self = Self(0);

    /// Both sets.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in `self`.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The category called `name`, in any case.
    pub fn by_name(name: &[u8]) -> Option<Self> {
        let named = |(_, word): &&(Self, &str)| word.as_bytes().eq_ignore_ascii_case(name);
        Self::ALL.iter().find(named).map(|(category, _)| *category)
    }

    /// The names of the categories in the set, without the `@`.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().filter(move |(one, _)| self.has(*one)).map(|(_, word)| *word)
    }

    /// The categories of a row.
    pub fn of(row: &Command) -> Self {
        const BY_FLAG: &[(Flags, Categories)] = &[
            (Flags::WRITE, Categories::WRITE),
            (Flags::READONLY, Categories::READ),
            (Flags::ADMIN, Categories::ADMIN.or(Categories::DANGEROUS)),
            (Flags::PUBSUB, Categories::PUBSUB),
            (Flags::FAST, Categories::FAST),
            (Flags::BLOCKING, Categories::BLOCKING),
            (Flags::DANGEROUS, Categories::DANGEROUS),
            (Flags::KEYSPACE, Categories::KEYSPACE),
            (Flags::IN_ADMIN, Categories::ADMIN),
            (Flags::IN_CONNECTION, Categories::CONNECTION),
            (Flags::IN_SORTABLE, Categories::LIST.or(Categories::SET).or(Categories::SORTEDSET)),
        ];
        // Who may read may not thereby run scripts that do.
        let reads = |flag: Flags| flag == Flags::READONLY && row.group == Group::Scripting;
        let flagged = BY_FLAG.iter().filter(|(flag, _)| row.flags.has(*flag) && !reads(*flag));
        let mut all = flagged.fold(Self::NONE, |all, (_, category)| all.or(*category));
        if row.place != Place::Container {
            all = all.or(Self::of_group(row.group));
        }
        if all.has(Self::FAST) { all } else { all.or(Self::SLOW) }
    }

    const fn of_group(group: Group) -> Self {
        match group {
            Group::String => Self::STRING,
            Group::List => Self::LIST,
            Group::Set => Self::SET,
            Group::SortedSet => Self::SORTEDSET,
            Group::Hash => Self::HASH,
            Group::Stream => Self::STREAM,
            Group::Array => Self::ARRAY,
            Group::Bitmap => Self::BITMAP,
            Group::Hyperloglog => Self::HYPERLOGLOG,
            Group::Geo => Self::GEO,
            Group::Transactions => Self::TRANSACTION,
            Group::Scripting => Self::SCRIPTING,
            Group::Connection => Self::CONNECTION,
            // @pubsub goes by flag: PUBSUB HELP is not of it.
            Group::Generic | Group::Server | Group::Cluster | Group::Pubsub => Self::NONE,
        }
    }
}
