//! Start-up: the client is served from the first millisecond, whatever the remote does.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use crate::support::{
    bridge::{Bridge, Setup},
    json,
    net::Gate,
    server::{Face, Server},
};

const BOTH: [Face; 2] = [Face::Http, Face::Sse];

fn soon(face: Face, server: &Server) -> Setup {
    Bridge::over(face, server).arg("--startup-grace=0.3")
}

fn initialize(bridge: &mut Bridge) -> serde_json::Value {
    bridge.send(json::initialize("\"hello\"", "2025-06-18"));
    let answer = bridge.answer_to("\"hello\"");
    bridge.send(json::notification("notifications/initialized", "{}"));
    answer
}

/// Asks for the tools, as clients do at once, and gets none while the remote is away.
fn no_tools_yet(bridge: &mut Bridge) {
    bridge.send(json::request("\"early\"", "tools/list", "{}"));
    let answer = bridge.answer_to("\"early\"");
    assert_eq!(answer["result"]["tools"], serde_json::json!([]), "{answer}");
}

/// A run that fills the memory of `home`: the handshake and the three lists.
fn remember(face: Face, server: &Server, home: &Path) {
    let mut bridge = soon(face, server).home(home).spawn();
    bridge.handshake("2025-06-18");
    for method in ["tools/list", "prompts/list", "resources/list"] {
        bridge.send(json::request("1", method, "{}"));
        assert!(bridge.answer_to("1").get("result").is_some());
    }
    bridge.finish();
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            all.extend(files_below(&entry.path()));
        } else {
            all.push(entry.path());
        }
    }
    all
}

#[test]
fn a_remote_that_is_down_gets_a_provisional_answer_that_says_so() {
    for face in BOTH {
        let server = Server::start(face);
        server.stop();
        let start = Instant::now();
        let mut bridge = soon(face, &server).spawn();
        let answer = initialize(&mut bridge);
        assert!(start.elapsed() < Duration::from_secs(5), "{face:?}: too late for a client");
        assert_eq!(answer["result"]["protocolVersion"], "2025-06-18", "{answer}");
        assert!(answer["result"]["serverInfo"]["name"].is_string());
        let instructions = answer["result"]["instructions"].as_str().unwrap_or_default();
        assert!(
            instructions.contains("refused") || instructions.contains("connect"),
            "{instructions}"
        );
        for (kind, method) in
            [("tools", "tools/list"), ("prompts", "prompts/list"), ("resources", "resources/list")]
        {
            assert_eq!(answer["result"]["capabilities"][kind]["listChanged"], true, "{answer}");
            bridge.send(json::request("1", method, "{}"));
            assert_eq!(bridge.answer_to("1")["result"][kind], serde_json::json!([]), "{face:?}");
        }
        bridge.end();
    }
}

#[test]
fn a_client_that_started_first_works_once_the_remote_is_there_and_hears_of_the_lists() {
    for face in BOTH {
        let server = Server::start(face);
        server.stop();
        let mut bridge = soon(face, &server).spawn();
        initialize(&mut bridge);
        no_tools_yet(&mut bridge);
        bridge.call("1", "patient");
        server.start_again();
        assert_eq!(bridge.answer_to("1")["result"]["content"][0]["text"], "patient", "{face:?}");
        assert_eq!(server.executions("patient"), 1);
        bridge.incoming("notifications/tools/list_changed");
        bridge.send(json::request("2", "tools/list", "{}"));
        assert_eq!(bridge.answer_to("2")["result"]["tools"][0]["name"], "echo");
        assert_eq!(server.sessions_opened(), 1);
        let rpcs: Vec<_> = server.requests().iter().filter_map(|request| request.rpc()).collect();
        assert_eq!(rpcs[..2], ["initialize", "notifications/initialized"], "{rpcs:?}");
        bridge.end();
    }
}

#[test]
fn a_remote_that_is_slow_answers_late_and_the_client_has_one_answer() {
    for face in BOTH {
        let server = Server::start(face);
        let gate = Gate::new();
        let held = gate.clone();
        server.on("initialize", move |call| {
            held.wait();
            call.behave();
        });
        let mut bridge = soon(face, &server).spawn();
        let answer = initialize(&mut bridge);
        assert!(answer["result"]["instructions"].is_string(), "{face:?} {answer}");
        no_tools_yet(&mut bridge);
        gate.open();
        bridge.incoming("notifications/tools/list_changed");
        bridge.call_works("1");
        assert_eq!(server.sessions_opened(), 1, "{face:?}: no second handshake");
        let rest = {
            bridge.close_stdin();
            bridge.rest()
        };
        assert!(!rest.iter().any(|line| String::from_utf8_lossy(line).contains("\"hello\"")));
    }
}

#[test]
fn a_remote_within_the_grace_is_waited_for_and_its_bytes_are_the_answer() {
    for face in BOTH {
        let home = tempfile::tempdir().expect("a temporary directory");
        let server = Server::start(face);
        remember(face, &server, home.path());
        let fresh = r#"{"protocolVersion":"2025-06-18","capabilities":{"x":{"n":1.0}},"serverInfo":{"name":"fresh","version":"2"},"z":1e400}"#;
        server.on("initialize", move |call| {
            thread::sleep(Duration::from_millis(200));
            let answer = json::result(&call.id(), fresh);
            call.message(answer);
        });
        server.stateless();
        let mut bridge = Bridge::over(face, &server).home(home.path()).spawn();
        bridge.send(json::initialize("\"hello\"", "2025-06-18"));
        assert_eq!(bridge.next_line(), json::result("\"hello\"", fresh).as_bytes(), "{face:?}");
        bridge.send(json::notification("notifications/initialized", "{}"));
        bridge.end();
    }
}

#[test]
fn what_was_answered_last_time_is_answered_when_the_remote_is_down() {
    for face in BOTH {
        let home = tempfile::tempdir().expect("a temporary directory");
        let server = Server::start(face);
        remember(face, &server, home.path());
        server.stop();
        let mut bridge = soon(face, &server).home(home.path()).spawn();
        let answer = initialize(&mut bridge);
        assert_eq!(answer["result"]["serverInfo"]["name"], "scripted", "{face:?} {answer}");
        bridge.send(json::request("1", "tools/list", "{}"));
        assert_eq!(bridge.answer_to("1")["result"]["tools"][0]["name"], "echo", "{face:?}");
        bridge.send(json::request("2", "prompts/list", "{}"));
        assert_eq!(bridge.answer_to("2")["result"]["prompts"][0]["name"], "greet", "{face:?}");
        bridge.send(json::request("3", "resources/list", "{}"));
        assert_eq!(
            bridge.answer_to("3")["result"]["resources"][0]["uri"],
            "test://one",
            "{face:?}"
        );
        server.start_again();
        bridge.call_works("4");
        bridge.end();
    }
}

#[test]
fn lists_that_changed_since_last_time_are_announced() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let server = Server::start(Face::Http);
    remember(Face::Http, &server, home.path());
    server.stop();
    server.on("tools/list", |call| {
        call.answer(r#"{"tools":[{"name":"new","inputSchema":{"type":"object"}}]}"#)
    });
    let mut bridge = soon(Face::Http, &server).home(home.path()).spawn();
    initialize(&mut bridge);
    bridge.send(json::request("1", "tools/list", "{}"));
    assert_eq!(bridge.answer_to("1")["result"]["tools"][0]["name"], "echo", "the remembered one");
    server.start_again();
    bridge.incoming("notifications/tools/list_changed");
    bridge.send(json::request("2", "tools/list", "{}"));
    assert_eq!(bridge.answer_to("2")["result"]["tools"][0]["name"], "new");
    bridge.end();
}

#[test]
fn memory_belongs_to_one_endpoint_and_one_credential() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let server = Server::start(Face::Http);
    let with_key = |key: &str| {
        soon(Face::Http, &server)
            .home(home.path())
            .arg("--header=x-api-key: ${KEY}")
            .env("KEY", key)
            .spawn()
    };
    let mut bridge = with_key("first");
    bridge.handshake("2025-06-18");
    bridge.finish();
    server.stop();
    let mut bridge = with_key("second");
    assert_ne!(initialize(&mut bridge)["result"]["serverInfo"]["name"], "scripted");
    bridge.end();
    let mut bridge = with_key("first");
    assert_eq!(initialize(&mut bridge)["result"]["serverInfo"]["name"], "scripted");
    bridge.end();
}

#[cfg(unix)]
#[test]
fn what_is_remembered_is_readable_by_its_owner_alone_and_holds_no_secret() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().expect("a temporary directory");
    let server = Server::start(Face::Http);
    let mut bridge = Bridge::to(server.endpoint())
        .home(home.path())
        .arg("--header=x-api-key: ${KEY}")
        .env("KEY", "marker-secret")
        .spawn();
    bridge.handshake("2025-06-18");
    bridge.send(json::request("1", "tools/list", "{}"));
    bridge.answer_to("1");
    bridge.finish();
    let files = files_below(home.path());
    assert!(!files.is_empty(), "something is remembered");
    for file in files {
        let mode = fs::metadata(&file).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
        let text = String::from_utf8_lossy(&fs::read(&file).expect("readable")).into_owned();
        assert!(
            !text.contains("marker-secret") && !text.contains("session-1"),
            "{}",
            file.display()
        );
        assert!(!file.to_string_lossy().contains("marker-secret"));
    }
}

#[test]
fn damaged_memory_is_as_good_as_none() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let server = Server::start(Face::Http);
    remember(Face::Http, &server, home.path());
    for garbage in [&b""[..], b"{", b"\xff\xfe\x00", b"[1,2,3]"] {
        for file in files_below(home.path()) {
            fs::write(file, garbage).expect("writable");
        }
        let mut bridge = soon(Face::Http, &server).home(home.path()).spawn();
        bridge.handshake("2025-06-18");
        bridge.call_works("1");
        bridge.end();
    }
    server.stop();
    files_below(home.path()).iter().for_each(|file| fs::write(file, "{}").expect("writable"));
    let mut bridge = soon(Face::Http, &server).home(home.path()).spawn();
    let answer = initialize(&mut bridge);
    assert!(answer["result"]["instructions"].is_string(), "{answer}");
    bridge.end();
}

#[test]
fn a_home_that_cannot_be_written_is_no_reason_to_fail() {
    let server = Server::start(Face::Http);
    let mut bridge = Bridge::to(server.endpoint())
        .home(Path::new("/dev/null/nowhere"))
        .env("HOME", "/dev/null/nowhere")
        .spawn();
    bridge.handshake("2025-06-18");
    bridge.send(json::request("1", "tools/list", "{}"));
    assert!(bridge.answer_to("1").get("result").is_some());
    bridge.end();
}

#[test]
fn down_for_twenty_seconds_at_the_start_ends_in_a_working_client() {
    thread::scope(|scope| {
        for face in BOTH {
            scope.spawn(move || down_for_twenty_seconds(face));
        }
    });
}

fn down_for_twenty_seconds(face: Face) {
    let server = Server::start(face);
    server.stop();
    let mut bridge = Bridge::over(face, &server).spawn();
    let start = Instant::now();
    initialize(&mut bridge);
    assert!(start.elapsed() < Duration::from_secs(9), "{face:?}: too late for a client");
    no_tools_yet(&mut bridge);
    // The row itself: the remote is away for twenty seconds.
    thread::sleep(Duration::from_secs(20).saturating_sub(start.elapsed()));
    bridge.call("1", "after");
    server.start_again();
    assert_eq!(bridge.answer_to("1")["result"]["content"][0]["text"], "after", "{face:?}");
    bridge.incoming("notifications/tools/list_changed");
    bridge.end();
}

#[test]
fn a_401_at_the_start_is_told_at_once() {
    for face in BOTH {
        for status in [401, 403] {
            let server = Server::start(face);
            server.rule(move |_, exchange| {
                exchange.reply(
                    status,
                    &[("content-type", "application/json")],
                    r#"{"error":"Invalid consumer API key"}"#,
                );
                true
            });
            let start = Instant::now();
            let mut bridge = Bridge::over(face, &server).spawn();
            bridge.send(json::initialize("1", "2025-06-18"));
            bridge.refusal("1", -31002, &[&status.to_string(), "Invalid consumer API key"]);
            assert!(start.elapsed() < Duration::from_secs(4), "{face:?}: not at once");
            bridge.end();
        }
    }
}

#[test]
fn a_remote_that_refuses_the_handshake_is_quoted_and_asked_again_by_the_client() {
    for face in BOTH {
        let server = Server::start(face);
        server.on("initialize", |call| {
            let refusal = json::error(&call.id(), -32602, "Unsupported protocol version");
            call.message(refusal);
        });
        let mut bridge = Bridge::over(face, &server).spawn();
        bridge.send(json::initialize("1", "2025-06-18"));
        assert_eq!(
            bridge.answer_to("1")["error"]["message"],
            "Unsupported protocol version",
            "{face:?}"
        );
        server.on("initialize", |call| call.behave());
        bridge.handshake("2025-06-18");
        bridge.call_works("2");
        bridge.end();
    }
}

#[test]
fn a_page_instead_of_a_server_at_the_start_is_told_in_a_sentence() {
    for status in [200, 404, 500, 502] {
        let server = Server::start(Face::Http);
        server.rule(move |_, exchange| {
            exchange.reply(
                status,
                &[("content-type", "text/html")],
                "<html><title>Welcome</title></html>",
            );
            true
        });
        let mut bridge = soon(Face::Http, &server).spawn();
        bridge.send(json::initialize("1", "2025-06-18"));
        let answer = bridge.answer_to("1").to_string();
        assert!(answer.contains("text/html") || answer.contains(&status.to_string()), "{answer}");
        assert!(!answer.contains('<'), "{answer}");
        bridge.end();
    }
}

#[test]
fn what_a_client_says_early_is_kept_in_order() {
    for face in BOTH {
        let server = Server::start(face);
        let mut bridge = Bridge::over(face, &server).spawn();
        let mut all = json::initialize("1", "2025-06-18") + "\n";
        all += &(json::notification("notifications/initialized", "{}") + "\n");
        (2..10).for_each(|id| all += &(json::call(&id.to_string(), "early") + "\n"));
        bridge.send_raw(all);
        (1..10).for_each(|id| assert!(bridge.answer_to(&id.to_string()).get("result").is_some()));
        let rpcs: Vec<_> = server.requests().iter().filter_map(|request| request.rpc()).collect();
        assert_eq!(rpcs[..2], ["initialize", "notifications/initialized"], "{face:?}");
        assert_eq!(server.executions("early"), 8);
        bridge.finish();
    }
}
