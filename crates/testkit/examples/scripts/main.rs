//! The same scripts to two servers, their replies and then their data compared.
//!
//! ```sh
//! almagre server --port 7410 &
//! valkey-server --port 7411 --save '' &
//! redis-server --port 7412 --save '' &
//! cargo run -p testkit --example scripts -- --ours 7410 --theirs 7411,7412 --scripts 200000 --seed 1
//! ```
//!
//! Where several are given as theirs, a reply must be that of one of them: Valkey walks tables in another order than
//! Redis, and so do scripts that turn tables into text. If theirs differ, the order does not count. A script whose replies differ is run again from empty data sets and shrunk; scripts that differ in
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
    theirs: Vec<String>,
    scripts: u64,
    seed: u64,
    differences: usize,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        ours: String::new(),
        theirs: Vec::new(),
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
            "--theirs" => {
                options.theirs = value.split(',').map(|port| format!("127.0.0.1:{port}")).collect();
            }
            "--scripts" => options.scripts = number()?,
            "--seed" => options.seed = number()?,
            "--differences" => options.differences = number()? as usize,
            _ => return Err(format!("no option {flag}")),
        }
    }
    if options.ours.is_empty() || options.theirs.is_empty() {
        return Err(
            "--ours PORT --theirs PORT[,PORT] [--scripts N] [--seed N] [--differences N]".into()
        );
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

/// Ours, and one or more of theirs.
struct Servers {
    ours: Client,
    theirs: Vec<Client>,
}

/// What all of them answered to the same.
struct Replies {
    ours: Value,
    theirs: Vec<Value>,
}

impl Replies {
    /// Whether ours is that of one of them, or one of theirs in another order where they differ too.
    fn agree(&self) -> bool {
        let one = self.theirs.iter().any(|theirs| agree(&self.ours, theirs));
        one || self.theirs.len() > 1
            && !agree(&self.theirs[0], &self.theirs[1])
            && self.theirs.iter().any(|theirs| same_letters(&self.ours, theirs))
    }

    /// Whether they are all the same, so that the data are as well.
    fn all_agree(&self) -> bool {
        self.theirs.iter().all(|theirs| agree(&self.ours, theirs))
    }
}

impl Servers {
    fn line(&mut self, line: &str) -> io::Result<Replies> {
        let theirs = self.theirs.iter_mut().map(|client| client.line(line));
        Ok(Replies { theirs: theirs.collect::<io::Result<_>>()?, ours: self.ours.line(line)? })
    }

    fn empty(&mut self) -> io::Result<()> {
        self.line("FLUSHALL").map(|_| ())
    }

    /// The replies to scripts, of all.
    fn replies(&mut self, scripts: &[Script]) -> io::Result<Vec<Replies>> {
        let mut bytes = Vec::new();
        for script in scripts {
            let source = script.source();
            let words = ["EVAL", &source, "2", "k1", "k2", "7", "some text"].map(str::as_bytes);
            resp::write_command(&mut bytes, &words);
        }
        self.ours.send(&bytes)?;
        for client in &mut self.theirs {
            client.send(&bytes)?;
        }
        let mut receive = |_: &Script| {
            let theirs = self.theirs.iter_mut().map(Client::receive);
            Ok(Replies { theirs: theirs.collect::<io::Result<_>>()?, ours: self.ours.receive()? })
        };
        scripts.iter().map(&mut receive).collect()
    }

    /// What is in the keys that scripts use, where they differ.
    fn data_differs(&mut self) -> io::Result<Option<String>> {
        for db in 0..2 {
            self.line(&format!("SELECT {db}"))?;
            for key in 0..8 {
                let kind = self.line(&format!("TYPE k{key}"))?.ours;
                let look = match kind.cli().as_str() {
                    "list" => format!("LRANGE k{key} 0 -1"),
                    "set" => format!("SORT k{key} ALPHA"),
                    "hash" => format!("HGETALL k{key}"),
                    "zset" => format!("ZRANGE k{key} 0 -1 WITHSCORES"),
                    "stream" => format!("XRANGE k{key} - +"),
                    _ => format!("GET k{key}"),
                };
                let replies = self.line(&look)?;
                if !replies.agree() {
                    self.line("SELECT 0")?;
                    let (ours, theirs) = (replies.ours.cli(), replies.theirs[0].cli());
                    return Ok(Some(format!("{look}: {ours} / {theirs}")));
                }
            }
        }
        self.line("SELECT 0")?;
        Ok(None)
    }
}

fn run(options: &Options) -> io::Result<bool> {
    let connect = |address: &str| Client::connect(address);
    let theirs = options.theirs.iter().map(|address| connect(address));
    let mut servers =
        Servers { theirs: theirs.collect::<io::Result<_>>()?, ours: connect(&options.ours)? };
    for of in ["hash", "set"] {
        // Packed ones keep the order in which members came; that of tables is each server's own.
        servers.line(&format!("CONFIG SET {of}-max-listpack-entries 10000"))?;
        servers.line(&format!("CONFIG SET {of}-max-listpack-value 1000000"))?;
    }
    let mut lua = Lua::new(Rng::new(options.seed));
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    let (mut sent, mut errors, mut parted, started) = (0, 0u64, 0u64, Instant::now());
    while sent < options.scripts && found.len() < options.differences {
        servers.empty()?;
        let mut clean = true;
        let mut before = Vec::new();
        for _ in 0..SEGMENT / PIPELINE {
            let scripts: Vec<Script> = (0..PIPELINE).map(|_| lua.script()).collect();
            let replies = servers.replies(&scripts)?;
            for (script, all) in scripts.iter().zip(replies) {
                sent += 1;
                errors += u64::from(all.ours.is_error());
                if all.all_agree() {
                    before.push(script.clone());
                    continue;
                }
                // What comes after may follow from it.
                clean = false;
                if all.agree() {
                    parted += 1;
                } else {
                    tell(&mut servers, (&before, script), all, &mut found)?;
                }
                break;
            }
            if !clean {
                break;
            }
        }
        if clean && let Some(difference) = servers.data_differs()? {
            *found.entry("the data".into()).or_default() += 1;
            println!("--- the data differ at script {sent}: {difference}");
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{sent} scripts, {errors} of them ending in errors, in {seconds:.0} s");
    if parted > 0 {
        println!("{parted} times theirs differed from each other, and ours was as one of them");
    }
    for (kind, count) in &found {
        println!("{count:6} {kind}");
    }
    Ok(found.is_empty())
}

/// Whether two replies are the same, as far as a program can tell.
fn agree(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Error(ours), Value::Error(theirs)) => meant(ours) == meant(theirs),
        // SORT of a packed sorted set unpacks it in the peers.
        (Value::Bulk(ours), Value::Bulk(theirs)) if &ours[..] == b"listpack" => {
            matches!(&theirs[..], b"listpack" | b"skiplist")
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| agree(a, b))
        }
        (ours, theirs) => ours == theirs,
    }
}

/// Whether two texts, or what is in two arrays, are the same but for order.
fn same_letters(ours: &Value, theirs: &Value) -> bool {
    let letters = |value: &Value| {
        let mut letters: Vec<char> = value.cli().chars().collect();
        letters.sort_unstable();
        letters
    };
    letters(ours) == letters(theirs)
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
    servers: &mut Servers,
    (before, script): (&[Script], &Script),
    replies: Replies,
    found: &mut BTreeMap<String, u64>,
) -> io::Result<()> {
    let mut small = script.clone();
    let mut replies = replies;
    let mut alone = false;
    let mut at = small.statements.len();
    loop {
        let mut candidate = small.clone();
        if alone && at < candidate.statements.len() {
            candidate.statements.remove(at);
        }
        servers.empty()?;
        let got = servers.replies(std::slice::from_ref(&candidate))?.remove(0);
        if !got.agree() {
            (small, replies, alone) = (candidate, got, true);
        } else if !alone {
            break;
        }
        if at == 0 {
            break;
        }
        at -= 1;
    }
    let theirs = &replies.theirs[0];
    let kind = format!("{} / {}", shape(&replies.ours), shape(theirs));
    let count = found.entry(kind.clone()).or_default();
    *count += 1;
    if *count == 1 {
        println!("--- {kind}");
        if !alone {
            for script in needed(servers, before, script)? {
                println!("{}\n--- and then", script.source());
            }
        }
        println!("{}", small.source());
        println!("ours:   {}\ntheirs: {}", replies.ours.cli(), theirs.cli());
    }
    Ok(())
}

/// The scripts without which another's replies would not differ.
fn needed(servers: &mut Servers, before: &[Script], script: &Script) -> io::Result<Vec<Script>> {
    let mut kept = before.to_vec();
    for at in (0..before.len()).rev() {
        let mut fewer = kept.clone();
        fewer.remove(at);
        fewer.push(script.clone());
        servers.empty()?;
        let differs = servers.replies(&fewer)?.last().is_some_and(|all| !all.agree());
        if differs {
            fewer.pop();
            kept = fewer;
        }
    }
    Ok(kept)
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
