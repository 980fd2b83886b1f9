//! The fuzzers' corpora as ordinary tests: each input once, by the same properties.

use std::path::Path;

#[path = "../../../fuzz/properties/forwarded.rs"]
mod forwarded;
#[path = "../../../fuzz/properties/head.rs"]
mod head;
#[path = "../../../fuzz/properties/proxy_header.rs"]
mod proxy_header;
#[path = "../../../fuzz/properties/sdp.rs"]
mod sdp;
#[path = "../../../fuzz/properties/shield_message.rs"]
mod shield_message;

/// Also each input's beginnings, and with each byte changed: a small step beyond the corpus at no cost.
fn run(name: &str, check: fn(&[u8])) {
    run_some(name, check, 1);
}

/// The same at every so many bytes only, where a look at one input costs more.
fn run_some(name: &str, check: fn(&[u8]), every: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(name);
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("a corpus") {
        let path = entry.expect("an entry").path();
        let input = std::fs::read(&path).expect("an input");
        println!("{}", path.display());
        check(&input);
        for at in (0..input.len()).step_by(every) {
            check(&input[..at]);
            for change in [0x01, 0x20, 0x80, 0xff] {
                let mut changed = input.clone();
                changed[at] ^= change;
                check(&changed);
            }
        }
        seen += 1;
    }
    assert!(seen > 10, "only {seen} inputs in the corpus of {name}");
}

#[test]
fn proxy_headers() {
    run("proxy_header", proxy_header::check);
}

#[test]
fn forwarded_addresses() {
    run("forwarded", forwarded::check);
}

#[test]
fn messages_to_the_shield() {
    run("shield_message", shield_message::check);
}

#[test]
fn heads_of_requests() {
    run("head", head::check);
}

#[test]
fn offers_and_fragments() {
    run_some("sdp", sdp::check, 11);
}
