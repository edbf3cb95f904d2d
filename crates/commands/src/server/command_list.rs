//! COMMAND: how many commands there are, which, and where the keys of a request stand. What it
//! tells about a single command is worded in `command_info.rs`.

use super::command_info::{write_docs, write_info};
use super::{CALM, help_row, node};
use command::grammar::{one_of, pattern, string};
use command::{
    Args, BeginSearch, Categories, Command, CommandError, CommandTable, Cx, Effect, Flags,
    KeyFlags, Outcome,
};
use resp::Reply;

pub(super) const COMMAND: Command = node("COMMAND", command, -1)
    .since("2.8.13")
    .flags(ASKED)
    .summary("Describes all commands.")
    .complexity("O(N), N commands")
    .tips(ANY_ORDER)
    .subcommands(SUBCOMMANDS);

const ASKED: Flags = CALM.or(Flags::IN_CONNECTION);
const ANY_ORDER: &[&str] = &["nondeterministic_output_order"];

const SUBCOMMANDS: &[Command] = &[
    node("COUNT", count, 2).since("2.8.13").flags(ASKED).summary("Counts the commands."),
    node("DOCS", docs, -2)
        .since("7.0.0")
        .flags(ASKED)
        .args(&[string("command-name").optional().many().samples(&["get", "client|list"])])
        .summary("Documents commands.")
        .complexity("O(N), N commands asked for")
        .tips(ANY_ORDER),
    node("GETKEYS", getkeys, -3)
        .since("2.8.13")
        .flags(ASKED)
        .args(&[string("command"), string("arg").optional().many()])
        .summary("Finds the keys in a request.")
        .complexity("O(N), N words of the request"),
    node("GETKEYSANDFLAGS", getkeysandflags, -3)
        .since("7.0.0")
        .flags(ASKED)
        .args(&[string("command"), string("arg").optional().many()])
        .summary("Finds the keys in a request, and what it does to them.")
        .complexity("O(N), N words of the request"),
    help_row(help, "5.0.0").flags(ASKED),
    node("INFO", info, -2)
        .since("2.8.13")
        .flags(ASKED)
        .args(&[string("command-name").optional().many().samples(&["get", "client|list"])])
        .summary("Describes some commands, or all.")
        .complexity("O(N), N commands asked for")
        .history(&[("7.0.0", "Without a name it describes all.")])
        .tips(ANY_ORDER),
    node("LIST", list, -2)
        .since("7.0.0")
        .flags(ASKED)
        .args(&[one_of(
            "filterby",
            &[
                string("module-name").token("MODULE"),
                string("category").token("ACLCAT").samples(&["read"]),
                pattern("pattern").token("PATTERN"),
            ],
        )
        .token("FILTERBY")
        .optional()])
        .summary("Lists the names of commands.")
        .complexity("O(N), N commands")
        .tips(ANY_ORDER),
];

/// Describes every command, subcommands within theirs.
fn describe_all(table: &CommandTable, reply: &mut Reply) {
    reply.array(table.commands().count());
    table.commands().for_each(|(id, _)| write_info(table, Some(id), reply));
}

fn command(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    if let Some(word) = args.next() {
        return Err(CommandError::unknown_subcommand("COMMAND", word));
    }
    describe_all(cx.table, reply);
    Ok(Effect::None)
}

fn count(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply.count(cx.table.commands().count());
    Ok(Effect::None)
}

fn info(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let names = args.rest();
    if names.is_empty() {
        describe_all(cx.table, reply);
    } else {
        reply.array(names.len());
        names.iter().for_each(|name| write_info(cx.table, cx.table.find_full(name), reply));
    }
    Ok(Effect::None)
}

fn docs(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let names = args.rest();
    let ids: Vec<u16> = if names.is_empty() {
        cx.table.commands().map(|(id, _)| id).collect()
    } else {
        names.iter().filter_map(|name| cx.table.find_full(name)).collect()
    };
    reply.map(ids.len());
    for id in ids {
        reply.bulk(cx.table.entry(id).full_name.as_bytes());
        write_docs(cx.table, id, reply);
    }
    Ok(Effect::None)
}

/// Which commands LIST lets through.
enum ListFilter<'a> {
    All,
    /// There are no modules, so nothing passes.
    Module,
    /// `None`: there is no such category, and nothing passes.
    Category(Option<Categories>),
    Pattern(&'a [u8]),
}

impl<'a> ListFilter<'a> {
    fn parse(args: &mut Args<'a>) -> Result<Self, CommandError> {
        if args.left() == 0 {
            return Ok(Self::All);
        }
        if args.left() != 3 || !args.token("FILTERBY") {
            return Err(CommandError::Syntax);
        }
        let (by, value) = (args.bytes()?, args.bytes()?);
        Ok(match &by.to_ascii_lowercase()[..] {
            b"module" => Self::Module,
            b"aclcat" => Self::Category(Categories::by_name(value)),
            b"pattern" => Self::Pattern(value),
            _ => return Err(CommandError::Syntax),
        })
    }

    fn passes(&self, row: &Command, full_name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Module => false,
            Self::Category(wanted) => wanted.is_some_and(|one| Categories::of(row).has(one)),
            Self::Pattern(pattern) => stdx::glob::matches(pattern, full_name.as_bytes(), true),
        }
    }
}

fn list(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let filter = ListFilter::parse(args)?;
    let entries = cx.table.entries().map(|(_, entry)| entry);
    let passing: Vec<_> =
        entries.filter(|entry| filter.passes(entry.row, &entry.full_name)).collect();
    reply.array(passing.len());
    passing.iter().for_each(|entry| reply.bulk(entry.full_name.as_bytes()));
    Ok(Effect::None)
}

/// Whether `words` begin with a container's name and a word that is none of its subcommands.
fn names_no_subcommand(table: &CommandTable, id: u16, words: &[&[u8]], name_words: usize) -> bool {
    let children = &table.entry(id).children;
    name_words == 1 && words.len() > 1 && !children.is_empty()
}

/// The keys of the request in `request`: their words and what it does to them.
fn keys_of<'a>(
    table: &CommandTable,
    request: &[&'a [u8]],
) -> Result<Vec<(&'a [u8], KeyFlags)>, CommandError> {
    let (id, row, name_words) = table.lookup(request).ok_or(CommandError::InvalidCommand)?;
    if names_no_subcommand(table, id, request, name_words) {
        return Err(CommandError::InvalidCommand);
    }
    if row.keys.iter().all(|spec| spec.flags.has(KeyFlags::NOT_KEY)) {
        return Err(CommandError::NoKeyArguments);
    }
    if !row.arity_fits(request.len()) {
        return Err(CommandError::WrongNumberForCommand);
    }
    let mut found = Vec::new();
    let outcome = row.keys.iter().try_for_each(|spec| {
        let before = found.len();
        spec.each(request, |at, flags| {
            if !flags.has(KeyFlags::NOT_KEY) {
                // That others are not found is for the row to say.
                found.push((spec.key_in(request[at]), flags.without(KeyFlags::INCOMPLETE)));
            }
        })?;
        // None where some must be is as impossible as too many.
        let needed = matches!(spec.begin, BeginSearch::Index(_)) && spec.when.is_none();
        if needed && found.len() == before {
            return Err(CommandError::InvalidKeyArguments);
        }
        Ok(())
    });
    if outcome.is_err() || found.is_empty() {
        if !row.flags.has(Flags::NO_MANDATORY_KEYS) {
            return Err(CommandError::InvalidKeyArguments);
        }
        found.clear();
    }
    Ok(found)
}

fn getkeys(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let keys = keys_of(cx.table, args.rest())?;
    reply.array(keys.len());
    keys.iter().for_each(|(key, _)| reply.bulk(key));
    Ok(Effect::None)
}

fn getkeysandflags(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let keys = keys_of(cx.table, args.rest())?;
    reply.array(keys.len());
    for (key, flags) in keys {
        reply.array(2);
        reply.bulk(key);
        reply.set(flags.words().count());
        flags.words().for_each(|word| reply.simple(word));
    }
    Ok(Effect::None)
}

fn help(_: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    const LINES: &[&str] = &[
        "(no subcommand)",
        "    Describe all commands.",
        "COUNT",
        "    How many commands there are.",
        "DOCS [<name> ...]",
        "    The documentation of these commands, or of all.",
        "GETKEYS <request>",
        "    The keys in a whole request.",
        "GETKEYSANDFLAGS <request>",
        "    The keys in a whole request, and what it does to them.",
        "INFO [<name> ...]",
        "    Describe these commands, or all.",
        "LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]",
        "    The names of the commands.",
    ];
    command::help("COMMAND", LINES, reply);
    Ok(Effect::None)
}
