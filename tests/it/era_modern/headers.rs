//! What is mirrored into headers.

use serde_json::json;

use super::{connected, posted};
use crate::support::{
    bridge::Bridge,
    http::Request,
    json,
    modern::{Modern, VERSION, client, strict::decoded},
};

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
