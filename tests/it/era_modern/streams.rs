//! What closing a stream means, what is never repeated, and what else is on a stream.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::connected;
use crate::support::{
    bridge::Bridge,
    http::Request,
    json::{self, value},
    modern::{Call, Modern, client},
};

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
