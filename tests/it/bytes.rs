//! The bytes of a message that came in are the bytes that go out, in both directions.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use crate::{
    awkward,
    support::{
        bridge::Bridge,
        http::event,
        json,
        net::lock,
        server::{Call, Face, Server},
    },
};

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(400)]).into_owned()
}

#[track_caller]
fn same(got: &[u8], expected: &[u8]) {
    assert!(got == expected, "\n     got: {}\nexpected: {}", shown(got), shown(expected));
}

fn connected(face: Face, server: &Server) -> Bridge {
    let mut bridge = Bridge::over(face, server).spawn();
    bridge.handshake("2025-11-25");
    server.await_request(|request| request.is_rpc("notifications/initialized"));
    bridge
}

/// Sends each message and compares the POST that arrives.
fn arrive_unchanged(face: Face, messages: &[String], answered: bool) {
    let server = Server::start(face);
    let mut bridge = connected(face, &server);
    let before = server.count(|request| request.method == "POST");
    for (n, message) in messages.iter().enumerate() {
        bridge.send(message);
        let request = server.await_nth(before + n + 1, |request| request.method == "POST");
        same(&request.body, message.as_bytes());
        if answered {
            bridge.answer_bytes(&request.rpc_id().expect("an id"));
        }
    }
    bridge.finish();
}

fn requests() -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for (n, value) in awkward::values().iter().enumerate() {
        all.push(json::request(&n.to_string(), "x/vendor", &format!("{{\"v\":{value}}}")));
        all.push(format!(
            r#"{{"x-member":{value},"method":"tools/call","params":{{"name":"echo","_meta":{{"m":{value}}}}},"id":"{n}","jsonrpc":"2.0"}}"#
        ));
    }
    all.extend(awkward::ids().iter().map(|id| json::request(id, "x/id", "{}")));
    all.push("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x/twice\",\"id\":\"second\"}".to_owned());
    all.push(r#"{"jsonrpc":"2.0","id":1,"method":"x/one","method":"tools/list"}"#.to_owned());
    all.push(r#"{"jsonrpc":"2.0","id":1,"\u006dethod":"x/escaped-name"}"#.to_owned());
    all.push(
        "{ \"jsonrpc\" : \"2.0\" ,\t\"id\" : 5 , \"method\":\"x/space\" , \"params\" : { } }"
            .to_owned(),
    );
    all
}

#[test]
fn awkward_requests_reach_a_streamable_http_remote_unchanged() {
    arrive_unchanged(Face::Http, &requests(), true);
}

#[test]
fn awkward_requests_reach_an_http_sse_remote_unchanged() {
    arrive_unchanged(Face::Sse, &requests(), true);
}

fn notifications() -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for value in awkward::values() {
        all.push(json::notification("notifications/x", &format!("{{\"v\":{value}}}")));
        all.push(format!(
            r#"{{"x":{value},"method":"notifications/roots/list_changed","jsonrpc":"2.0"}}"#
        ));
    }
    all
}

#[test]
fn awkward_notifications_reach_a_streamable_http_remote_unchanged() {
    arrive_unchanged(Face::Http, &notifications(), false);
}

#[test]
fn awkward_notifications_reach_an_http_sse_remote_unchanged() {
    arrive_unchanged(Face::Sse, &notifications(), false);
}

/// The remote asks, the client answers awkwardly: the question and the answer pass unchanged.
fn questions_and_answers_pass(face: Face) {
    let server = Server::start(face);
    let mut bridge = connected(face, &server);
    let before = server.count(|request| request.method == "POST");
    let ids = awkward::ids();
    for (n, value) in awkward::values().iter().cycle().take(120).enumerate() {
        let id = &ids[n % ids.len()];
        let question = format!(
            r#"{{"x":{value},"jsonrpc":"2.0","id":{id},"method":"x/ask","params":{{"v":{value}}}}}"#
        );
        server.push(&question);
        same(&bridge.next_line(), question.as_bytes());
        let answer = if n % 3 == 0 {
            format!(
                r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-1.0e0,"message":"no","data":{value}}}}}"#
            )
        } else {
            format!(r#"{{"result":{{"v":{value}}},"jsonrpc":"2.0","y":{value},"id":{id}}}"#)
        };
        bridge.send(&answer);
        let request = server.await_nth(before + n + 1, |request| request.method == "POST");
        same(&request.body, answer.as_bytes());
    }
    bridge.finish();
}

#[test]
fn awkward_questions_of_the_remote_and_their_answers_pass_streamable_http_unchanged() {
    questions_and_answers_pass(Face::Http);
}

#[test]
fn awkward_questions_of_the_remote_and_their_answers_pass_http_sse_unchanged() {
    questions_and_answers_pass(Face::Sse);
}

#[test]
fn awkward_notifications_of_the_remote_reach_the_client_unchanged() {
    for face in [Face::Http, Face::Sse] {
        let server = Server::start(face);
        let mut bridge = connected(face, &server);
        for message in notifications() {
            server.push(&message);
            same(&bridge.next_line(), message.as_bytes());
        }
        bridge.finish();
    }
}

/// Each message is the answer to one request; `write` puts it on the wire.
fn answers_pass(
    face: Face,
    answers: Vec<(String, Vec<u8>, Vec<u8>)>,
    write: impl Fn(&mut Call, &[u8]) + Send + Sync + 'static,
) {
    let server = Server::start(face);
    let queue: Arc<Mutex<VecDeque<Vec<u8>>>> = Arc::default();
    let next = queue.clone();
    server.on("x/next", move |call| {
        let message = lock(&next).pop_front().expect("a message for every request");
        write(call, &message);
    });
    let mut bridge = connected(face, &server);
    for (id, message, expected) in answers {
        lock(&queue).push_back(message);
        bridge.send(json::request(&id, "x/next", "{}"));
        same(&bridge.next_line(), &expected);
    }
    bridge.finish();
}

/// Request id, what the remote writes, what the client must read.
fn answers() -> Vec<(String, Vec<u8>, Vec<u8>)> {
    let ids = awkward::ids();
    let of = |(n, value): (usize, &String)| {
        let id = &ids[n % ids.len()];
        let message = if n % 4 == 0 {
            format!(
                r#"{{"error":{{"data":{value},"code":-32000,"message":"odd"}},"id":{id},"jsonrpc":"2.0","x":{value}}}"#
            )
        } else {
            format!(
                r#"{{"jsonrpc":"2.0","x":{value},"id":{id},"result":{{"v":{value},"_meta":{{"m":{value}}}}}}}"#
            )
        };
        (id.clone(), message.clone().into_bytes(), message.into_bytes())
    };
    awkward::values().iter().cycle().take(120).enumerate().map(of).collect()
}

#[test]
fn awkward_results_in_a_json_body_reach_the_client_unchanged() {
    answers_pass(Face::Http, answers(), |call, message| call.http().json(message));
}

#[test]
fn awkward_results_in_events_of_a_post_reach_the_client_unchanged() {
    answers_pass(Face::Http, answers(), |call, message| {
        call.http().sse(&[]).event(message).end();
    });
}

#[test]
fn awkward_results_on_the_http_sse_stream_reach_the_client_unchanged() {
    answers_pass(Face::Sse, answers(), |call, message| call.message(message));
}

#[test]
fn a_duplicate_id_means_the_last_one() {
    let message = br#"{"jsonrpc":"2.0","id":"other","result":{},"id":1}"#;
    for face in [Face::Http, Face::Sse] {
        let answers = vec![("1".to_owned(), message.to_vec(), message.to_vec())];
        answers_pass(face, answers, |call, message| call.message(message));
    }
}

#[test]
fn an_id_spelled_another_way_by_the_remote_is_still_the_id() {
    for face in [Face::Http, Face::Sse] {
        let server = Server::start(face);
        server.on("x/respell", |call| call.message(r#"{"jsonrpc":"2.0","id":"a/b","result":{}}"#));
        let mut bridge = connected(face, &server);
        bridge.send(json::request(r#""\u0061\/b""#, "x/respell", "{}"));
        let answer = json::value(&bridge.next_line());
        assert_eq!((&answer["id"], &answer["result"]), (&"a/b".into(), &serde_json::json!({})));
        bridge.finish();
    }
}

const PRETTY: &str = "{\n  \"jsonrpc\": \"2.0\",\r\n\t\"id\": 1,\r  \"result\": {\n    \"text\": \"a\\nb\"\n  }\n}\n";

#[test]
fn a_message_printed_over_several_lines_arrives_on_one() {
    let flat = |text: &str| text.trim_end().replace(['\n', '\r'], " ").into_bytes();
    let trimmed = |got: Vec<u8>| String::from_utf8_lossy(&got).trim_end().to_owned().into_bytes();

    let server = Server::start(Face::Http);
    server.on("x/pretty", |call| call.http().json(PRETTY));
    let mut bridge = connected(Face::Http, &server);
    bridge.send(json::request("1", "x/pretty", "{}"));
    same(&trimmed(bridge.next_line()), &flat(PRETTY));
    bridge.finish();

    for face in [Face::Http, Face::Sse] {
        // An event stream has one kind of line end inside an event.
        let text = PRETTY.trim_end().replace("\r\n", "\n").replace('\r', "\n");
        let answers = vec![("1".to_owned(), text.clone().into_bytes(), flat(&text))];
        answers_pass(face, answers, move |call, _| {
            let event = format!("data: {}\n\n", text.replace('\n', "\ndata: ")).into_bytes();
            if face == Face::Http {
                call.http().sse(&[]).chunk(event).end();
            } else {
                call.on_stream(event);
            }
        });
    }
}

#[test]
fn sixteen_megabytes_pass_both_ways_over_both_transports() {
    for face in [Face::Http, Face::Sse] {
        let server = Server::start(face);
        let text = format!("\"{}\"", "\\u00e9 é😀 0123456789".repeat((16 << 20) / 24));
        let reply = json::result("2", &format!("{{\"text\":{text}}}"));
        let sent = reply.clone();
        server.on("x/big", move |call| call.message(&sent));
        let mut bridge = connected(face, &server);
        let question = json::request("2", "x/big", &format!("{{\"text\":{text}}}"));
        bridge.send(&question);
        let request = server.await_request(|request| request.body.len() > 1 << 20);
        same(&request.body, question.as_bytes());
        same(&bridge.next_line(), reply.as_bytes());
        bridge.finish();
    }
}

#[test]
fn sixteen_megabytes_in_an_event_of_a_post_pass() {
    let reply = json::result("2", &format!("{{\"text\":\"{}\"}}", "x".repeat(16 << 20)));
    let answers = vec![("2".to_owned(), reply.clone().into_bytes(), reply.into_bytes())];
    answers_pass(Face::Http, answers, |call, message| {
        let event = event(None, message);
        let stream = call.http().sse(&[]);
        for piece in event.chunks(60_001) {
            stream.chunk(piece);
        }
        stream.end();
    });
}
