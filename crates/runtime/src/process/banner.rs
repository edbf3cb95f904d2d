//! The lines at start and end that scripts wait for.
//!
//! What they look for must stay as it is: `oO0OoO0OoO0Oo ... is starting`, ` PID: N`, `Server
//! initialized`, `Ready to accept connections TYPE`, `Failed listening on port N (TYPE)`, `ready
//! to exit, bye bye`. The banner itself is ours.

use super::NAME;
use crate::log;

/// What kind of node starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Standalone,
    Cluster,
    Sentinel,
}

impl Mode {
    /// As INFO and the log name it.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Standalone => "standalone",
            Mode::Cluster => "cluster",
            Mode::Sentinel => "sentinel",
        }
    }
}

/// What was built.
#[derive(Clone, Copy, Debug)]
pub struct Build<'a> {
    pub version: &'a str,
    /// Eight hexadecimal digits, zeros where it is unknown.
    pub commit: &'a str,
    pub is_modified: bool,
}

/// Whether the banner is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logo {
    /// `always-show-logo yes`.
    Always,
    /// Only when the log goes to a terminal.
    OnTerminal,
}

/// The first lines. `sources` are what is read beside defaults and arguments, named in order.
pub fn starting(build: Build<'_>, sources: &[&str]) {
    log::notice!("oO0OoO0OoO0Oo {NAME} is starting oO0OoO0OoO0Oo");
    log::notice!(
        "{NAME} version={}, bits={}, commit={}, modified={}, pid={}, just started",
        build.version,
        usize::BITS,
        build.commit,
        u8::from(build.is_modified),
        std::process::id()
    );
    if sources.is_empty() {
        log::notice!("Configuration loaded: no file, defaults and arguments only");
    } else {
        log::notice!("Configuration loaded from {}", sources.join(" and "));
    }
}

/// Mode, port and process id, once the limits are set; with the banner if it is wanted.
pub fn running(mode: Mode, port: u16, logo: Logo, build: Build<'_>) {
    if logo == Logo::Always || (log::is_stdout_only() && stdout_is_terminal()) {
        log::raw(&art(mode, port, build));
    }
    log::notice!("Running mode={}, port={port}. PID: {}", mode.name(), std::process::id());
}

/// All parts stand; data is not loaded yet.
pub fn initialized() {
    log::notice!("Server initialized");
}

/// A listener serves: `tcp`, `tls` or `unix`.
pub fn ready(listener: &str) {
    log::notice!("Ready to accept connections {listener}");
}

/// A listener could not be made; the process ends.
pub fn listen_failed(port: u16, listener: &str) {
    log::warning!("Failed listening on port {port} ({listener}), aborting.");
}

/// A shutdown begins; `client` describes the one that asked, if one did.
pub fn shutting_down(client: Option<&str>) {
    match client {
        Some(client) => {
            log::notice!("User requested shutdown... (user request from '{client}')");
        }
        None => log::notice!("User requested shutdown..."),
    }
}

/// The last line.
pub fn bye(mode: Mode) {
    let name = if mode == Mode::Sentinel { "Sentinel" } else { NAME };
    log::warning!("{name} is now ready to exit, bye bye...");
}

fn stdout_is_terminal() -> bool {
    std::io::IsTerminal::is_terminal(&std::io::stdout())
}

fn art(mode: Mode, port: u16, build: Build<'_>) -> String {
    let pid = std::process::id();
    let Build { version, commit, .. } = build;
    format!(
        r"
        /\
       /  \         {NAME} {version} ({commit}) {bits} bit
      / /\ \
     / /  \ \       Running in {mode} mode
    / /____\ \      Port: {port}
   / ________ \     PID: {pid}
  /_/        \_\

",
        bits = usize::BITS,
        mode = mode.name()
    )
}
