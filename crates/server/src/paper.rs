//! Pages that stand by themselves as one file: in the house's look, nothing fetched, nothing run.

use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("../../../web/hustings.css");
const MARK: &str = "M1 19.5h22V23H1zM4 12h3.5v7.5H4zM10.25 9.5h3.5v10h-3.5zM16.5 14H20v5.5h-3.5z";
/// Nothing is fetched and nothing runs, whatever somebody wrote into a title.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// What stands round the main part.
pub(crate) struct Paper<'a> {
    pub(crate) title: String,
    /// Beside the mark.
    pub(crate) house: &'a str,
    /// Beyond the house's own.
    pub(crate) style: &'a str,
    pub(crate) main: Markup,
    pub(crate) foot: Markup,
}

impl Paper<'_> {
    pub(crate) fn markup(self) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" dir="ltr" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="referrer" content="no-referrer";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) (PreEscaped(self.style)) }
                }
                body {
                    a class="skip" href="#main" { "Skip to the main part" }
                    header class="mast" { div class="wrap" {
                        span class="mark" {
                            svg viewBox="0 0 24 24" aria-hidden="true" focusable="false" {
                                path fill="currentColor" d=(MARK) {}
                                circle cx="12" cy="4.75" r="3" fill="none" stroke="var(--lamp,currentColor)" stroke-width="2.25" {}
                            }
                            "Hustings"
                        }
                        span class="house" { (self.house) }
                    } }
                    main id="main" class="wrap" { article class="stack loose sect" { (self.main) } }
                    footer class="foot" { div class="wrap" { (self.foot) } }
                }
            }
        }
    }
}
