//! The bridge as a child process, with its three pipes.

use std::{
    io::{BufRead, BufReader, Read, Write},
    path::Path,
    process::{ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::error::{Error, Kind};

/// How long the script waits for any message, and for the end.
const PATIENCE: Duration = Duration::from_secs(15);

/// A message from the bridge, and when it was read.
pub(super) struct Incoming {
    pub(super) message: Value,
    pub(super) at: Instant,
}

/// How the bridge ended after its input was closed.
pub(super) struct Ending {
    pub(super) status: ExitStatus,
    pub(super) stderr: String,
    pub(super) took: Duration,
}

/// A running bridge; killed if it is dropped before [`Child::finish`].
pub(super) struct Child {
    process: std::process::Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<(Vec<u8>, Instant)>,
    stderr: Option<JoinHandle<String>>,
    pub(super) launched: Instant,
    _state: Option<TempDir>,
}

/// What the bridge is started with.
pub(super) struct Launch {
    pub(super) words: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
}

impl Child {
    /// Starts the bridge as a client would.
    pub(super) fn launch(executable: &Path, launch: &Launch) -> Result<Self, Error> {
        let failed = |cause: std::io::Error| {
            let what = format!("could not start the bridge: {}", executable.display());
            Error::new(Kind::Unexpected, what).because(cause.to_string())
        };
        // What the bridge remembers of this remote is of no use once the sandbox is gone.
        let state = tempfile::tempdir().ok();
        let mut command = Command::new(executable);
        if let Some(state) = &state {
            command.env("COMPOSIO_BRIDGE_STATE_DIR", state.path());
        }
        command.envs(launch.environment.iter().map(|(name, value)| (name, value)));
        let launched = Instant::now();
        let mut process = command
            .args(&launch.words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (lines, received) = mpsc::channel();
        if let Some(stdout) = process.stdout.take() {
            std::thread::spawn(move || read_lines(stdout, &lines));
        }
        let stderr = process.stderr.take();
        Ok(Child {
            stdin: process.stdin.take(),
            process,
            lines: received,
            stderr: stderr.map(|stderr| std::thread::spawn(move || read_all(stderr))),
            launched,
            _state: state,
        })
    }

    pub(super) fn send(&mut self, message: &Value) -> Result<(), String> {
        let stdin = self.stdin.as_mut().ok_or("the input is closed")?;
        stdin
            .write_all(format!("{message}\n").as_bytes())
            .map_err(|error| format!("the bridge reads no more: {error}"))
    }

    pub(super) fn receive(&mut self) -> Result<Incoming, String> {
        let (line, at) = self.lines.recv_timeout(PATIENCE).map_err(|end| match end {
            RecvTimeoutError::Timeout => format!("nothing came within {} s", PATIENCE.as_secs()),
            RecvTimeoutError::Disconnected => "the bridge ended".to_owned(),
        })?;
        let message = serde_json::from_slice(&line).map_err(|error| {
            let line = String::from_utf8_lossy(&line);
            format!("a line that is not JSON ({error}): {}", line.trim_end())
        })?;
        Ok(Incoming { message, at })
    }

    /// Closes the input and waits for the end.
    pub(super) fn finish(&mut self) -> Result<Ending, String> {
        let closed = Instant::now();
        self.stdin.take();
        // Its output closes when the process ends, so nobody has to poll for that.
        match self.lines.recv_timeout(PATIENCE) {
            Err(RecvTimeoutError::Disconnected) => {}
            Err(RecvTimeoutError::Timeout) => return Err("the bridge did not end".into()),
            Ok((line, _)) => {
                let line = String::from_utf8_lossy(&line);
                return Err(format!("a message after the end: {}", line.trim_end()));
            }
        }
        let status = self.process.wait().map_err(|error| error.to_string())?;
        let took = closed.elapsed();
        Ok(Ending { status, stderr: self.take_stderr(), took })
    }

    /// Ends the process at once, and gives what it wrote on stderr.
    pub(super) fn kill(&mut self) -> String {
        let _ = self.process.kill();
        let _ = self.process.wait();
        self.take_stderr()
    }

    fn take_stderr(&mut self) -> String {
        let reader = self.stderr.take();
        reader.and_then(|reader| reader.join().ok()).unwrap_or_default()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

fn read_lines(stdout: ChildStdout, lines: &mpsc::Sender<(Vec<u8>, Instant)>) {
    let mut stdout = BufReader::new(stdout);
    loop {
        let mut line = Vec::new();
        match stdout.read_until(b'\n', &mut line) {
            Ok(1..) if lines.send((line, Instant::now())).is_ok() => {}
            _ => return,
        }
    }
}

fn read_all(mut stderr: ChildStderr) -> String {
    let mut bytes = Vec::new();
    let _ = stderr.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
