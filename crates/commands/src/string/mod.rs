//! The string family. How a string is stored and when it counts as expired is the keyspace's; its
//! pure parts (ranges, LCS, digests) are `types::string`. Here: arguments, answers, and what the
//! journal is told.
//!
//! The journal is told outcomes. A relative time is logged as PXAT, a condition is left out, a sum
//! of floats is logged as the SET of its result, and a deletion as DEL; so replaying needs neither
//! clock nor luck. A tag follows from what was there, so that it is not told.
//!
//! A time that lies in the past when it is set deletes the key at once, whatever the command: SET,
//! MSETEX and their kin as an expiry (event `expired`), GETEX and INCREX as a deletion (`del`).

mod conditional;
mod counters;
mod expiration;
mod get;
mod increx;
mod lcs;
mod multi;
mod ranges;
mod set;
mod tag;
#[cfg(test)]
mod tests;
mod throttle;

use command::{Command, KeyFlags, KeySpec};
use keyspace::{Event, Str};
use resp::Reply;

/// The rows of the family.
pub(crate) const COMMANDS: &[Command] = &[
    ranges::APPEND,
    conditional::CAD,
    conditional::CAS,
    throttle::CL_THROTTLE,
    counters::DECR,
    counters::DECRBY,
    conditional::DELEX,
    conditional::DELIFEQ,
    tag::DELIFGREATER,
    conditional::DIGEST,
    get::GET,
    get::GETDEL,
    get::GETEX,
    tag::GETIFNOTMATCH,
    ranges::GETRANGE,
    set::GETSET,
    tag::GETWITHETAG,
    counters::INCR,
    counters::INCRBY,
    counters::INCRBYFLOAT,
    increx::INCREX,
    lcs::LCS,
    multi::MGET,
    multi::MSET,
    multi::MSETEX,
    multi::MSETNX,
    ranges::PREPEND,
    set::PSETEX,
    set::SET,
    set::SETEX,
    tag::SETIFGREATER,
    tag::SETIFMATCH,
    set::SETNX,
    ranges::SETRANGE,
    tag::SETWITHETAG,
    lcs::STRALGO,
    ranges::STRLEN,
    ranges::SUBSTR,
];

/// The event of a value written whole.
const SET_EVENT: Event = Event::string("set");
const EXPIRE_EVENT: Event = Event::generic("expire");
const DEL_EVENT: Event = Event::generic("del");

/// One key whose value is read.
const READ: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RO.or(KeyFlags::ACCESS))];
/// One key whose value is returned and changed.
const MODIFY: &[KeySpec] =
    &[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::ACCESS).or(KeyFlags::UPDATE))];

/// Answers a string: short ones by copy, long ones by reference.
#[inline]
fn reply_str(reply: &mut Reply, value: &Str<'_>) {
    match value {
        Str::Int(number) => reply.bulk_integer(*number),
        Str::Bytes(bytes) => reply.bulk(bytes),
        Str::Long(shared) => reply.bulk_shared::<Vec<u8>>(shared),
    }
}
