//! From a file to a night: its numbers drawn by a seed, its people and seats multiplied.

use super::file::{File, FileAttack, FileCrowd, Spell};
use super::night::{Group, Knocks, Networks, Night, Space, Timed, Trouble, Who};
use super::range::{Number, Sight};
use super::short::{BadScenario, Costs, auto_shards};
use crate::dice::{Dice, mix};
use crate::kind::Kind;
use crate::limits::{KNOCKS_A_BOT, PEOPLE_MAX};
use hustings_control::gate::limits::SEATS_MAX;

/// How a night is drawn from a file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wish {
    pub seed: u64,
    pub sight: Sight,
    /// Multiplies people, seats and files. None: as the scenario says.
    pub scale: Option<f64>,
}

impl File {
    /// The night that this wish makes of the scenario.
    ///
    /// # Errors
    /// When the scale makes more people or seats than can be, or fewer.
    pub fn night(&self, wish: Wish) -> Result<Night, BadScenario> {
        let scale = wish.scale.unwrap_or(self.scale);
        if !(scale.is_finite() && scale > 0.0) {
            return Err(BadScenario::Scale);
        }
        Draw {
            file: self,
            wish,
            scale,
            dice: Dice::new(mix(wish.seed ^ 0xd2a3)),
            millis: 0,
            seats: 0,
        }
        .night()
    }
}

struct Draw<'a> {
    file: &'a File,
    wish: Wish,
    scale: f64,
    dice: Dice,
    millis: u32,
    seats: u32,
}

impl Draw<'_> {
    fn night(mut self) -> Result<Night, BadScenario> {
        let file = self.file;
        self.millis = (self.number(file.minutes) * 60_000.0) as u32;
        let seats = self.number(file.seats) * self.scale;
        if !(20.0..=f64::from(SEATS_MAX)).contains(&seats) {
            return Err(BadScenario::Seats);
        }
        self.seats = seats as u32;
        let files = self.number(file.files) * self.scale;
        let networks = self.number(file.networks);
        let costs = self.costs();
        let spaces = file.space.iter().map(|space| {
            let draw_ms = space.draw_s.map(|draw| self.millis_of(draw));
            let live_ms = space.live_s.map(|live| self.millis_of(live));
            Space {
                id: space.id.clone(),
                draw_ms,
                live_ms: live_ms.or(draw_ms),
                guarantee: space.guarantee.map(|share| self.number(share)),
            }
        });
        let spaces = spaces.collect();
        let mut groups: Vec<_> = file.crowd.iter().map(|crowd| self.crowd(crowd)).collect();
        let listeners = groups.iter().map(|group| f64::from(group.people)).sum();
        for attack in &file.attack {
            groups.push(self.attack(attack, listeners));
        }
        let people: u64 = groups.iter().map(|group| u64::from(group.people)).sum();
        if !(1..=u64::from(PEOPLE_MAX)).contains(&people) {
            return Err(BadScenario::People);
        }
        let mut troubles = self.troubles();
        troubles.retain(|timed| timed.at_ms < self.millis);
        troubles.sort_by_key(|timed| timed.at_ms);
        let shards = match file.shards {
            0 => auto_shards(self.seats, costs),
            shards => shards,
        };
        Ok(Night {
            name: file.name.clone(),
            label: file.label.clone(),
            seed: self.wish.seed,
            sight: self.wish.sight,
            millis: self.millis,
            seats: self.seats,
            shards,
            files: files as u32,
            networks: Networks::of(networks as u32, listeners as u32),
            costs,
            spaces,
            groups,
            troubles,
            by_prefix: false,
        })
    }

    fn number(&mut self, number: Number) -> f64 {
        number.draw(&mut self.dice, self.wish.sight)
    }

    fn millis_of(&mut self, seconds: Number) -> u32 {
        (self.number(seconds) * 1_000.0) as u32
    }

    fn costs(&mut self) -> Costs {
        let (told, default) = (self.file.costs, Costs::default());
        let mut cost = |told: Option<Number>, default: f64| {
            told.map_or(default, |microseconds| self.number(microseconds) * 1_000.0)
        };
        Costs {
            sweep_ns: cost(told.sweep_us, default.sweep_ns),
            second_ns: cost(told.second_us, default.second_ns),
            knock_ns: cost(told.knock_us, default.knock_ns),
        }
    }

    fn space(&self, id: Option<&String>) -> u8 {
        let is = |space: &super::file::FileSpace| id.is_some_and(|id| space.id == *id);
        self.file.space.iter().position(is).unwrap_or(0) as u8
    }

    fn crowd(&mut self, crowd: &FileCrowd) -> Group {
        let space = self.space(crowd.space.as_ref());
        let people = (self.number(crowd.people) * self.scale).round() as u32;
        let from_ms = self.millis_of(crowd.from_s).min(self.millis);
        let over = crowd.over_s.map(|over| self.millis_of(over));
        let mix: Vec<_> = crowd
            .mix
            .iter()
            .map(|(kind, weight)| (*kind, self.number(*weight)))
            .collect();
        let who = match (space, mix.is_empty()) {
            (0, true) => Who::Mix(Kind::mix()),
            (0, false) => Who::Mix(mix),
            _ => Who::All(Kind::Beside),
        };
        Group {
            who,
            people,
            space,
            curve: crowd.curve.points().to_vec(),
            from_ms,
            over_ms: over.unwrap_or(u32::MAX).min(self.millis - from_ms),
            stay_ms: self.number(crowd.stay_minutes) * 60_000.0,
            impatient: self.number(crowd.impatient),
            patience_ms: self.millis.min(480_000) / 4,
            knocks: None,
            networks: 0,
            among_the_crowd: false,
        }
    }

    fn attack(&mut self, attack: &FileAttack, listeners: f64) -> Group {
        let kind = attack.kind;
        let people = kind.attackers(listeners * self.number(attack.factor));
        let from_ms = self.millis_of(attack.from_s).min(self.millis);
        let lasts = attack.for_s.map(|lasts| self.millis_of(lasts));
        let lasts_ms = lasts.unwrap_or(u32::MAX).min(self.millis - from_ms).max(1);
        // Machines are switched on one after another within a tenth of the time; people come all the time.
        let over_ms = if kind.only_knocks() {
            lasts_ms / 10
        } else {
            lasts_ms
        };
        Group {
            who: Who::All(kind),
            people,
            space: self.space(attack.space.as_ref()),
            curve: vec![(1.0, 1.0)],
            from_ms,
            over_ms,
            stay_ms: attack
                .stay_minutes
                .map_or(f64::from(self.millis), |stay| self.number(stay) * 60_000.0),
            impatient: 0.0,
            patience_ms: self.millis,
            knocks: kind.only_knocks().then_some(Knocks {
                every_ms: (lasts_ms / KNOCKS_A_BOT).max(1),
                until_ms: from_ms + lasts_ms,
            }),
            networks: self.number(attack.networks) as u32,
            among_the_crowd: attack.from_the_crowds_networks,
        }
    }

    fn troubles(&mut self) -> Vec<Timed> {
        let told = &self.file.trouble;
        let mut all = Vec::new();
        for each in &told.connections_lost {
            let (at_ms, share) = (self.millis_of(each.at_s), self.number(each.share));
            all.push(timed(at_ms, Trouble::ConnectionsLost { share }));
        }
        self.downs(&mut all);
        for each in &told.limit_changed {
            let space = self.space(each.space.as_ref());
            let seats = Some(self.share_of_seats(each.seats_share));
            let spell = Spell {
                at_s: each.at_s,
                for_s: each.for_s,
            };
            let of = |on: bool| Trouble::Limit {
                space,
                seats: seats.filter(|_| on),
            };
            self.spells(&[spell], of, &mut all);
        }
        let expired = |expired| Trouble::Certificate { expired };
        self.spells(&told.certificate_expired, expired, &mut all);
        self.spells(&told.disk_full, |full| Trouble::Disk { full }, &mut all);
        let gone = |gone| Trouble::Database { gone };
        self.spells(&told.database_gone, gone, &mut all);
        let lost = |lost| Trouble::Speaker { lost };
        self.spells(&told.speaker_lost, lost, &mut all);
        let muted = |muted| Trouble::Muted { muted };
        self.spells(&told.speaker_muted, muted, &mut all);
        for each in &told.rows_lost {
            let share = self.number(each.share);
            let spell = Spell {
                at_s: each.at_s,
                for_s: each.for_s,
            };
            let of = |on: bool| Trouble::RowsLost {
                share: if on { share } else { 0.0 },
            };
            self.spells(&[spell], of, &mut all);
        }
        for each in &told.leave {
            let (at_ms, share) = (self.millis_of(each.at_s), self.number(each.share));
            let over_ms = self.millis_of(each.over_s);
            all.push(timed(at_ms, Trouble::Leave { share, over_ms }));
        }
        for each in &told.clock_step {
            let at_ms = self.millis_of(each.at_s);
            let by_ms = (self.number(each.off_s) * 1_000.0) as i64;
            all.push(timed(at_ms, Trouble::ClockOff { by_ms }));
        }
        all
    }

    /// The node goes down and comes back, as it was or with other seats.
    fn downs(&mut self, all: &mut Vec<Timed>) {
        let told = &self.file.trouble;
        for each in &told.node_restart {
            let (at_ms, down_ms) = (self.millis_of(each.at_s), self.millis_of(each.down_s));
            let (seats, deploy) = (self.seats, false);
            let down = Trouble::NodeDown {
                down_ms,
                seats,
                deploy,
            };
            all.push(timed(at_ms, down));
        }
        for each in &told.deploy {
            let (at_ms, down_ms) = (self.millis_of(each.at_s), self.millis_of(each.down_s));
            let seats = self.share_of_seats(each.seats_share).max(1);
            let deploy = true;
            let down = Trouble::NodeDown {
                down_ms,
                seats,
                deploy,
            };
            all.push(timed(at_ms, down));
        }
    }

    fn share_of_seats(&mut self, share: Number) -> u32 {
        (self.number(share) * f64::from(self.seats)) as u32
    }

    fn spells(&mut self, spells: &[Spell], of: impl Fn(bool) -> Trouble, all: &mut Vec<Timed>) {
        for each in spells {
            let at_ms = self.millis_of(each.at_s);
            let lasts = each.for_s.map(|lasts| self.millis_of(lasts));
            all.push(timed(at_ms, of(true)));
            all.extend(lasts.map(|lasts| timed(at_ms + lasts, of(false))));
        }
    }
}

fn timed(at_ms: u32, trouble: Trouble) -> Timed {
    Timed { at_ms, trouble }
}

impl Networks {
    /// 0: one for eight people.
    pub(crate) fn of(number: u32, listeners: u32) -> Self {
        let auto = (listeners / 8).clamp(16, 4_000_000);
        Self {
            number: if number == 0 { auto } else { number },
            alike: number > 0,
        }
    }
}
