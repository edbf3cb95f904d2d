//! What a replica is sent, byte by byte, and when it is given up.

use super::{Feed, Over, Place, Step};
use crate::rdb_file::{Event, Frames};
use command::{Contents, ReplicaState, Session, Sync};
use disk::{Disk as _, Fault, MemDisk};
use keyspace::Dialect;
use resp::Out;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use stdx::rng::Rng;
use testkit::{Node, Options};

const FULL: Sync = Sync::WithOffset { refused: false };

/// What was given to other threads.
type Works = Arc<parking_lot::Mutex<Vec<super::Work>>>;

fn place(disk: &MemDisk, works: &Works) -> Place {
    let works = Arc::clone(works);
    let spawn = move |work| {
        works.lock().push(work);
        Ok(())
    };
    Place { disk: Arc::new(disk.clone()), spawn: Arc::new(spawn) }
}

/// A primary, a client of it, and a feed with what has come out of it.
struct Bench {
    node: Node,
    disk: MemDisk,
    works: Works,
    client: Session,
    replica: Session,
    feed: Feed,
    rng: Rng,
    sent: Vec<u8>,
}

impl Bench {
    fn new(kind: Sync, prepare: impl FnOnce(&Session)) -> Self {
        let mut node = Node::new(Options { shards: 4, ..Options::default() });
        let mut client = node.session();
        let replica = node.session();
        prepare(&replica);
        node.send(&mut client, &[b"SET", b"before", b"1"]);
        let card = Arc::clone(&replica.card);
        let (disk, works) = (MemDisk::new(), Works::default());
        let engine = Arc::clone(&node.engine);
        let feed = Feed::new(engine, place(&disk, &works), card, kind, node.now_ms());
        Self { node, disk, works, client, replica, feed, rng: Rng::new(7), sent: Vec::new() }
    }

    fn step(&mut self, bytes_max: usize) -> Step {
        let mut out = Out::default();
        let now_ms = self.node.now_ms();
        let step = self.feed.step(&mut self.rng, now_ms, bytes_max, Waker::noop(), &mut out);
        self.sent.extend_from_slice(&out.to_vec());
        step
    }

    /// Steps until there is nothing to send.
    fn run(&mut self) {
        while self.step(13) == Step::More || self.work() {}
    }

    /// Lets the other threads work; false if there is nothing to do.
    fn work(&self) -> bool {
        let works = std::mem::take(&mut *self.works.lock());
        let any = !works.is_empty();
        works.into_iter().for_each(|work| work());
        any
    }

    fn send(&mut self, words: &[&[u8]]) {
        self.node.send(&mut self.client, words);
    }

    fn acknowledge(&mut self) {
        self.node.send(&mut self.replica, &[b"REPLCONF", b"ACK", b"0"]);
    }

    fn state(&self) -> ReplicaState {
        self.replica.card.replica().state()
    }

    /// What was sent up to the end of a line, without the line's end.
    fn line(&mut self) -> String {
        let end = self.sent.windows(2).position(|end| end == b"\r\n").expect("a line");
        let line: Vec<u8> = self.sent.drain(..end + 2).take(end).collect();
        String::from_utf8(line).expect("text")
    }

    /// The data of a snapshot, loaded into an empty node.
    fn loaded(&self, file: &[u8]) -> testkit::Snapshot {
        let mut node = self.node.sibling();
        node.load(file).expect("a sound file");
        node.snapshot()
    }
}

fn takes_eof(replica: &Session) {
    replica.card.replica().takes_eof.store(true, Ordering::Relaxed);
}

const SET: &[u8] =
    b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$5\r\nafter\r\n$1\r\n2\r\n";

#[test]
fn a_peer_of_old_is_told_the_length() {
    let mut bench = Bench::new(Sync::Plain, |_| {});
    assert_eq!(bench.state(), ReplicaState::WaitBgsave);
    let at_cut = bench.node.snapshot();
    assert_eq!(bench.step(13), Step::More);
    // Behind the cut: not in the snapshot.
    bench.send(&[b"SET", b"after", b"2"]);
    bench.run();
    assert_eq!(bench.state(), ReplicaState::Online);
    let length: usize = bench.line()[1..].parse().expect("a length");
    let file: Vec<u8> = bench.sent.drain(..length).collect();
    assert_eq!(bench.loaded(&file).difference(&at_cut, true), "");
    assert_eq!(bench.sent, SET);
}

#[test]
fn the_stream_waits_for_who_looks_for_a_mark() {
    let mut bench = Bench::new(FULL, takes_eof);
    let at_cut = bench.node.snapshot();
    bench.step(13);
    bench.send(&[b"SET", b"after", b"2"]);
    bench.run();
    let id = bench.node.engine.history.id();
    assert_eq!(id.len(), 40);
    let offset = bench.line();
    assert_eq!(offset, format!("+FULLRESYNC {id} {}", at_cut_offset(&bench)));
    let mark = bench.line();
    let mark = mark.strip_prefix("$EOF:").expect("a mark").as_bytes().to_vec();
    assert!(bench.sent.ends_with(&mark) && mark.len() == 40);
    let file = bench.sent[..bench.sent.len() - 40].to_vec();
    assert_eq!(bench.loaded(&file).difference(&at_cut, true), "");
    bench.sent.clear();
    bench.acknowledge();
    bench.run();
    assert_eq!(bench.sent, SET);
}

/// The offset before the one record that came behind the cut.
fn at_cut_offset(bench: &Bench) -> u64 {
    bench.node.engine.journal.tail().0 - SET.len() as u64
}

#[test]
fn only_what_was_asked_for_is_sent() {
    let mut bench = Bench::new(Sync::Plain, |replica| {
        takes_eof(replica);
        replica.card.replica().snapshot_only.store(true, Ordering::Relaxed);
        *replica.card.replica().contents.lock() = Contents { keys: false, functions: true };
    });
    bench.run();
    bench.send(&[b"SET", b"after", b"2"]);
    bench.acknowledge();
    bench.run();
    assert_eq!(bench.state(), ReplicaState::Transmitted);
    bench.line();
    let file = bench.sent[..bench.sent.len() - 40].to_vec();
    let empty = bench.node.sibling().snapshot();
    assert_eq!(bench.loaded(&file).difference(&empty, true), "");
}

#[test]
fn newlines_come_while_another_snapshot_is_under_way() {
    let mut bench = Bench::new(Sync::Plain, |_| {});
    let mut other = Feed::new(
        Arc::clone(&bench.node.engine),
        place(&bench.disk, &bench.works),
        Arc::clone(&bench.client.card),
        Sync::Plain,
        bench.node.now_ms(),
    );
    let mut out = Out::default();
    let now_ms = bench.node.now_ms();
    other.step(&mut Rng::new(1), now_ms, 1, Waker::noop(), &mut out);
    assert_eq!(bench.step(13), Step::Wait);
    assert_eq!(bench.sent, b"");
    for _ in 0..3 {
        bench.node.advance_ms(1000);
        assert_eq!(bench.step(13), Step::Wait);
    }
    assert_eq!(bench.sent, b"\n\n\n");
    assert_eq!(bench.node.engine.history.replicas(), 2);
    drop(other);
    bench.run();
    assert_eq!(bench.state(), ReplicaState::Online);
    assert_eq!(bench.node.engine.history.replicas(), 1);
}

#[test]
fn a_snapshot_that_is_taken_back_is_no_file() {
    for prepare in [|_: &Session| {}, takes_eof] {
        let mut bench = Bench::new(FULL, prepare);
        assert!(!bench.node.engine.take_back(), "nothing is lent yet");
        assert_eq!(bench.step(13), Step::More);
        bench.step(13);
        assert!(bench.node.engine.take_back());
        bench.work();
        assert!(!bench.node.engine.space.has_snapshot(), "its place is free");
        assert_eq!(bench.step(13), Step::Over(Over::TakenBack));
        assert!(!bench.node.engine.take_back());
    }
}

#[test]
fn who_lags_or_is_silent_is_given_up() {
    let mut bench = Bench::new(FULL, takes_eof);
    bench.run();
    bench.acknowledge();
    bench.run();
    bench.node.advance_ms(60_000);
    assert_eq!(bench.step(13), Step::Wait);
    bench.acknowledge();
    bench.node.advance_ms(60_001);
    assert_eq!(bench.step(13), Step::Over(Over::Timeout));

    let mut bench = Bench::new(Sync::Plain, |_| {});
    let mut settings = (*bench.node.engine.settings()).clone();
    (settings.backlog_bytes, settings.rdb_compression) = (100, false);
    settings.output.replica.hard_bytes = 500;
    bench.node.engine.set_settings(settings);
    bench.run();
    bench.send(&[b"SET", b"key", &[b'x'; 400]]);
    assert_eq!(bench.feed.hold(bench.node.now_ms()), None);
    bench.send(&[b"SET", b"key", &[b'x'; 400]]);
    assert_eq!(bench.feed.hold(bench.node.now_ms()), Some(Over::OutputLimit));
    // A snapshot that has to be kept is not in memory, and has no such limit.
    let mut bench = Bench { feed: again(&bench), ..bench };
    bench.run();
    assert_eq!(bench.state(), ReplicaState::Online);
}

#[test]
fn what_is_gathered_is_in_a_file_without_a_name() {
    let mut bench = Bench::new(Sync::Plain, |_| {});
    while bench.sent.is_empty() {
        bench.step(13);
        bench.work();
        assert_eq!(bench.disk.list(Path::new(".")).expect("names"), Vec::<OsString>::new());
    }
    assert!(!bench.node.engine.space.has_snapshot(), "its place is free while the file is sent");
    assert_eq!(bench.state(), ReplicaState::SendBulk);
}

#[test]
fn who_goes_ends_the_gathering() {
    let mut bench = Bench::new(Sync::Plain, |_| {});
    bench.step(13);
    bench.feed = again(&bench);
    assert!(bench.node.engine.space.has_snapshot());
    let before = bench.disk.operations();
    assert!(bench.work());
    assert_eq!(bench.disk.operations(), before, "nothing was written");
    assert!(!bench.node.engine.space.has_snapshot());
}

#[test]
fn a_full_disk_ends_the_feed_and_frees_the_place() {
    // Each of: making the file, taking its name off, a write, reading it.
    for nth in 1.. {
        let mut bench = Bench::new(Sync::Plain, |_| {});
        bench.disk.inject(nth, Fault::Enospc);
        let over = loop {
            match bench.step(13) {
                Step::More => {}
                Step::Wait if bench.work() => {}
                other => break other,
            }
        };
        if !bench.disk.fired() {
            assert!(nth > 3);
            return;
        }
        assert_eq!(over, Step::Over(Over::NotKept(io::ErrorKind::StorageFull)));
        bench.feed = again(&bench);
        bench.run();
        assert_eq!(bench.state(), ReplicaState::Online);
    }
}

fn again(bench: &Bench) -> Feed {
    let card = Arc::clone(&bench.replica.card);
    let engine = Arc::clone(&bench.node.engine);
    Feed::new(engine, place(&bench.disk, &bench.works), card, Sync::Plain, bench.node.now_ms())
}

#[test]
fn the_backlog_is_part_of_a_history() {
    let mut bench = Bench::new(Sync::Plain, |_| {});
    let (engine, before) = (Arc::clone(&bench.node.engine), bench.node.engine.history.id());
    assert!(!engine.history.backlog(&engine.journal).active);
    bench.run();
    let id = engine.history.id();
    assert!(before != id && id.len() == 40);
    bench.send(&[b"SET", b"after", b"2"]);
    let backlog = engine.history.backlog(&engine.journal);
    assert_eq!((backlog.active, backlog.bytes), (true, SET.len() as u64));
    engine.history.resize(10);
    let backlog = engine.history.backlog(&engine.journal);
    assert_eq!((backlog.first.0, backlog.bytes), (engine.journal.tail().0 - 10, 10));
    // A second replica is of the same history; who comes when nothing is kept, of another.
    let mut bench = Bench { feed: again(&bench), ..bench };
    bench.run();
    assert_eq!(engine.history.id(), id);
    engine.history.forget();
    let mut bench = Bench { feed: again(&bench), ..bench };
    bench.run();
    assert_ne!(engine.history.id(), id);
}

/// What stands beside the keys of a file: its version, names with values, sources of libraries.
fn beside(file: &[u8]) -> (u16, Vec<(String, String)>, Vec<Vec<u8>>) {
    struct Whole<'a>(&'a [u8]);
    impl rdb::Source for Whole<'_> {
        fn read(&mut self, into: &mut Vec<u8>) -> Result<usize, rdb::Error> {
            into.extend_from_slice(self.0);
            Ok(std::mem::take(&mut self.0).len())
        }
    }
    let mut source = Whole(file);
    let mut frames = Frames::begin(&mut source, rdb::file::Versions::Known, true).unwrap();
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let (mut aux, mut functions) = (Vec::new(), Vec::new());
    loop {
        match frames.event().unwrap() {
            Event::Aux { name, value } => aux.push((text(name), text(value))),
            Event::Function(source) => functions.push(source),
            Event::End { checked } => {
                assert!(checked, "the checksum is right");
                return (frames.version(), aux, functions);
            }
            Event::Keys(_) | Event::Sizes { .. } => {}
            Event::Large => unreachable!("no value is large"),
        }
    }
}

const LIBRARY: &[u8] = b"#!lua name=lib\nredis.register_function('f', function() return 1 end)\n";

#[test]
fn the_snapshot_has_the_functions_and_says_where_it_belongs() {
    let mut bench = Bench::new(Sync::Plain, |_| {});
    bench.send(&[b"FUNCTION", b"LOAD", LIBRARY]);
    bench.run();
    let length: usize = bench.line()[1..].parse().expect("a length");
    let (version, aux, functions) = beside(&bench.sent[..length]);
    assert_eq!((version, functions), (11, vec![LIBRARY.to_vec()]));
    let value = |name: &str| aux.iter().find(|(other, _)| other == name).map(|(_, value)| &**value);
    let (id, lsn) = (bench.node.engine.history.id(), bench.node.engine.journal.tail());
    assert_eq!(value("repl-stream-db"), Some("0"));
    assert_eq!(value("repl-id"), Some(&*id));
    assert_eq!(value("repl-offset"), Some(&*lsn.to_string()));
    assert_eq!(value("aof-base"), Some("0"));
}

#[test]
fn the_snapshot_has_the_form_that_is_asked_for() {
    let sent = |format: Dialect, expiring: bool| {
        let mut bench = Bench::new(Sync::Plain, |_| {});
        let mut settings = (*bench.node.engine.settings()).clone();
        settings.rdb_format = format;
        bench.node.engine.set_settings(settings);
        bench.send(&[b"HSET", b"hash", b"field", b"value"]);
        if expiring {
            bench.send(&[b"HPEXPIRE", b"hash", b"1000000", b"FIELDS", b"1", b"field"]);
        }
        let mut step = bench.step(1 << 20);
        while step == Step::More || bench.work() {
            step = bench.step(1 << 20);
        }
        match step {
            Step::Over(over) => Err(over),
            _ => {
                let length: usize = bench.line()[1..].parse().expect("a length");
                Ok(beside(&bench.sent[..length]).0)
            }
        }
    };
    assert_eq!(sent(Dialect::Redis70, false), Ok(10));
    assert!(matches!(sent(Dialect::Redis70, true), Err(Over::Unfit(_))));
    assert_eq!(sent(Dialect::Common, true), Ok(12));
    assert_eq!(sent(Dialect::Valkey9, true), Ok(80));
}
