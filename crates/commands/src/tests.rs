//! What must hold of every row, whatever its family.

use crate::FAMILIES;
use command::grammar::{Argument, ArgumentKind};
use command::{Command, CommandTable, Flags, Group, Place};

fn rows() -> Vec<&'static Command> {
    let tops = FAMILIES.iter().flat_map(|family| family.iter());
    tops.flat_map(|row| std::iter::once(row).chain(row.subcommands)).collect()
}

#[test]
fn names_are_unique_and_families_sorted() {
    CommandTable::new(FAMILIES); // panics on a name that occurs twice
    for family in FAMILIES {
        assert!(family.is_sorted_by_key(|row| row.name));
    }
    for row in rows() {
        assert_eq!(row.name, row.name.to_ascii_uppercase());
        assert!(row.subcommands.is_sorted_by_key(|row| row.name), "{}", row.name);
    }
}

#[test]
fn rows_are_complete() {
    for row in rows() {
        assert!(row.summary.ends_with('.'), "{}: summary", row.name);
        assert!(!row.complexity.is_empty(), "{}: complexity", row.name);
        assert!(row.since.split('.').count() == 3, "{}: since", row.name);
        for (version, text) in row.history {
            assert!(version.split('.').count() == 3 && text.ends_with('.'), "{}", row.name);
        }
    }
}

#[test]
fn a_row_writes_exactly_if_it_writes_a_key() {
    // WATCH neither reads nor writes its keys.
    let works = |row: &&Command| row.place == Place::Data && row.group != Group::Transactions;
    for row in rows().into_iter().filter(works).filter(|row| !row.keys.is_empty()) {
        // Of XREADGROUP the peers say that it reads its keys: who may read them may read for a group.
        let writes = row.name == "XREADGROUP" || row.keys.iter().any(|spec| spec.flags.writes());
        if row.flags.has(Flags::MAY_REPLICATE) {
            // Reads that keep what they found out in the value: PFCOUNT.
            assert!(row.flags.has(Flags::READONLY) && writes, "{}", row.name);
            continue;
        }
        assert_eq!(row.flags.has(Flags::WRITE), writes, "{}", row.name);
        assert_ne!(row.flags.has(Flags::READONLY), writes, "{}", row.name);
    }
}

/// The fewest words of an argument, and whether there may be more.
fn words(argument: &Argument) -> (usize, bool) {
    let (least, fixed) = match argument.kind {
        ArgumentKind::OneOf(choices) => {
            // One of them is there, whatever it says of itself.
            let there = |choice: &Argument| words(&Argument { optional: false, ..*choice });
            let lens: Vec<_> = choices.iter().map(there).collect();
            let least = lens.iter().map(|(least, _)| *least).min().unwrap_or(0);
            (least, lens.iter().all(|len| *len == (least, true)))
        }
        ArgumentKind::Block(parts) => parts
            .iter()
            .map(words)
            .fold((0, true), |(sum, fixed), (least, one)| (sum + least, fixed && one)),
        ArgumentKind::Token => (0, true),
        _ => (1, true),
    };
    let least = least + usize::from(argument.token.is_some());
    if argument.optional { (0, false) } else { (least, fixed && !argument.multiple) }
}

#[test]
fn arity_agrees_with_the_grammar() {
    for family in FAMILIES {
        for row in family.iter() {
            let subs = row.subcommands.iter().map(|sub| (sub, 2));
            for (row, name_words) in std::iter::once((row, 1)).chain(subs) {
                // What these take besides their names the peers do not document.
                let silent =
                    matches!(row.name, "COMMAND" | "DEBUG" | "PSYNC" | "QUIT" | "REPLCONF");
                if row.place == Place::Container || silent {
                    continue;
                }
                let (least, fixed) = row
                    .args
                    .iter()
                    .map(words)
                    .fold((name_words, true), |(sum, fixed), (least, one)| {
                        (sum + least, fixed && one)
                    });
                let arity = if fixed { least as i16 } else { -(least as i16) };
                assert_eq!(row.arity, arity, "{}", row.name);
            }
        }
    }
}
