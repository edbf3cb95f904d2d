//! The form of a stream in RDB files.

use super::{Stream, StreamView};
use crate::limits::Limits;
use crate::persist::Persist;
use rdb::{Error, Reader, Writer};

impl Persist for StreamView<'_> {
    fn kind(self) -> u8 {
        0
    }

    fn save(self, _: &mut Writer<'_>) {}
}

pub(crate) fn load(_: u8, _: &mut Reader<'_>, _: &Limits) -> Result<Stream, Error> {
    Err(Error::Unsupported("stream".into()))
}
