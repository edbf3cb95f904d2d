//! Settings.

use super::clients_bytes_max;
use config::{Caller, Config, Effect, Origin, PARAMS};

const KB: u64 = 1 << 10;
const MB: u64 = 1 << 20;

/// The limit for clients after the lines of a file.
fn limit(lines: &str) -> u64 {
    let mut config = Config::new();
    let lines = config::parse_file(lines.as_bytes(), "test", Origin::File).unwrap();
    config.load(&lines).unwrap();
    clients_bytes_max(&config)
}

#[test]
fn clients_have_room() {
    assert_eq!(limit(""), 0, "no maxmemory, no limit");
    assert_eq!(limit("maxmemory 100mb"), 64 * MB, "nobody chose the 5%");
    assert_eq!(limit("maxmemory 10gb"), 512 * MB);
    assert_eq!(limit("maxmemory 100mb\nmaxmemory-clients 5%"), 5 * MB);
    assert_eq!(limit("maxmemory 1mb\nmaxmemory-clients 5%"), 128 * KB);
    assert_eq!(limit("maxmemory-clients 5%"), 0);
    assert_eq!(limit("maxmemory-clients 1"), 128 * KB);
    assert_eq!(limit("maxmemory-clients 1mb"), MB);
    assert_eq!(limit("maxmemory 100mb\nmaxmemory-clients 0"), 0);
    assert_eq!(limit("maxmemory 50\nmaxmemory-clients 3%"), 128 * KB);
}

#[test]
fn the_default_can_be_chosen() {
    let mut config = Config::new();
    let caller = Caller { local: true, loading: false };
    let mut set = |name: &str, value: &str| {
        config.set(&[name.as_bytes(), value.as_bytes()], caller, &mut |_, _| Ok(())).unwrap();
        clients_bytes_max(&config)
    };
    assert_eq!(set("maxmemory", "100mb"), 64 * MB);
    assert_eq!(set("maxmemory-clients", "5%"), 5 * MB);
}

#[test]
fn what_is_read_has_an_effect() {
    let readers = [
        ("accept.rs", include_str!("../accept.rs")),
        ("cron.rs", include_str!("../cron.rs")),
        ("settings", include_str!("mod.rs")),
        ("start.rs", include_str!("../start.rs")),
    ];
    for param in &PARAMS {
        let Effect::None(why) = param.effect else { continue };
        let use_of_it = format!("id(\"{}\")", param.name);
        for (file, text) in readers {
            assert!(
                !text.contains(&use_of_it),
                "{file} reads {}, of which it is said: {why}",
                param.name
            );
        }
    }
}
