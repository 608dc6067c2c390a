//! Results, errors, log messages and progress in modern words.

use super::{BOTH, SERVER_INFO, bridge_to, is, is_call, params_of};
use crate::support::{
    json::{self, value},
    modern::client::{self, FULL},
    net::Gate,
    server::{Face, Server},
};

#[test]
fn t91_every_result_is_complete_and_the_cacheable_ones_say_for_how_long() {
    for face in BOTH {
        let server = Server::start(face);
        server.on("prompts/get", |call| call.answer(r#"{"messages":[]}"#));
        server.on("tools/list", |call| {
            call.answer(r#"{"tools":[{"name":"echo","inputSchema":{"type":"object","x-mcp-header":"kept"},"execution":{"taskSupport":"optional"}}],"nextCursor":"","ttlMs":"soon","cacheScope":7}"#);
        });
        let mut bridge = bridge_to(face, &server);
        for (method, members, cacheable) in [
            ("tools/list", "", true),
            ("prompts/list", "", true),
            ("resources/list", "", true),
            ("resources/templates/list", "", true),
            ("resources/read", r#""uri":"test://one""#, true),
            ("tools/call", r#""name":"echo","arguments":{}"#, false),
            ("prompts/get", r#""name":"greet""#, false),
            (
                "completion/complete",
                r#""ref":{"type":"ref/prompt","name":"greet"},"argument":{"name":"a","value":""}"#,
                false,
            ),
        ] {
            let result = bridge.result_of("1", client::request("1", method, members));
            assert_eq!(result["resultType"], "complete", "{method}: {result}");
            assert_eq!(result["_meta"][SERVER_INFO]["name"], "scripted", "{method}: {result}");
            if cacheable {
                assert!(result["ttlMs"].is_u64(), "{method}: {result}");
                assert_eq!(result["cacheScope"], "private", "{method}: {result}");
            } else {
                assert_eq!(result.get("ttlMs"), None, "{method}: {result}");
            }
            let sent = params_of(&server.await_request(|request| is(request, method)));
            assert_eq!(sent.get("_meta"), None, "nothing is left of it: {sent}");
        }
        let list = bridge.result_of("2", client::request("2", "tools/list", ""));
        assert_eq!(list["tools"][0].get("execution"), None, "{list}");
        assert_eq!(list["tools"][0]["inputSchema"]["x-mcp-header"], "kept", "{list}");
        assert_eq!(list["nextCursor"], "", "{list}");
        bridge.result_of("3", client::request("3", "tools/list", r#""cursor":"""#));
        let asked = server.await_nth(3, |request| is(request, "tools/list"));
        assert_eq!(params_of(&asked)["cursor"], "");
        bridge.finish();
    }
}

#[test]
fn what_is_not_of_the_era_passes_byte_for_byte_both_ways() {
    for face in BOTH {
        let server = Server::start(face);
        const RESULT: &str = r#"{"content":[{"type":"text","text":"\u0061","x":[1e400,1.0]}], "structuredContent":{"n":12345678901234567890123,"n":0.10},"_meta":{"x/y":1.50}}"#;
        server.on("tools/call", |call| call.answer(RESULT));
        let mut bridge = bridge_to(face, &server);
        let arguments = r#""arguments":{"a":1e400,"a":1.0,"\u0062":[ 1 ]}"#;
        let members = format!(r#""name":"echo",{arguments}"#);
        let more = r#""x/vendor":1.50,"traceparent":"00-1-2-01""#;
        bridge.send(client::request_as("1", "tools/call", &members, FULL, more));
        let answer = String::from_utf8(bridge.answer_bytes("1")).expect("UTF-8");
        for kept in [
            r#"[{"type":"text","text":"\u0061","x":[1e400,1.0]}]"#,
            r#"{"n":12345678901234567890123,"n":0.10}"#,
            r#""x/y":1.50"#,
        ] {
            assert!(answer.contains(kept), "{face:?}: {kept} is missing in {answer}");
        }
        let sent = server.await_request(is_call);
        let sent = String::from_utf8_lossy(&sent.body).into_owned();
        for kept in [arguments, r#""x/vendor":1.50"#, r#""traceparent":"00-1-2-01""#] {
            assert!(sent.contains(kept), "{face:?}: {kept} is missing in {sent}");
        }
        assert!(!sent.contains("io.modelcontextprotocol/"), "{face:?}: {sent}");
        bridge.finish();
    }
}

#[test]
fn t92_a_legacy_result_is_complete_whatever_it_says() {
    for face in BOTH {
        let server = Server::start(face);
        server.on("tools/call", |call| {
            call.answer(r#"{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"}},"content":[]}"#);
        });
        let mut bridge = bridge_to(face, &server);
        let result = bridge.result_of("1", client::call("1", "m"));
        assert_eq!(result["resultType"], "complete", "{face:?}: {result}");
        bridge.finish();
    }
}

#[test]
fn t100_codes_that_mean_something_else_in_the_modern_era_are_replaced() {
    for face in BOTH {
        let server = Server::start(face);
        for (method, code) in [
            ("resources/read", -32002),
            ("x/private", -32022),
            ("x/url", -32042),
            ("x/plain", -32005),
            ("x/own", 17),
        ] {
            server.on(method, move |call| {
                let message = format!(
                    r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":{code},"message":"private","data":{{"v":1.0}}}}}}"#,
                    call.id()
                );
                call.message(message);
            });
        }
        let mut bridge = bridge_to(face, &server);
        // What a server says privately is not taken for proof of an era once it has shaken hands.
        bridge.modern_call_works("0");
        for (method, members, code) in [
            ("resources/read", r#""uri":"test://gone""#, -32602),
            ("x/private", "", -32603),
            ("x/url", "", -32603),
            ("x/plain", "", -32005),
            ("x/own", "", 17),
        ] {
            let error = bridge.error_of("1", client::request("1", method, members));
            assert_eq!(error["code"], code, "{face:?} {method}: {error}");
            let data = error["data"].to_string();
            if code == -32603 {
                assert!(data.contains("-320") && data.contains("1.0"), "the original: {error}");
            } else {
                assert_eq!(data, r#"{"v":1.0}"#, "{error}");
            }
        }
        bridge.finish();
    }
}

#[test]
fn t101_log_messages_come_only_to_who_asked_and_as_severe_as_asked() {
    for face in BOTH {
        let server = Server::start(face);
        let (log, end) = (Gate::new(), Gate::new());
        let gates = (log.clone(), end.clone());
        server.on("tools/call", move |call| {
            call.executed();
            let note = |level: &str| {
                let params =
                    format!(r#"{{"level":"{level}","data":"{level} of {}"}}"#, call.marker());
                json::notification("notifications/message", &params)
            };
            let (info, error) = (note("info"), note("error"));
            gates.0.wait();
            call.say(true, &info);
            call.say(false, &error);
            gates.1.wait();
            call.finish(r#"{"content":[]}"#);
        });
        let mut bridge = bridge_to(face, &server);
        let members =
            |marker: &str| format!(r#""name":"echo","arguments":{{"marker":"{marker}"}}"#);
        let level = r#""io.modelcontextprotocol/logLevel":"error""#;
        bridge.send(client::request_as("1", "tools/call", &members("asking"), FULL, level));
        server.await_execution("asking");
        let set = server.await_request(|request| request.is_rpc("logging/setLevel"));
        assert_eq!(params_of(&set)["level"], "error");
        assert!(set.ordinal < server.await_request(is_call).ordinal, "the level comes first");
        log.open();
        let line = value(&bridge.next_line());
        assert_eq!(line["params"]["data"], "error of asking", "{face:?}: {line}");
        end.open();
        assert_eq!(value(&bridge.next_line())["id"], 1);
        // Nobody asks any more.
        bridge.send(client::call("2", "silent"));
        assert_eq!(value(&bridge.next_line())["id"], 2, "{face:?}: no log message");
        bridge.finish();
    }
}

#[test]
fn progress_comes_under_the_clients_token() {
    for face in BOTH {
        let server = Server::start(face);
        server.on("tools/call", move |call| {
            call.executed();
            let token = call.params["_meta"]["progressToken"].to_string();
            let params = format!(r#"{{"progressToken":{token},"progress":1}}"#);
            call.say(true, &json::notification("notifications/progress", &params));
            call.finish(r#"{"content":[]}"#);
        });
        let mut bridge = bridge_to(face, &server);
        let members = r#""name":"echo","arguments":{}"#;
        bridge.send(client::request_as(
            "1",
            "tools/call",
            members,
            FULL,
            r#""progressToken":"mine""#,
        ));
        let line = value(&bridge.next_line());
        assert_eq!(line["params"]["progressToken"], "mine", "{face:?}: {line}");
        assert_eq!(value(&bridge.next_line())["id"], 1);
        bridge.finish();
    }
}

#[test]
fn a_tool_that_only_runs_as_a_task_is_run_as_one() {
    let server = Server::start(Face::Http);
    server.on("initialize", |call| {
        let session = [("mcp-session-id", "s-1"), ("content-type", "application/json")];
        let result = r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"tasks":{"requests":{"tools":{"call":{}}},"cancel":{}}},"serverInfo":{"name":"tasked","version":"1"}}"#;
        let body = json::result(&call.id(), result);
        call.http().reply(200, &session, body);
    });
    server.stateless();
    server.on("tools/list", |call| {
        call.answer(r#"{"tools":[{"name":"long","inputSchema":{"type":"object"},"execution":{"taskSupport":"required"}}]}"#);
    });
    server.on("tools/call", |call| {
        if call.params.get("task").is_none() {
            let error = json::error(&call.id(), -32601, "a task is needed");
            return call.message(error);
        }
        call.executed();
        call.answer(r#"{"task":{"taskId":"t-1","status":"working","ttl":60000,"pollInterval":20,"createdAt":"2026-01-01T00:00:00Z","lastUpdatedAt":"2026-01-01T00:00:00Z"}}"#);
    });
    let polls = std::sync::atomic::AtomicUsize::new(0);
    server.on("tasks/get", move |call| {
        let done = polls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) > 0;
        let status = if done { "completed" } else { "working" };
        call.answer(&format!(r#"{{"taskId":"t-1","status":"{status}","ttl":60000,"pollInterval":20,"createdAt":"2026-01-01T00:00:00Z","lastUpdatedAt":"2026-01-01T00:00:00Z"}}"#));
    });
    server.on("tasks/result", |call| {
        call.answer(r#"{"content":[{"type":"text","text":"after all"}],"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t-1"}}}"#);
    });
    let mut bridge = bridge_to(Face::Http, &server);
    bridge.discover();
    bridge.result_of("1", client::request("1", "tools/list", ""));
    let result = bridge.result_of("2", client::tool("2", "long", r#"{"marker":"task"}"#));
    assert_eq!(result["content"][0]["text"], "after all", "{result}");
    assert_eq!(result["resultType"], "complete", "{result}");
    assert_eq!(server.executions("task"), 1);
    bridge.close_stdin();
}
