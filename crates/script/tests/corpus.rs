//! Replays what the fuzzers keep.

#[path = "../../../fuzz/checks/lua_libs.rs"]
mod lua_libs;
#[path = "../../../fuzz/checks/lua_source.rs"]
mod lua_source;

#[test]
fn sources() {
    replay("lua_source", lua_source::check);
}

#[test]
fn libraries() {
    replay("lua_libs", lua_libs::check);
}

#[expect(clippy::disallowed_methods, reason = "test data, not state")]
fn replay(target: &str, check: fn(&[u8])) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/");
    let entries = std::fs::read_dir(format!("{folder}{target}")).unwrap();
    let mut count = 0;
    for entry in entries {
        let data = std::fs::read(entry.unwrap().path()).unwrap();
        check(&data);
        count += 1;
    }
    assert!(count > 0, "{folder}{target} is empty");
}
