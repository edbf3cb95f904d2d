//! Histories that can have happened, and some that cannot.

use super::{Answer, Call, Op, Slack, order};

fn call(begin: u64, end: u64, op: Op, answer: Answer) -> Call {
    Call { begin, end, op, answer }
}

fn set(value: &str) -> Op {
    Op::Set(value.to_owned(), None)
}

fn text(value: &str) -> Answer {
    Answer::Text(value.to_owned())
}

fn push(value: &str) -> Op {
    Op::PushRight(vec![value.to_owned()])
}

#[test]
fn calls_that_overlap_may_come_in_either_order() {
    let both = [call(0, 10, set("a"), Answer::Done), call(5, 6, Op::Get, Answer::Nothing)];
    assert_eq!(order(&both, Slack(0)), Some(vec![1, 0]));
    let both = [call(0, 10, set("a"), Answer::Done), call(5, 6, Op::Get, text("a"))];
    assert_eq!(order(&both, Slack(0)), Some(vec![0, 1]));
}

#[test]
fn a_write_that_has_been_answered_is_seen() {
    let stale = [call(0, 1, set("a"), Answer::Done), call(2, 3, Op::Get, Answer::Nothing)];
    assert_eq!(order(&stale, Slack(0)), None);
    let flicker = [
        call(0, 10, set("a"), Answer::Done),
        call(1, 2, Op::Get, text("a")),
        call(3, 4, Op::Get, Answer::Nothing),
    ];
    assert_eq!(order(&flicker, Slack(0)), None);
}

#[test]
fn elements_come_once_and_in_order() {
    let pushes =
        [call(0, 1, push("a"), Answer::Length(1)), call(2, 3, push("b"), Answer::Length(2))];
    let with = |more: &[Call]| order(&[&pushes, more].concat(), Slack(0));
    assert!(
        with(&[call(4, 9, Op::PopLeft, text("b")), call(4, 9, Op::PopLeft, text("a"))]).is_some()
    );
    assert!(
        with(&[call(4, 5, Op::PopLeft, text("b")), call(6, 9, Op::PopLeft, text("a"))]).is_none()
    );
    assert!(
        with(&[call(4, 9, Op::PopLeft, text("a")), call(4, 9, Op::PopLeft, text("a"))]).is_none()
    );
    assert!(with(&[call(4, 9, Op::PopLeft, Answer::Nothing)]).is_none());
}

#[test]
fn what_expires_goes_in_its_time() {
    let short = call(0, 2, Op::Set("a".to_owned(), Some(10)), Answer::Done);
    let read =
        |at, answer| order(&[short.clone(), call(at, at + 1, Op::Get, answer)], Slack(1)).is_some();
    assert!(read(3, text("a")) && !read(3, Answer::Nothing));
    assert!(read(10, text("a")) && read(10, Answer::Nothing));
    assert!(!read(20, text("a")) && read(20, Answer::Nothing));
}

#[test]
fn a_transaction_is_one_step() {
    let both = Op::Together(vec![push("a"), Op::PopLeft]);
    let answers = Answer::Together(vec![Answer::Length(1), text("a")]);
    let whole = call(0, 10, both, answers);
    assert!(
        order(&[whole.clone(), call(5, 6, Op::All, Answer::Items(vec![]))], Slack(0)).is_some()
    );
    let half = Answer::Items(vec!["a".to_owned()]);
    assert!(order(&[whole, call(5, 6, Op::All, half)], Slack(0)).is_none());
}

#[test]
fn a_swap_holds_only_over_what_was_read() {
    let swap = |before: Option<&str>, answer| {
        let swap = Op::Swap(before.map(str::to_owned), "b".to_owned());
        order(&[call(0, 1, set("a"), Answer::Done), call(2, 3, swap, answer)], Slack(0)).is_some()
    };
    assert!(
        swap(Some("a"), Answer::Done)
            && !swap(Some("x"), Answer::Done)
            && !swap(None, Answer::Done)
    );
    assert!(swap(Some("x"), Answer::Refused));
}
