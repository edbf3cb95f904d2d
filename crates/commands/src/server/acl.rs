//! ACL, as far as it can be asked without users: who am I, and which categories are there.

use super::{CALM, container, help_row, node};
use command::grammar::string;
use command::{Args, Categories, Command, CommandError, Cx, Effect, Flags, Outcome, Place};
use resp::Reply;

pub(super) const ACL: Command =
    container("ACL", SUBCOMMANDS).since("6.0.0").summary("Asks and tells who may do what.");

const SUBCOMMANDS: &[Command] = &[
    node("CAT", cat, -2)
        .since("6.0.0")
        .flags(CALM.or(Flags::NOSCRIPT))
        .args(&[string("category").optional().samples(&["read", "fast"])])
        .summary("Lists the categories, or the commands in one.")
        .complexity("O(1), since there are so many commands and no more"),
    help_row(help, "6.0.0"),
    node("WHOAMI", whoami, 2)
        .since("6.0.0")
        .flags(CALM.or(Flags::NOSCRIPT))
        .summary("Answers the name of the user that the connection belongs to."),
];

fn cat(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let Some(name) = args.next() else {
        reply.array(Categories::ALL.len());
        Categories::ALL.iter().for_each(|(_, word)| reply.bulk(word.as_bytes()));
        return Ok(Effect::None);
    };
    if args.end().is_err() {
        return Err(CommandError::unknown_or_arity("ACL", args.all()[1]));
    }
    let category = Categories::by_name(name)
        .ok_or_else(|| CommandError::err_bytes(&[b"Unknown category '", name, b"'"]))?;
    let names: Vec<_> = cx
        .table
        .entries()
        .map(|(_, entry)| entry)
        .filter(|entry| entry.row.place != Place::Container)
        .filter(|entry| Categories::of(entry.row).has(category))
        .collect();
    reply.array(names.len());
    names.iter().for_each(|entry| reply.bulk(entry.full_name.as_bytes()));
    Ok(Effect::None)
}

fn whoami(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply.bulk(cx.session.card.identity.lock().user.as_bytes());
    Ok(Effect::None)
}

fn help(_: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    const LINES: &[&str] = &[
        "CAT [<category>]",
        "    The categories, or the commands in one of them.",
        "WHOAMI",
        "    The user that this connection belongs to.",
    ];
    command::help("ACL", LINES, reply);
    Ok(Effect::None)
}
