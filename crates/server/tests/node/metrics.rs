//! What operators' tools see: metrics by the conventions and with bounded labels, read by a real Prometheus; rules and
//! dashboard that name what there is; a scraper that is far too eager; the log's form.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hustings::edge::Abuse;
use hustings::rehearsal::Refusal;
use hustings_control::gate::{Cause, Lane, Mode, Reason};
use serde_json::Value;

use crate::hear::Listener;
use crate::world::{Node, PATIENCE, Setup, until};

const DIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../dist");
const DOCS: &str = include_str!("../../../../docs/metrics.md");
const SECOND: u64 = 48_000;
/// Series of a node: what its enums allow, with some room.
const SERIES_MAX: usize = 320;
/// Only where the shield's helper runs.
const SHIELD: &str = "hustings_shield_";

/// What is wrong with a text of OpenMetrics: conventions that are broken, labels whose values nobody bounds.
fn wrong(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut families: BTreeMap<&str, [Option<&str>; 3]> = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("# ")) {
        let mut words = line[2..].splitn(3, ' ');
        let (kind, name) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let Some(slot) = ["TYPE", "HELP", "UNIT"].iter().position(|one| *one == kind) else {
            continue;
        };
        let slot = &mut families.entry(name).or_default()[slot];
        if slot.replace(words.next().unwrap_or("")).is_some() {
            wrong.push(format!("{name} says its {kind} twice"));
        }
    }
    if !text.ends_with("# EOF\n") {
        wrong.push("the text does not end with # EOF".to_owned());
    }
    for (name, [kind, help, unit]) in &families {
        if kind.is_none() || help.is_none_or(|help| help.len() < 5 || help.ends_with("..")) {
            wrong.push(format!("{name} has no type or no help"));
        }
        if unit.is_some_and(|unit| !name.ends_with(&format!("_{unit}"))) {
            wrong.push(format!("{name} does not end with its unit"));
        }
        let base = ["_ms", "_millis", "_minutes", "_us", "_kb", "_percent"];
        if base.iter().any(|bad| name.ends_with(bad)) {
            wrong.push(format!("{name} is not in a base unit"));
        }
    }
    let mut series = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (id, _) = line.rsplit_once(' ').unwrap_or((line, ""));
        let (name, labels) = id.split_once('{').unwrap_or((id, ""));
        let family = ["_total", "_info"]
            .iter()
            .find_map(|end| name.strip_suffix(end));
        match (families.get(family.unwrap_or(name)), family) {
            (None, _) => wrong.push(format!("{name} belongs to no family")),
            (Some([kind, ..]), family) => {
                if (*kind == Some("counter")) != name.ends_with("_total")
                    || family.is_some() != matches!(*kind, Some("counter" | "info"))
                {
                    wrong.push(format!("{name} is called like another type"));
                }
            }
        }
        wrong.extend(labels_wrong(name, labels.trim_end_matches('}')));
        if !series.insert(id.to_owned()) {
            wrong.push(format!("{id} is told twice"));
        }
    }
    if series.len() > SERIES_MAX {
        wrong.push(format!("{} series", series.len()));
    }
    wrong
}

fn labels_wrong(name: &str, labels: &str) -> Vec<String> {
    let pairs = labels.split(',').filter(|pair| !pair.is_empty());
    pairs
        .filter_map(|pair| {
            let (label, value) = pair.split_once('=')?;
            let value = value.trim_matches('"');
            let known = match label {
                "lane" => Lane::ALL.iter().any(|lane| lane.name() == value),
                "verdict" => ["enter", "wait", "prove", "turn_away"].contains(&value),
                "reason" => {
                    let gate = Cause::ALL.iter().any(|cause| cause.name() == value)
                        || Reason::ALL.iter().any(|reason| reason.name() == value)
                        || ["seated", "took_over", "puzzle"].contains(&value);
                    gate || Abuse::ALL.iter().any(|abuse| abuse.name() == value)
                        || Refusal::ALL.iter().any(|refusal| refusal.name() == value)
                }
                "mode" => [Mode::Calm, Mode::Busy, Mode::Storm]
                    .iter()
                    .any(|mode| mode.name() == value),
                "version" => value == env!("CARGO_PKG_VERSION"),
                _ => false,
            };
            (!known).then(|| {
                format!("{name} has the label {label} with a value that no list bounds: {value}")
            })
        })
        .collect()
}

fn metrics(node: &Node) -> String {
    let answer = node.get(9090, "/metrics");
    let (head, _) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(
        head.contains("content-type: application/openmetrics-text; version=1.0.0"),
        "{head}"
    );
    body(&answer)
}

/// The body of an answer that may come in chunks.
fn body(answer: &str) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    if !head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked")
    {
        return body.to_owned();
    }
    let (mut rest, mut whole) = (body, String::new());
    while let Some((size, more)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).expect("a size");
        if size == 0 {
            break;
        }
        whole.push_str(&more[..size]);
        rest = more[size..].trim_start_matches("\r\n");
    }
    whole
}

/// Names of series, labels taken off.
fn names(text: &str) -> BTreeSet<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split([' ', '{']).next())
        .map(str::to_owned)
        .collect()
}

/// What stands in the first column of a table of the docs and begins so.
fn documented(begins: &[&str]) -> BTreeSet<String> {
    let cells = DOCS
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    cells
        .map(|cell| cell.trim_matches('`').to_owned())
        .filter(|cell| begins.iter().any(|begin| cell.starts_with(begin)))
        .collect()
}

/// Every name of ours in a text of rules or of a dashboard.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| word.starts_with("hustings_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{DIST}/{path}")).expect("it is checked in")
}

#[test]
fn a_label_that_nobody_bounds_is_found() {
    let good = "# HELP hustings_doors Spaces by mode.\n# TYPE hustings_doors gauge\nhustings_doors{mode=\"calm\"} 1\n# EOF\n";
    assert_eq!(wrong(good), Vec::<String>::new());
    for (bad, says) in [
        (
            good.replace("mode=\"calm\"", "space=\"evening\""),
            "no list bounds",
        ),
        (good.replace("calm", "10.0.0.1"), "no list bounds"),
        (good.replace("gauge", "counter"), "another type"),
        (
            good.replace("# HELP hustings_doors Spaces by mode.\n", ""),
            "no help",
        ),
        (
            good.replace("hustings_doors", "hustings_doors_ms"),
            "base unit",
        ),
        (good.replace("# EOF\n", ""), "# EOF"),
    ] {
        let found = wrong(&bad);
        assert!(
            found.iter().any(|one| one.contains(says)),
            "{says}: {found:?}"
        );
    }
}

#[test]
fn metrics_keep_the_conventions_their_labels_are_bounded_and_the_docs_name_each() {
    let data = tempfile::tempdir().expect("a folder");
    let node = Setup::new(data.path()).with(&["--demo"]).start();
    until("the demo plays", || {
        node.listen("demo").starts_with("HTTP/1.1 200")
    });
    let text = metrics(&node);
    assert_eq!(wrong(&text), Vec::<String>::new(), "{text}");
    let documented_here: BTreeSet<String> = documented(&["hustings_", "process_"])
        .into_iter()
        .filter(|name| !name.starts_with(SHIELD))
        .collect();
    assert_eq!(
        names(&text),
        documented_here,
        "docs/metrics.md names what there is"
    );
    for file in [
        "prometheus/alerts.yml",
        "prometheus/alerts_test.yml",
        "grafana/hustings.json",
    ] {
        let unknown: Vec<String> = named(&read(file))
            .difference(&names(&text))
            .cloned()
            .collect();
        assert!(unknown.is_empty(), "{file} names {unknown:?}");
    }
    let alerts: BTreeSet<String> = read("prometheus/alerts.yml")
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: ").map(str::to_owned))
        .collect();
    assert_eq!(
        alerts,
        documented(&["Hustings"]),
        "docs/metrics.md says what to do about each alarm"
    );
    // More spaces, listeners and wrong requests make no series more.
    let series = |text: &str| text.lines().filter(|line| !line.starts_with('#')).count();
    for number in 0..8 {
        node.space(&["create", "One of many", "--id", &format!("space-{number}")]);
        node.listen(&format!("space-{number}"));
        node.listen(&format!("nowhere-{number}"));
    }
    // One text serves for 100 ms, which a quick machine needs for all of the above.
    let mut later = String::new();
    until("the metrics count the new spaces", || {
        later = metrics(&node);
        later.contains("hustings_spaces 10.0\n")
    });
    assert_eq!(wrong(&later), Vec::<String>::new());
    assert_eq!(series(&text), series(&later));
}

#[test]
fn a_scraper_that_asks_50_times_a_second_touches_no_listener() {
    let data = tempfile::tempdir().expect("a folder");
    let node = Node::start(data.path());
    node.live("evening");
    let mut listener = Listener::join(&node, "evening");
    listener.catch_up();
    let (before, mut answers) = (listener.at, 0_u32);
    let began = Instant::now();
    std::thread::scope(|scope| {
        let hears = scope.spawn(|| {
            // Reading page by page fails at the first one that is missing or torn.
            listener.until(before + 5 * SECOND);
            began.elapsed()
        });
        // A schedule, kept whatever the answers take.
        while !hears.is_finished() {
            assert!(node.get(9090, "/metrics").ends_with("# EOF\n"));
            answers += 1;
            let due = began + Duration::from_millis(20) * answers;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        let took = hears.join().expect("heard");
        assert!(took < Duration::from_secs(15), "5 s of sound took {took:?}");
    });
    println!("{answers} scrapes in 5 s of sound");
    assert!(answers >= 50, "{answers} scrapes: too few to show anything");
    let text = metrics(&node);
    assert!(
        text.contains("hustings_listeners_too_slow_total 0\n"),
        "{text}"
    );
}

/// A Prometheus of the test's own; killed when dropped.
struct Prometheus(Child);

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn promtool(arguments: &[&str]) {
    let output = Command::new("promtool").args(arguments).output();
    let output =
        output.expect("promtool is there: `cargo xtask test` installs Debian's package prometheus");
    let said = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "promtool {arguments:?}:\n{said}");
}

#[test]
fn a_real_prometheus_reads_the_node_and_every_rule_and_panel() {
    let (rules, tests) = (
        format!("{DIST}/prometheus/alerts.yml"),
        format!("{DIST}/prometheus/alerts_test.yml"),
    );
    promtool(&["check", "rules", &rules]);
    promtool(&["test", "rules", &tests]);
    promtool(&[
        "check",
        "config",
        &format!("{DIST}/prometheus/prometheus.yml"),
    ]);
    let data = tempfile::tempdir().expect("a folder");
    let node = Setup::new(data.path()).with(&["--demo"]).start();
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("prometheus.yml");
    let example = read("prometheus/prometheus.yml")
        .replace("127.0.0.1:9090", &node.address(9090).to_string())
        .replace("alerts.yml", &rules)
        .replace("5s", "1s");
    std::fs::write(&config, example).expect("written");
    let at = node.address(9091).to_string();
    let mut prometheus = Prometheus(
        Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={at}"))
            .args(["--log.level=warn"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("prometheus starts"),
    );
    let ask = |path: &str| -> Value {
        let Ok(mut stream) = std::net::TcpStream::connect(&at) else {
            return Value::Null;
        };
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        std::io::Write::write_all(&mut stream, request.as_bytes()).expect("written");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        serde_json::from_str(&body(&String::from_utf8_lossy(&answer))).unwrap_or_default()
    };
    let value = |query: &str| {
        let answer = ask(&format!("/api/v1/query?query={}", escaped(query)));
        assert!(
            answer.is_null() || answer["status"] == "success",
            "{query}: {answer}"
        );
        answer["data"]["result"][0]["value"][1]
            .as_str()
            .map(str::to_owned)
    };
    until("the node is up for Prometheus", || {
        if let Ok(Some(status)) = prometheus.0.try_wait() {
            let mut said = String::new();
            let _ = prometheus
                .0
                .stderr
                .take()
                .map(|mut from| from.read_to_string(&mut said));
            panic!("prometheus ended with {status}: {said}");
        }
        value("up{job=\"hustings\"}").as_deref() == Some("1")
    });
    assert_eq!(value("hustings_spaces_live").as_deref(), Some("1"));
    assert!(value("scrape_samples_post_metric_relabeling > 50").is_some());
    let kind = ask("/api/v1/metadata?metric=hustings_attempts");
    let typed = ask("/api/v1/targets/metadata?metric=hustings_listening_seconds");
    assert!(
        kind.to_string().contains("counter") || typed.to_string().contains("counter"),
        "{kind} {typed}"
    );
    until("every rule was evaluated", || {
        let groups = ask("/api/v1/rules");
        let Some(rules) = groups["data"]["groups"][0]["rules"].as_array() else {
            return false;
        };
        let bad: Vec<_> = rules
            .iter()
            .filter(|rule| rule["health"] == "err")
            .collect();
        assert!(bad.is_empty(), "{bad:?}");
        rules.len() >= 16 && rules.iter().all(|rule| rule["health"] == "ok")
    });
    let firing = ask("/api/v1/alerts");
    let firing: Vec<_> = firing["data"]["alerts"]
        .as_array()
        .expect("alerts")
        .iter()
        .collect();
    let pages = firing
        .iter()
        .filter(|alert| alert["labels"]["severity"] == "page");
    assert_eq!(pages.count(), 0, "a quiet node alarms nobody: {firing:?}");
    let board: Value = serde_json::from_str(&read("grafana/hustings.json")).expect("JSON");
    let panels = board["panels"].as_array().expect("panels");
    assert!(panels.len() >= 15);
    for panel in panels {
        for target in panel["targets"].as_array().expect("targets") {
            let query = target["expr"]
                .as_str()
                .expect("a query")
                .replace("$instance", ".*");
            value(&query);
        }
    }
}

fn escaped(query: &str) -> String {
    query
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[test]
fn the_log_is_json_or_text_as_it_is_told() {
    for (format, json) in [("json", true), ("text", false), ("auto", true)] {
        let data = tempfile::tempdir().expect("a folder");
        let node = Setup::new(data.path())
            .with(&["--log-format", format])
            .start();
        node.hear("media is taken");
        let said = node.said();
        let line = said
            .lines()
            .find(|line| line.contains("media is taken"))
            .expect("said");
        assert_eq!(
            serde_json::from_str::<Value>(line).is_ok(),
            json,
            "{format}: {line}"
        );
    }
}
