//! Go or no-go before an event: each line says what was seen, what is needed, and what to do. `lines` is pure; `look` finds
//! out what there is, within a few seconds. The API, the board and `hustings preflight` show the same.

mod clock;
mod event;
mod lines;
mod look;

use hustings_control::ids::{SpaceId, UnixMillis};
use serde::Serialize;
use utoipa::ToSchema;

pub use self::lines::Seen;
use crate::api::App;

/// People who are expected when nobody says how many.
pub const EXPECT_DEFAULT: u32 = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Go,
    NoGo,
    /// It could not be seen; it does not stop anybody, but somebody must know.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Line {
    /// A stable word.
    pub name: &'static str,
    pub verdict: Verdict,
    pub seen: String,
    pub needed: String,
    /// Empty when nothing is to be done.
    pub todo: String,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Preflight {
    /// True when no line is a no-go.
    pub go: bool,
    /// Unix milliseconds.
    pub at: u64,
    #[schema(value_type = Option<String>)]
    pub space: Option<SpaceId>,
    /// People expected at once.
    pub expect: u32,
    pub lines: Vec<Line>,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub space: Option<SpaceId>,
    pub expect: u32,
    /// Go without a rehearsal.
    pub without_rehearsal: bool,
}

/// Looks at everything, some seconds at most.
pub async fn run(app: &App, wanted: &Wanted) -> Preflight {
    let seen = look::look(app, wanted).await;
    let lines = lines::judge(&seen, wanted);
    Preflight {
        go: lines.iter().all(|line| line.verdict != Verdict::NoGo),
        at: now(app).0,
        space: wanted.space.clone(),
        expect: wanted.expect,
        lines,
    }
}

fn now(app: &App) -> UnixMillis {
    app.clock.wall()
}
