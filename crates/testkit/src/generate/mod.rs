//! Requests from the command table: each row's grammar is walked with choices of a seeded
//! generator or of a fuzzer's bytes, over a vocabulary so small that commands meet on keys.
//!
//! What a walk yields is valid: it never answers a syntax or an arity error. [`Generator::mutate`]
//! makes near-valid requests of it.

mod choices;
mod left_out;
mod mutate;
mod vocabulary;

pub use choices::Choices;
pub use left_out::{DEBUG_BODIES, LEFT_OUT};
pub use vocabulary::{Spans, Vocabulary};

use command::grammar::{Argument, ArgumentKind};
use command::{BeginSearch, Command, CommandTable, FindKeys, Group, Locks, Place};
use std::collections::BTreeSet;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The row's position in the table, from which the request was made.
    pub id: u16,
    pub words: Vec<Vec<u8>>,
}

impl Request {
    /// As it goes over the wire.
    pub fn encode(&self, into: &mut Vec<u8>) {
        let words: Vec<&[u8]> = self.words.iter().map(Vec::as_slice).collect();
        resp::write_command(into, &words);
    }
}

/// As one would type it.
impl std::fmt::Display for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words: Vec<&[u8]> = self.words.iter().map(Vec::as_slice).collect();
        f.write_str(&crate::node::show(&words))
    }
}

/// Which rows and which options requests are made of.
pub struct Generator<'t> {
    pub table: &'t CommandTable,
    pub vocabulary: Vocabulary,
    /// Rows that work on data, and the others, which come more rarely.
    data: Vec<u16>,
    others: Vec<u16>,
    /// Options that are not used: full name of the row, and the token.
    without: BTreeSet<(String, String)>,
}

impl<'t> Generator<'t> {
    /// Of every row but the containers and those of [`LEFT_OUT`].
    pub fn new(table: &'t CommandTable, vocabulary: Vocabulary) -> Self {
        Self::of(table, vocabulary, |_, _| true)
    }

    /// Of the rows that `keep` says, by full name, among these.
    pub fn of(
        table: &'t CommandTable,
        vocabulary: Vocabulary,
        keep: impl Fn(&str, &Command) -> bool,
    ) -> Self {
        let (mut data, mut others) = (Vec::new(), Vec::new());
        for (id, entry) in table.entries() {
            let left_out = LEFT_OUT.iter().any(|(name, _)| *name == entry.full_name);
            if entry.row.place == Place::Container || left_out || !keep(&entry.full_name, entry.row)
            {
                continue;
            }
            let is_data = matches!(entry.row.place, Place::Data | Place::Walk);
            if is_data { data.push(id) } else { others.push(id) }
        }
        Self { table, vocabulary, data, others, without: BTreeSet::new() }
    }

    /// Uses the option `token` of a row no more.
    pub fn leave_out_option(&mut self, full_name: &str, token: &str) {
        self.without.insert((full_name.to_owned(), token.to_owned()));
    }

    /// The rows that requests are made of.
    pub fn rows(&self) -> impl Iterator<Item = u16> {
        self.data.iter().chain(&self.others).copied()
    }

    /// A valid request.
    pub fn request(&self, choices: &mut Choices<'_>) -> Request {
        let rare = !self.others.is_empty() && choices.one_in(12);
        let rows = if rare || self.data.is_empty() { &self.others } else { &self.data };
        let mut id = rows[choices.below(rows.len())];
        // What empties or exchanges whole databases comes more rarely, or little ever lives.
        if matches!(self.table.entry(id).row.locks, Locks::All | Locks::AllAfter(_))
            && !choices.one_in(8)
        {
            id = rows[choices.below(rows.len())];
        }
        self.request_of(id, choices)
    }

    /// A valid request of one row.
    pub fn request_of(&self, id: u16, choices: &mut Choices<'_>) -> Request {
        let entry = self.table.entry(id);
        let row = entry.row;
        let mut walk = Walk {
            generator: self,
            name: &entry.full_name,
            group: if entry.full_name == "debug" { Group::Generic } else { row.group },
            choices,
            words: entry.full_name.split('|').map(|word| word.as_bytes().to_vec()).collect(),
            keys: Vec::new(),
        };
        for word in &mut walk.words {
            if walk.choices.one_in(8) {
                word.make_ascii_uppercase();
            }
        }
        if entry.full_name == "debug" {
            let body = walk.choices.pick(DEBUG_BODIES);
            walk.body(body);
        }
        row.args.iter().for_each(|argument| walk.argument(argument));
        let Walk { mut words, keys, .. } = walk;
        fill_counts(row, &mut words, &keys);
        Request { id, words }
    }

    /// The options of a row that may be used.
    fn tokens(&self, id: u16) -> Vec<&'static str> {
        fn collect(args: &[Argument], found: &mut Vec<&'static str>) {
            for argument in args {
                found.extend(argument.token);
                if let ArgumentKind::OneOf(parts) | ArgumentKind::Block(parts) = argument.kind {
                    collect(parts, found);
                }
            }
        }
        let entry = self.table.entry(id);
        let mut found = Vec::new();
        collect(entry.row.args, &mut found);
        found.retain(|token| self.allows(&entry.full_name, Some(token)));
        found
    }

    fn allows(&self, full_name: &str, token: Option<&str>) -> bool {
        token.is_none_or(|token| {
            self.without.is_empty()
                || !self.without.contains(&(full_name.to_owned(), token.to_owned()))
        })
    }
}

/// A request being made.
struct Walk<'w, 'g, 't, 'c> {
    generator: &'g Generator<'t>,
    name: &'g str,
    group: Group,
    choices: &'w mut Choices<'c>,
    words: Vec<Vec<u8>>,
    /// Positions of words that are keys, and the key specification of each.
    keys: Vec<(usize, u8)>,
}

impl Walk<'_, '_, '_, '_> {
    fn argument(&mut self, argument: &Argument) {
        if !self.generator.allows(self.name, argument.token)
            || argument.optional && !self.choices.one_in(4)
        {
            return;
        }
        let times = if argument.multiple { 1 + self.choices.small() } else { 1 };
        for time in 0..times {
            if let Some(token) = argument.token
                && (time == 0 || argument.multiple_token)
            {
                let lower = self.choices.one_in(8);
                let token = if lower { token.to_ascii_lowercase() } else { token.to_owned() };
                self.words.push(token.into_bytes());
            }
            self.value(argument);
        }
    }

    fn value(&mut self, argument: &Argument) {
        let vocabulary = &self.generator.vocabulary;
        match argument.kind {
            ArgumentKind::Token => return,
            ArgumentKind::OneOf(parts) => {
                let (generator, name) = (self.generator, self.name);
                let open: Vec<_> =
                    parts.iter().filter(|part| generator.allows(name, part.token)).collect();
                if !open.is_empty() {
                    let part = open[self.choices.below(open.len())];
                    self.argument(&Argument { optional: false, ..*part });
                }
                return;
            }
            ArgumentKind::Block(parts) => {
                parts.iter().for_each(|part| self.argument(part));
                return;
            }
            _ => {}
        }
        if !argument.samples.is_empty() && !self.choices.one_in(4) {
            let sample = self.choices.pick(argument.samples);
            self.words.push(sample.as_bytes().to_vec());
            return;
        }
        let word = match argument.kind {
            ArgumentKind::Key(spec) => {
                self.keys.push((self.words.len(), spec));
                vocabulary.key(self.group, self.choices)
            }
            ArgumentKind::Integer => vocabulary.integer(argument.name, self.choices),
            ArgumentKind::UnixTime => vocabulary.unix_time(argument.name, self.choices),
            ArgumentKind::Double => vocabulary.double(self.choices),
            ArgumentKind::Pattern => vocabulary.pattern(self.choices),
            _ => vocabulary.named(argument.name, self.choices),
        };
        self.words.push(word);
    }

    /// The words of a command whose grammar is not told: `K` stands for a key, `S` for a string.
    fn body(&mut self, body: &str) {
        for word in body.split(' ') {
            let word = match word {
                "K" => self.generator.vocabulary.key(self.group, self.choices),
                "S" => self.generator.vocabulary.string(self.choices),
                word => word.as_bytes().to_vec(),
            };
            self.words.push(word);
        }
    }
}

/// Writes the number of keys where a key specification counts them.
fn fill_counts(row: &Command, words: &mut [Vec<u8>], keys: &[(usize, u8)]) {
    for (index, spec) in row.keys.iter().enumerate() {
        let (BeginSearch::Index(begin), FindKeys::Counted { number_at, .. }) =
            (spec.begin, spec.find)
        else {
            continue;
        };
        let count = keys.iter().filter(|(_, of)| usize::from(*of) == index).count();
        if let Some(word) = words.get_mut((begin + number_at) as usize) {
            *word = count.to_string().into_bytes();
        }
    }
}
