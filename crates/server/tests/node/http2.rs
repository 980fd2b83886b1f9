//! HTTP/2 of the stage's listener: its bounds, and what a stranger can and cannot do with it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::house::{curl, with_tls};
use crate::world::{Node, PATIENCE};

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

/// Of HTTP/2's frames (RFC 9113, 6).
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("short").to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(body);
    frame
}

/// The head of a GET: https and / by their numbers in HPACK's table, :authority by its value.
fn head(node: &Node) -> Vec<u8> {
    let authority = node.address(8082).to_string();
    let length = u8::try_from(authority.len()).expect("short");
    let mut head = vec![0x82, 0x87, 0x84, 0x41, length];
    head.extend(authority.bytes());
    head
}

/// Opens streams and resets them in the same breath, again and again (CVE-2023-44487).
fn rapid_resets(node: &Node) -> Vec<u8> {
    let head = head(node);
    let pair = |number| {
        let opened = frame(HEADERS, END_HEADERS, number, &head);
        [opened, frame(RST_STREAM, 0, number, &8_u32.to_be_bytes())].concat()
    };
    (1..2_000).step_by(2).flat_map(pair).collect()
}

/// Opens streams and makes the node reset them, by a window that is wider than allowed (CVE-2025-8671).
fn made_to_reset(node: &Node) -> Vec<u8> {
    let head = head(node);
    let pair = |number| {
        let opened = frame(HEADERS, END_HEADERS | END_STREAM, number, &head);
        let widened = frame(WINDOW_UPDATE, 0, number, &0x7fff_ffff_u32.to_be_bytes());
        [opened, widened].concat()
    };
    (1..4_000).step_by(2).flat_map(pair).collect()
}

/// A head that never ends: 2,000 pieces of lines that are nothing new (CVE-2024-27316).
fn endless_head(node: &Node) -> Vec<u8> {
    let mut all = frame(HEADERS, 0, 1, &head(node));
    // "a: b", kept in no table.
    let line = [0x00, 1, b'a', 1, b'b'].repeat(100);
    all.extend((0..2_000).flat_map(|_| frame(CONTINUATION, 0, 1, &line)));
    all
}

/// Sends it after the preface, and gives the reason with which the connection is ended.
async fn ended_with(mut stream: Tls, attack: &[u8]) -> u32 {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    sent.extend(frame(SETTINGS, 0, 0, &[]));
    sent.extend(attack);
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
        // The last stream, then the reason.
        if kind == GOAWAY {
            return u32::from_be_bytes(body[4..8].try_into().expect("four bytes"));
        }
    }
}

#[tokio::test]
async fn rapid_resets_and_their_relatives_end_the_connection() {
    let data = tempfile::tempdir().expect("a folder");
    let (node, cert) = with_tls(data.path());
    for (name, attack) in [
        ("rapid resets", rapid_resets(&node)),
        ("resets that the node is made to send", made_to_reset(&node)),
        ("a head without end", endless_head(&node)),
    ] {
        let reason = ended_with(tls(&node, &cert, b"h2").await, &attack).await;
        assert_eq!(reason, u32::from(h2::Reason::ENHANCE_YOUR_CALM), "{name}");
    }
    let url = format!("https://{}/studio", node.address(8082));
    assert_eq!(curl(&cert, &url, "%{http_code}", &["--http2"]), "200");
}
