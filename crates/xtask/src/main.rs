//! Developer's commands: `cargo xtask test [--quick]`, `cargo xtask tidy`,
//! `cargo xtask counts [--accept]`, `cargo xtask bench`.

mod bench;
mod counts;
mod purity;
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
        ["counts"] => counts::run(false),
        ["counts", "--accept"] => counts::run(true),
        ["bench", parts @ ..] => bench::run(parts),
        _ => {
            eprintln!("cargo xtask test           everything a change must pass");
            eprintln!("cargo xtask test --quick   the same without browsers");
            eprintln!("cargo xtask tidy           only the rules about files");
            eprintln!(
                "cargo xtask counts         instruction counts against their baselines; --accept takes new ones"
            );
            eprintln!(
                "cargo xtask bench [PART..] the figures, beside bare loops and Icecast; all parts, or those named"
            );
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
