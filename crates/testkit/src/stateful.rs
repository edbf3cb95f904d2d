//! Bytes to requests on nodes.
