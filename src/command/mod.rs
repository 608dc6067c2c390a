//! The subcommands, a file each.

pub mod auth;
pub mod demo;
pub mod key;
pub mod login;
pub mod logout;
pub mod migrate;
pub mod server;
pub mod session;
pub mod talk;
pub mod url;

use crate::{
    bridge,
    cli::{self, Auth, Cli, Command, key::UrlCommand},
    config::{Config, environment::Environment},
    demo::Options,
    error::Error,
    logging,
};

/// Does what the command line asks for; without a subcommand that is bridging.
///
/// # Errors
/// What kept it from being done, for stderr and the exit code.
pub fn run(cli: Cli) -> Result<(), Error> {
    match cli.command {
        Some(Command::Demo(options)) => demo::run(demo_options(&options)),
        Some(Command::Key(ref command)) => {
            let command = command.clone();
            key::run(cli, command)
        }
        Some(Command::Session(ref session)) => {
            let chosen = session.0.clone();
            session::run(cli, chosen)
        }
        Some(Command::Server(ref server)) => {
            let chosen = server.0.clone();
            server::run(cli, chosen)
        }
        Some(Command::Migrate(ref migrate)) => {
            let options = migrate.0.clone();
            migrate::run(cli, options)
        }
        Some(Command::Login) => login::run(cli),
        Some(Command::Logout) => logout::run(cli),
        Some(Command::Auth(Auth::Status { json })) => auth::status(json),
        Some(Command::Url(UrlCommand::Explain { url, json })) => url::run(&url, json),
        None => bridge(cli),
    }
}

fn demo_options(options: &cli::Demo) -> Options {
    Options {
        transport: options.transport,
        era: options.era,
        client: options.client,
        serve: options.serve,
        composio: options.composio,
    }
}

fn bridge(cli: Cli) -> Result<(), Error> {
    let config = Config::load(cli, &Environment::of_process())?;
    logging::start(&config.log);
    bridge::run(config)
}
