//! Results, tasks and errors in legacy words.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::{assert_has_no_modern_members, bridge_to, connected, handshake_as, meta, params_of};
use crate::support::{
    json::{self, value},
    modern::Modern,
    net::Gate,
};

#[test]
fn a_task_of_the_server_is_followed_to_its_end() {
    let server = Modern::start();
    const TASK: &str = r#""taskId":"t-1","createdAt":"2026-01-01T00:00:00Z","lastUpdatedAt":"2026-01-01T00:00:00Z","ttlMs":60000,"pollIntervalMs":20"#;
    server.on("tools/call", |call| {
        call.executed();
        let tasks = meta(&call.params, "clientCapabilities")["extensions"]
            .get("io.modelcontextprotocol/tasks")
            .is_some();
        // A server uses no task for a client that does not know of them.
        if !tasks {
            return call.echo();
        }
        call.answer(&format!(r#"{{"resultType":"task","status":"working",{TASK}}}"#));
    });
    let polls = AtomicUsize::new(0);
    server.on("tasks/get", move |call| {
        let result = if polls.fetch_add(1, Ordering::SeqCst) == 0 {
            r#""status":"working""#
        } else {
            r#""status":"completed","result":{"resultType":"complete","content":[{"type":"text","text":"works"}]}"#
        };
        call.answer(&format!(r#"{{"resultType":"complete",{TASK},{result}}}"#));
    });
    let mut bridge = connected(&server, "2025-11-25");
    bridge.call("1", "works");
    let answer = bridge.answer_to("1");
    assert_eq!(answer["result"]["content"][0]["text"], "works", "{answer}");
    assert_has_no_modern_members(&answer["result"]);
    assert_eq!(answer["result"].get("taskId"), None, "{answer}");
    assert_eq!(server.executions("works"), 1);
    server.is_content();
    bridge.finish();
}

#[test]
fn a_task_of_a_call_that_is_cancelled_is_cancelled_by_name() {
    let server = Modern::start();
    let polled = Gate::new();
    let open = polled.clone();
    server.on("tools/call", |call| {
        let tasks = meta(&call.params, "clientCapabilities")["extensions"].is_object();
        if !tasks || call.marker() == "works" {
            return call.behave();
        }
        call.answer(r#"{"resultType":"task","taskId":"t-1","status":"working","createdAt":"2026-01-01T00:00:00Z","lastUpdatedAt":"2026-01-01T00:00:00Z","ttlMs":null,"pollIntervalMs":20}"#);
    });
    server.on("tasks/get", move |call| {
        open.open();
        call.answer(r#"{"resultType":"complete","taskId":"t-1","status":"working","createdAt":"2026-01-01T00:00:00Z","lastUpdatedAt":"2026-01-01T00:00:00Z","ttlMs":null,"pollIntervalMs":20}"#);
    });
    server.on("tasks/cancel", |call| call.answer(r#"{"resultType":"complete"}"#));
    let mut bridge = connected(&server, "2025-11-25");
    bridge.call("1", "long");
    polled.wait();
    bridge.send(json::notification("notifications/cancelled", r#"{"requestId":1}"#));
    let cancel = server.await_request(|request| request.is_rpc("tasks/cancel"));
    assert_eq!(params_of(&cancel)["taskId"], "t-1");
    bridge.call_works("2");
    server.is_content();
    bridge.close_stdin();
    assert!(!bridge.rest().iter().any(|line| value(line)["id"] == 1));
}

#[test]
fn t80_an_output_schema_that_is_no_object_is_removed_and_its_content_becomes_text() {
    let server = Modern::start();
    server.tools(&[
        r#"{"name":"list","inputSchema":{"type":"object"},"outputSchema":{"type":"array","items":{"type":"integer"}}}"#,
        r#"{"name":"any","inputSchema":{"type":"object"},"outputSchema":{"oneOf":[{"type":"string"}]}}"#,
        r#"{"name":"object","inputSchema":{"type":"object","x-kept":1.0},"outputSchema":{"type":"object","properties":{"n":{"const":1.0}}}}"#,
    ]);
    server.on("tools/call", |call| match call.params["name"].as_str() {
        Some("list") => call.answer(r#"{"resultType":"complete","structuredContent":[1,2,3]}"#),
        Some("any") => call.answer(r#"{"resultType":"complete","content":[{"type":"text","text":"said"}],"structuredContent":"said","_meta":{"x/kept":1.0}}"#),
        _ => call.answer(r#"{"resultType":"complete","content":[],"structuredContent":{"n":1.0}}"#),
    });
    let mut bridge = connected(&server, "2025-11-25");
    let list = bridge.result_of("1", json::request("1", "tools/list", "{}"));
    assert_has_no_modern_members(&list);
    let schemas: Vec<_> = list["tools"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|tool| tool.get("outputSchema").cloned())
        .collect();
    assert_eq!(
        schemas,
        [None, None, Some(json!({"type": "object", "properties": {"n": {"const": 1.0}}}))]
    );
    let call = |name: &str| {
        json::request("2", "tools/call", &format!(r#"{{"name":"{name}","arguments":{{}}}}"#))
    };
    let result = bridge.result_of("2", call("list"));
    assert_eq!(result.get("structuredContent"), None, "{result}");
    let text = result["content"][0]["text"].as_str().expect("a text block");
    assert_eq!(json::lenient(text), json!([1, 2, 3]));
    let result = bridge.result_of("2", call("any"));
    assert_eq!(result.get("structuredContent"), None, "{result}");
    assert_eq!(result["content"].as_array().map(Vec::len), Some(1), "{result}");
    assert_eq!(result["_meta"]["x/kept"], 1.0, "{result}");
    let result = bridge.result_of("2", call("object"));
    assert_eq!(result["structuredContent"], json!({"n": 1.0}), "{result}");
    bridge.finish();
}

#[test]
fn t81_a_resource_that_is_not_there_has_the_legacy_code() {
    let server = Modern::start();
    server.on("resources/read", |call| match call.params["uri"].as_str() {
        Some("test://gone") => call.refuse_with(400, -32602, r#"{"uri":"test://gone","v":1.0}"#),
        _ => call.refuse(400, -32602, "Invalid params"),
    });
    let mut bridge = connected(&server, "2025-11-25");
    let read = |uri: &str| json::request("1", "resources/read", &format!(r#"{{"uri":"{uri}"}}"#));
    let error = bridge.error_of("1", read("test://gone"));
    assert_eq!((&error["code"], &error["data"]["uri"]), (&json!(-32002), &json!("test://gone")));
    assert_eq!(bridge.error_of("1", read("test://odd"))["code"], -32602);
    bridge.finish();
}

#[test]
fn a_missing_capability_says_so_in_words_and_keeps_its_code_and_data() {
    let server = Modern::start();
    server.on("tools/call", |call| {
        call.refuse_with(400, -32021, r#"{"requiredCapabilities":{"sampling":{}}}"#);
    });
    let mut bridge = bridge_to(&server);
    handshake_as(&mut bridge, "2025-11-25", "{}");
    let error = bridge.error_of("1", json::call("1", "m"));
    assert_eq!(error["code"], -32021, "{error}");
    assert_eq!(error["data"]["requiredCapabilities"], json!({"sampling": {}}), "{error}");
    assert!(error["message"].as_str().unwrap_or_default().len() > "refused".len(), "{error}");
    bridge.finish();
}

#[test]
fn a_result_keeps_what_is_not_of_the_other_era_byte_for_byte() {
    let server = Modern::start();
    server.on("tools/call", |call| {
        call.answer(r#"{"resultType":"complete", "content":[{"type":"text","text":"\u0061","x":[1e400,1.0]}],"structuredContent":{"n":12345678901234567890123,"n":0.10}, "_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"},"x/y":1.50}}"#);
    });
    let mut bridge = connected(&server, "2025-11-25");
    bridge.call("1", "m");
    let answer = String::from_utf8(bridge.answer_bytes("1")).expect("UTF-8");
    for kept in [
        r#"[{"type":"text","text":"\u0061","x":[1e400,1.0]}]"#,
        r#"{"n":12345678901234567890123,"n":0.10}"#,
        r#""x/y":1.50"#,
    ] {
        assert!(answer.contains(kept), "{kept} is missing in {answer}");
    }
    for gone in ["resultType", "serverInfo"] {
        assert!(!answer.contains(gone), "{gone} is in {answer}");
    }
    bridge.finish();
}
