//! Tests of the reply writer.
