//! Every bound of the shield: its unit, the reason for its size, and what happens there.

use std::time::Duration;

/// Bytes of one message; a longer one ends its connection. `BATCH_MAX` prefixes with their seconds fit in.
pub(super) const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Prefixes of one message; more are malformed, and the node sends the rest a second later.
pub(super) const BATCH_MAX: usize = 1_024;
/// Prefixes that the node may name as never to be blocked; more are malformed.
pub(super) const NEVER_MAX: usize = 1_024;
/// Prefixes in one set of the kernel; one more is refused until others have timed out. About 200 bytes each.
pub(super) const SET_PREFIXES_MAX: usize = 8_192;
/// Seconds that a prefix may be dropped at most; a longer time is malformed.
pub(super) const SECONDS_MAX: u64 = 3_600;
/// Connections to the helper at once; the next waits. The node has one.
pub(super) const CLIENTS_MAX: usize = 4;
/// Time between two messages of one connection that are worked on: the rest waits in the socket.
pub(super) const MESSAGE_PAUSE: Duration = Duration::from_millis(200);
/// Time the nft program may take for one batch; then it is ended and the batch has failed.
pub(super) const NFT_DEADLINE: Duration = Duration::from_secs(5);

/// Time between two batches of the node.
pub(super) const BATCH_INTERVAL: Duration = Duration::from_millis(500);
/// Time the node gives the helper for an answer; then it connects anew.
pub(super) const ANSWER_DEADLINE: Duration = Duration::from_secs(6);
/// Time between tries of the node to reach a helper that is not there.
pub(super) const RECONNECT: Duration = Duration::from_secs(2);
/// Offences under way from the shards to the one who counts them; more are lost, and the loss is counted.
pub(super) const NOTES_MAX: usize = 8_192;
/// Offences worked on before anything else gets a turn.
pub(super) const NOTES_PER_TURN: usize = 512;
/// Blocks that wait for the helper; more are lost: who goes on offending is found again.
pub(super) const WAITING_MAX: usize = 4 * BATCH_MAX;
