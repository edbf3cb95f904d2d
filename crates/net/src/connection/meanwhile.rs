//! What a connection does while a script of another one runs for too long on its thread: see
//! [`crate::serve_others`].

use super::{Connection, Exit, JOB_PENDING_MAX, Serving};
use crate::here::Socket;
use crate::scratch::State;
use resp::Progress;
use socket2::SockRef;
use std::io::{self, IoSlice, Read, Write};
use std::rc::Rc;

impl<S: Socket> Connection<S> {
    /// Serves what can be served while a script runs for too long on this thread: reads and writes
    /// past the reactor, and leaves to the task whatever else there is to do.
    pub(crate) fn attend(&mut self, state: &mut State) {
        let fed = self.feed.is_some() || self.session.card.killed();
        if self.closing.is_some() || self.is_held() || fed {
            return;
        }
        let mut came = std::mem::take(&mut self.kept_whole);
        if came {
            self.progress = Progress::default();
        }
        if self.pending.len() < JOB_PENDING_MAX {
            match (&*SockRef::from(&self.stream)).read(&mut state.input) {
                Ok(0) => self.closing = Some(Exit::Closed),
                Ok(len) => match self.keep(&state.input[..len]) {
                    Ok(()) => came = true,
                    Err(error) => self.closing = Some(Exit::Io(error)),
                },
                Err(error) if would_wait(&error) => {}
                Err(error) => self.closing = Some(Exit::Io(error)),
            }
        }
        if came {
            self.serve_meanwhile(state);
        }
        if !self.pending.is_empty() {
            self.write_past();
        }
        if self.closing.is_some() || !self.pending.is_empty() {
            self.session.card.wake();
        }
    }

    fn serve_meanwhile(&mut self, State { worker, requests, reply, .. }: &mut State) {
        let scratch = Rc::clone(&self.scratch);
        let (engine, session) = (&scratch.engine, &mut self.session);
        let mut serving = Serving { engine, worker, requests, reply, session, meanwhile: true };
        let outcome = serving.serve(&mut self.progress, &self.kept);
        self.kept.drain(..outcome.used);
        let closing = self.closing.take();
        self.adopt(outcome);
        self.closing = self.closing.take().or(closing);
        if !self.hold(&mut reply.out) {
            self.pending.append(&mut reply.out);
        }
        self.publish_buffers();
        self.check_limits(&scratch);
    }

    fn write_past(&mut self) {
        let mut slices = [IoSlice::new(&[]); 64];
        let count = self.pending.slices(&mut slices);
        match (&*SockRef::from(&self.stream)).write_vectored(&slices[..count]) {
            Ok(len) => self.pending.advance(len),
            Err(error) if would_wait(&error) => {}
            Err(error) => self.closing = Some(Exit::Io(error)),
        }
    }
}

fn would_wait(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
