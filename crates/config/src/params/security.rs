//! Users, passwords, dangerous commands; TLS.

use crate::param::{
    Flags, INT, LONG, Param, Source, Unit, choice, directive, flag, int, optional, text,
};

const ALLOWED: &[(&str, u32)] = &[("no", 0), ("yes", 1), ("local", 2)];
const CHANNELS: &[(&str, u32)] = &[("allchannels", 1), ("resetchannels", 0)];
const CLIENT_CERT: &[(&str, u32)] = &[("no", 0), ("yes", 1), ("optional", 2)];
const CERT_USER: &[(&str, u32)] = &[("CN", 1), ("URI", 2), ("off", 0)];

pub(super) const PARAMS: &[Param] = &[
    choice(
        "acl-pubsub-default",
        CHANNELS,
        "resetchannels",
        "Channels a new user may use before it is told.",
    ),
    text("aclfile", "", "File that holds the users.").fixed(),
    int("acllog-max-len", (0, LONG, Unit::Count), "128", "Entries of ACL LOG."),
    choice("enable-debug-command", ALLOWED, "no", "Who may call DEBUG.").fixed(),
    choice("enable-module-command", ALLOWED, "no", "Who may call MODULE.")
        .fixed()
        .idle("native modules are not loaded"),
    choice("enable-protected-configs", ALLOWED, "no", "Who may change protected parameters.")
        .fixed(),
    // Valkey: yes, Redis: no. Keys and values have no place in a log that is passed on.
    flag("hide-user-data-from-log", "yes", "Keep keys and values out of the log."),
    flag("lua-enable-deprecated-api", "no", "Offer scripts the functions of older versions.")
        .of(Source::Valkey)
        .hidden()
        .fixed(),
    flag(
        "lua-enable-insecure-api",
        "no",
        "Offer scripts functions that reach beyond their sandbox.",
    )
    .of(Source::Valkey)
    .hidden()
    .idle("no script leaves its sandbox"),
    optional("requirepass", "Password of the default user.").with(Flags::SENSITIVE),
    directive("user", 1, usize::MAX, "A user and its rules, as ACL SETUSER takes them."),
];

pub(super) const TLS_PARAMS: &[Param] = &[
    choice("tls-auth-clients", CLIENT_CERT, "yes", "Whether clients must show a certificate."),
    choice(
        "tls-auth-clients-user",
        CERT_USER,
        "off",
        "Part of a client's certificate that names its user.",
    ),
    int(
        "tls-auto-reload-interval",
        (0, INT, Unit::Seconds),
        "0",
        "How often certificates are read anew; 0 is never.",
    )
    .of(Source::Valkey),
    optional("tls-ca-cert-dir", "Directory of trusted certificates.").with(Flags::VOLATILE),
    optional("tls-ca-cert-file", "File of trusted certificates.").with(Flags::VOLATILE),
    optional("tls-cert-file", "The server's certificate.").with(Flags::VOLATILE),
    optional("tls-ciphers", "Ciphers up to TLS 1.2."),
    optional("tls-ciphersuites", "Cipher suites of TLS 1.3."),
    optional("tls-client-cert-file", "Certificate shown to other servers.").with(Flags::VOLATILE),
    optional("tls-client-key-file", "Key of that certificate.").with(Flags::VOLATILE),
    optional("tls-client-key-file-pass", "Password of that key.").with(Flags::SENSITIVE),
    flag("tls-cluster", "no", "Use TLS on the cluster bus."),
    optional("tls-dh-params-file", "Diffie-Hellman parameters.")
        .with(Flags::VOLATILE)
        .idle("only elliptic-curve key exchange is offered"),
    text("tls-expected-peer-name", "", "Name that other servers' certificates must carry.")
        .of(Source::Redis),
    optional("tls-key-file", "Key of the server's certificate.").with(Flags::VOLATILE),
    optional("tls-key-file-pass", "Password of that key.").with(Flags::SENSITIVE),
    int("tls-port", (0, 65535, Unit::Count), "0", "TLS port; 0 is none."),
    flag("tls-prefer-server-ciphers", "no", "Choose the cipher in the server's order."),
    optional("tls-protocols", "Versions of TLS to offer."),
    flag("tls-replication", "no", "Use TLS towards the primary."),
    int(
        "tls-session-cache-size",
        (0, INT, Unit::Count),
        "20480",
        "Sessions remembered for resumption.",
    ),
    int(
        "tls-session-cache-timeout",
        (0, INT, Unit::Seconds),
        "300",
        "How long a session is remembered.",
    ),
    flag("tls-session-caching", "yes", "Remember sessions for resumption."),
];
