//! 6A.3: what the server says of its own accord.

use super::Bench;

const LISTS: &str =
    r#"{"tools":{"listChanged":true},"resources":{"listChanged":true,"subscribe":true}}"#;

fn subscribe(bench: &mut Bench, id: u32, uri: &str) -> Vec<String> {
    bench.client(&format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"resources/subscribe","params":{{"uri":"{uri}"}}}}"#
    ))
}

fn acknowledge(bench: &mut Bench, exchange: &str, uris: &str) -> Vec<String> {
    bench.remote(&format!(
        r#"{exchange} ~{{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{{"notifications":{{"resourceSubscriptions":[{uris}]}}}}}}"#
    ))
}

fn updated(uri: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{{"uri":"{uri}"}}}}"#
    )
}

#[test]
fn xa_30_one_listen_with_the_kinds_that_were_declared() {
    let mut bench = Bench::open("2025-11-25", "{}", LISTS);
    assert_eq!(
        bench.client("get"),
        [
            "client< 3 opened",
            r#"remote< own2 {"jsonrpc":"2.0","id":"own-2","method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true,"resourcesListChanged":true},"_meta":{$META}}}"#
        ]
    );
    // Where nothing was, the stream is open all the same.
    for server in ["{}", r#"{"tools":{"listChanged":false}}"#] {
        let mut bench = Bench::open("2025-11-25", "{}", server);
        assert_eq!(bench.client("get"), ["client< 3 opened"]);
        assert!(bench.pass(600_000).is_empty());
    }
}

#[test]
fn xa_31_and_32_what_is_told_loses_its_subscription() {
    let id = r#""io.modelcontextprotocol/subscriptionId":"own-2""#;
    for (method, params, expected) in [
        ("tools/list_changed", format!(r#","params":{{"_meta":{{{id}}}}}"#), Some(String::new())),
        ("prompts/list_changed", String::new(), Some(String::new())),
        (
            "resources/list_changed",
            format!(r#","params":{{"_meta":{{{id},"x":1.0}}}}"#),
            Some(r#","params":{"_meta":{"x":1.0}}"#.to_owned()),
        ),
        (
            "tools/list_changed",
            format!(r#","params":{{"n":1e2,"_meta":{{{id}}}}}"#),
            Some(r#","params":{"n":1e2}"#.to_owned()),
        ),
        ("vendor/news", String::new(), None),
        ("cancelled", String::new(), None),
    ] {
        let mut bench = Bench::open("2025-11-25", "{}", LISTS);
        bench.client("get");
        assert!(acknowledge(&mut bench, "own2", "").iter().all(|line| line.starts_with("log< ")));
        let said = bench.remote(&format!(
            r#"own2 ~{{"jsonrpc":"2.0","method":"notifications/{method}"{params}}}"#
        ));
        let expected = expected.map(|params| {
            format!(r#"client< 3 ~{{"jsonrpc":"2.0","method":"notifications/{method}"{params}}}"#)
        });
        assert_eq!(said, expected.into_iter().collect::<Vec<_>>(), "{method}");
    }
}

#[test]
fn xa_16_subscribing_and_unsubscribing_are_answered_with_an_empty_object() {
    let mut bench = Bench::able();
    bench.client("get");
    let said = subscribe(&mut bench, 1, "a:");
    assert!(said[0].starts_with("remote< own2 "), "{said:?}");
    assert!(said[0].contains(r#""method":"subscriptions/listen""#), "{said:?}");
    assert_eq!(said.len(), 1, "not before it is acknowledged: {said:?}");
    assert_eq!(
        acknowledge(&mut bench, "own2", r#""a:""#),
        [r#"client< 4 {"jsonrpc":"2.0","id":1,"result":{}}"#]
    );
    let said = bench.client(
        r#"{"jsonrpc":"2.0","id":2,"method":"resources/unsubscribe","params":{"uri":"a:"}}"#,
    );
    assert_eq!(said, [r#"client< 5 {"jsonrpc":"2.0","id":2,"result":{}}"#, "remote< own2 abort"]);
    // One that was never subscribed to is no error either.
    let said = bench.client(
        r#"{"jsonrpc":"2.0","id":3,"method":"resources/unsubscribe","params":{"uri":"b:"}}"#,
    );
    assert_eq!(said, [r#"client< 6 {"jsonrpc":"2.0","id":3,"result":{}}"#]);
}

#[test]
fn xa_34_without_the_capability_nothing_can_be_subscribed_to() {
    let mut bench = Bench::open("2025-11-25", "{}", r#"{"resources":{"listChanged":true}}"#);
    assert!(subscribe(&mut bench, 1, "file:///a")[0].contains(r#""code":-32601"#));
    let said = Bench::able().client(r#"{"jsonrpc":"2.0","id":1,"method":"resources/subscribe"}"#);
    assert!(said[0].contains(r#""code":-32602"#), "{said:?}");
}

#[test]
fn xa_34_changes_that_come_meanwhile_share_the_next_listen() {
    let mut bench = Bench::able();
    bench.client("get");
    subscribe(&mut bench, 1, "a:");
    assert!(subscribe(&mut bench, 2, "b:").is_empty());
    assert!(subscribe(&mut bench, 3, "c:").is_empty());
    let said = acknowledge(&mut bench, "own2", r#""a:""#);
    assert_eq!(said[0], r#"client< 4 {"jsonrpc":"2.0","id":1,"result":{}}"#);
    assert!(said[1].contains(r#""resourceSubscriptions":["a:","b:","c:"]"#), "{said:?}");
    let said = acknowledge(&mut bench, "own3", r#""c:","b:","a:""#);
    assert_eq!(
        said,
        [
            r#"client< 5 {"jsonrpc":"2.0","id":2,"result":{}}"#,
            r#"client< 6 {"jsonrpc":"2.0","id":3,"result":{}}"#
        ]
    );
}

#[test]
fn xa_34_a_listen_that_is_refused_leaves_the_old_one() {
    let error = r#"{"code":-32603,"message":"too many"}"#;
    for (outcome, expected) in [
        (
            format!(r#"~{{"jsonrpc":"2.0","id":"own-3","error":{error}}}"#),
            format!(r#"client< 5 {{"jsonrpc":"2.0","id":2,"error":{error}}}"#),
        ),
        ("unsent".to_owned(), "client< 5 ended: not sent: connection refused".to_owned()),
        ("status 500".to_owned(), "client< 5 ended: HTTP 500".to_owned()),
    ] {
        let mut bench = Bench::able();
        bench.client("get");
        subscribe(&mut bench, 1, "a:");
        acknowledge(&mut bench, "own2", r#""a:""#);
        subscribe(&mut bench, 2, "b:");
        // Held back, and told as soon as it is clear that no other listen tells it.
        assert!(bench.remote(&format!("own2 ~{}", updated("a:"))).is_empty());
        let said = bench.remote(&format!("own3 {outcome}"));
        assert_eq!(said, [expected, format!("client< 3 ~{}", updated("a:"))]);
        assert_eq!(bench.remote(&format!("own2 ~{}", updated("a:"))).len(), 1);
    }
}

#[test]
fn xa_34_a_server_that_does_not_acknowledge_is_not_waited_for_for_ever() {
    let mut bench = Bench::able();
    bench.client("get");
    subscribe(&mut bench, 1, "a:");
    assert!(bench.pass(29_999).is_empty());
    let said = bench.pass(1);
    assert_eq!(said[0], "remote< own2 abort");
    assert!(said[1].contains(r#""id":1,"error":{"code":-31000,"#), "{said:?}");
}

#[test]
fn xa_35_and_36_subscriptions_come_back_and_tell_what_may_have_been_missed() {
    let mut bench = Bench::able();
    bench.client("get");
    subscribe(&mut bench, 1, "a:");
    acknowledge(&mut bench, "own2", r#""a:""#);
    assert!(bench.remote(r#"own2 {"jsonrpc":"2.0","id":"own-2","result":{}}"#).is_empty());
    assert!(bench.pass(999).is_empty());
    assert!(bench.pass(1)[0].contains(r#""resourceSubscriptions":["a:"]"#));
    // Not yet: the wait grows.
    assert!(bench.remote("own3 status 503").is_empty());
    assert!(bench.pass(1999).is_empty());
    assert_eq!(bench.pass(1).len(), 1);
    assert_eq!(
        acknowledge(&mut bench, "own4", r#""a:""#),
        [format!("client< 3 ~{}", updated("a:"))]
    );
    // A new stream of the client's means a new connection.
    assert_eq!(bench.client("abort 3"), ["remote< own4 abort"]);
    let said = bench.client("get");
    assert!(said[1].contains(r#""resourceSubscriptions":["a:"]"#), "{said:?}");
    // Gone for good.
    let said = bench.remote("own5 status 404");
    assert_eq!(said, ["log< remote.test does not tell of changed resources any more"]);
    assert!(bench.pass(600_000).is_empty());
}
