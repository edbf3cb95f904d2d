//! What must hold for every manifest of an append-only file. Shared by the fuzz target and the test that
//! replays its corpus.
//!
//! One that is understood is printed so that it is understood again.

use durability::aof::Manifest;

/// Panics if something does not hold.
pub(crate) fn check(data: &[u8]) {
    let Ok(manifest) = Manifest::parse(data) else { return };
    let printed = manifest.print();
    // Of comments alone nothing is left.
    if !printed.is_empty() {
        assert_eq!(Manifest::parse(&printed), Ok(manifest));
    }
}
