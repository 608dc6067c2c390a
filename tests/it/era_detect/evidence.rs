//! What proves an era, and what proves nothing.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::{JSON, count, discover, is_initialize};
use crate::support::{
    bridge::Bridge,
    http::Request,
    json,
    modern::{Modern, VERSION, strict::unsupported_version},
    server::{Face, Server},
};

/// A legacy server that refuses modern requests like this; `{id}` in the body is their id.
fn legacy_refusing(status: u16, kind: &'static str, body: &'static str) -> Server {
    let server = Server::start(Face::Http);
    server.rule(move |request, exchange| {
        let modern = request.header("mcp-method").is_some();
        if modern {
            let body = body.replace("{id}", &request.rpc_id().unwrap_or_default());
            exchange.reply(status, &[("content-type", kind)], body);
        }
        modern
    });
    server
}

/// A modern server that refuses modern requests like this, always.
fn modern_refusing(status: u16, supported: &'static str) -> Modern {
    let server = Modern::start();
    server.rule(move |request, exchange| {
        let modern = request.header("mcp-method").is_some();
        if modern {
            let id = request.rpc_id().unwrap_or_default();
            let body = unsupported_version(&id, supported, "\"2026-07-28\"");
            exchange.reply(status, &[("content-type", JSON)], body);
        }
        modern
    });
    server
}

#[test]
fn t62_a_refusal_that_lists_our_version_is_answered_by_the_same_request_once_more() {
    let server = Modern::start();
    let seen = Arc::<AtomicUsize>::default();
    let first = seen.clone();
    server.on("server/discover", move |call| {
        if first.fetch_add(1, Ordering::SeqCst) > 0 {
            return call.behave();
        }
        let body = unsupported_version(&call.id, r#"["2026-07-28"]"#, "\"2026-07-28\"");
        call.http().reply(400, &[("content-type", JSON)], body);
    });
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.discover();
    bridge.modern_call_works("2");
    assert_eq!(server.heard(), ["server/discover", "server/discover", "tools/call"]);
    bridge.finish();
}

#[test]
fn t62_a_refusal_that_lists_our_version_for_ever_ends_in_a_failure_not_in_initialize() {
    let server = modern_refusing(400, r#"["2026-07-28"]"#);
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.error_of("1", discover());
    let heard = server.heard();
    assert_eq!(count(&heard, "initialize"), 0, "{heard:?}");
    assert!(count(&heard, "server/discover") <= 3, "{heard:?}");
    bridge.end();
}

#[test]
fn t63_a_refusal_that_lists_a_legacy_version_selects_it() {
    for status in [400, 200] {
        let server = Server::start(Face::Http);
        server.rule(move |request, exchange| {
            let modern = request.header("mcp-method").is_some();
            if modern {
                let id = request.rpc_id().unwrap_or_default();
                let body = unsupported_version(&id, r#"["2025-11-25"]"#, "\"2026-07-28\"");
                exchange.reply(status, &[("content-type", JSON)], body);
            }
            modern
        });
        let mut bridge = Bridge::to(server.endpoint()).spawn();
        bridge.discover();
        let initialize = server.await_request(is_initialize);
        let params =
            json::lenient(initialize.members().expect("an object").raw("params").expect("params"));
        assert_eq!(params["protocolVersion"], "2025-11-25");
        bridge.modern_call_works("2");
        bridge.finish();
    }
}

#[test]
fn t64_a_refusal_that_lists_nothing_of_ours_is_a_failure_that_names_both_lists() {
    let server = modern_refusing(400, r#"["2099-01-01"]"#);
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    let error = bridge.error_of("1", discover());
    let text = error.to_string();
    assert!(text.contains("2099-01-01") && text.contains(VERSION), "{error}");
    assert_eq!(count(&server.heard(), "initialize"), 0, "{:?}", server.heard());
    bridge.end();

    let mut bridge = Bridge::to(server.endpoint()).arg("--startup-grace=5").spawn();
    bridge.send(json::initialize("\"hello\"", "2025-11-25"));
    let answer = bridge.answer_to("\"hello\"").to_string();
    assert!(answer.contains("2099-01-01") && answer.contains(VERSION), "{answer}");
    bridge.end();
}

/// A modern client is served by initialize after the probe got this answer.
#[track_caller]
fn is_taken_for_legacy(status: u16, kind: &'static str, body: &'static str) {
    let server = legacy_refusing(status, kind, body);
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    let answer = bridge.discover();
    assert_eq!(answer["result"]["supportedVersions"][0], VERSION, "{status} {body}: {answer}");
    bridge.modern_call_works("2");
    let initialized = server.count(is_initialize);
    assert!((1..=2).contains(&initialized), "{initialized} handshakes");
    let probes = server.count(|request| request.header("mcp-method").is_some());
    assert!((1..=2).contains(&probes), "{status} {body}: {probes} modern requests");
    bridge.finish();
}

#[test]
fn t65_mh_50_a_refusal_without_a_modern_code_leads_to_initialize() {
    let error = |code| match code {
        -32000 => {
            r#"{"jsonrpc":"2.0","id":{id},"error":{"code":-32000,"message":"Bad Request: Server not initialized"}}"#
        }
        -32001 => {
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}"#
        }
        _ => {
            r#"{"jsonrpc":"2.0","id":{id},"error":{"code":-32602,"message":"Invalid request parameters"}}"#
        }
    };
    is_taken_for_legacy(400, JSON, error(-32000));
    is_taken_for_legacy(400, JSON, error(-32001));
    is_taken_for_legacy(400, JSON, error(-32602));
    is_taken_for_legacy(404, JSON, error(-32001));
    is_taken_for_legacy(400, "text/html", "<html>Bad request</html>");
    is_taken_for_legacy(400, "text/plain", "");
    is_taken_for_legacy(404, "text/plain", "Not found");
}

#[test]
fn t65_an_unknown_method_with_a_success_status_leads_to_initialize() {
    const UNKNOWN: &str =
        r#"{"jsonrpc":"2.0","id":{id},"error":{"code":-32601,"message":"Method not found"}}"#;
    is_taken_for_legacy(200, JSON, UNKNOWN);
    is_taken_for_legacy(200, JSON, r#"{"jsonrpc":"2.0","id":{id},"result":{"tools":[]}}"#);
}

#[test]
fn t65_a_404_for_server_discover_alone_is_settled_by_the_next_modern_request() {
    let server = Modern::start();
    server.on("server/discover", |call| call.refuse(404, -32601, "Method not found"));
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.send(discover());
    bridge.answer_to("1");
    bridge.modern_call_works("2");
    assert_eq!(count(&server.heard(), "initialize"), 0, "{:?}", server.heard());
    bridge.close_stdin();
}

#[test]
fn t65_a_server_that_has_http_sse_alone_is_found_by_a_modern_client() {
    let server = Server::start(Face::Sse);
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.discover();
    bridge.modern_call_works("2");
    bridge.finish();
}

/// A probe that is answered so never leads to `initialize`, and fails with this code.
#[track_caller]
fn proves_nothing(status: u16, code: i64) {
    for legacy_client in [false, true] {
        let server = Modern::start();
        server.rule(move |request, exchange| {
            let probe = request.is_rpc("server/discover");
            if probe {
                exchange.reply(status, &[("content-type", "text/plain")], "no");
            }
            probe
        });
        let mut bridge = Bridge::to(server.endpoint()).arg("--startup-grace=10").spawn();
        if legacy_client {
            bridge.send(json::initialize("1", "2025-11-25"));
            let answer = bridge.answer_to("1");
            assert!(answer.to_string().contains(&status.to_string()), "{answer}");
        } else {
            bridge.send(discover());
            bridge.refusal("1", code, &[&status.to_string()]);
            assert_eq!(count(&server.heard(), "initialize"), 0, "{:?}", server.heard());
        }
        assert!(count(&server.heard(), "server/discover") <= 12, "{:?}", server.heard());
        let is_get = |request: &Request| request.method == "GET";
        let is_known = |request: &Request| request.path.starts_with("/.well-known/");
        assert_eq!(server.count(|request| is_get(request) && !is_known(request)), 0);
        bridge.close_stdin();
    }
}

#[test]
fn t66_a_401_is_no_evidence_of_an_era() {
    proves_nothing(401, -31002);
}

#[test]
fn t66_a_403_is_no_evidence_of_an_era() {
    proves_nothing(403, -31002);
}

#[test]
fn t66_a_500_is_no_evidence_of_an_era() {
    proves_nothing(500, -31003);
}

#[test]
fn t66_silence_is_no_evidence_of_an_era() {
    let server = Modern::start();
    server.on("server/discover", |call| call.await_gone());
    let mut bridge = Bridge::to(server.endpoint()).arg("--headers-timeout=0.5").spawn();
    let error = bridge.error_of("1", discover());
    assert_eq!(error["data"]["origin"], "bridge", "{error}");
    assert_eq!(count(&server.heard(), "initialize"), 0, "{:?}", server.heard());
    bridge.end();
}

#[test]
fn t66_a_connection_that_breaks_is_no_evidence_of_an_era() {
    let server = Modern::start();
    let left = Arc::new(AtomicUsize::new(1));
    server.on("server/discover", move |call| {
        match left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => call.http().reset(),
            Err(_) => call.behave(),
        }
    });
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.discover();
    bridge.modern_call_works("2");
    assert_eq!(server.heard(), ["server/discover", "server/discover", "tools/call"]);
    bridge.end();
}
