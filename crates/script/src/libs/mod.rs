//! The libraries that scripts have, in safe Rust.

pub(crate) mod base;
pub(crate) mod bit;
pub(crate) mod cjson;
pub(crate) mod cmsgpack;
pub(crate) mod math;
pub(crate) mod pattern;
pub(crate) mod redis;
pub(crate) mod string;
pub(crate) mod structs;
pub(crate) mod table;

use crate::machine::Native;

/// The functions of a library by name.
pub(crate) type Functions = &'static [(&'static str, Native)];
