use super::*;
use crate::persist::{Loaded, Saved, load_payload};
use crate::{Any, Limits};
use rdb::{Dialect, Writer};

const DAILY: Schedule = Schedule { single: false, due_ms: 5_000, interval_ms: 1_000 };

fn job() -> Job {
    let words: [&[u8]; 4] = [b"return 1", b"k", b"", &[b'x'; 2000]];
    Job::new(DAILY, 2, words)
}

fn loaded(payload: &[u8]) -> Result<Job, rdb::Error> {
    let payload = rdb::payload::open(payload, rdb::payload::Checks::ALL).expect("a payload");
    match load_payload(payload, &Limits::default())? {
        Loaded::Any(Any::Job(job)) => Ok(job),
        other => panic!("{other:?}"),
    }
}

#[test]
fn is_what_it_was_made_of() {
    let job = job();
    let view = job.view();
    assert_eq!((view.schedule(), view.keys()), (DAILY, 2));
    assert_eq!(view.words().map(<[u8]>::len).collect::<Vec<_>>(), [8, 1, 0, 2000]);
    let later = job.due_at(-7);
    assert_eq!(later.view().schedule(), Schedule { due_ms: -7, ..DAILY });
    assert!(later.view().words().eq(view.words()));
    let none = Job::default();
    assert!(none.view().is_empty());
    assert_eq!((none.view().words().count(), none.view().due_ms()), (0, 0));
}

#[test]
fn the_series_goes_on_in_step() {
    let at = |now_ms| DAILY.next_ms(now_ms);
    assert_eq!([at(5_000), at(5_001), at(5_999), at(6_000)], [6_000, 6_000, 6_000, 7_000]);
    assert_eq!([at(4_000), at(1_000_000)], [6_000, 1_001_000]);
    let from_0 = Schedule { due_ms: 1_000, ..DAILY };
    assert_eq!(from_0.next_ms(123_456), 124_456);
    let at_ends = Schedule { single: false, due_ms: i64::MIN + 1, interval_ms: 1 };
    assert_eq!(at_ends.next_ms(i64::MAX - 1), i64::MAX);
    assert_eq!(Schedule { interval_ms: i64::MAX, ..at_ends }.next_ms(i64::MAX), i64::MAX);
}

#[test]
fn comes_back_from_a_payload() {
    let job = job();
    assert_eq!(loaded(&Saved::Any(&job.clone().into_any()).payload()).expect("a job"), job);
    let single = Job::new(Schedule { single: true, ..DAILY }, 0, [&b"x"[..]]);
    assert_eq!(loaded(&Saved::Any(&single.clone().into_any()).payload()).expect("a job"), single);
}

#[test]
fn others_get_a_list() {
    let any = job().into_any();
    let payload = Saved::Any(&any).payload_for(Dialect::Redis70);
    let payload = rdb::payload::open(&payload, rdb::payload::Checks::ALL).expect("a payload");
    let Ok(Loaded::Any(Any::List(list))) = load_payload(payload, &Limits::default()) else {
        panic!("no list");
    };
    assert_eq!(list.view().len(), 3 + 1 + 1 + 3);
}

#[test]
fn what_cannot_run_is_refused() {
    let write = |single, due, interval, keys, words: u64| {
        let mut out = Writer::new();
        out.u8(rdb::opcode::value::JOB);
        out.length(single);
        out.millis(due);
        out.millis(interval);
        out.length(keys);
        out.length(words);
        (0..words.min(2)).for_each(|_| out.string(b"w"));
        rdb::payload::seal(&mut out, rdb::opcode::value::JOB);
        loaded(&out.into_bytes())
    };
    assert!(write(0, 1, 1, 1, 2).is_ok());
    assert!(write(2, 1, 1, 1, 2).is_err());
    assert!(write(0, 1, 0, 1, 2).is_err());
    assert!(write(0, i64::MIN, 1, 1, 2).is_err());
    assert!(write(0, 1, 1, 2, 2).is_err());
    assert!(write(0, 1, 1, 0, 0).is_err());
    assert!(write(0, 1, 1, 1, 3).is_err());
    assert!(write(0, 1, 1, u64::MAX - 1, u64::MAX).is_err());
}
