//! Who hears of what happens to a key: clients that may have it in a memory of their own, and
//! subscribers of keyspace events, which are messages on two channels, one named after the key
//! and one after the event (`notify-keyspace-events`), and on up to four more where the elements of
//! the value are known that changed.
//!
//! All hear of it with the locks still held under which the change was logged, so that the order of
//! messages about a key is the order of the log, and no reader of the old value hears of the
//! change before it has the value.

use crate::Engine;
use command::{Changed, Cx, Resolved, Settings};
use config::events;
use keyspace::{Change, Db, Event, Extent, Record};

/// Something that happened to a key.
#[derive(Clone, Copy)]
pub(crate) struct Happened<'a> {
    pub db: u32,
    pub key: &'a [u8],
    pub event: Event,
    /// The elements of the value that it happened to, as far as known.
    pub elements: &'a [Vec<u8>],
    /// The client that did it.
    pub by: Option<u64>,
}

impl<'a> Happened<'a> {
    pub(crate) fn of(change: &'a Change, by: Option<u64>) -> Self {
        let Change { db, key, event, elements } = change;
        Self { db: *db, key, event: *event, elements, by }
    }
}

impl Engine {
    /// Lets a record note what happens to keys, as far as anybody wants to know. Asked under the
    /// locks of a command.
    #[inline]
    pub(crate) fn listen(&self, settings: &Settings, record: &mut Record) {
        let notifies = self.notifies(settings);
        record.listening = notifies || self.tracking.active();
        record.naming = notifies && settings.notify_events & events::SUBKEYS != 0;
    }

    #[inline]
    fn notifies(&self, settings: &Settings) -> bool {
        const CHANNELS: u32 = events::KEYSPACE | events::KEYEVENT | events::SUBKEYS;
        settings.notify_events & CHANNELS != 0 && self.pubsub.has_listeners()
    }

    /// Tells those who listen what happened to a key: called under the lock of its shard, after the
    /// change is in the journal. Who hears of all changes hears of it when the batch ends.
    pub(crate) fn tell(
        &self,
        settings: &Settings,
        happened: Happened<'_>,
        broadcast: &mut Changed,
    ) {
        let Happened { key, event, by, .. } = happened;
        if self.tracking.active() && event.is_change() && event.extent == Extent::Value {
            let (_, shard) = self.space.place(key);
            self.tracking.changed((shard.index(), key), by, &settings.output);
            if self.tracking.prefixes() > 0 {
                // A walk or a script does not say what it has met expired.
                let by = by.filter(|_| event != Event::EXPIRED);
                broadcast.insert(key.to_vec(), by);
            }
        }
        if settings.notify_events & event.class as u32 != 0 && self.notifies(settings) {
            self.notify(settings, happened);
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

    fn notify(&self, settings: &Settings, happened: Happened<'_>) {
        let Happened { db, key, event, elements, .. } = happened;
        let name = event.name.as_bytes();
        if settings.notify_events & events::KEYSPACE != 0 {
            let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
            self.pubsub.publish(&channel, name, &settings.output);
        }
        if settings.notify_events & events::KEYEVENT != 0 {
            let channel = [format!("__keyevent@{db}__:").as_bytes(), name].concat();
            self.pubsub.publish(&channel, key, &settings.output);
        }
        if !elements.is_empty() && settings.notify_events & events::SUBKEYS != 0 {
            self.notify_of_elements(settings, happened);
        }
    }

    /// Lengths make the payloads unambiguous; a channel that would be ambiguous is left out.
    fn notify_of_elements(&self, settings: &Settings, happened: Happened<'_>) {
        let Happened { db, key, event, elements, .. } = happened;
        let name = event.name.as_bytes();
        let wanted = |channel: u32| settings.notify_events & channel != 0;
        let publish = |channel: &[&[u8]], message: &[u8]| {
            self.pubsub.publish(&channel.concat(), message, &settings.output);
        };
        let mut named = Vec::new();
        for element in elements {
            if !named.is_empty() {
                named.push(b',');
            }
            with_length(&mut named, element);
        }
        if wanted(events::SUBKEYSPACE) {
            let channel = format!("__subkeyspace@{db}__:");
            publish(&[channel.as_bytes(), key], &[name, b"|", &named].concat());
        }
        if wanted(events::SUBKEYEVENT) {
            let channel = format!("__subkeyevent@{db}__:");
            let mut message = Vec::new();
            with_length(&mut message, key);
            message.push(b'|');
            message.extend_from_slice(&named);
            publish(&[channel.as_bytes(), name], &message);
        }
        if wanted(events::SUBKEYSPACEITEM) && !key.contains(&b'\n') {
            let channel = format!("__subkeyspaceitem@{db}__:");
            for element in elements {
                publish(&[channel.as_bytes(), key, b"\n", element], name);
            }
        }
        if wanted(events::SUBKEYSPACEEVENT) {
            let channel = format!("__subkeyspaceevent@{db}__:");
            publish(&[channel.as_bytes(), name, b"|", key], &named);
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

/// Appends a name behind its length and a colon.
fn with_length(out: &mut Vec<u8>, name: &[u8]) {
    out.extend_from_slice(name.len().to_string().as_bytes());
    out.push(b':');
    out.extend_from_slice(name);
}
