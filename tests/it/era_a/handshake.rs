//! The handshake of a legacy client with a modern remote, and what it stands for later: capabilities,
//! log levels, and what never goes up.

use serde_json::json;

use super::{
    assert_has_no_modern_members, bridge_to, connected, handshake_as, is_call, meta, params_of,
};
use crate::support::{
    json,
    modern::{DISCOVER, Modern},
};

#[test]
fn t70_initialize_is_answered_in_a_legacy_version_and_in_legacy_words() {
    for (asked, answered) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2030-01-01", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("2024-10-07", "2025-11-25"),
    ] {
        let server = Modern::start();
        let mut bridge = connected(&server, asked);
        bridge.call_works("1");
        bridge.finish();
        let mut bridge = bridge_to(&server);
        let result = handshake_as(&mut bridge, asked, "{}");
        assert_eq!(result["protocolVersion"], answered, "{asked}: {result}");
        assert_eq!(result["serverInfo"]["name"], "modern", "{result}");
        assert_eq!(result["instructions"], "Be kind.", "{result}");
        assert_eq!(result["capabilities"]["tools"]["listChanged"], true, "{result}");
        let completions = result["capabilities"].get("completions").is_some();
        assert_eq!(completions, answered != "2024-11-05", "{asked}: {result}");
        assert_has_no_modern_members(&result);
        assert_eq!(result.get("supportedVersions"), None, "{result}");
        server.is_content();
        bridge.finish();
    }
}

#[test]
fn t70_a_server_that_says_nothing_of_itself_still_has_a_name_and_offers_no_tasks() {
    let server = Modern::start();
    server.discover(r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{},"extensions":{"io.modelcontextprotocol/tasks":{},"x/ui":{"v":1.0}},"experimental":{"e":{}}},"ttlMs":0,"cacheScope":"private"}"#);
    let mut bridge = bridge_to(&server);
    let result = handshake_as(&mut bridge, "2025-11-25", "{}");
    assert!(result["serverInfo"]["name"].is_string(), "{result}");
    assert!(result["serverInfo"]["version"].is_string(), "{result}");
    let extensions = &result["capabilities"]["extensions"];
    assert_eq!(extensions.get("io.modelcontextprotocol/tasks"), None, "{result}");
    assert_eq!(extensions["x/ui"], json!({"v": 1.0}), "{result}");
    assert_eq!(result["capabilities"]["experimental"], json!({"e": {}}), "{result}");
    assert_eq!(result["capabilities"].get("tasks"), None, "{result}");
    bridge.finish();
}

#[test]
fn t70_a_server_info_at_the_top_is_found_too() {
    let server = Modern::start();
    let meta = r#""_meta":{"io.modelcontextprotocol/serverInfo":{"name":"modern","version":"2"}}"#;
    server.discover(&DISCOVER.replace(meta, r#""serverInfo":{"name":"top","version":"4"}"#));
    let mut bridge = bridge_to(&server);
    let result = handshake_as(&mut bridge, "2025-11-25", "{}");
    assert_eq!(result["serverInfo"], json!({"name": "top", "version": "4"}), "{result}");
    bridge.finish();
}

#[test]
fn t71_every_request_carries_the_clients_capabilities_as_the_modern_words_for_them() {
    let all = r#"{"roots":{"listChanged":true},"sampling":{},"elicitation":{"form":{},"url":{}},"tasks":{"list":{}},"experimental":{"e":{"v":1}}}"#;
    for (version, capabilities, expected) in [
        (
            "2025-11-25",
            r#"{"roots":{"listChanged":true},"elicitation":{"form":{}}}"#,
            json!({"roots": {}, "elicitation": {"form": {}}}),
        ),
        (
            "2025-06-18",
            r#"{"roots":{"listChanged":true},"elicitation":{}}"#,
            json!({"roots": {}, "elicitation": {}}),
        ),
        (
            "2025-03-26",
            r#"{"roots":{},"sampling":{},"elicitation":{}}"#,
            json!({"roots": {}, "sampling": {}}),
        ),
        (
            "2025-11-25",
            all,
            json!({"roots": {}, "sampling": {}, "elicitation": {"form": {}, "url": {}}, "experimental": {"e": {"v": 1}}}),
        ),
        ("2025-11-25", "{}", json!({})),
    ] {
        let server = Modern::start();
        let mut bridge = bridge_to(&server);
        handshake_as(&mut bridge, version, capabilities);
        bridge.call_works("1");
        bridge.result_of("2", json::request("2", "tools/list", r#"{"_meta":{"x/vendor":1.0}}"#));
        bridge.result_of("3", "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"prompts/list\"}");
        for method in ["tools/call", "tools/list", "prompts/list"] {
            let params = params_of(&server.await_request(|request| request.is_rpc(method)));
            let mut capabilities = meta(&params, "clientCapabilities").clone();
            if method == "tools/call" {
                // Tasks may be declared where the bridge drives them itself (XA-61).
                capabilities.as_object_mut().expect("an object").remove("extensions");
            }
            assert_eq!(capabilities, expected, "{method} {version}");
            assert_eq!(*meta(&params, "clientInfo"), json!({"name": "old-client", "version": "3"}));
            assert_eq!(*meta(&params, "protocolVersion"), "2026-07-28");
            assert!(meta(&params, "logLevel").is_null(), "no level was asked for: {params}");
        }
        let listed = server.await_request(|request| request.is_rpc("tools/list"));
        assert!(String::from_utf8_lossy(&listed.body).contains(r#""x/vendor":1.0"#));
        server.is_content();
        bridge.finish();
    }
}

#[test]
fn t72_ping_and_set_level_are_answered_here_and_the_level_rides_on_later_requests() {
    let server = Modern::start();
    server.on("tools/call", |call| {
        call.executed();
        call.sse().log("warning", "careful").finish(r#"{"resultType":"complete","content":[]}"#);
    });
    let mut bridge = connected(&server, "2025-11-25");
    bridge.result_of("0", json::request("0", "prompts/list", "{}"));
    let before = server.count(|request| !request.is_rpc("subscriptions/listen"));
    assert_eq!(bridge.result_of("1", json::request("1", "ping", "{}")), json!({}));
    let level = json::request("2", "logging/setLevel", r#"{"level":"warning"}"#);
    assert_eq!(bridge.result_of("2", level), json!({}));
    let bad = json::request("3", "logging/setLevel", r#"{"level":"loud"}"#);
    assert_eq!(bridge.error_of("3", bad)["code"], -32602);
    assert_eq!(server.count(|request| !request.is_rpc("subscriptions/listen")), before);
    bridge.call("4", "m");
    assert_eq!(bridge.incoming("notifications/message")["params"]["data"], "careful");
    bridge.answer_to("4");
    let params = params_of(&server.await_request(is_call));
    assert_eq!(*meta(&params, "logLevel"), "warning", "{params}");
    server.is_content();
    bridge.finish();
}

#[test]
fn t72_set_level_of_a_server_without_logging_is_an_unknown_method() {
    let server = Modern::start();
    server.discover(&DISCOVER.replace(r#""logging":{},"#, ""));
    let mut bridge = connected(&server, "2025-11-25");
    let level = json::request("1", "logging/setLevel", r#"{"level":"warning"}"#);
    assert_eq!(bridge.error_of("1", level)["code"], -32601);
    server.is_content();
    bridge.finish();
}

#[test]
fn what_modern_servers_do_not_know_never_goes_up() {
    let server = Modern::start();
    let mut bridge = connected(&server, "2025-11-25");
    bridge.send(json::notification("notifications/roots/list_changed", "{}"));
    bridge
        .send(json::notification("notifications/progress", r#"{"progressToken":1,"progress":1}"#));
    for method in ["tasks/get", "tasks/result", "tasks/list", "tasks/cancel"] {
        let error = bridge.error_of("1", json::request("1", method, r#"{"taskId":"t"}"#));
        assert_eq!(error["code"], -32601, "{method}: {error}");
    }
    let call = r#"{"name":"echo","arguments":{"marker":"m"},"task":{"ttl":5},"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"t"}}}"#;
    bridge.result_of("2", json::request("2", "tools/call", call));
    let params = params_of(&server.await_request(is_call));
    assert_eq!(params.get("task"), None, "{params}");
    assert!(meta(&params, "related-task").is_null(), "{params}");
    let known = ["initialize", "server/discover", "tools/call", "subscriptions/listen"];
    for method in server.heard() {
        assert!(known.contains(&method.as_str()), "{method} went up");
    }
    server.is_content();
    bridge.finish();
}
