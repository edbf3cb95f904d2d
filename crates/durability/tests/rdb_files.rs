//! Replays the corpus of the fuzz target `rdb_file`: old findings stay fixed.

use std::path::Path;

#[path = "../../../fuzz/checks/rdb_file.rs"]
mod rdb_file;

#[test]
#[expect(clippy::disallowed_methods, reason = "test data")]
fn corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/rdb_file");
    let mut count = 0;
    for entry in folder.read_dir().expect("the corpus is in the repository") {
        let path = entry.expect("readable").path();
        eprintln!("{}", path.display());
        rdb_file::check(&std::fs::read(&path).expect("readable"));
        count += 1;
    }
    assert!(count > 10, "the corpus has {count} files");
}
