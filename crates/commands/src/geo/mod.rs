//! The geo family: places as members of a sorted set, whose scores are geohashes. The arithmetic is
//! `types::geo`; a geo index is a sorted set in every respect, and ZREM, ZRANGE and the rest work on
//! it.
//!
//! GEORADIUS and GEORADIUSBYMEMBER may store what they find: the target is a key that stands behind
//! a word, and a request with two such words of one kind is refused.

mod add;
mod query;
mod read;
mod search;

use command::grammar::{one_of, word};
use command::{Args, Argument, Command, CommandError, KeyFlags, KeySpec};
use types::geo::Point;

/// The rows of the family.
pub(crate) const COMMANDS: &[Command] = &[
    add::GEOADD,
    read::GEODIST,
    read::GEOHASH,
    read::GEOPOS,
    search::GEORADIUS,
    search::GEORADIUSBYMEMBER,
    search::GEORADIUSBYMEMBER_RO,
    search::GEORADIUS_RO,
    search::GEOSEARCH,
    search::GEOSEARCHSTORE,
];

/// The unit of a distance.
const UNIT: Argument =
    one_of("unit", &[word("m", "m"), word("km", "km"), word("ft", "ft"), word("mi", "mi")]);

/// One key whose places are read.
const READ: &[KeySpec] = &[KeySpec::at(1, KeyFlags::RO.or(KeyFlags::ACCESS))];

/// The next two words as longitude and latitude.
fn point(args: &mut Args<'_>) -> Result<Point, CommandError> {
    let (longitude, latitude) = (args.double()?, args.double()?);
    Point::new(longitude, latitude).ok_or_else(|| {
        CommandError::err(format_args!(
            "invalid longitude,latitude pair {longitude:.6},{latitude:.6}"
        ))
    })
}

/// The next word as a unit: how many meters it has.
fn unit(args: &mut Args<'_>) -> Result<f64, CommandError> {
    const UNITS: [(&[u8], f64); 4] =
        [(b"m", 1.0), (b"km", 1000.0), (b"ft", 0.3048), (b"mi", 1609.34)];
    let word = args.bytes()?;
    let known = UNITS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name));
    known.map(|(_, meters)| *meters).ok_or(CommandError::UnknownUnit)
}

/// A distance as it is answered: four digits after the point.
fn distance_text(distance: f64) -> Vec<u8> {
    let mut text = Vec::new();
    stdx::num::write_f64_fixed(&mut text, distance, 4);
    text
}
