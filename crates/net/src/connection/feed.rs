//! A connection that is a replica's: what the log sends goes out whenever the peer takes it, and what
//! the peer sends (acknowledgements) is served beside.

use super::{Connection, Exit, JOB_PENDING_MAX, wall_ms};
use command::{Card, Sync};
use disk::RealDisk;
use durability::replica_feed::{Feed, Place, Step, Work};
use resp::Out;
use runtime::process::limits;
use runtime::{log_notice as notice, log_warning as warning};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Context;
use tokio::io::{AsyncRead, AsyncWrite};

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// From now on the log is sent. The client hears of nothing else any more.
    pub(super) fn begin_feed(&mut self, kind: Sync) {
        let engine = Arc::clone(&self.scratch.engine);
        engine.leave(&mut self.session);
        let card = Arc::clone(&self.session.card);
        notice!("Replica {} asks for synchronization", name(&card));
        let place = Place { disk: Arc::new(RealDisk), spawn: Arc::new(spawn) };
        self.feed = Some(Feed::new(engine, place, card, kind, wall_ms()));
    }

    /// Sends what the log has for a replica, as far as the peer takes it.
    pub(super) fn go_on_feeding(&mut self, cx: &mut Context<'_>) -> Result<(), Exit> {
        /// Bytes that are asked of the feed at a time.
        const SLICE_BYTES: usize = 128 << 10;
        let Some(feed) = &mut self.feed else { return Ok(()) };
        let now_ms = wall_ms();
        let mut over = None;
        if self.pending.len() >= JOB_PENDING_MAX {
            // The socket wakes us when it takes more, the server's clock when it does not.
            over = feed.hold(now_ms);
        } else {
            let mut made = Out::default();
            let state = &mut *self.scratch.state.borrow_mut();
            match feed.step(&mut state.worker.rng, now_ms, SLICE_BYTES, cx.waker(), &mut made) {
                Step::More => cx.waker().wake_by_ref(),
                Step::Wait => {}
                Step::Over(why) => over = Some(why),
            }
            state.worker.stats.net_repl_out_bytes.add(made.len() as u64);
            self.pending.append(&mut made);
        }
        if let Some(over) = over {
            return Err(Exit::Fed(over));
        }
        self.write_pending(cx).map_err(Exit::Io)
    }
}

/// Writes a snapshot on a thread of its own, which steps back behind the clients'.
fn spawn(work: Work) -> io::Result<()> {
    let thread = std::thread::Builder::new().name("snapshot".into()).spawn(move || {
        if let Err(error) = limits::step_back() {
            warning!("A snapshot is written at the clients' priority: {error}");
        }
        work();
    });
    thread.map(drop)
}

/// How a replica is named in the log.
fn name(card: &Card) -> String {
    match card.replica().port.load(Relaxed) {
        0 => format!("client id #{}", card.id),
        port => format!("{}:{port}", card.replica_address()),
    }
}
