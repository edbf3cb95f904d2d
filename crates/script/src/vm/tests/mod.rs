//! Scripts in a machine whose host is a handful of commands.

use super::{LibraryId, Limits, Sha, Vm};
use crate::{CommandCheck, Host, LogLevel, Pulse};
use resp::{Protocol, Reply};
use std::time::Duration;

mod conversions;
mod functions;
mod hostile;
mod recorded;

/// A host that answers a few commands, and kills after some interrupts.
#[derive(Default)]
pub(crate) struct Commands {
    pub(crate) log: Vec<(LogLevel, String)>,
    pub(crate) calls: Vec<Vec<String>>,
    pub(crate) repl: Option<(bool, bool)>,
    pub(crate) pulses: u64,
    /// Kill after so many pulses; 0: never.
    pub(crate) pulses_max: u64,
}

impl Host for Commands {
    fn call(&mut self, words: &[&[u8]], reply: &mut Reply) {
        let text = |word: &&[u8]| String::from_utf8_lossy(word).into_owned();
        self.calls.push(words.iter().map(text).collect());
        let name = words[0].to_ascii_lowercase();
        match (name.as_slice(), words) {
            (b"ping", _) => reply.simple("PONG"),
            (b"echo", [_, text]) => reply.bulk(text),
            (b"list", [_, items @ ..]) => {
                reply.array(items.len());
                items.iter().for_each(|item| reply.bulk(item));
            }
            // Its reply is whatever it is given.
            (b"raw", [_, bytes]) => reply.out.push(bytes),
            (b"fail", [_, text]) => reply.error(text),
            _ => reply.error("ERR Unknown command called from script"),
        }
    }

    fn log(&mut self, level: LogLevel, message: &[u8]) {
        self.log.push((level, String::from_utf8_lossy(message).into_owned()));
    }

    fn set_repl(&mut self, aof: bool, replicas: bool) {
        self.repl = Some((aof, replicas));
    }

    fn check_command(&mut self, words: &[&[u8]]) -> CommandCheck {
        match words[0] {
            b"set" => CommandCheck::Denied,
            b"get" => CommandCheck::Allowed,
            _ => CommandCheck::Unknown,
        }
    }

    fn interrupt(&mut self) -> Pulse {
        self.pulses += 1;
        if self.pulses_max != 0 && self.pulses >= self.pulses_max {
            return Pulse::Kill("Script killed by user with SCRIPT KILL.");
        }
        Pulse::Continue
    }

    fn clock(&mut self) -> Duration {
        Duration::from_micros(100 * self.pulses)
    }
}

pub(crate) fn machine() -> Vm {
    Vm::new(Limits { memory_bytes: 64 << 20, ..Limits::default() })
}

/// Runs a script; its reply, or `-` and the error.
pub(super) fn run(vm: &mut Vm, host: &mut Commands, protocol: Protocol, source: &str) -> Vec<u8> {
    run_with(vm, host, protocol, source, &[])
}

pub(super) fn run_with(
    vm: &mut Vm,
    host: &mut Commands,
    protocol: Protocol,
    source: &str,
    args: &[&[u8]],
) -> Vec<u8> {
    let sha = Sha::of(source.as_bytes());
    let mut reply = Reply::new(protocol);
    if let Err(error) = vm.load(&sha, source.as_bytes()) {
        reply.error(error.text);
        return reply.out.to_vec();
    }
    let keys: &[&[u8]] = &[b"k1", b"k2"];
    if let Err(error) = vm.run(&sha, keys, args, host, &mut reply) {
        assert!(reply.out.is_empty(), "a failed script wrote");
        reply.error(error.text);
    }
    vm.unload(&sha);
    reply.out.to_vec()
}

/// The reply to one script in a machine of its own, in RESP2.
pub(super) fn eval(source: &str) -> String {
    let reply = run(&mut machine(), &mut Commands::default(), Protocol::Resp2, source);
    String::from_utf8_lossy(&reply).into_owned()
}

#[test]
fn sha_of_a_script() {
    assert_eq!(Sha::of(b"return 1").as_bytes(), b"e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
    assert_eq!(Sha::parse(b"E0E1F9FABFC9D4800C877A703B823AC0578FF8DB"), Some(Sha::of(b"return 1")));
    assert_eq!(Sha::parse(b"e0"), None);
    assert_eq!(Sha::parse(&[b'x'; 40]), None);
}

#[test]
fn scripts_are_kept_and_forgotten() {
    let mut vm = machine();
    let sha = Sha::of(b"return 1");
    let mut reply = Reply::default();
    let error = vm.run(&sha, &[], &[], &mut Commands::default(), &mut reply).unwrap_err();
    assert_eq!(error.text, b"NOSCRIPT No matching script. Please use EVAL.");
    vm.load(&sha, b"return 1").unwrap();
    assert!(vm.is_loaded(&sha));
    vm.run(&sha, &[], &[], &mut Commands::default(), &mut reply).unwrap();
    assert_eq!(reply.out.to_vec(), b":1\r\n");
    vm.unload(&sha);
    assert!(!vm.is_loaded(&sha));
    vm.load(&sha, b"return 1").unwrap();
    vm.load_library(LibraryId(1), LIBRARY, &mut Commands::default()).unwrap();
    vm.unload_all();
    assert!(vm.is_library_loaded(LibraryId(1)));
    vm.unload_library(LibraryId(1));
    assert!(!vm.is_loaded(&sha) && !vm.is_library_loaded(LibraryId(1)));
}

pub(super) const LIBRARY: &[u8] =
    b"#!lua name=lib\nredis.register_function('f', function(keys, args) \
    return {keys[1], args[1]} end)";

#[test]
fn errors_tell_where() {
    assert_eq!(
        eval("return 1 +"),
        "-ERR Error compiling script (new function): user_script:1: unexpected symbol near '<eof>'\r\n"
    );
    let sha =
        |source: &str| String::from_utf8(Sha::of(source.as_bytes()).as_bytes().to_vec()).unwrap();
    let source = "local x = {}\nreturn x.y.z";
    assert_eq!(
        eval(source),
        format!(
            "-ERR user_script:2: attempt to index field 'y' (a nil value) script: {}, on \
             @user_script:2.\r\n",
            sha(source)
        )
    );
    let source = "\nreturn redis.call('fail', 'WRONGTYPE bad')";
    assert_eq!(
        eval(source),
        format!("-WRONGTYPE bad script: {}, on @user_script:2.\r\n", sha(source))
    );
}

#[test]
fn the_machine_survives_many_runs() {
    let mut vm = machine();
    let mut host = Commands::default();
    for number in 0..2000 {
        let source =
            format!("local t = {{}} for i=1,50 do t[i] = 'x' .. i .. {number} end return #t");
        assert_eq!(run(&mut vm, &mut host, Protocol::Resp2, &source), b":50\r\n");
    }
    assert!(vm.memory_bytes() < 4 << 20, "{}", vm.memory_bytes());
}
