//! The one place where a handler is called, and where its change becomes known.

use crate::notify::Happened;
use crate::{Engine, Ledger};
use command::{Args, Cx, Effect, Flags, News, Outcome, Resolved};
use resp::Reply;

impl Engine {
    /// Runs one request under the locks that `cx` holds: call, compare, log, announce. The only
    /// caller of a handler. Returns whether the command succeeded.
    pub fn execute(
        &self,
        cx: &mut Cx<'_>,
        request: &Resolved<'_>,
        ledger: &mut Ledger<'_>,
        reply: &mut Reply,
    ) -> bool {
        let mark = reply.mark();
        let outcome = (request.spec.handler)(cx, &mut Args::new(request), reply);
        let changed = cx.db.record().changes > 0;
        self.expire_touched(cx);
        match &outcome {
            Err(_) if cx.db.record().changed_beyond_expiry() => {
                broken(request, "failed after a change")
            }
            Err(error) => {
                reply.truncate(mark);
                reply.error(error.text());
            }
            Ok(Effect::None | Effect::Relay)
                if changed && cx.db.record().changed_beyond_expiry() =>
            {
                broken(request, "changed and told nobody");
            }
            Ok(_) => {}
        }
        if cx.db.record().changes > 0 || self.relays(&outcome) {
            ledger.append(cx, request, &outcome);
        }
        if cx.db.record().has_news() {
            self.announce(cx, ledger);
        }
        if request.spec.flags.has(Flags::READONLY) && self.tracking.follows(cx.session) {
            self.remember(cx, request);
        }
        cx.db.record_mut().clear();
        cx.log.clear();
        outcome.map_err(|error| ledger.failed(&error)).is_ok()
    }

    /// Whether there are replicas to be told of what changed nothing.
    #[inline]
    fn relays(&self, outcome: &Outcome) -> bool {
        matches!(outcome, Ok(Effect::Relay)) && self.history.replicas() > 0
    }

    /// Deletes what the handler's reads found expired: in the log's order, before the locks go.
    fn expire_touched(&self, cx: &mut Cx<'_>) {
        if cx.db.record().stale.is_empty() {
            return;
        }
        if !cx.settings.import_mode && !self.pause.active(cx.now_ms) {
            let space = cx.space;
            cx.db.expire_stale(|bytes| space.place(bytes));
        }
    }

    /// Tells who waits for what changed: watchers, trackers and blocked clients hear of it here.
    fn announce(&self, cx: &mut Cx<'_>, ledger: &mut Ledger<'_>) {
        let record = cx.db.record();
        self.space.count_expired(record.expired.len() as u64, cx.now_ms);
        if !record.elements.is_empty() {
            let elements = record.elements.iter().map(|gone| gone.names.len() as u64).sum();
            self.space.count_expired_elements(elements, cx.now_ms);
        }
        if let Some(news) = &mut cx.news {
            let record = cx.db.record_mut();
            news.extend(record.noted.drain(..).map(News::Change));
            news.extend(record.flushed.then_some(News::Flushed));
            return;
        }
        let by = Some(cx.session.card.id);
        for change in &cx.db.record().noted {
            self.tell(cx.settings, Happened::of(change, by), ledger.broadcast);
        }
        if cx.db.record().flushed {
            self.tracking.flushed(&cx.settings.output);
        }
    }
}

/// A handler broke its contract: crash rather than let copies drift apart.
#[cold]
fn broken(request: &Resolved<'_>, what: &str) -> ! {
    panic!("command {} {what}", request.spec.name)
}
