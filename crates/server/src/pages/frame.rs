//! What all pages share: head, masthead, foot, icons, and the response's headers.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hustings_control::numbers::Number;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::assets;
use crate::usher::Serving;

/// A page, before its frame is put round it.
pub(super) struct Page<'a> {
    pub title: String,
    /// Under the mark, such as "Studio".
    pub house: &'a str,
    pub scripts: &'a [&'a str],
    /// Icons that the page or its script uses.
    pub icons: &'a [&'a str],
    /// Seconds after which a page without script asks again.
    pub refresh: Option<u32>,
    /// Seconds after which every browser goes on, and where to.
    pub again: Option<(u32, String)>,
    /// Data for the script: name and value of attributes on `<body>`.
    pub data: Vec<(&'static str, String)>,
    pub banner: Markup,
    pub main: Markup,
    /// After `<main>`, such as the deck of the microphone.
    pub after: Markup,
    pub skip: &'a str,
    /// Where the mark and "All spaces" lead.
    pub home: &'a str,
    pub nav: Markup,
    pub foot: bool,
    pub description: String,
}

impl Default for Page<'_> {
    fn default() -> Self {
        Self {
            title: String::from("Hustings"),
            house: "",
            scripts: &[],
            icons: &[],
            refresh: None,
            again: None,
            data: Vec::new(),
            banner: html! {},
            main: html! {},
            after: html! {},
            skip: "Skip to the space",
            home: "/",
            nav: html! { a href="/" { "All spaces" } },
            foot: true,
            description: String::new(),
        }
    }
}

/// How long the same page may be handed to others, and whom its script may talk to.
pub(super) struct Serve<'a> {
    pub status: StatusCode,
    pub cache: &'static str,
    pub connect: &'a str,
}

pub(super) const CROWD_CACHE: &str = "public, max-age=2";
pub(super) const OWN: &str = "private, no-store";

fn policy(connect: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self'; media-src 'self' blob: mediastream:; connect-src 'self' {connect}; \
         base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
}

/// The page as an answer that is sent without being made again.
pub(super) fn prepared(page: Page<'_>, cache: &str) -> Serving {
    let lines = format!(
        "Content-Type: text/html; charset=utf-8\r\nCache-Control: {cache}\r\nContent-Security-Policy: {}\r\nReferrer-Policy: no-referrer\r\n",
        policy("")
    );
    Serving::new(framed(page).into_string().into_bytes(), &lines)
}

/// The same on a connection that HTTP reads already.
pub(super) fn send_prepared(
    told: &Serving,
    etag: String,
    cache: &'static str,
    known: bool,
) -> Response {
    let headers = [
        (header::CACHE_CONTROL, cache.to_owned()),
        (header::ETAG, etag),
        (header::CONTENT_SECURITY_POLICY, policy("")),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    if known {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    (headers, kind, told.body.clone()).into_response()
}

pub(super) fn respond(page: Page<'_>, serve: &Serve<'_>) -> Response {
    let policy = policy(serve.connect);
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static(serve.cache)),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_str(&policy)
                .unwrap_or(HeaderValue::from_static("default-src 'none'")),
        ),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            header::HeaderName::from_static("permissions-policy"),
            HeaderValue::from_static("microphone=(self), camera=(), geolocation=()"),
        ),
    ];
    (serve.status, headers, framed(page).into_string()).into_response()
}

fn framed(page: Page<'_>) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" dir="ltr" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (page.title) }
                @if !page.description.is_empty() { meta name="description" content=(page.description); }
                @if let Some(seconds) = page.refresh { noscript { meta http-equiv="refresh" content=(seconds); } }
                @if let Some((seconds, next)) = &page.again { meta http-equiv="refresh" content={ (seconds) "; url=" (next) }; }
                link rel="icon" href=(assets::href("icon.svg")) type="image/svg+xml";
                link rel="stylesheet" href=(assets::href("hustings.css"));
                link rel="stylesheet" href=(assets::href("app.css"));
                @for script in page.scripts { script type="module" src=(assets::href(script)) {} }
            }
            (PreEscaped(body_tag(&page.data)))
                a class="skip" href="#main" { (page.skip) }
                (sprite(page.icons))
                header class="mast" { div class="wrap" {
                    a class="mark" href=(page.home) { svg aria-hidden="true" focusable="false" { use href="#i-mark" {} } "Hustings" }
                    @if !page.house.is_empty() { span class="house" { (page.house) } }
                    nav aria-label="Site" { (page.nav) }
                } }
                div id="news" { (page.banner) }
                main id="main" tabindex="-1" { (page.main) }
                (page.after)
                p id="say" class="vh" role="status" {}
                p id="cry" class="vh" role="alert" {}
                @if page.foot { (foot()) }
            (PreEscaped("</body>"))
        }
    }
}

fn body_tag(data: &[(&'static str, String)]) -> String {
    let mut tag = String::from("<body");
    for (name, value) in data {
        tag.push_str(" data-");
        tag.push_str(name);
        tag.push_str("=\"");
        for c in value.chars() {
            match c {
                '&' => tag.push_str("&amp;"),
                '"' => tag.push_str("&quot;"),
                '<' => tag.push_str("&lt;"),
                c => tag.push(c),
            }
        }
        tag.push('"');
    }
    tag.push('>');
    tag
}

fn foot() -> Markup {
    html! {
        footer class="foot" { div class="wrap" {
            details class="help" id="numbers" {
                summary { "What the numbers mean" }
                dl {
                    @for (name, number) in [("Listening now", Number::Listening), ("Peak", Number::Peak), ("Unique listeners", Number::Uniques), ("Seconds behind the stage", Number::Behind)] {
                        dt { (name) } dd { (super::parts::means(number)) }
                    }
                    dt { "Places" } dd { "People who can be on stage at once: 13." }
                }
            }
            details class="help" id="help" {
                summary { "If you hear nothing" }
                ul {
                    li { "See whether the device is muted, and whether the sound goes to headphones that lie elsewhere." }
                    li { "During hold music you should hear music. If you do, your sound works." }
                    li { "Every space also has a plain stream for any player, such as VLC, under “Other ways to hear”." }
                }
            }
            details class="help" id="privacy" {
                summary { "No address is stored" }
                p { "Listening needs no account and sets no cookie. Network addresses are not written down." }
            }
        } }
    }
}

pub(super) fn icon(name: &str) -> Markup {
    html! { svg class="i" aria-hidden="true" focusable="false" { use href={ "#i-" (name) } {} } }
}

/// Only the symbols that the page uses: no further request in the worst minute.
fn sprite(wanted: &[&str]) -> Markup {
    const SPRITE: &str = include_str!("../../../../web/icons.svg");
    let mut symbols = String::new();
    for name in ["mark"].iter().chain(wanted) {
        let start = format!("<symbol id=\"i-{name}\"");
        if let Some(line) = SPRITE.lines().find(|line| line.starts_with(&start)) {
            symbols.push_str(line);
        }
    }
    html! { svg class="vh" aria-hidden="true" focusable="false" { (PreEscaped(symbols)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_wrote_cannot_leave_its_place() {
        let page = Page {
            title: "<script>x</script>".into(),
            data: vec![("title", "\"><img src=x>".into())],
            ..Page::default()
        };
        let text = framed(page).into_string();
        assert!(!text.contains("<script>x"), "{text}");
        assert!(!text.contains("<img"), "{text}");
    }

    #[test]
    fn no_page_has_inline_script_or_style() {
        let text = framed(Page {
            scripts: &["listen.js"],
            icons: &["play"],
            ..Page::default()
        })
        .into_string();
        assert!(
            !text.contains(" style=") && !text.contains("<style") && !text.contains(" onclick")
        );
        assert_eq!(
            text.matches("<script").count(),
            text.matches("<script type=\"module\" src=\"/assets/")
                .count()
        );
        assert!(text.contains("id=\"i-play\"") && !text.contains("id=\"i-music\""));
    }
}
