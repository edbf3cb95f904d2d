//! The way of effects to the journal: what happened becomes one record, composed of commands.

use crate::WorkerStats;
use command::{Changed, CommandError, Cx, Effect, Outcome, Resolved, deletion};
use journal::{Frame, Lsn, Room, Writer};

/// Where effects go: room that was secured before any lock, and what counts.
pub struct Ledger<'a> {
    pub(crate) writer: &'a mut Writer,
    pub(crate) room: &'a mut Room,
    pub(crate) stats: &'a WorkerStats,
    /// The record of the transaction that runs.
    pub(crate) transaction: Option<&'a mut Composed>,
    /// What changed, for those who hear of all changes.
    pub(crate) broadcast: &'a mut Changed,
}

/// A record under way.
#[derive(Debug)]
pub(crate) struct Composed {
    bytes: Vec<u8>,
    commands: u32,
    /// The database in which the record begins.
    db: u32,
    /// The database that is selected behind what is there.
    selected: u32,
    /// What happens is not told: `redis.set_repl(redis.REPL_NONE)`.
    pub muted: bool,
}

impl Composed {
    pub(crate) fn new(db: u32) -> Self {
        Self { bytes: Vec::new(), commands: 0, db, selected: db, muted: false }
    }

    fn select(&mut self, db: u32) {
        if self.selected != db {
            resp::write_command(&mut self.bytes, &[b"SELECT", db.to_string().as_bytes()]);
            self.selected = db;
        }
    }

    /// Adds one command's effect.
    fn add(&mut self, cx: &Cx<'_>, request: &Resolved<'_>, outcome: &Outcome) {
        if self.muted {
            return;
        }
        if self.bytes.is_empty() {
            (self.db, self.selected) = (cx.db.index(), cx.db.index());
        }
        for (db, key) in &cx.db.record().expired {
            self.select(*db);
            resp::write_command(&mut self.bytes, &[deletion(cx.settings.lazy_expire), key]);
            self.commands += 1;
        }
        for gone in &cx.db.record().elements {
            self.select(gone.db);
            resp::write_command(&mut self.bytes, &gone.command());
            self.commands += 1;
        }
        if as_sent(cx, outcome) {
            self.select(cx.db.index());
            resp::write_command(&mut self.bytes, request.args);
            self.commands += 1;
        } else if cx.log.commands > 0 {
            self.select(cx.db.index());
            self.bytes.extend_from_slice(&cx.log.bytes);
            self.commands += cx.log.commands;
        }
    }

    /// Bytes of what there is.
    pub(crate) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Appends the record, a transaction if it is several commands. `None` if it is empty.
    pub(crate) fn write(self, writer: &mut Writer, room: &mut Room) -> Option<Lsn> {
        let frame = match self.commands {
            0 => return None,
            1 => Frame::new(self.db),
            _ => Frame::transaction(self.db),
        };
        let around = journal::TRANSACTION_BYTES + journal::SELECT_BYTES_MAX;
        let bytes = self.bytes.len() as u64 + around;
        if bytes > room.left_bytes() {
            // What a command does may be longer than what it says. Only memory can be short.
            let enlarged = writer.extend(room, bytes, 1);
            assert!(enlarged.is_ok(), "the journal has no memory for {bytes} bytes of effects");
        }
        Some(writer.append(room, frame.ending_in(self.selected), &[&self.bytes]))
    }
}

/// Whether the handler's own words are what the log is told.
fn as_sent(cx: &Cx<'_>, outcome: &Outcome) -> bool {
    match outcome {
        Ok(Effect::Same) => cx.db.record().changed_beyond_expiry(),
        Ok(Effect::Relay) => true,
        _ => false,
    }
}

impl Ledger<'_> {
    /// Appends one command's effect, as a record of its own or to that of the transaction.
    pub(crate) fn append(&mut self, cx: &mut Cx<'_>, request: &Resolved<'_>, outcome: &Outcome) {
        let record = cx.db.record();
        let changed = u64::from(as_sent(cx, outcome) && record.changed_beyond_expiry());
        let commands = changed.max(u64::from(cx.log.commands));
        self.stats.changes.add(record.expired.len() as u64 + commands);
        if !self.room.active() {
            return;
        }
        if let Some(transaction) = &mut self.transaction {
            return transaction.add(cx, request, outcome);
        }
        let mut record = Composed::new(cx.db.index());
        record.add(cx, request, outcome);
        if let Some(lsn) = record.write(self.writer, self.room) {
            cx.session.wrote = lsn.0;
            cx.db.stamp(lsn.0);
        }
    }

    #[cold]
    pub(crate) fn failed(&self, error: &CommandError) {
        self.stats.error(error.code());
    }
}
