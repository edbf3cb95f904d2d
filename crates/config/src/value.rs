//! Values: from arguments, to what CONFIG GET answers, and to lines of a file.
//!
//! One parser serves start-up, CONFIG SET and CONFIG REWRITE, so what one of them accepts all of
//! them do. The texts of errors are those of Redis, which clients and tests match.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::args::quote;
use crate::file::Directive;
use crate::memory::{format_memory, parse_memory};
use crate::param::{Flags, Kind, Param, Unit};

/// A value of some kind. Which variant belongs to which [`Kind`] is fixed.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// [`Kind::Bool`].
    Bool(bool),
    /// [`Kind::Int`]; a percentage of [`Unit::MemoryOrPercent`] is negative.
    Int(i128),
    /// [`Kind::Choice`], [`Kind::Set`] and [`Kind::Events`]: the word's number, or the bits of
    /// several.
    Bits(u32),
    /// [`Kind::Text`] and [`Kind::Optional`].
    Text(Vec<u8>),
    /// [`Kind::Words`].
    Words(Vec<Vec<u8>>),
    /// [`Kind::Primary`].
    Primary(Option<(Vec<u8>, u16)>),
    /// [`Kind::Save`].
    Save(Vec<SavePoint>),
    /// [`Kind::OutputLimits`]: normal, replica, pubsub.
    OutputLimits([OutputLimit; 3]),
    /// [`Kind::OomScores`]: primary, replica, background child.
    OomScores([i32; 3]),
    /// [`Kind::Percentiles`].
    Percentiles(Vec<f64>),
    /// [`Kind::Lines`].
    Lines(Vec<Directive>),
}

/// Save when `seconds` have passed and at least `changes` keys changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    pub seconds: u64,
    pub changes: u64,
}

/// Unread reply bytes of a client; 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimit {
    pub hard_bytes: u64,
    pub soft_bytes: u64,
    /// How long a client may stay above the soft limit.
    pub soft_seconds: u64,
}

/// An amount that may depend on maxmemory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Bytes(u64),
    /// Of maxmemory; without maxmemory it is no limit.
    Percent(u8),
}

/// Bits of [`Kind::Events`], numbered as Redis numbers them.
pub mod events {
    pub const KEYSPACE: u32 = 1;
    pub const KEYEVENT: u32 = 1 << 1;
    pub const GENERIC: u32 = 1 << 2;
    pub const STRING: u32 = 1 << 3;
    pub const LIST: u32 = 1 << 4;
    pub const SET: u32 = 1 << 5;
    pub const HASH: u32 = 1 << 6;
    pub const ZSET: u32 = 1 << 7;
    pub const EXPIRED: u32 = 1 << 8;
    pub const EVICTED: u32 = 1 << 9;
    pub const STREAM: u32 = 1 << 10;
    /// Not among [`ALL`].
    pub const KEY_MISS: u32 = 1 << 11;
    pub const MODULE: u32 = 1 << 13;
    /// Not among [`ALL`].
    pub const NEW: u32 = 1 << 14;
    /// Not among [`ALL`].
    pub const OVERWRITTEN: u32 = 1 << 15;
    /// Not among [`ALL`].
    pub const TYPE_CHANGED: u32 = 1 << 16;
    /// Four channels that name the elements of a key, too (Redis from 8.8 on).
    pub const SUBKEYSPACE: u32 = 1 << 17;
    pub const SUBKEYEVENT: u32 = 1 << 18;
    pub const SUBKEYSPACEITEM: u32 = 1 << 19;
    pub const SUBKEYSPACEEVENT: u32 = 1 << 20;
    pub const SUBKEYS: u32 = SUBKEYSPACE | SUBKEYEVENT | SUBKEYSPACEITEM | SUBKEYSPACEEVENT;
    /// Of Redis from 8.8 on.
    pub const ARRAY: u32 = 1 << 21;
    /// What the letter `A` stands for.
    pub const ALL: u32 =
        GENERIC | STRING | LIST | SET | HASH | ZSET | EXPIRED | EVICTED | STREAM | MODULE | ARRAY;
}

/// Letters of event classes in the order in which they are answered.
const EVENT_LETTERS: &[(u8, u32)] = &[
    (b'g', events::GENERIC),
    (b'$', events::STRING),
    (b'l', events::LIST),
    (b's', events::SET),
    (b'h', events::HASH),
    (b'z', events::ZSET),
    (b'x', events::EXPIRED),
    (b'e', events::EVICTED),
    (b't', events::STREAM),
    (b'd', events::MODULE),
    (b'a', events::ARRAY),
    (b'n', events::NEW),
    (b'K', events::KEYSPACE),
    (b'E', events::KEYEVENT),
    (b'm', events::KEY_MISS),
    (b'o', events::OVERWRITTEN),
    (b'c', events::TYPE_CHANGED),
    (b'S', events::SUBKEYSPACE),
    (b'T', events::SUBKEYEVENT),
    (b'I', events::SUBKEYSPACEITEM),
    (b'V', events::SUBKEYSPACEEVENT),
];

/// Names of the classes of output limits; a replica is a slave in answers, a replica in files.
const CLASSES: [(&str, &str); 3] =
    [("normal", "normal"), ("slave", "replica"), ("pubsub", "pubsub")];

/// Why arguments are no value.
pub(crate) type Refusal = Cow<'static, str>;

const WRONG_NUMBER: Refusal = Cow::Borrowed("wrong number of arguments");

/// The value that `args` are; `old` is what those arguments do not speak of.
pub(crate) fn parse(param: &Param, args: &[Vec<u8>], old: &Value) -> Result<Value, Refusal> {
    if !param.flags.has(Flags::MULTI) && args.len() != 1 {
        return Err(WRONG_NUMBER);
    }
    let first = args.first().map(Vec::as_slice).unwrap_or_default();
    let value = match param.kind {
        Kind::Bool => Value::Bool(parse_bool(first)?),
        Kind::Int { min, max, unit } => {
            let number = parse_int(first, min, max, unit)?;
            Value::Int(match param.clamp {
                Some((least, most)) => number.clamp(least, most),
                None => number,
            })
        }
        Kind::Choice(words) => Value::Bits(parse_words(words, args)?),
        Kind::Set(words) => Value::Bits(parse_words(words, args)?),
        Kind::Events => Value::Bits(parse_events(args)?),
        Kind::Text | Kind::Optional => Value::Text(first.to_vec()),
        Kind::Words { max } => parse_list(args, max)?,
        Kind::Primary => parse_primary(args)?,
        Kind::Save => parse_save(args)?,
        Kind::OutputLimits => parse_output_limits(args, old)?,
        Kind::OomScores => parse_oom_scores(args)?,
        Kind::Percentiles => parse_percentiles(args)?,
        Kind::Lines { .. } => return Err("Bad directive or wrong number of arguments".into()),
    };
    if let Some(check) = param.check {
        check(&value)?;
    }
    Ok(value)
}

/// Whether the arguments are one empty word, which stands for no words.
fn is_nothing(args: &[Vec<u8>]) -> bool {
    matches!(args, [only] if only.is_empty())
}

fn parse_bool(text: &[u8]) -> Result<bool, Refusal> {
    match text {
        _ if text.eq_ignore_ascii_case(b"yes") => Ok(true),
        _ if text.eq_ignore_ascii_case(b"no") => Ok(false),
        _ => Err("argument must be 'yes' or 'no'".into()),
    }
}

fn parse_int(text: &[u8], min: i128, max: i128, unit: Unit) -> Result<i128, Refusal> {
    let number = match unit {
        Unit::Memory => match parse_memory(text) {
            Some(bytes) => i128::from(bytes),
            None if min < 0 && strict_int(text) == Some(-1) => -1,
            None => return Err("argument must be a memory value".into()),
        },
        Unit::MemoryOrPercent => match (parse_memory(text), parse_percent(text)) {
            (Some(bytes), _) => i128::from(bytes),
            (None, Some(percent)) if -percent < min => {
                let most = -min;
                return Err(format!("percentage argument must be less or equal to {most}").into());
            }
            (None, Some(percent)) => return Ok(-percent),
            (None, None) => return Err("argument must be a memory or percent value".into()),
        },
        Unit::Mode => parse_octal(text).ok_or("argument couldn't be parsed as an octal number")?,
        _ => strict_int(text).ok_or("argument couldn't be parsed into an integer")?,
    };
    if number < min || number > max {
        return Err(match unit {
            Unit::Mode => format!("argument must be between {min:o} and {max:o} inclusive"),
            _ => format!("argument must be between {min} and {max} inclusive"),
        }
        .into());
    }
    Ok(number)
}

/// A number as Redis prints it: no sign but minus, no leading zero, no blank, 64 bits.
fn strict_int(text: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(text).ok()?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = match digits.as_bytes() {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !plain {
        return None;
    }
    text.parse::<i64>().ok().map(i128::from)
}

fn parse_percent(text: &[u8]) -> Option<i128> {
    strict_int(text.strip_suffix(b"%")?).filter(|percent| *percent >= 0)
}

fn parse_octal(text: &[u8]) -> Option<i128> {
    let text = std::str::from_utf8(text).ok()?;
    i64::from_str_radix(text, 8).ok().map(i128::from)
}

fn parse_words(words: &[(&str, u32)], args: &[Vec<u8>]) -> Result<u32, Refusal> {
    let mut bits = 0;
    for arg in args {
        match words.iter().find(|(word, _)| arg.eq_ignore_ascii_case(word.as_bytes())) {
            Some((_, number)) => bits |= number,
            None => return Err(expected_words(words)),
        }
    }
    if args.is_empty() { Err(expected_words(words)) } else { Ok(bits) }
}

fn expected_words(words: &[(&str, u32)]) -> Refusal {
    let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    format!("argument(s) must be one of the following: {}", names.join(", ")).into()
}

fn parse_events(args: &[Vec<u8>]) -> Result<u32, Refusal> {
    let [letters] = args else { return Err(WRONG_NUMBER) };
    letters.iter().try_fold(0, |bits, letter| {
        let class = match letter {
            b'A' => Some(events::ALL),
            _ => EVENT_LETTERS.iter().find(|(known, _)| known == letter).map(|(_, bit)| *bit),
        };
        class
            .map(|class| bits | class)
            .ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".into())
    })
}

fn parse_list(args: &[Vec<u8>], max: usize) -> Result<Value, Refusal> {
    if args.len() > max {
        return Err("Too many bind addresses specified.".into());
    }
    Ok(Value::Words(if is_nothing(args) { Vec::new() } else { args.to_vec() }))
}

fn parse_primary(args: &[Vec<u8>]) -> Result<Value, Refusal> {
    let [host, port] = args else { return Err(WRONG_NUMBER) };
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        return Ok(Value::Primary(None));
    }
    let port = std::str::from_utf8(port).ok().and_then(|port| port.parse::<u16>().ok());
    Ok(Value::Primary(Some((host.clone(), port.ok_or("Invalid primary port")?))))
}

fn parse_save(args: &[Vec<u8>]) -> Result<Value, Refusal> {
    const INVALID: &str = "Invalid save parameters";
    if is_nothing(args) {
        return Ok(Value::Save(Vec::new()));
    }
    let (pairs, []) = args.as_chunks::<2>() else { return Err(INVALID.into()) };
    let mut points = Vec::new();
    for [seconds, changes] in pairs {
        let seconds = number(seconds).filter(|seconds| *seconds >= 1).ok_or(INVALID)?;
        points.push(SavePoint { seconds, changes: number(changes).ok_or(INVALID)? });
    }
    Ok(Value::Save(points))
}

/// A count that is not negative and fits a signed 64-bit number.
fn number(text: &[u8]) -> Option<u64> {
    let number = std::str::from_utf8(text).ok()?.parse::<i64>().ok()?;
    u64::try_from(number).ok()
}

fn parse_output_limits(args: &[Vec<u8>], old: &Value) -> Result<Value, Refusal> {
    const WRONG: &str =
        "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
    let (groups, []) = args.as_chunks::<4>() else {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    };
    let mut limits = match old {
        Value::OutputLimits(limits) => *limits,
        _ => Default::default(),
    };
    for [class, hard, soft, seconds] in groups {
        let limit = CLASSES
            .iter()
            .position(|(answered, written)| {
                class.eq_ignore_ascii_case(answered.as_bytes())
                    || class.eq_ignore_ascii_case(written.as_bytes())
            })
            .and_then(|class| limits.get_mut(class))
            .ok_or("Invalid client class specified in buffer limit configuration.")?;
        *limit = OutputLimit {
            hard_bytes: parse_memory(hard).ok_or(WRONG)?,
            soft_bytes: parse_memory(soft).ok_or(WRONG)?,
            soft_seconds: number(seconds).ok_or(WRONG)?,
        };
    }
    Ok(Value::OutputLimits(limits))
}

fn parse_oom_scores(args: &[Vec<u8>]) -> Result<Value, Refusal> {
    const RANGE: &str = "Invalid oom-score-adj-values, elements must be between -2000 and 2000.";
    let args: &[Vec<u8>; 3] = args.try_into().map_err(|_| WRONG_NUMBER)?;
    let mut scores = [0; 3];
    for (score, arg) in scores.iter_mut().zip(args) {
        *score = std::str::from_utf8(arg)
            .ok()
            .and_then(|text| text.parse::<i32>().ok())
            .filter(|score| (-2000..=2000).contains(score))
            .ok_or(RANGE)?;
    }
    Ok(Value::OomScores(scores))
}

fn parse_percentiles(args: &[Vec<u8>]) -> Result<Value, Refusal> {
    if is_nothing(args) {
        return Ok(Value::Percentiles(Vec::new()));
    }
    let mut percentiles = Vec::new();
    for arg in args {
        let percentile = std::str::from_utf8(arg)
            .ok()
            .and_then(|text| text.parse::<f64>().ok())
            .filter(|number| !number.is_nan())
            .ok_or("Invalid latency-tracking-info-percentiles parameters")?;
        if !(0.0..=100.0).contains(&percentile) {
            return Err(
                "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"
                    .into(),
            );
        }
        percentiles.push(percentile);
    }
    Ok(Value::Percentiles(percentiles))
}

/// The value as CONFIG GET answers it. CONFIG SET takes it back, and splits it at single blanks
/// where several arguments are meant.
pub(crate) fn format(param: &Param, value: &Value) -> Vec<u8> {
    match value {
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.into(),
        Value::Int(number) => match param.kind {
            Kind::Int { unit: Unit::MemoryOrPercent, .. } if *number < 0 => {
                format!("{}%", -number).into_bytes()
            }
            Kind::Int { unit: Unit::Mode, .. } => format!("{number:o}").into_bytes(),
            _ => number.to_string().into_bytes(),
        },
        Value::Bits(bits) => match param.kind {
            Kind::Choice(words) | Kind::Set(words) => format_words(words, *bits).into_bytes(),
            _ => format_events(*bits),
        },
        Value::Text(text) => text.clone(),
        Value::Words(words) => words.join(&b' '),
        Value::Primary(None) => Vec::new(),
        Value::Primary(Some((host, port))) => {
            [host.as_slice(), b" ", port.to_string().as_bytes()].concat()
        }
        Value::Save(points) => {
            joined(points.iter().map(|point| format!("{} {}", point.seconds, point.changes)))
        }
        Value::OutputLimits(limits) => {
            joined(limits.iter().zip(CLASSES).map(|(limit, (class, _))| {
                let OutputLimit { hard_bytes, soft_bytes, soft_seconds } = limit;
                format!("{class} {hard_bytes} {soft_bytes} {soft_seconds}")
            }))
        }
        Value::OomScores(scores) => joined(scores.iter().map(i32::to_string)),
        Value::Percentiles(percentiles) => {
            joined(percentiles.iter().map(|p| format_percentile(*p)))
        }
        Value::Lines(_) => Vec::new(),
    }
}

fn joined(parts: impl Iterator<Item = String>) -> Vec<u8> {
    parts.collect::<Vec<_>>().join(" ").into_bytes()
}

fn format_words(words: &[(&'static str, u32)], bits: u32) -> String {
    if let Some((word, _)) = words.iter().find(|(_, number)| *number == bits) {
        return (*word).to_string();
    }
    let named: Vec<&str> = words
        .iter()
        .filter(|(_, bit)| *bit != 0 && bits & bit == *bit)
        .map(|(word, _)| *word)
        .collect();
    named.join(" ")
}

fn format_events(bits: u32) -> Vec<u8> {
    // `A` hides every letter it stands for, and Redis hides `n` with them.
    let all = bits & events::ALL == events::ALL;
    let hidden = if all { events::ALL | events::NEW } else { 0 };
    let letters = EVENT_LETTERS.iter().filter(|(_, bit)| bits & bit != 0 && hidden & bit == 0);
    all.then_some(b'A').into_iter().chain(letters.map(|(letter, _)| *letter)).collect()
}

/// Six decimals at most, without zeros at the end.
fn format_percentile(percentile: f64) -> String {
    let text = format!("{percentile:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// Lines that CONFIG REWRITE may write for a value. A line that is not `needed` is written only in
/// place of an old one.
pub(crate) struct Line {
    pub(crate) text: Vec<u8>,
    pub(crate) needed: bool,
}

/// The lines of a value in a file, given the default; none when the parameter is to be absent.
pub(crate) fn lines(param: &Param, value: &Value, default: &Value) -> Vec<Line> {
    let needed = param.flags.has(Flags::ALWAYS_WRITTEN) || value != default;
    let line =
        |arguments: &[u8]| Line { text: [param.name.as_bytes(), b" ", arguments].concat(), needed };
    match value {
        Value::Text(text) if text.is_empty() && matches!(param.kind, Kind::Optional) => Vec::new(),
        Value::Text(text) => vec![line(&quoted(text))],
        Value::Bits(bits) if matches!(param.kind, Kind::Events) => {
            vec![line(&quoted(&format_events(*bits)))]
        }
        Value::Int(number) => match (param.kind, u64::try_from(*number)) {
            (Kind::Int { unit: Unit::Memory | Unit::MemoryOrPercent, .. }, Ok(bytes)) => {
                vec![line(format_memory(bytes).as_bytes())]
            }
            _ => vec![line(&format(param, value))],
        },
        Value::Primary(None) | Value::Lines(_) => Vec::new(),
        Value::Save(points) if !points.is_empty() => points
            .iter()
            .map(|point| line(format!("{} {}", point.seconds, point.changes).as_bytes()))
            .collect(),
        Value::Words(words) if !words.is_empty() => {
            vec![line(&words.iter().map(|word| plain(word)).collect::<Vec<_>>().join(&b' '))]
        }
        Value::OutputLimits(limits) => output_limit_lines(param, limits, default),
        _ => {
            let text = format(param, value);
            vec![line(if text.is_empty() { b"\"\"" } else { &text })]
        }
    }
}

fn output_limit_lines(param: &Param, limits: &[OutputLimit; 3], default: &Value) -> Vec<Line> {
    let Value::OutputLimits(defaults) = default else { return Vec::new() };
    let mut lines = Vec::new();
    for ((limit, default), (_, class)) in limits.iter().zip(defaults).zip(CLASSES) {
        let (hard, soft) = (format_memory(limit.hard_bytes), format_memory(limit.soft_bytes));
        let text = format!("{} {class} {hard} {soft} {}", param.name, limit.soft_seconds);
        lines.push(Line { text: text.into_bytes(), needed: limit != default });
    }
    lines
}

pub(crate) fn quoted(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    quote(text, &mut out);
    out
}

/// The word itself when it needs no quotes.
pub(crate) fn plain(word: &[u8]) -> Vec<u8> {
    let safe = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\' | b'#');
    if !word.is_empty() && word.iter().all(safe) { word.to_vec() } else { quoted(word) }
}

/// The text of a value that is one; every check below that asks belongs to a text.
fn text_of(value: &Value) -> &[u8] {
    match value {
        Value::Text(text) => text,
        _ => &[],
    }
}

fn is_file_name(text: &[u8]) -> bool {
    !text.contains(&b'/') && !text.contains(&b'\\')
}

pub(crate) fn dir(value: &Value) -> Result<(), &'static str> {
    if text_of(value).is_empty() { Err("No such file or directory") } else { Ok(()) }
}

pub(crate) fn db_file_name(value: &Value) -> Result<(), &'static str> {
    match text_of(value) {
        b"" => Err("dbfilename can't be empty"),
        name if !is_file_name(name) => Err("dbfilename can't be a path, just a filename"),
        _ => Ok(()),
    }
}

pub(crate) fn aof_file_name(value: &Value) -> Result<(), &'static str> {
    match text_of(value) {
        b"" => Err("appendfilename can't be empty"),
        name if !is_file_name(name) => Err("appendfilename can't be a path, just a filename"),
        _ => Ok(()),
    }
}

pub(crate) fn aof_dir_name(value: &Value) -> Result<(), &'static str> {
    match text_of(value) {
        b"" => Err("appenddirname can't be empty"),
        name if !is_file_name(name) => Err("appenddirname can't be a path, just a dirname"),
        _ => Ok(()),
    }
}

pub(crate) fn cluster_file(value: &Value) -> Result<(), &'static str> {
    if text_of(value).is_empty() { Err("cluster-config-file can't be empty") } else { Ok(()) }
}

pub(crate) fn host_name(value: &Value) -> Result<(), &'static str> {
    let name = text_of(value);
    if name.len() >= 256 {
        return Err("Hostnames must be less than 256 characters");
    }
    let good = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    if name.iter().all(good) {
        Ok(())
    } else {
        Err("Hostnames may only contain alphanumeric characters, hyphens or dots")
    }
}

pub(crate) fn node_name(value: &Value) -> Result<(), &'static str> {
    if text_of(value).iter().any(|byte| b"!#$%&()*+:;<>?@[]^{|}~\0".contains(byte)) {
        return Err("Announced human node name contained invalid character");
    }
    Ok(())
}

pub(crate) fn ipv4(value: &Value) -> Result<(), &'static str> {
    let text = std::str::from_utf8(text_of(value)).ok();
    match text {
        Some(text) if text.is_empty() || text.parse::<Ipv4Addr>().is_ok() => Ok(()),
        _ => Err("Invalid IPv4 address"),
    }
}

pub(crate) fn ipv6(value: &Value) -> Result<(), &'static str> {
    let text = std::str::from_utf8(text_of(value)).ok();
    match text {
        Some(text) if text.is_empty() || text.parse::<Ipv6Addr>().is_ok() => Ok(()),
        _ => Err("Invalid IPv6 address"),
    }
}

pub(crate) fn hash_seed(value: &Value) -> Result<(), &'static str> {
    if text_of(value).len() > 256 {
        return Err("hash-seed must be less than or equal to 256 characters");
    }
    Ok(())
}

pub(crate) fn shutdown(value: &Value) -> Result<(), &'static str> {
    match value {
        Value::Bits(bits) if bits & 3 == 3 => {
            Err("shutdown options SAVE and NOSAVE can't be used simultaneously")
        }
        _ => Ok(()),
    }
}

pub(crate) fn active_defrag(value: &Value) -> Result<(), &'static str> {
    match value {
        Value::Bool(true) => Err("Active defragmentation cannot be enabled: values are not moved"),
        _ => Ok(()),
    }
}

pub(crate) fn power_of_two(value: &Value) -> Result<(), &'static str> {
    match value {
        Value::Int(number) if number.count_ones() == 1 => Ok(()),
        _ => Err("argument must be a power of two"),
    }
}

pub(crate) fn power_of_two_or_zero(value: &Value) -> Result<(), &'static str> {
    match value {
        Value::Int(0) => Ok(()),
        _ => power_of_two(value),
    }
}

/// Variables in braces must be known ones, and something must remain to be shown.
pub(crate) fn proc_title(value: &Value) -> Result<(), &'static str> {
    const NAMES: &[&[u8]] = &[
        b"title",
        b"listen-addr",
        b"server-mode",
        b"port",
        b"tls-port",
        b"unixsocket",
        b"config-file",
    ];
    const INVALID: &str = "template format is invalid or contains unknown variables";
    let mut rest = text_of(value);
    // The title alone is nothing: it is empty until the server knows what to call itself.
    let mut shows = false;
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'{' || after.starts_with(b"{") {
            shows |= byte != b' ';
            rest = if byte == b'{' { after.get(1..).unwrap_or_default() } else { after };
            continue;
        }
        let close = after.iter().position(|byte| *byte == b'}').ok_or(INVALID)?;
        let (name, after) = after.split_at(close);
        if !NAMES.contains(&name) {
            return Err(INVALID);
        }
        shows |= name != b"title";
        rest = after.get(1..).unwrap_or_default();
    }
    if shows { Ok(()) } else { Err(INVALID) }
}
