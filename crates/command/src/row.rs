//! One row of the command table, built by `const` functions beside its handler.
//!
//! COMMAND, COMMAND DOCS, ACL categories, key extraction, the docs and the request generator
//! derive from the row: a row without grammar is half a row.

use crate::grammar::Argument;
use crate::spec::KeySpec;
use crate::{Args, Clock, Cx, Functions, Machine, Outcome};
use resp::Reply;

/// What a handler is: parses all its arguments, then acts, then tells its effect.
pub type Handler = fn(&mut Cx<'_>, &mut Args<'_>, &mut Reply) -> Outcome;

/// Whether the word at a position of a request must not show in logs: a password.
pub type Secrets = fn(words: &[&[u8]], at: usize) -> bool;

/// A version text as COMMAND DOCS prints it, such as "7.0.0".
pub type Version = &'static str;

/// Which part of the server the command belongs to: what `execute` readies for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Works on its keys, whose shards are locked. Runs to completion.
    Data,
    /// Walks the keyspace, locking shard by shard; never holds one for long.
    Walk,
    /// Concerns the connection.
    Conn,
    /// Concerns the node: configuration, introspection, shutdown.
    Node,
    /// Runs what the session has queued, under the locks of all of it.
    Exec,
    /// Runs a script or function, under the locks of the keys that it declares or of those that it
    /// meets.
    Script(ScriptCall),
    /// Only its subcommands can be called.
    Container,
}

/// What a command that runs a script is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptCall {
    Source,
    Sha,
    /// The name of a function.
    Function,
}

impl Place {
    pub const fn is_script(self) -> bool {
        matches!(self, Self::Script(_))
    }
}

/// What a command may work on before its locks are taken.
#[derive(Debug)]
pub struct Preparing<'p, 'w> {
    pub words: &'p [&'w [u8]],
    pub machine: &'p mut Machine,
    pub functions: &'p Functions,
    pub clock: Clock,
}

/// Which locks a `Data` command takes.
#[derive(Clone, Copy, Debug)]
pub enum Locks {
    /// Those of its keys' shards.
    Keys,
    /// Every shard, for commands on whole databases.
    All,
    /// Every shard, once this has been done for the request, under no lock.
    AllAfter(fn(&mut Preparing<'_, '_>)),
    /// Every shard if the request, whose words these are, names keys only by what is in others.
    AllIf(fn(words: &[&[u8]]) -> bool),
}

/// The documented group, which names the family file and the page in `docs/commands/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Generic,
    String,
    List,
    Set,
    SortedSet,
    Hash,
    Stream,
    Array,
    Bitmap,
    Hyperloglog,
    Geo,
    Pubsub,
    Transactions,
    Scripting,
    Connection,
    Server,
    Cluster,
}

impl Group {
    /// As COMMAND DOCS prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::String => "string",
            Self::List => "list",
            Self::Set => "set",
            Self::SortedSet => "sorted-set",
            Self::Hash => "hash",
            Self::Stream => "stream",
            Self::Array => "array",
            Self::Bitmap => "bitmap",
            Self::Hyperloglog => "hyperloglog",
            Self::Geo => "geo",
            Self::Pubsub => "pubsub",
            Self::Transactions => "transactions",
            Self::Scripting => "scripting",
            Self::Connection => "connection",
            Self::Server => "server",
            Self::Cluster => "cluster",
        }
    }
}

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:expr, $word:expr;)*) => {
        impl Flags {
            $($(#[$doc])* pub const $name: Self = Self(1 << $bit);)*
            const WORDS: &'static [(Self, &'static str)] = &[$((Self::$name, $word),)*];
        }
    };
}

/// Properties of a command. Those with a word show in COMMAND INFO.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Flags(pub u64);

flags! {
    /// May change data.
    WRITE = 0, "write";
    /// Reads keys and never changes data.
    READONLY = 1, "readonly";
    /// May grow memory: refused when out of it.
    DENYOOM = 2, "denyoom";
    ADMIN = 3, "admin";
    PUBSUB = 4, "pubsub";
    NOSCRIPT = 5, "noscript";
    BLOCKING = 6, "blocking";
    LOADING = 7, "loading";
    STALE = 8, "stale";
    SKIP_MONITOR = 9, "skip_monitor";
    SKIP_SLOWLOG = 10, "skip_slowlog";
    ASKING = 11, "asking";
    /// Constant or logarithmic time.
    FAST = 12, "fast";
    NO_AUTH = 13, "no_auth";
    MAY_REPLICATE = 14, "";
    NO_MANDATORY_KEYS = 15, "no_mandatory_keys";
    PROTECTED = 16, "";
    NO_ASYNC_LOADING = 17, "no_async_loading";
    NO_MULTI = 18, "no_multi";
    ALLOW_BUSY = 19, "allow_busy";
    MODULE = 20, "module";
    /// The key specifications do not find all keys.
    MOVABLE_KEYS = 21, "movablekeys";
    /// ACL category @dangerous besides what the flags imply.
    DANGEROUS = 32, "";
    /// ACL category @keyspace.
    KEYSPACE = 33, "";
    /// ACL category @admin, without the limits that ADMIN stands for.
    IN_ADMIN = 35, "";
    /// ACL category @connection though documented in another group.
    IN_CONNECTION = 36, "";
    /// ACL categories @list, @set and @sortedset, though documented in another group.
    IN_SORTABLE = 45, "";
    /// May be sent by a RESP2 client that is subscribed.
    WHILE_SUBSCRIBED = 38, "";
    /// For operators of the system: COMMAND DOCS marks it `syscmd`.
    SYSCMD = 37, "";
    /// Runs at once after MULTI, too.
    UNQUEUED = 40, "";
    /// Not told to clients: COMMAND does not list it.
    SENTINEL_ONLY = 34, "";
}

impl Flags {
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

    /// The words of COMMAND INFO.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        Self::WORDS
            .iter()
            .filter(move |(flag, word)| !word.is_empty() && self.has(*flag))
            .map(|(_, w)| *w)
    }
}

/// A row of the command table.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// In upper case; of a subcommand only its own word.
    pub name: &'static str,
    pub place: Place,
    pub handler: Handler,
    pub locks: Locks,
    pub group: Group,
    pub since: Version,
    /// Number of words with the name; negative: at least so many.
    pub arity: i16,
    pub flags: Flags,
    pub keys: &'static [KeySpec],
    pub args: &'static [Argument],
    pub summary: &'static str,
    pub complexity: &'static str,
    /// Pairs of version and what changed in it.
    pub history: &'static [(Version, &'static str)],
    /// Hints for clients and proxies (COMMAND INFO, field 7).
    pub tips: &'static [&'static str],
    /// Since when there is something better, and what.
    pub deprecated: Option<(Version, &'static str)>,
    pub subcommands: &'static [Command],
    /// Which words of a request are secret, if any.
    pub secrets: Option<Secrets>,
}

impl Command {
    /// A command that works on its keys.
    pub const fn data(name: &'static str, handler: Handler) -> Self {
        Self::new(name, Place::Data, handler)
    }

    /// A command that walks the keyspace.
    pub const fn walk(name: &'static str, handler: Handler) -> Self {
        Self::new(name, Place::Walk, handler)
    }

    /// A command of the connection.
    pub const fn conn(name: &'static str, handler: Handler) -> Self {
        Self::new(name, Place::Conn, handler)
    }

    /// A command of the node.
    pub const fn node(name: &'static str, handler: Handler) -> Self {
        Self::new(name, Place::Node, handler)
    }

    /// The command that runs what is queued. The engine is its handler.
    pub const fn exec(name: &'static str) -> Self {
        Self::new(name, Place::Exec, Self::never)
    }

    /// A command that runs a script.
    pub const fn script(name: &'static str, call: ScriptCall) -> Self {
        Self::new(name, Place::Script(call), Self::never)
    }

    /// A command that only has subcommands.
    pub const fn container(name: &'static str, subcommands: &'static [Command]) -> Self {
        let mut row = Self::new(name, Place::Container, Self::never);
        row.subcommands = subcommands;
        row.arity = -2;
        row
    }

    const fn new(name: &'static str, place: Place, handler: Handler) -> Self {
        Self {
            name,
            place,
            handler,
            locks: Locks::Keys,
            group: Group::Server,
            since: "1.0.0",
            arity: 1,
            flags: Flags::NONE,
            keys: &[],
            args: &[],
            summary: "",
            complexity: "",
            history: &[],
            tips: &[],
            deprecated: None,
            subcommands: &[],
            secrets: None,
        }
    }

    /// The engine answers for a container that is called without a subcommand of its own.
    fn never(_: &mut Cx<'_>, _: &mut Args<'_>, _: &mut Reply) -> Outcome {
        Err(crate::CommandError::Syntax)
    }

    #[must_use]
    pub const fn group(mut self, group: Group) -> Self {
        self.group = group;
        self
    }

    #[must_use]
    pub const fn since(mut self, version: Version) -> Self {
        self.since = version;
        self
    }

    #[must_use]
    pub const fn arity(mut self, arity: i16) -> Self {
        self.arity = arity;
        self
    }

    #[must_use]
    pub const fn flags(mut self, flags: Flags) -> Self {
        self.flags = flags;
        self
    }

    #[must_use]
    pub const fn locks(mut self, locks: Locks) -> Self {
        self.locks = locks;
        self
    }

    #[must_use]
    pub const fn keys(mut self, keys: &'static [KeySpec]) -> Self {
        self.keys = keys;
        self
    }

    #[must_use]
    pub const fn args(mut self, args: &'static [Argument]) -> Self {
        self.args = args;
        self
    }

    #[must_use]
    pub const fn summary(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    #[must_use]
    pub const fn complexity(mut self, complexity: &'static str) -> Self {
        self.complexity = complexity;
        self
    }

    #[must_use]
    pub const fn history(mut self, history: &'static [(Version, &'static str)]) -> Self {
        self.history = history;
        self
    }

    #[must_use]
    pub const fn tips(mut self, tips: &'static [&'static str]) -> Self {
        self.tips = tips;
        self
    }

    #[must_use]
    pub const fn deprecated(mut self, since: Version, instead: &'static str) -> Self {
        self.deprecated = Some((since, instead));
        self
    }

    /// For commands that are callable themselves and have subcommands too.
    #[must_use]
    pub const fn subcommands(mut self, subcommands: &'static [Command]) -> Self {
        self.subcommands = subcommands;
        self
    }

    /// Names the words that logs leave out.
    #[must_use]
    pub const fn secrets(mut self, secrets: Secrets) -> Self {
        self.secrets = Some(secrets);
        self
    }

    /// Whether a request of `words` words fits.
    pub const fn arity_fits(&self, words: usize) -> bool {
        let least = self.arity.unsigned_abs() as usize;
        if self.arity >= 0 { words == least } else { words >= least }
    }
}
