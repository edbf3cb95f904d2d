//! Tests of `tree`: against a `Vec`, with clones that must not change.

use stdx::Rng;

use super::*;

/// Numbers, few to a chunk so that trees become high.
#[derive(Clone, Default)]
struct Numbers(Vec<u32>);

const FULL: usize = 4;

impl Chunk for Numbers {
    type Key = u32;
    type Sum = Parities;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn heap_bytes(&self) -> usize {
        self.0.len() * 4
    }

    fn separator(left: &Self, right: &Self) -> u32 {
        assert!(left.0.last() <= right.0.first());
        right.0[0]
    }

    fn sum(&self) -> Parities {
        let each = |number: &u32| Parities {
            odd: !number.is_multiple_of(2),
            even: number.is_multiple_of(2),
        };
        self.0.iter().map(each).fold(Parities::default(), Sum::join)
    }

    fn remove(&mut self, range: Range<usize>) {
        self.0.drain(range);
    }

    fn append(&mut self, right: &Self) {
        self.0.extend_from_slice(&right.0);
    }
}

/// Whether some numbers are odd, and whether some are even.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Parities {
    odd: bool,
    even: bool,
}

impl Sum for Parities {
    fn join(self, other: Self) -> Self {
        Self { odd: self.odd | other.odd, even: self.even | other.even }
    }
}

/// Picks odd numbers.
struct Odd;

impl Pick<Numbers> for Odd {
    fn whole(&self, sum: Parities) -> Option<bool> {
        (!sum.odd || !sum.even).then_some(sum.odd)
    }

    fn picks(&self, chunk: &Numbers, at: usize) -> bool {
        !chunk.0[at].is_multiple_of(2)
    }
}

impl Numbers {
    /// Cuts off what is too much, as the types do.
    fn split(edit: &mut Edit<'_, Self>) {
        let (is_first, is_last) = (edit.is_first, edit.is_last);
        let numbers = &mut edit.chunk_mut().0;
        if numbers.len() > FULL {
            let len = numbers.len();
            let at = if is_last {
                FULL
            } else if is_first {
                len - FULL
            } else {
                len / 2
            };
            let right = numbers.split_off(at);
            edit.put_after(Self(right));
        }
    }
}

fn insert_sorted(tree: &mut Tree<Numbers>, number: u32) {
    tree.edit_by(
        |separator| *separator <= number,
        |edit| {
            let numbers = &mut edit.chunk_mut().0;
            let at = numbers.partition_point(|other| *other <= number);
            numbers.insert(at, number);
            Numbers::split(edit);
        },
    );
}

fn remove_at(tree: &mut Tree<Numbers>, rank: usize) -> u32 {
    tree.edit_at(rank, |edit, place| {
        let removed = edit.chunk_mut().0.remove(place);
        if edit.chunk().len() < FULL / 2 {
            edit.join_bytes = FULL * 4;
        }
        removed
    })
}

fn all(tree: &Tree<Numbers>, ranks: Range<usize>) -> Vec<u32> {
    tree.range(ranks).flat_map(|(chunk, part)| chunk.0[part].to_vec()).collect()
}

fn all_back(tree: &Tree<Numbers>, ranks: Range<usize>) -> Vec<u32> {
    let parts = tree.range(ranks).rev();
    let mut found: Vec<u32> = parts
        .flat_map(|(chunk, part)| chunk.0[part].iter().rev().copied().collect::<Vec<_>>())
        .collect();
    found.reverse();
    found
}

#[track_caller]
fn check(tree: &Tree<Numbers>, model: &[u32]) -> usize {
    assert_eq!(tree.len(), model.len());
    assert_eq!(all(tree, 0..usize::MAX), model);
    assert_eq!(all_back(tree, 0..usize::MAX), model);
    assert_eq!(tree.first().map(|chunk| chunk.0[0]), model.first().copied());
    assert_eq!(tree.last().map(|chunk| *chunk.0.last().unwrap()), model.last().copied());
    for number in model.iter().step_by(7) {
        let spot = tree.chunk_by(|separator| separator <= number).unwrap();
        let place = spot.chunk.0.partition_point(|other| other <= number);
        let rank = model.partition_point(|other| other <= number);
        assert_eq!(spot.start + place, rank);
    }
    let odd: Vec<usize> = (0..model.len()).filter(|rank| !model[*rank].is_multiple_of(2)).collect();
    for rank in (0..=model.len()).step_by(7) {
        let before = odd.partition_point(|at| *at < rank);
        assert_eq!(tree.count_picked(rank, &Odd), before);
        assert_eq!(tree.rank_of_picked(before, &Odd), odd.get(before).copied());
    }
    assert_eq!(tree.rank_of_picked(odd.len(), &Odd), None);
    tree.root.check(true)
}

#[test]
fn ascending_and_descending_inserts_leave_full_chunks() {
    for is_rising in [true, false] {
        let mut tree = Tree::new();
        let total = 20_000;
        for number in 0..total {
            insert_sorted(&mut tree, if is_rising { number } else { total - 1 - number });
        }
        let model: Vec<u32> = (0..total).collect();
        assert!(check(&tree, &model) <= 4);
        let chunks = tree.range(0..usize::MAX).count();
        assert!(chunks * FULL < total as usize + 8, "{chunks} chunks");
    }
}

#[test]
fn whole_chunks_go_to_the_ends() {
    let mut tree: Tree<Numbers> = (100..200).map(|n| Numbers(vec![n, n])).collect();
    tree.push_back(Numbers::default());
    tree.push_front(Numbers::default());
    (0..100).rev().for_each(|n| tree.push_front(Numbers(vec![n, n])));
    let model: Vec<u32> = (0..200).flat_map(|n| [n, n]).collect();
    check(&tree, &model);
    let mut empty = Tree::new();
    empty.push_front(Numbers(vec![1]));
    check(&empty, &[1]);
}

#[test]
fn an_end_push_copies_no_shared_chunk() {
    let mut tree: Tree<Numbers> = [Numbers(vec![1]), Numbers(vec![2])].into_iter().collect();
    let clone = tree.clone();
    tree.push_back(Numbers(vec![3]));
    tree.push_front(Numbers(vec![0]));
    assert!(std::ptr::eq(clone.first().unwrap(), tree.chunk_at(1).unwrap().chunk));
    assert!(std::ptr::eq(clone.last().unwrap(), tree.chunk_at(2).unwrap().chunk));
    check(&clone, &[1, 2]);
}

#[test]
fn every_range_of_small_trees() {
    for len in 0..40_u32 {
        let mut tree = Tree::new();
        (0..len).for_each(|n| insert_sorted(&mut tree, n * 41 % len));
        let model: Vec<u32> = (0..len).collect();
        let len = len as usize;
        for start in 0..=len {
            for end in start..=len {
                assert_eq!(all(&tree, start..end), model[start..end]);
                assert_eq!(all_back(&tree, start..end), model[start..end]);
                for join_bytes in [0, FULL * 4] {
                    let mut rest = tree.clone();
                    rest.remove(start..end, join_bytes);
                    let mut expected = model.clone();
                    expected.drain(start..end);
                    check(&rest, &expected);
                }
            }
        }
        check(&tree, &model);
    }
}

#[test]
fn both_ends_of_one_walk_meet() {
    let tree: Tree<Numbers> = (0..500).map(|n| Numbers(vec![n; 1 + n as usize % 3])).collect();
    let mut rng = Rng::new(5);
    let model = all(&tree, 0..usize::MAX);
    for _ in 0..200 {
        let start = rng.index(model.len());
        let end = start + rng.index(model.len() - start + 1);
        let mut walk = tree.range(start..end);
        let (mut front, mut back) = (Vec::new(), Vec::new());
        while walk.elements() > 0 {
            if rng.below(2) == 0 {
                let (chunk, part) = walk.next().unwrap();
                front.extend_from_slice(&chunk.0[part]);
            } else {
                let (chunk, part) = walk.next_back().unwrap();
                back.extend(chunk.0[part].iter().rev());
            }
        }
        assert!(walk.next().is_none() && walk.next_back().is_none());
        front.extend(back.iter().rev());
        assert_eq!(front, model[start..end]);
    }
}

#[test]
fn random_changes_and_clones() {
    for seed in 0..30 {
        let mut rng = Rng::new(seed);
        let mut tree = Tree::new();
        let mut model: Vec<u32> = Vec::new();
        let mut clones = Vec::new();
        let growth = 1 + rng.below(3);
        for step in 0..4000 {
            match rng.below(3 + growth) {
                0 if !model.is_empty() => {
                    let rank = rng.index(model.len());
                    assert_eq!(remove_at(&mut tree, rank), model.remove(rank), "seed {seed}");
                }
                1 if rng.below(20) == 0 => {
                    let start = rng.index(model.len() + 1);
                    let end = (start + rng.index(60)).min(model.len());
                    tree.remove(start..end, 4 * rng.index(FULL + 1));
                    model.drain(start..end);
                }
                2 if rng.below(40) == 0 => clones.push((tree.clone(), model.clone())),
                _ => {
                    let number = rng.below(1000) as u32;
                    insert_sorted(&mut tree, number);
                    model.insert(model.partition_point(|other| *other <= number), number);
                }
            }
            if step % 500 == 0 {
                check(&tree, &model);
                for rank in 0..model.len() + 2 {
                    let found = tree.chunk_at(rank).map(|spot| spot.chunk.0[rank - spot.start]);
                    assert_eq!(found, model.get(rank).copied());
                }
            }
        }
        clones.push((tree, model));
        clones.iter().for_each(|(tree, model)| assert!(check(tree, model) < 9));
        assert!(clones.len() > 3, "seed {seed}");
    }
}

/// Several chunks put behind one at once, and one that is emptied.
#[test]
fn a_chunk_may_become_many_or_none() {
    let mut tree: Tree<Numbers> = (0..100).map(|n| Numbers(vec![n])).collect();
    let before = tree.clone();
    tree.edit_at(50, |edit, _| {
        edit.chunk_mut().0.clear();
        (0..200).for_each(|_| edit.put_after(Numbers(vec![50])));
    });
    let mut model: Vec<u32> = (0..100).collect();
    model.splice(50..51, [50; 200]);
    check(&tree, &model);
    while !tree.is_empty() {
        tree.edit_at(tree.len() / 2, |edit, _| edit.chunk_mut().0.clear());
    }
    check(&tree, &[]);
    check(&before, &(0..100).collect::<Vec<_>>());
    tree.push_back(Numbers(vec![10]));
    tree.push_back(Numbers(vec![20]));
    tree.edit_at(1, |edit, _| {
        edit.chunk_mut().0.clear();
        edit.put_after(Numbers(vec![30]));
        edit.put_after(Numbers(vec![40]));
    });
    check(&tree, &[10, 30, 40]);
    tree.remove(0..3, 0);
    assert_eq!(tree.edit_at(9, |edit, place| (edit.chunk().len(), place)), (0, 0));
    check(&tree, &[]);
}

#[test]
fn bytes_are_counted() {
    let mut tree = Tree::new();
    let empty = tree.heap_bytes();
    (0..1000).for_each(|n| insert_sorted(&mut tree, n));
    assert!(tree.heap_bytes() > empty + 4000);
    let full = tree.heap_bytes();
    assert_eq!(tree.clone().heap_bytes(), full);
    tree.remove(0..1000, 0);
    assert_eq!(tree.heap_bytes(), empty);
}
