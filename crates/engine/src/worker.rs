//! What one worker thread owns: its place in the epochs and the journal, its scratch, its numbers.

use crate::script::JobRun;
use crate::{Engine, WorkerStats};
use command::{Changed, Machine, Rewrites, Settings};
use journal::Writer;
use keyspace::{Evictor, KeyRef, Record};
use lock::Participant;
use std::sync::Arc;
use stdx::rng::Rng;

/// One worker's state. Everything that `serve` needs and that is not shared.
pub struct Worker {
    pub participant: Participant,
    pub writer: Writer,
    pub rng: Rng,
    pub stats: Arc<WorkerStats>,
    pub evictor: Evictor,
    pub(crate) record: Record,
    pub(crate) log: Rewrites,
    pub(crate) broadcast: Changed,
    pub(crate) machine: Machine,
    /// It serves while a script runs on its thread.
    pub(crate) meanwhile: bool,
    /// What it serves is the script of a job.
    pub(crate) job: Option<JobRun>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) settings_generation: u64,
    scratch: Scratch<'static>,
    /// The same for what EXEC runs.
    pub(crate) queued: Scratch<'static>,
}

/// Vectors that each batch borrows for its own lifetime and gives back empty.
#[derive(Default)]
pub(crate) struct Scratch<'a> {
    pub words: Vec<&'a [u8]>,
    pub keys: Vec<KeyRef<'a>>,
    pub plans: Vec<crate::resolve::Plan>,
    pub shards: Vec<lock::ShardId>,
}

impl Worker {
    /// `None` if there are too many workers for the epochs' slots.
    pub fn new(engine: &Engine, seed: u64) -> Option<Self> {
        Some(Self {
            participant: engine.space.epochs().register().ok()?,
            writer: engine.journal.writer(),
            rng: Rng::new(seed),
            stats: engine.stats.worker(),
            evictor: Evictor::default(),
            record: Record::default(),
            log: Rewrites::default(),
            broadcast: Changed::new(),
            machine: Machine::default(),
            meanwhile: false,
            job: None,
            settings: engine.settings(),
            settings_generation: engine.settings_generation(),
            scratch: Scratch::default(),
            queued: Scratch::default(),
        })
    }

    /// Takes up changed parameters; returns whether there were any.
    #[inline]
    pub(crate) fn refresh(&mut self, engine: &Engine) -> bool {
        let generation = engine.settings_generation();
        let changed = generation != self.settings_generation;
        if changed {
            self.settings = engine.settings();
            self.settings_generation = generation;
        }
        changed
    }

    /// After SCRIPT FLUSH: the machine of this worker forgets too.
    pub fn forget_scripts(&mut self, engine: &Engine) {
        self.machine.forget_flushed(&engine.scripts);
        self.stats.machine_bytes.set(self.machine.memory_bytes() as u64);
    }

    pub(crate) fn take_scratch<'a>(&mut self) -> Scratch<'a> {
        std::mem::take(&mut self.scratch).recycle()
    }

    pub(crate) fn give_scratch(&mut self, scratch: Scratch<'_>) {
        self.scratch = scratch.recycle();
    }
}

impl Scratch<'_> {
    /// The same allocations, empty, for another lifetime; what a huge request took is given back.
    pub(crate) fn recycle<'b>(self) -> Scratch<'b> {
        let mut plans = self.plans;
        plans.clear();
        let mut shards = self.shards;
        shards.clear();
        Scratch { words: recycled(self.words), keys: recycled(self.keys), plans, shards }
    }
}

/// The same allocation, empty, for elements of another lifetime.
pub(crate) fn recycled<A, B>(mut vec: Vec<A>) -> Vec<B> {
    /// Elements, some 128 KiB.
    const KEPT: usize = 8192;
    if vec.capacity() > KEPT {
        return Vec::new();
    }
    vec.clear();
    // PERF: collecting an empty iterator of equal layout reuses the allocation.
    vec.into_iter().map(|_| unreachable!("the vector was cleared")).collect()
}
