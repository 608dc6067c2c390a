//! A legacy client and a modern remote (quadrant A).

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{
    bridge::Bridge,
    http::Request,
    json::{self, value},
    modern::{Call, DISCOVER, Modern, text_result},
    net::Gate,
};

fn bridge_to(server: &Modern) -> Bridge {
    Bridge::to(server.endpoint()).spawn()
}

fn connected(server: &Modern, version: &str) -> Bridge {
    let mut bridge = bridge_to(server);
    bridge.handshake(version);
    bridge
}

/// The handshake of a client with these capabilities (JSON); its result.
fn handshake_as(bridge: &mut Bridge, version: &str, capabilities: &str) -> Value {
    let params = format!(
        r#"{{"protocolVersion":"{version}","capabilities":{capabilities},"clientInfo":{{"name":"old-client","version":"3"}}}}"#
    );
    let result = bridge.result_of("\"hello\"", json::request("\"hello\"", "initialize", &params));
    bridge.send(json::notification("notifications/initialized", "{}"));
    result
}

fn params_of(request: &Request) -> Value {
    value(&request.body)["params"].take()
}

fn is_call(request: &Request) -> bool {
    request.is_rpc("tools/call")
}

fn meta<'a>(params: &'a Value, name: &str) -> &'a Value {
    &params["_meta"][format!("io.modelcontextprotocol/{name}")]
}

const FORM: &str = r#"{"method":"elicitation/create","params":{"mode":"form","message":"Name?","requestedSchema":{"type":"object","properties":{"n":{"type":"string"}},"required":["n"]}}}"#;
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

fn assert_has_no_modern_members(result: &Value) {
    for member in ["resultType", "ttlMs", "cacheScope"] {
        assert_eq!(result.get(member), None, "{member}: {result}");
    }
    assert!(meta(result, "serverInfo").is_null(), "{result}");
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

fn watches(uris: Value) -> impl Fn(&Value) -> bool {
    move |filter| filter["resourceSubscriptions"] == uris
}

fn subscribe(id: &str, uri: &str) -> String {
    json::request(id, "resources/subscribe", &format!(r#"{{"uri":"{uri}"}}"#))
}

#[test]
fn one_listen_asks_for_exactly_the_lists_that_were_promised() {
    let server = Modern::start();
    let mut bridge = connected(&server, "2025-11-25");
    let number = server.await_listen(|filter| filter["toolsListChanged"] == true);
    assert_eq!(server.filter(number)["promptsListChanged"], true);
    assert_eq!(server.filter(number)["resourcesListChanged"], true);
    for kind in ["tools", "prompts", "resources"] {
        let method = format!("notifications/{kind}/list_changed");
        server.notify(number, &method, "");
        let changed = bridge.incoming(&method);
        assert!(meta(&changed["params"], "subscriptionId").is_null(), "{changed}");
    }
    assert_eq!(server.listens(), 1);
    server.is_content();
    bridge.finish();

    let server = Modern::start();
    server.discover(
        &DISCOVER
            .replace(r#""prompts":{"listChanged":true},"#, "")
            .replace(r#""subscribe":true,"listChanged":true"#, ""),
    );
    let bridge = connected(&server, "2025-11-25");
    let number = server.await_listen(|_| true);
    assert_eq!(server.filter(number)["toolsListChanged"], true);
    for kind in ["promptsListChanged", "resourcesListChanged"] {
        assert_ne!(server.filter(number)[kind], true, "{}", server.filter(number));
    }
    bridge.finish();
}

#[test]
fn t73_xa_16_34_subscriptions_are_listens_each_acknowledged_before_the_one_before_is_left() {
    let server = Modern::start();
    let gate = Gate::new();
    let held = gate.clone();
    server.on("subscriptions/listen", move |call| {
        let both = call.params["notifications"]["resourceSubscriptions"]
            == json!(["test://a", "test://b"]);
        if both {
            held.wait();
        }
        call.behave();
    });
    let mut bridge = connected(&server, "2025-11-25");
    assert_eq!(bridge.result_of("1", subscribe("1", "test://a")), json!({}));
    let first = server.await_listen(watches(json!(["test://a"])));
    server.notify(first, "notifications/resources/updated", r#""uri":"test://a""#);
    let updated = bridge.incoming("notifications/resources/updated");
    assert_eq!(updated["params"], json!({"uri": "test://a"}), "{updated}");

    bridge.send(subscribe("2", "test://b"));
    server.await_nth(3, |request| request.is_rpc("subscriptions/listen"));
    // Not acknowledged yet: the client has no answer, and the old stream goes on.
    bridge.call_works("\"meanwhile\"");
    assert!(server.is_listening(first), "break before make");
    server.notify(first, "notifications/resources/updated", r#""uri":"test://a""#);
    gate.open();
    assert_eq!(bridge.answer_to("2")["result"], json!({}));
    assert_eq!(bridge.incoming("notifications/resources/updated")["params"]["uri"], "test://a");
    let second = server.await_listen(watches(json!(["test://a", "test://b"])));
    server.await_listen_left(first);

    let unsubscribe = json::request("3", "resources/unsubscribe", r#"{"uri":"test://a"}"#);
    assert_eq!(bridge.result_of("3", unsubscribe), json!({}));
    let third = server.await_listen(watches(json!(["test://b"])));
    server.await_listen_left(second);
    server.notify(third, "notifications/resources/updated", r#""uri":"test://b""#);
    assert_eq!(bridge.incoming("notifications/resources/updated")["params"]["uri"], "test://b");

    let unsubscribe = json::request("4", "resources/unsubscribe", r#"{"uri":"test://b"}"#);
    assert_eq!(bridge.result_of("4", unsubscribe), json!({}));
    server.await_listen_left(third);
    assert!(!server.heard().iter().any(|method| method.starts_with("resources/")));
    server.is_content();
    bridge.finish();
}

#[test]
fn t73_an_update_that_both_streams_bring_while_they_overlap_is_told_once() {
    let server = Modern::start();
    let mut bridge = connected(&server, "2025-11-25");
    bridge.result_of("1", subscribe("1", "test://a"));
    let first = server.await_listen(watches(json!(["test://a"])));
    let (acknowledged, go) = (Gate::new(), Gate::new());
    let (ready, wait) = (acknowledged.clone(), go.clone());
    server.on("subscriptions/listen", move |call| {
        ready.open();
        wait.wait();
        let id = call.id.clone();
        let tag = format!(r#""_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}"#);
        let honoured = format!(r#"{{"notifications":{},{tag}}}"#, call.params["notifications"]);
        let updated = |uri: &str| {
            json::notification(
                "notifications/resources/updated",
                &format!(r#"{{"uri":"{uri}",{tag}}}"#),
            )
        };
        call.sse();
        // All in one piece, so that nothing of the old stream comes between.
        let messages = [
            json::notification("notifications/subscriptions/acknowledged", &honoured),
            updated("test://a"),
            updated("test://b"),
        ];
        let events: Vec<u8> = messages
            .iter()
            .flat_map(|text| crate::support::http::event(None, text.as_bytes()))
            .collect();
        call.http().chunk(events);
        call.listen_on();
    });
    bridge.send(subscribe("2", "test://b"));
    acknowledged.wait();
    server.notify(first, "notifications/resources/updated", r#""uri":"test://a""#);
    go.open();
    bridge.answer_to("2");
    let updated: Vec<_> = (0..2)
        .map(|_| bridge.incoming("notifications/resources/updated")["params"]["uri"].take())
        .collect();
    assert!(updated.contains(&json!("test://a")), "{updated:?}");
    assert!(updated.contains(&json!("test://b")), "no duplicate of a: {updated:?}");
    bridge.end();
}

#[test]
fn t73_a_resource_that_is_not_honoured_is_a_wrong_request() {
    let server = Modern::start();
    server.honour(r#"{"resourceSubscriptions":[]}"#);
    let mut bridge = connected(&server, "2025-11-25");
    let error = bridge.error_of("1", subscribe("1", "test://no"));
    assert_eq!(error["code"], -32602, "{error}");
    assert_eq!(error["data"]["uri"], "test://no", "{error}");
    bridge.end();

    let server = Modern::start();
    server.discover(&DISCOVER.replace(r#""subscribe":true,"#, ""));
    let mut bridge = connected(&server, "2025-11-25");
    assert_eq!(bridge.error_of("1", subscribe("1", "test://a"))["code"], -32601);
    bridge.finish();
}

#[test]
fn t74_after_a_dropped_listen_each_promised_list_is_said_to_have_changed_once() {
    let server = Modern::start();
    let mut bridge = connected(&server, "2025-11-25");
    bridge.result_of("1", subscribe("1", "test://a"));
    let lists = server.await_listen(|filter| filter["toolsListChanged"] == true);
    let resources = server.await_listen(watches(json!(["test://a"])));
    let before = server.listens();
    server.cut_listen(lists);
    let again = server.await_listen_after(before, |filter| filter["toolsListChanged"] == true);
    let mut changed = BTreeSet::new();
    for _ in 0..3 {
        let line = value(&bridge.next_line());
        assert!(meta(&line["params"], "subscriptionId").is_null(), "{line}");
        assert!(changed.insert(line["method"].as_str().unwrap_or_default().to_owned()), "{line}");
    }
    assert_eq!(
        changed.iter().map(String::as_str).collect::<Vec<_>>(),
        [
            "notifications/prompts/list_changed",
            "notifications/resources/list_changed",
            "notifications/tools/list_changed"
        ]
    );
    server.notify(again, "notifications/tools/list_changed", "");
    assert_eq!(value(&bridge.next_line())["method"], "notifications/tools/list_changed");

    let before = server.listens();
    server.cut_listen(resources);
    server.await_listen_after(before, watches(json!(["test://a"])));
    let line = value(&bridge.next_line());
    assert_eq!(line["method"], "notifications/resources/updated", "{line}");
    assert_eq!(line["params"]["uri"], "test://a", "{line}");
    server.is_content();
    bridge.end();
}

#[test]
fn t74_a_listen_that_the_server_ends_is_opened_again_and_one_it_does_not_know_is_not() {
    let server = Modern::start();
    let mut bridge = connected(&server, "2025-11-25");
    let first = server.await_listen(|_| true);
    server.end_listen(first);
    server.await_listen_after(first + 1, |filter| filter["toolsListChanged"] == true);
    for kind in ["tools", "prompts", "resources"] {
        // What changed while nobody listened is not known.
        bridge.incoming(&format!("notifications/{kind}/list_changed"));
    }
    bridge.end();

    let server = Modern::start();
    server.on("subscriptions/listen", |call| call.refuse(404, -32601, "Method not found"));
    let mut bridge = connected(&server, "2025-11-25");
    bridge.call_works("1");
    let listens = |request: &Request| request.is_rpc("subscriptions/listen");
    server.await_request(listens);
    assert!(server.nth_within(2, Duration::from_millis(1500), listens).is_none());
    bridge.end();
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

#[test]
fn t79_rounds_without_questions_are_paced_and_end_with_the_call() {
    let server = Modern::start();
    server.on("tools/call", |call| match call.marker().as_str() {
        "works" => call.behave(),
        _ => call.ask(None, Some("again")),
    });
    let mut bridge = connected(&server, "2025-11-25");
    bridge.call("1", "m");
    let rounds: Vec<_> = (1..=4).map(|n| server.await_nth(n, is_call)).collect();
    for pair in rounds.windows(2) {
        let pause = pair[1].at - pair[0].at;
        assert!(pause >= Duration::from_millis(230), "only {pause:?} between two rounds");
        assert_eq!(params_of(&pair[1])["requestState"], "again");
        assert_eq!(params_of(&pair[1]).get("inputResponses"), None, "nothing was asked");
    }
    bridge.send(json::notification("notifications/cancelled", r#"{"requestId":1}"#));
    bridge.call_works("2");
    let before = server.count(is_call);
    assert!(server.nth_within(before + 1, Duration::from_secs(3), is_call).is_none(), "no more");
    server.is_content();
    bridge.finish();
}

#[test]
fn t79_rounds_that_ask_nothing_are_stopped_at_the_cap_too() {
    let server = Modern::start();
    server.on("tools/call", |call| call.ask(None, Some("again")));
    let mut bridge = connected(&server, "2025-11-25");
    bridge.call("1", "m");
    // The pauses grow, and take most of a minute together.
    let rounds: Vec<_> = (1..=10).map(|n| server.await_nth(n, is_call)).collect();
    for pair in rounds.windows(2) {
        assert!(pair[1].at - pair[0].at >= Duration::from_millis(230), "paced");
    }
    let answer = bridge.answer_to("1");
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    let sent = server.count(is_call);
    assert!((10..=12).contains(&sent), "{sent} rounds");
    server.is_content();
    bridge.finish();
}

#[test]
fn t79_a_round_that_nobody_answers_is_given_up() {
    let server = Modern::start();
    server.on("tools/call", |call| call.ask(Some(&format!(r#"{{"who":{FORM}}}"#)), Some("s")));
    let mut bridge = Bridge::to(server.endpoint()).arg("--input-timeout=0.7").spawn();
    bridge.handshake("2025-11-25");
    bridge.call("1", "m");
    let question = bridge.incoming("elicitation/create");
    let withdrawn = bridge.incoming("notifications/cancelled");
    assert_eq!(withdrawn["params"]["requestId"], question["id"]);
    assert_eq!(bridge.answer_to("1")["result"]["isError"], true);
    assert_eq!(server.count(is_call), 1, "no retry");
    bridge.finish();
}

#[test]
fn t79_rounds_without_end_are_stopped_at_the_cap() {
    for method in ["tools/call", "prompts/get", "resources/read"] {
        let server = Modern::start();
        server.on(method, |call| call.ask(Some(&format!(r#"{{"who":{FORM}}}"#)), Some("again")));
        let mut bridge = connected(&server, "2025-11-25");
        let params = r#"{"name":"echo","uri":"test://one","arguments":{}}"#;
        bridge.send(json::request("1", method, params));
        let answer = loop {
            let line = value(&bridge.next_line());
            if line["id"] == 1 {
                break line;
            }
            assert_eq!(line["method"], "elicitation/create", "{line}");
            bridge.send(json::result(&line["id"].to_string(), r#"{"action":"decline"}"#));
        };
        if method == "tools/call" {
            assert_eq!(answer["result"]["isError"], true, "{answer}");
            assert!(answer["result"]["content"][0]["text"].is_string(), "{answer}");
        } else {
            assert_eq!(answer["error"]["code"], -31006, "{answer}");
            assert_eq!(answer["error"]["data"]["origin"], "bridge", "{answer}");
        }
        let rounds = server.count(|request| request.is_rpc(method));
        assert!((3..=30).contains(&rounds), "{method}: {rounds} rounds");
        server.is_content();
        bridge.end();
    }
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

#[test]
fn progress_rises_across_rounds() {
    let server = Modern::start();
    let round = Arc::<AtomicUsize>::default();
    server.on("tools/call", move |call: &mut Call| {
        let first = round.fetch_add(1, Ordering::SeqCst) == 0;
        call.sse().progress(1);
        if first {
            call.progress(5);
            return call.finish(r#"{"resultType":"input_required","requestState":"s"}"#);
        }
        call.progress(5).progress(6).finish(r#"{"resultType":"complete","content":[]}"#);
    });
    let mut bridge = connected(&server, "2025-11-25");
    bridge.send(json::request(
        "1",
        "tools/call",
        r#"{"name":"echo","arguments":{},"_meta":{"progressToken":"t"}}"#,
    ));
    let mut seen = Vec::new();
    loop {
        let line = value(&bridge.next_line());
        if line["id"] == 1 {
            break;
        }
        assert_eq!(line["params"]["progressToken"], "t", "{line}");
        seen.push(line["params"]["progress"].as_u64().expect("progress"));
    }
    assert_eq!(seen, [1, 5, 6]);
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
