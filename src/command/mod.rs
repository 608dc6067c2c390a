//! The subcommands, a file each, and the one that needs no name: bridging.

pub mod demo;

use crate::{
    bridge,
    cli::{Cli, Command},
    config::{Config, environment::Environment},
    error::Error,
    logging,
};

/// Does what the command line says.
///
/// # Errors
/// Wrong configuration, or whatever the command could not do.
pub fn run(cli: Cli) -> Result<(), Error> {
    match cli.command {
        Some(Command::Demo(ref options)) => demo::run(options.into()),
        None => {
            let config = Config::load(cli, &Environment::of_process())?;
            logging::start(&config.log);
            bridge::run(config)
        }
    }
}
