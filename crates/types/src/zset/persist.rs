//! The form of a zset in RDB files.

use super::{ZSet, ZSetView};
use crate::limits::Limits;
use crate::persist::Persist;
use rdb::{Error, Reader, Writer};

impl Persist for ZSetView<'_> {
    fn kind(self) -> u8 {
        0
    }

    fn save(self, _: &mut Writer<'_>) {}
}

pub(crate) fn load(_: u8, _: &mut Reader<'_>, _: &Limits) -> Result<ZSet, Error> {
    Err(Error::Unsupported("zset".into()))
}
