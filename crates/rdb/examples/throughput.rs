//! Megabytes per second of checksum, compression, expansion and of reading strings.
//! `cargo run --release -p rdb --example throughput [MEGABYTES]`

use rdb::{Reader, Writer, crc64, lzf};

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn measure(name: &str, bytes: usize, mut work: impl FnMut()) {
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        let begin = std::time::Instant::now();
        work();
        best = best.min(begin.elapsed().as_secs_f64());
    }
    print_line(&format!("{name:<28} {:>8.0} MB/s", bytes as f64 / best / 1e6));
}

#[expect(clippy::print_stdout, reason = "what it is for")]
fn print_line(line: &str) {
    println!("{line}");
}

fn main() {
    let megabytes = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(32usize);
    let bytes = megabytes << 20;
    let words = ["user", "session", "2026-11-21", "{\"id\":", "null", "true,", "name\":\"", "0.25"];
    let mut rng = stdx::rng::Rng::new(1);
    let mut text = Vec::with_capacity(bytes);
    while text.len() < bytes {
        text.extend_from_slice(words[rng.index(words.len())].as_bytes());
    }
    measure("CRC-64", bytes, || assert_ne!(crc64::update(0, &text), 1));
    let mut compressor = lzf::Compressor::default();
    for piece in [200, 4096, 1 << 20] {
        let mut packed = Vec::new();
        measure(&format!("LZF of {piece} bytes"), bytes, || {
            packed.clear();
            for one in text.chunks(piece) {
                compressor.compress(one, 4, &mut packed);
            }
        });
        print_line(&format!("  to {:.0} %", packed.len() as f64 / bytes as f64 * 100.0));
    }
    let mut packed = Vec::new();
    let mut out = Vec::new();
    if compressor.compress(&text, 4, &mut packed) {
        measure("LZF expanded", bytes, || {
            out.clear();
            assert_eq!(lzf::decompress(&packed, text.len(), &mut out), Ok(()));
        });
    }
    let mut writer = Writer::new().without_compression();
    text.chunks(16).for_each(|one| writer.string(one));
    let file = writer.into_bytes();
    measure("strings of 16 bytes, read", bytes, || {
        let mut reader = Reader::new(&file);
        let mut len = 0;
        while let Ok(one) = reader.string() {
            len += one.len();
        }
        assert!(len >= bytes && reader.checksum().is_some());
    });
}
