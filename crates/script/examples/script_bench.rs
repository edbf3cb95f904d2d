//! What running scripts costs: microseconds per run. Arguments: only cases whose name contains this.

#![expect(clippy::print_stdout, reason = "a tool that prints")]

use resp::{Protocol, Reply};
use script::{CommandCheck, Host, Limits, LogLevel, Pulse, Sha, Vm};
use std::hint::black_box;
use std::time::Duration;

struct Nothing {
    time: Duration,
}

impl Host for Nothing {
    fn call(&mut self, words: &[&[u8]], reply: &mut Reply) {
        black_box(words);
        reply.bulk(b"0123456789abcdef");
    }

    fn log(&mut self, _level: LogLevel, _message: &[u8]) {}

    fn set_repl(&mut self, _aof: bool, _replicas: bool) {}

    fn check_command(&mut self, _words: &[&[u8]]) -> CommandCheck {
        CommandCheck::Unknown
    }

    fn interrupt(&mut self) -> Pulse {
        Pulse::Continue
    }

    fn clock(&mut self) -> Duration {
        self.time += Duration::from_micros(4);
        self.time
    }
}

const CASES: &[(&str, &str)] = &[
    ("nothing", "return 1"),
    ("one call", "return redis.call('GET', KEYS[1])"),
    ("ten calls", "for i = 1, 10 do redis.call('GET', KEYS[1]) end return 1"),
    ("1000 steps", "local x = 0 for i = 1, 1000 do x = x + i * 2 % 7 end return x"),
    (
        "200 parts",
        "local t = {} for i = 1, 200 do t[#t + 1] = 'part' .. i end return table.concat(t, ',')",
    ),
    ("200 parts ..", "local s = '' for i = 1, 200 do s = s .. 'part' .. i end return s"),
    (
        "json",
        "return cjson.encode(cjson.decode('{\"a\":[1,2,3],\"b\":{\"c\":\"text\"},\"d\":1.5}'))",
    ),
    ("patterns", "return #(string.gsub(('key=value;'):rep(50), '(%w+)=(%w+)', '%2=%1'))"),
    (
        "sort",
        "local t = {} for i = 1, 200 do t[i] = (i * 7919) % 1009 end table.sort(t) return t[1]",
    ),
    (
        "sort by function",
        "local t = {} for i = 1, 200 do t[i] = (i * 7919) % 1009 end table.sort(t, function(a, b) return a > b end) return t[1]",
    ),
    (
        "tables",
        "local t = {} for i = 1, 200 do t['k' .. i] = {i} end local n = 0 for k, v in pairs(t) do n = n + v[1] end return n",
    ),
];

fn main() {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let mut vm = Vm::new(Limits::default());
    let mut host = Nothing { time: Duration::ZERO };
    for &(name, source) in CASES.iter().filter(|(name, _)| name.contains(&wanted)) {
        let sha = Sha::of(source.as_bytes());
        vm.load(&sha, source.as_bytes()).expect("a sound script");
        let mut reply = Reply::new(Protocol::Resp2);
        let mut best = f64::MAX;
        for _ in 0..15 {
            const RUNS: u32 = 2000;
            #[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
            let start = std::time::Instant::now();
            for _ in 0..RUNS {
                reply.out.clear();
                vm.run(&sha, &[b"key:1"], &[], &mut host, &mut reply).expect("a sound script");
            }
            best = best.min(start.elapsed().as_secs_f64() * 1e6 / f64::from(RUNS));
        }
        println!("{name:20} {best:8.2} us");
    }
}
