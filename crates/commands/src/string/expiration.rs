//! The expiration options that SET, GETEX, MSETEX and INCREX share: EX, PX, EXAT, PXAT, and
//! KEEPTTL or PERSIST where the command has them.

use command::CommandError;
use command::grammar::{Argument, integer, unix_time};
use keyspace::ExpiryChange;

/// How the number behind an expiration option counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// EX: seconds from now.
    Seconds,
    /// PX: milliseconds from now.
    Millis,
    /// EXAT: seconds since 1970.
    UnixSeconds,
    /// PXAT: milliseconds since 1970.
    UnixMillis,
}

impl Unit {
    pub(super) fn of(word: &[u8]) -> Option<Self> {
        const UNITS: [(&[u8], Unit); 4] = [
            (b"EX", Unit::Seconds),
            (b"PX", Unit::Millis),
            (b"EXAT", Unit::UnixSeconds),
            (b"PXAT", Unit::UnixMillis),
        ];
        UNITS.iter().find(|(name, _)| word.eq_ignore_ascii_case(name)).map(|(_, unit)| *unit)
    }

    /// Whether the number is a moment, which may have passed, and not a span.
    pub(super) fn is_absolute(self) -> bool {
        matches!(self, Self::UnixSeconds | Self::UnixMillis)
    }

    /// The moment in milliseconds since 1970. `command` is named in the error.
    pub(super) fn deadline(
        self,
        text: &[u8],
        now_ms: i64,
        command: &str,
    ) -> Result<i64, CommandError> {
        let number = stdx::num::parse_i64(text).ok_or(CommandError::NotAnInteger)?;
        let millis = match self {
            Self::Seconds | Self::UnixSeconds => number.checked_mul(1000),
            Self::Millis | Self::UnixMillis => Some(number),
        };
        millis
            .filter(|millis| *millis > 0)
            .and_then(
                |millis| {
                    if self.is_absolute() { Some(millis) } else { millis.checked_add(now_ms) }
                },
            )
            .ok_or_else(|| CommandError::invalid_expire(command))
    }
}

/// An expiration option as it was given; the number is read later, since a syntax error further on
/// goes before an error in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiration<'a> {
    Keep,
    Persist,
    At(Unit, &'a [u8]),
}

impl<'a> Expiration<'a> {
    /// Takes `next` after `before`: the same option may come again, and the last one counts;
    /// another one is a syntax error.
    pub(super) fn then(before: Option<Self>, next: Self) -> Result<Option<Self>, CommandError> {
        let fits = match (before, next) {
            (None, _) | (Some(Self::Keep), Self::Keep) | (Some(Self::Persist), Self::Persist) => {
                true
            }
            (Some(Self::At(before, _)), Self::At(next, _)) => before == next,
            _ => false,
        };
        if fits { Ok(Some(next)) } else { Err(CommandError::Syntax) }
    }

    /// The change that a command makes which was given this option, or none, and writes a whole value.
    /// `command` is named in the error.
    pub(super) fn change(
        given: Option<Self>,
        now_ms: i64,
        command: &str,
    ) -> Result<ExpiryChange, CommandError> {
        Ok(match given {
            None | Some(Self::Persist) => ExpiryChange::Clear,
            Some(Self::Keep) => ExpiryChange::Keep,
            Some(Self::At(unit, text)) => ExpiryChange::At(unit.deadline(text, now_ms, command)?),
        })
    }
}

pub(super) const EX: Argument = integer("seconds").token("EX");
pub(super) const PX: Argument = integer("milliseconds").token("PX");
pub(super) const EXAT: Argument = unix_time("unix-time-seconds").token("EXAT");
pub(super) const PXAT: Argument = unix_time("unix-time-milliseconds").token("PXAT");
