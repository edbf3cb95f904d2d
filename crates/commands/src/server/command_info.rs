//! A row of the table as COMMAND INFO and COMMAND DOCS print it, down to which of their parts are
//! sets, maps and status lines.

use command::{
    Argument, ArgumentKind, BeginSearch, Categories, Command, CommandTable, FindKeys, Flags,
    KeySpec,
};
use resp::Reply;

/// The ten fields of COMMAND INFO; null if there is no such command.
pub(super) fn write_info(table: &CommandTable, id: Option<u16>, reply: &mut Reply) {
    let Some(id) = id else { return reply.null() };
    let entry = table.entry(id);
    let row = entry.row;
    let range = LegacyRange::of(row);
    reply.array(10);
    reply.bulk(entry.full_name.as_bytes());
    reply.integer(i64::from(row.arity));
    let moves = (range.incomplete && !row.flags.has(Flags::MOVABLE_KEYS)).then_some("movablekeys");
    let words: Vec<_> = row.flags.words().chain(moves).collect();
    reply.set(words.len());
    words.iter().for_each(|word| reply.simple(word));
    for position in [range.first, range.last, range.step] {
        reply.integer(position);
    }
    let categories = Categories::of(row);
    reply.set(categories.words().count());
    categories.words().for_each(|word| reply.simple(format!("@{word}")));
    reply.set(row.tips.len());
    row.tips.iter().for_each(|tip| reply.bulk(tip.as_bytes()));
    reply.set(row.keys.len());
    row.keys.iter().for_each(|spec| write_key_spec(spec, reply));
    reply.set(entry.children.len());
    entry.children.iter().for_each(|child| write_info(table, Some(*child), reply));
}

/// First key, last key and step, for clients that do not know key specifications.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct LegacyRange {
    pub first: i64,
    pub last: i64,
    pub step: i64,
    /// There are keys that the range leaves out.
    pub incomplete: bool,
}

impl LegacyRange {
    /// The peers' rule: one range as it is; of several, those that join; none of other shapes.
    pub(super) fn of(row: &Command) -> Self {
        if let [KeySpec { begin: BeginSearch::Index(first), find, .. }] = row.keys
            && let FindKeys::Range { last, step, .. } = *find
        {
            let first = i64::from(*first);
            let last = if last >= 0 { first + i64::from(last) } else { i64::from(last) };
            return Self { first, last, step: i64::from(step), incomplete: false };
        }
        let mut range = Self::default();
        for spec in row.keys {
            match (spec.begin, spec.find) {
                (BeginSearch::Index(first), FindKeys::Range { last, step: 1, .. })
                    if range.step == 0 || range.last == i64::from(first) - 1 =>
                {
                    let first = i64::from(first);
                    range.first = if range.step == 0 { first } else { range.first };
                    range.last = if last >= 0 { first + i64::from(last) } else { i64::from(last) };
                    range.step = 1;
                }
                _ => range.incomplete = true,
            }
        }
        range
    }
}

fn text(reply: &mut Reply, field: &str, value: &str) {
    reply.bulk(field.as_bytes());
    reply.bulk(value.as_bytes());
}

fn number(reply: &mut Reply, field: &str, value: i64) {
    reply.bulk(field.as_bytes());
    reply.integer(value);
}

fn write_key_spec(spec: &KeySpec, reply: &mut Reply) {
    reply.map(3 + usize::from(!spec.notes.is_empty()));
    if !spec.notes.is_empty() {
        text(reply, "notes", spec.notes);
    }
    reply.bulk(b"flags");
    reply.set(spec.flags.words().count());
    spec.flags.words().for_each(|word| reply.simple(word));
    reply.bulk(b"begin_search");
    reply.map(2);
    match spec.begin {
        BeginSearch::Index(index) => {
            text(reply, "type", "index");
            reply.bulk(b"spec");
            reply.map(1);
            number(reply, "index", i64::from(index));
        }
        BeginSearch::Keyword(word, from) | BeginSearch::Behind { word, start_from: from, .. } => {
            text(reply, "type", "keyword");
            reply.bulk(b"spec");
            reply.map(2);
            text(reply, "keyword", word);
            number(reply, "startfrom", i64::from(from));
        }
        BeginSearch::Unknown => {
            text(reply, "type", "unknown");
            reply.bulk(b"spec");
            reply.map(0);
        }
    }
    reply.bulk(b"find_keys");
    reply.map(2);
    match spec.find {
        FindKeys::Range { last, step, limit } => {
            text(reply, "type", "range");
            reply.bulk(b"spec");
            reply.map(3);
            number(reply, "lastkey", i64::from(last));
            number(reply, "keystep", i64::from(step));
            number(reply, "limit", i64::from(limit));
        }
        FindKeys::Counted { number_at, first, step } => {
            text(reply, "type", "keynum");
            reply.bulk(b"spec");
            reply.map(3);
            number(reply, "keynumidx", i64::from(number_at));
            number(reply, "firstkey", i64::from(first));
            number(reply, "keystep", i64::from(step));
        }
        FindKeys::Custom(_) => {
            text(reply, "type", "unknown");
            reply.bulk(b"spec");
            reply.map(0);
        }
    }
}

/// The map of COMMAND DOCS.
pub(super) fn write_docs(table: &CommandTable, id: u16, reply: &mut Reply) {
    let entry = table.entry(id);
    let row = entry.row;
    let mut fields = 0;
    let map = reply.map_deferred();
    for (field, value) in [
        ("summary", row.summary),
        ("since", row.since),
        ("group", row.group.name()),
        ("complexity", row.complexity),
    ] {
        text(reply, field, value);
        fields += 1;
    }
    let marks =
        [(row.deprecated.is_some(), "deprecated"), (row.flags.has(Flags::SYSCMD), "syscmd")];
    let marks: Vec<_> = marks.iter().filter(|(set, _)| *set).map(|(_, word)| *word).collect();
    if !marks.is_empty() {
        reply.bulk(b"doc_flags");
        reply.set(marks.len());
        marks.iter().for_each(|word| reply.simple(word));
        fields += 1;
    }
    if let Some((since, instead)) = row.deprecated {
        text(reply, "deprecated_since", since);
        text(reply, "replaced_by", instead);
        fields += 2;
    }
    if !row.history.is_empty() {
        reply.bulk(b"history");
        reply.set(row.history.len());
        for (version, what) in row.history {
            reply.array(2);
            reply.bulk(version.as_bytes());
            reply.bulk(what.as_bytes());
        }
        fields += 1;
    }
    if !row.args.is_empty() {
        reply.bulk(b"arguments");
        write_arguments(row.args, reply);
        fields += 1;
    }
    if !entry.children.is_empty() {
        reply.bulk(b"subcommands");
        reply.map(entry.children.len());
        for child in &entry.children {
            reply.bulk(table.entry(*child).full_name.as_bytes());
            write_docs(table, *child, reply);
        }
        fields += 1;
    }
    reply.set_len(map, fields);
}

fn write_arguments(arguments: &[Argument], reply: &mut Reply) {
    reply.array(arguments.len());
    arguments.iter().for_each(|argument| write_argument(argument, reply));
}

fn write_argument(argument: &Argument, reply: &mut Reply) {
    let mut fields = 2;
    let map = reply.map_deferred();
    text(reply, "name", argument.name);
    text(reply, "type", argument.kind.name());
    let parts = match argument.kind {
        ArgumentKind::OneOf(parts) | ArgumentKind::Block(parts) => Some(parts),
        _ => None,
    };
    if parts.is_none() {
        text(reply, "display_text", argument.display.unwrap_or(argument.name));
        fields += 1;
    }
    if let ArgumentKind::Key(spec) = argument.kind {
        number(reply, "key_spec_index", i64::from(spec));
        fields += 1;
    }
    let since = (!argument.since.is_empty()).then_some(argument.since);
    for (field, value) in
        [("token", argument.token), ("since", since), ("deprecated_since", argument.deprecated)]
    {
        if let Some(value) = value {
            text(reply, field, value);
            fields += 1;
        }
    }
    let flags = [
        (argument.optional, "optional"),
        (argument.multiple, "multiple"),
        (argument.multiple_token, "multiple_token"),
    ];
    let flags: Vec<_> = flags.iter().filter(|(set, _)| *set).map(|(_, word)| *word).collect();
    if !flags.is_empty() {
        reply.bulk(b"flags");
        reply.set(flags.len());
        flags.iter().for_each(|word| reply.simple(word));
        fields += 1;
    }
    if let Some(parts) = parts {
        reply.bulk(b"arguments");
        write_arguments(parts, reply);
        fields += 1;
    }
    reply.set_len(map, fields);
}
