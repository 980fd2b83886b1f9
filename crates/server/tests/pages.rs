//! The crowd's pages over real parts of a node: what stands on them in each phase, and the recording's ranges.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use hustings::api::{App, auth};
use hustings::archive::Archive;
use hustings::clock::Clock;
use hustings::desk::Desk;
use hustings::ingest::Ingest;
use hustings::live::Directory;
use hustings::numbers::{Value, of_space};
use hustings::pages;
use hustings::store::Store;
use hustings::usher::Entrance;
use hustings_control::gate::Settings;
use hustings_control::ids::{SpaceId, UnixMillis};
use hustings_control::numbers::Number;
use hustings_control::spaces::space::Draft;
use hustings_control::spaces::{Actor, Command};
use tower::ServiceExt as _;

struct House {
    data: tempfile::TempDir,
    app: App,
    crowd: Router,
    studio: Router,
}

impl House {
    async fn open() -> Self {
        let data = tempfile::tempdir().unwrap();
        let clock = Clock::start();
        let directory = Arc::new(Directory::default());
        let store = Store::open(data.path()).await.unwrap();
        let desk = Desk::start(store, Arc::clone(&directory), clock)
            .await
            .unwrap();
        let ingest = Ingest::start(
            std::net::SocketAddr::from(([127, 0, 0, 1], 0)),
            None,
            desk.clone(),
            Arc::clone(&directory),
        )
        .await
        .unwrap();
        let entrance = Entrance::passing(Settings::default(), clock).unwrap();
        let wicket = Arc::new(Mutex::new(entrance.wicket().unwrap()));
        let app = App {
            flight: hustings::ops::flight::Flight::default(),
            watched: hustings::alarms::Watched::new(None),
            config: Arc::new(hustings::config::Serve::usual()),
            entrance,
            wicket,
            ending: hustings::live::Ending::channel().1,
            desk,
            directory,
            archive: Archive::open(data.path()).unwrap(),
            ingest,
            keys: Arc::new(auth::Keys::open(data.path()).unwrap()),
            clock,
            public_url: "http://127.0.0.1:8080".into(),
            stage_url: "http://127.0.0.1:8082".into(),
            secure: false,
        };
        Self {
            data,
            crowd: pages::public_router(app.clone()),
            studio: pages::studio_router(app.clone()),
            app,
        }
    }

    async fn make(&self, id: &str, draft: Draft, commands: Vec<Command>) {
        let id = SpaceId::parse(id).unwrap();
        self.app
            .desk
            .create(Actor::Operator, Some(id.clone()), draft)
            .await
            .unwrap();
        for command in commands {
            self.app
                .desk
                .command(&id, Actor::Operator, command)
                .await
                .unwrap();
        }
    }

    async fn get(&self, path: &str, headers: &[(header::HeaderName, &str)]) -> Answer {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let router = if path.starts_with("/studio") {
            &self.studio
        } else {
            &self.crowd
        };
        let response = router
            .clone()
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes()
            .to_vec();
        Answer {
            status,
            headers,
            body,
        }
    }
}

impl House {
    async fn react(&self, space: &str, body: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let mut request = Request::post(format!("/s/{space}/reactions"))
            .header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = self.crowd.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn header(&self, name: header::HeaderName) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

fn titled(title: &str) -> Draft {
    Draft {
        title: title.into(),
        listed: true,
        record: true,
        ..Draft::default()
    }
}

#[tokio::test]
async fn each_phase_has_a_page_that_says_what_is() {
    let house = House::open().await;
    let later = UnixMillis(house.app.clock.wall().0 + 86_400_000);
    house
        .make(
            "posted",
            Draft {
                starts_at: Some(later),
                ..titled("Posted <b>one</b>")
            },
            vec![],
        )
        .await;
    house
        .make("open", titled("Open one"), vec![Command::Open])
        .await;
    house
        .make(
            "live",
            titled("Live one"),
            vec![Command::Open, Command::GoLive],
        )
        .await;
    house
        .make(
            "ended",
            titled("Ended one"),
            vec![Command::Open, Command::GoLive, Command::End],
        )
        .await;
    house
        .make(
            "called-off",
            titled("Off one"),
            vec![Command::Cancel {
                reason: "The hall is flooded.".into(),
            }],
        )
        .await;
    let says = [
        ("posted", "posted", "Play it when it starts"),
        ("open", "open", "Hear the hold music"),
        ("live", "live", "href=\"/s/live/live.ogg\""),
        ("ended", "ended", "The recording will be here soon"),
        ("called-off", "cancelled", "The hall is flooded."),
    ];
    for (id, phase, words) in says {
        let page = house.get(&format!("/s/{id}"), &[]).await;
        assert_eq!(page.status, StatusCode::OK, "{id}");
        assert!(page.text().contains(words), "{id}: {}", page.text());
        assert!(
            page.text().contains(&format!("data-phase=\"{phase}\"")),
            "{id}"
        );
        assert_eq!(page.text().matches("<h1").count(), 1, "{id}");
        assert_eq!(page.header(header::CACHE_CONTROL), "public, max-age=2");
        assert!(page.header(header::SET_COOKIE).is_empty());
        let policy = page.header(header::CONTENT_SECURITY_POLICY);
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        let state = house.get(&format!("/s/{id}/state.json"), &[]).await;
        let json: serde_json::Value = serde_json::from_slice(&state.body).unwrap();
        assert_eq!(json["phase"], phase);
        assert_eq!(state.header(header::CACHE_CONTROL), "public, max-age=1");
    }
    assert!(
        house
            .get("/s/posted", &[])
            .await
            .text()
            .contains("Posted &lt;b&gt;one")
    );
    let home = house.get("/", &[]).await;
    for title in [
        "Live one",
        "Open one",
        "Posted &lt;b&gt;one",
        "Ended one",
        "Off one",
    ] {
        assert!(home.text().contains(title), "{title}");
    }
}

#[tokio::test]
async fn a_link_that_leads_nowhere_is_still_useful() {
    let house = House::open().await;
    house
        .make(
            "live",
            titled("Live one"),
            vec![Command::Open, Command::GoLive],
        )
        .await;
    for path in ["/s/no-such-space", "/s/NOT%20AN%20ID", "/nothing/at/all"] {
        let page = house.get(path, &[]).await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);
        assert!(page.text().contains("Live one"), "{path} shows what is on");
    }
    for path in [
        "/s/no-such-space/state.json",
        "/s/no-such-space/events",
        "/s/no-such-space/event.ics",
        "/s/live/replay.ogg",
    ] {
        assert_eq!(
            house.get(path, &[]).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

#[tokio::test]
async fn unlisted_spaces_are_found_by_their_link_only() {
    let house = House::open().await;
    house
        .make(
            "hidden",
            Draft {
                listed: false,
                ..titled("Hidden one")
            },
            vec![],
        )
        .await;
    assert!(!house.get("/", &[]).await.text().contains("Hidden one"));
    assert_eq!(house.get("/s/hidden", &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_calendar_has_the_start() {
    let house = House::open().await;
    let later = UnixMillis(house.app.clock.wall().0 + 86_400_000);
    house
        .make(
            "posted",
            Draft {
                starts_at: Some(later),
                ..titled("Ferries, and more")
            },
            vec![],
        )
        .await;
    let entry = house.get("/s/posted/event.ics", &[]).await;
    assert!(
        entry
            .header(header::CONTENT_TYPE)
            .starts_with("text/calendar")
    );
    assert!(entry.text().contains("SUMMARY:Ferries\\, and more\r\n"));
    assert!(entry.text().contains("DTSTART:"));
    assert!(entry.text().contains("/s/posted"));
}

#[tokio::test]
async fn a_recording_is_served_whole_and_in_ranges() {
    let house = House::open().await;
    let object = "talk-1-1.ogg";
    let bytes: Vec<u8> = (0..=255).cycle().take(200_000).collect();
    std::fs::write(house.data.path().join("recordings").join(object), &bytes).unwrap();
    let closed = Command::RecordingClosed {
        object: object.into(),
        millis: 5_520_000,
    };
    house
        .make(
            "talk",
            titled("A talk"),
            vec![Command::Open, Command::GoLive, Command::End],
        )
        .await;
    let id = SpaceId::parse("talk").unwrap();
    house
        .app
        .desk
        .command(&id, Actor::Node, closed)
        .await
        .unwrap();

    let page = house.get("/s/talk/replay", &[]).await;
    assert!(page.text().contains("1 h 32 min") && page.text().contains("id=\"seek\""));

    let whole = house.get("/s/talk/replay.ogg", &[]).await;
    assert_eq!(
        (whole.status, whole.body.len()),
        (StatusCode::OK, bytes.len())
    );
    assert_eq!(whole.header(header::CONTENT_LENGTH), "200000");
    assert_eq!(whole.header(header::ACCEPT_RANGES), "bytes");
    let tag = whole.header(header::ETAG).to_owned();

    let part = house
        .get("/s/talk/replay.ogg", &[(header::RANGE, "bytes=1000-1999")])
        .await;
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert_eq!(part.header(header::CONTENT_RANGE), "bytes 1000-1999/200000");
    assert_eq!(part.body, bytes[1_000..2_000]);
    let same = house
        .get(
            "/s/talk/replay.ogg",
            &[(header::RANGE, "bytes=-10"), (header::IF_RANGE, &tag)],
        )
        .await;
    assert_eq!(
        (same.status, same.body.as_slice()),
        (StatusCode::PARTIAL_CONTENT, &bytes[199_990..])
    );
    let other = house
        .get(
            "/s/talk/replay.ogg",
            &[
                (header::RANGE, "bytes=-10"),
                (header::IF_RANGE, "\"another\""),
            ],
        )
        .await;
    assert_eq!(
        (other.status, other.body.len()),
        (StatusCode::OK, bytes.len())
    );
    let beyond = house
        .get("/s/talk/replay.ogg", &[(header::RANGE, "bytes=200000-")])
        .await;
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(beyond.header(header::CONTENT_RANGE), "bytes */200000");
    let known = house
        .get("/s/talk/replay.ogg", &[(header::IF_NONE_MATCH, &tag)])
        .await;
    assert_eq!(
        (known.status, known.body.len()),
        (StatusCode::NOT_MODIFIED, 0)
    );
    let handle = house.app.directory.get(&id).unwrap();
    assert_eq!(
        of_space(&handle, Number::Plays),
        Value::Count(2),
        "from the first byte, twice"
    );

    house
        .app
        .desk
        .command(&id, Actor::Operator, Command::DeleteRecording)
        .await
        .unwrap();
    assert_eq!(
        house.get("/s/talk/replay.ogg", &[]).await.status,
        StatusCode::NOT_FOUND
    );
    assert!(
        house
            .get("/s/talk", &[])
            .await
            .text()
            .contains("deleted the recording")
    );
}

#[tokio::test]
async fn assets_are_kept_for_ever_and_compressed_for_who_takes_it() {
    let house = House::open().await;
    let page = house.get("/", &[]).await;
    let links: Vec<_> = page
        .text()
        .split('"')
        .filter(|part| part.starts_with("/assets/"))
        .map(str::to_owned)
        .collect();
    assert!(links.len() >= 4, "{links:?}");
    for link in links {
        let plain = house.get(&link, &[]).await;
        assert_eq!(plain.status, StatusCode::OK, "{link}");
        assert!(plain.header(header::CACHE_CONTROL).contains("immutable"));
        let small = house.get(&link, &[(header::ACCEPT_ENCODING, "gzip")]).await;
        assert_eq!(small.header(header::CONTENT_ENCODING), "gzip");
        assert!(
            small.body.len() < plain.body.len() || plain.body.len() < 200,
            "{link}"
        );
    }
    assert_eq!(
        house.get("/assets/nothing.js", &[]).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn the_studio_is_never_cached_and_tells_strangers_nothing() {
    let house = House::open().await;
    house
        .make("secret-plans", titled("Very secret title"), vec![])
        .await;
    for path in ["/studio", "/studio/secret-plans", "/studio/unknown"] {
        let page = house.get(path, &[]).await;
        assert_eq!(page.status, StatusCode::OK);
        assert_eq!(page.header(header::CACHE_CONTROL), "private, no-store");
        assert_eq!(page.header(header::REFERRER_POLICY), "no-referrer");
        assert!(!page.text().contains("Very secret title"));
    }
}

#[tokio::test]
async fn reactions_are_counted_while_live_and_only_from_our_own_page() {
    let house = House::open().await;
    house
        .make("debate", titled("Debate"), vec![Command::Open])
        .await;
    let applaud = r#"{"reaction":"applaud"}"#;
    let own: &[(&str, &str)] = &[
        ("origin", "http://127.0.0.1:8080"),
        ("sec-fetch-site", "same-origin"),
    ];
    assert_eq!(house.react("debate", applaud, own).await.0, 409);
    let id = SpaceId::parse("debate").unwrap();
    house
        .app
        .desk
        .command(&id, Actor::Operator, Command::GoLive)
        .await
        .unwrap();
    let space = house.app.directory.get(&id).unwrap();
    assert_eq!(space.presses.take(), [0; 4], "refused presses do not count");
    assert_eq!(house.react("debate", applaud, own).await.0, 204);
    assert_eq!(house.react("debate", applaud, &[]).await.0, 204);
    let louder = r#"{"reaction":"louder"}"#;
    assert_eq!(house.react("debate", louder, own).await.0, 204);
    for foreign in [
        &[("origin", "https://evil.example")][..],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[
            ("origin", "http://127.0.0.1:8080"),
            ("sec-fetch-site", "cross-site"),
        ],
    ] {
        let (status, problem) = house.react("debate", applaud, foreign).await;
        assert_eq!(
            (status, problem.contains("cross-site")),
            (403, true),
            "{foreign:?}: {problem}"
        );
    }
    assert_eq!(
        house.react("debate", r#"{"reaction":"boo"}"#, own).await.0,
        400
    );
    assert_eq!(house.react("debate", &"x".repeat(500), own).await.0, 413);
    assert_eq!(house.react("nowhere", applaud, own).await.0, 404);
    assert_eq!(space.presses.take(), [2, 0, 0, 1]);
    let mut refused = 0;
    for _ in 0..80 {
        let (status, problem) = house.react("debate", applaud, own).await;
        if status == 429 {
            refused += 1;
            assert!(problem.contains("try again"), "{problem}");
        }
    }
    assert!(refused > 0, "one network may not press without end");
}
