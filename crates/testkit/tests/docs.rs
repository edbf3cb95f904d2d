//! The pages of `docs/commands/` are run: every fenced block, on a fresh node, in six ways.

use std::path::Path;
use testkit::{Transcript, blocks, run_ways};

#[test]
#[expect(clippy::disallowed_methods, reason = "test data, not state")]
fn pages_tell_the_truth() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/commands");
    let (mut count, mut failures) = (0, Vec::new());
    let mut pages: Vec<_> =
        folder.read_dir().expect("docs/commands").map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    for path in pages.iter().filter(|path| path.extension().is_some_and(|kind| kind == "md")) {
        let page = std::fs::read_to_string(path).unwrap();
        for (first, block) in blocks(&page) {
            count += 1;
            let ran = Transcript::parse(block, first)
                .map_err(|error| error.to_string())
                .and_then(|transcript| run_ways(&transcript));
            if let Err(error) = ran {
                failures.push(format!("{}: {error}", path.display()));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    println!("{count} blocks of {} pages, four nodes and four replays each", pages.len());
    assert!(count > 50, "{count} blocks");
}
