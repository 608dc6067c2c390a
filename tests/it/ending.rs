//! The end of the process: always prompt, always exit code 0, and nothing that was on its way lost.
#![cfg(unix)]

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::support::{
    bridge::{Bridge, executable},
    json,
    net::Gate,
    server::{Face, Server},
};

const BOTH: [Face; 2] = [Face::Http, Face::Sse];
/// The 1.5 s that answers in flight may take, and some more for a busy machine.
const PROMPT: Duration = Duration::from_secs(4);

/// A server whose calls never end until the gate opens, and a bridge with one of them running.
fn busy(face: Face) -> (Server, Bridge, Gate) {
    let server = Server::start(face);
    let gate = Gate::new();
    let held = gate.clone();
    server.on("tools/call", move |call| {
        call.executed();
        held.wait();
        call.echo();
    });
    let mut bridge = Bridge::over(face, &server).spawn();
    bridge.handshake("2025-06-18");
    bridge.call("1", "running");
    server.await_execution("running");
    (server, bridge, gate)
}

/// The remote learns that the session is over.
fn farewell(face: Face, server: &Server) {
    match face {
        Face::Http => {
            let delete = server.await_request(|request| request.method == "DELETE");
            assert_eq!(delete.header("mcp-session-id"), Some("session-1"));
        }
        Face::Sse => assert!(server.await_streams_left(1)),
    }
}

#[test]
fn everything_that_was_said_before_eof_is_answered() {
    for face in BOTH {
        let server = Server::start(face);
        let mut bridge = Bridge::over(face, &server).spawn();
        let mut all = json::initialize("1", "2025-06-18") + "\n";
        all += &(json::notification("notifications/initialized", "{}") + "\n");
        all += &(json::call("2", "a") + "\n" + &json::request("3", "tools/list", "{}"));
        bridge.send_raw(all);
        bridge.close_stdin();
        for id in ["1", "2", "3"] {
            assert!(bridge.answer_to(id).get("result").is_some(), "{face:?}");
        }
        assert_eq!(bridge.await_exit(PROMPT).code(), Some(0));
        farewell(face, &server);
        bridge.finish();
    }
}

#[test]
fn t12_eof_with_a_call_in_flight_waits_a_moment_and_ends() {
    for face in BOTH {
        let (server, mut bridge, _gate) = busy(face);
        let start = Instant::now();
        bridge.close_stdin();
        assert_eq!(bridge.await_exit(PROMPT).code(), Some(0));
        assert!(start.elapsed() > Duration::from_millis(1000), "{face:?}: answers get 1.5 s");
        farewell(face, &server);
        bridge.finish();
    }
}

#[test]
fn an_answer_that_comes_after_eof_is_delivered() {
    for face in BOTH {
        let (server, mut bridge, gate) = busy(face);
        bridge.close_stdin();
        gate.open();
        assert_eq!(bridge.answer_to("1")["result"]["content"][0]["text"], "running");
        assert_eq!(bridge.await_exit(PROMPT).code(), Some(0));
        farewell(face, &server);
        bridge.finish();
    }
}

#[test]
fn a_signal_ends_the_process_with_a_call_in_flight() {
    for face in BOTH {
        for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
            let (server, mut bridge, _gate) = busy(face);
            bridge.signal(signal);
            assert_eq!(bridge.await_exit(PROMPT).code(), Some(0), "{face:?} {signal:?}");
            farewell(face, &server);
            bridge.finish();
        }
    }
}

#[test]
fn a_signal_ends_an_idle_process() {
    for face in BOTH {
        let server = Server::start(face);
        let mut bridge = Bridge::over(face, &server).spawn();
        bridge.handshake("2025-06-18");
        bridge.call_works("1");
        bridge.signal(Signal::TERM);
        assert_eq!(bridge.await_exit(PROMPT).code(), Some(0));
        farewell(face, &server);
        bridge.finish();
    }
}

/// Every way to end, before the client has said anything and with the handshake unanswered.
#[test]
fn the_process_ends_in_every_state_before_the_handshake() {
    for face in BOTH {
        for said_hello in [false, true] {
            for signal in [None, Some(Signal::TERM), Some(Signal::INT), Some(Signal::HUP)] {
                let server = Server::start(face);
                server.on("initialize", |call| _ = call.http().await_gone());
                let mut bridge = Bridge::over(face, &server).spawn();
                if said_hello {
                    bridge.send(json::initialize("1", "2025-06-18"));
                    server.await_request(|request| request.is_rpc("initialize"));
                } else {
                    bridge.send(json::request("1", "ping", "{}"));
                    bridge.answer_to("1");
                }
                match signal {
                    Some(signal) => bridge.signal(signal),
                    None => bridge.close_stdin(),
                }
                let status = bridge.await_exit(PROMPT);
                assert_eq!(
                    status.code(),
                    Some(0),
                    "{face:?} {said_hello} {signal:?}: {}",
                    bridge.stderr()
                );
                bridge.finish();
            }
        }
    }
}

#[test]
fn the_process_ends_while_the_remote_is_down() {
    for face in BOTH {
        for signal in [None, Some(Signal::TERM)] {
            let server = Server::start(face);
            server.stop();
            let mut bridge = Bridge::over(face, &server).arg("--startup-grace=0.1").spawn();
            bridge.handshake("2025-06-18");
            bridge.call("1", "waiting");
            match signal {
                Some(signal) => bridge.signal(signal),
                None => bridge.close_stdin(),
            }
            assert_eq!(bridge.await_exit(PROMPT).code(), Some(0), "{face:?} {signal:?}");
        }
    }
}

#[test]
fn a_remote_that_does_not_answer_the_delete_holds_nobody_up() {
    let server = Server::start(Face::Http);
    server.rule(|request, exchange| request.method == "DELETE" && exchange.await_gone());
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.handshake("2025-06-18");
    bridge.call_works("1");
    bridge.close_stdin();
    assert_eq!(bridge.await_exit(PROMPT).code(), Some(0));
    bridge.finish();
}

#[test]
fn eof_at_once_is_no_error() {
    let server = Server::start(Face::Http);
    let bridge = Bridge::to(server.endpoint()).stdin(Stdio::null()).spawn();
    bridge.finish();
    assert_eq!(server.requests().len(), 0, "nobody asked for anything");
}

/// The executable with this server, its stdout in our hands.
fn bare(face: Face, server: &Server) -> (std::process::Child, tempfile::TempDir) {
    let home = tempfile::tempdir().expect("a temporary directory");
    let words = executable();
    let child = Command::new(&words[0])
        .args(&words[1..])
        .arg(server.endpoint())
        .arg(face.flag())
        .env_clear()
        .env("HOME", home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the executable starts");
    (child, home)
}

fn ends(mut child: std::process::Child) -> Option<i32> {
    let end = Instant::now() + PROMPT;
    while Instant::now() < end {
        if let Some(status) = child.try_wait().expect("our own child") {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let _ = child.kill();
    panic!("still running after {PROMPT:?}");
}

#[test]
fn a_broken_stdout_ends_the_process_before_the_handshake() {
    for face in BOTH {
        let server = Server::start(face);
        let (mut child, _home) = bare(face, &server);
        drop(child.stdout.take());
        let mut stdin = child.stdin.take().expect("a pipe");
        let _ = writeln!(stdin, "{}", json::request("1", "ping", "{}"));
        assert_eq!(ends(child), Some(0), "{face:?}");
    }
}

#[test]
fn a_broken_stdout_ends_the_process_and_the_session() {
    for face in BOTH {
        let server = Server::start(face);
        let (mut child, _home) = bare(face, &server);
        let mut stdin = child.stdin.take().expect("a pipe");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let _ = writeln!(stdin, "{}", json::initialize("1", "2025-06-18"));
        stdout.read_line(&mut String::new()).expect("the answer");
        let _ = writeln!(stdin, "{}", json::notification("notifications/initialized", "{}"));
        drop(stdout);
        server.push(json::notification("notifications/x", "{}"));
        assert_eq!(ends(child), Some(0), "{face:?}");
        farewell(face, &server);
    }
}

/// A shell starts the bridge, says its process id on stderr, and is killed while this test still
/// holds the bridge's stdin open.
fn orphaned(face: Face, prepare: impl Fn(&Server, &mut Bridge)) {
    let server = Server::start(face);
    server.on("tools/call", |call| {
        call.executed();
        call.http().await_gone();
    });
    // The shell must not exec its last command: it waits for it.
    let script = r#"exec 3<&0; "$@" <&3 & echo "pid $!" >&2; wait"#;
    let mut bridge = Bridge::over(face, &server).through(&["/bin/sh", "-c", script, "sh"]).spawn();
    prepare(&server, &mut bridge);
    let pid: i32 =
        bridge.await_stderr('\n').trim_start_matches("pid ").trim().parse().expect("a process id");
    let pid = Pid::from_raw(pid).expect("a process id");
    bridge.child.kill().expect("the shell is there");
    let _ = bridge.child.wait();
    let end = Instant::now() + Duration::from_secs(10);
    while test_kill_process(pid).is_ok() {
        if Instant::now() > end {
            let _ = kill_process(pid, Signal::KILL);
            panic!("the bridge outlived its parent");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    bridge.rest();
}

#[test]
fn a_vanished_parent_ends_the_process_before_the_handshake() {
    for face in BOTH {
        orphaned(face, |_, bridge| {
            bridge.send(json::request("1", "ping", "{}"));
            bridge.answer_to("1");
        });
    }
}

#[test]
fn a_vanished_parent_ends_the_process_with_a_call_in_flight() {
    for face in BOTH {
        orphaned(face, |server, bridge| {
            bridge.handshake("2025-06-18");
            bridge.call("1", "running");
            server.await_execution("running");
        });
    }
}
