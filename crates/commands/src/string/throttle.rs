//! CL.THROTTLE: a rate limit by the generic cell rate algorithm, as redis-cell and Dragonfly have it.
//!
//! The key holds one integer: when, in nanoseconds since 1970, all that was taken so far would have
//! come in at the steady rate. A request that moves this moment further ahead of now than the burst
//! allows is refused. The key expires at that moment, when it says nothing any more; so both the value
//! and what the journal is told, a SET with PXAT, mean the same to those servers.

use super::counters::integer_of;
use super::{EXPIRE_EVENT, MODIFY, SET_EVENT};
use command::grammar::{integer, key};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, Outcome};
use keyspace::{ExpiryChange, NewValue};
use resp::Reply;

pub(super) const CL_THROTTLE: Command = Command::data("CL.THROTTLE", throttle)
    .group(Group::String)
    .since("8.12.0")
    .arity(-5)
    .flags(Flags::WRITE.or(Flags::DENYOOM).or(Flags::FAST))
    .keys(MODIFY)
    .args(&[
        key("key"),
        integer("max-burst").samples(&["4", "15"]),
        integer("count").samples(&["1", "30"]),
        integer("period").samples(&["10", "60"]),
        integer("quantity").optional().samples(&["0", "1", "3"]),
    ])
    .summary("Takes tokens from a rate limit, if there are enough.")
    .complexity("O(1)");

const NANOS_PER_SECOND: i128 = 1_000_000_000;
const NANOS_PER_MILLI: i128 = 1_000_000;

/// What a request asks for. Times are in nanoseconds; each number fits an `i64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    /// Tokens that may be taken at once.
    tokens: i128,
    /// How long the rate takes to give one token.
    interval: i128,
    /// How long it takes to give what is asked for.
    cost: i128,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) limited: bool,
    /// Tokens that are left.
    pub(super) remaining: i64,
    /// Seconds, rounded up; -1: at once, or never.
    pub(super) retry_after: i64,
    /// Seconds until all tokens are there again, rounded up.
    pub(super) reset_after: i64,
    /// The moment to keep, in nanoseconds since 1970.
    pub(super) arrival: i64,
}

impl Limit {
    /// `burst` tokens beside the one of the rate, which is `count` tokens in `period` seconds.
    pub(super) fn new([burst, count, period, quantity]: [u64; 4]) -> Result<Self, CommandError> {
        let tokens = i128::from(burst) + 1;
        let nanos = i128::from(period) * NANOS_PER_SECOND;
        let interval = nanos.checked_div(i128::from(count)).ok_or(CommandError::NotAnInteger)?;
        if interval == 0 {
            return Err(CommandError::err(format_args!("zero rates are not supported")));
        }
        let fits = |number: i128| i64::try_from(number).is_ok();
        let products = [interval.checked_mul(tokens), interval.checked_mul(i128::from(quantity))];
        match products {
            [Some(whole), Some(cost)] if fits(tokens) && fits(whole) && fits(cost) => {
                Ok(Self { tokens, interval, cost })
            }
            _ => Err(CommandError::NotAnInteger),
        }
    }

    /// What comes of it at `now_ms`, in milliseconds since 1970, where `arrival` is kept; `None`: a
    /// moment does not fit.
    pub(super) fn decide(self, arrival: Option<i64>, now_ms: i64) -> Option<Decision> {
        let now = i128::from(now_ms) * NANOS_PER_MILLI;
        let arrival = arrival.map_or(now, i128::from).max(now);
        let whole = self.interval * self.tokens;
        let next = arrival + self.cost;
        let early = next - whole - now;
        let limited = early > 0;
        let ahead = if limited { arrival } else { next } - now;
        let retry_after = if limited && self.cost <= whole { seconds(early) } else { -1 };
        Some(Decision {
            limited,
            remaining: i64::try_from(((whole - ahead) / self.interval).max(0)).ok()?,
            retry_after,
            reset_after: seconds(ahead),
            arrival: i64::try_from(next).ok()?,
        })
    }
}

/// Whole seconds, rounded up. `nanos` is not negative and a few times what an `i64` holds at most.
fn seconds(nanos: i128) -> i64 {
    ((nanos + NANOS_PER_SECOND - 1) / NANOS_PER_SECOND) as i64
}

/// The next word, a number that is not negative.
fn amount(args: &mut Args<'_>) -> Result<u64, CommandError> {
    stdx::num::parse_u64(args.bytes()?).ok_or(CommandError::NotAnInteger)
}

fn throttle(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let (burst, count, period) = (amount(args)?, amount(args)?, amount(args)?);
    let quantity = args.optional(amount)?.unwrap_or(1);
    if args.left() > 0 {
        return Err(CommandError::arity("cl.throttle"));
    }
    let limit = Limit::new([burst, count, period, quantity])?;
    let kept = cx.db.string_peek(&key)?;
    let arrival = kept.map(|kept| integer_of(Some(&kept))).transpose()?;
    let decision = limit.decide(arrival, cx.now_ms).ok_or(CommandError::NotAnInteger)?;
    reply.array(5);
    reply.integer(i64::from(decision.limited));
    reply.integer(limit.tokens as i64);
    reply.integer(decision.remaining);
    reply.integer(decision.retry_after);
    reply.integer(decision.reset_after);
    if decision.limited || limit.cost == 0 {
        return Ok(Effect::None);
    }
    let nanos = decision.arrival;
    let expiry_ms = nanos.unsigned_abs().div_ceil(NANOS_PER_MILLI as u64) as i64;
    cx.db.put(&key, NewValue::Int(nanos), ExpiryChange::At(expiry_ms), SET_EVENT);
    cx.db.note(&key, EXPIRE_EVENT);
    let mut text = Vec::new();
    stdx::num::write_i64(&mut text, nanos);
    cx.rewrite_number(&[b"SET", key.bytes(), &text, b"PXAT"], expiry_ms);
    Ok(Effect::Rewrite)
}
