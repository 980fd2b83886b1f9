//! What is being served, as the caches between the node and those who wait tell it.

use hustings_control::gate::{Door, KeyRing, Times, serving_json};
use serde::Deserialize;

/// `serving.json` as caches hold it: made once a second, when somebody asks.
#[derive(Debug, Default)]
pub(crate) struct Board {
    second: Option<u32>,
    seen: Serving,
    /// Times that it was made, and times that somebody read it.
    pub(crate) made: u64,
    pub(crate) read: u64,
    pub(crate) bytes: u64,
}

/// What the page takes from it.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Serving {
    pub(crate) called: u64,
    pub(crate) pace: Option<(f64, f64)>,
    pub(crate) draw_ms: Option<u32>,
}

impl Board {
    pub(crate) fn read(
        &mut self,
        door: &Door,
        keys: &KeyRing,
        times: Times,
        second: u32,
    ) -> Serving {
        self.read += 1;
        if self.second != Some(second) {
            let bytes = serving_json(door, keys, times, "");
            self.bytes += bytes.len() as u64;
            self.seen = serde_json::from_slice(&bytes).unwrap_or_default();
            self.second = Some(second);
            self.made += 1;
        }
        self.seen
    }
}
