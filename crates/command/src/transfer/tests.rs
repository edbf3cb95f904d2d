//! What is known of keys on their way, as they change or the target fails.

use super::{Delivery, Fate, Order, ROUNDS_MAX, Shipment, Target, Transfer};
use crate::{Card, CommandError};
use std::sync::Arc;

fn transfer() -> Transfer {
    let target = Target {
        host: (*b"host").into(),
        port: (*b"1").into(),
        db: 0,
        timeout_ms: 1000,
        credentials: Vec::new(),
    };
    Transfer::new(target, true, Arc::new(Card::new(1, "test".into(), String::new(), -1, 0)))
}

fn send(key: &str) -> Order {
    let value = Shipment { encode: Box::new(Vec::new), expiry_ms: None, replace: false };
    Order { key: key.as_bytes().into(), value: Some(value) }
}

fn withdraw(key: &str) -> Order {
    Order { key: key.as_bytes().into(), value: None }
}

fn round(transfer: &Transfer, orders: Vec<Order>, done: &[bool]) {
    transfer.order(orders);
    assert!(!transfer.is_settled());
    let orders = transfer.take_orders();
    transfer.settle(&orders, Delivery { done: done.to_vec(), ..Delivery::default() });
    assert!(transfer.is_settled());
}

#[test]
fn what_arrived_is_there_and_what_did_not_is_here() {
    let transfer = transfer();
    round(&transfer, vec![send("a"), send("b"), send("c")], &[true, false]);
    let fates = [&b"a"[..], b"b", b"c", b"d"].map(|key| transfer.fate(key));
    assert_eq!(fates, [Fate::Arrived, Fate::Here, Fate::Here, Fate::Here]);
}

#[test]
fn a_change_before_or_after_the_arrival_makes_it_stale_until_it_is_sent_again() {
    let transfer = transfer();
    transfer.order(vec![send("a"), send("b")]);
    transfer.note_change(b"a");
    let orders = transfer.take_orders();
    transfer.settle(&orders, Delivery { done: vec![true, true], ..Delivery::default() });
    assert_eq!(transfer.fate(b"a"), Fate::Stale);
    transfer.note_change(b"b");
    transfer.note_change(b"unknown");
    assert_eq!(transfer.fate(b"b"), Fate::Stale);
    round(&transfer, vec![send("a"), send("b")], &[true, false]);
    assert_eq!(transfer.fate(b"a"), Fate::Arrived);
    // What was to take its place may have, or not: it is not known, so it is not deleted.
    assert_eq!(transfer.fate(b"b"), Fate::Here);
}

#[test]
fn what_was_withdrawn_is_not_there() {
    let transfer = transfer();
    round(&transfer, vec![send("a"), send("b")], &[true, true]);
    round(&transfer, vec![withdraw("a"), withdraw("b")], &[true, false]);
    assert_eq!([transfer.fate(b"a"), transfer.fate(b"b")], [Fate::Here, Fate::Arrived]);
}

#[test]
fn the_first_error_stays_and_rounds_are_bounded() {
    let transfer = transfer();
    for at in 0..ROUNDS_MAX {
        assert!(transfer.goes_on());
        transfer.order(vec![send("a")]);
        let error = CommandError::err(format_args!("{at}"));
        let orders = transfer.take_orders();
        let delivery = Delivery { error: Some(error), ..Delivery::default() };
        transfer.settle(&orders, delivery);
    }
    assert!(!transfer.goes_on());
    assert_eq!(transfer.error(), Some(CommandError::err(format_args!("0"))));
}

#[test]
fn a_broken_connection_is_the_end() {
    let transfer = transfer();
    transfer.order(vec![send("a")]);
    let orders = transfer.take_orders();
    transfer.settle(&orders, Delivery { broken: true, ..Delivery::default() });
    assert!(!transfer.goes_on());
}
