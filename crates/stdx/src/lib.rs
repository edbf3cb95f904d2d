//! Placeholder until the crate has a body.

pub mod sync;
