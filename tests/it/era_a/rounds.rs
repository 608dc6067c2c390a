//! How long input rounds may go on, and what is heard meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{FORM, connected, is_call, params_of};
use crate::support::{
    bridge::Bridge,
    json::{self, value},
    modern::{Call, Modern},
};

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
