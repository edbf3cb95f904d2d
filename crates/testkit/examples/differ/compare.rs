//! Which replies agree, and which may not.

use resp::Value;

/// How the replies to a row are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    Exact,
    /// Any order.
    Unordered,
    /// Pairs in any order: a map, or an array of twice as many.
    Pairs,
    /// Numbers by what they are, in texts too.
    Numeric,
    /// A cursor and items: compared, in any order, where both walks ended with this call.
    Walk,
    /// Random: only whether it is an error, and its type.
    Shape,
    /// A number that time moves, by this much.
    Within(i64),
    /// An array of such numbers.
    Numbers(i64),
}

/// The rows that are not compared exactly.
const RULES: &[(&str, Rule)] = &[
    ("keys", Rule::Unordered),
    ("smembers", Rule::Unordered),
    ("sinter", Rule::Unordered),
    ("sunion", Rule::Unordered),
    ("sdiff", Rule::Unordered),
    ("hkeys", Rule::Unordered),
    ("hvals", Rule::Unordered),
    ("hgetall", Rule::Pairs),
    ("sscan", Rule::Walk),
    ("hscan", Rule::Walk),
    ("zscan", Rule::Walk),
    ("srandmember", Rule::Shape),
    ("hrandfield", Rule::Shape),
    ("zrandmember", Rule::Shape),
    // Of a set that is not sorted, any order will do.
    ("sort", Rule::Unordered),
    ("sort_ro", Rule::Unordered),
    // They say for how long something has been idle.
    ("xpending", Rule::Shape),
    ("xinfo|consumers", Rule::Shape),
    ("xinfo|stream", Rule::Shape),
    ("httl", Rule::Numbers(3)),
    ("hpttl", Rule::Numbers(3000)),
    ("hexpiretime", Rule::Numbers(3)),
    ("hpexpiretime", Rule::Numbers(3000)),
    // Where the walk stands, and what it meets in one call, is each server's own.
    ("scan", Rule::Shape),
    ("randomkey", Rule::Shape),
    // When equal integers share one object is each server's own.
    ("object|refcount", Rule::Shape),
    ("ttl", Rule::Within(3)),
    ("pttl", Rule::Within(3000)),
    ("expiretime", Rule::Within(3)),
    ("pexpiretime", Rule::Within(3000)),
    ("object|idletime", Rule::Within(3)),
    // Valkey prints seventeen places of a coordinate, Redis 8 as many as it takes.
    ("geopos", Rule::Numeric),
    ("georadius", Rule::Numeric),
    ("georadius_ro", Rule::Numeric),
    ("georadiusbymember", Rule::Numeric),
    ("georadiusbymember_ro", Rule::Numeric),
    ("geosearch", Rule::Numeric),
];

/// Who the other server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    Redis,
    Valkey,
}

/// A difference that is meant.
struct Meant {
    peer: Option<Peer>,
    /// The row; `*` for any, `data` for what a comparison of the data asks.
    row: &'static str,
    /// How our reply and theirs begin.
    ours: &'static str,
    theirs: &'static str,
    reason: &'static str,
}

const MEANT: &[Meant] = &[
    Meant {
        peer: Some(Peer::Redis),
        row: "*",
        ours: "(error) ERR unknown command",
        theirs: "(error) ERR unknown command",
        reason: "Redis 8.6 does not speak of arguments where there are none",
    },
    Meant {
        peer: None,
        row: "xgroup|create",
        ours: "(error) ERR unknown subcommand or wrong number of arguments",
        theirs: "(error) WRONGTYPE",
        reason: "theirs looks at the key before it counts the words",
    },
    Meant {
        peer: None,
        row: "xgroup|setid",
        ours: "(error) ERR unknown subcommand or wrong number of arguments",
        theirs: "(error) WRONGTYPE",
        reason: "theirs looks at the key before it counts the words",
    },
    Meant {
        peer: Some(Peer::Redis),
        row: "sort",
        ours: "(error) ERR One or more scores can't be converted into double",
        theirs: "",
        reason: "Redis 8 reads a weight beyond all doubles as infinite",
    },
    Meant {
        peer: Some(Peer::Valkey),
        row: "sort",
        ours: "",
        theirs: "(error) ERR One or more scores can't be converted into double",
        reason: "Valkey refuses a weight between 0 and the least normal double",
    },
    Meant {
        peer: Some(Peer::Valkey),
        row: "sort_ro",
        ours: "",
        theirs: "(error) ERR One or more scores can't be converted into double",
        reason: "Valkey refuses a weight between 0 and the least normal double",
    },
    Meant {
        peer: Some(Peer::Redis),
        row: "sort_ro",
        ours: "(error) ERR One or more scores can't be converted into double",
        theirs: "",
        reason: "Redis 8 reads a weight beyond all doubles as infinite",
    },
    Meant {
        peer: None,
        row: "data",
        ours: "\"quicklist\"",
        theirs: "\"listpack\"",
        reason: "their LSET joins the nodes of a list that has become small",
    },
    Meant {
        peer: None,
        row: "object|encoding",
        ours: "\"quicklist\"",
        theirs: "\"listpack\"",
        reason: "their LSET joins the nodes of a list that has become small",
    },
    Meant {
        peer: Some(Peer::Redis),
        row: "xinfo|groups",
        ours: "1)  1) \"name\"",
        theirs: "1)  1) \"name\"",
        reason: "how far a group lags that has read more than there is is told as Valkey does",
    },
    Meant {
        peer: Some(Peer::Redis),
        row: "xinfo|groups",
        ours: "1) 1# \"name\"",
        theirs: "1) 1# \"name\"",
        reason: "how far a group lags that has read more than there is is told as Valkey does",
    },
    Meant {
        peer: None,
        row: "data",
        ours: "\"listpack\"",
        theirs: "\"quicklist\"",
        reason: "their LINSERT changes the shape for an element that it does not put in",
    },
    Meant {
        peer: None,
        row: "object|encoding",
        ours: "\"listpack\"",
        theirs: "\"quicklist\"",
        reason: "their LINSERT changes the shape for an element that it does not put in",
    },
    Meant {
        peer: None,
        row: "data",
        ours: "\"listpack\"",
        theirs: "\"skiplist\"",
        reason: "their ZADD changes the shape for members that it does not add",
    },
    Meant {
        peer: None,
        row: "object|encoding",
        ours: "\"listpack\"",
        theirs: "\"skiplist\"",
        reason: "their ZADD changes the shape for members that it does not add",
    },
    Meant {
        peer: Some(Peer::Redis),
        row: "data",
        ours: "\"listpack\"",
        theirs: "\"listpackex\"",
        reason: "their HEXPIRE changes the shape for fields that are not there",
    },
    Meant {
        peer: Some(Peer::Redis),
        row: "object|encoding",
        ours: "\"listpack\"",
        theirs: "\"listpackex\"",
        reason: "their HEXPIRE changes the shape for fields that are not there",
    },
    Meant {
        peer: Some(Peer::Valkey),
        row: "xread",
        ours: "",
        theirs: "(error) ERR the stream last element ID is 0-0",
        reason: "Redis finds nothing at + of an empty stream",
    },
    Meant {
        peer: Some(Peer::Redis),
        row: "bitcount",
        ours: "",
        theirs: "(error) ERR ",
        reason: "a range may have no end in Valkey",
    },
    Meant {
        peer: Some(Peer::Redis),
        row: "xread",
        ours: "(error) ERR Unbalanced 'xread' list",
        theirs: "(error) ERR Unbalanced 'xread' list",
        reason: "Redis names one more ID in the same error",
    },
    Meant {
        peer: Some(Peer::Redis),
        row: "xreadgroup",
        ours: "(error) ERR Unbalanced 'xreadgroup' list",
        theirs: "(error) ERR Unbalanced 'xreadgroup' list",
        reason: "Redis names one more ID in the same error",
    },
    Meant {
        peer: None,
        row: "restore-asking",
        ours: "(error) ERR Invalid TTL value, must be >= 0",
        theirs: "(error) ERR DUMP payload version or checksum are wrong",
        reason: "a moment beyond 64 bits is refused first",
    },
    Meant {
        peer: None,
        row: "restore",
        ours: "(error) ERR Invalid TTL value, must be >= 0",
        theirs: "(error) ERR DUMP payload version or checksum are wrong",
        reason: "a moment beyond 64 bits is refused first",
    },
    Meant {
        peer: Some(Peer::Redis),
        row: "object|idletime",
        ours: "(integer)",
        theirs: "(integer)",
        reason: "small integers are one object in Redis, with one time of access",
    },
    Meant {
        peer: None,
        row: "dbsize",
        ours: "(integer)",
        theirs: "(integer)",
        reason: "SET in Redis and MSETEX in Valkey keep, and count, a key whose moment has passed",
    },
    Meant {
        peer: Some(Peer::Redis),
        row: "scan",
        ours: "(error) ERR unknown type name",
        theirs: "",
        reason: "Valkey refuses a TYPE that does not exist; Redis finds nothing",
    },
    Meant {
        peer: None,
        row: "object|encoding",
        ours: "\"embstr\"",
        theirs: "\"raw\"",
        reason: "Valkey, and Redis 8.2, count the key into the 64 bytes of an embedded string",
    },
    Meant {
        peer: None,
        row: "data",
        ours: "\"embstr\"",
        theirs: "\"raw\"",
        reason: "Valkey, and Redis 8.2, count the key into the 64 bytes of an embedded string",
    },
    Meant {
        peer: Some(Peer::Valkey),
        row: "msetex",
        ours: "(error)",
        theirs: "(error) ERR syntax error",
        reason: "Valkey calls an odd number of words a fault of syntax",
    },
    Meant {
        peer: Some(Peer::Valkey),
        row: "msetex",
        ours: "(error) ERR invalid numkeys value",
        theirs: "(error) ERR invalid numkeys value or out of range",
        reason: "Valkey words it otherwise than Redis 8.4",
    },
    Meant {
        peer: Some(Peer::Valkey),
        row: "getex",
        ours: "(nil)",
        theirs: "(error) ERR ",
        reason: "Valkey 9 reads the time before it looks for the key",
    },
    Meant {
        peer: None,
        row: "object|encoding",
        ours: "\"raw\"",
        theirs: "\"embstr\"",
        reason: "Valkey 9 embeds longer strings under short keys",
    },
    Meant {
        peer: None,
        row: "data",
        ours: "\"raw\"",
        theirs: "\"embstr\"",
        reason: "Valkey 9 embeds longer strings under short keys",
    },
];

pub(crate) fn rule(row: &str) -> Rule {
    RULES.iter().find(|(name, _)| *name == row).map_or(Rule::Exact, |(_, rule)| *rule)
}

/// The rows with FIELDS, which Redis reads by one parser since 8.4, and words otherwise.
const FIELD_ROWS: &[&str] = &["hexpire", "hpexpire", "hexpireat", "hpexpireat", "hgetex", "hsetex"];

/// Why a difference is meant, if it is.
pub(crate) fn meant(peer: Peer, row: &str, ours: &Value, theirs: &Value) -> Option<&'static str> {
    if peer == Peer::Redis && FIELD_ROWS.contains(&row) && ours.is_error() && theirs.is_error() {
        return Some("what is wrong with FIELDS is said as Redis 8.0 says it");
    }
    if let (Value::Error(ours), Value::Error(theirs)) = (ours, theirs)
        && let Some(end) = ours.iter().position(|byte| *byte == 0)
        && theirs.starts_with(&ours[..end])
    {
        return Some("their error text leaves out what follows a NUL of the request");
    }
    if row.starts_with("sort")
        && let (Value::Array(ours), Value::Array(theirs)) = (ours, theirs)
        && ours.len() == theirs.len()
        && ours.iter().chain(theirs).any(|item| item.as_bytes().is_some_and(|it| it.contains(&0)))
    {
        return Some("theirs sorts texts up to a NUL, and what is equal then in any order");
    }
    let (ours, theirs) = (ours.cli(), theirs.cli());
    MEANT
        .iter()
        .find(|meant| {
            meant.peer.is_none_or(|only| only == peer)
                && (meant.row == "*" || meant.row == row)
                && ours.starts_with(meant.ours)
                && theirs.starts_with(meant.theirs)
        })
        .map(|meant| meant.reason)
}

pub(crate) fn agree(rule: Rule, ours: &Value, theirs: &Value) -> bool {
    if ours.is_error() || theirs.is_error() {
        return ours == theirs;
    }
    match rule {
        Rule::Exact => equal(ours, theirs, false),
        Rule::Numeric => equal(ours, theirs, true),
        Rule::Unordered => sorted(ours) == sorted(theirs),
        Rule::Shape => std::mem::discriminant(ours) == std::mem::discriminant(theirs),
        Rule::Pairs => pairs(ours) == pairs(theirs),
        Rule::Walk => match (ours, theirs) {
            (Value::Array(a), Value::Array(b)) if a.len() == 2 && b.len() == 2 => {
                let ended = |walk: &[Value]| walk[0].as_bytes() == Some(b"0");
                !ended(a) || !ended(b) || numbers(sorted(&a[1])) == numbers(sorted(&b[1]))
            }
            _ => ours == theirs,
        },
        Rule::Numbers(span) => match (ours, theirs) {
            (Value::Array(a), Value::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| agree(Rule::Within(span), a, b))
            }
            _ => ours == theirs,
        },
        Rule::Within(span) => match (ours, theirs) {
            (Value::Integer(a), Value::Integer(b)) => {
                a == b || (*a >= 0 && *b >= 0 && a.abs_diff(*b) <= span.unsigned_abs())
            }
            _ => ours == theirs,
        },
    }
}

/// Equal, doubles by what they are and not by their digits.
fn equal(ours: &Value, theirs: &Value, texts: bool) -> bool {
    match (ours, theirs) {
        (Value::Array(a), Value::Array(b)) | (Value::Set(a), Value::Set(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b, texts))
        }
        (Value::Map(a), Value::Map(b)) => {
            let pairs = |(a, b): (&(Value, Value), &(Value, Value))| {
                equal(&a.0, &b.0, texts) && equal(&a.1, &b.1, texts)
            };
            a.len() == b.len() && a.iter().zip(b).all(pairs)
        }
        (Value::Bulk(a), Value::Bulk(b)) if texts => {
            // Seventeen places after the point: little of a number that is nearly zero.
            let number = |text: &[u8]| stdx::num::parse_f64(text);
            a == b || number(a).zip(number(b)).is_some_and(|(a, b)| (a - b).abs() < 1e-9)
        }
        (Value::Double(_), Value::Double(_)) => {
            let number = |value: &Value| value.cli().trim_start_matches("(double) ").parse::<f64>();
            match (number(ours), number(theirs)) {
                (Ok(a), Ok(b)) if texts => a == b || (a - b).abs() < 1e-9,
                _ => numbers(vec![ours.cli()]) == numbers(vec![theirs.cli()]),
            }
        }
        _ => ours == theirs,
    }
}

/// Texts that are numbers in one spelling.
fn numbers(texts: Vec<String>) -> Vec<String> {
    let mut texts: Vec<String> = texts
        .into_iter()
        .map(|text| {
            let number = text.trim_start_matches("(double) ").trim_matches('"').parse::<f64>();
            number.map_or(text, |number| number.to_string())
        })
        .collect();
    texts.sort();
    texts
}

fn pairs(value: &Value) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = match value {
        Value::Array(items) => items
            .chunks(2)
            .map(|pair| (pair[0].cli(), pair.last().map_or_else(String::new, Value::cli)))
            .collect(),
        Value::Map(items) => items.iter().map(|(key, value)| (key.cli(), value.cli())).collect(),
        other => vec![(other.cli(), String::new())],
    };
    pairs.sort();
    pairs
}

fn sorted(value: &Value) -> Vec<String> {
    let mut items = match value {
        Value::Array(items) | Value::Set(items) => items.iter().map(Value::cli).collect(),
        other => vec![other.cli()],
    };
    items.sort();
    items
}
