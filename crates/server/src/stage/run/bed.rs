//! What lies under the voices of a run: hold music before the beginning and on an empty stage.

use hustings_control::spaces::{Phase, Space};
use hustings_media::stage::Bed;
use hustings_media::time::Now;
use tokio::sync::oneshot;

use super::Run;

/// Milliseconds without anybody seated until hold music begins on a live stage.
const EMPTY_MUSIC_AFTER_MS: u64 = 2_000;

impl Run {
    pub(super) fn follow_bed(&mut self, space: &Space, now: Now) {
        let empty =
            self.seats.is_empty() && now.since(self.empty_since) >= EMPTY_MUSIC_AFTER_MS * 1_000;
        let bed = match space.phase {
            Phase::Open => Bed::HoldMusic,
            Phase::Live if space.hold_music || empty => Bed::HoldMusic,
            _ => Bed::None,
        };
        self.set_bed(bed);
    }

    pub(super) fn set_bed(&mut self, bed: Bed) {
        if self.bed != bed {
            self.bed = bed;
            self.stage.bed(bed);
        }
    }

    /// Decoding a file takes longer than a tick, so another thread does it.
    pub(super) fn ask_music(&mut self, object: Option<String>) {
        self.music_asked = Some(object.clone());
        let archive = self.parts.archive.clone();
        let (reply, music) = oneshot::channel();
        self.music = Some(music);
        tokio::task::spawn_blocking(move || {
            let decoded = archive.music(object.as_deref());
            let _ = reply.send(if decoded.is_err() && object.is_some() {
                archive.music(None)
            } else {
                decoded
            });
        });
    }

    pub(super) fn take_music(&mut self) {
        let Some(music) = &mut self.music else { return };
        match music.try_recv() {
            Ok(Ok(pcm)) => self.stage.hold_music(pcm),
            Ok(Err(error)) => {
                tracing::error!(space = %self.parts.handle.id, %error, "no hold music can be played")
            }
            Err(oneshot::error::TryRecvError::Empty) => return,
            Err(oneshot::error::TryRecvError::Closed) => {}
        }
        self.music = None;
    }
}
