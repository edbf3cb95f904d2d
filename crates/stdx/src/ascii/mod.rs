//! ASCII case folding of short byte strings: names of commands, options, parameters. Bytes beyond
//! ASCII are themselves.

#[cfg(test)]
mod tests;

/// Equal but for the case of ASCII letters.
#[inline]
pub fn eq_ignore_case(a: &[u8], b: &[u8]) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// `text` begins with `prefix` but for the case of ASCII letters.
#[inline]
pub fn starts_with_ignore_case(text: &[u8], prefix: &[u8]) -> bool {
    text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
}

/// A short name folded to upper case on the stack, for a look-up without allocation.
#[derive(Clone, Copy)]
pub struct Upper<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Upper<N> {
    /// `None` for a text longer than `N` bytes.
    #[inline]
    pub fn new(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; N];
        let head = bytes.get_mut(..text.len())?;
        head.copy_from_slice(text);
        head.make_ascii_uppercase();
        Some(Self { bytes, len: text.len() })
    }

    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}
