//! Subscriptions that outlive a connection.

use super::*;

const KEY: &str = "io.modelcontextprotocol/subscriptionId";
const ALL: &str = r#"{"toolsListChanged":true,"promptsListChanged":false,"resourceSubscriptions":["file:///a","b"]}"#;

fn listen(id: &str) -> String {
    request(id, "subscriptions/listen", &format!(r#""notifications":{ALL}"#))
}

fn note(method: &str, id: &str, members: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/{method}","params":{{{members}"_meta":{{"{KEY}":{id}}}}}}}"#
    )
}

fn acknowledged(id: &str, filter: &str) -> String {
    note("subscriptions/acknowledged", id, &format!(r#""notifications":{filter},"#))
}

fn over(id: &str) -> String {
    result(id, &format!(r#"{{"resultType":"complete","_meta":{{"{KEY}":{id}}}}}"#))
}

fn cancelled(id: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
    )
}

/// A subscription with this id, acknowledged, on exchange 9.
fn open(id: &str) -> Bench {
    let mut bench = Bench::new();
    let post = bench.send(9, &listen(id));
    assert_eq!(text(&post.body), listen(id));
    assert_eq!(words(&bench.event(Event::Opened { exchange: 9, session: None })), ["9 opened"]);
    let text = acknowledged(id, ALL);
    assert_eq!(words(&bench.message(9, &text)), [format!("9 {text}")]);
    bench
}

/// The same, dropped and asked for again; gives the new exchange.
fn reopened(id: &str) -> (Bench, ExchangeId) {
    let mut bench = open(id);
    assert!(bench.ended(9, dropped()).is_empty());
    let post = sent(bench.wait().1);
    (bench, post.exchange)
}

#[test]
fn md_40_nothing_passes_before_the_acknowledgement() {
    let mut bench = Bench::new();
    bench.send(9, &listen("1"));
    assert!(bench.message(9, &note("tools/list_changed", "1", "")).is_empty());
    assert_eq!(words(&bench.ended(9, dropped())), ["9 ended: the stream broke: reset"]);
    assert!(bench.is_clean());
}

#[test]
fn before_the_acknowledgement_failures_go_up_as_they_are() {
    let refused = error("1", -32602, "{}");
    let mut bench = Bench::new();
    bench.send(9, &listen("1"));
    assert_eq!(words(&bench.answer(9, &refused)), [format!("9 body {refused}")]);
    bench.send(9, &listen("1"));
    assert_eq!(words(&bench.message(9, &refused)), [format!("9 {refused}")]);
    assert_eq!(words(&bench.ended(9, dropped())).len(), 1);
    for end in [status(404, ""), End::Unsent("x".to_owned()), End::Accepted(202)] {
        let word = format!("9 ended: {end}");
        bench.send(9, &listen("1"));
        assert_eq!(words(&bench.ended(9, end)), [word]);
    }
    assert!(bench.is_clean());
}

#[test]
fn mm_3_md_44_a_dropped_stream_is_replaced_unseen_but_for_what_may_have_changed() {
    for id in ["7", "\"7\"", "12345678901234567890", "\"l\\u0061\""] {
        let (mut bench, again) = reopened(id);
        assert_eq!(again, OWN + 1);
        assert!(bench.event(Event::Opened { exchange: again, session: None }).is_empty());
        let own = "\"own-1001\"";
        assert!(bench.message(again, &note("tools/list_changed", own, "")).is_empty());
        // The second acknowledgement is kept back; the gap is covered under the first id.
        let expected = [
            note("tools/list_changed", id, ""),
            note("resources/updated", id, r#""uri":"file:///a","#),
            note("resources/updated", id, r#""uri":"b","#),
        ];
        let steps = bench.message(again, &acknowledged(own, ALL));
        assert_eq!(words(&steps), expected.map(|text| format!("9 {text}")));
        // What comes later has the first id too, and all else as it was.
        let came = r#"{"params":{"uri": "b","n":1.0,"_meta":{"v":1.0,"io.modelcontextprotocol/subscriptionId":"own-1001"}}, "method":"notifications/resources/updated"}"#;
        let goes = came.replace("\"own-1001\"", id).replace(r#""uri": "#, r#""uri":"#);
        assert_eq!(words(&bench.message(again, came)), [format!("9 {goes}")]);
        let steps = bench.message(again, &over(own));
        assert_eq!(words(&steps), [format!("9 {}", over(id)), format!("9 {}", cancelled(id))]);
        assert_eq!(words(&bench.ended(again, dropped())).len(), 1, "nothing is opened again");
        assert!(bench.is_clean());
    }
}

#[test]
fn st_12_a_subscription_id_of_the_wrong_type_or_none_is_put_right() {
    let mut bench = open("7");
    let right = note("tools/list_changed", "7", "");
    for wrong in [
        note("tools/list_changed", "\"7\"", ""),
        r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#.to_owned(),
        r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{}}"#.to_owned(),
    ] {
        assert_eq!(words(&bench.message(9, &wrong)), [format!("9 {right}")]);
    }
}

#[test]
fn md_42_md_43_a_graceful_end_passes_and_nothing_is_opened_again() {
    let mut bench = open("7");
    let expected = [format!("9 {}", over("7")), format!("9 {}", cancelled("7"))];
    assert_eq!(words(&bench.message(9, &over("7"))), expected);
    assert!(bench.message(9, &note("tools/list_changed", "7", "")).is_empty());
    assert!(bench.message(9, &over("7")).is_empty());
    assert_eq!(words(&bench.abort(9)), ["abort 9"]);
    assert!(bench.is_clean());
    // The same as a whole body: the exchange is over after the notification.
    let (mut bench, again) = reopened("7");
    let steps = bench.answer(again, &over("\"own-1001\""));
    assert_eq!(words(&steps)[..2], expected);
    assert_eq!(words(&steps)[2..], ["9 ended: the stream ended"]);
    assert!(bench.is_clean());
}

#[test]
fn mm_3_whoever_honours_less_ends_the_subscription() {
    let ended = [
        "abort 1001".to_owned(),
        format!("9 {}", over("\"x\"")),
        format!("9 {}", cancelled("\"x\"")),
        "9 ended: the stream ended".to_owned(),
    ];
    for less in [
        r#"{"toolsListChanged":true,"resourceSubscriptions":["file:///a"]}"#,
        r#"{"toolsListChanged":false,"resourceSubscriptions":["file:///a","b"]}"#,
        r#"{"resourceSubscriptions":["b","file:///a"]}"#,
        r#"{"toolsListChanged":true}"#,
        "{}",
    ] {
        let (mut bench, again) = reopened("\"x\"");
        assert_eq!(words(&bench.message(again, &acknowledged("1", less))), ended, "{less}");
        assert!(bench.is_clean());
    }
    for more in [
        r#"{"toolsListChanged":true,"resourceSubscriptions":["b","file:\/\/\/a","c"]}"#,
        r#"{"toolsListChanged":true,"promptsListChanged":true,"resourceSubscriptions":["b","file:///a"]}"#,
    ] {
        let (mut bench, again) = reopened("\"x\"");
        assert_eq!(bench.message(again, &acknowledged("1", more)).len(), 3, "{more}");
    }
}

#[test]
fn xa_35_what_waiting_does_not_change_ends_the_subscription_and_all_else_is_tried_again() {
    let not_found = error("null", -32601, "{}");
    for (end, is_over) in [
        (status(404, ""), true),
        (status(404, &not_found), true),
        (status(503, &not_found), true),
        (status(400, &error("null", -32602, "{}")), true),
        (status(405, ""), true),
        (status(501, ""), true),
        (End::Redirected("https://x.example".to_owned()), true),
        (End::NotModern("x".to_owned()), true),
        (status(503, ""), false),
        (status(500, &error("null", -32603, "{}")), false),
        (status(429, ""), false),
        (status(401, ""), false),
        (End::Unsent("refused".to_owned()), false),
        (End::Broken("reset".to_owned()), false),
        (End::Silent(Duration::from_secs(1)), false),
        (End::Malformed("html".to_owned()), false),
        (End::Accepted(202), false),
        (dropped(), false),
        (End::Stream(StreamEnd::default()), false),
    ] {
        let (mut bench, again) = reopened("7");
        let words = words(&bench.ended(again, end.clone()));
        let expected = ["9 ended: the stream ended".to_owned()];
        assert_eq!(words.get(2..).unwrap_or_default() == expected, is_over, "{end}: {words:?}");
        assert_eq!(words.is_empty() && bench.wire.next_deadline().is_some(), !is_over, "{end}");
        assert_eq!(bench.is_clean(), is_over);
    }
    for (code, is_over) in [(-32601, true), (-32603, false)] {
        let (mut bench, again) = reopened("7");
        bench.answer(again, &error("\"own-1001\"", code, "{}"));
        assert_eq!(bench.is_clean(), is_over, "{code}");
    }
}

#[test]
fn waits_grow_until_something_comes_and_what_the_server_asks_is_kept() {
    let mut bench = open("7");
    assert!(bench.ended(9, dropped()).is_empty());
    let mut waits = Vec::new();
    for _ in 0..3 {
        let (waited, steps) = bench.wait();
        waits.push(waited);
        let exchange = sent(steps).exchange;
        // An acknowledgement alone is not enough.
        bench.message(exchange, &acknowledged("0", ALL));
        assert!(bench.ended(exchange, dropped()).is_empty());
    }
    let exchange = sent(bench.wait().1).exchange;
    bench.message(exchange, &acknowledged("0", ALL));
    bench.message(exchange, &note("tools/list_changed", "0", ""));
    bench.ended(exchange, dropped());
    let (waited, steps) = bench.wait();
    waits.push(waited);
    let retry_after = Some(Duration::from_secs(45));
    let busy = End::Status(Box::new(Refusal { status: 503, retry_after, ..Refusal::default() }));
    bench.ended(sent(steps).exchange, busy);
    let (waited, steps) = bench.wait();
    waits.push(waited);
    let lived = StreamEnd { lived: Duration::from_secs(60), ..StreamEnd::default() };
    bench.ended(sent(steps).exchange, End::Stream(lived));
    waits.push(bench.wait().0);
    assert_eq!(waits, [1000, 2000, 4000, 1000, 45_000, 1000]);
}

#[test]
fn an_abort_stops_the_wait_or_the_stream_that_there_is() {
    let mut bench = open("7");
    bench.ended(9, dropped());
    assert!(bench.abort(9).is_empty(), "nothing runs");
    assert!(bench.is_clean() && bench.wire.next_deadline().is_none());
    let (mut bench, again) = reopened("7");
    assert_eq!(words(&bench.abort(9)), [format!("abort {again}")]);
    assert!(bench.is_clean());
}

#[test]
fn every_try_has_an_id_of_its_own_and_the_same_body() {
    let mut bench = open("7");
    bench.ended(9, dropped());
    for n in 1..4 {
        let post = sent(bench.wait().1);
        assert_eq!(text(&post.body), listen(&format!("\"own-{}\"", OWN + n)));
        assert_eq!(headers(&post).method, "subscriptions/listen");
        assert!(bench.ended(post.exchange, dropped()).is_empty());
    }
}

#[test]
fn t60_a_request_on_a_listen_stream_is_ignored() {
    let mut bench = open("7");
    assert!(bench.message(9, r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).is_empty());
    assert!(bench.message(9, "no JSON").is_empty());
}
