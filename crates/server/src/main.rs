fn main() -> std::process::ExitCode {
    hustings::node::main()
}
