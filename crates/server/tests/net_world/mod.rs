//! Network namespaces of the test's own: one for the node, and one for each client with a prefix of its own.

use std::fs::File;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A namespace for the node and some for clients, joined by veth pairs. All of it goes when dropped.
pub(crate) struct Net {
    names: Vec<String>,
}

/// Clients: IPv4 prefix and IPv6 prefix. The last two share a /48, not a /56.
const CLIENTS: [(&str, &str); 3] = [
    ("10.77.1", "fd00:77:1:100"),
    ("10.77.2", "fd00:77:2:100"),
    ("10.77.3", "fd00:77:2:200"),
];

impl Net {
    /// `None`, and a line that says why, where namespaces or nft cannot be had.
    pub(crate) fn start() -> Option<Self> {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let base = format!("hs{}x{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        if !ip(&format!("netns add {base}n")) {
            println!("skipped: no network namespaces here (this test needs root)");
            return None;
        }
        let mut net = Self {
            names: vec![format!("{base}n")],
        };
        if !net.inside(0, "nft", &["list", "ruleset"]) {
            println!("skipped: no nft here (Debian's package is nftables), or no right to use it");
            return None;
        }
        assert!(ip(&format!("-n {base}n link set lo up")));
        for (number, (v4, v6)) in CLIENTS.iter().enumerate() {
            let name = format!("{base}c{number}");
            let here = format!("n{number}");
            for arguments in [
                format!("netns add {name}"),
                format!("-n {base}n link add {here} type veth peer name up0 netns {name}"),
                format!("-n {base}n addr add {v4}.1/24 dev {here}"),
                format!("-n {base}n addr add {v6}::1/64 dev {here} nodad"),
                format!("-n {base}n link set {here} up"),
                format!("-n {name} addr add {v4}.2/24 dev up0"),
                format!("-n {name} addr add {v6}::2/64 dev up0 nodad"),
                format!("-n {name} link set up0 up"),
            ] {
                assert!(ip(&arguments), "ip {arguments}");
                if arguments.starts_with("netns") {
                    net.names.push(name.clone());
                }
            }
        }
        Some(net)
    }

    /// Runs a program in the node's namespace (0) or a client's (from 1).
    pub(crate) fn command(&self, place: usize, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.names[place], program]);
        command
    }

    fn inside(&self, place: usize, program: &str, arguments: &[&str]) -> bool {
        let output = self.command(place, program).args(arguments).output();
        output.is_ok_and(|output| output.status.success())
    }

    /// Runs `work` on a thread that is in that namespace; its sockets stay there.
    pub(crate) fn in_place<T: Send>(&self, place: usize, work: impl FnOnce() -> T + Send) -> T {
        let file = File::open(format!("/run/netns/{}", self.names[place])).expect("a namespace");
        std::thread::scope(|scope| {
            let there = scope.spawn(move || {
                use std::os::fd::AsFd as _;
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                    .expect("moved");
                work()
            });
            there.join().expect("the work in the namespace")
        })
    }

    pub(crate) fn v4(client: usize) -> IpAddr {
        format!("{}.1", CLIENTS[client - 1].0)
            .parse()
            .expect("an address")
    }

    pub(crate) fn v6(client: usize) -> IpAddr {
        format!("{}::1", CLIENTS[client - 1].1)
            .parse()
            .expect("an address")
    }

    /// A connection from a client to the node, if it comes about within `patience`.
    pub(crate) fn connect(
        &self,
        client: usize,
        to: IpAddr,
        port: u16,
        patience: Duration,
    ) -> Option<TcpStream> {
        self.in_place(client, || {
            let stream = TcpStream::connect_timeout(&SocketAddr::new(to, port), patience).ok()?;
            stream
                .set_read_timeout(Some(Duration::from_secs(10)))
                .expect("set");
            Some(stream)
        })
    }

    /// What `nft list table` says, or nothing when there is no table.
    pub(crate) fn table(&self) -> String {
        let output = self
            .command(0, "nft")
            .args(["list", "table", "inet", "hustings"])
            .output()
            .expect("nft runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in &self.names {
            ip(&format!("netns del {name}"));
        }
    }
}

fn ip(arguments: &str) -> bool {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output();
    output.is_ok_and(|output| output.status.success())
}

/// Longest that anything may take; a test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looks until it is so; there is nothing to be woken by.
#[track_caller]
pub(crate) fn eventually(what: &str, mut look: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !look() {
        assert!(began.elapsed() < PATIENCE, "it never came that {what}");
        std::thread::yield_now();
    }
    began.elapsed()
}
