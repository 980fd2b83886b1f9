//! Every rule: what is looked for, and how many points it gives. docs/verdict.md prints the same table.

use super::finding::{Class, Evidence, Kind};

/// A rule adds points to a class, or takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    pub name: &'static str,
    pub class: Class,
    /// Below 0: against.
    pub points: i32,
    pub says: &'static str,
}

macro_rules! rules {
    ($($id:ident = $name:literal, $class:ident, $points:literal, $says:literal;)*) => {
        $(pub(super) const $id: Rule = Rule {
            name: $name, class: Class::$class, points: $points, says: $says,
        };)*
        /// All of them.
        pub const RULES: &[Rule] = &[$($id),*];
    };
}

rules! {
    SURGE = "surge", FlashCrowd, 3, "newcomers (pages sent) came `SURGE_FACTOR` times as fast as is usual for the evening, and `SURGE_RATE` and `SURGE_PEOPLE` at least";
    OVERFULL = "more-than-seats", FlashCrowd, 3, "for `LINE_SECONDS` people were told to wait while `OVERFULL_FROM` of the most seats that there were all evening were taken, and others came in; beside a flood of bare knocks only by those who came with a mark or a right";
    SPREAD = "from-everywhere", FlashCrowd, 1, "the busiest network had less than `TOP_NETWORK` of the knocks, and they were spread by `SPREAD_LEAST` of what is possible";
    STAYED = "they-stayed", FlashCrowd, 2, "`STAYED_LEAST` of those who came in were there after ten seconds";
    ANNOUNCED = "at-the-announced-time", FlashCrowd, 1, "the surge came within `ANNOUNCED_NEAR` of the doors' opening or the start";
    NOT_STAYED = "they-did-not-stay", FlashCrowd, -5, "`UNLIKE_LEAST` and more of those who came in were gone before ten seconds";
    ONE_NETWORK = "from-one-network", FlashCrowd, -1, "one network had `TOP_NETWORK` and more of the knocks";
    CAME_BEFORE = "they-had-been-inside", FlashCrowd, -3, "half of those who came in during the surge had been inside before";

    FORGED = "forged-rights", Attack, 5, "`FORGED_LEAST` knocks and `FORGED_SHARE` of all showed rights that nobody gave";
    REPLAYED = "replayed-rights", Attack, 5, "one right came in more often than people move between networks: `REPLAY_LEAST` knocks in a minute, and `REPLAY_SHARE` of those inside, pushed out who had the seat, came twice at once, were spent, or were meant for another space";
    BARE = "bare-knocks", Attack, 4, "`BARE_LEAST` knocks that showed nothing, and `BARE_EACH` of them for each page that was sent, or for each who came in if those were more";
    SLOW = "slow-heads", Attack, 5, "`SLOW_LEAST` connections said nothing or spoke too slowly, and `SLOW_SHARE` of all connections";
    NOT_LISTENING = "come-in-and-do-not-listen", Attack, 4, "`UNLIKE_LEAST` and more of those who came in were gone before ten seconds";
    PLACES_UNUSED = "places-taken-and-not-used", Attack, 3, "of the places called, less than `CALLED_CAME` became listeners";
    DROPPED = "packets-dropped", Attack, 4, "the kernel dropped `DROPS_RATE` packets a second";
    SQUARE = "switched-on", Attack, 1, "it began or ended within five seconds, by `SQUARE_EDGE` of its height";
    FEW_NETWORKS = "from-few-networks", Attack, 1, "one network had `TOP_NETWORK` and more of the knocks";
    NOBODY_HOSTILE = "nothing-hostile", Attack, -2, "next to no forged, replayed or bare knocks, and no silent connections beyond the usual";

    FELL = "fell-out-together", ReconnectStorm, 3, "`FELL_SHARE` of those inside, and `FELL_LEAST` at least, were gone within ten seconds, those left out who had come less than ten seconds ago or heard the end; not counted when nothing is on record and they left for good; without this there is no storm";
    BACK = "came-again", ReconnectStorm, 3, "within `BACK_WITHIN`, `BACK_SHARE` of them came again";
    CAUSE_KNOWN = "a-cause-is-on-record", ReconnectStorm, 1, "a restart, a shard's or stage's failure, or lost listeners are on record at that time";
    LEFT = "left-for-good", ReconnectStorm, -4, "less than `GONE_SHARE` of them came again: they left together, as at an end";
    NOBODY_FELL = "nobody-fell-out", ReconnectStorm, -2, "at no time were many gone at once";

    CHANGED = "changed-before-the-harm", OwnMistake, 2, "a change of ours came before the harm, by `CHANGE_BEFORE` at most";
    SEATS_FELL = "a-change-took-seats", OwnMistake, 4, "with a change of ours there were less than `SEATS_FELL` of the seats from before";
    CERTIFICATE = "certificate-over", OwnMistake, 6, "the certificate had expired, or could not be loaded";
    DISK = "disk-full", OwnMistake, 5, "the disk was full, which a preflight sees";
    IDLE_LIMIT = "a-limit-with-room", OwnMistake, 3, "people were told to wait by a limit of ours while every resource was below `IDLE`";
    PROVEN = "below-what-was-rehearsed", OwnMistake, 3, "people were told to wait while fewer were inside than this installation has been rehearsed with";
    PAUSED = "door-paused", OwnMistake, 3, "the door was paused while people came";
    ERRORS = "our-own-errors", OwnMistake, 4, "`OWN_ERRORS` answers failed by our own fault";
    RESTARTED = "we-restarted-it", OwnMistake, 2, "the node was restarted or put in place anew while people were inside";
    NO_CHANGE = "no-change", OwnMistake, -2, "nothing was changed, no limit of ours stood before a resource's, nothing of ours failed";
    MORE_THAN_PROVEN = "more-than-was-rehearsed", OwnMistake, -2, "more came than this installation was ever rehearsed with";

    GONE = "it-did-not-answer", DependencyFailure, 5, "it is on record that a dependency was gone, or that its calls failed for `DEPENDENCY_SECONDS`";
    SLOW_ANSWER = "it-answered-slowly", DependencyFailure, 4, "for `DEPENDENCY_SECONDS` a call took `DEPENDENCY_MS`";
    HOST_LOST = "the-host-was-lost", DependencyFailure, 5, "a speaker's connection was lost, and for `DEAD_AIR_SECONDS` nobody was heard";
    HOST_SHORT = "a-speaker-was-lost", DependencyFailure, 2, "a speaker's connection was lost";
    ALL_ANSWERED = "all-answered", DependencyFailure, -2, "every dependency answered in time, and no speaker was lost";
}

/// What is gathered for and against one class.
pub(super) struct Case {
    pub(super) class: Class,
    pub(super) kinds: Vec<Kind>,
    pub(super) evidence: Vec<Evidence>,
    /// First and last second of what it is about, where it has a time.
    pub(super) span: Option<(u64, u64)>,
    /// Seconds of the longest of what failed, where that is seen.
    pub(super) lasted_s: Option<u64>,
}

impl Case {
    pub(super) fn new(class: Class) -> Self {
        Self {
            class,
            kinds: Vec::new(),
            evidence: Vec::new(),
            span: None,
            lasted_s: None,
        }
    }

    pub(super) fn add(&mut self, rule: Rule, at: Option<u64>, words: String) {
        self.note(rule, at, words, false);
    }

    /// What could point to somebody.
    pub(super) fn add_private(&mut self, rule: Rule, at: Option<u64>, words: String) {
        self.note(rule, at, words, true);
    }

    pub(super) fn kind(&mut self, kind: Kind) {
        if !self.kinds.contains(&kind) {
            self.kinds.push(kind);
        }
    }

    pub(super) fn spans(&mut self, from: u64, to: u64) {
        let (a, b) = self.span.unwrap_or((from, to));
        self.span = Some((a.min(from), b.max(to)));
    }

    pub(super) fn lasted(&mut self, seconds: u64) {
        self.lasted_s = self.lasted_s.max(Some(seconds.max(1)));
    }

    pub(super) fn has(&self, rule: Rule) -> bool {
        self.evidence
            .iter()
            .any(|evidence| evidence.rule == rule.name)
    }

    pub(super) fn points(&self) -> i32 {
        self.evidence.iter().map(|evidence| evidence.points).sum()
    }

    fn note(&mut self, rule: Rule, at: Option<u64>, words: String, private: bool) {
        debug_assert_eq!(rule.class, self.class);
        self.evidence.push(Evidence {
            rule: rule.name,
            points: rule.points,
            words,
            at,
            private,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_have_names_of_their_own() {
        let mut names: Vec<_> = RULES.iter().map(|rule| rule.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
        assert!(RULES.iter().all(|rule| rule.points != 0));
    }
}
