//! The composition root: builds the parts of a node from its configuration and joins them. The lead writes this.

use std::process::ExitCode;

pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}
