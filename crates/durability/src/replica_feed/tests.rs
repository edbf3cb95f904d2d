//! The feed of replicas, step by step.

//! What a replica is sent, byte by byte, and when it is given up.

use super::{Feed, Over, Step};
use command::{Contents, ReplicaState, Session, Sync};
use resp::Out;
use std::sync::atomic::Ordering;
use std::task::Waker;
use stdx::rng::Rng;
use testkit::{Node, Options};

const FULL: Sync = Sync::WithOffset { refused: false };

/// A primary, a client of it, and a feed with what has come out of it.
struct Bench {
    node: Node,
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
        let card = std::sync::Arc::clone(&replica.card);
        let feed = Feed::new(std::sync::Arc::clone(&node.engine), card, kind, node.now_ms());
        Self { node, client, replica, feed, rng: Rng::new(7), sent: Vec::new() }
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
        while self.step(13) == Step::More {}
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
        std::sync::Arc::clone(&bench.node.engine),
        std::sync::Arc::clone(&bench.client.card),
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
    settings.output.replica.hard_bytes = 200;
    bench.node.engine.set_settings(settings);
    bench.run();
    bench.send(&[b"SET", b"key", &[b'x'; 120]]);
    assert_eq!(bench.feed.hold(bench.node.now_ms()), None);
    bench.send(&[b"SET", b"key", &[b'x'; 120]]);
    assert_eq!(bench.feed.hold(bench.node.now_ms()), Some(Over::OutputLimit));
    // A snapshot that has to be kept has the same limit.
    let mut bench = Bench { feed: again(&bench), ..bench };
    assert_eq!(bench.step(1000), Step::More);
    assert_eq!(bench.step(1000), Step::Over(Over::SnapshotTooLarge));
}

fn again(bench: &Bench) -> Feed {
    let card = std::sync::Arc::clone(&bench.replica.card);
    let engine = std::sync::Arc::clone(&bench.node.engine);
    Feed::new(engine, card, Sync::Plain, bench.node.now_ms())
}

#[test]
fn the_backlog_is_part_of_a_history() {
    let mut bench = Bench::new(Sync::Plain, |_| {});
    let (engine, before) =
        (std::sync::Arc::clone(&bench.node.engine), bench.node.engine.history.id());
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
