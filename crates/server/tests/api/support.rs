//! A node's stage listener on a free port of loopback, with real store, desk, archive and ingest; and callers.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use hustings::api::auth::Keys;
use hustings::api::{App, stage_routes};
use hustings::archive::Archive;
use hustings::clock::Clock;
use hustings::desk::Desk;
use hustings::ingest::Ingest;
use hustings::live::Directory;
use hustings::store::Store;
use hustings::usher::{Entrance, UsherThread};
use hustings_control::gate::{Load, Settings};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

pub(crate) const PUBLIC: &str = "http://127.0.0.1:8080";

pub(crate) struct Node {
    pub app: App,
    pub address: SocketAddr,
    pub operator: String,
    pub store: Store,
    server: tokio::task::JoinHandle<()>,
    usher: UsherThread,
}

impl Node {
    pub(crate) async fn start(data: &Path) -> Self {
        let clock = Clock::start();
        let keys = Keys::open(data).unwrap();
        let operator = std::fs::read_to_string(keys.operator_file())
            .unwrap()
            .trim()
            .to_owned();
        let directory = Arc::new(Directory::default());
        let store = Store::open(data).await.unwrap();
        let desk = Desk::start(store.clone(), Arc::clone(&directory), clock)
            .await
            .unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let ingest = Ingest::start(any, None, desk.clone(), Arc::clone(&directory))
            .await
            .unwrap();
        let listener = tokio::net::TcpListener::bind(any).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (entrance, keeper) = Entrance::open(Settings::default(), Some(data), clock).unwrap();
        let wicket = Arc::new(Mutex::new(entrance.wicket().unwrap()));
        let spare = Box::new(Load::default);
        let (door, spaces) = (Arc::clone(&entrance), Arc::clone(&directory));
        let usher = UsherThread::start(door, spaces, spare, None, keeper).unwrap();
        let app = App {
            flight: hustings::ops::flight::Flight::default(),
            watched: hustings::alarms::Watched::new(None),
            config: Arc::new(hustings::config::Serve::usual()),
            entrance,
            wicket,
            ending: hustings::live::Ending::channel().1,
            desk,
            directory,
            archive: Archive::open(data).unwrap(),
            ingest,
            keys: Arc::new(keys),
            clock,
            public_url: PUBLIC.into(),
            stage_url: format!("http://{address}").into(),
            secure: false,
        };
        let router = stage_routes::router(app.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            app,
            address,
            operator,
            store,
            server,
            usher,
        }
    }

    /// As `kill -9`, as far as one process can: nothing is said to anybody, tasks are cut off.
    pub(crate) async fn kill(self) {
        self.server.abort();
        let _ = self.server.await;
        // Waits for the thread's last write, so that the next node finds a file that nobody writes to.
        self.usher.stop();
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn ask(&self, method: Method, path: &str) -> RequestBuilder {
        reqwest::Client::new().request(method, self.url(path))
    }

    /// With a bearer token, as integrators do.
    pub(crate) async fn bearer(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Value,
    ) -> Answer {
        let request = self.ask(method, path).bearer_auth(token);
        Answer::of(if body.is_null() {
            request
        } else {
            request.json(&body)
        })
        .await
    }

    pub(crate) async fn operate(&self, method: Method, path: &str, body: Value) -> Answer {
        self.bearer(&self.operator, method, path, body).await
    }

    /// With a cookie and an Origin, as our pages do.
    pub(crate) async fn page(
        &self,
        cookie: &str,
        method: Method,
        path: &str,
        body: Value,
    ) -> Answer {
        let origin = format!("http://{}", self.address);
        let request = self
            .ask(method, path)
            .header("cookie", cookie)
            .header("origin", origin);
        Answer::of(if body.is_null() {
            request
        } else {
            request.json(&body)
        })
        .await
    }

    /// A new space with this id; gives its host's token.
    pub(crate) async fn space(&self, id: &str) -> String {
        let made = self
            .operate(
                Method::POST,
                "/api/v1/spaces",
                json!({ "id": id, "title": "An evening" }),
            )
            .await;
        assert_eq!(made.status, 201, "{made:?}");
        token_of(made.text("host_link"))
    }

    pub(crate) async fn invite(&self, id: &str, role: &str) -> (String, String) {
        let made = self
            .operate(
                Method::POST,
                &format!("/api/v1/spaces/{id}/invites"),
                json!({ "role": role, "name": "Guest" }),
            )
            .await;
        assert_eq!(made.status, 201, "{made:?}");
        (
            made.text("invite").to_owned(),
            made.text("token").to_owned(),
        )
    }

    /// Signs in by token; gives the cookie.
    pub(crate) async fn enter(&self, id: &str, token: &str) -> String {
        let entered = self
            .page(
                "",
                Method::POST,
                &format!("/studio/{id}/enter"),
                json!({ "token": token }),
            )
            .await;
        assert_eq!(entered.status, 200, "{entered:?}");
        entered.cookie()
    }

    /// A person of the space with this role, signed in.
    pub(crate) async fn guest(&self, id: &str, role: &str) -> String {
        let (_, token) = self.invite(id, role).await;
        self.enter(id, &token).await
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
}

impl Answer {
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        Self::read(request.send().await.unwrap()).await
    }

    async fn read(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        Self {
            status,
            headers,
            body: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        }
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.body[name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }

    /// `Set-Cookie` without its attributes, ready to be sent back.
    pub(crate) fn cookie(&self) -> String {
        let set = self.headers["set-cookie"].to_str().unwrap();
        for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(set.contains(attribute), "{set}");
        }
        set.split(';').next().unwrap().to_owned()
    }

    /// Asserts an RFC 9457 problem.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status, self.body["type"].as_str()),
            (
                status,
                Some(format!("urn:hustings:problem:{code}").as_str())
            ),
            "{self:?}"
        );
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.body["status"], status);
        assert!(["caller", "space", "node"].contains(&self.text("fault")));
        assert!(self.text("detail").len() > 10);
    }
}

pub(crate) fn token_of(link: &str) -> String {
    link.split_once("#token=").unwrap().1.to_owned()
}
