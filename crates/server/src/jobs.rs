//! The thread that runs jobs (KEYDB.CRON). It is there from the first job on that is due: a script that
//! takes long keeps no other clients from their worker, and the main thread from nothing.

use crate::node::Server;
use command::{Card, Session};
use engine::{Now, Worker};
use runtime::process::crash;
use runtime::{clock, log_warning};
use std::sync::Arc;
use std::thread::Thread;

/// What the cron has of it.
#[derive(Default)]
pub(crate) struct Jobs(Option<Thread>);

impl Jobs {
    /// Has the jobs run that are due, if there are any.
    pub(crate) fn tick(&mut self, server: &Arc<Server>) {
        if !server.engine.space.job_is_due(clock::now().0) {
            return;
        }
        if self.0.is_none() {
            self.0 = start(server);
        }
        if let Some(thread) = &self.0 {
            thread.unpark();
        }
    }
}

fn start(server: &Arc<Server>) -> Option<Thread> {
    let Some(worker) = Worker::new(&server.engine, 0) else {
        log_warning!("Jobs are not run: there are too many threads");
        return None;
    };
    let server = Arc::clone(server);
    let thread =
        std::thread::Builder::new().name("jobs".into()).spawn(move || run(&server, worker));
    match thread {
        Ok(thread) => Some(thread.thread().clone()),
        Err(error) => {
            log_warning!("Jobs are not run: {error}");
            None
        }
    }
}

fn run(server: &Server, mut worker: Worker) {
    let guard = crash::prepare_thread();
    if let Err(error) = &guard {
        log_warning!("The thread of jobs has no stack for crash reports: {error}");
    }
    let card = Card::new(0, String::new(), String::new(), -1, clock::now().0);
    let mut session = Session::new(Arc::new(card), true);
    loop {
        worker.forget_scripts(&server.engine);
        for due in server.engine.due_jobs(clock::now().0) {
            let now = Now {
                wall_ms: clock::now().0,
                ticks: clock::ticks,
                wall: || clock::now().0,
                stale_ticks: clock::ticks_per_milli(),
            };
            server.engine.run_job(&mut worker, &mut session, due, now);
        }
        std::thread::park();
    }
}
