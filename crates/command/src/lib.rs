//! The vocabulary of commands: what a row of the command table says, how a handler reads its
//! arguments, what it may reach, and what it gives back. Contains no command.
//!
//! ```text
//!  row (Command) ── handler(cx, args, reply) -> Result<Effect, CommandError>
//!                      │     │      └ resp::Reply, the one RESP2/RESP3 writer
//!                      │     └ Args, a typed cursor over one resolved request
//!                      └ Cx: keyspace under lock, frozen now, session, node
//! ```

mod acl_category;
mod args;
mod client;
mod command_log;
mod cx;
mod debugging;
mod effect;
pub mod element_expiry;
mod error;
mod fieldset;
mod functions;
pub mod grammar;
mod help;
mod machine;
mod mail;
mod monitor;
mod news;
mod node;
mod pubsub;
mod replica;
mod resolved;
mod row;
pub mod scan;
mod scripts;
mod session;
mod settings;
mod spec;
mod table;
mod tracking;
mod transaction;
mod transfer;
mod waiting;

pub use acl_category::Categories;
pub use args::Args;
pub use client::{Card, ClientFlags, Clients, Identity, Kind};
pub use command_log::{CommandLog, LogEntry, LogKind, LogLimit, LogLimits};
pub use cx::{Cx, Job, JobStep, Others, Ready, Rewrites};
pub use debugging::{DebugSession, Debugging};
pub use effect::{Effect, Outcome};
pub use error::CommandError;
pub use fieldset::{Fieldset, Fieldsets};
pub use functions::{Functions, Libraries, Library, Registered};
pub use grammar::{Argument, ArgumentKind};
pub use help::help;
pub use machine::{Clock, Machine};
pub use mail::{Letter, OutputLimits};
pub use monitor::Monitors;
pub use news::News;
pub use node::{Bgsave, Node, PauseMode, ReloadRequest, ShutdownRequest};
pub use pubsub::{PubSub, Subscriptions, Topic};
pub use replica::{Contents, Replica, ReplicaState, Sync};
pub use resolved::Resolved;
pub use row::{
    Command, Flags, Group, Handler, Locks, Place, Preparing, ScriptCall, Secrets, Version,
};
pub use script::{REDIS_VERSION, VALKEY_VERSION};
pub use scripts::{Overdue, OverdueScript, Reach, Script, Scripts};
pub use session::{ReplyMode, Session};
pub use settings::{Settings, deletion, limits};
pub use spec::{BeginSearch, FindKeys, KeyFlags, KeySpec, Refine, When};
pub use table::CommandTable;
pub use tracking::{Changed, Tracking, TrackingMode, TrackingOptions, TrackingState};
pub use transaction::Transaction;
pub use transfer::{Delivery, Encode, Fate, Order, ROUNDS_MAX, Shipment, Target, Transfer};
pub use waiting::{Acks, Ending, Wait, WaitOutcome, Waiting, Waits, Wanted};

/// Our own version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
