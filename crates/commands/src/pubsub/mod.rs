//! Publish and subscribe: commands.

use command::Command;

pub(crate) const COMMANDS: &[Command] = &[];
