//! 6A.6: tasks.

use super::{Bench, play::initialize};

/// A call under id 1 on exchange 3, answered with a task.
fn begin(bench: &mut Bench, members: &str) -> Vec<String> {
    bench.client(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","_meta":{"progressToken":1}}}"#);
    bench.remote(&format!(
        r#"3 {{"jsonrpc":"2.0","id":1,"result":{{"resultType":"task",{members}}}}}"#
    ))
}

#[test]
fn xa_61_the_extension_is_declared_on_calls_alone() {
    let mut bench = Bench::new();
    bench.client_raw(&initialize("2025-11-25", r#"{"extensions":{"a/b":{}}}"#));
    for (method, expected) in [
        ("tools/call", r#""extensions":{"a/b":{},"io.modelcontextprotocol/tasks":{}}"#),
        ("prompts/get", r#""extensions":{"a/b":{}}"#),
    ] {
        let said = bench.client_raw(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#));
        assert!(said[0].contains(expected), "{said:?}");
    }
}

#[test]
fn xa_61_a_task_is_asked_after_as_often_as_it_wants_within_reason() {
    for (interval, expected) in [
        (String::new(), 1000),
        (r#","pollIntervalMs":2500"#.to_owned(), 2500),
        (r#","pollIntervalMs":0"#.to_owned(), 500),
        (r#","pollIntervalMs":-1"#.to_owned(), 500),
        (r#","pollIntervalMs":1e99"#.to_owned(), 60_000),
        (r#","pollIntervalMs":"soon""#.to_owned(), 1000),
    ] {
        let mut bench = Bench::able();
        assert!(
            begin(&mut bench, &format!(r#""taskId":"k","status":"working"{interval}"#)).is_empty()
        );
        assert!(bench.pass(expected - 1).is_empty(), "{interval}");
        assert_eq!(bench.pass(1).len(), 1, "{interval}");
    }
}

#[test]
fn xa_61_what_becomes_of_a_task_is_the_answer() {
    for (state, expected) in [
        (
            r#""status":"completed","result":{"content":[],"isError":true,"resultType":"complete"}"#,
            r#""result":{"content":[],"isError":true}}"#,
        ),
        (
            r#""status":"failed","error":{"code":7,"message":"m","data":1.0}"#,
            r#""error":{"code":7,"message":"m","data":1.0}}"#,
        ),
    ] {
        let mut bench = Bench::able();
        let said = begin(&mut bench, &format!(r#""taskId":"k",{state}"#));
        assert_eq!(said, [format!(r#"client< 3 {{"jsonrpc":"2.0","id":1,{expected}"#)]);
        assert!(bench.pass(600_000).is_empty());
    }
    for members in [r#""taskId":7,"status":"working""#, r#""status":"working""#] {
        let said = begin(&mut Bench::able(), members);
        assert!(said[0].contains(r#""code":-31003"#), "{said:?}");
    }
}

#[test]
fn xa_61_asking_may_fail_for_a_while() {
    let mut bench = Bench::able();
    begin(&mut bench, r#""taskId":"k","status":"working""#);
    for exchange in 2..12 {
        assert_eq!(bench.pass(60_000).len(), 1, "{exchange}");
        let outcome = ["lost", "unsent", "broken", "status 503", "silent"][exchange % 5];
        assert!(bench.remote(&format!("own{exchange} {outcome}")).is_empty(), "{exchange}");
    }
    assert_eq!(bench.pass(60_000).len(), 1);
    let said = bench.remote("own12 lost");
    assert!(said[0].contains(r#""id":1,"error":{"code":-31001,"#), "{said:?}");
    assert!(bench.pass(600_000).is_empty());
}

#[test]
fn xa_61_input_that_the_client_refuses_ends_the_task() {
    let mut bench = Bench::able();
    let said = begin(
        &mut bench,
        r#""taskId":"k","status":"input_required","inputRequests":{"d":{"method":"roots/list"}}"#,
    );
    assert_eq!(said, [r#"client< 3 ~{"jsonrpc":"2.0","id":"own-2","method":"roots/list"}"#]);
    let said = bench.client(r#"{"jsonrpc":"2.0","id":"own-2","error":{"code":-1,"message":"no"}}"#);
    assert!(said[1].contains(r#""method":"tasks/cancel","params":{"taskId":"k","#), "{said:?}");
    assert!(said[2].ends_with(r#""isError":true}}"#), "{said:?}");
    // What a task may not ask ends it too.
    let mut bench = Bench::open("2025-11-25", "{}", r#"{"tools":{}}"#);
    let said = begin(
        &mut bench,
        r#""taskId":"k","status":"input_required","inputRequests":{"d":{"method":"roots/list"}}"#,
    );
    assert!(said[0].contains("tasks/cancel") && said[1].contains(r#""code":-31003"#), "{said:?}");
}

#[test]
fn xa_61_a_finished_task_takes_its_questions_back() {
    let mut bench = Bench::able();
    begin(
        &mut bench,
        r#""taskId":"k","status":"input_required","inputRequests":{"d":{"method":"roots/list"}}"#,
    );
    bench.pass(1000);
    let said = bench.remote(r#"own2 {"jsonrpc":"2.0","id":"own-3","result":{"taskId":"k","status":"completed","result":{"content":[]}}}"#);
    assert!(
        said[0].contains(r#""method":"notifications/cancelled","params":{"requestId":"own-2""#),
        "{said:?}"
    );
    assert_eq!(said[1], r#"client< 3 {"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#);
}

#[test]
fn xa_61_a_status_message_is_progress_once() {
    let mut bench = Bench::able();
    let said = begin(&mut bench, r#""taskId":"k","status":"working","statusMessage":"one""#);
    assert_eq!(said.len(), 1, "{said:?}");
    for (exchange, message, count) in [(2, "one", 0), (3, "two", 1)] {
        bench.pass(1000);
        let said = bench.remote(&format!(
            r#"own{exchange} {{"jsonrpc":"2.0","id":"own-{exchange}","result":{{"taskId":"k","status":"working","statusMessage":"{message}"}}}}"#
        ));
        assert_eq!(said.len(), count, "{said:?}");
    }
}

#[test]
fn xa_61_what_a_task_has_asked_once_is_not_asked_again() {
    let asks = |exchange: u32, id: u32, keys: &str| {
        format!(
            r#"own{exchange} {{"jsonrpc":"2.0","id":"own-{id}","result":{{"taskId":"k","status":"input_required","inputRequests":{{{keys}}}}}}}"#
        )
    };
    let (one, two) = (r#""a":{"method":"roots/list"}"#, r#""b":{"method":"roots/list"}"#);
    let mut bench = Bench::able();
    begin(
        &mut bench,
        &format!(r#""taskId":"k","status":"input_required","inputRequests":{{{one}}}"#),
    );
    let said = bench.client(r#"{"jsonrpc":"2.0","id":"own-2","result":{"roots":[]}}"#);
    assert!(said[1].contains(r#""inputResponses":{"a":{"roots":[]}}"#), "{said:?}");
    bench.remote(r#"own2 {"jsonrpc":"2.0","id":"own-3","result":{}}"#);
    bench.pass(1000);
    assert!(bench.remote(&asks(3, 4, one)).is_empty());
    bench.pass(1000);
    let said = bench.remote(&asks(4, 5, &format!("{one},{two}")));
    assert_eq!(said, [r#"client< 3 ~{"jsonrpc":"2.0","id":"own-6","method":"roots/list"}"#]);
    let said = bench.client(r#"{"jsonrpc":"2.0","id":"own-6","result":{"roots":[]}}"#);
    assert!(said[1].contains(r#""inputResponses":{"b":{"roots":[]}}"#), "{said:?}");
}
