//! What `hustings serve` is told: flags, and a TOML file that sets the same names (`file`).

mod file;

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::ingest::MediaAddress;
use crate::ops::log::LogFormat;
pub use file::with_file;
use hustings_control::gate;
use hustings_control::gate::limits::SEATS_MAX;
use hustings_media::fanout::Cadence;
use ipnet::IpNet;

use crate::edge::{CONNECTIONS_PER_S_DEFAULT, HANDSHAKES_PER_S_DEFAULT};
use crate::ops::flight::{KEEP_MIB_DEFAULT, KEEP_MIB_MAX, KEEP_MIB_MIN};

/// Seats unless `--seats` says otherwise: more than a node carries on most machines, so that what is measured decides.
/// The tables for them take about 160 bytes a seat.
const SEATS_DEFAULT: u32 = 50_000;
/// See `gate::Settings::guarantee`.
const SPACE_SHARE_DEFAULT: f64 = 0.1;

/// Live audio spaces that stay up.
#[derive(Debug, clap::Parser)]
#[command(
    name = "hustings",
    version,
    args_conflicts_with_subcommands = true,
    args_override_self = true
)]
pub struct Hustings {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub serve: Serve,
}

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Runs a node (the same as no command at all).
    #[command(args_override_self = true)]
    Serve(Box<Serve>),
    /// Mints a token with this node's keys.
    Token(crate::cli::TokenCommand),
    /// Says go or no-go before an event: 0 go, 1 no-go, 2 it could not be looked at.
    Preflight(crate::cli::PreflightCommand),
    /// Makes, lists and runs spaces of a running node.
    #[command(subcommand)]
    Space(crate::cli::SpaceCommand),
    /// Tells what happened at a space, by what the flight recorder has kept.
    Report(crate::cli::ReportCommand),
    /// Rehearses a night in virtual time: millions come, the real gate decides.
    Simulate(crate::cli::SimulateCommand),
    /// Rehearses a night on real sockets, and says what this installation holds.
    Rehearse(Box<crate::cli::RehearseCommand>),
    /// Drops repeat offenders in the kernel, for a node that runs with --shield.
    Shield(crate::shield::ShieldCommand),
}

#[derive(Clone, Debug, clap::Args)]
pub struct Serve {
    /// TOML file that sets the same names; a flag wins over it.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Folder for the database, keys and recordings.
    #[arg(long, default_value = "./hustings-data")]
    pub data: PathBuf,
    /// Public listener: pages and sound for the crowd.
    #[arg(long, default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// WebRTC media: UDP, and ICE-TCP on the same number. local:PORT takes it at all addresses, from this machine only.
    #[arg(long, default_value = "local:8081")]
    pub media: MediaAddress,
    /// Stage listener: studio, WHIP and the management API.
    #[arg(long, default_value = "127.0.0.1:8082")]
    pub stage: SocketAddr,
    /// Operator listener: metrics and health.
    #[arg(long, default_value = "127.0.0.1:9090")]
    pub operator: SocketAddr,
    /// How the log is written to standard error: text, json lines, or auto: text at a terminal and json else.
    #[arg(long, value_enum, default_value_t)]
    pub log_format: LogFormat,
    /// The operator listener speaks TLS too, with the same certificate; for a board that is looked at from elsewhere.
    #[arg(long, requires = "tls_cert")]
    pub operator_tls: bool,
    /// How the public reaches the public listener, for links, such as https://live.example.org.
    #[arg(long)]
    pub public_url: Option<String>,
    /// How browsers reach the stage listener, for links. Default: the public URL's host with the stage port.
    #[arg(long)]
    pub stage_url: Option<String>,
    /// ADDRESS:PORT that browsers send media to, when NAT stands before the node; several with commas between.
    #[arg(long, value_delimiter = ',')]
    pub media_public: Vec<SocketAddr>,
    /// PEM certificate chain; with --tls-key, the public and stage listeners speak TLS. Reloaded when the file changes.
    #[arg(long, requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// PEM private key of --tls-cert.
    #[arg(long, requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Prefix of a proxy before the public listener whose X-Forwarded-For is believed. Repeatable, or separated by commas.
    #[arg(long = "trusted-proxy", value_name = "CIDR", value_delimiter = ',')]
    pub trusted_proxies: Vec<IpNet>,
    /// Connections of trusted proxies to the public listener begin with a PROXY header (version 2).
    #[arg(long, requires = "trusted_proxies")]
    pub proxy_protocol: bool,
    /// New connections a second from one IPv4 /24 or IPv6 /48, ten times as many at once, before further ones are closed
    /// unread; a third for an IPv6 /56, a tenth for a /64. Raise it for a mobile network behind few addresses.
    #[arg(long, default_value_t = CONNECTIONS_PER_S_DEFAULT, value_parser = clap::value_parser!(u32).range(1..))]
    pub prefix_connections: u32,
    /// TLS handshakes a second of each of the public listener's threads; more wait their turn, and close after 5 s of it.
    #[arg(long, default_value_t = HANDSHAKES_PER_S_DEFAULT, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub handshakes: u32,
    /// Socket of a running `hustings shield`, which drops repeat offenders in the kernel. Default: none are.
    #[arg(long, value_name = "SOCKET")]
    pub shield: Option<PathBuf>,
    /// Recordings older than this many days are deleted. Default: kept for ever.
    #[arg(long)]
    pub keep_recordings: Option<u32>,
    /// Milliseconds between two writes to a listener at least, 100 to 2000. The same as --cadence-max: fixed.
    #[arg(long, default_value_t = Cadence::MS_MIN)]
    pub cadence_min: u64,
    /// Milliseconds at most; load widens the cadence up to this. Both can be moved at run time by PUT /api/v1/cadence.
    #[arg(long, default_value_t = Cadence::MS_MAX)]
    pub cadence_max: u64,
    /// Listeners at most, of all spaces together. What the machine carries may be fewer: that is measured.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(SEATS_MAX)), default_value_t = SEATS_DEFAULT)]
    pub seats: u32,
    /// What the node's uplink carries, in bits a second, such as 950M or 10G: the one limit that cannot be measured
    /// without reaching it. Default: not known, never short.
    #[arg(long, value_name = "RATE")]
    pub uplink: Option<crate::usher::Rate>,
    /// Share of each core that carrying listeners may take, 0.05 to 1, on a machine that others use too.
    #[arg(long, value_name = "SHARE", value_parser = core_share, default_value_t = 1.0)]
    pub core_share: f64,
    /// Share of the seats that each open space always gets, 0 to 1; idle seats go to whoever asks.
    #[arg(long, value_name = "SHARE", value_parser = share, default_value_t = SPACE_SHARE_DEFAULT)]
    pub space_share: f64,
    /// MiB that the flight recorder's rows take; the oldest go, and the chain says so.
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(KEEP_MIB_MIN..=KEEP_MIB_MAX), default_value_t = KEEP_MIB_DEFAULT)]
    pub flight_keep: u64,
    /// URL that each alarm is sent to by POST, signed with the secret in `webhook-secret` under the data folder.
    #[arg(long, value_name = "URL")]
    pub alarm_webhook: Option<hyper::Uri>,
    /// PEM certificates to trust for an https:// webhook. Default: the system's.
    #[arg(long, value_name = "FILE", requires = "alarm_webhook")]
    pub alarm_webhook_ca: Option<PathBuf>,
    /// Host that tells the right time by NTP, for `hustings preflight`. Default: none is asked.
    #[arg(long, value_name = "HOST")]
    pub time_server: Option<String>,
    /// Opens the space `demo`, live, in which two synthetic speakers talk.
    #[arg(long)]
    pub demo: bool,
}

impl Serve {
    /// What holds when nothing is said.
    pub fn usual() -> Self {
        <Hustings as clap::Parser>::parse_from(["hustings"]).serve
    }

    /// What the gate goes by.
    pub fn gate_settings(&self, shards: usize) -> gate::Settings {
        gate::Settings {
            seats: self.seats,
            shards: u32::try_from(shards).unwrap_or(u32::MAX),
            guarantee: self.space_share,
            ..gate::Settings::default()
        }
    }

    /// `http` or `https`, as the listeners speak it.
    pub fn scheme(&self) -> &'static str {
        if self.tls_cert.is_some() {
            "https"
        } else {
            "http"
        }
    }

    /// How the public reaches the public listener, without a trailing slash.
    pub fn public_base(&self) -> String {
        match &self.public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("{}://{}", self.scheme(), reachable(self.listen)),
        }
    }

    /// How browsers reach the stage listener, without a trailing slash.
    pub fn stage_base(&self) -> String {
        if let Some(url) = &self.stage_url {
            return url.trim_end_matches('/').to_owned();
        }
        match self.public_url.as_deref().and_then(host_of) {
            Some(host) => format!("{}://{host}:{}", self.scheme(), self.stage.port()),
            None => format!("{}://{}", self.scheme(), reachable(self.stage)),
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if (0.0..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err("a share of the seats lies between 0 and 1, such as 0.1".to_owned())
    }
}

fn core_share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| format!("`{text}` is no number"))?;
    if (0.05..=1.0).contains(&share) {
        Ok(share)
    } else {
        Err("a share of a core lies between 0.05 and 1, such as 0.5".to_owned())
    }
}

/// An unspecified address cannot stand in a link; this machine's own can, until `--public-url` says better.
fn reachable(address: SocketAddr) -> SocketAddr {
    if !address.ip().is_unspecified() {
        return address;
    }
    let local: std::net::IpAddr = if address.is_ipv4() {
        std::net::Ipv4Addr::LOCALHOST.into()
    } else {
        std::net::Ipv6Addr::LOCALHOST.into()
    };
    SocketAddr::new(local, address.port())
}

/// The host part of a URL, without its port.
fn host_of(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    let authority = rest.split('/').next()?;
    if authority.starts_with('[') {
        return authority.find(']').map(|end| &authority[..=end]);
    }
    authority.split(':').next().filter(|host| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn parse(arguments: &[&str]) -> Serve {
        Hustings::parse_from(arguments).serve
    }

    #[test]
    fn links_follow_the_public_url() {
        let serve = parse(&[
            "hustings",
            "--public-url",
            "https://live.example.org/",
            "--stage",
            "0.0.0.0:8443",
        ]);
        assert_eq!(serve.public_base(), "https://live.example.org");
        assert_eq!(serve.stage_base(), "http://live.example.org:8443");
        assert_eq!(
            parse(&["hustings", "--listen", "0.0.0.0:80"]).public_base(),
            "http://127.0.0.1:80"
        );
    }
}
