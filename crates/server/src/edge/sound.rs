//! What a request for sound gets: a ring to join with a seat, or a refusal.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use hustings_control::gate::Pass;
use hustings_control::spaces::Phase;
use hustings_media::fanout::Ring;

use super::answers::{self, Answer, Told};
use super::asked::{Container, Method, SoundRequest};
use super::gate;
use super::shard_loop::Local;
use crate::live::{Rings, SpaceHandle};
use crate::rehearsal::{Mark, Running};

/// A place to listen at: the space, and the set of rings it has just now. The set is compared by pointer, for a stage
/// that starts again brings new rings under the same name.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) handle: Arc<SpaceHandle>,
    pub(super) rings: Arc<Option<Rings>>,
    pub(super) container: Container,
}

impl Place {
    pub(super) fn ring(&self) -> Option<&Ring> {
        let rings = self.rings.as_ref().as_ref()?;
        Some(match self.container {
            Container::Ogg => &rings.ogg,
            Container::Webm => &rings.webm,
            Container::Mp4 => &rings.mp4,
        })
    }
}

#[expect(
    clippy::large_enum_variant,
    reason = "in a storm a refusal is the usual answer, and is made without allocating"
)]
pub(super) enum Decision {
    /// With the rehearsal that it is counted in, if it is one's.
    Join(Place, Pass, Option<Arc<Running>>),
    /// HEAD of a stream that can be had.
    HeadOnly(&'static [u8]),
    Refuse(Answer),
    /// No seat now.
    Told(Told),
}

pub(super) fn decide(local: &Local, request: &SoundRequest, from: IpAddr) -> Decision {
    if request.method == Method::Other {
        return Decision::Refuse(answers::METHOD);
    }
    let permit = request.permit.as_deref();
    let rehearsed = match gate::rehearsed(local, permit, Mark::Sound) {
        Ok(rehearsed) => rehearsed,
        Err(refused) => return Decision::Refuse(refused),
    };
    let Some(handle) = request
        .space
        .as_ref()
        .and_then(|id| local.directory.get(id))
    else {
        return Decision::Refuse(answers::UNKNOWN);
    };
    if request.method == Method::Get {
        handle.counts.attempts.fetch_add(1, Relaxed);
        let marked = u64::from(rehearsed.is_some());
        handle.counts.rehearsed.attempts.fetch_add(marked, Relaxed);
    }
    let rings = handle.rings.load_full();
    let place = Place {
        handle,
        rings,
        container: request.container,
    };
    match place.ring() {
        Some(ring) if !ring.is_closed() && request.method == Method::Head => {
            Decision::HeadOnly(answers::stream_head(request.container))
        }
        Some(ring) if !ring.is_closed() => {
            let admitted = gate::admit(local, &place.handle, request, from);
            let knocks = &place.handle.counts.rehearsed.knocks;
            knocks.fetch_add(u64::from(rehearsed.is_some()), Relaxed);
            match admitted {
                Ok(pass) => Decision::Join(place, pass, rehearsed),
                Err(told) => Decision::Told(told),
            }
        }
        _ => Decision::Refuse(why_silent(place.handle.snapshot.load().phase)),
    }
}

/// An attempt that is answered before anything is decided.
pub(super) fn attempted(local: &Local, request: &SoundRequest) {
    let space = request.space.as_ref();
    if let Some(handle) = space.and_then(|id| local.directory.get(id)) {
        handle.counts.attempts.fetch_add(1, Relaxed);
        let permit = request.permit.as_deref();
        if let Ok(Some(_)) = gate::rehearsed(local, permit, Mark::Sound) {
            handle.counts.rehearsed.attempts.fetch_add(1, Relaxed);
        }
    }
}

fn why_silent(phase: Phase) -> Answer {
    match phase {
        Phase::Posted => answers::NOT_OPEN,
        Phase::Open | Phase::Live => answers::NO_SOUND,
        Phase::Ended => answers::ENDED,
        Phase::Cancelled => answers::CANCELLED,
    }
}
