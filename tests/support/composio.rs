//! Talking to the stand-in for Composio's API by hand.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Command, Stdio},
};

use composio_bridge::demo::composio::{KeyKind, StandIn};
use serde_json::Value;

/// What came back.
pub struct Reply {
    pub status: u16,
    /// In lower case.
    pub head: String,
    /// The body as text.
    pub text: String,
    /// The body as JSON, of an event stream the last event; null where it is not JSON.
    pub body: Value,
}

impl Reply {
    /// A header, its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let line = self.head.lines().find(|line| line.starts_with(&format!("{name}: ")))?;
        Some(&line[name.len() + 2..])
    }

    /// A text in the body.
    pub fn text_at(&self, pointer: &str) -> String {
        let found = self.body.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("no {pointer} in {}", self.text)).to_owned()
    }
}

/// Sends one request with these headers, of HTTP/1.0 so that the answer comes in one piece and ends.
pub fn exchange(
    stand_in: &StandIn,
    method: &str,
    path: &str,
    headers: &[String],
    body: &str,
) -> Reply {
    let base = stand_in.base_url();
    let host = base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).expect("the stand-in listens");
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{headers}\r\n"
    );
    stream.write_all((head + body).as_bytes()).expect("the stand-in reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    let (head, text) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let last = text.lines().filter_map(|line| line.strip_prefix("data: {")).next_back();
    let last = format!("{{{}", last.unwrap_or_default());
    let body = serde_json::from_str(text).or_else(|_| serde_json::from_str(&last));
    Reply {
        status,
        head: head.to_ascii_lowercase(),
        text: text.to_owned(),
        body: body.unwrap_or_default(),
    }
}

/// The header with the key of the project.
pub fn key(stand_in: &StandIn) -> String {
    format!("x-api-key: {}", stand_in.key(KeyKind::Project))
}

/// An operation of the API, with the key of the project; no body where it is null.
pub fn api(stand_in: &StandIn, method: &str, path: &str, body: &Value) -> Reply {
    let text = if body.is_null() { String::new() } else { body.to_string() };
    exchange(stand_in, method, &format!("/api/v3.1/{path}"), &[key(stand_in)], &text)
}

/// A message to an MCP endpoint, with the key of the project.
pub fn rpc(stand_in: &StandIn, path: &str, session: Option<&str>, message: &Value) -> Reply {
    let accept = "Accept: application/json, text/event-stream".to_owned();
    let session = session.map(|id| format!("Mcp-Session-Id: {id}"));
    let headers: Vec<_> = [key(stand_in), accept].into_iter().chain(session).collect();
    exchange(stand_in, "POST", path, &headers, &message.to_string())
}

/// How a command ended.
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// The JSON on stdout of a command that went well.
    #[track_caller]
    pub fn json(&self) -> Value {
        self.well();
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// What stdout holds after a command that went well, without a word on stderr.
    #[track_caller]
    pub fn well(&self) -> &str {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{}", self.stdout);
        &self.stdout
    }

    /// Checks the exit code and words on stderr.
    #[track_caller]
    pub fn failed(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        for word in words {
            assert!(self.stderr.contains(word), "`{word}` is missing in {}", self.stderr);
        }
    }
}

/// Runs the executable as a person with this home would, with the project's key in the environment
/// and in `home`. No key is ever shown.
#[track_caller]
pub fn run(stand_in: &StandIn, home: &Path, args: &[&str]) -> Ran {
    let key = stand_in.key(KeyKind::Project);
    let output = Command::new(env!("CARGO_BIN_EXE_composio-bridge"))
        .args(args)
        .current_dir(home)
        .env_clear()
        .env("HOME", home)
        .env("APPDATA", home.join("AppData/Roaming"))
        .env("LOCALAPPDATA", home.join("AppData/Local"))
        .env("COMPOSIO_BASE_URL", stand_in.base_url())
        .env("COMPOSIO_API_KEY", &key)
        .stdin(Stdio::null())
        .output()
        .expect("the executable starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert!(!stdout.contains(&key) && !stderr.contains(&key), "{args:?}: {stdout}{stderr}");
    Ran { code: output.status.code(), stdout, stderr }
}
