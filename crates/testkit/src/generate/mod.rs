//! Requests from the command table.
