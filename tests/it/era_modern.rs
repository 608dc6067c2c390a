//! A modern client and a modern remote: what is mirrored into headers, what closing means, and
//! what is never repeated.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};

use crate::support::{
    bridge::Bridge,
    http::Request,
    json::{self, value},
    modern::{
        Call, Modern, VERSION, client,
        strict::{decoded, unsupported_version},
    },
};

fn connected(server: &Modern) -> Bridge {
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.discover();
    bridge
}

fn posted(server: &Modern, method: &str) -> Arc<Request> {
    server.await_request(|request| request.is_rpc(method))
}

#[test]
fn t50_mh_2_8_every_request_carries_the_headers_of_2026_07_28_and_no_session() {
    let server = Modern::start();
    server.rule(|request, exchange| {
        // A session id in a response means nothing and is not to be repeated.
        let first = request.is_rpc("tools/list");
        if first {
            let id = request.rpc_id().expect("an id");
            let body = json::result(
                &id,
                r#"{"resultType":"complete","tools":[],"ttlMs":0,"cacheScope":"private"}"#,
            );
            exchange.reply(
                200,
                &[("content-type", "application/json"), ("mcp-session-id", "s1")],
                body,
            );
        }
        first
    });
    let mut bridge = connected(&server);
    bridge.result_of("1", client::request("1", "tools/list", ""));
    bridge.modern_call_works("2");
    bridge.error_of("3", client::request("3", "x/unknown", ""));
    bridge.finish();
    for request in server.requests() {
        let shown = request.dump();
        assert_eq!(request.method, "POST", "{shown}");
        let accept = request.header("accept").unwrap_or_default();
        assert!(accept.contains("application/json"), "{shown}");
        assert!(accept.contains("text/event-stream"), "{shown}");
        assert_eq!(request.header("content-type"), Some("application/json"), "{shown}");
        assert_eq!(request.header("mcp-protocol-version"), Some(VERSION), "{shown}");
        assert_eq!(request.header("mcp-method").map(str::to_owned), request.rpc(), "{shown}");
        assert_eq!(request.header("mcp-session-id"), None, "{shown}");
        assert_eq!(request.header("last-event-id"), None, "{shown}");
    }
    assert_eq!(server.heard(), ["server/discover", "tools/list", "tools/call", "x/unknown"]);
    server.is_content();
}

#[test]
fn t51_the_name_header_is_on_the_requests_that_have_a_name_and_on_no_other() {
    let server = Modern::start();
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        server.on(method, |call| call.answer(r#"{"resultType":"complete"}"#));
    }
    let mut bridge = connected(&server);
    for (method, members, name) in [
        ("tools/call", r#""name":"echo","arguments":{}"#, Some("echo")),
        ("prompts/get", r#""name":"greet""#, Some("greet")),
        ("resources/read", r#""uri":"test://one""#, Some("test://one")),
        ("tasks/get", r#""taskId":"t-1","name":"no""#, Some("t-1")),
        ("tasks/update", r#""taskId":"t-2","inputResponses":{}"#, Some("t-2")),
        ("tasks/cancel", r#""taskId":"t-3""#, Some("t-3")),
        ("prompts/list", r#""name":"no""#, None),
        ("resources/list", r#""uri":"no""#, None),
        (
            "completion/complete",
            r#""ref":{"type":"ref/prompt","name":"greet"},"argument":{"name":"a","value":""}"#,
            None,
        ),
    ] {
        bridge.result_of("1", client::request("1", method, members));
        assert_eq!(posted(&server, method).header("mcp-name"), name, "{method}");
    }
    server.is_content();
    bridge.finish();
}

#[test]
fn t52_odd_names_are_encoded_and_decode_to_themselves() {
    let server = Modern::start();
    server.on("resources/read", |call| call.behave());
    let mut bridge = connected(&server);
    for (n, name) in
        ["größe", " led", "日本語", "a\tb", "=?base64?eA==?=", "line\nbreak", ""].iter().enumerate()
    {
        let id = n.to_string();
        bridge.result_of(&id, client::tool(&id, name, "{}"));
        let request = server.await_nth(n + 1, |request| request.is_rpc("tools/call"));
        let header = request.header("mcp-name").expect("a name");
        assert_eq!(decoded(header).as_deref(), Some(*name), "{header}");
    }
    for (n, (uri, plain)) in
        [("file:///a b", true), ("file:///größe", false)].into_iter().enumerate()
    {
        let params = format!(r#""uri":"{uri}""#);
        bridge.result_of("9", client::request("9", "resources/read", &params));
        let request = server.await_nth(n + 1, |request| request.is_rpc("resources/read"));
        let header = request.header("mcp-name").expect("a name");
        assert_eq!(decoded(header).as_deref(), Some(uri));
        assert_eq!(header == uri, plain, "{header}");
    }
    server.is_content();
    bridge.finish();
}

const ONE_PARAMETER: &str = r#"{"name":"echo","inputSchema":{"type":"object","properties":{"v":{"type":"string","x-mcp-header":"Value"},"flag":{"type":"boolean","x-mcp-header":"Flag"},"n":{"type":"integer","x-mcp-header":"N"}}}}"#;

#[test]
fn t53_mh_7_parameter_values_are_encoded() {
    let server = Modern::start();
    server.tools(&[ONE_PARAMETER]);
    let mut bridge = connected(&server);
    bridge.result_of("\"list\"", client::request("\"list\"", "tools/list", ""));
    let rows: [(&str, &str, Option<&str>, &str); 12] = [
        ("v", "\"us west 1\"", Some("us west 1"), "value"),
        ("v", "\"\"", Some(""), "value"),
        ("v", "\"us-west1\"", Some("us-west1"), "value"),
        ("flag", "true", Some("true"), "flag"),
        ("flag", "false", Some("false"), "flag"),
        ("n", "42", Some("42"), "n"),
        ("n", "-7", Some("-7"), "n"),
        ("n", "9007199254740991", Some("9007199254740991"), "n"),
        ("v", "null", None, "value"),
        ("absent", "1", None, "value"),
        ("v", "\" padded \"", Some("=?base64?IHBhZGRlZCA=?="), "value"),
        ("v", "\"=?base64?literal?=\"", Some("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="), "value"),
    ];
    for (n, (member, json, expected, header)) in rows.into_iter().enumerate() {
        let id = n.to_string();
        bridge.result_of(&id, client::tool(&id, "echo", &format!(r#"{{"{member}":{json}}}"#)));
        let request = server.await_nth(n + 1, |request| request.is_rpc("tools/call"));
        let header = format!("mcp-param-{header}");
        assert_eq!(request.header(&header), expected, "{json}: {}", request.dump());
    }
    for (n, text) in [" x", "x ", "a\tb", "line1\nline2", "日本語", "\u{7f}"].iter().enumerate()
    {
        let id = format!("\"w{n}\"");
        bridge.result_of(&id, client::tool(&id, "echo", &json!({ "v": text }).to_string()));
        let request = server.await_request(|request| request.rpc_id().as_deref() == Some(&id));
        let header = request.header("mcp-param-value").expect("a value");
        assert!(header.starts_with("=?base64?"), "{text:?}: {header}");
        assert_eq!(decoded(header).as_deref(), Some(*text));
    }
    server.is_content();
    bridge.finish();
}

#[test]
fn t53_an_integer_beyond_what_a_header_may_say_is_refused_before_anything_is_sent() {
    let server = Modern::start();
    server.tools(&[ONE_PARAMETER]);
    let mut bridge = connected(&server);
    bridge.result_of("1", client::request("1", "tools/list", ""));
    for n in ["9007199254740992", "-9007199254740992"] {
        let error = bridge.error_of("2", client::tool("2", "echo", &format!(r#"{{"n":{n}}}"#)));
        assert_eq!(error["code"], -32602, "{error}");
    }
    assert!(!server.heard().contains(&"tools/call".to_owned()));
    bridge.end();
}

/// A tool whose schema holds `properties` (JSON).
fn tool_with(name: &str, schema: &str) -> String {
    format!(r#"{{"name":"{name}","inputSchema":{{"type":"object",{schema}}}}}"#)
}

#[test]
fn t54_tools_with_a_wrong_annotation_are_missing_and_their_neighbours_are_there() {
    let property = |kind: &str, header: &str| {
        format!(r#""properties":{{"a":{{"type":{kind},"x-mcp-header":{header}}}}}"#)
    };
    let bad = [
        ("empty", property("\"string\"", "\"\"")),
        ("space", property("\"string\"", "\"My Region\"")),
        ("colon", property("\"string\"", "\"A:B\"")),
        ("foreign", property("\"string\"", "\"Région\"")),
        ("not-text", property("\"string\"", "5")),
        ("number", property("\"number\"", "\"X\"")),
        ("object", property("\"object\"", "\"X\"")),
        ("array", property("\"array\"", "\"X\"")),
        ("null", property("\"null\"", "\"X\"")),
        ("twice", r#""properties":{"a":{"type":"string","x-mcp-header":"Same"},"b":{"type":"string","x-mcp-header":"sAME"}}"#.to_owned()),
        ("items", r#""properties":{"a":{"type":"array","items":{"type":"string","x-mcp-header":"X"}}}"#.to_owned()),
        ("one-of", r#""oneOf":[{"properties":{"a":{"type":"string","x-mcp-header":"X"}}}]"#.to_owned()),
        ("then", r#""if":{},"then":{"properties":{"a":{"type":"string","x-mcp-header":"X"}}}"#.to_owned()),
        ("ref", r##""properties":{"a":{"$ref":"#/$defs/r"}},"$defs":{"r":{"type":"string","x-mcp-header":"X"}}"##.to_owned()),
    ];
    let mut tools = vec![tool_with("first", &property("\"string\"", "\"Region\""))];
    tools.extend(bad.iter().map(|(name, schema)| tool_with(name, schema)));
    tools.push(tool_with("last", &property("\"integer\"", "\"count\"")));
    let tools: Vec<_> = tools.iter().map(String::as_str).collect();
    let server = Modern::start();
    server.tools(&tools);
    for legacy in [false, true] {
        let mut bridge = Bridge::to(server.endpoint()).spawn();
        let list = if legacy {
            bridge.handshake("2025-11-25");
            bridge.result_of("1", json::request("1", "tools/list", "{}"))
        } else {
            bridge.result_of("1", client::request("1", "tools/list", ""))
        };
        let names: Vec<_> =
            list["tools"].as_array().expect("a list").iter().map(|tool| &tool["name"]).collect();
        assert_eq!(names, ["first", "last"]);
        let before = server.heard().len();
        bridge.send(if legacy {
            json::request("2", "tools/call", r#"{"name":"items","arguments":{}}"#)
        } else {
            client::tool("2", "items", "{}")
        });
        let answer = bridge.answer_to("2");
        assert_eq!(answer["error"]["code"], -32602, "a tool that is not there: {answer}");
        assert!(!server.heard()[before..].contains(&"tools/call".to_owned()));
        let log = bridge.end();
        for (name, _) in &bad {
            assert!(log.contains(name), "{name} is missing in the warnings: {log}");
        }
    }
}

#[test]
fn t55_mh_39_an_annotation_deep_in_properties_is_served() {
    let server = Modern::start();
    server.tools(&[r#"{"name":"echo","inputSchema":{"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":"string","x-mcp-header":"Deep"}}}}}}"#]);
    let mut bridge = connected(&server);
    bridge.result_of("1", client::request("1", "tools/list", ""));
    bridge.result_of("2", client::tool("2", "echo", r#"{"a":{"b":"x"}}"#));
    bridge.result_of("3", client::tool("3", "echo", r#"{"a":{}}"#));
    let calls = |request: &Request| request.is_rpc("tools/call");
    assert_eq!(server.await_nth(1, calls).header("mcp-param-deep"), Some("x"));
    assert_eq!(server.await_nth(2, calls).header("mcp-param-deep"), None);
    server.is_content();
    bridge.finish();
}

#[test]
fn t56_mm_4_a_tool_never_listed_is_looked_up_after_a_mismatch_and_called_once_more() {
    let server = Modern::start();
    for legacy in [false, true] {
        let mut bridge = Bridge::to(server.endpoint()).spawn();
        let marker = if legacy { "legacy" } else { "modern" };
        let before = server.requests().len();
        let arguments = format!(r#"{{"marker":"{marker}","region":"eu"}}"#);
        if legacy {
            bridge.handshake("2025-11-25");
            let params = format!(r#"{{"name":"annotated","arguments":{arguments}}}"#);
            bridge.send(json::request("1", "tools/call", &params));
        } else {
            bridge.send(client::tool("1", "annotated", &arguments));
        }
        let answer = bridge.answer_to("1");
        assert_eq!(answer["result"]["content"][0]["text"], marker, "{answer}");
        assert_eq!(server.executions(marker), 1);
        let requests = &server.requests()[before..];
        let calls: Vec<_> =
            requests.iter().filter(|request| request.is_rpc("tools/call")).collect();
        let lists = requests.iter().filter(|request| request.is_rpc("tools/list")).count();
        assert_eq!((calls.len(), lists), (2, 1), "{marker}");
        assert_eq!(calls[0].header("mcp-param-region"), None);
        assert_eq!(calls[1].header("mcp-param-region"), Some("eu"));
        assert_ne!(calls[0].rpc_id(), calls[1].rpc_id(), "a new request has a new id");
        bridge.close_stdin();
    }
}

#[test]
fn t56_the_look_up_follows_the_pages_also_behind_an_empty_cursor() {
    let server = Modern::start();
    server.on("tools/list", |call| {
        let cursor = call.params["cursor"].as_str().map(str::to_owned);
        let (tool, next) = match cursor.as_deref() {
            None => (r#"{"name":"other","inputSchema":{"type":"object"}}"#, r#","nextCursor":"""#),
            Some("") => (r#"{"name":"another","inputSchema":{"type":"object"}}"#, r#","nextCursor":"p3""#),
            _ => (r#"{"name":"annotated","inputSchema":{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}}}}"#, ""),
        };
        call.answer(&format!(r#"{{"resultType":"complete","tools":[{tool}]{next},"ttlMs":0,"cacheScope":"private"}}"#));
    });
    let mut bridge = connected(&server);
    bridge.result_of("1", client::tool("1", "annotated", r#"{"region":"eu"}"#));
    assert_eq!(server.count(|request| request.is_rpc("tools/list")), 3);
    bridge.finish();
}

#[test]
fn t57_a_schema_that_changed_is_learned_anew_and_a_second_mismatch_is_shown() {
    let server = Modern::start();
    server.tools(&[r#"{"name":"echo","inputSchema":{"type":"object","properties":{"marker":{"type":"string"}}}}"#]);
    let mut bridge = connected(&server);
    bridge.result_of("1", client::request("1", "tools/list", ""));
    server.tools(&[r#"{"name":"echo","inputSchema":{"type":"object","properties":{"marker":{"type":"string","x-mcp-header":"Marker"}}}}"#]);
    bridge.modern_call_works("2");
    assert_eq!(server.executions("works"), 1);
    let calls = server.count(|request| request.is_rpc("tools/call"));
    assert_eq!(calls, 2);

    server.on("tools/call", |call| call.refuse(400, -32020, "still wrong"));
    let error = bridge.error_of("3", client::call("3", "never"));
    assert_eq!(error["code"], -32020, "{error}");
    assert_eq!(server.count(|request| request.is_rpc("tools/call")), calls + 2, "no third try");
    bridge.end();
}

#[test]
fn t58_mh_40_46_mm_1_a_cancelled_request_has_its_stream_closed_and_no_message_posted() {
    for legacy in [false, true] {
        for streaming in [false, true] {
            let server = Modern::start();
            server.on("tools/call", move |call| {
                if call.marker() == "works" {
                    return call.behave();
                }
                call.executed();
                if streaming {
                    call.sse().progress(1);
                }
                call.await_gone();
            });
            let mut bridge = Bridge::to(server.endpoint()).spawn();
            if legacy {
                bridge.handshake("2025-11-25");
                bridge.call("1", "slow");
            } else {
                bridge.discover();
                bridge.send(client::call("1", "slow"));
            }
            server.await_execution("slow");
            bridge.send(client::cancel("1"));
            server.await_cancelled(1);
            if legacy {
                bridge.call_works("2");
            } else {
                bridge.modern_call_works("2");
            }
            assert!(!server.heard().contains(&"notifications/cancelled".to_owned()));
            server.is_content();
            bridge.close_stdin();
            let rest = bridge.rest();
            assert!(
                !rest.iter().any(|line| value(line)["id"] == 1),
                "a cancelled request is not answered"
            );
        }
    }
}

#[test]
fn t58_a_cancellation_of_something_unknown_or_finished_changes_nothing() {
    let server = Modern::start();
    let mut bridge = connected(&server);
    bridge.modern_call_works("1");
    bridge.send(client::cancel("1"));
    bridge.send(client::cancel("\"nobody\""));
    bridge.send(json::notification("notifications/cancelled", "{}"));
    bridge.modern_call_works("2");
    assert_eq!(server.heard(), ["server/discover", "tools/call", "tools/call"]);
    bridge.finish();
}

/// Breaks the first request of this method in the middle of its answer.
fn breaking(server: &Modern, method: &str, how: fn(&mut Call)) {
    let seen = AtomicUsize::new(0);
    server.on(method, move |call| {
        if seen.fetch_add(1, Ordering::SeqCst) == 0 {
            return how(call);
        }
        call.behave();
    });
}

#[test]
fn t59_mm_2_a_list_whose_stream_breaks_is_asked_for_again_under_a_new_id() {
    let ways: [fn(&mut Call); 3] = [
        |call| call.sse().http().reset(),
        |call| call.sse().http().end(),
        |call| call.sse().log("info", "soon").http().close(),
    ];
    for how in ways {
        for legacy in [false, true] {
            let server = Modern::start();
            breaking(&server, "prompts/list", how);
            let mut bridge = Bridge::to(server.endpoint()).spawn();
            if legacy {
                bridge.handshake("2025-11-25");
                bridge.send(json::request("1", "prompts/list", "{}"));
            } else {
                bridge.discover();
                bridge.send(client::request("1", "prompts/list", ""));
            }
            let answer = bridge.answer_to("1");
            assert_eq!(answer["result"]["prompts"][0]["name"], "greet", "{answer}");
            let lists = |request: &Request| request.is_rpc("prompts/list");
            let (first, second) = (server.await_nth(1, lists), server.await_nth(2, lists));
            assert_ne!(first.rpc_id(), second.rpc_id());
            assert_eq!(second.header("last-event-id"), None);
            server.is_content();
            bridge.end();
        }
    }
}

#[test]
fn t59_mh_45_mm_2_a_call_whose_stream_breaks_is_never_repeated_in_any_way() {
    let ways: [fn(&mut Call); 4] = [
        |call| call.http().reset(),
        |call| call.sse().http().reset(),
        // An event id and a delay of a legacy server would invite to resume: here they mean nothing.
        |call| call.sse().http().chunk("id: e1\nretry: 1\ndata: \n\n").end(),
        |call| call.sse().log("info", "soon").http().close(),
    ];
    for how in ways {
        for legacy in [false, true] {
            let server = Modern::start();
            server.on("tools/call", move |call| {
                if call.marker() == "works" {
                    return call.behave();
                }
                call.executed();
                how(call);
            });
            let mut bridge = Bridge::to(server.endpoint()).spawn();
            if legacy {
                bridge.handshake("2025-11-25");
                bridge.call("1", "once");
            } else {
                bridge.discover();
                bridge.send(client::call("1", "once"));
            }
            bridge.refusal("1", -31001, &[]);
            if legacy {
                bridge.call_works("2");
            } else {
                bridge.modern_call_works("2");
            }
            assert_eq!(server.executions("once"), 1);
            let posts = |request: &Request| request.dump().contains("\"once\"");
            assert_eq!(server.count(posts), 1, "exactly one POST");
            assert_eq!(server.count(|request| request.method == "GET"), 0, "nothing is resumed");
            bridge.end();
        }
    }
}

#[test]
fn t59_a_retry_with_answers_whose_stream_breaks_is_never_repeated() {
    let server = Modern::start();
    server.on("prompts/get", |call| call.http().reset());
    let mut bridge = connected(&server);
    let retry = r#""name":"greet","inputResponses":{},"requestState":"s""#;
    bridge.send(client::request("1", "prompts/get", retry));
    bridge.refusal("1", -31001, &[]);
    assert_eq!(server.count(|request| request.is_rpc("prompts/get")), 1);
    bridge.end();
}

#[test]
fn t60_a_request_pushed_by_the_remote_is_ignored() {
    let server = Modern::start();
    server.on("tools/call", |call| {
        call.executed();
        call.sse();
        for method in ["sampling/createMessage", "roots/list", "ping"] {
            call.event(json::request("\"pushed\"", method, "{}"));
        }
        call.log("info", "after").finish(r#"{"resultType":"complete","content":[]}"#);
    });
    for legacy in [false, true] {
        let mut bridge = Bridge::to(server.endpoint()).spawn();
        if legacy {
            bridge.handshake("2025-11-25");
            bridge.call("1", "m");
        } else {
            bridge.discover();
            bridge.send(client::call("1", "m"));
        }
        assert!(bridge.answer_to("1").get("result").is_some());
        bridge.close_stdin();
        for line in bridge.rest() {
            assert_ne!(value(&line)["id"], "pushed", "forwarded");
        }
    }
    server.is_content();
}

#[test]
fn t61_an_unknown_method_is_an_error_of_the_remote_and_the_era_stays() {
    let server = Modern::start();
    let mut bridge = connected(&server);
    let error = bridge.error_of("1", client::request("1", "x/unknown", ""));
    assert_eq!((&error["code"], &error["message"]), (&json!(-32601), &json!("Method not found")));
    assert_eq!(error.get("data"), None, "it is the remote's own error: {error}");
    bridge.modern_call_works("2");
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.handshake("2025-11-25");
    let error = bridge.error_of("1", json::request("1", "x/unknown", "{}"));
    assert_eq!(error["code"], -32601, "{error}");
    bridge.call_works("2");
    server.is_content();
}

#[test]
fn mm_6_an_error_under_no_id_reaches_the_client_under_its_own() {
    let server = Modern::start();
    for (n, body) in [
        r#"{"jsonrpc":"2.0","error":{"code":-32602,"message":"no id","data":{"v":1.0}}}"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32602,"message":"null id","data":{"v":1.0}}}"#,
        r#"{"jsonrpc":"2.0","id":"other","error":{"code":-32602,"message":"another","data":{"v":1.0}}}"#,
    ]
    .into_iter()
    .enumerate()
    {
        server.on("x/refused", move |call| {
            call.http().reply(400, &[("content-type", "application/json")], body);
        });
        let mut bridge = connected(&server);
        let id = format!("\"n{n}\"");
        let error = bridge.error_of(&id, client::request(&id, "x/refused", ""));
        assert_eq!(error["code"], -32602, "{error}");
        bridge.finish();
    }
}

#[test]
fn a_missing_capability_is_the_remotes_own_error() {
    let server = Modern::start();
    server.on("tools/call", |call| {
        call.refuse_with(400, -32021, r#"{"requiredCapabilities":{"sampling":{}}}"#);
    });
    let mut bridge = connected(&server);
    let error = bridge.error_of("1", client::call("1", "m"));
    assert_eq!(error["code"], -32021, "{error}");
    assert_eq!(error["data"]["requiredCapabilities"], json!({"sampling": {}}), "{error}");
    assert_eq!(server.count(|request| request.is_rpc("tools/call")), 1);
    bridge.finish();
}

#[test]
fn mm_5_a_later_version_passes_where_the_remote_lists_it_and_is_refused_with_its_list_where_not() {
    const LATER: &str = "2099-01-01";
    let server = Modern::start();
    let mut bridge = connected(&server);
    let request = client::request("1", "tools/list", "").replace(VERSION, LATER);
    let error = bridge.error_of("1", request);
    assert_eq!(error["code"], -32022, "{error}");
    assert_eq!(error["data"]["requested"], LATER, "{error}");
    assert_eq!(error["data"]["supported"], json!([VERSION]), "{error}");
    bridge.modern_call_works("2");
    bridge.finish();

    // One that speaks nothing else, from the probe on.
    let server = Modern::start();
    server.rule(|request, exchange| {
        let id = request.rpc_id().unwrap_or_default();
        let is_later = request.header("mcp-protocol-version") == Some(LATER);
        let result = match request.rpc().as_deref() {
            _ if !is_later => return false,
            Some("server/discover") => {
                r#"{"resultType":"complete","supportedVersions":["2099-01-01","2025-11-25"],"capabilities":{},"ttlMs":0,"cacheScope":"private"}"#
            }
            _ => r#"{"resultType":"complete","content":[],"new": 1.0}"#,
        };
        exchange.json(json::result(&id, result));
        true
    });
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    let later = |id: &str, method: &str, members: &str| {
        client::request(id, method, members).replace(VERSION, LATER)
    };
    let found = bridge.result_of("1", later("1", "server/discover", ""));
    assert_eq!(found["supportedVersions"], json!([LATER, "2025-11-25"]), "{found}");
    let members = r#""name":"echo","arguments":{}"#;
    let result = bridge.result_of("2", later("2", "tools/call", members));
    assert_eq!(result["new"], 1.0, "{result}");
    assert_eq!(server.heard(), ["server/discover", "tools/call"]);
    let call = posted(&server, "tools/call");
    assert_eq!(call.body, later("2", "tools/call", members).as_bytes());
    bridge.finish();
}

#[test]
fn mh_44_45_46_comments_ids_and_a_stream_that_stays_open_change_nothing() {
    let server = Modern::start();
    server.on("tools/call", |call| {
        let answer = json::result(&call.id, r#"{"resultType":"complete","content":[]}"#);
        call.sse()
            .http()
            .chunk(": keep-alive\n\n")
            .chunk("id: e1\nretry: 1\ndata:\n\n")
            .chunk(":\n")
            .chunk(format!("id: e2\ndata: {answer}\n\n"))
            .chunk(": still here\n\n");
        // Whoever has the answer closes the stream, in place of reading on for ever.
        call.await_gone();
    });
    for legacy in [false, true] {
        let mut bridge = Bridge::to(server.endpoint()).spawn();
        let answer = if legacy {
            bridge.handshake("2025-11-25");
            bridge.result_of("1", json::call("1", "m"))
        } else {
            bridge.result_of("1", client::call("1", "m"))
        };
        assert_eq!(answer["content"], json!([]), "{answer}");
        server.await_cancelled(1 + usize::from(legacy));
        bridge.finish();
    }
    assert_eq!(server.count(|request| request.is_rpc("tools/call")), 2);
    assert_eq!(server.count(|request| request.method == "GET"), 0, "nothing is resumed");
    assert_eq!(server.count(|request| request.header("last-event-id").is_some()), 0);
    server.is_content();
}

#[test]
fn progress_and_logs_precede_the_result_on_stdout_as_on_the_stream() {
    let server = Modern::start();
    server.on("tools/call", |call| {
        call.sse().progress(1).log("info", "half way").progress(2);
        call.finish(r#"{"resultType":"complete","content":[]}"#);
    });
    let mut bridge = connected(&server);
    bridge.send(client::request_as(
        "1",
        "tools/call",
        r#""name":"echo","arguments":{}"#,
        "{}",
        r#""progressToken":"t","io.modelcontextprotocol/logLevel":"info""#,
    ));
    let lines: Vec<Value> = (0..4).map(|_| value(&bridge.next_line())).collect();
    assert_eq!(lines[0]["params"], json!({"progressToken": "t", "progress": 1}));
    assert_eq!(lines[1]["params"]["data"], "half way");
    assert_eq!(lines[2]["params"]["progress"], 2);
    assert_eq!(lines[3]["id"], 1);
    bridge.finish();
}

#[test]
fn input_required_and_its_retry_pass_as_they_are() {
    let server = Modern::start();
    server.on("tools/call", |call| {
        if call.responses().is_null() {
            return call.ask(Some(r#"{"who":{"method":"elicitation/create","params":{"mode":"form","message":"Name?","requestedSchema":{"type":"object","properties":{}}}}}"#), Some("opaque é"));
        }
        let name = call.responses()["who"]["content"]["n"].clone();
        let result = crate::support::modern::text_result(&name);
        call.answer(&result);
    });
    let mut bridge = connected(&server);
    let asked = bridge.result_of("1", client::call("1", "m"));
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    assert_eq!(asked["requestState"], "opaque é");
    let retry = client::request(
        "2",
        "tools/call",
        r#""name":"echo","arguments":{"marker":"m"},"inputResponses":{"who":{"action":"accept","content":{"n":"Ada"}}},"requestState":"opaque é""#,
    );
    let result = bridge.result_of("2", &retry);
    assert_eq!(result["content"][0]["text"], "Ada", "{result}");
    let sent = server.await_nth(2, |request| request.is_rpc("tools/call"));
    assert_eq!(sent.body, retry.as_bytes());
    server.is_content();
    bridge.finish();
}

#[test]
fn a_modern_server_sees_not_one_extra_request_from_a_modern_client() {
    let server = Modern::start();
    let home = tempfile::tempdir().expect("a temporary directory");
    for run in 0..2 {
        let before = server.requests().len();
        let mut bridge = Bridge::to(server.endpoint()).home(home.path()).spawn();
        let mut expected = vec!["tools/list", "tools/call", "tools/call"];
        if run == 0 {
            bridge.discover();
            expected.insert(0, "server/discover");
        }
        bridge.result_of("1", client::request("1", "tools/list", ""));
        bridge.modern_call_works("2");
        bridge.modern_call_works("3");
        bridge.finish();
        assert_eq!(server.heard()[before..], expected);
    }
}

#[test]
fn a_version_refused_in_the_middle_of_a_connection_is_the_remotes_error() {
    let server = Modern::start();
    server.on("tools/call", |call| {
        let id = call.id.clone();
        let body = unsupported_version(&id, r#"["2031-01-01"]"#, r#""2026-07-28""#);
        call.http().reply(400, &[("content-type", "application/json")], body);
    });
    let mut bridge = connected(&server);
    let error = bridge.error_of("1", client::call("1", "m"));
    assert_eq!(error["code"], -32022, "{error}");
    assert_eq!(error["data"]["supported"], json!(["2031-01-01"]), "{error}");
    assert!(!server.heard().contains(&"initialize".to_owned()));
    bridge.end();
}
