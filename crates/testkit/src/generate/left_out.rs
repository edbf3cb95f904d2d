//! What is never generated, and why. Everything else of the table is.

/// Full names of rows, and the reason.
pub const LEFT_OUT: &[(&str, &str)] = &[
    ("shutdown", "ends the server"),
    ("migrate", "talks to another server, and its own tests see to that"),
    ("pfselftest", "takes seconds, and no keys"),
    ("client|pause", "holds back every other request, for as long as a random number says"),
    ("client|kill", "closes the connections of the test itself"),
    ("config|rewrite", "writes a file"),
    ("config|set", "sets a password or a limit that later requests then meet"),
    ("config|resetstat", "forgets what a failing test would report"),
    ("spop", "what it takes is random, and its own tests replay it"),
    ("subscribe", "answers once for each channel, and changes what may come next"),
    ("unsubscribe", "as SUBSCRIBE"),
    ("psubscribe", "as SUBSCRIBE"),
    ("punsubscribe", "as SUBSCRIBE"),
    ("ssubscribe", "as SUBSCRIBE"),
    ("sunsubscribe", "as SUBSCRIBE"),
    ("sync", "turns the connection into a replica's"),
    ("psync", "as SYNC"),
    ("monitor", "is answered by what others do, too"),
];

/// What DEBUG is sent, since its row tells no grammar: subcommands that neither end nor stop the
/// server, nor make keys behind the journal's back (POPULATE). `K` is a key, `S` a string.
pub const DEBUG_BODIES: &[&str] = &[
    "DIGEST",
    "DIGEST-VALUE K",
    "DIGEST-VALUE K K K",
    "OBJECT K",
    "SDSLEN K",
    "STRINGMATCH-LEN S S",
    "HTSTATS 0",
    "ERROR S",
    "PROTOCOL string",
    "PROTOCOL double",
    "PROTOCOL map",
    "PROTOCOL set",
    "PROTOCOL null",
    "PROTOCOL verbatim",
    "PROTOCOL attrib",
    "HELP",
];
