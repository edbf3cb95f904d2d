//! Formats, cutting, captures. Files and pipes need a process of their own: `tests/it`.

use super::line::{Json, Logfmt, Visible};
use super::*;

#[test]
fn the_legacy_line_is_that_of_redis() {
    let mut line = Line::new();
    compose(&mut line, Level::Notice, format_args!("Ready to accept connections tcp"));
    let text = line.text();
    let (pid, rest) = text.split_once(':').unwrap();
    assert_eq!(pid, std::process::id().to_string());
    // C 21 Nov 2026 04:18:41.514 * Ready to accept connections tcp
    let shape: String =
        rest[..27].chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    assert_eq!(shape.replace(&shape[5..8], "Mon"), "C 99 Mon 9999 99:99:99.999 ");
    assert_eq!(&rest[27..], "* Ready to accept connections tcp\n");
}

#[test]
fn symbols_and_names() {
    let levels = [Level::Debug, Level::Verbose, Level::Notice, Level::Warning];
    assert_eq!(levels.map(Level::symbol).iter().collect::<String>(), ".-*#");
    let roles = [Role::Primary, Role::Replica, Role::Child, Role::Sentinel];
    assert_eq!(roles.map(Role::symbol).iter().collect::<String>(), "MSCX");
    assert_eq!(Facility::Local(0).code(), libc::LOG_LOCAL0);
    assert_eq!(Facility::Local(7).code(), libc::LOG_LOCAL7);
}

#[test]
fn timestamps() {
    let local = local::Time {
        year: 2026,
        month: 2,
        day: 3,
        hour: 4,
        minute: 5,
        second: 6,
        offset_minutes: -210,
    };
    let mut moment = Moment { form: Timestamp::Legacy as u8, millis: 1_770_000_000_007, local };
    assert_eq!(moment.to_string(), "03 Feb 2026 04:05:06.007");
    moment.form = Timestamp::Iso8601 as u8;
    assert_eq!(moment.to_string(), "2026-02-03T04:05:06.007-03:30");
    moment.form = Timestamp::Milliseconds as u8;
    assert_eq!(moment.to_string(), "1770000000007");
}

#[test]
fn the_calendar_by_arithmetic() {
    for unix_seconds in [
        0,
        -1,
        951_782_399,
        951_782_400,
        951_868_800,
        1_709_164_800,
        1_772_323_199,
        1_798_761_599,
        1_798_761_600,
        4_107_542_400,
        13_569_465_600,
    ] {
        let expected = local::time(unix_seconds);
        assert_eq!(local::time_at(unix_seconds, expected.offset_minutes), expected);
    }
    let time = local::time_at(1_770_000_000, 90);
    assert_eq!((time.day, time.month, time.year), (2, 2, 2026));
    assert_eq!((time.hour, time.minute, time.second), (4, 10, 0));
}

#[test]
fn lines_of_handlers_are_in_the_format() {
    let stamp = Moment::in_handler(Timestamp::Iso8601 as u8);
    let composed = |format: Format| {
        let mut line = Line::<200>::new();
        let head = |line: &mut Line<200>| line.add(format_args!("HEAD "));
        let (parts, message) = ((Level::Warning, &stamp), format_args!("a \"b\""));
        compose_as(format as u8, &mut line, parts, message, head);
        line.text().replace(&std::process::id().to_string(), "PID")
    };
    let (role, end) = (role().name(), r#""message":"a \"b\""}"#);
    let json =
        format!(r#"{{"pid":PID,"role":"{role}","timestamp":"{stamp}","level":"warning",{end}"#);
    assert_eq!(composed(Format::Json), json + "\n");
    let logfmt =
        format!(r#"pid=PID role={role} timestamp="{stamp}" level=warning message="a 'b'""#);
    assert_eq!(composed(Format::Logfmt), logfmt + "\n");
    assert_eq!(composed(Format::Legacy), "HEAD a \"b\"\n");
}

fn through(write: impl FnOnce(&mut String)) -> String {
    let mut out = String::new();
    write(&mut out);
    out
}

#[test]
fn nothing_forges_a_line() {
    let text = "a\nb\r\"c\\\u{1b}[31m\u{85}é";
    let visible = through(|out| Visible(out).write_str(text).unwrap());
    assert_eq!(visible, "a\\nb\\r\"c\\\\x1b[31m\\x85é");
    let json = through(|out| Json(out).write_str(text).unwrap());
    assert_eq!(json, "a\\nb\\r\\\"c\\\\\\u001b[31m\u{85}é");
    let logfmt = through(|out| Logfmt(out).write_str(text).unwrap());
    assert_eq!(logfmt, "a b 'c\\\\x1b[31m\\x85é");
}

#[test]
fn a_long_line_is_cut_between_characters() {
    let mut line = Line::<10>::new();
    line.add(format_args!("abcdefg{}", "éé"));
    assert_eq!(line.text(), "abcdefgé");
    line.add(format_args!("not after a cut"));
    line.end("!\n");
    assert_eq!(line.text(), "abcdefg!\n");
    let mut full = Line::<LINE_BYTES_MAX>::new();
    compose(&mut full, Level::Notice, format_args!("{:5000}", 1));
    assert_eq!(full.bytes().len(), LINE_BYTES_MAX);
    assert!(full.text().ends_with(" \n"));
}

#[test]
fn a_capture_takes_the_lines_of_its_thread() {
    let log = capture();
    notice!("one {}", 1);
    warning!("two");
    debug!("not at this threshold");
    log.expect("tw");
    assert_eq!(log.lines(), [(Level::Notice, "one 1".into()), (Level::Warning, "two".into())]);
    assert!(log.contains("one"));
}

#[test]
#[should_panic(expected = "unexpected warning: surprise")]
fn an_unexpected_warning_fails_the_test() {
    let _log = capture();
    warning!("surprise");
}

#[test]
#[should_panic(expected = "expected a warning with: never")]
fn a_missing_warning_fails_the_test() {
    let log = capture();
    log.expect("never");
}

#[test]
fn arguments_are_not_evaluated_when_the_level_is_off() {
    fn never() -> u32 {
        panic!("evaluated")
    }
    verbose!("{}", never());
}

#[test]
fn a_limiter_lets_one_line_through() {
    let limiter = Limiter::every_ms(10);
    assert_eq!(limiter.pass_at(5), Some(0));
    assert_eq!(limiter.pass_at(6), None);
    assert_eq!(limiter.pass_at(10_004), None);
    assert_eq!(limiter.pass_at(10_005), Some(2));
    assert_eq!(limiter.pass_at(10_006), None);
}

#[test]
fn user_data_is_hidden_unless_asked_for() {
    assert_eq!(user_data(b"secret").to_string(), "*redacted*");
    set_hides_user_data(false);
    assert_eq!(user_data(b"a\"\r\n\xff").to_string(), r#""a\"\r\n\xff""#);
    assert_eq!(user_data(&[b'x'; 500]).to_string().len(), 130);
    set_hides_user_data(true);
}
