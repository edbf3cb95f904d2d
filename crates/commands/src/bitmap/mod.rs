//! Bitmaps and bit fields: commands.

use command::Command;

pub(crate) const COMMANDS: &[Command] = &[];
