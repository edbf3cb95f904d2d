//! The same stream of requests to two servers, their replies and then their data compared.
//!
//! ```sh
//! almagre server --port 7410 --enable-debug-command yes &
//! valkey-server --port 7411 --enable-debug-command yes --save '' &
//! cargo run -p testkit --example differ -- --ours 7410 --theirs 7411 --requests 1000000 --seed 1
//! ```
//!
//! `tests/redis86.sh` brings a Redis that has what came after 8.0.
//!
//! What the other server lacks (rows by COMMAND INFO, options by COMMAND DOCS) is not sent: another
//! peer has it. A difference is replayed from empty data sets and shrunk to a short script.
//!
//! After each segment the data are compared in four states: as they are; after DUMP and RESTORE of
//! every key, on either server and from one to the other; after COPY of every key; and in a node
//! of this process that was sent the same requests, as its journal replays.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a tool talks to its terminal and reads the time"
)]

mod compare;
mod states;

use command::{CommandTable, Flags, Place};
use compare::{Peer, Rule, agree, meant, rule};
use resp::Value;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use testkit::Node;
use testkit::client::Client;
use testkit::generate::{Choices, Generator, Request, Spans, Vocabulary};

/// Requests in one pipeline.
const PIPELINE: usize = 50;
/// Requests from one comparison of the data to the next; then both start over from nothing.
const SEGMENT: usize = 1000;

/// Rows that are not sent, beside those that no generator makes.
const UNSENT: &[(&str, &str)] = &[
    ("memory|usage", "sizes in memory are our own"),
    ("debug", "what it looks into is our own"),
    ("spop", "what it takes is random"),
    ("dump", "packed blocks may differ in bytes; the states below compare what they hold"),
    ("xautoclaim", "who is idle for how long hangs on the clock"),
    ("pfdebug", "looks into an encoding"),
    ("pfselftest", "of the server itself"),
];

struct Options {
    ours: String,
    theirs: String,
    requests: u64,
    seed: u64,
    resp3: bool,
    /// Stop after so many different differences.
    differences: usize,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        ours: String::new(),
        theirs: String::new(),
        requests: 100_000,
        seed: 1,
        resp3: false,
        differences: 10,
    };
    let mut args = std::env::args().skip(1);
    while let Some(flag) = args.next() {
        if flag == "--resp3" {
            options.resp3 = true;
            continue;
        }
        let value = args.next().ok_or(format!("{flag} wants a value"))?;
        let number = || value.parse::<u64>().map_err(|error| format!("{flag}: {error}"));
        match flag.as_str() {
            "--ours" => options.ours = address(&value),
            "--theirs" => options.theirs = address(&value),
            "--requests" => options.requests = number()?,
            "--seed" => options.seed = number()?,
            "--differences" => options.differences = number()? as usize,
            _ => return Err(format!("no option {flag}")),
        }
    }
    if options.ours.is_empty() || options.theirs.is_empty() {
        return Err("--ours PORT --theirs PORT [--requests N] [--seed N] [--resp3]".into());
    }
    Ok(options)
}

fn address(value: &str) -> String {
    if value.contains(':') { value.to_owned() } else { format!("127.0.0.1:{value}") }
}

fn main() -> ExitCode {
    let outcome = options().and_then(|options| run(&options).map_err(|error| error.to_string()));
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("differ: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether nothing differed.
fn run(options: &Options) -> io::Result<bool> {
    let table = CommandTable::new(commands::FAMILIES);
    let mut pair = Pair::connect(options)?;
    let generator = generator(&table, &mut pair.theirs)?;
    println!("seed {}, {} rows", options.seed, generator.rows().count());
    let mut choices = Choices::seeded(options.seed);
    let (mut sent, started) = (0, Instant::now());
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut excused: BTreeMap<&'static str, u64> = BTreeMap::new();
    while sent < options.requests && found.len() < options.differences {
        let requests: Vec<Request> =
            (0..SEGMENT).map(|_| one_request(&generator, &mut choices)).collect();
        pair.start_over()?;
        let difference = pair.segment(&table, &requests, &mut excused)?;
        sent += requests.len() as u64;
        if let Some(difference) = difference
            && let Entry::Vacant(vacant) = found.entry(difference.name)
        {
            let script = shrink(&mut pair, &table, requests, vacant.key())?;
            println!("{script}\n");
            vacant.insert(script);
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{sent} requests, {} of them errors, {} differences, {seconds:.1} s",
        pair.errors,
        found.len()
    );
    for (reason, count) in excused {
        println!("{count:>8} meant: {reason}");
    }
    Ok(found.is_empty())
}

/// A request whose spans no clock decides: small numbers, that a mutation may have put where a
/// time stands, become large.
fn one_request(generator: &Generator<'_>, choices: &mut Choices<'_>) -> Request {
    let mut request = generator.request(choices);
    let mutated = choices.one_in(4);
    if mutated {
        generator.mutate(&mut request, choices);
    }
    let is_timed = |word: &Vec<u8>| {
        let units: [&[u8]; 4] = [b"EX", b"PX", b"EXAT", b"PXAT"];
        units.iter().any(|unit| unit.eq_ignore_ascii_case(word))
    };
    let name = &generator.table.entry(request.id).full_name;
    plain(name, &mut request.words);
    if name == "lset" {
        // Their index wraps at 32 bits in packed lists, and sets another element.
        let is_vast = |word: &Vec<u8>| {
            stdx::num::parse_i64(word).is_some_and(|number| i32::try_from(number).is_err())
        };
        request.words[1..]
            .iter_mut()
            .filter(|word| is_vast(word))
            .for_each(|word| *word = b"77".to_vec());
    }
    if name.starts_with('h')
        && let Some(at) = request.words.iter().position(|word| word.eq_ignore_ascii_case(b"FIELDS"))
        && let Some(word) = request.words.get_mut(at + 1)
        && stdx::num::parse_i64(word).is_some_and(|number| number > 1 << 20)
    {
        // Redis 8.6 dies of so many fields.
        *word = b"77".to_vec();
    }
    let is_word = |word: &Vec<u8>, names: &[&str]| {
        names.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
    };
    if name == "set" && request.words.iter().any(|word| is_word(word, &["IFDEQ", "IFDNE"])) {
        // Redis 8.6 answers GET first, and then that the digest is none: two replies to one request.
        request.words.retain(|word| !is_word(word, &["GET"]));
    }
    if name == "xadd" {
        // An ID that the clock does not choose.
        for word in request.words.iter_mut().filter(|word| *word == b"*") {
            *word = format!("{}-*", 1 + choices.below(60_000)).into_bytes();
        }
    }
    if mutated
        && (name.contains("expire")
            || name.ends_with("setex")
            || request.words.iter().any(is_timed))
    {
        for word in &mut request.words[1..] {
            if stdx::num::parse_i64(word).is_some_and(|number| (1..=1_000_000).contains(&number)) {
                *word = (3_000_000 + choices.below(60_000) * 1000).to_string().into_bytes();
            }
        }
    }
    request
}

/// Leaves out what each server does in its own way.
fn plain(name: &str, words: &mut [Vec<u8>]) {
    let is_walk = name.ends_with("scan") && name != "scan";
    if is_walk && words.len() > 2 && words[2].iter().any(u8::is_ascii_digit) {
        // A cursor that nobody gave leads elsewhere in each.
        words[2] = b"0".to_vec();
    }
    if name.starts_with(['z', 'g']) {
        for word in &mut *words {
            // A zero has no sign here, and Redis reads no hexadecimal bounds any more.
            match &word[..] {
                b"-0" => *word = b"0".to_vec(),
                text if text.starts_with(b"0x") || text.starts_with(b" ") => *word = b"16".to_vec(),
                _ => {}
            }
        }
        // Nor has a zero that has been multiplied.
        let weights = words.iter().position(|word| word.eq_ignore_ascii_case(b"WEIGHTS"));
        for weight in weights.map_or(&mut [][..], |at| &mut words[at + 1..]) {
            if weight.len() > 1 && weight[0] == b'-' {
                weight.remove(0);
            } else if *weight == b"0" {
                *weight = b"1".to_vec();
            }
        }
    }
    if name.starts_with("geo") {
        // What a score that is no place decodes to is each server's own.
        words[1..]
            .iter_mut()
            .filter(|word| word.starts_with(b"z"))
            .for_each(|word| *word = b"g0".to_vec());
    }
    let limit = words.iter().position(|word| word.eq_ignore_ascii_case(b"LIMIT"));
    if name.starts_with('z')
        && let Some(offset) = limit.and_then(|at| words.get_mut(at + 1))
        && offset.starts_with(b"-")
    {
        // A negative offset counts from the end in their large sets, and is nothing in small ones.
        offset.remove(0);
    }
    if name.starts_with("sort") && words.iter().any(|word| word.eq_ignore_ascii_case(b"BY")) {
        // Elements that are equal by their patterns come in any order.
        words
            .iter_mut()
            .filter(|word| word.eq_ignore_ascii_case(b"ALPHA"))
            .for_each(|word| *word = b"ASC".to_vec());
    }
}

/// A generator of what the peer has.
fn generator<'t>(table: &'t CommandTable, theirs: &mut Client) -> io::Result<Generator<'t>> {
    let vocabulary = Vocabulary { now_ms: now_ms()?, spans: Spans::Far };
    let mut lacking = BTreeSet::new();
    let mut options = Vec::new();
    for (_, entry) in table.entries().filter(|(_, entry)| entry.row.subcommands.is_empty()) {
        let name = entry.full_name.as_bytes();
        let docs = theirs.call(&[b"COMMAND", b"DOCS", name])?;
        let mut tokens = BTreeSet::new();
        collect_tokens(&docs, &mut tokens);
        if matches!(&docs, Value::Array(items) if items.is_empty())
            || matches!(&docs, Value::Map(pairs) if pairs.is_empty())
        {
            lacking.insert(entry.full_name.clone());
            continue;
        }
        let mut ours = Vec::new();
        our_tokens(entry.row.args, &mut ours);
        let is_sent = matches!(entry.row.place, Place::Data | Place::Walk);
        for token in ours
            .into_iter()
            .filter(|_| is_sent)
            .filter(|token| !tokens.contains(&token.to_ascii_uppercase()))
        {
            options.push((entry.full_name.clone(), token));
        }
    }
    if !lacking.is_empty() {
        println!("not there: {}", lacking.iter().cloned().collect::<Vec<_>>().join(" "));
    }
    options.extend(["xread", "xreadgroup"].map(|name| (name.to_owned(), "BLOCK")));
    let mut generator = Generator::of(table, vocabulary, |name, row| {
        let sent = matches!(row.place, Place::Data | Place::Walk)
            || ["ping", "echo", "select"].contains(&name);
        // Who waits holds up the comparison; how that goes is the stress test's.
        let waits = row.flags.has(Flags::BLOCKING) && !name.starts_with("xread");
        sent && !waits
            && !name.ends_with("|help")
            && !lacking.contains(name)
            && !UNSENT.iter().any(|(unsent, _)| *unsent == name)
    });
    for (name, token) in options {
        if !lacking.contains(&name) {
            println!("not there: {name} {token}");
            generator.leave_out_option(&name, token);
        }
    }
    Ok(generator)
}

fn our_tokens(args: &[command::Argument], found: &mut Vec<&'static str>) {
    for argument in args {
        found.extend(argument.token);
        if let command::ArgumentKind::OneOf(parts) | command::ArgumentKind::Block(parts) =
            argument.kind
        {
            our_tokens(parts, found);
        }
    }
}

/// The values of all fields "token" in a reply of COMMAND DOCS.
fn collect_tokens(docs: &Value, found: &mut BTreeSet<String>) {
    let text = |value: &Value| {
        value.as_bytes().map(|text| String::from_utf8_lossy(text).to_ascii_uppercase())
    };
    match docs {
        Value::Array(items) => {
            for pair in items.windows(2) {
                if pair[0].as_bytes() == Some(b"token") {
                    found.extend(text(&pair[1]));
                }
            }
            items.iter().for_each(|item| collect_tokens(item, found));
        }
        Value::Map(pairs) => {
            for (key, value) in pairs {
                if key.as_bytes() == Some(b"token") {
                    found.extend(text(value));
                }
                collect_tokens(value, found);
            }
        }
        Value::Set(items) => items.iter().for_each(|item| collect_tokens(item, found)),
        _ => {}
    }
}

/// Where two servers differ.
struct Difference {
    /// By this differences count as the same.
    name: String,
    /// The position of the request; past the last: in the data.
    at: usize,
    text: String,
}

/// A node of this process, at this moment.
fn shadow() -> io::Result<(Node, command::Session)> {
    let mut node =
        Node::new(testkit::Options { now_ms: now_ms()?, shards: 16, ..Default::default() });
    let mut session = node.session();
    node.send(&mut session, &[b"CONFIG", b"SET", b"proto-max-bulk-len", b"1mb"]);
    Ok((node, session))
}

/// Milliseconds since 1970.
fn now_ms() -> io::Result<i64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(io::Error::other)?;
    Ok(now.as_millis() as i64)
}

/// The two servers.
struct Pair {
    ours: Client,
    theirs: Client,
    peer: Peer,
    /// A third that is sent the same: its journal can be replayed.
    shadow: (Node, command::Session),
    /// Replies of ours that were errors.
    errors: u64,
}

impl Pair {
    fn connect(options: &Options) -> io::Result<Self> {
        let mut pair = Self {
            ours: Client::connect(&options.ours)?,
            theirs: Client::connect(&options.theirs)?,
            peer: Peer::Redis,
            shadow: shadow()?,
            errors: 0,
        };
        let info = pair.theirs.line("INFO server")?.cli();
        if info.contains("valkey_version") {
            pair.peer = Peer::Valkey;
        }
        for client in [&mut pair.ours, &mut pair.theirs] {
            if options.resp3 {
                client.line("HELLO 3")?;
            }
            // No request may cost a gigabyte.
            let set = client.line("CONFIG SET proto-max-bulk-len 1mb")?;
            if set.is_error() {
                return Err(io::Error::other(set.cli()));
            }
        }
        Ok(pair)
    }

    fn both(&mut self, line: &str) -> io::Result<(Value, Value)> {
        Ok((self.ours.line(line)?, self.theirs.line(line)?))
    }

    fn start_over(&mut self) -> io::Result<()> {
        self.both("FLUSHALL")?;
        self.both("SELECT 0")?;
        self.shadow = shadow()?;
        Ok(())
    }

    /// Sends requests to both; the first difference in a reply, or else in the data.
    fn segment(
        &mut self,
        table: &CommandTable,
        requests: &[Request],
        excused: &mut BTreeMap<&'static str, u64>,
    ) -> io::Result<Option<Difference>> {
        let mut found = None;
        for (number, pipeline) in requests.chunks(PIPELINE).enumerate() {
            let mut bytes = Vec::new();
            pipeline.iter().for_each(|request| request.encode(&mut bytes));
            self.ours.send(&bytes)?;
            self.theirs.send(&bytes)?;
            let (node, session) = &mut self.shadow;
            node.send_bytes(session, &bytes);
            for (index, request) in pipeline.iter().enumerate() {
                let (ours, theirs) = (self.ours.receive()?, self.theirs.receive()?);
                self.errors += u64::from(ours.is_error());
                let row = &table.entry(request.id).full_name;
                if found.is_some() || agree(rule(row), &ours, &theirs) {
                    continue;
                }
                if let Some(reason) = meant(self.peer, row, &ours, &theirs) {
                    *excused.entry(reason).or_default() += 1;
                    continue;
                }
                found = Some(Difference {
                    name: format!("{row} {} {}", kind(&ours), kind(&theirs)),
                    at: number * PIPELINE + index,
                    text: format!("> {request}\nours\n{}\ntheirs\n{}", ours.cli(), theirs.cli()),
                });
            }
            if found.is_some() {
                return Ok(found);
            }
        }
        self.data(requests.len(), excused)
    }

    /// Compares all keys of all databases.
    fn data(
        &mut self,
        at: usize,
        excused: &mut BTreeMap<&'static str, u64>,
    ) -> io::Result<Option<Difference>> {
        let differs = |name: &str, text: String| {
            Ok(Some(Difference { name: format!("data {name}"), at, text }))
        };
        for db in 0..16 {
            self.both(&format!("SELECT {db}"))?;
            let (ours, theirs) = (keys(&mut self.ours)?, keys(&mut self.theirs)?);
            if ours != theirs {
                let only = |a: &BTreeSet<Vec<u8>>, b: &BTreeSet<Vec<u8>>| {
                    let names =
                        a.difference(b).map(|key| String::from_utf8_lossy(key).into_owned());
                    names.collect::<Vec<_>>().join(" ")
                };
                let text =
                    format!("ours has {}, theirs {}", only(&ours, &theirs), only(&theirs, &ours));
                return differs("keys", format!("database {db}: {text}"));
            }
            for key in &ours {
                if let Some((name, text)) = self.key(key, excused)? {
                    return differs(&name, format!("database {db}: {text}"));
                }
                if let Some((name, text)) = states::differ(self, key)? {
                    return differs(&name, format!("database {db}: {text}"));
                }
            }
        }
        let (ours, theirs) = self.both("DEBUG DIGEST")?;
        if ours != theirs && !theirs.is_error() {
            return differs("DIGEST", format!("{} / {}", ours.cli(), theirs.cli()));
        }
        let (node, _) = &mut self.shadow;
        let shadow = node.snapshot().digest().hex();
        if ours.cli().as_bytes() != shadow {
            let shadow = String::from_utf8_lossy(&shadow).into_owned();
            return differs("DIGEST of the shadow", format!("{} / {shadow}", ours.cli()));
        }
        if let Err(fault) = node.check_replay() {
            return differs("replay", fault.to_string());
        }
        Ok(None)
    }

    /// Compares one key; the name of a difference, and what differs.
    fn key(
        &mut self,
        key: &[u8],
        excused: &mut BTreeMap<&'static str, u64>,
    ) -> io::Result<Option<(String, String)>> {
        for (asked, rule) in [
            (&[&b"TYPE"[..], key][..], Rule::Exact),
            (&[b"DEBUG", b"DIGEST-VALUE", key], Rule::Exact),
            (&[b"PEXPIRETIME", key], Rule::Within(5000)),
            (&[b"OBJECT", b"ENCODING", key], Rule::Exact),
        ] {
            let (a, b) = (self.ours.call(asked)?, self.theirs.call(asked)?);
            if agree(rule, &a, &b) {
                continue;
            }
            if let Some(reason) = meant(self.peer, "data", &a, &b) {
                *excused.entry(reason).or_default() += 1;
                continue;
            }
            let name = String::from_utf8_lossy(asked[0]).into_owned();
            let key = String::from_utf8_lossy(key);
            return Ok(Some((name.clone(), format!("{name} {key}: {} / {}", a.cli(), b.cli()))));
        }
        Ok(None)
    }
}

/// All keys of the selected database.
fn keys(client: &mut Client) -> io::Result<BTreeSet<Vec<u8>>> {
    let (mut found, mut cursor) = (BTreeSet::new(), b"0".to_vec());
    loop {
        let reply = client.call(&[b"SCAN", &cursor, b"COUNT", b"100"])?;
        let Value::Array(parts) = &reply else { return Err(io::Error::other(reply.cli())) };
        let [Value::Bulk(next), Value::Array(names)] = &parts[..] else {
            return Err(io::Error::other(reply.cli()));
        };
        found.extend(names.iter().filter_map(|name| name.as_bytes().map(<[u8]>::to_vec)));
        if next == b"0" {
            return Ok(found);
        }
        cursor.clone_from(next);
    }
}

/// The sort of a reply, for telling differences apart.
fn kind(value: &Value) -> String {
    match value {
        Value::Error(text) => {
            let words = String::from_utf8_lossy(text);
            words.split(' ').take(4).collect::<Vec<_>>().join("-")
        }
        Value::Integer(_) => "integer".into(),
        Value::Bulk(_) => "bulk".into(),
        Value::Null | Value::NullArray => "null".into(),
        Value::Array(_) => "array".into(),
        Value::Map(_) => "map".into(),
        other => other.cli(),
    }
}

/// Leaves out what the difference does not need, from empty data sets each time.
fn shrink(
    pair: &mut Pair,
    table: &CommandTable,
    mut requests: Vec<Request>,
    name: &str,
) -> io::Result<String> {
    let mut text = "(it does not come again from empty data sets)".to_owned();
    let mut chunk = requests.len();
    while chunk > 0 {
        let mut start = 0;
        while start < requests.len() {
            let mut fewer = requests.clone();
            if chunk < requests.len() {
                fewer.drain(start..(start + chunk).min(requests.len()));
            }
            pair.start_over()?;
            let again = pair.segment(table, &fewer, &mut BTreeMap::new())?;
            match again.filter(|difference| difference.name == name) {
                Some(difference) => {
                    fewer.truncate(difference.at + 1);
                    let is_shorter = fewer.len() < requests.len();
                    requests = fewer;
                    text = difference.text;
                    if !is_shorter {
                        start += chunk;
                    }
                }
                None => start += chunk,
            }
        }
        chunk /= 2;
    }
    let script: Vec<String> = requests.iter().map(|request| format!("> {request}")).collect();
    Ok(format!("--- {name}\n{}\n{text}", script.join("\n")))
}
