//! `serving.json`: what a line's waiters need to know, a few hundred bytes, the same for all, cacheable for 1 s.

use std::fmt::Write as _;

use super::door::Door;
use super::keys::KeyRing;
use super::ticket::mac;
use super::verdict::Times;

/// The bytes of `serving.json`; the shell makes them once a second and serves them to everyone (`Cache-Control: max-age=1`).
///
/// `called` and `issued` count places; a waiter whose `position` is at most `called` knocks. `pace` is places a second, slow
/// and quick, or null: then nobody knows how long it takes, and `draw_ms` says whether a draw is still to come; `message`
/// is what the operator tells those who wait (`message_json`, a JSON string), absent when that is empty. `seal` is
/// for other nodes and caches of the same house: the first 16 bytes of the keyed BLAKE3 of everything before `,"seal"`, with
/// the id of the key.
pub fn serving_json(door: &Door, keys: &KeyRing, times: Times, message_json: &str) -> Vec<u8> {
    let (issued, called) = door.line();
    let place = door.line.called_place();
    let mut text = format!(
        r#"{{"v":1,"space":"{}","epoch":{},"at":{},"mode":"{}","called":{called},"issued":{issued},"place":[{},{}],"pace":"#,
        door.space(),
        door.epoch().0,
        times.wall.0,
        door.mode().name(),
        place.bucket,
        place.rank,
    );
    // Writing to a String does not fail.
    let _ = match door.line.pace() {
        Some((slow, quick)) => write!(text, "[{slow:.3},{quick:.3}]"),
        None => write!(text, "null"),
    };
    if let Some(draw) = door.line.draws_in_ms(times.now) {
        let _ = write!(text, r#","draw_ms":{draw}"#);
    }
    if !message_json.is_empty() {
        let _ = write!(text, r#","message":{message_json}"#);
    }
    let key = keys.sealing(times.wall);
    let seal = mac(&key.secret, text.as_bytes());
    let _ = write!(text, r#","seal":"{}:"#, key.id);
    for byte in seal {
        let _ = write!(text, "{byte:02x}");
    }
    text.push_str("\"}");
    text.into_bytes()
}
