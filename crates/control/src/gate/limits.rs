//! Every bound of the gate: its unit, the reason, and what happens there.

/// Keys of a ring: one that seals, the rest check. More are refused as `BadKey::Full`.
pub const KEYS_MAX: usize = 8;
/// Milliseconds by which clocks may differ or step: nothing within it is refused as expired or future-dated.
pub const CLOCK_SKEW_MS: u64 = 5 * 60_000;
/// Milliseconds a place is good, from its sealing. `Wait` seals it anew when half is gone, so waiting longer loses nothing.
pub const PLACE_LIFE_MS: u64 = 4 * 3_600_000;
/// Milliseconds a ticket is good that was won at the door: long enough for a slow page to ask for the sound.
pub const TICKET_LIFE_MS: u64 = 10 * 60_000;
/// Milliseconds of the right to come back, from its sealing; the player renews it while it is inside.
pub const RESUME_LIFE_MS: u64 = 10 * 60_000;
/// Milliseconds in which a puzzle can be solved and its solution used.
pub const PUZZLE_LIFE_MS: u64 = 5 * 60_000;
/// Seconds for which a seat that was left is remembered by its id: whoever comes again within it was inside.
pub const LEFT_KEPT_S: u32 = 5 * 60;
/// Times that one right comes in again at once, and seconds for each time more: a ticket is won, played, asked for again with a
/// range, and moved from one network to another and back. Beyond it, it is told to wait, and the seat stays where it is:
/// else one good ticket, shown from everywhere, would begin a stream thousands of times a second.
pub const AGAIN_AT_ONCE: u32 = 8;
pub const AGAIN_EVERY_S: u32 = 5;
/// Seconds inside below which a seat was held for a moment only: leaving it is no lost connection, earns its prefix no
/// allowance, a mark without a right is nothing to come back by, and there is no ticket to come back with. Longer than a flood that comes and goes can afford.
pub const STAY_MIN_S: u32 = 10;
/// Milliseconds that a place must be old before it lets anybody in: a flood that never comes back gets nothing. With the jitter
/// of `POLL_MS_BUSY` who comes twice is inside within a second and a bit, also by a page without script, which counts seconds.
pub const PLACE_AGE_MIN_MS: u64 = 800;
/// Milliseconds over which those who come twice are spread, beyond that age.
pub const POLL_MS_BUSY: u32 = 200;
/// Places that one prefix is given at once, and places more a second, of a hall with as many seats as that or more: an access
/// of a thousand gets them in one go. In a smaller hall as many as a `PLACES_PART` of its seats, and a sixteenth of that a
/// second, but never fewer than `PLACES_AT_ONCE_MIN` and an eighth of it. Beyond it one comes again without; else one
/// connection could make the line longer than it is ever called.
pub const PLACES_AT_ONCE: u32 = 1_024;
pub const PLACES_AT_ONCE_MIN: u32 = 32;
pub const PLACES_PART: u32 = 4;
/// Cells a row in which that is counted, 32 bytes each: with as many prefixes pressing at once as there are cells, a stranger
/// shares all four with others one time in 6.
pub const MINT_CELLS: usize = 32_768;
/// Milliseconds that a seat is held for a ticket not yet used. After it the seat is free again and the right remains, but
/// nothing is held for it any more as long as that is remembered (`LEFT_KEPT_S`): it asks for the sound and finds a seat or not.
pub const SEAT_HELD_MS: u64 = 30_000;
/// Seats held at once by one queue of a shell. Further ones are not held: their tickets are good, their seats free.
pub const HELD_MAX: usize = 65_536;
/// Milliseconds between two turns of the spent set. What was spent is known for one to two turns, which is as long as a
/// place lives; invited tickets live longer and may then stand at the head of their lane once more a turn.
pub const SPENT_PERIOD_MS: u64 = PLACE_LIFE_MS;
/// Ids the spent set is made for, a seat; beyond it the set turns early, so that it never grows wrong.
pub const SPENT_PER_SEAT: u32 = 8;
/// Bits of the spent set an id. With eight bits set an id fewer than 1 in 10,000 strangers are taken for spent.
pub const SPENT_BITS: u32 = 32;
/// Milliseconds between two turns of the memory of how many were inside, by prefix: the allowance lasts one to two of them.
pub const PEAK_PERIOD_MS: u64 = 5 * 60_000;
/// Spaces a hall has doors for; more are refused as `BadDoor::Full`.
pub const DOORS_MAX: usize = crate::limits::SPACES_MAX;
/// Shards of a hall.
pub const SHARDS_MAX: u32 = 256;
/// Seats of a hall: the tables for them take about 300 bytes a seat. More is refused by `Settings::check`.
pub const SEATS_MAX: u32 = 8_000_000;
/// Seats that a shard leases at once. Small enough that what idle shards hold back is not missed.
pub const LEASE_MAX: u32 = 64;
/// Milliseconds of one bucket of the line. Within it places go by the moment of arrival.
pub const BUCKET_MS: u64 = 10_000;
/// Milliseconds: no draw is further off than a month, whatever a snapshot says.
pub const DRAW_MS_MAX: u64 = 31 * 86_400_000;
/// Buckets a line remembers: longer than a place lives. Older ones count as served.
pub const BUCKETS: usize = 2_048;
/// Seconds over which it is learned how many of those whose turn has come do come.
pub const SHOW_WINDOW_S: usize = 60;
/// Seconds that those whose turn has come are given to come, before others are called in their stead.
pub const CALLED_WINDOW_S: usize = 15;
/// Of those called, the least part that is reckoned with. Places that nobody means to use delay the line at most so.
pub const SHOW_MIN: f64 = 1.0 / 1_024.0;
/// Milliseconds between two polls of a waiter: never sooner (a small answer still costs a round), never later (a phone sleeps).
pub const POLL_MS_MIN: u32 = 2_000;
pub const POLL_MS_MAX: u32 = 1_800_000;
/// Milliseconds between two polls of one whose turn has come and whose prefix has its share: others of it must leave first, or
/// the share must rise. Longer, and seats that fall free would lie idle.
pub const POLL_MS_CALLED: u32 = 60_000;
/// Others without a seat in one tick for each of which one asks `POLL_MS_MIN` later.
pub const POLL_OTHERS: u32 = 8;
/// Milliseconds over which those who took part in the draw ask what came of it. Below `CALLED_WINDOW_S`, else others would be
/// called in their stead.
pub const DRAW_SPREAD_MS: u32 = 10_000;
/// Milliseconds until the next poll when nobody knows how long it takes.
pub const POLL_MS_UNKNOWN: u32 = 30_000;
/// Small hashes that a solution consists of. Eight of a mean of d tries each vary less than one of 8 d.
pub const PUZZLE_PARTS: usize = 8;
/// Tries (mean, all parts): from nothing that anybody notices to 3 s at 200,000 hashes a second, a slow phone in plain JavaScript.
pub const EFFORT_MIN: u32 = 4_000;
pub const EFFORT_MAX: u32 = 600_000;
/// Milliseconds that nine of ten solutions of a cohort may take; above it the cohort's puzzles get easier.
pub const SOLVE_P90_MS: u32 = 3_000;
/// Cohorts of a door: prefixes fall into them by a salted hash.
pub const COHORTS: usize = 64;
/// Tries to settle a race of two connections with one ticket. They are some 100 ns; after them the later is told to come again.
pub const RACE_TRIES: usize = 64;
/// Milliseconds: a step up the ladder is taken at once, a step down after this time of quiet.
pub const CALM_DOWN_MS: u64 = 10_000;
/// Times that one lost connection may be made good by who shows nothing: a browser that navigates to the sound itself asks twice.
pub const RETURN_TRIES: u32 = 2;
/// Listeners a door lets come back by their prefix's allowance at any time, and one more for every `RETURNS_PART` inside
/// and for every `RETURNS_SHARE` admitted: else each seat that is left would go to the prefix that had it, past the line.
pub const RETURNS_MIN: u32 = 4;
pub const RETURNS_PART: u32 = 50;
pub const RETURNS_SHARE: u32 = 5;
/// When a `LOSS_PART` of those inside, at least `LOSS_MIN` and `LOSS_UNUSUAL` times as many as usual leave within three seconds,
/// connections were lost, and for
/// `LOSS_RETURN_S` seconds all of them may come back by the allowance.
pub const LOSS_PART: u32 = 20;
pub const LOSS_MIN: u32 = 8;
pub const LOSS_UNUSUAL: u32 = 4;
pub const LOSS_RETURN_S: u32 = 60;
/// Seconds for which the seats of lost connections go to nobody else: players come again within some seconds, with jitter.
/// After it the line has what is left.
pub const LOSS_KEPT_S: u32 = 10;
/// Seconds after which it is looked at whether they come at all, and the seats kept for each who has: a browser's player comes
/// again within two seconds. Who left for good leaves the seat to the line so soon.
pub const LOSS_SEEN_S: u32 = 3;
pub const LOSS_BACK_TIMES: u32 = 4;
/// The same after a restart: all lost their connections at once, and players come again the later the longer they found nobody.
pub const RESTART_KEPT_S: u32 = 30;
/// In a storm one seat in so many, at least one and at most `RESUME_READY_MAX`, is kept for those who were inside: their players
/// ask once, and the seat they left goes to the line within a tick. A space of fewer than `RESUME_READY_FROM` seats keeps none
/// that nobody had: of those that were left in the last three seconds it keeps one in `RESUME_READY_SMALL` of its seats.
pub const RESUME_READY_PART: u32 = 100;
pub const RESUME_READY_MAX: u32 = 64;
pub const RESUME_READY_FROM: u32 = 100;
pub const RESUME_READY_SMALL: u32 = 20;
/// Joiners a second below which there is no rush, however few seats are left: three friends are none.
pub const RUSH_MIN: f64 = 3.0;
/// Of the seats that a space may take, the part that a calm door gives away within a tick, at least `CALM_BURST_MIN`: who comes
/// beyond it comes twice, as in a busy one, which the door is from the next tick on. Else a flood that begins would have the
/// seats of a second before anything is measured.
pub const CALM_BURST_PART: u32 = 16;
pub const CALM_BURST_MIN: u32 = 128;
/// Seconds of its newest joiners' pace for which a space below its guarantee finds seats that nobody else may borrow. More than
/// the five for which a door is calm: else others' crowds would make its joiners come twice.
pub const GUARANTEE_AHEAD_S: f64 = 6.0;
/// Of the seats that others might borrow, so many stay free while spaces below their guarantee are quiet, so that their first
/// comers find some: one in `QUIET_KEPT_PART`, at least `QUIET_KEPT_MIN`, but never more than a tenth of all.
pub const QUIET_KEPT_PART: u32 = 50;
pub const QUIET_KEPT_MIN: u32 = 8;
/// In calm and busy one prefix takes no more seats of a space than are still free, but may always have so many: whoever comes
/// from elsewhere when nobody did before finds half of them.
pub const ALONE_MIN: u32 = 16;
/// Beyond that it takes what is free slowly, one in so many seats a second, as long as one in `ALONE_KEPT_PART` of all stay
/// free: a hall behind one address comes in within a minute, and whoever comes from elsewhere meanwhile is first.
pub const ALONE_SLOWLY: f64 = 50.0;
pub const ALONE_KEPT_PART: u32 = 8;
/// Times the level that a /48 of IPv6 is held to: its 256 parts cost who has it nothing, and may be as many homes.
pub const WIDE_LEVELS: u32 = 4;
