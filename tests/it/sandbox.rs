//! The sandbox without a bridge: what each of its eras serves and refuses, as the specification of
//! 2026-07-28 wants it. The other tests with a conformant remote rest on this.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use composio_bridge::demo::{Era, Transport, sandbox::Sandbox};
use serde_json::{Value, json};

const MODERN: &str = "2026-07-28";

/// What came back: the status, the head, and the message of a JSON body or of the last event.
struct Reply {
    status: u16,
    head: String,
    message: Value,
}

/// Sends one request, of HTTP/1.0 so that the answer comes in one piece and ends.
fn exchange(sandbox: &Sandbox, method: &str, path: &str, headers: &[&str], body: &str) -> Reply {
    let url = sandbox.url(Transport::Http);
    let host = url.trim_start_matches("http://").trim_end_matches("/mcp");
    let mut stream = TcpStream::connect(host).expect("the sandbox listens");
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    stream.write_all((head + body).as_bytes()).expect("the sandbox reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let last = body.trim_end().lines().last().unwrap_or_default();
    let message = serde_json::from_str(last.trim_start_matches("data: ")).unwrap_or(Value::Null);
    Reply { status, head: head.to_ascii_lowercase(), message }
}

/// A message as a legacy client sends it, without a header or with that of its version.
fn legacy(sandbox: &Sandbox, version: Option<&str>, message: &Value) -> Reply {
    let header = version.map(|version| format!("MCP-Protocol-Version: {version}"));
    exchange(
        sandbox,
        "POST",
        "/mcp",
        &header.as_deref().into_iter().collect::<Vec<_>>(),
        &message.to_string(),
    )
}

fn initialize() -> Value {
    json!({ "jsonrpc": "2.0", "id": "i", "method": "initialize", "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": { "name": "test", "version": "1" },
    }})
}

/// A request as a modern client sends it.
fn modern(sandbox: &Sandbox, method: &str, params: Value) -> Reply {
    modern_able_to(json!({ "elicitation": {} }), sandbox, method, params)
}

fn modern_able_to(able: Value, sandbox: &Sandbox, method: &str, mut params: Value) -> Reply {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = MODERN.into();
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = able;
    let mut headers =
        vec![format!("MCP-Protocol-Version: {MODERN}"), format!("Mcp-Method: {method}")];
    if let Some(name) = params["name"].as_str().or(params["uri"].as_str()) {
        headers.push(format!("Mcp-Name: {name}"));
    }
    let headers: Vec<_> = headers.iter().map(String::as_str).collect();
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    exchange(sandbox, "POST", "/mcp", &headers, &body.to_string())
}

fn sandbox(era: Era) -> Sandbox {
    Sandbox::start(era).expect("a loopback port is free")
}

#[test]
fn a_modern_sandbox_refuses_legacy_clients_as_a_strict_server_does() {
    let sandbox = sandbox(Era::Modern);
    let list = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/list" });
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    for (version, message, requested) in [
        (None, initialize(), "2025-11-25"),
        (Some("2025-11-25"), initialize(), "2025-11-25"),
        (Some("2025-06-18"), list.clone(), "2025-06-18"),
        (None, list, "2025-03-26"),
        (None, initialized, "2025-03-26"),
    ] {
        let reply = legacy(&sandbox, version, &message);
        assert_eq!(reply.status, 400, "{message}");
        assert!(reply.head.contains("content-type: application/json"), "{}", reply.head);
        assert!(!reply.head.contains("mcp-session-id"), "{}", reply.head);
        let error = &reply.message["error"];
        assert_eq!(reply.message["id"], message["id"]);
        assert_eq!(error["code"], -32022, "{message}: {error}");
        assert_eq!(error["data"], json!({ "supported": [MODERN], "requested": requested }));
    }
    assert_eq!(exchange(&sandbox, "GET", "/mcp", &[], "").status, 405);
    assert_eq!(exchange(&sandbox, "DELETE", "/mcp", &["Mcp-Session-Id: x"], "").status, 405);
    assert_eq!(exchange(&sandbox, "GET", "/sse", &[], "").status, 404);
}

#[test]
fn a_modern_request_without_the_header_of_its_version_is_a_mismatch() {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let list = json!({
        "jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": { "_meta": meta },
    });
    for era in [Era::Modern, Era::Dual] {
        for version in [None, Some("2025-11-25")] {
            let reply = legacy(&sandbox(era), version, &list);
            let code = &reply.message["error"]["code"];
            assert_eq!((reply.status, code), (400, &json!(-32020)), "{era:?} {version:?}");
        }
    }
}

#[test]
fn each_era_says_which_versions_it_speaks() {
    let legacy_versions = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
    let refused = modern(&sandbox(Era::Legacy), "server/discover", json!({}));
    assert_eq!((refused.status, &refused.message["error"]["code"]), (400, &json!(-32022)));
    assert_eq!(refused.message["error"]["data"]["supported"], json!(legacy_versions));
    let all: Vec<_> = legacy_versions.into_iter().chain([MODERN]).collect();
    for (era, versions) in [(Era::Modern, vec![MODERN]), (Era::Dual, all)] {
        let discovered = modern(&sandbox(era), "server/discover", json!({}));
        assert_eq!(discovered.message["result"]["supportedVersions"], json!(versions));
    }
    for era in [Era::Legacy, Era::Dual] {
        let answer = legacy(&sandbox(era), None, &initialize());
        assert_eq!(answer.message["result"]["protocolVersion"], "2025-11-25", "{era:?}");
        assert!(answer.head.contains("mcp-session-id"), "{era:?}: {}", answer.head);
    }
}

#[test]
fn every_modern_result_says_its_type_and_every_list_how_long_it_keeps() {
    let uri = "sandbox://last-echo";
    let typed = json!({ "name": "language", "value": "e" });
    let greeting = json!({ "type": "ref/prompt", "name": "greeting" });
    for era in [Era::Modern, Era::Dual] {
        let sandbox = sandbox(era);
        for (method, params, keeps) in [
            ("server/discover", json!({}), true),
            ("tools/list", json!({}), true),
            ("prompts/list", json!({}), true),
            ("resources/list", json!({}), true),
            ("resources/read", json!({ "uri": uri }), true),
            ("prompts/get", json!({ "name": "greeting", "arguments": { "language": "x" } }), false),
            ("tools/call", json!({ "name": "echo", "arguments": { "text": "x" } }), false),
            ("completion/complete", json!({ "ref": greeting, "argument": typed }), false),
        ] {
            let reply = modern(&sandbox, method, params);
            let result = &reply.message["result"];
            assert_eq!(
                (reply.status, &result["resultType"]),
                (200, &json!("complete")),
                "{method}"
            );
            let kept = (result["ttlMs"].is_u64(), result["cacheScope"].is_string());
            assert_eq!(kept, (keeps, keeps), "{method}: {result}");
        }
        for gone in ["ping", "resources/subscribe", "resources/unsubscribe", "logging/setLevel"] {
            let reply = modern(&sandbox, gone, json!({ "uri": uri, "level": "info" }));
            let code = &reply.message["error"]["code"];
            assert_eq!((reply.status, code), (404, &json!(-32601)), "{gone}");
        }
    }
}

#[test]
fn a_question_takes_a_capability_and_an_answer_to_it_the_state_it_came_with() {
    let sandbox = sandbox(Era::Modern);
    let call = json!({ "name": "ask", "arguments": {} });
    let unable = modern_able_to(json!({}), &sandbox, "tools/call", call.clone());
    assert_eq!((unable.status, &unable.message["error"]["code"]), (400, &json!(-32021)));
    let required = &unable.message["error"]["data"]["requiredCapabilities"];
    assert!(required["elicitation"].is_object(), "{required}");
    let round = modern(&sandbox, "tools/call", call.clone()).message["result"].take();
    assert_eq!(round["resultType"], "input_required", "{round}");
    assert_eq!(round["inputRequests"]["name"]["method"], "elicitation/create", "{round}");
    for (action, state, expected) in [
        ("accept", &round["requestState"], Ok("Hello, Ada!")),
        ("decline", &round["requestState"], Ok("Hello, whoever you are.")),
        ("accept", &json!("forged"), Err(-32602)),
    ] {
        let mut retry = call.clone();
        retry["inputResponses"] =
            json!({ "name": { "action": action, "content": { "name": "Ada" } } });
        retry["requestState"] = state.clone();
        let answer = modern(&sandbox, "tools/call", retry).message;
        match expected {
            Ok(text) => assert_eq!(answer["result"]["content"][0]["text"], text, "{answer}"),
            Err(code) => assert_eq!(answer["error"]["code"], code, "{answer}"),
        }
    }
}
