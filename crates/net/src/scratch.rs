//! What the connections of one worker share: the engine's worker state and the buffers. Borrowed
//! only between awaits, so never by two tasks at once.

use crate::line::Line;
use engine::{Engine, Worker};
use resp::{Reply, Requests};
use std::cell::{RefCell, RefMut};
use std::sync::Arc;

/// Bytes read at once. Large enough for a deep pipeline, small enough for the second-level cache.
pub(crate) const INPUT_BYTES: usize = 64 << 10;

/// One worker's shared state.
pub(crate) struct Scratch {
    pub engine: Arc<Engine>,
    pub state: RefCell<State>,
    /// Serves while a script runs for too long on this thread, which has borrowed `state`.
    pub deputy: RefCell<Option<State>>,
    /// Who waits for the disk.
    pub line: Line,
    seed: u64,
    /// The number of the worker.
    id: usize,
}

pub(crate) struct State {
    pub worker: Worker,
    pub input: Box<[u8]>,
    pub requests: Requests,
    pub reply: Reply,
}

impl Scratch {
    pub(crate) fn new(engine: Arc<Engine>, seed: u64, id: usize) -> Option<Self> {
        let state = RefCell::new(State::new(&engine, seed, id)?);
        Some(Self { engine, state, deputy: RefCell::new(None), line: Line::default(), seed, id })
    }

    /// The deputy's state, made when it is first needed; `None` if there are too many threads.
    pub(crate) fn deputy(&self) -> Option<RefMut<'_, State>> {
        let mut deputy = self.deputy.try_borrow_mut().ok()?;
        if deputy.is_none() {
            *deputy = State::new(&self.engine, !self.seed, self.id);
        }
        RefMut::filter_map(deputy, Option::as_mut).ok()
    }
}

impl State {
    fn new(engine: &Engine, seed: u64, id: usize) -> Option<Self> {
        let worker = Worker::new(engine, seed)?;
        worker.stats.serves_in(id);
        Some(Self {
            worker,
            input: vec![0; INPUT_BYTES].into_boxed_slice(),
            requests: Requests::default(),
            reply: Reply::default(),
        })
    }
}
