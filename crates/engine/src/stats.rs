//! Numbers: each worker counts for itself with plain stores; whoever asks sums up.

use crate::Histogram;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// A counter with one writer.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Only the owning worker calls this.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Only the owning worker calls this.
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// Only the owning worker calls this: keeps the largest.
    #[inline]
    pub fn raise(&self, n: u64) {
        if n > self.get() {
            self.0.store(n, Ordering::Relaxed);
        }
    }

    fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// What one worker did with one command.
#[derive(Debug, Default)]
pub struct CommandStats {
    pub calls: Counter,
    pub ticks: Counter,
    /// Refused before it ran.
    pub rejected: Counter,
    /// Ran and answered with an error.
    pub failed: Counter,
    durations: OnceLock<Histogram>,
}

macro_rules! totals {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// One worker's numbers.
        #[derive(Debug)]
        pub struct WorkerStats {
            commands: Vec<CommandStats>,
            errors: Mutex<BTreeMap<String, u64>>,
            $($(#[$doc])* pub $name: Counter,)*
            /// Commands that changed data, as the journal is told. Never reset: rules for saving go
            /// by it.
            pub changes: Counter,
            /// The longest time from a read to the write of its replies.
            pub longest_ticks: Counter,
            /// The most commands of one batch.
            pub most_commands: Counter,
            /// Bytes that the Lua machine holds.
            pub machine_bytes: Counter,
            /// The number of the thread that serves clients, from 1; 0: of none.
            thread: AtomicUsize,
        }

        /// The sum over all workers.
        #[derive(Clone, Debug, Default)]
        pub struct StatsTotal {
            $($(#[$doc])* pub $name: u64,)*
            pub changes: u64,
            pub longest_ticks: u64,
            pub most_commands: u64,
            pub machine_bytes: u64,
            /// Of the largest machine.
            pub machine_bytes_max: u64,
            /// By error code.
            pub errors: BTreeMap<String, u64>,
        }

        impl WorkerStats {
            fn new(commands: usize) -> Self {
                Self {
                    commands: (0..commands).map(|_| CommandStats::default()).collect(),
                    errors: Mutex::default(),
                    $($name: Counter::default(),)*
                    changes: Counter::default(),
                    longest_ticks: Counter::default(),
                    most_commands: Counter::default(),
                    machine_bytes: Counter::default(),
                    thread: AtomicUsize::new(0),
                }
            }

            fn reset(&self) {
                $(self.$name.reset();)*
                self.longest_ticks.reset();
                self.most_commands.reset();
                self.errors.lock().clear();
                for command in &self.commands {
                    command.calls.reset();
                    command.ticks.reset();
                    command.rejected.reset();
                    command.failed.reset();
                    if let Some(durations) = command.durations.get() {
                        durations.clear();
                    }
                }
            }

            fn sum_into(&self, total: &mut StatsTotal) {
                $(total.$name += self.$name.get();)*
                total.changes += self.changes.get();
                total.longest_ticks = total.longest_ticks.max(self.longest_ticks.get());
                let machine_bytes = self.machine_bytes.get();
                total.machine_bytes += machine_bytes;
                total.machine_bytes_max = total.machine_bytes_max.max(machine_bytes);
                total.most_commands = total.most_commands.max(self.most_commands.get());
                for (code, count) in &*self.errors.lock() {
                    *total.errors.entry(code.clone()).or_default() += count;
                }
            }
        }
    };
}

totals! {
    commands_processed,
    /// Connections accepted and served by this worker.
    connections,
    net_in_bytes,
    net_out_bytes,
    /// Sent to replicas.
    net_repl_out_bytes,
    reads,
    writes,
    keyspace_hits,
    keyspace_misses,
    expired_keys,
    evicted_keys,
    error_replies,
    /// Error replies to requests that never reached a handler.
    unexpected_errors,
    /// AUTH and HELLO AUTH that were refused.
    auth_failures,
    query_buffer_disconnections,
    output_buffer_disconnections,
    batches,
    /// Ticks spent between reading and writing.
    busy_ticks,
    /// Of them, those in commands.
    command_ticks,
    /// Ticks of work that recurs.
    cron_ticks,
}

impl WorkerStats {
    pub fn command(&self, id: u16) -> &CommandStats {
        &self.commands[usize::from(id)]
    }

    /// These are numbers of the thread `index` that serves clients.
    pub fn serves_in(&self, index: usize) {
        self.thread.store(index + 1, Ordering::Relaxed);
    }

    /// Counts an error reply by its code, which is one of ours: there are not many.
    #[cold]
    pub fn error(&self, code: String) {
        self.error_replies.add(1);
        *self.errors.lock().entry(code).or_default() += 1;
    }

    /// The same of an error that a script made, whose code may be anything: once there are 128
    /// codes, new ones count as one, as in Valkey.
    #[cold]
    pub fn script_error(&self, code: String) {
        const CODES_MAX: usize = 128;
        const OVERFLOW: &str = "ERRORSTATS_OVERFLOW";
        self.error_replies.add(1);
        let mut errors = self.errors.lock();
        let known = code == "ERR" || errors.len() < CODES_MAX || errors.contains_key(&code);
        *errors.entry(if known { code } else { OVERFLOW.to_owned() }).or_default() += 1;
    }
}

impl CommandStats {
    #[inline]
    pub fn called(&self, ticks: u64, keep_durations: bool) {
        self.calls.add(1);
        self.ticks.add(ticks);
        if keep_durations {
            self.durations.get_or_init(Histogram::default).add(ticks);
        }
    }
}

/// A command's numbers over all workers.
#[derive(Clone, Debug, Default)]
pub struct CommandTotal {
    pub calls: u64,
    pub ticks: u64,
    pub rejected: u64,
    pub failed: u64,
    /// Merged histogram, empty if durations are not kept.
    pub durations: Vec<u64>,
}

/// All workers' numbers.
#[derive(Debug)]
pub struct Stats {
    commands: usize,
    workers: Mutex<Vec<Arc<WorkerStats>>>,
}

impl Stats {
    pub(crate) fn new(commands: usize) -> Self {
        Self { commands, workers: Mutex::default() }
    }

    /// A new set of numbers, for one worker. They stay when the worker ends.
    pub fn worker(&self) -> Arc<WorkerStats> {
        let stats = Arc::new(WorkerStats::new(self.commands));
        self.workers.lock().push(stats.clone());
        stats
    }

    pub fn total(&self) -> StatsTotal {
        let mut total = StatsTotal::default();
        self.workers.lock().iter().for_each(|worker| worker.sum_into(&mut total));
        total
    }

    /// Reads and writes of each of the first `count` threads that serve clients.
    pub fn threads(&self, count: usize) -> Vec<(u64, u64)> {
        let mut threads = vec![(0, 0); count];
        for worker in &*self.workers.lock() {
            let index = worker.thread.load(Ordering::Relaxed).checked_sub(1);
            if let Some((reads, writes)) = index.and_then(|index| threads.get_mut(index)) {
                *reads += worker.reads.get();
                *writes += worker.writes.get();
            }
        }
        threads
    }

    pub fn command(&self, id: u16) -> CommandTotal {
        let mut total = CommandTotal::default();
        for worker in &*self.workers.lock() {
            let one = worker.command(id);
            total.calls += one.calls.get();
            total.ticks += one.ticks.get();
            total.rejected += one.rejected.get();
            total.failed += one.failed.get();
            if let Some(durations) = one.durations.get() {
                durations.merge_into(&mut total.durations);
            }
        }
        total
    }

    /// CONFIG RESETSTAT. Counts that a worker adds at the same instant may survive.
    pub fn reset(&self) {
        self.workers.lock().iter().for_each(|worker| worker.reset());
    }
}
