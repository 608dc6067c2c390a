//! Requests whose answer does not come: broken streams, and networks that fail.

use super::*;

/// Ends of a POST after which the request may have run.
const UNKNOWN: [fn() -> End; 3] = [broken, silent, || cut(None)];

#[test]
fn a_call_whose_outcome_is_unknown_is_never_sent_again() {
    for end in UNKNOWN {
        for method in ["tools/call", "resources/subscribe", "vendor/x"] {
            let mut bench = Bench::ready();
            bench.say(&request("1", method));
            let sent = bench.post(method).exchange;
            bench.end(sent, end());
            assert_eq!(bench.wrote_error(), ("1".to_owned(), -31001), "{method}");
            assert_eq!(bench.post("notifications/cancelled").text.matches(":1,").count(), 1);
            bench.wait(300_000);
            assert!(bench.posts.is_empty(), "{method}: {:?}", bench.posts);
        }
    }
}

#[test]
fn what_has_no_side_effects_is_sent_again_under_new_ids_and_not_for_ever() {
    for end in [broken as fn() -> End, || cut(None), || status(502, ""), || status(504, "")] {
        for method in ["tools/list", "resources/read", "prompts/get", "completion/complete", "ping"]
        {
            let mut bench = Bench::ready();
            bench.say(&request("1", method));
            let mut ids = HashSet::new();
            while bench.written.is_empty() {
                let post = bench.post(method);
                assert!(ids.insert(post.id.clone()), "{method}: {} twice", post.id);
                bench.end(post.exchange, end());
                bench.wait(5000);
            }
            assert_eq!((ids.len(), bench.wrote_error().0.as_str()), (4, "1"), "{method}");
        }
    }
}

#[test]
fn a_repeated_request_is_answered_under_its_own_id() {
    let mut bench = Bench::ready();
    bench.say(&request("1.0", "tools/list"));
    let sent = bench.post("tools/list").exchange;
    bench.end(sent, broken());
    bench.wait(250);
    let again = bench.post("tools/list");
    bench.answer(&again, r#"{"tools":[]}"#);
    assert_eq!(bench.wrote(), result("1.0", r#"{"tools":[]}"#));
}

#[test]
fn what_never_left_is_sent_again_as_it_is_for_as_long_as_a_call_waits() {
    let mut bench = Bench::ready();
    bench.say(&call("1"));
    let mut tries = 0;
    while bench.written.is_empty() {
        let post = bench.post("tools/call");
        assert_eq!(post.text, call("1"));
        bench.end(post.exchange, unsent());
        bench.wait(5000);
        tries += 1;
    }
    assert_eq!(bench.wrote_error(), ("1".to_owned(), -31000));
    assert!((8..20).contains(&tries), "{tries}");
}

#[test]
fn a_broken_stream_is_read_on_where_it_broke() {
    let mut bench = Bench::ready();
    bench.say(&call("1"));
    let sent = bench.post("tools/call").exchange;
    bench.end(sent, cut(Some("e1")));
    bench.wait(999);
    assert!(bench.gets.is_empty());
    bench.wait(1);
    let resumed = bench.get();
    assert_eq!(resumed.last_event_id.as_deref(), Some("e1"));
    bench.message(resumed.exchange, r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#);
    bench.end(resumed.exchange, cut(Some("e2")));
    bench.wait(1000);
    let resumed = bench.get();
    assert_eq!(resumed.last_event_id.as_deref(), Some("e2"));
    bench.message(resumed.exchange, &result("1", "{}"));
    assert_eq!(bench.written()[1], result("1", "{}"));
    assert!(bench.posts.is_empty(), "nothing was sent again");
}

#[test]
fn the_servers_own_wait_is_kept_however_long() {
    for (retry, wait) in [(0, 100), (50, 100), (7000, 7000), (90_000, 90_000)] {
        let mut bench = Bench::ready();
        bench.say(&call("1"));
        let sent = bench.post("tools/call").exchange;
        let End::Stream(mut end) = cut(Some("e")) else { unreachable!("a stream ends") };
        end.retry = Some(Duration::from_millis(retry));
        bench.end(sent, End::Stream(end));
        bench.wait(wait - 1);
        assert!(bench.gets.is_empty(), "{retry}");
        bench.wait(1);
        bench.get();
    }
}

#[test]
fn a_wait_without_end_is_no_panic_and_no_storm() {
    let mut bench = Bench::ready();
    bench.say(&call("1"));
    let sent = bench.post("tools/call").exchange;
    let End::Stream(mut end) = cut(Some("e")) else { unreachable!("a stream ends") };
    end.retry = Some(Duration::from_millis(u64::MAX));
    bench.end(sent, End::Stream(end));
    bench.wait(1_000_000);
    assert!(bench.gets.is_empty());
}

#[test]
fn attempts_to_read_on_grow_apart_and_end() {
    let mut bench = Bench::ready();
    bench.say(&call("1"));
    let sent = bench.post("tools/call").exchange;
    bench.end(sent, cut(Some("e")));
    let mut attempts = 0;
    while bench.written.is_empty() {
        bench.wait(30_000);
        if let Some(get) = bench.gets.pop() {
            attempts += 1;
            bench.end(
                get.exchange,
                [unsent(), broken(), silent(), status(503, "")][attempts % 4].clone(),
            );
        }
        assert!(attempts < 20);
    }
    assert_eq!(bench.wrote_error(), ("1".to_owned(), -31001));
    assert!(attempts >= 4, "{attempts}");
    assert_eq!(bench.methods(), ["notifications/cancelled"]);
}

#[test]
fn what_cannot_be_read_on_is_unknown_for_a_call_and_asked_again_for_a_list() {
    for end in
        [status(405, ""), status(400, ""), status(401, ""), End::Malformed("HTML".to_owned())]
    {
        let told = format!("{end:?}");
        let mut bench = Bench::ready();
        bench.say(&call("1"));
        bench.say(&request("2", "tools/list"));
        for method in ["tools/call", "tools/list"] {
            let sent = bench.post(method).exchange;
            bench.end(sent, cut(Some("e")));
        }
        bench.wait(1000);
        let (one, two) = (bench.get().exchange, bench.get().exchange);
        bench.end(one, end.clone());
        bench.end(two, end);
        assert_eq!(bench.wrote_error(), ("1".to_owned(), -31001), "{told}");
        bench.wait(5000);
        bench.post("tools/list");
    }
}

#[test]
fn a_stream_of_a_lost_session_is_not_read_on() {
    let mut bench = Bench::ready();
    bench.say(&call("1"));
    let sent = bench.post("tools/call").exchange;
    bench.end(sent, cut(Some("e")));
    bench.say(&request("2", "tools/list"));
    let lost = bench.post("tools/list").exchange;
    bench.end(lost, status(404, LOST));
    bench.welcome("s2");
    bench.confirm();
    bench.written();
    bench.gets.clear();
    bench.wait(5000);
    assert!(bench.gets.is_empty());
    assert_eq!(bench.wrote_error(), ("1".to_owned(), -31001));
    assert!(!bench.methods().contains(&"tools/call"));
}

#[test]
fn a_session_lost_while_reading_on_is_opened_anew_once() {
    let mut bench = Bench::ready();
    bench.say(&call("1"));
    bench.say(&call("2"));
    for _ in 0..2 {
        let sent = bench.post("tools/call").exchange;
        bench.end(sent, cut(Some("e")));
    }
    bench.wait(1000);
    for _ in 0..2 {
        let get = bench.get().exchange;
        bench.end(get, status(404, LOST));
    }
    assert_eq!(bench.methods(), ["initialize"]);
    assert_eq!(bench.written().len(), 2);
}

#[test]
fn an_answer_that_is_too_large_is_a_limit() {
    let mut bench = Bench::ready();
    bench.say(&call("1"));
    let sent = bench.post("tools/call").exchange;
    bench.end(sent, End::TooLarge("more than 128 MiB".to_owned()));
    assert_eq!(bench.wrote_error(), ("1".to_owned(), -31006));
}

#[test]
fn over_sse_an_answer_is_waited_for_as_long_as_the_stream_talks() {
    let (mut bench, stream) = Bench::ready_sse();
    bench.say(&call("1"));
    let sent = bench.post("tools/call").exchange;
    bench.end(sent, End::Accepted(202));
    for _ in 0..5 {
        bench.wait(50_000);
        bench.message(stream, r#"{"jsonrpc":"2.0","method":"notifications/progress"}"#);
    }
    bench.written();
    bench.wait(60_000);
    assert_eq!(bench.wrote_error(), ("1".to_owned(), -31001));
    bench.post("notifications/cancelled");
    bench.message(stream, &result("1", "{}"));
    assert!(bench.written().is_empty(), "too late");
}
