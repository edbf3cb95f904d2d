//! Tests of `num`.
