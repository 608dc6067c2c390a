//! Unusual standard streams: sockets, files, terminals, and none at all.

#![cfg(unix)]

use std::{
    fs::File,
    io::{BufRead, BufReader, Seek, Write},
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::support::{
    DEADLINE,
    bridge::executable,
    json,
    server::{Face, Server},
};

const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// A whole conversation: what a client would write, one message a line.
fn conversation() -> String {
    let hello = json::initialize("1", "2025-11-25");
    format!("{hello}\n{INITIALIZED}\n{}\n", json::call("2", "works"))
}

/// The bridge with the streams that `streams` gives it, through `wrapper`.
fn start(server: &Server, wrapper: &[&str], streams: impl FnOnce(&mut Command)) -> Running {
    let home = tempfile::tempdir().expect("a temporary directory");
    let mut words: Vec<_> = wrapper.iter().map(Into::into).collect();
    words.extend(executable());
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).args([&server.endpoint(), Face::Http.flag()]);
    command.env("HOME", home.path()).stderr(Stdio::null());
    streams(&mut command);
    Running { child: command.spawn().expect("the executable starts"), _home: home }
}

/// Killed when dropped.
struct Running {
    child: Child,
    _home: TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

impl Running {
    /// The process ends by itself, with exit code 0.
    #[track_caller]
    fn ends(&mut self) {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(status) = self.child.try_wait().expect("our own child") {
                return assert_eq!(status.code(), Some(0));
            }
            assert!(Instant::now() < end, "still running");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// The process comes to rest: for a while it uses no time of any processor.
    #[cfg(target_os = "linux")]
    #[track_caller]
    fn rests(&self) {
        let used = || {
            let path = format!("/proc/{}/stat", self.child.id());
            let text = std::fs::read_to_string(path).expect("the process is there");
            let fields: Vec<_> = text.rsplit(')').next().unwrap_or_default().split(' ').collect();
            (fields[12].to_owned(), fields[13].to_owned())
        };
        let (mut last, mut since) = (used(), Instant::now());
        let end = Instant::now() + DEADLINE;
        while since.elapsed() < Duration::from_millis(300) {
            assert!(Instant::now() < end, "it never comes to rest");
            thread::sleep(Duration::from_millis(20));
            let now = used();
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn rests(&self) {}
}

/// Reads until the answer to the call.
#[track_caller]
fn answered(lines: &mut impl BufRead) {
    let mut line = String::new();
    while !line.contains("\"text\":\"works\"") {
        line.clear();
        assert!(lines.read_line(&mut line).expect("a line") > 0, "stdout ended");
        json::value(line.as_bytes());
    }
}

fn pair() -> (UnixStream, Stdio) {
    let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    ours.set_read_timeout(Some(DEADLINE)).expect("a limit");
    (ours, Stdio::from(OwnedFd::from(theirs)))
}

#[test]
fn two_socket_pairs_as_node_makes_them() {
    let server = Server::start(Face::Http);
    let ((mut input, stdin), (output, stdout)) = (pair(), pair());
    let mut bridge = start(&server, &[], |command| {
        command.stdin(stdin).stdout(stdout);
    });
    input.write_all(conversation().as_bytes()).expect("it reads");
    answered(&mut BufReader::new(output));
    bridge.rests();
    drop(input);
    bridge.ends();
}

#[test]
fn one_socket_for_both_directions() {
    let server = Server::start(Face::Http);
    let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    ours.set_read_timeout(Some(DEADLINE)).expect("a limit");
    let twin = theirs.try_clone().expect("a twin");
    let mut bridge = start(&server, &[], |command| {
        command.stdin(OwnedFd::from(theirs)).stdout(OwnedFd::from(twin));
    });
    (&ours).write_all(conversation().as_bytes()).expect("it reads");
    answered(&mut BufReader::new(&ours));
    bridge.rests();
    ours.shutdown(std::net::Shutdown::Write).expect("it is open");
    bridge.ends();
}

#[test]
fn a_file_to_read_from_and_a_file_to_write_to() {
    let server = Server::start(Face::Http);
    let (mut input, mut output) = (file(), file());
    input.write_all(conversation().as_bytes()).expect("it is written");
    input.rewind().expect("a file");
    let stdout = output.try_clone().expect("a twin");
    let mut bridge = start(&server, &[], |command| {
        command.stdin(input).stdout(stdout);
    });
    bridge.ends();
    output.rewind().expect("a file");
    answered(&mut BufReader::new(output));
}

fn file() -> File {
    tempfile::tempfile().expect("a temporary file")
}

#[test]
fn nothing_to_read_from_ends_it_at_once() {
    let server = Server::start(Face::Http);
    for redirection in ["<&-", "< /dev/null", "<&- >&-", "<&- >&- 2>&-"] {
        let script = format!("exec \"$@\" {redirection}");
        let mut bridge = start(&server, &["sh", "-c", &script, "sh"], |_| ());
        bridge.ends();
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn nowhere_to_write_to_is_no_hang() {
    let server = Server::start(Face::Http);
    for (n, redirection) in [">&-", "> /dev/null", "2>&-"].into_iter().enumerate() {
        let script = format!("exec \"$@\" {redirection}");
        let mut bridge = start(&server, &["sh", "-c", &script, "sh"], |command| {
            command.stdin(Stdio::piped()).stdout(Stdio::null());
        });
        let mut stdin = bridge.child.stdin.take().expect("it is piped");
        stdin.write_all(conversation().as_bytes()).expect("it reads");
        server.await_nth(n + 1, |request| request.is_rpc("tools/call"));
        bridge.rests();
        drop(stdin);
        bridge.ends();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_it() {
    let server = Server::start(Face::Http);
    let full = File::options().write(true).open("/dev/full").expect("Linux has it");
    let mut bridge = start(&server, &[], |command| {
        command.stdin(Stdio::piped()).stdout(full);
    });
    let mut stdin = bridge.child.stdin.take().expect("it is piped");
    stdin.write_all(conversation().as_bytes()).expect("it reads");
    bridge.ends();
}

#[test]
fn pipes_that_others_share_get_their_mode_back() {
    let server = Server::start(Face::Http);
    let (input, mut line) = std::io::pipe().expect("a pipe");
    let (mut answers, output) = std::io::pipe().expect("a pipe");
    let ours = [
        OwnedFd::from(input.try_clone().expect("a copy")),
        OwnedFd::from(output.try_clone().expect("a copy")),
    ];
    let mut running = start(&server, &[], |command| {
        command.stdin(input).stdout(output);
    });
    line.write_all(conversation().as_bytes()).expect("the bridge reads");
    let mut start = [0];
    std::io::Read::read_exact(&mut answers, &mut start).expect("the bridge answers");
    let blocks = |fd: &OwnedFd| {
        let flags = rustix::fs::fcntl_getfl(fd).expect("the pipe is open");
        !flags.contains(rustix::fs::OFlags::NONBLOCK)
    };
    assert!(!ours.iter().any(blocks), "the bridge waits for both at once");
    drop(line);
    running.child.wait().expect("it ends");
    assert!(ours.iter().all(blocks));
}
