//! KEYDB.CRON: scripts that the server runs by itself. Here is how a job comes to be, and how its next
//! run becomes another one; the engine runs it (`engine::script`).

use command::grammar::{block, integer, key, key_of, one_of, string, unix_time, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, KeyFlags, KeySpec, Outcome};
use keyspace::{Event, ExpiryChange, KeyRef, NewValue};
use resp::Reply;
use types::job::{Job, Schedule};

pub(super) const KEYDB_CRON: Command = Command::data("KEYDB.CRON", cron)
    .group(Group::Scripting)
    .since("8.12.0")
    .arity(-5)
    .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::MOVABLE_KEYS))
    .keys(KEYS)
    .args(&[
        key("name").samples(&["j0", "j1", "j2"]),
        one_of("schedule", &[word("single", "SINGLE"), word("repeat", "REPEAT")]),
        unix_time("start").optional().samples(&["0", "1700000000000"]),
        integer("interval").samples(&["1", "1000", "86400000"]),
        string("script").samples(&["return redis.call('incr', KEYS[1])", "return ARGV"]),
        block(
            "words",
            &[
                integer("numkeys").samples(&["0", "1"]),
                key_of("key", 1).optional().many(),
                string("arg").optional().many(),
            ],
        )
        .optional(),
    ])
    .summary("Has the server run a script at a time, or again and again.")
    .complexity("O(log(N)) with N jobs, and that of the script whenever it runs");

/// A job was set, or its next run is another one.
const SET: Event = Event::generic("keydb.cron");
/// As KeyDB calls it.
const RAN: Event = Event::generic("CRON Executed");

const KEYS: &[KeySpec] = &[
    KeySpec::at(1, KeyFlags::OW.or(KeyFlags::UPDATE)),
    KeySpec::counted(5, 1, OF_SCRIPT).when(|args| args.len() > 5 && !has_start(args)),
    KeySpec::counted(6, 1, OF_SCRIPT).when(|args| args.len() > 6 && has_start(args)),
];
/// What a script does to its keys is not known.
const OF_SCRIPT: KeyFlags = KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE);

/// Whether the word behind the first time is another time: the first is the start then.
fn has_start(args: &[&[u8]]) -> bool {
    args.get(4).is_some_and(|word| stdx::num::parse_i64(word).is_some())
}

fn cron(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let words = args.all();
    let key = args.key()?;
    if args.token("NEXT") {
        return next(cx, &key, args, reply);
    }
    let single = args.token("SINGLE");
    if !single && !args.token("REPEAT") {
        return Err(CommandError::Syntax);
    }
    let first = args.integer().map_err(|_| CommandError::JobTime)?;
    let start = if has_start(words) { Some(first) } else { None };
    let interval_ms = if start.is_some() { args.integer()? } else { first };
    if interval_ms <= 0 {
        return Err(CommandError::JobInterval);
    }
    let start_ms = start.unwrap_or(cx.now_ms);
    let due_ms = start_ms.checked_add(interval_ms).ok_or(CommandError::NotAnInteger)?;
    let script = args.next().ok_or(CommandError::Syntax)?;
    let keys = match args.next().map(stdx::num::parse_i64) {
        None => 0,
        Some(number) => number.ok_or(CommandError::NotAnInteger)?,
    };
    if keys < 0 {
        return Err(CommandError::ScriptKeysNegative);
    }
    let rest = args.rest();
    let keys = usize::try_from(keys).ok().filter(|keys| *keys <= rest.len());
    let keys = keys.ok_or(CommandError::JobKeys)?;
    let schedule = Schedule { single, due_ms, interval_ms };
    let job = Job::new(schedule, keys, std::iter::once(script).chain(rest.iter().copied()));
    put(cx, &key, job, ExpiryChange::Clear, SET);
    reply.ok();
    if start.is_some() {
        return Ok(Effect::Same);
    }
    // The log says when, not in how long.
    let start = start_ms.to_string();
    let mut told = words.to_vec();
    told.insert(3, start.as_bytes());
    cx.rewrite(&told);
    Ok(Effect::Rewrite)
}

/// `KEYDB.CRON name NEXT was next`: the run at `was` is over. A job that runs once is gone, another runs at
/// `next`. Nothing happens if the job's next run is not that.
fn next(cx: &mut Cx<'_>, key: &KeyRef<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let (was, next_ms) = (args.integer()?, args.integer()?);
    args.end()?;
    let job = cx.db.peek_as::<Job>(key)?.filter(|job| job.due_ms() == was);
    let Some((schedule, job)) = job.map(|job| (job.schedule(), job.to_owned())) else {
        reply.integer(0);
        return Ok(Effect::None);
    };
    if next_ms.checked_sub(schedule.interval_ms).is_none() {
        return Err(CommandError::NotAnInteger);
    }
    reply.integer(1);
    if schedule.single {
        cx.db.delete(key, RAN);
        cx.rewrite(&[b"DEL", key.bytes()]);
        return Ok(Effect::Rewrite);
    }
    put(cx, key, job.due_at(next_ms), ExpiryChange::Keep, RAN);
    Ok(Effect::Same)
}

fn put(cx: &mut Cx<'_>, key: &KeyRef<'_>, job: Job, expiry: ExpiryChange, event: Event) {
    let mut block = Vec::new();
    cx.db.put(key, NewValue::of_collection(job, &mut block), expiry, event);
}
