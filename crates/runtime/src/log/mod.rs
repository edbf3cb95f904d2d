//! The log, in the formats of Redis and Valkey.
//!
//! ```text
//!   legacy  1234:M 21 Nov 2026 04:18:41.514 * Ready to accept connections tcp
//!   logfmt  pid=1234 role=primary timestamp="..." level=notice message="..."
//!   json    {"pid":1234,"role":"primary","timestamp":"...","level":"notice","message":"..."}
//! ```
//!
//! One log a process: level, role, formats and descriptor are global, as signal handlers and the
//! panic hook need them. A line is formatted on the stack and written at once by the thread that
//! has something to say (see `sink`); there is no queue that a crash could lose. When the level is
//! off, a macro costs one relaxed load and evaluates none of its arguments.
//!
//! ```
//! use runtime::log;
//! log::notice!("Loaded {keys} keys");
//! ```
//!
//! Only this crate and those above log; those below return what happened. Passwords and user data
//! do not belong here: what a client sent goes through [`user_data`]. Control characters in a
//! message are made visible, so that nobody can forge a line.

mod capture;
mod line;
mod sink;

pub use capture::{Capture, Share, capture};
pub(crate) use line::Line;
pub(crate) use sink::{ROOM_WAIT_MS, fd, request_reopen, write_in_time};

use std::ffi::CStr;
use std::fmt::{self, Write};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering::Relaxed};

use crate::clock;

/// The longest line, with its head and end. What PIPE_BUF guarantees to stay whole.
pub const LINE_BYTES_MAX: usize = 4096;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    Debug,
    Verbose,
    Notice,
    Warning,
}

/// The least level that is written; `loglevel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Threshold {
    Debug,
    Verbose,
    Notice,
    Warning,
    Nothing,
}

/// What the process is just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// Starting up, or a helper process.
    Child,
    Primary,
    Replica,
    Sentinel,
}

/// `log-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Format {
    Legacy,
    Logfmt,
    Json,
}

/// `log-timestamp-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Timestamp {
    Legacy,
    Iso8601,
    Milliseconds,
}

/// `syslog-facility`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Facility {
    User,
    /// Local0 to Local7.
    Local(u8),
}

impl Facility {
    fn code(self) -> libc::c_int {
        match self {
            Facility::User => libc::LOG_USER,
            Facility::Local(number) => (16 + libc::c_int::from(number.min(7))) << 3,
        }
    }
}

impl Level {
    fn symbol(self) -> char {
        match self {
            Level::Debug => '.',
            Level::Verbose => '-',
            Level::Notice => '*',
            Level::Warning => '#',
        }
    }

    fn name(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Verbose => "verbose",
            Level::Notice => "notice",
            Level::Warning => "warning",
        }
    }
}

impl Role {
    fn symbol(self) -> char {
        match self {
            Role::Child => 'C',
            Role::Primary => 'M',
            Role::Replica => 'S',
            Role::Sentinel => 'X',
        }
    }

    fn name(self) -> &'static str {
        match self {
            Role::Child => "RDB/AOF",
            Role::Primary => "primary",
            Role::Replica => "replica",
            Role::Sentinel => "sentinel",
        }
    }
}

static THRESHOLD: AtomicU8 = AtomicU8::new(Threshold::Notice as u8);
static ROLE: AtomicU8 = AtomicU8::new(Role::Child as u8);
static FORMAT: AtomicU8 = AtomicU8::new(Format::Legacy as u8);
static TIMESTAMP: AtomicU8 = AtomicU8::new(Timestamp::Legacy as u8);
/// East of Greenwich, when the last line was written.
static OFFSET_MINUTES: AtomicI64 = AtomicI64::new(0);
static HIDES_USER_DATA: AtomicBool = AtomicBool::new(true);

/// `loglevel`, at any time.
pub fn set_threshold(threshold: Threshold) {
    THRESHOLD.store(threshold as u8, Relaxed);
}

/// On every change of role; `Child` until the first.
pub fn set_role(role: Role) {
    ROLE.store(role as u8, Relaxed);
}

/// `log-format` and `log-timestamp-format`, at any time.
pub fn set_format(format: Format, timestamp: Timestamp) {
    FORMAT.store(format as u8, Relaxed);
    TIMESTAMP.store(timestamp as u8, Relaxed);
}

/// `logfile`: opens it to append (made 0644); empty for standard output. At start, before threads.
pub fn set_file(path: &str) -> io::Result<()> {
    sink::set_file(path)
}

/// `syslog-enabled`: lines go to syslog as well. At start, before threads.
pub fn set_syslog(ident: &str, facility: Facility) -> io::Result<()> {
    sink::set_syslog(ident, facility)
}

/// Opens the log file anew before the next line. Not needed after a rotation, which is noticed by
/// itself; SIGHUP asks for it out of habit.
pub fn reopen() {
    request_reopen();
}

/// `hide-user-data-from-log`.
pub fn set_hides_user_data(hides: bool) {
    HIDES_USER_DATA.store(hides, Relaxed);
}

/// Whether a line of this level would be written.
#[inline]
pub fn enabled(level: Level) -> bool {
    level as u8 >= THRESHOLD.load(Relaxed)
}

fn role() -> Role {
    match ROLE.load(Relaxed) {
        1 => Role::Primary,
        2 => Role::Replica,
        3 => Role::Sentinel,
        _ => Role::Child,
    }
}

/// Whether standard output is the only sink: then a banner may be shown.
pub(crate) fn is_stdout_only() -> bool {
    fd() == libc::STDOUT_FILENO && !sink::has_syslog()
}

/// Writes a line whatever the threshold. Use the macros, which ask [`enabled`] first.
#[cold]
#[inline(never)]
pub fn write(level: Level, message: fmt::Arguments<'_>) {
    if capture::take(level, message) {
        return;
    }
    let dropped = sink::take_dropped();
    if dropped > 0 {
        let note = format_args!("{dropped} log lines were dropped: the log took no more");
        let mut line = Line::<LINE_BYTES_MAX>::new();
        compose(&mut line, Level::Warning, note);
        if !sink::try_write(line.bytes()) {
            sink::put_back_dropped(dropped);
        }
    }
    let mut line = Line::<LINE_BYTES_MAX>::new();
    compose(&mut line, level, message);
    sink::write(line.bytes());
    if sink::has_syslog() {
        line.clear();
        let _complete = Visible(&mut line).write_fmt(message);
        line.end("\0");
        if let Ok(text) = CStr::from_bytes_with_nul(line.bytes()) {
            sink::write_syslog(level, text);
        }
    }
}

/// Writes text as it stands (a banner), at level notice.
pub fn raw(text: &str) {
    if enabled(Level::Notice) && !capture::take(Level::Notice, format_args!("{text}")) {
        sink::write(text.as_bytes());
    }
}

use line::{Json, Logfmt, Visible};

fn compose(line: &mut Line<LINE_BYTES_MAX>, level: Level, message: fmt::Arguments<'_>) {
    let stamp = Moment::now(TIMESTAMP.load(Relaxed));
    let pid = std::process::id();
    compose_as(FORMAT.load(Relaxed), line, (level, &stamp), message, |line| {
        line.add(format_args!("{pid}:{} {stamp} {} ", role().symbol(), level.symbol()));
    });
}

/// The line of a signal handler, at level warning: async-signal-safe. In Redis's format it is
/// `PID:signal-handler (SECONDS) MESSAGE`.
pub(crate) fn compose_in_handler<const N: usize>(line: &mut Line<N>, message: fmt::Arguments<'_>) {
    let stamp = Moment::in_handler(TIMESTAMP.load(Relaxed));
    let (pid, seconds) = (std::process::id(), stamp.millis.div_euclid(1000));
    compose_as(FORMAT.load(Relaxed), line, (Level::Warning, &stamp), message, |line| {
        line.add(format_args!("{pid}:signal-handler ({seconds}) "));
    });
}

/// `head` writes what comes before the message in Redis's format.
fn compose_as<const N: usize>(
    format: u8,
    line: &mut Line<N>,
    (level, stamp): (Level, &Moment),
    message: fmt::Arguments<'_>,
    head: impl FnOnce(&mut Line<N>),
) {
    let pid = std::process::id();
    // A `Display` that fails ends its line early, and the line still ends well.
    let (result, end) = if format == Format::Json as u8 {
        let (role, level) = (role().name(), level.name());
        line.add(format_args!(
            r#"{{"pid":{pid},"role":"{role}","timestamp":"{stamp}","level":"{level}","message":""#
        ));
        (Json(line).write_fmt(message), "\"}\n")
    } else if format == Format::Logfmt as u8 {
        let (role, level) = (role().name(), level.name());
        line.add(format_args!(
            r#"pid={pid} role={role} timestamp="{stamp}" level={level} message=""#
        ));
        (Logfmt(line).write_fmt(message), "\"\n")
    } else {
        head(line);
        (Visible(line).write_fmt(message), "\n")
    };
    let _ended_early = result.is_err();
    line.end(end);
}

/// A moment of the wall clock in the form asked for.
struct Moment {
    form: u8,
    millis: i64,
    local: local::Time,
}

impl Moment {
    fn now(form: u8) -> Self {
        let millis = clock::now().0;
        let local = local::time(millis.div_euclid(1000));
        OFFSET_MINUTES.store(local.offset_minutes, Relaxed);
        Self { form, millis, local }
    }

    /// The same without the C library's calendar, which takes a lock: the local time is as far from
    /// that of Greenwich as when the last line was written.
    fn in_handler(form: u8) -> Self {
        let millis = clock::now().0;
        let offset_minutes = OFFSET_MINUTES.load(Relaxed);
        Self { form, millis, local: local::time_at(millis.div_euclid(1000), offset_minutes) }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.millis.rem_euclid(1000);
        let t = &self.local;
        if self.form == Timestamp::Milliseconds as u8 {
            write!(f, "{}", self.millis)
        } else if self.form == Timestamp::Iso8601 as u8 {
            let sign = if t.offset_minutes < 0 { '-' } else { '+' };
            let offset = t.offset_minutes.unsigned_abs();
            write!(f, "{:04}-{:02}-{:02}T", t.year, t.month, t.day)?;
            write!(f, "{:02}:{:02}:{:02}.{millis:03}", t.hour, t.minute, t.second)?;
            write!(f, "{sign}{:02}:{:02}", offset / 60, offset % 60)
        } else {
            const MONTHS: [&str; 12] = [
                "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
            ];
            let month = MONTHS.get(t.month.wrapping_sub(1) as usize).unwrap_or(&"???");
            write!(f, "{:02} {month} {:04} ", t.day, t.year)?;
            write!(f, "{:02}:{:02}:{:02}.{millis:03}", t.hour, t.minute, t.second)
        }
    }
}

/// The calendar of the local time zone.
mod local {
    #![expect(unsafe_code, reason = "the time zone is the C library's")]

    use std::mem::MaybeUninit;

    #[derive(Debug, Default, PartialEq, Eq)]
    pub(super) struct Time {
        pub(super) year: i32,
        /// 1 to 12.
        pub(super) month: i32,
        pub(super) day: i32,
        pub(super) hour: i32,
        pub(super) minute: i32,
        pub(super) second: i32,
        /// East of Greenwich.
        pub(super) offset_minutes: i64,
    }

    /// The time at a known distance from Greenwich, by arithmetic.
    pub(super) fn time_at(unix_seconds: i64, offset_minutes: i64) -> Time {
        /// Days of 400 years, after which the calendar repeats itself.
        const CYCLE: i64 = 146_097;
        /// From the 1st of March of the year 0 to the epoch.
        const TO_EPOCH: i64 = 719_468;
        let seconds = unix_seconds.saturating_add(offset_minutes.saturating_mul(60));
        let (days, second) = (seconds.div_euclid(86_400) + TO_EPOCH, seconds.rem_euclid(86_400));
        let (cycle, day) = (days.div_euclid(CYCLE), days.rem_euclid(CYCLE));
        // Years begin in March here: the odd day is the last of its year.
        let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let narrow = |number: i64| i32::try_from(number).unwrap_or(0);
        Time {
            year: narrow(cycle * 400 + year + i64::from(month >= 10)),
            month: narrow(if month < 10 { month + 3 } else { month - 9 }),
            day: narrow(day - (153 * month + 2) / 5 + 1),
            hour: narrow(second / 3600),
            minute: narrow(second / 60 % 60),
            second: narrow(second % 60),
            offset_minutes,
        }
    }

    /// All zero where the calendar ends.
    pub(super) fn time(unix_seconds: i64) -> Time {
        let mut found = MaybeUninit::<libc::tm>::uninit();
        // SAFETY: reads one number, fills one structure; null says that it did not.
        let tm = unsafe {
            if libc::localtime_r(&raw const unix_seconds, found.as_mut_ptr()).is_null() {
                return Time::default();
            }
            found.assume_init()
        };
        Time {
            year: tm.tm_year.saturating_add(1900),
            month: tm.tm_mon.saturating_add(1),
            day: tm.tm_mday,
            hour: tm.tm_hour,
            minute: tm.tm_min,
            second: tm.tm_sec,
            offset_minutes: tm.tm_gmtoff / 60,
        }
    }
}

/// What a client sent, for a message: quoted and cut at 128 bytes, or `*redacted*` where
/// `hide-user-data-from-log` is on (the default).
pub fn user_data(bytes: &[u8]) -> impl fmt::Display + '_ {
    fmt::from_fn(move |f| {
        if HIDES_USER_DATA.load(Relaxed) {
            return f.write_str("*redacted*");
        }
        let shown = bytes.get(..128).unwrap_or(bytes);
        write!(f, "\"{}\"", shown.escape_ascii())
    })
}

/// Lets one line through in each span of time and counts the others.
///
/// ```
/// static SLOW: Limiter = Limiter::every_ms(1000);
/// if let Some(missed) = SLOW.pass() {
///     log::warning!("The disk is slow ({missed} more times since the last such line)");
/// }
/// ```
pub struct Limiter {
    span_us: u64,
    /// When the next line may pass; 0: at once.
    next_us: AtomicU64,
    missed: AtomicU64,
}

impl Limiter {
    pub const fn every_ms(span_ms: u32) -> Self {
        let span_us = span_ms as u64 * 1000;
        Self { span_us, next_us: AtomicU64::new(0), missed: AtomicU64::new(0) }
    }

    /// `Some`: write the line; it holds how many were held back since the last one.
    pub fn pass(&self) -> Option<u64> {
        self.pass_at(clock::monotonic().0)
    }

    fn pass_at(&self, now_us: u64) -> Option<u64> {
        let next_us = self.next_us.load(Relaxed);
        let later = now_us.saturating_add(self.span_us);
        let passes = now_us >= next_us
            && self.next_us.compare_exchange(next_us, later, Relaxed, Relaxed).is_ok();
        if passes {
            Some(self.missed.swap(0, Relaxed))
        } else {
            self.missed.fetch_add(1, Relaxed);
            None
        }
    }
}

/// Logs at a level named by its variant: `log_at!(Notice, "...")`.
#[doc(hidden)]
#[macro_export]
macro_rules! log_at {
    ($level:ident, $($message:tt)+) => {
        if $crate::log::enabled($crate::log::Level::$level) {
            $crate::log::write($crate::log::Level::$level, ::core::format_args!($($message)+));
        }
    };
}

/// Logs what only a developer wants to see.
#[doc(hidden)]
#[macro_export]
macro_rules! log_debug { ($($message:tt)+) => { $crate::log_at!(Debug, $($message)+) }; }

/// Logs much that is useful now and then.
#[doc(hidden)]
#[macro_export]
macro_rules! log_verbose { ($($message:tt)+) => { $crate::log_at!(Verbose, $($message)+) }; }

/// Logs what an operator wants to know.
#[doc(hidden)]
#[macro_export]
macro_rules! log_notice { ($($message:tt)+) => { $crate::log_at!(Notice, $($message)+) }; }

/// Logs what a person must look at.
#[doc(hidden)]
#[macro_export]
macro_rules! log_warning { ($($message:tt)+) => { $crate::log_at!(Warning, $($message)+) }; }

pub use crate::{
    log_debug as debug, log_notice as notice, log_verbose as verbose, log_warning as warning,
};

#[cfg(test)]
mod tests;
