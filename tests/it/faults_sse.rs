//! The fault table over HTTP+SSE: the one stream, what it may carry, and its loss.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use crate::support::{
    bridge::Bridge,
    http::Request,
    json,
    server::{Call, Face, Frame, Server},
};

fn is_get(request: &Request) -> bool {
    request.method == "GET"
}

fn connected(server: &Server) -> Bridge {
    let mut bridge = Bridge::over(Face::Sse, server).arg("--headers-timeout=2").spawn();
    bridge.handshake("2024-11-05");
    bridge
}

/// A server that runs a `tools/call` and then puts this on the stream, unless its marker is
/// `works`.
fn answering(write: impl Fn(&mut Call) + Send + Sync + 'static) -> (Server, Bridge) {
    let server = Server::start(Face::Sse);
    server.on("tools/call", move |call: &mut Call| {
        call.executed();
        if call.marker() == "works" { call.echo() } else { write(call) }
    });
    let bridge = connected(&server);
    (server, bridge)
}

#[test]
fn an_event_cut_in_the_middle_costs_its_call_and_the_call_is_not_repeated() {
    for frame in [|| Frame::Reset, || Frame::End] {
        let (server, mut bridge) = answering(move |call| {
            let answer = json::result(&call.id(), "{}");
            call.on_stream(format!("data: {}", &answer[..10]).into_bytes());
            call.frame(frame());
        });
        bridge.call("1", "cut");
        bridge.refusal("1", -31005, &[]);
        bridge.call_works("2");
        assert_eq!((server.executions("cut"), server.sessions_opened()), (1, 2));
        bridge.end();
    }
}

#[test]
fn a_list_in_flight_when_the_stream_breaks_is_asked_for_again() {
    let server = Server::start(Face::Sse);
    let nth = AtomicUsize::new(0);
    server.on("tools/list", move |call| {
        if nth.fetch_add(1, Ordering::SeqCst) == 0 { call.cut() } else { call.behave() }
    });
    let mut bridge = connected(&server);
    bridge.send(json::request("1", "tools/list", "{}"));
    assert!(bridge.answer_to("1").get("result").is_some());
    bridge.end();
}

#[test]
fn invalid_utf_8_in_an_event_costs_the_call_and_the_stream_is_opened_again() {
    let (server, mut bridge) =
        answering(|call| call.on_stream(b"data: {\"a\":\"\xc3\x28\"}\n\n".to_vec()));
    bridge.call("1", "odd");
    bridge.refusal("1", -31005, &["UTF-8"]);
    bridge.call_works("2");
    assert_eq!((server.executions("odd"), server.sessions_opened()), (1, 2));
    bridge.end();
}

#[test]
fn events_that_are_no_messages_are_skipped() {
    let (_server, mut bridge) = answering(|call| {
        for odd in ["oops", "42", "{}", "[]", "null", "\u{1}"] {
            call.on_stream(format!("data: {odd}\n\n").into_bytes());
        }
        call.on_stream(b"event: other\ndata: {\"jsonrpc\":\"2.0\"}\n\n".to_vec());
        let foreign = json::result("\"someone-else\"", "{}");
        call.on_stream(format!("data: {foreign}\n\n").into_bytes());
        call.echo();
    });
    bridge.call("1", "odd");
    let answer = bridge.answer_to("1");
    assert_eq!(answer["result"]["content"][0]["text"], "odd", "{answer}");
    bridge.end();
}

#[test]
fn an_answer_that_is_no_message_costs_an_error_after_the_headers_timeout() {
    let (server, mut bridge) =
        answering(|call| call.on_stream(b"data: {\"jsonrpc\":\n\n".to_vec()));
    bridge.call("1", "garbled");
    bridge.refusal("1", -31001, &[]);
    bridge.call_works("2");
    assert_eq!(server.executions("garbled"), 1);
    bridge.end();
}

#[test]
fn every_success_status_accepts_a_message() {
    for status in [200, 202, 204] {
        let server = Server::start(Face::Sse);
        server.on("x/odd", move |call| {
            call.http().reply(status, &[("content-type", "text/html")], "");
            let answer = json::result(&call.id(), "{}");
            // The POST is answered already; the stream alone is wanted.
            call.only_stream(answer);
        });
        let mut bridge = connected(&server);
        bridge.send(json::request("1", "x/odd", "{}"));
        assert!(bridge.answer_to("1").get("result").is_some());
        bridge.finish();
    }
}

#[test]
fn an_answer_that_arrives_before_the_202_counts_once() {
    let server = Server::start(Face::Sse);
    server.on("x/early", |call| {
        let answer = json::result(&call.id(), "{}");
        call.only_stream(answer);
        call.accept();
    });
    let mut bridge = connected(&server);
    for id in ["1", "2", "3"] {
        bridge.send(json::request(id, "x/early", "{}"));
        assert_eq!(json::value(&bridge.next_line())["id"].to_string(), id);
    }
    bridge.finish();
}

#[test]
fn a_post_that_breaks_after_its_answer_came_is_answered_once() {
    let server = Server::start(Face::Sse);
    server.on("x/early", |call| {
        let answer = json::result(&call.id(), "{}");
        call.only_stream(answer);
        call.http().reset();
    });
    let mut bridge = connected(&server);
    bridge.send(json::request("1", "x/early", "{}"));
    assert_eq!(bridge.answer_to("1")["id"], 1);
    bridge.send(json::request("2", "ping", "{}"));
    assert_eq!(json::value(&bridge.next_line())["id"], 2, "one answer to 1 and no more");
    bridge.end();
}

/// One event stream, spelled in many legal ways.
fn spellings(answer: &str) -> Vec<Vec<u8>> {
    let plain = format!("data: {answer}\n\n");
    let (first, second) = answer.split_at(answer.find(',').map_or(1, |comma| comma + 1));
    vec![
        plain.replace('\n', "\r").into_bytes(),
        plain.replace('\n', "\r\n").into_bytes(),
        format!(": comment\n\n:\n{plain}").into_bytes(),
        plain.replace("data: ", "data:").into_bytes(),
        plain.replace("data: ", "event: message\nid: 5\nnonsense\ndata: ").into_bytes(),
        format!("data: {first}\ndata: {second}\n\n").into_bytes(),
    ]
}

#[test]
fn every_legal_spelling_of_an_event_is_understood_however_it_is_cut_into_chunks() {
    let server = Server::start(Face::Sse);
    server.on("x/spell", |call| {
        let answer = json::result(&call.id(), r#"{"text":"é😀"}"#);
        let which = call.params["which"].as_u64().unwrap_or_default();
        let size = call.params["size"].as_u64().unwrap_or_default();
        let bytes = spellings(&answer).swap_remove(which as usize);
        bytes.chunks(size as usize).for_each(|piece| call.on_stream(piece.to_vec()));
    });
    let mut bridge = connected(&server);
    for which in 0..spellings("x").len() {
        for size in [1, 3, 10_000] {
            let id = format!("\"{which}-{size}\"");
            bridge.send(json::request(
                &id,
                "x/spell",
                &format!("{{\"which\":{which},\"size\":{size}}}"),
            ));
            let answer = bridge.answer_to(&id);
            assert_eq!(answer["result"]["text"], "é😀", "spelling {which} in pieces of {size}");
        }
    }
    bridge.finish();
}

#[test]
fn a_bom_before_the_endpoint_event_is_no_part_of_it() {
    let server = Server::start(Face::Sse);
    server.rule(|request, exchange| {
        if is_get(request) {
            exchange.raw("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
            exchange.raw("\u{feff}event: endpoint\r\ndata: /messages?sid=none\r\n\r\n");
            exchange.await_gone();
        }
        is_get(request)
    });
    let mut bridge = Bridge::over(Face::Sse, &server).spawn();
    bridge.send(json::initialize("1", "2024-11-05"));
    server.await_request(|request| request.path == "/messages?sid=none");
}

#[test]
fn an_event_of_64_megabytes_is_delivered_and_a_larger_one_than_the_limit_is_an_error() {
    let server = Server::start(Face::Sse);
    server.on("tools/call", |call| {
        call.executed();
        let size = match call.marker().as_str() {
            "works" => return call.echo(),
            "big" => 64,
            _ => 130,
        };
        let answer = json::result(&call.id(), &format!("\"{}\"", "x".repeat(size << 20)));
        call.message(answer);
    });
    let mut bridge = Bridge::over(Face::Sse, &server).spawn();
    bridge.handshake("2024-11-05");
    bridge.call("1", "big");
    assert!(bridge.answer_bytes("1").len() > 64 << 20);
    bridge.call("2", "too-big");
    let error = bridge.answer_to("2")["error"].take();
    let code = error["code"].as_i64().unwrap_or_default();
    assert!([-31005, -31006].contains(&code), "{error}");
    assert_eq!(server.executions("too-big"), 1);
    bridge.call_works("3");
    bridge.end();
}

#[test]
fn a_stream_that_is_cut_50_times_is_opened_50_times_again_with_as_many_handshakes() {
    let server = Server::start(Face::Sse);
    let mut bridge = connected(&server);
    for n in 0..50 {
        let note = json::notification("notifications/x", &format!("{{\"n\":{n}}}"));
        server.frame(Frame::Raw(format!("retry: 5\ndata: {note}\n\n").into_bytes()));
        assert_eq!(bridge.incoming("notifications/x")["params"]["n"], n);
        server.frame(if n % 2 == 0 { Frame::Reset } else { Frame::End });
        server.await_session(n + 2);
        server.await_nth(n + 2, |request| request.is_rpc("notifications/initialized"));
    }
    bridge.call_works("1");
    assert_eq!(server.count(|request| request.is_rpc("initialize")), 51);
    bridge.end();
}

#[test]
fn a_stream_that_is_cut_before_its_endpoint_is_no_storm_and_works_once_it_holds() {
    for empty in [false, true] {
        let server = Server::start(Face::Sse);
        let nth = AtomicUsize::new(0);
        server.rule(move |request, exchange| {
            let cut = is_get(request) && nth.fetch_add(1, Ordering::SeqCst) < 2;
            match (cut, empty) {
                (true, true) => exchange.reply(200, &[("content-type", "text/event-stream")], ""),
                (true, false) => exchange.sse(&[]).chunk(": hello\n\n").reset(),
                _ => {}
            }
            cut
        });
        let start = Instant::now();
        let mut bridge = Bridge::over(Face::Sse, &server).arg("--startup-grace=10").spawn();
        bridge.handshake("2024-11-05");
        assert!(start.elapsed() > Duration::from_millis(400), "a storm");
        bridge.call_works("1");
        bridge.end();
    }
}

#[test]
fn a_stream_that_is_refused_when_it_is_opened_again_is_asked_for_until_it_works() {
    for status in [429, 500, 502, 503] {
        let server = Server::start(Face::Sse);
        let nth = AtomicUsize::new(0);
        server.rule(move |request, exchange| {
            let refuse = is_get(request) && nth.fetch_add(1, Ordering::SeqCst) == 1;
            if refuse {
                exchange.reply(status, &[], "");
            }
            refuse
        });
        let mut bridge = connected(&server);
        server.frame(Frame::End);
        server.await_session(2);
        bridge.call_works("1");
        bridge.end();
    }
}

#[test]
fn a_stream_of_the_wrong_type_or_without_an_endpoint_is_told() {
    for (kind, body) in [("text/html", "<html>Sign in</html>"), ("application/json", "{}")] {
        let server = Server::start(Face::Sse);
        server.rule(move |request, exchange| {
            if is_get(request) {
                exchange.reply(200, &[("content-type", kind)], body);
            }
            is_get(request)
        });
        let mut bridge = Bridge::over(Face::Sse, &server).arg("--startup-grace=0.3").spawn();
        bridge.send(json::initialize("1", "2024-11-05"));
        let answer = bridge.answer_to("1").to_string();
        assert!(answer.contains(kind), "{answer}");
        bridge.end();
    }
}

#[test]
fn a_stream_that_never_names_its_endpoint_is_given_up_and_told() {
    let server = Server::start(Face::Sse);
    server.rule(|request, exchange| {
        if is_get(request) {
            exchange.sse(&[]).chunk(": hello\n\n").await_gone();
        }
        is_get(request)
    });
    let mut bridge = Bridge::over(Face::Sse, &server).arg("--startup-grace=0.3").spawn();
    bridge.send(json::initialize("1", "2024-11-05"));
    let answer = bridge.answer_to("1");
    assert!(answer["result"]["instructions"].is_string(), "{answer}");
    bridge.end();
}
