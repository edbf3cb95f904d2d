//! The list itself: what must hold of every row.

use super::{get, glob, is_hidden, same, set, settable, started};
use crate::config::default_of;
use crate::params::NAMES;
use crate::{
    Config, DEPRECATED, Effect, Flags, Kind, PARAMS, ParamId, Scope, Source, Theme, id, lookup,
    markdown, rewrite, sample,
};

#[test]
fn names_are_unique_and_well_formed() {
    let unique = NAMES.windows(2).all(|pair| pair[0].0 < pair[1].0);
    assert!(unique, "a name stands twice: {:?}", NAMES.windows(2).find(|p| p[0].0 >= p[1].0));
    for (name, _) in NAMES.iter() {
        let good =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        assert!(name.bytes().all(good), "{name}");
        assert!(!DEPRECATED.contains(name), "{name}");
    }
}

#[test]
fn rows_of_a_theme_are_sorted_and_say_something() {
    for theme in Theme::ALL {
        let rows: Vec<_> = PARAMS.iter().filter(|param| param.theme == *theme).collect();
        assert!(!rows.is_empty());
        let unsorted = rows.windows(2).find(|pair| pair[0].name >= pair[1].name);
        assert!(unsorted.is_none(), "{:?}", unsorted.map(|pair| pair[1].name));
        for row in rows {
            assert!(row.summary.ends_with('.') && row.summary.len() < 88, "{}", row.name);
            assert!(!row.summary.contains('|') && !row.summary.contains('\n'), "{}", row.name);
            if let Effect::None(why) = row.effect {
                assert!(!why.ends_with('.') && why.len() > 10, "{}", row.name);
            }
        }
    }
}

#[test]
fn ids_and_names_agree() {
    const PORT: ParamId = id("port");
    assert_eq!(PORT.param().name, "port");
    for id in ParamId::all() {
        assert_eq!(lookup(id.param().name.as_bytes()).unwrap().1, id);
        assert_eq!(crate::id(id.param().name), id);
        for alias in id.param().aliases {
            assert_eq!(lookup(alias.to_ascii_uppercase().as_bytes()), Some((*alias, id)));
        }
    }
    assert_eq!(lookup(b"nonesuch"), None);
}

/// Default, answer, CONFIG SET, forced rewrite, start: the value stays the same.
#[test]
fn every_default_goes_round() {
    let config = Config::new();
    let written = String::from_utf8(rewrite(b"", &config, &[], Scope::All)).unwrap();
    let again = started(&written);
    for id in settable() {
        let param = id.param();
        assert!(same(config.value(id), default_of(id)));
        assert!(same(again.value(id), config.value(id)), "{}", param.name);
        let answer = get(&config, param.name);
        for alias in param.aliases {
            assert_eq!(get(&config, alias), answer);
        }
        if !param.flags.has(Flags::IMMUTABLE) && !param.flags.has(Flags::PROTECTED) {
            let mut config = Config::new();
            assert_eq!(
                set(&mut config, &[param.name, &answer]).map(|_| ()),
                Ok(()),
                "{}",
                param.name
            );
            assert!(same(config.value(id), default_of(id)), "{}", param.name);
        }
    }
}

/// A client may set all that it was told, except the immutable names that every peer knows.
#[test]
fn all_that_is_answered_can_be_set_back() {
    let mut config = started("enable-protected-configs yes");
    for (name, value) in config.get(&[b"*"], glob) {
        let (name, value) = (str::from_utf8(&name).unwrap(), str::from_utf8(&value).unwrap());
        let param = lookup(name.as_bytes()).unwrap().1.param();
        if param.source == Source::Both && param.flags.has(Flags::IMMUTABLE) {
            continue;
        }
        assert_eq!(set(&mut config, &[name, value]).map(|_| ()), Ok(()), "{name}");
    }
}

#[test]
fn every_kind_refuses_what_is_none_of_it() {
    for id in settable().filter(|id| !id.param().flags.has(Flags::IMMUTABLE)) {
        let bad: &[&str] = match id.param().kind {
            Kind::Bool => &["", "1", "true", "yes no"],
            Kind::Int { .. } => {
                &["x", "-9223372036854775808", "1 2", "0x10", "99999999999999999999"]
            }
            Kind::Choice(_) | Kind::Set(_) => &["", "nonesuch"],
            Kind::Events => &["q", "K E"],
            Kind::Words { .. } => &["1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17"],
            Kind::Save => &["1", "0 1", "1 -1", "a b", "1 2 3"],
            Kind::OutputLimits => &["normal", "primary 1 2 3", "normal 1 2 x", "normal -1 2 3"],
            Kind::OomScores => &["", "1 2", "1 2 2001", "a b c"],
            Kind::Percentiles => &["x", "101", "-1", "nan"],
            Kind::Text | Kind::Optional | Kind::Primary | Kind::Lines { .. } => &[],
        };
        for value in bad {
            let mut config = started("enable-protected-configs yes");
            let before = config.generation();
            let refused = set(&mut config, &[id.param().name, value]);
            assert!(refused.is_err(), "{} took {value:?}", id.param().name);
            assert_eq!(config.generation(), before);
            assert!(same(config.value(id), default_of(id)));
        }
    }
}

#[test]
fn documents_name_every_parameter() {
    let (sample, tables) = (sample(), markdown());
    for id in ParamId::all() {
        let name = id.param().name;
        assert!(tables.contains(&format!("| `{name}`")), "{name}");
        if !id.param().flags.has(Flags::FILE_ONLY) {
            assert!(sample.contains(&format!("\n# {name} ")), "{name}");
        }
    }
    // As it stands it sets nothing; with each setting uncommented it sets the defaults.
    assert!(
        crate::parse_file(sample.as_bytes(), "sample", crate::Origin::File).unwrap().is_empty()
    );
    let uncommented: Vec<&str> = sample
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| {
            line.split(' ')
                .next()
                .is_some_and(|word| lookup(word.as_bytes()).is_some_and(|(name, _)| name == word))
        })
        .collect();
    assert_eq!(uncommented.len(), settable().count());
    let config = started(&uncommented.join("\n"));
    assert!(settable().all(|id| same(config.value(id), default_of(id))));
}

#[test]
fn hidden_parameters_are_answered_only_by_name() {
    let config = Config::new();
    let listed = config.get(&[b"*"], glob);
    for id in settable() {
        let name = id.param().name.as_bytes();
        assert_eq!(!is_hidden(id), listed.iter().any(|(known, _)| known == name));
        assert_eq!(config.get(&[name], glob).len(), 1);
    }
    assert!(config.get(&[b"key-load-dela?"], glob).is_empty());
    assert!(config.get(&[b"user", b"include", b"nonesuch"], glob).is_empty());
}
