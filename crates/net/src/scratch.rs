//! What the connections of one worker share: the engine's worker state and the buffers. Borrowed
//! only between awaits, so never by two tasks at once.

use engine::{Engine, Worker};
use resp::{Reply, Requests};
use std::cell::RefCell;
use std::sync::Arc;

/// Bytes read at once. Large enough for a deep pipeline, small enough for the second-level cache.
pub(crate) const INPUT_BYTES: usize = 64 << 10;

/// One worker's shared state.
pub(crate) struct Scratch {
    pub engine: Arc<Engine>,
    pub state: RefCell<State>,
}

pub(crate) struct State {
    pub worker: Worker,
    pub input: Box<[u8]>,
    pub requests: Requests,
    pub reply: Reply,
}

impl Scratch {
    pub(crate) fn new(engine: Arc<Engine>, seed: u64) -> Option<Self> {
        let worker = Worker::new(&engine, seed)?;
        let state = State {
            worker,
            input: vec![0; INPUT_BYTES].into_boxed_slice(),
            requests: Requests::default(),
            reply: Reply::default(),
        };
        Some(Self { engine, state: RefCell::new(state) })
    }
}
