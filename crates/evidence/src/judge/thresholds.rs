//! Every number by which the judge decides. docs/verdict.md prints the same table; a test compares the two.

/// One of the judge's numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    pub name: &'static str,
    pub value: f64,
    pub unit: &'static str,
    /// Why it is so much.
    pub why: &'static str,
}

macro_rules! thresholds {
    ($($name:ident = $value:literal, $unit:literal, $why:literal;)*) => {
        $(pub(super) const $name: f64 = $value;)*
        /// All of them.
        pub const THRESHOLDS: &[Threshold] = &[$(Threshold {
            name: stringify!($name), value: $value, unit: $unit, why: $why,
        }),*];
    };
}

thresholds! {
    SECONDS_LEAST = 60.0, "seconds", "less than a minute of rows says nothing of a course";
    COVERAGE_LEAST = 0.75, "of the seconds", "with more missing, a burst or a pause can be a hole in what was kept";
    SURGE_FACTOR = 3.0, "times the usual rate", "an evening's usual ups and downs are smaller; usual is the median of the stretches of ten seconds in which anybody came";
    SURGE_RATE = 2.0, "newcomers a second over ten seconds", "fewer is no crowd, whatever the factor";
    SURGE_PEOPLE = 50.0, "newcomers in the minute round the peak", "fewer is no crowd";
    ANNOUNCED_NEAR = 300.0, "seconds", "who is told a time comes within five minutes of it";
    MARKED_EACH = 2.0, "newcomers with a mark, for each page", "our page asks with the mark that it gave, once or in two tabs; with more, caches before this machine send the pages, and those who came in are counted instead";
    PLAIN_EACH = 10.0, "newcomers, for each page", "a calm door lets bare requests in, several for each page; with more than these, most want no page, and those who came in are counted instead";
    LINE_SECONDS = 30.0, "seconds", "a shorter line is a moment";
    OVERFULL_FROM = 0.9, "of the seats", "some seats are always between two people, and each network has its share";
    TOP_NETWORK = 0.25, "of the knocks", "a carrier's shared address may have a tenth of an honest crowd";
    SPREAD_LEAST = 0.6, "of the greatest evenness", "a crowd comes from everywhere, some networks with many";
    STAYED_LEAST = 0.6, "of those who came in", "players that only look, and phones that sleep, are among a crowd too";
    UNLIKE_LEAST = 0.3, "of those who came in", "of an honest crowd fewer leave again at once";
    KNOWN_LEAST = 30.0, "people", "a share of fewer is chance";
    CALLED_CAME = 0.25, "of the places called", "people who wait long give up, and some take several places by reloading; who only takes places never comes";
    FORGED_LEAST = 50.0, "knocks", "a copied link with a letter missing is seldom";
    FORGED_SHARE = 0.01, "of all knocks", "of honest knocks not one in a thousand shows a forged right";
    REPLAY_LEAST = 40.0, "knocks in a minute", "the same right shown twice is a phone between two networks";
    REPLAY_SHARE = 0.1, "of those inside, in a minute", "of honest listeners not one in a hundred changes networks in a minute";
    BARE_LEAST = 200.0, "knocks", "fewer harm nobody";
    BARE_EACH = 4.0, "knocks that show nothing, for each page", "a page knocks with nothing once, a player some times";
    SLOW_LEAST = 50.0, "connections", "a phone that lost the network in a handshake is one";
    SLOW_SHARE = 0.2, "of all connections", "of honest connections few say nothing";
    DROPS_RATE = 1000.0, "packets a second over ten seconds", "a full buffer drops some at a burst";
    SQUARE_EDGE = 0.6, "of its height", "tools start and stop at once, people do not";
    FELL_SHARE = 0.2, "of those inside, within ten seconds", "people do not leave by the fifth at once, unless something ended";
    FELL_LEAST = 20.0, "people", "fewer is chance";
    BACK_WITHIN = 60.0, "seconds", "players come again by themselves within that";
    BACK_SHARE = 0.3, "of those who fell out", "after an end few come again";
    GONE_SHARE = 0.1, "of those who fell out", "fewer came again: they had left";
    CHANGE_BEFORE = 1800.0, "seconds", "what a change does shows within half an hour";
    HARM_RATE = 1.0, "people told to wait, a second over ten seconds", "less is one who had a wrong link";
    SEATS_FELL = 0.85, "of the seats before the change", "the load moves the seats by less in a minute";
    IDLE = 0.7, "full", "a resource below that turned nobody away";
    RAN_OUT = 0.9, "full", "above that the node takes fewer in";
    OWN_ERRORS = 20.0, "answers", "single ones are bugs, and are counted as such";
    HANDSHAKES_FAILED = 0.3, "of the handshakes", "old clients and scanners fail some";
    HANDSHAKES_LEAST = 30.0, "handshakes", "a share of fewer is chance";
    DEPENDENCY_MS = 1000.0, "milliseconds", "a dependency that takes a second has gone, for who waits";
    DEPENDENCY_SECONDS = 5.0, "seconds", "one slow answer is none";
    STALL_SECONDS = 60.0, "seconds", "a failure that nobody felt is called a stall when it was shorter; the verdict is the same";
    DEAD_AIR_SECONDS = 10.0, "seconds", "the alarm comes after ten";
    NAMED_FROM = 4.0, "points", "a verdict is named from there";
}
