//! Every bound of the control plane: its unit, the reason, and what happens there.

/// Characters. Longer is refused as `Refusal::TooLong`.
pub const TITLE_CHARS_MAX: usize = 140;
pub const DESCRIPTION_CHARS_MAX: usize = 2_000;
pub const NAME_CHARS_MAX: usize = 40;
/// Hands that wait at once in a space; more are refused, for a host cannot read more.
pub const HANDS_MAX: usize = 500;
/// Live invitations of a space.
pub const INVITES_MAX: usize = 200;
/// People a space remembers (bans included).
pub const PEOPLE_MAX: usize = 2_000;
/// People on stage, as the media plane seats them.
pub const SPEAKERS_MAX: usize = hustings_media::limits::STAGE_SEATS_MAX;
/// Spaces of one node that are not ended.
pub const SPACES_MAX: usize = 1_000;
/// Milliseconds. An empty live stage gets hold music after the first and ends after the second.
pub const EMPTY_MUSIC_MS: u64 = 10 * 60_000;
pub const EMPTY_END_MS: u64 = 60 * 60_000;
/// Milliseconds a lost speaker keeps the seat.
pub const SEAT_KEPT_MS: u64 = 30_000;
/// Characters of the reason given when a space is cancelled.
pub const REASON_CHARS_MAX: usize = 500;
/// Characters of the question that comes with a raised hand: a host reads it while talking.
pub const QUESTION_CHARS_MAX: usize = 280;
/// Characters of a message to all who listen and wait: it stands in one banner, and in everybody's roster.
pub const MESSAGE_CHARS_MAX: usize = 280;
/// Characters of a key in the archive (hold music, recordings).
pub const OBJECT_CHARS_MAX: usize = 200;
/// Invitations a space remembers, revoked ones included; further ones are refused as `Refusal::Full`.
pub const INVITES_KEPT_MAX: usize = 2_000;
/// Milliseconds. Presses of reactions are counted in windows of this length; nobody can tell single presses apart.
pub const REACTION_WINDOW_MS: u64 = 500;
/// Windows that are shown together (10 s); older presses are forgotten.
pub const REACTION_WINDOWS: u64 = 20;
/// Presses that one network may make at once, and milliseconds until it may make one more (10 a second): a school behind one
/// address can applaud, a loop cannot. More are refused.
pub const REACTION_BURST: u64 = 40;
pub const REACTION_REFILL_MS: u64 = 100;
/// Buckets of the limit on a node (64 kB). Networks beyond share them.
pub const REACTION_BUCKETS: usize = 8_192;
