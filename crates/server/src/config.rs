//! What `hustings serve` is told: flags, and a TOML file that sets the same names.

use std::net::SocketAddr;
use std::path::PathBuf;

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
    /// WebRTC media: UDP, and ICE-TCP on the same number.
    #[arg(long, default_value = "127.0.0.1:8081")]
    pub media: SocketAddr,
    /// Stage listener: studio, WHIP and the management API.
    #[arg(long, default_value = "127.0.0.1:8082")]
    pub stage: SocketAddr,
    /// Operator listener: metrics and health.
    #[arg(long, default_value = "127.0.0.1:9090")]
    pub operator: SocketAddr,
    /// How the public reaches the public listener, for links, such as https://live.example.org.
    #[arg(long)]
    pub public_url: Option<String>,
    /// How browsers reach the stage listener, for links. Default: the public URL's host with the stage port.
    #[arg(long)]
    pub stage_url: Option<String>,
    /// Address that browsers send media to, when NAT stands before the node.
    #[arg(long)]
    pub media_public: Option<SocketAddr>,
    /// PEM certificate chain; with --tls-key, the public and stage listeners speak TLS. Reloaded when the file changes.
    #[arg(long, requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    #[arg(long, requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Recordings older than this many days are deleted. Default: kept for ever.
    #[arg(long)]
    pub keep_recordings: Option<u32>,
    /// Opens the space `demo`, live, in which two synthetic speakers talk.
    #[arg(long)]
    pub demo: bool,
}
