//! What the virtual node writes down between its rows: changes, restarts, failures, as the real one would.

use hustings_control::gate::{LadderEvent, ModeEvent, ModeOf};
use hustings_control::ids::SpaceId;
use hustings_evidence::row::{Happening, What, Who};

use crate::recorder::Recorder;
use crate::rows::{DEAD_AIR_MS, SPEAKERS};
use crate::scenario::Trouble;
use crate::world::World;

impl World<'_> {
    /// At the beginning, and after each restart.
    pub(crate) fn tell_start(&mut self, changed: Option<(u32, u32)>, was_killed: bool) {
        let ms = self.ms();
        let before = match &mut self.recorder {
            Some(recorder) => std::mem::replace(&mut recorder.began_ms, ms),
            None => return,
        };
        if was_killed {
            let number = i64::from(ms.saturating_sub(before) % 1_000);
            self.tell(What::NodeWasKilled, |it| it.number = number);
        }
        self.tell(What::NodeStarted, |it| {
            it.after = env!("CARGO_PKG_VERSION").into();
        });
        if let Some((before, after)) = changed {
            self.tell(What::ConfigChanged, |it| {
                it.who = Who::Operator;
                it.name = "seats".into();
                it.before = before.to_string().as_str().into();
                it.after = after.to_string().as_str().into();
            });
        }
    }

    /// A trouble, as far as the node knows of it.
    pub(crate) fn tell_trouble(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::Limit { space, seats } => self.tell_limit(space, seats),
            Trouble::Certificate { expired: true } => self.tell(What::CertificateExpired, |_| {}),
            Trouble::Certificate { expired: false } => {
                self.tell(What::CertificateLoaded, |it| it.number = 90 * 86_400);
            }
            Trouble::Disk { full: true } => self.tell(What::DiskFull, |_| {}),
            Trouble::Disk { full: false } => self.tell(What::DiskBack, |_| {}),
            Trouble::Database { gone: true } => self.tell(What::DatabaseGone, |_| {}),
            Trouble::Database { gone: false } => self.tell(What::DatabaseBack, |_| {}),
            Trouble::Speaker { lost } => {
                let (each, all) = if lost {
                    (What::SpeakerLost, What::StageEmpty)
                } else {
                    (What::SpeakerBack, What::StageTaken)
                };
                for _ in 0..SPEAKERS {
                    self.tell_of_first(each);
                }
                self.tell_of_first(all);
            }
            Trouble::ConnectionsLost { .. }
            | Trouble::NodeDown { .. }
            | Trouble::Muted { .. }
            | Trouble::RowsLost { .. }
            | Trouble::Leave { .. }
            | Trouble::ClockOff { .. } => {}
        }
    }

    fn tell_limit(&mut self, space: u8, seats: Option<u32>) {
        let space = usize::from(space);
        let before = self.reach.limits[space];
        let words = |limit: Option<u32>| limit.map_or("none".to_owned(), |it| it.to_string());
        let id = self.space_id(space);
        self.tell(What::LimitChanged, |it| {
            (it.who, it.space) = (Who::Operator, id);
            it.name = "limit".into();
            it.before = words(before).as_str().into();
            it.after = words(seats).as_str().into();
        });
    }

    pub(crate) fn tell_mode(&mut self, mode: &ModeEvent) {
        let space = match &mode.of {
            ModeOf::Space(space) => Some(space.clone()),
            ModeOf::Shard(_) => None,
        };
        self.tell(What::Mode, |it| {
            (it.at, it.space) = (mode.at, space);
            it.name = resource(mode.because).into();
            it.before = mode.from.name().into();
            it.after = mode.to.name().into();
        });
    }

    pub(crate) fn tell_ladder(&mut self, step: &LadderEvent) {
        let words = |step| format!("{step:?}").to_lowercase();
        self.tell(What::Ladder, |it| {
            it.at = step.at;
            it.name = resource(step.because).into();
            it.before = words(step.from).as_str().into();
            it.after = words(step.to).as_str().into();
            it.number = step.permille.into();
        });
    }

    /// Spaces that have gone live within this second.
    pub(crate) fn go_live(&self, recorder: &mut Recorder) {
        for space in 0..self.node.doors.len() {
            let live = self.is_live(space);
            if live && !std::mem::replace(&mut recorder.live[space], true) {
                let mut happening = self.happening(What::SpaceLive, recorder, false);
                happening.space = self.space_id(space);
                recorder.happenings.push(happening);
            }
        }
    }

    /// Whether anybody is heard, and dead air once nobody was for long.
    pub(crate) fn hear(&mut self, recorder: &mut Recorder) {
        let ms = self.ms();
        let silent = self.is_live(0) && (self.reach.speaker_lost || self.reach.muted);
        let told = std::mem::replace(&mut recorder.dead_air, false);
        if !silent {
            recorder.silent_since = None;
            if told {
                recorder
                    .happenings
                    .push(self.happening(What::DeadAirOver, recorder, true));
            }
            return;
        }
        let since = *recorder.silent_since.get_or_insert(ms);
        recorder.dead_air = told || ms - since >= DEAD_AIR_MS;
        if recorder.dead_air && !told {
            recorder
                .happenings
                .push(self.happening(What::DeadAir, recorder, true));
        }
    }

    fn happening(&self, what: What, recorder: &Recorder, of_first: bool) -> Happening {
        Happening {
            at: self.times().wall,
            up_ms: u64::from(self.ms() - recorder.began_ms),
            what,
            space: self.space_id(0).filter(|_| of_first),
            ..Happening::default()
        }
    }

    fn space_id(&self, space: usize) -> Option<SpaceId> {
        self.node.doors.get(space).map(|door| door.space().clone())
    }

    pub(crate) fn tell_of_first(&mut self, what: What) {
        let id = self.space_id(0);
        self.tell(what, |it| it.space = id);
    }

    pub(crate) fn tell(&mut self, what: What, more: impl FnOnce(&mut Happening)) {
        let Some(recorder) = &self.recorder else {
            return;
        };
        let mut happening = self.happening(what, recorder, false);
        more(&mut happening);
        if let Some(recorder) = &mut self.recorder {
            recorder.happenings.push(happening);
        }
    }
}

fn resource(resource: hustings_control::gate::Resource) -> &'static str {
    use hustings_control::gate::Resource;
    match resource {
        Resource::Cpu => "cpu",
        Resource::Memory => "memory",
        Resource::Files => "files",
        Resource::Uplink => "uplink",
        Resource::Seats => "seats",
    }
}
