//! The end of the server: what is saved before, and what may stand in its way.

use super::snapshot_save::{self, NotSaved};
use crate::node::Server;
use crate::start::leave;
use command::ShutdownRequest;
use durability::aof::State;
use keyspace::Stalled;
use runtime::process::banner;
use runtime::{log_notice, log_warning};
use std::sync::atomic::Ordering;

/// Why the process goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CannotStop {
    /// Something that was to be saved could not be; the log says what.
    Failed,
    /// A script runs for too long, and what it does would be lost.
    Stalled,
}

/// Makes everything ready for the end of the process, and leaves, while nobody writes any more. Returns
/// only if that cannot be; then all goes on.
///
/// It is this thread that ends the process: another might wait for the gate, or for something that waits
/// for it.
pub(crate) fn stop(server: &Server, request: ShutdownRequest) -> CannotStop {
    if server.stopping.swap(true, Ordering::AcqRel) {
        return CannotStop::Failed;
    }
    let why = try_to_stop(server, request);
    server.stopping.store(false, Ordering::Release);
    why
}

fn try_to_stop(server: &Server, request: ShutdownRequest) -> CannotStop {
    /// So often somebody may begin a snapshot just before the gate is closed.
    const TRIES: u32 = 100;
    let space = &server.engine.space;
    // With NOSAVE a script that runs for too long is not waited for.
    if space.is_stalled() && !request.nosave {
        return CannotStop::Stalled;
    }
    banner::shutting_down(None);
    if lacks_log(server, request) {
        return CannotStop::Failed;
    }
    let mut participant = space.epochs().register().ok();
    let (mut rewrites, mut why) = (false, CannotStop::Failed);
    for left in (0..TRIES).rev() {
        rewrites |= snapshot_save::make_way(server);
        // No write is under way once the gate is closed, and none begins.
        let closed = participant.as_mut().map(|participant| space.reach_gate(participant));
        if matches!(closed, Some(Err(Stalled))) && !request.nosave {
            why = CannotStop::Stalled;
            break;
        }
        let saved = match save(server, request) {
            Err(NotSaved::Busy) if left > 0 && matches!(closed, Some(Ok(_))) => continue,
            outcome => outcome.map_err(cannot_save).is_ok(),
        };
        if saved & flush(server) || request.force {
            leave(server);
        }
        break;
    }
    if rewrites {
        server.persistence.log.want_rewrite();
    }
    why
}

/// Whether what the server would leave behind is an append-only file without the data, as its first
/// base is still being written, and that is not wanted.
fn lacks_log(server: &Server, request: ShutdownRequest) -> bool {
    let log = &server.persistence.log;
    let writes_first = log.status.state() == State::Waits && {
        let rewriting = log.rewriting.lock();
        rewriting.running.is_some() || rewriting.wanted && rewriting.failures == 0
    };
    if writes_first && request.force {
        log_warning!("Writing initial AOF. Exit anyway.");
    } else if writes_first {
        log_warning!("Writing initial AOF, can't exit.");
    }
    writes_first && !request.force
}

/// Brings the append-only file to disk. `false`: it could not be.
fn flush(server: &Server) -> bool {
    let flushed = super::log::flush(server);
    if let Err(error) = &flushed {
        log_warning!("Fail to fsync the AOF file: {error}. Can't exit.");
    }
    flushed.is_ok()
}

/// Saves what is to be saved.
fn save(server: &Server, request: ShutdownRequest) -> Result<(), NotSaved> {
    let by_rules = !server.config.lock().save_points().is_empty() && !request.nosave;
    let loading = server.engine.condition.is_loading();
    if loading || !(by_rules || request.save) {
        return Ok(());
    }
    log_notice!("Saving the final RDB snapshot before exiting.");
    snapshot_save::save_now(server)
}

fn cannot_save(why: NotSaved) {
    match why {
        NotSaved::Busy => log_warning!("Another snapshot is being written or sent."),
        NotSaved::Failed(error) => log_warning!("{error}"),
    }
    log_warning!("Error trying to save the DB, can't exit.");
}
