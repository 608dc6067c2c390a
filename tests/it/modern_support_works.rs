//! The modern server tested by hand: a support that hides a fault would make every other test
//! worthless.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use crate::support::{
    json,
    modern::{Modern, VERSION, client, strict::decoded},
};

/// A connection by hand.
struct Hand(TcpStream);

impl Hand {
    fn to(server: &Modern) -> Self {
        Hand(TcpStream::connect(server.listener().addr).expect("the remote listens"))
    }

    fn post(&mut self, headers: &[(&str, &str)], body: &str) -> &mut Self {
        let mut head = "POST /mcp HTTP/1.1\r\naccept: application/json, text/event-stream\r\ncontent-type: application/json\r\n".to_owned();
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let length = body.len();
        write!(self.0, "{head}content-length: {length}\r\n\r\n{body}").expect("it is written");
        self
    }

    #[track_caller]
    fn until(&mut self, needle: &str) -> String {
        let mut seen = Vec::new();
        let mut byte = [0; 1];
        while !String::from_utf8_lossy(&seen).contains(needle) {
            let n = self.0.read(&mut byte).expect("no reset");
            assert_eq!(n, 1, "{needle} never came in {}", String::from_utf8_lossy(&seen));
            seen.push(byte[0]);
        }
        String::from_utf8_lossy(&seen).into_owned()
    }
}

fn headers<'a>(method: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all = vec![("MCP-Protocol-Version", VERSION), ("Mcp-Method", method)];
    all.extend(more);
    all
}

/// A request with these headers and this body gets this status and code.
#[track_caller]
fn refused(headers: &[(&str, &str)], body: &str, status: &str, code: &str) {
    let server = Modern::start();
    let seen = Hand::to(&server).post(headers, body).until("}}");
    assert!(seen.contains(status) && seen.contains(code), "{seen}");
}

#[test]
fn a_good_request_is_served_and_nothing_is_objected() {
    let server = Modern::start();
    let mut hand = Hand::to(&server);
    hand.post(&headers("server/discover", &[]), &client::request("1", "server/discover", ""));
    hand.until("}}}");
    let call = client::tool("2", "annotated", r#"{"marker":"m","region":"größe","count":42}"#);
    let named = [
        ("Mcp-Name", "annotated"),
        ("Mcp-Param-Region", "=?base64?Z3LDtsOfZQ==?="),
        ("Mcp-Param-Count", "42"),
    ];
    hand.post(&headers("tools/call", &named), &call).until("\"text\":\"m\"");
    assert_eq!(server.executions("m"), 1);
    server.is_content();
}

#[test]
fn a_strict_server_refuses_what_is_not_right() {
    let discover = client::request("1", "server/discover", "");
    let call = client::tool("1", "annotated", r#"{"region":"eu"}"#);
    let named = |value| [("Mcp-Name", "annotated"), ("Mcp-Param-Region", value)];
    refused(&headers("tools/list", &[]), &discover, "400", "-32020");
    refused(&[("Mcp-Method", "server/discover")], &discover, "400", "-32020");
    refused(&headers("tools/call", &[]), &call, "400", "-32020");
    refused(&headers("tools/call", &[("Mcp-Name", "annotated")]), &call, "400", "-32020");
    refused(&headers("tools/call", &named("us")), &call, "400", "-32020");
    let bare = json::request("1", "tools/list", "{}");
    refused(&headers("tools/list", &[]), &bare, "400", "-32602");
    let no_capabilities = discover.replace("clientCapabilities", "x");
    refused(&headers("server/discover", &[]), &no_capabilities, "400", "-32602");
    let old = discover.replace(VERSION, "2025-11-25");
    let named = [("MCP-Protocol-Version", "2025-11-25"), ("Mcp-Method", "server/discover")];
    refused(&named, &old, "400", "-32022");
    refused(&[], &json::initialize("1", "2025-06-18"), "400", "[\"2026-07-28\"]");
    refused(&headers("x/y", &[]), &client::request("1", "x/y", ""), "404", "-32601");
}

#[test]
fn it_objects_to_sessions_and_to_posted_cancellations() {
    let server = Modern::start();
    let mut hand = Hand::to(&server);
    hand.post(&[], &client::cancel("1")).until("202");
    hand.until("\r\n\r\n");
    let discover = client::request("1", "server/discover", "");
    let session = [("Mcp-Session-Id", "s"), ("Mcp-Name", "n")];
    hand.post(&headers("server/discover", &session), &discover).until("}}}");
    assert_eq!(server.objections().len(), 3, "{:#?}", server.objections());
}

#[test]
fn a_get_is_refused_with_405() {
    let server = Modern::start();
    let mut hand = Hand::to(&server);
    write!(hand.0, "GET /mcp HTTP/1.1\r\n\r\n").expect("it is written");
    hand.until("405");
}

#[test]
fn a_listen_is_acknowledged_notified_ended_and_left() {
    let server = Modern::start();
    let mut hand = Hand::to(&server);
    let listen = client::listen("\"l\"", r#"{"toolsListChanged":true}"#);
    hand.post(&headers("subscriptions/listen", &[]), &listen);
    hand.until(r#"/subscriptionId":"l""#);
    let number = server.await_listen(|filter| filter["toolsListChanged"] == true);
    server.notify(number, "notifications/tools/list_changed", "");
    hand.until("list_changed");
    server.end_listen(number);
    hand.until("\"result\"");
    hand.until("0\r\n\r\n");
    server.await_listen_left(number);

    hand.post(&headers("subscriptions/listen", &[]), &listen).until("acknowledged");
    let number = server.await_listen_after(1, |_| true);
    assert!(server.is_listening(number));
    drop(hand);
    server.await_listen_left(number);
}

#[test]
fn a_dual_server_serves_legacy_clients_without_a_session() {
    let server = Modern::start();
    server.dual();
    let mut hand = Hand::to(&server);
    let seen = hand.post(&[], &json::initialize("1", "2025-06-18")).until("}}}");
    assert!(seen.contains("200") && !seen.to_lowercase().contains("mcp-session-id"), "{seen}");
    hand.post(&[], &json::call("2", "m")).until("\"text\":\"m\"");
    assert_eq!(server.legacy().executions("m"), 1);
    hand.until("}");
    let discover = client::request("3", "server/discover", "");
    hand.post(&headers("server/discover", &[]), &discover).until("supportedVersions");
}

#[test]
fn header_values_are_decoded() {
    for (value, meant) in [
        ("us-west1", Some("us-west1")),
        ("", Some("")),
        ("=?base64?IHBhZGRlZCA=?=", Some(" padded ")),
        ("=?base64?bGluZTEKbGluZTI=?=", Some("line1\nline2")),
        ("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", Some("=?base64?literal?=")),
        ("=?base64?5pel5pys6Kqe?=", Some("日本語")),
        ("=?base64??=", Some("")),
        ("=?base64?IHBhZGRlZCA?=", None),
        ("größe", None),
    ] {
        assert_eq!(decoded(value).as_deref(), meant, "{value}");
    }
}
