//! `math.random`, which is the same everywhere. The rest of `math` is Lua's own: it is pure.

use super::Functions;
use crate::machine::{Frame, Raised};

pub(crate) const FUNCTIONS: Functions = &[("random", random), ("randomseed", randomseed)];

type Results = Result<usize, Raised>;

/// The next of POSIX's `lrand48`: 31 bits of a linear congruential generator of 48 bits.
fn next(frame: &Frame<'_>) -> u64 {
    const MASK: u64 = (1 << 48) - 1;
    let state = frame.core.random.get();
    let state = state.wrapping_mul(0x5_DEEC_E66D).wrapping_add(0xB) & MASK;
    frame.core.random.set(state);
    state >> 17
}

fn random(frame: &mut Frame<'_>) -> Results {
    const LIMIT: u64 = i32::MAX as u64;
    let part = (next(frame) % LIMIT) as f64 / LIMIT as f64;
    let value = match frame.top() {
        0 => part,
        1 => {
            let high = frame.arg_int(1)?;
            if high < 1 {
                return Err(frame.bad_argument(1, "interval is empty"));
            }
            (part * f64::from(high)).floor() + 1.0
        }
        2 => {
            let low = frame.arg_int(1)?;
            let high = frame.arg_int(2)?;
            if low > high {
                return Err(frame.bad_argument(2, "interval is empty"));
            }
            let width = high.wrapping_sub(low).wrapping_add(1);
            (part * f64::from(width)).floor() + f64::from(low)
        }
        _ => return Err(frame.raise("wrong number of arguments")),
    };
    frame.push_number(value);
    Ok(1)
}

fn randomseed(frame: &mut Frame<'_>) -> Results {
    let seed = frame.arg_int(1)?.cast_unsigned();
    frame.core.random.set(u64::from(seed) << 16 | 0x330E);
    Ok(0)
}
