//! MONITOR: clients that are shown every command that runs, as a line.
//!
//! Lines are handed out with the locks of the command still held, so that those of commands on the
//! same key are in the order in which they ran. While nobody monitors, that is one load.

use crate::mail::{Letter, OutputLimits};
use crate::{Card, ClientFlags, Flags, Resolved, Session};
use parking_lot::RwLock;
use resp::Chunk;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use stdx::quote::repr;

/// All clients that monitor.
#[derive(Debug, Default)]
pub struct Monitors {
    count: AtomicUsize,
    cards: RwLock<BTreeMap<u64, Arc<Card>>>,
}

impl Monitors {
    /// Whether anybody monitors.
    #[inline]
    pub fn active(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// The client monitors from now on.
    pub fn join(&self, session: &Session) {
        let card = &session.card;
        card.set(ClientFlags::MONITOR, true);
        let mut cards = self.cards.write();
        cards.insert(card.id, Arc::clone(card));
        self.count.store(cards.len(), Ordering::Relaxed);
    }

    pub fn leave(&self, session: &Session) {
        let card = &session.card;
        if card.has(ClientFlags::MONITOR) {
            card.set(ClientFlags::MONITOR, false);
            let mut cards = self.cards.write();
            cards.remove(&card.id);
            self.count.store(cards.len(), Ordering::Relaxed);
        }
    }

    /// Shows a command of `session`, or of its script, that has run at `micros` (since 1970), with the
    /// database that is selected now. What administers is not shown, and secrets are left out.
    #[cold]
    pub fn show(
        &self,
        session: &Session,
        request: &Resolved<'_>,
        micros: i64,
        by_script: bool,
        limits: &OutputLimits,
    ) {
        // What runs a script is shown before what the script calls, by who runs it.
        let (flags, place) = (request.spec.flags, request.spec.place);
        if flags.has(Flags::ADMIN) || flags.has(Flags::SKIP_MONITOR) && !place.is_script() {
            return;
        }
        let card = &session.card;
        let unix = card.has(ClientFlags::UNIX_SOCKET);
        let from = match &card.addr[..] {
            _ if by_script => "lua".to_owned(),
            path if unix => format!("unix:{}", path.trim_end_matches(":0")),
            addr => addr.to_owned(),
        };
        let line = line(&from, session.db, request, micros);
        let letter = Letter::Plain(Chunk::new(Arc::new(line)));
        for card in self.cards.read().values() {
            card.deliver(letter.clone(), limits);
        }
    }
}

/// `+1339518083.107412 [0 127.0.0.1:60866] "get" "key"`
fn line(from: &str, db: u32, request: &Resolved<'_>, micros: i64) -> Vec<u8> {
    let mut line = Vec::new();
    let (seconds, micros) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
    write!(line, "+{seconds}.{micros:06} [{db} {from}]").expect("a vector takes any bytes");
    for (at, word) in request.args.iter().enumerate() {
        line.push(b' ');
        let secret = request.spec.secrets.is_some_and(|secret| secret(request.args, at));
        repr(&mut line, if secret { b"(redacted)" } else { word });
    }
    line.extend_from_slice(b"\r\n");
    line
}
