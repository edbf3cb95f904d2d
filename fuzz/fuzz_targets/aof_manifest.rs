//! A manifest that is understood is printed so that it is understood again.
#![no_main]

use durability::aof::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(manifest) = Manifest::parse(bytes) else { return };
    if manifest.is_empty() && manifest.history.is_empty() {
        return;
    }
    assert_eq!(Manifest::parse(&manifest.print()), Ok(manifest));
});
