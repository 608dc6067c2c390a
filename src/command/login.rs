//! `composio-bridge login URL`: sign in to a server.

use std::io::{self, Write};

use crate::{
    auth::{
        exchange::Exchange,
        joint::keep,
        login::{Login, Notice},
        store::Place,
    },
    cli::Cli,
    config::{Config, environment::Environment},
    error::{Error, Kind},
    logging,
    origin::is_loopback,
};

/// Signs in, and keeps the sign-in.
///
/// # Errors
/// What kept the person from signing in, or the sign-in from being kept.
pub fn run(cli: Cli) -> Result<(), Error> {
    let environment = Environment::of_process();
    let config = Config::load(cli, &environment)?;
    logging::start(&config.log);
    if !config.may_sign_in {
        let error = Error::new(Kind::Config, "a sign-in would not be used for this server");
        let is_open = config.endpoint.scheme() != "https" && !is_loopback(&config.endpoint);
        return Err(match is_open {
            true => error
                .because("http:// is not encrypted, and no token is sent over it")
                .hint("use an https:// URL"),
            false => error.because("a header or a key carries a credential already").hint(
                "leave out what names the credential; `composio-bridge key show` lists the keys",
            ),
        });
    }
    let place = Place::of(&config).ok_or_else(|| {
        Error::new(Kind::Config, "there is no directory to keep a sign-in in")
            .hint("set COMPOSIO_BRIDGE_STATE_DIR to one of yours")
    })?;
    // Nobody should sign in only to hear that it cannot be kept.
    drop(place.lock()?);
    let exchange = Exchange::new(&config);
    let login = Login {
        config: &config,
        environment: &environment,
        exchange: &exchange,
        want: None,
        tell: &tell,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|cause| {
        Error::new(Kind::Unexpected, "could not start").because(cause.to_string())
    })?;
    runtime.block_on(async {
        let sign_in = login.run(place.read().as_ref()).await?;
        keep(&place, &sign_in).await
    })?;
    let origin = config.endpoint.origin().ascii_serialization();
    say(&format!("Signed in to {origin}. Bridges to this URL use it from now on."));
    Ok(())
}

fn tell(notice: Notice<'_>) {
    match notice {
        Notice::Page(url) => {
            say(&format!("Sign in on this page, which opens in the browser:\n\n{url}\n"));
        }
        Notice::NoBrowser => {
            say("No browser could be opened. Copy the address into one on this machine.");
        }
        Notice::Code { page, user } => {
            say(&format!("Open this page in any browser:\n\n{page}\n\nand enter: {user}\n"));
        }
    }
}

fn say(text: &str) {
    // Whoever reads this may have gone away; there is nobody left to tell.
    let _ = writeln!(io::stdout().lock(), "{text}");
}
