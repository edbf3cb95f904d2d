//! Many clients on few keys of a running server, with blocking, transactions, expiry and FLUSHALL
//! mixed. What they saw is then checked: each key's history is linearizable, every element is
//! popped once, and what several keys hold is one moment's.
//!
//! ```sh
//! almagre server --port 7410 --io-threads 8 &
//! cargo run --release -p testkit --example stress -- --port 7410 --clients 8 --rounds 200 --seed 1
//! ```
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a tool talks to its terminal, runs threads and reads the time"
)]

use resp::Value;
use std::collections::BTreeMap;
use std::io;
use std::process::ExitCode;
use std::sync::Barrier;
use std::time::Instant;
use stdx::rng::Rng;
use testkit::client::Client;
use testkit::linear::{Answer, Call, Op, Slack, order};

/// Calls of one client in a round.
const CALLS: usize = 40;
const TEXTS: &[&str] = &["r0", "r1"];
const QUEUES: &[&str] = &["q0", "q1"];
/// Their sum is zero at any moment: transfers change two of them at once.
const ACCOUNTS: &[&str] = &["a0", "a1", "a2", "a3"];
/// The clocks of server and clients are one; a command's time may have been read before its locks.
const SLACK: Slack = Slack(5_000);

struct Options {
    port: u64,
    clients: u64,
    rounds: u64,
    seed: u64,
}

fn options() -> Result<Options, String> {
    let mut options = Options { port: 0, clients: 8, rounds: 100, seed: 1 };
    let mut args = std::env::args().skip(1);
    while let Some(flag) = args.next() {
        let value = args.next().ok_or(format!("{flag} wants a value"))?;
        let number = value.parse::<u64>().map_err(|error| format!("{flag}: {error}"))?;
        match flag.as_str() {
            "--port" => options.port = number,
            "--clients" => options.clients = number,
            "--rounds" => options.rounds = number,
            "--seed" => options.seed = number,
            _ => return Err(format!("no option {flag}")),
        }
    }
    if options.port == 0 {
        return Err("--port PORT [--clients N] [--rounds N] [--seed N]".into());
    }
    Ok(options)
}

fn main() -> ExitCode {
    let outcome = options().and_then(|options| run(&options).map_err(|error| error.to_string()));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stress: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What a client saw of one key.
type Seen = Vec<(String, Call)>;

fn run(options: &Options) -> io::Result<()> {
    let address = format!("127.0.0.1:{}", options.port);
    let mut main = Client::connect(&address)?;
    let (mut calls, mut blocked) = (0, 0);
    let started = Instant::now();
    for round in 0..options.rounds {
        main.line("FLUSHALL")?;
        let (barrier, clock) = (Barrier::new(options.clients as usize), Instant::now());
        let seen: Vec<io::Result<(Seen, u64)>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..options.clients)
                .map(|number| {
                    let (address, barrier, clock) = (&address, &barrier, &clock);
                    let seed = options.seed + round * 1000 + number;
                    scope.spawn(move || {
                        let mut one = One {
                            client: Client::connect(address)?,
                            rng: Rng::new(seed),
                            name: format!("{round}-{number}"),
                            next: 0,
                            clock,
                            seen: Vec::new(),
                            blocked: 0,
                        };
                        barrier.wait();
                        for _ in 0..CALLS {
                            one.call()?;
                        }
                        Ok((one.seen, one.blocked))
                    })
                })
                .collect();
            threads.into_iter().map(|one| one.join().expect("a client's thread")).collect()
        });
        let mut histories: BTreeMap<String, Vec<Call>> = BTreeMap::new();
        for seen in seen {
            let (seen, served) = seen?;
            blocked += served;
            for (key, call) in seen {
                calls += 1;
                histories.entry(key).or_default().push(call);
            }
        }
        for (key, mut history) in histories {
            history.sort_by_key(|call| call.begin);
            if order(&history, SLACK).is_none() {
                for call in &history {
                    println!("{:>9} {:>9} {:?} {:?}", call.begin, call.end, call.op, call.answer);
                }
                return Err(io::Error::other(format!(
                    "round {round}, seed {}: what was seen of {key} cannot have happened",
                    options.seed
                )));
            }
        }
    }
    println!(
        "{} rounds, {} clients, {calls} calls on {} keys, {blocked} of them waited and were served, {:.1} s",
        options.rounds,
        options.clients,
        TEXTS.len() + QUEUES.len(),
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

/// One client in one round.
struct One<'r> {
    client: Client,
    rng: Rng,
    name: String,
    next: u64,
    clock: &'r Instant,
    seen: Seen,
    /// Blocking pops that were served.
    blocked: u64,
}

impl One<'_> {
    fn now(&self) -> u64 {
        self.clock.elapsed().as_micros() as u64
    }

    /// A value that nobody else writes.
    fn unique(&mut self) -> String {
        self.next += 1;
        format!("{}-{}", self.name, self.next)
    }

    fn saw(&mut self, key: &str, begin: u64, op: Op, answer: Answer) {
        let end = self.now();
        self.seen.push((key.to_owned(), Call { begin, end, op, answer }));
    }

    fn call(&mut self) -> io::Result<()> {
        match self.rng.index(100) {
            0..=34 => self.text(),
            35..=64 => self.queue(),
            65..=74 => self.transaction(),
            75..=82 => self.swap(),
            83..=90 => self.transfer(),
            91..=97 => self.sum(),
            98 => self.everything(),
            _ => self.waiting_for_nothing(),
        }
    }

    fn text(&mut self) -> io::Result<()> {
        let key = TEXTS[self.rng.index(TEXTS.len())];
        let (op, line) = match self.rng.index(8) {
            0 | 1 => {
                let value = self.unique();
                let line = format!("SET {key} {value}");
                (Op::Set(value, None), line)
            }
            2 => {
                let (value, span) = (self.unique(), 1 + self.rng.below(20));
                let line = format!("SET {key} {value} PX {span}");
                (Op::Set(value, Some(span * 1000)), line)
            }
            3 => (Op::GetDel, format!("GETDEL {key}")),
            4 => (Op::Del, format!("DEL {key}")),
            _ => (Op::Get, format!("GET {key}")),
        };
        let begin = self.now();
        let reply = self.client.line(&line)?;
        let answer = answer(&reply)?;
        self.saw(key, begin, op, answer);
        Ok(())
    }

    fn queue(&mut self) -> io::Result<()> {
        let key = QUEUES[self.rng.index(QUEUES.len())];
        let begin = self.now();
        match self.rng.index(10) {
            0..=3 => {
                let items: Vec<String> = (0..=self.rng.index(2)).map(|_| self.unique()).collect();
                let reply = self.client.line(&format!("RPUSH {key} {}", items.join(" ")))?;
                let answer = answer(&reply)?;
                self.saw(key, begin, Op::PushRight(items), answer);
            }
            4 | 5 => {
                let reply = self.client.line(&format!("LPOP {key}"))?;
                let answer = answer(&reply)?;
                self.saw(key, begin, Op::PopLeft, answer);
            }
            6 => {
                let reply = self.client.line(&format!("LRANGE {key} 0 -1"))?;
                let answer = answer(&reply)?;
                self.saw(key, begin, Op::All, answer);
            }
            _ => {
                let reply = self.client.line("BLPOP q0 q1 0.02")?;
                match &reply {
                    Value::Array(parts) if parts.len() == 2 => {
                        let key = text(&parts[0])?;
                        let popped = answer(&parts[1])?;
                        self.saw(&key, begin, Op::PopLeft, popped);
                        self.blocked += 1;
                    }
                    // Waited in vain: nothing was seen of either key at any one moment.
                    Value::Null | Value::NullArray => {}
                    other => return Err(io::Error::other(other.cli())),
                }
            }
        }
        Ok(())
    }

    /// Several commands on one queue, whole for all others.
    fn transaction(&mut self) -> io::Result<()> {
        let key = QUEUES[self.rng.index(QUEUES.len())];
        let items = vec![self.unique(), self.unique()];
        let begin = self.now();
        self.client.line("MULTI")?;
        self.client.line(&format!("RPUSH {key} {}", items.join(" ")))?;
        self.client.line(&format!("LPOP {key}"))?;
        self.client.line(&format!("LRANGE {key} 0 -1"))?;
        let Value::Array(replies) = self.client.line("EXEC")? else {
            return Err(io::Error::other("EXEC gave no array"));
        };
        let answers = replies.iter().map(answer).collect::<io::Result<Vec<_>>>()?;
        let ops = vec![Op::PushRight(items), Op::PopLeft, Op::All];
        self.saw(key, begin, Op::Together(ops), Answer::Together(answers));
        Ok(())
    }

    /// Reads, and writes if nobody else has written meanwhile.
    fn swap(&mut self) -> io::Result<()> {
        let key = TEXTS[self.rng.index(TEXTS.len())];
        self.client.line(&format!("WATCH {key}"))?;
        let begin = self.now();
        let before = answer(&self.client.line(&format!("GET {key}"))?)?;
        self.saw(key, begin, Op::Get, before.clone());
        let before = match before {
            Answer::Text(value) => Some(value),
            _ => None,
        };
        let new = self.unique();
        self.client.line("MULTI")?;
        self.client.line(&format!("SET {key} {new}"))?;
        let begin = self.now();
        let answer = match self.client.line("EXEC")? {
            Value::Null | Value::NullArray => Answer::Refused,
            Value::Array(_) => Answer::Done,
            other => return Err(io::Error::other(other.cli())),
        };
        self.saw(key, begin, Op::Swap(before, new), answer);
        Ok(())
    }

    fn transfer(&mut self) -> io::Result<()> {
        let (from, amount) = (self.rng.index(ACCOUNTS.len()), self.rng.below(50));
        let to = (from + 1 + self.rng.index(ACCOUNTS.len() - 1)) % ACCOUNTS.len();
        self.client.line("MULTI")?;
        self.client.line(&format!("DECRBY {} {amount}", ACCOUNTS[from]))?;
        self.client.line(&format!("INCRBY {} {amount}", ACCOUNTS[to]))?;
        match self.client.line("EXEC")? {
            Value::Array(replies) if replies.len() == 2 => Ok(()),
            other => Err(io::Error::other(other.cli())),
        }
    }

    fn sum(&mut self) -> io::Result<()> {
        let Value::Array(values) = self.client.line(&format!("MGET {}", ACCOUNTS.join(" ")))?
        else {
            return Err(io::Error::other("MGET gave no array"));
        };
        let mut sum = 0;
        for value in &values {
            if let Some(text) = value.as_bytes() {
                sum +=
                    stdx::num::parse_i64(text).ok_or(io::Error::other("an account is a number"))?;
            }
        }
        if sum == 0 {
            return Ok(());
        }
        Err(io::Error::other(format!("half of a transfer was seen: the sum is {sum}")))
    }

    fn everything(&mut self) -> io::Result<()> {
        let begin = self.now();
        self.client.line("FLUSHALL")?;
        for key in TEXTS.iter().chain(QUEUES) {
            self.saw(key, begin, Op::Del, Answer::Done);
        }
        Ok(())
    }

    /// A wait on a key of another type, which is renamed away: nothing may come of it.
    fn waiting_for_nothing(&mut self) -> io::Result<()> {
        match self.client.line("BLPOP never 0.005")? {
            Value::Null | Value::NullArray => Ok(()),
            other => Err(io::Error::other(other.cli())),
        }
    }
}

fn text(value: &Value) -> io::Result<String> {
    let bytes = value.as_bytes().ok_or_else(|| io::Error::other(value.cli()))?;
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

fn answer(value: &Value) -> io::Result<Answer> {
    Ok(match value {
        Value::Simple(_) => Answer::Done,
        Value::Null | Value::NullArray => Answer::Nothing,
        Value::Integer(number) => Answer::Length(*number as usize),
        Value::Bulk(_) => Answer::Text(text(value)?),
        Value::Array(items) => Answer::Items(items.iter().map(text).collect::<io::Result<_>>()?),
        other => return Err(io::Error::other(other.cli())),
    })
}
