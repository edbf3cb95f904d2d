//! A server without a server: starts as one does, logs, and then crashes, waits or goes to the
//! background as its first argument says. Driven by `tests/it`.
//!
//! `process ACT [LOGFILE [PIDFILE]]`
#![expect(unsafe_code, reason = "crashes on purpose")]
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program for tests")]

use std::fmt::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use runtime::log;
use runtime::process::banner::{self, Build, Logo, Mode};
use runtime::process::crash::{self, Options, Section};
use runtime::process::{daemon, leave, limits, signal, title};

fn clients(out: &mut dyn Write) -> fmt::Result {
    writeln!(out, "id=1 name=first")
}

fn crashes_too(_: &mut dyn Write) -> fmt::Result {
    touch_nothing();
    Ok(())
}

fn hangs(_: &mut dyn Write) -> fmt::Result {
    loop {
        std::thread::park();
    }
}

const CLIENTS: Section = Section { title: "CLIENT LIST OUTPUT", write: clients };
const GOOD: &[Section] = &[CLIENTS];
const NESTED: &[Section] = &[CLIENTS, Section { title: "BROKEN", write: crashes_too }];
const HANGING: &[Section] = &[CLIENTS, Section { title: "HANGING", write: hangs }];

#[inline(never)]
fn touch_nothing() {
    let nowhere = std::hint::black_box(8 as *mut u32);
    // SAFETY: none. It is meant to crash.
    unsafe { nowhere.write_volatile(1) };
}

#[expect(unconditional_recursion, reason = "overflows the stack on purpose")]
fn overflow(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 64]);
    overflow(depth + 1) + room[3]
}

fn serve() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let asked = runtime.block_on(async {
        let listener = signal::Listener::new().unwrap();
        banner::initialized();
        banner::ready("tcp");
        listener.shutdown().await.unwrap()
    });
    banner::shutting_down(None);
    log::notice!("asked by {asked:?}");
    banner::bye(Mode::Standalone);
    leave(0)
}

/// A second thread beside the first, so that stacks of both are asked for.
fn with_neighbor(body: impl FnOnce() + Send) {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let neighbor = move || {
            let _prepared = crash::prepare_thread().unwrap();
            sender.send(()).unwrap();
            loop {
                std::thread::park();
            }
        };
        std::thread::Builder::new().name("neighbor".into()).spawn_scoped(scope, neighbor).unwrap();
        receiver.recv().unwrap();
        body();
    });
}

#[expect(clippy::too_many_lines, reason = "one arm an act")]
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    title::init();
    let arg = |idx: usize| args.get(idx).map_or("", String::as_str);
    let act = arg(1);
    log::set_file(arg(2)).unwrap();
    log::set_role(log::Role::Primary);
    if act == "daemon" {
        daemon::daemonize().unwrap();
    }
    let sections = match act {
        "nested" => NESTED,
        "hanging" => HANGING,
        _ => GOOD,
    };
    let _prepared = crash::install(Options { version: "0.1.0", sections }).unwrap();
    signal::install().unwrap();
    if !arg(3).is_empty() && act != "burst" {
        daemon::write_pid_file(Path::new(arg(3)));
    }
    let build = Build { version: "0.1.0", commit: "00000000", is_modified: false };
    banner::running(Mode::Standalone, 7300, Logo::OnTerminal, build);
    match act {
        "serve" | "daemon" => return serve(),
        "loading" => {
            signal::set_loading(true);
            println!("loading");
            while signal::shutdown_requested().is_none() {
                std::hint::spin_loop();
            }
            println!("stopped");
        }
        "interrupted" => loop {
            std::thread::park();
        },
        "supervised" => {
            let supervisor = daemon::supervise(daemon::Supervised::Auto);
            supervisor.ready();
            println!("{}", supervisor.name());
        }
        "segv" | "nested" | "hanging" => touch_nothing(),
        "neighbor" => with_neighbor(touch_nothing),
        "alarm" => with_neighbor(|| {
            crash::watch(30);
            loop {
                std::thread::park();
            }
        }),
        "abort" => std::process::abort(),
        "overflow" => println!("{}", overflow(0)),
        "no-report" => {
            crash::set_enabled(false).unwrap();
            touch_nothing();
        }
        "panic" => panic!("the reason"),
        "panic-exit" => {
            crash::set_exits_on_panic(true);
            panic!("the reason");
        }
        "title" => {
            title::set("almagre-server 127.0.0.1:7300 [a title longer than the arguments]")
                .unwrap();
            let title = disk::read(&disk::RealDisk, Path::new("/proc/self/cmdline"), 4096).unwrap();
            println!("{}", String::from_utf8_lossy(&title).trim_end_matches('\0'));
            println!("{:?}", std::env::var_os("MARK").unwrap());
        }
        "files" => {
            println!("{:?}", limits::raise_open_files(4_000_000));
            println!("{:?}", limits::open_files().unwrap());
        }
        "private" => {
            limits::set_dumpable(false).unwrap();
            limits::disable_huge_pages().unwrap();
            println!("{:o}", limits::set_umask(0o077));
        }
        "burst" => {
            for idx in 0..20_000_u32 {
                log::notice!("line {idx} {:200}", "");
            }
            daemon::write_pid_file(Path::new(arg(3)));
            while signal::shutdown_requested().is_none() {
                std::hint::spin_loop();
            }
            log::notice!("after");
        }
        "rotated" => {
            for idx in 0..2_000_u32 {
                log::notice!("line {idx}");
            }
        }
        other => panic!("no act {other}"),
    }
    ExitCode::SUCCESS
}
