//! The form of a hash in RDB files.

use super::{Hash, HashView};
use crate::limits::Limits;
use crate::persist::Persist;
use rdb::{Error, Reader, Writer};

impl Persist for HashView<'_> {
    fn kind(self) -> u8 {
        0
    }

    fn save(self, _: &mut Writer<'_>) {}
}

pub(crate) fn load(_: u8, _: &mut Reader<'_>, _: &Limits) -> Result<Hash, Error> {
    Err(Error::Unsupported("hash".into()))
}

pub(crate) fn load_valkey(_: &mut Reader<'_>, _: &Limits) -> Result<Hash, Error> {
    Err(Error::Unsupported("hash".into()))
}
