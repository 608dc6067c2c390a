//! Composio's URLs through the executable: what is repaired on the way out, what is refused before
//! anything is sent, and what a refusal of theirs says.

use std::time::Duration;

use serde_json::Value;

use crate::support::{
    bridge::Setup,
    hosts::{Hosts, run_at},
    json,
};

const SERVER: &str = "https://backend.composio.dev/v3/mcp/5f0c1c8e-0b1a-4c55-9d3e-0f3f7c1b2a4d";
const SESSION: &str = "https://backend.composio.dev/tool_router/trs_1/mcp";
const CONNECT: &str = "https://connect.composio.dev/mcp";

fn keyed(setup: Setup) -> Setup {
    let setup = setup.env("COMPOSIO_API_KEY", "ak_1");
    setup.env("COMPOSIO_CONSUMER_API_KEY", "ck_1")
}

/// A URL, and what is asked for.
#[track_caller]
fn asks(url: &str, host: &str, path: &str) {
    let hosts = Hosts::start();
    let mut bridge = keyed(hosts.bridge(url)).spawn();
    bridge.handshake("2025-11-25");
    bridge.call_works("1");
    bridge.finish();
    assert!(hosts.requests().len() >= 3);
    for request in hosts.requests() {
        assert_eq!((request.header("host"), request.path.as_str()), (Some(host), path), "{url}");
    }
}

#[test]
fn what_is_certain_is_repaired_without_a_word() {
    let (backend, id) = ("backend.composio.dev", "5f0c1c8e-0b1a-4c55-9d3e-0f3f7c1b2a4d");
    for (before, after) in [
        ("?user_id=john", format!("/v3/mcp/{id}?user_id=john")),
        ("?connected_account_ids=ca_1", format!("/v3/mcp/{id}?connected_account_id=ca_1")),
        (
            "?include_composio_helper_actions=true&connected_account_ids=ca_1",
            format!("/v3/mcp/{id}?include_composio_helper_actions=true&connected_account_id=ca_1"),
        ),
        ("/sse?user_id=john", format!("/v3/mcp/{id}/mcp?user_id=john")),
    ] {
        asks(&format!("{SERVER}{before}"), backend, &after);
    }
    for before in ["/mcp", "", "/sse"] {
        let url = format!("https://backend.composio.dev/tool_router/trs_1{before}");
        asks(&url, backend, "/tool_router/trs_1/mcp");
    }
    asks("https://connect.composio.dev", "connect.composio.dev", "/mcp");
}

#[test]
fn a_repair_is_in_the_log_of_who_wants_to_know() {
    let hosts = Hosts::start();
    let url = format!("{SERVER}?connected_account_ids=ca_1");
    let mut bridge = keyed(hosts.bridge(&url)).arg("--log-level=debug").spawn();
    bridge.handshake("2025-11-25");
    let log = bridge.end();
    assert!(log.contains("`connected_account_ids` became `connected_account_id`"), "{log}");
}

#[test]
fn what_is_hopeless_is_refused_before_anything_is_sent() {
    for (url, words) in [
        ("https://mcp.composio.dev/session/ses_1/sse", ["removed", "session create"]),
        ("https://mcp.composio.dev/custom/mcp_1?user=u", ["removed", "session create"]),
        (
            "https://mcp.composio.dev/composio/server/5f0c1c8e-0b1a-4c55-9d3e-0f3f7c1b2a4d\
             ?connected_account_ids=ca_1",
            ["removed", "5f0c1c8e-0b1a-4c55-9d3e-0f3f7c1b2a4d?connected_account_id=ca_1"],
        ),
        ("https://mcp.composio.dev/gmail/three-random-words", ["removed", "--toolkit gmail"]),
        (
            "https://backend.composio.dev/tool_router/{session_id}/mcp",
            ["placeholder", "session create"],
        ),
        ("https://backend.composio.dev/tool_router/ses_1/mcp", ["trs_", "session create"]),
        (SERVER, ["no user", "?user_id=USER"]),
        ("https://apollo.composio.dev/v3/mcp/x", ["staff", "session create"]),
        ("https://backend.composio.dev/api/v3/mcp/servers", ["REST API", "session create"]),
        ("http://backend.composio.dev/tool_router/trs_1/mcp", ["not encrypted", "https://"]),
    ] {
        let hosts = Hosts::start();
        let mut bridge = keyed(hosts.bridge(url)).spawn();
        let status = bridge.await_exit(Duration::from_secs(30));
        bridge.rest();
        let said = bridge.await_stderr('\n');
        assert_eq!(status.code(), Some(3), "{url}: {said}");
        for word in words {
            assert!(said.contains(word), "{url}: {word} is missing in: {said}");
        }
        assert_eq!(hosts.asked(), [""; 0], "{url}");
    }
}

#[test]
fn a_refusal_says_what_it_means_at_composio() {
    const SHAPE_1: &str = r#"{"error":{"message":"Invalid API key","code":10401,"slug":"HTTP_Unauthorized","status":401,"request_id":"req_9"}}"#;
    let server = format!("{SERVER}?user_id=u");
    for (url, status, body, code, words) in [
        (SESSION, 401, SHAPE_1, -31002, ["Invalid API key", "Sessions: write", "req_9"]),
        (
            server.as_str(),
            401,
            SHAPE_1,
            -31002,
            ["Invalid API key", "second credential", "project"],
        ),
        (
            CONNECT,
            401,
            r#"{"error":"Invalid consumer API key"}"#,
            -31002,
            ["Invalid consumer API key", "`ck_…`", "key set"],
        ),
        (SESSION, 404, r#"{"error":{"message":"x"}}"#, -31003, ["deleted", "project", "session"]),
        (server.as_str(), 404, "", -31003, ["deleted", "project", "server list"]),
        (server.as_str(), 400, r#"{"message":"x"}"#, -31003, ["HTTP 400", "user_id", "ca_…"]),
    ] {
        let hosts = Hosts::scripted(move |_, exchange| {
            exchange.reply(status, &[("content-type", "application/json")], body);
            true
        });
        // As a client has it: with no transport named, and HTTP+SSE is not tried there.
        let mut bridge = keyed(hosts.bridge_as_usual(url)).spawn();
        bridge.send(json::initialize("1", "2025-11-25"));
        bridge.refusal("1", code, &words);
        bridge.end();
        let asked = hosts.requests();
        assert!(asked.iter().all(|request| request.method == "POST"), "{url} {status}");
    }
}

#[test]
fn without_a_key_both_ways_in_are_told() {
    // It says that it wants a token, and not where to get one.
    let hosts = Hosts::scripted(|request, exchange| {
        match request.method.as_str() {
            "POST" => exchange.reply(401, &[("www-authenticate", "Bearer")], ""),
            _ => exchange.reply(404, &[], ""),
        }
        true
    });
    let mut bridge = hosts.bridge_as_usual(CONNECT).spawn();
    bridge.send(json::initialize("1", "2025-11-25"));
    let login = "composio-bridge login https://connect.composio.dev/mcp";
    bridge.refusal("1", -31002, &[login, "consumer key", "key set"]);
    bridge.end();
}

/// What `url explain` says, as text and as JSON.
fn explained(url: &str) -> (String, Value) {
    let home = tempfile::tempdir().expect("a temporary directory");
    let said = |args: &[&str]| {
        let output = run_at(home.path(), args, "");
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]), "{url}");
        String::from_utf8(output.stdout).expect("text")
    };
    let json = said(&["url", "explain", url, "--json"]);
    (said(&["url", "explain", url]), serde_json::from_str(&json).expect("JSON"))
}

#[test]
fn a_url_is_explained_without_asking_anybody() {
    let (text, json) = explained(&format!("{SERVER}?connected_account_ids=ca_1"));
    for word in ["deprecated", "changed:", "?connected_account_id=ca_1", "x-api-key", "uak_…"] {
        assert!(text.contains(word), "{word} is missing in: {text}");
    }
    assert_eq!((&json["kind"], &json["status"]), (&"server".into(), &"deprecated".into()));
    assert_eq!((&json["transport"], &json["usable"]), (&"streamable-http".into(), &true.into()));
    assert_eq!(json["use"], format!("{SERVER}?connected_account_id=ca_1"));
    assert_eq!(json["keys"][0]["header"], "x-api-key");
    assert_eq!(json["keys"][1]["header"], "x-user-api-key");

    let (text, json) = explained(CONNECT);
    assert!(text.contains("x-consumer-api-key") && !text.contains("x-api-key"), "{text}");
    assert_eq!(json["keys"].as_array().map(Vec::len), Some(1));

    let (text, json) = explained("https://mcp.composio.dev/gmail/three-random-words");
    assert!(text.contains("cannot be used") && text.contains("--toolkit gmail"), "{text}");
    assert_eq!((&json["usable"], &json["use"]), (&false.into(), &Value::Null));

    let (text, json) = explained("https://mcp.example.com/mcp");
    assert!(text.contains("not one of Composio's"), "{text}");
    assert_eq!((&json["composio"], &json["keys"]), (&false.into(), &serde_json::json!([])));
}

#[test]
fn what_is_no_url_is_not_repeated() {
    let home = tempfile::tempdir().expect("a temporary directory");
    for args in [&["url", "explain", "s3cr3t"][..], &["url", "explain"], &["url", "s3cr3t"]] {
        let output = run_at(home.path(), args, "");
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(!said.contains("s3cr3t"), "{said}");
    }
}
