//! `hustings shield`: the process with the right to change the packet filter. It listens on a Unix socket, does what a
//! well-formed message of the node says within its own bounds, and takes its table away at its end.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use ipnet::IpNet;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Mutex, Semaphore};

use super::chown;
use super::filter::{self, Filter, REMOVE};
use super::limits::{CLIENTS_MAX, MESSAGE_BYTES_MAX, MESSAGE_PAUSE};
use super::message::{Answer, Message};

/// Drops repeat offenders in the kernel, for a node that runs with --shield. Needs the right to change the packet
/// filter (root, or CAP_NET_ADMIN) and the nft program; the node needs neither.
#[derive(Clone, Debug, clap::Args)]
pub struct ShieldCommand {
    /// The node's data folder; whoever owns it may talk to this helper.
    #[arg(long, default_value = "./hustings-data")]
    pub data: PathBuf,
    /// Where to listen for the node. Default: shield.sock in the data folder.
    #[arg(long)]
    pub socket: Option<PathBuf>,
    /// The node's public port: new connections to it are dropped, and to no other. Repeatable.
    #[arg(long = "port", required = true)]
    pub ports: Vec<u16>,
    /// Prefix that is never blocked, whatever the node says: an upstream load balancer, the office. Repeatable.
    #[arg(long = "never-block", value_name = "CIDR")]
    pub never: Vec<IpNet>,
    /// Print what nft would be told, and tell it nothing.
    #[arg(long)]
    pub dry_run: bool,
}

impl ShieldCommand {
    /// Runs until SIGTERM or Ctrl-C.
    ///
    /// # Errors
    /// When the socket or the packet filter cannot be used.
    pub fn run(self) -> anyhow::Result<()> {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("the shield's thread cannot be started")?
            .block_on(self.serve())
    }

    async fn serve(self) -> anyhow::Result<()> {
        let path = self
            .socket
            .clone()
            .unwrap_or_else(|| self.data.join("shield.sock"));
        ensure!(
            self.ports.iter().all(|port| *port != 0),
            "--port is the number of the node's public port"
        );
        let mut ending = crate::ending_signal::EndingSignal::listen()?;
        let (uid, gid) = owner(&self.data)?;
        let in_words = || format!("the socket {} cannot be used", path.display());
        chown::remove_stale(&path).with_context(in_words)?;
        let listener = chown::bind_for(&path, (uid, gid)).with_context(in_words)?;
        let shield = Arc::new(Shield {
            filter: Mutex::new(Filter::new(self.ports.iter().copied(), self.never)),
            dry_run: self.dry_run,
            uid,
        });
        let begin = shield.filter.lock().await.begin();
        let done = shield
            .tell(&begin)
            .await
            .context("the packet filter cannot be set up");
        if done.is_ok() {
            println!("Shield is up: {} (user {uid})", path.display());
            tokio::select! {
                () = accept(&shield, &listener) => {}
                () = ending.wait() => {}
            }
        }
        // Whatever was set up goes with us; the socket too.
        let removed = shield.tell(REMOVE).await;
        std::fs::remove_file(&path).with_context(in_words)?;
        done.and(removed)
    }
}

/// The user whom the data belongs to: the node runs as that one.
fn owner(data: &Path) -> anyhow::Result<(u32, u32)> {
    let about = std::fs::metadata(data)
        .with_context(|| format!("the data folder {} cannot be looked at", data.display()))?;
    Ok((about.uid(), about.gid()))
}

struct Shield {
    filter: Mutex<Filter>,
    dry_run: bool,
    uid: u32,
}

async fn accept(shield: &Arc<Shield>, listener: &UnixListener) {
    let seats = Arc::new(Semaphore::new(CLIENTS_MAX));
    loop {
        let Ok(seat) = Arc::clone(&seats).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(MESSAGE_PAUSE).await;
            continue;
        };
        let shield = Arc::clone(shield);
        tokio::spawn(async move {
            let _seat = seat;
            let peer = stream.peer_cred().map(|peer| peer.uid());
            if !peer.is_ok_and(|uid| uid == 0 || uid == shield.uid) {
                eprintln!("hustings shield: a stranger connected and was not heard");
                return;
            }
            // An error is the peer's going, or a message that is none; it has been told.
            let _ = talk(&shield, stream).await;
        });
    }
}

async fn talk(shield: &Shield, mut stream: UnixStream) -> std::io::Result<()> {
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    loop {
        line.clear();
        let bound = MESSAGE_BYTES_MAX as u64 + 1;
        (&mut reader)
            .take(bound)
            .read_until(b'\n', &mut line)
            .await?;
        if line.is_empty() {
            return Ok(());
        }
        let said = if line.len() > MESSAGE_BYTES_MAX {
            Err("the message is too long".to_owned())
        } else {
            heed(shield, &line).await
        };
        match said {
            Ok(answer) => {
                let mut text = serde_json::to_vec(&answer)?;
                text.push(b'\n');
                writer.write_all(&text).await?;
            }
            Err(why) => {
                eprintln!("hustings shield: {why}");
                let text = serde_json::json!({ "error": why }).to_string() + "\n";
                return writer.write_all(text.as_bytes()).await;
            }
        }
        tokio::time::sleep(MESSAGE_PAUSE).await;
    }
}

/// Does what one message says. The lock is held until the kernel has answered, so that our memory and its sets agree.
async fn heed(shield: &Shield, line: &[u8]) -> Result<Answer, String> {
    let message = Message::parse(line).map_err(|why| why.to_string())?;
    let mut filter = shield.filter.lock().await;
    match message {
        Message::Never(prefixes) => {
            let script = filter.never_these(prefixes);
            shield.tell(&script).await.map_err(|e| format!("{e:#}"))?;
            Ok(Answer::default())
        }
        Message::Drop(batch) => {
            let (script, answer) = filter.drop_these(&batch, Instant::now());
            if let Err(why) = shield.tell(&script).await {
                filter.forget(&batch);
                return Err(format!("{why:#}"));
            }
            Ok(answer)
        }
    }
}

impl Shield {
    async fn tell(&self, script: &str) -> anyhow::Result<()> {
        if script.is_empty() {
            return Ok(());
        }
        if self.dry_run {
            print!("{script}");
            return Ok(());
        }
        filter::run(script).await
    }
}
