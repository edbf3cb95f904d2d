//! The reply of HELP subcommands: a heading, the subcommands, each with a line or more about it,
//! and HELP itself. Status lines, as the peers send them, so that terminals print them as text.

use resp::Reply;

/// Writes the help of `container` (upper case); each line as it stands, descriptions indented by
/// four spaces.
pub fn help(container: &str, lines: &[&str], reply: &mut Reply) {
    reply.array(lines.len() + 3);
    reply.simple(format!("{container} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    lines.iter().for_each(|line| reply.simple(line));
    reply.simple("HELP");
    reply.simple("    Print this list.");
}
