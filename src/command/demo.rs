//! `composio-bridge demo`: see the bridge at work without an account or a network.

use std::{
    io::{self, Write},
    path::Path,
};

use serde_json::Value;

use crate::{
    demo::{
        Era, Options, Transport,
        composio::{KeyKind, StandIn},
        sandbox::{self, PREFERRED_PORT, Sandbox},
        script,
    },
    error::{Error, Kind},
};

/// Plays the dialogue, or with `serve` keeps the sandbox running until the process is ended.
///
/// # Errors
/// The step of the dialogue that failed, that the sandbox could not be started, or that it cannot
/// be what was asked for.
pub fn run(options: Options) -> Result<(), Error> {
    if options.transport == Transport::Sse && options.era == Era::Modern {
        let what = "`--transport sse` and `--era modern` exclude each other";
        return Err(Error::new(Kind::Usage, what)
            .because("HTTP+SSE exists in the legacy era only, not in 2026-07-28")
            .hint("use `--era dual` or `--era legacy` with it, or `--transport http`"));
    }
    let executable = std::env::current_exe().map_err(|cause| {
        Error::new(Kind::Unexpected, "could not find this executable").because(cause.to_string())
    })?;
    if options.composio {
        return if options.serve { serve_composio() } else { play_composio(&executable) };
    }
    if options.serve { serve(&executable, options) } else { play(&executable, options) }
}

fn play(executable: &Path, options: Options) -> Result<(), Error> {
    let sandbox = Sandbox::start(options.era).map_err(no_sandbox)?;
    let url = sandbox.url(options.transport);
    script::play(executable, &url, options, &mut io::stdout().lock())?;
    let later = sandbox::url(PREFERRED_PORT, options.transport);
    let era = match options.era {
        Era::Legacy => "",
        Era::Modern => " --era modern",
        Era::Dual => " --era dual",
    };
    say(&format!(
        "\nTo try it from a client of yours, keep the sandbox running with `demo --serve{era}` and paste\n\
         this into the client's configuration (for Claude Desktop: claude_desktop_config.json):\n\n{}",
        snippet(executable, &later)
    ));
    Ok(())
}

fn serve(executable: &Path, options: Options) -> Result<(), Error> {
    let sandbox = Sandbox::start_preferred(options.era).map_err(no_sandbox)?;
    let url = sandbox.url(options.transport);
    say(&format!(
        "The sandbox is at {url} until Ctrl-C. In the client's configuration:\n\n{}",
        snippet(executable, &url)
    ));
    sandbox.run_for_ever();
    Ok(())
}

/// Walks the whole way with the stand-in for Composio.
fn play_composio(executable: &Path) -> Result<(), Error> {
    let stand_in = StandIn::start().map_err(no_sandbox)?;
    script::composio::play(executable, &stand_in, &mut io::stdout().lock())?;
    say("\nTo try it by hand, keep the stand-in running with `demo --composio --serve`.");
    Ok(())
}

/// Serves the stand-in for Composio; its key is good for nothing else.
fn serve_composio() -> Result<(), Error> {
    let stand_in = StandIn::start_preferred().map_err(no_sandbox)?;
    say(&format!(
        "A stand-in for Composio's API is at {url} until Ctrl-C. To use it in another terminal:\n\n\
         export COMPOSIO_BASE_URL={url}\nexport COMPOSIO_API_KEY={key}\n\n\
         It has the apps gmail, github, slack and hackernews; nothing that is done there has any\n\
         effect. Opening a connect link connects the account.",
        url = stand_in.base_url(),
        key = stand_in.key(KeyKind::Project),
    ));
    stand_in.run_for_ever();
    Ok(())
}

/// The entry for a client's configuration file, in the shape that most clients share.
fn snippet(executable: &Path, url: &str) -> String {
    let command = Value::from(executable.display().to_string());
    let url = Value::from(url);
    format!(
        "{{\n  \"mcpServers\": {{\n    \"sandbox\": {{\n      \"command\": {command},\n      \
         \"args\": [{url}]\n    }}\n  }}\n}}"
    )
}

fn no_sandbox(cause: io::Error) -> Error {
    Error::new(Kind::Unexpected, "could not start the sandbox on 127.0.0.1")
        .because(cause.to_string())
}

fn say(text: &str) {
    // Whoever reads this may have gone away; there is nobody left to tell.
    let _ = writeln!(io::stdout().lock(), "{text}");
}
