//! The cells. Whole snapshots are tested with a whole server, in `testkit`.

use super::cells::Cells;
use stdx::rng::Rng;

/// Marked in any order, by one and by many: each cell once.
#[test]
fn each_cell_is_marked_once() {
    for seed in 0..20 {
        println!("seed {seed}");
        let mut rng = Rng::new(seed);
        let mut cells = Cells::new(rng.below(2000));
        let width = u64::MAX / cells.len() + 1;
        let mut count = vec![0; cells.len() as usize];
        let mut next = 0;
        while next < cells.len() {
            for _ in 0..rng.below(4) {
                let position = rng.u64();
                if let Some((first, last)) = cells.mark(position) {
                    assert!((first..=last).contains(&position) && last - first == width - 1);
                    count[(position / width) as usize] += 1;
                }
                assert!(cells.mark(position).is_none());
            }
            let marked = cells.mark_from(next, 1 + rng.below(300));
            let (first, last) = marked.positions();
            assert_eq!((first / width, last / width + 1), (next, marked.end()));
            assert_eq!((first % width, last % width), (0, width - 1));
            let mut any = false;
            for cell in next..marked.end() {
                let is_new = marked.is_new(cell * width + rng.below(width));
                count[cell as usize] += usize::from(is_new);
                any |= is_new;
            }
            assert_eq!(marked.is_old(), !any);
            next = marked.end();
        }
        assert_eq!(next, cells.len());
        assert!(count.iter().all(|count| *count == 1));
    }
}
