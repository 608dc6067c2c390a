//! Which era is spoken where there is a choice, by the client's or by `--protocol`.

use serde_json::{Value, json};

use super::{JSON, count, discover, run};
use crate::support::{
    bridge::Bridge,
    json,
    modern::{Modern, VERSION, client},
    server::{Face, Server},
};

#[test]
fn a_legacy_server_that_serves_a_first_modern_request_executes_it_once() {
    let server = Server::start(Face::Http);
    // No sessions, no look at the version: the modern request is served by a legacy server.
    server.stateless();
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.send(client::call("1", "once"));
    let answer = bridge.answer_to("1");
    assert_eq!(answer["result"]["content"][0]["text"], "once", "{answer}");
    assert_eq!(server.executions("once"), 1);
    bridge.discover();
    for id in ["2", "3"] {
        bridge.modern_call_works(id);
    }
    assert_eq!(server.executions("works"), 2);
    bridge.finish();
}

#[test]
fn t68_the_modern_side_of_a_server_whose_legacy_side_is_stateless_is_preferred() {
    let server = Modern::start();
    server.dual();
    server.on("tools/call", |call| {
        call.executed();
        if call.responses().is_null() {
            return call.ask(Some(r#"{"who":{"method":"elicitation/create","params":{"mode":"form","message":"Name?","requestedSchema":{"type":"object","properties":{"n":{"type":"string"}}}}}}"#), Some("s"));
        }
        let name = call.responses()["who"]["content"]["n"].clone();
        let result = crate::support::modern::text_result(&name);
        call.answer(&result);
    });
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    // The client of the test declares roots, sampling and elicitation.
    bridge.handshake("2025-11-25");
    bridge.call("1", "asked");
    let question = bridge.incoming("elicitation/create");
    assert_eq!(question["params"]["message"], "Name?", "{question}");
    bridge.send(json::result(
        &question["id"].to_string(),
        r#"{"action":"accept","content":{"n":"Ada"}}"#,
    ));
    let answer = bridge.answer_to("1");
    assert_eq!(answer["result"]["content"][0]["text"], "Ada", "{answer}");
    assert_eq!(server.legacy().executions("asked"), 0);
    server.is_content();
    bridge.finish();
}

#[test]
fn a_legacy_server_sees_not_one_extra_request_at_start_from_a_legacy_client() {
    for face in [Face::Http, Face::Sse] {
        let server = Server::start(face);
        let mut bridge = Bridge::over(face, &server).spawn();
        bridge.handshake("2025-11-25");
        bridge.call_works("1");
        bridge.finish();
        let posts: Vec<_> = server.requests().iter().filter_map(|request| request.rpc()).collect();
        assert_eq!(posts, ["initialize", "notifications/initialized", "tools/call"], "{face:?}");
        let gets = server.count(|request| request.method == "GET");
        assert!(gets <= 1, "{face:?}: {gets} streams");
        assert_eq!(server.count(|request| request.header("mcp-method").is_some()), 0);
    }
}

#[test]
fn a_dual_server_is_spoken_to_in_the_clients_own_era() {
    let server = Modern::start();
    server.dual();
    let home = tempfile::tempdir().expect("a temporary directory");
    let heard = run(&server, home.path(), false);
    assert_eq!(heard, ["tools/call"], "modern to modern");
    server.is_content();

    let server = Modern::start();
    server.dual_with_sessions();
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.handshake("2025-11-25");
    bridge.call_works("1");
    bridge.finish();
    assert_eq!(server.legacy().executions("works"), 1, "legacy to legacy");
    assert_eq!(server.count(|request| request.header("mcp-method").is_some()), 0);
}

fn with_protocol(server: &Modern, protocol: &str) -> Bridge {
    Bridge::to(server.endpoint()).arg(format!("--protocol={protocol}")).spawn()
}

#[test]
fn protocol_modern_never_sends_initialize() {
    let server = Modern::start();
    let mut bridge = with_protocol(&server, "modern");
    bridge.handshake("2025-11-25");
    bridge.call_works("1");
    bridge.finish();
    let mut bridge = with_protocol(&server, "modern");
    bridge.modern_call_works("1");
    bridge.finish();
    assert_eq!(count(&server.heard(), "initialize"), 0, "{:?}", server.heard());
    server.is_content();

    let legacy = Modern::start();
    legacy.only_legacy();
    for legacy_client in [false, true] {
        let mut bridge =
            Bridge::to(legacy.endpoint()).arg("--protocol=modern").arg("--startup-grace=5").spawn();
        if legacy_client {
            bridge.send(json::initialize("1", "2025-11-25"));
            bridge.answer_to("1");
        } else {
            bridge.error_of("1", discover());
        }
        bridge.end();
    }
    assert_eq!(count(&legacy.heard(), "initialize"), 0, "{:?}", legacy.heard());
}

#[test]
fn protocol_legacy_never_sends_a_modern_request_and_serves_modern_clients_all_the_same() {
    let server = Modern::start();
    server.dual();
    let mut bridge = with_protocol(&server, "legacy");
    let answer = bridge.discover();
    assert_eq!(answer["result"]["supportedVersions"][0], VERSION, "{answer}");
    bridge.modern_call_works("1");
    bridge.finish();
    let mut bridge = with_protocol(&server, "legacy");
    bridge.handshake("2025-11-25");
    bridge.call_works("1");
    bridge.finish();
    assert_eq!(server.legacy().executions("works"), 2);
    assert_eq!(server.count(|request| request.header("mcp-method").is_some()), 0);
    assert_eq!(count(&server.heard(), "server/discover"), 0);
}

#[test]
fn protocol_auto_is_the_default_and_serves_either() {
    for protocol in [None, Some("auto")] {
        for legacy in [false, true] {
            let server = Modern::start();
            let setup = Bridge::to(server.endpoint());
            let mut bridge = match protocol {
                Some(protocol) => setup.arg(format!("--protocol={protocol}")).spawn(),
                None => setup.spawn(),
            };
            if legacy {
                bridge.handshake("2025-11-25");
                bridge.call_works("1");
            } else {
                bridge.modern_call_works("1");
            }
            server.is_content();
            bridge.finish();
        }
    }
}

#[test]
fn mh_54_a_refusal_of_initialize_with_a_modern_code_or_404_is_followed_by_the_probe_at_once() {
    for (status, code) in [(400, -32020), (400, -32021), (400, -32602), (404, -32601)] {
        let server = Modern::start();
        server.refusing("initialize", status, JSON, &json::error("null", code, "no such thing"));
        let mut bridge = Bridge::to(server.endpoint()).spawn();
        bridge.handshake("2025-11-25");
        bridge.call_works("1");
        let heard = server.heard();
        assert_eq!(heard[..2], ["initialize", "server/discover"], "{code}: {heard:?}");
        assert_eq!(count(&heard, "GET"), 0, "{code}: {heard:?}");
        bridge.finish();
    }
}

#[test]
fn a_refusal_of_initialize_without_a_modern_code_leads_to_the_modern_side_in_the_end() {
    for (status, body) in [(400, "Bad Request"), (405, ""), (404, "<html>not found</html>")] {
        let server = Modern::start();
        server.refusing("initialize", status, "text/plain", body);
        let mut bridge = Bridge::to(server.endpoint()).spawn();
        bridge.handshake("2025-11-25");
        bridge.call_works("1");
        let heard = server.heard();
        assert_eq!(count(&heard, "initialize"), 1, "{status}: {heard:?}");
        bridge.finish();
    }
}

#[test]
fn mh_55_when_every_way_fails_the_one_answer_tells_of_all() {
    let server = Modern::start();
    server.rule(|request, exchange| {
        exchange.reply(if request.method == "GET" { 410 } else { 404 }, &[], "");
        true
    });
    for legacy in [true, false] {
        let mut bridge = Bridge::to(server.endpoint()).arg("--startup-grace=10").spawn();
        let text = if legacy {
            bridge.send(json::initialize("1", "2025-11-25"));
            bridge.answer_to("1").to_string()
        } else {
            let error: Value = bridge.error_of("1", discover());
            assert_eq!(error["data"]["origin"], json!("bridge"), "{error}");
            error.to_string()
        };
        assert!(text.contains("404") && text.contains("410"), "{text}");
        bridge.close_stdin();
    }
}
