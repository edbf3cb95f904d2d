//! Tests of `extended`.
