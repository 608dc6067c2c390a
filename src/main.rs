//! The process edge: parse, run, exit code.

use std::process::ExitCode;

use composio_bridge::{cli, command};

fn main() -> ExitCode {
    let cli = match cli::parse(std::env::args_os().collect()) {
        Ok(cli) => cli,
        // Help and the version are errors to clap, but not to a person.
        Err(told) => {
            let _ = told.print();
            return ExitCode::from(if told.use_stderr() { 2 } else { 0 });
        }
    };
    match command::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A closed stderr changes nothing about the error.
            let _ = std::io::Write::write_fmt(
                &mut std::io::stderr(),
                format_args!("{}\n", error.report()),
            );
            ExitCode::from(error.kind().exit_code())
        }
    }
}
