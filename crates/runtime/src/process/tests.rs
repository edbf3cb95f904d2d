//! What can be tested inside the process; the rest spawns one: `tests/it`.

use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

use disk::{Disk, MemDisk, Open};

use super::checks::{self, Outcome};
use super::daemon::{Supervised, supervise_with};
use super::limits::{OomMode, OomScore};
use super::signal::ShutdownFlags;
use super::{banner, title};
use crate::log;

fn system(files: &[(&str, &str)]) -> MemDisk {
    let disk = MemDisk::new();
    for (path, text) in files {
        let path = Path::new(path);
        let folders: Vec<_> = path.ancestors().skip(1).collect();
        for folder in folders.iter().rev() {
            drop(disk.create_dir(folder, 0o755));
        }
        let file = disk.open(path, Open::Create { mode: 0o644 }).unwrap();
        disk::write_all_at(&*file, text.as_bytes(), 0).unwrap();
    }
    disk
}

#[test]
fn shutdown_flags() {
    let parse = |text: &str| ShutdownFlags::parse(text.split_whitespace());
    assert_eq!(parse("default"), Some(ShutdownFlags::default()));
    let expected = ShutdownFlags { nosave: true, now: true, ..ShutdownFlags::default() };
    assert_eq!(parse("NOSAVE now"), Some(expected));
    assert!(parse("save force").is_some_and(|flags| flags.save && flags.force));
    for wrong in ["", "save nosave", "default now", "later"] {
        assert_eq!(parse(wrong), None, "{wrong}");
    }
}

#[test]
fn titles() {
    let variables = title::Variables {
        title: "almagre-server",
        listen_addr: "*:6379",
        port: 6379,
        config_file: "-",
        ..title::Variables::default()
    };
    let expand = |template| title::expand(template, &variables);
    let standard = "{title} {listen-addr} {server-mode}";
    assert_eq!(expand(standard).as_deref(), Some("almagre-server *:6379"));
    assert_eq!(expand("TEST {{x} {port}{tls-port} {config-file}"), Some("TEST {x} 63790 -".into()));
    assert_eq!(expand("{invalid}"), None);
    assert_eq!(expand("{title"), None);
    assert!(title::is_valid(standard) && title::is_valid("fixed"));
    assert!(!title::is_valid("") && !title::is_valid("{nothing}"));
}

#[test]
fn oom_score_follows_the_mode() {
    let path = Path::new("/proc/self/oom_score_adj");
    let disk = system(&[("/proc/self/oom_score_adj", "100\n")]);
    let shown = || {
        let text = disk::read(&disk, path, 64).unwrap();
        let text = str::from_utf8(&text).unwrap();
        text.lines().next().unwrap().to_owned()
    };
    let mut score = OomScore::default();
    score.apply_at(&disk, path, OomMode::No, 5).unwrap();
    assert_eq!(shown(), "100");
    score.apply_at(&disk, path, OomMode::Relative, 10).unwrap();
    assert_eq!(shown(), "110");
    score.apply_at(&disk, path, OomMode::Relative, 20).unwrap();
    assert_eq!(shown(), "120");
    score.apply_at(&disk, path, OomMode::Absolute, 2000).unwrap();
    assert_eq!(shown(), "1000");
    score.apply_at(&disk, path, OomMode::No, 0).unwrap();
    assert_eq!(shown(), "100");

    let log = log::capture();
    log.expect("Unable to write oom_score_adj");
    disk.inject(5, disk::Fault::Eio);
    score.apply_at(&disk, path, OomMode::Absolute, 1).unwrap_err();
}

#[test]
fn checks_name_what_is_wrong() {
    let bad = |outcome: Outcome, part: &str| match outcome {
        Outcome::Bad(text) => assert!(text.contains(part), "{text}"),
        other => panic!("{other:?}"),
    };
    let empty = MemDisk::new();
    assert_eq!(checks::overcommit(&empty), Outcome::Skipped);
    assert_eq!(checks::clock_source(&empty), Outcome::Skipped);
    let disk = system(&[
        ("/proc/sys/vm/overcommit_memory", "2\n"),
        ("/proc/sys/net/core/somaxconn", "128\n"),
        ("/sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n"),
        ("/sys/devices/system/clocksource/clocksource0/current_clocksource", "xen\n"),
        ("/sys/devices/system/clocksource/clocksource0/available_clocksource", "xen tsc\n"),
    ]);
    bad(checks::overcommit(&disk), "overcommit_memory");
    bad(checks::huge_pages(&disk), "(THP)");
    bad(checks::clock_source(&disk), "xen tsc");
    bad(checks::backlog(&disk, 511), "The TCP backlog setting of 511 cannot be enforced");
    assert_eq!(checks::backlog(&disk, 128), Outcome::Good);
    assert_eq!(checks::all().len(), 3);
}

#[test]
fn systemd_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let named = SocketAddr::from_pathname(&path).unwrap();
    let hidden = format!("almagre-test-{}", std::process::id());
    let abstract_name = SocketAddr::from_abstract_name(&hidden).unwrap();
    let cases = [(named, path.into_os_string()), (abstract_name, format!("@{hidden}").into())];
    for (address, variable) in cases {
        let _log = log::capture();
        let systemd = UnixDatagram::bind_addr(&address).unwrap();
        let environment = |name: &str| (name == "NOTIFY_SOCKET").then(|| OsString::from(&variable));
        let supervisor = supervise_with(Supervised::Auto, &environment);
        assert_eq!(supervisor.name(), "systemd");
        supervisor.ready();
        supervisor.stopping();
        let mut received = String::new();
        for _ in 0..3 {
            let mut buf = [0; 256];
            let count = systemd.recv(&mut buf).unwrap();
            received.push_str(str::from_utf8(&buf[..count]).unwrap());
        }
        assert_eq!(
            received,
            "STATUS=Almagre is loading...\nSTATUS=Ready to accept connections\nREADY=1\nSTOPPING=1\n"
        );
        drop(systemd);
    }
}

#[test]
fn a_supervisor_that_is_not_there() {
    let log = log::capture();
    log.expect("NOTIFY_SOCKET not found");
    log.expect("UPSTART_JOB not found");
    let nothing = |_: &str| None;
    for mode in [Supervised::Auto, Supervised::No, Supervised::Systemd, Supervised::Upstart] {
        assert_eq!(supervise_with(mode, &nothing).name(), "no");
    }
}

#[test]
fn scripts_find_their_lines() {
    let log = log::capture();
    let build = banner::Build { version: "0.1.0", commit: "00000000", is_modified: false };
    log.expect("Configuration loaded: no file, defaults and arguments only");
    banner::starting(build, &[]);
    log.expect("Configuration loaded from /etc/a.conf and standard input");
    banner::starting(build, &["/etc/a.conf", "standard input"]);
    banner::running(banner::Mode::Standalone, 7300, banner::Logo::Always, build);
    banner::initialized();
    banner::ready("tcp");
    let pid = std::process::id();
    for part in [
        &format!(" PID: {pid}"),
        &format!("port=7300. PID: {pid}"),
        "Server initialized",
        "Ready to accept connections tcp",
        "Running mode=standalone, port=7300.",
        "version=0.1.0, bits=64",
    ] {
        assert!(log.contains(part), "{part}");
    }
    log.expect("Failed listening on port 7300 (tcp), aborting.");
    banner::listen_failed(7300, "tcp");
    log.expect("Almagre is now ready to exit, bye bye...");
    banner::bye(banner::Mode::Cluster);
}
