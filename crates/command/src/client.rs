//! The public side of a connection: a card with what CLIENT LIST prints, kept in one registry.
//!
//! A worker writes its clients' cards with relaxed stores once per batch; anybody reads them.
//! Another worker's connection is never touched: to end it, its card is flagged and its task
//! woken.

use crate::mail::Inbox;
use crate::{Replica, Topic, Waiting};
use keyspace::Watch;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicI64, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering,
};
use std::sync::{Arc, OnceLock};

/// What kind of client: CLIENT KILL TYPE, CLIENT LIST TYPE and output limits tell by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Normal,
    Replica,
    PubSub,
    Master,
}

/// Flags of a client as bits of [`Card::flags`]; letters as in CLIENT LIST.
#[derive(Debug)]
pub struct ClientFlags;

impl ClientFlags {
    pub const UNIX_SOCKET: u32 = 1; // U
    pub const NO_EVICT: u32 = 1 << 1; // e
    pub const NO_TOUCH: u32 = 1 << 2; // T
    pub const CLOSE_AFTER_REPLY: u32 = 1 << 3; // c
    pub const CLOSE_ASAP: u32 = 1 << 4; // A
    pub const BLOCKED: u32 = 1 << 5; // b
    pub const READONLY: u32 = 1 << 6; // r
    pub const IMPORT_SOURCE: u32 = 1 << 7; // I
    pub const PUBSUB: u32 = 1 << 10; // P
    pub const MONITOR: u32 = 1 << 14; // O
    pub const REPLICA: u32 = 1 << 15; // S
    pub const TRACKING: u32 = 1 << 11; // t
    pub const TRACKING_BROKEN: u32 = 1 << 12; // R
    pub const TRACKING_BROADCAST: u32 = 1 << 13; // B
    /// Connected from this host, over TCP.
    pub const LOCAL: u32 = 1 << 8;
    /// Has not shown a password that is asked for; such clients are given little and not for long.
    pub const UNAUTHENTICATED: u32 = 1 << 9;
}

/// Names that change rarely.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    pub name: Vec<u8>,
    pub lib_name: Vec<u8>,
    pub lib_ver: Vec<u8>,
    pub user: String,
    /// CLIENT CAPA words, one letter each ("r" for redirect).
    pub capabilities: String,
}

/// One connection, as the others see it.
#[derive(Debug)]
pub struct Card {
    pub id: u64,
    /// "ip:port", or "path:0" for a Unix socket.
    pub addr: String,
    pub laddr: String,
    pub fd: i32,
    /// Worker that serves it.
    pub worker: AtomicU16,
    /// Milliseconds since 1970.
    pub created_ms: i64,
    pub last_ms: AtomicI64,
    pub db: AtomicU32,
    pub protocol: AtomicU8,
    pub flags: AtomicU32,
    /// Position of the last command in the table's flat list; `u16::MAX`: none yet.
    pub last_command: AtomicU16,
    /// Bytes of the query buffer: used, free, and its peak.
    pub query_bytes: AtomicU64,
    pub query_free_bytes: AtomicU64,
    /// Bytes of the request that is not whole yet, as far as it was taken apart.
    pub argv_bytes: AtomicU64,
    /// Commands queued since MULTI; -1: none was called.
    pub queued: AtomicI32,
    /// Bytes of the queue and of watched keys.
    pub multi_bytes: AtomicU64,
    /// Bytes of what HIMPORT has prepared.
    pub fieldset_bytes: AtomicU64,
    /// Bytes of what it waits for.
    pub waiting_bytes: AtomicU64,
    /// What it waits for in a blocking command.
    pub waiting: Mutex<Option<Arc<Waiting>>>,
    /// Whether watched keys have changed.
    pub watch: Arc<Watch>,
    /// Bytes of replies not yet taken by the kernel.
    pub output_bytes: AtomicU64,
    pub output_chunks: AtomicU32,
    pub reads: AtomicU64,
    pub net_in_bytes: AtomicU64,
    pub net_out_bytes: AtomicU64,
    pub commands: AtomicU64,
    /// Channels, patterns and channels of shards that it is subscribed to.
    pub subscriptions: [AtomicU32; 3],
    subscription_bytes: AtomicU64,
    /// The id of the client to which invalidations go: 0 is itself, -1 without tracking.
    pub redirect: AtomicI64,
    pub identity: Mutex<Identity>,
    replica: OnceLock<Box<Replica>>,
    /// Bytes that the registry's account has for this client.
    told_bytes: AtomicU64,
    trimming: AtomicBool,
    killed: AtomicBool,
    moving: AtomicBool,
    pub(crate) inbox: Inbox,
}

impl Card {
    pub fn new(id: u64, addr: String, laddr: String, fd: i32, now_ms: i64) -> Self {
        Self {
            id,
            addr,
            laddr,
            fd,
            worker: AtomicU16::new(0),
            created_ms: now_ms,
            last_ms: AtomicI64::new(now_ms),
            db: AtomicU32::new(0),
            protocol: AtomicU8::new(2),
            flags: AtomicU32::new(0),
            last_command: AtomicU16::new(u16::MAX),
            query_bytes: AtomicU64::new(0),
            query_free_bytes: AtomicU64::new(0),
            argv_bytes: AtomicU64::new(0),
            queued: AtomicI32::new(-1),
            multi_bytes: AtomicU64::new(0),
            fieldset_bytes: AtomicU64::new(0),
            waiting_bytes: AtomicU64::new(0),
            waiting: Mutex::new(None),
            watch: Arc::default(),
            output_bytes: AtomicU64::new(0),
            output_chunks: AtomicU32::new(0),
            reads: AtomicU64::new(0),
            net_in_bytes: AtomicU64::new(0),
            net_out_bytes: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            subscriptions: Default::default(),
            subscription_bytes: AtomicU64::new(0),
            redirect: AtomicI64::new(-1),
            identity: Mutex::new(Identity { user: "default".into(), ..Identity::default() }),
            replica: OnceLock::new(),
            told_bytes: AtomicU64::new(0),
            trimming: AtomicBool::new(false),
            killed: AtomicBool::new(false),
            moving: AtomicBool::new(false),
            inbox: Inbox::default(),
        }
    }

    /// Bytes held for this client, beside what its worker shares.
    pub fn memory_bytes(&self) -> u64 {
        /// The task, the card and the socket's registration.
        const BASE_BYTES: u64 = 1536;
        BASE_BYTES
            + self.query_bytes.load(Ordering::Relaxed)
            + self.query_free_bytes.load(Ordering::Relaxed)
            + self.argv_bytes.load(Ordering::Relaxed)
            + self.multi_bytes.load(Ordering::Relaxed)
            + self.fieldset_bytes.load(Ordering::Relaxed)
            + self.waiting_bytes.load(Ordering::Relaxed)
            + self.unread_bytes()
            + self.subscription_bytes.load(Ordering::Relaxed)
    }

    /// Accounts prefixes of broadcasting mode: bytes of those that go, and of those that come.
    pub(crate) fn tracked_prefixes(&self, before_bytes: u64, bytes: u64) {
        // Wraps on purpose: the sum of all steps is right.
        self.subscription_bytes.fetch_add(bytes.wrapping_sub(before_bytes), Ordering::Relaxed);
    }

    /// Keeps the numbers of subscriptions and their memory.
    pub(crate) fn subscribed(&self, topic: Topic, name_bytes: usize, on: bool) {
        /// The client in the channel's list, the channel in the client's.
        const ENTRY_BYTES: u64 = 128;
        let (count, bytes) = (&self.subscriptions[topic as usize], &self.subscription_bytes);
        let weight = ENTRY_BYTES + name_bytes as u64;
        if on {
            count.fetch_add(1, Ordering::Relaxed);
            bytes.fetch_add(weight, Ordering::Relaxed);
        } else {
            count.fetch_sub(1, Ordering::Relaxed);
            bytes.fetch_sub(weight, Ordering::Relaxed);
        }
    }

    /// Bytes that its requests take, with the room for more.
    pub fn request_bytes(&self) -> u64 {
        [&self.query_bytes, &self.query_free_bytes, &self.argv_bytes]
            .iter()
            .fold(0, |sum, bytes| sum + bytes.load(Ordering::Relaxed))
    }

    /// Bytes that are to be sent to the client: replies, and letters that wait for their turn.
    pub fn unread_bytes(&self) -> u64 {
        self.output_bytes.load(Ordering::Relaxed) + self.mail_bytes()
    }

    pub fn kind(&self) -> Kind {
        match () {
            () if !self.has(ClientFlags::PUBSUB | ClientFlags::REPLICA) => Kind::Normal,
            () if self.has(ClientFlags::REPLICA) => Kind::Replica,
            () => Kind::PubSub,
        }
    }

    /// What it has said of itself as a replica; nothing is there before it does.
    pub fn replica(&self) -> &Replica {
        self.replica.get_or_init(Box::default)
    }

    /// Where it says that it listens, or else where it connected from.
    pub fn replica_address(&self) -> String {
        let told = self.replica().address.lock().clone();
        told.unwrap_or_else(|| {
            let host = self.addr.rsplit_once(':').map_or("", |(host, _)| host);
            host.trim_start_matches('[').trim_end_matches(']').to_owned()
        })
    }

    /// Whether it has `flag`, or one of several.
    pub fn has(&self, flag: u32) -> bool {
        self.flags.load(Ordering::Relaxed) & flag != 0
    }

    pub fn set(&self, flag: u32, on: bool) {
        if on {
            self.flags.fetch_or(flag, Ordering::Relaxed);
        } else {
            self.flags.fetch_and(!flag, Ordering::Relaxed);
        }
    }

    /// Asks the connection to end. Its task sees it when it wakes.
    pub fn kill(&self) {
        self.set_killed();
        self.wake();
    }

    /// From now on the client counts as gone.
    pub(crate) fn set_killed(&self) {
        self.set(ClientFlags::CLOSE_ASAP, true);
        self.killed.store(true, Ordering::Release); // pairs with `killed()`
    }

    pub fn killed(&self) -> bool {
        self.killed.load(Ordering::Acquire)
    }

    /// Asks the connection to give back room in its query buffer.
    pub fn trim(&self) {
        self.trimming.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// Whether it was asked to, since the last call.
    #[inline]
    pub fn takes_trim(&self) -> bool {
        self.trimming.load(Ordering::Relaxed) && self.trimming.swap(false, Ordering::Relaxed)
    }

    /// Asks the connection to go over to another worker when it is at rest.
    pub fn move_away(&self) {
        self.moving.store(true, Ordering::Release); // pairs with `moving()`
        self.wake();
    }

    pub fn moving(&self) -> bool {
        self.moving.load(Ordering::Acquire)
    }

    /// The connection has come to `worker`.
    pub fn arrived(&self, worker: u16) {
        self.worker.store(worker, Ordering::Relaxed);
        self.moving.store(false, Ordering::Release);
    }
}

/// All connections of the server.
#[derive(Debug, Default)]
pub struct Clients {
    next_id: AtomicU64,
    /// Bytes of all clients, as they told.
    bytes: AtomicU64,
    /// Above this, clients are evicted; 0: never.
    bytes_max: AtomicU64,
    /// Up to so many bytes a search for clients to evict is in vain.
    futile_bytes: AtomicU64,
    evicted: AtomicU64,
    cards: Mutex<BTreeMap<u64, Arc<Card>>>,
}

impl Clients {
    /// Ids start at 1 and never come again.
    pub fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub fn add(&self, card: Arc<Card>) {
        self.account(&card, card.memory_bytes());
        self.cards.lock().insert(card.id, card);
    }

    pub fn remove(&self, id: u64) {
        if let Some(card) = self.cards.lock().remove(&id) {
            card.set_killed(); // what is on its way to it is lost
            self.account(&card, 0);
        }
    }

    /// The client's memory has changed: keeps the account, and evicts if all take too much.
    #[inline]
    pub fn tell(&self, card: &Card) {
        let (old, new) = (card.told_bytes.load(Ordering::Relaxed), card.memory_bytes());
        if old == new || card.killed() {
            return;
        }
        self.account(card, new);
        let bytes_max = self.bytes_max.load(Ordering::Relaxed);
        if new > old && bytes_max > 0 {
            let bytes = self.bytes();
            if bytes > bytes_max && bytes > self.futile_bytes.load(Ordering::Relaxed) {
                self.evict();
            }
        }
    }

    fn account(&self, card: &Card, bytes: u64) {
        let told = card.told_bytes.swap(bytes, Ordering::Relaxed);
        // Wraps on purpose: the sum of all steps is right.
        self.bytes.fetch_add(bytes.wrapping_sub(told), Ordering::Relaxed);
    }

    /// Bytes held for all clients.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Puts a limit to [`Clients::bytes`] in force; 0 is none.
    pub fn limit_bytes(&self, bytes_max: u64) {
        self.bytes_max.store(bytes_max, Ordering::Relaxed);
        self.evict();
    }

    /// Ends clients, the largest first, until all take no more than they may.
    pub fn evict(&self) {
        let bytes_max = self.bytes_max.load(Ordering::Relaxed);
        self.futile_bytes.store(0, Ordering::Relaxed);
        if bytes_max == 0 || self.bytes() <= bytes_max {
            return;
        }
        let mut cards = self.all();
        cards.retain(|card| !card.has(ClientFlags::NO_EVICT) && !card.killed());
        cards.sort_by_key(|card| std::cmp::Reverse(card.told_bytes.load(Ordering::Relaxed)));
        for card in cards {
            if self.bytes() <= bytes_max {
                return;
            }
            card.kill();
            self.account(&card, 0);
            self.evicted.fetch_add(1, Ordering::Relaxed);
        }
        self.futile_bytes.store(self.bytes(), Ordering::Relaxed);
    }

    /// How many clients were evicted since the start or the last reset.
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    pub fn reset_stats(&self) {
        self.evicted.store(0, Ordering::Relaxed);
    }

    pub fn get(&self, id: u64) -> Option<Arc<Card>> {
        self.cards.lock().get(&id).cloned()
    }

    pub fn len(&self) -> usize {
        self.cards.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// As [`Clients::all`], or `None` while somebody changes the registry: for a crash report.
    pub fn try_all(&self) -> Option<Vec<Arc<Card>>> {
        Some(self.cards.try_lock()?.values().cloned().collect())
    }

    /// All cards in the order of their ids, as of now.
    pub fn all(&self) -> Vec<Arc<Card>> {
        self.cards.lock().values().cloned().collect()
    }
}
