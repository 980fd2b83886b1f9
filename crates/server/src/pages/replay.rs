//! The recording: its player with a waveform, and the file itself with ranges.

use std::collections::BTreeMap;
use std::io::SeekFrom;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hustings_control::ids::UnixMillis;
use hustings_control::numbers::Number;
use hustings_control::spaces::Space;
use maud::{Markup, html};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::frame::icon;
use super::range::{Wanted, parse_range};
use super::words::{As, duration, moment, number, position};
use super::{home, parts, space};
use crate::api::App;

/// Bars of the waveform. More could not be told apart on a wide screen.
const BARS: usize = 180;
/// Waveforms kept in memory, about 1 kB each; at the bound all are dropped and read again when asked for.
const WAVES_MAX: usize = 256;
/// Bytes read from the file at once.
const CHUNK: usize = 64 * 1024;

pub(super) async fn page(State(app): State<App>, Path(id): Path<String>) -> Response {
    match app.directory.by_text(&id) {
        Some(handle) => space::show(&app, &handle).await,
        None => home::lost(&app, "There is no space under this link."),
    }
}

pub(super) async fn player(app: &App, space: &Space, peak: u64, now: UnixMillis) -> Markup {
    let Some((object, millis)) = parts::replay_of(space) else {
        return html! {};
    };
    let bars = bars(&waveform(app, object).await);
    let file = format!("/s/{}/replay.ogg", space.id);
    let at = space.live_at.or(space.ended_at).unwrap_or(space.created_at);
    html! {
        div class="stack loose" id="replay" data-ms=(millis) data-src=(file) {
            div class="stack tight" {
                h1 { (space.title) }
                div class="state soft" {
                    span { "Recorded " (moment(at, As::Date, now)) }
                    span { (duration(millis)) }
                    @if peak > 0 {
                        details class="def" {
                            summary { bdi class="n" { (number(peak)) } " heard it live at the peak" }
                            p { (parts::means(Number::Peak)) " Listening now: " (parts::means(Number::Listening)) }
                        }
                    }
                }
                @for line in space.description.lines().filter(|line| !line.trim().is_empty()).take(12) { p class="stand" { (line) } }
            }
            noscript { audio controls preload="none" src=(file) {} }
            section class="score" aria-label="Player" id="player" hidden {
                div class="transport" {
                    button class="go" id="go" type="button" aria-label="Play" { (icon("play")) }
                    p class="small soft" { span class="at" id="at" { "0:00" } "of " (position(millis)) }
                }
                div {
                    div class="wave" {
                        svg viewBox={ "0 0 " (BARS * 6) " 100" } preserveAspectRatio="none" aria-hidden="true" focusable="false" {
                            clipPath id="played" { rect id="played-rect" x="0" y="0" width="0" height="100" {} }
                            path class="unheard" d=(bars) {}
                            path class="heard" clip-path="url(#played)" d=(bars) {}
                            rect class="playhead" id="playhead" x="0" y="0" width="3" height="100" {}
                        }
                        div class="plank" {}
                        input type="range" id="seek" min="0" max=(millis.div_ceil(1_000)) value="0" step="1" aria-label="Position" aria-valuetext={ "0:00 of " (position(millis)) };
                    }
                    div class="ticks" aria-hidden="true" { @for quarter in 0..=4u64 { span { (position(millis * quarter / 4)) } } }
                }
                div class="btns more" {
                    button class="btn" type="button" data-skip="-15" { "15 s back" }
                    button class="btn" type="button" data-skip="30" { "30 s on" }
                    label class="field" { span class="vh" { "Speed" } select id="speed" {
                        option value="1" { "1 × speed" } option value="1.25" { "1.25 ×" } option value="1.5" { "1.5 ×" } option value="2" { "2 ×" } } }
                    label class="field volume" { span { "Volume" } input type="range" id="volume" min="0" max="100" value="100" step="5"; }
                    a class="btn" href=(file) download={ (space.id) ".ogg" } { (icon("save")) "Download" }
                    button class="btn" type="button" id="link-here" { (icon("link")) span { "Link to 0:00" } }
                }
            }
            p class="small soft" { "The recording stays under this link. " a href="/" { "What is on now" } }
        }
    }
}

/// Peaks as one SVG path of bars that stand on the plank.
fn bars(peaks: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut path = String::new();
    for bar in 0..BARS {
        let from = bar * peaks.len() / BARS;
        let to = ((bar + 1) * peaks.len() / BARS)
            .max(from + 1)
            .min(peaks.len());
        let peak = peaks
            .get(from..to)
            .and_then(|part| part.iter().max())
            .copied()
            .unwrap_or(0);
        let height = 3.0 + f32::from(peak) * 92.0 / 255.0;
        let _ = write!(path, "M{} 100v-{height:.1}h4v{height:.1}z", bar * 6);
    }
    path
}

async fn waveform(app: &App, object: &str) -> Arc<[u8]> {
    static WAVES: LazyLock<Mutex<BTreeMap<String, Arc<[u8]>>>> = LazyLock::new(Mutex::default);
    let known = WAVES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(object)
        .cloned();
    if let Some(wave) = known {
        return wave;
    }
    let (archive, name) = (app.archive.clone(), object.to_owned());
    let read = tokio::task::spawn_blocking(move || archive.waveform(&name)).await;
    let Ok(Ok(peaks)) = read else {
        return Arc::from([]);
    };
    let wave: Arc<[u8]> = peaks.into();
    let mut waves = WAVES.lock().unwrap_or_else(PoisonError::into_inner);
    if waves.len() >= WAVES_MAX {
        waves.clear();
    }
    waves.insert(object.to_owned(), Arc::clone(&wave));
    wave
}

pub(super) async fn file(
    State(app): State<App>,
    Path(id): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let Some(handle) = app.directory.by_text(&id) else {
        return missing("There is no space under this link.\n");
    };
    let snapshot = handle.snapshot.load_full();
    let Some((object, _)) = parts::replay_of(&snapshot) else {
        return missing("There is no recording of this space.\n");
    };
    let Ok((path, length)) = app.archive.file(object) else {
        return missing("The recording cannot be found now.\n");
    };
    let tag = format!(
        "\"{}-{length}\"",
        &blake3::hash(object.as_bytes()).to_hex()[..16]
    );
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if text(header::IF_NONE_MATCH).is_some_and(|tags| names(tags, &tag)) {
        let mut map = heads(&tag, 0);
        map.remove(header::CONTENT_LENGTH);
        return (StatusCode::NOT_MODIFIED, map).into_response();
    }
    let same = text(header::IF_RANGE).is_none_or(|asked| asked.trim() == tag);
    let wanted = text(header::RANGE)
        .filter(|_| same)
        .map_or(Wanted::All, |range| parse_range(range, length));
    let (status, first, count) = match wanted {
        Wanted::All => (StatusCode::OK, 0, length),
        Wanted::Part(first, last) => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
        Wanted::Nothing => {
            let mut map = heads(&tag, 0);
            content_range(&mut map, &format!("*/{length}"));
            return (StatusCode::RANGE_NOT_SATISFIABLE, map).into_response();
        }
    };
    let mut map = heads(&tag, count);
    if status == StatusCode::PARTIAL_CONTENT {
        content_range(&mut map, &format!("{first}-{}/{length}", first + count - 1));
    }
    let Ok(mut file) = tokio::fs::File::open(path).await else {
        return missing("The recording cannot be read now.\n");
    };
    if first == 0 && method == Method::GET {
        handle.counts.plays.fetch_add(1, Relaxed);
    }
    if first > 0 && file.seek(SeekFrom::Start(first)).await.is_err() {
        return missing("The recording cannot be read now.\n");
    }
    (
        status,
        map,
        Body::from_stream(ReaderStream::with_capacity(file.take(count), CHUNK)),
    )
        .into_response()
}

/// What every answer about a file says of it.
fn heads(tag: &str, length: u64) -> HeaderMap {
    let mut map = HeaderMap::new();
    let mut say = |name, value| {
        map.insert(name, HeaderValue::from_static(value));
    };
    say(header::CONTENT_TYPE, "audio/ogg; codecs=opus");
    say(header::ACCEPT_RANGES, "bytes");
    // The host may delete it: kept for an hour, not for ever.
    say(header::CACHE_CONTROL, "public, max-age=3600");
    say(
        HeaderName::from_static("cross-origin-resource-policy"),
        "cross-origin",
    );
    map.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    // A tag is hexadecimal: it always fits.
    if let Ok(tag) = HeaderValue::from_str(tag) {
        map.insert(header::ETAG, tag);
    }
    map
}

fn content_range(map: &mut HeaderMap, range: &str) {
    // Numbers only: it always fits.
    if let Ok(value) = HeaderValue::from_str(&format!("bytes {range}")) {
        map.insert(header::CONTENT_RANGE, value);
    }
}

/// Whether the tags of an `If-None-Match` hold this one (RFC 9110, 13.1.2: compared weakly).
fn names(tags: &str, tag: &str) -> bool {
    let mut each = tags.split(',').map(str::trim);
    tags == "*" || each.any(|each| each.trim_start_matches("W/") == tag)
}

fn missing(sentence: &'static str) -> Response {
    (
        StatusCode::NOT_FOUND,
        [(header::CACHE_CONTROL, "public, max-age=2")],
        sentence,
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waveform_stands_for_any_number_of_peaks() {
        for peaks in [
            vec![],
            vec![255],
            vec![0; 7],
            (0..=255).cycle().take(1_000).collect(),
        ] {
            let path = bars(&peaks);
            assert_eq!(path.matches('M').count(), BARS);
        }
        assert!(bars(&[255; 10]).contains("v-95.0"));
    }
}
