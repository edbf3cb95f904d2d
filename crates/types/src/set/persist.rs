//! The form of a set in RDB files.

use super::{Set, SetView};
use crate::limits::Limits;
use crate::persist::Persist;
use rdb::{Error, Reader, Writer};

impl Persist for SetView<'_> {
    fn kind(self) -> u8 {
        0
    }

    fn save(self, _: &mut Writer<'_>) {}
}

pub(crate) fn load(_: u8, _: &mut Reader<'_>, _: &Limits) -> Result<Set, Error> {
    Err(Error::Unsupported("set".into()))
}
