//! Publish and subscribe. Who is subscribed is kept by `command::PubSub`; what a subscriber gets
//! besides the confirmations written here reaches it through the inbox of its card.

mod introspection;
mod publish;
mod subscribe;
#[cfg(test)]
mod tests;

use command::{Command, Flags, Group, Handler};

/// The rows of the family.
pub(crate) const COMMANDS: &[Command] = &[
    publish::MPUBLISH,
    subscribe::PSUBSCRIBE,
    publish::PUBLISH,
    introspection::PUBSUB,
    subscribe::PUNSUBSCRIBE,
    publish::SPUBLISH,
    subscribe::SSUBSCRIBE,
    subscribe::SUBSCRIBE,
    subscribe::SUNSUBSCRIBE,
    subscribe::UNSUBSCRIBE,
];

/// What all of the family have in common.
const fn pubsub(name: &'static str, handler: Handler, arity: i16) -> Command {
    Command::conn(name, handler).group(Group::Pubsub).arity(arity).flags(COMMON)
}

const COMMON: Flags = Flags::PUBSUB.or(Flags::LOADING).or(Flags::STALE);
