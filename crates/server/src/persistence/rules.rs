//! `save`: snapshots by number of changes and time. Looked at by the cron.

use super::snapshot_save::{self, NotBegun};
use crate::node::Server;
use command::CommandError;
use runtime::{clock, log_warning};
use std::sync::atomic::Ordering;

/// After a failure, the next try is no sooner than this.
const RETRY_SECONDS: i64 = 5;

/// Begins the snapshot that is due, if one is.
pub(crate) fn tick(server: &Server) {
    super::log::tick(server);
    let emptied = server.persistence.emptied.swap(false, Ordering::AcqRel);
    let points = server.config.lock().save_points().to_vec();
    let now = clock::now().0.div_euclid(1000);
    let (since, may_try, scheduled) = {
        let state = server.persistence.snapshot.lock();
        if state.running.is_some() {
            if emptied && !points.is_empty() {
                server.persistence.emptied.store(true, Ordering::Release);
            }
            return;
        }
        let may_try = state.last_succeeded || now - state.last_try_seconds > RETRY_SECONDS;
        (now - state.last_save_seconds, may_try, state.scheduled)
    };
    if !may_try {
        return;
    }
    let changes = server.persistence.unsaved_changes(server);
    let due = points.iter().find(|point| {
        changes >= point.changes && u64::try_from(since).is_ok_and(|since| since > point.seconds)
    });
    if due.is_none() && !scheduled && (!emptied || points.is_empty()) {
        return;
    }
    let why = due
        .map(|point| format!("{} changes in {} seconds. Saving...", point.changes, point.seconds));
    match snapshot_save::start(server, why.as_deref()) {
        Ok(()) => {}
        // The next tick looks again: a script runs, or another snapshot is read.
        Err(NotBegun::Stalled) => {
            server.persistence.emptied.fetch_or(emptied, Ordering::AcqRel);
        }
        Err(NotBegun::Refused(CommandError::SnapshotInProgress)) if scheduled || due.is_some() => {}
        Err(NotBegun::Refused(error)) => log_warning!("Can't save: {error}"),
    }
}

impl Server {
    /// FLUSHALL: what is being saved is no longer worth it, and by the rules the file is emptied
    /// too, whatever changes come later. Called under the locks: the work is the next tick's.
    pub(crate) fn all_emptied(&self) {
        snapshot_save::cancel(self);
        if self.config.lock().save_points().is_empty() {
            return;
        }
        // The flush itself is counted after this.
        let changes = self.engine.stats.total().changes.saturating_add(1);
        self.persistence.saved(changes);
        self.persistence.emptied.store(true, Ordering::Release);
    }
}
