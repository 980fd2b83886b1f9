//! The listeners of the house: what a stranger can and cannot do to them.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
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
fn curl(cert: &std::path::Path, url: &str, told: &str, more: &[&str]) -> String {
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
fn the_stage_speaks_http_2_under_tls_and_the_crowd_never_does() {
    let data = tempfile::tempdir().expect("a folder");
    let (node, cert) = with_tls(data.path());
    let told = "%{http_version} %{http_code}";
    let studio = format!("https://{}/studio", node.address(8082));
    assert_eq!(curl(&cert, &studio, told, &["--http2"]), "2 200");
    assert_eq!(curl(&cert, &studio, told, &["--http1.1"]), "1.1 200");
    let page = format!("https://{}/", node.address(8080));
    assert_eq!(curl(&cert, &page, told, &["--http2"]), "1.1 200");
    // A hundred at once over one connection: more than may be open, so they take turns.
    let many = format!("{studio}?[1-100]");
    let answers = curl(
        &cert,
        &many,
        "%{http_version} %{http_code}\n",
        &["--http2", "--parallel"],
    );
    assert_eq!(answers.lines().filter(|line| *line == "2 200").count(), 100);
}

type Tls = tokio_rustls::client::TlsStream<tokio::net::TcpStream>;

async fn tls(node: &Node, cert: &std::path::Path, protocol: &[u8]) -> Tls {
    tls_from(std::net::Ipv4Addr::LOCALHOST, node, cert, protocol).await
}

async fn tls_from(
    from: std::net::Ipv4Addr,
    node: &Node,
    cert: &std::path::Path,
    protocol: &[u8],
) -> Tls {
    use rustls_pki_types::pem::PemObject as _;
    let mut roots = rustls::RootCertStore::empty();
    let der = rustls_pki_types::CertificateDer::from_pem_file(cert).expect("a certificate");
    roots.add(der).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind((from, 0).into()).expect("an address of ours");
    let tcp = socket.connect(node.address(8082)).await.expect("connected");
    tokio_rustls::TlsConnector::from(Arc::new(config))
        .connect(node.address(8082).ip().into(), tcp)
        .await
        .expect("a handshake")
}

fn request(node: &Node) -> http::Request<()> {
    http::Request::get(format!("https://{}/studio", node.address(8082)))
        .body(())
        .expect("a request")
}

/// Far more requests than a stranger's prefix may have, over one connection: some are refused, and then it is over.
#[tokio::test]
async fn http_2_of_a_stranger_who_asks_too_fast_is_ended() {
    let data = tempfile::tempdir().expect("a folder");
    let (node, cert) = with_tls(data.path());
    let stranger = std::net::Ipv4Addr::new(127, 222, 1, 9);
    let sealed = tls_from(stranger, &node, &cert, b"h2").await;
    let (client, connection) = h2::client::handshake(sealed).await.expect("HTTP/2");
    let running = tokio::spawn(connection);
    let (mut answered, mut refused) = (0, 0);
    for _ in 0..5_000 {
        let Ok(mut ready) = client.clone().ready().await else {
            break;
        };
        let Ok((answer, _)) = ready.send_request(request(&node), true) else {
            break;
        };
        match answer.await.map(|answer| answer.status().as_u16()) {
            Ok(200) => answered += 1,
            Ok(429) => refused += 1,
            Ok(other) => panic!("{other}"),
            Err(_) => break,
        }
    }
    assert!(answered >= 400, "{answered} were answered before");
    assert!((16..64).contains(&refused), "{refused} were refused");
    drop(client);
    let ended = tokio::time::timeout(PATIENCE, running).await;
    assert!(ended.is_ok(), "the connection stands");
    // The others of the house do not notice.
    let url = format!("https://{}/studio", node.address(8082));
    assert_eq!(curl(&cert, &url, "%{http_code}", &["--http2"]), "200");
}

#[tokio::test]
async fn http_2_has_its_bounds() {
    let data = tempfile::tempdir().expect("a folder");
    let (node, cert) = with_tls(data.path());

    // No more than 32 streams at once are allowed.
    let (client, connection) = h2::client::handshake(tls(&node, &cert, b"h2").await)
        .await
        .expect("HTTP/2");
    let running = tokio::spawn(connection);
    let mut client = client.ready().await.expect("ready");
    let (answer, _) = client.send_request(request(&node), true).expect("sent");
    assert_eq!(answer.await.expect("an answer").status(), 200);
    assert_eq!(client.current_max_send_streams(), 32);
    // A head larger than allowed is refused, and the connection lives.
    let mut client = client.ready().await.expect("ready");
    let mut large = request(&node);
    large
        .headers_mut()
        .insert("x-large", "a".repeat(17_000).parse().expect("a value"));
    let (answer, _) = client.send_request(large, true).expect("sent");
    assert_eq!(answer.await.expect("an answer").status(), 431);

    drop(client);
    running.await.expect("no panic").expect("an orderly end");
    assert_eq!(
        reset_rapidly(&node, tls(&node, &cert, b"h2").await).await,
        u32::from(h2::Reason::ENHANCE_YOUR_CALM)
    );

    // Who agrees on HTTP/2 and then says nothing is not waited for.
    use tokio::io::AsyncReadExt as _;
    let mut silent = tls(&node, &cert, b"h2").await;
    let began = Instant::now();
    let mut all = Vec::new();
    let read = tokio::time::timeout(PATIENCE, silent.read_to_end(&mut all)).await;
    assert!(read.is_ok(), "the silent one is still there");
    assert!(began.elapsed() < Duration::from_secs(15));
    let url = format!("https://{}/studio", node.address(8082));
    assert_eq!(curl(&cert, &url, "%{http_code}", &["--http2"]), "200");
}

/// Opens streams and resets them in the same breath, again and again (CVE-2023-44487); gives the reason with which the
/// connection is ended.
async fn reset_rapidly(node: &Node, mut stream: Tls) -> u32 {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let frame = |kind: u8, flags: u8, stream: u32, body: &[u8]| {
        let length = u32::try_from(body.len()).expect("short").to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(body);
        frame
    };
    let authority = node.address(8082).to_string();
    // GET, https and / by their numbers in HPACK's table, :authority by its value.
    let mut head = vec![
        0x82,
        0x87,
        0x84,
        0x41,
        u8::try_from(authority.len()).expect("short"),
    ];
    head.extend(authority.bytes());
    let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    sent.extend(frame(4, 0, 0, &[]));
    for number in (1..2_000).step_by(2) {
        sent.extend(frame(1, 4, number, &head));
        sent.extend(frame(3, 0, number, &8_u32.to_be_bytes()));
    }
    // The node may have heard enough before all is said.
    let _ = stream.write_all(&sent).await;
    let _ = stream.flush().await;
    loop {
        let mut about = [0; 9];
        tokio::time::timeout(PATIENCE, stream.read_exact(&mut about))
            .await
            .expect("an answer in time")
            .expect("told before the end");
        let [a, b, c, kind, ..] = about;
        let mut body = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        stream.read_exact(&mut body).await.expect("a whole frame");
        // GOAWAY: the last stream, then the reason.
        if kind == 7 {
            return u32::from_be_bytes(body[4..8].try_into().expect("four bytes"));
        }
    }
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
