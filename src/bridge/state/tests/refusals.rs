//! A status that is no success: what is waited for, what is passed on, what is an error.

use super::*;

#[test]
fn what_is_asked_to_wait_is_sent_again_where_that_is_short_and_safe() {
    for (method, code, seconds, again) in [
        ("tools/call", 429, 5, true),
        ("tools/call", 429, 20, true),
        ("tools/call", 429, 21, false),
        ("tools/call", 503, 5, false),
        ("tools/list", 503, 5, true),
        ("tools/list", 503, 21, false),
        ("tools/list", 502, 3, true),
        ("tools/list", 429, 60, false),
        ("vendor/x", 503, 5, false),
    ] {
        let mut bench = Bench::ready();
        bench.say(&request("1", method));
        let sent = bench.post(method);
        bench.end(sent.exchange, wait_asked(code, seconds));
        let told = format!("{method} {code} {seconds}");
        assert_eq!(bench.written.is_empty(), again, "{told}");
        if seconds <= 20 {
            bench.wait(seconds * 1000 - 1);
            assert!(bench.posts.is_empty(), "{told}: too early");
        }
        bench.wait(5000);
        assert_eq!(bench.posts.len(), usize::from(again), "{told}");
    }
}

#[test]
fn a_remote_that_always_asks_to_wait_gets_an_end() {
    let mut bench = Bench::ready();
    bench.say(&call("1"));
    let mut sent = 0;
    while bench.written.is_empty() {
        let post = bench.post("tools/call").exchange;
        bench.end(post, wait_asked(429, 1));
        bench.wait(1000);
        sent += 1;
    }
    assert_eq!((sent, bench.wrote_error().0.as_str()), (4, "1"));
}

#[test]
fn a_refusal_is_one_error_and_the_link_stays() {
    for (code, expected) in [
        (400, -31003),
        (401, -31002),
        (403, -31002),
        (406, -31003),
        (429, -31003),
        (500, -31003),
        (502, -31001),
        (503, -31003),
    ] {
        let mut bench = Bench::ready();
        bench.say(&call("1"));
        let sent = bench.post("tools/call").exchange;
        bench.end(sent, status(code, "<html>"));
        assert_eq!(bench.wrote_error(), ("1".to_owned(), expected), "{code}");
        bench.wait(300_000);
        assert!(bench.posts.is_empty(), "{code}");
        bench.say(&call("2"));
        bench.post("tools/call");
    }
}

#[test]
fn an_error_of_the_remote_in_a_refusal_is_passed_on_under_the_clients_id() {
    for id in ["null", "1", "99"] {
        let mut bench = Bench::ready();
        bench.say(&call("\"a\""));
        let sent = bench.post("tools/call").exchange;
        let error = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32602,"message":"m","data":1.0}}}}"#
        );
        bench.end(sent, status(400, &error));
        assert_eq!(bench.wrote(), error.replace(&format!("\"id\":{id}"), "\"id\":\"a\""));
    }
}

#[test]
fn a_success_that_is_no_answer_is_an_error() {
    for end in [End::Accepted(202), End::Accepted(204), End::Malformed("HTML".to_owned())] {
        let mut bench = Bench::ready();
        bench.say(&call("1"));
        let sent = bench.post("tools/call").exchange;
        bench.end(sent, end);
        assert_eq!(bench.wrote_error(), ("1".to_owned(), -31003));
    }
    for body in ["null", "{}", "[]", "[1]", "\"x\"", r#"{"jsonrpc":"2.0","method":"x"}"#] {
        let mut bench = Bench::ready();
        bench.say(&call("1"));
        let sent = bench.post("tools/call").exchange;
        bench.body(sent, body);
        let written = bench.written();
        let last = written.last().expect("an answer");
        assert!(last.contains("-31003") && last.contains(r#""id":1,"#), "{body}: {written:?}");
    }
}

#[test]
fn a_no_after_a_while_is_asked_again_by_the_next_call_or_by_time() {
    let refused = |provoke: fn(&mut Bench)| {
        let mut bench = Bench::ready();
        bench.say(&call("1"));
        let lost = bench.post("tools/call").exchange;
        bench.end(lost, status(404, LOST));
        let initialize = bench.post("initialize").exchange;
        bench.end(initialize, status(401, ""));
        assert_eq!(bench.wrote_error(), ("1".to_owned(), -31002));
        bench.wait(1999);
        bench.say(&call("2"));
        assert_eq!(bench.wrote_error(), ("2".to_owned(), -31002), "at once");
        assert!(bench.posts.is_empty());
        provoke(&mut bench);
        bench
    };
    let mut bench = refused(|bench| {
        bench.wait(1);
        bench.say(&call("3"));
    });
    bench.welcome("s2");
    bench.confirm();
    assert_eq!(bench.post("tools/call").id, "3");
    let mut bench = refused(|bench| bench.wait(30_000));
    bench.welcome("s2");
}

#[test]
fn a_request_of_a_session_that_never_existed_is_no_lost_session() {
    let mut bench = Bench::new();
    bench.say(INITIALIZE);
    let initialize = bench.post("initialize");
    bench.answer(&initialize, WELCOME);
    bench.say(INITIALIZED);
    bench.confirm();
    bench.written();
    bench.say(&call("1"));
    let sent = bench.post("tools/call").exchange;
    bench.end(sent, status(404, ""));
    assert_eq!(bench.wrote_error(), ("1".to_owned(), -31003));
    assert!(bench.posts.is_empty());
}
