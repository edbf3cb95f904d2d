//! The data types: what a value is and how it changes shape. Pure: no network, no clock, no
//! configuration, no globals. Limits and seeds are arguments.
//!
//! Each collection has its folder: an owned type with the changes, a view with the reads. Beneath
//! them are `listpack` and `intset` (packed shapes), `dict` and `tree` (large shapes).

pub mod array;
pub mod bits;
pub mod collection;
pub mod dict;
pub mod digest;
pub mod geo;
pub mod hash;
pub mod hll;
pub mod intset;
pub mod job;
pub mod lean;
mod limits;
pub mod list;
pub mod listpack;
pub mod persist;
pub mod set;
pub mod sortedint;
pub mod stream;
pub mod string;
pub mod tree;
pub mod zset;

pub use collection::{Any, Collection, Packed, Type, View};
pub use limits::Limits;
