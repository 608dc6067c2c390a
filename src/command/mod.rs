//! The subcommands, a file each.

pub mod demo;

use crate::{
    bridge,
    cli::{Cli, Command},
    config::{Config, environment::Environment},
    error::Error,
    logging,
};

/// Does what the command line asks for; without a subcommand that is bridging.
///
/// # Errors
/// What kept it from being done, for stderr and the exit code.
pub fn run(cli: Cli) -> Result<(), Error> {
    match cli.command {
        Some(Command::Demo(options)) => demo::run((&options).into()),
        None => bridge(cli),
    }
}

fn bridge(cli: Cli) -> Result<(), Error> {
    let config = Config::load(cli, &Environment::of_process())?;
    logging::start(&config.log);
    bridge::run(config)
}
