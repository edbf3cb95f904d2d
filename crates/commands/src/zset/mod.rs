//! The sorted set family. What a sorted set is, how it changes shape and what a range means in ranks
//! is `types::zset`. Here: arguments, answers, and what the journal is told.
//!
//! All commands but ZMPOP and those of expiry are logged as sent: they do the same wherever they are
//! replayed. Replies
//! of more than some hundred members are written outside the locks, from an O(1) clone.

pub(crate) mod add;
mod blocking;
mod combine;
mod expire;
mod pop;
mod random;
mod range;
mod read;
mod remove;
mod scan;

use crate::element::reply_element;
use command::{Command, KeyFlags, KeySpec};
use resp::Reply;
use types::listpack::Element;

/// The rows of the family.
pub(crate) const COMMANDS: &[Command] = &[
    blocking::BZMPOP,
    blocking::BZPOPMAX,
    blocking::BZPOPMIN,
    add::ZADD,
    read::ZCARD,
    expire::ZCOLLECT,
    read::ZCOUNT,
    combine::ZDIFF,
    combine::ZDIFFSTORE,
    expire::ZEXPIRE,
    expire::ZEXPIREAT,
    expire::ZEXPIRETIME,
    add::ZINCRBY,
    combine::ZINTER,
    combine::ZINTERCARD,
    combine::ZINTERSTORE,
    read::ZLEXCOUNT,
    pop::ZMPOP,
    read::ZMSCORE,
    expire::ZPERSIST,
    expire::ZPEXPIRE,
    expire::ZPEXPIREAT,
    expire::ZPEXPIRETIME,
    pop::ZPOPMAX,
    pop::ZPOPMIN,
    expire::ZPTTL,
    random::ZRANDMEMBER,
    range::ZRANGE,
    range::ZRANGEBYLEX,
    range::ZRANGEBYSCORE,
    range::ZRANGESTORE,
    read::ZRANK,
    remove::ZREM,
    remove::ZREMRANGEBYLEX,
    remove::ZREMRANGEBYRANK,
    remove::ZREMRANGEBYSCORE,
    range::ZREVRANGE,
    range::ZREVRANGEBYLEX,
    range::ZREVRANGEBYSCORE,
    read::ZREVRANK,
    scan::ZSCAN,
    read::ZSCORE,
    expire::ZTTL,
    combine::ZUNION,
    combine::ZUNIONSTORE,
];

/// One key whose members are read.
const READ: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RO.or(KeyFlags::ACCESS))];

/// Replies with more members than this are written outside the locks.
const LONG_REPLY_MIN: usize = 512;

/// Opens a list of `len` members, with their scores or without.
fn open_members(reply: &mut Reply, len: usize, with_scores: bool) {
    if with_scores { reply.pairs(len) } else { reply.array(len) }
}

/// One member of such a list.
#[inline]
fn reply_listed(reply: &mut Reply, member: Element<'_>, score: f64, with_scores: bool) {
    if with_scores {
        reply.pair();
        reply_element(reply, member);
        reply.double(score);
    } else {
        reply_element(reply, member);
    }
}
