//! The binary: everything is in the library, where tests reach it.

use clap::Parser as _;

fn main() -> std::process::ExitCode {
    let arguments = match hustings::config::with_file(std::env::args_os().collect()) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("hustings: {error:#}");
            return std::process::ExitCode::from(2);
        }
    };
    hustings::node::main(hustings::config::Hustings::parse_from(arguments))
}
