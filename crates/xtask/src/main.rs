//! Developer's commands: `cargo xtask test [--quick]`, `cargo xtask tidy`, `cargo xtask bench`.

mod bench;
mod steps;
mod test;
mod tidy;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["test"] => test::run(test::Extent::Everything),
        ["test", "--quick"] => test::run(test::Extent::WithoutBrowsers),
        ["tidy"] => tidy::run(),
        ["bench"] => bench::run(),
        _ => {
            eprintln!("cargo xtask test           everything a change must pass");
            eprintln!("cargo xtask test --quick   the same without browsers");
            eprintln!("cargo xtask tidy           only the rules about files");
            eprintln!("cargo xtask bench          the figures, beside a bare loop and Icecast");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
