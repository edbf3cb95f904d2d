//! Tests of recorded.
