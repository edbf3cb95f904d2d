//! ARGREP: which elements of a range match predicates.

use super::range::limit;
use super::regex::{self, Refusal};
use super::{READ, Slices, Walk, answer, index_of};
use crate::element::reply_element;
use ::regex::bytes::Regex;
use command::grammar::{block, integer, key, one_of, pattern, string, word};
use command::{Args, Command, CommandError, Cx, Effect, Flags, Group, JobStep, Outcome};
use memchr::memmem::Finder;
use resp::Reply;
use types::Collection as _;
use types::array::Array;
use types::listpack::{Digits, Element};

pub(super) const ARGREP: Command = Command::data("ARGREP", argrep)
    .group(Group::Array)
    .since("8.8.0")
    .arity(-6)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[
        key("key"),
        string("start").samples(&["-", "0", "3"]),
        string("end").samples(&["+", "9", "0"]),
        one_of(
            "predicate",
            &[
                block("exact", &[word("exact", "EXACT"), string("string")]),
                block("match", &[word("match", "MATCH"), string("string")]),
                block("glob", &[word("glob", "GLOB"), pattern("pattern")]),
                block("re", &[word("re", "RE"), string("pattern")]),
            ],
        )
        .many(),
        one_of(
            "options",
            &[
                word("and", "AND"),
                word("or", "OR"),
                integer("limit").token("LIMIT"),
                word("withvalues", "WITHVALUES"),
                word("nocase", "NOCASE"),
            ],
        )
        .optional()
        .many(),
    ])
    .summary("Answers which elements of a range of an array match.")
    .complexity("O(N * C), N elements looked at, C the cost of the predicates");

/// The most predicates of a command.
const PREDICATES_MAX: usize = 250;

enum Predicate {
    Exact(Vec<u8>),
    /// In lower case, if case does not matter.
    Contains(Finder<'static>),
    Glob(Vec<u8>),
    /// As the crate has it, to be compiled outside the lock.
    Expression(String),
    Regex(Regex),
}

/// What is asked of the elements.
#[derive(Default)]
struct Plan {
    predicates: Vec<Predicate>,
    all: bool,
    limit: Option<usize>,
    with_values: bool,
    nocase: bool,
    /// An element in lower case.
    lower: Vec<u8>,
}

impl Plan {
    fn parse(args: &mut Args<'_>) -> Result<Self, CommandError> {
        let mut plan = Self::default();
        let mut predicates: Vec<(Kind, &[u8])> = Vec::new();
        while args.left() > 0 {
            if let Some(kind) = Kind::take(args) {
                let text = args.next().ok_or(CommandError::Syntax)?;
                if predicates.len() >= PREDICATES_MAX {
                    return Err(CommandError::ArrayPredicates);
                }
                if kind == Kind::Re && text.len() > regex::LEN_MAX {
                    return Err(CommandError::RegexLong);
                }
                predicates.push((kind, text));
            } else if args.token("LIMIT") {
                if args.left() == 0 {
                    return Err(CommandError::Syntax);
                }
                plan.limit = Some(limit(args)?);
            } else if args.token("WITHVALUES") {
                plan.with_values = true;
            } else if args.token("NOCASE") {
                plan.nocase = true;
            } else if args.token("AND") {
                plan.all = true;
            } else if args.token("OR") {
                plan.all = false;
            } else {
                return Err(CommandError::Syntax);
            }
        }
        if predicates.is_empty() {
            return Err(CommandError::Syntax);
        }
        for (kind, text) in predicates {
            let predicate = plan.predicate(kind, text)?;
            plan.predicates.push(predicate);
        }
        Ok(plan)
    }

    fn predicate(&self, kind: Kind, text: &[u8]) -> Result<Predicate, CommandError> {
        Ok(match kind {
            Kind::Exact => Predicate::Exact(text.to_vec()),
            Kind::Match if self.nocase => {
                Predicate::Contains(Finder::new(&text.to_ascii_lowercase()).into_owned())
            }
            Kind::Match => Predicate::Contains(Finder::new(text).into_owned()),
            Kind::Glob => Predicate::Glob(text.to_vec()),
            Kind::Re if text.is_empty() => return Err(CommandError::RegexEmpty),
            Kind::Re => Predicate::Expression(regex::translate(text).map_err(refused)?),
        })
    }

    fn expressions(&self) -> usize {
        let is_one = |one: &&Predicate| matches!(one, Predicate::Expression(_));
        self.predicates.iter().filter(is_one).count()
    }

    /// Compiles what is not.
    fn compile(&mut self) -> Result<(), CommandError> {
        let (count, nocase) = (self.expressions(), self.nocase);
        for predicate in &mut self.predicates {
            if let Predicate::Expression(text) = predicate {
                let regex = regex::compile(text, nocase, count).map_err(refused)?;
                *predicate = Predicate::Regex(regex);
            }
        }
        Ok(())
    }

    fn accepts(&mut self, element: Element<'_>) -> bool {
        let mut digits = Digits::default();
        let text = element.text(&mut digits);
        let Self { predicates, lower, nocase, .. } = self;
        let contains = |one: &Predicate| matches!(one, Predicate::Contains(_));
        if *nocase && predicates.iter().any(contains) {
            lower.clear();
            lower.extend(text.iter().map(u8::to_ascii_lowercase));
        }
        let mut is_match = |predicate: &Predicate| match predicate {
            Predicate::Exact(own) if *nocase => own.eq_ignore_ascii_case(text),
            Predicate::Exact(own) => own == text,
            Predicate::Contains(own) if *nocase => own.find(lower).is_some(),
            Predicate::Contains(own) => own.find(text).is_some(),
            Predicate::Glob(own) => stdx::glob::matches(own, text, *nocase),
            Predicate::Regex(own) => own.is_match(text),
            Predicate::Expression(_) => false,
        };
        match self.all {
            true => predicates.iter().all(is_match),
            false => predicates.iter().any(&mut is_match),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Exact,
    Match,
    Glob,
    Re,
}

impl Kind {
    fn take(args: &mut Args<'_>) -> Option<Self> {
        match () {
            () if args.token("EXACT") => Some(Self::Exact),
            () if args.token("MATCH") => Some(Self::Match),
            () if args.token("GLOB") => Some(Self::Glob),
            () if args.token("RE") => Some(Self::Re),
            () => None,
        }
    }
}

fn refused(refusal: Refusal) -> CommandError {
    match refusal {
        Refusal::Backreference => CommandError::RegexBackreference,
        Refusal::Invalid(why) => {
            let text = format!("ERR invalid regular expression: {why}");
            CommandError::Text(text.into_bytes().into())
        }
    }
}

/// A search under way: first for all indexes, as their number is told first.
struct Search {
    array: Array,
    plan: Plan,
    walk: Walk,
    found: Vec<u64>,
    /// How many of them are answered; `None`: it still searches.
    told: Option<usize>,
}

impl Slices for Search {
    fn slice(&mut self, reply: &mut Reply) -> JobStep {
        match self.told {
            None => self.search(reply),
            Some(told) => self.tell(told, reply),
        }
    }
}

impl Search {
    fn search(&mut self, reply: &mut Reply) -> JobStep {
        if let Err(error) = self.plan.compile() {
            reply.error(error.text());
            return JobStep::Done;
        }
        let Self { array, plan, walk, found, .. } = self;
        let limit = plan.limit.unwrap_or(usize::MAX);
        let step = walk.slice(array.view(), |index, element| {
            if plan.accepts(element) {
                found.push(index);
            }
            found.len() < limit
        });
        if step == JobStep::Done {
            self.told = Some(0);
            reply.array(self.found.len());
        }
        JobStep::More
    }

    fn tell(&mut self, told: usize, reply: &mut Reply) -> JobStep {
        let end = self.found.len().min(told + super::SLICE);
        let view = self.array.view();
        for index in &self.found[told..end] {
            if self.plan.with_values {
                reply.array(2);
            }
            reply.count(*index as usize);
            if self.plan.with_values
                && let Some(element) = view.get(*index)
            {
                reply_element(reply, element);
            }
        }
        self.told = Some(end);
        if end == self.found.len() { JobStep::Done } else { JobStep::More }
    }
}

/// The next word as an end of the range; `None` is the last index of the array.
fn bound(args: &mut Args<'_>) -> Result<Option<u64>, CommandError> {
    match args.bytes()? {
        b"-" => Ok(Some(0)),
        b"+" => Ok(None),
        word => index_of(word).map(Some),
    }
}

fn argrep(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let (start, end) = (bound(args)?, bound(args)?);
    let plan = Plan::parse(args)?;
    let Some(array) = cx.db.read::<Array>(&key)? else {
        reply.array(0);
        return Ok(Effect::None);
    };
    let last = array.span() - 1;
    let walk = Walk::new(start.unwrap_or(last), end.unwrap_or(last));
    // Compiling takes longer than others should wait.
    let cost = if plan.expressions() > 0 { usize::MAX } else { walk.count(array) };
    let array = array.to_array();
    answer(cx, reply, Search { array, plan, walk, found: Vec::new(), told: None }, cost)
}
