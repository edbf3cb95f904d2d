//! HyperLogLog: counting distinct elements in a string of fixed size.
