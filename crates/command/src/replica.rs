//! What a client says of itself as a replica (REPLCONF), and how far its copy is. On its card, so that
//! INFO and ROLE find it.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;

/// How a connection asked to be fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// SYNC: no offset is told, and none is acknowledged.
    Plain,
    /// PSYNC: begins with `+FULLRESYNC`.
    WithOffset {
        /// The replica has a part of some history, with which it cannot go on.
        refused: bool,
    },
}

/// Where the copy is on its way, in the words of INFO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplicaState {
    /// The snapshot has not begun, or is not ready to be sent.
    #[default]
    WaitBgsave,
    SendBulk,
    Online,
    /// It wanted the snapshot alone, and has it.
    Transmitted,
}

impl ReplicaState {
    const ALL: [Self; 4] = [Self::WaitBgsave, Self::SendBulk, Self::Online, Self::Transmitted];

    /// As INFO prints it; what is not listed there has no name.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::WaitBgsave => Some("wait_bgsave"),
            Self::SendBulk => Some("send_bulk"),
            Self::Online => Some("online"),
            Self::Transmitted => None,
        }
    }
}

/// What a snapshot is to contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    pub keys: bool,
    pub functions: bool,
}

impl Contents {
    pub const ALL: Self = Self { keys: true, functions: true };
}

/// A replica, or who prepares to be one.
#[derive(Debug)]
pub struct Replica {
    /// The port on which it listens; 0: it has not told.
    pub port: AtomicU32,
    /// Its address, if it is not that of the connection.
    pub address: Mutex<Option<String>>,
    /// It takes a snapshot of a length that is not known before (`capa eof`).
    pub takes_eof: AtomicBool,
    /// It wants the snapshot alone.
    pub snapshot_only: AtomicBool,
    pub contents: Mutex<Contents>,
    state: AtomicU8,
    /// The newest offset that it has acknowledged, and the newest that is durable there.
    pub acked: AtomicU64,
    pub acked_durable: AtomicU64,
    /// When it last acknowledged, in milliseconds since 1970; 0: never.
    pub acked_ms: AtomicI64,
}

impl Default for Replica {
    fn default() -> Self {
        Self {
            port: AtomicU32::default(),
            address: Mutex::default(),
            takes_eof: AtomicBool::default(),
            snapshot_only: AtomicBool::default(),
            contents: Mutex::new(Contents::ALL),
            state: AtomicU8::default(),
            acked: AtomicU64::default(),
            acked_durable: AtomicU64::default(),
            acked_ms: AtomicI64::default(),
        }
    }
}

impl Replica {
    pub fn state(&self) -> ReplicaState {
        let state = usize::from(self.state.load(Ordering::Relaxed));
        ReplicaState::ALL.get(state).copied().unwrap_or_default()
    }

    pub fn set_state(&self, state: ReplicaState) {
        self.state.store(state as u8, Ordering::Relaxed);
    }
}
