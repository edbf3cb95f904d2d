//! The C interface, and all unsafe code of this crate.
//!
//! # How Rust and Lua's longjmp live together
//!
//! Lua reports errors by `longjmp`, which runs no destructor. So a frame of Rust may be jumped over only
//! if nothing in it needs dropping. Two kinds of functions keep to that:
//!
//! - A [`Native`] is plain Rust: it works on a [`Frame`], owns what it likes, and returns
//!   `Err(Raised)` to raise. Nothing that a `Frame` offers ever jumps: it calls no Lua function and no
//!   metamethod, it checks keys before Lua would, and while a native runs **the allocator does not
//!   refuse** ([`Core::native`]), so that Lua's own "not enough memory" cannot strike inside it. What it
//!   took too much is found when it returns. Only `call::enter`, which owns nothing, raises.
//! - Functions that call back into Lua (`pcall`, `table.sort`, `string.gsub` and few more: `callbacks`,
//!   `coroutine`) are `extern "C-unwind"` functions whose frames hold only plain values across the call.
//!   What they must keep is kept in [`Core`], and cut back by whoever catches the error.
//!
//! # Who may stop a script
//!
//! The count hook runs every few hundred instructions, natives report their work
//! ([`Frame::charge`]), and both ask the host. Once it says kill, every `pcall`, `xpcall` and
//! `coroutine.resume` passes the error on, and every further hook raises it again.
#![allow(unsafe_code, reason = "Lua's C interface")]

mod call;
mod callbacks;
mod core;
mod coroutine;
mod frame;
mod inspect;
mod number;
mod state;

pub(crate) use self::core::{Core, Fixed};
pub(crate) use frame::{Frame, Kind, NO_MEMORY, Native, READ_ONLY, Raised};
pub(crate) use number::{Printed, print_number, read_number, to_integer};
pub(crate) use state::{Call, Machine, Outcome};
