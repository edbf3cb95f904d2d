//! The bitmap family: strings as rows of bits. The bits themselves are `types::bits`; here are
//! arguments, answers, and where the strings come from and go to.

mod count;
mod field;
mod op;
mod single;

use command::Command;
use keyspace::Event;

/// The rows of the family.
pub(crate) const COMMANDS: &[Command] = &[
    count::BITCOUNT,
    field::BITFIELD,
    field::BITFIELD_RO,
    op::BITOP,
    count::BITPOS,
    single::GETBIT,
    single::SETBIT,
];

const SETBIT_EVENT: Event = Event::string("setbit");

/// A bit's offset, or a field's; `unit` is the number of bits that an offset counts. A string may
/// not grow so far that it would exceed `bytes_max`.
fn offset(text: &[u8], unit: u64, bytes_max: u64) -> Option<u64> {
    let offset = u64::try_from(stdx::num::parse_i64(text)?).ok()?.checked_mul(unit)?;
    (i64::try_from(offset).is_ok() && offset / 8 < bytes_max).then_some(offset)
}
