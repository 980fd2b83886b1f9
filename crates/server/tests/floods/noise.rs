//! Floods of those who want no sound at all: they say nothing, or ask for pages and state without end. The honest come in
//! meanwhile, in the space that is meant and in another one; those inside lose nothing; who is on stage hears the host.

use std::collections::VecDeque;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::crowd::{Inside, begin, get, honest, try_connect};
use crate::ingest_peer::Speaker;
use crate::speak::speak;
use crate::world::{Node, Setup, until};

const PREFIXES: usize = 200;
const INSIDE: usize = 8;
/// Who comes meanwhile, into each of the two spaces.
const HONEST: usize = 12;
/// Connections of a flood at least; it goes on until the honest are in.
const FLOOD: usize = 1_500;
/// Samples of 10 ms.
const BLOCK: usize = 480;
/// Of a block with the tone in it; the tone itself has more than ten times as much.
const LOUD_RMS: f32 = 0.02;

/// Blocks that were heard since `from`, and those of them with a tone in them.
fn heard(speaker: &Speaker, from: usize) -> (usize, usize) {
    let all = speaker.heard.lock().expect("whole");
    let blocks = all.get(from..).unwrap_or_default().chunks_exact(BLOCK);
    let loud = |block: &&[f32]| {
        let square: f32 = block.iter().map(|sample| sample * sample).sum();
        (square / BLOCK as f32).sqrt() > LOUD_RMS
    };
    (blocks.len(), blocks.filter(loud).count())
}

/// `flood` is called with a number again and again, while people come.
#[track_caller]
fn nobody_notices(node: &Node, mut flood: impl FnMut(usize) + Send) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    node.live("elsewhere");
    let _host = runtime.block_on(speak(node, "elsewhere", "Ada", 440.0));
    let guest = runtime.block_on(speak(node, "elsewhere", "Grace", 660.0));
    until("the guest hears the host", || heard(&guest, 0).1 > 10);
    let inside = Inside::join(node, INSIDE);
    let from = guest.heard.lock().expect("whole").len();
    let (began, enough, sent) = (Instant::now(), AtomicBool::new(false), AtomicUsize::new(0));
    let came: Vec<TcpStream> = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !enough.load(Relaxed) || sent.load(Relaxed) < FLOOD {
                flood(sent.fetch_add(1, Relaxed));
            }
        });
        until("the flood is there", || sent.load(Relaxed) > FLOOD / 2);
        let ends = Instant::now() + Duration::from_secs(30);
        let come: Vec<_> = (0..2 * HONEST)
            .map(|number| {
                let space = ["demo", "elsewhere"][number % 2];
                scope.spawn(move || honest(node, space, 700 + number, ends))
            })
            .collect();
        let came = come
            .into_iter()
            .filter_map(|one| one.join().expect("an honest joiner"))
            .collect();
        enough.store(true, Relaxed);
        came
    });
    assert_eq!(came.len(), 2 * HONEST, "honest people were kept out");
    let took = began.elapsed();
    let (blocks, loud) = heard(&guest, from);
    let due = took.as_millis() as usize / 10;
    assert!(
        blocks * 2 > due && loud * 3 > blocks * 2,
        "of {due} blocks of the host's sound {blocks} came, {loud} with the tone"
    );
    inside.unharmed();
}

/// More silent connections than the node has files for, from many networks: they make room for each other, and for people.
#[test]
fn silent_connections_beyond_all_files_keep_nobody_out() {
    let data = tempfile::tempdir().expect("a folder");
    let setup = Setup::new(data.path()).with(&["--demo"]);
    let node = setup.before("ulimit -n 600").start();
    let mut held = VecDeque::new();
    nobody_notices(&node, |number| {
        if let Ok(stream) = try_connect(&node, number % PREFIXES) {
            held.push_back(stream);
        }
        if held.len() > 800 {
            held.pop_front();
        }
    });
}

#[test]
fn pages_and_state_asked_for_without_end_keep_nobody_out() {
    let data = tempfile::tempdir().expect("a folder");
    let node = Setup::new(data.path()).with(&["--demo"]).start();
    let mut answered = 0;
    nobody_notices(&node, |number| {
        let path = ["/s/demo", "/s/demo/state.json"][number % 2];
        let answer = begin(&node, number % PREFIXES, &get(path));
        answered += usize::from(answer.starts_with("HTTP/1.1 200"));
    });
    assert!(answered > FLOOD / 2, "{answered} answered: no flood");
}
