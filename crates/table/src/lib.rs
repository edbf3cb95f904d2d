//! Placeholder until the crate has a body.
