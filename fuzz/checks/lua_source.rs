//! Any text as a script: it compiles or is refused, runs or fails, ends when the host says so, and leaves a
//! machine that works.

use resp::{Protocol, Reply};
use script::{CommandCheck, Host, Limits, LogLevel, Pulse, Sha, Vm};
use std::time::Duration;

struct Patience {
    pulses: u32,
}

impl Host for Patience {
    fn call(&mut self, words: &[&[u8]], reply: &mut Reply) {
        reply.array(words.len());
        words.iter().for_each(|word| reply.bulk(word));
    }

    fn log(&mut self, _level: LogLevel, _message: &[u8]) {}

    fn set_repl(&mut self, _aof: bool, _replicas: bool) {}

    fn check_command(&mut self, _words: &[&[u8]]) -> CommandCheck {
        CommandCheck::Allowed
    }

    fn interrupt(&mut self) -> Pulse {
        self.pulses += 1;
        if self.pulses > 50 { Pulse::Kill("out of patience") } else { Pulse::Continue }
    }

    fn clock(&mut self) -> Duration {
        Duration::from_micros(u64::from(self.pulses) * 100)
    }
}

pub(crate) fn check(data: &[u8]) {
    let limits = Limits { memory_bytes: 16 << 20, reply_bytes: 1 << 20, steps_per_pulse: 1000 };
    let mut vm = Vm::new(limits);
    run(&mut vm, data);
    let wrapped =
        [b"local s = ARGV[1] local f = loadstring(s) if f then pcall(f) end return #s ", data]
            .concat();
    run(&mut vm, &wrapped);
    assert_eq!(
        run(&mut vm, b"return {1, ('x'):rep(3), tostring(nil)}"),
        b"*3\r\n:1\r\n$3\r\nxxx\r\n$3\r\nnil\r\n"
    );
    let source = [b"#!lua name=lib\n", data].concat();
    let id = script::LibraryId(1);
    if vm.load_library(id, &source, &mut Patience { pulses: 0 }).is_ok() {
        vm.unload_library(id);
    }
}

fn run(vm: &mut Vm, source: &[u8]) -> Vec<u8> {
    let sha = Sha::of(source);
    let mut reply = Reply::new(Protocol::Resp3);
    if vm.load(&sha, source).is_ok() {
        let outcome = vm.run(&sha, &[b"k"], &[source], &mut Patience { pulses: 0 }, &mut reply);
        assert!(outcome.is_ok() || reply.out.is_empty(), "a failed script wrote");
    }
    vm.unload(&sha);
    reply.out.to_vec()
}
