//! DEBUG: what tests ask of a server. One command that takes its own words apart, as in the peers,
//! governed by the parameter `enable-debug-command`. What looks into data is in `debug_data.rs`.
//!
//! Subcommands that tune a structure which we do not have (quicklists, hash tables that resize,
//! reply buffers) check their arguments and change nothing.

use super::{OPERATOR, debug_data, node};
use command::{Args, ClientFlags, Command, CommandError, Cx, Effect, Flags, Outcome};
use resp::Reply;

pub(super) const DEBUG: Command = node("DEBUG", debug, -2)
    .since("1.0.0")
    .flags(OPERATOR.or(Flags::PROTECTED).or(Flags::SYSCMD))
    .args(&[])
    .summary("Lets tests look into the server and disturb it.")
    .complexity("That of the subcommand");

/// Whether the client may call DEBUG.
fn allowed(cx: &Cx<'_>) -> bool {
    let card = &cx.session.card;
    let local = card.has(ClientFlags::LOCAL) || card.has(ClientFlags::UNIX_SOCKET);
    match cx.settings.debug_command {
        0 => false,
        1 => local,
        _ => true,
    }
}

/// Leading digits as the C library reads them: 0 if there are none.
fn leading_number(text: &[u8]) -> u64 {
    let digits = text.iter().map_while(|byte| byte.checked_sub(b'0').filter(|digit| *digit < 10));
    digits.fold(0, |sum: u64, digit| sum.saturating_mul(10).saturating_add(u64::from(digit)))
}

fn debug(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    if !allowed(cx) {
        return Err(CommandError::DebugNotAllowed);
    }
    let words = args.rest();
    let (word, rest) = words.split_first().ok_or(CommandError::Syntax)?;
    let name = word.to_ascii_lowercase();
    let done = on_data(cx, &name, rest, reply)?
        || on_replies(&name, rest, reply)?
        || on_node(cx, &name, rest, reply)?
        || cx.node.debug(words, reply)?;
    if done { Ok(Effect::None) } else { Err(CommandError::unknown_or_arity("DEBUG", word)) }
}

/// Subcommands that look at or make keys; `false`: none of these.
fn on_data(
    cx: &mut Cx<'_>,
    name: &[u8],
    args: &[&[u8]],
    reply: &mut Reply,
) -> Result<bool, CommandError> {
    if cx.in_script() {
        // The script may hold what they would lock.
        return Ok(false);
    }
    match (name, args) {
        (b"digest", []) => debug_data::digest(cx, reply)?,
        (b"digest-value", keys) => debug_data::digest_value(cx, keys, reply)?,
        (b"object", [key] | [key, _]) => debug_data::object(cx, key, reply)?,
        (b"sdslen", [key]) => debug_data::sdslen(cx, key, reply)?,
        (b"populate", [_] | [_, _] | [_, _, _]) => debug_data::populate(cx, args, reply)?,
        (b"htstats", [db, ..]) => debug_data::htstats(cx, db, reply)?,
        (b"htstats-key", [key, ..]) => debug_data::htstats_key(cx, key, reply)?,
        (b"listpack", [key]) => debug_data::structure(cx, key, "listpack", reply)?,
        (b"quicklist", [key] | [key, _]) => debug_data::structure(cx, key, "quicklist", reply)?,
        (b"reload", options) => debug_data::reload(cx, options, reply)?,
        (b"loadaof", _) => {
            cx.node.load_log(cx.others)?;
            reply.ok();
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Subcommands that only answer; `false`: none of these.
fn on_replies(name: &[u8], args: &[&[u8]], reply: &mut Reply) -> Result<bool, CommandError> {
    match (name, args) {
        (b"help", []) => command::help("DEBUG", HELP, reply),
        (b"protocol", [kind]) => protocol(kind, reply)?,
        (b"error", [text]) => {
            let line = |byte: &u8| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte };
            reply.error(text.iter().map(line).collect::<Vec<u8>>());
        }
        (b"stringmatch-len", [pattern, text]) => {
            reply.integer(i64::from(stdx::glob::matches(pattern, text, false)));
        }
        (b"structsize", []) => {
            let bits = usize::BITS;
            let entry = size_of::<keyspace::Entry>();
            reply.bulk(format!("bits:{bits} entry:{entry} ").as_bytes());
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Subcommands on the server around the data; `false`: none of these.
fn on_node(
    cx: &mut Cx<'_>,
    name: &[u8],
    args: &[&[u8]],
    reply: &mut Reply,
) -> Result<bool, CommandError> {
    let node = cx.node;
    match (name, args) {
        (b"sleep", [seconds]) => {
            let seconds = stdx::num::parse_f64(seconds).unwrap_or(0.0).max(0.0);
            node.sleep((seconds * 1e6) as u64, cx.others);
        }
        (b"set-active-expire", [on]) => node.set_active_expire(leading_number(on) != 0),
        (b"client-enforce-reply-list", [on]) => node.count_reply_blocks(leading_number(on) != 0),
        (b"aof-flush-sleep", [micros]) => node.delay_log(leading_number(micros)),
        (b"pause-cron", [on]) => node.pause_cron(leading_number(on) != 0),
        (b"log", [text]) => node.log(&format!("DEBUG LOG: {}", String::from_utf8_lossy(text))),
        (b"config-rewrite-force-all", []) => node.config_rewrite_all()?,
        (b"change-repl-id", []) => {
            node.log("Changing replication IDs after receiving DEBUG change-repl-id");
        }
        (b"set-skip-checksum-validation", [on]) => {
            node.set_skip_checksums(leading_number(on) != 0);
        }
        (b"set-disable-deny-scripts", [on]) => cx.scripts.allow_all(leading_number(on) != 0),
        (b"leak" | b"dict-resizing", [_]) => {}
        (b"quicklist-packed-threshold", [bytes]) => {
            config::parse_memory(bytes)
                .filter(|bytes| *bytes < 4 << 30)
                .ok_or(CommandError::PackedThreshold)?;
        }
        (b"replybuffer", [what, value]) => {
            if what.eq_ignore_ascii_case(b"peak-reset-time") {
                let word =
                    value.eq_ignore_ascii_case(b"never") || value.eq_ignore_ascii_case(b"reset");
                if !word {
                    stdx::num::parse_i64(value).ok_or(CommandError::NotAnInteger)?;
                }
            } else if !what.eq_ignore_ascii_case(b"resizing") {
                return Ok(false);
            }
        }
        (b"panic", _) => panic!("DEBUG PANIC called"),
        (b"assert", _) => panic!("=== ASSERTION FAILED === (DEBUG ASSERT called)"),
        _ => return Ok(false),
    }
    reply.ok();
    Ok(true)
}

/// One reply of each type.
fn protocol(kind: &[u8], reply: &mut Reply) -> Result<(), CommandError> {
    match &kind.to_ascii_lowercase()[..] {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.integer(12345),
        b"double" => reply.double_text(b"3.141"),
        b"bignum" => reply.big_number(b"1234567999999999999999999999999999999"),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|number| reply.integer(number));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|number| reply.integer(number));
        }
        b"map" => {
            reply.map(3);
            for number in 0..3 {
                reply.integer(number);
                reply.boolean(number == 1);
            }
        }
        b"attrib" => {
            reply.attribute(1, |reply| {
                reply.bulk(b"key-popularity");
                reply.array(2);
                reply.bulk(b"key:123");
                reply.integer(90);
            });
            reply.bulk(b"Some real reply following the attribute");
        }
        b"push" if reply.protocol == resp::Protocol::Resp2 => return Err(CommandError::NoResp2),
        b"push" => {
            reply.push(2);
            reply.bulk(b"server-cpu-usage");
            reply.integer(42);
            reply.bulk(b"Some real reply following the push reply");
        }
        b"true" => reply.boolean(true),
        b"false" => reply.boolean(false),
        b"verbatim" => reply.verbatim(*b"txt", b"This is a verbatim\nstring"),
        _ => return Err(CommandError::DebugProtocolType),
    }
    Ok(())
}

const HELP: &[&str] = &[
    "ASSERT",
    "    End by a failed assertion.",
    "CHANGE-REPL-ID",
    "    Take new replication ids.",
    "CLIENT-ENFORCE-REPLY-LIST (0|1)",
    "    Whether even small replies count against output limits.",
    "CONFIG-REWRITE-FORCE-ALL",
    "    CONFIG REWRITE with every parameter.",
    "CRASH-AND-RECOVER [<milliseconds>]",
    "    End abruptly and start again after that time.",
    "DICT-RESIZING (0|1)",
    "    No effect: tables grow by segments.",
    "DIGEST",
    "    40 hexadecimal digits that are equal for equal data.",
    "DIGEST-VALUE <key> [<key> ...]",
    "    The same for the value of each key.",
    "ERROR <text>",
    "    Answer with that error.",
    "HTSTATS <db>",
    "    Figures on the tables of a database.",
    "HTSTATS-KEY <key>",
    "    Figures on the table of a value.",
    "LISTPACK <key>",
    "    Whether the value is one listpack.",
    "LOADAOF",
    "    Load the append-only file again.",
    "LOG <text>",
    "    Write a line to the log.",
    "OBJECT <key>",
    "    How a value is kept.",
    "OOM",
    "    End by running out of memory.",
    "PANIC",
    "    End by a panic.",
    "PAUSE-CRON (0|1)",
    "    Stop work that recurs.",
    "POPULATE <count> [<prefix>] [<size>]",
    "    Make strings, which are not logged.",
    "PROTOCOL <type>",
    "    A reply of that type: string, integer, double, bignum, null, array, set, map, attrib,",
    "    push, verbatim, true, false.",
    "QUICKLIST <key>",
    "    Whether the value is a list in chunks.",
    "QUICKLIST-PACKED-THRESHOLD <bytes>",
    "    No effect.",
    "RELOAD [MERGE] [NOFLUSH] [NOSAVE]",
    "    Save and load again.",
    "REPLYBUFFER (PEAK-RESET-TIME <time>|RESIZING (0|1))",
    "    No effect: there are no reply buffers of fixed size.",
    "RESTART [<milliseconds>]",
    "    End in order and start again after that time.",
    "SDSLEN <key>",
    "    Lengths of a key and its string.",
    "SEGFAULT",
    "    End by a signal.",
    "SET-ACTIVE-EXPIRE (0|1)",
    "    Whether what has expired is deleted when nobody asks for it.",
    "SET-SKIP-CHECKSUM-VALIDATION (0|1)",
    "    Whether RESTORE takes payloads under a wrong checksum.",
    "SET-DISABLE-DENY-SCRIPTS (0|1)",
    "    Whether scripts may call what they may not.",
    "SLEEP <seconds>",
    "    Hold the whole server still.",
    "STRINGMATCH-LEN <pattern> <text>",
    "    Whether the glob matches.",
    "STRUCTSIZE",
    "    Sizes of structures.",
];
