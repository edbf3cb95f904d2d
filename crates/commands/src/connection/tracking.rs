//! CLIENT TRACKING and what belongs to it: clients that keep what they read.

use super::conn;
use command::grammar::{integer, one_of, string, word};
use command::{
    Args, Command, CommandError, Cx, Effect, Outcome, Session, TrackingMode, TrackingOptions,
};
use resp::Reply;
use std::sync::atomic::Ordering::Relaxed;

pub(super) const CACHING: Command = conn("CACHING", caching, 3)
    .since("6.0.0")
    .args(&[one_of("mode", &[word("yes", "YES"), word("no", "NO")])])
    .summary("Says whether the client keeps what the next command reads.");

pub(super) const GETREDIR: Command = conn("GETREDIR", getredir, 2)
    .since("6.0.0")
    .summary("Answers to which connection invalidations go.");

pub(super) const TRACKING: Command = conn("TRACKING", tracking, -3)
    .since("6.0.0")
    .args(&[
        one_of("status", &[word("on", "ON"), word("off", "OFF")]),
        integer("client-id").token("REDIRECT").optional(),
        string("prefix").token("PREFIX").optional().many_tokens(),
        word("bcast", "BCAST").optional(),
        word("optin", "OPTIN").optional(),
        word("optout", "OPTOUT").optional(),
        word("noloop", "NOLOOP").optional(),
    ])
    .summary("Tells the client when what it keeps is no longer true.");

pub(super) const TRACKINGINFO: Command = conn("TRACKINGINFO", trackinginfo, 2)
    .since("6.2.0")
    .summary("Tells how the connection tracks.");

/// The options of CLIENT TRACKING as they were given.
#[derive(Default)]
struct Given {
    redirect: Option<std::sync::Arc<command::Card>>,
    prefixes: Vec<Vec<u8>>,
    broadcast: bool,
    optin: bool,
    optout: bool,
    noloop: bool,
}

impl Given {
    fn parse(cx: &Cx<'_>, args: &mut Args<'_>) -> Result<Self, CommandError> {
        let mut given = Self::default();
        while args.left() > 0 {
            // A word that takes a value is none of these without it.
            let more = args.left() > 1;
            if more && args.token("REDIRECT") {
                if given.redirect.is_some() {
                    return Err(CommandError::TrackingTwoRedirects);
                }
                let id = args.integer()?;
                let target = u64::try_from(id).ok().and_then(|id| cx.node.clients().get(id));
                given.redirect = Some(target.ok_or(CommandError::TrackingNoTarget)?);
            } else if args.token("BCAST") {
                given.broadcast = true;
            } else if args.token("OPTIN") {
                given.optin = true;
            } else if args.token("OPTOUT") {
                given.optout = true;
            } else if args.token("NOLOOP") {
                given.noloop = true;
            } else if more && args.token("PREFIX") {
                given.prefixes.push(args.bytes()?.to_vec());
            } else {
                return Err(CommandError::Syntax);
            }
        }
        Ok(given)
    }

    /// The options if they fit each other and the state of the client.
    fn check(self, session: &Session) -> Result<TrackingOptions, CommandError> {
        let old = session.tracking.as_ref().map(|state| state.mode);
        if !self.broadcast && !self.prefixes.is_empty() {
            return Err(CommandError::TrackingPrefixWithoutBcast);
        }
        if old.is_some_and(|old| (old == TrackingMode::Broadcast) != self.broadcast) {
            return Err(CommandError::TrackingSwitchBcast);
        }
        if self.broadcast && (self.optin || self.optout) {
            return Err(CommandError::TrackingBcastWithOpt);
        }
        if self.optin && self.optout {
            return Err(CommandError::TrackingBothOpts);
        }
        if self.optin && old == Some(TrackingMode::OptOut)
            || self.optout && old == Some(TrackingMode::OptIn)
        {
            return Err(CommandError::TrackingSwitchOpt);
        }
        check_prefixes(session, &self.prefixes)?;
        let mode = match (self.broadcast, self.optin, self.optout) {
            (true, ..) => TrackingMode::Broadcast,
            (_, true, _) => TrackingMode::OptIn,
            (_, _, true) => TrackingMode::OptOut,
            _ => TrackingMode::Default,
        };
        let Self { redirect, prefixes, noloop, .. } = self;
        Ok(TrackingOptions { mode, noloop, redirect, prefixes })
    }
}

/// No two prefixes of a client may match the same key.
fn check_prefixes(session: &Session, prefixes: &[Vec<u8>]) -> Result<(), CommandError> {
    let overlap = |a: &[u8], b: &[u8]| a.starts_with(b) || b.starts_with(a);
    let error = |own: &[u8], with: &[u8], other: &[u8]| {
        let end = b"'. Prefixes for a single client must not overlap.";
        Err(CommandError::err_bytes(&[b"Prefix '", own, b"' overlaps with ", with, other, end]))
    };
    for (at, prefix) in prefixes.iter().enumerate() {
        let old = session.tracking.iter().flat_map(|state| &state.prefixes);
        if let Some(old) = old.into_iter().find(|old| overlap(old, prefix)) {
            return error(prefix, b"an existing prefix '", old);
        }
        if let Some(other) = prefixes[at + 1..].iter().find(|other| overlap(other, prefix)) {
            return error(prefix, b"another provided prefix '", other);
        }
    }
    Ok(())
}

fn tracking(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let status = args.bytes()?;
    let given = Given::parse(cx, args)?;
    if status.eq_ignore_ascii_case(b"on") {
        let options = given.check(cx.session)?;
        cx.tracking.enable(cx.session, options);
    } else if status.eq_ignore_ascii_case(b"off") {
        cx.tracking.disable(cx.session);
    } else {
        return Err(CommandError::Syntax);
    }
    reply.ok();
    Ok(Effect::None)
}

fn caching(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let Some(state) = &mut cx.session.tracking else {
        return Err(CommandError::CachingWithoutTracking);
    };
    let (mode, refusal) = if args.token("YES") {
        (TrackingMode::OptIn, CommandError::CachingYesWithoutOptin)
    } else if args.token("NO") {
        (TrackingMode::OptOut, CommandError::CachingNoWithoutOptout)
    } else {
        return Err(CommandError::Syntax);
    };
    if state.mode != mode {
        return Err(refusal);
    }
    state.caching = true;
    reply.ok();
    Ok(Effect::None)
}

fn getredir(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    reply.integer(cx.session.card.redirect.load(Relaxed));
    Ok(Effect::None)
}

fn trackinginfo(cx: &mut Cx<'_>, _: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    use command::ClientFlags;
    let card = &cx.session.card;
    let state = cx.session.tracking.as_deref();
    let mut flags = vec![if state.is_some() { "on" } else { "off" }];
    if let Some(state) = state {
        let words: &[&str] = match (state.mode, state.caching) {
            (TrackingMode::Default, _) => &[],
            (TrackingMode::Broadcast, _) => &["bcast"],
            (TrackingMode::OptIn, false) => &["optin"],
            (TrackingMode::OptIn, true) => &["optin", "caching-yes"],
            (TrackingMode::OptOut, false) => &["optout"],
            (TrackingMode::OptOut, true) => &["optout", "caching-no"],
        };
        flags.extend(words);
        if state.noloop {
            flags.push("noloop");
        }
        if card.has(ClientFlags::TRACKING_BROKEN) {
            flags.push("broken_redirect");
        }
    }
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"redirect");
    reply.integer(card.redirect.load(Relaxed));
    reply.bulk(b"prefixes");
    let prefixes = state.map(|state| &state.prefixes);
    reply.array(prefixes.map_or(0, |prefixes| prefixes.len()));
    prefixes.into_iter().flatten().for_each(|prefix| reply.bulk(prefix));
    Ok(Effect::None)
}
