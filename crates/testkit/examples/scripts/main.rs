//! The same scripts to two servers, their replies and then their data compared.
//!
//! ```sh
//! almagre server --port 7410 &
//! valkey-server --port 7411 --save '' &
//! cargo run -p testkit --example scripts -- --ours 7410 --theirs 7411 --scripts 200000 --seed 1
//! ```
//!
//! A script whose replies differ is run again from empty data sets and shrunk; scripts that differ in
//! the same way are told once.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a tool talks to its terminal and reads the time"
)]

mod lua;

use lua::{Lua, Script};
use resp::Value;
use std::collections::BTreeMap;
use std::io;
use std::process::ExitCode;
use std::time::Instant;
use stdx::rng::Rng;
use testkit::client::Client;

/// Scripts in one pipeline.
const PIPELINE: usize = 25;
/// Scripts from one comparison of the data to the next; then both start over from nothing.
const SEGMENT: usize = 100;

struct Options {
    ours: String,
    theirs: String,
    scripts: u64,
    seed: u64,
    differences: usize,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        ours: String::new(),
        theirs: String::new(),
        scripts: 20_000,
        seed: 1,
        differences: 20,
    };
    let mut args = std::env::args().skip(1);
    while let Some(flag) = args.next() {
        let value = args.next().ok_or(format!("{flag} wants a value"))?;
        let number = || value.parse::<u64>().map_err(|error| format!("{flag}: {error}"));
        match flag.as_str() {
            "--ours" => options.ours = format!("127.0.0.1:{value}"),
            "--theirs" => options.theirs = format!("127.0.0.1:{value}"),
            "--scripts" => options.scripts = number()?,
            "--seed" => options.seed = number()?,
            "--differences" => options.differences = number()? as usize,
            _ => return Err(format!("no option {flag}")),
        }
    }
    if options.ours.is_empty() || options.theirs.is_empty() {
        return Err("--ours PORT --theirs PORT [--scripts N] [--seed N] [--differences N]".into());
    }
    Ok(options)
}

fn main() -> ExitCode {
    let outcome = options().and_then(|options| run(&options).map_err(|error| error.to_string()));
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("scripts: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Both servers.
struct Pair([Client; 2]);

impl Pair {
    fn line(&mut self, line: &str) -> io::Result<[Value; 2]> {
        Ok([self.0[0].line(line)?, self.0[1].line(line)?])
    }

    fn empty(&mut self) -> io::Result<()> {
        self.line("FLUSHALL").map(|_| ())
    }

    /// The replies to scripts, of both.
    fn replies(&mut self, scripts: &[Script]) -> io::Result<[Vec<Value>; 2]> {
        let mut bytes = Vec::new();
        for script in scripts {
            let source = script.source();
            let words = ["EVAL", &source, "2", "k1", "k2", "7", "some text"].map(str::as_bytes);
            resp::write_command(&mut bytes, &words);
        }
        let mut both = [Vec::new(), Vec::new()];
        for client in &mut self.0 {
            client.send(&bytes)?;
        }
        for (client, replies) in self.0.iter_mut().zip(&mut both) {
            for _ in scripts {
                replies.push(client.receive()?);
            }
        }
        Ok(both)
    }

    /// What is in the keys that scripts use, where they differ.
    fn data_differs(&mut self) -> io::Result<Option<String>> {
        for db in 0..2 {
            self.line(&format!("SELECT {db}"))?;
            for key in 0..8 {
                let [kind, _] = self.line(&format!("TYPE k{key}"))?;
                let look = match kind.cli().as_str() {
                    "list" => format!("LRANGE k{key} 0 -1"),
                    "set" => format!("SORT k{key} ALPHA"),
                    "hash" => format!("HGETALL k{key}"),
                    "zset" => format!("ZRANGE k{key} 0 -1 WITHSCORES"),
                    "stream" => format!("XRANGE k{key} - +"),
                    _ => format!("GET k{key}"),
                };
                let [ours, theirs] = self.line(&look)?;
                if !agree(&ours, &theirs) {
                    self.line("SELECT 0")?;
                    return Ok(Some(format!("{look}: {} / {}", ours.cli(), theirs.cli())));
                }
            }
        }
        self.line("SELECT 0")?;
        Ok(None)
    }
}

fn run(options: &Options) -> io::Result<bool> {
    let connect = |address: &str| Client::connect(address);
    let mut pair = Pair([connect(&options.ours)?, connect(&options.theirs)?]);
    let mut lua = Lua::new(Rng::new(options.seed));
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    let (mut sent, mut errors, started) = (0, 0u64, Instant::now());
    while sent < options.scripts && found.len() < options.differences {
        pair.empty()?;
        let mut clean = true;
        for _ in 0..SEGMENT / PIPELINE {
            let scripts: Vec<Script> = (0..PIPELINE).map(|_| lua.script()).collect();
            let [ours, theirs] = pair.replies(&scripts)?;
            sent += PIPELINE as u64;
            errors += theirs.iter().filter(|reply| reply.is_error()).count() as u64;
            for (script, (ours, theirs)) in scripts.iter().zip(ours.iter().zip(&theirs)) {
                if clean && !agree(ours, theirs) {
                    // What comes after may follow from it.
                    clean = false;
                    tell(&mut pair, script, (ours, theirs), &mut found)?;
                }
            }
            if !clean {
                break;
            }
        }
        if clean && let Some(difference) = pair.data_differs()? {
            *found.entry("the data".into()).or_default() += 1;
            println!("--- the data differ at script {sent}: {difference}");
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{sent} scripts, {errors} of them ending in errors, in {seconds:.0} s");
    for (kind, count) in &found {
        println!("{count:6} {kind}");
    }
    Ok(found.is_empty())
}

/// Whether two replies are the same, as far as a program can tell.
fn agree(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Error(ours), Value::Error(theirs)) => meant(ours) == meant(theirs),
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| agree(a, b))
        }
        (ours, theirs) => ours == theirs,
    }
}

/// An error without the names that scripts go by: their SHA depends on the text alone, but addresses
/// of tables and functions are nobody's business.
fn meant(error: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(error);
    let text = text.split(" script: ").next().unwrap_or_default();
    text.split("0x").next().unwrap_or_default().as_bytes().to_vec()
}

/// Shrinks a script whose replies differ, and tells of it if it is of a new kind.
fn tell(
    pair: &mut Pair,
    script: &Script,
    (ours, theirs): (&Value, &Value),
    found: &mut BTreeMap<String, u64>,
) -> io::Result<()> {
    let mut small = script.clone();
    let mut replies = (ours.clone(), theirs.clone());
    let mut alone = false;
    let mut at = small.statements.len();
    loop {
        let mut candidate = small.clone();
        if alone && at < candidate.statements.len() {
            candidate.statements.remove(at);
        }
        pair.empty()?;
        let [mut ours, mut theirs] = pair.replies(std::slice::from_ref(&candidate))?;
        let (ours, theirs) = (ours.remove(0), theirs.remove(0));
        if !agree(&ours, &theirs) {
            (small, replies, alone) = (candidate, (ours, theirs), true);
        } else if !alone {
            break;
        }
        if at == 0 {
            break;
        }
        at -= 1;
    }
    let kind = format!("{} / {}", shape(&replies.0), shape(&replies.1));
    let count = found.entry(kind.clone()).or_default();
    *count += 1;
    if *count == 1 {
        let context = if alone { "" } else { " (not from empty data)" };
        println!("--- {kind}{context}\n{}", small.source());
        println!("ours:   {}\ntheirs: {}", replies.0.cli(), replies.1.cli());
    }
    Ok(())
}

/// What kind of reply it is: of errors their words without what they quote.
fn shape(value: &Value) -> String {
    match value {
        Value::Error(text) => {
            let text = String::from_utf8_lossy(&meant(text)).into_owned();
            let words = text.split(['\'', '"', '`']).step_by(2);
            let plain: String = words.collect::<Vec<_>>().join("_");
            plain
                .chars()
                .map(|letter| if letter.is_ascii_digit() { '#' } else { letter })
                .take(70)
                .collect()
        }
        Value::Array(items) => format!("array of {}", items.len()),
        Value::Bulk(_) => "text".into(),
        Value::Integer(_) => "integer".into(),
        other => format!("{other:?}").chars().take(20).collect(),
    }
}
