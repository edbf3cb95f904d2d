//! Replies that wait until what they depend on is safe on disk.

use super::{Connection, wall_ms};
use crate::scratch::Scratch;
use command::{Acks, CommandError};
use engine::Level;
use journal::Lsn;
use journal::watermark::{TooMany, Wait};
use resp::{Out, Reply, Value};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::Context;

/// The replies of one connection that wait, in order. What one depends on all behind it do.
#[derive(Default)]
pub(super) struct Held {
    parts: VecDeque<(Lsn, Out)>,
    bytes: usize,
    /// Milliseconds since 1970 since when the first waits.
    since_ms: i64,
    /// What the task stands in the line for.
    waits_for: Option<Lsn>,
}

impl Held {
    pub(super) fn len(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Takes `out`, which depends on `lsn`.
    pub(super) fn push(&mut self, lsn: Lsn, out: &mut Out, now_ms: i64) {
        if self.parts.is_empty() {
            self.since_ms = now_ms;
        }
        self.bytes += out.len();
        match self.parts.back_mut() {
            Some((last, behind)) if *last >= lsn => behind.append(out),
            _ => self.parts.push_back((lsn, std::mem::take(out))),
        }
    }

    /// Appends to `into` what waits no more. The task is woken when there is more of it.
    pub(super) fn release(
        &mut self,
        scratch: &Scratch,
        cx: &Context<'_>,
        now_ms: i64,
        into: &mut Out,
    ) {
        let gate = &scratch.engine.reply_gate;
        while let Some((lsn, _)) = self.parts.front() {
            let lsn = *lsn;
            if gate.open(lsn) {
                self.waits_for = None;
                self.since_ms = now_ms;
                if let Some((_, mut out)) = self.parts.pop_front() {
                    self.bytes -= out.len();
                    into.append(&mut out);
                }
                continue;
            }
            if self.waits_for != Some(lsn) || gate.durable.broken() {
                // If it is broken, the server's clock, or whoever mends it, wakes the task.
                let stands = scratch.line.wait(&scratch.engine, lsn, cx.waker());
                self.waits_for = stands.then_some(lsn);
            }
            return;
        }
    }

    /// What has waited too long is answered by errors, reply for reply; appended to `into`.
    pub(super) fn give_up(
        &mut self,
        timeout_ms: u64,
        now_ms: i64,
        reason: &CommandError,
        protocol: resp::Protocol,
        into: &mut Out,
    ) {
        let waited_ms = now_ms.saturating_sub(self.since_ms);
        if self.parts.is_empty() || u64::try_from(waited_ms).is_ok_and(|ms| ms < timeout_ms) {
            return;
        }
        let mut errors = Reply::new(protocol);
        for (_, out) in self.parts.drain(..) {
            let bytes = out.to_vec();
            let mut rest = &bytes[..];
            while let Ok(Some((value, len))) = resp::parse_reply(rest) {
                match value {
                    Value::Push(_) => errors.value(&value),
                    _ => errors.error(reason.text()),
                }
                rest = rest.get(len..).unwrap_or_default();
            }
        }
        self.clear();
        into.append(&mut errors.out);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl<S> Connection<S> {
    /// What is to be sent may show anything that has happened.
    pub(super) fn depend_on_all(&mut self) {
        let engine = &self.scratch.engine;
        if engine.reply_gate.level() != Level::Memory {
            self.lsn = self.lsn.max(engine.journal.tail());
        }
    }

    /// Keeps `out` back, if it or what is before it must wait for the disk.
    pub(super) fn hold(&mut self, out: &mut Out) -> bool {
        let lsn = std::mem::take(&mut self.lsn);
        if self.held.is_none() && (lsn == Lsn(0) || self.scratch.engine.reply_gate.open(lsn)) {
            return false;
        }
        self.held.get_or_insert_default().push(lsn, out, wall_ms());
        true
    }

    /// Lets go of replies that need not wait any more; what has waited too long becomes errors.
    #[cold]
    pub(super) fn release_held(&mut self, cx: &Context<'_>) {
        let scratch = Rc::clone(&self.scratch);
        let Some(held) = &mut self.held else { return };
        let (engine, now_ms) = (&scratch.engine, wall_ms());
        held.release(&scratch, cx, now_ms, &mut self.pending);
        if !held.is_empty() {
            let timeout_ms = engine.settings().durability_timeout_ms;
            let reason = engine.condition.unconfirmed();
            let protocol = self.session.wire();
            held.give_up(timeout_ms, now_ms, &reason, protocol, &mut self.pending);
        }
        if held.is_empty() {
            self.held = None;
        }
    }

    /// Has the task woken when what a client waits for is on disk here.
    #[cold]
    pub(super) fn wait_for_disk(&mut self, cx: &Context<'_>, acks: Acks) {
        if self.registration.is_some() || !acks.local {
            return;
        }
        let (durable, lsn) = (&self.scratch.engine.reply_gate.durable, Lsn(acks.lsn));
        match durable.wait(lsn, cx.waker().clone()) {
            Ok(Wait::Registered(registration)) => self.registration = Some(registration),
            Ok(Wait::Over) if !durable.broken() && durable.reached(lsn) && acks.replicas == 0 => {
                cx.waker().wake_by_ref();
            }
            // Broken: who mends it wakes all.
            Ok(Wait::Over) | Err(TooMany) => {}
        }
    }
}
