//! What walks meet expired: SCAN and RANDOMKEY hold no shard when they have their answer, so the
//! keys are deleted afterwards, each under the lock of its shard, if they are still there then.

use crate::batch::{Locked, Run};
use crate::evict::append_deletion;
use crate::notify::Happened;
use command::deletion;
use keyspace::{Db, Stale};
use lock::Participant;

impl Run<'_, '_> {
    /// Deletes, through the log, what the last command has met expired. Called without locks or pass.
    #[inline]
    pub(crate) fn expire_met(&mut self, participant: &mut Participant) {
        if !self.record.met.is_empty() {
            self.expire_some(participant);
        }
    }

    #[cold]
    fn expire_some(&mut self, participant: &mut Participant) {
        let met = std::mem::take(&mut self.record.met);
        // Where a script is in the way they stay until they are met again.
        let Ok(pass) = self.engine.space.reach_pass(participant) else { return };
        self.look_again();
        // A pause that began meanwhile has closed the gate, and counts on nothing going on.
        if self.settings.import_mode || self.engine.pause.active((self.now.wall)()) {
            return;
        }
        for (db, key) in met {
            self.expire_one(db, key);
        }
        drop(pass);
    }

    fn expire_one(&mut self, index: u32, key: Vec<u8>) {
        let (space, by) = (&self.engine.space, Some(self.session.card.id));
        let (_, shard) = space.place(&key);
        let Ok(mut held) = space.reach_one(shard) else { return };
        let now_ms = space.now_under_locks(self.now.wall_ms);
        self.engine.listen(self.settings, self.record);
        self.record.stale.push(Stale { db: index, key: key.clone(), missed: false });
        let mut db = Db::under_one(&mut held, self.record, index, now_ms);
        db.expire_stale(|bytes| space.place(bytes));
        if db.record().changes > 0 {
            let words = [deletion(self.settings.lazy_expire), &*key];
            let lsn = append_deletion(self.writer, &mut self.room, index, &words);
            db.stamp(lsn);
            self.stats.changes.add(1);
            space.count_expired(1, now_ms);
            for change in self.record.noted.drain(..) {
                let happened = Happened::of(&change, by);
                self.engine.tell(self.settings, happened, self.broadcast);
            }
        }
        self.record.clear();
        if !self.record.ready.is_empty() {
            self.serve_ready(&mut Locked::One(&mut held), now_ms);
        }
    }
}
