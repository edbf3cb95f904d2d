//! Members at random.

use super::{MembersJob, READ, SLICE, reply_members, seen};
use crate::element::reply_element;
use command::grammar::{integer, key};
use command::{
    Args, Command, CommandError, Cx, Effect, Flags, Group, Job, JobStep, KeyFlags, KeySpec,
    Outcome, deletion,
};
use keyspace::{Event, KeyRef, Keyspace};
use resp::Reply;
use stdx::Rng;
use types::View as _;
use types::set::{Set, SetView};

pub(super) const SPOP: Command = Command::data("SPOP", spop)
    .group(Group::Set)
    .since("1.0.0")
    .arity(-2)
    .flags(Flags::WRITE.or(Flags::FAST))
    .keys(&[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::DELETE))])
    .args(&[key("key"), integer("count").optional().since("3.2.0").samples(&["0", "1", "5"])])
    .summary("Takes members at random out of a set and answers them; an empty set is deleted.")
    .complexity("O(1) for each member taken")
    .history(&[("3.2.0", "Added the `count` argument.")])
    .tips(&["nondeterministic_output"]);

pub(super) const SRANDMEMBER: Command = Command::data("SRANDMEMBER", srandmember)
    .group(Group::Set)
    .since("1.0.0")
    .arity(-2)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[key("key"), integer("count").optional().since("2.6.0").samples(&["-3", "0", "5"])])
    .summary("Answers members of a set at random.")
    .complexity("O(1) for each member answered")
    .history(&[("2.6.0", "Added the optional `count` argument.")])
    .tips(&["nondeterministic_output"]);

const SPOP_EVENT: Event = Event::set("spop");

/// Members that one SREM of the journal takes out.
const LOGGED_MAX: usize = 1024;

fn spop(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let count = match args.left() {
        0 => return spop_one(cx, &key, reply),
        1 => usize::try_from(args.integer().map_err(|_| CommandError::MustBePositive)?)
            .map_err(|_| CommandError::MustBePositive)?,
        _ => return Err(CommandError::Syntax),
    };
    cx.db.purge_expired_elements(&key);
    let Some(mut set) = cx.db.write::<Set>(&key)? else {
        reply.set(0);
        return Ok(Effect::None);
    };
    if count == 0 {
        reply.set(0);
        return Ok(Effect::None);
    }
    if count >= set.view().len() {
        *cx.later = reply_members(reply, set.view());
        set.edit(SPOP_EVENT, |set| *set = Set::default());
        cx.rewrite(&[deletion(cx.settings.lazy_deletion), key.bytes()]);
        return Ok(Effect::Rewrite);
    }
    let rng = &mut *cx.rng;
    let popped = set.edit(SPOP_EVENT, |set| set.pop_many(count, rng));
    reply.set(popped.len());
    popped.iter().for_each(|member| reply.bulk(member));
    for part in popped.chunks(LOGGED_MAX) {
        let mut words = vec![&b"SREM"[..], key.bytes()];
        words.extend(part.iter().map(Vec::as_slice));
        cx.rewrite(&words);
    }
    Ok(Effect::Rewrite)
}

fn spop_one(cx: &mut Cx<'_>, key: &KeyRef<'_>, reply: &mut Reply) -> Outcome {
    let rng = &mut *cx.rng;
    cx.db.purge_expired_elements(key);
    let popped = match cx.db.write::<Set>(key)? {
        Some(mut set) => set.edit(SPOP_EVENT, |set| set.pop(rng)),
        None => None,
    };
    let Some(member) = popped else {
        reply.null();
        return Ok(Effect::Rewrite);
    };
    reply.bulk(&member);
    cx.rewrite(&[b"SREM", key.bytes(), &member]);
    Ok(Effect::Rewrite)
}

fn srandmember(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let count = match args.left() {
        0 => None,
        1 => Some(args.integer()?),
        _ => return Err(CommandError::Syntax),
    };
    // Its negative is none.
    if count == Some(i64::MIN) {
        return Err(CommandError::NotNegatable);
    }
    let set = cx.db.read::<Set>(&key)?;
    let Some(count) = count else {
        match set.and_then(|set| set.random(cx.rng)) {
            Some(member) => reply_element(reply, member),
            None => reply.null(),
        }
        return Ok(Effect::None);
    };
    // All members may have expired, and the key be there yet.
    let Some(set) = set.filter(|set| set.random(cx.rng).is_some()) else {
        reply.array(0);
        return Ok(Effect::None);
    };
    *cx.later = match usize::try_from(count) {
        Ok(count) => reply_distinct(reply, set, count, cx.rng),
        Err(_) => {
            let left = count.unsigned_abs();
            reply.array(usize::try_from(left).unwrap_or(usize::MAX));
            let left = left - draw(reply, set, left, cx.rng);
            if left == 0 {
                return Ok(Effect::None);
            }
            {
                let (set, horizon_ms) = (set.to_owned(), set.horizon());
                Some(Box::new(DrawJob { set, horizon_ms, left, rng: cx.rng.fork() }))
            }
        }
    };
    Ok(Effect::None)
}

/// Answers `count` different members, all if there are no more.
fn reply_distinct(
    reply: &mut Reply,
    set: SetView<'_>,
    count: usize,
    rng: &mut Rng,
) -> Option<Box<dyn Job>> {
    if count < set.len() {
        reply.array(count);
        if count > SLICE {
            let (set, horizon_ms) = (set.to_owned(), set.horizon());
            return Some(Box::new(SampleJob { set, horizon_ms, count, rng: rng.fork() }));
        }
        set.sample(count, rng, |member| reply_element(reply, member));
        return None;
    }
    reply.array(set.len());
    let mut job = MembersJob::of(set);
    match job.slice(reply) {
        JobStep::Done => None,
        JobStep::More | JobStep::Wait => Some(Box::new(job)),
    }
}

/// Answers up to [`SLICE`] of `left` members, any of them more than once; returns how many.
fn draw(reply: &mut Reply, set: SetView<'_>, left: u64, rng: &mut Rng) -> u64 {
    let count = left.min(SLICE as u64);
    // One pass over a listpack, instead of one for each member.
    if let SetView::List(list) = set {
        let members: Vec<_> = list.iter().collect();
        (0..count).for_each(|_| reply_element(reply, members[rng.index(members.len())]));
        return count;
    }
    for _ in 0..count {
        if let Some(member) = set.random(rng) {
            reply_element(reply, member);
        }
    }
    count
}

/// Many different members at random.
struct SampleJob {
    set: Set,
    horizon_ms: Option<i64>,
    count: usize,
    rng: Rng,
}

impl Job for SampleJob {
    fn step(&mut self, _: &Keyspace, _: i64, reply: &mut Reply) -> JobStep {
        let set = seen(&self.set, self.horizon_ms);
        set.sample(self.count, &mut self.rng, |member| reply_element(reply, member));
        JobStep::Done
    }
}

/// A long answer of members at random under way.
struct DrawJob {
    set: Set,
    horizon_ms: Option<i64>,
    left: u64,
    rng: Rng,
}

impl Job for DrawJob {
    fn step(&mut self, _: &Keyspace, _: i64, reply: &mut Reply) -> JobStep {
        self.left -= draw(reply, seen(&self.set, self.horizon_ms), self.left, &mut self.rng);
        if self.left == 0 { JobStep::Done } else { JobStep::More }
    }
}
