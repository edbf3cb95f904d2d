//! What a machine holds of scripts and libraries, and what it lets go.

use super::{COMPILED_SHARE, Machine};
use crate::{CommandError, Scripts};
use script::Limits;
use std::sync::Arc;
use stdx::hash::Seed;

const LIMIT_BYTES: usize = 4 << 20;
const COMPILED_BYTES_MAX: usize = LIMIT_BYTES / COMPILED_SHARE;

fn small() -> (Machine, Scripts) {
    let limits = Limits { memory_bytes: LIMIT_BYTES, ..Limits::default() };
    (Machine { limits, ..Machine::default() }, Scripts::new(Seed::new(1, 2)))
}

/// A text with a word of so many bytes.
fn text(number: usize, bytes: usize) -> String {
    format!("return #'{number}{}'", "x".repeat(bytes))
}

/// Compiles a text as EVAL does.
fn ready(machine: &mut Machine, scripts: &Scripts, text: &str) -> Result<(), CommandError> {
    let script = scripts.add(Scripts::parse(text.as_bytes()).unwrap(), false);
    machine.ready(scripts, &script)
}

#[test]
fn scripts_make_room_for_others() {
    let (mut machine, scripts) = small();
    for number in 0..200 {
        ready(&mut machine, &scripts, &text(number, 60_000)).unwrap();
        assert!(machine.memory_bytes() < 2 * COMPILED_BYTES_MAX);
    }
    let held = machine.scripts.len();
    assert!(held < 40, "{held}");
    ready(&mut machine, &scripts, &text(199, 60_000)).unwrap();
    assert_eq!(machine.scripts.len(), held);
    // The first one went, so its text is compiled again.
    let first = text(0, 60_000);
    ready(&mut machine, &scripts, &first).unwrap();
    assert!(machine.recent_by_text(first.as_bytes()).is_some());
}

#[test]
fn a_script_in_use_outlives_idle_ones() {
    let (mut machine, scripts) = small();
    for number in 0..200 {
        ready(&mut machine, &scripts, "return 'used'").unwrap();
        ready(&mut machine, &scripts, &text(number, 60_000)).unwrap();
    }
    let used = Scripts::parse(b"return 'used'").unwrap();
    assert!(machine.scripts.contains_key(&used.sha));
}

#[test]
fn what_does_not_fit_leaves_nothing() {
    let (mut machine, scripts) = small();
    let huge = Scripts::parse(text(0, LIMIT_BYTES).as_bytes()).unwrap();
    for _ in 0..2 {
        let error = machine.load(&scripts, &huge).unwrap_err();
        assert!(error.text().ends_with(b"not enough memory"), "{error:?}");
        assert!(machine.memory_bytes() < COMPILED_BYTES_MAX);
    }
    ready(&mut machine, &scripts, "return 1").unwrap();
}

#[test]
fn all_others_go_for_one_that_fits_alone() {
    let (mut machine, scripts) = small();
    for number in 0.. {
        if machine.compiled_bytes > COMPILED_BYTES_MAX * 3 / 4 {
            break;
        }
        ready(&mut machine, &scripts, &text(number, 30_000)).unwrap();
    }
    assert!(machine.scripts.len() > 1);
    // The parser's buffer doubles: 2 MiB beside a word of 1.8.
    let large = Scripts::parse(text(0, 1_800_000).as_bytes()).unwrap();
    machine.load(&scripts, &large).unwrap();
    assert_eq!(machine.scripts.len(), 1);
}

#[test]
fn scripts_that_the_server_forgot_go_by_their_number() {
    let (mut machine, scripts) = small();
    for number in 0..2000 {
        let script = Arc::new(Scripts::parse(format!("return {number}").as_bytes()).unwrap());
        machine.ready(&scripts, &script).unwrap();
    }
    assert!(machine.scripts.len() <= super::STALE_MAX);
}
