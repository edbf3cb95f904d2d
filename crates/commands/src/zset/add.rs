//! ZADD and ZINCRBY.

use command::element_expiry::Expiring as _;
use command::grammar::{block, double, key, one_of, string, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use keyspace::{Event, KeyRef};
use resp::Reply;
use types::zset::{AddRule, Added, ZSet};

pub(super) const ZADD: Command = Command::data("ZADD", zadd)
    .group(Group::SortedSet)
    .since("1.2.0")
    .arity(-4)
    .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))])
    .args(&[
        key("key"),
        one_of("condition", &[word("nx", "NX"), word("xx", "XX")]).optional().since("3.0.2"),
        one_of("comparison", &[word("gt", "GT"), word("lt", "LT")]).optional().since("6.2.0"),
        word("change", "CH").optional().since("3.0.2"),
        word("increment", "INCR").optional().since("3.0.2"),
        block("data", &[double("score"), string("member")]).many(),
    ])
    .summary("Adds members to a sorted set, or gives them other scores.")
    .complexity("O(log(N)) for each member, N members in the set")
    .history(&[
        ("2.4.0", "Several members at once."),
        ("3.0.2", "Options XX, NX, CH and INCR."),
        ("6.2.0", "Options GT and LT."),
    ]);

pub(super) const ZINCRBY: Command = Command::data("ZINCRBY", zincrby)
    .group(Group::SortedSet)
    .since("1.2.0")
    .arity(4)
    .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE))])
    .args(&[key("key"), double("increment"), string("member")])
    .summary("Adds to the score of a member; a missing one counts as 0.")
    .complexity("O(log(N)), N members in the set");

const ZADD_EVENT: Event = Event::zset("zadd");
const ZINCR_EVENT: Event = Event::zset("zincr");

/// The options of ZADD.
#[derive(Debug, Default)]
struct Options {
    rule: AddRule,
    /// Members with another score count, too.
    changed: bool,
}

impl Options {
    fn parse(args: &mut Args<'_>) -> Self {
        let mut options = Self::default();
        let rule = &mut options.rule;
        loop {
            if args.token("NX") {
                rule.only_new = true;
            } else if args.token("XX") {
                rule.only_present = true;
            } else if args.token("GT") {
                rule.only_greater = true;
            } else if args.token("LT") {
                rule.only_less = true;
            } else if args.token("INCR") {
                rule.increment = true;
            } else if args.token("CH") {
                options.changed = true;
            } else {
                return options;
            }
        }
    }

    fn check(&self, pairs: usize) -> Result<(), CommandError> {
        let rule = &self.rule;
        if rule.only_new && rule.only_present {
            return Err(CommandError::NxWithXx);
        }
        if rule.only_greater && (rule.only_new || rule.only_less) || rule.only_less && rule.only_new
        {
            return Err(CommandError::GtLtNx);
        }
        if rule.increment && pairs > 1 {
            return Err(CommandError::IncrPairs);
        }
        Ok(())
    }
}

fn zadd(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let options = Options::parse(args);
    let pairs = args.rest();
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return Err(CommandError::Syntax);
    }
    options.check(pairs.len() / 2)?;
    let added = add(cx, &key, options.rule, pairs)?;
    if options.rule.increment {
        reply_score(reply, added.last);
    } else {
        reply.count(added.new + if options.changed { added.updated } else { 0 });
    }
    Ok(Effect::Same)
}

fn zincrby(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let rule = AddRule { increment: true, keeps_expiry: true, ..AddRule::default() };
    let added = add(cx, &key, rule, args.rest())?;
    reply_score(reply, added.last);
    Ok(Effect::Same)
}

fn reply_score(reply: &mut Reply, score: Option<f64>) {
    match score {
        Some(score) => reply.double(score),
        None => reply.null(),
    }
}

/// Tells `event`, or that members stay that would have expired, or nothing.
pub(crate) fn tell_added(added: &Added, event: Event, tell: &mut dyn FnMut(Event)) {
    if added.new + added.updated > 0 {
        tell(event);
    } else if added.persisted > 0 {
        tell(ZSet::WORDS.persist_event);
    }
}

/// Puts `pairs` of score and member into the set at `key`.
fn add(
    cx: &mut Cx<'_>,
    key: &KeyRef<'_>,
    rule: AddRule,
    pairs: &[&[u8]],
) -> Result<Added, CommandError> {
    let score_of = |text: &[u8]| stdx::num::parse_f64(text).ok_or(CommandError::NotAFloat);
    for pair in pairs.chunks_exact(2) {
        score_of(pair[0])?;
    }
    let limits = &cx.settings.limits;
    let mut guard = cx.db.write_or_new::<ZSet>(key)?;
    guard.purge_elements(pairs.chunks_exact(2).map(|pair| pair[1]));
    if rule.only_present && !guard.exists() {
        return Ok(Added::default());
    }
    let event = if rule.increment { ZINCR_EVENT } else { ZADD_EVENT };
    let verb = |set: &mut ZSet| {
        set.expect(pairs.len() / 2, limits);
        let mut added = Added::default();
        for pair in pairs.chunks_exact(2) {
            let score = score_of(pair[0])?;
            set.add(pair[1], score, rule, limits, &mut added)
                .map_err(|_| CommandError::ScoreNaN)?;
        }
        Ok(added)
    };
    guard.edit_told(verb, |added, tell| {
        if let Ok(added) = added {
            tell_added(added, event, tell);
        }
    })
}
