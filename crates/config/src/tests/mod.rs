//! Tests of the whole crate, a file for each part of it.

mod arguments;
mod change;
mod files;
mod list;
mod rewriting;

use crate::{Caller, Config, Flags, Kind, Origin, ParamId, SetError, Value, parse_file};

/// A pattern matcher that knows `*` and `?`, all that these tests need.
fn glob(pattern: &[u8], text: &[u8], nocase: bool) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => {
            (0..=text.len()).any(|skipped| glob(rest, &text[skipped..], nocase))
        }
        ([b'?', rest @ ..], [_, tail @ ..]) => glob(rest, tail, nocase),
        ([wanted, rest @ ..], [byte, tail @ ..]) => {
            let same = if nocase { wanted.eq_ignore_ascii_case(byte) } else { wanted == byte };
            same && glob(rest, tail, nocase)
        }
        _ => false,
    }
}

/// The answer of CONFIG GET for one name.
fn get(config: &Config, name: &str) -> String {
    let found = config.get(&[name.as_bytes()], glob);
    let [(_, value)] = found.as_slice() else { panic!("{name} is answered {} times", found.len()) };
    String::from_utf8(value.clone()).unwrap()
}

/// CONFIG SET without anything to apply.
fn set(config: &mut Config, args: &[&str]) -> Result<Vec<ParamId>, SetError> {
    let args: Vec<&[u8]> = args.iter().map(|arg| arg.as_bytes()).collect();
    config.set(&args, Caller::default(), &mut |_, _| Ok(()))
}

/// A configuration started with a file.
fn started(text: &str) -> Config {
    let mut config = Config::new();
    config.load(&parse_file(text.as_bytes(), "test.conf", Origin::File).unwrap()).unwrap();
    config
}

/// Why a file is refused, as the server would report it.
fn refused(text: &str) -> String {
    let load = |text: &str| {
        let directives = parse_file(text.as_bytes(), "test.conf", Origin::File)?;
        Config::new().load(&directives)
    };
    load(text).unwrap_err().report("Redis 8.0.2")
}

/// A xorshift generator: the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Parameters that a file can set and CONFIG GET shows.
fn settable() -> impl Iterator<Item = ParamId> {
    ParamId::all().filter(|id| !matches!(id.param().kind, Kind::Lines { .. }))
}

fn same(left: &Value, right: &Value) -> bool {
    left == right
}

fn is_hidden(id: ParamId) -> bool {
    id.param().flags.has(Flags::HIDDEN)
}
