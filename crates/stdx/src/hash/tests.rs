//! Tests of `hash`.
