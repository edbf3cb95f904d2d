//! What is said to another server, one that answers by a script.

use super::{Link, Migrations, carry_out, deliver};
use command::{Card, CommandError, Delivery, Fate, Order, Shipment, Target, Transfer};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

/// One that waits for long: who answers may come to it late.
fn transfer(port: u16, credentials: &[&[u8]]) -> Transfer {
    transfer_within(60_000, port, credentials)
}

fn transfer_within(timeout_ms: u64, port: u16, credentials: &[&[u8]]) -> Transfer {
    let target = Target {
        host: (*b"127.0.0.1").into(),
        port: port.to_string().into_bytes().into(),
        db: 9,
        timeout_ms,
        credentials: credentials.iter().map(|word| (*word).into()).collect(),
    };
    Transfer::new(target, true, Arc::new(Card::new(1, "test".into(), String::new(), -1, 0)))
}

fn send(key: &str, payload: &[u8], expiry_ms: Option<i64>, replace: bool) -> Order {
    let payload = payload.to_vec();
    let value = Shipment { encode: Box::new(move || payload.clone()), expiry_ms, replace };
    Order { key: key.as_bytes().into(), value: Some(value) }
}

/// Serves one connection: waits for each request, whole, and answers it. Closes it afterwards.
fn answer(listener: &TcpListener, turns: &[(&[u8], &[u8])]) {
    let (mut stream, _) = listener.accept().unwrap();
    for (request, reply) in turns {
        let mut got = vec![0; request.len()];
        stream.read_exact(&mut got).unwrap();
        assert_eq!(String::from_utf8_lossy(&got), String::from_utf8_lossy(request));
        stream.write_all(reply).unwrap();
    }
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

const SELECT: &[u8] = b"*2\r\n$6\r\nSELECT\r\n$1\r\n9\r\n";
const RESTORE_A: &[u8] = b"*4\r\n$7\r\nRESTORE\r\n$1\r\na\r\n$1\r\n0\r\n$2\r\n12\r\n";

#[test]
fn a_connection_is_kept_with_its_database_and_replaced_when_it_was_closed() {
    let (listener, port) = listener();
    let migrations = Migrations::default();
    let again = b"*5\r\n$7\r\nRESTORE\r\n$1\r\na\r\n$1\r\n0\r\n$2\r\n12\r\n$7\r\nREPLACE\r\n";
    let withdrawn = b"*2\r\n$3\r\nDEL\r\n$1\r\na\r\n";
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let turns: [(&[u8], &[u8]); 3] =
                [(SELECT, b"+OK\r\n"), (RESTORE_A, b"+OK\r\n"), (again, b"+OK\r\n")];
            answer(&listener, &turns);
            answer(&listener, &[(SELECT, b"+OK\r\n"), (withdrawn, b":1\r\n")]);
        });
        let transfer = transfer(port, &[]);
        transfer.order(vec![send("a", b"12", None, false)]);
        carry_out(&migrations, &transfer);
        assert!(transfer.is_settled());
        assert_eq!((transfer.fate(b"a"), migrations.links()), (Fate::Arrived, 1));
        transfer.order(vec![send("a", b"12", None, true)]);
        carry_out(&migrations, &transfer);
        assert_eq!((transfer.fate(b"a"), migrations.links()), (Fate::Arrived, 1));
        // It is closed by now, or will be before it answers.
        transfer.order(vec![Order { key: (*b"a").into(), value: None }]);
        carry_out(&migrations, &transfer);
        assert_eq!((transfer.fate(b"a"), transfer.error()), (Fate::Here, None));
        migrations.close_idle();
        assert_eq!(migrations.links(), 1);
    });
}

#[test]
fn errors_of_the_target_are_passed_on_and_expired_keys_are_not_sent() {
    let (listener, port) = listener();
    let migrations = Migrations::default();
    let b = b"*4\r\n$7\r\nRESTORE\r\n$1\r\nb\r\n$1\r\n0\r\n$1\r\n3\r\n";
    let all = [RESTORE_A, b].concat();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let replies = b"-BUSYKEY there is one\r\n+OK\r\n";
            answer(&listener, &[(SELECT, b"+OK\r\n"), (&all, replies), (SELECT, b"-ERR no\r\n")]);
        });
        let orders = [
            send("a", b"12", None, false),
            send("x", b"", Some(1), false),
            send("b", b"3", None, false),
        ];
        let said = deliver(&migrations, &transfer(port, &[]), &orders);
        assert_eq!(said.done, [false, false, true]);
        assert!(!said.broken);
        let error = said.error.unwrap();
        assert_eq!(error.text(), b"ERR Target instance replied with error: BUSYKEY there is one");
        // The database is selected anew, and nothing is sent where that fails.
        let said = deliver(&migrations, &transfer(port, &[]), &orders);
        assert_eq!((said.done.len(), said.broken), (0, false));
        assert_eq!(said.error.unwrap().text(), b"ERR Target instance replied with error: ERR no");
    });
}

#[test]
fn silence_lies_and_closed_doors_are_errors() {
    let (listener, port) = listener();
    let migrations = Migrations::default();
    let orders = [send("a", &vec![7; 200_000], None, false)];
    let error = |delivery: Delivery| {
        assert!(delivery.broken && delivery.done.is_empty());
        delivery.error.unwrap()
    };
    // Nobody accepts: the kernel does, and nobody answers.
    let silent = deliver(&migrations, &transfer_within(200, port, &[b"secret"]), &orders);
    assert_eq!(error(silent), CommandError::TargetRead);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            drop(listener.accept().unwrap());
            answer(&listener, &[(b"*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n", b"what?\r\n")]);
        });
        let lied = deliver(&migrations, &transfer(port, &[b"secret"]), &orders);
        assert_eq!(error(lied), CommandError::TargetRead);
    });
    drop(listener);
    let closed = deliver(&migrations, &transfer(port, &[]), &orders);
    assert_eq!(error(closed), CommandError::TargetConnect);
    assert!(Link::open(&transfer(0, &[])).is_err());
    assert_eq!(migrations.links(), 0);
}
