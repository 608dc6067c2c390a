//! Input rounds are requests to the client, and their answers are retries.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::{Value, json};

use super::{
    FORM, assert_has_no_modern_members, bridge_to, connected, handshake_as, is_call, params_of,
};
use crate::support::{
    json::{self, value},
    modern::{Modern, text_result},
};

const SAMPLE: &str = r#"{"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":{"type":"text","text":"hi"}}],"maxTokens":5}}"#;

/// A tool that asks for these inputs (JSON) with this state once, and then tells what it was told.
fn asking(server: &Modern, method: &str, inputs: &'static str, state: Option<&'static str>) {
    server.on(method, move |call| {
        if call.method == "tools/call" {
            call.executed();
        }
        if call.responses().is_null() {
            return call.ask(Some(inputs), state);
        }
        let told = Value::from(call.responses().to_string());
        call.answer(&text_result(&told));
    });
}

#[test]
fn t75_two_questions_and_a_state_are_two_requests_and_one_retry() {
    let server = Modern::start();
    const STATE: &str = "öpaque \"state\" \\ \u{1f600} \u{7}";
    let inputs = r#"{"who":{"method":"elicitation/create","params":{"mode":"form","message":"Name?","requestedSchema":{"type":"object","properties":{"n":{"type":"string"}},"required":["n"]}}},"dirs":{"method":"roots/list"}}"#;
    asking(&server, "tools/call", inputs, Some(STATE));
    let mut bridge = connected(&server, "2025-11-25");
    bridge.send(json::request(
        "7",
        "tools/call",
        r#"{"name":"echo","arguments":{"marker":"m","v":1.0},"_meta":{"progressToken":"p"}}"#,
    ));
    let who = bridge.incoming("elicitation/create");
    let dirs = bridge.incoming("roots/list");
    assert_eq!(who["params"]["message"], "Name?", "{who}");
    assert_eq!(who["params"]["requestedSchema"]["required"], json!(["n"]), "{who}");
    assert_ne!(who["id"], dirs["id"]);
    bridge.send(json::result(
        &dirs["id"].to_string(),
        r#"{"roots":[{"uri":"file:///r"}],"_meta":{"x":1}}"#,
    ));
    bridge.send(json::result(
        &who["id"].to_string(),
        r#"{"action":"accept","content":{"n":"Ada"},"_meta":{"x":1}}"#,
    ));
    let answer = bridge.answer_to("7");
    let told: Value =
        serde_json::from_str(answer["result"]["content"][0]["text"].as_str().expect("text"))
            .expect("JSON");
    assert_eq!(
        told,
        json!({"who": {"action": "accept", "content": {"n": "Ada"}}, "dirs": {"roots": [{"uri": "file:///r"}]}})
    );
    assert_has_no_modern_members(&answer["result"]);
    let (first, retry) = (server.await_nth(1, is_call), server.await_nth(2, is_call));
    assert_eq!(server.count(is_call), 2);
    assert_ne!(first.rpc_id(), retry.rpc_id());
    let params = params_of(&retry);
    assert_eq!(params["requestState"], STATE);
    assert_eq!(params["arguments"], params_of(&first)["arguments"]);
    assert_eq!(params["name"], "echo");
    assert_eq!(params["_meta"]["progressToken"], "p");
    assert!(
        String::from_utf8_lossy(&retry.body).contains(r#""v":1.0"#),
        "the arguments keep their bytes"
    );
    server.is_content();
    bridge.finish();
}

#[test]
fn t75_xa_14_prompts_and_resources_are_named_and_may_ask_too() {
    for (method, params) in
        [("prompts/get", r#"{"name":"greet"}"#), ("resources/read", r#"{"uri":"test://one"}"#)]
    {
        let server = Modern::start();
        asking(
            &server,
            method,
            r#"{"k":{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":5}}}"#,
            None,
        );
        let mut bridge = connected(&server, "2025-11-25");
        bridge.send(json::request("1", method, params));
        let question = bridge.incoming("sampling/createMessage");
        let sample = r#"{"role":"assistant","content":{"type":"text","text":"yes"},"model":"m","resultType":"complete"}"#;
        bridge.send(json::result(&question["id"].to_string(), sample));
        let answer = bridge.answer_to("1");
        let told = answer["result"]["content"][0]["text"].as_str().unwrap_or_default();
        assert!(told.contains("\"yes\"") && !told.contains("resultType"), "{answer}");
        let retry = params_of(&server.await_nth(2, |request| request.is_rpc(method)));
        assert_eq!(retry.get("requestState"), None, "none was given: {retry}");
        server.is_content();
        bridge.finish();
    }
}

#[test]
fn t75_a_state_is_echoed_byte_for_byte_however_it_is_spelled() {
    let server = Modern::start();
    server.on("tools/call", |call| {
        if !call.params["requestState"].is_null() {
            return call.behave();
        }
        let spelled = r#"{"resultType":"input_required","requestState":"\u0061\/b\ud83d\ude00é"}"#;
        call.answer(spelled);
    });
    let mut bridge = connected(&server, "2025-11-25");
    bridge.call_works("1");
    let retry = server.await_nth(2, is_call);
    let members = retry.members().expect("an object");
    let params = json::Members::of(members.raw("params").expect("params").as_bytes());
    assert_eq!(params.expect("an object").text("requestState").as_deref(), Some("a/b😀é"));
    bridge.finish();
}

#[test]
fn t76_a_round_without_a_state_forgets_the_one_before() {
    let server = Modern::start();
    let round = Arc::<AtomicUsize>::default();
    server.on("tools/call", move |call| match round.fetch_add(1, Ordering::SeqCst) {
        0 => call.ask(Some(&format!(r#"{{"a":{FORM}}}"#)), Some("first")),
        1 => call.ask(Some(&format!(r#"{{"b":{FORM}}}"#)), None),
        _ => call.behave(),
    });
    let mut bridge = connected(&server, "2025-11-25");
    bridge.call("1", "works");
    for _ in 0..2 {
        let question = bridge.incoming("elicitation/create");
        bridge.send(json::result(&question["id"].to_string(), r#"{"action":"decline"}"#));
    }
    assert_eq!(bridge.answer_to("1")["result"]["content"][0]["text"], "works");
    let retries = [server.await_nth(2, is_call), server.await_nth(3, is_call)];
    let [first, second] = retries.map(|request| params_of(&request));
    assert_eq!(first["requestState"], "first");
    assert_eq!(second.get("requestState"), None, "{second}");
    assert_eq!(first["inputResponses"], json!({"a": {"action": "decline"}}));
    assert_eq!(
        second["inputResponses"],
        json!({"b": {"action": "decline"}}),
        "answers are per round"
    );
    let ids: BTreeSet<_> = (1..=3).map(|n| server.await_nth(n, is_call).rpc_id()).collect();
    assert_eq!(ids.len(), 3, "each request has an id of its own");
    bridge.finish();
}

#[test]
fn t77_a_refused_sampling_ends_the_request_without_a_retry() {
    for method in ["tools/call", "prompts/get", "resources/read"] {
        let server = Modern::start();
        let inputs = format!(r#"{{"s":{SAMPLE},"e":{FORM}}}"#);
        asking(&server, method, Box::leak(inputs.into_boxed_str()), Some("s"));
        let mut bridge = connected(&server, "2025-11-25");
        bridge.send(json::request(
            "1",
            method,
            r#"{"name":"echo","uri":"test://one","arguments":{}}"#,
        ));
        let sibling = bridge.incoming("elicitation/create");
        let question = bridge.incoming("sampling/createMessage");
        bridge.send(json::error(&question["id"].to_string(), -1, "User rejected sampling"));
        let answer = bridge.answer_to("1");
        if method == "tools/call" {
            assert_eq!(answer["result"]["isError"], true, "{answer}");
            let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_default();
            assert!(text.contains("User rejected sampling"), "{answer}");
        } else {
            assert_eq!(answer["error"]["code"], -1, "{answer}");
            assert!(
                answer["error"]["message"].as_str().unwrap_or_default().contains("User rejected")
            );
        }
        let cancelled = bridge.incoming("notifications/cancelled");
        assert_eq!(cancelled["params"]["requestId"], sibling["id"], "the other question is void");
        assert_eq!(server.count(|request| request.is_rpc(method)), 1, "no retry");
        server.is_content();
        bridge.end();
    }
}

#[test]
fn t77_an_elicitation_that_fails_is_a_cancelled_one_for_the_server() {
    let server = Modern::start();
    asking(
        &server,
        "tools/call",
        r#"{"who":{"method":"elicitation/create","params":{"mode":"form","message":"?","requestedSchema":{"type":"object","properties":{}}}}}"#,
        None,
    );
    let mut bridge = connected(&server, "2025-11-25");
    bridge.call("1", "m");
    let question = bridge.incoming("elicitation/create");
    bridge.send(json::error(&question["id"].to_string(), -32603, "no window"));
    bridge.answer_to("1");
    let retry = params_of(&server.await_nth(2, is_call));
    assert_eq!(retry["inputResponses"], json!({"who": {"action": "cancel"}}), "{retry}");
    bridge.end();
}

#[test]
fn t78_a_call_cancelled_while_its_question_is_open_takes_the_question_back() {
    let server = Modern::start();
    server.on("tools/call", |call| match call.marker().as_str() {
        "works" => call.behave(),
        _ => call.ask(Some(&format!(r#"{{"who":{FORM}}}"#)), Some("s")),
    });
    let mut bridge = connected(&server, "2025-11-25");
    bridge.call("1", "asks");
    let question = bridge.incoming("elicitation/create");
    bridge.send(json::notification("notifications/cancelled", r#"{"requestId":1,"reason":"r"}"#));
    let cancelled = bridge.incoming("notifications/cancelled");
    assert_eq!(cancelled["params"]["requestId"], question["id"], "{cancelled}");
    // The user's late answer is nobody's.
    bridge.send(json::result(
        &question["id"].to_string(),
        r#"{"action":"accept","content":{"n":"x"}}"#,
    ));
    bridge.call_works("2");
    assert_eq!(server.count(is_call), 2, "no retry");
    server.is_content();
    bridge.close_stdin();
    assert!(!bridge.rest().iter().any(|line| value(line)["id"] == 1), "no answer");
}

/// An input request that the server may not make fails the call, and nobody is asked.
fn is_a_wrong_question(method: &str, answer: &'static str) {
    let server = Modern::start();
    server.on(method, move |call| call.answer(answer));
    let mut bridge = bridge_to(&server);
    handshake_as(&mut bridge, "2025-06-18", "{}");
    let params = r#"{"name":"echo","uri":"test://one","arguments":{}}"#;
    bridge.send(json::request("1", method, params));
    bridge.refusal("1", -31003, &[]);
    assert_eq!(server.count(|request| request.is_rpc(method)), 1, "{answer}");
    bridge.close_stdin();
    for line in bridge.rest() {
        let line = value(&line);
        assert!(line.get("id").is_none() || line.get("method").is_none(), "asked: {line}");
    }
}

#[test]
fn questions_that_a_server_may_not_ask_fail_the_request() {
    is_a_wrong_question(
        "tools/call",
        r#"{"resultType":"input_required","inputRequests":{"a":{"method":"elicitation/create","params":{"message":"?"}}}}"#,
    );
    is_a_wrong_question(
        "tools/call",
        r#"{"resultType":"input_required","inputRequests":{"a":{"method":"tools/call","params":{}}}}"#,
    );
    is_a_wrong_question("tools/call", r#"{"resultType":"input_required"}"#);
    is_a_wrong_question("tools/call", r#"{"resultType":"input_required","inputRequests":{}}"#);
    is_a_wrong_question("prompts/list", r#"{"resultType":"input_required","requestState":"s"}"#);
    is_a_wrong_question("prompts/get", r#"{"resultType":"task","taskId":"t","status":"working"}"#);
    is_a_wrong_question("tools/call", r#"{"resultType":"unheard-of"}"#);
}

#[test]
fn t82_a_url_elicitation_gets_an_id_and_the_bridge_leaves_the_url_alone() {
    let server = Modern::start();
    let url = server.url("/consent");
    let inputs = format!(
        r#"{{"u":{{"method":"elicitation/create","params":{{"mode":"url","message":"Open","url":"{url}"}}}}}}"#
    );
    asking(&server, "tools/call", Box::leak(inputs.into_boxed_str()), Some("s"));
    let mut bridge = bridge_to(&server);
    handshake_as(&mut bridge, "2025-11-25", r#"{"elicitation":{"form":{},"url":{}}}"#);
    bridge.call("1", "m");
    let question = bridge.incoming("elicitation/create");
    assert_eq!(question["params"]["url"], url, "{question}");
    assert_eq!(question["params"]["mode"], "url", "{question}");
    let id = question["params"]["elicitationId"].as_str().expect("an elicitation id");
    assert!(!id.is_empty());
    bridge.send(json::result(&question["id"].to_string(), r#"{"action":"accept"}"#));
    assert!(bridge.answer_to("1").get("result").is_some());
    let retry = params_of(&server.await_nth(2, is_call));
    assert_eq!(retry["inputResponses"], json!({"u": {"action": "accept"}}), "{retry}");
    assert_eq!(server.count(|request| request.path == "/consent"), 0);
    server.is_content();
    bridge.finish();
}

#[test]
fn a_form_for_a_client_of_2025_06_18_has_no_mode_and_old_enums() {
    let server = Modern::start();
    asking(
        &server,
        "tools/call",
        r#"{"e":{"method":"elicitation/create","params":{"mode":"form","message":"?","requestedSchema":{"type":"object","properties":{"c":{"type":"string","oneOf":[{"const":"r","title":"Red"},{"const":"g","title":"Green"}]}}}}}}"#,
        None,
    );
    let mut bridge = connected(&server, "2025-06-18");
    bridge.call("1", "m");
    let question = bridge.incoming("elicitation/create");
    assert_eq!(question["params"].get("mode"), None, "{question}");
    let choice = &question["params"]["requestedSchema"]["properties"]["c"];
    assert_eq!(
        (&choice["enum"], &choice["enumNames"]),
        (&json!(["r", "g"]), &json!(["Red", "Green"]))
    );
    bridge.send(json::result(
        &question["id"].to_string(),
        r#"{"action":"accept","content":{"c":"r"}}"#,
    ));
    assert!(bridge.answer_to("1").get("result").is_some());
    bridge.finish();
}
