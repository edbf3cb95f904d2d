//! Jobs (KEYDB.CRON): when they run, what the journal is told, and what becomes of them with their keys.

use resp::Value;
use testkit::{Node, Options, START_MS};

struct Server {
    node: Node,
    session: command::Session,
}

impl Server {
    fn new(shards: usize) -> Self {
        let node = Node::new(Options { shards, ..Options::default() });
        let session = node.session();
        Self { node, session }
    }

    fn words(&mut self, words: &[&str]) -> Value {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        self.node.send(&mut self.session, &words).expect("a reply")
    }

    fn call(&mut self, line: &str) -> Value {
        self.words(&line.split(' ').collect::<Vec<_>>())
    }

    /// Sets a job: `line` is what stands before the script, `rest` what stands behind.
    fn job(&mut self, line: &str, script: &str, rest: &str) {
        let mut words: Vec<&str> = ["KEYDB.CRON"].into_iter().chain(line.split(' ')).collect();
        words.push(script);
        words.extend(rest.split(' ').filter(|word| !word.is_empty()));
        assert_eq!(self.words(&words), Value::Simple(b"OK".to_vec()), "{words:?}");
    }

    fn text(&mut self, key: &str) -> String {
        match self.words(&["GET", key]) {
            Value::Bulk(text) => String::from_utf8(text).expect("text"),
            _ => String::new(),
        }
    }

    fn number(&mut self, line: &str) -> i64 {
        match self.call(line) {
            Value::Integer(number) => number,
            other => panic!("{line}: {other:?}"),
        }
    }

    /// Lets time go by in steps, with a look at the jobs behind each; how many ran.
    fn pass(&mut self, steps: usize, step_ms: i64) -> usize {
        let mut ran = 0;
        for _ in 0..steps {
            self.node.advance_ms(step_ms);
            ran += self.node.run_jobs();
        }
        ran
    }

    fn check(&self) {
        self.node.check_replay().expect("the same from the journal");
        self.node.check_reload().expect("the same from a file");
    }

    /// What the journal has got since it was `from` bytes long.
    fn told_since(&self, from: usize) -> String {
        String::from_utf8_lossy(&self.node.journal()[from..]).into_owned()
    }
}

const COUNT: &str = "return redis.call('incr', KEYS[1])";

/// On one shard and on many.
fn both(test: impl Fn(Server)) {
    test(Server::new(1));
    test(Server::new(16));
}

#[test]
fn repeats_in_step_with_its_start() {
    both(|mut server| {
        server.job("job REPEAT 100", COUNT, "1 count");
        assert_eq!(server.pass(1, 99), 0);
        assert_eq!(server.pass(1, 1), 1);
        assert_eq!(server.node.run_jobs(), 0);
        // In steps of 30 it is late by up to 20, and in step all the same.
        assert_eq!(server.pass(10, 30), 3);
        assert_eq!(server.text("count"), "4");
        // Runs that were missed are not made up for.
        assert_eq!(server.pass(1, 10_000), 1);
        assert_eq!(server.pass(1, 99), 0);
        assert_eq!(server.pass(1, 1), 1);
        assert_eq!(server.text("count"), "6");
        server.check();
    });
}

#[test]
fn starts_when_it_is_told_to() {
    both(|mut server| {
        // From 0 on: at once, and then in step with the first run.
        server.job("a repeat 0 100", COUNT, "1 zero");
        server.job(&format!("b repeat {} 100", START_MS - 1_050), COUNT, "1 past");
        server.job(&format!("c repeat {} 100", START_MS + 1_000), COUNT, "1 later");
        assert_eq!(server.node.run_jobs(), 2);
        assert_eq!(server.pass(1, 50), 1);
        assert_eq!(server.text("past"), "2");
        assert_eq!(server.pass(1, 50), 1);
        assert_eq!(server.text("zero"), "2");
        assert_eq!(server.pass(1, 1_000), 3);
        assert_eq!([server.text("later"), server.text("zero")], ["1", "3"]);
        server.check();
    });
}

#[test]
fn a_single_run_is_the_last() {
    both(|mut server| {
        server.job("job SINGLE 100", "return redis.call('append', KEYS[1], ARGV[1])", "1 k x");
        let from = server.node.journal().len();
        assert_eq!(server.pass(3, 100), 1);
        assert_eq!([server.text("k"), server.told_since(from)], [
            "x".to_owned(),
            "*1\r\n$5\r\nMULTI\r\n*3\r\n$6\r\nappend\r\n$1\r\nk\r\n$1\r\nx\r\n*2\r\n$3\r\nDEL\r\n$3\r\njob\r\n*1\r\n$4\r\nEXEC\r\n".to_owned()
        ]);
        assert_eq!(server.number("EXISTS job"), 0);
        server.check();
    });
}

#[test]
fn a_run_and_the_next_are_one_record() {
    let mut server = Server::new(1);
    server.job("job repeat 100", COUNT, "1 count");
    let (from, at) = (server.node.journal().len(), START_MS + 100);
    server.pass(1, 100);
    let next = format!("NEXT\r\n$13\r\n{at}\r\n$13\r\n{}\r\n*1\r\n$4\r\nEXEC\r\n", at + 100);
    let told = server.told_since(from);
    assert!(told.starts_with("*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nincr\r\n$5\r\ncount"), "{told}");
    assert!(told.ends_with(&next), "{told}");
    // What it does not want to be told is its own.
    let mute = "redis.set_repl(redis.REPL_NONE) redis.call('incr', KEYS[1])";
    server.job("job repeat 100", mute, "1 muted");
    let from = server.node.journal().len();
    server.pass(1, 100);
    let told = server.told_since(from);
    assert!(told.contains("NEXT") && !told.contains("incr"), "{told}");
}

#[test]
fn a_crash_loses_no_run_and_adds_none() {
    let mut server = Server::new(1);
    server.job(&format!("job repeat {START_MS} 100"), COUNT, "1 count");
    let mut ends = vec![server.node.journal().len()];
    for _ in 0..5 {
        server.pass(1, 100);
        ends.push(server.node.journal().len());
    }
    for (runs, end) in ends.iter().enumerate() {
        let mut node = server.node.sibling();
        node.replay(&server.node.journal()[..*end]).expect("whole records");
        let mut session = node.session();
        let mut count = |node: &mut Node| node.send(&mut session, &[b"INCRBY", b"count", b"0"]);
        node.set_now_ms(START_MS + 100 * runs as i64);
        assert_eq!(node.run_jobs(), 0);
        assert_eq!(count(&mut node), Some(Value::Integer(runs as i64)));
        node.advance_ms(100);
        assert_eq!(node.run_jobs(), 1);
        assert_eq!(count(&mut node), Some(Value::Integer(runs as i64 + 1)));
    }
}

#[test]
fn what_fails_is_told_and_counts_as_a_run() {
    both(|mut server| {
        let half = "redis.call('incr', KEYS[1]) error('too much')";
        server.job("half repeat 100", half, "1 count");
        server.job("odd repeat 100", "this is no Lua", "");
        server.job("reads repeat 100", "#!lua flags=no-writes\nreturn redis.call('incr', 'k')", "");
        server.job("once single 100", "return redis.call('incr', KEYS[1])", "1 half");
        assert_eq!(server.pass(1, 100), 4);
        let mut told = server.node.told();
        told.sort();
        assert_eq!(told.len(), 4, "{told:?}");
        let begins = |at: usize, text: &str| assert!(told[at].starts_with(text), "{told:?}");
        begins(0, "The job half of database 0 failed: ERR user_script:1: too much");
        begins(1, "The job odd of database 0 failed: ERR Error compiling script");
        begins(2, "The job once of database 0 failed: WRONGTYPE");
        begins(3, "The job reads of database 0 failed: ERR Write commands are not allowed");
        assert_eq!(server.text("count"), "1");
        assert_eq!((server.node.run_jobs(), server.number("EXISTS once")), (0, 0));
        assert_eq!(server.pass(1, 100), 3);
        server.check();
    });
}

#[test]
fn a_script_may_meet_any_key() {
    both(|mut server| {
        let script = "for at = 1, 20 do redis.call('incr', 'k' .. at) end";
        server.job("job repeat 100", script, "");
        server.pass(3, 100);
        for key in 1..=20 {
            assert_eq!(server.text(&format!("k{key}")), "3");
        }
        server.check();
    });
}

#[test]
fn a_script_may_change_its_own_job() {
    both(|mut server| {
        server.job("ends repeat 100", "redis.call('del', 'ends')", "");
        server.job("goes single 100", "redis.call('rename', KEYS[1], KEYS[2])", "2 goes gone");
        let again = "redis.call('keydb.cron', KEYS[1], 'single', 500, 'return 1')";
        server.job("again single 100", again, "1 again");
        assert_eq!(server.pass(1, 100), 3);
        assert_eq!(server.number("EXISTS ends goes gone again"), 2);
        // What was renamed is due under its new name, where it goes.
        assert_eq!(server.pass(1, 1), 1);
        assert_eq!(server.number("EXISTS gone again"), 1);
        assert_eq!(server.pass(1, 500), 1);
        assert_eq!(server.number("DBSIZE"), 0);
        server.check();
    });
}

#[test]
fn waits_while_nobody_may_write() {
    let mut server = Server::new(4);
    server.job("job single 100", COUNT, "1 count");
    server.node.advance_ms(100);
    let engine = std::sync::Arc::clone(&server.node.engine);
    engine.condition.set_log_failed(Some("no space"));
    assert_eq!(server.node.run_jobs(), 0);
    engine.condition.set_log_failed(None);
    engine.condition.set_loading(true);
    assert_eq!(server.node.run_jobs(), 0);
    engine.condition.set_loading(false);
    for mode in ["WRITE", "ALL"] {
        server.call(&format!("CLIENT PAUSE 50 {mode}"));
        assert_eq!((server.node.run_jobs(), server.text("x").len()), (0, 0));
        server.call("CLIENT UNPAUSE");
    }
    let settings = (*engine.settings()).clone();
    engine.set_settings(command::Settings { import_mode: true, ..settings.clone() });
    assert_eq!(server.node.run_jobs(), 0);
    engine.set_settings(settings);
    assert_eq!((server.node.run_jobs(), server.text("count")), (1, "1".to_owned()));
    server.check();
}

#[test]
fn goes_where_its_key_goes() {
    both(|mut server| {
        server.job("a repeat 100", COUNT, "1 count");
        server.call("RENAME a b");
        server.call("COPY b c DB 3");
        server.call("MOVE b 2");
        assert_eq!(server.pass(1, 100), 2);
        assert_eq!(server.text("count"), "");
        server.call("SELECT 2");
        assert_eq!(server.text("count"), "1");
        server.call("SWAPDB 2 5");
        assert_eq!((server.pass(1, 100), server.text("count")), (2, String::new()));
        server.call("SELECT 5");
        assert_eq!(server.text("count"), "2");
        server.call("COPY b d");
        server.call("FLUSHDB");
        assert_eq!(server.pass(1, 100), 1);
        server.check();
        server.call("FLUSHALL");
        assert_eq!(server.pass(1, 100), 0);
        server.check();
    });
}

#[test]
fn ends_with_its_key() {
    both(|mut server| {
        for line in ["DEL a", "SET a x", "GETDEL a", "PEXPIRE a 50", "RESTORE a 0 x REPLACE"] {
            server.job("a repeat 100", COUNT, "1 count");
            if line.starts_with("RESTORE") {
                server.call("RPUSH other x");
                let Value::Bulk(payload) = server.call("DUMP other") else { panic!("no payload") };
                let words: [&[u8]; 5] = [b"RESTORE", b"a", b"0", &payload, b"REPLACE"];
                server.node.send(&mut server.session, &words);
            } else {
                server.call(line);
            }
            let expected = usize::from(line.starts_with("GETDEL"));
            assert_eq!(server.pass(1, 100), expected, "{line}");
            server.call("DEL a");
        }
        assert_eq!(server.text("count"), "1");
        // A time to live outlasts the runs before its end.
        server.job("a repeat 100", COUNT, "1 count");
        server.call("PEXPIRE a 350");
        assert_eq!(server.pass(9, 100), 3);
        server.check();
    });
}

#[test]
fn comes_back_from_a_payload_and_a_file() {
    both(|mut server| {
        server.job("a repeat 100", COUNT, "1 count");
        let Value::Bulk(payload) = server.call("DUMP a") else { panic!("no payload") };
        let words: [&[u8]; 4] = [b"RESTORE", b"b", b"0", &payload];
        server.node.send(&mut server.session, &words);
        let file = server.node.save();
        assert_eq!(server.pass(1, 100), 2);
        let mut loaded = server.node.sibling();
        loaded.load(&file).expect("a file of ours");
        assert_eq!(loaded.run_jobs(), 0);
        loaded.advance_ms(100);
        assert_eq!(loaded.run_jobs(), 2);
        server.check();
    });
}

#[test]
fn is_taken_back_with_a_script() {
    let mut server = Server::new(16);
    // It writes a job, meets a key that it has not declared, and runs again.
    let script = "redis.call('keydb.cron', KEYS[1], 'repeat', 100, 'return 1') \
                  for at = 1, 40 do redis.call('incr', 'k' .. at) end";
    server.words(&["EVAL", script, "1", "job"]);
    assert_eq!((server.pass(1, 100), server.text("k7")), (1, "1".to_owned()));
    // What was queued and not executed is no job.
    server.call("MULTI");
    server.job_queued();
    server.call("DISCARD");
    server.call("DEL job");
    assert_eq!(server.pass(1, 100), 0);
    server.check();
}

impl Server {
    fn job_queued(&mut self) {
        let queued = self.words(&["KEYDB.CRON", "other", "single", "1", "return 1"]);
        assert_eq!(queued, Value::Simple(b"QUEUED".to_vec()));
    }
}

#[test]
fn many_jobs_run_in_the_order_of_their_times() {
    let mut server = Server::new(1);
    for at in (1..=200).rev() {
        let script = "return redis.call('rpush', KEYS[1], ARGV[1])";
        server.job(&format!("job{at} single {at}"), script, &format!("1 list {at}"));
    }
    // A look takes some of them; the next takes more.
    let mut ran = Vec::new();
    server.node.advance_ms(1_000);
    while ran.iter().sum::<usize>() < 200 {
        ran.push(server.node.run_jobs());
        assert_ne!(ran.last(), Some(&0));
    }
    assert_eq!(server.number("LLEN list"), 200);
    assert_eq!(server.call("LINDEX list 0"), Value::Bulk(b"1".to_vec()));
    assert_eq!(server.call("LINDEX list -1"), Value::Bulk(b"200".to_vec()));
    server.check();
}

#[test]
fn may_use_all_that_it_may_as_a_client() {
    both(|mut server| {
        // What others wait for is served under the same locks.
        let mut waiting = server.node.session();
        let mut hand = server.node.hand(7);
        assert_eq!(hand.start(&mut waiting, &[b"BLPOP", b"list", b"0"]), None);
        server.job("job single 100", "redis.call('rpush', KEYS[1], ARGV[1])", "1 list x");
        // What is watched has changed, the job's key too.
        server.call("WATCH job");
        assert_eq!(server.pass(1, 100), 1);
        assert!(hand.resume(&mut waiting).is_some());
        server.call("MULTI");
        server.job_queued();
        assert_eq!(server.call("EXEC"), Value::NullArray);
        assert_eq!(server.number("EXISTS list other"), 0);
        server.check();
    });
}

#[test]
fn tells_of_its_runs() {
    let mut server = Server::new(1);
    let mut listener = server.node.session_of(3);
    server.call("CONFIG SET notify-keyspace-events KEg$");
    server.node.send_all(&mut listener, &[b"PSUBSCRIBE", b"__keyevent@0__:*"]);
    server.job("job repeat 100", COUNT, "1 count");
    server.job("once single 100", "return 1", "");
    server.pass(1, 100);
    let mail = format!("{:?}", server.node.mail(&mut listener));
    for event in ["keydb.cron", "incrby", "CRON Executed"] {
        let channel = format!("{:?}", Value::Bulk(format!("__keyevent@0__:{event}").into_bytes()));
        assert!(mail.contains(&channel), "{event}: {mail}");
    }
}

#[test]
fn who_is_first_runs_a_job_and_no_other() {
    const JOBS: usize = 300;
    for script in [COUNT, "redis.call('incr', 'all') return redis.call('incr', KEYS[1])"] {
        let mut server = Server::new(16);
        for at in 0..JOBS {
            let kind = if at % 2 == 0 { "single" } else { "repeat" };
            server.job(&format!("job{at} {kind} 100"), script, &format!("1 count{at}"));
        }
        server.node.advance_ms(100);
        let due = server.node.engine.due_jobs(server.node.now_ms());
        assert_eq!(due.len(), JOBS);
        let mut hands: Vec<_> = (1..4).map(|seed| server.node.hand(seed)).collect();
        let ran: usize = std::thread::scope(|scope| {
            let runs: Vec<_> =
                hands.iter_mut().map(|hand| scope.spawn(|| hand.run_due(&due))).collect();
            runs.into_iter().map(|run| run.join().expect("no panic")).sum()
        });
        assert_eq!(ran, JOBS);
        server.node.drain();
        for at in 0..JOBS {
            assert_eq!(server.text(&format!("count{at}")), "1");
        }
        assert_eq!(server.node.run_jobs(), 0);
        server.check();
    }
}
