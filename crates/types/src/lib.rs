//! The data types: what a value is and how it changes shape. Pure: no network, no clock, no
//! configuration, no globals. Limits and seeds are arguments.

pub mod digest;
pub mod string;
