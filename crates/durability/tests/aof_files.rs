//! Replays what fuzzing has kept of append-only files and manifests: found bugs stay found.

#[path = "../../../fuzz/checks/aof_file.rs"]
mod file;
#[path = "../../../fuzz/checks/aof_manifest.rs"]
mod manifest;

use disk::{Disk, Open, RealDisk};
use std::path::Path;

fn replay(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    for name in RealDisk.list(&folder).expect("a corpus") {
        let file = RealDisk.open(&folder.join(&name), Open::Read).expect("a file of the corpus");
        let mut bytes = vec![0; file.size().expect("its size") as usize];
        disk::read_exact_at(&*file, &mut bytes, 0).expect("its bytes");
        check(&bytes);
    }
}

#[test]
fn files() {
    replay("aof_file", file::check);
}

#[test]
fn manifests() {
    replay("aof_manifest", manifest::check);
}
