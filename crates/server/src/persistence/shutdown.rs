//! The end of the server: what is saved before, and what may stand in its way.

use super::snapshot_save;
use crate::node::Server;
use command::ShutdownRequest;
use durability::aof::State;
use runtime::process::banner;
use runtime::{log_notice, log_warning};
use std::sync::atomic::Ordering;

/// Something that was to be saved could not be; the log says what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CannotStop;

/// Makes everything ready for the end of the process, and calls `leave` while nobody writes any
/// more. Returns only if that cannot be; then all goes on.
pub(crate) fn stop(server: &Server, request: ShutdownRequest, leave: impl FnOnce()) -> CannotStop {
    /// So often somebody may begin a snapshot just before the gate is closed.
    const TRIES: u32 = 100;
    if server.stopping.swap(true, Ordering::AcqRel) {
        return CannotStop;
    }
    banner::shutting_down(None);
    if lacks_log(server, request) {
        server.stopping.store(false, Ordering::Release);
        return CannotStop;
    }
    let mut participant = server.engine.space.epochs().register().ok();
    let mut rewrites = false;
    for left in (0..TRIES).rev() {
        rewrites |= snapshot_save::make_way(server);
        // No write is under way once the gate is closed, and none begins. With NOSAVE a script that runs
        // for too long is not waited for.
        let closed = participant.as_mut().and_then(|participant| match request.nosave {
            true => server.engine.space.reach_gate(participant).ok(),
            false => Some(participant.close()),
        });
        if left > 0 && closed.is_some() && snapshot_save::is_busy(server) {
            continue;
        }
        if save(server, request) & flush(server) || request.force {
            leave();
        }
        break;
    }
    if rewrites {
        server.persistence.log.want_rewrite();
    }
    server.stopping.store(false, Ordering::Release);
    CannotStop
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

/// Saves what is to be saved. `false`: it could not be.
fn save(server: &Server, request: ShutdownRequest) -> bool {
    let by_rules = !server.config.lock().save_points().is_empty() && !request.nosave;
    let loading = server.engine.condition.is_loading();
    if loading || !(by_rules || request.save) {
        return true;
    }
    log_notice!("Saving the final RDB snapshot before exiting.");
    let saved = snapshot_save::save_now(server);
    if let Err(error) = &saved {
        log_warning!("{error}");
        log_warning!("Error trying to save the DB, can't exit.");
    }
    saved.is_ok()
}
