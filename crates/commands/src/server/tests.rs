//! The pure parts: categories of rows, legacy ranges, descriptions.

use super::command_info::{LegacyRange, write_docs, write_info};
use crate::FAMILIES;
use command::{Categories, CommandTable};
use resp::{Protocol, Reply, Value, parse_reply};

fn words(table: &CommandTable, name: &str) -> Vec<&'static str> {
    let id = table.find_full(name.as_bytes()).expect(name);
    Categories::of(table.entry(id).row).words().collect()
}

/// As COMMAND INFO of Redis 8.0 prints them.
#[test]
fn categories_are_those_of_redis() {
    let table = CommandTable::new(FAMILIES);
    for (name, categories) in [
        ("get", "read string fast"),
        ("set", "write string slow"),
        ("del", "keyspace write slow"),
        ("keys", "keyspace read slow dangerous"),
        ("flushall", "keyspace write slow dangerous"),
        ("ping", "fast connection"),
        ("client", "slow"),
        ("client|id", "slow connection"),
        ("client|kill", "admin slow dangerous connection"),
        ("command", "slow connection"),
        ("command|docs", "slow connection"),
        ("config|get", "admin slow dangerous"),
        ("config|help", "slow"),
        ("info", "slow dangerous"),
        ("role", "admin fast dangerous"),
        ("time", "fast"),
        ("lolwut", "read fast"),
        ("memory|usage", "read slow"),
        ("memory|stats", "slow"),
        ("debug", "admin slow dangerous"),
        ("shutdown", "admin slow dangerous"),
        ("acl|whoami", "slow"),
        ("latency|latest", "admin slow dangerous"),
    ] {
        assert_eq!(words(&table, name).join(" "), categories, "{name}");
    }
}

#[test]
fn categories_have_names() {
    assert_eq!(Categories::ALL.len(), 22);
    for (category, word) in Categories::ALL {
        assert_eq!(Categories::by_name(word.to_uppercase().as_bytes()), Some(*category));
    }
    assert_eq!(Categories::by_name(b"all"), None);
}

#[test]
fn legacy_ranges_are_those_of_redis() {
    let table = CommandTable::new(FAMILIES);
    for (name, expected) in [
        ("get", (1, 1, 1)),
        ("mset", (1, -1, 2)),
        ("del", (1, -1, 1)),
        ("rename", (1, 2, 1)),
        ("copy", (1, 2, 1)),
        ("object|encoding", (2, 2, 1)),
        ("memory|usage", (2, 2, 1)),
        ("ping", (0, 0, 0)),
    ] {
        let row = table.entry(table.find_full(name.as_bytes()).expect(name)).row;
        let range = LegacyRange::of(row);
        assert_eq!((range.first, range.last, range.step), expected, "{name}");
        assert!(!range.incomplete, "{name}");
    }
}

/// Whatever the lengths written before their contents say is there.
#[test]
fn descriptions_are_whole_replies_in_both_protocols() {
    let table = CommandTable::new(FAMILIES);
    for protocol in [Protocol::Resp2, Protocol::Resp3] {
        for (id, entry) in table.entries() {
            for write in [
                |table: &_, id, reply: &mut _| write_info(table, Some(id), reply),
                |table: &_, id, reply: &mut _| write_docs(table, id, reply),
            ] {
                let mut reply = Reply::new(protocol);
                write(&table, id, &mut reply);
                let bytes = reply.out.to_vec();
                let (_, len) = parse_reply(&bytes).expect("valid").expect("whole");
                assert_eq!(len, bytes.len(), "{}", entry.full_name);
            }
        }
        let mut reply = Reply::new(protocol);
        write_info(&table, None, &mut reply);
        let null = parse_reply(&reply.out.to_vec()).expect("valid").expect("whole").0;
        assert!(matches!(null, Value::Null), "{null:?}");
    }
}
