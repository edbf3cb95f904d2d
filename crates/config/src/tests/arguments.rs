//! Quoting, amounts of memory, the command line.

use super::{Random, get};
use crate::{
    Config, Invocation, Startup, format_memory, parse_arguments, parse_memory, quote, split_args,
};

fn words(line: &str) -> Option<Vec<String>> {
    let words = split_args(line.as_bytes())?;
    Some(words.into_iter().map(|word| String::from_utf8_lossy(&word).into_owned()).collect())
}

#[test]
fn lines_split_as_redis_splits_them() {
    let cases: &[(&str, &[&str])] = &[
        ("", &[]),
        ("  \t ", &[]),
        ("a b  c", &["a", "b", "c"]),
        (r#"a "b c" d"#, &["a", "b c", "d"]),
        (r#"a "" ''"#, &["a", "", ""]),
        (r#""\n\r\t\b\a\x41\q\\""#, &["\n\r\t\u{8}\u{7}Aq\\"]),
        (r#""\x4" "\xzz""#, &["x4", "xzz"]),
        (r"'a\n\'b'", &[r"a\n'b"]),
        (r#"a"b c" d"#, &["ab c", "d"]),
        (r"back\slash \x41", &[r"back\slash", r"\x41"]),
        ("a\u{b}b \u{b}c", &["a\u{b}b", "c"]),
        ("# no comment here", &["#", "no", "comment", "here"]),
    ];
    for (line, expected) in cases {
        assert_eq!(words(line).as_deref(), Some(expected.map_to_strings().as_slice()), "{line:?}");
    }
    for line in [r#"""#, r#"a "b"#, r#""a"b"#, "'a", "'a'b", r#"a"b"c"#, r#""a\"#, r#"""""#] {
        assert_eq!(words(line), None, "{line:?}");
    }
}

trait MapToStrings {
    fn map_to_strings(&self) -> Vec<String>;
}

impl MapToStrings for &[&str] {
    fn map_to_strings(&self) -> Vec<String> {
        self.iter().map(ToString::to_string).collect()
    }
}

#[test]
fn every_byte_survives_quoting() {
    let all: Vec<u8> = (0..=255).collect();
    let mut random = Random(7);
    let mut texts = vec![Vec::new(), all.clone()];
    for _ in 0..200 {
        texts.push((0..random.below(40)).map(|_| *random.pick(&all)).collect());
    }
    for text in texts {
        let mut quoted = Vec::new();
        quote(&text, &mut quoted);
        assert!(quoted.iter().all(|byte| (b' '..=b'~').contains(byte)));
        assert_eq!(split_args(&quoted), Some(vec![text]));
    }
}

#[test]
fn memory_is_read_and_written() {
    let cases: &[(&str, Option<u64>)] = &[
        ("0", Some(0)),
        ("", Some(0)),
        ("1k", Some(1000)),
        ("1K", Some(1000)),
        ("1kb", Some(1024)),
        ("1Kb", Some(1024)),
        ("2m", Some(2_000_000)),
        ("2MB", Some(2 << 20)),
        ("3g", Some(3_000_000_000)),
        ("3gB", Some(3 << 30)),
        ("7b", Some(7)),
        ("18446744073709551615", Some(u64::MAX)),
        ("18446744073709551616", None),
        ("17179869184gb", None),
        ("17179869183gb", Some(17_179_869_183 << 30)),
        ("-1", None),
        ("+1", None),
        ("mb", None),
        ("1.5mb", None),
        ("1 mb", None),
        ("1tb", None),
    ];
    for (text, bytes) in cases {
        assert_eq!(parse_memory(text.as_bytes()), *bytes, "{text:?}");
    }
    let mut random = Random(3);
    for (number, text) in
        [(0, "0"), (1500, "1500"), (2048, "2kb"), (3 << 20, "3mb"), (1 << 30, "1gb")]
    {
        assert_eq!(format_memory(number), text);
    }
    for _ in 0..1000 {
        let number = random.next() >> random.below(64);
        assert_eq!(parse_memory(format_memory(number).as_bytes()), Some(number));
    }
}

fn invoked(args: &[&str]) -> Invocation {
    let args: Vec<Vec<u8>> = args.iter().map(|arg| arg.as_bytes().to_vec()).collect();
    parse_arguments(&args).unwrap()
}

fn startup(args: &[&str]) -> Startup {
    match invoked(args) {
        Invocation::Serve(startup) => startup,
        other => panic!("{other:?}"),
    }
}

/// The configuration that a command line alone makes.
fn configured(args: &[&str]) -> Config {
    let mut config = Config::new();
    config.load(&startup(args).options).unwrap();
    config
}

#[test]
fn flags_are_told_apart_from_a_start() {
    assert_eq!(invoked(&["-v"]), Invocation::Version);
    assert_eq!(invoked(&["--version"]), Invocation::Version);
    assert_eq!(invoked(&["-h"]), Invocation::Help);
    assert_eq!(invoked(&["--help", "x"]), Invocation::Help);
    assert_eq!(invoked(&["--check-system"]), Invocation::CheckSystem);
    assert_eq!(invoked(&["--test-memory", "64"]), Invocation::TestMemory(Some(64)));
    assert_eq!(invoked(&["--test-memory"]), Invocation::TestMemory(None));
    assert_eq!(invoked(&["--test-memory", "many"]), Invocation::TestMemory(None));
    assert_eq!(invoked(&[]), Invocation::Serve(Startup::default()));
}

#[test]
fn a_file_comes_first_and_a_dash_first_or_last() {
    let none = startup(&["--port", "7000"]);
    assert_eq!((none.file, none.standard_input), (None, false));
    let file = startup(&["a.conf", "--port", "7000"]);
    assert_eq!(file.file, Some("a.conf".into()));
    assert!(!file.standard_input && !file.sentinel);
    for args in [&["-"][..], &["-", "--port", "7000"], &["--port", "7000", "-"], &["a.conf", "-"]] {
        assert!(startup(args).standard_input, "{args:?}");
    }
    // In the middle it is an argument like others.
    let middle = startup(&["a.conf", "-", "--port", "7000"]);
    assert!(!middle.standard_input);
    assert_eq!(middle.options[0].name, "-");
}

/// Each outcome was seen on Valkey 8.1.1.
#[test]
fn options_become_directives() {
    let cases: &[(&[&str], &str, &str)] = &[
        (&["--port", "7000", "--save", ""], "save", ""),
        (&["--save"], "save", ""),
        (&["--save", "--maxmemory", "5"], "save", ""),
        (&["--save", "--maxmemory", "5"], "maxmemory", "5"),
        (&["--save", "3600", "1", "--save", "10", "2"], "save", "3600 1 10 2"),
        (&["--save", "3600 1 60 5"], "save", "3600 1 60 5"),
        (&["--bind", "127.0.0.1", "::1"], "bind", "127.0.0.1 ::1"),
        (&["--bind", "127.0.0.1 ::1"], "bind", "127.0.0.1 ::1"),
        (
            &["--proc-title-template", "--my--{port}", "--hz", "5"],
            "proc-title-template",
            "--my--{port}",
        ),
        (&["--proc-title-template", "--my--{port}", "--hz", "5"], "hz", "5"),
        (&["--shutdown-on-sigint", "nosave", "force"], "shutdown-on-sigint", "nosave force"),
        (&["--shutdown-on-sigint", "nosave force"], "shutdown-on-sigint", "nosave force"),
        (&["--maxmemory 1gb", "--hz", "7"], "hz", "7"),
        (&["--maxmemory 1gb", "--hz", "7"], "maxmemory", "1073741824"),
        (&["--requirepass", "a \"b\" 'c' \\ \n"], "requirepass", "a \"b\" 'c' \\ \n"),
        (&["--PORT", "7001"], "port", "7001"),
        (&["--sentinel", "--port", "7002"], "port", "7002"),
        (&["--port", "7003", "--sentinel"], "port", "7003"),
    ];
    for (args, name, value) in cases {
        assert_eq!(get(&configured(args), name), *value, "{args:?}");
    }
    assert!(startup(&["--port", "7003", "--sentinel"]).sentinel);
}

#[test]
fn mistakes_on_the_command_line_are_reported() {
    let cases: &[(&[&str], &str)] = &[
        (
            &["--foo", "bar"],
            "at line 1\nIn the command line\n>>> 'foo \"bar\"'\nBad directive or wrong",
        ),
        (
            &["--hz", "5", "--maxmemory=1gb"],
            "at line 2\nIn the command line\n>>> 'maxmemory=1gb'\nBad directive",
        ),
        (
            &["--maxmemory", "--port", "7225"],
            ">>> 'maxmemory \"--port\" \"7225\"'\nwrong number of arguments\n",
        ),
        (&["--port", "7225", "xx"], ">>> 'port \"7225\" \"xx\"'\nwrong number of arguments\n"),
        (&["--replicaof", "::1", "abc"], "Invalid primary port\n"),
    ];
    for (args, expected) in cases {
        let error = Config::new().load(&startup(args).options).unwrap_err();
        let report = error.report("Redis 8.0.2");
        assert!(report.contains(expected), "{report}");
        assert!(
            report.starts_with("\n*** FATAL CONFIG FILE ERROR (Redis 8.0.2) ***\nReading the ")
        );
    }
    let unbalanced = parse_arguments(&[b"--port \"7000".to_vec()]).unwrap_err();
    assert!(unbalanced.to_string().contains("Unbalanced quotes"), "{unbalanced}");
}
