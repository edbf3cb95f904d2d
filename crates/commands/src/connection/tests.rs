//! The pure parts: filters, lines, names.

use super::filter::{Filter, ip_of};
use super::line::{age, idle, letters, write_line};
use super::list;
use crate::FAMILIES;
use command::{ArgumentKind, Card, ClientFlags, CommandTable, Session, Settings};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

fn parse(text: &str) -> Result<Filter, String> {
    let words: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
    Filter::parse(&words, false, 16).map_err(|error| error.to_string())
}

fn card(id: u64) -> Card {
    Card::new(id, "127.0.0.1:50000".into(), "127.0.0.1:6379".into(), 8, 1_000_000)
}

#[test]
fn wrong_filters_have_the_peers_errors() {
    for (text, error) in [
        ("", "ERR syntax error"),
        ("FOO bar", "ERR syntax error"),
        ("ID a", "ERR syntax error"),
        ("ID 0", "ERR client-id should be greater than 0"),
        ("NOT-ID -1", "ERR client-id should be greater than 0"),
        ("TYPE", "ERR syntax error"),
        ("TYPE foo", "ERR Unknown client type 'foo'"),
        ("USER foo", "ERR No such user 'foo'"),
        ("SKIPME maybe", "ERR syntax error"),
        ("NOT-SKIPME yes", "ERR syntax error"),
        ("MAXAGE a", "ERR maxage is not an integer or out of range"),
        ("MAXAGE 0", "ERR maxage should be greater than 0"),
        ("IDLE a", "ERR idle is not an integer or out of range"),
        ("IDLE -1", "ERR idle should be greater than 0"),
        ("FLAGS z", "ERR Unknown flags found in the provided filter: z"),
        ("NOT-FLAGS z", "ERR Unknown flags found in the NOT-FLAGS filter: z"),
        ("CAPA z", "ERR Unknown capa found in the provided filter: z"),
        ("DB a", "ERR DB is not an integer or out of range"),
        ("DB 16", "ERR DB number should be between 0 and 15"),
        ("NOT-DB 16", "ERR NOT-DB number should be between 0 and 15"),
    ] {
        assert_eq!(parse(text), Err(error.to_owned()), "{text}");
    }
}

#[test]
fn filters_are_ors_of_ids_and_ands_of_the_rest() {
    let mut session = Session::new(Arc::new(card(1)), true);
    let other = card(2);
    other.identity.lock().name = b"worker".to_vec();
    other.set(ClientFlags::NO_TOUCH, true);
    other.db.store(3, Relaxed);
    let now_ms = 1_010_000;
    for (text, me, them) in [
        ("ID 1 2 3", true, true),
        ("ID 2 ID 3", false, true),
        ("NOT-ID 2", true, false),
        ("SKIPME yes", false, true),
        ("TYPE normal", true, true),
        ("TYPE primary", false, false),
        ("NOT-TYPE replica USER default", true, true),
        ("NAME worker", false, true),
        ("NOT-NAME worker", true, false),
        ("FLAGS N", true, false),
        ("FLAGS T", false, true),
        ("NOT-FLAGS T", true, false),
        ("DB 3", false, true),
        ("NOT-DB 3", true, false),
        ("IP 127.0.0.1 LADDR 127.0.0.1:6379", true, true),
        ("NOT-IP 127.0.0.1", false, false),
        ("MAXAGE 10", true, true),
        ("MAXAGE 11", false, false),
        ("IDLE 11", false, false),
        ("CAPA r", false, false),
        ("LIB-NAME x", false, false),
        ("NOT-LIB-NAME x", true, true),
    ] {
        let filter = parse(text).expect(text);
        let passes = |card: &Card| filter.passes(session.card.id, now_ms, card);
        assert_eq!((passes(&session.card), passes(&other)), (me, them), "{text}");
    }
    session.reset(true);
    assert_eq!(session.card.id, 1);
}

#[test]
fn a_line_has_the_fields_of_the_peers_in_their_order() {
    const FIELDS: &str = "id addr laddr fd name age idle flags capa db sub psub ssub multi watch \
        qbuf qbuf-free argv-mem multi-mem rbs rbp obl oll omem tot-mem events cmd user redir resp \
        lib-name lib-ver io-thread tot-net-in tot-net-out tot-cmds";
    let table = CommandTable::new(FAMILIES);
    let card = card(7);
    let mut line = Vec::new();
    write_line(&mut line, &card, &table, 1_005_500);
    let line = String::from_utf8(line).expect("names are printable");
    let words = line.strip_suffix('\n').expect("a line ends").split(' ');
    let fields: Vec<_> = words.map(|word| word.split_once('=').expect("a field").0).collect();
    assert_eq!(fields.join(" "), FIELDS.split_whitespace().collect::<Vec<_>>().join(" "));
    assert!(line.contains(" name= age=5 idle=5 flags=N capa= db=0 "), "{line}");
    assert!(line.contains(" cmd=NULL user=default redir=-1 resp=2 lib-name= lib-ver= "), "{line}");
    card.last_command.store(table.find_full(b"client|list").expect("a row"), Relaxed);
    let mut line = Vec::new();
    write_line(&mut line, &card, &table, 0);
    let line = String::from_utf8(line).expect("names are printable");
    assert!(line.contains(" age=0 idle=0 ") && line.contains(" cmd=client|list "), "{line}");
}

#[test]
fn letters_of_flags() {
    let card = card(1);
    assert_eq!(letters(&card), b"N");
    card.set(ClientFlags::LOCAL, true);
    assert_eq!(letters(&card), b"N", "a flag without a letter");
    card.set(ClientFlags::NO_EVICT | ClientFlags::NO_TOUCH, true);
    assert_eq!(letters(&card), b"eT");
    assert_eq!((age(&card, 999_000), idle(&card, 1_001_999)), (0, 1));
}

#[test]
fn addresses_without_their_port() {
    for (addr, ip) in [("1.2.3.4:5", "1.2.3.4"), ("[::1]:5", "::1"), ("/tmp/s:0", "/tmp/s")] {
        assert_eq!(ip_of(addr), ip);
    }
}

#[test]
fn filters_of_kill_are_those_of_list() {
    let names = |row: &command::Command| -> Vec<&'static str> {
        let arguments = match row.args {
            [one] => match one.kind {
                ArgumentKind::OneOf([_, new]) => match new.kind {
                    ArgumentKind::OneOf(filters) => filters,
                    _ => &[],
                },
                _ => &[],
            },
            filters => filters,
        };
        let mut tokens: Vec<_> = arguments.iter().filter_map(|argument| argument.token).collect();
        tokens.sort_unstable();
        tokens
    };
    assert_eq!(names(&list::LIST), names(&list::KILL));
    assert_eq!(names(&list::LIST).len(), 27);
    assert_eq!(Settings::default().databases, 16);
}
