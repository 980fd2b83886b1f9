//! Connections from many prefixes of 127/8, and listeners whose pages are followed by number.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::world::{Node, PATIENCE};

/// A connection from the prefix with this number.
#[track_caller]
pub(crate) fn connect(node: &Node, prefix: usize) -> TcpStream {
    try_connect(node, prefix).expect("connected")
}

pub(crate) fn try_connect(node: &Node, prefix: usize) -> std::io::Result<TcpStream> {
    let [low, high] = (prefix as u16).to_le_bytes();
    let from = Ipv4Addr::new(127, 251 + high % 4, low, 9);
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(&node.address(8080).into())?;
    Ok(socket.into())
}

#[track_caller]
pub(crate) fn say(node: &Node, prefix: usize, request: &str) -> TcpStream {
    let mut stream = connect(node, prefix);
    stream.write_all(request.as_bytes()).expect("written");
    stream
}

pub(crate) fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
}

pub(crate) fn knock(space: &str, body: &str) -> String {
    format!(
        "POST /s/{space}/knock HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// The whole answer; a connection that is closed without a word gives nothing.
pub(crate) fn ask(node: &Node, prefix: usize, request: &str) -> String {
    let mut answer = Vec::new();
    let _ = say(node, prefix, request).read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// The answer's first bytes: of sound there is no end.
pub(crate) fn begin(node: &Node, prefix: usize, request: &str) -> String {
    let mut first = [0; 512];
    let read = say(node, prefix, request).read(&mut first).unwrap_or(0);
    String::from_utf8_lossy(&first[..read]).into_owned()
}

fn try_say(node: &Node, prefix: usize, request: &str) -> std::io::Result<TcpStream> {
    let mut stream = try_connect(node, prefix)?;
    stream.write_all(request.as_bytes())?;
    Ok(stream)
}

/// A listener's whole way, as a page with script goes it, ticket and all, and again after a connection that was lost; the
/// connection that hears, or none when there was no seat in time.
pub(crate) fn honest(node: &Node, space: &str, prefix: usize, ends: Instant) -> Option<TcpStream> {
    let (mut right, mut place) = (format!("n={:x}", 0x700 + prefix), String::new());
    while Instant::now() < ends {
        let target = format!("/s/{space}/live.ogg?{right}&burst=short");
        let mut first = [0; 12];
        if let Ok(mut stream) = try_say(node, prefix, &get(&target))
            && stream.read_exact(&mut first).is_ok()
            && first.ends_with(b"200")
        {
            return Some(stream);
        }
        let body = match place.as_str() {
            "" => r#"{"ask":"right"}"#.to_owned(),
            place => format!(r#"{{"ask":"right","show":"{place}"}}"#),
        };
        let mut answer = String::new();
        let asked = try_say(node, prefix, &knock(space, &body));
        let _ = asked.and_then(|mut stream| stream.read_to_string(&mut answer));
        let json = answer.split_once("\r\n\r\n").map(|(_, json)| json);
        let told: serde_json::Value =
            serde_json::from_str(json.unwrap_or_default()).unwrap_or_default();
        match told["ticket"].as_str() {
            Some(ticket) => right = format!("t={ticket}"),
            None => {
                place = told["place"].as_str().unwrap_or(&place).to_owned();
                let wait = told["poll_ms"].as_u64().unwrap_or(1_000).clamp(200, 3_000);
                std::thread::sleep(Duration::from_millis(wait));
            }
        }
    }
    None
}

/// Listeners who follow the sound of `demo`, each in a thread.
pub(crate) struct Inside {
    threads: Vec<JoinHandle<Heard>>,
    enough: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Heard {
    pages: u64,
    lost: u64,
    broke_off: bool,
}

impl Inside {
    #[track_caller]
    pub(crate) fn join(node: &Node, count: usize) -> Self {
        crate::world::until("the demo plays", || {
            node.listen("demo").starts_with("HTTP/1.1 200")
        });
        let enough = Arc::new(AtomicBool::new(false));
        let threads = (0..count)
            .map(|number| {
                let mut stream = None;
                // Who comes while the door is busy is told to come again.
                crate::world::until("somebody comes inside", || {
                    let mut joining = say(node, 900 + number, &get("/s/demo/live.ogg"));
                    let mut first = [0; 12];
                    let heard = joining.read_exact(&mut first).is_ok() && first.ends_with(b"200");
                    stream = heard.then_some(joining);
                    heard
                });
                let stream = stream.expect("a listener");
                let enough = Arc::clone(&enough);
                std::thread::spawn(move || follow(stream, &enough))
            })
            .collect();
        Self { threads, enough }
    }

    /// Everybody is still there, has heard some seconds, and lost no page.
    #[track_caller]
    pub(crate) fn unharmed(self) {
        self.enough.store(true, Relaxed);
        for thread in self.threads {
            let heard = thread.join().expect("a listener");
            let whole = heard.lost == 0 && !heard.broke_off && heard.pages > 10;
            assert!(whole, "somebody inside was harmed: {heard:?}");
        }
    }
}

fn follow(mut stream: TcpStream, enough: &AtomicBool) -> Heard {
    let (mut heard, mut last) = (Heard::default(), None);
    let mut byte = [0];
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_exact(&mut byte).is_err() {
            return heard;
        }
        head.push(byte[0]);
    }
    // Some seconds more than the flood, so that harm done at its end shows too.
    let mut until = u64::MAX;
    while heard.pages < until {
        if until == u64::MAX && enough.load(Relaxed) {
            until = heard.pages + 12;
        }
        let mut fixed = [0; 27];
        let mut lacing = [0; 255];
        let mut rest = || -> std::io::Result<u32> {
            stream.read_exact(&mut fixed)?;
            let table = &mut lacing[..usize::from(fixed[26])];
            stream.read_exact(table)?;
            let mut sound = vec![0; table.iter().map(|size| usize::from(*size)).sum()];
            stream.read_exact(&mut sound)?;
            Ok(u32::from_le_bytes([
                fixed[18], fixed[19], fixed[20], fixed[21],
            ]))
        };
        let Ok(number) = rest() else {
            heard.broke_off = true;
            return heard;
        };
        // After the head, pages 0 and 1, the number jumps to the present.
        if let Some(last) = last.filter(|last| *last > 1) {
            heard.lost += u64::from(number.wrapping_sub(last).wrapping_sub(1));
        }
        last = Some(number);
        heard.pages += 1;
    }
    heard
}
