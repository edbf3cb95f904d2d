//! The connections of one worker whose replies wait for the disk stand in a line, and one task, the
//! usher, waits at the watermark for all of them: a sync wakes each worker once, not each connection from
//! another thread.

use crate::scratch::Scratch;
use engine::{Engine, ReplyGate};
use journal::Lsn;
use journal::watermark::Wait;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Whoever waits on one worker.
#[derive(Default)]
pub(crate) struct Line {
    waiting: RefCell<BTreeMap<(Lsn, u64), Waker>>,
    next: Cell<u64>,
    usher: RefCell<Option<Waker>>,
}

impl Line {
    /// Has `waker` called once, when `lsn` is durable or nothing can be. False if the latter is so.
    pub(crate) fn wait(&self, engine: &Engine, lsn: Lsn, waker: &Waker) -> bool {
        let gate = &engine.reply_gate;
        if gate.durable.broken() {
            return false;
        }
        let key = (lsn, self.next.replace(self.next.get().wrapping_add(1)));
        let mut waiting = self.waiting.borrow_mut();
        waiting.insert(key, waker.clone());
        gate.comes();
        if waiting.first_key_value().is_some_and(|(first, _)| *first == key)
            && let Some(usher) = &*self.usher.borrow()
        {
            usher.wake_by_ref();
        }
        true
    }

    /// Wakes those who need not wait any more.
    fn let_go(&self, gate: &ReplyGate) {
        let mut waiting = self.waiting.borrow_mut();
        let gone = match gate.durable.value() {
            _ if gate.durable.broken() => std::mem::take(&mut *waiting),
            Lsn(durable) => {
                let rest = waiting.split_off(&(Lsn(durable.saturating_add(1)), 0));
                std::mem::replace(&mut *waiting, rest)
            }
        };
        gate.go(gone.len());
        gone.into_values().for_each(Waker::wake);
    }

    fn first(&self) -> Option<Lsn> {
        self.waiting.borrow().first_key_value().map(|((lsn, _), _)| *lsn)
    }
}

/// Waits at the watermark for those in the line.
pub(crate) async fn usher(scratch: Rc<Scratch>) {
    let (line, gate) = (&scratch.line, &scratch.engine.reply_gate);
    let mut registration = None;
    let poll = |cx: &mut Context<'_>| -> Poll<()> {
        registration = None;
        *line.usher.borrow_mut() = Some(cx.waker().clone());
        loop {
            line.let_go(gate);
            let Some(first) = line.first() else { return Poll::Pending };
            match gate.durable.wait(first, cx.waker().clone()) {
                Ok(Wait::Registered(one)) => {
                    registration = Some(one);
                    return Poll::Pending;
                }
                Ok(Wait::Over) => {}
                Err(_) => unreachable!("there are more places than workers"),
            }
        }
    };
    poll_fn(poll).await;
}
