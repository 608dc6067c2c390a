//! The stdio side: framing, and messages no well-behaved client sends.

use serde_json::json;

use crate::support::{
    bridge::Bridge,
    json::{self, value},
    net::Gate,
    server::{Face, Server},
};

fn connected(version: &str) -> (Server, Bridge) {
    let server = Server::start(Face::Http);
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.handshake(version);
    (server, bridge)
}

#[test]
fn t02_garbage_is_answered_with_a_parse_error_and_the_process_lives() {
    let (server, mut bridge) = connected("2025-06-18");
    for garbage in
        [&b"{oops"[..], b"\xff\xfe{}", b"{\"a\":\"\xc3\"}", b"{} {}", b"nul", b"{\"a\":1"]
    {
        bridge.send(garbage);
        let answer = value(&bridge.next_line());
        assert_eq!(answer["error"]["code"], -32700, "{answer}");
        assert_eq!(answer.get("id"), Some(&json!(null)), "{answer}");
    }
    bridge.call_works("1");
    assert_eq!(server.count(|request| request.is_rpc("tools/call")), 1);
    bridge.finish();
}

#[test]
fn a_parse_error_has_no_id_member_from_2025_11_25_on() {
    let (_server, mut bridge) = connected("2025-11-25");
    bridge.send("{oops");
    let answer = value(&bridge.next_line());
    assert_eq!(answer["error"]["code"], -32700);
    assert_eq!(answer.get("id"), None);
    bridge.finish();
}

#[test]
fn json_that_is_no_message_is_an_invalid_request() {
    let (server, mut bridge) = connected("2025-06-18");
    for odd in [
        "42",
        "\"text\"",
        "null",
        "true",
        "{}",
        r#"{"jsonrpc":"2.0"}"#,
        r#"{"jsonrpc":"2.0","method":5}"#,
    ] {
        bridge.send(odd);
        let answer = value(&bridge.next_line());
        assert_eq!(answer["error"]["code"], -32600, "{odd}: {answer}");
    }
    bridge.send(r#"{"jsonrpc":"2.0","id":17}"#);
    assert_eq!(bridge.answer_to("17")["error"]["code"], -32600);
    bridge.call_works("1");
    assert_eq!(server.count(|request| request.method == "POST"), 3);
    bridge.finish();
}

#[test]
fn an_id_that_cannot_be_one_is_an_invalid_request() {
    let (server, mut bridge) = connected("2025-06-18");
    for id in ["null", "true", "{}", "[1]"] {
        bridge.send(json::request(id, "tools/list", "{}"));
        let answer = value(&bridge.next_line());
        assert_eq!(answer["error"]["code"], -32600, "id {id}: {answer}");
    }
    bridge.call_works("1");
    assert_eq!(server.count(|request| request.is_rpc("tools/list")), 0);
    bridge.finish();
}

#[test]
fn t03_a_bom_blank_lines_crlf_and_split_characters_are_understood() {
    let server = Server::start(Face::Http);
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.send_raw("\u{feff}\r\n\n  \n\t\r\n");
    bridge.send_raw(json::initialize("1", "2025-06-18") + "\r\n");
    assert!(bridge.answer_to("1").get("result").is_some());
    bridge.send_raw("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\r\n\r\n");
    let call = json::call("2", "zwölf 😀");
    let cut = call.find('😀').expect("it is there") + 2;
    bridge.send_raw(&call.as_bytes()[..cut]);
    // The second half comes as a read of its own: after the remote has seen the first message.
    server.await_request(|request| request.is_rpc("notifications/initialized"));
    bridge.send_raw(&call.as_bytes()[cut..]);
    bridge.send_raw("\r\n");
    assert_eq!(bridge.answer_to("2")["result"]["content"][0]["text"], "zwölf 😀");
    let request = server.await_request(|request| request.is_rpc("tools/call"));
    assert_eq!(request.body, call.as_bytes(), "the CR is framing, not message");
    bridge.finish();
}

#[test]
fn a_last_line_without_a_newline_counts() {
    let (server, mut bridge) = connected("2025-06-18");
    bridge.send_raw(json::call("9", "last"));
    bridge.close_stdin();
    assert_eq!(bridge.answer_to("9")["result"]["content"][0]["text"], "last");
    assert_eq!(server.executions("last"), 1);
    bridge.finish();
}

#[test]
fn t11_ids_of_each_type_come_back_as_they_were() {
    let (server, mut bridge) = connected("2025-06-18");
    let gate = Gate::new();
    let held = gate.clone();
    server.on("x/hold", move |call| {
        held.wait();
        call.answer("{}");
    });
    for id in ["1", "\"1\"", "9007199254740993"] {
        bridge.send(json::request(id, "x/hold", "{}"));
    }
    server.await_nth(3, |request| request.is_rpc("x/hold"));
    gate.open();
    for id in ["9007199254740993", "\"1\"", "1"] {
        assert!(bridge.answer_to(id).get("result").is_some());
    }
    bridge.finish();
}

#[test]
fn a_slow_call_holds_nobody_up() {
    for face in [Face::Http, Face::Sse] {
        let server = Server::start(face);
        let gate = Gate::new();
        let held = gate.clone();
        server.on("x/hold", move |call| {
            call.executed();
            held.wait();
            call.answer("{}");
        });
        let mut bridge = Bridge::over(face, &server).spawn();
        bridge.handshake("2025-06-18");
        (0..20).for_each(|id| bridge.send(json::request(&id.to_string(), "x/hold", "{}")));
        bridge.call_works("\"quick\"");
        gate.open();
        (0..20).for_each(|id| _ = bridge.answer_to(&id.to_string()));
        bridge.finish();
    }
}

#[test]
fn five_megabytes_pass_in_one_line_and_as_garbage_cost_one_error() {
    let (server, mut bridge) = connected("2025-06-18");
    bridge.send("x".repeat(5 << 20));
    assert_eq!(value(&bridge.next_line())["error"]["code"], -32700);
    bridge.call("1", &"m".repeat(5 << 20));
    assert!(bridge.answer_to("1").get("result").is_some());
    assert_eq!(server.count(|request| request.is_rpc("tools/call")), 1);
    bridge.finish();
}

#[test]
fn a_line_beyond_the_limit_costs_one_error_and_the_next_line_counts() {
    let (_server, mut bridge) = connected("2025-06-18");
    let piece = "x".repeat(1 << 20);
    bridge.send_raw("\"");
    (0..130).for_each(|_| bridge.send_raw(&piece));
    bridge.send_raw("\"\n");
    let answer = value(&bridge.next_line());
    assert_eq!(answer["error"]["code"], -31006, "{answer}");
    bridge.call_works("1");
    bridge.end();
}

#[test]
fn ping_is_answered_before_initialize_and_anything_else_refused() {
    let server = Server::start(Face::Http);
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.send(r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#);
    assert_eq!(bridge.answer_to("\"p\"")["result"], json!({}));
    for (id, method) in
        [("1", "tools/list"), ("2", "tools/call"), ("3", "x/y"), ("4", "resources/read")]
    {
        bridge.send(json::request(id, method, "{}"));
        assert_eq!(bridge.answer_to(id)["error"]["code"], -32600);
    }
    bridge.send(r#"{"jsonrpc":"2.0","method":"notifications/x"}"#);
    assert_eq!(server.requests().len(), 0, "nothing is sent before initialize");
    bridge.handshake("2025-06-18");
    bridge.call_works("5");
    bridge.finish();
}

#[test]
fn st_13_a_response_that_answers_nothing_is_dropped() {
    let (server, mut bridge) = connected("2025-06-18");
    for id in ["1", "\"hello\"", "null"] {
        bridge.send(json::result(id, "{}"));
    }
    bridge.send(json::error("5", -1, "no"));
    bridge.call_works("1");
    let posts = server.count(|request| request.method == "POST");
    assert_eq!(posts, 3, "initialize, initialized, the call");
    bridge.send(r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#);
    assert_eq!(value(&bridge.next_line())["id"], "p");
    bridge.finish();
}

#[test]
fn t09_a_batch_in_2025_03_26_is_answered_with_one_array() {
    let (server, mut bridge) = connected("2025-03-26");
    let batch = format!(
        "[{},{},{}]",
        json::call("1", "a"),
        json::notification("notifications/x", "{}"),
        json::call("\"1\"", "b")
    );
    bridge.send(batch);
    let answers = value(&bridge.next_line());
    let answers = answers.as_array().expect("an array");
    assert_eq!(answers.len(), 2);
    let of =
        |id: serde_json::Value| answers.iter().find(|one| one["id"] == id).expect("its answer");
    assert_eq!(of(json!(1))["result"]["content"][0]["text"], "a");
    assert_eq!(of(json!("1"))["result"]["content"][0]["text"], "b");
    server.await_request(|request| request.is_rpc("notifications/x"));
    bridge.finish();
}

#[test]
fn batches_of_odd_content_in_2025_03_26() {
    let (server, mut bridge) = connected("2025-03-26");
    bridge.send("[]");
    assert_eq!(value(&bridge.next_line())["error"]["code"], -32600, "an empty array");
    bridge.send(format!("[{}]", json::notification("notifications/x", "{}")));
    server.await_request(|request| request.is_rpc("notifications/x"));
    bridge.send(format!("[{},5,{}]", json::initialize("7", "2025-03-26"), json::call("8", "ok")));
    let answers = value(&bridge.next_line());
    let codes: Vec<_> =
        answers.as_array().expect("an array").iter().map(|one| &one["error"]["code"]).collect();
    assert_eq!(codes.iter().filter(|&&code| *code == json!(-32600)).count(), 2, "{answers}");
    assert_eq!(
        answers.as_array().map(Vec::len),
        Some(3),
        "nothing was written for the notification"
    );
    assert_eq!(server.sessions_opened(), 1);
    bridge.finish();
}

#[test]
fn t10_a_batch_in_any_other_version_is_an_invalid_request() {
    for version in ["2024-11-05", "2025-06-18", "2025-11-25"] {
        let (server, mut bridge) = connected(version);
        bridge.send(format!("[{},{}]", json::call("1", "a"), json::call("2", "b")));
        let answer = value(&bridge.next_line());
        assert_eq!(answer["error"]["code"], -32600, "{answer}");
        bridge.call_works("3");
        assert_eq!((server.executions("a"), server.executions("b")), (0, 0));
        bridge.finish();
    }
}
