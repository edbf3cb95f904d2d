//! What a script has done that others hear of, kept until the script has ended: they hear of all of
//! it or of nothing, and after the journal has it.

use crate::{Cx, Topic};
use keyspace::Change;

/// One piece of news.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A key changed.
    Change(Change),
    /// Whole databases changed.
    Flushed,
    /// PUBLISH or SPUBLISH.
    Message { topic: Topic, channel: Vec<u8>, message: Vec<u8> },
}

impl Cx<'_> {
    /// Hands a message to the subscribers of a channel, or of one of a shard: at once, or when the
    /// script has ended. Returns how many times it is handed out.
    pub fn publish(&mut self, topic: Topic, channel: &[u8], message: &[u8]) -> usize {
        match &mut self.news {
            None => self.pubsub.publish_to(topic, channel, message, &self.settings.output),
            Some(news) => {
                let (channel, message) = (channel.to_vec(), message.to_vec());
                let receivers = self.pubsub.receivers(topic, &channel);
                news.push(News::Message { topic, channel, message });
                receivers
            }
        }
    }
}
