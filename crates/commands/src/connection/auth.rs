//! Who the client is: AUTH and HELLO.

use super::client::valid_name;
use super::{FIRST, conn};
use command::grammar::{block, integer, string};
use command::{Args, Command, CommandError, Cx, Effect, Outcome, REDIS_VERSION, VERSION};
use resp::Reply;

pub(super) const AUTH: Command = conn("AUTH", auth, -2)
    .flags(FIRST)
    .secrets(|_, at| at > 0)
    .args(&[string("username").optional().since("6.0.0"), string("password")])
    .summary("Authenticates the connection.")
    .complexity("O(N), N passwords of the user")
    .history(&[("6.0.0", "A user name may come before the password.")]);

pub(super) const HELLO: Command = conn("HELLO", hello, -1)
    .since("6.0.0")
    .flags(FIRST)
    .secrets(follows_auth)
    .args(&[block(
        "arguments",
        &[
            integer("protover").samples(&["2", "3"]),
            block("auth", &[string("username"), string("password")]).token("AUTH").optional(),
            string("clientname").token("SETNAME").optional(),
        ],
    )
    .optional()])
    .summary("Chooses the version of the protocol and tells about the server and the connection.")
    .history(&[
        ("6.2.0", "Without a version it only tells."),
        ("8.1.0", "Field availability_zone, if the parameter is set."),
    ]);

/// Whether the word at `at` is the user or password of HELLO's option AUTH.
fn follows_auth(words: &[&[u8]], at: usize) -> bool {
    let is_auth = |at: usize| words[at].eq_ignore_ascii_case(b"auth");
    (at > 2 && is_auth(at - 1)) || (at > 3 && is_auth(at - 2))
}

/// Checks the password and makes the client that user.
fn log_in(cx: &mut Cx<'_>, user: &[u8], password: &[u8]) -> Result<(), CommandError> {
    cx.node.authenticate(user, password)?;
    cx.session.authenticated = true;
    cx.session.card.identity.lock().user = String::from_utf8_lossy(user).into_owned();
    Ok(())
}

fn auth(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let first = args.bytes()?;
    let second = args.next();
    args.end()?;
    let (user, password) = match second {
        Some(second) => (first, second),
        None if !cx.node.password_required() => return Err(CommandError::AuthNoPassword),
        None => (&b"default"[..], first),
    };
    log_in(cx, user, password)?;
    reply.ok();
    Ok(Effect::None)
}

fn hello(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let mut protocol = None;
    if args.left() > 0 {
        let version = args.integer().map_err(|_| CommandError::ProtoNotInteger)?;
        let version = u8::try_from(version).ok().filter(|version| matches!(version, 2 | 3));
        protocol = Some(version.ok_or(CommandError::NoProto)?);
    }
    let (mut credentials, mut name) = (None, None);
    while let Some(option) = args.peek() {
        if args.left() >= 3 && args.token("AUTH") {
            credentials = Some((args.bytes()?, args.bytes()?));
        } else if args.left() >= 2 && args.token("SETNAME") {
            name = Some(valid_name(args.bytes()?)?);
        } else {
            return Err(CommandError::err_bytes(&[
                b"Syntax error in HELLO option '",
                option,
                b"'",
            ]));
        }
    }
    if let Some((user, password)) = credentials {
        log_in(cx, user, password)?;
    }
    if !cx.session.authenticated {
        return Err(CommandError::HelloNoAuth);
    }
    if let Some(name) = name {
        cx.session.card.identity.lock().name = name.to_vec();
    }
    if let Some(protocol) = protocol {
        cx.session.protocol = protocol;
        reply.protocol = cx.session.wire();
    }
    introduce(cx, reply);
    Ok(Effect::None)
}

/// The server names itself as the one whose commands it serves: clients choose by it.
fn introduce(cx: &Cx<'_>, reply: &mut Reply) {
    let zone = cx.node.config_get(&[b"availability-zone"]).pop().map(|(_, zone)| zone);
    let zone = zone.filter(|zone| !zone.is_empty());
    reply.map(8 + usize::from(zone.is_some()));
    for (field, value) in [("server", "redis"), ("version", REDIS_VERSION)] {
        reply.bulk(field.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"proto");
    reply.integer(i64::from(cx.session.protocol));
    reply.bulk(b"id");
    reply.integer(cx.session.card.id as i64);
    for (field, value) in [("mode", "standalone"), ("role", "master")] {
        reply.bulk(field.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"modules");
    reply.array(0);
    if let Some(zone) = zone {
        reply.bulk(b"availability_zone");
        reply.bulk(&zone);
    }
    reply.bulk(b"almagre_version");
    reply.bulk(VERSION.as_bytes());
}
