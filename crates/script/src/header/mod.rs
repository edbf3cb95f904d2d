//! The first line of a script or library: `#!lua name=mylib flags=no-writes,allow-oom`.

#[cfg(test)]
mod tests;

use resp::split_line;

/// What a script or function says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(u8);

impl Flags {
    pub const NONE: Self = Self(0);
    pub const NO_WRITES: Self = Self(1);
    pub const ALLOW_OOM: Self = Self(2);
    pub const ALLOW_STALE: Self = Self(4);
    pub const NO_CLUSTER: Self = Self(8);
    pub const ALLOW_CROSS_SLOT_KEYS: Self = Self(16);

    /// All flags with their names, in the order in which FUNCTION LIST shows them.
    pub const NAMES: [(Self, &'static str); 5] = [
        (Self::NO_WRITES, "no-writes"),
        (Self::ALLOW_OOM, "allow-oom"),
        (Self::ALLOW_STALE, "allow-stale"),
        (Self::NO_CLUSTER, "no-cluster"),
        (Self::ALLOW_CROSS_SLOT_KEYS, "allow-cross-slot-keys"),
    ];

    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn by_name(name: &[u8]) -> Option<Self> {
        Self::NAMES.iter().find(|(_, text)| text.as_bytes() == name).map(|&(flag, _)| flag)
    }

    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |&(flag, _)| self.has(flag)).map(|(_, name)| name)
    }
}

/// A header that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The word behind `#!`.
    pub engine: Vec<u8>,
    /// `name=`, of a library.
    pub name: Vec<u8>,
    /// `flags=`, of a script.
    pub flags: Flags,
}

impl Header {
    /// The header of a script for EVAL: none if it does not begin with `#!`, which means that nothing
    /// is declared. The error is the reply's text, its code included.
    pub fn of_script(source: &[u8]) -> Result<Option<Self>, Vec<u8>> {
        if !source.starts_with(b"#!") {
            return Ok(None);
        }
        let line = first_line(source).ok_or(b"ERR Invalid script shebang".to_vec())?;
        let words = split_line(line).filter(|words| !words.is_empty());
        let words = words.ok_or(b"ERR Invalid engine in script shebang".to_vec())?;
        let engine = words[0].strip_prefix(b"#!").unwrap_or_default();
        if !engine.eq_ignore_ascii_case(b"lua") {
            return Err([b"ERR Could not find scripting engine '", engine, b"'"].concat());
        }
        let mut header = Self { engine: b"lua".to_vec(), ..Self::default() };
        for word in &words[1..] {
            let Some(list) = word.strip_prefix(b"flags=") else {
                return Err(told(b"ERR Unknown lua shebang option: ", word));
            };
            for name in list.split(|&byte| byte == b',').filter(|_| !list.is_empty()) {
                let flag = Flags::by_name(name);
                let flag =
                    flag.ok_or_else(|| told(b"ERR Unexpected flag in script shebang: ", name))?;
                header.flags = header.flags.with(flag);
            }
        }
        Ok(Some(header))
    }

    /// The header of a library for FUNCTION LOAD; the engine's name is the caller's to check. The error
    /// is the reply's text, its code included.
    pub fn of_library(source: &[u8]) -> Result<Self, Vec<u8>> {
        if !source.starts_with(b"#!") {
            return Err(b"ERR Missing library metadata".to_vec());
        }
        let words = first_line(source).and_then(split_line).filter(|words| !words.is_empty());
        let words = words.ok_or(b"ERR Invalid library metadata".to_vec())?;
        let mut header =
            Self { engine: words[0].get(2..).unwrap_or_default().to_vec(), ..Self::default() };
        let mut named = false;
        for word in &words[1..] {
            match word.split_at_checked(5) {
                Some((prefix, name)) if prefix.eq_ignore_ascii_case(b"name=") => {
                    if named {
                        let text =
                            "ERR Invalid metadata value, name argument was given multiple times";
                        return Err(text.into());
                    }
                    named = true;
                    header.name = name.to_vec();
                }
                _ => return Err(told(b"ERR Invalid metadata value given: ", word)),
            }
        }
        if named { Ok(header) } else { Err(b"ERR Library name was not given".to_vec()) }
    }

    /// The source without its header. The end of the line stays, so that numbers of lines are right.
    pub fn strip(source: &[u8]) -> &[u8] {
        match first_line(source) {
            Some(line) if source.starts_with(b"#!") => &source[line.len()..],
            _ => source,
        }
    }
}

fn first_line(source: &[u8]) -> Option<&[u8]> {
    source.iter().position(|&byte| byte == b'\n').map(|end| &source[..end])
}

fn told(text: &[u8], what: &[u8]) -> Vec<u8> {
    [text, what].concat()
}
