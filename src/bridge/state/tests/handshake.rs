//! Making the connection: which transport, in which order, and what the client is told.

use super::*;

/// One step of the remote while a connection is made.
enum Step {
    /// The POST of `initialize` to the endpoint ends so.
    Http(fn() -> End),
    /// The GET of the stream ends so.
    Sse(fn() -> End),
    /// `initialize` is answered over Streamable HTTP.
    HttpWelcome,
    /// The stream opens and `initialize` is answered on it.
    SseWelcome,
}

fn play(bench: &mut Bench, step: &Step) {
    match step {
        Step::Http(end) => {
            let post = bench.post("initialize");
            assert!(bench.gets.is_empty(), "one transport at a time");
            bench.end(post.exchange, end());
        }
        Step::Sse(end) => {
            let get = bench.get();
            assert!(get.is_sse && bench.posts.is_empty(), "one transport at a time");
            bench.end(get.exchange, end());
        }
        Step::HttpWelcome => bench.welcome("s"),
        Step::SseWelcome => {
            bench.connect_sse("/m");
        }
    }
}

#[test]
fn the_transports_are_tried_in_their_order() {
    use Step::{Http, HttpWelcome, Sse, SseWelcome};
    use Strategy::{HttpFirst, HttpOnly, SseFirst, SseOnly};
    use Transport::{HttpSse, StreamableHttp};
    type Row = (Strategy, Option<Transport>, Vec<Step>, Option<Transport>);
    let rows: Vec<Row> = vec![
        (HttpFirst, None, vec![HttpWelcome], None),
        (HttpFirst, None, vec![Http(|| status(400, "")), SseWelcome], Some(HttpSse)),
        (HttpFirst, None, vec![Http(|| status(404, "")), SseWelcome], Some(HttpSse)),
        (HttpFirst, None, vec![Http(|| status(405, "")), SseWelcome], Some(HttpSse)),
        (HttpFirst, Some(HttpSse), vec![SseWelcome], None),
        (
            HttpFirst,
            Some(HttpSse),
            vec![Sse(|| status(405, "")), HttpWelcome],
            Some(StreamableHttp),
        ),
        (SseFirst, None, vec![SseWelcome], None),
        (SseFirst, None, vec![Sse(|| status(405, "")), HttpWelcome], Some(StreamableHttp)),
        (
            SseFirst,
            None,
            vec![Sse(|| End::Malformed("HTML".to_owned())), HttpWelcome],
            Some(StreamableHttp),
        ),
        (HttpOnly, Some(HttpSse), vec![HttpWelcome], None),
        (SseOnly, Some(StreamableHttp), vec![SseWelcome], None),
    ];
    for (row, (strategy, last, steps, remembered)) in rows.into_iter().enumerate() {
        let mut bench = Bench::with(|settings| {
            settings.strategy = strategy;
            settings.known = last.map(|transport| Known { transport, at: 0 });
        });
        bench.say(INITIALIZE);
        steps.iter().for_each(|step| play(&mut bench, step));
        assert_eq!(bench.wrote(), result("0", WELCOME), "row {row}");
        let kept = bench.rest.iter().find_map(|action| match action {
            Action::RememberTransport(known) => Some(known.transport),
            _ => None,
        });
        assert_eq!(kept, remembered, "row {row}");
    }
}

#[test]
fn a_no_is_told_at_once_and_no_other_transport_is_tried() {
    for (end, code) in [
        (status(401, ""), -31002),
        (status(403, ""), -31002),
        (status(406, ""), -31003),
        (End::Malformed("HTML".to_owned()), -31003),
        (End::Accepted(202), -31003),
        (End::Redirected("http://other.test".to_owned()), -31003),
        (End::TooLarge("too large".to_owned()), -31006),
    ] {
        let told = format!("{end:?}");
        let mut bench = Bench::new();
        bench.say(INITIALIZE);
        let post = bench.post("initialize");
        bench.end(post.exchange, end);
        assert_eq!(bench.wrote_error(), ("0".to_owned(), code), "{told}");
        bench.wait(300_000);
        assert!(
            bench.gets.is_empty() && bench.posts.is_empty(),
            "{told}: the client may ask again"
        );
        bench.say(INITIALIZE);
        bench.welcome("s");
        assert_eq!(bench.wrote(), result("0", WELCOME), "{told}");
    }
}

#[test]
fn with_one_transport_only_its_refusal_is_final() {
    let mut bench = Bench::with(|settings| settings.strategy = Strategy::HttpOnly);
    bench.say(INITIALIZE);
    let post = bench.post("initialize");
    bench.end(post.exchange, status(404, ""));
    assert_eq!(bench.wrote_error(), ("0".to_owned(), -31003));
    assert!(bench.gets.is_empty());
}

#[test]
fn where_both_transports_fail_both_failures_are_told() {
    let mut bench = Bench::new();
    bench.say(INITIALIZE);
    let post = bench.post("initialize");
    bench.end(post.exchange, status(404, ""));
    let get = bench.get();
    bench.end(get.exchange, status(405, ""));
    let text = bench.wrote();
    for part in ["over Streamable HTTP: HTTP 404", "over HTTP+SSE: HTTP 405"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn an_error_of_the_remote_is_the_clients_answer() {
    let error = r#"{"jsonrpc":"2.0","error":{"code":-32602,"message":"no"},"id":null}"#;
    for in_refusal in [true, false] {
        let mut bench = Bench::with(|settings| settings.strategy = Strategy::HttpOnly);
        bench.say(INITIALIZE);
        let post = bench.post("initialize");
        if in_refusal {
            bench.end(post.exchange, status(400, error));
        } else {
            bench.body(post.exchange, error);
        }
        assert_eq!(bench.wrote(), error.replace("null", "0"));
    }
}

#[test]
fn what_passes_is_tried_again_with_longer_waits_under_other_ids() {
    for (name, end) in [
        ("unsent", unsent as fn() -> End),
        ("broken", broken),
        ("silent", silent),
        ("503", || status(503, "")),
        ("429", || status(429, "")),
        ("cut", || cut(None)),
    ] {
        let mut bench = Bench::new();
        bench.say(INITIALIZE);
        let first = bench.post("initialize");
        assert_eq!(first.text, INITIALIZE, "the client's own bytes");
        let mut ids = HashSet::from([first.id]);
        bench.end(first.exchange, end());
        for wait in [250, 500, 1000, 2000] {
            bench.wait(wait - 1);
            assert!(bench.posts.is_empty(), "{name}: {wait}");
            bench.wait(1);
            let next = bench.post("initialize");
            assert!(ids.insert(next.id.clone()), "{name}: {} twice", next.id);
            bench.end(next.exchange, end());
        }
    }
}

#[test]
fn an_event_stream_without_an_endpoint_is_not_waited_for_for_ever() {
    let mut bench = Bench::with(|settings| settings.strategy = Strategy::SseFirst);
    bench.say(INITIALIZE);
    let stream = bench.get().exchange;
    bench.wait(10_000);
    assert!(!bench.live.contains(&stream), "given up");
    bench.post("initialize");
}

#[test]
fn an_initialize_that_is_never_answered_on_the_stream_is_tried_again() {
    let mut bench = Bench::with(|settings| settings.strategy = Strategy::SseOnly);
    bench.say(INITIALIZE);
    let stream = bench.get().exchange;
    bench.remote(Event::Endpoint { exchange: stream, url: "/m".into() });
    let post = bench.post("initialize");
    bench.end(post.exchange, End::Accepted(202));
    bench.wait(70_000);
    assert!(!bench.live.contains(&stream), "given up");
    bench.connect_sse("/m2");
    assert_eq!(bench.methods(), Vec::<&str>::new());
}

#[test]
fn every_initialize_is_answered_and_the_last_one_counts() {
    let mut bench = Bench::new();
    bench.say(INITIALIZE);
    let first = bench.post("initialize");
    bench.say(&INITIALIZE.replace(r#""id":0"#, r#""id":"again""#));
    assert_eq!(bench.wrote_error(), ("0".to_owned(), -32600));
    assert!(!bench.live.contains(&first.exchange));
    bench.welcome("s2");
    assert_eq!(bench.wrote(), result("\"again\"", WELCOME));
}

#[test]
fn a_second_initialize_ends_the_first_session_and_loses_no_request() {
    let mut bench = Bench::ready();
    bench.say(&call("1"));
    let running = bench.post("tools/call");
    bench.say(&INITIALIZE.replace(r#""id":0"#, r#""id":2"#));
    let deletes =
        bench.count(|a| matches!(a, Action::Delete { session, .. } if &**session == "s1"));
    assert_eq!(deletes, 1);
    bench.welcome("s2");
    bench.end(running.exchange, cut(None));
    let written = bench.written();
    assert_eq!(written[0], result("2", WELCOME));
    assert!(written[1].contains(r#""id":1,"#) && written[1].contains("-31001"), "{written:?}");
}

#[test]
fn a_second_initialize_over_sse_settles_what_ran_on_the_first_stream() {
    let (mut bench, stream) = Bench::ready_sse();
    bench.say(&call("1"));
    bench.say(&request("2", "tools/list"));
    for method in ["tools/call", "tools/list"] {
        let exchange = bench.post(method).exchange;
        bench.end(exchange, End::Accepted(202));
    }
    bench.say(&INITIALIZE.replace(r#""id":0"#, r#""id":3"#));
    assert!(!bench.live.contains(&stream));
    assert_eq!(bench.wrote_error(), ("1".to_owned(), -31005));
    bench.connect_sse("/m2");
    assert_eq!(bench.wrote(), result("3", WELCOME));
    assert_eq!(bench.post("tools/list").to.as_deref(), Some("/m2"), "asked again");
}
