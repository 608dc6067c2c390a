//! HTTP+SSE (2024-11-05), and how the transport is chosen.

use crate::support::{
    bridge::Bridge,
    http::Request,
    json,
    net::Gate,
    remote::Remote,
    server::{Face, Server},
};

fn is_get(request: &Request) -> bool {
    request.method == "GET"
}

/// A remote whose endpoint event has this data; what is posted is accepted.
fn with_endpoint(data: impl Fn(&Request) -> String + Send + Sync + 'static) -> Remote {
    Remote::start(move |request, exchange| {
        if request.method == "POST" {
            return exchange.reply(202, &[], "");
        }
        let event = format!("event: endpoint\ndata: {}\n\n", data(request));
        exchange.sse(&[]).chunk(event).await_gone();
    })
}

#[test]
fn t20_messages_go_to_exactly_the_endpoint_that_was_named() {
    for (data, path) in [
        ("/messages?sid=a%2Fb", "/messages?sid=a%2Fb"),
        ("\"/messages?sid=1\"", "/messages?sid=1"),
        ("msg?sid=2&x=%20+~", "/deep/msg?sid=2&x=%20+~"),
        ("../up/%41?", "/up/%41?"),
        ("?only=query", "/deep/sse?only=query"),
    ] {
        let remote = with_endpoint(move |_| data.to_owned());
        let mut bridge = Bridge::to(remote.url("/deep/sse")).arg(Face::Sse.flag()).spawn();
        bridge.send(json::initialize("1", "2024-11-05"));
        let post = remote.await_request(|request| request.method == "POST");
        assert_eq!(post.path, path);
        assert_eq!(post.header("content-type"), Some("application/json"));
    }
    let remote = with_endpoint(|request| {
        format!("http://{}/abs", request.header("host").unwrap_or_default())
    });
    let mut bridge = Bridge::to(remote.url("/sse")).arg(Face::Sse.flag()).spawn();
    bridge.send(json::initialize("1", "2024-11-05"));
    assert_eq!(remote.await_request(|request| request.method == "POST").path, "/abs");
}

#[test]
fn t21_an_endpoint_on_another_origin_gets_nothing() {
    let elsewhere = Remote::start(|_, exchange| exchange.reply(202, &[], ""));
    let other_port = elsewhere.url("/messages");
    let schemes =
        [other_port.clone(), other_port.replace("http:", ""), "https://127.0.0.1/x".to_owned()];
    for data in schemes {
        let remote = with_endpoint(move |_| data.clone());
        let mut bridge = Bridge::to(remote.url("/sse"))
            .arg(Face::Sse.flag())
            .arg("--header=authorization: ${TOKEN}")
            .arg("--startup-grace=0.3")
            .env("TOKEN", "Bearer marker")
            .spawn();
        bridge.send(json::initialize("1", "2024-11-05"));
        let answer = bridge.answer_to("1").to_string();
        assert!(answer.contains("endpoint") || answer.contains("origin"), "{answer}");
        bridge.end();
        assert_eq!(remote.count(|request| request.method == "POST"), 0);
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

#[test]
fn t22_messages_wait_for_the_endpoint_and_keep_their_order() {
    let server = Server::start(Face::Sse);
    let gate = Gate::new();
    let held = gate.clone();
    server.rule(move |request, _| {
        if is_get(request) {
            held.wait();
        }
        false
    });
    let mut bridge = Bridge::over(Face::Sse, &server).spawn();
    bridge.send(json::initialize("1", "2024-11-05"));
    bridge.send(json::notification("notifications/initialized", "{}"));
    bridge.call("2", "queued");
    server.await_request(is_get);
    gate.open();
    assert!(bridge.answer_to("1").get("result").is_some());
    assert!(bridge.answer_to("2").get("result").is_some());
    let posts: Vec<_> = server.requests().iter().filter_map(|request| request.rpc()).collect();
    assert_eq!(posts, ["initialize", "notifications/initialized", "tools/call"]);
    bridge.finish();
}

#[test]
fn t23_a_lost_stream_costs_the_call_in_flight_and_nothing_else() {
    let server = Server::start(Face::Sse);
    server.on("tools/call", |call| {
        call.executed();
        if call.marker() == "lost" { call.cut() } else { call.echo() }
    });
    let mut bridge = Bridge::over(Face::Sse, &server).spawn();
    bridge.handshake("2024-11-05");
    bridge.call("1", "lost");
    let answer = bridge.answer_to("1");
    assert_eq!(answer["error"]["code"], -31005, "{answer}");
    bridge.call_works("2");
    assert_eq!((server.sessions_opened(), server.executions("lost")), (2, 1));
    let rpcs: Vec<_> = server.requests().iter().filter_map(|request| request.rpc()).collect();
    assert_eq!(rpcs.iter().filter(|&rpc| rpc == "initialize").count(), 2);
    assert_eq!(rpcs.iter().filter(|&rpc| rpc == "notifications/initialized").count(), 2);
    bridge.end();
}

/// A server that speaks HTTP+SSE at an endpoint where a POST gets `status`.
fn sse_only(status: u16) -> Server {
    let server = Server::start(Face::Sse);
    server.rule(move |request, exchange| {
        let refused = request.method == "POST" && request.path == "/sse";
        if refused {
            exchange.reply(status, &[("content-type", "text/plain")], "no");
        }
        refused
    });
    server
}

#[test]
fn t24_a_remote_that_refuses_the_post_is_tried_with_http_sse() {
    for status in [400, 404, 405] {
        let server = sse_only(status);
        let mut bridge = Bridge::to(server.endpoint()).spawn();
        bridge.handshake("2025-06-18");
        bridge.call_works("1");
        let initializes =
            server.count(|request| request.is_rpc("initialize") && request.path != "/sse");
        assert_eq!(initializes, 1, "no throw-away handshake");
        bridge.finish();
    }
}

#[test]
fn t24_other_refusals_are_not_an_invitation_to_http_sse() {
    for (status, code) in [(401, -31002), (403, -31002)] {
        let server = sse_only(status);
        let mut bridge = Bridge::to(server.endpoint()).spawn();
        bridge.send(json::initialize("1", "2025-06-18"));
        let answer = bridge.answer_to("1");
        assert_eq!(answer["error"]["code"], code, "{answer}");
        assert_eq!(answer["error"]["data"]["httpStatus"], status, "{answer}");
        bridge.end();
        assert_eq!(server.count(|request| is_get(request) && request.path == "/sse"), 0);
    }
}

#[test]
fn sse_first_falls_back_to_streamable_http() {
    for status in [400, 404, 405] {
        let server = Server::start(Face::Http);
        server.rule(move |request, exchange| {
            let refused = is_get(request) && request.header("mcp-session-id").is_none();
            if refused {
                exchange.reply(status, &[], "");
            }
            refused
        });
        let mut bridge = Bridge::to(server.endpoint()).arg("--transport=sse-first").spawn();
        bridge.handshake("2025-06-18");
        bridge.call_works("1");
        assert_eq!(server.sessions_opened(), 1);
        bridge.finish();
    }
}

#[test]
fn one_transport_alone_is_not_left() {
    let server = sse_only(405);
    let mut bridge = Bridge::over(Face::Http, &server).arg("--startup-grace=0.3").spawn();
    bridge.send(json::initialize("1", "2025-06-18"));
    let answer = bridge.answer_to("1").to_string();
    assert!(answer.contains("405"), "{answer}");
    bridge.end();
    assert_eq!(server.count(is_get), 0);
}

#[test]
fn the_transport_that_worked_is_tried_first_next_time() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let server = sse_only(405);
    for run in 0..2 {
        let mut bridge = Bridge::to(server.endpoint()).home(home.path()).spawn();
        bridge.handshake("2025-06-18");
        bridge.call_works("1");
        bridge.finish();
        let refused = server.count(|request| request.method == "POST" && request.path == "/sse");
        assert_eq!(refused, 1, "in run {run}");
    }
}

#[test]
fn the_end_of_the_client_ends_the_stream() {
    let server = Server::start(Face::Sse);
    let mut bridge = Bridge::over(Face::Sse, &server).spawn();
    bridge.handshake("2024-11-05");
    bridge.call_works("1");
    bridge.finish();
    assert!(server.await_streams_left(1));
}

#[test]
fn everything_the_remote_says_comes_in_order_and_other_events_are_ignored() {
    let server = Server::start(Face::Sse);
    server.on("tools/call", |call| {
        call.executed();
        for n in 0..20 {
            let note = json::notification("notifications/progress", &format!("{{\"n\":{n}}}"));
            call.on_stream(format!("data: {note}\n\n").into_bytes());
            call.on_stream(b"event: heartbeat\ndata: {}\n\n: comment\n\n".to_vec());
        }
        call.echo();
    });
    let mut bridge = Bridge::over(Face::Sse, &server).spawn();
    bridge.handshake("2024-11-05");
    bridge.call("1", "m");
    for n in 0..20 {
        assert_eq!(json::value(&bridge.next_line())["params"]["n"], n);
    }
    assert_eq!(json::value(&bridge.next_line())["id"], 1);
    bridge.finish();
}

#[test]
fn redirects_within_the_origin_are_followed_for_the_stream_and_for_messages() {
    for status in [301, 302, 307, 308] {
        let server = Server::start(Face::Sse);
        server.rule(move |request, exchange| {
            if request.path == "/old" {
                exchange.reply(status, &[("location", "/sse")], "");
                return true;
            }
            let first = request.path.starts_with("/messages") && !request.path.contains("moved");
            if first {
                let location = format!("{}&moved", request.path);
                exchange.reply(status, &[("location", &location)], "");
            }
            first
        });
        let mut bridge = Bridge::to(server.url("/old"))
            .arg(Face::Sse.flag())
            .arg("--header=x-marker: kept")
            .spawn();
        bridge.send(json::initialize("1", "2024-11-05"));
        let post = server.await_request(|request| request.path.ends_with("&moved"));
        assert!(post.is_rpc("initialize"), "{status}: {}", post.dump());
        assert_eq!((post.method.as_str(), post.header("x-marker")), ("POST", Some("kept")));
        bridge.end();
    }
}

#[test]
fn a_redirect_to_another_origin_is_refused_for_the_stream_and_for_messages() {
    let elsewhere = Remote::start(|_, exchange| exchange.reply(200, &[], ""));
    for status in [301, 302, 303, 307, 308] {
        let target = elsewhere.url("/sse");
        let away = Remote::start(move |_, exchange| {
            exchange.reply(status, &[("location", &target)], "");
        });
        let mut bridge = Bridge::to(away.url("/sse"))
            .arg(Face::Sse.flag())
            .arg("--header=x-api-key: ${KEY}")
            .env("KEY", "k")
            .spawn();
        bridge.send(json::initialize("1", "2024-11-05"));
        let answer = bridge.answer_to("1");
        assert_eq!(answer["error"]["code"], -31003, "{status}: {answer}");
        bridge.end();

        let server = Server::start(Face::Sse);
        let target = elsewhere.url("/messages");
        server
            .on("tools/call", move |call| call.http().reply(status, &[("location", &target)], ""));
        let mut bridge = Bridge::over(Face::Sse, &server).spawn();
        bridge.handshake("2024-11-05");
        bridge.call("2", "away");
        let answer = bridge.answer_to("2");
        assert_eq!(answer["error"]["code"], -31003, "{status}: {answer}");
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains("redirect"), "{message}");
        bridge.end();
    }
    assert_eq!(elsewhere.requests().len(), 0);
}
