//! The real executable on a leash: raw lines in, raw lines out, with deadlines.

use std::{
    collections::VecDeque,
    ffi::OsString,
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    DEADLINE,
    json::{self, Members},
    net::lock,
    server::{Face, Server},
};

/// The command under test: the built executable, or the words of `BRIDGE_UNDER_TEST`.
pub fn executable() -> Vec<OsString> {
    match std::env::var("BRIDGE_UNDER_TEST") {
        Ok(words) => words.split(' ').map(OsString::from).collect(),
        Err(_) => vec![env!("CARGO_BIN_EXE_composio-bridge").into()],
    }
}

/// How a bridge is to be started.
pub struct Setup {
    args: Vec<String>,
    env: Vec<(String, String)>,
    home: Option<PathBuf>,
    wrapper: Vec<String>,
    stdin: Option<Stdio>,
}

impl Setup {
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Keeps the person's files here instead of in a directory that vanishes with the bridge.
    pub fn home(mut self, home: &Path) -> Self {
        self.home = Some(home.to_owned());
        self
    }

    /// Starts this command with the bridge's command line appended to its arguments.
    pub fn through(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Reads this instead of a pipe from the test.
    pub fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.stdin = Some(stdin.into());
        self
    }

    pub fn spawn(self) -> Bridge {
        let own = tempfile::tempdir().expect("a temporary directory");
        let home = self.home.clone().unwrap_or_else(|| own.path().to_owned());
        let mut words: Vec<OsString> = self.wrapper.iter().map(OsString::from).collect();
        words.extend(executable());
        words.extend(self.args.iter().map(OsString::from));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env_clear().env("HOME", &home).env("PATH", "/usr/bin:/bin");
        for (variable, folder) in
            [("CONFIG", "config"), ("STATE", "state"), ("DATA", "data"), ("CACHE", "cache")]
        {
            command.env(format!("XDG_{variable}_HOME"), home.join(folder));
        }
        command.envs(self.env);
        command.stdin(self.stdin.unwrap_or_else(Stdio::piped));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("the executable starts");
        Bridge::new(child, own)
    }
}

/// A running bridge. Killed when dropped.
pub struct Bridge {
    pub child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<Vec<u8>>,
    /// Lines read and not yet asked for.
    waiting: VecDeque<Vec<u8>>,
    stderr: Arc<Mutex<Vec<u8>>>,
    stderr_end: Receiver<()>,
    _home: TempDir,
}

impl Bridge {
    /// A bridge to this URL, with nothing else said.
    pub fn to(url: impl Into<String>) -> Setup {
        Setup { args: vec![url.into()], env: vec![], home: None, wrapper: vec![], stdin: None }
    }

    /// A bridge to this server over this transport alone. With `LONG_WAY` in the environment it is
    /// reached as a server elsewhere is, with all that lies between: through a proxy, which the
    /// server plays too.
    pub fn over(face: Face, server: &Server) -> Setup {
        let setup = Bridge::to(server.endpoint()).arg(face.flag());
        match std::env::var_os("LONG_WAY") {
            Some(_) => setup.arg(format!("--proxy=http://{}", server.listener().addr)),
            None => setup,
        }
    }

    fn new(mut child: Child, home: TempDir) -> Self {
        let stdout = child.stdout.take().expect("stdout is piped");
        let mut errors = child.stderr.take().expect("stderr is piped");
        let (sender, lines) = channel();
        thread::spawn(move || {
            let mut reader = BufReader::with_capacity(1 << 20, stdout);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                let _ = sender.send(std::mem::take(&mut line));
            }
        });
        let stderr = Arc::new(Mutex::new(Vec::new()));
        let (collected, (ended, stderr_end)) = (stderr.clone(), channel::<()>());
        thread::spawn(move || {
            let (_ended, mut part) = (ended, [0; 4096]);
            while let Ok(n @ 1..) = errors.read(&mut part) {
                lock(&collected).extend_from_slice(&part[..n]);
            }
        });
        let stdin = child.stdin.take();
        let waiting = VecDeque::new();
        Bridge { child, stdin, lines, waiting, stderr, stderr_end, _home: home }
    }

    /// Writes one line.
    pub fn send(&mut self, message: impl AsRef<[u8]>) {
        let line = [message.as_ref(), b"\n"].concat();
        self.send_raw(line);
    }

    /// Writes exactly these bytes.
    pub fn send_raw(&mut self, bytes: impl AsRef<[u8]>) {
        let stdin = self.stdin.as_mut().expect("stdin is open");
        let written = stdin.write_all(bytes.as_ref()).and_then(|()| stdin.flush());
        if let Err(error) = written {
            panic!("writing to stdin: {error}; stderr: {}", self.stderr());
        }
    }

    /// Ends stdin.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// What stderr holds by now.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&lock(&self.stderr)).into_owned()
    }

    /// What stderr holds once it holds this character.
    pub fn await_stderr(&self, wanted: char) -> String {
        let end = Instant::now() + DEADLINE;
        while !self.stderr().contains(wanted) && Instant::now() < end {
            thread::sleep(Duration::from_millis(2));
        }
        self.stderr()
    }

    /// The next line nobody has asked for, without its newline.
    pub fn next_line(&mut self) -> Vec<u8> {
        self.take_line("a line", |_| true)
    }

    /// The first line like this, leaving the others for later.
    pub fn take_line(&mut self, what: &str, like: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        self.line_within(DEADLINE, like).unwrap_or_else(|| {
            let others: Vec<_> = self.waiting.iter().map(|line| show(line)).collect();
            panic!("{what} never came; unread: {others:#?}; stderr: {}", self.stderr())
        })
    }

    /// Like [`Bridge::take_line`], or none after `within` or at the end of stdout.
    pub fn line_within(
        &mut self,
        within: Duration,
        like: impl Fn(&[u8]) -> bool,
    ) -> Option<Vec<u8>> {
        if let Some(at) = self.waiting.iter().position(|line| like(line)) {
            return self.waiting.remove(at);
        }
        let end = Instant::now() + within;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).ok()?;
            let line = checked(line);
            if like(&line) {
                return Some(line);
            }
            self.waiting.push_back(line);
        }
    }

    /// The bytes of the answer to the request with this id (its JSON bytes).
    pub fn answer_bytes(&mut self, id: &str) -> Vec<u8> {
        self.take_line(&format!("the answer to {id}"), |line| {
            Members::of(line)
                .is_some_and(|all| all.raw("id") == Some(id) && all.raw("method").is_none())
        })
    }

    /// The answer to the request with this id (its JSON bytes).
    pub fn answer_to(&mut self, id: &str) -> Value {
        json::value(&self.answer_bytes(id))
    }

    /// The next notification or request from the remote with this method.
    pub fn incoming(&mut self, method: &str) -> Value {
        let line = self.take_line(method, |line| {
            Members::of(line).and_then(|all| all.text("method")).as_deref() == Some(method)
        });
        json::value(&line)
    }

    /// All lines nobody asked for, when stdout has ended.
    pub fn rest(&mut self) -> Vec<Vec<u8>> {
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) => self.waiting.push_back(checked(line)),
                Err(RecvTimeoutError::Disconnected) => return self.waiting.drain(..).collect(),
                Err(RecvTimeoutError::Timeout) => panic!("stdout did not end"),
            }
        }
    }

    /// The whole handshake, in `version`; the answer to `initialize`.
    pub fn handshake(&mut self, version: &str) -> Value {
        self.send(json::initialize("\"hello\"", version));
        let answer = self.answer_to("\"hello\"");
        assert!(answer.get("result").is_some(), "initialize failed: {answer}");
        self.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        answer
    }

    /// Sends a `tools/call` of `echo` with this marker.
    pub fn call(&mut self, id: &str, marker: &str) {
        self.send(json::call(id, marker));
    }

    /// Calls `echo` and expects its marker back.
    pub fn call_works(&mut self, id: &str) {
        self.call(id, "works");
        let answer = self.answer_to(id);
        assert_eq!(answer["result"]["content"][0]["text"], "works", "{answer}");
    }

    #[cfg(unix)]
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("the process is there");
    }

    /// Waits for the end of the process, which must come within this time.
    pub fn await_exit(&mut self, within: Duration) -> ExitStatus {
        let end = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().expect("our own child") {
                return status;
            }
            assert!(
                Instant::now() < end,
                "still running after {within:?}; stderr: {}",
                self.stderr()
            );
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Ends a healthy run: stdin closed, exit code 0 soon, nothing on stderr.
    pub fn finish(mut self) {
        self.end();
        assert_eq!(self.stderr(), "", "a healthy run prints nothing");
    }

    /// Ends a run that may have logged something; what stderr held.
    pub fn end(&mut self) -> String {
        self.close_stdin();
        let status = self.await_exit(Duration::from_secs(5));
        let _ = self.stderr_end.recv_timeout(DEADLINE);
        assert_eq!(status.code(), Some(0), "stderr: {}", self.stderr());
        self.rest();
        self.stderr()
    }
}

/// A line without its newline; stdout holds JSON and nothing else.
fn checked(mut line: Vec<u8>) -> Vec<u8> {
    assert_eq!(line.pop(), Some(b'\n'), "stdout ended inside a line");
    let sound = serde_json::from_slice::<&serde_json::value::RawValue>(&line).is_ok();
    assert!(sound, "not JSON on stdout: {}", show(&line));
    line
}

fn show(line: &[u8]) -> String {
    String::from_utf8_lossy(&line[..line.len().min(500)]).into_owned()
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Bridge {
    /// The error of the bridge's own that answers the request `id`: its code, and words that its
    /// message must hold. HTML never reaches the person.
    #[track_caller]
    pub fn refusal(&mut self, id: &str, code: i64, words: &[&str]) -> Value {
        let error = self.answer_to(id)["error"].take();
        assert_eq!(error["code"], code, "{error}");
        assert_eq!(error["data"]["origin"], "bridge", "{error}");
        assert!(error["data"]["reason"].is_string(), "{error}");
        let message = error["message"].as_str().unwrap_or_default();
        for word in words {
            assert!(message.contains(word), "{word} is missing in: {message}");
        }
        assert!(!message.contains('<') && !message.contains('\n'), "{message}");
        error
    }
}
