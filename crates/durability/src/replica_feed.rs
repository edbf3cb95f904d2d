//! The feed of a connection that asked for the log: a snapshot, then the stream of effects.
