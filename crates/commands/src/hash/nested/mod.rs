//! KEYDB.NHSET and KEYDB.NHGET: values by paths, `key.name.name`.
//!
//! A nested hash is a hash like any other; its fields are named after the paths within it:
//!
//! | field | holds |
//! |---|---|
//! | `b.c` | the text at `b.c` |
//! | `b.c.` | the list at `b.c`: each element as `length:bytes,` |
//! | `b..` | nothing; there is something below `b` |
//!
//! A name in a path is not empty, so none of these is taken for another. The last kind saves NHSET
//! from looking at all fields for what it overwrites.

#[cfg(test)]
mod tests;
mod tree;

use super::{HSET_EVENT, READ, UPDATE};
use command::grammar::{key, one_of, string, word};
use command::{
    Args, Command, CommandError, Cx, Effect, Flags, Group, Job, JobStep, KeySpec, Outcome,
};
use keyspace::{Event, ExpiryChange, KeyRef, Keyspace};
use resp::Reply;
use tree::{Node, Value};
use types::hash::{Hash, Ttl};
use types::list::{List, ListView};
use types::listpack::{Digits, Element};
use types::{Collection as _, View as _};

pub(super) const NHSET: Command = Command::data("KEYDB.NHSET", nhset)
    .group(Group::Hash)
    .since("8.12.0")
    .arity(-3)
    .flags(Flags::WRITE.or(Flags::DENYOOM))
    .keys(TO_PATH)
    .args(&[key("path").samples(&["h0.a", "h0.a.b", "h0.a.b.c", "h1.a"]), string("value").many()])
    .summary("Sets the value at a path of a nested hash.")
    .complexity(
        "O(D) with D names in the path, O(N) where something nested is overwritten, N values",
    );

pub(super) const NHGET: Command = Command::data("KEYDB.NHGET", nhget)
    .group(Group::Hash)
    .since("8.12.0")
    .arity(-2)
    .flags(Flags::READONLY)
    .keys(OF_PATH)
    .args(&[
        one_of("format", &[word("json", "JSON"), word("resp", "RESP")]).optional(),
        key("path").samples(&["h0", "h0.a", "h0.a.b", "h1.a"]),
    ])
    .summary("Answers what is at a path of a nested hash.")
    .complexity("O(1) for one value, O(N*log(N)) for what is nested, N values of the key");

const TO_PATH: &[KeySpec] = &[UPDATE[0].until(b'.')];
const OF_PATH: &[KeySpec] = &[KeySpec::custom(path_at, READ[0].flags).until(b'.')];

/// Names in a path, at most.
const NAMES_MAX: usize = 128;
/// Bytes of a path, at most.
const PATH_BYTES_MAX: usize = 1 << 16;

fn path_at(args: &[&[u8]]) -> Option<usize> {
    (2..=3).contains(&args.len()).then(|| args.len() - 1)
}

/// What follows the key in `path`, if it is well formed.
fn within<'a>(path: &'a [u8], key: &KeyRef<'_>) -> Result<&'a [u8], CommandError> {
    let mut names = path.split(|byte| *byte == b'.');
    let is_sound = path.len() <= PATH_BYTES_MAX
        && names.clone().count() <= NAMES_MAX
        && !names.any(<[u8]>::is_empty);
    if !is_sound {
        return Err(CommandError::Syntax);
    }
    Ok(path.get(key.bytes().len() + 1..).unwrap_or_default())
}

fn key_of<'a>(args: &Args<'a>) -> Result<KeyRef<'a>, CommandError> {
    args.keys().first().copied().ok_or(CommandError::Syntax)
}

/// `path` with `tail` behind it.
fn with(path: &[u8], tail: &[u8]) -> Vec<u8> {
    [path, tail].concat()
}

fn nhset(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = key_of(args)?;
    let path = within(args.bytes()?, &key)?;
    let values = args.rest();
    let replaced = if path.is_empty() {
        set_key(cx, &key, values)
    } else {
        set_field(cx, &key, path, values)?
    };
    reply.integer(i64::from(replaced));
    Ok(Effect::Rewrite)
}

/// Sets the key itself, a string or a list; says whether there was something.
fn set_key(cx: &mut Cx<'_>, key: &KeyRef<'_>, values: &[&[u8]]) -> bool {
    let replaced = cx.db.exists(key);
    if let [value] = values {
        let stored = cx.value(value);
        cx.db.put(key, stored, ExpiryChange::Clear, Event::string("set"));
        cx.rewrite(&[b"SET", key.bytes(), value]);
    } else {
        let elements = values.iter().map(|value| Element::from(*value));
        let list = List::collect(elements, &cx.settings.limits);
        cx.db.replace(key, list, Event::list("rpush"));
        cx.rewrite(&[b"DEL", key.bytes()]);
        cx.rewrite(&[&[b"RPUSH".as_slice(), key.bytes()], values].concat());
    }
    replaced
}

/// What is to be done for a value to be at a path.
#[derive(Default)]
struct Change {
    /// Fields to be deleted.
    gone: Vec<Vec<u8>>,
    /// Fields that say that there is something below them, to be added.
    levels: Vec<Vec<u8>>,
    /// Whether something was at the path.
    replaces: bool,
}

impl Change {
    /// Makes room for a value at `path`, in the hash as it is.
    fn of(hash: <Hash as types::Collection>::View<'_>, path: &[u8]) -> Self {
        let mut change = Self::default();
        let has = |name: &[u8]| hash.get(name).is_some();
        let dots = path.iter().enumerate().filter(|(_, byte)| **byte == b'.').map(|(at, _)| at);
        for above in dots.map(|at| &path[..at]) {
            let level = with(above, b"..");
            if !has(&level) {
                change.levels.push(level);
            }
            change
                .gone
                .extend([above.to_vec(), with(above, b".")].into_iter().filter(|it| has(it)));
        }
        let above = change.gone.len();
        change.gone.extend([path.to_vec(), with(path, b".")].into_iter().filter(|it| has(it)));
        if has(&with(path, b"..")) {
            let below = with(path, b".");
            let mut name = Digits::default();
            change.gone.extend(hash.iter().filter_map(|field| {
                let name = field.name.text(&mut name);
                (name.starts_with(&below) && *name != *below).then(|| name.to_vec())
            }));
        }
        change.replaces = change.gone.len() > above;
        change
    }
}

/// Sets a field of the hash at `key`, which takes the place of what else is there; says whether
/// something was at the path.
fn set_field(
    cx: &mut Cx<'_>,
    key: &KeyRef<'_>,
    path: &[u8],
    values: &[&[u8]],
) -> Result<bool, CommandError> {
    let (name, value) = match values {
        [value] => (path.to_vec(), value.to_vec()),
        values => (with(path, b"."), tree::list_text(values)),
    };
    if cx.db.write::<Hash>(key).is_err() {
        cx.db.delete(key, Event::DEL);
        cx.rewrite(&[b"DEL", key.bytes()]);
    }
    let limits = &cx.settings.limits;
    let mut hash = cx.db.write_or_new::<Hash>(key)?;
    hash.purge_elements([path, &*with(path, b".")]);
    let mut change = Change::of(hash.view(), path);
    change.gone.retain(|gone| *gone != name);
    // What comes is there before what it replaces goes, here and in the log: a hash that is empty in between would be
    // deleted on replay, and its time with it.
    let changed = |hash: &mut Hash| {
        for level in &change.levels {
            hash.set(level, b"", Ttl::Clear, limits);
        }
        hash.set(&name, &value, Ttl::Clear, limits);
        change.gone.iter().for_each(|name| {
            hash.remove(name);
        });
    };
    hash.edit_told(changed, |(), tell| tell(HSET_EVENT));
    hash.name_elements(HSET_EVENT, [&*name]);
    let mut words: Vec<&[u8]> = vec![b"HSET", key.bytes()];
    change.levels.iter().for_each(|level| words.extend([level.as_slice(), b""]));
    words.extend([name.as_slice(), &value]);
    cx.rewrite(&words);
    if !change.gone.is_empty() {
        let gone = change.gone.iter().map(Vec::as_slice);
        let words: Vec<&[u8]> = [b"HDEL".as_slice(), key.bytes()].into_iter().chain(gone).collect();
        cx.rewrite(&words);
    }
    Ok(change.replaces)
}

/// How an answer is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Resp,
    Json,
}

fn nhget(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let mut format = Format::Resp;
    if args.left() > 1 {
        format = match args.bytes()? {
            word if word.eq_ignore_ascii_case(b"json") => Format::Json,
            word if word.eq_ignore_ascii_case(b"resp") => Format::Resp,
            _ => return Err(CommandError::Syntax),
        };
    }
    let path = args.bytes()?;
    args.end()?;
    let key = key_of(args)?;
    let path = within(path, &key)?;
    cx.db.get(&key).ok_or(CommandError::NoSuchKey)?;
    let list = cx.db.peek_as::<List>(&key).ok().flatten().map(ListView::to_list);
    let text = cx.db.string_peek(&key).ok().flatten();
    let text = text.map(|text| text.text(&mut Vec::new()).to_vec());
    match (text, list) {
        (None, None) => {}
        _ if !path.is_empty() => return Err(CommandError::NoSuchKey),
        (Some(text), _) => {
            Node::Leaf(Value::Text(text)).write(format, reply);
            return Ok(Effect::None);
        }
        (_, Some(list)) => {
            let is_long = list.view().len() > SLICE;
            answer(cx, reply, is_long, Whole { list, format });
            return Ok(Effect::None);
        }
    }
    let horizon_ms = cx.db.horizon_ms();
    let hash = cx.db.peek_as::<Hash>(&key)?.ok_or(CommandError::NoSuchKey)?;
    let text = |name: &[u8]| Some(hash.get(name)?.value.to_vec());
    let value = text(path)
        .map(Value::Text)
        .or_else(|| text(&with(path, b".")).map(|text| Value::of_list_text(&text)));
    if let Some(value) = value.filter(|_| !path.is_empty()) {
        Node::Leaf(value).write(format, reply);
        return Ok(Effect::None);
    }
    let is_long = hash.len() > SLICE;
    let prefix = if path.is_empty() { Vec::new() } else { with(path, b".") };
    let walk = Walk {
        hash: hash.to_hash(),
        horizon_ms,
        prefix,
        format,
        cursor: 0,
        found: Node::default(),
    };
    answer(cx, reply, is_long, walk);
    Ok(Effect::None)
}

/// Lets `job` answer: afterwards, outside the lock, if it takes long.
fn answer(cx: &mut Cx<'_>, reply: &mut Reply, is_long: bool, mut job: impl Job + 'static) {
    if is_long {
        *cx.later = Some(Box::new(job));
    } else {
        while job.step(cx.space, cx.now_ms, reply) == JobStep::More {}
    }
}

/// An answer that is a whole list.
struct Whole {
    list: List,
    format: Format,
}

impl Job for Whole {
    fn step(&mut self, _: &Keyspace, _: i64, reply: &mut Reply) -> JobStep {
        let elements = self.list.view().iter().map(|element| element.to_vec()).collect();
        Node::Leaf(Value::List(elements)).write(self.format, reply);
        JobStep::Done
    }
}

/// Fields that are looked at in one step.
const SLICE: usize = 1000;

/// An answer under way: all fields are looked at, then it is written.
struct Walk {
    hash: Hash,
    /// What expires at or before this has expired.
    horizon_ms: i64,
    /// What the names of the fields begin with.
    prefix: Vec<u8>,
    format: Format,
    cursor: u64,
    found: Node,
}

impl Job for Walk {
    fn step(&mut self, _: &Keyspace, _: i64, reply: &mut Reply) -> JobStep {
        let (mut name, mut value) = <(Digits, Digits)>::default();
        let (found, prefix) = (&mut self.found, &self.prefix);
        let live = self.hash.view().at(self.horizon_ms);
        self.cursor = live.scan(self.cursor, SLICE, |field| {
            match field.name.text(&mut name).strip_prefix(prefix.as_slice()) {
                // That there is something below the path itself.
                Some(b".") if !prefix.is_empty() => {}
                Some(path) => found.put(path, field.value.text(&mut value)),
                None => {}
            }
        });
        if self.cursor != 0 {
            return JobStep::More;
        }
        if self.found.is_empty() {
            reply.error(CommandError::NoSuchKey.text());
        } else {
            self.found.write(self.format, reply);
        }
        JobStep::Done
    }
}
