//! The listeners of the house: what a stranger can and cannot do to them.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::world::{Node, PATIENCE, Setup, until};

/// A certificate for this node's address, as files.
pub(crate) fn certificate(folder: &std::path::Path, ip: std::net::Ipv4Addr) -> (PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed(vec![ip.to_string()]).expect("a certificate");
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    (cert, key)
}

pub(crate) fn with_tls(data: &std::path::Path) -> (Node, PathBuf) {
    let setup = Setup::new(data);
    let (cert, key) = certificate(data, setup.ip);
    let node = setup
        .with(&[
            "--tls-cert",
            cert.to_str().expect("text"),
            "--tls-key",
            key.to_str().expect("text"),
        ])
        .start();
    (node, cert)
}

/// What curl tells by `-w` of a GET.
pub(crate) fn curl(cert: &std::path::Path, url: &str, told: &str, more: &[&str]) -> String {
    let output = Command::new("curl")
        .args(["-sS", "-o", "/dev/null", "--cacert"])
        .arg(cert)
        .args(["-w", told])
        .args(more)
        .arg(url)
        .output()
        .expect("curl is there");
    assert!(output.status.success(), "{url}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn bodies_and_heads_that_are_too_long_or_never_end_are_refused() {
    let data = tempfile::tempdir().expect("a folder");
    let node = Node::start(data.path());
    let bearer = node.operator_token();
    let post = |length: &str| {
        format!(
            "POST /api/v1/spaces HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {bearer}\r\n\
             Content-Type: application/json\r\n{length}\r\n\r\n"
        )
    };
    let answer = |mut stream: std::net::TcpStream| {
        let mut bytes = [0; 4_096];
        let mut text = Vec::new();
        // A connection that is cut after its answer has answered.
        while let Ok(read @ 1..) = stream.read(&mut bytes) {
            text.extend_from_slice(&bytes[..read]);
        }
        String::from_utf8_lossy(&text).into_owned()
    };

    let large = answer(node.say(
        8082,
        &(post("Content-Length: 200000") + &" ".repeat(200_000)),
    ));
    assert!(large.starts_with("HTTP/1.1 413 "), "{large}");
    assert!(large.contains("application/problem+json"), "{large}");
    let head = format!(
        "GET /studio HTTP/1.1\r\nX-Large: {}\r\n\r\n",
        "a".repeat(20_000)
    );
    for port in [8080, 8082, 9090] {
        let long = answer(node.say(port, &head));
        assert!(long.starts_with("HTTP/1.1 431 "), "{port}: {long}");
    }

    // Bodies that come a byte at a time, or not at all, and heads that never end: all at once, for each takes 10 s.
    let began = Instant::now();
    let silent = node.say(8082, &post("Content-Length: 100"));
    let mut trickle = node.say(8082, &post("Transfer-Encoding: chunked"));
    let mut heads: Vec<_> = [8082, 9090]
        .map(|port| node.say(port, "GET /studio HTTP/1.1\r\nX: "))
        .into();
    let trickled = trickle.try_clone().expect("a second handle");
    let feeder = std::thread::spawn(move || {
        while trickle.write_all(b"1\r\n \r\n").is_ok() && began.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    for stream in [silent, trickled] {
        let late = answer(stream);
        assert!(late.starts_with("HTTP/1.1 408 "), "{late}");
        assert!(late.contains("application/problem+json"), "{late}");
    }
    for stream in heads.drain(..) {
        let ended = answer(stream);
        assert!(
            ended.is_empty() || ended.starts_with("HTTP/1.1 408 "),
            "{ended}"
        );
    }
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    feeder.join().expect("the feeder ends with its connection");

    // Nothing is left behind, and nothing has panicked.
    node.space(&["create", "After all that", "--id", "after"]);
    until("no connection is left", || {
        node.get(9090, "/metrics").contains("hustings_listeners 0")
    });
    assert!(!node.said().contains("panicked"));
}
