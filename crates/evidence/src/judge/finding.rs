//! What the judge says. The JSON is a promise: docs/verdict.md describes it.

use serde::Serialize;

/// What can have made a night hard. Several can be true at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Many people at once, who wanted to listen.
    FlashCrowd,
    /// Somebody who did not want to listen, but to harm or to get what is not theirs.
    Attack,
    /// Those who were inside fell out together and came again.
    ReconnectStorm,
    /// Something we changed, forgot, or set too low.
    OwnMistake,
    /// Something that we need and do not run inside the node: the host's line, the database, a disk.
    DependencyFailure,
}

impl Class {
    pub const ALL: [Self; 5] = [
        Self::FlashCrowd,
        Self::Attack,
        Self::ReconnectStorm,
        Self::OwnMistake,
        Self::DependencyFailure,
    ];

    pub fn name(self) -> &'static str {
        [
            "flash-crowd",
            "attack",
            "reconnect-storm",
            "own-mistake",
            "dependency-failure",
        ][self as usize]
    }

    /// As a heading says it.
    pub fn title(self) -> &'static str {
        [
            "Flash crowd",
            "Attack",
            "Reconnect storm",
            "Own mistake",
            "Dependency failure",
        ][self as usize]
    }

    pub(super) fn sentence(self) -> &'static str {
        [
            "It was a flash crowd.",
            "It was an attack.",
            "It was a reconnect storm.",
            "It was our own mistake.",
            "Something we depend on failed.",
        ][self as usize]
    }

    /// A mistake of our own, and a dependency that fails, are what they are in a rehearsal too.
    pub(super) fn rehearsed_sentence(self) -> &'static str {
        [
            "It was a rehearsed flash crowd.",
            "It was a rehearsed attack.",
            "It was a rehearsed reconnect storm.",
            "It was our own mistake.",
            "Something we depend on failed.",
        ][self as usize]
    }

    pub(super) fn rehearsed_lesser_sentence(self) -> &'static str {
        [
            "A rehearsed crowd came as well.",
            "There was a rehearsed attack as well.",
            "Many of a rehearsal who had been inside came again at once.",
            "A mistake of our own took part.",
            "Something we depend on failed as well.",
        ][self as usize]
    }

    pub(super) fn lesser_sentence(self) -> &'static str {
        [
            "A crowd came as well.",
            "There was an attack as well.",
            "Many who had been inside came again at once.",
            "A mistake of our own took part.",
            "Something we depend on failed as well.",
        ][self as usize]
    }
}

/// What a class is more closely: which attack, which mistake, which dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Knocks that show nothing and want nothing but an answer.
    Flood,
    /// Rights that nobody gave.
    ForgedRights,
    /// One good right, shown by many.
    ReplayedRights,
    /// Connections that say nothing, or a letter at a time.
    SlowHeads,
    /// They come in like browsers and do not listen.
    Bots,
    /// Packets that the kernel dropped.
    Packets,
    /// Seats, limits or another version.
    Change,
    /// A limit of ours ended while there was room.
    Limit,
    Certificate,
    Disk,
    OwnErrors,
    Database,
    /// Any other dependency.
    Slow,
    HostLine,
}

impl Kind {
    pub fn words(self) -> &'static str {
        match self {
            Self::Flood => "a flood of bare knocks",
            Self::ForgedRights => "forged rights",
            Self::ReplayedRights => "one right shown by many",
            Self::SlowHeads => "connections that say nothing",
            Self::Bots => "machines that came in and did not listen",
            Self::Packets => "packets that the kernel dropped",
            Self::Change => "a change of ours",
            Self::Limit => "a limit of ours",
            Self::Certificate => "the certificate had ended",
            Self::Disk => "the disk was full",
            Self::OwnErrors => "faults in our own answers",
            Self::Database => "the database",
            Self::Slow => "something that answers slowly",
            Self::HostLine => "the host's connection",
        }
    }
}

/// How strong the evidence is: the sum of the points for, less those against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strength {
    /// 0 points or fewer.
    None,
    /// 1 point.
    Slight,
    /// 2 and 3 points.
    Moderate,
    /// 4 to 6 points.
    Strong,
    /// 7 points and more.
    VeryStrong,
}

impl Strength {
    pub fn of(points: i32) -> Self {
        match points {
            ..=0 => Self::None,
            1 => Self::Slight,
            2..=3 => Self::Moderate,
            4..=6 => Self::Strong,
            7.. => Self::VeryStrong,
        }
    }

    pub fn words(self) -> &'static str {
        ["none", "slight", "moderate", "strong", "very strong"][self as usize]
    }
}

/// What part a class had in the night.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    RuledOut,
    /// Some signs, too few to name it.
    NotShown,
    /// It was there, and nobody's evening changed by it.
    Present,
    /// It was there beside the main cause.
    Contributed,
    Main,
}

impl Part {
    pub fn words(self) -> &'static str {
        [
            "ruled out",
            "not shown",
            "present, harmed nobody",
            "contributed",
            "main cause",
        ][self as usize]
    }
}

/// One thing that the rows show, for or against a class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The rule's name, as docs/verdict.md lists it.
    pub rule: &'static str,
    pub points: i32,
    /// With numbers and times.
    pub words: String,
    /// Seconds since 1970 at which it began, where it has a time.
    pub at: Option<u64>,
    /// Could point to somebody, or names an operator: not in the public report.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    pub class: Class,
    pub kinds: Vec<Kind>,
    pub part: Part,
    pub strength: Strength,
    pub points: i32,
    /// It was a rehearsal's doing: while it lasted, most knocks showed a permit.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rehearsed: bool,
    /// Seconds of the longest failure, where something failed and its end is seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lasted_s: Option<u64>,
    pub supporting: Vec<Evidence>,
    pub against: Vec<Evidence>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Nothing that needs a word.
    Quiet,
    /// The named classes, and how sure.
    Found,
    /// The rows are too few, or show harm that nothing explains.
    Undetermined,
}

/// How full a resource was at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fullest {
    pub resource: &'static str,
    pub permille: u64,
    pub at: u64,
    /// The first second at which it was above the threshold `RAN_OUT`.
    pub ran_out_at: Option<u64>,
}

/// Who was harmed, and how much.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Harm {
    /// Answers "wait", and "no" to a right shown. People may get several.
    pub told_to_wait: u64,
    pub turned_away: u64,
    /// The most that stood in line at once.
    pub in_line_most: u64,
    /// Sum of all seconds that people stood in line.
    pub waited_seconds: u64,
    /// Mean wait of those who stood in line, by waited seconds over those let in after the line had opened.
    pub wait_mean_s: Option<u64>,
    /// Connections inside that the node ended, or that fell out together.
    pub fell_out: u64,
    /// Listener-seconds without sound: gaps, and until those who fell out were back.
    pub silent_listener_seconds: u64,
    /// Listener-seconds in which the stage was silent.
    pub dead_air_listener_seconds: u64,
    /// First and last second of harm.
    pub from: Option<u64>,
    pub to: Option<u64>,
}

impl Harm {
    pub fn is_any(&self) -> bool {
        self.from.is_some()
    }

    /// Not even one was told to wait or ended by the node.
    pub fn is_none(&self) -> bool {
        !self.is_any() && self.told_to_wait == 0 && self.fell_out == 0
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub outcome: Outcome,
    /// The classes named, the weightiest first.
    pub named: Vec<Class>,
    /// The verdict in one or two sentences.
    pub headline: String,
    /// What happened, in some sentences.
    pub summary: String,
    /// All five, in the order of `Class::ALL`.
    pub explanations: Vec<Explanation>,
    /// The fullest first.
    pub resources: Vec<Fullest>,
    pub ran_out_first: Option<&'static str>,
    pub harm: Harm,
    pub would_have_helped: Vec<String>,
    /// What this machine could not see.
    pub unseen: Vec<String>,
    /// First and last second.
    pub from: u64,
    pub to: u64,
    pub seconds_known: u64,
    /// Of a thousand seconds between the first and the last.
    pub known_permille: u64,
    /// Of a thousand knocks those with a rehearsal's permit.
    pub rehearsed_permille: u64,
}

impl Finding {
    pub fn explanation(&self, class: Class) -> Option<&Explanation> {
        self.explanations.iter().find(|each| each.class == class)
    }
}
