//! The fault table over Streamable HTTP: broken answers, odd streams, the GET stream.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::support::{
    bridge::Bridge,
    http::{Exchange, Request, event},
    json,
    net::lock,
    server::{Call, Face, Frame, Server},
};

fn is_get(request: &Request) -> bool {
    request.method == "GET"
}

fn connected(server: &Server) -> Bridge {
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.handshake("2025-06-18");
    bridge
}

/// A server that runs a `tools/call` and then answers it like this, unless its marker is `works`.
fn answering(write: impl Fn(&str, &mut Exchange) + Send + Sync + 'static) -> (Server, Bridge) {
    let server = Server::start(Face::Http);
    server.on("tools/call", move |call: &mut Call| {
        if call.marker() == "works" {
            return call.behave();
        }
        call.executed();
        let id = call.id();
        write(&id, call.http());
    });
    let bridge = connected(&server);
    (server, bridge)
}

/// A call that is answered like this ends in this error, runs once, and the next one works.
#[track_caller]
fn row(code: i64, words: &[&str], write: impl Fn(&str, &mut Exchange) + Send + Sync + 'static) {
    let (server, mut bridge) = answering(write);
    bridge.call("\"row\"", "row");
    bridge.refusal("\"row\"", code, words);
    bridge.call_works("1");
    assert_eq!(server.executions("row"), 1);
    assert_eq!(server.sessions_opened(), 1);
    bridge.end();
}

const JSON: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

#[test]
fn a_body_cut_in_the_middle_leaves_the_outcome_unknown() {
    row(-31001, &[], |_, http| {
        http.raw(format!("{JSON}content-length: 100\r\n\r\n{{\"jsonrpc\"")).close()
    });
}

#[test]
fn a_body_reset_in_the_middle_leaves_the_outcome_unknown() {
    row(-31001, &[], |_, http| {
        http.raw(format!("{JSON}content-length: 100\r\n\r\n{{\"jsonrpc\"")).reset()
    });
}

#[test]
fn a_chunked_body_cut_in_the_middle_leaves_the_outcome_unknown() {
    row(-31001, &[], |_, http| {
        http.raw(format!("{JSON}transfer-encoding: chunked\r\n\r\n5\r\n{{\"a\"")).close()
    });
}

#[test]
fn a_connection_closed_without_an_answer_leaves_the_outcome_unknown() {
    row(-31001, &[], |_, http| http.close());
}

#[test]
fn headers_cut_in_the_middle_leave_the_outcome_unknown() {
    row(-31001, &[], |_, http| http.raw("HTTP/1.1 200 OK\r\ncontent-ty").close());
}

#[test]
fn t36_a_stream_without_event_ids_that_breaks_leaves_the_outcome_unknown_and_is_cancelled() {
    for reset in [false, true] {
        let (server, mut bridge) = answering(move |_, http| {
            http.sse(&[]).event(json::notification("notifications/progress", "{}"));
            if reset { http.reset() } else { http.end() }
        });
        bridge.call("1", "broken");
        bridge.incoming("notifications/progress");
        bridge.refusal("1", -31001, &[]);
        let cancel = server.await_request(|request| request.is_rpc("notifications/cancelled"));
        assert!(cancel.dump().contains("\"requestId\":1"), "{}", cancel.dump());
        assert_eq!(
            (server.executions("broken"), server.count(|one| one.is_rpc("tools/call"))),
            (1, 1)
        );
        bridge.call_works("2");
        bridge.end();
    }
}

#[test]
fn a_list_whose_stream_breaks_is_asked_for_again_under_a_new_id() {
    let server = Server::start(Face::Http);
    let nth = AtomicUsize::new(0);
    server.on("tools/list", move |call| {
        if nth.fetch_add(1, Ordering::SeqCst) == 0 {
            call.http().sse(&[]).chunk(": begun\n\n").reset();
        } else {
            call.behave();
        }
    });
    let mut bridge = connected(&server);
    bridge.send(json::request("\"mine\"", "tools/list", "{}"));
    assert!(bridge.answer_to("\"mine\"").get("result").is_some());
    let again = server.await_nth(2, |request| request.is_rpc("tools/list"));
    let id = again.rpc_id().unwrap_or_default();
    assert!(id.starts_with("\"composio-bridge-"), "a legacy session never sees an id twice: {id}");
    bridge.end();
}

#[test]
fn a_stream_that_cannot_be_resumed_leaves_the_outcome_unknown() {
    for status in [400, 404, 405] {
        let server = Server::start(Face::Http);
        server.rule(move |request, exchange| {
            let resume = request.header("last-event-id").is_some();
            if resume {
                exchange.reply(status, &[], "");
            }
            resume
        });
        server.on("tools/call", |call| {
            call.executed();
            if call.marker() == "works" {
                return call.echo();
            }
            call.http().sse(&[]).chunk("id: 1\nretry: 10\ndata:\n\n").end();
        });
        let mut bridge = connected(&server);
        bridge.call("1", "unresumable");
        let error = bridge.answer_to("1")["error"].take();
        let expected: &[i64] = if status == 404 { &[-31001, -31005] } else { &[-31001] };
        assert!(
            expected.contains(&error["code"].as_i64().unwrap_or_default()),
            "{status}: {error}"
        );
        assert_eq!(server.executions("unresumable"), 1);
        bridge.call_works("2");
        bridge.end();
    }
}

#[test]
fn a_200_that_is_not_json_is_a_protocol_error() {
    for body in ["oops", "{\"jsonrpc\":\"2.0\",\"id\":", "{} trailing", "\u{1}"] {
        row(-31003, &[], move |_, http| http.json(body));
    }
}

#[test]
fn a_200_with_html_is_a_protocol_error_that_names_the_content_type() {
    row(-31003, &["text/html"], |_, http| {
        http.reply(200, &[("content-type", "text/html")], "<html><title>Sign in</title></html>");
    });
}

#[test]
fn a_200_without_a_body_is_a_protocol_error() {
    row(-31003, &[], |_, http| http.json(""));
    row(-31003, &[], |_, http| http.reply(200, &[], ""));
}

#[test]
fn a_202_or_204_to_a_request_is_a_protocol_error() {
    row(-31003, &["202"], |_, http| http.reply(202, &[], ""));
    row(-31003, &["204"], |_, http| http.reply(204, &[], ""));
}

#[test]
fn an_answer_to_somebody_else_is_a_protocol_error() {
    row(-31003, &[], |_, http| http.json(json::result("\"someone-else\"", "{}")));
}

#[test]
fn invalid_utf_8_in_a_body_is_a_protocol_error() {
    row(-31003, &[], |id, http| {
        http.json(
            [format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":\"").as_bytes(), b"\xc3\x28\"}"]
                .concat(),
        );
    });
}

#[test]
fn invalid_utf_8_in_an_event_breaks_its_stream_and_nothing_else() {
    row(-31001, &["UTF-8"], |id, http| {
        http.sse(&[]).chunk(b"data: {\"a\":\"\xc3\x28\"}\n\n");
        http.event(json::result(id, "{}")).end();
    });
}

#[test]
fn events_that_are_no_messages_are_skipped() {
    let (_server, mut bridge) = answering(|id, http| {
        http.sse(&[]);
        http.event("oops").event("42").event("{}");
        http.chunk("event: other\ndata: {\"jsonrpc\":\"2.0\"}\n\n");
        http.event(json::result("\"someone-else\"", "{}"));
        http.event(json::result(id, r#"{"survived":true}"#)).end();
    });
    bridge.call("1", "odd");
    let answer = bridge.answer_to("1");
    assert_eq!(answer["result"]["survived"], true, "{answer}");
    bridge.call_works("2");
    bridge.end();
}

/// The same two messages, written as a stream in many legal ways.
fn spellings(note: &str, answer: &str) -> Vec<Vec<u8>> {
    let plain = format!("data: {note}\n\ndata: {answer}\n\n");
    let (first, second) = answer.split_at(answer.find(',').map_or(1, |comma| comma + 1));
    vec![
        plain.replace('\n', "\r").into_bytes(),
        plain.replace('\n', "\r\n").into_bytes(),
        format!("\u{feff}{plain}").into_bytes(),
        format!(": comment\n\n:\n{plain}").into_bytes(),
        plain.replace("data: ", "data:").into_bytes(),
        plain.replace("data: ", "event: message\nignored: x\nnonsense\ndata: ").into_bytes(),
        format!("data: {note}\n\ndata: {first}\ndata: {second}\n\n").into_bytes(),
        format!("retry: soon\nid: a\0b\n{plain}").into_bytes(),
        format!("data: {note}\r\rdata: {answer}\n\r\n").into_bytes(),
    ]
}

#[test]
fn every_legal_spelling_of_an_event_stream_is_understood_however_it_is_cut_into_chunks() {
    let note = json::notification("notifications/x", r#"{"text":"é😀\u2028"}"#);
    let queue = Arc::new(Mutex::new(Vec::<(Vec<u8>, usize)>::new()));
    let next = queue.clone();
    let (_server, mut bridge) = answering(move |_, http| {
        let (bytes, size) = lock(&next).pop().expect("one a call");
        http.sse(&[]);
        for piece in bytes.chunks(size) {
            http.chunk(piece);
        }
        http.end();
    });
    let mut id = 0;
    for which in 0..spellings("x", "x").len() {
        for size in [1, 3, 10_000] {
            id += 1;
            let answer = json::result(&id.to_string(), r#"{"text":"日本😀"}"#);
            let bytes = spellings(&note, &answer).swap_remove(which);
            lock(&queue).push((bytes, size));
            bridge.call(&id.to_string(), "spelled");
            assert_eq!(bridge.next_line(), note.as_bytes(), "spelling {which} in pieces of {size}");
            let got = String::from_utf8_lossy(&bridge.next_line()).replace(", \"", ",\"");
            assert_eq!(got, answer, "spelling {which} in pieces of {size}");
        }
    }
    bridge.finish();
}

#[test]
fn an_event_that_the_stream_ends_within_is_not_delivered() {
    row(-31001, &[], |id, http| {
        let answer = json::result(id, "{}");
        http.sse(&[]).chunk(format!("data: {answer}\n")).end();
    });
}

#[test]
fn an_event_of_64_megabytes_is_delivered() {
    let (_server, mut bridge) = answering(|id, http| {
        let answer = json::result(id, &format!("\"{}\"", "x".repeat(64 << 20)));
        http.sse(&[]).event(answer).end();
    });
    bridge.call("1", "big");
    assert!(bridge.answer_bytes("1").len() > 64 << 20);
    bridge.finish();
}

#[test]
fn an_event_or_body_beyond_the_limit_costs_one_error() {
    let piece = vec![b'x'; 1 << 20];
    let body = piece.clone();
    row(-31006, &[], move |_, http| {
        http.sse(&[]).chunk("data: \"");
        (0..130).for_each(|_| _ = http.chunk(&piece));
        http.chunk("\"\n\n").end();
    });
    row(-31006, &[], move |_, http| {
        http.raw(format!("{JSON}transfer-encoding: chunked\r\n\r\n"));
        (0..130).for_each(|_| _ = http.chunk(&body));
        http.end();
    });
}

#[test]
fn a_body_that_stalls_costs_an_error_after_the_body_timeout() {
    for stream in [false, true] {
        let server = Server::start(Face::Http);
        server.on("tools/call", move |call| {
            if call.marker() == "works" {
                return call.behave();
            }
            call.executed();
            match stream {
                true => call.http().sse(&[]).chunk(": begun\n\n").await_gone(),
                false => call.http().raw(format!("{JSON}content-length: 9\r\n\r\n{{")).await_gone(),
            };
        });
        let mut bridge = Bridge::to(server.endpoint()).arg("--body-timeout=0.3").spawn();
        bridge.handshake("2025-06-18");
        bridge.call("1", "stalls");
        bridge.refusal("1", -31001, &[]);
        bridge.call_works("2");
        assert_eq!(server.executions("stalls"), 1);
        bridge.end();
    }
}

#[test]
fn t38_a_404_without_a_session_is_an_error_and_no_new_handshake() {
    let server = Server::start(Face::Http);
    server.stateless();
    server.on("tools/call", |call| call.http().reply(404, &[], "gone"));
    let mut bridge = connected(&server);
    bridge.call("1", "nowhere");
    bridge.refusal("1", -31003, &["404"]);
    assert_eq!(server.count(|request| request.is_rpc("initialize")), 1);
    bridge.end();
}

#[test]
fn a_400_that_is_not_about_the_session_is_no_new_handshake() {
    let server = Server::start(Face::Http);
    server.on("tools/call", |call| call.http().reply(400, &[], "bad arguments"));
    let mut bridge = connected(&server);
    bridge.call("1", "bad");
    bridge.refusal("1", -31003, &["400", "bad arguments"]);
    assert_eq!(server.sessions_opened(), 1);
    bridge.end();
}

#[test]
fn a_pooled_connection_that_the_remote_closed_meanwhile_is_no_failure() {
    let server = Server::start(Face::Http);
    let mut bridge = connected(&server);
    server.await_request(is_get);
    for id in ["1", "2", "3"] {
        bridge.call_works(id);
        server.listener().end_connections();
    }
    bridge.call_works("4");
    assert_eq!(server.executions("works"), 4);
    bridge.end();
}

#[test]
fn a_get_stream_that_ends_empty_at_once_means_there_is_none() {
    let server = Server::start(Face::Http);
    server.rule(|request, exchange| {
        if is_get(request) {
            exchange.reply(200, &[("content-type", "text/event-stream")], "");
        }
        is_get(request)
    });
    let mut bridge = connected(&server);
    server.await_request(is_get);
    assert!(server.nth_within(2, Duration::from_secs(3), is_get).is_none());
    bridge.call_works("1");
    bridge.finish();
}

#[test]
fn a_get_stream_that_is_refused_by_a_failure_is_asked_for_again_without_a_storm() {
    for status in [409, 429, 500, 502, 503] {
        let server = Server::start(Face::Http);
        let nth = AtomicUsize::new(0);
        server.rule(move |request, exchange| {
            let refuse = is_get(request) && nth.fetch_add(1, Ordering::SeqCst) == 0;
            if refuse {
                exchange.reply(status, &[], "");
            }
            refuse
        });
        let start = Instant::now();
        let mut bridge = connected(&server);
        bridge.call_works("1");
        server.await_nth(2, is_get);
        assert!(start.elapsed() > Duration::from_millis(400), "{status}: at once");
        server.push(json::notification("notifications/x", "{}"));
        bridge.incoming("notifications/x");
        bridge.end();
    }
}

#[test]
fn a_get_stream_that_is_cut_50_times_is_opened_50_times_again() {
    let server = Server::start(Face::Http);
    let mut bridge = connected(&server);
    for n in 0..50 {
        let note = json::notification("notifications/x", &format!("{{\"n\":{n}}}"));
        server.frame(Frame::Raw(format!("retry: 5\ndata: {note}\n\n").into_bytes()));
        assert_eq!(bridge.incoming("notifications/x")["params"]["n"], n);
        server.frame(if n % 2 == 0 { Frame::Reset } else { Frame::End });
        server.await_nth(n + 2, is_get);
    }
    bridge.call_works("1");
    assert_eq!(server.sessions_opened(), 1);
    bridge.end();
}

#[test]
fn a_get_stream_that_is_cut_before_any_event_is_no_storm() {
    let server = Server::start(Face::Http);
    server.rule(|request, exchange| {
        if is_get(request) {
            exchange.sse(&[]).chunk(": hello\n\n").reset();
        }
        is_get(request)
    });
    let mut bridge = connected(&server);
    server.await_nth(2, is_get);
    assert!(server.nth_within(5, Duration::from_secs(3), is_get).is_none(), "a storm");
    bridge.call_works("1");
    bridge.end();
}

#[test]
fn an_answer_on_the_get_stream_is_an_answer() {
    let server = Server::start(Face::Http);
    server.on("tools/call", |call| {
        call.executed();
        let answer = json::result(&call.id(), r#"{"late":true}"#);
        call.on_stream(event(None, answer.as_bytes()));
        call.http().await_gone();
    });
    let mut bridge = connected(&server);
    server.await_request(is_get);
    server.push(json::notification("notifications/x", "{}"));
    bridge.incoming("notifications/x");
    bridge.call("1", "elsewhere");
    assert_eq!(bridge.answer_to("1")["result"]["late"], true);
    bridge.end();
}

#[test]
fn a_lost_get_stream_of_a_lost_session_renews_the_session() {
    let server = Server::start(Face::Http);
    let mut bridge = connected(&server);
    let note = json::notification("notifications/x", "{}");
    server.frame(Frame::Raw(format!("retry: 5\ndata: {note}\n\n").into_bytes()));
    bridge.incoming("notifications/x");
    server.forget_sessions();
    server.await_session(2);
    bridge.incoming("notifications/tools/list_changed");
    server.push(note);
    bridge.incoming("notifications/x");
    bridge.call_works("1");
    bridge.end();
}

#[test]
fn questions_of_a_session_that_is_gone_are_withdrawn_and_their_answers_go_nowhere() {
    let server = Server::start(Face::Http);
    let mut bridge = connected(&server);
    server.push(json::request("\"q1\"", "elicitation/create", r#"{"message":"?"}"#));
    bridge.incoming("elicitation/create");
    server.forget_sessions();
    bridge.call_works("1");
    assert_eq!(bridge.incoming("notifications/cancelled")["params"]["requestId"], "q1");
    bridge.send(json::result("\"q1\"", r#"{"action":"accept"}"#));
    bridge.call_works("2");
    assert_eq!(server.count(|request| request.dump().contains("accept\"}")), 0);
    bridge.end();
}
