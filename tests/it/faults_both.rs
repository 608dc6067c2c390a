//! The fault table, as far as a row looks alike over both transports. Each test says what the
//! client sees.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::support::{
    bridge::Bridge,
    cut::Proxy,
    json,
    net::Gate,
    server::{Call, Face, Server},
};

const BOTH: [Face; 2] = [Face::Http, Face::Sse];

fn connected(face: Face, server: &Server) -> Bridge {
    let mut bridge = Bridge::over(face, server).spawn();
    bridge.handshake("2025-06-18");
    bridge
}

/// A server whose POST of a `tools/call` is treated like this unless its marker is `works`.
fn failing(face: Face, fail: impl Fn(&mut Call) + Send + Sync + 'static) -> (Server, Bridge) {
    let server = Server::start(face);
    server.on(
        "tools/call",
        move |call| {
            if call.marker() == "works" { call.behave() } else { fail(call) }
        },
    );
    let bridge = connected(face, &server);
    (server, bridge)
}

/// A call that gets this HTTP answer ends in this error, and the next one works.
#[track_caller]
fn status_row(status: u16, kind: &'static str, body: &'static str, code: i64, words: &[&str]) {
    for face in BOTH {
        let (server, mut bridge) =
            failing(face, move |call| call.http().reply(status, &[("content-type", kind)], body));
        bridge.call("\"row\"", "fails");
        let error = bridge.refusal("\"row\"", code, words);
        assert_eq!(error["data"]["httpStatus"], status, "{face:?}: {error}");
        bridge.call_works("1");
        assert_eq!(server.count(|request| request.dump().contains("\"fails\"")), 1, "{face:?}");
        assert_eq!(server.sessions_opened(), 1, "{face:?}");
        bridge.end();
    }
}

const HTML: &str =
    "<html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>";
const COMPOSIO: &str = r#"{"error":{"message":"Toolkit not found","code":10404,"slug":"Toolkit_NotFound","status":400,"request_id":"req-77","suggested_fix":"Check the toolkit slug"}}"#;

#[test]
fn a_401_is_an_authorization_error_that_quotes_the_remote() {
    status_row(
        401,
        "application/json",
        r#"{"error":"Invalid consumer API key"}"#,
        -31002,
        &["401", "Invalid consumer API key"],
    );
}

#[test]
fn a_403_is_an_authorization_error() {
    status_row(403, "text/plain", "Forbidden", -31002, &["403"]);
}

#[test]
fn a_406_is_a_protocol_error() {
    status_row(406, "text/plain", "Not Acceptable", -31003, &["406"]);
}

#[test]
fn a_413_is_an_error_for_the_call_alone() {
    status_row(413, "text/plain", "", -31003, &["413"]);
}

#[test]
fn a_429_without_an_early_time_to_retry_is_shown_with_the_limit() {
    let body = r#"{"message":"Rate limit exceeded. Limit: 10000 requests per 1 minutes"}"#;
    status_row(
        429,
        "application/json",
        body,
        -31003,
        &["429", "Rate limit exceeded. Limit: 10000 requests per 1 minutes"],
    );
}

#[test]
fn a_500_is_an_error_with_its_status() {
    status_row(500, "text/plain", "boom", -31003, &["500"]);
}

#[test]
fn a_502_page_becomes_one_sentence_and_the_outcome_is_unknown() {
    status_row(502, "text/html", HTML, -31001, &["502", "Bad gateway"]);
}

#[test]
fn a_504_leaves_the_outcome_unknown() {
    status_row(504, "text/html", "", -31001, &["504"]);
}

#[test]
fn a_composio_error_is_told_with_its_fix_and_request_id() {
    let words = ["Toolkit not found", "Check the toolkit slug", "req-77"];
    status_row(400, "application/json", COMPOSIO, -31003, &words);
}

#[test]
fn a_503_or_429_that_names_an_early_time_is_waited_for_and_the_call_runs_once() {
    for face in BOTH {
        for status in [429, 503] {
            let nth = Arc::new(AtomicUsize::new(0));
            let (server, mut bridge) = failing(face, move |call| {
                if nth.fetch_add(1, Ordering::SeqCst) == 0 {
                    call.http().reply(status, &[("retry-after", "1")], "");
                } else {
                    call.behave();
                }
            });
            bridge.call("1", "patient");
            let answer = bridge.answer_to("1");
            assert_eq!(
                answer["result"]["content"][0]["text"], "patient",
                "{face:?} {status}: {answer}"
            );
            let posts: Vec<_> =
                server.requests().into_iter().filter(|one| one.is_rpc("tools/call")).collect();
            assert_eq!(posts.len(), 2, "{face:?} {status}");
            assert!(posts[1].at - posts[0].at >= Duration::from_millis(900), "{face:?} {status}");
            assert_eq!(server.executions("patient"), 1);
            bridge.end();
        }
    }
}

#[test]
fn a_retry_after_of_an_hour_is_not_waited_for() {
    for face in BOTH {
        for status in ["429", "503"] {
            let code = status.parse().expect("a number");
            let (_server, mut bridge) =
                failing(face, move |call| call.http().reply(code, &[("retry-after", "3600")], ""));
            bridge.call("1", "impatient");
            bridge.refusal("1", -31003, &[status]);
            bridge.call_works("2");
            bridge.end();
        }
    }
}

#[test]
fn a_json_rpc_error_in_an_http_error_passes_with_the_clients_id() {
    for face in BOTH {
        for (status, id) in [(400, "null"), (400, "\"server-error\""), (500, "null"), (406, "7")] {
            let body = json::error(id, -32099, "said by the remote");
            let (_server, mut bridge) = failing(face, move |call| {
                call.http().reply(status, &[("content-type", "application/json")], &body);
            });
            bridge.call("\"mine\"", "fails");
            let answer = bridge.answer_to("\"mine\"");
            assert_eq!(answer["error"]["code"], -32099, "{face:?} {answer}");
            assert_eq!(answer["error"]["message"], "said by the remote");
            assert_eq!(answer["error"].get("data"), None, "it is the remote's own");
            bridge.call_works("1");
            bridge.end();
        }
    }
}

#[test]
fn a_post_that_is_reset_leaves_the_outcome_of_a_call_unknown_and_it_is_not_repeated() {
    for face in BOTH {
        let (server, mut bridge) = failing(face, |call| {
            if !call.marker().is_empty() {
                call.http().reset();
            }
        });
        bridge.call("1", "once");
        bridge.refusal("1", -31001, &[]);
        bridge.call_works("2");
        assert_eq!(server.count(|request| request.dump().contains("\"once\"")), 1, "{face:?}");
        bridge.end();
    }
}

#[test]
fn a_post_that_is_reset_is_repeated_when_it_has_no_side_effects() {
    for face in BOTH {
        let server = Server::start(face);
        for method in
            ["tools/list", "resources/read", "ping", "completion/complete", "prompts/list"]
        {
            let nth = AtomicUsize::new(0);
            server.on(method, move |call| {
                if nth.fetch_add(1, Ordering::SeqCst) == 0 {
                    call.http().reset()
                } else {
                    call.behave()
                }
            });
        }
        let mut bridge = connected(face, &server);
        for method in
            ["tools/list", "resources/read", "ping", "completion/complete", "prompts/list"]
        {
            let id = format!("\"{method}\"");
            bridge.send(json::request(&id, method, "{}"));
            let answer = bridge.answer_to(&id);
            assert!(answer.get("result").is_some(), "{face:?} {answer}");
        }
        bridge.end();
    }
}

#[test]
fn a_remote_that_never_answers_costs_an_error_after_the_headers_timeout() {
    for face in BOTH {
        let server = Server::start(face);
        server.on("tools/call", |call| {
            call.executed();
            if call.marker() == "works" {
                call.echo();
            }
        });
        let mut bridge = Bridge::over(face, &server).arg("--headers-timeout=0.5").spawn();
        bridge.handshake("2025-06-18");
        bridge.call("1", "stalled");
        bridge.refusal("1", -31001, &[]);
        server.await_request(|request| request.is_rpc("notifications/cancelled"));
        bridge.call_works("2");
        assert_eq!(server.executions("stalled"), 1, "{face:?}");
        bridge.end();
    }
}

#[test]
fn down_for_a_while_in_the_middle_costs_at_most_the_calls_made_meanwhile() {
    for face in BOTH {
        let server = Server::start(face);
        let proxy = Proxy::to(server.listener().addr);
        let path = if face == Face::Http { "/mcp" } else { "/sse" };
        let mut bridge = Bridge::to(proxy.url(path)).arg(face.flag()).spawn();
        bridge.handshake("2025-06-18");
        bridge.call_works("1");
        proxy.refuse();
        bridge.call("2", "meanwhile");
        let early = bridge.line_within(Duration::from_secs(5), |_| true);
        proxy.come_back();
        let answer = early.map_or_else(|| bridge.answer_to("2"), |line| json::value(&line));
        assert_eq!(answer["id"], 2, "{face:?} {answer}");
        match answer["error"]["code"].as_i64() {
            None => assert_eq!(server.executions("meanwhile"), 1),
            Some(code) => {
                assert!([-31000, -31005].contains(&code), "{face:?} {answer}");
                assert_eq!(server.executions("meanwhile"), 0, "{face:?}");
            }
        }
        bridge.call_works("3");
        bridge.end();
    }
}

#[test]
fn a_network_that_swallows_everything_is_noticed_by_keep_alive() {
    for face in BOTH {
        let server = Server::start(face);
        let proxy = Proxy::to(server.listener().addr);
        let path = if face == Face::Http { "/mcp" } else { "/sse" };
        let mut bridge =
            Bridge::to(proxy.url(path)).arg(face.flag()).arg("--ping-interval=0.3").spawn();
        bridge.handshake("2025-06-18");
        bridge.call_works("1");
        server.await_request(|request| request.is_rpc("ping"));
        proxy.stall();
        bridge.call("2", "swallowed");
        let error = bridge.answer_to("2")["error"].take();
        let code = error["code"].as_i64().unwrap_or_default();
        assert!([-31001, -31005].contains(&code), "{face:?} {error}");
        proxy.come_back();
        bridge.call_works("3");
        assert!(server.executions("swallowed") <= 1);
        bridge.end();
    }
}

#[test]
fn keep_alive_pings_are_the_bridges_own_and_the_client_sees_none_of_them() {
    for face in BOTH {
        let server = Server::start(face);
        let mut bridge = Bridge::over(face, &server).arg("--ping-interval=0.1").spawn();
        bridge.handshake("2025-06-18");
        let ping = server.await_nth(3, |request| request.is_rpc("ping"));
        assert!(
            ping.rpc_id().is_some_and(|id| id.starts_with("\"composio-bridge-")),
            "{}",
            ping.dump()
        );
        bridge.call("1", "m");
        assert_eq!(json::value(&bridge.next_line())["id"], 1);
        bridge.finish();
    }
}

/// Three calls meet a session that is gone before any of them runs.
fn session_gone(face: Face, prepare: impl Fn(&Server)) {
    let server = Server::start(face);
    prepare(&server);
    let mut bridge = connected(face, &server);
    bridge.send(json::request("\"log\"", "logging/setLevel", r#"{"level":"warning"}"#));
    bridge.answer_to("\"log\"");
    for uri in ["a", "b"] {
        let id = format!("\"{uri}\"");
        bridge.send(json::request(
            &id,
            "resources/subscribe",
            &format!("{{\"uri\":\"test://{uri}\"}}"),
        ));
        bridge.answer_to(&id);
    }
    bridge.send(json::request("\"off\"", "resources/unsubscribe", r#"{"uri":"test://a"}"#));
    bridge.answer_to("\"off\"");
    server.forget_sessions_quietly();
    for id in ["1", "2", "3"] {
        bridge.call(id, &format!("marker-{id}"));
    }
    for id in ["1", "2", "3"] {
        let answer = bridge.answer_to(id);
        assert!(answer.get("result").is_some(), "{face:?} {answer}");
        assert_eq!(server.executions(&format!("marker-{id}")), 1, "{face:?}");
    }
    for kind in ["tools", "prompts", "resources"] {
        bridge.incoming(&format!("notifications/{kind}/list_changed"));
    }
    assert_eq!(server.sessions_opened(), 2, "{face:?}: exactly one new session");
    replayed(face, &server);
    bridge.end();
}

fn replayed(face: Face, server: &Server) {
    let count = |rpc: &str| server.count(|request| request.is_rpc(rpc));
    server.await_nth(2, |request| request.is_rpc("notifications/initialized"));
    server.await_nth(2, |request| request.is_rpc("logging/setLevel"));
    server.await_nth(3, |request| request.is_rpc("resources/subscribe"));
    assert_eq!(count("initialize"), 2, "{face:?}");
    assert_eq!(count("notifications/initialized"), 2, "{face:?}");
    let subscribed = |uri: &str| {
        let wanted = format!("test://{uri}");
        server.count(|request| {
            request.is_rpc("resources/subscribe") && request.dump().contains(&wanted)
        })
    };
    assert_eq!((subscribed("a"), subscribed("b")), (1, 2), "{face:?}: only what is still wanted");
    let params: Vec<_> = server
        .requests()
        .iter()
        .filter(|request| request.is_rpc("initialize"))
        .filter_map(|request| request.members()?.raw("params").map(str::to_owned))
        .collect();
    assert_eq!(params[0], params[1], "{face:?}: the client's own initialize is replayed");
}

#[test]
fn t37_a_session_lost_with_404_is_renewed_once_and_the_calls_run_once() {
    session_gone(Face::Http, |_| {});
}

#[test]
fn a_session_lost_with_400_is_renewed_once_and_the_calls_run_once() {
    session_gone(Face::Http, |server| _ = server.lost_is_400());
}

#[test]
fn an_http_sse_session_that_is_forgotten_is_renewed_once_and_the_calls_run_once() {
    session_gone(Face::Sse, |_| {});
}

#[test]
fn a_restart_with_three_calls_running_costs_those_and_no_other_and_runs_none_again() {
    for face in BOTH {
        for lost_is_400 in [false, true] {
            let server = Server::start(face);
            if lost_is_400 {
                server.lost_is_400();
            }
            let gate = Gate::new();
            let held = gate.clone();
            server.on("tools/call", move |call| {
                call.executed();
                if call.marker() != "works" {
                    held.wait();
                }
                call.echo();
            });
            let mut bridge = connected(face, &server);
            for id in ["1", "2", "3"] {
                bridge.call(id, &format!("running-{id}"));
                server.await_execution(&format!("running-{id}"));
            }
            server.stop();
            gate.open();
            for id in ["1", "2", "3"] {
                bridge.refusal(id, if face == Face::Http { -31001 } else { -31005 }, &[]);
            }
            server.start_again();
            bridge.call_works("4");
            assert_eq!(server.sessions_opened(), 2, "{face:?}");
            for id in ["1", "2", "3"] {
                assert_eq!(server.executions(&format!("running-{id}")), 1, "{face:?}");
            }
            bridge.end();
        }
    }
}

#[test]
fn a_remote_that_loses_every_session_at_once_is_not_stormed() {
    for face in BOTH {
        let server = Server::start(face);
        server.on("tools/call", |call| call.http().reply(404, &[], "no session"));
        let mut bridge = connected(face, &server);
        bridge.call("1", "never");
        let error = bridge.answer_to("1")["error"].take();
        let code = error["code"].as_i64().unwrap_or_default();
        assert!([-31003, -31005].contains(&code), "{face:?} {error}");
        assert!(server.sessions_opened() <= 3, "{face:?} opened {}", server.sessions_opened());
        bridge.end();
    }
}

#[test]
fn a_remote_that_is_hidden_behind_an_unfinished_answer_does_not_hold_others_up() {
    for face in BOTH {
        let (_server, mut bridge) = failing(face, |call| {
            call.http().raw(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{",
            );
        });
        bridge.call("1", "unfinished");
        bridge.call_works("2");
        bridge.end();
    }
}
