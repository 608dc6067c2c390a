//! The whole way with Composio, against the stand-in: a key, a session, a connected account, a
//! client that works, and a session that vanishes under it.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
};

use reqwest::Url;
use serde_json::json;
use tempfile::TempDir;

use super::{
    client::{Client, Event},
    end, ensure,
    screen::{Screen, title},
};
use crate::{
    demo::{
        Dialect,
        child::{Child, Launch},
        composio::{KeyKind, StandIn},
    },
    error::{Error, Kind},
};

/// What the session is for.
const SESSION: [&str; 6] = ["--user", "ada", "--toolkit", "gmail", "--preset", "direct-tools"];

/// The configuration file of that somebody.
const CONFIG: &str = "config.toml";

/// The tool that is called.
const TOOL: &str = "GMAIL_FETCH_EMAILS";

/// Somebody at a terminal, with a home of their own.
struct Person<'a> {
    executable: &'a Path,
    stand_in: &'a StandIn,
    home: TempDir,
    screen: Screen<'a>,
}

/// Walks the whole way and writes it to `out`.
///
/// # Errors
/// The step that did not go as it should, by name, with what was seen instead.
pub fn play(executable: &Path, stand_in: &StandIn, out: &mut dyn Write) -> Result<(), Error> {
    let home = home().map_err(|cause| {
        Error::new(Kind::Unexpected, "could not make a directory").because(cause.to_string())
    })?;
    let mut person = Person { executable, stand_in, home, screen: Screen(out) };
    let base = stand_in.base_url();
    person
        .screen
        .line(&format!("a stand-in for Composio's API is at {base}; nothing leaves this machine"));
    for (title, step) in STEPS {
        person.screen.line(&format!("\n{title}"));
        step(&mut person).map_err(|failure| failed(title, &failure))?;
    }
    Ok(())
}

/// A home with a configuration that says nothing.
fn home() -> std::io::Result<TempDir> {
    let home = tempfile::tempdir()?;
    std::fs::write(home.path().join(CONFIG), "")?;
    Ok(home)
}

fn failed(step: &str, failure: &str) -> Error {
    Error::new(Kind::Unexpected, format!("the demo failed at `{step}`")).because(failure)
}

type Step = fn(&mut Person<'_>) -> Result<(), String>;

const STEPS: &[(&str, Step)] = &[
    ("a key", key),
    ("a session", session),
    ("a connected account", connect),
    ("a client", client),
    ("the client again, and its session gone while it is connected", again),
];

fn key(person: &mut Person<'_>) -> Result<(), String> {
    let key = person.stand_in.key(KeyKind::Project);
    let said = person.run(&["key", "set"], &key)?;
    ensure(!said.contains(&key), "the key was shown")
}

fn session(person: &mut Person<'_>) -> Result<(), String> {
    let words = [&["session", "create"][..], &SESSION].concat();
    let said = person.run(&words, "")?;
    let all = person.stand_in.sessions();
    ensure(all.len() == 1 && said.contains(&all[0]), "no session was made")
}

fn connect(person: &mut Person<'_>) -> Result<(), String> {
    let said = person.run(&["session", "authorize", "gmail"], "")?;
    let link = said.split_whitespace().find_map(|word| {
        Url::parse(word).ok().filter(|url| url.as_str().starts_with(&person.stand_in.base_url()))
    });
    let link = link.ok_or("no connect link was given")?;
    person.screen.sent(&format!("GET {link}"));
    person.screen.received(&visit(&link)?, None);
    let said = person.run(&["session", "toolkits", "--connected"], "")?;
    ensure(said.contains("gmail"), "the account is not connected")
}

fn client(person: &mut Person<'_>) -> Result<(), String> {
    let (executable, launch) = (person.executable, person.launch());
    let mut client = person.connect(executable, &launch)?;
    call(&mut client)?;
    end(&mut client)?;
    ensure(person.stand_in.sessions().len() == 1, "another session was made")
}

fn again(person: &mut Person<'_>) -> Result<(), String> {
    let stand_in = person.stand_in;
    let before = stand_in.sessions();
    let (executable, launch) = (person.executable, person.launch());
    let mut client = person.connect(executable, &launch)?;
    call(&mut client)?;
    ensure(stand_in.sessions() == before, "the session was not used again")?;
    client.screen.line("  (the session is deleted behind its back)");
    for id in &before {
        stand_in.delete_session(id);
    }
    let id = client.call(TOOL, json!({}))?;
    let (mut is_told, mut is_answered) = (false, false);
    while !(is_told && is_answered) {
        match client.next()? {
            Event::Answer(answer) => {
                ensure(answer.id == id, "an answer has another request's id")?;
                client.screen.received(answer.text(), Some(answer.took));
                is_answered = true;
            }
            Event::Other(message, _) => {
                client.screen.received(&title(&message), None);
                is_told |= message["method"] == "notifications/tools/list_changed";
            }
        }
    }
    end(&mut client)?;
    let after = stand_in.sessions();
    ensure(after.len() == 1 && after != before, "no other session is in its place")
}

fn call(client: &mut Client<'_>) -> Result<(), String> {
    client.dialect.open(client)?;
    let id = client.request("tools/list", json!({}), "")?;
    let answer = client.answer(id)?;
    let tools = answer.result["tools"].as_array().into_iter().flatten();
    let names: Vec<&str> = tools.filter_map(|tool| tool["name"].as_str()).collect();
    client.screen.received(&names.join(", "), Some(answer.took));
    ensure(names.contains(&TOOL), "the tools are not the session's")?;
    let id = client.call(TOOL, json!({}))?;
    let answer = client.answer(id)?;
    client.screen.received(answer.text(), Some(answer.took));
    ensure(answer.result["isError"] != true, "the tool failed")
}

impl<'a> Person<'a> {
    /// Runs a subcommand to its end; what it printed.
    fn run(&mut self, words: &[&str], typed: &str) -> Result<String, String> {
        self.screen.line(&format!("  $ composio-bridge {}", words.join(" ")));
        let mut command = Command::new(self.executable);
        command.args(words).envs(self.environment());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|cause| cause.to_string())?;
        if let Some(mut stdin) = child.stdin.take() {
            // Who asks for nothing may be gone already.
            let _ = writeln!(stdin, "{typed}");
        }
        let output = child.wait_with_output().map_err(|cause| cause.to_string())?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        for line in said.lines() {
            self.screen.line(&format!("    {line}"));
        }
        if output.status.success() {
            return Ok(said);
        }
        Err(String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; "))
    }

    /// Nothing that is set for real work: a key of theirs is not for the stand-in. An empty variable
    /// counts as unset.
    fn environment(&self) -> Vec<(String, String)> {
        let home = |path| self.home.path().join(path).display().to_string();
        let inherited = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let ours = inherited.filter(|name| name.to_ascii_uppercase().starts_with("COMPOSIO_"));
        let mut all: Vec<_> = ours.map(|name| (name, String::new())).collect();
        all.extend([
            ("COMPOSIO_BASE_URL".to_owned(), self.stand_in.base_url()),
            ("COMPOSIO_BRIDGE_STATE_DIR".to_owned(), home("state")),
            ("COMPOSIO_BRIDGE_CONFIG".to_owned(), home(CONFIG)),
        ]);
        all
    }

    fn launch(&self) -> Launch {
        Launch {
            words: SESSION.iter().map(|word| (*word).to_owned()).collect(),
            environment: self.environment(),
        }
    }

    fn connect(&mut self, executable: &Path, launch: &Launch) -> Result<Client<'_>, String> {
        self.screen.line(&format!("  $ composio-bridge {}", launch.words.join(" ")));
        let child = Child::launch(executable, launch).map_err(|error| error.to_string())?;
        Ok(Client::new(Dialect::Legacy, child, Screen(&mut *self.screen.0), "composio-stand-in"))
    }
}

/// Opens a page of the stand-in as a browser does; its last line.
fn visit(page: &Url) -> Result<String, String> {
    let address = (page.host_str().unwrap_or_default(), page.port().unwrap_or(80));
    let fault = |cause: std::io::Error| cause.to_string();
    let mut stream = TcpStream::connect(address).map_err(fault)?;
    let query = page.query().map(|query| format!("?{query}")).unwrap_or_default();
    let target = format!("{}{query}", page.path());
    write!(stream, "GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", address.0)
        .map_err(fault)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(fault)?;
    Ok(answer.lines().last().unwrap_or_default().to_owned())
}
