//! 6A.2: what the client says.

use super::Bench;

fn not_found(said: &[String]) -> bool {
    said.len() == 1
        && said[0].contains(r#""error":{"code":-32601,"#)
        && said[0].starts_with("client<")
}

#[test]
fn xa_10_every_other_byte_of_a_request_stays() {
    let reserved = r#""io.modelcontextprotocol/related-task":{"taskId":"x"},"io.modelcontextprotocol/model-immediate-response":"x","io.modelcontextprotocol/clientInfo":{"name":"liar"}"#;
    for (params, expected) in [
        ("", r#","params":{"_meta":{$META}}"#.to_owned()),
        (r#","params":null"#, r#","params":{"_meta":{$META}}"#.to_owned()),
        (r#","params":{}"#, r#","params":{"_meta":{$META}}"#.to_owned()),
        (r#","params":{ "a" : 1.0 }"#, r#","params":{"_meta":{$META}, "a" : 1.0 }"#.to_owned()),
        (
            r#","params":{"a":1e400,"_meta":{ "progressToken" : 7, "traceparent":"00-1" },"b":[ ]}"#,
            r#","params":{"a":1e400,"_meta":{$META, "progressToken" : 7, "traceparent":"00-1" },"b":[ ]}"#.to_owned(),
        ),
        (r#","params":{"_meta":{}}"#, r#","params":{"_meta":{$META}}"#.to_owned()),
        (r#","params":{"_meta":7}"#, r#","params":{"_meta":{$META}}"#.to_owned()),
        (
            &format!(r#","params":{{"_meta":{{"x/y":1,{reserved}}}}}"#),
            r#","params":{"_meta":{$META,"x/y":1}}"#.to_owned(),
        ),
        (
            &format!(r#","params":{{"_meta":{{{reserved}}}}}"#),
            r#","params":{"_meta":{$META}}"#.to_owned(),
        ),
    ] {
        let mut bench = Bench::able();
        let said = bench.client(&format!(r#"{{ "jsonrpc":"2.0","id":"7","method":"prompts/list"{params}}}"#));
        assert_eq!(
            said,
            [format!(r#"remote< 3 {{ "jsonrpc":"2.0","id":"7","method":"prompts/list"{expected}}}"#)]
        );
    }
}

#[test]
fn xa_10_parameters_that_are_no_object_go_nowhere() {
    let said =
        Bench::able().client(r#"{"jsonrpc":"2.0","id":1,"method":"prompts/list","params":[1]}"#);
    assert_eq!(said.len(), 1);
    assert!(said[0].starts_with(r#"client< 3 {"jsonrpc":"2.0","id":1,"error":{"code":-32602,"#));
}

#[test]
fn xa_11_ping_is_answered_here() {
    let said = Bench::able().client(r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#);
    assert_eq!(said, [r#"client< 3 {"jsonrpc":"2.0","id":"p","result":{}}"#]);
}

#[test]
fn xa_12_lists_lose_what_only_a_modern_client_knows() {
    for method in ["tools/list", "prompts/list", "resources/list", "resources/templates/list"] {
        let mut bench = Bench::able();
        bench.client(&format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"cursor":""}}}}"#
        ));
        let said = bench.remote(r#"3 {"jsonrpc":"2.0","id":1,"result":{"resultType":"complete","x":[1.0],"ttlMs":300,"cacheScope":"public","nextCursor":""}}"#);
        assert_eq!(
            said,
            [r#"client< 3 {"jsonrpc":"2.0","id":1,"result":{"x":[1.0],"nextCursor":""}}"#]
        );
    }
}

#[test]
fn xa_13_and_60_a_legacy_task_is_not_asked_for() {
    for (params, expected) in [
        (r#"{"task":{"ttl":1}}"#, r#"{"_meta":{$CALL}}"#),
        (r#"{"name":"t","task":{"ttl":1}}"#, r#"{"_meta":{$CALL},"name":"t"}"#),
        (r#"{"task":{},"_meta":{"a/b":1},"name":"t"}"#, r#"{"_meta":{$CALL,"a/b":1},"name":"t"}"#),
    ] {
        let said = Bench::able().client(&format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#
        ));
        assert_eq!(
            said,
            [format!(
                r#"remote< 3 {{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{expected}}}"#
            )]
        );
    }
    // Elsewhere the name means nothing.
    let said =
        Bench::able().client(r#"{"jsonrpc":"2.0","id":1,"method":"x/y","params":{"task":1}}"#);
    assert!(said[0].ends_with(r#""params":{"_meta":{$META},"task":1}}"#), "{said:?}");
}

#[test]
fn xa_14_prompts_and_resources_go_there_and_may_need_input() {
    for (method, params) in [
        ("prompts/get", r#""name":"p","arguments":{ "a":"1" }"#),
        ("resources/read", r#""uri":"a:""#),
    ] {
        let mut bench = Bench::able();
        let request = |id: &str, meta: &str, more: &str| {
            format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{meta}{params}{more}}}}}"#
            )
        };
        let said = bench.client(&request("1", "", ""));
        assert_eq!(said, [format!("remote< 3 {}", request("1", r#""_meta":{$META},"#, ""))]);
        let said = bench.remote(r#"3 {"jsonrpc":"2.0","id":1,"result":{"resultType":"input_required","inputRequests":{"k":{"method":"roots/list"}},"requestState":"s"}}"#);
        assert_eq!(said, [r#"client< 3 ~{"jsonrpc":"2.0","id":"own-2","method":"roots/list"}"#]);
        let said = bench.client(r#"{"jsonrpc":"2.0","id":"own-2","result":{"roots":[]}}"#);
        let retry = r#""inputResponses":{"k":{"roots":[]}},"requestState":"s""#;
        assert!(said[1].starts_with("remote< ") && said[1].contains(params), "{said:?}");
        assert!(said[1].contains(retry), "{said:?}");
    }
}

#[test]
fn xa_15_completion_where_the_server_offers_it() {
    let complete = r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{},"context":{}}}"#;
    assert!(not_found(&Bench::open("2025-11-25", "{}", "{}").client(complete)));
    let mut bench = Bench::open("2024-11-05", "{}", r#"{"completions":{}}"#);
    assert!(bench.client(complete)[0].starts_with("remote< 3 "));
}

#[test]
fn xa_17_to_19_what_means_nothing_there_is_taken_here() {
    for method in [
        "notifications/initialized",
        "notifications/roots/list_changed",
        "notifications/progress",
        "notifications/cancelled",
    ] {
        let said = Bench::able().client(&format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#));
        assert_eq!(said, ["client< 3 ended: HTTP 202 without content"], "{method}");
    }
}

#[test]
fn xa_20_the_log_level_goes_with_later_requests() {
    let level = |level: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"logging/setLevel","params":{{"level":"{level}"}}}}"#
        )
    };
    assert!(not_found(&Bench::open("2025-11-25", "{}", "{}").client(&level("error"))));
    let mut bench = Bench::able();
    let list = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;
    assert!(!bench.client(list)[0].contains("logLevel"));
    bench.client(&level("error"));
    assert!(bench.client(list)[0].contains(r#""io.modelcontextprotocol/logLevel":"error""#));
    bench.client(&level("debug"));
    let call = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call"}"#;
    assert!(bench.client(call)[0].contains(r#""io.modelcontextprotocol/logLevel":"debug""#));
}

#[test]
fn xa_21_a_cancelled_request_is_aborted_and_nothing_else() {
    let mut bench = Bench::able();
    bench.client(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    assert_eq!(bench.client("abort 3"), ["remote< 3 abort"]);
    assert!(bench.remote(r#"3 {"jsonrpc":"2.0","id":1,"result":{}}"#).is_empty());
}

#[test]
fn xa_23_the_answer_to_a_request_of_an_extension_is_not_touched() {
    let mut bench = Bench::able();
    let said = bench.client(r#"{"jsonrpc":"2.0","id":1,"method":"vendor/x","params":{"a":1.0}}"#);
    assert_eq!(
        said,
        [
            r#"remote< 3 {"jsonrpc":"2.0","id":1,"method":"vendor/x","params":{"_meta":{$META},"a":1.0}}"#
        ]
    );
    let answer = r#"{"jsonrpc":"2.0","id":1,"result":{"resultType":"vendor","ttlMs":1}}"#;
    assert_eq!(bench.remote(&format!("3 {answer}")), [format!("client< 3 {answer}")]);
}

#[test]
fn xa_24_an_unknown_notification_goes_there_and_may_fail() {
    for (outcome, expected) in [
        ("accepted", "client< 3 ended: HTTP 202 without content"),
        ("status 400", "client< 3 ended: HTTP 202 without content"),
        ("lost", "client< 3 ended: HTTP 202 without content"),
        ("unsent", "client< 3 ended: not sent: connection refused"),
    ] {
        let mut bench = Bench::able();
        let text = r#"{"jsonrpc":"2.0","method":"notifications/vendor","params":{"a":1}}"#;
        assert_eq!(bench.client(text), [format!("remote< 3 {text}")]);
        assert_eq!(bench.remote(&format!("3 {outcome}")), [expected]);
    }
}

#[test]
fn xa_26_tasks_of_2025_do_not_exist() {
    for method in [
        "tasks/get",
        "tasks/result",
        "tasks/list",
        "tasks/cancel",
        "server/discover",
        "subscriptions/listen",
    ] {
        let said =
            Bench::able().client(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}"}}"#));
        assert!(not_found(&said), "{method}: {said:?}");
    }
}

#[test]
fn xa_22_an_answer_to_no_question_is_dropped() {
    let said = Bench::able().client(r#"{"jsonrpc":"2.0","id":"own-9","result":{}}"#);
    assert_eq!(said, ["client< 3 ended: HTTP 202 without content"]);
}
