//! Styles, scripts and icons, embedded in the binary. Names carry a hash of the content, so that they may be kept for ever;
//! modules import each other by these names, which are written into them here, once.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::range::{Wanted, parse_range};

const FOREVER: &str = "public, max-age=31536000, immutable";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! embed {
    ($($name:literal, $path:literal, $kind:expr;)*) => {
        &[$(($name, include_str!(concat!("../../../../web/", $path)), $kind)),*]
    };
}

/// Each after those that it imports.
const FILES: &[(&str, &str, &str)] = embed! {
    "hustings.css", "hustings.css", CSS;
    "app.css", "app.css", CSS;
    "icon.svg", "icon.svg", SVG;
    "util.js", "js/util.js", JS;
    "times.js", "js/times.js", JS;
    "demux.js", "js/demux.js", JS;
    "worker-effort.js", "js/worker-effort.js", JS;
    "door.js", "js/door.js", JS;
    "line.js", "js/line.js", JS;
    "player.js", "js/player.js", JS;
    "roster.js", "js/roster.js", JS;
    "replay.js", "js/replay.js", JS;
    "react.js", "js/react.js", JS;
    "mic.js", "js/mic.js", JS;
    "whip.js", "js/whip.js", JS;
    "speak.js", "js/speak.js", JS;
    "hand.js", "js/hand.js", JS;
    "listen.js", "js/listen.js", JS;
    "home.js", "js/home.js", JS;
    "draft.js", "js/draft.js", JS;
    "plates.js", "js/plates.js", JS;
    "check.js", "js/check.js", JS;
    "stage.js", "js/stage.js", JS;
    "studio.js", "js/studio.js", JS;
    "board.js", "js/board.js", JS;
    "status.js", "js/status.js", JS;
};

/// What is played while somebody waits in line: the bundled hold music, quieter still. Long kept by caches, for in the worst
/// minute everybody asks for it. Made by `music::hold_loop` at half its level, as Opus at 12 kbit/s.
const HOLD: (&str, &[u8], &str) = (
    "hold.ogg",
    include_bytes!("../../../../web/hold.ogg"),
    "audio/ogg; codecs=opus",
);

struct Asset {
    kind: &'static str,
    plain: Bytes,
    gzip: Bytes,
}

struct Assets {
    /// From the plain name to the name with the hash.
    names: BTreeMap<&'static str, String>,
    files: BTreeMap<String, Asset>,
}

static ASSETS: LazyLock<Assets> = LazyLock::new(build);

/// The path of an asset, such as `/assets/hustings.0a1b2c3d4e5f.css`.
pub(super) fn href(name: &str) -> String {
    let hashed = ASSETS.names.get(name).map_or(name, String::as_str);
    format!("/assets/{hashed}")
}

pub(super) async fn serve(Path(name): Path<String>, headers: HeaderMap) -> Response {
    ASSETS.files.get(&name).map_or_else(
        || StatusCode::NOT_FOUND.into_response(),
        |asset| answer(asset, &headers, FOREVER),
    )
}

pub(super) async fn favicon(headers: HeaderMap) -> Response {
    let icon = ASSETS
        .names
        .get("icon.svg")
        .and_then(|name| ASSETS.files.get(name));
    icon.map_or_else(
        || StatusCode::NOT_FOUND.into_response(),
        |asset| answer(asset, &headers, "public, max-age=86400"),
    )
}

fn answer(asset: &Asset, headers: &HeaderMap, keep: &'static str) -> Response {
    let common = [
        (header::CONTENT_TYPE, asset.kind),
        (header::CACHE_CONTROL, keep),
        (header::VARY, "accept-encoding"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    if asset.gzip.is_empty() {
        return sound(asset, common, headers);
    }
    if takes_gzip(headers) {
        (
            common,
            [(header::CONTENT_ENCODING, "gzip")],
            asset.gzip.clone(),
        )
            .into_response()
    } else {
        (common, asset.plain.clone()).into_response()
    }
}

/// Safari plays nothing without ranges.
fn sound(asset: &Asset, common: [(HeaderName, &'static str); 4], headers: &HeaderMap) -> Response {
    let length = asset.plain.len() as u64;
    let ranges = [(header::ACCEPT_RANGES, "bytes")];
    let asked = headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok());
    match asked.map_or(Wanted::All, |range| parse_range(range, length)) {
        Wanted::All => (common, ranges, asset.plain.clone()).into_response(),
        Wanted::Part(first, last) => {
            let range = [(
                header::CONTENT_RANGE,
                format!("bytes {first}-{last}/{length}"),
            )];
            // Both lie within the file, which is in memory.
            let part = asset.plain.slice(first as usize..=last as usize);
            (StatusCode::PARTIAL_CONTENT, common, ranges, range, part).into_response()
        }
        Wanted::Nothing => {
            let range = [(header::CONTENT_RANGE, format!("bytes */{length}"))];
            (StatusCode::RANGE_NOT_SATISFIABLE, common, range).into_response()
        }
    }
}

/// `gzip` named, and not with a quality of zero.
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    accepted.split(',').any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let refused = |part: &str| {
            part.strip_prefix("q=")
                .is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q == 0.0))
        };
        parts.next() == Some("gzip") && !parts.any(refused)
    })
}

fn build() -> Assets {
    let mut names: BTreeMap<&'static str, String> = BTreeMap::new();
    let mut files = BTreeMap::new();
    for (name, text, kind) in FILES {
        let mut text = (*text).to_owned();
        if *kind == JS {
            for (known, hashed) in &names {
                text = text.replace(&format!("\"./{known}\""), &format!("\"./{hashed}\""));
            }
        }
        let hash = blake3::hash(text.as_bytes()).to_hex();
        let (stem, ending) = name.rsplit_once('.').unwrap_or((name, "bin"));
        let hashed = format!("{stem}.{}.{ending}", &hash[..12]);
        let gzip = compress(text.as_bytes());
        files.insert(
            hashed.clone(),
            Asset {
                kind,
                plain: text.into(),
                gzip,
            },
        );
        names.insert(name, hashed);
    }
    let (name, bytes, kind) = HOLD;
    let hashed = format!("hold.{}.ogg", &blake3::hash(bytes).to_hex()[..12]);
    let (plain, gzip) = (Bytes::from_static(bytes), Bytes::new());
    files.insert(hashed.clone(), Asset { kind, plain, gzip });
    names.insert(name, hashed);
    Assets { names, files }
}

pub(super) fn compress(plain: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    // Writing to a vector does not fail.
    let _ = encoder.write_all(plain);
    encoder.finish().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes, compressed: what a listener's page fetches before the sound, but for the page itself.
    const BEFORE_SOUND_MAX: usize = 52_000;

    #[test]
    fn every_import_names_a_file_that_is_served() {
        let assets = build();
        for (name, asset) in assets.files.iter().filter(|(_, asset)| asset.kind == JS) {
            let text = std::str::from_utf8(&asset.plain).unwrap();
            for import in text.split("\"./").skip(1) {
                let target = import.split('"').next().unwrap();
                assert!(assets.files.contains_key(target), "{name} imports {target}");
            }
        }
    }

    #[test]
    fn what_is_fetched_before_the_sound_is_small() {
        let assets = build();
        let before = [
            "hustings.css",
            "app.css",
            "icon.svg",
            "util.js",
            "times.js",
            "demux.js",
            "door.js",
            "player.js",
            "roster.js",
            "listen.js",
            "hand.js",
            "speak.js",
            "mic.js",
            "whip.js",
            "react.js",
        ];
        let size: usize = before
            .iter()
            .map(|name| assets.files[&assets.names[name]].gzip.len())
            .sum();
        assert!(size < BEFORE_SOUND_MAX, "{size} bytes");
    }

    #[test]
    fn the_music_of_the_line_is_the_bundled_loop_in_few_bytes() {
        let file = HOLD.1;
        assert!(file.len() < 40_000, "{} bytes", file.len());
        let heard = hustings_media::music::decode(file).unwrap();
        let meant = hustings_media::music::hold_loop();
        assert!(heard.len().abs_diff(meant.len()) < 4_800, "{}", heard.len());
        // Loudness of each tenth of a second: the codec keeps it, whatever it does to the waves.
        let loud = |pcm: &[f32]| -> Vec<f32> {
            let power = |part: &[f32]| part.iter().map(|x| x * x).sum::<f32>() / 4_800.0;
            pcm.chunks_exact(4_800)
                .map(|part| power(part).sqrt())
                .collect()
        };
        let pairs: Vec<(f32, f32)> = loud(&heard).into_iter().zip(loud(&meant)).collect();
        let near = pairs
            .iter()
            .filter(|(heard, meant)| (heard / meant - 0.5).abs() < 0.15);
        assert!(near.count() * 10 > pairs.len() * 9, "{pairs:?}");
    }

    #[test]
    fn the_music_of_the_line_comes_in_parts_where_asked() {
        let ask = |range: &str| {
            let headers = HeaderMap::from_iter([(header::RANGE, range.parse().unwrap())]);
            answer(&ASSETS.files[&ASSETS.names["hold.ogg"]], &headers, FOREVER)
        };
        let part = ask("bytes=100-199");
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
        let range = part.headers()[header::CONTENT_RANGE].to_str().unwrap();
        assert_eq!(range, format!("bytes 100-199/{}", HOLD.1.len()));
        assert_eq!(part.headers()[header::CACHE_CONTROL], FOREVER);
        assert_eq!(
            ask("bytes=900000-").status(),
            StatusCode::RANGE_NOT_SATISFIABLE
        );
    }

    #[test]
    fn gzip_goes_only_to_those_who_take_it() {
        let takes = |value: &str| {
            takes_gzip(&HeaderMap::from_iter([(
                header::ACCEPT_ENCODING,
                value.parse().unwrap(),
            )]))
        };
        assert!(takes("gzip, deflate, br"));
        assert!(takes("br;q=1.0, gzip;q=0.8"));
        assert!(!takes("br"));
        assert!(!takes("gzip;q=0"));
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
