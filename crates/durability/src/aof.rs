//! The append-only file: a base, incremental files, and the manifest that names them.
