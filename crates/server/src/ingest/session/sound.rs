//! The sound of a session: the person's packets to the stage, and what the person shall hear.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hustings_media::limits::OPUS_PACKET_BYTES_MAX;
use hustings_media::stage::SourcePacket;
use str0m::format::Codec;
use str0m::media::Pt;
use str0m::rtp::{RtpPacket, RtpWrite};

use super::Running;
use crate::ingest::quality::Quality;
use crate::stage::StageCall;

/// A peer that changes its sound's source more often is dropped meanwhile: each change costs the stage a new seat.
const SOURCE_CHANGE_EVERY: Duration = Duration::from_secs(1);

impl Running {
    pub(super) fn packet(&mut self, packet: &RtpPacket) {
        let payload = &packet.payload;
        if Some(packet.header.payload_type) != self.opus_pt() {
            return;
        }
        let now = Instant::now();
        if self.ssrc != Some(packet.header.ssrc) {
            if self.ssrc.is_some() {
                // Another encoder, other sequence numbers: to the stage that is another source.
                if now.duration_since(self.ssrc_at) < SOURCE_CHANGE_EVERY {
                    return;
                }
                self.unseat();
                self.quality = Quality::new(now);
            }
            self.ssrc = Some(packet.header.ssrc);
            self.ssrc_at = now;
        }
        let sequence = *packet.seq_no;
        let time = (!payload.is_empty()).then_some(packet.header.timestamp);
        self.quality.packet(now, sequence, time);
        if payload.is_empty() || payload.len() > OPUS_PACKET_BYTES_MAX {
            return;
        }
        let (Some(source), Some(stage)) = (self.source, &self.stage) else {
            return;
        };
        let level = packet.header.ext_vals.audio_level.map(i8::unsigned_abs);
        let packet = SourcePacket {
            sequence,
            timestamp: packet.header.timestamp,
            opus: Bytes::from_owner(Arc::clone(payload)),
            level,
        };
        // Full: the stage stands still, and sound that waits is worth nothing.
        let _ = stage.try_send(StageCall::Packet { source, packet });
    }

    fn opus_pt(&self) -> Option<Pt> {
        self.rtc
            .codec_config()
            .iter()
            .find(|params| params.spec().codec == Codec::Opus)
            .map(|params| params.pt())
    }

    /// Sends what the person shall hear. RTP time follows media time, which never goes back, over restarts of the stage too.
    pub(super) fn play(&mut self, media_time: u64, opus: &Bytes) {
        let (Some(mid), Some(pt)) = (self.mid, self.opus_pt()) else {
            return;
        };
        if !self.connected {
            return;
        }
        let time = ((media_time & u64::from(u32::MAX)) as u32).wrapping_add(self.send_offset);
        let sequence = self.send_sequence;
        let mut direct = self.rtc.direct_api();
        // None: the offer was sendonly, nothing goes back.
        let Some(stream) = direct.stream_tx_by_mid(mid, None) else {
            return;
        };
        stream.write_rtp(RtpWrite::new(
            pt,
            sequence.into(),
            time,
            Instant::now(),
            opus.as_ref(),
        ));
        self.send_sequence += 1;
    }
}
