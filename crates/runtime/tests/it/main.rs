//! Real processes: signals, crashes, daemons, rotation. The program is `examples/process.rs`, which
//! `cargo test` builds beside the tests.
#![expect(clippy::unwrap_used, reason = "tests, helpers included")]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use disk::{Disk, RealDisk};

const SEGV: i32 = 11;
const ABRT: i32 = 6;

fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().and_then(Path::parent).unwrap().join("examples/process");
    assert!(built.exists(), "{} is missing: cargo test builds it", built.display());
    built
}

fn command(act: &str) -> Command {
    let mut command = Command::new(program());
    command.arg(act).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(act: &str) -> (Output, String) {
    let output = command(act).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output, text)
}

/// Reads lines up to one that holds `part`.
fn wait_for(reader: &mut impl BufRead, part: &str) -> String {
    let mut seen = String::new();
    loop {
        let before = seen.len();
        assert!(reader.read_line(&mut seen).unwrap() > 0, "no {part:?} in:\n{seen}");
        if seen[before..].contains(part) {
            return seen;
        }
    }
}

fn kill(child: &Child, signal: &str) {
    send(&child.id().to_string(), signal);
}

fn send(pid: &str, signal: &str) {
    assert!(Command::new("kill").args([signal, pid]).status().unwrap().success());
}

fn rest(mut reader: impl Read) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    text
}

fn file(path: &Path) -> String {
    String::from_utf8(disk::read(&RealDisk, path, 1 << 24).unwrap()).unwrap()
}

#[test]
fn a_crash_leaves_a_report_and_its_signal() {
    let (output, text) = run("segv");
    assert_eq!(output.status.signal(), Some(SEGV), "{text}");
    for part in [
        "BUG REPORT START",
        "Almagre 0.1.0 crashed by signal: 11, si_code: 1",
        "Accessing address: 0x8",
        "Crashed running the instruction at: 0x",
        "RIP:",
        "------ STACK TRACE ------",
        "------ CLIENT LIST OUTPUT ------\nid=1 name=first\n",
        "touch_nothing",
        "BUG REPORT END",
    ] {
        assert!(text.contains(part), "no {part:?} in:\n{text}");
    }
    assert_eq!(text.matches("STACK TRACE -").count(), 1);
}

#[test]
fn a_signal_from_outside_names_its_sender() {
    let mut child = command("interrupted").spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    wait_for(&mut reader, " PID: ");
    kill(&child, "-ABRT");
    let text = rest(reader);
    assert_eq!(child.wait().unwrap().signal(), Some(ABRT));
    assert!(text.contains("crashed by signal: 6, si_code: 0"), "{text}");
    assert!(text.contains("Killed by PID: "), "{text}");
}

#[test]
fn an_abort_and_a_stack_overflow_are_reported() {
    let (output, text) = run("abort");
    assert_eq!(output.status.signal(), Some(ABRT));
    assert!(text.contains("crashed by signal: 6"), "{text}");
    let (output, text) = run("overflow");
    assert_eq!(output.status.signal(), Some(SEGV));
    assert!(text.contains("crashed by signal: 11") && text.contains("REPORT END"), "{text}");
}

#[test]
fn all_prepared_threads_show_their_stacks() {
    let (output, text) = run("neighbor");
    assert_eq!(output.status.signal(), Some(SEGV));
    assert!(text.contains("(neighbor):") && text.contains("(process):"), "{text}");
    assert!(!text.contains("did not answer"), "{text}");
}

#[test]
fn the_watchdog_shows_stacks_and_the_process_goes_on() {
    let mut child = command("alarm").spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    wait_for(&mut reader, "--- WATCHDOG TIMER EXPIRED ---");
    let text = wait_for(&mut reader, "STACK TRACE DONE");
    assert!(text.contains("(neighbor):"), "{text}");
    kill(&child, "-ALRM");
    wait_for(&mut reader, "Received SIGALRM");
    wait_for(&mut reader, "STACK TRACE DONE");
    kill(&child, "-KILL");
    child.wait().unwrap();
}

#[test]
fn a_crash_in_the_report_ends_it() {
    let (output, text) = run("nested");
    assert_eq!(output.status.signal(), Some(SEGV), "{text}");
    assert!(text.contains("name=first") && text.contains("inside the crash report"), "{text}");
}

#[test]
fn a_report_that_hangs_is_given_up() {
    let mut child = command("hanging").spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    wait_for(&mut reader, "------ HANGING ------");
    // What the alarm does after ten seconds.
    kill(&child, "-ALRM");
    assert!(rest(reader).contains("did not come to its end"));
    assert_eq!(child.wait().unwrap().signal(), Some(SEGV));
}

#[test]
fn without_a_crash_log_a_crash_is_silent() {
    let (output, text) = run("no-report");
    assert_eq!(output.status.signal(), Some(SEGV));
    assert!(!text.contains("crashed by signal"), "{text}");
}

#[test]
fn a_panic_is_reported_with_its_place() {
    let (output, text) = run("panic");
    assert_eq!(output.status.signal(), Some(ABRT));
    assert!(text.contains("Guru Meditation: the reason #"), "{text}");
    assert!(text.contains("process.rs:") && text.contains("name=first"), "{text}");
    assert!(!text.contains("crashed by signal"), "one report, not two:\n{text}");
    let (output, text) = run("panic-exit");
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("Guru Meditation"), "{text}");
}

#[test]
fn sigterm_shuts_down_in_order() {
    let mut child = command("serve").spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let start = wait_for(&mut reader, "Ready to accept connections tcp");
    let (pid, after) = start.split_once(&format!(" PID: {}", child.id())).unwrap();
    assert!(pid.contains("Running mode=standalone") && after.contains("Server initialized"));
    kill(&child, "-HUP");
    kill(&child, "-PIPE");
    kill(&child, "-XFSZ");
    kill(&child, "-TERM");
    let end = rest(reader);
    assert!(child.wait().unwrap().success(), "{end}");
    assert!(end.contains(":signal-handler ("), "{end}");
    assert!(end.contains("Received SIGTERM scheduling shutdown..."), "{end}");
    assert!(end.contains("asked by Terminate") && end.contains("bye bye..."), "{end}");
}

#[test]
fn a_second_interrupt_exits_at_once() {
    let mut child = command("interrupted").spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    wait_for(&mut reader, " PID: ");
    kill(&child, "-INT");
    wait_for(&mut reader, "Received SIGINT scheduling shutdown...");
    kill(&child, "-INT");
    wait_for(&mut reader, "exiting at once");
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn the_loader_sees_a_shutdown() {
    let mut child = command("loading").spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    wait_for(&mut reader, "loading");
    kill(&child, "-TERM");
    wait_for(&mut reader, "Received shutdown signal during loading");
    wait_for(&mut reader, "stopped");
    assert!(child.wait().unwrap().success());
}

/// Waits, as nothing tells when a process that is not our child has come that far.
#[expect(clippy::disallowed_methods, reason = "a daemon has no parent that could wait for it")]
fn until(mut holds: impl FnMut() -> bool) {
    for _ in 0..20_000 {
        if holds() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("waited in vain");
}

#[test]
fn a_daemon_leaves_its_parent_and_keeps_a_pid_file() {
    let dir = tempfile::tempdir().unwrap();
    let (log, pid_file) = (dir.path().join("log"), dir.path().join("pid"));
    let status = command("daemon").arg(&log).arg(&pid_file).status().unwrap();
    assert!(status.success());
    until(|| RealDisk.metadata(&log).is_ok() && file(&log).contains("Ready to accept"));
    let pid = file(&pid_file);
    let text = file(&log);
    assert!(text.contains(&format!(" PID: {}\n", pid.trim())), "{text}");
    let stat = file(Path::new(&format!("/proc/{}/stat", pid.trim())));
    let session = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().nth(3).unwrap();
    assert_eq!(session, pid.trim(), "leads its session");
    send(pid.trim(), "-TERM");
    until(|| RealDisk.metadata(&pid_file).is_err());
    until(|| file(&log).contains("bye bye"));
}

#[test]
fn a_crash_removes_the_pid_file() {
    let dir = tempfile::tempdir().unwrap();
    let (log, pid_file) = (dir.path().join("log"), dir.path().join("pid"));
    let output = command("segv").arg(&log).arg(&pid_file).output().unwrap();
    assert_eq!(output.status.signal(), Some(SEGV));
    assert!(RealDisk.metadata(&pid_file).is_err());
    assert!(file(&log).contains("crashed by signal: 11"));
    assert!(output.stdout.is_empty());
    let output = command("files").arg(&log).arg(dir.path().join("no/pid")).output().unwrap();
    assert!(output.status.success());
    assert!(file(&log).contains("Failed to write PID file"));
}

#[test]
fn systemd_hears_of_a_real_process() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    let output = command("supervised").env("NOTIFY_SOCKET", &path).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.ends_with("systemd\n"), "{text}");
    let mut buf = [0; 256];
    systemd.recv(&mut buf).unwrap();
    let count = systemd.recv(&mut buf).unwrap();
    assert!(buf[..count].ends_with(b"READY=1\n"));
}

#[test]
fn the_title_is_shown_and_the_environment_lives() {
    let mut command = command("title");
    let output = command.env("MARK", "here").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let title = "almagre-server 127.0.0.1:7300 [a title longer than the arguments]";
    assert!(text.ends_with(&format!("{title}\n\"here\"\n")), "{text}");
}

#[test]
fn open_files_are_raised_or_clients_cut() {
    // A hard limit that not even root is above: RLIMIT_NOFILE stops at fs.nr_open.
    let script = format!("ulimit -n 1000; exec {} files", program().display());
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let clients: u32 =
        text.split("Some(").nth(1).unwrap().split(')').next().unwrap().parse().unwrap();
    if clients < 4_000_000 {
        assert!(text.contains("requiring at least 4000032 max file descriptors."), "{text}");
        assert!(text.contains(&format!("maxclients has been reduced to {clients}")), "{text}");
        assert!(text.contains(&format!("({}, ", clients + 32)), "{text}");
    } else {
        assert!(text.contains("Increased maximum number of open files to 4000032"), "{text}");
    }
}

#[test]
fn attributes_can_be_set() {
    let (output, text) = run("private");
    assert!(output.status.success(), "{text}");
}

#[test]
fn rotation_loses_no_line() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let mut child = command("rotated").arg(&log).spawn().unwrap();
    let mut parts = Vec::new();
    while child.try_wait().unwrap().is_none() {
        let part = dir.path().join(format!("part{}", parts.len()));
        if parts.len() < 200 && RealDisk.rename(&log, &part).is_ok() {
            parts.push(part);
        }
    }
    parts.push(log);
    let text: String = parts.iter().filter(|part| part.exists()).map(|part| file(part)).collect();
    for idx in 0..2_000 {
        assert!(text.contains(&format!("* line {idx}\n")), "line {idx} is lost");
    }
}

#[test]
fn a_reader_that_does_not_read_stops_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let written = dir.path().join("written");
    let mut child = command("burst").arg("").arg(&written).spawn().unwrap();
    // A pipe holds 64 KiB of some 5 MB: that it comes to its end proves that it did not wait.
    until(|| RealDisk.metadata(&written).is_ok());
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    wait_for(&mut reader, "* line 100 ");
    kill(&child, "-TERM");
    let text = rest(&mut reader);
    assert!(child.wait().unwrap().success());
    let note = text.lines().find(|line| line.contains("log lines were dropped")).unwrap();
    assert!(note.contains(" # 19"), "{note}");
    assert!(text.ends_with("* after\n"));
    assert!(text.lines().all(|line| !line.contains("* line ") || line.len() > 200), "torn line");
}
