//! RESOLVE: name to row, words to keys, keys to shards. Done once for each request; ACL, locks,
//! tracking and the handler all read what it found.

use crate::Engine;
use command::{Command, CommandError, KeyFlags, Locks, Place, Resolved};
use keyspace::KeyRef;
use lock::ShardId;
use resp::Requests;
use std::ops::Range;

/// Which locks a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LockPlan {
    Nothing,
    One(ShardId),
    /// Those of its keys' shards, more than one.
    Many,
    All,
}

/// One request of a batch, resolved.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Position in the table; of no meaning if `refused`.
    pub id: u16,
    pub row: Option<&'static Command>,
    pub name_words: usize,
    pub words: Range<usize>,
    pub keys: Range<usize>,
    pub lock: LockPlan,
    /// No such command, or not with so many words.
    pub refused: Option<Box<CommandError>>,
    /// Bytes of the request on the wire.
    pub bytes: usize,
}

impl Plan {
    /// The request, which is one of `row`; `words` and `keys` are those of the batch.
    #[inline]
    pub(crate) fn resolved<'a>(
        &self,
        row: &'static Command,
        words: &'a [&'a [u8]],
        keys: &'a [KeyRef<'a>],
    ) -> Resolved<'a> {
        Resolved {
            spec: row,
            id: self.id,
            args: &words[self.words.clone()],
            keys: &keys[self.keys.clone()],
            name_words: self.name_words,
        }
    }
}

impl Engine {
    /// Resolves the request whose words are `words[from..]`; its keys are added to `keys`.
    ///
    /// `before` is the name and row of the request before, which is often the same command.
    #[inline]
    pub(crate) fn resolve<'a>(
        &self,
        words: &[&'a [u8]],
        from: usize,
        keys: &mut Vec<KeyRef<'a>>,
        before: &mut Option<(&'a [u8], u16, &'static Command)>,
    ) -> Plan {
        let request = &words[from..];
        let span = from..words.len();
        let first_key = keys.len();
        let refuse = |error, row, id| Plan {
            id,
            row,
            name_words: 1,
            words: span.clone(),
            keys: first_key..first_key,
            lock: LockPlan::Nothing,
            refused: Some(Box::new(error)),
            bytes: 0,
        };
        let (id, row, name_words) = match *before {
            Some((name, id, row)) if name == request[0] => (id, row, 1),
            _ => {
                let Some((id, row, name_words)) = self.table.lookup(request) else {
                    return refuse(CommandError::unknown_command(request), None, 0);
                };
                *before = row.subcommands.is_empty().then_some((request[0], id, row));
                if name_words > 1 {
                    *before = None;
                }
                (id, row, name_words)
            }
        };
        if !row.arity_fits(request.len()) {
            let name = &self.table.entry(id).full_name;
            return refuse(CommandError::arity(name), Some(row), id);
        }
        if row.place == Place::Container {
            let name = &self.table.entry(id).full_name;
            return refuse(CommandError::unknown_subcommand(name, request[1]), Some(row), id);
        }
        let lock = match (row.place, row.locks) {
            (Place::Data, Locks::All | Locks::AllAfter(_)) => LockPlan::All,
            (Place::Data, Locks::Keys) | (Place::Script(_), _) => {
                self.find_keys(row, request, keys)
            }
            (Place::Data, Locks::AllIf(is_so)) => match self.find_keys(row, request, keys) {
                _ if is_so(request) => LockPlan::All,
                plan => plan,
            },
            _ => LockPlan::Nothing,
        };
        let keys = first_key..keys.len();
        Plan { id, row: Some(row), name_words, words: span, keys, lock, refused: None, bytes: 0 }
    }

    /// For each request: the index of the shard whose keys are all that it depends on and changes, if it
    /// is such a request.
    pub fn single_shards(&self, requests: &Requests, input: &[u8]) -> Vec<Option<usize>> {
        let (mut words, mut keys, mut before) = (Vec::new(), Vec::new(), None);
        let mut shards = Vec::with_capacity(requests.len());
        for request in requests.iter(input) {
            words.clear();
            keys.clear();
            words.extend(request.args.iter());
            let plan = self.resolve(&words, 0, &mut keys, &mut before);
            let is_data = plan.row.is_some_and(|row| row.place == Place::Data);
            shards.push(match plan.lock {
                LockPlan::One(shard) if is_data && plan.refused.is_none() => Some(shard.index()),
                _ => None,
            });
        }
        shards
    }

    /// Adds the request's keys, up to the first fault in its key list: its handler will find the
    /// same fault in its arguments.
    #[inline]
    fn find_keys<'a>(
        &self,
        row: &Command,
        request: &[&'a [u8]],
        keys: &mut Vec<KeyRef<'a>>,
    ) -> LockPlan {
        // PERF: most commands have one key at a fixed place.
        if let [spec] = row.keys
            && let Some(at) = spec.single()
        {
            let (bytes, flags) = (request[at], spec.flags.0);
            // PERF: and often all requests of a pipeline are on one.
            let again = keys.last().and_then(|last| last.again(bytes, flags));
            let key = again.unwrap_or_else(|| self.space.key(bytes, flags));
            keys.push(key);
            return LockPlan::One(key.shard());
        }
        let first = keys.len();
        for spec in row.keys {
            let found = spec.each(request, |at, flags| {
                if !flags.has(KeyFlags::NOT_KEY) {
                    keys.push(self.space.key(spec.key_in(request[at]), flags.0));
                }
            });
            if found.is_err() {
                break;
            }
        }
        let found = &keys[first..];
        match found.split_first() {
            None => LockPlan::Nothing,
            Some((head, rest)) if rest.iter().all(|key| key.shard() == head.shard()) => {
                LockPlan::One(head.shard())
            }
            Some(_) => LockPlan::Many,
        }
    }
}

/// The keys of a request with their flags, for COMMAND GETKEYS: positions in `args`.
pub type KeyList = Vec<(usize, KeyFlags)>;

/// Finds the keys of a request of `row`, as RESOLVE does.
pub fn key_list(row: &Command, args: &[&[u8]]) -> Result<KeyList, CommandError> {
    let mut found = Vec::new();
    for spec in row.keys {
        spec.each(args, |at, flags| found.push((at, flags)))?;
    }
    Ok(found)
}
