//! WHIP's resource after the offer (RFC 9725): trickle, restart, hanging up. Orders to a session that runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::session::Control;
use super::{Ingest, IngestError, random_name, sdp};

/// How long an order waits for a place in that queue.
const CONTROL_DEADLINE: Duration = Duration::from_secs(1);

impl Ingest {
    /// Trickle ICE or ICE restart (RFC 9725 sections 4.3.1 to 4.3.3). Gives the body to answer (None: 204) and the ETag that holds now.
    pub async fn patch(
        &self,
        session: &str,
        if_match: Option<&str>,
        fragment: String,
    ) -> Result<(Option<String>, String), IngestError> {
        let (shared, control) = {
            let sessions = self.inner.registry.lock();
            let entry = sessions.get(session).ok_or(IngestError::NoSession)?;
            (Arc::clone(&entry.shared), entry.control.clone())
        };
        let ice = shared.ice().clone();
        let if_match = if_match.ok_or(IngestError::NeedsEtag)?.trim();
        // A strong comparison (RFC 9110, 13.1.1): a weak tag matches nothing.
        let any = if_match == "*";
        if !any && !if_match.split(',').any(|tag| tag.trim() == ice.etag) {
            return Err(IngestError::StaleEtag);
        }
        let fragment = sdp::fragment(&fragment)?;
        let restart = fragment
            .credentials
            .as_ref()
            .is_some_and(|(ufrag, _)| *ufrag != ice.peer_ufrag);
        if !restart {
            order(&control, Control::Candidates(fragment.candidates)).await?;
            return Ok((None, ice.etag));
        }
        if !any {
            return Err(IngestError::RestartRefused(
                "new ICE credentials are sent with If-Match: *".to_owned(),
            ));
        }
        let etag = format!("\"{}\"", random_name());
        let (reply, answer) = oneshot::channel();
        let restart = Control::Restart {
            fragment,
            etag: etag.clone(),
            reply,
        };
        order(&control, restart).await?;
        match tokio::time::timeout(CONTROL_DEADLINE, answer).await {
            Ok(Ok(answer)) => Ok((Some(answer?), etag)),
            _ => Err(IngestError::NoSession),
        }
    }

    /// The person hangs up.
    pub async fn delete(&self, session: &str) -> Result<(), IngestError> {
        let entry = self
            .inner
            .registry
            .lock()
            .remove(session)
            .ok_or(IngestError::NoSession)?;
        let _ = tokio::time::timeout(CONTROL_DEADLINE, entry.control.send(Control::Leave)).await;
        Ok(())
    }
}

/// A session that takes no order for so long is as good as gone.
async fn order(control: &mpsc::Sender<Control>, what: Control) -> Result<(), IngestError> {
    match tokio::time::timeout(CONTROL_DEADLINE, control.send(what)).await {
        Ok(Ok(())) => Ok(()),
        _ => Err(IngestError::NoSession),
    }
}
