//! The log: text for a person at a terminal, JSON lines for everything else. Secrets and addresses never come here.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Begins to log to standard error; `HUSTINGS_LOG` says how much (for example `hustings=debug`), default `info`.
pub fn start() {
    let filter = EnvFilter::try_from_env("HUSTINGS_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,str0m=warn,sqlx=warn"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second node in one process (tests) keeps the first one's log.
    let _ = if std::io::stderr().is_terminal() {
        builder.try_init()
    } else {
        builder.json().try_init()
    };
}
