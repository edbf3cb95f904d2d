//! Replays the corpora of the fuzz targets, so that what a fuzzer once found stays fixed without one.

use std::path::Path;

#[path = "../../../fuzz/checks/resp_reply.rs"]
mod resp_reply;
#[path = "../../../fuzz/checks/resp_request.rs"]
mod resp_request;

/// Runs `check` on each file of a target's corpus.
#[expect(clippy::disallowed_methods, reason = "test data, not state")]
#[expect(clippy::print_stdout, reason = "names the file that failed")]
fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut count = 0;
    for entry in folder.read_dir().expect("the corpus is in the repository") {
        let path = entry.expect("readable").path();
        let data = std::fs::read(&path).expect("readable");
        println!("{}", path.display());
        check(&data);
        count += 1;
    }
    assert!(count > 10, "the corpus of {target} has {count} files");
}

#[test]
fn requests() {
    replay("resp_request", resp_request::check);
}

#[test]
fn replies() {
    replay("resp_reply", resp_reply::check);
}
