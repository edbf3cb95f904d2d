//! Background, supervisors, and the pid file.
#![expect(unsafe_code, reason = "fork, setsid, dup2, raise")]

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use disk::{Disk, Open, RealDisk, SHARED};
use libc::c_char;

use super::{NAME, limits};
use crate::log;

/// `supervised`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supervised {
    No,
    Systemd,
    Upstart,
    Auto,
}

/// Who supervises the process, and how to reach it.
#[derive(Debug)]
pub enum Supervisor {
    Nobody,
    Upstart,
    Systemd(Notifier),
}

/// Sends states to systemd (sd_notify(3)).
#[derive(Debug)]
pub struct Notifier {
    socket: UnixDatagram,
    address: SocketAddr,
}

/// Finds the supervisor and tells it that the process starts. Under upstart the process stops
/// itself here until it is continued. A supervisor that was asked for and is not there is warned
/// about, and `Nobody`: then `daemonize` counts.
pub fn supervise(mode: Supervised) -> Supervisor {
    supervise_with(mode, &|name| std::env::var_os(name))
}

pub(super) fn supervise_with(
    mode: Supervised,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Supervisor {
    let upstart = environment("UPSTART_JOB").is_some();
    let socket = environment("NOTIFY_SOCKET");
    let mode = match mode {
        Supervised::Auto if upstart => Supervised::Upstart,
        Supervised::Auto if socket.is_some() => Supervised::Systemd,
        other => other,
    };
    match (mode, socket) {
        (Supervised::Upstart, _) if upstart => {
            log::notice!("supervised by upstart, will stop to signal readiness.");
            // SAFETY: takes a number.
            unsafe { libc::raise(libc::SIGSTOP) };
            Supervisor::Upstart
        }
        (Supervised::Upstart, _) => {
            log::warning!("upstart supervision requested, but UPSTART_JOB not found!");
            Supervisor::Nobody
        }
        (Supervised::Systemd, None) => {
            log::warning!("systemd supervision error: NOTIFY_SOCKET not found!");
            Supervisor::Nobody
        }
        (Supervised::Systemd, Some(socket)) => match Notifier::new(&socket) {
            Ok(notifier) => {
                log::notice!(
                    "Supervised by systemd. TimeoutStartSec and TimeoutStopSec must allow \
                              for loading and saving the data."
                );
                let supervisor = Supervisor::Systemd(notifier);
                supervisor.status(&format!("{NAME} is loading..."));
                supervisor
            }
            Err(error) => {
                log::warning!("systemd supervision error: sd_notify: {error}");
                Supervisor::Nobody
            }
        },
        (Supervised::No | Supervised::Auto, _) => Supervisor::Nobody,
    }
}

impl Notifier {
    /// `address`: the path of a datagram socket, or an abstract name behind `@`.
    pub fn new(address: &OsStr) -> io::Result<Self> {
        let address = match address.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name)?,
            None => SocketAddr::from_pathname(Path::new(address))?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, address })
    }

    /// Sends one state, `NAME=VALUE` lines.
    pub fn send(&self, state: &str) -> io::Result<()> {
        self.socket.send_to_addr(state.as_bytes(), &self.address).map(drop)
    }
}

impl Supervisor {
    /// What INFO calls `process_supervised`.
    pub fn name(&self) -> &'static str {
        match self {
            Supervisor::Nobody => "no",
            Supervisor::Upstart => "upstart",
            Supervisor::Systemd(_) => "systemd",
        }
    }

    /// The server serves.
    pub fn ready(&self) {
        self.send("STATUS=Ready to accept connections\nREADY=1\n");
    }

    /// One line for `systemctl status`.
    pub fn status(&self, text: &str) {
        self.send(&format!("STATUS={text}\n"));
    }

    /// A shutdown begins.
    pub fn stopping(&self) {
        self.send("STOPPING=1\n");
    }

    /// Still alive, for units with WatchdogSec.
    pub fn alive(&self) {
        self.send("WATCHDOG=1\n");
    }

    fn send(&self, state: &str) {
        if let Supervisor::Systemd(notifier) = self
            && let Err(error) = notifier.send(state)
        {
            log::warning!("systemd supervision error: sd_notify: {error}");
        }
    }
}

/// Goes to the background: the parent ends with status 0, the child leads a session of its own and
/// has `/dev/null` for its three standard descriptors. Only before the first thread: `Err` with
/// `Deadlock` otherwise, as the child would have none of the others.
pub fn daemonize() -> io::Result<()> {
    if RealDisk.list(Path::new("/proc/self/task"))?.len() > 1 {
        return Err(io::ErrorKind::Deadlock.into());
    }
    // SAFETY: one thread, so the child is a whole copy.
    let pid = unsafe { libc::fork() };
    limits::check(pid)?;
    if pid > 0 {
        // SAFETY: ends the parent without running what the child will run at its end.
        unsafe { libc::_exit(0) };
    }
    // SAFETY: no memory is touched but a constant C string; the descriptors are the process's own.
    unsafe {
        limits::check(libc::setsid())?;
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        limits::check(null)?;
        for standard in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
            limits::check(libc::dup2(null, standard))?;
        }
        if null > libc::STDERR_FILENO {
            libc::close(null);
        }
    }
    Ok(())
}

/// Path of the pid file that this process wrote; null: none.
static PID_FILE: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());

/// Writes the process id to `path`. A failure is warned about and does not stop the start. The file
/// goes away in `leave` and after a crash.
pub fn write_pid_file(path: &Path) {
    let line = format!("{}\n", std::process::id());
    let written = RealDisk
        .open(path, Open::Create { mode: SHARED })
        .and_then(|file| disk::write_all_at(&*file, line.as_bytes(), 0))
        .and_then(|()| CString::new(path.as_os_str().as_bytes()).map_err(io::Error::from));
    match written {
        // Leaked, once: a crash handler may read it at any time.
        Ok(path) => PID_FILE.store(path.into_raw(), Ordering::Release),
        Err(error) => log::warning!("Failed to write PID file {}: {error}", path.display()),
    }
}

/// Removes the pid file if this process wrote one. Async-signal-safe.
pub(super) fn remove_pid_file() {
    let path = PID_FILE.swap(ptr::null_mut(), Ordering::AcqRel);
    if !path.is_null() {
        // SAFETY: a C string that is never freed.
        unsafe { libc::unlink(path) };
    }
}
