//! Composio's REST API as a script, and a home for those who use it.

use std::{
    collections::VecDeque,
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    bridge::executable,
    hosts::credentials,
    http::{Exchange, Request},
    net::lock,
    remote::Remote,
};

/// The key that nothing may show.
pub const KEY: &str = "ak_s3cr3t-m4rk3r-0123";

/// The API, and a home.
pub struct Platform {
    pub remote: Remote,
    pub home: TempDir,
}

/// How a run ended, and what it printed.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// A healthy run's stdout: code 0, and nothing on stderr.
    #[track_caller]
    pub fn healthy(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{}", self.stdout);
        self.stdout
    }

    /// The document that a healthy run printed.
    #[track_caller]
    pub fn json(self) -> Value {
        let text = self.healthy();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// A failure with this code whose report holds all of these words.
    #[track_caller]
    pub fn failed(self, code: i32, words: &[&str]) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "{word} is missing in: {}", self.stderr);
        }
        self.stderr
    }
}

impl Platform {
    pub fn scripted(script: impl Fn(&Arc<Request>, &mut Exchange) + Send + Sync + 'static) -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        Platform { remote: Remote::start(script), home }
    }

    /// Answers every request with 200 and this.
    pub fn answering(answer: Value) -> Self {
        let text = answer.to_string();
        Platform::scripted(move |_, exchange| exchange.json(&text))
    }

    /// Answers one request after the other with these statuses and documents, the last for ever.
    pub fn in_turn(answers: Vec<(u16, Value)>) -> Self {
        let answers = Mutex::new(VecDeque::from(answers));
        Platform::scripted(move |_, exchange| {
            let mut answers = lock(&answers);
            let first = answers.front().cloned().expect("there is one");
            if answers.len() > 1 {
                answers.pop_front();
            }
            let headers = [("content-type", "application/json"), ("retry-after-ms", "1")];
            exchange.reply(first.0, &headers, first.1.to_string());
        })
    }

    /// Runs `composio-bridge` to its end, with the key in the environment.
    pub fn run(&self, words: &[&str]) -> Ran {
        self.run_with(words, &[("COMPOSIO_API_KEY", KEY)], "")
    }

    /// Runs it with these variables and this on stdin. Whatever happens, the key is shown nowhere.
    pub fn run_with(&self, words: &[&str], environment: &[(&str, &str)], stdin: &str) -> Ran {
        let base = self.remote.url("");
        let environment = [&[("COMPOSIO_BASE_URL", base.as_str())], environment].concat();
        run_at(self.home.path(), words, &environment, stdin)
    }

    /// What came in, in order: method and path, and the body. Each carried the one key.
    #[track_caller]
    pub fn asked(&self) -> Vec<(String, Value)> {
        let all = self.remote.requests();
        let asked = all.iter().map(|request| {
            let key = [("x-api-key".to_owned(), KEY.to_owned())];
            assert_eq!(credentials(request), key, "{}", request.dump());
            assert!(!request.path.contains(KEY));
            let body = serde_json::from_slice(&request.body).unwrap_or_default();
            (format!("{} {}", request.method, request.path), body)
        });
        asked.collect()
    }

    /// The one request that came in.
    #[track_caller]
    pub fn asked_once(&self) -> (String, Value) {
        let mut asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked.remove(0)
    }
}

/// Runs `composio-bridge` to its end, at home here, with these variables and this on stdin. Whatever
/// happens, the key is shown nowhere.
pub fn run_at(home: &Path, words: &[&str], environment: &[(&str, &str)], stdin: &str) -> Ran {
    let program = executable();
    let mut command = Command::new(&program[0]);
    command.args(&program[1..]).args(words).env_clear().env("HOME", home);
    command.env("PATH", "/usr/bin:/bin").env("APPDATA", home).env("LOCALAPPDATA", home);
    command.env("XDG_STATE_HOME", home.join("state"));
    command.env("XDG_CONFIG_HOME", home.join("config"));
    command.envs(environment.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the executable starts");
    let mut pipe = child.stdin.take().expect("stdin is piped");
    // Whoever refuses its arguments reads nothing.
    let _ = std::io::Write::write_all(&mut pipe, stdin.as_bytes());
    drop(pipe);
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it prints text");
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert!(!stdout.contains(KEY) && !stderr.contains(KEY), "the key is shown");
    nothing_below(home);
    Ran { code: output.status.code(), stdout, stderr }
}

/// No file below a home holds the key.
fn nothing_below(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            nothing_below(&path);
        } else {
            let text = String::from_utf8_lossy(&fs::read(&path).expect("readable")).into_owned();
            assert!(!text.contains(KEY), "{}", path.display());
        }
    }
}
