//! The list. A file per theme; here they become one, and names become ids.
//!
//! Defaults. Where Redis 8.0 and Valkey 8.1 differ the newer behavior that clients can rely on is
//! taken, and where our limits say otherwise the row's summary says so. A comment stands beside
//! each such row.

mod cluster;
mod data;
mod general;
mod memory;
mod network;
mod observation;
mod persistence;
mod replication;
mod security;
mod testing;

use std::sync::LazyLock;

use crate::param::{Effect, Param, ParamId, Theme};

/// The themes with their rows, and for a part of the server that does not exist yet why its
/// parameters have no effect: replace that by `None` when the part is there.
const THEMES: &[(Theme, &[Param], Option<&'static str>)] = &[
    (Theme::General, general::PARAMS, None),
    (Theme::Network, network::PARAMS, None),
    (Theme::Security, security::PARAMS, None),
    (Theme::Tls, security::TLS_PARAMS, Some("there is no TLS yet")),
    (Theme::Memory, memory::PARAMS, None),
    (Theme::Data, data::PARAMS, None),
    (Theme::Persistence, persistence::PARAMS, None),
    (Theme::Replication, replication::PARAMS, Some("there is no replication yet")),
    (Theme::Cluster, cluster::PARAMS, Some("there is no cluster mode yet")),
    (Theme::Observation, observation::PARAMS, None),
    (Theme::Testing, testing::PARAMS, None),
];

/// Rows of a missing part that have an effect all the same.
const BUILT: &[&str] = &[
    "availability-zone",
    "import-mode",
    "min-replicas-max-lag",
    "min-replicas-to-write",
    "repl-backlog-size",
    "repl-backlog-ttl",
    "repl-ping-replica-period",
    "repl-timeout",
];

const NO_ACL: &str = "there is one user yet, and no access control lists";
const NO_REPLICAS: &str = "there are no replicas yet";
const OWN_SNAPSHOT: &str =
    "each replica is sent a snapshot of its own, as soon as no other is made";
const NOT_PINNED: &str = "threads are not pinned to processors";

/// Single rows that have no effect yet, and why. Take a row out when its effect is there.
const UNBUILT: &[(&str, &str)] = &[
    ("acl-pubsub-default", NO_ACL),
    ("aclfile", NO_ACL),
    ("acllog-max-len", NO_ACL),
    ("bind-source-addr", "the server opens no connections yet"),
    ("bio-cpulist", NOT_PINNED),
    ("client-default-resp", "a connection begins with RESP2"),
    ("debug-context", "crash reports do not repeat it yet"),
    ("enable-debug-assert", "debug builds check invariants, others do not"),
    ("ignore-warnings", "no warning about the system stops the start"),
    ("key-memory-histograms", "the distributions are not kept yet"),
    ("latency-monitor-threshold", "latency events are not recorded yet"),
    ("loading-process-events-interval-bytes", "clients are looked after while others load"),
    ("lua-enable-deprecated-api", "scripts get no functions of older versions"),
    ("max-new-connections-per-cycle", "new connections are taken between the turns of others"),
    ("max-new-tls-connections-per-cycle", "there is no TLS yet"),
    ("propagation-error-behavior", "what fails while a log is loaded is told, and ends nothing"),
    ("rdb-del-sync-files", OWN_SNAPSHOT),
    ("repl-diskless-sync", OWN_SNAPSHOT),
    ("repl-diskless-sync-delay", OWN_SNAPSHOT),
    ("repl-diskless-sync-max-replicas", OWN_SNAPSHOT),
    ("sentinel", "there is no Sentinel yet"),
    ("server-cpulist", NOT_PINNED),
    ("shutdown-timeout", NO_REPLICAS),
    ("socket-mark-id", "packets are not marked"),
    ("user", NO_ACL),
];

/// Both lists name rows that exist.
const _: () = {
    let mut at = 0;
    while at < UNBUILT.len() {
        id(UNBUILT[at].0);
        at += 1;
    }
    let mut at = 0;
    while at < BUILT.len() {
        id(BUILT[at]);
        at += 1;
    }
};

/// Why the row of this name has no effect yet, beside what the row itself says.
const fn missing(name: &str, theme: Option<&'static str>) -> Option<&'static str> {
    let mut at = 0;
    while at < BUILT.len() {
        if same(BUILT[at].as_bytes(), name.as_bytes()) {
            return None;
        }
        at += 1;
    }
    let mut at = 0;
    while at < UNBUILT.len() {
        if same(UNBUILT[at].0.as_bytes(), name.as_bytes()) {
            return Some(UNBUILT[at].1);
        }
        at += 1;
    }
    theme
}

const COUNT: usize = {
    let mut count = 0;
    let mut theme = 0;
    while theme < THEMES.len() {
        count += THEMES[theme].1.len();
        theme += 1;
    }
    count
};

/// Every parameter and every directive of files, by theme.
pub static PARAMS: [Param; COUNT] = joined();

const fn joined() -> [Param; COUNT] {
    let mut all = [general::PARAMS[0]; COUNT];
    let mut at = 0;
    let mut theme = 0;
    while theme < THEMES.len() {
        let (name, rows, why_theme) = THEMES[theme];
        let mut row = 0;
        while row < rows.len() {
            all[at] = rows[row].under(name);
            let why = missing(all[at].name, why_theme);
            if let (Effect::Applies, Some(why)) = (all[at].effect, why) {
                all[at].effect = Effect::None(why);
            }
            at += 1;
            row += 1;
        }
        theme += 1;
    }
    all
}

/// Directives of older versions that are accepted with one argument and do nothing.
pub const DEPRECATED: &[&str] = &[
    "io-threads-do-reads",
    "list-max-ziplist-entries",
    "list-max-ziplist-value",
    "lua-replicate-commands",
];

/// The id of a parameter by its primary name, for constants: `const PORT: ParamId =
/// config::id("port");`.
///
/// # Panics
/// When there is no such parameter, which in a constant is a compile error.
pub const fn id(name: &str) -> ParamId {
    let mut at = 0;
    while at < COUNT {
        if same(PARAMS[at].name.as_bytes(), name.as_bytes()) {
            #[expect(clippy::cast_possible_truncation, reason = "COUNT is some hundreds")]
            return ParamId(at as u16);
        }
        at += 1;
    }
    panic!("no parameter of this name");
}

const fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut at = 0;
    while at < left.len() {
        if left[at] != right[at] {
            return false;
        }
        at += 1;
    }
    true
}

/// Every name, primary or not, sorted.
pub(crate) static NAMES: LazyLock<Vec<(&'static str, ParamId)>> = LazyLock::new(|| {
    let mut names: Vec<(&'static str, ParamId)> = Vec::new();
    for id in ParamId::all() {
        names.push((id.param().name, id));
        names.extend(id.param().aliases.iter().map(|alias| (*alias, id)));
    }
    names.sort_unstable_by_key(|(name, _)| *name);
    names
});

/// Finds a parameter by any of its names, in any case; gives the name in lower case with it.
pub fn lookup(name: &[u8]) -> Option<(&'static str, ParamId)> {
    let lower = name.to_ascii_lowercase();
    let at = NAMES.binary_search_by(|(known, _)| known.as_bytes().cmp(&lower)).ok()?;
    NAMES.get(at).copied()
}
