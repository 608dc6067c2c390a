//! `composio-bridge logout URL`: forget a sign-in.

use std::io::{self, Write};

use crate::{
    auth::store::Place,
    cli::Cli,
    config::{Config, environment::Environment},
    error::Error,
    logging,
};

/// Forgets the sign-in for a server.
///
/// # Errors
/// The command line is wrong, or the file cannot be removed.
pub fn run(cli: Cli) -> Result<(), Error> {
    let config = Config::load(cli, &Environment::of_process())?;
    logging::start(&config.log);
    let place = Place::of(&config);
    let lock =
        place.as_ref().filter(|place| place.read().is_some()).map(Place::lock).transpose()?;
    let had_one = place.map_or(Ok(false), |place| place.remove())?;
    drop(lock);
    let origin = config.endpoint.origin().ascii_serialization();
    let text = if had_one {
        format!("Signed out of {origin}. Tokens that were given stay valid until they expire.")
    } else {
        format!(
            "Nobody was signed in to {origin}. `composio-bridge auth status` lists all sign-ins."
        )
    };
    let remains = config.sign_in.mcp_remote.iter().find(|place| place.read().is_some());
    let remains = remains.map(|place| {
        format!("\nA sign-in of mcp-remote remains, and is used: {}", place.tokens_file().display())
    });
    let text = text + &remains.unwrap_or_default();
    // Whoever reads this may have gone away; there is nobody left to tell.
    let _ = writeln!(io::stdout().lock(), "{text}");
    Ok(())
}
