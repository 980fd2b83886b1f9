//! One second of a space on a node.

use hustings_control::gate::Mode;
use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_control::spaces::Phase;

use super::knocks::{Behaviour, Knocks, People, Spread};
use super::parts;

parts! {
    /// One second of a space at one node.
    pub struct SpaceRow {
        /// milliseconds since 1970 by the wall's clock, at the end of the second: that of the node's row
        pub at: UnixMillis,
        /// milliseconds since the node's start by the machine's clock: that of the node's row
        pub up_ms: u64,
        /// the space's id
        pub space: Option<SpaceId>,
        /// phase: `posted`, `open`, `live`, `ended`, `cancelled`
        pub phase: Option<Phase>,
        /// knocks at its door
        pub knocks: Knocks,
        /// spread of its knocks
        pub spread: Spread,
        /// those inside, waiting, come and gone
        pub people: People,
        /// how they behave
        pub behaviour: Behaviour,
        /// mode of its door: `calm`, `busy`, `storm`
        pub mode: Mode,
        /// the door is paused by an operator
        pub paused: bool,
        /// listeners at most by the operator's limit; 0: none is set
        pub limit: u32,
        /// seats that are always this space's
        pub guaranteed: u32,
        /// places given out since the door opened
        pub issued: u64,
        /// places called since the door opened
        pub called: u64,
        /// hashes that a puzzle asks for on average; 0: none is asked
        pub puzzle_tries: u32,
        /// its stage
        pub stage: Stage,
    }

    /// Who speaks, and whether anything is heard.
    pub struct Stage {
        /// a stage runs
        pub running: bool,
        /// times that the stage was started again after a panic
        pub restarts: u32,
        /// speakers seated
        pub seated: u32,
        /// speakers whose connection is lost and whose seat is kept
        pub lost: u32,
        /// speakers muted
        pub muted: u32,
        /// speakers whose microphone gives digital silence
        pub zeros: u32,
        /// lamps of the loudest speaker, 0 (nothing) to 9 (-17 dB and above)
        pub loudest: u8,
        /// milliseconds of dead air: live, and nobody heard; 0 while somebody is
        pub silent_ms: u32,
        /// hold music or an announcement is heard in place of speakers
        pub music: bool,
        /// pages pushed to listeners (10 a second in each container when all is well)
        pub pages_pushed: u32,
        /// seconds of the recording that the disk has not taken
        pub recording_behind_s: u32,
        /// the disk takes no recording
        pub recording_trouble: bool,
    }
}
