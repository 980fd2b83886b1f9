//! What a node is told, by the names of its flags: a change between two runs is recorded. No address and no path: of those
//! a fingerprint, so that a change shows and nothing else does.

use std::collections::BTreeMap;

use crate::config::Serve;

/// Names and values.
pub fn settings(config: &Serve) -> BTreeMap<String, String> {
    let plain = [
        ("cadence-max", config.cadence_max.to_string()),
        ("cadence-min", config.cadence_min.to_string()),
        ("demo", config.demo.to_string()),
        ("flight-keep", config.flight_keep.to_string()),
        ("core-share", config.core_share.to_string()),
        ("handshakes", config.handshakes.to_string()),
        (
            "keep-recordings",
            config
                .keep_recordings
                .map_or_else(String::new, |days| days.to_string()),
        ),
        ("prefix-connections", config.prefix_connections.to_string()),
        ("proxy-protocol", config.proxy_protocol.to_string()),
        ("seats", config.seats.to_string()),
        ("shield", config.shield.is_some().to_string()),
        ("space-share", config.space_share.to_string()),
        ("tls", config.tls_cert.is_some().to_string()),
        (
            "uplink",
            config
                .uplink
                .map_or_else(String::new, |rate| rate.0.to_string()),
        ),
    ];
    let hidden = [
        ("alarm-webhook", format!("{:?}", config.alarm_webhook)),
        ("listen", format!("{}", config.listen)),
        ("media", format!("{:?}", config.media)),
        ("media-public", format!("{:?}", config.media_public)),
        ("operator", format!("{}", config.operator)),
        ("public-url", config.public_base()),
        ("stage", format!("{}", config.stage)),
        ("stage-url", config.stage_base()),
        ("trusted-proxy", format!("{:?}", config.trusted_proxies)),
    ];
    let hidden = hidden.map(|(name, value)| (name, fingerprint(&value)));
    let all = plain.into_iter().chain(hidden);
    all.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// One text for all of them: two nodes of the same are set alike.
pub(super) fn fingerprint_of(settings: &BTreeMap<String, String>) -> String {
    let lines = settings
        .iter()
        .map(|(name, value)| format!("{name}={value}\n"));
    fingerprint(&lines.collect::<String>())
}

fn fingerprint(value: &str) -> String {
    blake3::hash(value.as_bytes()).to_hex()[..12].to_owned()
}
