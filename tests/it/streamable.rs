//! Streamable HTTP as the legacy revisions define it: headers, order, streams, sessions.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use crate::support::{
    bridge::Bridge,
    http::Request,
    json,
    net::Gate,
    remote::Remote,
    server::{Face, Frame, Server},
};

fn is_get(request: &Request) -> bool {
    request.method == "GET"
}

fn connected(server: &Server) -> Bridge {
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.handshake("2025-06-18");
    bridge
}

#[test]
fn t30_t31_every_later_request_carries_the_session_and_the_version() {
    let server = Server::start(Face::Http);
    let mut bridge = connected(&server);
    bridge.call_works("1");
    server.await_request(is_get);
    bridge.finish();
    let delete = server.await_request(|request| request.method == "DELETE");
    assert_eq!(delete.header("mcp-session-id"), Some("session-1"));
    for request in server.requests() {
        let first = request.is_rpc("initialize");
        let session = (!first).then_some("session-1");
        let version = (!first).then_some("2025-06-18");
        assert_eq!(request.header("mcp-session-id"), session, "{}", request.dump());
        assert_eq!(request.header("mcp-protocol-version"), version, "{}", request.dump());
    }
}

#[test]
fn requests_say_what_they_accept_and_nothing_that_browsers_say() {
    let server = Server::start(Face::Http);
    let mut bridge = connected(&server);
    bridge.call_works("1");
    server.await_request(is_get);
    bridge.finish();
    for request in server.requests() {
        let accept = request.header("accept").unwrap_or_default();
        match request.method.as_str() {
            "POST" => {
                assert!(accept.contains("application/json"), "{}", request.dump());
                assert!(accept.contains("text/event-stream"), "{}", request.dump());
                assert_eq!(request.header("content-type"), Some("application/json"));
                assert_eq!(request.header("accept-encoding"), Some("identity"));
            }
            "GET" => {
                assert_eq!(accept, "text/event-stream");
                assert_eq!(request.header("accept-encoding"), Some("identity"));
            }
            _ => {}
        }
        assert_eq!(request.header("origin"), None);
        assert_eq!(request.header("last-event-id"), None);
    }
}

#[test]
fn connections_are_kept_and_used_again() {
    let server = Server::start(Face::Http);
    let mut bridge = connected(&server);
    (0..50).for_each(|id| bridge.call_works(&id.to_string()));
    let calls = server.requests().into_iter().filter(|request| request.is_rpc("tools/call"));
    let mut connections: Vec<_> = calls.map(|request| request.connection).collect();
    connections.dedup();
    assert!(connections.len() <= 3, "{connections:?}");
    bridge.finish();
}

#[test]
fn t32_nothing_overtakes_initialized() {
    let server = Server::start(Face::Http);
    let gate = Gate::new();
    let held = gate.clone();
    server.on("notifications/initialized", move |call| {
        held.wait();
        call.accept();
    });
    let mut bridge = connected(&server);
    (0..5).for_each(|id| bridge.call(&id.to_string(), "early"));
    server.await_request(|request| request.is_rpc("notifications/initialized"));
    assert!(
        server
            .nth_within(1, Duration::from_millis(200), |request| request.is_rpc("tools/call"))
            .is_none()
    );
    assert_eq!(server.count(is_get), 0);
    gate.open();
    (0..5).for_each(|id| _ = bridge.answer_to(&id.to_string()));
    bridge.finish();
}

#[test]
fn t33_a_refused_get_stream_is_not_asked_for_again() {
    let server = Server::start(Face::Http);
    server.stateless();
    let mut bridge = connected(&server);
    server.await_request(is_get);
    bridge.call_works("1");
    assert!(server.nth_within(2, Duration::from_millis(1500), is_get).is_none());
    bridge.finish();
    assert_eq!(server.count(|request| request.method == "DELETE"), 0, "there is no session");
}

#[test]
fn the_get_stream_carries_everything_the_remote_says_unasked() {
    let server = Server::start(Face::Http);
    let mut bridge = connected(&server);
    for n in 0..20 {
        server.push(json::notification("notifications/message", &format!("{{\"n\":{n}}}")));
    }
    for n in 0..20 {
        assert_eq!(bridge.incoming("notifications/message")["params"]["n"], n, "in order");
    }
    bridge.finish();
}

#[test]
fn t34_a_primed_stream_that_ends_is_resumed_after_its_retry_time() {
    let server = Server::start(Face::Http);
    server.on("tools/call", |call| {
        call.executed();
        call.http().sse(&[]).chunk("id: e1\nretry: 2000\ndata: \n\n").end();
    });
    server.rule(|request, exchange| {
        let resume = request.header("last-event-id").is_some();
        if resume {
            exchange.sse(&[]).event(json::result("1", r#"{"resumed":true}"#)).end();
        }
        resume
    });
    let mut bridge = connected(&server);
    bridge.call("1", "primed");
    let call = server.await_request(|request| request.is_rpc("tools/call"));
    assert_eq!(bridge.answer_to("1")["result"]["resumed"], true);
    let resume = server.await_request(|request| request.header("last-event-id").is_some());
    assert_eq!((resume.method.as_str(), resume.header("last-event-id")), ("GET", Some("e1")));
    assert_eq!(resume.header("mcp-session-id"), Some("session-1"));
    assert_eq!(resume.header("accept"), Some("text/event-stream"));
    let waited = resume.at - call.at;
    assert!(waited >= Duration::from_millis(1950), "came back after {waited:?}");
    assert!(waited < Duration::from_secs(8), "came back after {waited:?}");
    assert_eq!(server.executions("primed"), 1);
    bridge.finish();
}

#[test]
fn a_stream_is_resumed_again_and_again_and_repeats_no_event() {
    let server = Server::start(Face::Http);
    server.on("tools/call", |call| {
        call.executed();
        let first = json::notification("notifications/progress", r#"{"n":0}"#);
        call.http().sse(&[]).chunk("retry: 10\n\n").event_with_id("0", first).reset();
    });
    server.rule(|request, exchange| {
        let Some(last) = request.header("last-event-id") else {
            return false;
        };
        let next = last.parse::<usize>().expect("our own id") + 1;
        let id = next.to_string();
        if next == 10 {
            exchange.sse(&[]).event_with_id(&id, json::result("1", "{}")).end();
        } else {
            let note = json::notification("notifications/progress", &format!("{{\"n\":{next}}}"));
            exchange.sse(&[]).event_with_id(&id, note);
            if next % 2 == 0 { exchange.reset() } else { exchange.end() }
        }
        true
    });
    let mut bridge = connected(&server);
    bridge.call("1", "often");
    for n in 0..10 {
        let line = json::value(&bridge.next_line());
        assert_eq!(line["params"]["n"], n, "{line}");
    }
    assert!(bridge.answer_to("1").get("result").is_some());
    assert_eq!(server.executions("often"), 1);
    bridge.finish();
}

#[test]
fn t35_two_broken_streams_resume_each_with_its_own_last_id() {
    let server = Server::start(Face::Http);
    server.on("tools/call", |call| {
        call.executed();
        let id = format!("stream-{}", call.id());
        call.http().sse(&[]).chunk(format!("retry: 20\nid: {id}\ndata:\n\n")).reset();
    });
    server.rule(|request, exchange| {
        let Some(last) = request.header("last-event-id") else {
            return false;
        };
        let id = last.trim_start_matches("stream-");
        exchange.sse(&[]).event(json::result(id, &format!("{{\"from\":\"{last}\"}}"))).end();
        true
    });
    let mut bridge = connected(&server);
    bridge.call("1", "a");
    bridge.call("2", "b");
    assert_eq!(bridge.answer_to("1")["result"]["from"], "stream-1");
    assert_eq!(bridge.answer_to("2")["result"]["from"], "stream-2");
    bridge.finish();
}

#[test]
fn the_get_stream_resumes_with_its_own_last_id_and_keeps_its_retry_time() {
    let server = Server::start(Face::Http);
    let mut bridge = connected(&server);
    let note = json::notification("notifications/message", "{}");
    server.frame(Frame::Raw(format!("retry: 50\nid: g7\ndata: {note}\n\n").into_bytes()));
    bridge.incoming("notifications/message");
    server.frame(Frame::End);
    let again = server.await_nth(2, is_get);
    assert_eq!(again.header("last-event-id"), Some("g7"));
    bridge.finish();
}

#[test]
fn t39_st_10_ids_of_both_directions_do_not_mix() {
    let server = Server::start(Face::Http);
    let gate = Gate::new();
    let held = gate.clone();
    server.on("x/hold", move |call| {
        let question = json::request("1", "sampling/createMessage", r#"{"messages":[]}"#);
        call.http().sse(&[]).event(question);
        held.wait();
        let answer = json::result("1", r#"{"mine":true}"#);
        call.http().event(answer).end();
    });
    let mut bridge = connected(&server);
    bridge.send(json::request("1", "x/hold", "{}"));
    assert_eq!(bridge.incoming("sampling/createMessage")["id"], 1);
    let answer = json::result("1", r#"{"role":"assistant"}"#);
    bridge.send(&answer);
    let posted = server.await_request(|request| request.body == answer.as_bytes());
    assert_eq!(posted.header("mcp-session-id"), Some("session-1"));
    gate.open();
    assert_eq!(bridge.answer_to("1")["result"]["mine"], true);
    bridge.finish();
}

#[test]
fn t40_a_cancellation_follows_its_request_and_a_late_answer_is_dropped() {
    let server = Server::start(Face::Http);
    let gate = Gate::new();
    let held = gate.clone();
    server.on("tools/call", move |call| {
        call.executed();
        if call.marker() == "slow" {
            held.wait();
        }
        call.echo();
    });
    let mut bridge = connected(&server);
    // Only what was sent is cancelled on the remote, and nothing is before this.
    server.await_request(is_get);
    for n in 0..10 {
        let id = n.to_string();
        bridge.call(&id, "slow");
        bridge.send(json::notification(
            "notifications/cancelled",
            &format!("{{\"requestId\":{id}}}"),
        ));
    }
    server.await_nth(10, |request| request.is_rpc("notifications/cancelled"));
    let requests = server.requests();
    for n in 0..10 {
        let id = n.to_string();
        let call = requests
            .iter()
            .position(|one| one.is_rpc("tools/call") && one.rpc_id().as_ref() == Some(&id));
        let cancel = requests.iter().position(|one| {
            one.is_rpc("notifications/cancelled")
                && one.dump().contains(&format!("\"requestId\":{id}}}"))
        });
        assert!(call.is_some() && call < cancel, "call {call:?}, cancellation {cancel:?}");
    }
    gate.open();
    bridge.call_works("\"after\"");
    bridge.send(r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#);
    assert_eq!(json::value(&bridge.next_line())["id"], "p", "no answer to what was cancelled");
    bridge.finish();
}

#[test]
fn t41_any_success_accepts_a_notification() {
    let server = Server::start(Face::Http);
    let nth = AtomicUsize::new(0);
    server.on("notifications/x", move |call| match nth.fetch_add(1, Ordering::SeqCst) {
        0 => call.http().reply(204, &[], ""),
        1 => call.http().reply(200, &[], ""),
        2 => call.http().reply(200, &[("content-type", "application/json")], "null"),
        3 => call.http().reply(202, &[("content-type", "text/plain")], "Accepted"),
        _ => call.http().sse(&[]).end(),
    });
    let mut bridge = connected(&server);
    (0..5).for_each(|_| bridge.send(json::notification("notifications/x", "{}")));
    server.await_nth(5, |request| request.is_rpc("notifications/x"));
    bridge.call_works("1");
    bridge.finish();
}

#[test]
fn t42_comments_are_no_messages_and_keep_a_stream_alive_beyond_the_body_timeout() {
    let server = Server::start(Face::Http);
    server.on("x/slow", |call| {
        let id = call.id();
        let stream = call.http().sse(&[]);
        for _ in 0..8 {
            stream.chunk(": still here\n\n");
            std::thread::sleep(Duration::from_millis(100));
        }
        stream.event(json::result(&id, "{}")).end();
    });
    let mut bridge = Bridge::to(server.endpoint()).arg("--body-timeout=0.4").spawn();
    bridge.handshake("2025-06-18");
    bridge.send(json::request("1", "x/slow", "{}"));
    assert!(bridge.answer_to("1").get("result").is_some());
    bridge.finish();
}

#[test]
fn t43_an_array_in_a_json_body_or_event_is_taken_apart_in_2025_03_26() {
    let server = Server::start(Face::Http);
    let body = |id: &str| {
        let note = json::notification("notifications/message", "{}");
        format!("[ {note} ,\n{}]", json::result(id, r#"{"ok":1.0}"#))
    };
    server.on("x/body", move |call| {
        let body = body(&call.id());
        call.http().json(body);
    });
    server.on("x/event", move |call| {
        let data = body(&call.id()).replace('\n', "");
        call.http().sse(&[]).event(data).end();
    });
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.handshake("2025-03-26");
    for (id, method) in [("1", "x/body"), ("2", "x/event")] {
        bridge.send(json::request(id, method, "{}"));
        assert_eq!(
            bridge.next_line(),
            json::notification("notifications/message", "{}").as_bytes()
        );
        assert_eq!(bridge.next_line(), json::result(id, r#"{"ok":1.0}"#).as_bytes());
    }
    bridge.finish();
}

#[test]
fn an_answer_counts_as_soon_as_it_is_read_though_the_stream_stays_open() {
    let server = Server::start(Face::Http);
    server.on("x/open", |call| {
        let answer = json::result(&call.id(), "{}");
        call.http().sse(&[]).event(answer).await_gone();
    });
    let mut bridge = connected(&server);
    for id in ["1", "2", "3"] {
        bridge.send(json::request(id, "x/open", "{}"));
        assert!(bridge.answer_to(id).get("result").is_some());
    }
    bridge.finish();
}

#[test]
fn cookies_of_the_endpoint_are_kept_unless_disabled() {
    for (flag, expected) in
        [("--connect-timeout=10", Some("sticky=backend-7")), ("--disable-cookies", None)]
    {
        let server = Server::start(Face::Http);
        server.on("initialize", |call| {
            call.initialize(&[("set-cookie", "sticky=backend-7; Path=/; HttpOnly")])
        });
        let mut bridge = Bridge::to(server.endpoint()).arg(flag).spawn();
        bridge.handshake("2025-06-18");
        bridge.call_works("1");
        let call = server.await_request(|request| request.is_rpc("tools/call"));
        assert_eq!(call.header("cookie"), expected);
        bridge.finish();
    }
}

#[test]
fn a_redirect_within_the_origin_keeps_method_body_and_headers() {
    for status in [301, 302, 307, 308] {
        let server = Server::start(Face::Http);
        server.rule(move |request, exchange| {
            let old = request.path == "/old";
            if old {
                exchange.reply(status, &[("location", "/mcp")], "");
            }
            old
        });
        let url = server.url("/old");
        let mut bridge = Bridge::to(url).arg("--header=x-marker: kept").spawn();
        bridge.handshake("2025-06-18");
        bridge.call_works("1");
        let call =
            server.await_request(|request| request.path == "/mcp" && request.is_rpc("tools/call"));
        assert_eq!(
            (call.method.as_str(), call.header("x-marker")),
            ("POST", Some("kept")),
            "{status}"
        );
        bridge.finish();
    }
}

#[test]
fn t121_a_redirect_to_another_origin_is_refused_and_nothing_is_sent_there() {
    let elsewhere = Remote::start(|_, exchange| exchange.reply(200, &[], ""));
    for status in [301, 302, 303, 307, 308] {
        let server = Server::start(Face::Http);
        let target = elsewhere.url("/mcp");
        server
            .on("tools/call", move |call| call.http().reply(status, &[("location", &target)], ""));
        let mut bridge =
            Bridge::to(server.endpoint()).arg("--header=x-api-key: ${KEY}").env("KEY", "k").spawn();
        bridge.handshake("2025-06-18");
        bridge.call("1", "away");
        let answer = bridge.answer_to("1");
        assert_eq!(answer["error"]["code"], -31003, "{answer}");
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains("redirect"), "{message}");
        bridge.end();
    }
    assert_eq!(elsewhere.requests().len(), 0);
}
