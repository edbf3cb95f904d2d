//! The process title: `set-proc-title`, `proc-title-template`.
//!
//! `ps` reads the memory in which the kernel put the arguments. A title is written there; as the
//! arguments are mostly shorter than a title, the environment behind them is moved to the heap
//! first and its room used as well, as daemons have done for decades. After [`init`] the process's
//! own view of its arguments is gone: [`args`] has them.
#![expect(unsafe_code, reason = "writes over the arguments that the kernel laid down")]

use std::ffi::{CString, OsString};
use std::io;
use std::path::Path;
use std::ptr;
use std::sync::OnceLock;

use disk::RealDisk;
use libc::c_char;

/// What the variables of a template stand for. Absent ones are empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Variables<'a> {
    /// The first argument of the program, or what a helper process is.
    pub title: &'a str,
    /// `ADDRESS:PORT` of the first listener, or the path of the unix socket.
    pub listen_addr: &'a str,
    /// ` [cluster]`, ` [sentinel]` or nothing, without the space.
    pub server_mode: &'a str,
    pub port: u16,
    pub tls_port: u16,
    pub unixsocket: &'a str,
    /// `-` where there is none.
    pub config_file: &'a str,
}

/// Fills in a template: `{title} {listen-addr} {server-mode}`. `{{` stands for a brace. Spaces at
/// both ends are cut off. `None`: a variable that does not exist, or a brace that is not closed.
pub fn expand(template: &str, variables: &Variables<'_>) -> Option<String> {
    let mut title = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        title.push_str(before);
        if let Some(after) = after.strip_prefix('{') {
            title.push('{');
            rest = after;
            continue;
        }
        let (name, after) = after.split_once('}')?;
        match name {
            "title" => title.push_str(variables.title),
            "listen-addr" => title.push_str(variables.listen_addr),
            "server-mode" => title.push_str(variables.server_mode),
            "port" => title.push_str(&variables.port.to_string()),
            "tls-port" => title.push_str(&variables.tls_port.to_string()),
            "unixsocket" => title.push_str(variables.unixsocket),
            "config-file" => title.push_str(variables.config_file),
            _ => return None,
        }
        rest = after;
    }
    title.push_str(rest);
    Some(title.trim_matches(' ').to_owned())
}

/// Whether a template may be configured: known variables, and not an empty title.
pub fn is_valid(template: &str) -> bool {
    let variables = Variables { title: "t", ..Variables::default() };
    expand(template, &variables).is_some_and(|title| !title.is_empty())
}

/// Where the arguments and the environment lay at start: one stretch of the first stack.
struct Room {
    begin: usize,
    len: usize,
}

static ROOM: OnceLock<Option<Room>> = OnceLock::new();

/// The arguments of the process, as they were before a title took their place.
pub fn args() -> &'static [OsString] {
    static ARGS: OnceLock<Vec<OsString>> = OnceLock::new();
    ARGS.get_or_init(|| std::env::args_os().collect())
}

/// Makes room for titles. In `main`, before the first thread. Without it (or where `/proc` is not there) titles are not shown in `ps` in full.
pub fn init() {
    args();
    ROOM.get_or_init(|| {
        let room = find_room()?;
        move_environment();
        Some(room)
    });
}

/// Shows `title`, cut to the room there is.
pub fn set(title: &str) -> io::Result<()> {
    let name = CString::new(title.split(['/', ' ']).rfind(|part| !part.is_empty()).unwrap_or(""))?;
    // SAFETY: the kernel copies at most 16 bytes of a C string.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) };
    let Some(Some(room)) = ROOM.get() else { return Ok(()) };
    let title = title.as_bytes();
    let shown = title.get(..room.len.saturating_sub(1)).unwrap_or(title);
    let begin = ptr::with_exposed_provenance_mut::<u8>(room.begin);
    // SAFETY: `init` found this stretch mapped and writable, and moved away what Rust and the C
    // library still read in it. `shown` is shorter, and lies elsewhere.
    unsafe {
        ptr::copy_nonoverlapping(shown.as_ptr(), begin, shown.len());
        ptr::write_bytes(begin.add(shown.len()), 0, room.len - shown.len());
    }
    Ok(())
}

/// From fields 48 to 51 of `/proc/self/stat`: arg_start, arg_end, env_start, env_end.
fn find_room() -> Option<Room> {
    let stat = disk::read(&RealDisk, Path::new("/proc/self/stat"), 4096).ok()?;
    let stat = str::from_utf8(&stat).ok()?;
    // The second field, the name in parentheses, may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let field = |number: usize| -> Option<usize> {
        fields.split_ascii_whitespace().nth(number - 3)?.parse().ok()
    };
    let (begin, end) = (field(48)?, field(49)?);
    let (env_begin, env_end) = (field(50)?, field(51)?);
    let end = if env_begin == end { env_end.max(end) } else { end };
    let len = end.checked_sub(begin).filter(|len| *len > 0 && begin != 0)?;
    Some(Room { begin, len })
}

fn move_environment() {
    // SAFETY: one thread (the caller's duty), so nobody else reads or changes `environ`, which is an
    // array of C strings that a null pointer ends. The copies are never freed.
    unsafe {
        let mut at = libc::environ;
        while !at.is_null() && !(*at).is_null() {
            let copy: *mut c_char = libc::strdup(*at);
            if !copy.is_null() {
                *at = copy;
            }
            at = at.add(1);
        }
    }
}
