//! PFSELFTEST: whether counts are as exact as they have to be, on this machine.

use command::{Args, Command, Cx, Effect, Flags, Group, Job, JobStep, Outcome};
use keyspace::Keyspace;
use resp::Reply;
use types::hll::{self, Hll};

pub(super) const PFSELFTEST: Command = Command::node("PFSELFTEST", pfselftest)
    .group(Group::Hyperloglog)
    .since("2.8.9")
    .arity(1)
    .flags(Flags::ADMIN.or(Flags::SYSCMD))
    .summary("Adds ten million elements to HyperLogLogs of both encodings and checks the counts.")
    .complexity("N/A");

const ELEMENTS: u64 = 10_000_000;
/// Elements added before other clients of the worker have their turn.
const SLICE: u64 = 10_000;

/// The same elements in both encodings, whose counts are compared at powers of ten.
struct SelfTest {
    dense: Vec<u8>,
    sparse: Vec<u8>,
    sparse_bytes_max: usize,
    seed: u64,
    added: u64,
    checkpoint: u64,
}

impl SelfTest {
    fn add_one(&mut self) -> Result<(), String> {
        self.added += 1;
        let element = (self.added ^ self.seed).to_le_bytes();
        hll::add_dense(&mut self.dense, &element);
        hll::add(&mut self.sparse, &element, self.sparse_bytes_max)
            .map_err(|error| format!("{error:?}"))?;
        if self.added < self.checkpoint {
            return Ok(());
        }
        self.checkpoint *= 10;
        self.check()
    }

    fn check(&self) -> Result<(), String> {
        let count = |bytes| Hll::parse(bytes)?.count();
        let (Ok(dense), Ok(sparse)) = (count(&self.dense), count(&self.sparse)) else {
            return Err("a count failed".into());
        };
        let few = self.added < self.sparse_bytes_max as u64 / 2;
        if few && Hll::parse(&self.sparse).is_ok_and(Hll::is_dense) {
            return Err("sparse encoding not used".into());
        }
        if dense != sparse {
            return Err("dense/sparse disagree".into());
        }
        // Six times the standard error; of ten elements, one may collide.
        let error_max = match self.added {
            10 => 1,
            added => (1.04 / (hll::REGISTERS as f64).sqrt() * 6.0 * added as f64).ceil() as u64,
        };
        let error = dense.abs_diff(self.added);
        if error > error_max {
            return Err(format!("Too big error. card:{} abserr:{error}", self.added));
        }
        Ok(())
    }
}

impl Job for SelfTest {
    fn step(&mut self, _: &Keyspace, _: i64, reply: &mut Reply) -> JobStep {
        for _ in 0..SLICE {
            if let Err(text) = self.add_one() {
                reply.error(format!("ERR TESTFAILED {text}"));
                return JobStep::Done;
            }
        }
        if self.added < ELEMENTS {
            return JobStep::More;
        }
        reply.ok();
        JobStep::Done
    }
}

fn pfselftest(cx: &mut Cx<'_>, _: &mut Args<'_>, _: &mut Reply) -> Outcome {
    let mut dense = hll::empty();
    hll::to_dense(&mut dense)?;
    *cx.later = Some(Box::new(SelfTest {
        dense,
        sparse: hll::empty(),
        sparse_bytes_max: cx.settings.limits.hll_sparse_bytes,
        seed: cx.rng.u64(),
        added: 0,
        checkpoint: 1,
    }));
    Ok(Effect::None)
}
