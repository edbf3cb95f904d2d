//! Keyspace events as messages: what happens to a key is published on two channels, one named after
//! the key and one after the event (`notify-keyspace-events`).
//!
//! They are handed out with the locks still held under which the change was logged, so that the
//! order of messages about a key is the order of the log.

use crate::Engine;
use command::Settings;
use config::events;
use keyspace::Event;

impl Engine {
    /// Whether what happens to keys is to be noted for messages.
    #[inline]
    pub(crate) fn notifies(&self, settings: &Settings) -> bool {
        settings.notify_events & (events::KEYSPACE | events::KEYEVENT) != 0
            && self.pubsub.has_listeners()
    }

    /// Tells those who listen what happened to a key: called under the lock of its shard, after the
    /// change is in the journal.
    pub(crate) fn tell(&self, settings: &Settings, db: u32, key: &[u8], event: Event) {
        let mask = settings.notify_events;
        if mask & event.class as u32 == 0 || !self.notifies(settings) {
            return;
        }
        let name = event.name.as_bytes();
        if mask & events::KEYSPACE != 0 {
            let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
            self.pubsub.publish(&channel, name, &settings.output);
        }
        if mask & events::KEYEVENT != 0 {
            let channel = [format!("__keyevent@{db}__:").as_bytes(), name].concat();
            self.pubsub.publish(&channel, key, &settings.output);
        }
    }
}
