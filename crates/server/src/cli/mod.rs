//! Commands beside a running node: they read its keys, or talk to its API as the operator.

mod client;
mod preflight;
mod rehearse;
mod report;
mod simulate;
mod space;
mod token;

use std::path::PathBuf;

pub use preflight::PreflightCommand;
pub use rehearse::RehearseCommand;
pub use report::ReportCommand;
pub use simulate::SimulateCommand;
pub use space::SpaceCommand;
pub use token::TokenCommand;
pub(crate) use token::parse_ttl;

/// Where the node lies and how its API is reached.
#[derive(Clone, Debug, clap::Args)]
pub struct NodeArgs {
    /// The node's data folder; the operator's token lies there.
    #[arg(long, default_value = "./hustings-data")]
    pub data: PathBuf,
    /// Where the node's stage listener is reached: an address, or a URL (https:// with --ca).
    #[arg(long, default_value = "127.0.0.1:8082")]
    pub stage: String,
    /// PEM certificates to trust for https, such as the node's own --tls-cert file.
    #[arg(long)]
    pub ca: Option<PathBuf>,
    /// Print JSON instead of words.
    #[arg(long)]
    pub json: bool,
}
