//! The debugger's commands.

use super::{ANSWER_BYTES_MAX, BREAKPOINTS_MAX, Debugger, SHOWN_BYTES_MIN, show, with};
use crate::machine::{Fixed, Frame, Kind, Raised};

/// What `abort` ends a script with.
const ABORTED: &str = "script aborted for user request";

/// Words of a command that are shown.
const SHOWN_WORDS: usize = 10;

const HELP: &[&str] = &[
    "The debugger's commands:",
    "[s]tep, [n]ext       Run the current line and stop at the next one.",
    "[c]ontinue           Run up to a breakpoint.",
    "[l]ist [line [ctx]]  Show the source around a line (0: the current one), ctx lines each way.",
    "[w]hole              Show all of the source.",
    "[p]rint [var]        Show all local variables, or one; also KEYS and ARGV.",
    "[b]reak              Show the breakpoints.",
    "[b]reak line ...     Set breakpoints; -line removes one, 0 all.",
    "[t]race              Show which calls led here.",
    "[e]val code          Run Lua code, in a frame of its own.",
    "[r]edis cmd          Run a command of the server.",
    "[m]axlen [len]       Show so many bytes of values and replies at most; 0: all.",
    "[a]bort              End the script. Its changes stay in sync mode.",
    "In scripts: redis.debug(...) shows values here, redis.breakpoint() stops at the next line.",
];

/// Carries out a command; whether the script goes on.
pub(super) fn carry_out(frame: &mut Frame<'_>, words: &[&[u8]]) -> Result<bool, Raised> {
    let core = frame.core;
    let name = words.first().map(|name| name.to_ascii_lowercase()).unwrap_or_default();
    match name.as_slice() {
        b"s" | b"step" | b"n" | b"next" => {
            with(core, |debugger| debugger.run.steps = true);
            return Ok(true);
        }
        b"c" | b"continue" => return Ok(true),
        b"a" | b"abort" => {
            with(core, |debugger| debugger.run.aborted = true);
            return Err(frame.kill(ABORTED));
        }
        b"e" | b"eval" => eval(frame, &words[1..].join(&b' '))?,
        b"r" | b"redis" | b"v" | b"valkey" | b"server" if words.len() > 1 => {
            call(frame, &words[1..])?;
        }
        b"m" | b"maxlen" => {
            with(core, |debugger| debugger.set_shown_bytes(&words[1..]));
        }
        b"b" | b"break" => {
            with(core, |debugger| debugger.set_breakpoints(&words[1..]));
        }
        name => {
            // What only shows something has been seen.
            if with(core, |debugger| debugger.is_past()) == Some(false) {
                tell(frame, name, &words[1..]);
            }
        }
    }
    Ok(false)
}

/// Carries out a command that changes nothing.
fn tell(frame: &mut Frame<'_>, name: &[u8], words: &[&[u8]]) {
    let core = frame.core;
    match name {
        b"p" | b"print" => match words {
            [variable] => print(frame, variable),
            _ => print_all(frame),
        },
        b"t" | b"trace" => trace(frame),
        b"l" | b"list" => {
            with(core, |debugger| {
                let number = words.first().map_or(0, |word| integer(word));
                let line = i64::try_from(debugger.run.line).unwrap_or(0);
                let around = if number > 0 { number } else { line };
                debugger.say_around(around, words.get(1).map_or(5, |word| integer(word)));
            });
        }
        b"w" | b"whole" => {
            with(core, |debugger| debugger.say_around(1, 1_000_000));
        }
        b"h" | b"help" | b"?" => {
            with(core, |debugger| HELP.iter().for_each(|line| debugger.say(*line)));
        }
        _ => {
            let text = "<error> Unknown Lua debugger command or wrong number of arguments.";
            with(core, |debugger| debugger.say(text));
        }
    }
}

/// As C's `atoi`: the number at the beginning, 0 if there is none.
fn integer(word: &[u8]) -> i64 {
    let word = word.trim_ascii_start();
    let (negative, digits) = match word.split_first() {
        Some((b'-', digits)) => (true, digits),
        Some((b'+', digits)) => (false, digits),
        _ => (false, word),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let value = digits.fold(0i64, |value, digit| {
        value.saturating_mul(10).saturating_add(i64::from(digit - b'0'))
    });
    if negative { -value } else { value }
}

impl Debugger {
    fn set_shown_bytes(&mut self, words: &[&[u8]]) {
        if let [word] = words {
            self.hinted = true;
            self.run.shown_bytes = match integer(word) {
                0 => 0,
                bytes => usize::try_from(bytes).unwrap_or(0).max(SHOWN_BYTES_MIN),
            };
        }
        self.say(match self.run.shown_bytes {
            0 => "<value> replies are unlimited.".to_owned(),
            bytes => format!("<value> replies are truncated at {bytes} bytes."),
        });
    }

    fn set_breakpoints(&mut self, words: &[&[u8]]) {
        if words.is_empty() {
            return self.say_breakpoints();
        }
        for word in words {
            let Some(line) = stdx::num::parse_i64(word) else {
                self.say([b"Invalid argument:'", *word, b"'"].concat());
                continue;
            };
            let at = usize::try_from(line.unsigned_abs()).unwrap_or(usize::MAX);
            let set = &mut self.run.breakpoints;
            let known = set.iter().position(|known| *known == at);
            if line == 0 {
                set.clear();
                self.say("All breakpoints removed.");
            } else if line < 0 {
                match known {
                    Some(known) => {
                        set.remove(known);
                        self.say("Breakpoint removed.");
                    }
                    None => self.say("No breakpoint in the specified line."),
                }
            } else if set.len() == BREAKPOINTS_MAX {
                self.say("Too many breakpoints set.");
            } else if known.is_some() || at > self.lines() {
                self.say("Wrong line number.");
            } else {
                self.run.breakpoints.push(at);
                self.say_around(line, 1);
            }
        }
    }

    fn say_breakpoints(&mut self) {
        let set = self.run.breakpoints.clone();
        if set.is_empty() {
            return self.say("No breakpoints set. Use 'b <line>' to add one.");
        }
        self.say(format!("{} breakpoints set:", set.len()));
        set.into_iter().for_each(|line| self.say_source(line));
    }

    /// Says which command is called.
    pub(super) fn say_command(&mut self, words: &[&[u8]]) {
        let mut line = b"<redis>".to_vec();
        for word in words.iter().take(SHOWN_WORDS) {
            let left = ANSWER_BYTES_MAX.saturating_sub(line.len());
            line.push(b' ');
            line.extend_from_slice(&word[..word.len().min(left)]);
        }
        if let Some(more) = words.len().checked_sub(SHOWN_WORDS + 1) {
            // One less than there are, as in Redis.
            line.extend_from_slice(format!(" ... ({more} more)").as_bytes());
        }
        self.say(line);
    }

    /// Says what a command has answered.
    pub(super) fn say_reply(&mut self, reply: &[u8]) {
        let mut line = b"<reply> ".to_vec();
        show::reply(&mut line, reply, self.longest());
        self.say_cut(line);
    }
}

/// Says a value, the one on top.
fn say_value(frame: &mut Frame<'_>, mut line: Vec<u8>) {
    let longest = with(frame.core, |debugger| debugger.longest()).unwrap_or(0);
    let top = frame.top();
    show::value(frame, top, &mut line, longest);
    with(frame.core, |debugger| debugger.say_cut(line));
}

fn print(frame: &mut Frame<'_>, variable: &[u8]) {
    for level in 0.. {
        if frame.level(level).is_none() {
            break;
        }
        for number in 1.. {
            let Some(name) = frame.push_local(level, number) else { break };
            if name == variable {
                say_value(frame, b"<value> ".to_vec());
                return frame.pop(1);
            }
            frame.pop(1);
        }
    }
    let name = std::str::from_utf8(variable).unwrap_or_default();
    if matches!(name, "KEYS" | "ARGV") {
        frame.push_fixed(Fixed::Globals);
        frame.raw_field(-1, name);
        say_value(frame, b"<value> ".to_vec());
        return frame.pop(2);
    }
    with(frame.core, |debugger| debugger.say("No such variable."));
}

fn print_all(frame: &mut Frame<'_>) {
    let mut none = true;
    for number in 1.. {
        let Some(name) = frame.push_local(0, number) else { break };
        if name != b"(*temporary)" {
            none = false;
            say_value(frame, [b"<value> ", &name[..], b" = "].concat());
        }
        frame.pop(1);
    }
    if none {
        let text = "No local variables in the current context.";
        with(frame.core, |debugger| debugger.say(text));
    }
}

fn trace(frame: &mut Frame<'_>) {
    for number in 0.. {
        let Some(level) = frame.level(number) else { break };
        if level.is_in_script() {
            let name = level.name.as_deref().unwrap_or(b"top level");
            let direction = if number == 0 { &b"In "[..] } else { b"From " };
            with(frame.core, |debugger| {
                debugger.say([direction, name, b":"].concat());
                debugger.say_source(level.line);
            });
        }
    }
}

/// Runs code, an expression or statements, and says its value.
fn eval(frame: &mut Frame<'_>, code: &[u8]) -> Result<(), Raised> {
    let core = frame.core;
    with(core, |debugger| debugger.run.evaluates = true);
    let ran = frame.evaluate(code, c"@ldb_eval", |frame, succeeded| {
        if succeeded {
            return say_value(frame, b"<retval> ".to_vec());
        }
        if frame.kind(-1) == Kind::Table {
            frame.raw_field(-1, "err");
        }
        let text = frame.text(-1).unwrap_or(b"an error that is no text");
        with(core, |debugger| debugger.say([b"<error> ", text].concat()));
    });
    with(core, |debugger| debugger.run.evaluates = false);
    ran
}

/// Calls a command of the server.
fn call(frame: &mut Frame<'_>, words: &[&[u8]]) -> Result<(), Raised> {
    let core = frame.core;
    with(core, |debugger| debugger.say_command(words));
    let Ok(mut reply) = core.reply.try_borrow_mut() else {
        return Err(frame.raise_reply("commands cannot be called within commands"));
    };
    reply.out.clear();
    core.with_host(|host| host.call(words, &mut reply));
    if reply.out.is_empty() {
        drop(reply);
        frame.pulse()?;
        return Err(frame.raise_reply("the command has no reply"));
    }
    with(core, |debugger| {
        if !debugger.is_past() {
            let reply = reply.out.to_vec();
            if reply.first() == Some(&b'-') {
                let end = memchr::memchr(b'\r', &reply).unwrap_or(reply.len());
                debugger.say([b"<error> ", &reply[..end]].concat());
            }
            debugger.say_reply(&reply);
        }
    });
    Ok(())
}
