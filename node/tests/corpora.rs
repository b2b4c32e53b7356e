//! The corpora of the fuzz targets, played through the same functions: what was once found stays
//! found.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;
use std::path::Path;

#[path = "../fuzz/trials.rs"]
mod trials;

fn play(target: &str, trial: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut played = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        // What stands in a corpus is a begin: each cut of it, and each of its bits turned.
        trial(&bytes);
        for at in 0..bytes.len() {
            trial(&bytes[..at]);
            let mut turned = bytes.clone();
            for bit in 0..8 {
                turned[at] = bytes[at] ^ (1 << bit);
                trial(&turned);
            }
        }
        played += 1;
    }
    assert!(5 <= played, "{played} in the corpus of {target}");
}

#[test]
fn frames() {
    play("frames", trials::frames);
}

#[test]
fn packets() {
    play("packets", trials::packets);
}

#[test]
fn envelopes() {
    play("envelopes", trials::envelopes);
}

#[test]
fn dialects() {
    play("dialects", trials::dialects);
}
