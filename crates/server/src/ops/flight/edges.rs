//! What the rows themselves show to have happened: edges between one second and the next, each told once.

use std::collections::BTreeSet;

use hustings_control::ids::SpaceId;
use hustings_evidence::row::{Happening, NodeRow, SpaceRow, What};

/// Listeners whom the node lost in one second from which on it is told.
const LOST_TOLD_FROM: u32 = 20;

/// What was so in the second before.
#[derive(Default)]
pub(super) struct Edges {
    database_gone: bool,
    shield_gone: bool,
    silent: BTreeSet<SpaceId>,
}

impl Edges {
    /// `shield` is none for a node without one; `restarts` are those of shards in this second.
    pub(super) fn look(
        &mut self,
        node: &NodeRow,
        spaces: &[SpaceRow],
        shield: Option<bool>,
        restarts: u32,
    ) -> Vec<Happening> {
        let mut told = Vec::new();
        let tell = |what, number: i64, space: Option<&SpaceId>| Happening {
            at: node.at,
            up_ms: node.up_ms,
            what,
            number,
            space: space.cloned(),
            ..Happening::default()
        };
        if node.clock_step_ms != 0 {
            told.push(tell(What::ClockStepped, node.clock_step_ms, None));
        }
        if restarts > 0 {
            told.push(tell(What::ShardRestarted, node.people.lost.into(), None));
        }
        let lost = node.people.lost.saturating_add(node.people.too_slow);
        if lost >= LOST_TOLD_FROM {
            told.push(tell(What::ListenersLost, lost.into(), None));
        }
        // A second in which nothing was asked of it says nothing.
        let store = &node.dependencies.store;
        let gone = match (store.calls, store.failures) {
            (0, 0) => self.database_gone,
            (_, failures) => failures > 0,
        };
        if std::mem::replace(&mut self.database_gone, gone) != gone {
            let what = if gone {
                What::DatabaseGone
            } else {
                What::DatabaseBack
            };
            told.push(tell(what, store.failures.into(), None));
        }
        let gone = shield == Some(false);
        if std::mem::replace(&mut self.shield_gone, gone) != gone {
            let what = if gone {
                What::ShieldGone
            } else {
                What::ShieldBack
            };
            told.push(tell(what, 0, None));
        }
        for row in spaces {
            let space = row.space.as_ref();
            if row.stage.restarts > 0 {
                told.push(tell(What::StageRestarted, row.stage.restarts.into(), space));
            }
            let Some(id) = space else { continue };
            let silent = row.stage.silent_ms > 0;
            let millis = row.stage.silent_ms.into();
            if silent && self.silent.insert(id.clone()) {
                told.push(tell(What::DeadAir, millis, space));
            } else if !silent && self.silent.remove(id) {
                told.push(tell(What::DeadAirOver, 0, space));
            }
        }
        // A space without a row is over, or one of too many: its silence is told anew.
        self.silent
            .retain(|id| spaces.iter().any(|row| row.space.as_ref() == Some(id)));
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_edge_is_told_once() {
        let mut edges = Edges::default();
        let mut look = |failures: u32, calls: u32, silent_ms: u32, shield: bool| -> Vec<What> {
            let mut node = NodeRow::default();
            (
                node.dependencies.store.failures,
                node.dependencies.store.calls,
            ) = (failures, calls);
            let mut space = SpaceRow {
                space: SpaceId::parse("town-hall").ok(),
                ..SpaceRow::default()
            };
            space.stage.silent_ms = silent_ms;
            let told = edges.look(&node, &[space], Some(shield), 0);
            told.into_iter().map(|it| it.what).collect()
        };
        assert_eq!(look(0, 3, 0, true), []);
        assert_eq!(look(2, 0, 0, true), [What::DatabaseGone]);
        assert_eq!(look(0, 0, 0, true), [], "nobody asked");
        assert_eq!(look(1, 0, 11_000, true), [What::DeadAir]);
        assert_eq!(
            look(0, 1, 12_000, false),
            [What::DatabaseBack, What::ShieldGone]
        );
        assert_eq!(look(0, 1, 0, true), [What::ShieldBack, What::DeadAirOver]);
        assert_eq!(look(0, 1, 0, true), []);
    }

    #[test]
    fn the_clock_the_lost_and_restarts_are_told_with_their_numbers() {
        let mut node = NodeRow {
            clock_step_ms: -3_600_000,
            ..NodeRow::default()
        };
        node.people.lost = 50;
        let told = Edges::default().look(&node, &[], None, 1);
        let told: Vec<_> = told.into_iter().map(|it| (it.what, it.number)).collect();
        let expected = [
            (What::ClockStepped, -3_600_000),
            (What::ShardRestarted, 50),
            (What::ListenersLost, 50),
        ];
        assert_eq!(told, expected);
    }
}
