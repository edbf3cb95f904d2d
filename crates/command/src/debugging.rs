//! SCRIPT DEBUG: a client that debugs scripts, and the session of the one that it debugs.

use script::Debugger;
use std::sync::Arc;
use stdx::rng::Rng;

/// A client's scripts are debugged from now on.
#[derive(Debug, Default)]
pub struct Debugging {
    /// What a script changes stays when it has come to its end.
    pub keeps: bool,
    /// `None`: the next EVAL begins a session.
    pub session: Option<Box<DebugSession>>,
    /// The script runs; what it calls is shown to nobody.
    pub runs: bool,
}

/// A session: what brings the script to where it stopped.
#[derive(Debug)]
pub struct DebugSession {
    /// The request of EVAL.
    pub words: Arc<[Box<[u8]>]>,
    pub debugger: Debugger,
    /// The time at which the session began, which is that of each run.
    pub now_ms: i64,
    /// What random commands begin with, in each run.
    pub rng: Rng,
    /// So many lines the script has brought into the log.
    pub logged: usize,
    /// The newest command has come to a run.
    pub ran: bool,
    /// The newest command was one too many.
    pub full: bool,
}

impl DebugSession {
    pub fn new(words: &[&[u8]], now_ms: i64, rng: Rng) -> Self {
        Self {
            words: words.iter().map(|word| Box::from(*word)).collect(),
            debugger: Debugger::new(words[1]),
            now_ms,
            rng,
            logged: 0,
            ran: false,
            full: false,
        }
    }

    /// What it takes.
    pub fn memory_bytes(&self) -> u64 {
        let words: usize = self.words.iter().map(|word| word.len()).sum();
        (words + self.debugger.memory_bytes()) as u64
    }
}
