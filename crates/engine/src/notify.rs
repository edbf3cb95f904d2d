//! Who hears of what happens to a key: clients that may have it in a memory of their own, and
//! subscribers of keyspace events, which are messages on two channels, one named after the key
//! and one after the event (`notify-keyspace-events`).
//!
//! All hear of it with the locks still held under which the change was logged, so that the order of
//! messages about a key is the order of the log, and no reader of the old value hears of the
//! change before it has the value.

use crate::Engine;
use command::{Changed, Cx, Resolved, Settings};
use config::events;
use keyspace::{Db, Event, Record};

/// Something that happened to a key.
#[derive(Clone, Copy)]
pub(crate) struct Happened<'a> {
    pub db: u32,
    pub key: &'a [u8],
    pub event: Event,
    /// The client that did it.
    pub by: Option<u64>,
}

impl Engine {
    /// Whether what happens to keys is to be noted. Asked under the locks of a command.
    #[inline]
    pub(crate) fn listens(&self, settings: &Settings) -> bool {
        self.tracking.active() || self.notifies(settings)
    }

    #[inline]
    fn notifies(&self, settings: &Settings) -> bool {
        settings.notify_events & (events::KEYSPACE | events::KEYEVENT) != 0
            && self.pubsub.has_listeners()
    }

    /// Tells those who listen what happened to a key: called under the lock of its shard, after the
    /// change is in the journal. Who hears of all changes hears of it when the batch ends.
    pub(crate) fn tell(
        &self,
        settings: &Settings,
        happened: Happened<'_>,
        broadcast: &mut Changed,
    ) {
        let Happened { db, key, event, by } = happened;
        if self.tracking.active() && event.is_change() {
            let (_, shard) = self.space.place(key);
            self.tracking.changed((shard.index(), key), by, &settings.output);
            if self.tracking.prefixes() > 0 {
                // A walk or a script does not say what it has met expired.
                let by = by.filter(|_| event != Event::EXPIRED);
                broadcast.insert(key.to_vec(), by);
            }
        }
        if settings.notify_events & event.class as u32 != 0 && self.notifies(settings) {
            self.notify(settings, db, key, event);
        }
    }

    /// What a file holds takes the place of the data, or comes on top of them if they are not to be
    /// emptied: whoever keeps keys forgets them. The write gate is closed.
    pub fn make_way(&self, empties: bool, now_ms: i64) {
        let mut record = Record::default();
        let mut held = self.space.hold_all();
        if empties {
            Db::under_many(&mut held, &mut record, 0, now_ms).flush(None);
        }
        self.tracking.flushed(&self.settings().output);
        drop(held);
        self.space.dispose(&mut record.garbage);
    }

    fn notify(&self, settings: &Settings, db: u32, key: &[u8], event: Event) {
        let name = event.name.as_bytes();
        if settings.notify_events & events::KEYSPACE != 0 {
            let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
            self.pubsub.publish(&channel, name, &settings.output);
        }
        if settings.notify_events & events::KEYEVENT != 0 {
            let channel = [format!("__keyevent@{db}__:").as_bytes(), name].concat();
            self.pubsub.publish(&channel, key, &settings.output);
        }
    }

    /// The client may keep what it has read: it is remembered under the locks of the read.
    #[cold]
    pub(crate) fn remember(&self, cx: &Cx<'_>, request: &Resolved<'_>) {
        let settings = cx.settings;
        for key in request.keys {
            let key = (key.shard().index(), key.bytes());
            self.tracking.remember(cx.session, key, settings.tracking_keys_max, &settings.output);
        }
    }

    /// Tells clients that hear of all changes what has changed.
    pub(crate) fn broadcast(&self, changed: &mut Changed, settings: &Settings) {
        if !changed.is_empty() {
            self.tracking.broadcast(changed, &settings.output);
        }
    }
}
