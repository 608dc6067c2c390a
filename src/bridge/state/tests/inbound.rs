//! What the remote asks, batches in both directions, and ids.

use super::*;

/// A request of the client that runs, with a stream open for its answer.
fn running(bench: &mut Bench, id: &str) -> Sent {
    bench.say(&call(id));
    let sent = bench.post("tools/call");
    bench.remote(Event::Opened { exchange: sent.exchange, session: None });
    sent
}

#[test]
fn st_10_requests_of_the_remote_pass_as_they_are_and_so_do_their_answers() {
    let mut bench = Bench::ready();
    let stream = running(&mut bench, "1").exchange;
    for id in ["1", "\"1\"", "0", "1.0e2", "123456789012345678901234567890"] {
        let question = request(id, "sampling/createMessage");
        bench.message(stream, &question);
        assert_eq!(bench.wrote(), question);
        bench.say(&result(id, r#"{"n":1.0}"#));
        assert_eq!(bench.post("").text, result(id, r#"{"n":1.0}"#));
    }
}

#[test]
fn st_13_an_answer_to_nothing_and_a_second_answer_go_nowhere() {
    let mut bench = Bench::ready();
    let stream = running(&mut bench, "1").exchange;
    bench.message(stream, &request("5", "ping"));
    for id in ["4", "\"5\"", "null", "5"] {
        bench.say(&result(id, "{}"));
    }
    bench.say(&result("5", "{}"));
    assert_eq!(bench.post("").id, "5");
    assert!(bench.posts.is_empty(), "{:?}", bench.posts);
}

#[test]
fn a_request_with_an_id_that_is_still_open_gets_another_one() {
    let mut bench = Bench::ready();
    let stream = running(&mut bench, "1").exchange;
    bench.message(stream, &request("7", "roots/list"));
    bench.message(stream, &request("7", "roots/list"));
    let written = bench.written();
    let second = Message::parse(written[1].clone().into()).expect("a message");
    let second = second.id().expect("an id").to_owned();
    assert_ne!(second, "7");
    bench.say(&result(&second, "\"second\""));
    bench.say(&result("7", "\"first\""));
    assert_eq!(bench.post("").text, result("7", "\"second\""));
    assert_eq!(bench.post("").text, result("7", "\"first\""));
}

#[test]
fn a_question_taken_back_is_taken_back_under_the_id_the_client_knows() {
    let mut bench = Bench::ready();
    let stream = running(&mut bench, "1").exchange;
    bench.message(stream, &request("7", "roots/list"));
    bench.message(stream, &cancel("7"));
    assert_eq!(bench.written()[1], cancel("7"));
    bench.say(&result("7", "{}"));
    assert!(bench.posts.is_empty(), "nobody waits for it any more");
}

#[test]
fn a_question_of_a_lost_session_is_taken_back_and_never_answered_to_the_next() {
    let mut bench = Bench::ready();
    let old = running(&mut bench, "1").exchange;
    bench.message(old, &request("7", "elicitation/create"));
    bench.written();
    bench.say(&request("2", "tools/list"));
    let lost = bench.post("tools/list").exchange;
    bench.end(lost, status(404, LOST));
    let taken_back = bench.wrote();
    assert!(taken_back.contains("notifications/cancelled") && taken_back.contains(":7,"));
    bench.welcome("s2");
    bench.confirm();
    bench.posts.clear();
    bench.written();

    // The old stream still talks: whatever it asks, the new session has its own 7.
    bench.message(old, &request("7", "elicitation/create"));
    assert!(bench.written().is_empty(), "nobody is asked for a session that is gone");
    let new = running(&mut bench, "3").exchange;
    bench.message(new, &request("7", "elicitation/create"));
    assert_eq!(bench.wrote(), request("7", "elicitation/create"));
    bench.message(old, &cancel("7"));
    bench.say(&result("7", "{}"));
    let answer = bench.post("");
    assert_eq!((answer.to.as_deref(), answer.id.as_str()), (Some("s2"), "7"));
}

#[test]
fn an_answer_for_the_remote_is_sent_again_while_the_network_fails() {
    let mut bench = Bench::ready();
    let stream = running(&mut bench, "1").exchange;
    bench.message(stream, &request("7", "roots/list"));
    bench.say(&result("7", "{}"));
    let mut tries = 0;
    while !bench.posts.is_empty() {
        let answer = bench.post("").exchange;
        bench.end(answer, broken());
        bench.wait(10_000);
        tries += 1;
    }
    assert_eq!(tries, 6);
}

#[test]
fn the_answer_is_told_by_its_id_however_that_is_spelled() {
    for (asked, answered) in [
        ("1", "1.0"),
        ("\"a\"", r#""\u0061""#),
        ("9007199254740993", "9007199254740992"),
        ("1e2", "100"),
    ] {
        let mut bench = Bench::ready();
        let sent = running(&mut bench, asked);
        bench.body(sent.exchange, &result(answered, "{}"));
        assert_eq!(bench.wrote(), result(asked, "{}"));
    }
}

#[test]
fn an_answer_under_another_id_is_an_error_and_no_ones_answer() {
    for wrong in ["2", "\"1\"", "null"] {
        let mut bench = Bench::ready();
        let sent = running(&mut bench, "1");
        bench.body(sent.exchange, &result(wrong, "{}"));
        assert_eq!(bench.wrote_error(), ("1".to_owned(), -31003), "{wrong}");
    }
    let mut bench = Bench::ready();
    let sent = running(&mut bench, "1");
    bench.body(sent.exchange, r#"{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}}"#);
    assert_eq!(bench.wrote_error(), ("1".to_owned(), 1), "an error may have no id");
}

#[test]
fn an_answer_on_another_requests_stream_reaches_its_own_request() {
    let mut bench = Bench::ready();
    let (one, two) = (running(&mut bench, "1"), running(&mut bench, "2"));
    bench.message(two.exchange, &result("1", "\"one\""));
    bench.message(two.exchange, &result("1", "\"once more\""));
    assert_eq!(bench.wrote(), result("1", "\"one\""));
    bench.end(one.exchange, cut(None));
    bench.message(two.exchange, &result("2", "\"two\""));
    assert_eq!(bench.wrote(), result("2", "\"two\""));
}

#[test]
fn a_client_whose_ids_look_like_the_bridges_own_gets_its_answers() {
    for number in 1..40 {
        let mut bench = Bench::ready_with(|settings| settings.ping_interval = Some(1000));
        bench.wait(1000);
        let ping = bench.post("ping");
        let id = format!("\"{OWN_ID}{number}\"");
        bench.say(&call(&id));
        let sent = bench.post("tools/call");
        assert_ne!(sent.id, ping.id, "two requests of one session share an id");
        bench.answer(&sent, "\"mine\"");
        assert_eq!(bench.wrote(), result(&id, "\"mine\""), "{number}");
    }
}

fn batch_ready() -> Bench {
    let mut bench = Bench::new();
    bench.say(&INITIALIZE.replace("2025-06-18", "2025-03-26"));
    let post = bench.post("initialize");
    bench.body(post.exchange, &result("0", &WELCOME.replace("2025-06-18", "2025-03-26")));
    bench.say(INITIALIZED);
    bench.confirm();
    let stream = bench.get().exchange;
    bench.end(stream, status(405, ""));
    bench.written();
    bench
}

#[test]
fn a_batch_is_taken_apart_and_answered_as_one() {
    let mut bench = batch_ready();
    let note = r#"{"jsonrpc":"2.0","method":"notifications/x"}"#;
    let bad = r#"{"jsonrpc":"2.0"}"#;
    bench.say(&format!("[{},{note},{},{bad},{INITIALIZE}]", call("1"), request("2", "tools/list")));
    assert_eq!(bench.methods(), ["tools/call", "notifications/x", "tools/list"]);
    let (one, two) = (bench.post("tools/call"), bench.post("tools/list"));
    bench.answer(&two, "2");
    assert!(bench.written().is_empty(), "not before the last answer");
    bench.answer(&one, "1");
    let answers: Vec<Value> = serde_json::from_str(&bench.wrote()).expect("an array");
    let mut ids: Vec<String> = answers.iter().map(|answer| answer["id"].to_string()).collect();
    ids.sort();
    assert_eq!(ids, ["0", "1", "2", "null"]);
}

#[test]
fn a_batch_without_answers_has_no_answer_and_a_cancelled_request_none_in_it() {
    let mut bench = batch_ready();
    bench.say(r#"[{"jsonrpc":"2.0","method":"notifications/x"}]"#);
    assert!(bench.written().is_empty());
    bench.say(&format!("[{},{}]", call("1"), call("2")));
    bench.say(&cancel("1"));
    let _ = bench.post("tools/call");
    let two = bench.post("tools/call");
    bench.answer(&two, "2");
    assert_eq!(bench.wrote(), format!("[{}]", result("2", "2")));
    bench.say(&format!("[{}]", call("3")));
    bench.say(&cancel("3"));
    assert!(bench.written().is_empty());
}

#[test]
fn batches_that_are_none_are_refused() {
    let mut bench = batch_ready();
    bench.say("[]");
    assert_eq!(bench.wrote_error(), ("null".to_owned(), -32600));
    bench.say("[1,");
    assert_eq!(bench.wrote_error(), ("null".to_owned(), -32700));
    let mut bench = Bench::ready();
    bench.say(&format!("[{}]", call("1")));
    assert_eq!(bench.wrote_error(), ("none".to_owned(), -32600));
    assert!(bench.posts.is_empty());
}

#[test]
fn an_array_of_the_remote_is_taken_apart() {
    let mut bench = batch_ready();
    bench.say(&call("1"));
    let sent = bench.post("tools/call");
    let note = r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#;
    bench.body(sent.exchange, &format!("[{note}, {}]", result("1", "1")));
    assert_eq!(bench.written(), [note.to_owned(), result("1", "1")]);
}

#[test]
fn lines_that_are_no_request_are_answered_and_change_nothing() {
    let mut bench = Bench::ready();
    for (line, id, code) in [
        ("{", "null", -32700),
        ("1", "null", -32600),
        (r#"{"jsonrpc":"2.0","id":7}"#, "7", -32600),
        (r#"{"jsonrpc":"2.0","id":null,"method":"tools/list"}"#, "null", -32600),
        (r#"{"jsonrpc":"2.0","id":[1],"method":"tools/list"}"#, "null", -32600),
    ] {
        bench.say(line);
        assert_eq!(bench.wrote_error(), (id.to_owned(), code), "{line}");
    }
    bench.say("  ");
    bench.input(Input::LongLine);
    assert_eq!(bench.wrote_error(), ("null".to_owned(), -31006));
    bench.say(&format!("\u{feff} {} \r", call("1")));
    assert_eq!(bench.post("tools/call").text, call("1"));
}
