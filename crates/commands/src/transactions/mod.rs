//! MULTI, EXEC, WATCH: commands.

use command::Command;

pub(crate) const COMMANDS: &[Command] = &[];
