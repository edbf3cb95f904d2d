//! CLIENT LIST, INFO and KILL: the connections of all.

use super::filter::Filter;
use super::line::write_line;
use super::{ANY_TIME, OPERATOR, conn};
use command::grammar::{Argument, integer, one_of, string, word};
use command::{Args, Command, CommandError, Cx, Effect, Outcome};
use resp::Reply;
use std::sync::atomic::Ordering::Relaxed;

pub(super) const INFO: Command = conn("INFO", info, 2)
    .since("6.2.0")
    .flags(ANY_TIME)
    .summary("Tells about this connection.")
    .tips(&["nondeterministic_output"]);

pub(super) const KILL: Command = conn("KILL", kill, -3)
    .since("2.4.0")
    .flags(OPERATOR)
    .args(&[one_of(
        "filter",
        &[
            string("old-format").display("ip:port").deprecated("2.8.12"),
            one_of("new-format", KILL_FILTERS).many(),
        ],
    )])
    .summary("Ends connections.")
    .complexity("O(N), N connections")
    .history(&[
        ("2.8.12", "Filters, and among them ID."),
        ("3.2.0", "Type MASTER."),
        ("5.0.0", "Type REPLICA, of which SLAVE is the older name."),
        ("6.2.0", "Filter LADDR."),
        ("7.4.0", "Filter MAXAGE."),
        ("8.0.0", "Type PRIMARY, of which MASTER is the older name."),
        ("8.1.0", "Several ids."),
        ("9.0.0", "Filters NAME, IDLE, FLAGS, LIB-NAME, LIB-VER, DB, CAPA, IP, and negations."),
    ]);

pub(super) const LIST: Command = conn("LIST", list, -2)
    .since("2.4.0")
    .flags(OPERATOR)
    .args(LIST_FILTERS)
    .summary("Lists the connections.")
    .complexity("O(N), N connections")
    .history(&[
        ("2.8.12", "Field id."),
        ("5.0.0", "Filter TYPE."),
        ("6.0.0", "Field user."),
        ("6.2.0", "Filter ID; fields argv-mem, tot-mem, laddr and redir."),
        ("7.0.0", "Fields resp, multi-mem, rbs and rbp."),
        ("7.0.3", "Field ssub."),
        ("7.2.0", "Fields lib-name and lib-ver."),
        ("7.4.0", "Field watch."),
        ("8.0.0", "Field io-thread."),
        ("8.1.0", "Filters USER, ADDR, LADDR, SKIPME and MAXAGE."),
        ("9.0.0", "Filters NAME, IDLE, FLAGS, LIB-NAME, LIB-VER, DB, CAPA, IP, and negations."),
    ])
    .tips(&["nondeterministic_output"]);

const NORMAL: Argument = word("normal", "NORMAL");
const MASTER: Argument = word("master", "MASTER");
const PRIMARY: Argument = word("primary", "PRIMARY");
const SLAVE: Argument = word("slave", "SLAVE");
const REPLICA: Argument = word("replica", "REPLICA");
const PUBSUB: Argument = word("pubsub", "PUBSUB");
const LIST_TYPES: &[Argument] = &[NORMAL, MASTER, REPLICA, PUBSUB];
const KILL_TYPES: &[Argument] =
    &[NORMAL, MASTER.since("3.2.0"), PRIMARY.since("8.0.0"), SLAVE, REPLICA.since("5.0.0"), PUBSUB];
const NOT_KILL_TYPES: &[Argument] = &[NORMAL, MASTER, PRIMARY, SLAVE, REPLICA, PUBSUB];
const YES_NO: &[Argument] = &[word("yes", "YES"), word("no", "NO")];

/// A filter that came with Valkey 9.
const fn newer(argument: Argument, token: &'static str) -> Argument {
    argument.token(token).since("9.0.0").optional()
}

const LIST_FILTERS: &[Argument] = &[
    one_of("client-type", LIST_TYPES).token("TYPE").since("5.0.0").optional(),
    integer("client-id").token("ID").since("6.2.0").optional().many(),
    string("username").token("USER").since("8.1.0").optional().samples(&["default"]),
    string("addr").token("ADDR").display("ip:port").since("8.1.0").optional(),
    string("laddr").token("LADDR").display("ip:port").since("8.1.0").optional(),
    one_of("skipme", YES_NO).token("SKIPME").since("8.1.0").optional(),
    integer("maxage").token("MAXAGE").since("8.1.0").optional().samples(&["1"]),
    newer(string("name"), "NAME"),
    newer(integer("idle"), "IDLE").samples(&["1"]),
    newer(string("flags"), "FLAGS").samples(&["N"]),
    newer(string("lib-name"), "LIB-NAME"),
    newer(string("lib-ver"), "LIB-VER"),
    newer(integer("db"), "DB").samples(&["0"]),
    newer(string("capa"), "CAPA").samples(&["r"]),
    newer(string("ip"), "IP"),
    newer(one_of("not-client-type", LIST_TYPES), "NOT-TYPE"),
    newer(integer("not-client-id"), "NOT-ID").many(),
    newer(string("not-username"), "NOT-USER").samples(&["default"]),
    newer(string("not-addr").display("ip:port"), "NOT-ADDR"),
    newer(string("not-laddr").display("ip:port"), "NOT-LADDR"),
    newer(string("not-name"), "NOT-NAME"),
    newer(string("not-flags"), "NOT-FLAGS").samples(&["N"]),
    newer(string("not-lib-name"), "NOT-LIB-NAME"),
    newer(string("not-lib-ver"), "NOT-LIB-VER"),
    newer(integer("not-db"), "NOT-DB").samples(&["0"]),
    newer(string("not-capa"), "NOT-CAPA").samples(&["r"]),
    newer(string("not-ip"), "NOT-IP"),
];

/// As those of LIST, but for types and versions.
const KILL_FILTERS: &[Argument] = &{
    let mut filters = [LIST_FILTERS[0]; LIST_FILTERS.len()];
    let mut at = 0;
    while at < filters.len() {
        filters[at] = LIST_FILTERS[at];
        at += 1;
    }
    // ID comes before TYPE.
    filters[0] = integer("client-id").token("ID").since("2.8.12").optional().many();
    filters[1] = one_of("client-type", KILL_TYPES).token("TYPE").since("2.8.12").optional();
    filters[2] = string("username").token("USER").optional().samples(&["default"]);
    filters[3] = string("addr").token("ADDR").display("ip:port").optional();
    filters[4] = filters[4].since("6.2.0");
    filters[5] = one_of("skipme", YES_NO).token("SKIPME").optional();
    filters[6] = filters[6].since("8.0.0");
    filters[15] = newer(one_of("not-client-type", NOT_KILL_TYPES), "NOT-TYPE");
    filters
};

/// Brings the caller's own card up to date: others' are as of their last batch. What was read is
/// in the worker's buffer, so that the connection's own holds nothing.
fn refresh_own_card(cx: &Cx<'_>, args: &Args<'_>) {
    let card = &cx.session.card;
    card.argv_bytes.store(args.all().iter().map(|word| word.len() as u64).sum(), Relaxed);
    card.last_command.store(args.id(), Relaxed);
    card.last_ms.store(cx.now_ms, Relaxed);
    card.db.store(cx.session.db, Relaxed);
    card.protocol.store(cx.session.protocol, Relaxed);
}

fn info(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    refresh_own_card(cx, args);
    let mut text = Vec::new();
    write_line(&mut text, &cx.session.card, cx.table, cx.now_ms);
    cx.session.card.argv_bytes.store(0, Relaxed);
    reply.verbatim(*b"txt", &text);
    Ok(Effect::None)
}

fn list(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let words = args.rest();
    if words.len() == 1 {
        return Err(CommandError::Syntax);
    }
    let filter = Filter::parse(words, false, cx.settings.databases)?;
    refresh_own_card(cx, args);
    let me = cx.session.card.id;
    let mut text = Vec::new();
    // Who has been killed is gone, though its task may not have noticed.
    let clients = cx.node.clients().all();
    let listed = |card: &&std::sync::Arc<command::Card>| {
        !card.killed() && filter.passes(me, cx.now_ms, card)
    };
    for card in clients.iter().filter(listed) {
        write_line(&mut text, card, cx.table, cx.now_ms);
    }
    cx.session.card.argv_bytes.store(0, Relaxed);
    reply.verbatim(*b"txt", &text);
    Ok(Effect::None)
}

fn kill(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let words = args.rest();
    let old_form = words.len() == 1;
    let filter = match words {
        [addr] => Filter::of_addr(addr),
        _ => Filter::parse(words, true, cx.settings.databases)?,
    };
    let (mut killed, mut ours) = (0, false);
    let me = cx.session.card.id;
    for card in cx.node.clients().all().iter().filter(|card| filter.passes(me, cx.now_ms, card)) {
        if card.id == me {
            ours = true;
        } else {
            card.kill();
        }
        killed += 1;
    }
    cx.session.close_after_reply |= ours;
    match (old_form, killed) {
        (true, 0) => return Err(CommandError::NoSuchClient),
        (true, _) => reply.ok(),
        (false, _) => reply.count(killed),
    }
    Ok(Effect::None)
}
