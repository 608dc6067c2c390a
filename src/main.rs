//! The process edge: read the command line, do it, say how it went.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use composio_bridge::{cli, command};

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os().collect()) {
        Ok(cli) => cli,
        Err(outcome) => return usage(&outcome),
    };
    let silent = cli.settings.silent == Some(true);
    match command::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !silent {
                say(&error.report());
            }
            ExitCode::from(error.kind().exit_code())
        }
    }
}

/// Help and version on stdout, a mistake on stderr.
fn usage(outcome: &clap::Error) -> ExitCode {
    // Where nobody reads there is nobody to tell.
    let _ = outcome.print();
    ExitCode::from(if outcome.use_stderr() { 2 } else { 0 })
}

fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}
