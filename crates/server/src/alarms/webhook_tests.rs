//! Against a receiver over real sockets, which hangs, fails, goes away and comes back.

use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

use aws_lc_rs::hmac;
use hyper::Uri;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use std::path::Path;

use super::super::receiver::{SECRET_FILE, sign};
use super::*;

/// Nothing waits longer.
const LONGEST: Duration = Duration::from_secs(30);
const TAKES: u8 = 0;
const FAILS: u8 = 1;
const HANGS: u8 = 2;

struct Heard {
    signature: String,
    body: String,
}

/// Takes requests as `mood` says; tells of those that it took, and by `tried` of all.
struct Ear {
    address: std::net::SocketAddr,
    mood: Arc<AtomicU8>,
    heard: mpsc::UnboundedReceiver<Heard>,
    tried: mpsc::UnboundedReceiver<u8>,
}

async fn listen(mood: u8) -> Ear {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mood = Arc::new(AtomicU8::new(mood));
    let (tell, heard) = mpsc::unbounded_channel();
    let (tell_try, tried) = mpsc::unbounded_channel();
    let moods = Arc::clone(&mood);
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mood = moods.load(SeqCst);
            let _ = tell_try.send(mood);
            if mood == HANGS {
                held.push(stream);
                continue;
            }
            let Some(request) = read(&mut stream).await else {
                continue;
            };
            let status = if mood == TAKES {
                "204 No Content"
            } else {
                "500 Oh"
            };
            if mood == TAKES {
                let _ = tell.send(request);
            }
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    Ear {
        address,
        mood,
        heard,
        tried,
    }
}

async fn read(stream: &mut TcpStream) -> Option<Heard> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let line = |name: &str| {
                head.lines()
                    .find(|line| line.to_ascii_lowercase().starts_with(name))
                    .and_then(|line| line.split_once(": "))
                    .map(|(_, value)| value.to_owned())
            };
            let length: usize = line("content-length")?.parse().ok()?;
            if body.len() >= length {
                return Some(Heard {
                    signature: line("hustings-signature")?,
                    body: body.to_owned(),
                });
            }
        }
        let mut part = [0; 4_096];
        let got = stream.read(&mut part).await.ok().filter(|got| *got > 0)?;
        bytes.extend_from_slice(&part[..got]);
    }
}

impl Ear {
    async fn hears(&mut self) -> Heard {
        let heard = tokio::time::timeout(LONGEST, self.heard.recv()).await;
        heard.expect("in time").expect("the receiver lives")
    }

    async fn was_tried(&mut self, mood: u8) {
        let tried = async { while self.tried.recv().await != Some(mood) {} };
        tokio::time::timeout(LONGEST, tried).await.expect("in time");
    }
}

fn receiver(ear: &Ear, data: &Path) -> Receiver {
    let url: Uri = format!("http://{}/hook?x=1", ear.address).parse().unwrap();
    let patience = Patience {
        try_for: Duration::from_millis(200),
        again_min: Duration::from_millis(5),
        again_max: Duration::from_millis(50),
    };
    Receiver::open(&url, data, None, patience).unwrap()
}

fn number(heard: &Heard) -> u64 {
    let body: Value = serde_json::from_str(&heard.body).unwrap();
    body["number"].as_u64().unwrap()
}

#[tokio::test]
async fn what_fails_and_hangs_is_told_again_in_order_and_signed() {
    let data = tempfile::tempdir().unwrap();
    let mut ear = listen(HANGS).await;
    let webhook = Webhook::start(receiver(&ear, data.path()), Clock::start());
    for n in 0..5 {
        webhook.tell("alarm", json!({ "n": n }));
    }
    ear.was_tried(HANGS).await;
    ear.mood.store(FAILS, SeqCst);
    ear.was_tried(FAILS).await;
    ear.mood.store(TAKES, SeqCst);
    let secret = std::fs::read_to_string(data.path().join(SECRET_FILE)).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.trim().as_bytes());
    for n in 0..5 {
        let heard = ear.hears().await;
        assert_eq!(number(&heard), n + 1);
        let (seconds, tag) = heard.signature.split_once(",v1=").expect("two parts");
        let seconds = seconds.strip_prefix("t=").expect("a time");
        assert_eq!(
            sign(&key, seconds.parse().unwrap(), &heard.body),
            heard.signature
        );
        assert_eq!(tag.len(), 64);
        let body: Value = serde_json::from_str(&heard.body).unwrap();
        assert_eq!(
            (&body["about"]["n"], &body["dropped"]),
            (&json!(n), &json!(0))
        );
    }
    let other = hmac::Key::new(hmac::HMAC_SHA256, b"another");
    assert_ne!(sign(&other, 1, "x"), sign(&key, 1, "x"));
}

#[tokio::test]
async fn the_queue_is_bounded_and_says_what_it_dropped() {
    let data = tempfile::tempdir().unwrap();
    let mut ear = listen(HANGS).await;
    let webhook = Webhook::start(receiver(&ear, data.path()), Clock::start());
    let all = QUEUE_MAX as u64 + 10;
    for n in 0..all {
        webhook.tell("alarm", json!({ "n": n }));
    }
    let standing = webhook.standing();
    assert_eq!((standing.waiting, standing.dropped), (QUEUE_MAX, 10));
    ear.was_tried(HANGS).await;
    ear.mood.store(TAKES, SeqCst);
    let first = ear.hears().await;
    let body: Value = serde_json::from_str(&first.body).unwrap();
    assert_eq!((number(&first), &body["dropped"]), (11, &json!(10)));
    let second = ear.hears().await;
    let body: Value = serde_json::from_str(&second.body).unwrap();
    assert_eq!((number(&second), &body["dropped"]), (12, &json!(0)));
}

#[tokio::test]
async fn of_heads_that_wait_the_newest_is_told_and_alarms_stay() {
    let data = tempfile::tempdir().unwrap();
    let mut ear = listen(HANGS).await;
    let webhook = Webhook::start(receiver(&ear, data.path()), Clock::start());
    webhook.tell("alarm", json!({ "n": 0 }));
    for n in 0..QUEUE_MAX as u64 {
        webhook.head(json!({ "n": n }));
    }
    webhook.tell("alarm", json!({ "n": 1 }));
    let standing = webhook.standing();
    assert_eq!((standing.waiting, standing.dropped), (3, 0));
    ear.was_tried(HANGS).await;
    ear.mood.store(TAKES, SeqCst);
    let mut told = Vec::new();
    for _ in 0..3 {
        let body: Value = serde_json::from_str(&ear.hears().await.body).unwrap();
        told.push((body["kind"].to_string(), body["about"]["n"].as_u64()));
    }
    let newest = Some(QUEUE_MAX as u64 - 1);
    let kinds = [
        ("alarm", Some(0)),
        ("flight-head", newest),
        ("alarm", Some(1)),
    ];
    assert_eq!(told, kinds.map(|(kind, n)| (format!("\"{kind}\""), n)));
    let seen = webhook.meter().take();
    assert!(seen.failures >= 1 && seen.calls >= 2, "{seen:?}");
}

#[tokio::test]
async fn whether_it_answers_can_be_tried() {
    let data = tempfile::tempdir().unwrap();
    let mut ear = listen(FAILS).await;
    let webhook = Webhook::start(receiver(&ear, data.path()), Clock::start());
    let why = webhook.try_now().await.unwrap_err();
    assert!(why.contains("500"), "{why}");
    ear.mood.store(HANGS, SeqCst);
    assert!(webhook.try_now().await.unwrap_err().contains("no answer"));
    ear.mood.store(TAKES, SeqCst);
    webhook.try_now().await.unwrap();
    assert!(ear.hears().await.body.contains("preflight"));
}

#[test]
fn urls_that_are_none_are_told() {
    let data = tempfile::tempdir().unwrap();
    for bad in ["/hook", "ftp://example.org/", "example.org:80"] {
        let url: Uri = bad.parse().unwrap();
        assert!(Receiver::open(&url, data.path(), None, Patience::default()).is_err());
    }
}
