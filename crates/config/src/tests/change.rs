//! CONFIG GET and SET.

use super::{get, glob, set, started};
use crate::{Caller, Config, Limit, SetError, Value, events, id, is_sensitive};

/// What both peers answered, value by value.
#[test]
fn values_are_taken_and_refused_as_the_peers_do() {
    let mut count = 0;
    for line in include_str!("golden_set.txt").lines().filter(|line| !line.starts_with('#')) {
        let mut parts = line.split('\t');
        let (name, expected) = (parts.next().unwrap(), parts.next().unwrap());
        for value in parts {
            let mut config = started("client-output-buffer-limit normal 0 0 0");
            let outcome = match set(&mut config, &[name, value]) {
                Ok(_) => format!("= {}", get(&config, name)),
                Err(SetError::Failed { reason, .. }) => format!("! {reason}"),
                Err(other) => panic!("{other}"),
            };
            assert_eq!(outcome, *expected, "{name} {value:?}");
            count += 1;
        }
    }
    assert!(count > 500);
}

fn error(config: &mut Config, args: &[&str]) -> String {
    set(config, args).unwrap_err().to_string()
}

#[test]
fn errors_are_worded_as_redis_words_them() {
    let mut config = Config::new();
    // `@name: reason` stands for the words that go before most reasons.
    let cases: &[(&[&str], &str)] = &[
        (&["maxmemory", "1", "foo"], "syntax error"),
        (&["foo", "1"], "Unknown option or number of arguments for CONFIG SET - 'foo'"),
        (&["hz", "1", "FOO", "1"], "Unknown option or number of arguments for CONFIG SET - 'FOO'"),
        (&["user", "a"], "Unknown option or number of arguments for CONFIG SET - 'user'"),
        (&["Databases", "5"], "@Databases: can't set immutable config"),
        (&["dbfilename", "x.rdb"], "@dbfilename: can't set protected config"),
        (&["maxmemory", "1", "MAXMEMORY", "2"], "@MAXMEMORY: duplicate parameter"),
        (&["replica-priority", "1", "slave-priority", "2"], "@slave-priority: duplicate parameter"),
        (&["SLAVE-priority", "x"], "@slave-priority: argument couldn't be parsed into an integer"),
        // The first mistake in the order of the arguments is told, names before values.
        (&["hz", "x", "databases", "5", "nonesuch", "1"], "@databases: can't set immutable config"),
        (
            &["bind", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17"],
            "@bind: Too many bind addresses specified.",
        ),
        (&["shards", "3"], "@shards: can't set immutable config"),
    ];
    for (args, expected) in cases {
        let expected = match expected.strip_prefix('@').and_then(|rest| rest.split_once(": ")) {
            Some((name, reason)) => {
                format!("CONFIG SET failed (possibly related to argument '{name}') - {reason}")
            }
            None => (*expected).to_string(),
        };
        assert_eq!(error(&mut config, args), expected);
    }
    assert_eq!(config.generation(), 0);
}

#[test]
fn all_is_set_or_nothing() {
    let mut config = Config::new();
    let before = config.get(&[b"*"], glob);
    error(&mut config, &["maxmemory", "10000001", "maxmemory-clients", "200%", "hz", "20"]);
    assert!(config.get(&[b"*"], glob) == before);
    let changed = set(&mut config, &["maxmemory", "1mb", "hz", "10", "timeout", "7"]).unwrap();
    assert_eq!(changed, [id("maxmemory"), id("timeout")]);
    assert_eq!((config.uint(id("maxmemory")), config.int(id("timeout"))), (1 << 20, 7));
}

#[test]
fn what_cannot_be_applied_is_taken_back() {
    let mut config = Config::new();
    let mut calls = Vec::new();
    let args: &[&[u8]] = &[b"maxmemory", b"5", b"port", b"1", b"hz", b"20"];
    let failed = config.set(args, Caller::default(), &mut |config, param| {
        calls.push((param, config.uint(param)));
        if param == id("port") && config.int(param) == 1 {
            Err("Unable to listen".into())
        } else {
            Ok(())
        }
    });
    assert_eq!(
        failed.unwrap_err().to_string(),
        "CONFIG SET failed (possibly related to argument 'port') - Unable to listen"
    );
    let (maxmemory, port) = (id("maxmemory"), id("port"));
    assert_eq!(calls, [(maxmemory, 5), (port, 1), (maxmemory, 0), (port, 6379)]);
    assert_eq!((config.uint(maxmemory), config.uint(port), config.uint(id("hz"))), (0, 6379, 10));
    // Who saw the values in between must look again.
    assert!(config.generation() > 0);
}

#[test]
fn the_hook_may_settle_a_value() {
    let mut config = started("enable-protected-configs yes");
    let caller = Caller::default();
    let changed = config.set(&[b"dir", b"data"], caller, &mut |config, param| {
        config.replace(param, Value::Text(b"/srv/data".to_vec()));
        Ok(())
    });
    assert_eq!(changed, Ok(vec![id("dir")]));
    assert_eq!(get(&config, "dir"), "/srv/data");
}

#[test]
fn callers_differ() {
    let set = |text: &str, caller: Caller, args: &[&[u8]]| {
        started(text).set(args, caller, &mut |_, _| Ok(())).map(|_| ())
    };
    let (local, remote) = (Caller { local: true, loading: false }, Caller::default());
    let name: &[&[u8]] = &[b"dbfilename", b"x.rdb"];
    assert!(set("", local, name).is_err());
    assert!(set("enable-protected-configs local", remote, name).is_err());
    assert_eq!(set("enable-protected-configs local", local, name), Ok(()));
    assert_eq!(set("enable-protected-configs yes", remote, name), Ok(()));
    let loading = Caller { local: true, loading: true };
    let load: &[&[u8]] = &[b"hz", b"5", b"repl-diskless-load", b"swapdb"];
    assert_eq!(set("", loading, load), Err(SetError::Loading));
    assert_eq!(set("", remote, load), Ok(()));
    assert!(is_sensitive(b"RequirePass") && is_sensitive(b"primaryauth") && !is_sensitive(b"hz"));
}

#[test]
fn certificates_are_read_again() {
    let mut config = started("tls-cert-file a.pem\ntls-ciphers x");
    let args = ["tls-cert-file", "a.pem", "tls-ciphers", "x"];
    assert_eq!(set(&mut config, &args), Ok(vec![id("tls-cert-file")]));
}

#[test]
fn names_are_answered_as_asked() {
    let config = Config::new();
    let asked = |patterns: &[&str]| -> Vec<String> {
        let patterns: Vec<&[u8]> = patterns.iter().map(|pattern| pattern.as_bytes()).collect();
        let found = config.get(&patterns, glob);
        found.into_iter().map(|(name, _)| String::from_utf8(name).unwrap()).collect()
    };
    assert_eq!(asked(&["MAXMEMORY", "maxmemory", "maxmemory"]), ["MAXMEMORY", "maxmemory"]);
    assert_eq!(
        asked(&["MAXM*ory", "slave-priority", "*slowlog-max-len", "nonesuch"]),
        ["maxmemory", "slave-priority", "slowlog-max-len"]
    );
    assert_eq!(asked(&["slave-p*", "replica-p*"]), ["slave-priority", "replica-priority"]);
    assert!(asked(&[]).is_empty());
}

#[test]
fn typed_reads() {
    let config = started(
        "maxmemory 18446744073709551615\nmaxmemory-clients 7%\nsave 60 1000\nbind 127.0.0.1 ::1\n\
         appendfsync always\nnotify-keyspace-events Kg$\noom-score-adj relative\n\
         unixsocketperm 770\n\
         replicaof primary 6380\nrequirepass \"\\xff\"\nuser a on\nuser b off\nlog-format text\n\
         latency-tracking-info-percentiles 50 99.99\nclient-output-buffer-limit pubsub 1k 2k 3",
    );
    assert_eq!(config.uint(id("maxmemory")), u64::MAX);
    assert_eq!(config.int(id("maxmemory")), i64::MAX);
    assert_eq!(config.limit(id("maxmemory-clients")), Limit::Percent(7));
    assert_eq!(config.limit(id("maxmemory")), Limit::Bytes(u64::MAX));
    assert_eq!(config.save_points()[0].seconds, 60);
    assert_eq!(config.words(id("bind")), [b"127.0.0.1".to_vec(), b"::1".to_vec()]);
    assert_eq!(config.word(id("appendfsync")), "always");
    assert_eq!(config.word(id("oom-score-adj")), "yes");
    assert_eq!(config.word(id("log-format")), "legacy");
    assert_eq!(
        config.bits(id("notify-keyspace-events")),
        events::KEYSPACE | events::GENERIC | events::STRING
    );
    assert_eq!(config.int(id("unixsocketperm")), 0o770);
    assert_eq!(get(&config, "unixsocketperm"), "770");
    assert_eq!(config.primary(), Some((&b"primary"[..], 6380)));
    assert_eq!(get(&config, "slaveof"), "primary 6380");
    assert_eq!(config.bytes(id("requirepass")), [0xff]);
    assert_eq!(config.lines(id("user")).len(), 2);
    assert_eq!(config.output_limits()[2].soft_bytes, 2000);
    assert_eq!(config.output_limits()[1].hard_bytes, 256 << 20);
    assert_eq!(config.percentiles(), [50.0, 99.99]);
    assert_eq!(config.oom_scores(), [0, 200, 800]);
    assert!(config.yes(id("protected-mode")));
    assert_eq!(config.text(id("dbfilename")), "dump.rdb");
    assert!(!format!("{config:?} {:?}", config.lines(id("user"))).contains("requirepass"));
}
