//! What holds without contention; schedules are in `schedules.rs`.

/// A fault put in on purpose, by which a test proves that it can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Bug {
    #[default]
    None,
    /// M33: the reader takes the slots, then the tail.
    SlotsBeforeTail,
    /// The writer publishes its bound after it reserved.
    PublishAfterReserve,
}

#[cfg(not(shuttle))]
mod native {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::{Wake, Waker};

    use stdx::sync::thread;

    use crate::frame::{Head, Tail};
    use crate::watermark::Wait;
    use crate::{
        Frame, Gone, Journal, Limits, Lsn, Patience, ReadOutcome, Reader, Refused,
        TRANSACTION_BYTES, Watermark,
    };

    const SMALL: Limits =
        Limits { segment_bytes: 64, memory_bytes_max: 4096, grant_bytes: 32, writers_max: 4 };
    const PATIENT: Patience = Patience::Drop(1 << 20);
    const SELECT_0: &str = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n";

    #[derive(Default)]
    struct Bell(AtomicU32);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Bell {
        fn rings(&self) -> u32 {
            self.0.load(Ordering::SeqCst)
        }
    }

    fn bell() -> (Arc<Bell>, Waker) {
        let bell = Arc::new(Bell::default());
        (Arc::clone(&bell), Waker::from(bell))
    }

    fn append(writer: &mut crate::Writer, frame: Frame, text: &str) -> Lsn {
        let mut room = writer.room(text.len() as u64, 1).unwrap();
        writer.append(&mut room, frame, &[text.as_bytes()])
    }

    fn drain(reader: &mut Reader) -> String {
        let mut buf = Vec::new();
        while let ReadOutcome::Data { .. } = reader.poll(&mut buf, 50) {}
        String::from_utf8(buf).unwrap()
    }

    #[test]
    fn memory_is_that_of_whole_segments() {
        /// Bytes and marks.
        const SEGMENT: u64 = 64 + 8;
        let journal = Journal::new(Lsn(0), SMALL);
        let mut writer = journal.writer();
        assert_eq!(journal.memory_bytes(), 0);
        let keep = journal.keep(100);
        append(&mut writer, Frame::new(0), SELECT_0);
        let few = journal.memory_bytes();
        assert!(few >= SEGMENT && few.is_multiple_of(SEGMENT), "{few}");
        for _ in 0..20 {
            append(&mut writer, Frame::new(0), SELECT_0);
        }
        let kept = journal.memory_bytes();
        assert!((2 * SEGMENT..=10 * SEGMENT).contains(&kept), "{kept}");
        drop((keep, writer));
        assert_eq!(journal.memory_bytes(), 0);
    }

    #[test]
    fn without_readers_nothing_is_kept() {
        let journal = Journal::new(Lsn(100), SMALL);
        let mut writer = journal.writer();
        assert!(!journal.active());
        let mut room = writer.room(1 << 60, 1).unwrap();
        assert!(!room.active());
        assert_eq!(writer.append(&mut room, Frame::new(0), &[b"lost"]), Lsn(100));
        let missing = journal.reader(Lsn(99), PATIENT).unwrap_err();
        assert_eq!(missing, Gone { oldest: Lsn(100), tail: Lsn(100) });
    }

    #[test]
    fn select_is_put_in_and_counted() {
        let journal = Journal::new(Lsn(100), SMALL);
        let mut reader = journal.reader(Lsn(100), PATIENT).unwrap();
        let mut writer = journal.writer();
        assert_eq!(append(&mut writer, Frame::new(0), "zero-one"), Lsn(131));
        append(&mut writer, Frame::new(0), "zero-two");
        append(&mut writer, Frame::global(), "any-ping");
        append(&mut writer, Frame::new(0).ending_in(254), "zero-three");
        append(&mut writer, Frame::new(254), "and-254.");
        append(&mut writer, Frame::new(4_294_967_295), "large-1.");
        append(&mut writer, Frame::new(4_294_967_295), "large-2.");
        append(&mut writer, Frame::verbatim(7), "stream..");
        append(&mut writer, Frame::new(7), "seven-1.");
        journal.forget_database();
        let end = append(&mut writer, Frame::new(7), "seven-2.");
        let large = "*2\r\n$6\r\nSELECT\r\n$10\r\n4294967295\r\n";
        let seven = "*2\r\n$6\r\nSELECT\r\n$1\r\n7\r\n";
        let expected = format!(
            "{SELECT_0}zero-onezero-twoany-pingzero-threeand-254.{large}large-1.{large}large-2.\
             stream..seven-1.{seven}seven-2."
        );
        assert_eq!(drain(&mut reader), expected);
        assert_eq!(end, Lsn(100 + expected.len() as u64));
        assert_eq!((reader.position(), journal.safe(), journal.tail()), (end, end, end));
    }

    #[test]
    fn select_of_any_database() {
        for database in [0, 9, 10, 99, 100, 253, 254, 255, 65_535, u32::MAX] {
            let (select, after) = Frame::new(database).place(Tail::at(Lsn(5)), 8);
            let select: Head = select.unwrap();
            let digits = database.to_string();
            let expected = format!("*2\r\n$6\r\nSELECT\r\n${}\r\n{digits}\r\n", digits.len());
            assert_eq!(select.as_bytes(), expected.as_bytes());
            assert_eq!(after.lsn(), Lsn(13 + expected.len() as u64));
            let again = Frame::new(database).place(after, 8).0.is_some();
            assert_eq!(again, database >= 255, "{database}");
        }
    }

    #[test]
    fn a_transaction_has_its_select_inside() {
        let journal = Journal::new(Lsn(100), SMALL);
        let mut reader = journal.reader(Lsn(100), PATIENT).unwrap();
        let mut writer = journal.writer();
        let mut room = writer.room(24 + 2 * TRANSACTION_BYTES, 3).unwrap();
        let mut append = |frame, text: &str| writer.append(&mut room, frame, &[text.as_bytes()]);
        append(Frame::transaction(0).ending_in(254), "in-zero.");
        append(Frame::transaction(254), "in-254-1");
        let end = append(Frame::new(254), "in-254-2");
        let (multi, exec) = ("*1\r\n$5\r\nMULTI\r\n", "*1\r\n$4\r\nEXEC\r\n");
        let expected = format!("{multi}{SELECT_0}in-zero.{exec}{multi}in-254-1{exec}in-254-2");
        // Records end behind EXEC, not before.
        let first = (multi.len() + SELECT_0.len() + 8 + exec.len()) as u64;
        let mut bytes = Vec::new();
        let read = reader.poll(&mut bytes, first as usize + 20);
        assert_eq!(read, ReadOutcome::Data { from: Lsn(100), to: Lsn(100 + first), whole: true });
        while !matches!(reader.poll(&mut bytes, 1 << 16), ReadOutcome::Empty) {}
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
        assert_eq!(end, Lsn(100 + expected.len() as u64));
    }

    #[test]
    fn runs_end_with_a_record() {
        let journal = Journal::new(Lsn(3), SMALL);
        let mut reader = journal.reader(Lsn(3), PATIENT).unwrap();
        let mut writer = journal.writer();
        // Every length and alignment, against a plain list of ends.
        let mut ends = vec![3];
        let mut expected = Vec::new();
        for len in (8..40).chain([200, 8, 8, 9]) {
            let record = vec![b'a' + (len % 26) as u8; len];
            expected.extend_from_slice(&record);
            let mut room = writer.room(len as u64, 1).unwrap();
            let (head, rest) = record.split_at(len / 3);
            ends.push(writer.append(&mut room, Frame::global(), &[head, b"", rest]).0);
        }
        for bytes_max in [1, 7, 8, 20, 64, 100, 500, 5000] {
            let mut again = journal.reader(Lsn(3), PATIENT).unwrap();
            let mut buf = Vec::new();
            while let ReadOutcome::Data { from, to, whole } = again.poll(&mut buf, bytes_max) {
                assert_eq!(buf.len() as u64, to.0 - 3);
                assert_eq!(whole, ends.contains(&to.0), "{from} to {to}");
                let fits = ends.iter().any(|&end| end > from.0 && end <= from.0 + bytes_max as u64);
                assert_eq!(whole, fits);
                if whole {
                    let next = ends.iter().find(|&&end| end > to.0);
                    assert!(next.is_none_or(|&next| next > from.0 + bytes_max as u64));
                }
            }
            assert_eq!(buf, expected);
        }
        assert_eq!(drain(&mut reader).as_bytes(), expected);
    }

    #[test]
    fn memory_follows_the_slowest_reader_and_the_backlog() {
        let journal = Journal::new(Lsn(0), SMALL);
        let keep = journal.keep(128);
        let mut writer = journal.writer();
        for _ in 0..100 {
            append(&mut writer, Frame::global(), "0123456789abcdef");
        }
        let tail = journal.tail();
        assert_eq!(tail, Lsn(1600));
        let oldest = journal.oldest();
        assert!(oldest.0 <= 1600 - 128 && oldest.0 >= 1600 - 128 - 3 * 64, "{oldest}");
        assert_eq!(journal.reader(Lsn(0), PATIENT).unwrap_err(), Gone { oldest, tail });
        let mut reader = journal.reader(oldest, PATIENT).unwrap();
        assert_eq!(drain(&mut reader).len() as u64, 1600 - oldest.0);
        drop(keep);
        assert!(journal.active());
        drop(reader);
        assert!(!journal.active());
        assert!(!writer.room(8, 1).unwrap().active());
        assert_eq!(journal.oldest(), Lsn(1600));
        // Active again: goes on where it stood.
        let mut reader = journal.reader(Lsn(1600), PATIENT).unwrap();
        append(&mut writer, Frame::global(), "and on it goes");
        assert_eq!(drain(&mut reader), "and on it goes");
    }

    #[test]
    fn a_record_may_be_larger_than_what_readers_may_lag() {
        let journal = Journal::new(Lsn(0), SMALL);
        let mut slow = journal.reader(Lsn(0), Patience::Stall(100)).unwrap();
        let mut writer = journal.writer();
        let large = "x".repeat(3000);
        append(&mut writer, Frame::global(), &large);
        assert_eq!(writer.try_room(3000, 1).unwrap_err(), Refused::Stalled);
        assert_eq!(drain(&mut slow), large);
        append(&mut writer, Frame::global(), &large);
        assert_eq!(drain(&mut slow), large);
        assert_eq!(writer.room(5000, 1).unwrap_err(), Refused::TooLarge);
        assert_eq!(writer.room(u64::MAX, 1).unwrap_err(), Refused::TooLarge);
        append(&mut writer, Frame::global(), "still works");
        assert_eq!(drain(&mut slow), "still works");
    }

    #[test]
    fn a_lagging_replica_is_dropped_and_told() {
        let journal = Journal::new(Lsn(0), SMALL);
        let mut slow = journal.reader(Lsn(0), Patience::Drop(200)).unwrap();
        let mut quick = journal.reader(Lsn(0), Patience::Drop(200)).unwrap();
        let (bell, waker) = bell();
        assert!(slow.sleep(&waker));
        let mut writer = journal.writer();
        for _ in 0..40 {
            append(&mut writer, Frame::global(), "0123456789");
            drain(&mut quick);
        }
        assert_eq!(bell.rings(), 1);
        assert_eq!(slow.poll(&mut Vec::new(), 10), ReadOutcome::Lagged);
        assert_eq!(quick.position(), Lsn(400));
        assert!(journal.oldest() > Lsn(200), "its memory is free");
    }

    #[test]
    fn writers_wait_for_a_reader_that_must_not_be_dropped() {
        let journal = Journal::new(Lsn(0), SMALL);
        let mut slow = journal.reader(Lsn(0), Patience::Stall(100)).unwrap();
        let mut writer = journal.writer();
        let thread = thread::spawn(move || {
            for _ in 0..200 {
                append(&mut writer, Frame::global(), "0123456789");
                writer.nudge();
            }
        });
        let mut total = 0;
        while total < 2000 {
            assert!(journal.tail().0 - slow.position().0 <= 200, "limit and grant");
            total += drain(&mut slow).len();
        }
        thread.join().unwrap();
    }

    #[test]
    fn extending_does_not_wait() {
        let journal = Journal::new(Lsn(0), SMALL);
        let mut slow = journal.reader(Lsn(0), Patience::Stall(10)).unwrap();
        let mut writer = journal.writer();
        append(&mut writer, Frame::global(), "something unread");
        let mut room = writer.try_room(8, 1);
        while room.is_err() {
            drain(&mut slow);
            room = writer.try_room(8, 1);
        }
        let mut room = room.unwrap();
        writer.extend(&mut room, 1000, 1).unwrap();
        writer.append(&mut room, Frame::global(), &[&[b'y'; 900], b"z"]);
        assert_eq!(writer.extend(&mut room, 1 << 40, 1), Err(Refused::TooLarge));
        writer.append(&mut room, Frame::global(), &[b"12345678"]);
        assert!(drain(&mut slow).ends_with("yyz12345678"));
    }

    #[test]
    fn bytes_may_follow_after_the_locks() {
        let journal = Journal::new(Lsn(0), SMALL);
        let mut reader = journal.reader(Lsn(0), PATIENT).unwrap();
        let (mut slow, mut quick) = (journal.writer(), journal.writer());
        let mut room = slow.room(20, 2).unwrap();
        let first = slow.reserve(&mut room, Frame::global(), 10);
        append(&mut quick, Frame::global(), "overtakes");
        let second = slow.reserve(&mut room, Frame::global(), 10);
        assert_eq!(drain(&mut reader), "");
        slow.fill(second, &[b"second...."]);
        assert_eq!(drain(&mut reader), "", "the bound covers the first");
        assert_eq!(first.end(), Lsn(10));
        slow.fill(first, &[b"first", b"....."]);
        assert_eq!(drain(&mut reader), "first.....overtakessecond....");
    }

    #[test]
    #[should_panic(expected = "in a room of")]
    fn more_than_the_room_is_a_broken_invariant() {
        let journal = Journal::new(Lsn(0), SMALL);
        let _keep = journal.keep(0);
        let mut writer = journal.writer();
        let mut room = writer.room(8, 0).unwrap();
        writer.append(&mut room, Frame::global(), &[b"123456789"]);
    }

    #[test]
    fn a_reset_goes_on_elsewhere() {
        let journal = Journal::new(Lsn(0), SMALL);
        let mut old = journal.reader(Lsn(0), PATIENT).unwrap();
        let keep = journal.keep(100);
        let mut writer = journal.writer();
        append(&mut writer, Frame::new(3), "old history");
        journal.reset(Lsn(1_000_003));
        assert_eq!(old.poll(&mut Vec::new(), 10), ReadOutcome::Lagged);
        let mut reader = journal.reader(Lsn(1_000_003), PATIENT).unwrap();
        append(&mut writer, Frame::new(0), "new history");
        assert_eq!(drain(&mut reader), format!("{SELECT_0}new history"));
        assert_eq!(journal.oldest(), Lsn(1_000_003));
        drop((keep, old, reader));
        assert!(!journal.active());
    }

    /// A room that was taken before the first reader came is not a way past it.
    #[test]
    fn a_reader_that_came_meanwhile_is_seen() {
        let journal = Journal::new(Lsn(0), SMALL);
        let mut writer = journal.writer();
        let mut room = writer.room(100, 1).unwrap();
        assert!(!room.active());
        let mut reader = journal.reader(Lsn(0), PATIENT).unwrap();
        writer.look_again(&mut room);
        assert!(room.active());
        writer.extend(&mut room, 100, 1).unwrap();
        writer.append(&mut room, Frame::new(0), &[b"something"]);
        assert_eq!(drain(&mut reader), format!("{SELECT_0}something"));
    }

    #[test]
    fn sleeping_readers_are_woken_once() {
        let journal = Journal::new(Lsn(0), SMALL);
        let mut reader = journal.reader(Lsn(0), PATIENT).unwrap();
        let mut writer = journal.writer();
        let (bell, waker) = bell();
        assert!(reader.sleep(&waker));
        assert!(reader.sleep(&waker), "replaces the first");
        writer.nudge();
        assert_eq!(bell.rings(), 0, "this writer has appended nothing");
        append(&mut writer, Frame::global(), "something");
        writer.nudge();
        writer.nudge();
        assert_eq!(bell.rings(), 1);
        assert!(!reader.sleep(&waker), "there is something to read");
        drain(&mut reader);
        assert!(reader.sleep(&waker));
        drop(reader);
        writer.nudge();
        assert_eq!(bell.rings(), 1);
    }

    #[test]
    fn many_threads_one_order() {
        const RECORDS: u64 = 3000;
        let limits =
            Limits { segment_bytes: 1024, memory_bytes_max: 1 << 20, grant_bytes: 256, ..SMALL };
        let journal = Journal::new(Lsn(0), limits);
        let mut reader = journal.reader(Lsn(0), Patience::Stall(8192)).unwrap();
        let writers: Vec<_> = (0..3_u64)
            .map(|number| {
                let mut writer = journal.writer();
                thread::spawn(move || {
                    let mut last = Lsn(0);
                    for record in 0..RECORDS {
                        let text =
                            format!("<no. {number} {record} {:0>1$}>", "", record as usize % 50);
                        let end = append(&mut writer, Frame::global(), &text);
                        assert!(end > last);
                        last = end;
                    }
                })
            })
            .collect();
        let (mut next, mut count, mut buf) = ([0; 3], 0, Vec::new());
        while count < 3 * RECORDS {
            buf.clear();
            let ReadOutcome::Data { whole, .. } = reader.poll(&mut buf, 500) else { continue };
            assert!(whole);
            let text = std::str::from_utf8(&buf).unwrap();
            for record in text.split_terminator('>') {
                let mut fields = record.strip_prefix("<no. ").unwrap().split(' ');
                let writer: usize = fields.next().unwrap().parse().unwrap();
                let number: u64 = fields.next().unwrap().parse().unwrap();
                assert_eq!(number, next[writer]);
                assert_eq!(fields.next().unwrap().len() as u64, number % 50);
                next[writer] += 1;
                count += 1;
            }
        }
        writers.into_iter().for_each(|writer| writer.join().unwrap());
    }

    #[test]
    fn one_advance_wakes_all_that_are_reached() {
        let watermark = Watermark::new(Lsn(10), 3);
        let (bell, waker) = bell();
        let wait = |lsn| watermark.wait(Lsn(lsn), waker.clone());
        assert!(matches!(wait(10), Ok(Wait::Over)));
        let Ok(Wait::Registered(_first)) = wait(11) else { panic!("not reached") };
        let Ok(Wait::Registered(second)) = wait(12) else { panic!("not reached") };
        let Ok(Wait::Registered(_third)) = wait(20) else { panic!("not reached") };
        assert!(wait(30).is_err(), "bounded");
        watermark.advance(Lsn(9));
        assert_eq!((bell.rings(), watermark.value()), (0, Lsn(10)));
        drop(second);
        let Ok(Wait::Registered(_again)) = wait(12) else { panic!("not reached") };
        watermark.advance(Lsn(15));
        watermark.advance(Lsn(15));
        assert_eq!((bell.rings(), watermark.waiters()), (2, 1));
        assert!(watermark.reached(Lsn(15)) && !watermark.reached(Lsn(16)));
        watermark.fail();
        assert_eq!((bell.rings(), watermark.waiters()), (3, 0));
        watermark.advance(Lsn(40));
        assert!(watermark.broken() && !watermark.reached(Lsn(16)), "an error is sticky");
        assert!(matches!(wait(16), Ok(Wait::Over)));
        watermark.mend(Lsn(40));
        assert!(!watermark.broken() && watermark.reached(Lsn(40)));
    }
}
