//! The flight recorder's rows of one night, second by second.

use std::collections::BTreeMap;

use super::second::Second;
use crate::row::{NodeRow, SpaceRow};

/// Seconds without a row of the space after which another night begins: two hours.
const NIGHT_GAP: u64 = 7_200;
/// Seconds that are kept: two days, as many as the judge looks at.
const KEPT_MAX: usize = 172_800;

/// Puts the rows of one node and one of its spaces together, in the order in which they stand in the chain. When the space
/// was away for hours, what was before is another night and is forgotten.
#[derive(Debug, Default)]
pub struct Gathering {
    seconds: BTreeMap<u64, Second>,
    /// The node's newest row, whose space's row may be yet to come.
    node: Option<Box<NodeRow>>,
}

impl Gathering {
    pub fn node(&mut self, row: &NodeRow) {
        match self.seconds.get_mut(&(row.at.0 / 1_000)) {
            Some(second) if second.covers_ms == 0 => second.add_node(row),
            _ => self.node = Some(Box::new(row.clone())),
        }
    }

    /// A row of the space, and of no other.
    pub fn space(&mut self, row: &SpaceRow) {
        let at = row.at.0 / 1_000;
        let last = self.seconds.keys().next_back().copied();
        if last.is_some_and(|last| at > last.saturating_add(NIGHT_GAP)) {
            self.seconds.clear();
        }
        if self.seconds.len() >= KEPT_MAX && !self.seconds.contains_key(&at) {
            return;
        }
        let second = self.seconds.entry(at).or_default();
        second.at = at;
        second.add_space(row);
        if let Some(node) = self.node.take_if(|node| node.at.0 / 1_000 == at) {
            second.add_node(&node);
        }
    }

    /// In the order of their times.
    pub fn seconds(self) -> Vec<Second> {
        self.seconds.into_values().collect()
    }
}

/// The rows of one node and one of its spaces, second by second. Rows of the node before the space's first and after its
/// last are left out.
pub fn seconds(nodes: &[NodeRow], spaces: &[SpaceRow]) -> Vec<Second> {
    let mut gathering = Gathering::default();
    for row in spaces {
        gathering.space(row);
    }
    for row in nodes {
        gathering.node(row);
    }
    gathering.seconds()
}

#[cfg(test)]
mod tests {
    use hustings_control::ids::UnixMillis;

    use super::*;

    fn rows(at: u64) -> (NodeRow, SpaceRow) {
        let at = UnixMillis(at * 1_000 + 7);
        let node = NodeRow {
            at,
            took_ms: 1_000,
            ..NodeRow::default()
        };
        (
            node,
            SpaceRow {
                at,
                ..SpaceRow::default()
            },
        )
    }

    #[test]
    fn rows_of_a_second_find_each_other_whichever_comes_first() {
        let mut gathering = Gathering::default();
        for at in 100..110 {
            let (node, space) = rows(at);
            if at % 2 == 0 {
                gathering.node(&node);
            }
            gathering.space(&space);
            if at % 2 == 1 {
                gathering.node(&node);
            }
        }
        let seconds = gathering.seconds();
        assert_eq!(seconds.len(), 10);
        assert!(
            seconds.iter().all(|second| second.covers_ms == 1_000),
            "{seconds:?}"
        );
    }

    #[test]
    fn only_the_last_night_is_kept() {
        let mut gathering = Gathering::default();
        for at in [100, 101, 90_000, 90_001] {
            gathering.space(&rows(at).1);
        }
        let times: Vec<u64> = gathering.seconds().iter().map(|second| second.at).collect();
        assert_eq!(times, [90_000, 90_001]);
    }
}
