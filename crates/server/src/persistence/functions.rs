//! Libraries of functions, which are part of the data set: they go into its files and come out.

use crate::node::Server;
use command::Libraries;
use rdb::Error;

/// The sources of all libraries.
pub(super) fn sources(server: &Server) -> Vec<Vec<u8>> {
    server.engine.functions.sources().iter().map(|source| source.to_vec()).collect()
}

/// None is left: the data set is emptied.
pub(super) fn empty(server: &Server) {
    server.engine.functions.set(Libraries::default());
}

/// Takes a library out of a file. With `merge` it may be there already.
pub(super) fn load(server: &Server, source: &[u8], merge: bool) -> Result<(), Error> {
    if merge && server.engine.functions.sources().iter().any(|known| **known == *source) {
        return Ok(());
    }
    server.engine.load_library(source).map_err(|error| {
        Error::Unsupported(format!("a library of functions cannot be loaded: {error}").into())
    })
}
