//! The values in force.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::LazyLock;

use crate::file::{ConfigError, Directive, Origin};
use crate::param::{Effect, Flags, Kind, ParamId};
use crate::params::{DEPRECATED, lookup};
use crate::value::{Limit, OutputLimit, SavePoint, Value, format, parse};
use crate::{args::split_args, file::Glob, params::id};

const ACTIVE_DEFRAG: ParamId = id("activedefrag");
const CLUSTER_DATABASES: ParamId = id("cluster-databases");
const CLUSTER_ENABLED: ParamId = id("cluster-enabled");
const DATABASES: ParamId = id("databases");
const REPLICAOF: ParamId = id("replicaof");

/// All parameters with their values.
///
/// Reads are an index and a match; code that reads often keeps a typed copy of what it needs and
/// renews it when [`Config::generation`] has moved.
#[derive(Clone)]
pub struct Config {
    values: Vec<Value>,
    generation: u64,
    /// Whether a file named by `include` speaks of the parameter: then CONFIG REWRITE must write it
    /// into the main file even at its default.
    included: Vec<bool>,
    /// Whether a directive or CONFIG SET has named the parameter.
    named: Vec<bool>,
}

/// Values hold passwords, so none is shown.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("generation", &self.generation).finish_non_exhaustive()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// Every parameter at its default.
    pub fn new() -> Self {
        let values = DEFAULTS.clone();
        let included = vec![false; values.len()];
        let named = included.clone();
        Self { values, generation: 0, included, named }
    }

    /// Applies the directives of a start in order: later ones win, and `save`, `user` and the like
    /// add up. Gives remarks for the log: parameters that were set and have no effect.
    ///
    /// # Errors
    /// The first directive that is unknown or has a bad value. The configuration is of no use then.
    pub fn load(&mut self, directives: &[Directive]) -> Result<Vec<String>, ConfigError> {
        let mut remarks = Vec::new();
        let mut saved = false;
        for directive in directives {
            let Some((_, id)) = lookup(directive.name.as_bytes()) else {
                if DEPRECATED.contains(&directive.name.as_str()) && directive.args.len() == 1 {
                    continue;
                }
                return Err(directive.error("Bad directive or wrong number of arguments"));
            };
            self.load_one(id, directive, &mut saved)?;
            if let Effect::None(why) = id.param().effect
                && self.value(id) != default_of(id)
            {
                remarks.push(format!("'{}' has no effect: {why}", directive.name));
            }
            if id == ACTIVE_DEFRAG && *self.value(id) == Value::Bool(true) {
                self.values[usize::from(id.0)] = Value::Bool(false);
            }
        }
        self.settle(directives)?;
        self.generation += 1;
        Ok(remarks)
    }

    fn load_one(
        &mut self,
        id: ParamId,
        directive: &Directive,
        saved: &mut bool,
    ) -> Result<(), ConfigError> {
        let param = id.param();
        if let Kind::Lines { min, max } = param.kind {
            if !(min..=max).contains(&directive.args.len()) {
                return Err(directive.error("Bad directive or wrong number of arguments"));
            }
            if let Value::Lines(lines) = &mut self.values[usize::from(id.0)] {
                lines.push(directive.clone());
            }
            return Ok(());
        }
        // One quoted argument may hold several: `bind "127.0.0.1 ::1"`.
        let split = match directive.args.as_slice() {
            [only] if param.flags.has(Flags::MULTI) && !only.is_empty() => split_args(only),
            _ => None,
        };
        let args = split.as_deref().unwrap_or(&directive.args);
        let parsed = match (id, args) {
            (ACTIVE_DEFRAG, [only]) if only.eq_ignore_ascii_case(b"yes") => Ok(Value::Bool(true)),
            _ => parse(param, args, self.value(id)),
        };
        let mut value = parsed.map_err(|refusal| directive.error(&refusal))?;
        // The first `save` replaces the default, later ones add to it, and "" forgets them all.
        if let Value::Save(points) = &mut value {
            if *saved
                && !points.is_empty()
                && let Value::Save(before) = self.value(id)
            {
                points.splice(..0, before.iter().copied());
            }
            *saved = true;
        }
        self.included[usize::from(id.0)] |= directive.place.origin == Origin::Include;
        self.values[usize::from(id.0)] = value;
        self.name(id);
        Ok(())
    }

    /// What no single directive can be blamed for.
    fn settle(&mut self, directives: &[Directive]) -> Result<(), ConfigError> {
        if !self.yes(CLUSTER_ENABLED) {
            return Ok(());
        }
        if *self.value(REPLICAOF) != Value::Primary(None) {
            let blamed = directives.iter().rfind(|directive| {
                lookup(directive.name.as_bytes()).is_some_and(|(_, id)| id == REPLICAOF)
            });
            let message = "replicaof directive not allowed in cluster mode";
            return Err(blamed.map_or_else(
                || ConfigError::whole(message),
                |directive| directive.error(message),
            ));
        }
        self.values[usize::from(DATABASES.0)] = self.value(CLUSTER_DATABASES).clone();
        Ok(())
    }

    /// The value of a parameter.
    pub fn value(&self, id: ParamId) -> &Value {
        &self.values[usize::from(id.0)]
    }

    /// Puts a value in place, unchecked: for what the server finds out by itself, as the absolute
    /// path of `dir`, or the primary after REPLICAOF.
    ///
    /// # Panics
    /// When the value is of another kind than the parameter's.
    pub fn replace(&mut self, id: ParamId, value: Value) {
        let place = &mut self.values[usize::from(id.0)];
        let same = std::mem::discriminant(place) == std::mem::discriminant(&value);
        assert!(same, "'{}' takes another kind of value", id.param().name);
        if *place != value {
            *place = value;
            self.generation += 1;
        }
    }

    /// Whether somebody has chosen the value, be it the default.
    pub fn is_named(&self, id: ParamId) -> bool {
        self.named[usize::from(id.0)]
    }

    pub(crate) fn name(&mut self, id: ParamId) {
        self.named[usize::from(id.0)] = true;
    }

    /// Moves whenever a value may have changed.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Values were put back, so who saw the ones between must look again.
    pub(crate) fn skip_to(&mut self, generation: u64) {
        self.generation = generation;
    }

    pub(crate) fn included(&self, id: ParamId) -> bool {
        self.included[usize::from(id.0)]
    }

    /// CONFIG GET: names and values that the patterns match.
    ///
    /// A pattern without `*`, `?` or `[` is a name, in any case, and is answered as it was asked
    /// for; patterns find every name of a parameter but no hidden parameter. A name is answered
    /// once.
    pub fn get(&self, patterns: &[&[u8]], glob: Glob) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let mut names: BTreeSet<Vec<u8>> = BTreeSet::new();
        let mut add = |name: &[u8], id: ParamId| {
            if names.insert(name.to_vec()) {
                found.push((name.to_vec(), format(id.param(), self.value(id))));
            }
        };
        for pattern in patterns {
            if !pattern.iter().any(|byte| b"*?[".contains(byte)) {
                match lookup(pattern) {
                    Some((_, id)) if !id.param().flags.has(Flags::FILE_ONLY) => add(pattern, id),
                    _ => {}
                }
                continue;
            }
            for (name, id) in crate::params::NAMES.iter() {
                let flags = id.param().flags;
                if !flags.has(Flags::HIDDEN)
                    && !flags.has(Flags::FILE_ONLY)
                    && glob(pattern, name.as_bytes(), true)
                {
                    add(name.as_bytes(), *id);
                }
            }
        }
        found
    }

    /// Whether a yes or no parameter is yes.
    ///
    /// # Panics
    /// This and the accessors below: when the parameter is of another kind, a mistake of the
    /// caller.
    pub fn yes(&self, id: ParamId) -> bool {
        match self.value(id) {
            Value::Bool(yes) => *yes,
            _ => wrong_kind(id),
        }
    }

    /// A number, the nearest one that fits where it does not.
    pub fn int(&self, id: ParamId) -> i64 {
        match self.value(id) {
            Value::Int(number) => {
                i64::try_from(*number).unwrap_or(if *number < 0 { i64::MIN } else { i64::MAX })
            }
            _ => wrong_kind(id),
        }
    }

    /// A number that is not negative; 0 for one that is.
    pub fn uint(&self, id: ParamId) -> u64 {
        match self.value(id) {
            Value::Int(number) => {
                u64::try_from(*number).unwrap_or(if *number < 0 { 0 } else { u64::MAX })
            }
            _ => wrong_kind(id),
        }
    }

    /// An amount that may be a share of maxmemory.
    pub fn limit(&self, id: ParamId) -> Limit {
        match self.int(id) {
            percent @ -100..0 => Limit::Percent(u8::try_from(-percent).unwrap_or(100)),
            _ => Limit::Bytes(self.uint(id)),
        }
    }

    /// The number of a word, or the bits of several; letters of events are [`crate::events`].
    pub fn bits(&self, id: ParamId) -> u32 {
        match self.value(id) {
            Value::Bits(bits) => *bits,
            _ => wrong_kind(id),
        }
    }

    /// The word chosen; of synonyms the first.
    pub fn word(&self, id: ParamId) -> &'static str {
        match id.param().kind {
            Kind::Choice(words) => {
                let bits = self.bits(id);
                words.iter().find(|(_, number)| *number == bits).map_or("", |(word, _)| *word)
            }
            _ => wrong_kind(id),
        }
    }

    /// A text, which need not be UTF-8.
    pub fn bytes(&self, id: ParamId) -> &[u8] {
        match self.value(id) {
            Value::Text(text) => text,
            _ => wrong_kind(id),
        }
    }

    /// A text for people; what is not UTF-8 is replaced.
    pub fn text(&self, id: ParamId) -> String {
        String::from_utf8_lossy(self.bytes(id)).into_owned()
    }

    /// The words of a list such as `bind`.
    pub fn words(&self, id: ParamId) -> &[Vec<u8>] {
        match self.value(id) {
            Value::Words(words) => words,
            _ => wrong_kind(id),
        }
    }

    /// Address and port of the primary.
    pub fn primary(&self) -> Option<(&[u8], u16)> {
        match self.value(REPLICAOF) {
            Value::Primary(primary) => {
                primary.as_ref().map(|(host, port)| (host.as_slice(), *port))
            }
            _ => wrong_kind(REPLICAOF),
        }
    }

    /// When to save.
    pub fn save_points(&self) -> &[SavePoint] {
        const SAVE: ParamId = id("save");
        match self.value(SAVE) {
            Value::Save(points) => points,
            _ => wrong_kind(SAVE),
        }
    }

    /// Limits of unread replies: normal clients, replicas, subscribers.
    pub fn output_limits(&self) -> [OutputLimit; 3] {
        const LIMITS: ParamId = id("client-output-buffer-limit");
        match self.value(LIMITS) {
            Value::OutputLimits(limits) => *limits,
            _ => wrong_kind(LIMITS),
        }
    }

    /// Scores for the kernel's choice of whom to kill: primary, replica, background child.
    pub fn oom_scores(&self) -> [i32; 3] {
        const SCORES: ParamId = id("oom-score-adj-values");
        match self.value(SCORES) {
            Value::OomScores(scores) => *scores,
            _ => wrong_kind(SCORES),
        }
    }

    /// Percentiles of INFO latencystats.
    pub fn percentiles(&self) -> &[f64] {
        const PERCENTILES: ParamId = id("latency-tracking-info-percentiles");
        match self.value(PERCENTILES) {
            Value::Percentiles(percentiles) => percentiles,
            _ => wrong_kind(PERCENTILES),
        }
    }

    /// The lines of a directive such as `user`, in order, with the places that errors should name.
    pub fn lines(&self, id: ParamId) -> &[Directive] {
        match self.value(id) {
            Value::Lines(lines) => lines,
            _ => wrong_kind(id),
        }
    }
}

/// The defaults, read from the rows.
static DEFAULTS: LazyLock<Vec<Value>> =
    LazyLock::new(|| ParamId::all().map(read_default).collect());

/// The default of a parameter.
pub(crate) fn default_of(id: ParamId) -> &'static Value {
    &DEFAULTS[usize::from(id.0)]
}

fn read_default(id: ParamId) -> Value {
    let param = id.param();
    let args = match param.kind {
        Kind::Lines { .. } => return Value::Lines(Vec::new()),
        Kind::Text | Kind::Optional => vec![param.default.as_bytes().to_vec()],
        _ => split_args(param.default.as_bytes()).unwrap_or_default(),
    };
    match parse(param, &args, &Value::OutputLimits(Default::default())) {
        Ok(value) => value,
        Err(refusal) => panic!("the default of '{}' is no value of it: {refusal}", param.name),
    }
}

fn wrong_kind(id: ParamId) -> ! {
    panic!("'{}' is read as another kind than it is", id.param().name)
}
