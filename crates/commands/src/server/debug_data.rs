//! The part of DEBUG that looks into the data, or makes some. These handlers find shards for
//! themselves, since DEBUG declares no keys; each locks one shard at a time, DIGEST all of them.

use command::{CommandError, Cx, Job, JobStep, Overdue, ReloadRequest, ReplyMode};
use keyspace::{
    AccessClock, Db, Entry, Event, ExpiryChange, HeldShards, Keyspace, NewValue, Record,
};
use keyspace::{Stalled, Value};
use resp::Reply;
use std::sync::Arc;
use types::collection::Any;
use types::digest::Digest;
use types::persist::Saved;
use types::{Collection as _, View as _};

/// A script holds what is needed, for too long.
fn busy(cx: &Cx<'_>) -> impl Fn(Stalled) -> CommandError {
    let overdue = Arc::clone(&cx.scripts.overdue);
    move |Stalled| overdue.error()
}

/// Calls `look` with the entry of `key`, expired or not.
fn with_entry<R>(
    cx: &Cx<'_>,
    key: &[u8],
    look: impl FnOnce(&Entry) -> R,
) -> Result<Option<R>, CommandError> {
    let key = cx.space.key(key, 0);
    let shard = cx.space.reach_one(key.shard()).map_err(busy(cx))?;
    let Some(database) = shard.database(cx.session.db) else { return Ok(None) };
    let at = database.table().find(key.hash(), key.bytes());
    Ok(at.map(|at| look(&database.table().get(at))))
}

/// The text of a string, integers in decimal; of collections nothing.
fn with_text<R>(entry: &Entry, look: impl FnOnce(&[u8]) -> R) -> R {
    match entry.value() {
        Value::Int(number) => {
            let mut text = Vec::new();
            stdx::num::write_i64(&mut text, number);
            look(&text)
        }
        Value::Inline(bytes) => look(bytes),
        Value::Shared(shared) => look(shared.as_slice()),
        Value::Packed(_) | Value::Boxed(_) => look(&[]),
    }
}

/// Folds the value of `entry` in, and whether it expires.
fn fold_value(digest: &mut Digest, entry: &Entry) {
    entry.fold(digest);
    if entry.expiry().is_some() {
        digest.xor_expiry();
    }
}

/// The digest of all databases at one moment.
pub(super) fn digest(cx: &Cx<'_>, reply: &mut Reply) -> Result<(), CommandError> {
    let mut sum = Digest::ZERO;
    let mut held = cx.space.reach_all().map_err(busy(cx))?;
    for index in 0..cx.space.databases() {
        let mut opened = false;
        held.each(&mut |shard| {
            let Some(database) = shard.database(index).filter(|one| !one.is_empty()) else {
                return;
            };
            if !std::mem::replace(&mut opened, true) {
                sum.mix_database(index);
            }
            for entry in database.table().iter() {
                let mut one = Digest::ZERO;
                one.mix(entry.key());
                fold_value(&mut one, &entry);
                sum.xor_digest(&one);
            }
        });
    }
    reply.simple(sum.hex());
    Ok(())
}

pub(super) fn digest_value(
    cx: &Cx<'_>,
    keys: &[&[u8]],
    reply: &mut Reply,
) -> Result<(), CommandError> {
    reply.array(keys.len());
    for key in keys {
        let mut digest = Digest::ZERO;
        let large = with_entry(cx, key, |entry| {
            let large = large(entry);
            if large.is_none() {
                fold_value(&mut digest, entry);
            }
            large.map(|any| (any, entry.expiry().is_some()))
        })?;
        if let Some((any, expires)) = large.flatten() {
            any.fold(&mut digest);
            if expires {
                digest.xor_expiry();
            }
        }
        reply.simple(digest.hex());
    }
    Ok(())
}

/// A clone of a large collection, to be looked at without its lock.
fn large(entry: &Entry) -> Option<Any> {
    if let Value::Boxed(any) = entry.value() { Some(any.clone()) } else { None }
}

/// Bytes of a value in a dump, without its type.
fn serialized_bytes(value: Saved<'_>) -> u64 {
    let mut writer = rdb::Writer::new();
    value.save(&mut writer);
    writer.offset()
}

/// What DEBUG OBJECT adds for a list in chunks.
fn chunk_figures(cx: &Cx<'_>, any: &Any) -> Option<String> {
    let list = types::list::List::of(any).filter(|list| list.view().encoding() == "quicklist")?;
    let (len, runs) = (list.view().len(), list.view().runs(0..list.view().len()));
    let (nodes, bytes) = runs.fold((0, 0), |(n, sum), run| (n + 1, sum + run.total_bytes()));
    let depth = cx.node.config_get(&[b"list-compress-depth"]);
    let compressed = depth.first().is_some_and(|(_, depth)| depth != b"0");
    Some(format!(
        " ql_nodes:{nodes} ql_avg_node:{:.2} ql_listpack_max:{} ql_compressed:{} \
         ql_uncompressed_size:{bytes}",
        len as f64 / f64::from(nodes.max(1)),
        cx.settings.limits.list_size,
        i32::from(compressed),
    ))
}

pub(super) fn object(cx: &Cx<'_>, key: &[u8], reply: &mut Reply) -> Result<(), CommandError> {
    let found = with_entry(cx, key, |entry| {
        let head = format!("Value at:{entry:p} refcount:1 encoding:{}", entry.encoding());
        let large = large(entry);
        let bytes = large.is_none().then(|| serialized_bytes(entry.value().saved()));
        (head, entry.clock(), large, bytes)
    })?;
    let (head, clock, large, bytes) = found.ok_or(CommandError::NoSuchKey)?;
    let large = large.as_ref();
    let bytes = bytes.or_else(|| large.map(|any| serialized_bytes(Saved::Any(any)))).unwrap_or(0);
    reply.simple(format!(
        "{head} serializedlength:{bytes} lru:{clock} lru_seconds_idle:{}{}",
        AccessClock::idle_seconds(clock, cx.now_ms),
        large.and_then(|any| chunk_figures(cx, any)).unwrap_or_default(),
    ));
    Ok(())
}

/// DEBUG LISTPACK and DEBUG QUICKLIST, which print the structure where nobody looks.
pub(super) fn structure(
    cx: &Cx<'_>,
    key: &[u8],
    encoding: &str,
    reply: &mut Reply,
) -> Result<(), CommandError> {
    let found = with_entry(cx, key, |entry| entry.encoding())?.ok_or(CommandError::NoSuchKey)?;
    let name = if encoding == "listpack" { "Listpack" } else { "Quicklist" };
    if !found.starts_with(encoding) {
        return Err(CommandError::err(format_args!("Not a {encoding} encoded object.")));
    }
    reply.simple(format!("{name} structure printed on stdout"));
    Ok(())
}

pub(super) fn sdslen(cx: &Cx<'_>, key: &[u8], reply: &mut Reply) -> Result<(), CommandError> {
    let len = with_entry(cx, key, |entry| match entry.value() {
        Value::Int(_) | Value::Packed(_) | Value::Boxed(_) => None,
        Value::Inline(_) | Value::Shared(_) => Some((with_text(entry, <[u8]>::len), entry.bytes())),
    })?;
    let (value_len, bytes) = len.ok_or(CommandError::NoSuchKey)?.ok_or(CommandError::NotSds)?;
    let key_len = key.len();
    reply.simple(format!(
        "key_sds_len:{key_len}, key_sds_avail:0, key_zmalloc: {key_len}, \
         val_sds_len:{value_len}, val_sds_avail:0, val_zmalloc: {bytes}"
    ));
    Ok(())
}

fn positive(word: &[u8]) -> Result<u64, CommandError> {
    let number = stdx::num::parse_i64(word).and_then(|number| u64::try_from(number).ok());
    number.ok_or(CommandError::MustBePositive)
}

/// Makes strings that are not there yet. They are not logged, as in the peers.
pub(super) fn populate(
    cx: &mut Cx<'_>,
    args: &[&[u8]],
    reply: &mut Reply,
) -> Result<(), CommandError> {
    /// More keys have no room in any memory.
    const KEYS_MAX: u64 = 1 << 40;
    let count = positive(args[0])?;
    let prefix = args.get(1).copied().unwrap_or(b"key");
    let size = args.get(2).map_or(Ok(0), |word| positive(word))?;
    if size > cx.settings.bulk_bytes_max {
        return Err(CommandError::StringTooLong);
    }
    if count > KEYS_MAX {
        return Err(CommandError::err(format_args!("OOM in dictTryExpand")));
    }
    let (db, clock) = (cx.session.db, cx.settings.access_clock);
    let overdue = Arc::clone(&cx.scripts.overdue);
    let (prefix, size) = (prefix.to_vec(), size as usize);
    let mut job = Populate { next: 0, count, prefix, size, db, clock, overdue };
    // A job is not begun for who wants no reply.
    while job.step(cx.space, cx.now_ms, reply) == JobStep::More {
        if cx.session.reply_mode == ReplyMode::On {
            *cx.later = Some(Box::new(job));
            break;
        }
    }
    Ok(())
}

/// Strings on their way.
struct Populate {
    next: u64,
    count: u64,
    prefix: Vec<u8>,
    /// Bytes of each; 0: what they are.
    size: usize,
    db: u32,
    clock: AccessClock,
    /// To say which script is in the way.
    overdue: Arc<Overdue>,
}

impl Populate {
    fn put(&self, space: &Keyspace, now_ms: i64, record: &mut Record) -> Result<(), Stalled> {
        let number = self.next;
        let name = [&self.prefix, &b":"[..], number.to_string().as_bytes()].concat();
        let mut value = format!("value:{number}").into_bytes();
        if self.size > 0 {
            value.resize(self.size, 0);
        }
        let key = space.key(&name, 0);
        let mut shard = space.reach_one(key.shard())?;
        let mut db =
            Db::under_one(&mut shard, record, self.db, now_ms).accesses(self.clock, true, 0);
        if db.peek(&key).is_none() {
            db.put(&key, NewValue::bytes(&value), ExpiryChange::Clear, Event::string("set"));
        }
        Ok(())
    }
}

impl Job for Populate {
    fn step(&mut self, space: &Keyspace, now_ms: i64, reply: &mut Reply) -> JobStep {
        const KEYS: u64 = 1000;
        let mut record = Record::default();
        for _ in 0..KEYS {
            if self.next == self.count {
                reply.ok();
                return JobStep::Done;
            }
            if self.put(space, now_ms, &mut record).is_err() {
                reply.error(self.overdue.error().text());
                return JobStep::Done;
            }
            record.clear();
            space.dispose(&mut record.garbage);
            self.next += 1;
        }
        JobStep::More
    }

    fn ends_with_client(&self) -> bool {
        true
    }
}

pub(super) fn htstats(cx: &Cx<'_>, db: &[u8], reply: &mut Reply) -> Result<(), CommandError> {
    let index = stdx::num::parse_i64(db).ok_or(CommandError::NotAnInteger)?;
    let index = u32::try_from(index).ok().filter(|index| *index < cx.space.databases());
    let size = cx.space.size(index.ok_or(CommandError::OutOfRangeDatabase)?);
    let shards = cx.space.shards().count();
    let text = format!(
        "[Dictionary HT]\nshards: {shards}\nnumber of elements: {}\nbytes of entries: {}\n\
         [Expires HT]\nnumber of elements: {}\n",
        size.keys, size.entry_bytes, size.expires
    );
    reply.verbatim(*b"txt", text.as_bytes());
    Ok(())
}

/// Figures on the table of one value.
pub(super) fn htstats_key(cx: &Cx<'_>, key: &[u8], reply: &mut Reply) -> Result<(), CommandError> {
    let figures = with_entry(cx, key, |entry| {
        let len = entry.value().to_any().map_or(0, |any| any.len());
        (entry.encoding(), len, entry.bytes())
    })?;
    let (encoding, len, bytes) = figures.ok_or(CommandError::NoSuchKey)?;
    if !matches!(encoding, "hashtable" | "skiplist") {
        return Err(CommandError::err(format_args!(
            "The value stored at the specified key is not represented using an hash table"
        )));
    }
    let text = format!("[{encoding}]\nnumber of elements: {len}\nbytes: {bytes}\n");
    reply.verbatim(*b"txt", text.as_bytes());
    Ok(())
}

/// The words of DEBUG RELOAD.
fn reload_request(words: &[&[u8]]) -> Result<ReloadRequest, CommandError> {
    let mut request = ReloadRequest { merge: false, flush: true, save: true };
    for word in words {
        match &word.to_ascii_lowercase()[..] {
            b"merge" => request.merge = true,
            b"noflush" => request.flush = false,
            b"nosave" => request.save = false,
            _ => return Err(CommandError::DebugReloadOptions),
        }
    }
    Ok(request)
}

pub(super) fn reload(
    cx: &mut Cx<'_>,
    words: &[&[u8]],
    reply: &mut Reply,
) -> Result<(), CommandError> {
    let request = reload_request(words)?;
    cx.node.reload(request, cx.others)?;
    reply.ok();
    Ok(())
}
