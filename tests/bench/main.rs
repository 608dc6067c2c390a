//! What the bridge costs, measured against a plain keep-alive HTTP client (the floor) that makes
//! the same calls to the same server in the same run, and against mcp-remote where it is there.
//!
//! ```text
//! cargo bench                 all figures, a few minutes
//! cargo bench -- --quick      fewer rounds, rougher figures
//! cargo bench -- --check      exit code 1 if a bound is exceeded
//! MCP_REMOTE=…/mcp-remote/dist/proxy.js cargo bench    mcp-remote's figures beside ours
//! ```
//!
//! One executable plays every role, each in a process of its own: the driver (which measures), the
//! server, and the floor. The subjects take turns, so that a machine that slows down slows them
//! all; of each figure the median over the rounds is shown.

#![expect(unreachable_pub, reason = "the modules of one program, shared by its roles")]

mod figures;
mod machine;
mod piped;
mod plain;
mod server;
mod subject;
mod table;

use std::io::Write;

use figures::Effort;

fn main() -> std::process::ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| args.iter().any(|arg| arg == flag);
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--role", "server"] => server::run(),
        ["--role", "plain", url] => plain::run(url),
        // `cargo test --all-targets` runs this too, without the flag that `cargo bench` adds.
        _ if !has("--bench") => say("this measures: run it as `cargo bench`"),
        _ => {
            let effort = if has("--quick") { Effort::QUICK } else { Effort::FULL };
            let report = figures::measure(&effort);
            say(&report.text());
            if has("--check") && report.exceeds() {
                return std::process::ExitCode::FAILURE;
            }
        }
    }
    std::process::ExitCode::SUCCESS
}

/// Writes a line to stdout.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
