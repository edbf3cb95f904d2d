//! Any bytes for the libraries that decode, format and search, and as replies: the first byte chooses, the
//! next one says where the first argument ends.

use resp::{Protocol, Reply};
use script::{CommandCheck, Host, Limits, LogLevel, Pulse, Sha, Vm};
use std::time::Duration;

/// `a` and `b` are the two parts of the input. What returns false is a broken promise.
const SCRIPTS: &[&str] = &[
    "local ok, v = pcall(cjson.decode, a) if ok then local t = cjson.encode(v) return cjson.encode(cjson.decode(t)) == t or #t > 0 end",
    "local v = {cmsgpack.unpack(a)} return cmsgpack.pack(v) ~= nil",
    "return {cmsgpack.unpack_limit(a, #b, 0)}",
    "return {struct.unpack(a, b)}",
    "return {struct.pack(a, b, 1, 2.5, -3, b)}",
    "return {pcall(struct.size, a), pcall(struct.unpack, a, b, 3)}",
    "return string.format(a, b, 1, 2.5, b, -7)",
    "return {a:find(b)}",
    "return {b:gsub(a, '%0%1')}",
    "return {a:gsub(b, function(x) return x end)}",
    "local n = 0 for x in a:gmatch(b) do n = n + 1 end return n",
    "return {tonumber(a), tonumber(b, 36), #a:upper(), a < b, a:byte(1, 10)}",
    "return redis.call(a, b)",
    "redis.setresp(3) return redis.pcall(a, b)",
    "return {pcall(bit.tohex, a, b), redis.error_reply(a), redis.status_reply(b), redis.sha1hex(a)}",
    "return {verbatim_string = {format = a, string = b}}",
];

/// Its commands answer with their name, as it is.
struct Raw {
    pulses: u32,
}

impl Host for Raw {
    fn call(&mut self, words: &[&[u8]], reply: &mut Reply) {
        reply.out.push(words[0]);
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
    let [choice, cut, rest @ ..] = data else { return };
    let source = SCRIPTS[usize::from(*choice) % SCRIPTS.len()];
    let source = format!("local a, b = ARGV[1], ARGV[2] {source}");
    let (a, b) = rest.split_at(usize::from(*cut).min(rest.len()));
    let limits = Limits { memory_bytes: 16 << 20, reply_bytes: 1 << 20, steps_per_pulse: 1000 };
    let mut vm = Vm::new(limits);
    let sha = Sha::of(source.as_bytes());
    vm.load(&sha, source.as_bytes()).expect("these compile");
    let mut reply = Reply::new(Protocol::Resp2);
    let outcome = vm.run(&sha, &[], &[a, b], &mut Raw { pulses: 0 }, &mut reply);
    assert!(outcome.is_ok() || reply.out.is_empty(), "a failed script wrote");
}
