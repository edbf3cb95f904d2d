//! A client that waits in a blocking command: what it sent, and what has become of it.
//!
//! ```text
//!   handler: nothing there ─► Cx::wait ─► engine: Waiting, into the queues of its keys
//!
//!             ┌──────────────► Answered    whoever made a key ready ran the command
//!   Waits ────┤                            (under the locks of the key)
//!             └──────────────► Ended       the time is over, CLIENT UNBLOCK, the connection's end
//! ```
//!
//! The state is under a lock of its own, a leaf: of several who would answer or end it, one does.

use crate::{
    Args, Card, ClientFlags, CommandError, Cx, ReplyMode, Resolved, Session, TrackingState,
    Transfer,
};
use keyspace::{KeyPlace, KeyRef, Keyspace, ReadyKey, Waiter};
use parking_lot::Mutex;
use resp::{Out, Reply};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use stdx::extended::Extended;
use types::Type;

/// What a blocking command waits for.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// That a key of this type is there; keys of another are let pass.
    Type(Type),
    /// That a key changes in any way, or goes.
    Change,
    /// That the client's writes are safe.
    Acks(Acks),
    /// That its keys are on another server. They are waited for to hear of their changes.
    Transfer(Arc<Transfer>),
}

/// What WAIT and WAITAOF wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acks {
    /// The end of the client's last write in the journal.
    pub lsn: u64,
    /// Whether it must be on disk here.
    pub local: bool,
    pub replicas: i64,
    /// WAITAOF: on disk is what counts, and the answer says so of both.
    pub on_disk: bool,
}

impl Acks {
    /// How many have it, all before `synced` being on disk here: here, and among the replicas.
    fn counts(&self, synced: Option<u64>) -> (i64, i64) {
        (i64::from(synced.is_some_and(|synced| synced > self.lsn)), 0)
    }

    /// Whether that is enough.
    pub fn reached(&self, synced: Option<u64>) -> bool {
        let (local, replicas) = self.counts(synced);
        local >= i64::from(self.local) && replicas >= self.replicas
    }

    /// Writes the answer as of now.
    pub fn answer(&self, synced: Option<u64>, reply: &mut Reply) {
        let (local, replicas) = self.counts(synced);
        if self.on_disk {
            reply.array(2);
            reply.integer(local);
        }
        reply.integer(replicas);
    }
}

/// A handler's wish to wait.
#[derive(Clone, Debug)]
pub struct Wait {
    pub wanted: Wanted,
    /// So many of the request's keys are waited for, from the first; the others are needed once one
    /// of those is there.
    pub keys: usize,
    /// Until when, in milliseconds since 1970; `None`: for ever.
    pub until_ms: Option<i64>,
    /// When there may be something without a change of any key: the command is run again then.
    pub again_ms: Option<i64>,
    /// Words of the request, by position, that mean something else later, and what they mean now.
    pub meant: Vec<(usize, Vec<u8>)>,
}

/// Whether and how a blocking command may wait.
#[derive(Debug)]
pub enum Waits<'a> {
    /// It may not: in a transaction.
    Never,
    /// It may; here is what it wishes.
    May(Option<Wait>),
    /// It has waited for this, and these keys have become ready.
    Woken { ready: &'a [ReadyKey], wanted: &'a Wanted, wish: Option<Wait> },
}

impl Waits<'_> {
    /// Takes the wish of the handler that ran.
    #[inline]
    pub fn wish(&mut self) -> Option<Wait> {
        match self {
            Self::Never => None,
            Self::May(wish) | Self::Woken { wish, .. } => wish.take(),
        }
    }
}

impl Cx<'_> {
    /// There is nothing for the client: it waits for the first `keys` keys of the request. Where
    /// nobody waits, that is answered by `null`.
    pub fn wait(&mut self, wait: Wait, reply: &mut Reply, null: impl FnOnce(&mut Reply)) {
        match &mut self.waits {
            Waits::Never => null(reply),
            Waits::May(wish) | Waits::Woken { wish, .. } => *wish = Some(wait),
        }
    }

    /// What the command has waited for, as far as it runs again for another server's sake.
    pub fn transfer(&self) -> Option<Arc<Transfer>> {
        match &self.waits {
            Waits::Woken { wanted: Wanted::Transfer(transfer), .. } => Some(Arc::clone(transfer)),
            _ => None,
        }
    }

    /// Whether a client may wait here at all: not in transactions and scripts.
    pub fn may_wait(&self) -> bool {
        !matches!(self.waits, Waits::Never)
    }

    /// Those of `keys` in which there may be something: all, or if the client has waited, those that
    /// have become ready.
    pub fn candidates<'k>(&self, keys: &'k [KeyRef<'k>]) -> Vec<KeyRef<'k>> {
        let is_ready = |key: &&KeyRef<'_>| match self.waits {
            Waits::Woken { ready, .. } => ready
                .iter()
                .any(|ready| ready.db == self.db.index() && *ready.place.key == *key.bytes()),
            Waits::Never | Waits::May(_) => true,
        };
        keys.iter().filter(is_ready).copied().collect()
    }
}

/// Why the waiting ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// In time, or by CLIENT UNBLOCK as if it were so.
    Timeout,
    /// By CLIENT UNBLOCK ERROR.
    Error,
    /// The connection is gone.
    Gone,
}

/// How the waiting came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitOutcome {
    Answered,
    Ended(Ending),
}

#[derive(Debug)]
enum State {
    Waits,
    Answered(Out),
    Ended(Ending),
}

/// One waiting client.
#[derive(Debug)]
pub struct Waiting {
    state: Mutex<State>,
    pub card: Arc<Card>,
    /// Position of its row in the table's flat list.
    pub id: u16,
    pub words: Box<[Box<[u8]>]>,
    pub db: u32,
    protocol: u8,
    no_touch: bool,
    tracking: Option<Box<TrackingState>>,
    pub wait: Wait,
    /// Words of the request that mean something else by now, as they were sent.
    sent: Box<[(usize, Box<[u8]>)]>,
    /// What finding nothing took.
    pub ticks: u64,
    /// [`Wait::again_ms`], as of the last run; `i64::MAX`: never.
    again_ms: AtomicI64,
    /// Where it is queued.
    places: Box<[KeyPlace]>,
    /// Keys that serving it needs besides.
    beyond: Box<[KeyPlace]>,
    /// In how many queues it stands.
    queues: AtomicUsize,
}

impl Waiter for Waiting {
    fn beyond(&self) -> &[KeyPlace] {
        &self.beyond
    }

    fn heeds_absence(&self) -> bool {
        match &self.wait.wanted {
            Wanted::Change => true,
            Wanted::Transfer(transfer) => transfer.moves,
            Wanted::Type(_) | Wanted::Acks(_) => false,
        }
    }

    /// What has arrived elsewhere is to be what is deleted here, groups and all.
    fn hears_all(&self) -> bool {
        matches!(&self.wait.wanted, Wanted::Transfer(transfer) if transfer.moves)
    }
}

impl Waiting {
    /// What the client sent, and for which of its keys it waits, after it took `ticks` to find that
    /// it must.
    pub fn new(session: &Session, request: &Resolved<'_>, wait: Wait, ticks: u64) -> Arc<Self> {
        let (queued, beyond) = request.keys.split_at(wait.keys.min(request.keys.len()));
        let mut places: Vec<KeyPlace> = Vec::with_capacity(queued.len());
        for key in queued {
            let place = KeyPlace::of(key);
            if !places.contains(&place) {
                places.push(place);
            }
        }
        let mut words: Vec<Box<[u8]>> = request.args.iter().map(|word| (*word).into()).collect();
        let mean = |(at, meant): &(usize, Vec<u8>)| {
            (*at, std::mem::replace(&mut words[*at], meant[..].into()))
        };
        let sent = wait.meant.iter().map(mean).collect();
        Arc::new(Self {
            state: Mutex::new(State::Waits),
            card: Arc::clone(&session.card),
            id: request.id,
            words: words.into(),
            db: session.db,
            protocol: session.protocol,
            no_touch: session.no_touch,
            tracking: session.tracking.clone(),
            again_ms: AtomicI64::new(wait.again_ms.unwrap_or(i64::MAX)),
            wait,
            sent,
            ticks,
            queues: AtomicUsize::new(places.len()),
            places: places.into(),
            beyond: beyond.iter().map(KeyPlace::of).collect(),
        })
    }

    /// When its connection has to look after it, if nobody has served it before: the time is over
    /// then, or the command is to be run again.
    pub fn due_ms(&self) -> Option<i64> {
        let again_ms = self.again_ms.load(Ordering::Relaxed);
        let due_ms = self.wait.until_ms.map_or(again_ms, |until_ms| until_ms.min(again_ms));
        (due_ms < i64::MAX).then_some(due_ms)
    }

    /// Whether the command is to be run again now.
    pub fn runs_again(&self, now_ms: i64) -> bool {
        if let Wanted::Transfer(transfer) = &self.wait.wanted {
            return transfer.is_settled();
        }
        self.again_ms.load(Ordering::Relaxed) <= now_ms
    }

    /// It was run in vain, and is to be run again then. Whoever runs it has it to itself.
    pub fn set_again(&self, again_ms: Option<i64>) {
        self.again_ms.store(again_ms.unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// All keys for which it waits, as if all had become ready.
    pub fn all_ready(&self) -> Vec<ReadyKey> {
        let ready = |place: &KeyPlace| ReadyKey { db: self.db, place: place.clone() };
        self.places.iter().map(ready).collect()
    }

    /// The words of the request as the client sent them.
    pub fn sent(&self) -> Vec<&[u8]> {
        let mut words: Vec<&[u8]> = self.words.iter().map(|word| &**word).collect();
        for (at, sent) in &self.sent {
            words[*at] = sent;
        }
        words
    }

    /// The keys it waits for, each once.
    pub fn places(&self) -> &[KeyPlace] {
        &self.places
    }

    /// Bytes that it takes here and in the shards.
    pub fn memory_bytes(&self) -> u64 {
        /// A queue of its own, and the place in the shard's map.
        const PLACE_BYTES: usize = 160;
        let words: usize = self.words.iter().map(|word| word.len() + size_of_val(word)).sum();
        let places: usize = self.places.iter().map(|place| 2 * place.key.len() + PLACE_BYTES).sum();
        (size_of::<Self>() + words + places) as u64
    }

    /// A session like that of the client when it began to wait.
    pub fn session(&self) -> Session {
        let mut session = Session::new(Arc::clone(&self.card), true);
        session.db = self.db;
        session.protocol = self.protocol;
        session.no_touch = self.no_touch;
        session.tracking = self.tracking.clone();
        session
    }

    /// If the client still waits, calls `serve` for an answer; it waits on if there is none. Returns
    /// whether it does.
    pub fn serve(&self, serve: impl FnOnce() -> Option<Out>) -> bool {
        let mut state = self.state.lock();
        if !matches!(*state, State::Waits) {
            return false;
        }
        let Some(out) = serve() else { return true };
        self.settle(&mut state, State::Answered(out));
        false
    }

    /// Runs `act` if the client waits on. Meanwhile nobody answers it: what comes with the answer
    /// does not come before it.
    pub fn meanwhile(&self, act: impl FnOnce()) {
        let state = self.state.lock();
        if matches!(*state, State::Waits) {
            act();
        }
    }

    /// It was taken out of a queue.
    pub fn left_queue(&self) {
        self.queues.fetch_sub(1, Ordering::Relaxed);
    }

    /// Ends the waiting, unless it has ended or was answered. Returns whether it waited.
    pub fn end(&self, ending: Ending) -> bool {
        let mut state = self.state.lock();
        let waited = matches!(*state, State::Waits);
        if waited {
            self.settle(&mut state, State::Ended(ending));
        }
        waited
    }

    fn settle(&self, state: &mut State, settled: State) {
        *state = settled;
        if let Wanted::Transfer(transfer) = &self.wait.wanted {
            transfer.end();
        }
        self.card.set(ClientFlags::BLOCKED, false);
        self.card.wake();
    }

    /// For the connection: if the time is over, the waiting is.
    pub fn expire(&self, now_ms: i64) {
        if self.wait.until_ms.is_some_and(|until| until <= now_ms) {
            self.end(Ending::Timeout);
        }
    }

    /// For the connection: if what the client waits for are acknowledgements, and they are there or
    /// never will be, the waiting is over. `synced`: what is on disk here.
    pub fn acknowledge(&self, synced: Option<u64>) {
        let Wanted::Acks(acks) = self.wait.wanted else { return };
        let never = acks.local && synced.is_none();
        if !never && !acks.reached(synced) {
            return;
        }
        self.serve(|| {
            let mut reply = Reply::new(self.session().wire());
            match never {
                true => reply.error(CommandError::WaitaofWithoutLog.text()),
                false => acks.answer(synced, &mut reply),
            }
            Some(std::mem::take(&mut reply.out))
        });
    }

    /// For the connection: writes the answer, if the waiting is over, and says how. `None`: the
    /// client waits. `synced`: as for [`Waiting::acknowledge`].
    pub fn answer(
        &self,
        session: &mut Session,
        synced: Option<u64>,
        reply: &mut Reply,
    ) -> Option<WaitOutcome> {
        let mut state = self.state.lock();
        let mark = reply.mark();
        let outcome = match &mut *state {
            State::Waits => return None,
            State::Answered(out) => {
                reply.out.append(out);
                WaitOutcome::Answered
            }
            State::Ended(ending) => {
                match ending {
                    Ending::Timeout => match &self.wait.wanted {
                        Wanted::Acks(acks) => acks.answer(synced, reply),
                        Wanted::Type(_) | Wanted::Change => reply.null_array(),
                        Wanted::Transfer(_) => reply.error(CommandError::TargetRead.text()),
                    },
                    Ending::Error => reply.error(CommandError::Unblocked.text()),
                    Ending::Gone => {}
                }
                WaitOutcome::Ended(*ending)
            }
        };
        if session.reply_mode != ReplyMode::On {
            reply.truncate(mark);
        }
        if session.reply_mode != ReplyMode::Off {
            session.reply_mode = ReplyMode::On;
        }
        Some(outcome)
    }

    /// Takes the client out of the queues in which it still stands. Called without locks, after it
    /// was answered or ended.
    pub fn leave(self: &Arc<Self>, space: &Keyspace) {
        if self.queues.load(Ordering::Relaxed) > 0 {
            let waiter: Arc<dyn Waiter> = Arc::clone(self) as _;
            space.leave(&waiter, self.db, &self.places);
        }
    }
}

impl Args<'_> {
    /// The next word as a timeout in seconds, with a fraction: the moment at which it will be over, in
    /// milliseconds since 1970. `None`: never.
    pub fn deadline_seconds(&mut self, now_ms: i64) -> Result<Option<i64>, CommandError> {
        let text = self.bytes()?;
        let millis = match stdx::num::parse_i64(text) {
            Some(seconds) => seconds.saturating_mul(1000),
            None => Extended::parse(text).ok_or(CommandError::TimeoutNotFloat)?.times_up(1000),
        };
        deadline(millis, now_ms)
    }

    /// The same in whole milliseconds.
    pub fn deadline_millis(&mut self, now_ms: i64) -> Result<Option<i64>, CommandError> {
        let millis = stdx::num::parse_i64(self.bytes()?).ok_or(CommandError::TimeoutNotInteger)?;
        deadline(millis, now_ms)
    }
}

fn deadline(millis: i64, now_ms: i64) -> Result<Option<i64>, CommandError> {
    match millis {
        0 => Ok(None),
        ..0 => Err(CommandError::TimeoutNegative),
        _ => now_ms.checked_add(millis).map(Some).ok_or(CommandError::TimeoutOutOfRange),
    }
}
