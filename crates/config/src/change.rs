//! CONFIG SET: all of it or nothing.

use std::borrow::Cow;
use std::fmt;

use crate::config::Config;
use crate::param::{Flags, Kind, ParamId, Source};
use crate::params::{id, lookup};
use crate::value::{format, parse};

/// Who asks, and when.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller {
    /// The connection comes from this machine.
    pub local: bool,
    /// A data set is being loaded.
    pub loading: bool,
}

/// Why nothing was set. The text is what follows `ERR `, except for [`SetError::Loading`].
#[derive(Debug, PartialEq, Eq)]
pub enum SetError {
    /// A name without a value.
    Syntax,
    /// The parameter cannot be changed while a data set loads; answered as `-LOADING`.
    Loading,
    /// No such parameter.
    Unknown(Vec<u8>),
    /// The parameter or its value was refused.
    Failed { name: Vec<u8>, reason: Cow<'static, str> },
}

impl SetError {
    /// The text for the client, byte for byte: a name is answered as it was sent.
    pub fn message(&self) -> Vec<u8> {
        match self {
            Self::Syntax => b"syntax error".to_vec(),
            Self::Loading => b"Redis is loading the dataset in memory".to_vec(),
            Self::Unknown(name) => {
                [b"Unknown option or number of arguments for CONFIG SET - '".as_slice(), name, b"'"]
                    .concat()
            }
            Self::Failed { name, reason } => [
                b"CONFIG SET failed (possibly related to argument '".as_slice(),
                name,
                b"') - ",
                reason.as_bytes(),
            ]
            .concat(),
        }
    }
}

impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.message()))
    }
}

impl std::error::Error for SetError {}

/// Puts a new value to work; called with the value already in place, and again with the old one in
/// place when a later parameter fails. It may settle the value by [`Config::replace`] (an absolute
/// path).
pub type Apply<'a> = dyn FnMut(&mut Config, ParamId) -> Result<(), String> + 'a;

/// A parameter to set, the name it was asked by in lower case, and the text of the value.
type Wanted<'a> = (ParamId, &'static str, &'a [u8]);

/// Whether the pair names a parameter whose value must not reach a log.
pub fn is_sensitive(name: &[u8]) -> bool {
    lookup(name).is_some_and(|(_, id)| id.param().flags.has(Flags::SENSITIVE))
}

impl Config {
    /// CONFIG SET: `args` are names and values in turn. Gives what changed.
    ///
    /// # Errors
    /// When any pair is refused or cannot be applied; then nothing has changed.
    pub fn set(
        &mut self,
        args: &[&[u8]],
        caller: Caller,
        apply: &mut Apply<'_>,
    ) -> Result<Vec<ParamId>, SetError> {
        let (pairs, []) = args.as_chunks::<2>() else { return Err(SetError::Syntax) };
        let wanted = self.admit(pairs, caller)?;
        let before = self.clone();

        let mut changed: Vec<(ParamId, &'static str)> = Vec::new();
        for (id, name, text) in wanted {
            let param = id.param();
            let args: Vec<Vec<u8>> = if text.is_empty() && param.flags.has(Flags::MULTI) {
                Vec::new()
            } else if param.flags.has(Flags::MULTI) {
                text.split(|byte| *byte == b' ').map(<[u8]>::to_vec).collect()
            } else {
                vec![text.to_vec()]
            };
            let value = match parse(param, &args, self.value(id)) {
                Ok(value) => value,
                Err(reason) => {
                    *self = before;
                    return Err(SetError::Failed { name: name.as_bytes().to_vec(), reason });
                }
            };
            self.name(id);
            if *self.value(id) != value || param.flags.has(Flags::VOLATILE) {
                self.replace(id, value);
                changed.push((id, name));
            }
        }

        for (at, (id, name)) in changed.iter().enumerate() {
            if let Err(reason) = apply(self, *id) {
                let generation = self.generation();
                *self = before;
                for (undone, _) in changed.iter().take(at + 1) {
                    // The first failure is the one to report; the hook logs its own.
                    drop(apply(self, *undone));
                }
                self.skip_to(generation + 1);
                let reason = reason.into();
                return Err(SetError::Failed { name: name.as_bytes().to_vec(), reason });
            }
        }
        Ok(changed.into_iter().map(|(id, _)| id).collect())
    }

    /// Finds the parameters and asks whether they may be set at all.
    fn admit<'a>(
        &self,
        pairs: &[[&'a [u8]; 2]],
        caller: Caller,
    ) -> Result<Vec<Wanted<'a>>, SetError> {
        const PROTECTION: ParamId = id("enable-protected-configs");
        let protected = match self.word(PROTECTION) {
            "yes" => false,
            "local" => !caller.local,
            _ => true,
        };
        let mut wanted: Vec<Wanted<'a>> = Vec::new();
        for [asked, text] in pairs {
            let known =
                lookup(asked).filter(|(_, id)| !matches!(id.param().kind, Kind::Lines { .. }));
            let Some((name, id)) = known else { return Err(SetError::Unknown(asked.to_vec())) };
            let flags = id.param().flags;
            let refused = if flags.has(Flags::IMMUTABLE) && !self.is_kept(id, text) {
                Some("can't set immutable config")
            } else if flags.has(Flags::PROTECTED) && protected {
                Some("can't set protected config")
            } else if caller.loading && flags.has(Flags::DENY_LOADING) {
                return Err(SetError::Loading);
            } else if wanted.iter().any(|(other, ..)| *other == id) {
                Some("duplicate parameter")
            } else {
                None
            };
            if let Some(reason) = refused {
                return Err(SetError::Failed { name: asked.to_vec(), reason: reason.into() });
            }
            wanted.push((id, name, text));
        }
        Ok(wanted)
    }

    /// Whether a parameter that not every peer knows is asked to stay what it is. Clients that set
    /// back all that CONFIG GET told them leave out the immutable names they know, and do not know
    /// these.
    fn is_kept(&self, id: ParamId, text: &[u8]) -> bool {
        id.param().source != Source::Both && format(id.param(), self.value(id)) == text
    }
}
