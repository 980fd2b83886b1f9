//! The node that is flooded: the binary as it is shipped, with two spaces.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use hustings_control::gate::limits::STAY_MIN_S;
use socket2::{Domain, Socket, Type};

use super::attack::{get, knock};
use super::joiner::field;
use super::wire::{OTHER, SPACE};
use crate::process::{Server, hustings_everywhere, hustings_with};
use crate::tls;

/// Longest that any answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Who comes to get the ticket that is replayed, from a prefix of its own.
const THIEF: Ipv4Addr = Ipv4Addr::new(127, 250, 0, 1);

pub(crate) struct Node {
    pub(crate) server: Server,
}

impl Node {
    /// With the spaces `demo`, in which two voices talk, and `other`.
    pub(crate) fn start(binary: &str, more: &[&str], before: &[&str]) -> anyhow::Result<Self> {
        let server = hustings_with(binary, "/s/demo/live.ogg", None, more, before)?;
        let stage = server.stage.clone();
        Self { server }.with_spaces(binary, &["--stage", &stage])
    }

    /// The same under TLS, heard on all addresses.
    pub(crate) fn sealed(binary: &str, files: &tls::Files) -> anyhow::Result<Self> {
        let server = hustings_everywhere(binary, "/s/demo/live.ogg", files)?;
        let stage = format!("https://{}", server.stage);
        let ca = files.cert.to_str().context("a path in UTF-8")?;
        Self { server }.with_spaces(binary, &["--stage", &stage, "--ca", ca])
    }

    fn with_spaces(self, binary: &str, reached: &[&str]) -> anyhow::Result<Self> {
        let create = ["create", "Another space", "--id", OTHER, "--no-recording"];
        self.space(binary, &create, reached)?;
        self.space(binary, &["open", OTHER], reached)?;
        Ok(self)
    }

    fn space(&self, binary: &str, words: &[&str], reached: &[&str]) -> anyhow::Result<()> {
        let done = Command::new(binary)
            .arg("space")
            .args(words)
            .args(reached)
            .arg("--data")
            .arg(self.server.data())
            .output()?;
        let told = String::from_utf8_lossy(&done.stderr);
        anyhow::ensure!(done.status.success(), "hustings space {words:?}: {told}");
        Ok(())
    }

    /// What the studio asks of the node, with the operator's right.
    pub(crate) fn host_request(&self) -> anyhow::Result<Vec<u8>> {
        let token = std::fs::read_to_string(self.server.data().join("operator-token"))?;
        let token = token.trim();
        Ok(format!(
            "GET /api/v1/spaces/{SPACE} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        )
        .into_bytes())
    }

    /// Somebody listens for a moment and gets the right to come back: a good ticket, for who replays it.
    pub(crate) fn resume_ticket(&self) -> anyhow::Result<String> {
        let mut sound = self.ask(&get(&format!("/s/{SPACE}/live.ogg?n=7ace")))?;
        let mut first = [0; 4_096];
        anyhow::ensure!(sound.read(&mut first)? > 0, "no sound for the thief");
        for _ in 0..2 * STAY_MIN_S * 10 {
            let body = r#"{"ask":"resume","n":"7ace"}"#;
            let mut answer = String::new();
            self.ask(&knock(SPACE, body))?.read_to_string(&mut answer)?;
            if let Some(ticket) = field(&answer, "ticket") {
                return Ok(ticket.to_owned());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        anyhow::bail!("no right to come back was given")
    }

    /// Whether the door of the space is calm, as everybody may read.
    pub(crate) fn is_calm(&self) -> anyhow::Result<bool> {
        let mut answer = String::new();
        self.ask(&get(&format!("/s/{SPACE}/serving.json")))?
            .read_to_string(&mut answer)?;
        let mode = field(&answer, "mode").context("serving.json without a mode")?;
        Ok(mode == "calm")
    }

    fn ask(&self, request: &[u8]) -> anyhow::Result<TcpStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((THIEF, 0)).into())?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.connect(&self.server.target.address.into())?;
        let mut stream: TcpStream = socket.into();
        stream.write_all(request)?;
        Ok(stream)
    }

    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        self.server.cpu().context("the server has ended")
    }
}
