//! Memory: bounded by what is on its way, whoever is slow and however much there is. Measured as
//! Linux tells it.

#![cfg(target_os = "linux")]

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::support::{
    DEADLINE,
    bridge::{Bridge, executable},
    http::event,
    json,
    server::{Face, Frame, Server},
};

const MB: usize = 1024 * 1024;

/// A figure of /proc/PID/status, in bytes.
fn status(pid: u32, name: &str) -> usize {
    let text =
        std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let line = text.lines().find(|line| line.starts_with(name)).expect("Linux tells it");
    let kilobytes = line.split_whitespace().nth(1).expect("a figure");
    kilobytes.parse::<usize>().expect("a number") * 1024
}

fn large(marker: &str) -> String {
    format!(r#"{{"content":[{{"type":"text","text":"{marker}{}"}}]}}"#, "x".repeat(MB))
}

#[test]
fn a_hundred_large_results_leave_nothing_behind() {
    let server = Server::start(Face::Http);
    server.on("tools/call", |call| call.answer(&large(&call.marker())));
    let mut bridge = Bridge::over(Face::Http, &server).spawn();
    bridge.handshake("2025-11-25");
    for n in 0..100 {
        bridge.call(&n.to_string(), "m");
        assert!(bridge.answer_bytes(&n.to_string()).len() > MB);
    }
    let peak = status(bridge.child.id(), "VmHWM");
    assert!(peak < 64 * MB, "{} MB", peak / MB);
    bridge.finish();
}

/// A client that does not read while the remote pushes 200 MB: little of it may be taken in, and all
/// of it and everything else comes when the client reads.
fn flood(face: Face) {
    const EVENTS: usize = 200;
    let server = Server::start(face);
    let home = tempfile::tempdir().expect("a temporary directory");
    let words = executable();
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        .args([&server.endpoint(), face.flag()])
        .env("HOME", home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the executable starts");
    let mut stdin = child.stdin.take().expect("it is piped");
    let mut stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    writeln!(stdin, "{}", json::initialize("1", "2025-11-25")).expect("it reads");
    stdout.read_line(&mut line).expect("an answer");
    writeln!(stdin, r#"{{"jsonrpc":"2.0","method":"notifications/initialized"}}"#)
        .expect("it reads");

    let note = json::notification("notifications/message", &format!("\"{}\"", "x".repeat(MB)));
    let bytes = event(None, note.as_bytes());
    for _ in 0..EVENTS {
        server.frame(Frame::Raw(bytes.clone()));
    }
    let settled = settle(child.id());
    writeln!(stdin, "{}", json::call("2", "after")).expect("it reads");

    let (mut events, mut answered) = (0, false);
    while events < EVENTS || !answered {
        line.clear();
        assert!(stdout.read_line(&mut line).expect("a line") > 0, "stdout ended");
        events += usize::from(line.contains("notifications/message"));
        answered |= line.contains("\"after\"");
    }
    let peak = status(child.id(), "VmHWM").max(settled);
    let _ = (child.kill(), child.wait());
    assert!(peak < 128 * MB, "{} MB", peak / MB);
}

/// The memory once it has stopped growing.
fn settle(pid: u32) -> usize {
    let (mut last, mut since) = (0, Instant::now());
    let end = Instant::now() + DEADLINE;
    while since.elapsed() < Duration::from_millis(500) && Instant::now() < end {
        let now = status(pid, "VmRSS");
        if now > last + MB {
            (last, since) = (now, Instant::now());
        }
        thread::sleep(Duration::from_millis(10));
    }
    last
}

#[test]
fn a_client_that_does_not_read_holds_a_streamable_http_remote_back() {
    flood(Face::Http);
}

#[test]
fn a_client_that_does_not_read_holds_an_http_sse_remote_back() {
    flood(Face::Sse);
}
