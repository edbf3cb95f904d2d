//! Configuration files, includes, and starts.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;

use super::{Random, get, glob, refused, started};
use crate::{Config, Directive, Files, Invocation, Origin, expand, parse_arguments, parse_file};

#[test]
fn later_lines_win_and_some_add_up() {
    let config = started(
        "# comment\n\n  MAXMEMORY 1mb \r\nmaxmemory 2mb\nsave 900 1\nsave 300 10 60 5\n\
         slave-priority \"5\"\nbind \"127.0.0.1 ::1\"\nclient-output-buffer-limit normal 1 2 3\n\
         client-output-buffer-limit slave 4 5 6\nlist-max-ziplist-entries 7\n\
         io-threads-do-reads yes",
    );
    assert_eq!(get(&config, "maxmemory"), "2097152");
    assert_eq!(get(&config, "save"), "900 1 300 10 60 5");
    assert_eq!(get(&config, "replica-priority"), "5");
    assert_eq!(get(&config, "bind"), "127.0.0.1 ::1");
    assert_eq!(
        get(&config, "client-output-buffer-limit"),
        "normal 1 2 3 slave 4 5 6 pubsub 33554432 8388608 60"
    );
    assert_eq!(get(&started("save 1 1\nsave \"\"\nsave 2 2"), "save"), "2 2");
    assert_eq!(get(&started("save"), "save"), "");
    assert_eq!(get(&started("bind \"\""), "bind"), "");
    assert_eq!(get(&started("save ''\nlogfile ''"), "save"), "");
}

#[test]
fn mistakes_are_reported_with_file_and_line() {
    let cases = [
        (
            "port 1\n\nbogus 1\n",
            "at line 3\nIn test.conf\n>>> 'bogus 1'\nBad directive or wrong number of arguments\n",
        ),
        (
            "bogus",
            "at line 1\nIn test.conf\n>>> 'bogus'\nBad directive or wrong number of arguments\n",
        ),
        ("maxmemory \"5", ">>> 'maxmemory \"5'\nUnbalanced quotes in configuration line\n"),
        ("maxmemory 1 2", "wrong number of arguments\n"),
        ("maxmemory", "wrong number of arguments\n"),
        ("maxmemory x", "argument must be a memory value\n"),
        ("port 65536", "argument must be between 0 and 65535 inclusive\n"),
        ("unixsocketperm 888", "argument couldn't be parsed as an octal number\n"),
        ("unixsocketperm 1777", "argument must be between 0 and 777 inclusive\n"),
        ("include", "Bad directive or wrong number of arguments\n"),
        ("rename-command a", "Bad directive or wrong number of arguments\n"),
        ("shards 12", "argument must be a power of two\n"),
        ("list-max-ziplist-value 1 2", "Bad directive or wrong number of arguments\n"),
        (
            "\nrequirepass secret x",
            "at line 2\nIn test.conf\n>>> 'requirepass (redacted)'\nwrong number of arguments\n",
        ),
        ("masterauth \"secret", ">>> 'masterauth (redacted)'\nUnbalanced quotes"),
        (
            "cluster-enabled yes\nreplicaof a 1",
            ">>> 'replicaof a 1'\nreplicaof directive not allowed in cluster mode\n",
        ),
        ("cluster-announce-client-ipv4 1.2.3", "Invalid IPv4 address\n"),
        ("cluster-announce-client-ipv6 1.2.3.4", "Invalid IPv6 address\n"),
        ("appendfilename a/b", "appendfilename can't be a path, just a filename\n"),
        ("appenddirname \"\"", "appenddirname can't be empty\n"),
    ];
    for (text, expected) in cases {
        let report = refused(text);
        assert!(
            report.starts_with("\n*** FATAL CONFIG FILE ERROR (Redis 8.0.2) ***\n"),
            "{report}"
        );
        assert!(report.ends_with(expected) || report.contains(expected), "{report}");
        assert!(!report.contains("secret"));
    }
}

#[test]
fn cluster_mode_has_its_own_number_of_databases() {
    assert_eq!(get(&started("cluster-enabled yes"), "databases"), "1");
    assert_eq!(get(&started("cluster-databases 4\ncluster-enabled yes"), "databases"), "4");
    assert_eq!(get(&started("cluster-databases 4"), "databases"), "16");
}

#[test]
fn what_has_no_effect_is_remarked() {
    let load = |text: &str| {
        let mut config = Config::new();
        let remarks =
            config.load(&parse_file(text.as_bytes(), "a", Origin::File).unwrap()).unwrap();
        (config, remarks)
    };
    let (config, remarks) =
        load("activedefrag yes\nactiverehashing yes\nkey-memory-histograms yes\nrdma-port 5");
    assert_eq!(remarks.len(), 3);
    assert!(remarks[0].starts_with("'activedefrag' has no effect: "), "{remarks:?}");
    assert_eq!(get(&config, "activedefrag"), "no");
    assert_eq!(get(&config, "rdma-port"), "5");
}

/// Files in memory.
#[derive(Default)]
struct Memory(BTreeMap<&'static str, String>);

impl Files for Memory {
    fn read(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let text = self.0.get(path.to_str().unwrap());
        Ok(text.ok_or(io::ErrorKind::NotFound)?.clone().into_bytes())
    }

    fn names(&mut self, dir: &Path) -> Vec<OsString> {
        let inside = |path: &&str| {
            let rest = match dir.to_str().unwrap() {
                "." => *path,
                dir => path.strip_prefix(dir)?.strip_prefix('/')?,
            };
            Some(OsString::from(rest.split('/').next()?))
        };
        let mut names: Vec<OsString> = self.0.keys().filter_map(inside).collect();
        names.dedup();
        names
    }
}

fn included(files: &[(&'static str, &str)]) -> Result<Vec<Directive>, String> {
    let mut memory = Memory::default();
    memory.0.extend(files.iter().map(|(name, text)| (*name, (*text).to_string())));
    let main = parse_file(memory.0["main"].as_bytes(), "main", Origin::File).unwrap();
    expand(main, &mut memory, glob).map_err(|error| error.report("Redis 8.0.2"))
}

fn names(directives: &[Directive]) -> Vec<&str> {
    directives.iter().map(|directive| directive.name.as_str()).collect()
}

#[test]
fn includes_stand_where_they_are_named() {
    let directives = included(&[
        (
            "main",
            "a 1\ninclude sub/one.conf\nb 1\ninclude \"conf.d/*.conf\"\ninclude none*.conf\nc 1",
        ),
        ("sub/one.conf", "d 1\ninclude conf.d/2.conf\ne 1"),
        ("conf.d/1.conf", "f 1"),
        ("conf.d/2.conf", "g 1"),
        ("conf.d/.hidden.conf", "h 1"),
        ("conf.d/3.txt", "i 1"),
    ])
    .unwrap();
    assert_eq!(names(&directives), ["a", "d", "g", "e", "b", "f", "g", "c"]);
    assert_eq!(directives[1].place.origin, Origin::Include);
    assert_eq!(&*directives[2].place.file, "conf.d/2.conf");
}

#[test]
fn patterns_reach_into_directories() {
    let directives = included(&[
        ("main", "include /etc/*/x?.conf"),
        ("/etc/b/x1.conf", "b 1"),
        ("/etc/a/x2.conf", "a 1"),
        ("/etc/a/y.conf", "y 1"),
    ])
    .unwrap();
    assert_eq!(names(&directives), ["a", "b"]);
}

#[test]
fn includes_that_cannot_end_well() {
    let missing = included(&[("main", "a 1\ninclude nope.conf")]).unwrap_err();
    assert!(
        missing.contains("at line 2\nIn main\n>>> 'include nope.conf'\nFatal error, can't open")
    );
    let itself = included(&[("main", "include main")]).unwrap_err();
    assert!(itself.contains("'main' includes itself"), "{itself}");
    let circle = included(&[("main", "include a"), ("a", "include b"), ("b", "x 1\ninclude a")]);
    let circle = circle.unwrap_err();
    assert!(circle.contains("at line 2\nIn b\n>>> 'include a'\n'a' includes itself"), "{circle}");
    let bad = included(&[("main", "include a"), ("a", "ok 1\nbad \"")]).unwrap_err();
    assert!(bad.contains("at line 2\nIn a\n>>> 'bad \"'\nUnbalanced"), "{bad}");
    // Each file includes the next twice: refused before it doubles out of hand.
    let mut files = vec![("main", "include f0")];
    for (name, text) in [
        ("f0", "include f1\ninclude f1"),
        ("f1", "include f2\ninclude f2"),
        ("f2", "include f3\ninclude f3"),
        ("f3", "include f4\ninclude f4"),
        ("f4", "include f5\ninclude f5"),
        ("f5", "include f6\ninclude f6"),
        ("f6", "include f7\ninclude f7"),
        ("f7", "include f8\ninclude f8"),
        ("f8", "include f9\ninclude f9"),
        ("f9", "include fa\ninclude fa"),
        ("fa", "x 1"),
    ] {
        files.push((name, text));
    }
    assert!(included(&files).unwrap_err().contains("Too many included files"));
}

#[test]
fn a_start_reads_file_then_input_then_options() {
    let mut memory = Memory::default();
    memory.0.insert("main", "hz 1\nsave 1 1\ninclude more\ntimeout 1".into());
    memory.0.insert("more", "port 1\nmaxmemory 1".into());
    let args = ["main", "--hz", "3", "--save", "3 3", "-"].map(|arg| arg.as_bytes().to_vec());
    let Ok(Invocation::Serve(startup)) = parse_arguments(&args) else { panic!("no start") };
    let directives = startup.directives(b"hz 2\ntimeout 2\nsave 2 2", &mut memory, glob).unwrap();
    let mut config = Config::new();
    config.load(&directives).unwrap();
    let values = ["hz", "timeout", "port", "save"].map(|name| get(&config, name));
    assert_eq!(values, ["3", "2", "1", "1 1 2 2 3 3"]);
    memory.0.remove("main");
    let report = startup.directives(b"", &mut memory, glob).unwrap_err().report("Redis 8.0.2");
    assert!(report.contains("FATAL CONFIG FILE ERROR"), "{report}");
    assert!(report.contains("can't open config file 'main': "), "{report}");
}

/// Likely pieces of a configuration, split at bars.
const PIECES: &[u8] =
    b"save|maxmemory|bind|\"|'|\\x4|\\|\n|\r\n| |\t|#|1|-1|10%|99999999999999999999gb|\
    client-output-buffer-limit|normal|user|include|replicaof|no|one|yes|{|proc-title-template|\
    notify-keyspace-events|hz|rename-command|latency-tracking-info-percentiles|1e999|\
    oom-score-adj-values|*|\0|\xc3\xa9|sentinel";

/// Text made of likely pieces and of noise is parsed or refused, and nothing worse.
#[test]
fn no_text_makes_it_panic() {
    let pieces: Vec<&[u8]> = PIECES.split(|byte| *byte == b'|').collect();
    let mut random = Random(42);
    let mut loaded = 0;
    for round in 0..20_000 {
        let mut text = Vec::new();
        for _ in 0..random.below(12) {
            match random.below(8) {
                0 => text.push(random.next().to_le_bytes()[0]),
                1 => text.push(b' '),
                _ => text.extend(*random.pick(&pieces)),
            }
            if random.below(3) > 0 {
                text.push(b' ');
            }
        }
        let mut config = Config::new();
        if let Ok(directives) = parse_file(&text, "fuzz", Origin::File)
            && config.load(&directives).is_ok()
        {
            loaded += 1;
            let _answers = config.get(&[b"*"], glob);
        }
        let args: Vec<&[u8]> = text.split(|byte| *byte == b' ').collect();
        let set = config.set(&args, crate::Caller::default(), &mut |_, _| Ok(()));
        if let Err(error) = set {
            assert!(!error.message().is_empty(), "round {round}");
        }
        let owned: Vec<Vec<u8>> = args.iter().map(|arg| arg.to_vec()).collect();
        if let Err(error) = parse_arguments(&owned) {
            assert!(error.report("x").contains("FATAL CONFIG FILE ERROR"));
        }
    }
    assert!(loaded > 1000, "{loaded}");
}
