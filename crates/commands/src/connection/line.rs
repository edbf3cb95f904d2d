//! One line of CLIENT LIST, field by field as Valkey 8.1 and Redis 8.0 print it.

use command::{Card, ClientFlags, CommandTable, Identity};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Flags with a letter, in the order in which they are printed.
const LETTERS: &[(u32, u8)] = &[
    (ClientFlags::REPLICA, b'S'),
    (ClientFlags::MONITOR, b'O'),
    (ClientFlags::PUBSUB, b'P'),
    (ClientFlags::BLOCKED, b'b'),
    (ClientFlags::TRACKING, b't'),
    (ClientFlags::TRACKING_BROKEN, b'R'),
    (ClientFlags::TRACKING_BROADCAST, b'B'),
    (ClientFlags::CLOSE_AFTER_REPLY, b'c'),
    (ClientFlags::CLOSE_ASAP, b'A'),
    (ClientFlags::UNIX_SOCKET, b'U'),
    (ClientFlags::READONLY, b'r'),
    (ClientFlags::NO_EVICT, b'e'),
    (ClientFlags::NO_TOUCH, b'T'),
    (ClientFlags::IMPORT_SOURCE, b'I'),
];

/// The letters of the client's flags; `N` if there is none.
pub(super) fn letters(card: &Card) -> Vec<u8> {
    let mut letters = Vec::new();
    if card.queued.load(Relaxed) >= 0 {
        letters.push(b'x');
    }
    for (flag, letter) in LETTERS {
        if *letter == b'c' && card.watch.touched() {
            letters.push(b'd');
        }
        if card.has(*flag) {
            letters.push(*letter);
        }
    }
    if letters.is_empty() { vec![b'N'] } else { letters }
}

/// Seconds since the client connected.
pub(super) fn age(card: &Card, now_ms: i64) -> i64 {
    now_ms.saturating_sub(card.created_ms).max(0) / 1000
}

/// Seconds since the client was last heard of.
pub(super) fn idle(card: &Card, now_ms: i64) -> i64 {
    now_ms.saturating_sub(card.last_ms.load(Relaxed)).max(0) / 1000
}

/// Appends the line of `card`, with the line feed.
pub(super) fn write_line(line: &mut Vec<u8>, card: &Card, table: &CommandTable, now_ms: i64) {
    let Identity { name, lib_name, lib_ver, user, capabilities } = card.identity.lock().clone();
    let number = |of: &AtomicU64| of.load(Relaxed);
    let command = card.last_command.load(Relaxed);
    let command = if usize::from(command) < table.len() {
        table.entry(command).full_name.as_str()
    } else {
        "NULL"
    };
    let output = card.unread_bytes();
    let mut text = |parts: std::fmt::Arguments<'_>, bytes: &[u8]| {
        line.write_fmt(parts).expect("a vector takes any bytes");
        line.extend_from_slice(bytes);
    };
    text(
        format_args!("id={} addr={} laddr={} fd={} name=", card.id, card.addr, card.laddr, card.fd),
        &name,
    );
    text(
        format_args!(" age={} idle={} flags=", age(card, now_ms), idle(card, now_ms)),
        &letters(card),
    );
    text(format_args!(" capa={capabilities} db={}", card.db.load(Relaxed)), b"");
    let [sub, psub, ssub] = card.subscriptions.each_ref().map(|count| count.load(Relaxed));
    text(
        format_args!(
            " sub={sub} psub={psub} ssub={ssub} multi={} watch={}",
            card.queued.load(Relaxed),
            card.watch.keys()
        ),
        b"",
    );
    text(
        format_args!(
            " qbuf={} qbuf-free={} argv-mem={} multi-mem={} rbs=0 rbp=0 obl=0",
            number(&card.query_bytes),
            number(&card.query_free_bytes),
            number(&card.argv_bytes),
            number(&card.multi_bytes),
        ),
        b"",
    );
    text(
        format_args!(
            " oll={} omem={output} tot-mem={} events={} cmd={command} user={user} redir={} resp={}",
            card.output_chunks.load(Relaxed).max(u32::from(output > 0)),
            card.memory_bytes(),
            if output > 0 { "rw" } else { "r" },
            card.redirect.load(Relaxed),
            card.protocol.load(Relaxed),
        ),
        b" lib-name=",
    );
    text(format_args!(""), &lib_name);
    text(format_args!(" lib-ver="), &lib_ver);
    text(
        format_args!(
            " io-thread={} tot-net-in={} tot-net-out={} tot-cmds={}\n",
            card.worker.load(Relaxed),
            number(&card.net_in_bytes),
            number(&card.net_out_bytes),
            number(&card.commands),
        ),
        b"",
    );
}
