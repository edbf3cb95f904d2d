//! The debugger of scripts: a session by replay.
//!
//! ```text
//!   EVAL ─► run 0:  line 1, no command is left ─────────────────────────────► stopped; the answer
//!   step ─► run 1:  line 1, step; line 2, no command is left ───────────────► stopped; the answer
//!   cont ─► run 2:  line 1, step; line 2, continue; the script's own end ───► over
//! ```
//!
//! Nothing waits for whoever debugs. A [`Debugger`] remembers the commands of its session; each new one
//! runs the script again from its beginning, feeds it the commands at its stops, and where they are
//! exhausted ends it, as [`crate::Pulse::Kill`] does. Only what the newest command brings about is in
//! the answer. What the run has done is the host's to take back.
//!
//! Commands, the lines of answers and what is shown of values are those of Redis's debugger.

mod command;
mod show;
#[cfg(test)]
mod tests;

use crate::machine::{Core, Frame, Raised};
use std::sync::Arc;

/// A session may have so many commands, and so many bytes of them.
const COMMANDS_MAX: usize = 10_000;
const COMMAND_BYTES_MAX: usize = 1 << 20;
/// What a command takes beside its words.
const COMMAND_OVERHEAD: usize = 48;
/// An answer is cut at so many bytes, whatever `maxlen` says.
const ANSWER_BYTES_MAX: usize = 16 << 20;
const BREAKPOINTS_MAX: usize = 64;
/// Bytes that are shown of a value, until `maxlen` says otherwise; and the least that it takes.
const SHOWN_BYTES: usize = 256;
const SHOWN_BYTES_MIN: usize = 60;

/// A command of the debugger: its words.
type Words = Vec<Vec<u8>>;

/// A debugging session: what must be known to bring a script to its newest stop.
#[derive(Debug, Default)]
pub struct Debugger {
    source: Vec<u8>,
    commands: Vec<Arc<Words>>,
    command_bytes: usize,
    /// What `math.random` begins with, in each run.
    random: Option<u64>,
    /// It was told how to see what is cut.
    hinted: bool,
    run: Run,
}

/// What is so in one run.
#[derive(Debug, Default)]
struct Run {
    /// The command that comes next.
    next: usize,
    breakpoints: Vec<usize>,
    /// Stop at the next line; commands of the server are shown until then.
    steps: bool,
    /// `redis.breakpoint` was called.
    asked: bool,
    line: usize,
    /// 0: values are shown whole.
    shown_bytes: usize,
    answer: Vec<Vec<u8>>,
    answer_bytes: usize,
    /// The script waits for a command.
    stopped: bool,
    /// `abort`.
    aborted: bool,
    /// Code of `eval` runs, which is not what is debugged.
    evaluates: bool,
}

impl Debugger {
    /// A session of the script `source`, without a command yet.
    pub fn new(source: &[u8]) -> Self {
        let end = source.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'));
        let source = source[..end.map_or(0, |last| last + 1)].to_vec();
        Self { source, ..Self::default() }
    }

    /// Remembers one more command. `false`: the session has too many.
    #[must_use]
    pub fn push(&mut self, words: &[&[u8]]) -> bool {
        let one = |word: &&[u8]| word.len().saturating_add(COMMAND_OVERHEAD);
        let bytes = words.iter().map(one).fold(COMMAND_OVERHEAD, usize::saturating_add);
        let bytes = self.command_bytes.saturating_add(bytes);
        if self.commands.len() >= COMMANDS_MAX || bytes > COMMAND_BYTES_MAX {
            return false;
        }
        self.command_bytes = bytes;
        self.commands.push(Arc::new(words.iter().map(|word| word.to_vec()).collect()));
        true
    }

    /// Forgets the newest command, which came to no run.
    pub fn pop(&mut self) {
        if let Some(words) = self.commands.pop() {
            let bytes: usize = words.iter().map(|word| word.len() + COMMAND_OVERHEAD).sum();
            self.command_bytes -= bytes + COMMAND_OVERHEAD;
        }
    }

    /// Whether the last run ended where commands were exhausted. If not, the script has come to its end.
    pub fn stopped(&self) -> bool {
        self.run.stopped
    }

    /// Whether `abort` has ended the last run.
    pub fn aborted(&self) -> bool {
        self.run.aborted
    }

    /// The lines that the newest command has brought about.
    pub fn take_answer(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.run.answer)
    }

    /// What the session takes.
    pub fn memory_bytes(&self) -> usize {
        self.source.len() + self.command_bytes
    }

    /// A run begins, with `random` as the state of the generator, or rather that of the first run.
    pub(crate) fn begin(&mut self, random: u64) -> u64 {
        self.run = Run { steps: true, shown_bytes: SHOWN_BYTES, ..Run::default() };
        *self.random.get_or_insert(random)
    }

    /// What is said now is an answer of the past.
    fn is_past(&self) -> bool {
        self.run.next < self.commands.len()
    }

    /// Whether commands of the server that the script calls are shown.
    fn shows_commands(&self) -> bool {
        self.run.steps && !self.is_past()
    }

    fn say(&mut self, line: impl Into<Vec<u8>>) {
        if self.is_past() || self.run.answer_bytes >= ANSWER_BYTES_MAX {
            return;
        }
        let mut line = line.into();
        line.truncate(ANSWER_BYTES_MAX - self.run.answer_bytes);
        // A line has an end, and is an allocation.
        self.run.answer_bytes += line.len() + 32;
        for byte in &mut line {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        self.run.answer.push(line);
        if self.run.answer_bytes >= ANSWER_BYTES_MAX {
            self.run.answer.push(b"<hint> The answer is cut here.".to_vec());
        }
    }

    /// How long a line is made whose end may be cut.
    fn longest(&self) -> usize {
        let left = ANSWER_BYTES_MAX.saturating_sub(self.run.answer_bytes);
        if self.run.shown_bytes == 0 { left } else { left.min(self.run.shown_bytes) }
    }

    /// Says a line of which only so much is shown. What is behind [`Debugger::longest`] may be missing.
    fn say_cut(&mut self, mut line: Vec<u8>) {
        let max = self.run.shown_bytes;
        if max == 0 || line.len() <= max {
            return self.say(line);
        }
        line.truncate(max);
        line.extend_from_slice(b" ...");
        self.say(line);
        if !self.hinted && !self.is_past() {
            self.hinted = true;
            self.say("<hint> The above reply was trimmed. Use 'maxlen 0' to disable trimming.");
        }
    }

    fn lines(&self) -> usize {
        if self.source.is_empty() {
            0
        } else {
            memchr::memchr_iter(b'\n', &self.source).count() + 1
        }
    }

    /// Says line `number` of the source.
    fn say_source(&mut self, number: usize) {
        let line = number
            .checked_sub(1)
            .filter(|_| number <= self.lines())
            .and_then(|at| self.source.split(|byte| *byte == b'\n').nth(at));
        let marker = match (self.run.line == number, self.run.breakpoints.contains(&number)) {
            (true, true) => "->#",
            (true, false) => "-> ",
            (false, true) => "  #",
            (false, false) => "   ",
        };
        let mut text = format!("{marker}{number:<3} ").into_bytes();
        text.extend_from_slice(line.unwrap_or(b"<out of range source code line>"));
        self.say(text);
    }

    /// Says the lines around one.
    fn say_around(&mut self, around: i64, context: i64) {
        for number in 1..=self.lines() {
            let distance = i64::try_from(number).map_or(i64::MAX, |it| it.abs_diff(around) as i64);
            if distance <= context {
                self.say_source(number);
            }
        }
    }

    /// The script begins a line, of its own source or of another. Whether it stops there.
    fn arrives(&mut self, line: usize, is_own: bool) -> bool {
        let run = &mut self.run;
        if run.evaluates {
            return false;
        }
        run.line = line;
        let breaks = run.asked || run.breakpoints.contains(&line);
        if !is_own || !(run.steps || breaks) {
            return false;
        }
        let reason = match (breaks, run.asked) {
            (true, true) => "server.breakpoint() called",
            (true, false) => "break point",
            (false, _) => "step over",
        };
        (run.steps, run.asked) = (false, false);
        self.say(format!("* Stopped at {line}, stop reason = {reason}"));
        self.say_source(line);
        true
    }

    fn next_command(&mut self) -> Option<Arc<Words>> {
        let command = self.commands.get(self.run.next).cloned();
        self.run.stopped = command.is_none();
        self.run.next += usize::from(command.is_some());
        command
    }
}

/// Asks the debugger of the run under way; there is one.
fn with<R>(core: &Core, ask: impl FnOnce(&mut Debugger) -> R) -> Option<R> {
    core.debugger.borrow_mut().as_mut().map(ask)
}

/// The script begins a line: carries out commands, if it stops there.
pub(crate) fn on_line(frame: &mut Frame<'_>) -> Result<(), Raised> {
    let core = frame.core;
    let Some(level) = frame.level(0) else { return Ok(()) };
    let is_own = level.is_in_script();
    if with(core, |debugger| debugger.arrives(level.line, is_own)) != Some(true) {
        return Ok(());
    }
    while let Some(command) = with(core, Debugger::next_command).flatten() {
        // What is remembered may be much.
        frame.pulse()?;
        let words: Vec<&[u8]> = command.iter().map(Vec::as_slice).collect();
        if command::carry_out(frame, &words)? {
            return Ok(());
        }
    }
    Err(frame.kill("the script is stopped by its debugger"))
}

/// `redis.debug`: its arguments are on the stack.
pub(crate) fn on_debug(frame: &mut Frame<'_>) {
    let Some(Some((line, longest))) = with(frame.core, |debugger| {
        let left = ANSWER_BYTES_MAX.saturating_sub(debugger.run.answer_bytes);
        (!debugger.is_past()).then_some((debugger.run.line, left))
    }) else {
        return;
    };
    let mut text = format!("<debug> line {line}: ").into_bytes();
    for number in 1..=frame.top() {
        if number > 1 {
            text.extend_from_slice(b", ");
        }
        show::value(frame, number, &mut text, longest);
    }
    with(frame.core, |debugger| debugger.say(text));
}

/// `redis.breakpoint`. Whether there is a debugger.
pub(crate) fn on_breakpoint(core: &Core) -> bool {
    with(core, |debugger| debugger.run.asked = true).is_some()
}

/// The script is about to call a command of the server.
pub(crate) fn on_command(core: &Core, words: &[&[u8]]) {
    with(core, |debugger| {
        if debugger.shows_commands() {
            debugger.say_command(words);
        }
    });
}

/// What came back.
pub(crate) fn on_reply(core: &Core, reply: &[u8]) {
    with(core, |debugger| {
        if debugger.shows_commands() {
            debugger.say_reply(reply);
        }
    });
}

/// An error is made that is no reply.
pub(crate) fn on_error(core: &Core, text: &[u8]) {
    with(core, |debugger| {
        if debugger.shows_commands() {
            debugger.say([b"<error> ", text].concat());
        }
    });
}
