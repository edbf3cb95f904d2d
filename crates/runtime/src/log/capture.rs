//! The log as a test sees it.
//!
//! A test calls [`capture`] and gets the lines that its thread, and the threads that it hands
//! [`Capture::share`] to, would have logged. A warning that the test did not
//! [`expect`](Capture::expect) fails it when the capture is dropped. Threads without a capture log
//! as usual, so tests may run side by side.

use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
#[expect(clippy::disallowed_types, reason = "tests only; nothing is held around it")]
use std::sync::{Arc, Mutex, PoisonError};

use super::Level;

/// Captures alive; 0 in a server, where a look at it is all that a line pays.
static ALIVE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static SINK: RefCell<Option<Share>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Lines {
    all: Vec<(Level, String)>,
    expected: Vec<String>,
}

/// Takes what its thread logs. See the module.
#[must_use]
pub struct Capture {
    share: Share,
}

/// A handle on a capture for another thread.
#[derive(Clone)]
pub struct Share {
    #[expect(clippy::disallowed_types, reason = "tests only; nothing is held around it")]
    lines: Arc<Mutex<Lines>>,
}

/// Starts to capture on this thread, in place of an earlier capture.
pub fn capture() -> Capture {
    #[expect(clippy::disallowed_types, reason = "tests only; nothing is held around it")]
    let share = Share { lines: Arc::new(Mutex::new(Lines::default())) };
    ALIVE.fetch_add(1, Relaxed);
    share.install();
    Capture { share }
}

impl Capture {
    /// All lines so far.
    pub fn lines(&self) -> Vec<(Level, String)> {
        self.share.with(|lines| lines.all.clone())
    }

    /// Whether some line holds `part`.
    pub fn contains(&self, part: &str) -> bool {
        self.share.with(|lines| lines.all.iter().any(|(_, line)| line.contains(part)))
    }

    /// Warnings that hold `part` are wanted: at least one must have come by the end.
    pub fn expect(&self, part: &str) {
        self.share.with(|lines| lines.expected.push(part.to_owned()));
    }

    /// For another thread, which calls [`Share::install`].
    pub fn share(&self) -> Share {
        self.share.clone()
    }
}

impl Share {
    /// From here on this thread's lines go to the capture.
    pub fn install(&self) {
        SINK.with_borrow_mut(|sink| *sink = Some(self.clone()));
    }

    fn with<T>(&self, body: impl FnOnce(&mut Lines) -> T) -> T {
        body(&mut self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Relaxed);
        SINK.with_borrow_mut(|sink| *sink = None);
        if std::thread::panicking() {
            return;
        }
        self.share.with(|lines| {
            for (level, line) in &lines.all {
                let wanted = lines.expected.iter().any(|part| line.contains(part));
                assert!(*level < Level::Warning || wanted, "unexpected warning: {line}");
            }
            for part in &lines.expected {
                let came = lines.all.iter().any(|(_, line)| line.contains(part));
                assert!(came, "expected a warning with: {part}");
            }
        });
    }
}

/// Takes a line if this thread is captured.
pub(super) fn take(level: Level, message: fmt::Arguments<'_>) -> bool {
    if ALIVE.load(Relaxed) == 0 {
        return false;
    }
    let share = SINK.with_borrow(Clone::clone);
    let Some(share) = share else { return false };
    let message = message.to_string();
    share.with(|lines| lines.all.push((level, message)));
    true
}
