//! The modern protocol on real networks: over HTTP/2, through cuts, and with nothing secret in any
//! log.

use std::{fs, time::Instant};

use serde_json::json;
use tempfile::NamedTempFile;

use crate::support::{
    DEADLINE,
    bridge::{Bridge, Setup},
    cut::Proxy,
    http::Request,
    json::{self, value},
    modern::{Modern, client, text_result},
    net::Gate,
    server::{Face, Server},
    tls::{Authority, Front},
};

const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";

struct World {
    server: Modern,
    front: Front,
    trusted: NamedTempFile,
}

impl World {
    fn new() -> Self {
        let (server, authority) = (Modern::start(), Authority::new());
        let front = Front::http2(server.listener().addr, &authority);
        World { server, front, trusted: authority.file() }
    }

    fn setup(&self) -> Setup {
        let trusted = self.trusted.path().to_str().expect("a plain path");
        Bridge::to(self.front.url("/mcp")).arg("--ca-file").arg(trusted)
    }

    fn await_resets(&self, n: usize) {
        let end = Instant::now() + DEADLINE;
        while self.front.faults().resets() < n {
            assert!(Instant::now() < end, "the stream of the cancelled call is still open");
            std::thread::yield_now();
        }
    }
}

#[test]
fn t58_mh_46_over_http_2_a_cancelled_call_is_a_reset_stream_on_a_living_connection() {
    for legacy in [false, true] {
        let world = World::new();
        world.server.on("tools/call", |call| {
            if call.marker() == "works" {
                return call.behave();
            }
            call.executed();
            call.sse().progress(1).await_gone();
        });
        let mut bridge = world.setup().spawn();
        if legacy {
            bridge.handshake("2025-11-25");
            let params =
                r#"{"name":"echo","arguments":{"marker":"slow"},"_meta":{"progressToken":"t"}}"#;
            bridge.send(json::request("1", "tools/call", params));
        } else {
            bridge.discover();
            let members = r#""name":"echo","arguments":{"marker":"slow"}"#;
            let token = r#""progressToken":"t""#;
            bridge.send(client::request_as("1", "tools/call", members, client::FULL, token));
        }
        world.server.await_execution("slow");
        bridge.incoming("notifications/progress");
        bridge.send(client::cancel("1"));
        world.await_resets(1);
        if legacy {
            bridge.call_works("2");
        } else {
            bridge.modern_call_works("2");
        }
        assert_eq!(world.front.handshakes(), 1, "one connection serves all");
        assert!(!world.server.heard().contains(&"notifications/cancelled".to_owned()));
        world.server.is_content();
        bridge.close_stdin();
        assert!(!bridge.rest().iter().any(|line| value(line)["id"] == 1));
    }
}

#[test]
fn over_http_2_a_listen_and_many_calls_share_a_connection() {
    let world = World::new();
    let mut bridge = world.setup().spawn();
    bridge.discover();
    bridge.send(client::listen("\"l\"", r#"{"toolsListChanged":true}"#));
    bridge.incoming(ACKNOWLEDGED);
    (0..32).for_each(|id| bridge.send(client::call(&id.to_string(), &format!("m{id}"))));
    for id in 0..32 {
        let answer = bridge.answer_to(&id.to_string());
        assert_eq!(answer["result"]["content"][0]["text"], format!("m{id}"), "{answer}");
        assert_eq!(world.server.executions(&format!("m{id}")), 1);
    }
    bridge.send(client::cancel("\"l\""));
    world.await_resets(1);
    assert_eq!(world.front.handshakes(), 1);
    world.server.is_content();
    bridge.finish();
}

#[test]
fn a_call_that_a_cut_takes_along_ran_once_and_what_listened_listens_again() {
    for legacy in [false, true] {
        let server = Modern::start();
        let proxy = Proxy::to(server.listener().addr);
        server.on("tools/call", |call| {
            if call.marker() == "works" {
                return call.behave();
            }
            call.executed();
            call.sse().log("info", "begun").await_gone();
        });
        let mut bridge = Bridge::to(proxy.url("/mcp")).spawn();
        if legacy {
            bridge.handshake("2025-11-25");
            bridge.call("1", "once");
        } else {
            bridge.discover();
            bridge.send(client::listen("\"l\"", r#"{"toolsListChanged":true}"#));
            bridge.incoming(ACKNOWLEDGED);
            bridge.send(client::call("1", "once"));
        }
        server.await_execution("once");
        let first = server.await_listen(|_| true);
        proxy.cut();
        bridge.refusal("1", -31001, &[]);
        server.await_listen_left(first);
        server.await_listen_after(first + 1, |_| true);
        bridge.incoming("notifications/tools/list_changed");
        if legacy {
            bridge.call_works("2");
        } else {
            bridge.modern_call_works("2");
        }
        assert_eq!(server.executions("once"), 1);
        assert_eq!(server.count(|request| request.dump().contains("\"once\"")), 1);
        server.is_content();
        bridge.end();
    }
}

#[test]
fn a_call_while_the_remote_is_away_is_not_executed_twice_when_it_is_back() {
    let server = Modern::start();
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.discover();
    server.listener().stop();
    bridge.send(client::call("1", "patient"));
    server.listener().start_again();
    // Refused connections have executed nothing, so the bridge may wait and send it.
    let answer = bridge.answer_to("1");
    let executed = server.executions("patient");
    assert_eq!(executed, usize::from(answer.get("result").is_some()), "{answer}");
    bridge.modern_call_works("2");
    bridge.end();
}

// Secrets.

const KEY: &str = "marker-7f3a-secret";
const STATE: &str = "state-51c0-secret";
const VALUE: &str = "value-9e2b-secret";

fn loud(setup: Setup, log: &std::path::Path) -> Bridge {
    setup
        .env("SECRET", KEY)
        .arg("--header=x-api-key: ${SECRET}")
        .arg("--log-level=trace")
        .arg(format!("--log-file={}", log.display()))
        .spawn()
}

/// Ends the run and looks for secrets wherever they do not belong.
fn holds_no_secret(mut bridge: Bridge, log: &std::path::Path, said: &[&str], secrets: &[&str]) {
    let stderr = bridge.end();
    let logged = fs::read_to_string(log).expect("a log file");
    assert!(logged.len() > 100, "at trace level something is logged");
    for secret in secrets {
        for (name, text) in [("stderr", &stderr), ("log", &logged)] {
            let line = text.lines().find(|line| line.contains(secret)).unwrap_or_default();
            assert!(line.is_empty(), "{secret} in {name}: {line}");
        }
        let told = said.iter().find(|text| text.contains(secret));
        assert!(told.is_none(), "{secret} was told: {told:?}");
    }
}

/// A tool whose parameter is mirrored, that asks once and then fails in every way.
fn telling(server: &Modern) {
    server.tools(&[r#"{"name":"echo","inputSchema":{"type":"object","properties":{"marker":{"type":"string"},"v":{"type":"string","x-mcp-header":"V"}}}}"#]);
    server.on("tools/call", |call| match call.marker().as_str() {
        "cut" => call.sse().http().reset(),
        "500" => call.http().reply(500, &[], "boom"),
        "mismatch" => call.refuse(400, -32020, "still wrong"),
        "odd" => call.answer(&format!(r#"{{"resultType":"odd","requestState":"{STATE}"}}"#)),
        _ if call.responses().is_null() => call.ask(Some(r#"{"who":{"method":"elicitation/create","params":{"mode":"form","message":"?","requestedSchema":{"type":"object","properties":{}}}}}"#), Some(STATE)),
        _ => call.answer(&text_result(&json!("done"))),
    });
}

#[test]
fn t122_in_quadrant_a_no_key_no_state_and_no_value_is_logged() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let log = home.path().join("log");
    let server = Modern::start();
    telling(&server);
    let mut bridge = loud(Bridge::to(server.endpoint()), &log);
    bridge.handshake("2025-11-25");
    bridge.result_of("0", json::request("0", "tools/list", "{}"));
    let mut errors = String::new();
    let call = |id: &str, marker: &str| {
        let params =
            format!(r#"{{"name":"echo","arguments":{{"marker":"{marker}","v":"{VALUE}"}}}}"#);
        json::request(id, "tools/call", &params)
    };
    bridge.send(call("1", "asks"));
    let question = bridge.incoming("elicitation/create");
    assert!(!question.to_string().contains(STATE), "{question}");
    bridge.send(json::result(&question["id"].to_string(), r#"{"action":"accept","content":{}}"#));
    assert_eq!(bridge.answer_to("1")["result"]["content"][0]["text"], "done");
    for marker in ["cut", "500", "mismatch", "odd"] {
        bridge.send(call("2", marker));
        errors += &bridge.answer_to("2").to_string();
    }
    assert!(server.requests().iter().all(|request| request.header("x-api-key") == Some(KEY)));
    let asked = server.await_nth(2, |request| request.is_rpc("tools/call"));
    assert_eq!(asked.header("mcp-param-v"), Some(VALUE));
    assert!(asked.dump().contains(STATE), "the state goes to the server");
    holds_no_secret(bridge, &log, &[&errors], &[KEY, STATE, VALUE]);
}

#[test]
fn t122_between_modern_sides_no_key_no_state_and_no_value_is_logged() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let log = home.path().join("log");
    let server = Modern::start();
    telling(&server);
    let mut bridge = loud(Bridge::to(server.endpoint()), &log);
    bridge.result_of("0", client::request("0", "tools/list", ""));
    let call = |id: &str, marker: &str| {
        client::tool(id, "echo", &format!(r#"{{"marker":"{marker}","v":"{VALUE}"}}"#))
    };
    let asked = bridge.result_of("1", call("1", "asks"));
    assert_eq!(asked["requestState"], STATE);
    let mut errors = String::new();
    for marker in ["cut", "500", "mismatch"] {
        bridge.send(call("2", marker));
        errors += &bridge.answer_to("2").to_string();
    }
    let sent = server.await_request(|request| request.is_rpc("tools/call"));
    assert_eq!(sent.header("mcp-param-v"), Some(VALUE));
    holds_no_secret(bridge, &log, &[&errors], &[KEY, STATE, VALUE]);
}

#[test]
fn t122_in_quadrant_b_no_key_no_session_and_no_state_is_logged() {
    for face in [Face::Http, Face::Sse] {
        let home = tempfile::tempdir().expect("a temporary directory");
        let log = home.path().join("log");
        let server = Server::start(face);
        let gate = Gate::new();
        let held = gate.clone();
        server.on("tools/call", move |call| {
            if call.marker() == "cut" {
                call.executed();
                return call.cut();
            }
            call.ask_until(&held);
        });
        let mut bridge = loud(Bridge::over(face, &server), &log);
        bridge.discover();
        let asked = bridge.result_of("1", client::call("1", VALUE));
        let state = asked["requestState"].as_str().expect("a state").to_owned();
        let key = asked["inputRequests"].as_object().expect("questions").keys().next().cloned();
        let members = |state: &str| {
            format!(
                r#""name":"echo","arguments":{{"marker":"{VALUE}"}},"inputResponses":{{"{}":{{"action":"decline"}}}},"requestState":"{state}""#,
                key.clone().expect("a question")
            )
        };
        let mut errors = bridge
            .error_of("2", client::request("2", "tools/call", &members("guessed-state")))
            .to_string();
        bridge.send(client::request("3", "tools/call", &members(&state)));
        server.await_request(|request: &Request| request.rpc_id().as_deref() == Some("5"));
        gate.open();
        assert!(bridge.answer_to("3").get("result").is_some(), "{face:?}");
        errors +=
            &bridge.error_of("4", client::request("4", "tools/call", &members(&state))).to_string();
        errors += &bridge.error_of("5", client::call("5", "cut")).to_string();
        assert!(server.requests().iter().all(|request| request.header("x-api-key") == Some(KEY)));
        let session = server.await_session(1);
        holds_no_secret(bridge, &log, &[&errors], &[KEY, &state, "guessed-state", VALUE, &session]);
    }
}
