//! Publish and subscribe with several clients.

use command::Session;
use resp::Value;
use testkit::{Node, Options, words};

fn send(node: &mut Node, session: &mut Session, line: &str) -> Vec<String> {
    let words = words(line);
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    show(node.send_all(session, &words))
}

fn mail(node: &mut Node, session: &mut Session) -> Vec<String> {
    show(node.mail(session))
}

fn show(values: Vec<Value>) -> Vec<String> {
    values.into_iter().map(line).collect()
}

/// One reply in one line.
fn line(value: Value) -> String {
    let all = |items: Vec<Value>| items.into_iter().map(line).collect::<Vec<_>>().join(" ");
    match value {
        Value::Push(items) => format!(">{}", all(items)),
        Value::Array(items) => format!("[{}]", all(items)),
        Value::Bulk(text) | Value::Simple(text) | Value::Error(text) => {
            String::from_utf8_lossy(&text).into_owned()
        }
        Value::Integer(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn confirmations_count_channels_and_patterns_together() {
    for (protocol, open, close) in [(2, "[", "]"), (3, ">", "")] {
        let mut node = Node::new(Options::default());
        let mut me = node.session_of(protocol);
        let mut ask = |line: &str, expect: &[&str]| {
            let expect: Vec<String> =
                expect.iter().map(|text| format!("{open}{text}{close}")).collect();
            assert_eq!(send(&mut node, &mut me, line), expect, "{line}");
        };
        ask("SUBSCRIBE a b a", &["subscribe a 1", "subscribe b 2", "subscribe a 2"]);
        ask("PSUBSCRIBE x*", &["psubscribe x* 3"]);
        ask("SSUBSCRIBE s t", &["ssubscribe s 1", "ssubscribe t 2"]);
        ask("UNSUBSCRIBE none b", &["unsubscribe none 3", "unsubscribe b 2"]);
        ask("PUNSUBSCRIBE", &["punsubscribe x* 1"]);
        ask("PUNSUBSCRIBE", &["punsubscribe Null 1"]);
        ask("SUNSUBSCRIBE", &["sunsubscribe s 1", "sunsubscribe t 0"]);
        ask("UNSUBSCRIBE", &["unsubscribe a 0"]);
        ask("SUNSUBSCRIBE", &["sunsubscribe Null 0"]);
    }
}

#[test]
fn messages_reach_subscribers_in_order_and_in_their_protocol() {
    let mut node = Node::new(Options::default());
    let (mut two, mut three, mut other) = (node.session_of(2), node.session_of(3), node.session());
    send(&mut node, &mut two, "SUBSCRIBE news");
    send(&mut node, &mut three, "PSUBSCRIBE n?ws [");
    send(&mut node, &mut three, "SUBSCRIBE news");
    assert_eq!(send(&mut node, &mut other, "PUBLISH news one"), ["3"]);
    assert_eq!(send(&mut node, &mut other, "PUBLISH nxws two"), ["1"]);
    assert_eq!(send(&mut node, &mut other, "PUBLISH xxxx two"), ["0"]);
    assert_eq!(send(&mut node, &mut other, "SPUBLISH news no"), ["0"]);
    assert_eq!(mail(&mut node, &mut two), ["[message news one]"]);
    let expect = [">message news one", ">pmessage n?ws news one", ">pmessage n?ws nxws two"];
    assert_eq!(mail(&mut node, &mut three), expect);
    // Of its own messages a client hears behind the reply.
    assert_eq!(send(&mut node, &mut three, "UNSUBSCRIBE"), [">unsubscribe news 2"]);
    assert_eq!(send(&mut node, &mut three, "PUBLISH news me"), ["2", ">pmessage n?ws news me"]);
    assert_eq!(send(&mut node, &mut other, "PUBSUB NUMSUB news"), ["[news 1]"]);
    assert_eq!(send(&mut node, &mut other, "PUBSUB NUMPAT"), ["2"]);
}

#[test]
fn many_messages_arrive_in_order_and_after_the_transaction_that_sends_them() {
    let mut node = Node::new(Options::default());
    let (mut one, mut two, mut other) = (node.session_of(2), node.session_of(3), node.session());
    send(&mut node, &mut one, "SUBSCRIBE news");
    send(&mut node, &mut two, "PSUBSCRIBE n*");
    assert_eq!(send(&mut node, &mut other, "MPUBLISH news a b c"), ["6"]);
    assert_eq!(send(&mut node, &mut other, "MPUBLISH next d"), ["1"]);
    let expect = ["[message news a]", "[message news b]", "[message news c]"];
    assert_eq!(mail(&mut node, &mut one), expect);
    let expect = [
        ">pmessage n* news a",
        ">pmessage n* news b",
        ">pmessage n* news c",
        ">pmessage n* next d",
    ];
    assert_eq!(mail(&mut node, &mut two), expect);

    for line in ["MULTI", "MPUBLISH news e f"] {
        send(&mut node, &mut other, line);
    }
    assert!(mail(&mut node, &mut one).is_empty());
    assert_eq!(send(&mut node, &mut other, "EXEC"), ["[4]"]);
    assert_eq!(mail(&mut node, &mut one), ["[message news e]", "[message news f]"]);
}

#[test]
fn a_resp2_subscriber_may_send_little_else() {
    let mut node = Node::new(Options::default());
    let mut me = node.session_of(2);
    send(&mut node, &mut me, "SSUBSCRIBE s");
    let error = "ERR Can't execute 'client|id': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / \
                 QUIT / RESET are allowed in this context";
    assert_eq!(send(&mut node, &mut me, "CLIENT ID"), [error]);
    assert_eq!(send(&mut node, &mut me, "PING"), ["[pong ]"]);
    assert_eq!(send(&mut node, &mut me, "PING hi"), ["[pong hi]"]);
    assert_eq!(send(&mut node, &mut me, "RESET"), ["RESET"]);
    assert_eq!(send(&mut node, &mut me, "PING"), ["PONG"]);
    assert_eq!(send(&mut node, &mut me, "PUBSUB SHARDCHANNELS"), ["[]"]);
    let mut three = node.session_of(3);
    send(&mut node, &mut three, "SUBSCRIBE s");
    assert_eq!(send(&mut node, &mut three, "PING"), ["PONG"]);
    assert_eq!(send(&mut node, &mut three, "SET k v"), ["OK"]);
}

#[test]
fn pushes_come_whatever_replies_are_wanted() {
    let mut node = Node::new(Options::default());
    let mut me = node.session_of(3);
    assert!(send(&mut node, &mut me, "CLIENT REPLY OFF").is_empty());
    assert_eq!(send(&mut node, &mut me, "SUBSCRIBE c"), [">subscribe c 1"]);
    assert_eq!(send(&mut node, &mut me, "PUBLISH c hello"), [">message c hello"]);
    assert_eq!(send(&mut node, &mut me, "CLIENT REPLY ON"), ["OK"]);
}

#[test]
fn a_slow_subscriber_is_dropped_and_harms_nobody() {
    let mut node = Node::new(Options::default());
    let (mut slow, mut quick, mut other) = (node.session(), node.session(), node.session());
    send(&mut node, &mut slow, "SUBSCRIBE c");
    send(&mut node, &mut quick, "SUBSCRIBE c");
    let publish = format!("PUBLISH c {}", "x".repeat(1 << 20));
    for _ in 0..40 {
        // It counts until it is dropped.
        let receivers = if slow.card.mail_overflowed() { "1" } else { "2" };
        assert_eq!(send(&mut node, &mut other, &publish), [receivers]);
        assert_eq!(mail(&mut node, &mut quick).len(), 1);
        assert!(slow.card.mail_bytes() <= 32 << 20);
    }
    assert!(slow.card.mail_overflowed() && slow.card.mail_bytes() == 0);
    node.engine.pubsub.leave(&mut slow);
    assert_eq!(send(&mut node, &mut other, "PUBSUB NUMSUB c"), ["[c 1]"]);
}

#[test]
fn a_monitor_is_shown_what_runs() {
    let mut node = Node::new(Options::default());
    let (mut watcher, mut other) = (node.session(), node.session());
    assert_eq!(send(&mut node, &mut watcher, "MONITOR"), ["OK"]);
    for text in [
        "SET k \"a\\r\\n\\x01\"",
        "GET k",
        "CONFIG GET port",
        "NOPE",
        "AUTH user password",
        "SELECT 3",
        "MULTI",
        "INCR n",
        "EXEC",
    ] {
        send(&mut node, &mut other, text);
    }
    let shown = mail(&mut node, &mut watcher);
    let head = format!("1700000000.000000 [0 {}] ", other.card.addr);
    let shown: Vec<&str> =
        shown.iter().map(|text| text.strip_prefix(&*head).unwrap_or(text)).collect();
    let in_3 = |text: &str| format!("1700000000.000000 [3 {}] {text}", other.card.addr);
    let expect = [
        "\"SET\" \"k\" \"a\\r\\n\\x01\"",
        "\"GET\" \"k\"",
        "\"AUTH\" \"(redacted)\" \"(redacted)\"",
        &in_3("\"SELECT\" \"3\""),
        &in_3("\"MULTI\""),
        &in_3("\"INCR\" \"n\""),
        &in_3("\"EXEC\""),
    ];
    assert_eq!(shown, expect);
    assert_eq!(send(&mut node, &mut watcher, "RESET"), ["RESET"]);
    send(&mut node, &mut other, "GET k");
    assert!(mail(&mut node, &mut watcher).is_empty());
}
