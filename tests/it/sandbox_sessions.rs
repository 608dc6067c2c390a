//! The sandbox without a bridge, in the legacy era: its sessions, its streams, what it refuses, and
//! HTTP+SSE.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use composio_bridge::demo::{Era, Transport, sandbox::Sandbox};
use serde_json::{Value, json};

use crate::support::DEADLINE;

const BOTH: &str = "Accept: application/json, text/event-stream";
const JSON: &str = "Content-Type: application/json";
const STREAM: &str = "Accept: text/event-stream";

/// An answer, read as far as a test wants it.
struct Reply {
    status: u16,
    /// In lower case.
    head: String,
    body: BufReader<TcpStream>,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The next event: its id, empty for none, and its data, `null` where that is no JSON.
    fn event(&mut self) -> (String, Value) {
        let (mut id, mut data) = (String::new(), None);
        loop {
            let mut line = String::new();
            assert_ne!(
                self.body.read_line(&mut line).expect("text in time"),
                0,
                "the stream ended"
            );
            match line.trim_end().split_once(": ") {
                Some(("id", value)) => id = value.to_owned(),
                Some(("data", value)) => data = Some(value.to_owned()),
                _ => {}
            }
            if line == "\n" {
                return (id, serde_json::from_str(&data.unwrap_or_default()).unwrap_or_default());
            }
        }
    }

    fn rest(mut self) -> String {
        let mut rest = String::new();
        self.body.read_to_string(&mut rest).expect("text to the end");
        rest
    }
}

/// Sends a request, of HTTP/1.0 so that its answer ends with the connection and is not in chunks.
fn send(sandbox: &Sandbox, start: &str, headers: &[&str], body: &str) -> Reply {
    let url = sandbox.url(Transport::Http);
    let host = url.trim_start_matches("http://").trim_end_matches("/mcp");
    let mut stream = TcpStream::connect(host).expect("the sandbox listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a duration");
    let mut headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    if !headers.contains("Host: ") {
        headers += "Host: localhost\r\n";
    }
    let length = body.len();
    let text = format!("{start} HTTP/1.0\r\nContent-Length: {length}\r\n{headers}\r\n{body}");
    stream.write_all(text.as_bytes()).expect("the sandbox reads");
    let (mut head, mut body) = (String::new(), BufReader::new(stream));
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(body.read_line(&mut head).expect("a head in time"), 0, "no answer to {start}");
    }
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Reply { status, head: head.to_ascii_lowercase(), body }
}

fn post(sandbox: &Sandbox, session: &str, message: &Value) -> Reply {
    send(sandbox, "POST /mcp", &[BOTH, JSON, session], &message.to_string())
}

fn request(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

fn call(tool: &str, arguments: Value) -> Value {
    let meta = json!({ "progressToken": "p" });
    request("tools/call", json!({ "name": tool, "arguments": arguments, "_meta": meta }))
}

fn initialize(able: Value) -> Value {
    let info = json!({ "name": "test", "version": "1" });
    let params =
        json!({ "protocolVersion": "2025-06-18", "capabilities": able, "clientInfo": info });
    request("initialize", params)
}

/// A sandbox, and the header of a session with it.
fn opened(able: Value) -> (Sandbox, String) {
    let sandbox = Sandbox::start(Era::Dual).expect("a loopback port is free");
    let reply = send(&sandbox, "POST /mcp", &[BOTH, JSON], &initialize(able).to_string());
    let session = reply.header("mcp-session-id").expect("a session").to_owned();
    (sandbox, format!("Mcp-Session-Id: {session}"))
}

#[test]
fn a_session_begins_is_named_in_every_message_and_ends() {
    let (sandbox, session) = opened(json!({}));
    let ping = request("ping", json!({}));
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let reply = post(&sandbox, &session, &initialized);
    assert_eq!((reply.status, reply.rest().as_str()), (202, ""));
    assert!(post(&sandbox, &session, &ping).rest().contains(r#""result":{}"#));
    let answer = json!({ "jsonrpc": "2.0", "id": 77, "result": {} });
    assert_eq!(post(&sandbox, &session, &answer).status, 202);
    for other in ["X: y", "Mcp-Session-Id: other"] {
        let expected = if other.contains("other") { 404 } else { 400 };
        assert_eq!(post(&sandbox, other, &ping).status, expected);
        assert_eq!(post(&sandbox, other, &initialized).status, expected);
        assert_eq!(send(&sandbox, "GET /mcp", &[STREAM, other], "").status, expected);
        assert_eq!(send(&sandbox, "DELETE /mcp", &[other], "").status, expected);
    }
    let listening = send(&sandbox, "GET /mcp", &[STREAM, &session], "");
    assert_eq!(send(&sandbox, "DELETE /mcp", &[&session], "").status, 202);
    assert!(!listening.rest().contains("jsonrpc"), "the stream ends");
    assert_eq!(post(&sandbox, &session, &ping).status, 404);
}

#[test]
fn what_http_cannot_be_right_is_refused() {
    let (sandbox, session) = opened(json!({}));
    let ping = request("ping", json!({})).to_string();
    let batch = format!("[{ping}]");
    let large = format!("{{\"jsonrpc\":\"2.0\",\"a\":\"{}\"}}", "a".repeat(4 << 20));
    for (start, headers, body, status) in [
        ("POST /mcp", &[JSON, "Accept: application/json"][..], &ping, 406),
        ("POST /mcp", &[JSON, "Accept: text/event-stream, application/json;q=0"], &ping, 406),
        ("POST /mcp", &[JSON, "Accept: TEXT/event-stream, application/json;q=0.1"], &ping, 200),
        ("POST /mcp", &[BOTH, "Content-Type: text/plain"], &ping, 415),
        ("POST /mcp", &[BOTH, "Content-Type: application/json; charset=utf-8"], &ping, 200),
        ("POST /mcp", &[BOTH, JSON], &batch, 400),
        ("POST /mcp", &[BOTH, JSON], &large, 413),
        ("POST /mcp", &[BOTH, JSON, "MCP-Protocol-Version: 1999-01-01"], &ping, 400),
        ("POST /mcp", &[BOTH, JSON, "MCP-Protocol-Version: 2025-03-26"], &ping, 200),
        ("POST /mcp", &[BOTH, JSON, "Host: evil.example"], &ping, 403),
        ("POST /mcp", &[BOTH, JSON, "Origin: http://evil.example"], &ping, 403),
        ("POST /mcp", &[BOTH, JSON, "Origin: null"], &ping, 403),
        ("POST /mcp", &[BOTH, JSON, "Host: 127.0.0.1:1", "Origin: http://[::1]:2"], &ping, 200),
        ("GET /mcp", &["Accept: application/json"], &String::new(), 406),
        ("GET /mcp", &[STREAM, "MCP-Protocol-Version: 2026-07-28"], &String::new(), 405),
        ("GET /sse", &[STREAM, "Host: evil.example"], &String::new(), 403),
        ("PUT /mcp", &[], &String::new(), 405),
        ("GET /other", &[], &String::new(), 404),
    ] {
        let headers: Vec<_> = headers.iter().copied().chain([session.as_str()]).collect();
        let reply = send(&sandbox, start, &headers, body);
        assert_eq!(reply.status, status, "{start} {headers:?} {body:.99}");
    }
    let named = [BOTH, JSON, "MCP-Protocol-Version: 2025-11-25"];
    let reply = send(&sandbox, "POST /mcp", &named, &initialize(json!({})).to_string());
    assert_eq!(reply.status, 400, "a header that contradicts the message");
    assert_eq!(send(&sandbox, "PUT /mcp", &[], "").header("allow"), Some("get, post, delete"));
}

#[test]
fn a_stream_that_broke_off_goes_on_after_the_last_event_that_was_read() {
    let (sandbox, session) = opened(json!({}));
    let mut reply = post(&sandbox, &session, &call("count", json!({ "steps": 4, "ms": 20 })));
    let progress = |event: &Value| event["params"]["progress"].as_u64();
    let (primed, nothing) = reply.event();
    assert!(!primed.is_empty() && nothing.is_null());
    let (_, first) = reply.event();
    let (last, second) = reply.event();
    assert_eq!((progress(&first), progress(&second)), (Some(1), Some(2)));
    drop(reply);
    let resume = |last: &str| {
        let last = format!("Last-Event-ID: {last}");
        send(&sandbox, "GET /mcp", &[STREAM, &session, &last], "")
    };
    let mut resumed = resume(&last);
    assert_eq!(progress(&resumed.event().1), Some(3));
    assert_eq!(progress(&resumed.event().1), Some(4));
    assert_eq!(resumed.event().1["result"]["content"][0]["text"], "counted to 4");
    assert_eq!(resumed.rest(), "");
    for unknown in ["5/999", "junk"] {
        let reply = resume(unknown);
        assert_eq!((reply.status, reply.rest().as_str()), (200, ""), "{unknown}");
    }
}

#[test]
fn what_belongs_to_no_request_comes_on_one_of_the_open_streams() {
    let (sandbox, session) = opened(json!({}));
    let listen = || send(&sandbox, "GET /mcp", &[STREAM, &session], "");
    let (mut first, mut second) = (listen(), listen());
    assert!(first.event().1.is_null() && second.event().1.is_null());
    let subscribe = request("resources/subscribe", json!({ "uri": "sandbox://last-echo" }));
    assert!(post(&sandbox, &session, &subscribe).rest().contains("result"));
    let counted = post(&sandbox, &session, &call("count", json!({ "steps": 1, "ms": 0 }))).rest();
    assert!(!counted.contains("notifications/message"), "{counted}");
    assert_eq!(first.event().1["params"]["data"], "counting to 1");
    post(&sandbox, &session, &call("echo", json!({ "text": "news" }))).rest();
    let (id, updated) = first.event();
    assert_eq!(updated["method"], "notifications/resources/updated");
    drop(first);
    // Another reader goes on where that one left off.
    let resume = format!("Last-Event-ID: {id}");
    let mut again = send(&sandbox, "GET /mcp", &[STREAM, &session, &resume], "");
    post(&sandbox, &session, &call("count", json!({ "steps": 2, "ms": 0 }))).rest();
    assert_eq!(again.event().1["params"]["data"], "counting to 2");
    send(&sandbox, "DELETE /mcp", &[&session], "");
    assert!(!second.rest().contains("jsonrpc"), "nothing comes twice");
}

#[test]
fn a_question_comes_on_the_stream_of_the_call_and_only_to_a_client_that_can_ask() {
    let (sandbox, session) = opened(json!({ "elicitation": {} }));
    for (answer, expected) in [
        (json!({ "result": { "action": "accept", "content": { "name": "Ada" } } }), "Hello, Ada!"),
        (json!({ "result": { "action": "decline" } }), "Hello, whoever you are."),
        (
            json!({ "error": { "code": -32603, "message": "no window" } }),
            "this client cannot be asked: no window",
        ),
    ] {
        let mut reply = post(&sandbox, &session, &call("ask", json!({})));
        reply.event();
        let (_, question) = reply.event();
        assert_eq!(question["method"], "elicitation/create");
        let mut answer = answer;
        (answer["jsonrpc"], answer["id"]) = ("2.0".into(), question["id"].clone());
        assert_eq!(post(&sandbox, &session, &answer).status, 202);
        assert_eq!(reply.event().1["result"]["content"][0]["text"], expected);
    }
    let (sandbox, session) = opened(json!({}));
    let answer = post(&sandbox, &session, &call("ask", json!({}))).rest();
    assert!(answer.contains("this client cannot be asked"), "{answer}");
}

#[test]
fn http_sse_answers_on_the_stream_whatever_is_posted_to_its_address() {
    let sandbox = Sandbox::start(Era::Legacy).expect("a loopback port is free");
    let mut stream = send(&sandbox, "GET /sse", &[STREAM], "");
    let mut endpoint = String::new();
    while !endpoint.ends_with("\n\n") {
        stream.body.read_line(&mut endpoint).expect("an event");
    }
    let to = endpoint.strip_prefix("event: endpoint\ndata: ").expect("an endpoint").trim_end();
    let to = format!("POST {to}");
    let mut ask = |message: Value| {
        assert_eq!(send(&sandbox, &to, &[JSON], &message.to_string()).status, 202);
        stream.event().1
    };
    assert_eq!(ask(initialize(json!({})))["result"]["protocolVersion"], "2025-06-18");
    let echo = call("echo", json!({ "text": "a\nb" }));
    assert_eq!(ask(echo)["result"]["content"][0]["text"], "a\nb");
    assert_eq!(ask(request("no/such", json!({})))["error"]["code"], -32601);
    assert_eq!(send(&sandbox, &to, &[JSON], "{").status, 400);
    assert_eq!(send(&sandbox, "POST /messages?sessionId=other", &[JSON], "{}").status, 404);
    assert_eq!(send(&sandbox, "POST /sse", &[JSON], "{}").status, 405);
}
