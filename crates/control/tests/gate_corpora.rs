//! The corpora of the fuzz targets, run as ordinary tests: what fuzzing has found stays found.

#[path = "../../../fuzz/properties/gate.rs"]
mod ways;

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = format!("{}/../../fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(folder).unwrap();
    let mut all: Vec<_> = files.map(|file| read(&file.unwrap().path())).collect();
    assert!(!all.is_empty(), "{name}");
    all.sort();
    all
}

#[expect(clippy::disallowed_methods, reason = "the corpus is in files")]
fn read(path: &std::path::Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[test]
fn no_bytes_enter_or_panic() {
    corpus("knock").iter().for_each(|data| ways::knock(data));
}

#[test]
fn no_changed_puzzle_enters_or_panics() {
    corpus("puzzle").iter().for_each(|data| ways::puzzle(data));
}

#[test]
fn no_snapshot_panics() {
    for data in corpus("snapshot") {
        ways::snapshot(
            &data,
            serde_json::from_slice(&data).ok(),
            serde_json::from_slice(&data).ok(),
        );
    }
}
