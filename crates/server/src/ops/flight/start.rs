//! What is to be said of a start: how the run before ended, and what is another than then.

use std::collections::BTreeMap;
use std::path::Path;

use hustings_evidence::row::{Happening, What, Who};

use super::gather::Sources;
use super::happening;
use super::recorder::FlightConfig;
use super::segments::Found;
use super::settings::fingerprint_of;
use crate::api::secrets;

/// What the run before left beside the chain, to compare with.
#[derive(Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
struct LastRun {
    version: String,
    settings: BTreeMap<String, String>,
}

/// What is different from the run before, and that this one begins.
pub(super) fn of_this_start(
    folder: &Path,
    config: &FlightConfig,
    sources: &Sources,
    found: &Found,
) -> Vec<Happening> {
    let version = env!("CARGO_PKG_VERSION");
    let path = folder.join("last-run.json");
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let last: LastRun = serde_json::from_str(&text).unwrap_or_default();
    let new = || Happening {
        who: Who::Operator,
        ..happening(&sources.clock)
    };
    let mut said = Vec::new();
    if let Some(at) = found.killed_at {
        let away = sources
            .clock
            .wall()
            .0
            .cast_signed()
            .saturating_sub(at.0.cast_signed());
        said.push(Happening {
            what: What::NodeWasKilled,
            who: Who::Unknown,
            number: away,
            ..new()
        });
    }
    if found.goes_on && !last.version.is_empty() {
        if last.version != version {
            said.push(Happening {
                what: What::Deployed,
                before: last.version.as_str().into(),
                after: version.into(),
                ..new()
            });
        }
        for (name, value) in &config.settings {
            let before = last.settings.get(name).map_or("", String::as_str);
            if before != value {
                said.push(Happening {
                    what: What::ConfigChanged,
                    name: name.as_str().into(),
                    before: before.into(),
                    after: value.as_str().into(),
                    ..new()
                });
            }
        }
    }
    said.push(Happening {
        what: What::NodeStarted,
        who: Who::Node,
        name: fingerprint_of(&config.settings).as_str().into(),
        after: version.into(),
        ..new()
    });
    let this = LastRun {
        version: version.to_owned(),
        settings: config.settings.clone(),
    };
    let kept = serde_json::to_string(&this)
        .map_err(anyhow::Error::from)
        .and_then(|text| secrets::write(&path, &text));
    if let Err(error) = kept {
        tracing::warn!(%error, "the next start cannot say what has changed since this one");
    }
    said
}
