//! Whether the numbers of a file make sense, before anything is drawn from them.

use hustings_control::gate::limits::{SEATS_MAX, SHARDS_MAX};
use hustings_control::ids::SpaceId;

use super::file::{File, FileCosts, FileTroubles};
use super::range::Number;
use crate::kind::Kind;
use crate::limits::{ACTIONS_MAX, GROUPS_MAX, MINUTES_MAX, PEOPLE_MAX, SPACES_MAX};

pub(super) struct Fault {
    pub(super) key: String,
    pub(super) why: String,
}

type Checked = Result<(), Fault>;

fn fault(key: impl Into<String>, why: impl Into<String>) -> Checked {
    Err(Fault {
        key: key.into(),
        why: why.into(),
    })
}

/// Whether all that can be drawn lies between the two, both allowed.
fn between(key: impl Into<String>, number: Number, least: f64, most: f64) -> Checked {
    if number.ends().iter().all(|end| (least..=most).contains(end)) {
        return Ok(());
    }
    fault(key, format!("this lies between {least} and {most}"))
}

pub(super) fn check(file: &File) -> Checked {
    if SpaceId::parse(&file.name).is_err() {
        return fault("name", "a name has 3 to 64 characters of a-z, 0-9 and '-'");
    }
    if file.label.is_empty() || file.label.len() > GROUPS_MAX {
        return fault("label", "one label at least, and a few at most");
    }
    if !(file.scale.is_finite() && file.scale > 0.0) {
        return fault("scale", "the scale is a number above 0");
    }
    between("minutes", file.minutes, 0.1, f64::from(MINUTES_MAX))?;
    let seats = Number::scaled(file.seats, file.scale);
    between("seats", seats, 20.0, f64::from(SEATS_MAX))?;
    between("files", file.files, 0.0, 100.0 * f64::from(SEATS_MAX))?;
    between("networks", file.networks, 0.0, 4e6)?;
    if file.shards > SHARDS_MAX {
        return fault("shards", format!("there are {SHARDS_MAX} shards at most"));
    }
    costs(&file.costs)?;
    spaces(file)?;
    crowds(file)?;
    attacks(file)?;
    troubles(file)
}

fn costs(costs: &FileCosts) -> Checked {
    for (key, cost) in [
        ("costs.sweep_us", costs.sweep_us),
        ("costs.second_us", costs.second_us),
        ("costs.knock_us", costs.knock_us),
    ] {
        if let Some(cost) = cost {
            between(key, cost, 0.001, 1e6)?;
        }
    }
    Ok(())
}

fn spaces(file: &File) -> Checked {
    if !(1..=SPACES_MAX).contains(&file.space.len()) {
        return fault("space", format!("there are 1 to {SPACES_MAX} spaces"));
    }
    for (space, at) in file.space.iter().zip(0..) {
        let key = format!("space[{}]", at + 1);
        if let Err(why) = SpaceId::parse(&space.id) {
            return fault(format!("{key}.id"), why.to_string());
        }
        if file.space[..at].iter().any(|other| other.id == space.id) {
            return fault(format!("{key}.id"), "another space has this id");
        }
        if let Some(draw) = space.draw_s {
            time(format!("{key}.draw_s"), draw)?;
        }
        if let Some(live) = space.live_s {
            time(format!("{key}.live_s"), live)?;
        }
        if let Some(guarantee) = space.guarantee {
            between(format!("{key}.guarantee"), guarantee, 0.0, 1.0)?;
        }
    }
    Ok(())
}

fn known(file: &File, key: String, id: Option<&String>) -> Checked {
    if id.is_none_or(|id| file.space.iter().any(|space| space.id == *id)) {
        return Ok(());
    }
    fault(key, "no [[space]] of this file has this id")
}

fn time(key: String, seconds: Number) -> Checked {
    between(key, seconds, 0.0, f64::from(MINUTES_MAX) * 60.0)
}

fn crowds(file: &File) -> Checked {
    if file.crowd.len() > GROUPS_MAX {
        return fault("crowd", format!("there are {GROUPS_MAX} crowds at most"));
    }
    for (crowd, at) in file.crowd.iter().zip(1..) {
        let key = |of: &str| format!("crowd[{at}].{of}");
        known(file, key("space"), crowd.space.as_ref())?;
        let people = Number::scaled(crowd.people, file.scale);
        between(key("people"), people, 0.0, f64::from(PEOPLE_MAX))?;
        time(key("from_s"), crowd.from_s)?;
        if let Some(over) = crowd.over_s {
            between(key("over_s"), over, 0.1, f64::from(MINUTES_MAX) * 60.0)?;
        }
        between(key("stay_minutes"), crowd.stay_minutes, 0.05, 600.0)?;
        between(key("impatient"), crowd.impatient, 0.0, 1.0)?;
        for (kind, weight) in &crowd.mix {
            let key = key(&format!("mix.{}", kind.name()));
            if kind.is_attack() || *kind == Kind::Beside {
                return fault(key, "attackers stand in [[attack]], not in a crowd");
            }
            between(key, *weight, 0.0, 1e6)?;
        }
        if !crowd.mix.is_empty() && crowd.mix.values().all(|weight| weight.ends()[0] <= 0.0) {
            return fault(key("mix"), "some kind has a weight above 0");
        }
    }
    Ok(())
}

fn attacks(file: &File) -> Checked {
    if file.attack.len() > GROUPS_MAX {
        return fault("attack", format!("there are {GROUPS_MAX} attacks at most"));
    }
    for (attack, at) in file.attack.iter().zip(1..) {
        let key = |of: &str| format!("attack[{at}].{of}");
        if !attack.kind.is_attack() {
            let kinds = crate::kind::ATTACKS.map(Kind::name).join(", ");
            return fault(key("kind"), format!("an attack is one of {kinds}"));
        }
        known(file, key("space"), attack.space.as_ref())?;
        between(key("factor"), attack.factor, 0.0, 100.0)?;
        time(key("from_s"), attack.from_s)?;
        if let Some(span) = attack.for_s {
            between(key("for_s"), span, 1.0, f64::from(MINUTES_MAX) * 60.0)?;
        }
        if let Some(stay) = attack.stay_minutes {
            between(key("stay_minutes"), stay, 0.01, 600.0)?;
        }
        between(key("networks"), attack.networks, 0.0, 4e6)?;
    }
    Ok(())
}

fn troubles(file: &File) -> Checked {
    let troubles = &file.trouble;
    if count(troubles) > ACTIONS_MAX {
        return fault("trouble", format!("there are {ACTIONS_MAX} at most"));
    }
    let key = |kind: &str, at: usize, of: &str| format!("trouble.{kind}[{at}].{of}");
    for (each, at) in troubles.connections_lost.iter().zip(1..) {
        time(key("connections-lost", at, "at_s"), each.at_s)?;
        between(key("connections-lost", at, "share"), each.share, 0.0, 1.0)?;
    }
    for (each, at) in troubles.node_restart.iter().zip(1..) {
        time(key("node-restart", at, "at_s"), each.at_s)?;
        between(key("node-restart", at, "down_s"), each.down_s, 0.0, 600.0)?;
    }
    for (each, at) in troubles.deploy.iter().zip(1..) {
        time(key("deploy", at, "at_s"), each.at_s)?;
        between(key("deploy", at, "down_s"), each.down_s, 0.0, 600.0)?;
        between(key("deploy", at, "seats_share"), each.seats_share, 0.0, 1.0)?;
    }
    for (each, at) in troubles.limit_changed.iter().zip(1..) {
        time(key("limit-changed", at, "at_s"), each.at_s)?;
        let share = key("limit-changed", at, "seats_share");
        between(share, each.seats_share, 0.0, 1.0)?;
        known(file, key("limit-changed", at, "space"), each.space.as_ref())?;
        spell(key("limit-changed", at, "for_s"), each.for_s)?;
    }
    for (kind, spells) in [
        ("certificate-expired", &troubles.certificate_expired),
        ("disk-full", &troubles.disk_full),
        ("database-gone", &troubles.database_gone),
        ("speaker-lost", &troubles.speaker_lost),
        ("speaker-muted", &troubles.speaker_muted),
    ] {
        for (each, at) in spells.iter().zip(1..) {
            time(key(kind, at, "at_s"), each.at_s)?;
            spell(key(kind, at, "for_s"), each.for_s)?;
        }
    }
    for (each, at) in troubles.rows_lost.iter().zip(1..) {
        time(key("rows-lost", at, "at_s"), each.at_s)?;
        spell(key("rows-lost", at, "for_s"), each.for_s)?;
        between(key("rows-lost", at, "share"), each.share, 0.0, 1.0)?;
    }
    for (each, at) in troubles.leave.iter().zip(1..) {
        time(key("leave", at, "at_s"), each.at_s)?;
        between(key("leave", at, "share"), each.share, 0.0, 1.0)?;
        between(key("leave", at, "over_s"), each.over_s, 0.1, 3_600.0)?;
    }
    for (each, at) in troubles.clock_step.iter().zip(1..) {
        time(key("clock-step", at, "at_s"), each.at_s)?;
        between(key("clock-step", at, "off_s"), each.off_s, -300.0, 300.0)?;
    }
    Ok(())
}

fn spell(key: String, seconds: Option<Number>) -> Checked {
    match seconds {
        Some(seconds) => between(key, seconds, 0.1, f64::from(MINUTES_MAX) * 60.0),
        None => Ok(()),
    }
}

fn count(troubles: &FileTroubles) -> usize {
    troubles.connections_lost.len()
        + troubles.node_restart.len()
        + troubles.deploy.len()
        + troubles.limit_changed.len()
        + troubles.certificate_expired.len()
        + troubles.disk_full.len()
        + troubles.database_gone.len()
        + troubles.speaker_lost.len()
        + troubles.speaker_muted.len()
        + troubles.rows_lost.len()
        + troubles.leave.len()
        + troubles.clock_step.len()
}
