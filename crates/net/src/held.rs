//! Replies that wait until what they depend on is safe on disk.

use command::CommandError;
use engine::Engine;
use journal::Lsn;
use journal::watermark::{Registration, Wait};
use resp::{Out, Reply, Value};
use std::collections::VecDeque;
use std::task::Context;

/// The replies of one connection that wait, in order. What one depends on all behind it do.
#[derive(Default)]
pub(crate) struct Held {
    parts: VecDeque<(Lsn, Out)>,
    bytes: usize,
    /// Milliseconds since 1970 since when the first waits.
    since_ms: i64,
    registration: Option<(Lsn, Registration)>,
}

impl Held {
    pub(crate) fn len(&self) -> usize {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Takes `out`, which depends on `lsn`.
    pub(crate) fn push(&mut self, lsn: Lsn, out: &mut Out, now_ms: i64) {
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
    pub(crate) fn release(
        &mut self,
        engine: &Engine,
        cx: &Context<'_>,
        now_ms: i64,
        into: &mut Out,
    ) {
        let gate = &engine.reply_gate;
        while let Some((lsn, _)) = self.parts.front() {
            let lsn = *lsn;
            if gate.open(lsn) {
                self.registration = None;
                self.since_ms = now_ms;
                if let Some((_, mut out)) = self.parts.pop_front() {
                    self.bytes -= out.len();
                    into.append(&mut out);
                }
                continue;
            }
            let registered = self.registration.as_ref().is_some_and(|(of, _)| *of == lsn);
            if registered && !gate.durable.broken() {
                return;
            }
            match gate.durable.wait(lsn, cx.waker().clone()) {
                Ok(Wait::Registered(registration)) => {
                    self.registration = Some((lsn, registration));
                }
                Ok(Wait::Over) if gate.open(lsn) => {}
                // The server's clock, or whoever mends what is broken, wakes the task.
                Ok(Wait::Over) | Err(journal::watermark::TooMany) => {
                    self.registration = None;
                    return;
                }
            }
        }
        self.registration = None;
    }

    /// What has waited too long is answered by errors, reply for reply; appended to `into`.
    pub(crate) fn give_up(
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

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}
