//! One shard: the tables of all databases for the keys whose hash begins with the shard's number.

use crate::interest::{Interest, InterestCounts};
use crate::jobs::{Jobs, NEVER};
use crate::snapshot::Part;
use crate::{Entry, Garbage, KeyRef, Value};
use lock::ShardId;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use stdx::hash::{Seed, sip13};
use table::{Pos, View};
use types::{Collection, View as _};

/// Recomputes the hash of a key when its part of a table splits.
pub type Hasher = Box<dyn Fn(&[u8]) -> u64 + Send + Sync>;

/// A table of entries.
pub type Table = table::Table<Entry, Hasher>;

/// One database's part in one shard.
pub struct Database {
    table: Table,
    /// What a snapshot has of the table, while one is under way that has not got all of it.
    part: Option<Box<Part>>,
}

impl Database {
    #[inline]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The table, in which the key of this hash may now be changed: a snapshot has what it needs.
    /// There is no other way to change data.
    #[inline]
    pub(crate) fn change(&mut self, hash: u64) -> &mut Table {
        if let Some(part) = &mut self.part {
            part.keep(&self.table, hash);
        }
        &mut self.table
    }

    /// Sets the access bits of an entry, which are no data.
    #[inline]
    pub(crate) fn touch(&mut self, at: Pos, bits: u32) {
        self.table.get_mut(at).set_clock(bits);
    }

    /// From now on the table's entries are kept for a snapshot before they change.
    pub(crate) fn begin_part(&mut self, part: Part) {
        self.part = Some(Box::new(part));
    }

    /// What a snapshot has of the table, beside it.
    pub(crate) fn part(&mut self) -> (&Table, &mut Option<Box<Part>>) {
        (&self.table, &mut self.part)
    }
}

/// What an entry counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weight {
    pub expires: bool,
    pub elements_expire: bool,
    pub pinned: bool,
    pub bytes: usize,
}

impl Weight {
    #[inline]
    pub(crate) fn of(entry: &Entry) -> Self {
        Self {
            expires: entry.expiry().is_some(),
            elements_expire: entry.earliest_element().is_some(),
            pinned: entry.is_pinned(),
            bytes: entry.bytes(),
        }
    }

    /// What a collection in a block of its own adds to its entry. Of two such weights the difference
    /// is that of the entries, if nothing else changed.
    #[inline]
    pub(crate) fn within<T: Collection>(value: &T) -> Self {
        let elements_expire = value.view().earliest_expiry().is_some();
        Self { expires: false, elements_expire, pinned: false, bytes: value.heap_bytes() }
    }
}

/// What may be known of one database's part without the lock. Written under it.
#[derive(Debug, Default)]
pub(crate) struct Count {
    pub keys: AtomicU64,
    pub expires: AtomicU64,
    /// Keys of which elements expire.
    pub subexpiry: AtomicU64,
    /// Keys that are never evicted, and those among them that expire.
    pub pinned: AtomicU64,
    pub pinned_expires: AtomicU64,
    pub bytes: AtomicU64,
    /// Of the table: segments and directory.
    pub table_bytes: AtomicU64,
    pub ttl_sum_ms: AtomicU64,
    pub ttl_count: AtomicU64,
}

impl Count {
    fn numbers(&self) -> [&AtomicU64; 9] {
        [
            &self.keys,
            &self.expires,
            &self.subexpiry,
            &self.pinned,
            &self.pinned_expires,
            &self.bytes,
            &self.table_bytes,
            &self.ttl_sum_ms,
            &self.ttl_count,
        ]
    }
}

/// What may be known of a shard without its lock.
pub(crate) struct Counts {
    databases: Box<[Count]>,
    views: [Arc<View>; VIEWS],
    /// When the next of its jobs is due.
    pub(crate) next_job_ms: AtomicI64,
}

/// Databases from this index on are not prefetched.
const VIEWS: usize = 16;

impl Counts {
    pub(crate) fn new(databases: u32, shard_bits: u32) -> Self {
        Self {
            databases: (0..databases).map(|_| Count::default()).collect(),
            views: std::array::from_fn(|_| Arc::new(View::new(shard_bits))),
            next_job_ms: AtomicI64::new(NEVER),
        }
    }

    #[inline]
    pub(crate) fn get(&self, db: u32) -> &Count {
        &self.databases[db as usize]
    }

    /// The part of the database's table that may be read without the lock.
    #[inline]
    pub(crate) fn view(&self, db: u32) -> Option<&View> {
        self.views.get(db as usize).map(|view| &**view)
    }

    fn show(&self, index: usize, table: &mut Table) {
        if let Some(view) = self.views.get(index) {
            table.attach(Arc::clone(view));
        }
    }
}

/// Bytes of all entries and tables, added up by the shards in steps of [`STEP_BYTES`] each: behind
/// the truth by less than that for each shard.
#[derive(Debug, Default)]
pub(crate) struct Account(AtomicI64);

/// How far a shard's bytes may grow or shrink before it tells the account.
// PERF: every worker writes the account; per key it would travel between their caches.
const STEP_BYTES: u64 = 512;

impl Account {
    #[inline]
    pub(crate) fn bytes(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Adds to an atomic that only the holder of the shard's lock writes.
#[inline]
fn adjust(count: &AtomicU64, by: i64) {
    count.store(count.load(Ordering::Relaxed).wrapping_add_signed(by), Ordering::Relaxed);
}

/// One shard.
pub struct Shard {
    pub(crate) id: ShardId,
    bits: u32,
    seed: Seed,
    pub(crate) databases: Vec<Database>,
    /// Who waits for changes of keys.
    pub(crate) interest: Interest,
    /// When jobs run next.
    pub(crate) jobs: Jobs,
    pub(crate) counts: Arc<Counts>,
    account: Arc<Account>,
    /// Bytes that came (or went) and the account does not know of yet.
    untold_bytes: i64,
    /// End of the last journal record that touched this shard.
    pub lsn: u64,
}

impl Shard {
    pub(crate) fn new(
        id: ShardId,
        bits: u32,
        seed: Seed,
        counts: Arc<Counts>,
        account: Arc<Account>,
        interest: Arc<InterestCounts>,
    ) -> Self {
        Self {
            id,
            bits,
            seed,
            databases: Vec::new(),
            interest: Interest::new(seed, interest),
            jobs: Jobs::default(),
            counts,
            account,
            untold_bytes: 0,
            lsn: 0,
        }
    }

    #[inline]
    fn grew(&mut self, bytes: i64) {
        self.untold_bytes += bytes;
        if self.untold_bytes.unsigned_abs() >= STEP_BYTES {
            self.account.0.fetch_add(self.untold_bytes, Ordering::Relaxed);
            self.untold_bytes = 0;
        }
    }

    /// Keeps the account in step with a table that may have grown or shrunk.
    #[inline]
    pub(crate) fn account_table(&mut self, index: u32, table_bytes: usize) {
        let count = &self.counts.get(index).table_bytes;
        let (old, new) = (count.load(Ordering::Relaxed), table_bytes as u64);
        if old != new {
            count.store(new, Ordering::Relaxed);
            self.grew(new.wrapping_sub(old) as i64);
        }
    }

    /// Starts the loads that a search for each of these elements of the collection at `key` will
    /// wait for.
    pub fn prefetch_elements(&self, index: u32, key: &KeyRef<'_>, names: &[&[u8]]) {
        let Some(table) = self.database(index).map(Database::table) else { return };
        let entry = table.find(key.hash(), key.bytes()).map(|at| table.get(at));
        if let Some(Value::Boxed(any)) = entry.as_deref().map(Entry::value) {
            any.prefetch(names);
        }
    }

    #[inline]
    pub fn database(&self, index: u32) -> Option<&Database> {
        self.databases.get(index as usize)
    }

    /// Sets the access bits of a key, if it is there.
    #[cold]
    pub(crate) fn stamp(&mut self, index: u32, key: &[u8], bits: u32) {
        let hash = self.hash(key);
        if let Some(database) = self.databases.get_mut(index as usize)
            && let Some(at) = database.table().find(hash, key)
        {
            database.touch(at, bits);
        }
    }

    /// So many keys are about to come to a database that has none.
    pub(crate) fn expect_keys(&mut self, index: u32, keys: usize) {
        let table = &mut self.database_mut(index).table;
        table.expect(keys);
        let table_bytes = table.memory_bytes();
        self.account_table(index, table_bytes);
    }

    /// Starts to load what putting a key in place touches.
    pub(crate) fn prefetch(&self, index: u32, hash: u64) {
        if let Some(database) = self.database(index) {
            database.table.prefetch_for_insert(hash);
        }
    }

    /// The database, made if it has never been written to.
    #[inline]
    pub(crate) fn database_mut(&mut self, index: u32) -> &mut Database {
        while self.databases.len() <= index as usize {
            let mut table = self.empty_table();
            self.counts.show(self.databases.len(), &mut table);
            self.databases.push(Database { table, part: None });
        }
        &mut self.databases[index as usize]
    }

    fn empty_table(&self) -> Table {
        let seed = self.seed;
        Table::new(self.bits, Box::new(move |key| sip13(seed, key)))
    }

    /// Keeps the counts in step with an entry that came, went or changed.
    #[inline]
    pub(crate) fn account(&mut self, index: u32, old: Option<Weight>, new: Option<Weight>) {
        let count = self.counts.get(index);
        let change = |of: fn(Weight) -> bool| {
            i64::from(new.is_some_and(of)) - i64::from(old.is_some_and(of))
        };
        let expires = change(|weight| weight.expires);
        if expires != 0 {
            adjust(&count.expires, expires);
        }
        let subexpiry = change(|weight| weight.elements_expire);
        if subexpiry != 0 {
            adjust(&count.subexpiry, subexpiry);
        }
        if old.is_some_and(|old| old.pinned) || new.is_some_and(|new| new.pinned) {
            adjust(&count.pinned, change(|weight| weight.pinned));
            adjust(&count.pinned_expires, change(|weight| weight.pinned && weight.expires));
        }
        let bytes = new.map_or(0, |n| n.bytes) as i64 - old.map_or(0, |o| o.bytes) as i64;
        if bytes != 0 {
            adjust(&count.bytes, bytes);
        }
        let keys = i64::from(new.is_some()) - i64::from(old.is_some());
        if keys != 0 {
            adjust(&count.keys, keys);
        }
        if bytes != 0 {
            self.grew(bytes);
        }
    }

    /// Takes all keys of a database away. The table goes to a snapshot that has not got all of it;
    /// else to the caller, to be freed once nobody can be prefetching from it.
    pub(crate) fn empty(&mut self, index: usize) -> Option<Garbage> {
        let mut table = self.empty_table();
        self.databases[index].table.detach();
        self.counts.show(index, &mut table);
        let count = self.counts.get(index as u32);
        let load = |number: &AtomicU64| number.load(Ordering::Relaxed);
        let bytes = load(&count.bytes) + load(&count.table_bytes);
        for number in count.numbers() {
            number.store(0, Ordering::Relaxed);
        }
        self.grew(-(bytes as i64));
        self.jobs_emptied(index as u32);
        let database = &mut self.databases[index];
        let table = Box::new(std::mem::replace(&mut database.table, table));
        match database.part.take() {
            Some(part) => {
                part.hand_over(table, bytes);
                None
            }
            None => Some(Garbage::Table { table, bytes }),
        }
    }

    /// Exchanges two databases.
    pub(crate) fn swap(&mut self, first: u32, second: u32) {
        if first == second {
            return;
        }
        self.database_mut(first.max(second));
        for index in [first as usize, second as usize] {
            self.databases[index].table.detach();
        }
        self.databases.swap(first as usize, second as usize);
        self.jobs_swapped(first, second);
        let (a, b) = (self.counts.get(first), self.counts.get(second));
        for (a, b) in a.numbers().into_iter().zip(b.numbers()) {
            let old = a.load(Ordering::Relaxed);
            a.store(b.load(Ordering::Relaxed), Ordering::Relaxed);
            b.store(old, Ordering::Relaxed);
        }
        for index in [first as usize, second as usize] {
            self.counts.show(index, &mut self.databases[index].table);
        }
    }

    /// The hash of a key, as the keyspace computes it.
    pub(crate) fn hash(&self, key: &[u8]) -> u64 {
        sip13(self.seed, key)
    }
}
