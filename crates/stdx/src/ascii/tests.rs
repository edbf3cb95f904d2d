//! Tests of `ascii`.
