//! The hash family. How a hash is kept, and when it changes its shape, is `types::hash`; how fields
//! expire is `keyspace::elements`. Here: arguments, answers, and what the journal is told.
//!
//! Reads show the fields whose time has not passed. A write first deletes those among the fields it
//! names whose time has, so that it meets what it shows. The journal is told outcomes: HGETEX,
//! HSETEX and the HEXPIRE family become HPEXPIREAT, HPERSIST, HSETEX with PXAT, or HDEL.
//!
//! What answers many fields does so from a clone of the hash, outside the lock: see `walk`.

mod counters;
mod expire;
mod get;
mod getex;
mod import;
mod lex;
mod nested;
mod set;
mod setex;
mod times;
mod walk;

use command::grammar::{Argument, block, integer, string};
use command::{Command, KeyFlags, KeySpec};
use keyspace::Event;

/// The rows of the family.
pub(crate) const COMMANDS: &[Command] = &[
    expire::HCOLLECT,
    set::HDEL,
    get::HEXISTS,
    expire::HEXPIRE,
    expire::HEXPIREAT,
    times::HEXPIRETIME,
    get::HGET,
    walk::HGETALL,
    getex::HGETDEL,
    getex::HGETEX,
    import::HIMPORT,
    counters::HINCRBY,
    counters::HINCRBYFLOAT,
    walk::HKEYS,
    get::HLEN,
    get::HMGET,
    set::HMSET,
    expire::HPERSIST,
    expire::HPEXPIRE,
    expire::HPEXPIREAT,
    times::HPEXPIRETIME,
    times::HPTTL,
    walk::HRANDFIELD,
    lex::HRANGEBYLEX,
    walk::HSCAN,
    set::HSET,
    setex::HSETEX,
    set::HSETEXPIRE,
    set::HSETNX,
    get::HSTRLEN,
    times::HTTL,
    walk::HVALS,
    set::HRENAME,
    nested::NHGET,
    nested::NHSET,
];

const READ: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RO.or(KeyFlags::ACCESS))];
const LOOK: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RO)];
const UPDATE: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RW.or(KeyFlags::UPDATE))];

const HSET_EVENT: Event = Event::hash("hset");
const HDEL_EVENT: Event = Event::hash("hdel");
const HEXPIRE_EVENT: Event = Event::hash("hexpire");
const HPERSIST_EVENT: Event = Event::hash("hpersist");

/// `FIELDS numfields field [field ...]`.
const FIELDS: Argument =
    block("fields", &[integer("numfields").samples(&["1", "2"]), string("field").many()])
        .token("FIELDS");
