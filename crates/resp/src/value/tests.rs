//! Tests of the reply parser.
