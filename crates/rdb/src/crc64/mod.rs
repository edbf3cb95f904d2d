//! CRC-64 with the polynomial of Jones, as RDB files and DUMP payloads end in it.
//!
//! Reflected in and out, starts at 0, nothing added at the end. Sixteen bytes are taken at a time
//! through sixteen tables, built when the program is compiled.

/// 0xad93d23594c935a9, reflected.
const POLYNOMIAL: u64 = 0x95ac_9329_ac4b_c9b5;
const LANES: usize = 16;

static TABLES: [[u64; 256]; LANES] = tables();

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "runs in the compiler, which would refuse a step out of bounds"
)]
const fn tables() -> [[u64; 256]; LANES] {
    let mut tables = [[0; 256]; LANES];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut lane = 1;
    while lane < LANES {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[lane - 1][byte];
            tables[lane][byte] = (before >> 8) ^ tables[0][(before & 0xFF) as usize];
            byte += 1;
        }
        lane += 1;
    }
    tables
}

/// The checksum of what `crc` is the checksum of, followed by `bytes`. Begin with 0.
#[expect(clippy::indexing_slicing, reason = "a byte indexes 256 entries; lanes are constants")]
#[expect(clippy::arithmetic_side_effects, reason = "constants and loop bounds below 16")]
pub fn update(mut crc: u64, bytes: &[u8]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<LANES>();
    for block in blocks {
        let mut mixed = *block;
        for (byte, low) in mixed.iter_mut().zip(crc.to_le_bytes()) {
            *byte ^= low;
        }
        let mut sum = 0;
        for (lane, byte) in mixed.iter().enumerate() {
            sum ^= TABLES[LANES - 1 - lane][usize::from(*byte)];
        }
        crc = sum;
    }
    for byte in rest {
        let low = crc.to_le_bytes()[0] ^ byte;
        crc = TABLES[0][usize::from(low)] ^ (crc >> 8);
    }
    crc
}

#[cfg(test)]
mod tests;
