//! What happens by the clock: active expiry, samples for INFO, idle clients, memory that waits in
//! the epochs.

use crate::jobs::Jobs;
use crate::node::Server;
use crate::replication::Keeper;
use command::{ClientFlags, Node};
use config::{ParamId, id};
use engine::{Evicting, Now, Worker};
use keyspace::Position;
use lock::ShardId;
use runtime::process::crash;
use runtime::{clock, log_verbose};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const HZ: ParamId = id("hz");
const TIMEOUT: ParamId = id("timeout");
const EFFORT: ParamId = id("active-expire-effort");

/// Wakes the clients that CLIENT PAUSE holds back when its time is over.
pub(crate) async fn end_pauses(server: Arc<Server>) {
    loop {
        server.pause_changed.notified().await;
        while let Some((_, left_ms)) = server.engine.pause.current(clock::now().0) {
            // A pause may end early, and a shorter one begin.
            let left = Duration::from_millis(left_ms.clamp(1, 60_000) as u64);
            tokio::time::timeout(left, server.pause_changed.notified()).await.ok();
        }
        server.clients().all().iter().for_each(|card| card.wake());
    }
}

/// Wakes the clients whose blocking commands have waited long enough.
pub(crate) async fn end_waits(server: Arc<Server>) {
    loop {
        let changed = server.deadlines_changed.notified();
        match server.engine.deadlines.expire(clock::now().0) {
            None => changed.await,
            Some(until_ms) => {
                let left_ms = until_ms.saturating_sub(clock::now().0).clamp(1, 60_000);
                // Whether it is time or there is an earlier deadline: the list is looked at again.
                tokio::time::timeout(Duration::from_millis(left_ms as u64), changed).await.ok();
            }
        }
    }
}

/// State of the cron.
pub(crate) struct Cron {
    server: Arc<Server>,
    worker: Worker,
    expiry: Expiry,
    ticks: u64,
    last: Totals,
    keeper: Keeper,
    jobs: Jobs,
}

#[derive(Clone, Copy, Default)]
struct Totals {
    micros: u64,
    commands: u64,
    input: u64,
    output: u64,
    cycles: u64,
    busy_micros: u64,
}

/// Where the walk for expired keys stands.
#[derive(Default)]
struct Expiry {
    shard: usize,
    db: u32,
    at: Option<Position>,
}

impl Cron {
    pub(crate) fn new(server: Arc<Server>, worker: Worker) -> Self {
        Self {
            server,
            worker,
            expiry: Expiry::default(),
            ticks: 0,
            last: Totals::default(),
            keeper: Keeper::default(),
            jobs: Jobs::default(),
        }
    }

    /// Ticks `hz` times a second for as long as the server runs.
    pub(crate) async fn run(mut self) {
        loop {
            let hz = self.server.int(HZ).clamp(1, 500) as u64;
            tokio::time::sleep(Duration::from_millis(1000 / hz)).await;
            if self.server.cron_paused.load(Ordering::Relaxed) {
                continue;
            }
            self.ticks += 1;
            let began = clock::ticks();
            self.feed_watchdog();
            self.expire(hz);
            self.sample_memory();
            self.evict().await;
            self.jobs.tick(&self.server);
            if self.ticks.is_multiple_of(hz.div_ceil(10).max(1)) {
                self.sample_rates();
            }
            crate::persistence::tick(&self.server);
            self.keeper.tick(&self.server, &mut self.worker);
            self.server.migrations.close_idle();
            self.server.clients().evict();
            let settings = self.server.engine.settings();
            let tracking = &self.server.engine.tracking;
            tracking.shrink(settings.tracking_keys_max, &settings.output);
            tracking.forget_if_idle();
            if self.ticks.is_multiple_of(hz.div_ceil(2)) {
                self.look_after_clients();
            }
            self.count_tick(clock::ticks().saturating_sub(began));
        }
    }

    /// A tick is a turn of the server's loop, too.
    fn count_tick(&self, ticks: u64) {
        let stats = &self.worker.stats;
        stats.batches.add(1);
        stats.busy_ticks.add(ticks);
        stats.cron_ticks.add(ticks);
        stats.longest_ticks.raise(ticks);
    }

    /// The watchdog is there to see that ticks no longer come.
    fn feed_watchdog(&self) {
        let period = crate::apply::watchdog_ms(&self.server.config.lock());
        if period > 0 {
            crash::watch(period);
        }
    }

    /// Brings memory below its limit when no client asks for some, in slices of the length that a
    /// command would wait.
    async fn evict(&mut self) {
        const MICROS_MAX: u64 = 25_000;
        let engine = Arc::clone(&self.server.engine);
        let settings = engine.settings();
        let start = clock::monotonic().0;
        while settings.maxmemory > 0 && clock::monotonic().0 - start < MICROS_MAX {
            let now = Now {
                wall_ms: clock::now().0,
                ticks: clock::ticks,
                wall: || clock::now().0,
                stale_ticks: clock::ticks_per_milli(),
            };
            if engine.evict(&mut self.worker.hand(now), &settings) != Evicting::Going {
                break;
            }
            tokio::task::yield_now().await;
        }
    }

    fn sample_memory(&self) {
        let allocated = self.server.memory_bytes();
        self.server.engine.space.sample_memory(clock::now().0);
        self.server.samples.memory_peak.fetch_max(allocated, Ordering::Relaxed);
        self.server.engine.space.epochs().collect();
        self.server.engine.space.end_rests();
    }

    fn sample_rates(&mut self) {
        let total = self.server.engine.stats.total();
        let now = Totals {
            micros: clock::monotonic().0,
            commands: total.commands_processed,
            input: total.net_in_bytes,
            output: total.net_out_bytes,
            cycles: total.batches,
            busy_micros: clock::ticks_to_micros(total.busy_ticks),
        };
        let micros = now.micros.saturating_sub(self.last.micros).max(1);
        let rate = |now: u64, then: u64| now.saturating_sub(then) * 1_000_000 / micros;
        let samples = &self.server.samples;
        samples.ops_per_second.store(rate(now.commands, self.last.commands), Ordering::Relaxed);
        samples.input_bytes_per_second.store(rate(now.input, self.last.input), Ordering::Relaxed);
        samples
            .output_bytes_per_second
            .store(rate(now.output, self.last.output), Ordering::Relaxed);
        let cycles = now.cycles.saturating_sub(self.last.cycles);
        let busy = now.busy_micros.saturating_sub(self.last.busy_micros);
        samples.cycles_per_second.store(rate(now.cycles, self.last.cycles), Ordering::Relaxed);
        samples.cycle_micros.store(busy.checked_div(cycles).unwrap_or(0), Ordering::Relaxed);
        self.last = now;
    }

    /// Closes clients that have been silent for longer than `timeout`, and soon those that do not
    /// authenticate. Wakes those with unread replies, as a limit may have been exceeded for too long,
    /// and those with more room for requests than they need.
    fn look_after_clients(&self) {
        /// A client that must authenticate and has not is closed after so many seconds of silence.
        const UNAUTHENTICATED_SECONDS: i64 = 10;
        /// How long a connection that ends waits for its peer to read on.
        const LINGER_SECONDS: i64 = 60;
        /// Room for requests that a client keeps, as long as it is not silent for so long.
        const ROOM_BYTES: u64 = 16 << 10;
        const ROOM_IDLE_MS: i64 = 2000;
        /// These wait to hear something.
        const HEARS: u32 = ClientFlags::BLOCKED
            | ClientFlags::PUBSUB
            | ClientFlags::MONITOR
            | ClientFlags::REPLICA;
        let timeout = self.server.int(TIMEOUT);
        let now_ms = clock::now().0;
        let (samples, second) = (&self.server.samples, now_ms.unsigned_abs() / 1000);
        samples.input_buffer.begin(second);
        samples.output_buffer.begin(second);
        for card in self.server.clients().all() {
            samples.input_buffer.raise(second, card.request_bytes());
            samples.output_buffer.raise(second, card.unread_bytes());
            let mut seconds = if timeout == 0 { i64::MAX } else { timeout };
            if card.has(ClientFlags::UNAUTHENTICATED) {
                seconds = seconds.min(UNAUTHENTICATED_SECONDS);
            } else if card.has(ClientFlags::CLOSE_AFTER_REPLY) {
                seconds = seconds.min(LINGER_SECONDS);
            } else if card.has(HEARS) {
                seconds = i64::MAX;
            }
            let silent_ms = now_ms.saturating_sub(card.last_ms.load(Ordering::Relaxed));
            if silent_ms > seconds.saturating_mul(1000) {
                log_verbose!("Closing idle client id={} addr={}", card.id, card.addr);
                card.kill();
                continue;
            }
            let room = card.query_free_bytes.load(Ordering::Relaxed);
            let needed = if silent_ms < ROOM_IDLE_MS { ROOM_BYTES } else { 0 };
            if room > needed {
                card.trim();
            } else if card.unread_bytes() > 0 {
                card.wake();
            }
        }
    }

    /// Walks over keys with an expiry. A tick looks at a fixed number of buckets, and at more while
    /// it finds much that has expired, up to a quarter of the time (`active-expire-effort` adds).
    fn expire(&mut self, hz: u64) {
        /// Buckets per slice: the shard's lock is held for one.
        const SLICE_BUCKETS: usize = 32;
        const SLICES_PER_TICK: usize = 64;
        let engine = Arc::clone(&self.server.engine);
        let stopped =
            !engine.active_expire.load(Ordering::Relaxed) || engine.settings().import_mode;
        if stopped || engine.pause.active(clock::now().0) {
            return;
        }
        let effort = self.server.int(EFFORT).clamp(1, 10) as u64;
        let start = clock::monotonic().0;
        let budget = 1_000_000 / hz * (25 + 2 * (effort - 1)) / 100;
        let (mut volatile, mut expired, mut elements, mut slices) = (0u64, 0u64, 0u64, 0usize);
        let mut steps = engine.space.shards().count() * engine.space.databases() as usize + 1;
        while steps > 0 {
            let shard = ShardId(self.expiry.shard as u16);
            if !engine.space.has_volatile(shard, self.expiry.db) {
                self.next_part(&engine);
                steps -= 1;
                continue;
            }
            let part = (shard, self.expiry.db, self.expiry.at);
            let swept = engine.sweep(&mut self.worker, part, SLICE_BUCKETS, || clock::now().0);
            slices += 1;
            volatile += swept.volatile;
            expired += swept.expired;
            elements += swept.elements;
            match swept.next {
                Some(next) => self.expiry.at = Some(next),
                None => {
                    self.next_part(&engine);
                    steps -= 1;
                }
            }
            let spent = clock::monotonic().0 - start;
            let much = (expired + elements) * 10 > volatile;
            if spent > budget {
                self.server.samples.expire_time_capped.fetch_add(1, Ordering::Relaxed);
                break;
            }
            if slices >= SLICES_PER_TICK * effort as usize && !much {
                break;
            }
        }
        let samples = &self.server.samples;
        samples.stale.observe(expired, volatile);
        samples.expire_micros.fetch_add(clock::monotonic().0 - start, Ordering::Relaxed);
    }

    fn next_part(&mut self, engine: &engine::Engine) {
        self.expiry.at = None;
        self.expiry.shard += 1;
        if self.expiry.shard >= engine.space.shards().count() {
            self.expiry.shard = 0;
            self.expiry.db = (self.expiry.db + 1) % engine.space.databases().max(1);
        }
    }
}
