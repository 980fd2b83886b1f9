//! One look at a space as it stands now, for those who tell of it: the status page, the board, the alarms. It asks nobody
//! and waits for nobody.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use hustings_control::gate::Mode;
use hustings_control::spaces::{Phase, Space};

use crate::live::SpaceHandle;
use crate::usher::{DoorWish, Entrance};

pub struct Glance {
    pub space: Arc<Space>,
    /// See `Counts::listening`, `Counts::peak`.
    pub listening: u64,
    pub peak: u64,
    pub stage: OnStage,
    /// None when the space is over, and for the moment before its door is open.
    pub door: Option<DoorNow>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DoorNow {
    pub mode: Mode,
    /// Seats taken, those held for tickets included.
    pub inside: u32,
    /// Places given out and not called yet. Who has gone away is among them until then.
    pub waiting: u64,
    pub wish: DoorWish,
}

/// What the running stage says in its roster.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct OnStage {
    pub host_lost: bool,
    pub dead_air: bool,
    pub music: bool,
    pub recording: bool,
    pub cadence_ms: u64,
    pub people: Vec<Seated>,
}

#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
#[serde(default)]
pub struct Seated {
    pub name: String,
    pub role: String,
    /// 0 to 9.
    pub level: u8,
    pub muted: bool,
    pub lost: bool,
    pub reason: String,
}

impl Glance {
    pub fn of(handle: &SpaceHandle, entrance: &Entrance) -> Self {
        let space = handle.snapshot.load_full();
        let runs = matches!(space.phase, Phase::Open | Phase::Live);
        let stage = if runs {
            serde_json::from_slice(&handle.state_json.load()).unwrap_or_default()
        } else {
            OnStage::default()
        };
        let door = handle.door.load();
        let door = door.as_ref().map(|door| {
            let (issued, called) = door.line();
            DoorNow {
                mode: door.mode(),
                inside: door.inside(),
                waiting: issued.saturating_sub(called),
                wish: entrance.wish(&handle.id),
            }
        });
        Self {
            space,
            listening: handle.counts.listening(),
            peak: handle.counts.peak.load(Relaxed),
            stage,
            door,
        }
    }

    /// People in line; who came in a calm or busy mode has a place too, but waits for nothing.
    pub fn waiting(&self) -> u64 {
        let storm = self.door.filter(|door| door.mode == Mode::Storm);
        storm.map_or(0, |door| door.waiting)
    }
}
