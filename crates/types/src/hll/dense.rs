//! Dense registers: 6 bits each, four in three bytes, least significant bits first.

use super::REGISTERS;

const BITS: usize = 6;
const MASK: u32 = (1 << BITS) - 1;

/// The four registers in three bytes.
fn unpack(group: &[u8; 3]) -> [u8; 4] {
    let word = u32::from_le_bytes([group[0], group[1], group[2], 0]);
    [0, 1, 2, 3].map(|at| (word >> (at * BITS) & MASK) as u8)
}

fn pack(values: [u8; 4]) -> [u8; 3] {
    let word = values.iter().rev().fold(0, |word, value| word << BITS | u32::from(*value));
    let [a, b, c, _] = word.to_le_bytes();
    [a, b, c]
}

/// All registers in order, by fours.
pub(super) fn groups(packed: &[u8]) -> impl Iterator<Item = [u8; 4]> + '_ {
    packed.as_chunks::<3>().0.iter().map(unpack)
}

/// Writes all registers.
pub(super) fn fill(packed: &mut [u8], values: &[u8]) {
    debug_assert_eq!(values.len(), REGISTERS);
    for (group, values) in packed.as_chunks_mut::<3>().0.iter_mut().zip(values.as_chunks::<4>().0) {
        *group = pack(*values);
    }
}

/// Raises one register to `value`; whether it was less.
pub(super) fn raise(packed: &mut [u8], index: usize, value: u8) -> bool {
    let group = &mut packed.as_chunks_mut::<3>().0[index / 4];
    let mut values = unpack(group);
    let own = &mut values[index % 4];
    let less = *own < value;
    if less {
        *own = value;
        *group = pack(values);
    }
    less
}
