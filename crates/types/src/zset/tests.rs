//! Tests of `zset`: against a sorted `Vec`, in both shapes, with clones that must not change.

use stdx::Rng;

use super::*;

type Model = Vec<(Vec<u8>, f64)>;

fn limits(entries: usize) -> Limits {
    Limits { zset_entries: entries, ..Limits::default() }
}

fn all(set: &ZSet, ranks: Range<usize>) -> Model {
    owned(set.view().range(ranks))
}

#[track_caller]
fn check(set: &ZSet, model: &Model) {
    let view = set.view();
    assert_eq!(view.len(), model.len());
    assert_eq!(all(set, 0..usize::MAX), *model);
    let mut back = owned(view.range(0..usize::MAX).rev());
    back.reverse();
    assert_eq!(back, *model);
    for (rank, (member, score)) in model.iter().enumerate() {
        assert_eq!(view.score(member), Some(*score));
        assert_eq!(view.rank(member), Some((rank, *score)));
    }
    assert_eq!(view.score(b"not there"), None);
    let mut found = Vec::new();
    let mut cursor = 0;
    loop {
        let (next, some) = view.scan(cursor, 10);
        found.extend(some.into_iter().map(|(member, score)| (member.to_vec(), score)));
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    sort(&mut found);
    assert_eq!(found, *model);
}

fn member_of(rng: &mut Rng) -> Vec<u8> {
    match rng.below(4) {
        0 => rng.below(50).to_string().into_bytes(),
        1 => vec![b'x'; rng.index(40)],
        2 => format!("member:{:05}", rng.below(2000)).into_bytes(),
        _ => format!("m{}", rng.below(300)).into_bytes(),
    }
}

fn score_of(rng: &mut Rng) -> f64 {
    match rng.below(6) {
        0 => f64::INFINITY,
        1 => f64::NEG_INFINITY,
        2 => rng.f64() * 100.0,
        3 => -1.5,
        _ => rng.below(30) as f64,
    }
}

#[test]
fn random_changes_in_both_shapes() {
    for (seed, entries) in (0..24).zip([0, 0, 10, 100_000].into_iter().cycle()) {
        let limits = limits(entries);
        let mut rng = Rng::new(seed);
        let mut set = ZSet::default();
        let mut model = Model::new();
        let mut clones = Vec::new();
        let steps = if entries > 1000 { 1000 } else { 6000 };
        for step in 0..steps {
            let member = member_of(&mut rng);
            let known = model.iter().position(|(other, _)| *other == member);
            match rng.below(10) {
                0 | 1 => {
                    let removed = set.remove(&member);
                    assert_eq!(removed, known.map(|at| model.remove(at).1));
                }
                2 if rng.below(60) == 0 => {
                    let start = rng.index(model.len() + 1);
                    let end = (start + rng.index(model.len() + 1)).min(model.len());
                    assert_eq!(set.remove_ranks(start..end), end - start);
                    model.drain(start..end);
                }
                3 if rng.below(20) == 0 => {
                    let count = rng.index(5);
                    let popped = set.pop_least(count);
                    assert_eq!(popped, model.drain(..count.min(model.len())).collect::<Vec<_>>());
                    let popped = set.pop_greatest(count);
                    let rest = model.len() - count.min(model.len());
                    assert_eq!(popped, model.drain(rest..).rev().collect::<Vec<_>>());
                }
                4 => clones.push((set.clone(), model.clone())),
                _ => {
                    let score = score_of(&mut rng);
                    let change = set.set(&member, score, &limits);
                    assert_eq!(change.before, known.map(|at| model[at].1));
                    assert_eq!(change.after, Some(score));
                    match known {
                        Some(at) => model[at].1 = score,
                        None => model.push((member, score)),
                    }
                    sort(&mut model);
                }
            }
            if step % 700 == 0 {
                check(&set, &model);
            }
            if clones.len() > 5 {
                let (set, model) = clones.swap_remove(rng.index(5));
                assert_eq!(all(&set, 0..usize::MAX), model, "seed {seed}");
            }
        }
        check(&set, &model);
    }
}

#[test]
fn ranges_by_score_and_member() {
    for entries in [0, 1000] {
        let limits = limits(entries);
        let mut by_score = ZSet::default();
        let mut by_member = ZSet::default();
        for n in 0..600_u32 {
            let member = format!("{:04}", n * 7 % 600);
            by_score.set(member.as_bytes(), f64::from(n / 50), &limits);
            by_member.set(member.as_bytes(), 1.0, &limits);
        }
        let scores: Vec<f64> = by_score.view().range(0..600).map(|(_, score)| score).collect();
        let members = all(&by_member, 0..600);
        let mut rng = Rng::new(9);
        for _ in 0..300 {
            let edge = |rng: &mut Rng| rng.below(28) as f64 / 2.0 - 0.5;
            let range = ScoreRange {
                min: edge(&mut rng),
                max: edge(&mut rng),
                min_open: rng.below(2) == 0,
                max_open: rng.below(2) == 0,
            };
            let count = scores.iter().filter(|score| range.contains(**score)).count();
            let ranks = by_score.view().ranks_by_score(&range);
            assert_eq!(ranks.len(), count, "{range:?}");
            assert!(scores[ranks].iter().all(|score| range.contains(*score)));

            let (low, high) = (rng.below(700).to_string(), format!("{:04}", rng.below(700)));
            let range = LexRange {
                min: match rng.below(4) {
                    0 => LexBound::Least,
                    1 => LexBound::At(high.as_bytes()),
                    2 => LexBound::Beyond(low.as_bytes()),
                    _ => LexBound::Greatest,
                },
                max: match rng.below(4) {
                    0 => LexBound::Least,
                    1 => LexBound::At(high.as_bytes()),
                    2 => LexBound::Beyond(high.as_bytes()),
                    _ => LexBound::Greatest,
                },
            };
            let count = members.iter().filter(|(member, _)| range.contains(member)).count();
            let ranks = by_member.view().ranks_by_member(&range);
            assert_eq!(ranks.len(), count, "{range:?}");
            assert!(members[ranks].iter().all(|(member, _)| range.contains(member)));
        }
    }
}

#[test]
fn every_small_range_of_ranks() {
    for entries in [0, 100] {
        let mut set = ZSet::default();
        (0..12).for_each(|n| {
            set.set(format!("{n}").as_bytes(), -f64::from(n), &limits(entries));
        });
        let model = all(&set, 0..12);
        for start in 0..=13 {
            for end in 0..=13 {
                let (low, high) = (start.min(12), end.min(12));
                let expected = if low < high { &model[low..high] } else { &[] };
                assert_eq!(owned(set.view().range(start..end)), expected);
                let mut back = owned(set.view().range(start..end).rev());
                back.reverse();
                assert_eq!(back, expected);
            }
            assert_eq!(
                set.view().nth(start).map(|(m, s)| (m.to_vec(), s)),
                model.get(start).cloned()
            );
        }
    }
}

#[test]
fn long_members_have_chunks_of_their_own() {
    let limits = limits(0);
    let mut set = ZSet::default();
    let mut model = Model::new();
    let mut rng = Rng::new(3);
    for n in 0..600 {
        let len = [3, 20, 900, 1024, 3000, 5000, 70_000, 200_000][rng.index(8)];
        let mut member = vec![b'm'; len];
        member.extend_from_slice(format!("{n}").as_bytes());
        let score = rng.below(3) as f64;
        set.set(&member, score, &limits);
        model.push((member, score));
    }
    sort(&mut model);
    check(&set, &model);
    for _ in 0..500 {
        let (member, score) = model.remove(rng.index(model.len()));
        assert_eq!(set.remove(&member), Some(score));
    }
    check(&set, &model);
}

#[test]
fn shapes_follow_the_limits() {
    let limits = Limits::default();
    let mut set = ZSet::default();
    for n in 0..128 {
        set.set(format!("{n}").as_bytes(), 1.0, &limits);
    }
    assert_eq!(set.view().encoding(), "listpack");
    let packed = set.clone();
    set.set(b"128", 1.0, &limits);
    assert_eq!(set.view().encoding(), "skiplist");
    set.remove(b"128");
    assert_eq!(set.view().encoding(), "skiplist");
    let digest = |set: &ZSet| {
        let mut digest = Digest::ZERO;
        set.view().fold(&mut digest);
        digest
    };
    assert_eq!(digest(&set), digest(&packed));
    let built = ZSet::from_elements(all(&set, 0..128), &limits).unwrap();
    assert_eq!(built.as_packed(), packed.as_packed());
    let mut long = packed.clone();
    long.set(&[b'x'; 64], 0.5, &Limits { zset_entries: 200, ..limits });
    assert_eq!(long.view().encoding(), "listpack");
    long.set(&[b'x'; 65], 0.5, &Limits { zset_entries: 200, ..limits });
    assert_eq!(long.view().encoding(), "skiplist");
    let mut expected = packed.clone();
    expected.expect(129, &limits);
    assert_eq!(expected.view().encoding(), "skiplist");
    assert_eq!(ZSet::from_elements(vec![("a", 1.0), ("a", 2.0)], &limits).err(), Some(Duplicate));
}

/// The bytes that Redis 8.0.2 makes of `ZADD k 1 a 2.5 b 1e30 c inf 12 -0 d`.
#[test]
fn packed_blocks_are_those_of_redis() {
    let mut set = ZSet::default();
    for (member, score) in [("a", 1.0), ("b", 2.5), ("c", 1e30), ("12", f64::INFINITY), ("d", -0.0)]
    {
        set.set(member.as_bytes(), score, &Limits::default());
    }
    let pack = lean::View::of(set.as_packed().unwrap().1).to_listpack();
    let texts: Vec<Vec<u8>> = pack.view().iter().map(Element::to_vec).collect();
    let expected = ["d", "0", "a", "1", "b", "2.5", "c", "1e+30", "12", "inf"];
    assert_eq!(texts, expected.map(|text| text.as_bytes().to_vec()));
}

/// Bytes of a member, by order of insertion: what `LEAF_BYTES_MAX` and `SLOTS_MAX` cost.
#[test]
fn memory_of_a_member() {
    let count = 100_000_u64;
    for (step, most) in [(1, 50), (61_681, 53)] {
        let mut set = ZSet::default();
        for n in 0..count {
            let n = n * step % count;
            let member = format!("member:{n:09}");
            set.set(member.as_bytes(), n as f64 * 1.5, &limits(0));
        }
        let each = set.heap_bytes() as u64 / count;
        assert!(each <= most, "{each} bytes, step {step}");
    }
}

/// Members with their scores and expiries.
type TimedModel = std::collections::BTreeMap<Vec<u8>, (f64, Option<i64>)>;

/// Members that expire are what a model of members, scores and expiries makes of them, at any horizon,
/// and survive being written and read.
#[test]
fn members_expire_as_those_of_the_model() {
    let digest = |set: &ZSet| {
        let mut digest = Digest::ZERO;
        set.view().fold(&mut digest);
        digest
    };
    for seed in 0..150 {
        let limits = limits([0, 20][seed as usize % 2]);
        let rng = &mut Rng::new(seed);
        let (mut set, mut model) = (ZSet::default(), TimedModel::new());
        for _ in 0..rng.below(150) {
            change(&mut set, &mut model, rng, &limits);
            see_at(&set, &model, rng.below(100) as i64, rng);
            check_times(&set);
        }
        let expires = model.values().any(|(_, expiry)| expiry.is_some());
        assert_eq!(matches!(set.shape, Shape::Timed(_)), expires);
        if !model.is_empty() {
            let bytes = crate::persist::Saved::Any(&set.clone().into_any()).payload();
            let payload = rdb::payload::open(&bytes, rdb::payload::Checks::ALL).unwrap();
            let loaded = crate::persist::load_payload(payload, &limits).unwrap();
            let crate::persist::Loaded::Any(crate::Any::ZSet(loaded)) = loaded else { panic!() };
            assert_eq!(digest(&loaded), digest(&set));
            for (member, (_, expiry)) in &model {
                assert_eq!(loaded.view().expiry(member), Some(*expiry));
            }
        }
        let mut gone = Vec::new();
        while set.expire(50, 7, &mut |name| gone.push(name.to_vec())) > 0 {}
        let due = |(_, expiry): &(f64, Option<i64>)| expiry.is_some_and(|at| at <= 50);
        gone.sort();
        assert!(model.iter().filter(|(_, of)| due(of)).map(|(name, _)| name).eq(&gone));
        model.retain(|_, of| !due(of));
        see_at(&set, &model, 50, rng);
        while let Some((member, _)) = model.pop_first() {
            let is_due = set.expire_element(99, &member);
            assert!(is_due || set.view().expiry(&member).flatten().is_none_or(|at| at > 99));
            set.remove(&member);
        }
        assert!(set.view().is_empty() && !matches!(set.shape, Shape::Timed(_)));
    }
}

/// Each member expires by the tree when it does by the table.
#[track_caller]
fn check_times(set: &ZSet) {
    let Shape::Timed(timed) = &set.shape else { return };
    let expiring = timed.large.iter_expiries().filter(|(.., expiry)| *expiry != leaf::NEVER);
    let expiries: Vec<_> = expiring.map(|(member, _, at)| (member, Some(at))).collect();
    let known =
        |(member, at): &(&[u8], _)| timed.times.get(member).map(|of| of.expiry) == Some(*at);
    assert!(expiries.len() == timed.times.len() && expiries.iter().all(known));
}

/// Sets of many chunks, of which all, many or few members expire at once or in turn, a run of them or
/// here and there: what is seen is what is left of the model, before, while and after they go.
#[test]
fn many_members_expire_at_once() {
    let limits = limits(0);
    for seed in 0..24 {
        let rng = &mut Rng::new(seed);
        let (mut set, mut model) = (ZSet::default(), TimedModel::new());
        let count = 3000;
        let (share, from) = (1 + rng.below(4), rng.below(count));
        let (at_once, in_runs) = (rng.below(2) == 0, rng.below(2) == 0);
        for n in 0..count {
            let member = format!("member:{n:05}").into_bytes();
            let score = (n / 3) as f64;
            set.set(&member, score, &limits);
            let expires = if in_runs { n >= from } else { rng.below(share) == 0 };
            let at = if at_once { 50 } else { 1 + rng.below(99) as i64 };
            if expires && n != count / 2 {
                assert!(set.set_expiry(&member, Some(at), &limits));
            }
            model.insert(member, (score, expires.then_some(at).filter(|_| n != count / 2)));
        }
        for horizon in [0, 20, 50, 99] {
            see_many_at(&set, &model, horizon, rng);
        }
        for (horizon, budget) in [(20, 100), (30, usize::MAX), (50, 700), (50, usize::MAX)] {
            let mut gone = Vec::new();
            set.expire(horizon, budget, &mut |name| gone.push(name.to_vec()));
            gone.sort();
            let due = |name: &Vec<u8>| model[name].1.is_some_and(|at| at <= horizon);
            assert!(gone.iter().all(due) && gone.windows(2).all(|pair| pair[0] < pair[1]));
            let all_due = model.keys().filter(|name| due(name)).count();
            assert!(gone.len() >= budget.min(all_due));
            model.retain(|name, _| gone.binary_search(name).is_err());
            // Those that are due may get another score, and those that stay.
            for _ in 0..200 {
                let member = format!("member:{:05}", rng.below(count)).into_bytes();
                let (score, mut added) = (rng.below(count) as f64, Added::default());
                let rule = AddRule { only_present: true, keeps_expiry: true, ..AddRule::default() };
                set.add(&member, score, rule, &limits, &mut added).unwrap();
                model.entry(member).and_modify(|(old, _)| *old = score);
            }
            check_times(&set);
            see_many_at(&set, &model, 60, rng);
        }
    }
}

/// What is asked of a large set when what expires at or before `horizon` is hidden.
#[track_caller]
fn see_many_at(set: &ZSet, model: &TimedModel, horizon: i64, rng: &mut Rng) {
    let mut left: Model = model
        .iter()
        .filter(|(_, (_, expiry))| expiry.is_none_or(|at| at > horizon))
        .map(|(member, (score, _))| (member.clone(), *score))
        .collect();
    sort(&mut left);
    let view = View::at(set.view(), horizon);
    assert_eq!((view.len(), view.is_empty()), (left.len(), left.is_empty()));
    assert_eq!(owned(view.range(0..usize::MAX)), left);
    assert_eq!(owned(view.to_owned().view().range(0..usize::MAX)), left);
    for _ in 0..20 {
        let start = rng.index(left.len() + 1);
        let end = left.len().min(start + rng.index(300));
        assert_eq!(owned(view.range(start..end)), left[start..end]);
        let backwards: Model = left[start..end].iter().rev().cloned().collect();
        assert_eq!(owned(view.range(start..end).rev()), backwards);
        let (min, max) = (rng.below(1000) as f64, rng.below(1000) as f64);
        let range = ScoreRange { min, max, min_open: rng.below(2) == 0, max_open: false };
        let ranks = view.ranks_by_score(&range);
        assert_eq!(ranks.len(), left.iter().filter(|(_, score)| range.contains(*score)).count());
        assert!(left[ranks].iter().all(|(_, score)| range.contains(*score)));
        if let Some((member, score)) = left.get(start) {
            assert_eq!(view.rank(member), Some((start, *score)));
        }
    }
}

/// A change at random of both.
#[track_caller]
fn change(set: &mut ZSet, model: &mut TimedModel, rng: &mut Rng, limits: &Limits) {
    let member = member_of(rng);
    let at = 1 + rng.below(100) as i64;
    match rng.below(6) {
        0 | 1 => {
            assert_eq!(set.set_expiry(&member, Some(at), limits), model.contains_key(&member));
            model.entry(member).and_modify(|(_, expiry)| *expiry = Some(at));
        }
        2 => {
            let old = model.get_mut(&member).and_then(|(_, expiry)| expiry.take());
            assert_eq!(set.set_expiry(&member, None, limits), old.is_some());
        }
        3 => {
            let removed = model.remove(&member).map(|(score, _)| score);
            assert_eq!(set.remove(&member), removed);
        }
        4 => {
            let keeps_expiry = rng.below(2) == 0;
            let rule = AddRule { only_greater: true, keeps_expiry, ..AddRule::default() };
            let (score, mut added) = (score_of(rng), Added::default());
            let expected = match model.get_mut(&member) {
                Some((old, expiry)) if score > *old => {
                    *old = score;
                    usize::from(!keeps_expiry && expiry.take().is_some())
                }
                Some(_) => 0,
                None => {
                    model.insert(member.clone(), (score, None));
                    0
                }
            };
            set.add(&member, score, rule, limits, &mut added).unwrap();
            assert_eq!(added.persisted, expected);
        }
        _ => {
            let score = score_of(rng);
            set.set(&member, score, limits);
            model.entry(member).and_modify(|(old, _)| *old = score).or_insert((score, None));
        }
    }
}

/// All that can be asked of a set when what expires at or before `horizon` is hidden.
#[track_caller]
fn see_at(set: &ZSet, model: &TimedModel, horizon: i64, rng: &mut Rng) {
    let lives = |expiry: &Option<i64>| expiry.is_none_or(|at| at > horizon);
    let mut left: Model = model
        .iter()
        .filter(|(_, (_, expiry))| lives(expiry))
        .map(|(member, (score, _))| (member.clone(), *score))
        .collect();
    sort(&mut left);
    let seen = View::at(set.view(), horizon);
    assert!(seen.hides() || left.len() == model.len());
    for view in [seen, seen.to_owned().view()] {
        assert_eq!((view.len(), owned(view.range(0..usize::MAX))), (left.len(), left.clone()));
        let start = rng.index(left.len() + 1);
        let end = start + rng.index(left.len() + 1 - start);
        assert_eq!(owned(view.range(start..end)), left[start..end]);
        let backwards: Model = left[start..end].iter().rev().cloned().collect();
        assert_eq!(owned(view.range(start..end).rev()), backwards);
        assert_eq!(view.nth(start).map(|(m, s)| (m.to_vec(), s)), left.get(start).cloned());
        let (min, max) = (score_of(rng), score_of(rng));
        let range = ScoreRange { min, max, min_open: rng.below(2) == 0, max_open: false };
        let within = left.iter().filter(|(_, score)| range.contains(*score)).count();
        let ranks = view.ranks_by_score(&range);
        assert_eq!(ranks.len(), within);
        assert!(left[ranks].iter().all(|(_, score)| range.contains(*score)));
        let mut found = owned(view.scan(0, 1000).1.into_iter());
        sort(&mut found);
        assert_eq!(found, left);
    }
    for (member, (score, expiry)) in model {
        let rank = left.iter().position(|(other, _)| other == member);
        assert_eq!(seen.rank(member), rank.map(|rank| (rank, *score)));
        assert_eq!(seen.score(member), rank.map(|_| *score));
        assert_eq!(seen.expiry(member), rank.map(|_| *expiry));
    }
}
