//! Listpacks: many small elements in one block, byte-compatible with Redis.
