//! Which commands stand out, by their time or the size of request or reply: they go into the log of
//! commands.

use crate::{Engine, Now};
use command::LogKind::{LargeReply, LargeRequest, Slow};
use command::{Card, Flags, LogLimit, Resolved, Settings};

/// What a command took.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    /// Of its request.
    pub bytes: usize,
    pub ticks: u64,
    pub reply_bytes: usize,
}

impl Engine {
    /// Puts the command into the log of commands if it took long or was large.
    #[inline]
    pub(crate) fn note_if_outstanding(
        &self,
        settings: &Settings,
        request: &Resolved<'_>,
        cost: Cost,
        client: (&Card, Now),
    ) {
        let limits = &settings.command_log;
        let reaches = |limit: LogLimit, value: usize| {
            limit.threshold.is_some_and(|threshold| value as u64 >= threshold)
        };
        let ticks_per_milli = client.1.stale_ticks;
        let slow_ticks = limits
            .slow
            .threshold
            .map_or(u64::MAX, |micros| micros.saturating_mul(ticks_per_milli) / 1000);
        if cost.ticks >= slow_ticks
            || reaches(limits.large_request, cost.bytes)
            || reaches(limits.large_reply, cost.reply_bytes)
        {
            self.note(settings, request, cost, client);
        }
    }

    #[cold]
    fn note(
        &self,
        settings: &Settings,
        request: &Resolved<'_>,
        cost: Cost,
        (card, now): (&Card, Now),
    ) {
        let (row, words, limits) = (request.spec, request.args, &settings.command_log);
        if row.flags.has(Flags::SKIP_SLOWLOG) {
            return;
        }
        let micros = cost.ticks.saturating_mul(1000) / now.stale_ticks.max(1);
        let (request_bytes, reply_bytes) = (cost.bytes as u64, cost.reply_bytes as u64);
        for (kind, value) in
            [(Slow, micros), (LargeRequest, request_bytes), (LargeReply, reply_bytes)]
        {
            self.command_log.note(kind, value, limits, (row, words), (card, now.wall_ms));
        }
    }
}
