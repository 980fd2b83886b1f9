//! Values that are never wrong: what stands in for one that is, so that the other faults of a file are found too.

/// Of the key's last name, as TOML; none: the key need not be there.
pub(super) fn value(key: &str) -> Option<&'static str> {
    Some(match key {
        "name" => "\"a-night\"",
        "about" => "\"\"",
        "label" => "[\"quiet\"]",
        "minutes" => "10",
        "seats" => "1000",
        _ => match key.rsplit('.').next()? {
            "people" => "100",
            "id" => "\"a-space\"",
            "kind" => "\"flood\"",
            "factor" | "at_s" | "down_s" | "for_s" | "over_s" => "1",
            "share" => "0.5",
            _ => return None,
        },
    })
}
