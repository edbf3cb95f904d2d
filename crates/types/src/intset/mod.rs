//! Intsets: sorted integers in one block, byte-compatible with Redis.
