//! The real binary as a child of the test: on a loopback address of its own, with a folder of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest that anything may take; a test that waits longer has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// What a node is started with.
pub(crate) struct Setup {
    pub(crate) ip: Ipv4Addr,
    pub(crate) data: PathBuf,
    /// Shell commands before the binary takes the shell's place, such as limits.
    pub(crate) before: String,
    /// In a mount namespace of its own, where `before` may mount.
    pub(crate) apart: bool,
    pub(crate) more: Vec<String>,
}

impl Setup {
    /// Addresses of 127/8 are all this machine's: nobody else uses the same ports on this one.
    pub(crate) fn new(data: &Path) -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let [.., high, low] = std::process::id().to_be_bytes();
        Self {
            ip: Ipv4Addr::new(
                127,
                1 + high % 250,
                low,
                NEXT.fetch_add(1, Ordering::Relaxed),
            ),
            data: data.to_owned(),
            before: String::new(),
            apart: false,
            more: Vec::new(),
        }
    }

    /// The same place once more, for a node that is started again.
    pub(crate) fn again(&self) -> Self {
        Self {
            ip: self.ip,
            data: self.data.clone(),
            before: self.before.clone(),
            apart: self.apart,
            more: self.more.clone(),
        }
    }

    pub(crate) fn before(mut self, commands: &str) -> Self {
        self.before = commands.to_owned();
        self
    }

    pub(crate) fn on_a_disk_of_its_own(mut self, megabytes: u32) -> Self {
        self.apart = true;
        self.before = format!(
            "mount -t tmpfs -o size={megabytes}m disk '{}'",
            self.data.display()
        );
        self
    }

    pub(crate) fn with(mut self, arguments: &[&str]) -> Self {
        self.more.extend(arguments.iter().map(|a| (*a).to_owned()));
        self
    }

    pub(crate) fn arguments(&self) -> Vec<String> {
        let at = |port: u16| format!("{}:{port}", self.ip);
        let mut all: Vec<String> = [
            "serve",
            "--data",
            &self.data.display().to_string(),
            "--listen",
            &at(8080),
            "--media",
            &at(8081),
            "--stage",
            &at(8082),
            "--operator",
            &at(9090),
        ]
        .map(str::to_owned)
        .to_vec();
        all.extend(self.more.iter().cloned());
        all
    }

    fn command(&self, arguments: &[String]) -> Command {
        let mut command = if self.before.is_empty() {
            Command::new(BINARY)
        } else {
            let mut shell = Command::new(if self.apart { "unshare" } else { "sh" });
            if self.apart {
                shell.args(["--map-root-user", "--mount", "sh"]);
            }
            shell.args([
                "-c",
                &format!("{}; exec \"$0\" \"$@\"", self.before),
                BINARY,
            ]);
            shell
        };
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// Starts it and waits until it says that it is up.
    #[track_caller]
    pub(crate) fn start(self) -> Node {
        let arguments = self.arguments();
        self.start_with(&arguments)
    }

    #[track_caller]
    pub(crate) fn start_with(self, arguments: &[String]) -> Node {
        let mut child = self
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let said = Arc::new((Mutex::new(String::new()), Condvar::new()));
        follow(child.stdout.take().expect("piped"), Arc::clone(&said));
        follow(child.stderr.take().expect("piped"), Arc::clone(&said));
        let mut node = Node {
            child,
            setup: self,
            said,
        };
        node.hear("Metrics, health:");
        if node.setup.apart {
            // Its disk is seen from here by its process only.
            let root = PathBuf::from(format!("/proc/{}/root", node.child.id()));
            node.setup.data =
                root.join(node.setup.data.strip_prefix("/").expect("an absolute path"));
        }
        node
    }

    /// Starts it, expects that it ends by itself, and gives its exit code and what it said on standard error.
    #[track_caller]
    pub(crate) fn fail(&self) -> (Option<i32>, String) {
        self.fail_with(&self.arguments())
    }

    #[track_caller]
    pub(crate) fn fail_with(&self, arguments: &[String]) -> (Option<i32>, String) {
        let mut child = self
            .command(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let status = wait(&mut child, PATIENCE);
        let mut text = String::new();
        child
            .stderr
            .take()
            .expect("piped")
            .read_to_string(&mut text)
            .expect("text");
        (status.code(), text)
    }
}

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_hustings");

type Said = Arc<(Mutex<String>, Condvar)>;

fn follow(from: impl std::io::Read + Send + 'static, said: Said) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let mut all = said.0.lock().expect("whole");
            all.push_str(&line);
            all.push('\n');
            said.1.notify_all();
        }
    });
}

#[track_caller]
pub(crate) fn wait(child: &mut Child, patience: Duration) -> ExitStatus {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child of ours") {
            return status;
        }
        if began.elapsed() > patience {
            let _ = child.kill();
            panic!("the node did not end within {patience:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A running node; killed when dropped.
pub(crate) struct Node {
    child: Child,
    pub(crate) setup: Setup,
    said: Said,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the node said:\n{}", self.said());
        }
    }
}

impl Node {
    #[track_caller]
    pub(crate) fn start(data: &Path) -> Self {
        Setup::new(data).start()
    }

    pub(crate) fn said(&self) -> String {
        let said = self.said.0.lock();
        said.unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    /// Waits until it has said so.
    #[track_caller]
    pub(crate) fn hear(&self, what: &str) {
        let said = self.said.0.lock().expect("whole");
        let (said, waited) = self
            .said
            .1
            .wait_timeout_while(said, PATIENCE, |said| !said.contains(what))
            .expect("whole");
        assert!(
            !waited.timed_out(),
            "the node never said {what:?}, only:\n{said}"
        );
    }

    pub(crate) fn address(&self, port: u16) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(self.setup.ip), port)
    }

    #[track_caller]
    pub(crate) fn connect(&self, port: u16) -> TcpStream {
        let stream = TcpStream::connect(self.address(port)).expect("connected");
        stream.set_read_timeout(Some(PATIENCE)).expect("set");
        stream
    }

    /// A connection that has sent `text`.
    #[track_caller]
    pub(crate) fn say(&self, port: u16, text: &str) -> TcpStream {
        let mut stream = self.connect(port);
        stream.write_all(text.as_bytes()).expect("written");
        stream
    }

    /// A GET; gives status line, head and body, read to the end of the connection.
    #[track_caller]
    pub(crate) fn get(&self, port: u16, path: &str) -> String {
        let mut stream = self.say(
            port,
            &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        );
        let mut text = Vec::new();
        stream.read_to_end(&mut text).expect("an answer");
        String::from_utf8_lossy(&text).into_owned()
    }

    /// `hustings space …` against this node; its JSON.
    #[track_caller]
    pub(crate) fn space(&self, arguments: &[&str]) -> Value {
        let output = self.cli("space", arguments);
        assert!(
            output.status.success(),
            "space {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    pub(crate) fn cli(&self, command: &str, arguments: &[&str]) -> std::process::Output {
        Command::new(BINARY)
            .arg(command)
            .args(arguments)
            .args(["--json", "--data"])
            .arg(&self.setup.data)
            .args(["--stage", &self.address(8082).to_string()])
            .output()
            .expect("the binary starts")
    }

    /// Makes a space and brings it on air.
    #[track_caller]
    pub(crate) fn live(&self, id: &str) {
        self.space(&["create", "Town hall", "--id", id]);
        self.space(&["live", id]);
        until("the stage plays", || {
            self.listen(id).starts_with("HTTP/1.1 200")
        });
    }

    /// The status line that a listener gets.
    pub(crate) fn listen(&self, id: &str) -> String {
        let stream = self.say(
            8080,
            &format!("GET /s/{id}/live.ogg HTTP/1.1\r\nHost: x\r\n\r\n"),
        );
        let mut line = String::new();
        let _ = BufReader::new(stream).read_line(&mut line);
        line
    }

    #[track_caller]
    pub(crate) fn operator_token(&self) -> String {
        std::fs::read_to_string(self.setup.data.join("operator-token"))
            .expect("the operator's token")
            .trim()
            .to_owned()
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill is there").success());
    }

    /// SIGTERM, and how it ended after how long.
    #[track_caller]
    pub(crate) fn terminate(mut self) -> (ExitStatus, Duration, String) {
        let began = Instant::now();
        self.signal("TERM");
        let status = wait(&mut self.child, PATIENCE);
        let took = began.elapsed();
        (status, took, self.said())
    }

    /// SIGKILL: nothing of it runs on.
    #[track_caller]
    pub(crate) fn kill(mut self) {
        self.signal("KILL");
        wait(&mut self.child, PATIENCE);
    }
}

/// Looks until it is so; there is nothing to be woken by.
#[track_caller]
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Seconds of sound in a file, as ffmpeg decodes it.
#[track_caller]
pub(crate) fn seconds(path: &Path) -> f64 {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(path)
        .args(["-f", "s16le", "-ar", "8000", "-ac", "1", "-"])
        .output()
        .expect("ffmpeg is there");
    assert!(
        output.status.success(),
        "{}: {}",
        path.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout.len() as f64 / 16_000.0
}
