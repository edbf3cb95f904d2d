//! ARINFO.

use super::{READ, Slices, answer};
use command::grammar::{key, word};
use command::{Args, Command, CommandError, Cx, Flags, Group, JobStep, Outcome};
use resp::Reply;
use types::array::{Array, INDEX_MAX, SLICE_BYTES, Slices as Kept};
use types::{Collection as _, View as _};

pub(super) const ARINFO: Command = Command::data("ARINFO", arinfo)
    .group(Group::Array)
    .since("8.8.0")
    .arity(-2)
    .flags(Flags::READONLY)
    .keys(READ)
    .args(&[key("key"), word("full", "FULL").optional()])
    .summary("Answers how an array is kept.")
    .complexity("O(N), N the number of its slices");

/// Slices that are looked at in one step.
const STEP: usize = 1000;

/// What is known of an array, slice by slice.
struct Info {
    array: Array,
    full: bool,
    rank: usize,
    kept: Kept,
}

impl Slices for Info {
    fn slice(&mut self, reply: &mut Reply) -> JobStep {
        let view = self.array.view();
        let (more, rank) = view.slices(self.rank, STEP);
        self.rank = rank;
        self.kept.dense += more.dense;
        self.kept.dense_elements += more.dense_elements;
        self.kept.sparse += more.sparse;
        self.kept.sparse_elements += more.sparse_elements;
        if rank < view.len() {
            return JobStep::More;
        }
        self.write(reply);
        JobStep::Done
    }
}

impl Info {
    fn write(&self, reply: &mut Reply) {
        let (view, kept) = (self.array.view(), self.kept);
        let slices = kept.dense + kept.sparse;
        let next =
            view.cursor().filter(|cursor| *cursor < INDEX_MAX).map_or(0, |cursor| cursor + 1);
        let mut numbers = vec![
            ("count", view.len()),
            ("len", view.span() as usize),
            ("next-insert-index", next as usize),
            ("slices", slices),
            ("directory-size", slices),
            ("super-dir-entries", 0),
            ("slice-size", SLICE_BYTES),
        ];
        if self.full {
            numbers.extend([("dense-slices", kept.dense), ("sparse-slices", kept.sparse)]);
        }
        reply.map(numbers.len() + if self.full { 3 } else { 0 });
        for (name, number) in numbers {
            reply.bulk(name.as_bytes());
            reply.count(number);
        }
        if self.full {
            let average = |sum: usize, of: usize| sum as f64 / of.max(1) as f64;
            for (name, number) in [
                ("avg-dense-size", average(kept.dense_elements, kept.dense)),
                ("avg-dense-fill", if kept.dense > 0 { 1.0 } else { 0.0 }),
                ("avg-sparse-size", average(kept.sparse_elements, kept.sparse)),
            ] {
                reply.bulk(name.as_bytes());
                reply.double(number);
            }
        }
    }
}

fn arinfo(cx: &mut Cx<'_>, args: &mut Args<'_>, reply: &mut Reply) -> Outcome {
    let key = args.key()?;
    let full = args.token("FULL");
    args.end()?;
    let array = cx.db.read::<Array>(&key)?.ok_or(CommandError::NoSuchKey)?;
    let (array, elements) = (array.to_array(), array.len());
    answer(cx, reply, Info { array, full, rank: 0, kept: Kept::default() }, elements)
}
