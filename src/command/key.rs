//! `composio-bridge key`: store a key, see which keys there are, forget the stored one.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::{
    cli::{Cli, key::KeyCommand},
    composio::{
        key::{Key, Kind, Place},
        key_store::KeyStore,
    },
    config::{Config, environment::Environment, keys::Seen},
    error::{self, Error},
};

/// A first line that is longer, in bytes, is no key.
const LONGEST: u64 = 64 * 1024;

/// The places that keys are for, and what is there.
const PLACES: [(Place, &str, &str); 2] = [
    (Place::Platform, "platform", "sessions, MCP servers and the API"),
    (Place::Connect, "connect", "connect.composio.dev"),
];

/// Does what `command` says.
///
/// # Errors
/// The key cannot be used or stored, or the configuration is wrong.
pub fn run(cli: Cli, command: KeyCommand) -> Result<(), Error> {
    let text = match command {
        KeyCommand::Set { org, project } => set(org.as_deref(), project.as_deref())?,
        KeyCommand::Remove => remove()?,
        KeyCommand::Show { json, profile } => show(Cli { profile, ..cli }, json)?,
    };
    // Whoever reads this may have gone away; there is nobody left to tell.
    let _ = writeln!(io::stdout().lock(), "{text}");
    Ok(())
}

fn store() -> Result<KeyStore, Error> {
    let directory = Environment::of_process().state_dir().ok_or_else(|| {
        Error::new(error::Kind::Config, "there is no directory to store a key in")
            .hint("set COMPOSIO_BRIDGE_STATE_DIR to one of yours")
    })?;
    Ok(KeyStore::below(&directory))
}

fn set(org: Option<&str>, project: Option<&str>) -> Result<String, Error> {
    let store = store()?;
    let key = Key::new(read()?.expose_secret(), Kind::Unknown, org, project)?;
    if key.kind() != Kind::User && (org.is_some() || project.is_some()) {
        return Err(Error::new(error::Kind::Usage, "`--org` and `--project` are for user keys")
            .because(format!("this is {}", key.kind().named()))
            .hint("leave them out"));
    }
    store.write(&key)?;
    let places = PLACES.iter().filter(|(place, ..)| key.kind().fits(*place));
    let places: Vec<_> = places.map(|(_, _, what)| *what).collect();
    Ok(format!(
        "Stored {}{}, for {}. Bridges use it from now on, unless another key is named.",
        key.kind().named(),
        ending(&key),
        places.join(", ")
    ))
}

fn remove() -> Result<String, Error> {
    let had_one = store()?.remove()?;
    Ok(if had_one { "Removed the stored key." } else { "No key was stored." }.to_owned())
}

/// The first line of stdin. A person is asked for it, and does not see it.
fn read() -> Result<SecretString, Error> {
    let stdin = io::stdin();
    let hidden = stdin.is_terminal().then(Hidden::ask);
    let mut line = Vec::new();
    let outcome = stdin.lock().take(LONGEST).read_until(b'\n', &mut line);
    drop(hidden);
    outcome.map_err(|cause| {
        Error::new(error::Kind::Unexpected, "could not read the key").because(cause.to_string())
    })?;
    let text = String::from_utf8(line).map_err(|_| {
        Error::new(error::Kind::Usage, "the first line of stdin is no text")
            .hint("pipe the key as UTF-8, or run the command alone and paste the key")
    })?;
    Ok(text.into())
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden {
    #[cfg(unix)]
    before: Option<rustix::termios::Termios>,
}

#[cfg(unix)]
impl Hidden {
    fn ask() -> Self {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(io::stdin()).ok();
        if let Some(mut silent) = before.clone() {
            silent.local_modes.remove(LocalModes::ECHO);
            // A terminal that cannot do it shows the key to whoever types it.
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, &silent);
        }
        let _ = write!(io::stderr(), "Composio key (it is not shown): ");
        Hidden { before }
    }
}

#[cfg(unix)]
impl Drop for Hidden {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
        let _ = writeln!(io::stderr());
    }
}

#[cfg(not(unix))]
impl Hidden {
    fn ask() -> Self {
        let _ = write!(io::stderr(), "Composio key (it is shown as you type): ");
        Hidden {}
    }
}

fn show(cli: Cli, as_json: bool) -> Result<String, Error> {
    let all = Config::keys(cli, &Environment::of_process())?.see();
    let used: Vec<Vec<usize>> = (0..all.len()).map(|at| uses(&all, at)).collect();
    let both = all.iter().zip(&used);
    Ok(if as_json {
        Value::from(both.map(|(seen, used)| described(seen, used)).collect::<Vec<_>>()).to_string()
    } else if all.is_empty() {
        "There is no key. `composio-bridge key set` stores one.".to_owned()
    } else {
        both.map(|(seen, used)| told(seen, used)).collect::<Vec<_>>().join("\n")
    })
}

/// For which of the places the key at this position is taken, the strongest first.
fn uses(all: &[Seen], at: usize) -> Vec<usize> {
    let may = |seen: &Seen, place| match &seen.key {
        Ok(Some(key)) => key.kind().fits(place),
        Ok(None) => true,
        Err(_) => false,
    };
    let is_first = |place| all.iter().position(|seen| may(seen, place)) == Some(at);
    (0..PLACES.len()).filter(|index| is_first(PLACES[*index].0)).collect()
}

fn ending(key: &Key) -> String {
    match key.ending() {
        "" => String::new(),
        ending => format!(" that ends with {ending}"),
    }
}

fn told(seen: &Seen, used: &[usize]) -> String {
    let what = match &seen.key {
        Ok(Some(key)) => format!("{}{}", key.kind().named(), ending(key)),
        Ok(None) => "a key that is not looked at before it is needed".to_owned(),
        Err(error) => format!("no key: {error}"),
    };
    let used: Vec<_> = used.iter().map(|index| PLACES[*index].2).collect();
    let used = if used.is_empty() { "nothing".to_owned() } else { used.join(", ") };
    format!("{}: {what}; used for {used}", seen.origin)
}

fn described(seen: &Seen, used: &[usize]) -> Value {
    let key = seen.key.as_ref().ok().and_then(Option::as_ref);
    let ids = key.and_then(Key::ids);
    json!({
        "origin": seen.origin,
        "kind": key.map(|key| key.kind().word()),
        "header": key.map(|key| key.kind().header().to_string()),
        "endsWith": key.map(Key::ending).filter(|ending| !ending.is_empty()),
        "org": ids.map(|ids| &ids.org),
        "project": ids.map(|ids| &ids.project),
        "usedFor": used.iter().map(|index| PLACES[*index].1).collect::<Vec<_>>(),
        "error": seen.key.as_ref().err().map(ToString::to_string),
    })
}
