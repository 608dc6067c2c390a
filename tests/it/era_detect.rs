//! Which era a remote is of, what proves it, what proves nothing, and what is remembered.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};

use crate::support::{
    bridge::{Bridge, Setup},
    http::Request,
    json,
    modern::{Modern, VERSION, client, strict::unsupported_version},
    server::{Face, Server},
};

const JSON: &str = "application/json";

fn discover() -> String {
    client::request("1", "server/discover", "")
}

fn is_initialize(request: &Request) -> bool {
    request.is_rpc("initialize")
}

fn count(heard: &[String], method: &str) -> usize {
    heard.iter().filter(|name| *name == method).count()
}

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

// What is remembered.

fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let inside = |entry: fs::DirEntry| match entry.path() {
        path if path.is_dir() => files_below(&path),
        path => vec![path],
    };
    entries.flat_map(inside).collect()
}

/// One healthy run of a client of either era; what the remote heard of it.
fn run(server: &Modern, home: &Path, legacy: bool) -> Vec<String> {
    let before = server.requests().len();
    let mut bridge = Bridge::to(server.endpoint()).home(home).spawn();
    if legacy {
        bridge.handshake("2025-11-25");
        bridge.call_works("1");
    } else {
        bridge.modern_call_works("1");
    }
    bridge.close_stdin();
    bridge.rest();
    server.heard()[before..].to_vec()
}

#[test]
fn t67_a_server_that_became_modern_is_found_out_by_its_refusal() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let server = Modern::start();
    server.only_legacy();
    let heard = run(&server, home.path(), true);
    assert_eq!(heard[0], "initialize", "{heard:?}");
    server.only_modern();
    server.rule(|request, exchange| {
        let old = is_initialize(request);
        if old {
            let body = json::error("null", -32020, "Mcp-Method is missing");
            exchange.reply(400, &[("content-type", JSON)], body);
        }
        old
    });
    let heard = run(&server, home.path(), true);
    assert_eq!(heard[..2], ["initialize", "server/discover"], "{heard:?}");
    assert_eq!(count(&heard, "tools/call"), 1, "{heard:?}");
}

#[test]
fn t67_a_modern_client_of_a_server_that_was_legacy_finds_out_too() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let server = Modern::start();
    server.only_legacy();
    run(&server, home.path(), false);
    server.only_modern();
    let heard = run(&server, home.path(), false);
    assert_eq!(count(&heard, "tools/call"), 1, "executed once: {heard:?}");
    server.only_legacy();
    let heard = run(&server, home.path(), false);
    assert_eq!(server.legacy().executions("works"), 2, "and back again: {heard:?}");
}

#[test]
fn mh_51_a_verdict_is_remembered_for_the_endpoint() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let server = Modern::start();
    let first = run(&server, home.path(), true);
    assert_eq!(first[..2], ["initialize", "server/discover"], "{first:?}");
    let second = run(&server, home.path(), true);
    assert_eq!(count(&second, "initialize"), 0, "it is known to be modern: {second:?}");

    let legacy = Modern::start();
    legacy.only_legacy();
    let first = run(&legacy, home.path(), false);
    assert_eq!(first[..2], ["tools/call", "initialize"], "{first:?}");
    let second = run(&legacy, home.path(), false);
    assert_eq!(second[0], "initialize", "it is known to be legacy: {second:?}");
    for file in files_below(&home.path().join("state")) {
        let text = format!(
            "{} {}",
            file.display(),
            String::from_utf8_lossy(&fs::read(&file).expect("readable"))
        );
        assert!(!text.contains(&server.listener().addr.to_string()), "no URL in the store: {text}");
    }
}

#[test]
fn mh_51_a_verdict_is_remembered_for_one_credential_alone() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let server = Modern::start();
    let with = |key: &str| -> Setup {
        Bridge::to(server.endpoint()).home(home.path()).arg(format!("--header=x-api-key: {key}"))
    };
    for (key, known) in [("a", false), ("a", true), ("b", false)] {
        let before = server.requests().len();
        let mut bridge = with(key).spawn();
        bridge.handshake("2025-11-25");
        bridge.call_works("1");
        bridge.close_stdin();
        bridge.rest();
        let heard = server.heard()[before..].to_vec();
        assert_eq!(count(&heard, "initialize") == 0, known, "{key}: {heard:?}");
    }
}

/// Makes a file of the store, and the time it holds in milliseconds, more than a day older.
fn age(file: &Path) {
    const DAY: u64 = 25 * 3600 * 1000;
    let text = fs::read_to_string(file).expect("text");
    if let Some((name, Ok(at))) =
        text.trim().rsplit_once(' ').map(|(name, at)| (name, at.parse::<u64>()))
    {
        fs::write(file, format!("{name} {}\n", at - DAY)).expect("our own file");
    }
    let opened = fs::File::options().write(true).open(file).expect("our own file");
    opened.set_modified(SystemTime::now() - Duration::from_millis(DAY)).expect("our own file");
}

#[test]
fn mh_52_a_legacy_verdict_lasts_a_day_and_a_modern_one_for_good() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let server = Modern::start();
    server.only_legacy();
    run(&server, home.path(), false);
    let files = files_below(&home.path().join("state"));
    assert!(!files.is_empty(), "something is remembered");
    files.iter().for_each(|file| age(file));
    let heard = run(&server, home.path(), false);
    assert_eq!(heard[0], "tools/call", "asked again as a modern server: {heard:?}");

    let home = tempfile::tempdir().expect("a temporary directory");
    server.only_modern();
    run(&server, home.path(), true);
    files_below(&home.path().join("state")).iter().for_each(|file| age(file));
    let heard = run(&server, home.path(), true);
    assert_eq!(count(&heard, "initialize"), 0, "still known to be modern: {heard:?}");
}

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

// `--protocol`.

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
