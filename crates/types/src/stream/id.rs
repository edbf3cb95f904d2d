//! IDs of entries: a time in milliseconds and a number within it, and the forms in which clients
//! write them.

/// The ID of an entry. Ordered by time, then by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Milliseconds since 1970.
    pub ms: u64,
    pub seq: u64,
}

/// Most bytes of a number.
const NUMBER_MAX: usize = 20;
const TEXT_MAX: usize = 2 * NUMBER_MAX + 1;

/// Room for the text of an ID: see [`StreamId::text`].
#[derive(Clone, Debug)]
pub struct IdText([u8; TEXT_MAX]);

impl Default for IdText {
    fn default() -> Self {
        Self([0; TEXT_MAX])
    }
}

impl IdText {
    /// Writes a number so that it ends before `end`; returns where it begins.
    fn number(&mut self, end: usize, mut value: u64) -> usize {
        let mut at = end;
        loop {
            at -= 1;
            self.0[at] = b'0' + (value % 10) as u8;
            value /= 10;
            if value == 0 {
                return at;
            }
        }
    }
}

impl StreamId {
    /// `0-0`; no entry has it.
    pub const MIN: Self = Self { ms: 0, seq: 0 };
    pub const MAX: Self = Self { ms: u64::MAX, seq: u64::MAX };

    pub const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }

    /// Reads `ms-seq` or `ms`, where `missing_seq` stands for what is missing. As lenient with
    /// spaces, signs and zeros as the peers are.
    pub fn parse(text: &[u8], missing_seq: u64) -> Option<Self> {
        match Form::parse(text)? {
            Form::Full(id) => Some(id),
            Form::Millis(ms) => Some(Self::new(ms, missing_seq)),
            Form::Auto(_) => None,
        }
    }

    /// As [`StreamId::parse`]; `-` and `+` are the least and the greatest ID.
    pub fn parse_or_end(text: &[u8], missing_seq: u64) -> Option<Self> {
        match text {
            b"-" => Some(Self::MIN),
            b"+" => Some(Self::MAX),
            _ => Self::parse(text, missing_seq),
        }
    }

    /// The ID after it; `None` after the last one.
    pub fn next(self) -> Option<Self> {
        match (self.seq.checked_add(1), self.ms.checked_add(1)) {
            (Some(seq), _) => Some(Self { seq, ..self }),
            (None, Some(ms)) => Some(Self { ms, seq: 0 }),
            (None, None) => None,
        }
    }

    /// The ID before it; `None` before `0-0`.
    pub fn prev(self) -> Option<Self> {
        match (self.seq.checked_sub(1), self.ms.checked_sub(1)) {
            (Some(seq), _) => Some(Self { seq, ..self }),
            (None, Some(ms)) => Some(Self { ms, seq: u64::MAX }),
            (None, None) => None,
        }
    }

    /// `ms-seq`, written to `room`.
    pub fn text(self, room: &mut IdText) -> &[u8] {
        // From the end, as the digits come.
        let dash = room.number(TEXT_MAX, self.seq) - 1;
        room.0[dash] = b'-';
        let start = room.number(dash, self.ms);
        &room.0[start..]
    }

    /// Appends `ms-seq`.
    pub fn write_to(self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.text(&mut IdText::default()));
    }

    /// As RDB files keep it.
    pub fn to_be_bytes(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }

    pub fn from_be_bytes(bytes: [u8; 16]) -> Self {
        let both = u128::from_be_bytes(bytes);
        Self { ms: (both >> 64) as u64, seq: both as u64 }
    }
}

/// The ID that XADD asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewId {
    /// `*`: the time, or the next one after the last.
    Auto,
    /// `ms-*`: the next number of this millisecond.
    Millis(u64),
    Given(StreamId),
}

/// Why an entry cannot have the ID that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdError {
    /// The stream has used the greatest of all IDs.
    Exhausted,
    /// Not above the last ID.
    NotAbove,
}

impl NewId {
    /// Reads the ID argument of XADD.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text == b"*" {
            return Some(Self::Auto);
        }
        Some(match Form::parse(text)? {
            Form::Full(id) => Self::Given(id),
            Form::Millis(ms) => Self::Given(StreamId::new(ms, 0)),
            Form::Auto(ms) => Self::Millis(ms),
        })
    }

    /// The ID of the entry that follows `last`.
    pub fn after(self, last: StreamId, now_ms: u64) -> Result<StreamId, IdError> {
        if last == StreamId::MAX {
            return Err(IdError::Exhausted);
        }
        let id = match self {
            Self::Auto if now_ms > last.ms => Some(StreamId::new(now_ms, 0)),
            Self::Auto => last.next(),
            Self::Millis(ms) if ms == last.ms => {
                last.seq.checked_add(1).map(|seq| StreamId::new(ms, seq))
            }
            Self::Millis(ms) => Some(StreamId::new(ms, 0)),
            Self::Given(id) => Some(id),
        };
        id.filter(|id| *id > last).ok_or(IdError::NotAbove)
    }
}

/// What an ID argument spells.
enum Form {
    Full(StreamId),
    Millis(u64),
    /// `ms-*`
    Auto(u64),
}

impl Form {
    fn parse(text: &[u8]) -> Option<Self> {
        const LEN_MAX: usize = 127;
        if text.len() > LEN_MAX {
            return None;
        }
        // The peers read up to a zero byte.
        let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
        let Some(dash) = text.iter().position(|byte| *byte == b'-') else {
            return Some(Self::Millis(number(text)?));
        };
        let ms = number(&text[..dash])?;
        Some(match &text[dash + 1..] {
            b"*" => Self::Auto(ms),
            seq => Self::Full(StreamId::new(ms, number(seq)?)),
        })
    }
}

/// A number as C's `strtoull` reads it: after spaces, with a sign and any zeros. A negative number
/// counts from the top, unless it is spelled canonically: then it is refused, as the peers do.
fn number(text: &[u8]) -> Option<u64> {
    if let Some(value) = stdx::num::parse_i64(text) {
        return u64::try_from(value).ok();
    }
    let spaces = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    let text = &text[spaces..];
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let value = digits.iter().try_fold(0_u64, |value, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })?;
    Some(if negative { value.wrapping_neg() } else { value })
}
