//! The packet filter's part: one table `inet hustings`, written for the nft program. Pure text; `run` starts the program.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use ipnet::IpNet;
use tokio::io::AsyncWriteExt as _;

use super::limits::{NEVER_MAX, NFT_DEADLINE, SET_PREFIXES_MAX};
use super::message::{Answer, LENGTHS_V4, LENGTHS_V6};

/// Takes our table out, whether it is there or not: `delete` alone would fail where there is none.
pub(super) const REMOVE: &str = "add table inet hustings\ndelete table inet hustings\n";

/// Where Debian and others put it. The path of the environment is not asked: this runs with rights.
const PROGRAMS: [&str; 3] = ["/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"];

/// What the kernel was told and has not timed out yet, and what must never be told to it.
pub(super) struct Filter {
    ports: BTreeSet<u16>,
    /// By the helper's own command line.
    never_own: Vec<IpNet>,
    never_told: Vec<IpNet>,
    /// Until when; one set a length.
    dropped: BTreeMap<(u8, bool), BTreeMap<IpNet, Instant>>,
}

impl Filter {
    pub(super) fn new(ports: impl IntoIterator<Item = u16>, never_own: Vec<IpNet>) -> Self {
        Self {
            ports: ports.into_iter().collect(),
            never_own,
            never_told: Vec::new(),
            dropped: BTreeMap::new(),
        }
    }

    /// The whole table anew, in place of one that an earlier helper left.
    ///
    /// The chain stands before connection tracking, so that a dropped packet makes no state. Only packets that open a
    /// connection are dropped: who is inside stays inside. The never-block sets are asked first.
    pub(super) fn begin(&self) -> String {
        let mut sets = String::new();
        let mut rules = String::new();
        for (family, address, kind, lengths) in [
            ("4", "ip saddr", "ipv4_addr", &LENGTHS_V4[..]),
            ("6", "ip6 saddr", "ipv6_addr", &LENGTHS_V6[..]),
        ] {
            let most = 2 * NEVER_MAX;
            let _ = writeln!(
                sets,
                " set never{family} {{ type {kind}; flags interval; auto-merge; size {most}; }}"
            );
            // The kernel counts both ends of an interval.
            let room = 2 * SET_PREFIXES_MAX;
            for length in lengths {
                let name = format!("drop{family}_{length}");
                let _ = writeln!(
                    sets,
                    " set {name} {{ type {kind}; flags interval,timeout; size {room}; }}"
                );
                let _ = writeln!(rules, "  {address} @{name} counter drop");
            }
        }
        let ports: Vec<String> = self.ports.iter().map(u16::to_string).collect();
        let never = self.never_elements();
        format!(
            "{REMOVE}table inet hustings {{\n{sets} chain knocks {{\n  \
             type filter hook prerouting priority raw; policy accept;\n  \
             tcp dport != {{ {} }} accept\n  \
             tcp flags & (syn | ack) != syn accept\n  \
             iifname \"lo\" accept\n  \
             fib daddr type != local accept\n  \
             ip saddr @never4 accept\n  ip6 saddr @never6 accept\n{rules} }}\n}}\n{never}",
            ports.join(", ")
        )
    }

    /// Takes a batch in; gives what the kernel is to be told, and what becomes of it. The kernel's timeouts are its own,
    /// so that a helper that dies leaves nothing for ever.
    pub(super) fn drop_these(&mut self, batch: &[(IpNet, u64)], now: Instant) -> (String, Answer) {
        let mut answer = Answer::default();
        let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for &(prefix, seconds) in batch {
            if self.is_never(&prefix) {
                answer.refused += 1;
                continue;
            }
            let (length, v4) = (prefix.prefix_len(), prefix.addr().is_ipv4());
            let set = self.dropped.entry((length, v4)).or_default();
            if set.get(&prefix).is_some_and(|until| *until > now) {
                answer.already += 1;
                continue;
            }
            if set.len() >= SET_PREFIXES_MAX {
                set.retain(|_, until| *until > now);
            }
            if set.len() >= SET_PREFIXES_MAX {
                answer.refused += 1;
                continue;
            }
            set.insert(prefix, now + Duration::from_secs(seconds));
            let name = format!("drop{}_{length}", if v4 { 4 } else { 6 });
            told.entry(name)
                .or_default()
                .push(format!("{prefix} timeout {seconds}s"));
            answer.dropped += 1;
        }
        let mut script = String::new();
        for (set, elements) in told {
            let _ = writeln!(
                script,
                "add element inet hustings {set} {{ {} }}",
                elements.join(", ")
            );
        }
        (script, answer)
    }

    /// What was not told to the kernel after all must not count as dropped.
    pub(super) fn forget(&mut self, batch: &[(IpNet, u64)]) {
        for (prefix, _) in batch {
            for set in self.dropped.values_mut() {
                set.remove(prefix);
            }
        }
    }

    /// Takes the node's list in place of its last; gives what the kernel is to be told.
    pub(super) fn never_these(&mut self, prefixes: Vec<IpNet>) -> String {
        self.never_told = prefixes;
        format!(
            "flush set inet hustings never4\nflush set inet hustings never6\n{}",
            self.never_elements()
        )
    }

    /// Whether any address of the prefix is never to be blocked.
    fn is_never(&self, prefix: &IpNet) -> bool {
        let own = self.never_own.iter().chain(&self.never_told);
        prefix.addr().is_loopback()
            || own
                .into_iter()
                .any(|never| never.contains(prefix) || prefix.contains(never))
    }

    fn never_elements(&self) -> String {
        let mut script = String::new();
        for v4 in [true, false] {
            let of_family: Vec<IpNet> = self
                .never_own
                .iter()
                .chain(&self.never_told)
                .filter(|never| never.addr().is_ipv4() == v4)
                .map(IpNet::trunc)
                .collect();
            let apart: Vec<String> = IpNet::aggregate(&of_family)
                .iter()
                .map(IpNet::to_string)
                .collect();
            if !apart.is_empty() {
                let _ = writeln!(
                    script,
                    "add element inet hustings never{} {{ {} }}",
                    if v4 { 4 } else { 6 },
                    apart.join(", ")
                );
            }
        }
        script
    }
}

/// Gives the script to nft, which takes all of it or nothing.
///
/// # Errors
/// When there is no nft, it takes too long, or it refuses; the message has its first line.
pub(super) async fn run(script: &str) -> anyhow::Result<()> {
    let program = PROGRAMS
        .iter()
        .find(|path| Path::new(path).is_file())
        .context("there is no nft program here; Debian's package is nftables")?;
    let mut child = tokio::process::Command::new(program)
        .args(["-f", "-"])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("{program} cannot be started"))?;
    let mut stdin = child.stdin.take().context("nft has no input")?;
    let talk = async {
        let written = stdin.write_all(script.as_bytes()).await;
        drop(stdin);
        (written, child.wait_with_output().await)
    };
    let (written, ended) = tokio::time::timeout(NFT_DEADLINE, talk)
        .await
        .with_context(|| format!("nft took longer than {} s", NFT_DEADLINE.as_secs()))?;
    let output = ended.context("nft cannot be waited for")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "nft refused: {}",
            said.lines().next().unwrap_or("it did not say why")
        );
    }
    written.context("nft did not read all of it")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> IpNet {
        text.parse().expect("a prefix")
    }

    #[test]
    fn a_prefix_is_told_once_until_it_has_timed_out() {
        let mut filter = Filter::new([443], Vec::new());
        let now = Instant::now();
        let batch = [(net("203.0.113.0/24"), 60), (net("2001:db8::/56"), 90)];
        let (script, answer) = filter.drop_these(&batch, now);
        assert_eq!(
            script,
            "add element inet hustings drop4_24 { 203.0.113.0/24 timeout 60s }\n\
             add element inet hustings drop6_56 { 2001:db8::/56 timeout 90s }\n"
        );
        assert_eq!((answer.dropped, answer.already), (2, 0));
        let later = now + Duration::from_secs(59);
        let (script, answer) = filter.drop_these(&batch, later);
        assert_eq!((script.as_str(), answer.already), ("", 2));
        let (script, answer) = filter.drop_these(&batch, now + Duration::from_secs(61));
        assert!(
            script.contains("203.0.113.0/24") && !script.contains("2001"),
            "{script}"
        );
        assert_eq!((answer.dropped, answer.already), (1, 1));
        filter.forget(&batch);
        assert_eq!(filter.drop_these(&batch, now).1.dropped, 2);
    }

    #[test]
    fn what_overlaps_a_never_block_prefix_is_refused() {
        let mut filter = Filter::new([443], vec![net("198.51.100.7/32")]);
        let now = Instant::now();
        let framed = [
            (net("198.51.100.0/24"), 60),
            (net("127.0.0.1/32"), 60),
            (net("2001:db8:1:2::/64"), 60),
        ];
        assert_eq!(filter.drop_these(&framed, now).1.refused, 2);
        let script = filter.never_these(vec![net("2001:db8:9:8::/64"), net("2001:db8:9:8:1::/80")]);
        assert_eq!(
            script,
            "flush set inet hustings never4\nflush set inet hustings never6\n\
             add element inet hustings never4 { 198.51.100.7/32 }\n\
             add element inet hustings never6 { 2001:db8:9:8::/64 }\n"
        );
        let wide = [(net("2001:db8:9::/48"), 60)];
        assert_eq!(filter.drop_these(&wide, now).1.refused, 1);
        filter.never_these(Vec::new());
        assert_eq!(filter.drop_these(&wide, now).1.dropped, 1);
    }

    #[test]
    fn a_full_set_refuses_until_others_have_timed_out() {
        let mut filter = Filter::new([443], Vec::new());
        let now = Instant::now();
        let address = |number: u32| {
            net(&format!(
                "{}/32",
                std::net::Ipv4Addr::from(0x0b00_0000 + number)
            ))
        };
        for number in 0..SET_PREFIXES_MAX as u32 {
            assert_eq!(
                filter.drop_these(&[(address(number), 60)], now).1.dropped,
                1
            );
        }
        let one_more = [(address(1 << 20), 60)];
        assert_eq!(filter.drop_these(&one_more, now).1.refused, 1);
        let later = now + Duration::from_secs(61);
        assert_eq!(filter.drop_these(&one_more, later).1.dropped, 1);
    }
}
