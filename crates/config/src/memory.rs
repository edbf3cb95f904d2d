//! Amounts of memory as operators write them: `100mb`, `1G`, `5000`.

/// Units, with their factor. `k` counts in thousands, `kb` in 1024, as redis.conf always had it.
const UNITS: &[(&[u8], u64)] = &[
    (b"", 1),
    (b"b", 1),
    (b"k", 1_000),
    (b"kb", 1 << 10),
    (b"m", 1_000_000),
    (b"mb", 1 << 20),
    (b"g", 1_000_000_000),
    (b"gb", 1 << 30),
];

/// Bytes that `text` stands for: digits and an optional unit in any case.
///
/// `None` for anything else, a sign, or an amount above 2^64-1 (Redis wraps around there; an amount
/// that is silently another one helps nobody). An empty text is 0, as in Redis.
pub fn parse_memory(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, unit) = text.split_at_checked(digits)?;
    if number.is_empty() {
        return unit.is_empty().then_some(0);
    }
    let (_, factor) = UNITS.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(number).ok()?.parse::<u64>().ok()?.checked_mul(*factor)
}

/// The shortest exact way to write an amount: `10mb`, but `1500`.
pub fn format_memory(bytes: u64) -> String {
    for (unit, factor) in [("gb", 1 << 30), ("mb", 1 << 20), ("kb", 1 << 10)] {
        if bytes != 0 && bytes.is_multiple_of(factor) {
            return format!("{}{unit}", bytes / factor);
        }
    }
    bytes.to_string()
}
