//! The form of a list in RDB files.

use super::{List, ListView};
use crate::limits::Limits;
use crate::persist::Persist;
use rdb::{Error, Reader, Writer};

impl Persist for ListView<'_> {
    fn kind(self) -> u8 {
        0
    }

    fn save(self, _: &mut Writer<'_>) {}
}

pub(crate) fn load(_: u8, _: &mut Reader<'_>, _: &Limits) -> Result<List, Error> {
    Err(Error::Unsupported("list".into()))
}
