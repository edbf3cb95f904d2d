//! Append, read and wait under shuttle: every operation is a point where another thread may go on.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test -p lock -p journal --target-dir target/shuttle`

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Wake, Waker};

use stdx::sync::{Condvar, Mutex, thread};

use crate::tests::Bug;
use crate::watermark::Wait;
use crate::{Frame, Journal, Limits, Lsn, Patience, ReadOutcome, Reader, Watermark};

const LIMITS: Limits =
    Limits { segment_bytes: 32, memory_bytes_max: 4096, grant_bytes: 16, writers_max: 4 };

fn explore(model: fn()) {
    shuttle::check_random(model, 1_000);
    shuttle::check_pct(model, 1_000, 3);
}

fn finds_the_fault(model: fn()) {
    assert!(catch_unwind(AssertUnwindSafe(|| explore(model))).is_err(), "the fault was not found");
}

/// A waker for a thread.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    ring: Condvar,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.rung.lock() = true;
        self.ring.notify_one();
    }
}

impl Bell {
    /// Waits for a ring; shuttle reports a deadlock if there is none.
    fn wait(&self) {
        let mut rung = self.rung.lock();
        while !std::mem::take(&mut *rung) {
            self.ring.wait(&mut rung);
        }
    }
}

const RECORDS: usize = 3;

fn record(writer: usize, number: usize) -> String {
    format!("<{writer} {number} {}>", "x".repeat(3 + 7 * number + writer))
}

/// Splits a stream into records with the database that is selected for each.
fn records(stream: &[u8]) -> Vec<(u32, String)> {
    let mut rest = std::str::from_utf8(stream).expect("bytes that nobody wrote");
    let (mut database, mut found) = (u32::MAX, Vec::new());
    while !rest.is_empty() {
        if let Some(select) = rest.strip_prefix("*2\r\n$6\r\nSELECT\r\n$1\r\n") {
            database = select[..1].parse().expect("a digit");
            rest = &select[3..];
        } else {
            let end = rest.find('>').expect("a torn record") + 1;
            assert!(rest.starts_with('<'), "a torn record");
            found.push((database, rest[..end].to_owned()));
            rest = &rest[end..];
        }
    }
    found
}

fn poll_whole(reader: &mut Reader, buf: &mut Vec<u8>, bytes_max: usize) -> ReadOutcome {
    let before = buf.len();
    let outcome = reader.poll(buf, bytes_max);
    if let ReadOutcome::Data { from, to, whole } = outcome {
        assert_eq!(to.0 - from.0, (buf.len() - before) as u64);
        if whole {
            records(&buf[before..]);
        }
    }
    outcome
}

/// Two writers of different databases, one reader beside them.
fn append_model(bug: Bug) {
    let mut journal = Journal::build(Lsn(5), LIMITS);
    journal.bug = bug;
    let journal = Arc::new(journal);
    let mut reader = journal.reader(Lsn(5), Patience::Drop(1 << 20)).expect("the tail");
    // Both writers on one lock: the order of the log is the order of the lock.
    let order = Arc::new(Mutex::new(Vec::new()));
    let writers: Vec<_> = (0..2)
        .map(|number| {
            let (mut writer, order) = (journal.writer(), Arc::clone(&order));
            thread::spawn(move || {
                for count in 0..RECORDS {
                    let text = record(number, count);
                    let (head, rest) = text.as_bytes().split_at(4);
                    let mut room = writer.room(text.len() as u64, 1).expect("never stalls");
                    let mut order = order.lock();
                    // The first record's bytes follow after the lock.
                    let frame = Frame::new(number as u32);
                    let reserved = writer.reserve(&mut room, frame, text.len() as u64);
                    order.push((number as u32, text.clone(), reserved.end()));
                    if count == 0 {
                        drop(order);
                        writer.fill(reserved, &[head, rest]);
                    } else {
                        writer.fill(reserved, &[head, rest]);
                    }
                }
            })
        })
        .collect();
    let mut stream = Vec::new();
    for _ in 0..4 {
        poll_whole(&mut reader, &mut stream, 60);
        thread::yield_now();
    }
    writers.into_iter().for_each(|writer| writer.join().expect("shuttle reports the panic"));
    while let ReadOutcome::Data { .. } = poll_whole(&mut reader, &mut stream, 60) {}
    assert_eq!(reader.position(), journal.tail());
    let order = order.lock();
    let expected: Vec<_> = order.iter().map(|(db, text, _)| (*db, text.clone())).collect();
    assert_eq!(records(&stream), expected);
    assert!(order.is_sorted_by_key(|&(_, _, end)| end));
    assert_eq!(order.last().expect("six records").2, journal.tail());
}

#[test]
fn nothing_is_lost_torn_or_out_of_order() {
    explore(|| append_model(Bug::None));
}

/// M33.
#[test]
fn finds_slots_that_are_read_before_the_tail() {
    finds_the_fault(|| append_model(Bug::SlotsBeforeTail));
}

#[test]
fn finds_a_bound_that_is_published_late() {
    finds_the_fault(|| append_model(Bug::PublishAfterReserve));
}

/// Writers without a common lock, a reader for which they must wait, and which sleeps: no wake-up is
/// lost in either direction.
#[test]
fn writers_and_a_sleeping_reader_wake_each_other() {
    explore(|| {
        let journal = Journal::new(Lsn(0), LIMITS);
        let mut reader = journal.reader(Lsn(0), Patience::Stall(40)).expect("the tail");
        let writers: Vec<_> = (0..2)
            .map(|number| {
                let mut writer = journal.writer();
                thread::spawn(move || {
                    for count in 0..2 {
                        let text = record(number, count);
                        let mut room = writer.room(text.len() as u64, 1).expect("it fits");
                        writer.append(&mut room, Frame::global(), &[text.as_bytes()]);
                        drop(room);
                        writer.nudge();
                    }
                })
            })
            .collect();
        let (mut stream, bell) = (Vec::new(), Arc::new(Bell::default()));
        while records(&stream).len() < 4 {
            match poll_whole(&mut reader, &mut stream, 100) {
                ReadOutcome::Empty => {
                    if reader.sleep(&Waker::from(Arc::clone(&bell))) {
                        bell.wait();
                    }
                }
                ReadOutcome::Data { whole, .. } => assert!(whole),
                ReadOutcome::Lagged => panic!("writers wait for this reader"),
            }
        }
        writers.into_iter().for_each(|writer| writer.join().expect("shuttle reports the panic"));
    });
}

/// Readers come, lag and go, while writers append: memory is given back and taken anew.
#[test]
fn readers_come_and_go() {
    explore(|| {
        let journal = Journal::new(Lsn(0), LIMITS);
        let mut lagging = journal.reader(Lsn(0), Patience::Drop(30)).expect("the tail");
        let writers: Vec<_> = (0..2)
            .map(|number| {
                let mut writer = journal.writer();
                thread::spawn(move || {
                    for count in 0..RECORDS {
                        let text = record(number, count);
                        let mut room = writer.room(text.len() as u64, 1).expect("never stalls");
                        writer.append(&mut room, Frame::global(), &[text.as_bytes()]);
                    }
                })
            })
            .collect();
        let mut stream = Vec::new();
        while let ReadOutcome::Data { .. } = poll_whole(&mut lagging, &mut stream, 20) {}
        drop(lagging);
        let keep = journal.keep(40);
        thread::yield_now();
        if let Ok(mut late) = journal.reader(journal.tail(), Patience::Drop(1 << 20)) {
            let mut stream = Vec::new();
            thread::yield_now();
            while let ReadOutcome::Data { .. } = poll_whole(&mut late, &mut stream, 1000) {}
        }
        drop(keep);
        writers.into_iter().for_each(|writer| writer.join().expect("shuttle reports the panic"));
        assert!(!journal.active());
        assert_eq!(journal.oldest(), journal.tail(), "no memory is held");
    });
}

#[test]
fn no_wake_up_of_a_watermark_is_lost() {
    explore(|| {
        let watermark = Watermark::new(Lsn(0), 8);
        let waiters: Vec<_> = [1, 2, 2]
            .into_iter()
            .map(|lsn| {
                let watermark = Arc::clone(&watermark);
                thread::spawn(move || {
                    let bell = Arc::new(Bell::default());
                    let waker = Waker::from(Arc::clone(&bell));
                    let waiting = watermark.wait(Lsn(lsn), waker).expect("few");
                    if let Wait::Registered(_registration) = &waiting {
                        bell.wait();
                    }
                    assert!(watermark.reached(Lsn(lsn)), "woken too early");
                })
            })
            .collect();
        let second = Arc::clone(&watermark);
        let other = thread::spawn(move || second.advance(Lsn(2)));
        watermark.advance(Lsn(1));
        other.join().expect("shuttle reports the panic");
        waiters.into_iter().for_each(|waiter| waiter.join().expect("shuttle reports the panic"));
        assert_eq!(watermark.waiters(), 0);
    });
}

/// A failure reaches everybody: who registered before it, and who comes later.
#[test]
fn a_failing_watermark_releases_its_waiters() {
    explore(|| {
        let watermark = Watermark::new(Lsn(0), 8);
        let waiter = {
            let watermark = Arc::clone(&watermark);
            thread::spawn(move || {
                let bell = Arc::new(Bell::default());
                let waker = Waker::from(Arc::clone(&bell));
                let waiting = watermark.wait(Lsn(9), waker).expect("few");
                if let Wait::Registered(_registration) = &waiting {
                    bell.wait();
                }
                assert!(watermark.broken() && !watermark.reached(Lsn(9)));
            })
        };
        watermark.fail();
        waiter.join().expect("shuttle reports the panic");
    });
}
