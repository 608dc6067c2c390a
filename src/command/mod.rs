//! The subcommands, a file each.

pub mod demo;

use crate::{
    bridge,
    cli::{self, Cli, Command, DemoTransport},
    config::{Config, environment::Environment},
    demo::{Options, Transport},
    error::Error,
    logging,
};

/// Does what the command line asks for; without a subcommand that is bridging.
///
/// # Errors
/// What kept it from being done, for stderr and the exit code.
pub fn run(cli: Cli) -> Result<(), Error> {
    match cli.command {
        Some(Command::Demo(arguments)) => demo::run(options(&arguments)),
        None => bridge(cli),
    }
}

fn bridge(cli: Cli) -> Result<(), Error> {
    let config = Config::load(cli, &Environment::of_process())?;
    logging::start(&config.log);
    bridge::run(config)
}

fn options(arguments: &cli::Demo) -> Options {
    let transport = match arguments.transport {
        DemoTransport::Http => Transport::Http,
        DemoTransport::Sse => Transport::Sse,
    };
    Options { transport, serve: arguments.serve }
}
