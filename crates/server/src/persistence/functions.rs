//! Libraries of functions, which are part of the data set: they go into its files and come out.

use crate::node::Server;
use rdb::Error;

/// The sources of all libraries.
pub(super) fn sources(_: &Server) -> Vec<Vec<u8>> {
    Vec::new()
}

/// Takes a library out of a file.
pub(super) fn load(_: &Server, _source: &[u8]) -> Result<(), Error> {
    // To go on without them would lose them with the next snapshot.
    Err(Error::Unsupported("a library of functions, which this version cannot run".into()))
}
