//! Tests of the queue of bytes to send.
