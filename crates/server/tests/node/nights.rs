//! Nights of the library on real sockets, in a minute each and all at once: the report must tell what each of them was.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hustings_rehearse::Night;
use hustings_rehearse::scenario::{Sight, Wish, library};
use serde_json::Value;

use crate::rehearse::{demo, ended, mint, operate, url};
use crate::world::{BINARY, Node, Setup, until};

/// Longest that one of these nights may take, its setting up and its report not counted.
const NIGHT_MOST: Duration = Duration::from_secs(150);
const SEED: u64 = 7;

/// One night of the library, small and fast.
struct Played {
    name: &'static str,
    scale: f64,
    faster: f64,
    /// The space that the crowd comes to; the demo is live from the first moment.
    space: &'static str,
    /// Seconds that there are rows of, at least: the judge says nothing of less than a minute, and a node that is down writes none.
    rows_s: u64,
}

impl Played {
    fn night(&self) -> Night {
        let wish = Wish {
            seed: SEED,
            sight: Sight::Seen,
            scale: Some(self.scale),
        };
        let file = library(self.name).expect("known").expect("good");
        file.night(wish).expect("drawn").faster(self.faster)
    }

    /// Plays it; what the driver's hook is told goes to `cue`. Gives the driver's record and the report.
    fn play(&self, mut cue: impl FnMut(Node, &Value) -> Node) -> (Value, Value) {
        // In memory: that a busy disk stands still is no part of these nights.
        let data = tempfile::tempdir_in("/dev/shm").expect("a folder");
        let mut node = Setup::new(data.path())
            .with(&["--demo", "--seats", &self.night().seats.to_string()])
            .start();
        let begun = Instant::now();
        until("the demo plays", || {
            node.listen("demo").starts_with("HTTP/1.1 200")
        });
        if self.space != "demo" {
            let starts_at = ["--starts-at", "2030-05-01T20:00:00Z"];
            let create = ["create", "Town hall", "--id", self.space];
            node.space(&[&create[..], &starts_at].concat());
        }
        // Those who are there to be compared with hear music in a space of their own.
        node.space(&["create", "Next door", "--id", "next-door"]);
        node.space(&["open", "next-door"]);
        let permit = mint(&node, &url(&node), &["--rate", "20000", "--people", "2000"]);
        let told = data.path().join("cues");
        let mut driver = Command::new(BINARY)
            .args(["rehearse", "--json", "--target", &url(&node)])
            .args([
                "--space",
                self.space,
                "--beside",
                "next-door",
                "--permit",
                &permit,
            ])
            .args(["--scenario", self.name, "--seed", &SEED.to_string()])
            .args(["--scale", &self.scale.to_string()])
            .args(["--faster", &self.faster.to_string()])
            .args([
                "--hook",
                &format!("printf '%s\\n' \"$TROUBLE\" >> '{}'", told.display()),
            ])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut done = 0;
        while driver.try_wait().expect("a child of ours").is_none() {
            assert!(begun.elapsed() < NIGHT_MOST, "{} goes on", self.name);
            for said in cues(&told).drain(..).skip(done) {
                done += 1;
                node = cue(node, &said);
            }
            thread::sleep(Duration::from_millis(20));
        }
        let (code, record, said) = ended(driver);
        assert_eq!(code, Some(0), "{}: {said}", self.name);
        thread::sleep(Duration::from_secs(self.rows_s).saturating_sub(begun.elapsed()));
        node.terminate();
        (record, report(data.path(), self.space))
    }
}

/// Whole lines only: the last may be on its way.
fn cues(told: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(told).unwrap_or_default();
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let read = |line: &str| serde_json::from_str(line).expect("JSON");
    whole.lines().map(read).collect()
}

fn report(data: &Path, space: &str) -> Value {
    let output = Command::new(BINARY)
        .args(["report", space, "--json", "--data"])
        .arg(data)
        .output()
        .expect("the binary starts");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// What the report names, by the names' order. A disk that stood still on a busy machine is in the records, and the report is
/// right to name it: that is nobody's night here, and left out.
fn named(report: &Value) -> Vec<&str> {
    let stalled = report["happenings"]
        .to_string()
        .contains("the database did not answer");
    let all = report["finding"]["named"].as_array().expect("a list");
    let mut named: Vec<&str> = all.iter().filter_map(Value::as_str).collect();
    named.retain(|class| !stalled || *class != "dependency-failure");
    named.sort_unstable();
    named
}

/// What the report must name, and nothing else; that it was a rehearsal; and that everybody's sound was whole.
#[track_caller]
fn is(name: &str, expected: &[&str], (record, report): &(Value, Value)) {
    let finding = &report["finding"];
    eprintln!("{name}: {} {}", finding["headline"], finding["summary"]);
    assert_eq!(
        named(report),
        expected,
        "{name}: {finding:#}\n{}\n{:#}",
        record["seen"]["people"],
        record["simulated"]
    );
    let headline = finding["headline"].as_str().expect("text");
    assert!(
        headline.starts_with("This was a rehearsal. "),
        "{name}: {headline}"
    );
    let (numbers, permille) = (&report["numbers"], &finding["rehearsed_permille"]);
    assert!(
        numbers["rehearsed"].as_u64() > Some(0) && permille.as_u64() <= Some(1_000),
        "{name}: {numbers:#} {permille}"
    );
    assert_eq!(record["seen"]["sound"]["gaps"], 0, "{name}: {record:#}");
}

fn announced_start() {
    let night = Played {
        name: "announced-start",
        scale: 0.1,
        faster: 5.0,
        space: "town-hall",
        rows_s: 64,
    };
    let played = night.play(|node, cue| {
        // It does not go live, for nobody would be heard: music plays to the end.
        if cue.get("opens").is_some() {
            node.space(&["open", "town-hall"]);
        }
        node
    });
    is(night.name, &["flash-crowd"], &played);
    let (record, report) = &played;
    let people = &record["seen"]["people"];
    assert!(people["heard"].as_u64() >= Some(40), "{people:#}");
    assert!(report["numbers"]["told_to_wait"].as_u64() > Some(0));
}

fn flood_on_the_door() {
    let night = Played {
        name: "flood-on-the-door",
        scale: 0.15,
        faster: 4.0,
        space: "demo",
        rows_s: 64,
    };
    let played = night.play(|_, cue| panic!("{cue}"));
    is(night.name, &["attack"], &played);
    let (record, report) = &played;
    let kinds = &report["finding"]["explanations"][1]["kinds"];
    assert!(kinds.to_string().contains("flood"), "{kinds}");
    // A crowd that fits is let in beside the flood, but for the last, who are on their way.
    let people = &record["seen"]["people"];
    let of = |key: &str| people[key].as_u64().expect("a number");
    assert!(of("heard") * 10 >= of("came") * 9, "{people:#}");
    assert_eq!(of("disconnected"), 0, "{people:#}");
}

fn reconnect_herd() {
    let night = Played {
        name: "reconnect-herd",
        scale: 0.2,
        faster: 4.0,
        space: "demo",
        rows_s: 76,
    };
    let mut inside = 0;
    let played = night.play(|node, cue| {
        let down_ms = cue["node-down"]["down_ms"].as_u64().expect("it is killed");
        let (_, shown) = operate(&node, "GET /api/v1/rehearsals", "");
        inside = shown["listening"].as_u64().expect("a number");
        let setup = node.setup.again();
        node.kill();
        thread::sleep(Duration::from_millis(down_ms));
        setup.start()
    });
    is(night.name, &["reconnect-storm"], &played);
    let people = &played.0["seen"]["people"];
    assert!(inside > 50, "{inside} were inside");
    let lost = people["disconnected"].as_u64().expect("a number");
    // Somebody may have come or left between the look and the kill.
    assert!(lost.abs_diff(inside) < 20, "{lost} of {inside}: {people:#}");
    assert_eq!(people["back"], people["disconnected"], "{people:#}");
}

fn bad_deploy() {
    let night = Played {
        name: "bad-deploy",
        scale: 0.2,
        faster: 4.0,
        space: "demo",
        rows_s: 64,
    };
    let played = night.play(|node, cue| limit(node, "demo", cue));
    is(night.name, &["own-mistake"], &played);
    let kinds = &played.1["finding"]["explanations"][3]["kinds"];
    assert!(kinds.to_string().contains("change"), "{kinds}");
}

fn the_night() {
    let night = Played {
        name: "the-night",
        scale: 0.000_1,
        faster: 70.0,
        space: "the-interview",
        rows_s: 64,
    };
    let played = night.play(|node, cue| {
        if cue.get("opens").is_some() {
            node.space(&["open", "the-interview"]);
            node
        } else if cue.get("limit").is_some() {
            limit(node, "the-interview", cue)
        } else {
            // Nobody is on this stage whose microphone could be muted; music plays to the end.
            node
        }
    });
    is(night.name, &["flash-crowd", "own-mistake"], &played);
}

/// An operator sets the limit of a space, or takes it away.
fn limit(node: Node, space: &str, cue: &Value) -> Node {
    let line = format!("PUT /api/v1/spaces/{space}/door");
    let body = serde_json::json!({ "limit": cue["limit"]["seats"] }).to_string();
    let (status, told) = operate(&node, &line, &body);
    assert_eq!(status, 200, "{told:#}");
    node
}

/// They wait for most of their time: one test, so that they do so together.
#[test]
fn the_report_names_each_night_for_what_it_was() {
    let nights = [
        announced_start,
        flood_on_the_door,
        reconnect_herd,
        bad_deploy,
        the_night,
    ];
    let all = nights.map(thread::spawn);
    let fared = all.map(|night| night.join());
    let failed = fared.iter().filter(|one| one.is_err()).count();
    assert_eq!(
        failed, 0,
        "{failed} of 5 nights were not told as they were; see above"
    );
}

/// What a rehearsal leaves behind: it is kept with how it went, stands in the records, and proves what it held.
#[test]
fn a_rehearsal_that_is_over_is_kept_told_and_proves_what_it_held() {
    let data = tempfile::tempdir().expect("a folder");
    let node = demo(data.path());
    let permit = mint(&node, &url(&node), &["--rate", "1000", "--people", "100"]);
    let target = url(&node);
    let words = [
        "rehearse", "--json", "--target", &target, "--permit", &permit,
    ];
    let claim = [
        "--claim", "20", "--points", "1", "--rounds", "1", "--hold", "2s", "--rate", "40",
    ];
    let driver = Command::new(BINARY)
        .args(words)
        .args(claim)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let (_, record, told) = ended(driver);
    assert!(!told.contains("could not be told"), "{told}");
    let shown = || operate(&node, "GET /api/v1/rehearsals", "").1;
    until("it is over", || shown()["kept"][0]["peak"] == 20);
    let shown = shown();
    let one = &shown["rehearsals"][0];
    assert_eq!(
        (&one["finished"], &one["passed"], &one["words"]),
        (
            &true.into(),
            &true.into(),
            &"claim, passed; 20 of 20 heard, 20 listened at once".into()
        ),
        "{one:#}\n{record:#}"
    );
    let numbers = operate(&node, "GET /api/v1/spaces/demo/numbers", "").1;
    let of = |key: &str| {
        let all = numbers["numbers"].as_array().expect("a list");
        all.iter()
            .find(|one| one["key"] == key)
            .expect("told")
            .clone()
    };
    assert_eq!(of("attempts")["rehearsed"], 20.0, "{numbers:#}");
    assert_eq!(of("admitted")["rehearsed"], 20.0, "{numbers:#}");
    // The looks of this test itself are the only others.
    assert!(of("admitted")["value"].as_f64() > Some(20.0), "{numbers:#}");
    let metrics = node.get(9090, "/metrics");
    assert!(
        metrics.contains("hustings_rehearsal_admitted_total 20\n"),
        "{metrics}"
    );
    node.terminate();
    assert_eq!(
        hustings::rehearsal::proven(data.path(), u64::MAX).expect("read"),
        Some(20)
    );
    let report = report(data.path(), "demo");
    let happened = report["happenings"].to_string();
    assert!(
        happened.contains("a rehearsal began") && happened.contains("20 of 20 heard"),
        "{happened}"
    );
    assert_eq!(
        (
            &report["numbers"]["rehearsed_admitted"],
            &report["numbers"]["rehearsed_peak"]
        ),
        (&20.into(), &20.into()),
        "{:#}",
        report["numbers"]
    );
}
