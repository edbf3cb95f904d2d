//! The filters of CLIENT LIST and CLIENT KILL. A client passes if it meets every condition; of
//! each condition but SKIPME, MAXAGE and IDLE there is a negation with the prefix NOT-.

use super::line;
use command::{Card, CommandError, Kind};
use std::sync::atomic::Ordering::Relaxed;

/// What a client is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Property {
    Ids(Vec<u64>),
    Kind(Kind),
    User(Vec<u8>),
    Addr(Vec<u8>),
    Laddr(Vec<u8>),
    Ip(Vec<u8>),
    Name(Vec<u8>),
    LibName(Vec<u8>),
    LibVer(Vec<u8>),
    /// Letters, all of which must be set.
    Flags(Vec<u8>),
    /// Letters of capabilities, all of which must be set.
    Capabilities(Vec<u8>),
    Db(u32),
}

/// A property and whether the client must have it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    property: Property,
    wanted: bool,
}

/// A parsed list of filters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    conditions: Vec<Condition>,
    skip_me: bool,
    /// Seconds.
    age_min: i64,
    idle_min: i64,
}

impl Filter {
    /// The old form of CLIENT KILL.
    pub(super) fn of_addr(addr: &[u8]) -> Self {
        let property = Property::Addr(addr.to_vec());
        Self { conditions: vec![Condition { property, wanted: true }], ..Self::default() }
    }

    /// Reads filters to the end of `words`. `skip_me`: whether the caller is left out unless it
    /// says otherwise; `databases`: how many there are.
    pub(super) fn parse(
        mut words: &[&[u8]],
        skip_me: bool,
        databases: u32,
    ) -> Result<Self, CommandError> {
        let mut filter = Self { skip_me, ..Self::default() };
        while let Some((option, rest)) = words.split_first() {
            let option = option.to_ascii_lowercase();
            let (name, wanted) = match option.strip_prefix(b"not-") {
                Some(name) => (name, false),
                None => (&option[..], true),
            };
            if name == b"id" {
                let (ids, taken) = parse_ids(rest)?;
                filter.add(Property::Ids(ids), wanted);
                words = &rest[taken..];
                continue;
            }
            let (value, rest) = rest.split_first().ok_or(CommandError::Syntax)?;
            match name {
                b"maxage" if wanted => {
                    let (absent, small) =
                        (CommandError::MaxageNotInteger, CommandError::MaxageTooSmall);
                    filter.age_min = parse_seconds(value, absent, small)?;
                }
                b"idle" if wanted => {
                    let (absent, small) =
                        (CommandError::IdleNotInteger, CommandError::IdleTooSmall);
                    filter.idle_min = parse_seconds(value, absent, small)?;
                }
                b"skipme" if wanted => filter.skip_me = parse_yes_no(value)?,
                _ => filter.add(parse_property(name, wanted, value, databases)?, wanted),
            }
            words = rest;
        }
        Ok(filter)
    }

    /// Adds a condition; of two on the same property the later one counts, except that lists of
    /// ids add up.
    fn add(&mut self, property: Property, wanted: bool) {
        let kind = std::mem::discriminant(&property);
        let same = |condition: &&mut Condition| {
            condition.wanted == wanted && std::mem::discriminant(&condition.property) == kind
        };
        match (self.conditions.iter_mut().find(same), property) {
            (None, property) => self.conditions.push(Condition { property, wanted }),
            (Some(Condition { property: Property::Ids(all), .. }), Property::Ids(more)) => {
                all.extend(more);
            }
            (Some(condition), property) => condition.property = property,
        }
    }

    /// Whether `card` passes when the client with the id `me` asks.
    pub(super) fn passes(&self, me: u64, now_ms: i64, card: &Card) -> bool {
        !(self.skip_me && card.id == me)
            && line::age(card, now_ms) >= self.age_min
            && line::idle(card, now_ms) >= self.idle_min
            && self
                .conditions
                .iter()
                .all(|condition| has(card, &condition.property) == condition.wanted)
    }
}

/// The ids at the head of `words`, up to the first word that is no number, and how many words.
fn parse_ids(words: &[&[u8]]) -> Result<(Vec<u64>, usize), CommandError> {
    let mut ids = Vec::new();
    for number in words.iter().map_while(|word| stdx::num::parse_i64(word)) {
        let id = u64::try_from(number).ok().filter(|id| *id > 0);
        ids.push(id.ok_or(CommandError::ClientId)?);
    }
    let taken = ids.len();
    Ok((ids, taken))
}

fn parse_seconds(
    word: &[u8],
    not_integer: CommandError,
    too_small: CommandError,
) -> Result<i64, CommandError> {
    let seconds = stdx::num::parse_i64(word).ok_or(not_integer)?;
    if seconds > 0 { Ok(seconds) } else { Err(too_small) }
}

fn parse_yes_no(word: &[u8]) -> Result<bool, CommandError> {
    if word.eq_ignore_ascii_case(b"yes") {
        Ok(true)
    } else if word.eq_ignore_ascii_case(b"no") {
        Ok(false)
    } else {
        Err(CommandError::Syntax)
    }
}

fn parse_property(
    name: &[u8],
    wanted: bool,
    value: &[u8],
    databases: u32,
) -> Result<Property, CommandError> {
    let text = value.to_vec();
    Ok(match name {
        b"type" => Property::Kind(parse_kind(value)?),
        // Users are told apart by ACL; there is one.
        b"user" if value == b"default" => Property::User(text),
        b"user" => return Err(CommandError::err_bytes(&[b"No such user '", value, b"'"])),
        b"addr" => Property::Addr(text),
        b"laddr" => Property::Laddr(text),
        b"ip" => Property::Ip(text),
        b"name" => Property::Name(text),
        b"lib-name" => Property::LibName(text),
        b"lib-ver" => Property::LibVer(text),
        b"flags" => {
            Property::Flags(parse_letters(b"flags", wanted, value, b"OSMPxbtRBdcuAUreTIN")?)
        }
        b"capa" => Property::Capabilities(parse_letters(b"capa", wanted, value, b"r")?),
        b"db" => Property::Db(parse_db(wanted, value, databases)?),
        _ => return Err(CommandError::Syntax),
    })
}

fn parse_kind(word: &[u8]) -> Result<Kind, CommandError> {
    Ok(match &word.to_ascii_lowercase()[..] {
        b"normal" => Kind::Normal,
        b"slave" | b"replica" => Kind::Replica,
        b"pubsub" => Kind::PubSub,
        b"master" | b"primary" => Kind::Master,
        _ => return Err(CommandError::err_bytes(&[b"Unknown client type '", word, b"'"])),
    })
}

fn parse_letters(
    what: &[u8],
    wanted: bool,
    letters: &[u8],
    known: &[u8],
) -> Result<Vec<u8>, CommandError> {
    if letters.iter().all(|letter| known.contains(letter)) {
        return Ok(letters.to_vec());
    }
    let negated = [b"NOT-", &what.to_ascii_uppercase()[..]].concat();
    let filter: &[u8] = if wanted { b"provided" } else { &negated };
    Err(CommandError::err_bytes(&[
        b"Unknown ",
        what,
        b" found in the ",
        filter,
        b" filter: ",
        letters,
    ]))
}

fn parse_db(wanted: bool, word: &[u8], databases: u32) -> Result<u32, CommandError> {
    let not = if wanted { "" } else { "NOT-" };
    let number = stdx::num::parse_i64(word).and_then(|number| i32::try_from(number).ok());
    let Some(number) = number else {
        return Err(CommandError::err(format_args!("{not}DB is not an integer or out of range")));
    };
    u32::try_from(number).ok().filter(|db| *db < databases).ok_or_else(|| {
        let last = databases.saturating_sub(1);
        CommandError::err(format_args!("{not}DB number should be between 0 and {last}"))
    })
}

/// The address without the port.
pub(super) fn ip_of(addr: &str) -> &str {
    addr.rsplit_once(':').map_or(addr, |(ip, _)| ip.trim_matches(['[', ']']))
}

fn has(card: &Card, property: &Property) -> bool {
    let named = |own: &[u8], name: &[u8]| !own.is_empty() && own == name;
    match property {
        Property::Ids(ids) => ids.contains(&card.id),
        Property::Kind(kind) => card.kind() == *kind,
        Property::User(user) => card.identity.lock().user.as_bytes() == user,
        Property::Addr(addr) => card.addr.as_bytes() == addr,
        Property::Laddr(addr) => card.laddr.as_bytes() == addr,
        Property::Ip(ip) => ip_of(&card.addr).as_bytes() == ip,
        Property::Name(name) => named(&card.identity.lock().name, name),
        Property::LibName(name) => named(&card.identity.lock().lib_name, name),
        Property::LibVer(version) => named(&card.identity.lock().lib_ver, version),
        Property::Flags(wanted) => {
            let letters = line::letters(card);
            wanted.iter().all(|letter| letters.contains(letter))
        }
        Property::Capabilities(wanted) => {
            let letters = &card.identity.lock().capabilities;
            wanted.iter().all(|letter| letters.as_bytes().contains(letter))
        }
        Property::Db(db) => card.db.load(Relaxed) == *db,
    }
}
