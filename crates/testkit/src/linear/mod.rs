//! Whether what clients saw of one key can have happened one thing after the other.
//!
//! A history is linearizable if its calls can be put in an order in which each lies between its
//! begin and its end and in which a single server would have given the same answers. The search is
//! that of Wing and Gong with Lowe's memory: the next call is one that began before the first
//! end among those that are left, and a set of calls done, with the state they led to, is tried once.

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};

/// What one key holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    #[default]
    Absent,
    /// A string, which may be gone from the first moment on and must be from the second.
    Text {
        value: String,
        expires: Option<(u64, u64)>,
    },
    List(VecDeque<String>),
}

/// What a client asked of the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// SET, with the span after which it expires, in the unit of the history's moments.
    Set(String, Option<u64>),
    Get,
    GetDel,
    /// DEL, or what empties whole databases: any answer.
    Del,
    /// MULTI SET EXEC after WATCH and GET: the value that was read, and the new one.
    Swap(Option<String>, String),
    PushRight(Vec<String>),
    PopLeft,
    /// LRANGE 0 -1.
    All,
    /// Several in one transaction.
    Together(Vec<Op>),
}

/// What it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Done,
    Nothing,
    Text(String),
    Length(usize),
    Items(Vec<String>),
    /// EXEC was refused because a watched key had changed.
    Refused,
    Together(Vec<Answer>),
}

/// One call, between two moments.
#[derive(Clone, Debug)]
pub struct Call {
    pub begin: u64,
    pub end: u64,
    pub op: Op,
    pub answer: Answer,
}

/// How far clocks that are read in different places may lie apart, in the history's unit, and how
/// long before its execution a command's time may have been read.
#[derive(Clone, Copy, Debug)]
pub struct Slack(pub u64);

impl State {
    /// The states in which the call may leave the key, having given its answer: none if it cannot
    /// have been given.
    fn after(&self, call: &Call, slack: Slack) -> Vec<Self> {
        self.ways(call)
            .into_iter()
            .filter_map(|state| state.apply(&call.op, &call.answer, call, slack))
            .collect()
    }

    /// As it is, if it may still be, and expired, if it may be.
    fn ways(&self, call: &Call) -> Vec<Self> {
        match self {
            Self::Text { expires: Some((from, until)), .. } => {
                let mut ways = Vec::new();
                if call.begin <= *until {
                    ways.push(self.clone());
                }
                if call.end >= *from {
                    ways.push(Self::Absent);
                }
                ways
            }
            _ => vec![self.clone()],
        }
    }

    fn apply(self, op: &Op, answer: &Answer, call: &Call, slack: Slack) -> Option<Self> {
        let ok = |fits: bool, state: Self| fits.then_some(state);
        match (op, answer) {
            (Op::Set(value, span), Answer::Done) => {
                let expires = span.map(|span| {
                    ((call.begin + span).saturating_sub(slack.0), call.end + span + slack.0)
                });
                Some(Self::Text { value: value.clone(), expires })
            }
            (Op::Get, answer) => ok(self.text_is(answer), self),
            (Op::GetDel, answer) => ok(self.text_is(answer), Self::Absent),
            (Op::Del, _) => Some(Self::Absent),
            (Op::Swap(..), Answer::Refused) => Some(self),
            (Op::Swap(before, after), Answer::Done) => {
                let seen = before.clone().map_or(Answer::Nothing, Answer::Text);
                let new = Self::Text { value: after.clone(), expires: None };
                ok(self.text_is(&seen), new)
            }
            (Op::PushRight(items), Answer::Length(len)) => {
                let mut list = self.into_list()?;
                list.extend(items.iter().cloned());
                ok(list.len() == *len, Self::List(list))
            }
            (Op::PopLeft, answer) => {
                let mut list = self.into_list()?;
                let popped = list.pop_front().map_or(Answer::Nothing, Answer::Text);
                let state = if list.is_empty() { Self::Absent } else { Self::List(list) };
                ok(popped == *answer, state)
            }
            (Op::All, Answer::Items(items)) => {
                let list = self.clone().into_list()?;
                ok(list.iter().eq(items), self)
            }
            (Op::Together(ops), Answer::Together(answers)) if ops.len() == answers.len() => ops
                .iter()
                .zip(answers)
                .try_fold(self, |state, (op, answer)| state.apply(op, answer, call, slack)),
            _ => None,
        }
    }

    fn text_is(&self, answer: &Answer) -> bool {
        match (self, answer) {
            (Self::Absent, Answer::Nothing) => true,
            (Self::Text { value, .. }, Answer::Text(text)) => value == text,
            _ => false,
        }
    }

    fn into_list(self) -> Option<VecDeque<String>> {
        match self {
            Self::Absent => Some(VecDeque::new()),
            Self::List(list) => Some(list),
            Self::Text { .. } => None,
        }
    }
}

/// An order of the calls (by position) that explains them all, beginning with an absent key.
/// `None`: there is none.
pub fn order(calls: &[Call], slack: Slack) -> Option<Vec<usize>> {
    let mut search = Search { calls, slack, tried: BTreeSet::new(), order: Vec::new() };
    let left: BTreeSet<usize> = (0..calls.len()).collect();
    search.go(left, State::default()).then_some(search.order)
}

struct Search<'c> {
    calls: &'c [Call],
    slack: Slack,
    /// What was left, and the state, at dead ends.
    tried: BTreeSet<(Vec<usize>, State)>,
    order: Vec<usize>,
}

impl Search<'_> {
    fn go(&mut self, left: BTreeSet<usize>, state: State) -> bool {
        let Some(first_end) = left.iter().map(|at| self.calls[*at].end).min() else { return true };
        let key = (left.iter().copied().collect::<Vec<_>>(), state.clone());
        if !self.tried.insert(key) {
            return false;
        }
        let next: Vec<usize> =
            left.iter().copied().filter(|at| self.calls[*at].begin <= first_end).collect();
        for at in next {
            for after in state.after(&self.calls[at], self.slack) {
                let mut rest = left.clone();
                rest.remove(&at);
                self.order.push(at);
                if self.go(rest, after) {
                    return true;
                }
                self.order.pop();
            }
        }
        false
    }
}
