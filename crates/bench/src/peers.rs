//! The servers that are measured, each a process of its own on core 0.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// How long a server may take until it answers with sound.
const START_MAX: Duration = Duration::from_secs(20);
/// Kernel clock ticks a second, as /proc counts CPU time (sysconf(_SC_CLK_TCK) is 100 on every Linux).
const CLOCK_TICKS: u64 = 100;

pub(crate) struct Server {
    pub(crate) address: String,
    pub(crate) path: String,
    child: Child,
    /// Feeds the server, when it needs somebody to.
    source: Option<Child>,
    _folder: tempfile::TempDir,
}

impl Server {
    /// User and system time of the process since its start.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let after_name = stat.rsplit_once(')').context("an odd /proc stat")?.1;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let ticks = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        Ok(Duration::from_millis(ticks * 1_000 / CLOCK_TICKS))
    }

    pub(crate) fn resident_bytes(&self) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .context("no VmRSS")?;
        let kib: u64 = line
            .split_whitespace()
            .nth(1)
            .context("an odd VmRSS")?
            .parse()?;
        Ok(kib * 1_024)
    }

    fn await_sound(self) -> anyhow::Result<Self> {
        let begun = Instant::now();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        loop {
            let probe = runtime.block_on(crate::crowd::burst(&self.address, &self.path, 1))?;
            if probe.heard == 1 {
                return Ok(self);
            }
            anyhow::ensure!(
                begun.elapsed() < START_MAX,
                "{} gave no sound within {START_MAX:?}",
                self.address
            );
            std::thread::sleep(Duration::from_millis(200));
        }
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

pub(crate) fn bare(_: &str) -> anyhow::Result<Server> {
    let address = free_address()?;
    let me = std::env::current_exe()?;
    let child = on_core_0(me.to_str().context("a path in UTF-8")?)
        .args(["bare", &address])
        .spawn()?;
    let folder = tempfile::tempdir()?;
    Server {
        address,
        path: "/".into(),
        child,
        source: None,
        _folder: folder,
    }
    .await_sound()
}

pub(crate) fn hustings(binary: &str) -> anyhow::Result<Server> {
    let folder = tempfile::tempdir()?;
    let address = free_address()?;
    let mut command = on_core_0(binary);
    command
        .args(["serve", "--demo", "--listen", &address])
        .arg("--data")
        .arg(folder.path());
    for flag in ["--media", "--stage", "--operator"] {
        command.args([flag, &free_address()?]);
    }
    let child = command.spawn().context("hustings cannot be started")?;
    Server {
        address,
        path: "/s/demo/live.ogg".into(),
        child,
        source: None,
        _folder: folder,
    }
    .await_sound()
}

pub(crate) fn icecast(_: &str) -> anyhow::Result<Server> {
    let folder = tempfile::tempdir()?;
    let address = free_address()?;
    let port = address.rsplit_once(':').context("a port")?.1;
    let root = folder.path().display();
    let config = format!(
        "<icecast><limits><clients>20000</clients><sources>2</sources><queue-size>524288</queue-size><burst-size>30000</burst-size></limits>\
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
    let target = format!("icecast://source:bench@{address}/live.ogg");
    let source = Command::new("ffmpeg")
        .args([
            "-loglevel",
            "error",
            "-re",
            "-f",
            "lavfi",
            "-i",
            "sine=440:sample_rate=48000",
            "-c:a",
            "libopus",
            "-b:a",
            "48k",
        ])
        .args([
            "-vbr",
            "off",
            "-content_type",
            "audio/ogg",
            "-f",
            "ogg",
            &target,
        ])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("ffmpeg is missing")?;
    Server {
        address,
        path: "/live.ogg".into(),
        child,
        source: Some(source),
        _folder: folder,
    }
    .await_sound()
}
