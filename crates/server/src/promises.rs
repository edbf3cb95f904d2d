//! Directives that promise what this version does not keep. One that asks for safety refuses the
//! start: a server that loses data, or serves strangers, that its configuration says are safe is
//! worse than none. So is one without the commands of a module, whose data it could not load.

use config::{Config, ConfigError, Directive, id};

/// The first promise of `directives` that cannot be kept, as an error that names its place.
pub(crate) fn check(config: &Config, directives: &[Directive]) -> Result<(), ConfigError> {
    let broken: [(bool, &[&str], &str); 6] = [
        (
            config.yes(id("cluster-enabled")),
            &["cluster-enabled"],
            "'cluster-enabled yes' cannot be kept: this version has no cluster mode",
        ),
        (
            config.primary().is_some(),
            &["replicaof", "slaveof"],
            "'replicaof' cannot be kept: this version does not replicate",
        ),
        (
            config.uint(id("tls-port")) != 0,
            &["tls-port"],
            "'tls-port' cannot be kept: this version does not speak TLS",
        ),
        (
            !config.bytes(id("aclfile")).is_empty(),
            &["aclfile"],
            "'aclfile' cannot be kept: this version has one user, with 'requirepass'",
        ),
        (
            !config.lines(id("user")).is_empty(),
            &["user"],
            "'user' cannot be kept: this version has one user, with 'requirepass'",
        ),
        (
            !config.lines(id("loadmodule")).is_empty(),
            &["loadmodule"],
            "'loadmodule' cannot be kept: Almagre loads no native modules",
        ),
    ];
    for (is_asked, names, message) in broken {
        if !is_asked {
            continue;
        }
        let blamed = directives.iter().rfind(|directive| names.contains(&directive.name.as_str()));
        return Err(blamed.map_or_else(|| ConfigError::whole(message), |line| line.error(message)));
    }
    Ok(())
}
