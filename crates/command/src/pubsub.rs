//! Who is subscribed to what: channels, patterns of channels, and channels of a shard (which in a
//! cluster stay with the node that serves their slot).
//!
//! A channel belongs to one of several parts, each under a lock that is held while a message is
//! handed out: all subscribers of a channel see its messages in one order, and a publisher's
//! messages in the order in which it sent them. Lock order: part, patterns, inboxes.
//!
//! A message is no change of data: it does not go to the journal, as Redis keeps it out of the AOF.

use crate::mail::{Letter, OutputLimits};
use crate::{Card, ClientFlags, Session};
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use stdx::glob;
use stdx::hash::{Map, Seed, sip13};

/// What one may subscribe to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    Channel,
    Pattern,
    Shard,
}

impl Topic {
    const ALL: [Self; 3] = [Self::Channel, Self::Pattern, Self::Shard];

    /// The kind of the replies and pushes: to subscribing, to unsubscribing, and of a message.
    pub fn words(self) -> [&'static str; 3] {
        match self {
            Self::Channel => ["subscribe", "unsubscribe", "message"],
            Self::Pattern => ["psubscribe", "punsubscribe", "pmessage"],
            Self::Shard => ["ssubscribe", "sunsubscribe", "smessage"],
        }
    }
}

/// What one client is subscribed to, by [`Topic`].
#[derive(Debug, Default)]
pub struct Subscriptions {
    names: [BTreeSet<Arc<[u8]>>; 3],
}

impl Subscriptions {
    /// How many of `topic`.
    pub fn len(&self, topic: Topic) -> usize {
        self.names[topic as usize].len()
    }

    /// The names of `topic`, sorted.
    pub fn names(&self, topic: Topic) -> Vec<Arc<[u8]>> {
        self.names[topic as usize].iter().cloned().collect()
    }

    pub fn is_empty(&self) -> bool {
        self.names.iter().all(BTreeSet::is_empty)
    }
}

/// Subscribers in the order of their ids.
type Subscribers = BTreeMap<u64, Arc<Card>>;
type Topics = Map<Arc<[u8]>, Subscribers>;

const PARTS: usize = 64;

/// All subscriptions of the server.
#[derive(Debug)]
pub struct PubSub {
    seed: Seed,
    /// Channels, and channels of a shard.
    parts: [Vec<Mutex<Topics>>; 2],
    patterns: RwLock<BTreeMap<Arc<[u8]>, Subscribers>>,
    /// Topics with a subscriber, by [`Topic`].
    counts: [AtomicUsize; 3],
}

impl PubSub {
    /// `seed`: of the hash of channel names.
    pub fn new(seed: Seed) -> Self {
        let parts = || (0..PARTS).map(|_| Mutex::new(Topics::with_hasher(seed))).collect();
        Self {
            seed,
            parts: [parts(), parts()],
            patterns: RwLock::default(),
            counts: Default::default(),
        }
    }

    fn part(&self, topic: Topic, name: &[u8]) -> &Mutex<Topics> {
        let of_shard = usize::from(topic == Topic::Shard);
        &self.parts[of_shard][(sip13(self.seed, name) % PARTS as u64) as usize]
    }

    /// Adds `session` to the subscribers of `name`; nothing happens if it is one.
    pub fn subscribe(&self, session: &mut Session, topic: Topic, name: &[u8]) {
        let own = session.subscriptions.get_or_insert_default();
        if own.names[topic as usize].contains(name) {
            return;
        }
        let name: Arc<[u8]> = name.into();
        own.names[topic as usize].insert(Arc::clone(&name));
        let card = &session.card;
        let add = |subscribers: &mut Subscribers| {
            if subscribers.is_empty() {
                self.counts[topic as usize].fetch_add(1, Ordering::Relaxed);
            }
            subscribers.insert(card.id, Arc::clone(card));
        };
        card.set(ClientFlags::PUBSUB, true);
        card.subscribed(topic, name.len(), true);
        match topic {
            Topic::Pattern => add(self.patterns.write().entry(name).or_default()),
            _ => add(self.part(topic, &name).lock().entry(Arc::clone(&name)).or_default()),
        }
    }

    /// Removes `session` from the subscribers of `name`, if it is one.
    pub fn unsubscribe(&self, session: &mut Session, topic: Topic, name: &[u8]) {
        let Some(own) = &mut session.subscriptions else { return };
        if !own.names[topic as usize].remove(name) {
            return;
        }
        let ended = own.is_empty();
        let card = &session.card;
        let remove = |subscribers: &mut Subscribers| {
            subscribers.remove(&card.id);
            let empty = subscribers.is_empty();
            self.counts[topic as usize].fetch_sub(usize::from(empty), Ordering::Relaxed);
            empty
        };
        if topic == Topic::Pattern {
            let mut patterns = self.patterns.write();
            if patterns.get_mut(name).is_some_and(remove) {
                patterns.remove(name);
            }
        } else {
            let mut topics = self.part(topic, name).lock();
            if topics.get_mut(name).is_some_and(remove) {
                topics.remove(name);
            }
        }
        card.subscribed(topic, name.len(), false);
        if ended {
            card.set(ClientFlags::PUBSUB, false);
            session.subscriptions = None;
        }
    }

    /// Ends all subscriptions of a client without telling it: RESET, or the end of the connection.
    pub fn leave(&self, session: &mut Session) {
        for topic in Topic::ALL {
            let names = session.subscriptions.as_ref().map(|own| own.names(topic));
            for name in names.unwrap_or_default() {
                self.unsubscribe(session, topic, &name);
            }
        }
    }

    /// Hands `message` to the subscribers of `channel`, and to those of patterns that match it.
    /// Returns how many times it was handed out.
    pub fn publish(&self, channel: &[u8], message: &[u8], limits: &OutputLimits) -> usize {
        if self.count(Topic::Channel) + self.count(Topic::Pattern) == 0 {
            return 0;
        }
        // Held to the end, so that messages of one channel overtake each other nowhere.
        let topics = self.part(Topic::Channel, channel).lock();
        let mut receivers = match topics.get(channel) {
            Some(subscribers) => hand_out(subscribers, &[b"message", channel, message], limits),
            None => 0,
        };
        if self.count(Topic::Pattern) > 0 {
            let patterns = self.patterns.read();
            for (pattern, subscribers) in &*patterns {
                if glob::matches(pattern, channel, false) {
                    let words = [b"pmessage", &**pattern, channel, message];
                    receivers += hand_out(subscribers, &words, limits);
                }
            }
        }
        receivers
    }

    /// Hands `message` to the subscribers of a channel of a shard; returns how many there are.
    pub fn publish_in_shard(&self, channel: &[u8], message: &[u8], limits: &OutputLimits) -> usize {
        let topics = self.part(Topic::Shard, channel).lock();
        topics.get(channel).map_or(0, |subscribers| {
            hand_out(subscribers, &[b"smessage", channel, message], limits)
        })
    }

    /// As `publish` or `publish_in_shard`, by the kind of the channel.
    pub fn publish_to(
        &self,
        topic: Topic,
        channel: &[u8],
        message: &[u8],
        limits: &OutputLimits,
    ) -> usize {
        match topic {
            Topic::Shard => self.publish_in_shard(channel, message, limits),
            Topic::Channel | Topic::Pattern => self.publish(channel, message, limits),
        }
    }

    /// How many times a message to the channel would be handed out now.
    pub fn receivers(&self, topic: Topic, channel: &[u8]) -> usize {
        let mut receivers = self.subscribers(topic, channel);
        if topic != Topic::Shard && self.count(Topic::Pattern) > 0 {
            let patterns = self.patterns.read();
            let of = patterns.iter().filter(|(name, _)| glob::matches(name, channel, false));
            receivers += of.map(|(_, subscribers)| live(subscribers)).sum::<usize>();
        }
        receivers
    }

    /// Whether anybody would get a message of any channel but those of shards.
    #[inline]
    pub fn has_listeners(&self) -> bool {
        self.count(Topic::Channel) + self.count(Topic::Pattern) > 0
    }

    /// How many topics have a subscriber.
    #[inline]
    pub fn count(&self, topic: Topic) -> usize {
        self.counts[topic as usize].load(Ordering::Relaxed)
    }

    /// Channels (not patterns) with a subscriber, those that match `pattern` if there is one.
    pub fn active(&self, topic: Topic, pattern: Option<&[u8]>) -> Vec<Arc<[u8]>> {
        let mut names = Vec::new();
        for part in &self.parts[usize::from(topic == Topic::Shard)] {
            let topics = part.lock();
            let live = topics.iter().filter(|(_, subscribers)| live(subscribers) > 0);
            let wanted =
                |name: &[u8]| pattern.is_none_or(|pattern| glob::matches(pattern, name, false));
            names.extend(live.filter(|(name, _)| wanted(name)).map(|(name, _)| Arc::clone(name)));
        }
        names
    }

    /// Subscribers of a channel (not of patterns).
    pub fn subscribers(&self, topic: Topic, name: &[u8]) -> usize {
        self.part(topic, name).lock().get(name).map_or(0, live)
    }
}

/// How many of them are not on their way out.
fn live(subscribers: &Subscribers) -> usize {
    subscribers.values().filter(|card| !card.killed()).count()
}

/// Gives all of them the push of these words, made once.
fn hand_out(subscribers: &Subscribers, words: &[&[u8]], limits: &OutputLimits) -> usize {
    let letter = Letter::words(words);
    let mut receivers = 0;
    for card in subscribers.values().filter(|card| !card.killed()) {
        card.deliver(letter.clone(), limits);
        receivers += 1;
    }
    receivers
}
