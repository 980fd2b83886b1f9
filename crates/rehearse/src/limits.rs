//! Every bound of the simulation: its unit, the reason, and what happens there.

/// People of one run, attackers included: what 32-bit numbers of people and some GiB hold. More is refused by `Scenario::check`.
pub(crate) const PEOPLE_MAX: u32 = 40_000_000;
/// Bytes of a scenario's file: some pages of text. A larger one is refused by `File::read`.
pub(crate) const FILE_BYTES_MAX: usize = 256 * 1024;
/// Crowds, attacks and labels of one scenario: each is looked at for every arrival. More are refused by `File::read`.
pub(crate) const GROUPS_MAX: usize = 32;
/// Troubles of one scenario. More are refused by `File::read`.
pub(crate) const ACTIONS_MAX: usize = 256;
/// Spaces of one scenario. More are refused by `File::read`.
pub(crate) const SPACES_MAX: usize = 8;
/// Points of a curve. More are refused by `File::read`.
pub(crate) const POINTS_MAX: usize = 256;
/// Virtual minutes of one run. More is refused by `Scenario::check`.
pub(crate) const MINUTES_MAX: u32 = 240;
/// Milliseconds of one slot of the wheel: what happens within it has one time. Finer ones
/// are more ends of buckets than a cache holds.
pub(crate) const SLOT_MS: u32 = 50;
/// Slots between two ticks of the usher and the gates: 100 ms.
pub(crate) const TICK_SLOTS: u32 = 2;
/// Knocks that one machine of a flood sends in a run: a flood is many knocks, not many people.
pub(crate) const KNOCKS_A_BOT: u32 = 20;
/// People who compute in place of waiting: each puzzle is really solved, and that is the machine's time. Further ones wait.
pub(crate) const SOLVERS_MAX: u32 = 2_000;
/// Listeners whose streams a real shard writes during the run.
pub(crate) const SAMPLE: usize = 200;
/// Changes of mode and steps of the ladder that the report tells; later ones are only counted.
pub(crate) const EVENTS_MAX: usize = 64;
/// Milliseconds between two reloads of a page without script: what its Refresh header says at least.
pub(crate) const REFRESH_MS: u32 = 20_000;
/// Milliseconds after which a page renews its resume ticket.
pub(crate) const RENEW_MS: u32 = 240_000;
/// Hashes a second of a phone in plain JavaScript, by the gate's own ceiling of 600,000 tries in 3 s.
pub(crate) const BROWSER_HASHES: u32 = 200_000;
/// People behind one /24 of a carrier.
pub(crate) const CARRIER_USERS: u32 = 10_000;
/// The most shards that `Scenario` sets by itself; the operator can say more.
pub(crate) const SHARDS_AUTO_MAX: u32 = 128;
/// Milliseconds between two writes of what a restart must not lose, as in the server.
pub(crate) const KEPT_EVERY_MS: u32 = 3_000;
/// Milliseconds after which who could not connect tries again, least and most.
pub(crate) const AGAIN_MS: (u32, u32) = (1_000, 8_000);
/// Milliseconds that a request's head may take, and half heads of one shard, as at the server's door. For one more the oldest
/// is closed; when files run short, so many of the oldest.
pub(crate) const HEAD_MS: u32 = 5_000;
pub(crate) const SLOW_MAX_A_SHARD: usize = 2_048;
pub(crate) const SILENT_SHED: usize = 16;
