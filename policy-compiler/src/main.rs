//! Compiles OpenAPI documents and policy into a signed Portcullis bundle.

fn main() -> std::process::ExitCode {
    policy_compiler::cli::main()
}
