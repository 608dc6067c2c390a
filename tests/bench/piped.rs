//! A stdio server under measurement: the bridge, or mcp-remote. The driver speaks to it over its
//! pipes with as little work of its own as possible.

use std::{
    ffi::OsString,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use crate::subject::{
    Era, FLIGHT, INITIALIZE, INITIALIZED, SMALL, Subject, call, discover, modern_call,
};

/// A running stdio server, after its handshake.
pub struct Piped {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    next_id: usize,
    era: Era,
}

impl Piped {
    /// Starts a command with its state in `home`; how long it took until `initialize` was answered.
    pub fn start(command: &[OsString], url: &str, home: &Path) -> (Self, Duration) {
        Piped::start_as(Era::Legacy, command, url, home)
    }

    /// The same with a client of either era.
    pub fn start_as(era: Era, command: &[OsString], url: &str, home: &Path) -> (Self, Duration) {
        let mut prepared = Command::new(&command[0]);
        prepared
            .args(&command[1..])
            .arg(url)
            .env("HOME", home)
            .env("COMPOSIO_BRIDGE_STATE_DIR", home)
            .env("XDG_CONFIG_HOME", home)
            .env("MCP_REMOTE_CONFIG_DIR", home)
            .env_remove("COMPOSIO_API_KEY")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let started = Instant::now();
        let mut child = prepared.spawn().expect("the executable starts");
        let stdin = child.stdin.take().expect("stdin is piped");
        let stdout = child.stdout.take().expect("stdout is piped");
        let stdout = BufReader::with_capacity(256 << 10, stdout);
        let mut piped = Piped { child, stdin, stdout, next_id: 0, era };
        match era {
            Era::Legacy => piped.send(INITIALIZE),
            Era::Modern => piped.send(&discover()),
        }
        piped.skip_to_answer();
        let took = started.elapsed();
        if era == Era::Legacy {
            piped.send(INITIALIZED);
        }
        (piped, took)
    }

    fn send(&mut self, message: &str) {
        self.stdin.write_all(format!("{message}\n").as_bytes()).expect("the bridge reads");
    }

    fn next_call(&mut self, tool: &str) -> String {
        self.next_id += 1;
        match self.era {
            Era::Legacy => call(self.next_id, tool),
            Era::Modern => modern_call(self.next_id, tool),
        }
    }

    /// Reads lines up to and including the next that is no notification.
    fn skip_to_answer(&mut self) {
        while !self.skip_line() {}
    }

    /// Reads a line without keeping it; whether it was an answer.
    fn skip_line(&mut self) -> bool {
        let mut answer = None;
        loop {
            let part = self.stdout.fill_buf().expect("the pipe is readable");
            assert!(!part.is_empty(), "the bridge has ended");
            let answer = answer.get_or_insert_with(|| !is_notification(part));
            let end = memchr::memchr(b'\n', part);
            let used = end.map_or(part.len(), |end| end + 1);
            self.stdout.consume(used);
            if end.is_some() {
                return *answer;
            }
        }
    }
}

/// Whether a line begins like a notification. Its `method` comes early, whoever wrote it.
fn is_notification(line: &[u8]) -> bool {
    let start = &line[..line.len().min(64)];
    memchr::memmem::find(start, b"\"notifications/").is_some()
}

impl Subject for Piped {
    fn one_by_one(&mut self, tool: &str, calls: usize) -> Vec<Duration> {
        let mut times = Vec::with_capacity(calls);
        for _ in 0..calls {
            let message = self.next_call(tool);
            let started = Instant::now();
            self.send(&message);
            self.skip_to_answer();
            times.push(started.elapsed());
        }
        times
    }

    fn in_flight(&mut self, calls: usize) -> Duration {
        let started = Instant::now();
        let mut waiting = String::new();
        for _ in 0..FLIGHT.min(calls) {
            waiting = waiting + &self.next_call(SMALL) + "\n";
        }
        let mut unsent = calls - FLIGHT.min(calls);
        for _ in 0..calls {
            // Answers that came together are followed by as many calls, written together.
            if self.stdout.buffer().is_empty() && !waiting.is_empty() {
                self.stdin.write_all(waiting.as_bytes()).expect("the bridge reads");
                waiting.clear();
            }
            self.skip_to_answer();
            if unsent > 0 {
                unsent -= 1;
                waiting = waiting + &self.next_call(SMALL) + "\n";
            }
        }
        started.elapsed()
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
