//! The primary's side of replication: what INFO tells of it, and what is done by the clock.

use crate::info::{fields, head, line};
use crate::node::Server;
use command::{Card, ClientFlags, Node, ReplicaState};
use config::{Config, ParamId, id};
use engine::Worker;
use journal::Frame;
use runtime::{clock, log_notice, log_warning};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

const PING_PERIOD: ParamId = id("repl-ping-replica-period");
const BACKLOG_TTL: ParamId = id("repl-backlog-ttl");
const MIN_REPLICAS: ParamId = id("min-replicas-to-write");
const MIN_LAG: ParamId = id("min-replicas-max-lag");

/// The connections that are fed by the log, in the order in which they came.
fn replicas(server: &Server) -> Vec<Arc<Card>> {
    if server.engine.history.replicas() == 0 {
        return Vec::new();
    }
    let mut cards = server.clients().all();
    cards.retain(|card| card.has(ClientFlags::REPLICA));
    cards
}

/// How many of them keep up: they have acknowledged something in the last `max_lag` seconds.
fn good(replicas: &[Arc<Card>], max_lag: i64) -> i64 {
    let now_ms = clock::now().0;
    let keeps_up = |card: &&Arc<Card>| {
        let replica = card.replica();
        replica.state() == ReplicaState::Online
            && replica.acked_ms.load(Relaxed) != 0
            && lag_seconds(card, now_ms) <= max_lag
    };
    replicas.iter().filter(keeps_up).count() as i64
}

/// Whether writes are refused, since too few replicas would have them.
pub(crate) fn judge(server: &Server, config: &Config) {
    let (min, max_lag) = (config.int(MIN_REPLICAS), config.int(MIN_LAG));
    let few = min > 0 && max_lag > 0 && good(&replicas(server), max_lag) < min;
    server.engine.condition.set_few_replicas(few);
}

/// Seconds since the replica has acknowledged something.
fn lag_seconds(card: &Card, now_ms: i64) -> i64 {
    let acked_ms = card.replica().acked_ms.load(Relaxed);
    if acked_ms == 0 { 0 } else { now_ms.saturating_sub(acked_ms).max(0) / 1000 }
}

/// Bytes of the journal that are kept for replicas, beside those that they have not read yet.
pub(crate) fn backlog_bytes(server: &Server) -> u64 {
    server.engine.history.backlog(&server.engine.journal).bytes
}

/// The section of INFO.
pub(crate) fn info(server: &Server, out: &mut String) {
    let (history, journal) = (&server.engine.history, &server.engine.journal);
    let backlog = history.backlog(journal);
    let (replicas, now_ms) = (replicas(server), clock::now().0);
    head(out, "Replication");
    fields! { out,
        "role" = "master";
        "connected_slaves" = replicas.len();
    }
    let (min, max_lag) = (server.int(MIN_REPLICAS), server.int(MIN_LAG));
    if min > 0 && max_lag > 0 {
        line(out, format_args!("min_slaves_good_slaves:{}", good(&replicas, max_lag)));
    }
    let named = replicas.iter().filter_map(|card| Some((card, card.replica().state().name()?)));
    for (index, (card, state)) in named.enumerate() {
        let replica = card.replica();
        let lag =
            if replica.state() == ReplicaState::Online { lag_seconds(card, now_ms) } else { 0 };
        line(
            out,
            format_args!(
                "slave{index}:ip={},port={},state={state},offset={},lag={lag},type=replica",
                card.replica_address(),
                replica.port.load(Relaxed),
                replica.acked.load(Relaxed),
            ),
        );
    }
    fields! { out,
        "replicas_waiting_psync" = 0;
        "master_failover_state" = "no-failover";
        "master_replid" = history.id();
        "master_replid2" = "0".repeat(40);
        "master_repl_offset" = journal.tail();
        "second_repl_offset" = -1;
        "repl_backlog_active" = u8::from(backlog.active);
        "repl_backlog_size" = server.engine.settings().backlog_bytes;
        // Here the first byte of all is number 1.
        "repl_backlog_first_byte_offset" = if backlog.active { backlog.first.0 + 1 } else { 0 };
        "repl_backlog_histlen" = backlog.bytes;
    }
}

/// What is done for replicas by the clock.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    pinged_ms: i64,
}

impl Keeper {
    /// One tick: whether there are enough replicas to write; they are pinged through the log and look
    /// at their limits; without replicas the backlog goes after a time.
    pub(crate) fn tick(&mut self, server: &Server, worker: &mut Worker) {
        judge(server, &server.config.lock());
        let now_ms = clock::now().0;
        let history = &server.engine.history;
        let Some(alone_ms) = history.alone_since_ms() else {
            let period_ms = server.int(PING_PERIOD).saturating_mul(1000);
            if self.pinged_ms == 0 {
                self.pinged_ms = now_ms;
            } else if now_ms.saturating_sub(self.pinged_ms) >= period_ms {
                self.pinged_ms = now_ms;
                ping(worker);
            }
            return replicas(server).iter().for_each(|card| card.wake());
        };
        self.pinged_ms = 0;
        let ttl_ms = server.int(BACKLOG_TTL).saturating_mul(1000);
        let backlog = ttl_ms > 0 && history.backlog(&server.engine.journal).active;
        if backlog && now_ms.saturating_sub(alone_ms) > ttl_ms {
            history.forget();
            log_notice!(
                "Replication backlog freed after {} seconds without connected replicas.",
                ttl_ms / 1000
            );
        }
    }
}

/// Puts a PING into the log. It is for nobody's database.
fn ping(worker: &mut Worker) {
    const PING: &[u8] = b"*1\r\n$4\r\nPING\r\n";
    match worker.writer.room(PING.len() as u64, 1) {
        Ok(mut room) => {
            worker.writer.append(&mut room, Frame::global(), &[PING]);
            worker.writer.nudge();
        }
        Err(refused) => log_warning!("Replicas are not pinged: {refused}"),
    }
}
