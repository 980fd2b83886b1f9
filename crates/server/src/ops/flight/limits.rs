//! Every bound of the recorder: its unit, the reason for its size, and what happens there.

use std::time::Duration;

/// MiB that all segments take together unless `--flight-keep` says otherwise: some days of a busy node, months of an idle
/// one. Beyond it the oldest segment goes, and the chain says so.
pub const KEEP_MIB_DEFAULT: u64 = 256;
pub const KEEP_MIB_MIN: u64 = 1;
pub const KEEP_MIB_MAX: u64 = 1 << 20;
/// Of what is kept, a segment has this part: so much goes at once when the oldest goes.
pub(super) const SEGMENT_PART: u64 = 16;
/// Bytes of a segment at most, so that a start reads its end quickly.
pub(super) const SEGMENT_BYTES_MAX: u64 = 16 << 20;
/// Segments at most, whatever their size.
pub(super) const SEGMENTS_MAX: usize = 4_096;
/// Between two rows, and two syncs.
pub(super) const EVERY: Duration = Duration::from_secs(1);
/// Rows of the node between two heads that are signed and published.
pub(super) const HEAD_EVERY_ROWS: u32 = 60;
/// Happenings on their way to the recorder; one more is only in the log.
pub(super) const NOTES_QUEUED: usize = 1_024;
/// Happenings kept while the disk is full; then the oldest are lost, and counted.
pub(super) const NOTES_KEPT: usize = 512;
/// Happenings of one second: the others come with the next. A row and its line stay within a segment by far.
pub(super) const NOTES_A_SECOND: usize = 256;
/// Bytes of a file of `/proc` that are read; what is longer has more interfaces or threads than are told.
pub(super) const PROC_BYTES_MAX: u64 = 256 << 10;
/// Threads whose time is told by kind; of more the sum of the process is true and the kinds are not whole.
pub(super) const THREADS_MAX: usize = 512;
