//! JSON to Lua values.
//!
//! The text ends at its first zero byte where C would see the end of its string; strings in it are bytes,
//! no matter whether they are UTF-8.

use super::{DEPTH_MAX, Options, Results, push_null};
use crate::machine::{Fixed, Frame, Raised, read_number};

pub(super) fn decode(frame: &mut Frame<'_>) -> Results {
    if frame.top() != 1 {
        return Err(frame.bad_argument(1, "expected 1 argument"));
    }
    let text = frame.arg_text(1)?;
    if matches!(text, [0, _, ..] | [_, 0, ..]) {
        return Err(frame.raise("JSON parser does not support UTF-16 or UTF-32"));
    }
    let mut reader = Reader { options: frame.core.json.get(), text, at: 0, start: 0, depth: 0 };
    frame.charge(text.len() / 8)?;
    let token = reader.token();
    reader.value(frame, token)?;
    let token = reader.token();
    if !matches!(token, Token::End) {
        return Err(reader.unexpected(frame, "the end", &token));
    }
    Ok(1)
}

enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    Text(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Bad(&'static str),
}

impl Token {
    /// The name by which errors call it.
    fn name(&self) -> &'static str {
        match self {
            Self::ObjectBegin => "T_OBJ_BEGIN",
            Self::ObjectEnd => "T_OBJ_END",
            Self::ArrayBegin => "T_ARR_BEGIN",
            Self::ArrayEnd => "T_ARR_END",
            Self::Text(_) => "T_STRING",
            Self::Number(_) => "T_NUMBER",
            Self::Boolean(_) => "T_BOOLEAN",
            Self::Null => "T_NULL",
            Self::Colon => "T_COLON",
            Self::Comma => "T_COMMA",
            Self::End => "T_END",
            Self::Bad(text) => text,
        }
    }
}

struct Reader<'a> {
    options: Options,
    text: &'a [u8],
    at: usize,
    /// Where the last token began, or where it went wrong.
    start: usize,
    depth: i32,
}

impl Reader<'_> {
    /// The byte at `offset` from here; zero behind the end.
    #[inline]
    fn peek(&self, offset: usize) -> u8 {
        self.text.get(self.at + offset).copied().unwrap_or(0)
    }

    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn bad(&mut self, text: &'static str) -> Token {
        self.start = self.at;
        Token::Bad(text)
    }

    fn token(&mut self) -> Token {
        while matches!(self.peek(0), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.start = self.at;
        let single = match self.peek(0) {
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b',' => Token::Comma,
            b':' => Token::Colon,
            0 => return Token::End,
            b'"' => return self.text_token(),
            b'-' | b'0'..=b'9' => {
                if !self.options.decode_invalid && self.is_invalid_number() {
                    return self.bad("invalid number");
                }
                return self.number();
            }
            _ => return self.word(),
        };
        self.at += 1;
        single
    }

    fn word(&mut self) -> Token {
        let (len, token) = match self.rest() {
            [b't', b'r', b'u', b'e', ..] => (4, Token::Boolean(true)),
            [b'f', b'a', b'l', b's', b'e', ..] => (5, Token::Boolean(false)),
            [b'n', b'u', b'l', b'l', ..] => (4, Token::Null),
            [b'f' | b'i' | b'I' | b'n' | b'N' | b't' | b'+', ..]
                if self.options.decode_invalid && self.is_invalid_number() =>
            {
                return self.number();
            }
            _ => return self.bad("invalid token"),
        };
        self.at += len;
        token
    }

    /// What C reads as a number and JSON does not.
    fn is_invalid_number(&self) -> bool {
        let rest = self.rest();
        if rest.first() == Some(&b'+') {
            return true;
        }
        let rest = rest.strip_prefix(b"-").unwrap_or(rest);
        match rest {
            [b'0', b'x' | b'X' | b'0'..=b'9', ..] => true,
            [b'0'..=b'9', ..] => false,
            [a, b, c, ..] => {
                let word = [a, b, c].map(u8::to_ascii_lowercase);
                word == *b"inf" || word == *b"nan"
            }
            _ => false,
        }
    }

    fn number(&mut self) -> Token {
        // A plain integer needs no C.
        let digits = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        let leads = self.peek(digits);
        if (1..=15).contains(&digits) && !matches!(leads, b'.' | b'e' | b'E' | b'x' | b'X') {
            let value = stdx::num::parse_u64(trim_zeros(&self.rest()[..digits]));
            self.at += digits;
            return Token::Number(value.unwrap_or(0) as f64);
        }
        let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+-._()".contains(byte);
        let len = self.rest().iter().take_while(is_part).count();
        match read_number(&self.rest()[..len]) {
            Some((value, taken)) => {
                self.at += taken;
                Token::Number(value)
            }
            None => self.bad("invalid number"),
        }
    }

    fn text_token(&mut self) -> Token {
        self.at += 1;
        let plain = memchr::memchr3(b'"', b'\\', 0, self.rest()).unwrap_or(self.rest().len());
        let mut out = self.rest()[..plain].to_vec();
        self.at += plain;
        loop {
            match self.peek(0) {
                b'"' => {
                    self.at += 1;
                    return Token::Text(out);
                }
                0 => return self.bad("unexpected end of string"),
                b'\\' => {
                    let byte = match self.peek(1) {
                        byte @ (b'"' | b'\\' | b'/') => byte,
                        b'b' => 0x08,
                        b't' => b'\t',
                        b'n' => b'\n',
                        b'f' => 0x0c,
                        b'r' => b'\r',
                        b'u' => match self.unicode(&mut out) {
                            Some(()) => continue,
                            None => return self.bad("invalid unicode escape code"),
                        },
                        _ => return self.bad("invalid escape code"),
                    };
                    out.push(byte);
                    self.at += 2;
                }
                byte => {
                    out.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    fn hex4(&self, offset: usize) -> Option<u32> {
        let mut value = 0;
        for offset in offset..offset + 4 {
            value = value << 4 | u32::from(stdx::quote::unhex(self.peek(offset))?);
        }
        Some(value)
    }

    /// `\u` and four hexadecimal digits, or two of them that are a surrogate pair.
    fn unicode(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let mut code = self.hex4(2)?;
        let mut len = 6;
        if code & 0xF800 == 0xD800 {
            if code & 0x400 != 0 || self.peek(6) != b'\\' || self.peek(7) != b'u' {
                return None;
            }
            let low = self.hex4(8)?;
            if low & 0xFC00 != 0xDC00 {
                return None;
            }
            code = ((code & 0x3FF) << 10 | low & 0x3FF) + 0x10000;
            len = 12;
        }
        let mut buffer = [0; 4];
        out.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut buffer).as_bytes());
        self.at += len;
        Some(())
    }

    fn unexpected(&self, frame: &mut Frame<'_>, expected: &str, found: &Token) -> Raised {
        let (found, at) = (found.name(), self.start + 1);
        frame.raise(format!("Expected {expected} but found {found} at character {at}"))
    }

    fn descend(&mut self, frame: &mut Frame<'_>) -> Result<(), Raised> {
        self.depth += 1;
        if self.depth <= self.options.decode_depth.min(DEPTH_MAX) && frame.has_room(6) {
            return Ok(());
        }
        let (depth, at) = (self.depth, self.at);
        Err(frame
            .raise(format!("Found too many nested data structures ({depth}) at character {at}")))
    }

    /// Pushes the value that begins with `token`.
    fn value(&mut self, frame: &mut Frame<'_>, token: Token) -> Result<(), Raised> {
        match token {
            Token::Text(text) => frame.push(text),
            Token::Number(value) => frame.push_number(value),
            Token::Boolean(value) => frame.push_bool(value),
            Token::Null => push_null(frame),
            Token::ObjectBegin => self.object(frame)?,
            Token::ArrayBegin => self.array(frame)?,
            token => return Err(self.unexpected(frame, "value", &token)),
        }
        frame.charge(8)?;
        frame.reserve(0)
    }

    fn object(&mut self, frame: &mut Frame<'_>) -> Result<(), Raised> {
        self.descend(frame)?;
        frame.push_table(0, 0);
        let mut token = self.token();
        if !matches!(token, Token::ObjectEnd) {
            loop {
                match token {
                    Token::Text(key) => frame.push(key),
                    token => return Err(self.unexpected(frame, "object key string", &token)),
                }
                token = self.token();
                if !matches!(token, Token::Colon) {
                    return Err(self.unexpected(frame, "colon", &token));
                }
                token = self.token();
                self.value(frame, token)?;
                frame.raw_set(-3);
                token = self.token();
                match token {
                    Token::ObjectEnd => break,
                    Token::Comma => token = self.token(),
                    token => return Err(self.unexpected(frame, "comma or object end", &token)),
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn array(&mut self, frame: &mut Frame<'_>) -> Result<(), Raised> {
        self.descend(frame)?;
        frame.push_table(0, 0);
        if self.options.mark_arrays {
            frame.push_fixed(Fixed::ArrayMark);
            frame.set_metatable(-2);
        }
        let mut token = self.token();
        if !matches!(token, Token::ArrayEnd) {
            for number in 1.. {
                self.value(frame, token)?;
                frame.raw_set_element(-2, number);
                token = self.token();
                match token {
                    Token::ArrayEnd => break,
                    Token::Comma => token = self.token(),
                    token => return Err(self.unexpected(frame, "comma or array end", &token)),
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }
}

fn trim_zeros(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
    &digits[zeros.min(digits.len() - 1)..]
}
