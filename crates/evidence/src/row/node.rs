//! One second of a node.

use hustings_control::gate::{Mode, Resource, Step};
use hustings_control::ids::UnixMillis;

use super::counts::{Counts, Named};
use super::knocks::{Behaviour, Knocks, People, Spread};
use super::parts;

parts! {
    /// One second of a node: sums over its spaces, and the machine.
    pub struct NodeRow {
        /// milliseconds since 1970 by the wall's clock, at the end of the second
        pub at: UnixMillis,
        /// milliseconds since the node's start by the machine's clock, at the end of the second; never goes back
        pub up_ms: u64,
        /// milliseconds that this row covers: 1,000 but for a machine that stood still
        pub took_ms: u32,
        /// milliseconds by which the wall's clock has moved against the machine's since the row before
        pub clock_step_ms: i64,
        /// spaces that are open or live
        pub spaces: u32,
        /// spaces of those that have no row of their own in this second
        pub spaces_untold: u32,
        /// knocks of all spaces
        pub knocks: Knocks,
        /// spread of the knocks of all spaces
        pub spread: Spread,
        /// people of all spaces
        pub people: People,
        /// behaviour of all spaces
        pub behaviour: Behaviour,
        /// connections of the public listener
        pub connections: Connections,
        /// step of the ladder: `ground`, `cadence`, `side`, `line`
        pub step: Step,
        /// strictest mode of a door: `calm`, `busy`, `storm`
        pub mode: Mode,
        /// seats that the load leaves
        pub seats: u32,
        /// seats taken, held for tickets or dealt to shards
        pub seats_out: u32,
        /// resource that makes the number of seats: `cpu`, `memory`, `files`, `uplink`, `seats`; none before the first measure
        pub short: Option<Resource>,
        /// thousandths of a core that the sweeps of the busiest shard would take at the widest cadence
        pub sweep_load_permille: u32,
        /// milliseconds between sweeps of the widest shard
        pub cadence_ms: u32,
        /// processor time
        pub cpu: Cpu,
        /// memory, files, uplink
        pub machine: Machine,
        /// what the network carried
        pub network: Network,
        /// TLS of the public listener
        pub tls: Tls,
        /// requests and sessions that failed, by whose fault
        pub faults: Faults,
        /// what this node depends on
        pub dependencies: Dependencies,
        /// rows that could not be kept since the row before
        pub rows_lost: u32,
    }

    /// Connections of the public listener.
    pub struct Connections {
        /// connections accepted
        pub accepted: u32,
        /// requests that pages answered, those for sound not among them
        pub requests: u32,
        /// microseconds that the slowest of these answers took
        pub request_worst_us: u32,
        /// connections open at the end of the second that are no listeners
        pub open: u32,
        /// connections refused, given up or not believed, by reason
        pub shed: Counts<Shed, 12>,
        /// times that accepting paused because files or memory ran short
        pub accept_pauses: u32,
        /// networks that the kernel was told to drop
        pub dropped_prefixes: u32,
    }

    /// Processor time by kind, in thousandths of one core (1,000 = one core busy for the whole second).
    pub struct Cpu {
        /// cores of the machine, or of what the control group leaves of it, in thousandths
        pub cores_permille: u32,
        /// permille: the whole process
        pub process: u32,
        /// permille: threads of the crowd's listener (accept, gate, sweeps)
        pub edge: u32,
        /// permille: within those, time in sweeps
        pub sweeps: u32,
        /// permille: the busiest thread of the crowd's listener
        pub edge_busiest: u32,
        /// permille: threads of the pages
        pub pages: u32,
        /// permille: threads of stages, speakers, studio and operator
        pub house: u32,
        /// permille: threads of the door and its files, the records, and the flight recorder
        pub keeping: u32,
        /// permille: the flight recorder's own thread
        pub flight: u32,
        /// permille: all processes of the machine
        pub machine: u32,
        /// permille: taken by the host of a virtual machine
        pub stolen: u32,
        /// permille: idle, waiting for a disk
        pub disk_wait: u32,
    }

    /// What there is and what of it is used.
    pub struct Machine {
        /// bytes: memory, of the control group or the machine, whichever is shorter
        pub memory: Used,
        /// bytes: memory of this process
        pub resident: u64,
        /// open files of the process
        pub files: Used,
        /// connections of the crowd of those that open files allow
        pub crowd_files: Used,
        /// bits a second; limit: what `--uplink` says
        pub uplink: Used,
        /// bytes of the disk that holds the data folder
        pub disk: Used,
        /// threads of the process
        pub threads: u32,
    }

    /// One resource, in the unit that its field says.
    pub struct Used {
        /// in use
        pub used: u64,
        /// what there is; 0: not known, and then it is never short
        pub limit: u64,
    }

    /// What the kernel counted, all interfaces but loopback unless it is said otherwise.
    pub struct Network {
        /// bytes received
        pub bytes_in: u64,
        /// bytes sent
        pub bytes_out: u64,
        /// packets received
        pub packets_in: u64,
        /// packets sent
        pub packets_out: u64,
        /// packets received and dropped, or in error
        pub dropped_in: u64,
        /// packets not sent
        pub dropped_out: u64,
        /// bytes of sound and heads written to listeners, loopback too
        pub sound_bytes: u64,
        /// connections that found the listen queue full (`ListenOverflows`), all listeners of the machine
        pub listen_overflows: u32,
        /// connections dropped at the listen queue (`ListenDrops`)
        pub listen_drops: u32,
        /// SYN cookies sent: the queue of half-open connections was full
        pub syn_cookies: u32,
        /// TCP segments sent again: of losses on the way
        pub resent: u32,
        /// resets received for established connections
        pub resets: u32,
        /// UDP datagrams received
        pub udp_in: u32,
        /// UDP datagrams in error, or dropped for a full buffer
        pub udp_errors: u32,
        /// UDP datagrams to a port that nobody listens at
        pub udp_no_port: u32,
    }

    /// TLS handshakes of the public listener.
    pub struct Tls {
        /// handshakes finished
        pub handshakes: u32,
        /// handshakes that failed, ran into the deadline or were none
        pub failures: u32,
        /// handshakes not begun, for they came faster than they may
        pub refused: u32,
        /// seconds that the certificate is still valid; below 0: expired since; 0: there is no certificate
        pub certificate_left_s: i64,
    }

    /// What failed, by whose fault. Who waits or is turned away by the rules has not failed.
    pub struct Faults {
        /// requests that make no sense, heads that are none, tokens forged or expired (answers 400 to 499)
        pub theirs: u32,
        /// our own: answers 500 and above but for full ones, panics, restarts of a stage or a shard
        pub ours: u32,
        /// a dependency's: records, disk or webhook did not answer
        pub dependencies: u32,
        /// the network's: connections that broke
        pub network: u32,
        /// answers 503 because the node is full
        pub full: u32,
    }

    /// What a node depends on.
    pub struct Dependencies {
        /// calls of the records (the database)
        pub store: Latency,
        /// writes of this recorder, each with its sync to the disk of the data folder
        pub disk: Latency,
        /// alarms sent by webhook
        pub webhook: Latency,
        /// answers of the desk that owns the spaces
        pub desk: Latency,
    }

    /// Calls of one second.
    pub struct Latency {
        /// calls that were answered
        pub calls: u32,
        /// calls that failed or ran into their deadline
        pub failures: u32,
        /// microseconds, the mean of those answered
        pub mean_us: u32,
        /// microseconds, the slowest
        pub worst_us: u32,
        /// microseconds that the oldest call still under way has waited at the end of the second
        pub pending_us: u32,
    }
}

impl Used {
    /// Thousandths; 0 when there is no limit.
    pub fn permille(&self) -> u32 {
        let share = u128::from(self.used) * 1_000 / u128::from(self.limit.max(1));
        if self.limit == 0 {
            0
        } else {
            u32::try_from(share).unwrap_or(u32::MAX)
        }
    }
}

/// Why a connection of the public listener was refused, given up, or not believed. Names are a promise: metrics and rows
/// have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shed {
    /// Connections came faster than its prefix may.
    PrefixRate,
    /// It was silent, and its prefix had as many silent ones as it may.
    PrefixCrowded,
    /// It was silent, and files or places ran short.
    SilentShed,
    /// It said nothing until its deadline.
    Silent,
    /// Its head did not come within the deadline.
    SlowHead,
    /// Its head was no HTTP, or too large.
    BadHead,
    /// Handshakes came faster than its prefix may, or than this shard can.
    HandshakeRate,
    /// Its handshake was none, or not finished within the deadline.
    BadHandshake,
    /// Its body came slower than the least rate.
    SlowBody,
    /// It took its answer slower than the least rate.
    SlowReader,
    /// A trusted proxy's PROXY header was malformed or late.
    BadProxyHeader,
    /// A trusted proxy's X-Forwarded-For was malformed; what could be read of it holds.
    BadForwarded,
    /// It knocked faster than its prefix may.
    KnockRate,
    /// It kept a page's connection that others needed; it was told to end after its answer.
    PagesShed,
}

impl Shed {
    pub const ALL: [Self; 14] = [
        Self::PrefixRate,
        Self::PrefixCrowded,
        Self::SilentShed,
        Self::Silent,
        Self::SlowHead,
        Self::BadHead,
        Self::HandshakeRate,
        Self::BadHandshake,
        Self::SlowBody,
        Self::SlowReader,
        Self::BadProxyHeader,
        Self::BadForwarded,
        Self::KnockRate,
        Self::PagesShed,
    ];

    /// In rows, and as the label's value in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::PrefixRate => "prefix_rate",
            Self::PrefixCrowded => "prefix_crowded",
            Self::SilentShed => "silent_shed",
            Self::Silent => "silent",
            Self::SlowHead => "slow_head",
            Self::BadHead => "bad_head",
            Self::HandshakeRate => "handshake_rate",
            Self::BadHandshake => "bad_handshake",
            Self::SlowBody => "slow_body",
            Self::SlowReader => "slow_reader",
            Self::BadProxyHeader => "bad_proxy_header",
            Self::BadForwarded => "bad_forwarded",
            Self::KnockRate => "knock_rate",
            Self::PagesShed => "pages_shed",
        }
    }
}

impl Named for Shed {
    const ALL: &'static [Self] = &Self::ALL;
    fn name(self) -> &'static str {
        Self::name(self)
    }
}
