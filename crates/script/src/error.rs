//! How scripts fail, in the words that clients see.

use std::fmt;

/// Source text that is no Lua, or too much of it.
///
/// The text is the whole error reply without its leading `-`, such as `ERR Error compiling script (new
/// function): user_script:1: '=' expected near '<eof>'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    pub text: Vec<u8>,
    /// There was no room for it beside what the machine holds.
    pub out_of_memory: bool,
}

/// A script that ended by an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    /// The whole error reply without its leading `-`, its code first, with the script and the line at
    /// the end if they are known: `ERR user_script:1: boom script: <sha>, on @user_script:1.`
    pub text: Vec<u8>,
    /// It is the error of a command that the script called, so the host has counted it already.
    pub counted: bool,
    /// [`crate::Pulse::Kill`] ended it.
    pub killed: bool,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.text))
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.text))
    }
}

impl std::error::Error for CompileError {}

impl std::error::Error for ScriptError {}
