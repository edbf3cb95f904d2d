//! What a crash report says about the server. Every lock is only tried: the thread that crashed may
//! hold it.

use crate::node::Server;
use runtime::process::crash::Section;
use std::fmt::{self, Write};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};

/// The server, for a report. Set once it is built.
static SERVER: OnceLock<Arc<Server>> = OnceLock::new();

pub(crate) const SECTIONS: &[Section] = &[
    Section { title: "INFO OUTPUT", write: write_info },
    Section { title: "CLIENT LIST OUTPUT", write: write_clients },
];

pub(crate) fn set_server(server: &Arc<Server>) {
    SERVER.get_or_init(|| Arc::clone(server));
}

fn write_info(out: &mut dyn Write) -> fmt::Result {
    let Some(server) = SERVER.get() else { return Ok(()) };
    if server.config.is_locked() || server.clients.try_all().is_none() {
        return writeln!(out, "(what INFO reads is locked)");
    }
    out.write_str(&crate::info::info(server, &[]))
}

fn write_clients(out: &mut dyn Write) -> fmt::Result {
    let Some(server) = SERVER.get() else { return Ok(()) };
    let Some(cards) = server.clients.try_all() else { return writeln!(out, "(locked)") };
    for card in cards {
        writeln!(
            out,
            "id={} addr={} fd={} worker={} db={} qbuf={} omem={} cmd-id={}",
            card.id,
            card.addr,
            card.fd,
            card.worker.load(Relaxed),
            card.db.load(Relaxed),
            card.query_bytes.load(Relaxed),
            card.unread_bytes(),
            card.last_command.load(Relaxed),
        )?;
    }
    Ok(())
}
