//! Servers that are measured, each a process of its own on core 0, and what the kernel says of them.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::driver::{self, Target};
use crate::tls;

/// How long a server may take until it answers with sound.
const START_MAX: Duration = Duration::from_secs(20);
/// Our own loops end by themselves, should their parent forget them.
pub(crate) const LIFE: Duration = Duration::from_secs(400);

pub(crate) struct Server {
    pub(crate) target: Target,
    child: Child,
    /// Feeds the server, when it needs somebody to.
    source: Option<Child>,
    folder: tempfile::TempDir,
    /// Where the stage is reached; empty where there is none.
    pub(crate) stage: String,
    /// The same for metrics and the door's standing.
    pub(crate) operator: String,
}

impl Server {
    /// CPU time of all threads since their start, by the scheduler's own nanoseconds: the ticks of /proc/PID/stat are
    /// too coarse for bursts. What the kernel does in a thread's name, receiving on loopback too, is in it.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let mut nanos = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let stat = std::fs::read_to_string(task?.path().join("schedstat"))?;
            let ran = stat.split_whitespace().next().context("an odd schedstat")?;
            nanos += ran.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanos))
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) fn resident_bytes(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find(|line| line.starts_with("RssAnon:"));
        let kib = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(kib.context("no RssAnon")?.parse::<u64>()? * 1_024)
    }

    fn await_sound(self) -> anyhow::Result<Self> {
        let begun = Instant::now();
        while driver::burst(&self.target, 1, false).is_none_or(|probe| probe.heard == 0) {
            anyhow::ensure!(
                begun.elapsed() < START_MAX,
                "{} gave no sound within {START_MAX:?}",
                self.target.address
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(self)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        for child in self.source.iter_mut().chain([&mut self.child]) {
            // Already ended is as good as killed.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn on_core_0(program: &str) -> Command {
    let mut command = Command::new("taskset");
    command
        .args(["-c", "0", program])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// An address nobody uses at this moment.
fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

/// One of this program's own loops, which answers with sound.
pub(crate) fn own(words: &[&str], tls: Option<&tls::Files>) -> anyhow::Result<Server> {
    own_silent(words, tls)?.await_sound()
}

/// The same, whatever it answers.
pub(crate) fn own_silent(words: &[&str], tls: Option<&tls::Files>) -> anyhow::Result<Server> {
    let address = free_address()?;
    let me = std::env::current_exe()?;
    let mut command = on_core_0(me.to_str().context("a path in UTF-8")?);
    command.arg(words[0]).arg(&address).args(&words[1..]);
    if let Some(files) = tls {
        command.arg(&files.cert).arg(&files.key);
    }
    let child = command.spawn()?;
    Ok(Server {
        target: Target::new(&address, "/s/bench/live.ogg", tls)?,
        child,
        source: None,
        folder: tempfile::tempdir()?,
        stage: String::new(),
        operator: String::new(),
    })
}

/// The binary as it is shipped, with its demo.
pub(crate) fn hustings(
    binary: &str,
    path: &str,
    tls: Option<&tls::Files>,
) -> anyhow::Result<Server> {
    hustings_with(binary, path, tls, &[], &[])
}

/// The same, with more flags, and with a command before it such as `prlimit`.
pub(crate) fn hustings_with(
    binary: &str,
    path: &str,
    tls: Option<&tls::Files>,
    more: &[&str],
    before: &[&str],
) -> anyhow::Result<Server> {
    start(binary, path, tls, more, before, "127.0.0.1")
}

/// Under TLS, and heard on all addresses; the driver uses the loopback one.
pub(crate) fn hustings_everywhere(
    binary: &str,
    path: &str,
    tls: &tls::Files,
) -> anyhow::Result<Server> {
    start(binary, path, Some(tls), &[], &[], "0.0.0.0")
}

fn start(
    binary: &str,
    path: &str,
    tls: Option<&tls::Files>,
    more: &[&str],
    before: &[&str],
    host: &str,
) -> anyhow::Result<Server> {
    let heard = |address: &str| address.replace("127.0.0.1", host);
    let folder = tempfile::tempdir()?;
    let (address, stage, operator) = (free_address()?, free_address()?, free_address()?);
    let mut command = match before {
        [] => on_core_0(binary),
        [program, rest @ ..] => {
            let mut command = on_core_0(program);
            command.args(rest).arg(binary);
            command
        }
    };
    command
        .args(["serve", "--demo", "--listen", &heard(&address)])
        .args(["--stage", &heard(&stage), "--operator", &operator])
        .args(["--media", &free_address()?])
        .args(more)
        .arg("--data")
        .arg(folder.path());
    if let Some(files) = tls {
        command.arg("--tls-cert").arg(&files.cert);
        command.arg("--tls-key").arg(&files.key);
    }
    let child = command.spawn().context("hustings cannot be started")?;
    Server {
        target: Target::new(&address, path, tls)?,
        child,
        source: None,
        folder,
        stage,
        operator,
    }
    .await_sound()
}

/// Icecast with a source of 48 kbit/s that hands on a page a second.
pub(crate) fn icecast() -> anyhow::Result<Server> {
    let folder = tempfile::tempdir()?;
    let address = free_address()?;
    let port = address.rsplit_once(':').context("a port")?.1;
    let root = folder.path().display();
    let config = format!(
        "<icecast><limits><clients>20000</clients><sources>2</sources><queue-size>524288</queue-size><burst-size>6000</burst-size></limits>\
         <authentication><source-password>bench</source-password><admin-user>bench</admin-user><admin-password>bench</admin-password></authentication>\
         <hostname>localhost</hostname><listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket>\
         <paths><basedir>{root}</basedir><logdir>{root}</logdir><webroot>{root}</webroot><adminroot>{root}</adminroot></paths>\
         <logging><accesslog>a.log</accesslog><errorlog>e.log</errorlog><loglevel>1</loglevel></logging>\
         <security><chroot>0</chroot><changeowner><user>nobody</user><group>nogroup</group></changeowner></security></icecast>"
    );
    let file = folder.path().join("icecast.xml");
    std::fs::write(&file, config)?;
    use std::os::unix::fs::PermissionsExt as _;
    // Icecast gives up root and writes its logs as nobody.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777))?;
    let child = on_core_0("icecast2")
        .arg("-c")
        .arg(&file)
        .spawn()
        .context("icecast2 is missing")?;
    std::thread::sleep(Duration::from_secs(1));
    let encode = "-loglevel error -re -f lavfi -i sine=440:sample_rate=48000 -c:a libopus -b:a 48k -vbr off \
                  -content_type audio/ogg -f ogg";
    let source = Command::new("ffmpeg")
        .args(encode.split_whitespace())
        .arg(format!("icecast://source:bench@{address}/live.ogg"))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("ffmpeg is missing")?;
    Server {
        target: Target::new(&address, "/live.ogg", None)?,
        child,
        source: Some(source),
        folder,
        stage: String::new(),
        operator: String::new(),
    }
    .await_sound()
}
