//! `hustings shield` with the kernel's real packet filter, in network namespaces with clients of several prefixes.

mod net_world;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use net_world::{Net, eventually};

const BINARY: &str = env!("CARGO_BIN_EXE_hustings");
/// A connection in a namespace of this machine comes about in well under a millisecond, or never.
const MOMENT: Duration = Duration::from_millis(250);
const PUBLIC: u16 = 8080;
const STAGE: u16 = 8082;

/// A child that does not outlive its test.
struct Running(Child);

impl Running {
    fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        let sent = std::process::Command::new("kill")
            .args([name, &pid])
            .status();
        assert!(sent.expect("kill runs").success());
    }

    fn end(mut self, signal: &str) -> std::process::ExitStatus {
        self.signal(signal);
        self.0.wait().expect("waited for")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a child and reads its output until the line that begins so; the rest is thrown away.
#[track_caller]
fn start(net: &Net, arguments: &[&str], until: &str) -> Running {
    let mut child = net
        .command(0, BINARY)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("the binary starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let running = Running(child);
    let found = lines
        .by_ref()
        .map_while(Result::ok)
        .any(|line| line.trim_start().starts_with(until));
    assert!(found, "{arguments:?} never said: {until}");
    std::thread::spawn(move || lines.for_each(drop));
    running
}

fn start_helper(net: &Net, data: &Path, more: &[&str]) -> Running {
    let data = data.to_str().expect("a path in UTF-8");
    let port = PUBLIC.to_string();
    let arguments = [&["shield", "--data", data, "--port", &port], more].concat();
    start(net, &arguments, "Shield is up")
}

/// The node's end of the line.
struct Line(BufReader<UnixStream>);

impl Line {
    fn open(data: &Path) -> Self {
        let stream = UnixStream::connect(data.join("shield.sock")).expect("the helper listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("set");
        Self(BufReader::new(stream))
    }

    fn ask(&mut self, message: &str) -> String {
        // A helper that has heard enough closes while we still write: its answer is what counts.
        let _ = self.0.get_mut().write_all(message.as_bytes());
        let _ = self.0.get_mut().write_all(b"\n");
        let mut answer = String::new();
        self.0.read_line(&mut answer).expect("an answer");
        answer.trim_end().to_owned()
    }
}

/// Listeners on both ports in the node's namespace, which need not accept: the kernel completes connections.
fn listeners(net: &Net) -> [TcpListener; 2] {
    net.in_place(0, || {
        [PUBLIC, STAGE].map(|port| TcpListener::bind(("::", port)).expect("free"))
    })
}

#[test]
fn a_dropped_prefix_cannot_connect_until_it_times_out_and_others_can() {
    let Some(net) = Net::start() else { return };
    let data = tempfile::tempdir().expect("a folder");
    let _listeners = listeners(&net);
    let _helper = start_helper(&net, data.path(), &[]);
    let mut line = Line::open(data.path());
    let reaches = |client, to, port| net.connect(client, to, port, MOMENT).is_some();
    assert!(reaches(1, Net::v4(1), PUBLIC) && reaches(1, Net::v6(1), PUBLIC));
    let mut inside = net
        .connect(1, Net::v4(1), PUBLIC, MOMENT)
        .expect("connected");
    let told = Instant::now();
    let answer = line
        .ask(r#"{"drop":[["10.77.1.0/24",4],["fd00:77:1:100::/64",4],["fd00:77:2:100::/56",60]]}"#);
    let took = told.elapsed();
    assert_eq!(answer, r#"{"dropped":3,"already":0,"refused":0}"#);
    assert!(took < Duration::from_secs(1), "took {took:?}");
    assert!(!reaches(1, Net::v4(1), PUBLIC), "dropped by the answer");
    assert!(!reaches(1, Net::v6(1), PUBLIC) && !reaches(2, Net::v6(2), PUBLIC));
    // The stage's port, the other family's prefix, and a neighbour in the same /48 are not touched.
    assert!(reaches(1, Net::v4(1), STAGE) && reaches(1, Net::v6(1), STAGE));
    assert!(reaches(2, Net::v4(2), PUBLIC) && reaches(3, Net::v6(3), PUBLIC));
    inside
        .write_all(b"who is inside stays inside")
        .expect("written");
    let line_again = line.ask(r#"{"drop":[["10.77.1.0/24",4]]}"#);
    assert_eq!(line_again, r#"{"dropped":0,"already":1,"refused":0}"#);
    eventually("the entry times out by itself", || {
        reaches(1, Net::v4(1), PUBLIC)
    });
    let after = told.elapsed();
    assert!(
        after > Duration::from_secs(3) && after < Duration::from_secs(8),
        "after {after:?}"
    );
    assert!(
        !reaches(2, Net::v6(2), PUBLIC),
        "the longer one still holds"
    );
}

#[test]
fn what_is_never_to_be_blocked_is_not() {
    let Some(net) = Net::start() else { return };
    let data = tempfile::tempdir().expect("a folder");
    let _listeners = listeners(&net);
    let _helper = start_helper(&net, data.path(), &["--never-block", "10.77.1.2/32"]);
    let mut line = Line::open(data.path());
    let reaches = |client, to| net.connect(client, to, PUBLIC, MOMENT).is_some();
    let answer =
        line.ask(r#"{"drop":[["10.77.1.0/24",60],["10.77.2.0/24",60],["fd00:77:2::/48",60]]}"#);
    assert_eq!(answer, r#"{"dropped":2,"already":0,"refused":1}"#);
    assert!(reaches(1, Net::v4(1)) && !reaches(2, Net::v4(2)) && !reaches(2, Net::v6(2)));
    // A host who was framed is let in at once, and the rest of his /48 stays out.
    line.ask(r#"{"never":["10.77.2.0/24","fd00:77:2:100::/64"]}"#);
    assert!(reaches(2, Net::v4(2)) && reaches(2, Net::v6(2)) && !reaches(3, Net::v6(3)));
    assert!(
        reaches(1, Net::v4(1)),
        "what the command line says holds on"
    );
}

#[test]
fn what_is_no_message_is_refused_and_does_nothing() {
    let Some(net) = Net::start() else { return };
    let data = tempfile::tempdir().expect("a folder");
    let _helper = start_helper(&net, data.path(), &[]);
    let before = net.table();
    let too_long = format!(r#"{{"drop":[{}]}}"#, " ".repeat(70_000));
    for (message, why) in [
        ("hello", "not a message"),
        (
            r#"{"drop":[["10.77.1.0/24; flush ruleset",60]]}"#,
            "not a message",
        ),
        (r#"{"drop":[["0.0.0.0/0",60]]}"#, "length"),
        (r#"{"drop":[["10.77.1.0/24",99999]]}"#, "3600 s"),
        (too_long.as_str(), "too long"),
    ] {
        let answer = Line::open(data.path()).ask(message);
        assert!(
            answer.starts_with(r#"{"error":"#) && answer.contains(why),
            "{answer}"
        );
    }
    assert_eq!(net.table(), before);
    let answer = Line::open(data.path()).ask(r#"{"drop":[]}"#);
    assert_eq!(answer, r#"{"dropped":0,"already":0,"refused":0}"#);
}

#[test]
fn a_stranger_is_not_heard() {
    let Some(net) = Net::start() else { return };
    let data = tempfile::tempdir().expect("a folder");
    let _helper = start_helper(&net, data.path(), &[]);
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let socket = data.path().join("shield.sock");
    let about = std::fs::metadata(&socket).expect("there");
    assert_eq!((about.mode() & 0o777, about.uid()), (0o600, 0));
    // Even where the file's mode would let him: who he is is asked of the kernel.
    std::fs::set_permissions(data.path(), std::fs::Permissions::from_mode(0o755)).expect("set");
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o666)).expect("set");
    let ask_as = |user: &str| {
        let output = std::process::Command::new("setpriv")
            .args(["--reuid", user, "--regid", user, "--clear-groups"])
            .args(["perl", "-MIO::Socket::UNIX", "-e", ASK])
            .arg(&socket)
            .output()
            .expect("setpriv runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let answer = r#"{"dropped":0,"already":0,"refused":0}"#;
    assert_eq!(ask_as("0"), format!("connected\nheard {answer}\n"));
    assert_eq!(ask_as("65534"), "connected\nclosed\n");
}

/// A process of another user is needed: a thread cannot become one without all others.
const ASK: &str = r#"
    $SIG{PIPE} = "IGNORE";
    my $line = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "not connected";
    syswrite STDOUT, "connected\n";
    syswrite $line, qq({"drop":[]}\n);
    my $answer = <$line>;
    print defined $answer ? "heard $answer" : "closed\n";
"#;

#[test]
fn the_table_goes_with_the_helper_and_one_that_was_left_is_replaced() {
    let Some(net) = Net::start() else { return };
    let data = tempfile::tempdir().expect("a folder");
    let helper = start_helper(&net, data.path(), &[]);
    Line::open(data.path()).ask(r#"{"drop":[["10.77.1.0/24",2],["10.77.2.0/24",600]]}"#);
    assert!(net.table().contains("10.77.1.0/24"));
    helper.end("-KILL");
    // What a helper that died has left times out by itself.
    eventually("the short entry times out", || {
        !net.table().contains("10.77.1.0/24")
    });
    assert!(net.table().contains("10.77.2.0/24"));
    let helper = start_helper(&net, data.path(), &[]);
    assert!(!net.table().contains("10.77."), "{}", net.table());
    assert!(helper.end("-TERM").success());
    assert_eq!(net.table(), "");
    assert!(!data.path().join("shield.sock").exists());
}

#[test]
fn a_dry_run_tells_the_kernel_nothing() {
    let Some(net) = Net::start() else { return };
    let data = tempfile::tempdir().expect("a folder");
    let _helper = start_helper(&net, data.path(), &["--dry-run"]);
    let answer = Line::open(data.path()).ask(r#"{"drop":[["10.77.1.0/24",60]]}"#);
    assert_eq!(answer, r#"{"dropped":1,"already":0,"refused":0}"#);
    assert_eq!(net.table(), "");
}

fn node(net: &Net, data: &Path) -> Running {
    let folder = data.to_str().expect("a path in UTF-8");
    let socket = data.join("shield.sock");
    let arguments = [
        "serve",
        "--demo",
        "--data",
        folder,
        "--listen",
        "[::]:8080",
        "--stage",
        "[::]:8082",
        "--media",
        "[::]:8081",
        "--operator",
        "127.0.0.1:9090",
        "--shield",
        socket.to_str().expect("a path in UTF-8"),
    ];
    start(net, &arguments, "Metrics, health")
}

#[test]
fn who_runs_the_stage_is_not_blocked_by_what_others_do_in_his_name() {
    let Some(net) = Net::start() else { return };
    let data = tempfile::tempdir().expect("a folder");
    let _helper = start_helper(&net, data.path(), &[]);
    let _node = node(&net, data.path());
    let token = std::fs::read_to_string(data.path().join("operator-token")).expect("a token");
    let line = format!("Authorization: Bearer {}\r\n", token.trim());
    let spaces =
        format!("GET /api/v1/spaces HTTP/1.1\r\nHost: x\r\n{line}Connection: close\r\n\r\n");
    let ok = Some("HTTP/1.1 200 OK".to_owned());
    assert_eq!(get(&net, 2, STAGE, &spaces), ok);
    // His address is told with the next batch; somebody else offends as he is framed.
    eventually("the kernel lets him in whatever happens", || {
        net.table().contains("10.77.2.0/24")
    });
    for client in [2, 1] {
        for _ in 0..60 {
            get(&net, client, PUBLIC, NONSENSE);
        }
    }
    eventually("the other is dropped", || {
        get(&net, 1, PUBLIC, PAGE).is_none()
    });
    assert_eq!(get(&net, 2, PUBLIC, PAGE), ok);
    assert!(!net.table().contains("10.77.2.2"), "{}", net.table());
}

/// The first line of the answer, or nothing when there is none.
fn get(net: &Net, client: usize, port: u16, request: &str) -> Option<String> {
    let mut stream = net.connect(client, Net::v4(client), port, MOMENT)?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    Some(line.trim_end().to_owned())
}

const PAGE: &str = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
const NONSENSE: &str = "\u{16}\u{3}\u{1}nonsense\r\n\r\n";

#[test]
fn a_repeat_offender_is_dropped_and_the_node_goes_on_when_the_helper_dies() {
    let Some(net) = Net::start() else { return };
    let data = tempfile::tempdir().expect("a folder");
    let helper = start_helper(&net, data.path(), &[]);
    let _node = node(&net, data.path());
    let ok = Some("HTTP/1.1 200 OK".to_owned());
    assert_eq!(get(&net, 1, PUBLIC, PAGE), ok);
    // A listener of the same prefix as the offender, who must not notice.
    let mut inside = None;
    eventually("the demo is heard", || {
        let mut stream = net
            .connect(1, Net::v4(1), PUBLIC, MOMENT)
            .expect("connected");
        stream
            .write_all(b"GET /s/demo/live.ogg HTTP/1.1\r\nHost: x\r\n\r\n")
            .expect("written");
        let mut start = [0; 15];
        stream.read_exact(&mut start).expect("an answer");
        let heard = start.starts_with(b"HTTP/1.1 200 OK");
        inside = heard.then_some(stream);
        heard
    });
    let mut inside = inside.expect("inside");
    // 20 are too many. What comes on after that is dropped within 1 s.
    for _ in 0..20 {
        assert!(get(&net, 1, PUBLIC, NONSENSE).is_some());
    }
    let took = eventually("the offender is dropped", || {
        get(&net, 1, PUBLIC, NONSENSE).is_none()
    });
    let most = Duration::from_secs(1) + MOMENT;
    assert!(took < most, "took {took:?}");
    assert!(net.table().contains("10.77.1.2"), "{}", net.table());
    assert_eq!(get(&net, 2, PUBLIC, PAGE), ok, "others come in");
    assert!(
        get(&net, 1, STAGE, PAGE).is_some(),
        "the stage can be reached"
    );
    let mut sound = vec![0; 20_000];
    inside
        .read_exact(&mut sound)
        .expect("who is inside stays inside");
    helper.end("-KILL");
    for _ in 0..50 {
        get(&net, 3, PUBLIC, NONSENSE);
    }
    assert_eq!(
        get(&net, 3, PUBLIC, PAGE),
        ok,
        "without a helper nobody is dropped, and the node goes on"
    );
    inside.read_exact(&mut sound).expect("still inside");
}
