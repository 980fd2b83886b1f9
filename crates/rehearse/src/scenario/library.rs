//! The scenarios that come with the binary.

use super::file::File;
use super::read::BadFile;

/// Name and text of each, as `--list` shows them.
pub const LIBRARY: [(&str, &str); 22] = [
    (
        "announced-start",
        include_str!("library/announced-start.toml"),
    ),
    (
        "push-notification",
        include_str!("library/push-notification.toml"),
    ),
    (
        "cliff-and-rejoin",
        include_str!("library/cliff-and-rejoin.toml"),
    ),
    (
        "reconnect-herd",
        include_str!("library/reconnect-herd.toml"),
    ),
    ("exit-herd", include_str!("library/exit-herd.toml")),
    (
        "flood-on-the-door",
        include_str!("library/flood-on-the-door.toml"),
    ),
    ("slow-heads", include_str!("library/slow-heads.toml")),
    ("ticket-replay", include_str!("library/ticket-replay.toml")),
    (
        "browser-botnet",
        include_str!("library/browser-botnet.toml"),
    ),
    ("speaker-lost", include_str!("library/speaker-lost.toml")),
    (
        "certificate-expired",
        include_str!("library/certificate-expired.toml"),
    ),
    ("bad-deploy", include_str!("library/bad-deploy.toml")),
    ("disk-full", include_str!("library/disk-full.toml")),
    ("database-gone", include_str!("library/database-gone.toml")),
    ("the-night", include_str!("library/the-night.toml")),
    (
        "crowd-and-flood",
        include_str!("library/crowd-and-flood.toml"),
    ),
    (
        "crowd-and-limit",
        include_str!("library/crowd-and-limit.toml"),
    ),
    (
        "deploy-at-peak",
        include_str!("library/deploy-at-peak.toml"),
    ),
    (
        "forged-tickets",
        include_str!("library/forged-tickets.toml"),
    ),
    ("quiet-evening", include_str!("library/quiet-evening.toml")),
    ("lost-rows", include_str!("library/lost-rows.toml")),
    ("half-a-minute", include_str!("library/half-a-minute.toml")),
];

/// The scenario of this name, if it is one of the library's.
///
/// # Errors
/// When its text is at fault; the tests read them all.
pub fn library(name: &str) -> Option<Result<File, BadFile>> {
    let (_, text) = LIBRARY.iter().find(|(known, _)| *known == name)?;
    Some(File::read(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Sight, What, Wish};

    #[test]
    fn each_stands_in_the_docs_with_its_label() {
        let docs = include_str!("../../../../docs/scenarios.md");
        for (name, text) in LIBRARY {
            let file = File::read(text).unwrap_or_else(|why| panic!("{name}: {why}"));
            let label: Vec<_> = file.label.iter().map(|it| format!("`{it}`")).collect();
            let row = format!("| `{name}` | {} | {} |", file.about, label.join(", "));
            assert!(docs.contains(&row), "docs/scenarios.md has not: {row}");
        }
    }

    #[test]
    fn each_is_read_and_drawn_under_its_name() {
        for (name, text) in LIBRARY {
            let file = File::read(text).unwrap_or_else(|why| panic!("{name}: {why}"));
            assert_eq!(file.name, name);
            assert!(text.starts_with("# "), "{name} says what it is for");
            for (seed, sight) in [(1, Sight::Seen), (2, Sight::Unseen)] {
                let wish = Wish {
                    seed,
                    sight,
                    scale: None,
                };
                let night = file
                    .night(wish)
                    .unwrap_or_else(|why| panic!("{name}: {why}"));
                let last = night.actions().last().expect("somebody comes");
                assert!(last.at_ms <= night.millis, "{name}: {last:?}");
                let troubles = night
                    .actions()
                    .filter(|action| matches!(action.what, What::Trouble(_)));
                assert_eq!(troubles.count(), night.troubles.len(), "{name}");
            }
        }
    }
}
