//! The queue of bytes to send, against a plain vector.

use super::*;
use stdx::Rng;

fn chunk(rng: &mut Rng) -> (Chunk, Vec<u8>) {
    let len = SHARED_BYTES_MIN + rng.below(100) as usize;
    let bytes = vec![rng.below(256) as u8; len];
    (Chunk::new(Arc::new(bytes.clone())), bytes)
}

/// What the slices of one vectored write hold.
fn sliced(out: &Out, slices_max: usize) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 64];
    let count = out.slices(&mut slices[..slices_max]);
    let full = slices[..count].iter().all(|slice| !slice.is_empty());
    assert!(full && (count > 0 || out.is_empty() || slices_max == 0));
    slices[..count].iter().flat_map(|slice| slice.iter().copied()).collect()
}

fn check(out: &Out, model: &[u8]) {
    assert_eq!(out.to_vec(), model);
    assert_eq!((out.len(), out.is_empty()), (model.len(), model.is_empty()));
    for slices_max in [0, 1, 2, 3, 64] {
        assert!(model.starts_with(&sliced(out, slices_max)));
    }
    if out.chunks.len() < 30 {
        assert_eq!(sliced(out, 64), model);
    }
    if let Some(bytes) = out.as_contiguous() {
        assert_eq!(bytes, model);
    }
}

#[test]
fn behaves_as_a_vector() {
    for seed in 0..50 {
        let mut rng = Rng::new(seed);
        let (mut out, mut model) = (Out::new(), Vec::new());
        for _ in 0..40 {
            match rng.below(8) {
                0..3 => {
                    let bytes = vec![b'a' + rng.below(26) as u8; rng.below(50) as usize];
                    out.push(&bytes);
                    model.extend_from_slice(&bytes);
                }
                3 => {
                    let (chunk, bytes) = chunk(&mut rng);
                    out.push_chunk(chunk);
                    model.extend_from_slice(&bytes);
                }
                4 => {
                    let place = out.place();
                    let (chunk, _) = chunk(&mut rng);
                    out.push(b"gone");
                    out.push_chunk(chunk);
                    out.push(b"gone");
                    out.truncate(place);
                }
                5 => {
                    let mut other = Out::new();
                    let (chunk, bytes) = chunk(&mut rng);
                    other.push(b"abc");
                    other.push_chunk(chunk);
                    other.push(b"def");
                    let sent = rng.below(20_000) as usize;
                    let all = [b"abc", &*bytes, b"def"].concat();
                    other.advance(sent);
                    out.append(&mut other);
                    assert!(other.is_empty());
                    model.extend_from_slice(&all[sent.min(all.len())..]);
                }
                _ => {
                    let sent = rng.below(model.len() as u64 + 2) as usize;
                    out.advance(sent);
                    model.drain(..sent.min(model.len()));
                }
            }
            check(&out, &model);
        }
    }
}

#[test]
fn insertions_move_or_split() {
    for tail in [0, 10, 200_000] {
        let mut out = Out::new();
        out.push(b"head");
        out.push(&vec![b't'; tail]);
        let (large, bytes) = chunk(&mut Rng::new(1));
        out.push_chunk(large);
        out.push(b"end");
        out.insert(4, b"INNER");
        out.insert(4, b"");
        out.insert(2, b"-");
        let model = [b"he-adINNER", &*vec![b't'; tail], &bytes, b"end"].concat();
        check(&out, &model);
    }
}

#[test]
fn sent_bytes_are_dropped() {
    let mut out = Out::new();
    let large = Arc::new(vec![b'x'; 1 << 20]);
    for _ in 0..1000 {
        out.push(&[b'y'; 1000]);
        out.push_chunk(Chunk::new(Arc::clone(&large)));
        out.push(b"z");
        out.advance(out.len() - 1);
        assert_eq!(out.to_vec(), b"z");
    }
    assert!(out.memory_bytes() < 1 << 20);
    assert_eq!(Arc::strong_count(&large), 1);
    out.advance(10);
    assert!(out.is_empty() && out.bytes.is_empty());
    out.shrink_to(100);
    assert!(out.memory_bytes() < 2000);
}

#[test]
fn parts_of_values() {
    let whole = Chunk::new(Arc::new((0..=255).collect::<Vec<u8>>()));
    assert_eq!(whole.part(10, 3).as_bytes(), [10, 11, 12]);
    assert_eq!(whole.part(10, 3).part(1, 9).as_bytes(), [11, 12]);
    assert_eq!(whole.part(254, 9).as_bytes(), [254, 255]);
    assert!(whole.part(999, 9).is_empty());
    let mut out = Out::new();
    out.push_chunk(whole);
    assert_eq!(out.as_contiguous().map(<[u8]>::len), Some(256));
}
