//! Parts of strings: which bytes GETRANGE takes, how long APPEND and SETRANGE may make a value.

use std::ops::Range;

/// The bytes of a string of `len` bytes that GETRANGE and SUBSTR answer for `start` and `end`, both
/// inclusive, negative from the end, clamped; an empty range where there are none.
pub fn range(len: usize, start: i64, end: i64) -> Range<usize> {
    // Clamping to the string would make both the first byte.
    let reversed = start < 0 && end < 0 && start > end;
    let Ok(signed_len) = i64::try_from(len) else {
        return 0..0;
    };
    if reversed || len == 0 {
        return 0..0;
    }
    let from_front = |index: i64| {
        let index = if index < 0 { index.saturating_add(signed_len) } else { index };
        index.max(0)
    };
    let start = from_front(start);
    let end = from_front(end).min(signed_len - 1);
    if start > end {
        return 0..0;
    }
    // Both lie in 0..len.
    start as usize..end as usize + 1
}

/// The length of a string when `added` bytes are put at `at`, its length (APPEND) or an offset
/// (SETRANGE); `None` where that exceeds `max`, the limit of a string's length. The text to reply
/// then is "string exceeds maximum allowed size (proto-max-bulk-len)".
pub fn grown_len(at: usize, added: usize, max: u64) -> Option<usize> {
    let total = at.checked_add(added)?;
    (total as u64 <= max).then_some(total)
}

/// Puts `patch` at `offset`, zeros in any gap; what lies behind stays. An empty patch changes
/// nothing. The caller has checked the size with [`grown_len`].
pub fn overwrite(value: &mut Vec<u8>, offset: usize, patch: &[u8]) {
    if patch.is_empty() {
        return;
    }
    let end = offset.saturating_add(patch.len());
    if value.len() < end {
        value.resize(end, 0);
    }
    value[offset..end].copy_from_slice(patch);
}
