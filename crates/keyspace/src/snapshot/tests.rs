//! The cells. Whole snapshots are tested with a whole server, in `testkit`.

use super::cells::Cells;
use stdx::rng::Rng;

/// Marked in any order, by one and by many: each position once.
#[test]
fn each_position_comes_once() {
    for seed in 0..20 {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let mut cells = Cells::new(rng.below(2000));
        let mut ranges = Vec::new();
        let mut next = 0;
        while next < cells.len() {
            for _ in 0..rng.below(4) {
                let position = rng.u64();
                let marked = cells.mark(position);
                assert!(marked.as_ref().is_none_or(|range| range.contains(&position)));
                ranges.extend(marked);
                assert!(cells.mark(position).is_none());
            }
            let count = 1 + rng.below(64) as u32;
            next = cells.mark_from(next, count, |range| ranges.push(range));
        }
        assert_eq!(next, cells.len());
        ranges.sort_unstable_by_key(|range| *range.start());
        assert_eq!((*ranges[0].start(), *ranges[ranges.len() - 1].end()), (0, u64::MAX));
        assert!(ranges.windows(2).all(|pair| pair[0].end() + 1 == *pair[1].start()));
    }
}
