//! What the node is told: the file of `--config`, and the commands beside a running node.

use std::process::Command;

use crate::world::{BINARY, Node, Setup};

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(BINARY)
        .args(arguments)
        .output()
        .expect("the binary starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn a_node_runs_from_its_file_and_a_flag_wins() {
    let data = tempfile::tempdir().expect("a folder");
    let setup = Setup::new(data.path());
    let file = data.path().join("hustings.toml");
    let (ip, folder) = (setup.ip, data.path().display());
    std::fs::write(
        &file,
        format!(
            "data = \"{folder}\"\nlisten = \"{ip}:1\"\nmedia = \"{ip}:8081\"\nstage = \"{ip}:8082\"\n\
             operator = \"{ip}:9090\"\npublic_url = \"https://live.example.org/\"\ndemo = true\n"
        ),
    )
    .expect("written");
    let file = file.to_str().expect("text");
    let node = setup.start_with(&[
        "serve".to_owned(),
        "--config".to_owned(),
        file.to_owned(),
        format!("--listen={ip}:8080"),
    ]);
    assert!(node.said().contains("https://live.example.org/s/demo"));
    assert!(node.get(8080, "/").starts_with("HTTP/1.1 200"));
    assert_eq!(node.space(&["show", "demo"])["phase"], "live");
}

#[test]
fn a_setting_that_is_not_there_is_named_with_its_line() {
    let data = tempfile::tempdir().expect("a folder");
    let file = data.path().join("hustings.toml");
    std::fs::write(&file, "demo = true\n\nlitsen = \"127.0.0.1:1\"\n").expect("written");
    let (code, out, err) = run(&["--config", file.to_str().expect("text")]);
    assert_eq!(code, Some(2), "{err}");
    assert!(
        out.is_empty() && err.contains("hustings.toml, line 3, `litsen`"),
        "{err}"
    );
    assert_eq!(err.lines().count(), 1, "{err}");
}

#[test]
fn help_names_every_flag_and_says_what_it_is_for() {
    for command in [
        &["serve", "--help"][..],
        &["token", "--help"],
        &["space", "create", "--help"],
        &["space", "invite", "--help"],
    ] {
        let (code, out, _) = run(command);
        assert_eq!(code, Some(0));
        let lines: Vec<&str> = out.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let flag = line.trim_start();
            if !flag.starts_with("--") {
                continue;
            }
            // Either on the same line, after the flag and its value, or on the next.
            let here = flag
                .split_once("  ")
                .is_some_and(|(_, words)| !words.trim().is_empty());
            let below = lines
                .get(at + 1)
                .is_some_and(|next| !next.trim().is_empty() && !next.trim_start().starts_with('-'));
            assert!(here || below, "{command:?}: nothing is said of {flag}");
        }
    }
    assert_eq!(run(&["--version"]).0, Some(0));
    assert_eq!(run(&["--no-such-flag"]).0, Some(2));
    assert_eq!(run(&["space", "list", "--data", "/nowhere"]).0, Some(1));
    assert_eq!(run(&["serve", "--tls-cert", "only-one.pem"]).0, Some(2));
}

#[test]
fn tokens_that_are_minted_beside_the_node_open_its_api() {
    let data = tempfile::tempdir().expect("a folder");
    let node = Node::start(data.path());
    node.space(&["create", "Evening", "--id", "evening"]);
    let folder = data.path().to_str().expect("text");
    let (code, out, err) = run(&[
        "token", "--role", "host", "--ttl", "1h", "--name", "Ada", "--data", folder, "--json",
    ]);
    assert_eq!(code, Some(0), "{err}");
    let minted: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let ask = |token: &str| {
        use std::io::Read as _;
        let mut stream = node.say(
            8082,
            &format!(
                "GET /api/v1/spaces HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
            ),
        );
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer");
        text
    };
    assert!(ask(minted["token"].as_str().expect("a token")).starts_with("HTTP/1.1 200"));
    let (_, bare, _) = run(&["token", "--role", "operator", "--data", folder]);
    assert!(ask(bare.trim()).starts_with("HTTP/1.1 200"));
    assert!(ask(&bare.trim()[..bare.len() - 3]).starts_with("HTTP/1.1 401"));
    let (code, _, err) = run(&["token", "--role", "speaker", "--data", folder]);
    assert!(code == Some(1) && err.contains("--space"), "{err}");
    let (code, _, err) = run(&["token", "--role", "king", "--data", folder]);
    assert!(code == Some(2) && err.contains("--role"), "{err}");
}

#[test]
fn the_commands_reach_a_node_over_https_and_tell_what_is_refused() {
    let data = tempfile::tempdir().expect("a folder");
    let (node, cert) = crate::house::with_tls(data.path());
    let folder = data.path().to_str().expect("text");
    let stage = format!("https://{}", node.address(8082));
    let cert = cert.to_str().expect("text");
    let reach = ["--data", folder, "--stage", &stage, "--ca", cert];
    let space = |more: &[&str]| run(&[&["space"], more, &reach].concat());

    let (code, out, err) = space(&["create", "Evening", "--id", "evening"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("host's link: https://"), "{out}");
    let (_, out, _) = space(&["list", "--json"]);
    let list: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert!(
        list["spaces"]
            .as_array()
            .expect("a list")
            .iter()
            .any(|space| space["id"] == "evening")
    );
    let (code, out, err) = space(&["create", "Evening", "--id", "evening"]);
    assert!(
        code == Some(1) && out.is_empty() && err.contains("already"),
        "{err}"
    );
    let (code, _, err) = space(&["show", "nowhere"]);
    assert!(code == Some(1) && err.contains("hustings: "), "{err}");

    let (code, _, err) = run(&["space", "list", "--data", folder, "--stage", &stage]);
    assert!(code == Some(1) && err.contains("--ca"), "{err}");
    let strange = tempfile::tempdir().expect("a folder");
    let (other, _) = crate::house::certificate(strange.path(), node.setup.ip);
    let other = other.to_str().expect("text");
    let (code, _, err) = run(&[
        "space", "list", "--data", folder, "--stage", &stage, "--ca", other,
    ]);
    assert!(code == Some(1) && err.contains("not trusted"), "{err}");
    let nobody = format!("{}:1", node.setup.ip);
    let (code, _, err) = run(&["space", "list", "--data", folder, "--stage", &nobody]);
    assert!(code == Some(1) && err.contains("no node answers"), "{err}");
}
