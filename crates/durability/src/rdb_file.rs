//! The snapshot file: `dump.rdb`.
