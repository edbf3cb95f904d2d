//! Replays the corpora of the fuzz targets on whole nodes, and holds the gate of `engine_stateful`:
//! every command of the table is within its reach.

use std::collections::BTreeSet;
use std::path::Path;
use testkit::generate::{Choices, Generator, Spans, Vocabulary};
use testkit::{Node, Options, START_MS, stateful};

#[path = "../../../fuzz/checks/engine_stateful.rs"]
mod engine_stateful;
#[path = "../../../fuzz/checks/restore.rs"]
mod restore;

#[test]
fn corpus() {
    replay("engine_stateful", engine_stateful::check);
}

#[test]
fn corpus_of_payloads() {
    replay("restore", restore::check);
}

#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "test data; which of it failed"
)]
fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut count = 0;
    for entry in folder.read_dir().expect("the corpus is in the repository") {
        let path = entry.expect("readable").path();
        eprintln!("{}", path.display());
        check(&std::fs::read(&path).expect("readable"));
        count += 1;
    }
    assert!(count > 10, "the corpus has {count} files");
}

#[test]
fn every_command_is_within_reach() {
    let (mut reached, mut requests, mut errors) = (BTreeSet::new(), 0, 0);
    for seed in 0..250 {
        let mut bytes = vec![0; 1500];
        stdx::rng::Rng::new(seed).fill(&mut bytes);
        let outcome = stateful::run(&mut Choices::of_bytes(&bytes));
        reached.extend(outcome.reached);
        requests += outcome.requests;
        errors += outcome.errors;
    }
    let node = Node::new(Options::default());
    let vocabulary = Vocabulary { now_ms: START_MS, spans: Spans::Near };
    let generator = Generator::new(&node.engine.table, vocabulary);
    let missed: Vec<_> = generator
        .rows()
        .filter(|id| !reached.contains(id))
        .map(|id| node.engine.table.entry(id).full_name.as_str())
        .collect();
    println!("{requests} requests, {errors} errors, {} rows", reached.len());
    assert!(missed.is_empty(), "{missed:?}");
}
