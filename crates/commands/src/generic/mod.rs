//! The generic family: commands on keys whatever they hold, and on whole databases. (DBSIZE,
//! SWAPDB, FLUSHDB and FLUSHALL are documented under the group `server`; they work on keys, so
//! they live here.)
//!
//! The journal is told moments and not spans: the EXPIRE family is logged as PEXPIREAT, and as
//! UNLINK where the moment has passed. All else is logged as sent.

mod copy;
mod database;
mod delete;
mod expire;
mod members;
mod object;
mod scan;
mod stick;
#[cfg(test)]
mod tests;
mod wait;

use command::{Args, Command, CommandError, Cx, KeyFlags, KeySpec};

/// The rows of the family.
pub(crate) const COMMANDS: &[Command] = &[
    copy::COPY,
    database::DBSIZE,
    delete::DEL,
    delete::EXISTS,
    delete::EXPDEL,
    expire::EXPIRE,
    expire::EXPIREAT,
    members::EXPIREMEMBER,
    members::EXPIREMEMBERAT,
    expire::EXPIRETIME,
    members::FIELDEXPIRE,
    members::FIELDTTL,
    database::FLUSHALL,
    database::FLUSHDB,
    delete::MEXISTS,
    scan::KEYS,
    copy::MOVE,
    object::OBJECT,
    expire::PERSIST,
    expire::PEXPIRE,
    expire::PEXPIREAT,
    members::PEXPIREMEMBERAT,
    expire::PEXPIRETIME,
    expire::PTTL,
    scan::RANDOMKEY,
    copy::RENAME,
    copy::RENAMENX,
    scan::RM,
    scan::SCAN,
    stick::STICK,
    database::SWAPDB,
    delete::TOUCH,
    expire::TTL,
    delete::TYPE,
    delete::UNLINK,
    wait::WAIT,
    wait::WAITAOF,
];

/// All arguments are keys that are looked at but not into.
const KEYS_SEEN: &[KeySpec] = &[KeySpec::from(1, 1, KeyFlags::RO)];

/// The next word as the index of a database.
fn database(cx: &Cx<'_>, args: &mut Args<'_>) -> Result<u32, CommandError> {
    let index = i32::try_from(args.integer()?).map_err(|_| CommandError::NotAnInt)?;
    valid_database(cx, index)
}

/// `index` if there is such a database.
fn valid_database(cx: &Cx<'_>, index: i32) -> Result<u32, CommandError> {
    u32::try_from(index)
        .ok()
        .filter(|index| *index < cx.settings.databases)
        .ok_or(CommandError::DbIndexOutOfRange)
}
