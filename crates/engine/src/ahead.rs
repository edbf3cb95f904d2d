//! What the next requests of a run will look for within one large collection, loaded ahead: a
//! pipeline of HSET or SADD on one key would else wait for memory three times a request.

use std::array;

use command::{Argument, ArgumentKind, Command, Group};
use keyspace::{KeyRef, Shard};

use crate::Engine;
use crate::batch::RUN_REQUESTS_MAX;
use crate::resolve::Plan;

/// Which words of a request name elements of the collection at its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Names {
    first: usize,
    step: usize,
}

impl Names {
    /// By the grammar of a row, without its options.
    pub(crate) fn of(row: &Command) -> Option<Self> {
        const KEYED: [Group; 3] = [Group::Hash, Group::Set, Group::SortedSet];
        let [Argument { kind: ArgumentKind::Key(_), .. }, args @ ..] = row.args else {
            return None;
        };
        if !KEYED.contains(&row.group) {
            return None;
        }
        let is_name = |argument: &Argument| {
            matches!(argument.kind, ArgumentKind::String)
                && matches!(argument.name, "field" | "member")
        };
        let mut first = 2;
        for argument in args.iter().filter(|argument| !argument.optional) {
            match argument.kind {
                _ if is_name(argument) => {
                    return Some(Self {
                        first,
                        step: if argument.multiple { 1 } else { usize::MAX },
                    });
                }
                ArgumentKind::Block(parts) => {
                    let at = parts.iter().position(is_name)?;
                    return Some(Self { first: first + at, step: parts.len() });
                }
                ArgumentKind::Key(_) | ArgumentKind::OneOf(_) | ArgumentKind::Token => return None,
                _ if argument.multiple || argument.token.is_some() => return None,
                _ => first += 1,
            }
        }
        None
    }
}

impl Engine {
    fn names_of(&self, plan: &Plan) -> Option<Names> {
        plan.row.and(self.names[usize::from(plan.id)])
    }

    /// Loads ahead what neighboring requests of `plans`, which run next, look for at one key.
    pub(crate) fn prefetch_elements(
        &self,
        shard: &Shard,
        db: u32,
        mut plans: &[Plan],
        keys: &[KeyRef<'_>],
        words: &[&[u8]],
    ) {
        let key_of = |plan: &Plan| keys.get(plan.keys.start).filter(|_| !plan.keys.is_empty());
        while let [first, others @ ..] = plans {
            if self.names_of(first).is_none() {
                plans = others;
                continue;
            }
            let key = key_of(first);
            let is_same = |plan: &&Plan| {
                key_of(plan).map(|key| (key.hash(), key.bytes()))
                    == key.map(|key| (key.hash(), key.bytes()))
            };
            let (run, rest) = plans.split_at(1 + others.iter().take_while(is_same).count());
            plans = rest;
            let Some(key) = key.filter(|_| run.len() > 1) else { continue };
            let mut names: [&[u8]; RUN_REQUESTS_MAX] = array::from_fn(|_| &[][..]);
            let mut len = 0;
            for plan in run {
                let Some(Names { first, step }) = self.names_of(plan) else {
                    continue;
                };
                let words = words[plan.words.clone()].iter().skip(first).step_by(step);
                for (name, word) in names[len..].iter_mut().zip(words) {
                    *name = word;
                    len += 1;
                }
            }
            if len > 1 {
                shard.prefetch_elements(db, key, &names[..len]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use command::grammar::{block, double, integer, key, string, word};
    use command::{Args, Cx, Effect, Outcome};
    use resp::Reply;

    fn nothing(_: &mut Cx<'_>, _: &mut Args<'_>, _: &mut Reply) -> Outcome {
        Ok(Effect::None)
    }

    fn names(group: Group, args: &'static [Argument]) -> Option<(usize, usize)> {
        let row = Command::data("X", nothing).group(group).args(args);
        Names::of(&row).map(|names| (names.first, names.step))
    }

    #[test]
    fn names_are_where_the_grammar_has_them() {
        use Group::{Hash, Set, SortedSet, String};
        const KEY: Argument = key("key");
        const PAIRS: &[Argument] = &[string("field"), string("value")];
        const SCORES: &[Argument] = &[double("score"), string("member")];
        assert_eq!(names(Hash, const { &[KEY, block("data", PAIRS).many()] }), Some((2, 2)));
        assert_eq!(names(Hash, const { &[KEY, string("field")] }), Some((2, usize::MAX)));
        assert_eq!(names(Set, const { &[KEY, string("member").many()] }), Some((2, 1)));
        let zadd = const { &[KEY, word("change", "CH").optional(), block("data", SCORES).many()] };
        assert_eq!(names(SortedSet, zadd), Some((3, 2)));
        let zincrby = const { &[KEY, integer("increment"), string("member")] };
        assert_eq!(names(SortedSet, zincrby), Some((3, usize::MAX)));
        assert_eq!(names(Set, const { &[KEY, key("target"), string("member")] }), None);
        assert_eq!(names(String, const { &[KEY, string("member")] }), None);
        assert_eq!(names(Hash, const { &[KEY] }), None);
    }
}
