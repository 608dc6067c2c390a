//! 6A.4: what the server asks on the way.

use super::Bench;

const ELICIT: &str = r#"{"method":"elicitation/create","params":{"message":"?","requestedSchema":{"type":"object","properties":{}}}}"#;
const URL: &str = r#"{"method":"elicitation/create","params":{"mode":"url","message":"?","url":"https://x.example"}}"#;
const ROOTS: &str = r#"{"method":"roots/list"}"#;
const SAMPLE: &str = r#"{"method":"sampling/createMessage","params":{"messages":[{"role":"user","content":{"type":"text","text":"x"}}],"maxTokens":1}}"#;

/// A request under id 1 on exchange 3.
fn begin(bench: &mut Bench, method: &str) {
    let said = bench.client(&format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"name":"t"}}}}"#
    ));
    assert!(said[0].starts_with("remote< 3 "), "{said:?}");
}

/// The server asks for these inputs, as the answer to the first try.
fn require(bench: &mut Bench, inputs: &str) -> Vec<String> {
    require_raw(bench, &format!(r#""inputRequests":{inputs}"#))
}

fn require_raw(bench: &mut Bench, members: &str) -> Vec<String> {
    bench.remote(&format!(
        r#"3 {{"jsonrpc":"2.0","id":1,"result":{{"resultType":"input_required",{members}}}}}"#
    ))
}

fn answer(bench: &mut Bench, id: &str, result: &str) -> Vec<String> {
    let said = bench.client(&format!(r#"{{"jsonrpc":"2.0","id":"{id}","result":{result}}}"#));
    assert!(said[0].ends_with("ended: HTTP 202 without content"), "{said:?}");
    said[1..].to_vec()
}

fn asked(bench: &mut Bench, inputs: &str) -> Vec<String> {
    begin(bench, "tools/call");
    require(bench, inputs)
}

fn is_violation(said: &[String]) -> bool {
    said.len() == 1
        && said[0].starts_with(r#"client< 3 {"jsonrpc":"2.0","id":1,"error":{"code":-31003,"#)
}

#[test]
fn xa_40_input_is_asked_for_on_three_methods_only() {
    for (method, may_ask) in [
        ("tools/call", true),
        ("prompts/get", true),
        ("resources/read", true),
        ("tools/list", false),
        ("completion/complete", false),
    ] {
        let mut bench = Bench::able();
        begin(&mut bench, method);
        let said = require(&mut bench, &format!(r#"{{"d":{ROOTS}}}"#));
        if may_ask {
            assert_eq!(
                said,
                [r#"client< 3 ~{"jsonrpc":"2.0","id":"own-2","method":"roots/list"}"#]
            );
        } else {
            assert!(is_violation(&said), "{method}: {said:?}");
        }
    }
}

#[test]
fn xa_40_only_what_was_offered_may_be_asked() {
    let tools =
        r#"{"method":"sampling/createMessage","params":{"messages":[],"maxTokens":1,"tools":[]}}"#;
    let odd = r#"{"method":"elicitation/create","params":{"mode":"dance"}}"#;
    let all = r#"{"roots":{},"sampling":{},"elicitation":{"form":{},"url":{}}}"#;
    for (capabilities, input, is_asked) in [
        (all, ROOTS, true),
        (all, SAMPLE, true),
        (all, ELICIT, true),
        (all, URL, true),
        ("{}", ROOTS, false),
        ("{}", SAMPLE, false),
        ("{}", ELICIT, false),
        (r#"{"elicitation":{}}"#, ELICIT, true),
        (r#"{"elicitation":{}}"#, URL, false),
        (r#"{"elicitation":{"url":{}}}"#, ELICIT, false),
        (all, tools, false),
        (r#"{"sampling":{"tools":{}}}"#, tools, true),
        (all, odd, false),
        (all, r#"{"method":"tools/list"}"#, false),
        (all, "7", false),
    ] {
        let mut bench = Bench::open("2025-11-25", capabilities, r#"{"tools":{}}"#);
        let said = asked(&mut bench, &format!(r#"{{"k":{input}}}"#));
        assert_eq!(said[0].starts_with("client< 3 ~"), is_asked, "{capabilities} {input} {said:?}");
        assert_eq!(is_violation(&said), !is_asked, "{capabilities} {input} {said:?}");
    }
}

#[test]
fn xa_40_something_must_be_asked() {
    for members in [
        r#""x":1"#,
        r#""inputRequests":{}"#,
        r#""inputRequests":{},"requestState":null"#,
        r#""inputRequests":[]"#,
    ] {
        let mut bench = Bench::able();
        begin(&mut bench, "tools/call");
        let said = require_raw(&mut bench, members);
        assert!(is_violation(&said), "{members}: {said:?}");
    }
}

#[test]
fn xa_41_forms_come_one_after_another_and_the_rest_at_once() {
    let mut bench = Bench::able();
    let inputs = format!(r#"{{"a":{ELICIT},"b":{SAMPLE},"c":{ELICIT},"d":{ROOTS}}}"#);
    let said = asked(&mut bench, &inputs);
    let methods = |said: &[String]| -> Vec<String> {
        let method =
            |line: &String| Some(line.split_once(r#""method":""#)?.1.split_once('"')?.0.to_owned());
        said.iter().filter_map(method).collect()
    };
    assert_eq!(methods(&said), ["elicitation/create", "sampling/createMessage", "roots/list"]);
    assert!(answer(&mut bench, "own-4", r#"{"roots":[]}"#).is_empty());
    let said = answer(&mut bench, "own-2", r#"{"action":"decline"}"#);
    assert_eq!(methods(&said), ["elicitation/create"]);
    let sample = r#"{"role":"assistant","content":{"type":"text","text":"y"},"model":"m"}"#;
    assert!(answer(&mut bench, "own-3", sample).is_empty());
    let said = answer(&mut bench, "own-5", r#"{"action":"accept","content":{}}"#);
    assert_eq!(
        said,
        [format!(
            r#"remote< own2 {{"jsonrpc":"2.0","id":"own-6","method":"tools/call","params":{{"_meta":{{$CALL}},"name":"t","inputResponses":{{"a":{{"action":"decline"}},"b":{sample},"c":{{"action":"accept","content":{{}}}},"d":{{"roots":[]}}}}}}}}"#
        )]
    );
}

#[test]
fn xa_42_a_prompt_reaches_the_limit_as_an_error_and_time_has_one_too() {
    let mut bench = Bench::able();
    begin(&mut bench, "prompts/get");
    require_raw(&mut bench, r#""requestState":"s""#);
    for round in 2..12 {
        bench.pass(30_000);
        let said = bench.remote(&format!(
            r#"own{round} {{"jsonrpc":"2.0","id":"own-{round}","result":{{"resultType":"input_required","requestState":"s"}}}}"#
        ));
        assert_eq!(said.len(), usize::from(round == 11), "{round}: {said:?}");
        assert!(round < 11 || said[0].contains(r#""code":-31006"#), "{said:?}");
    }
    let mut bench = Bench::able();
    asked(&mut bench, &format!(r#"{{"k":{ROOTS}}}"#));
    assert!(bench.pass(15 * 60_000 - 1).is_empty());
    let said = bench.pass(1);
    assert!(
        said[0].contains(r#""method":"notifications/cancelled","params":{"requestId":"own-2""#)
    );
    assert!(said[1].ends_with(r#""isError":true}}"#), "{said:?}");
    // A try that takes its time is not cut short.
    let mut bench = Bench::able();
    asked(&mut bench, &format!(r#"{{"k":{ROOTS}}}"#));
    answer(&mut bench, "own-2", r#"{"roots":[]}"#);
    assert!(bench.pass(60 * 60_000).is_empty());
    assert_eq!(bench.remote(r#"own2 {"jsonrpc":"2.0","id":"own-3","result":{}}"#).len(), 1);
}

#[test]
fn xa_43_answers_are_bare() {
    for (input, given, bare) in [
        (
            ELICIT,
            r#"{"action":"accept","content":{"n":1e2},"_meta":{},"resultType":"x"}"#,
            r#"{"action":"accept","content":{"n":1e2}}"#,
        ),
        (
            ROOTS,
            r#"{"_meta":{},"roots":[{"uri":"file:///a","x":1.0}]}"#,
            r#"{"roots":[{"uri":"file:///a","x":1.0}]}"#,
        ),
        (
            SAMPLE,
            r#"{"role":"assistant","content":[],"model":"m","stopReason":"endTurn","_meta":{"a":1},"resultType":"complete"}"#,
            r#"{"role":"assistant","content":[],"model":"m","stopReason":"endTurn","_meta":{"a":1}}"#,
        ),
        // What is no elicitation result is one that was cancelled.
        (ELICIT, r#"{"x":1}"#, r#"{"action":"cancel"}"#),
    ] {
        let mut bench = Bench::able();
        asked(&mut bench, &format!(r#"{{"k":{input}}}"#));
        let said = answer(&mut bench, "own-2", given);
        assert!(said[0].ends_with(&format!(r#""inputResponses":{{"k":{bare}}}}}}}"#)), "{said:?}");
    }
}

#[test]
fn xa_44_an_answer_of_the_wrong_kind_fails_the_request() {
    let mut bench = Bench::able();
    asked(&mut bench, &format!(r#"{{"k":{ROOTS}}}"#));
    let said = answer(&mut bench, "own-2", r#"{"action":"accept"}"#);
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("which the client refused"), "{said:?}");
}

#[test]
fn xa_45_progress_within_one_try_is_the_servers_and_the_oldest_client_gets_no_message() {
    let progress = |n: u32| {
        format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":1,"progress":{n},"message":"m"}}}}"#
        )
    };
    let mut bench = Bench::able();
    begin(&mut bench, "tools/call");
    for n in [3, 3, 2] {
        assert_eq!(
            bench.remote(&format!("3 ~{}", progress(n))),
            [format!("client< 3 ~{}", progress(n))]
        );
    }
    require(&mut bench, &format!(r#"{{"k":{ROOTS}}}"#));
    answer(&mut bench, "own-2", r#"{"roots":[]}"#);
    assert!(bench.remote(&format!("own2 ~{}", progress(3))).is_empty());
    assert_eq!(bench.remote(&format!("own2 ~{}", progress(4))).len(), 1);

    let mut bench = Bench::open("2024-11-05", "{}", r#"{"tools":{}}"#);
    begin(&mut bench, "tools/call");
    let said = bench.remote(&format!("3 ~{}", progress(1)));
    assert!(said[0].ends_with(r#""params":{"progressToken":1,"progress":1}}"#), "{said:?}");
}

#[test]
fn xa_46_without_another_exchange_the_cancellation_waits_for_the_clients_stream() {
    let mut bench = Bench::able();
    asked(&mut bench, &format!(r#"{{"k":{ROOTS}}}"#));
    assert!(bench.client("abort 3").is_empty());
    let said = bench.client("get");
    assert!(
        said[1].contains(r#""method":"notifications/cancelled","params":{"requestId":"own-2""#)
    );
    assert!(answer(&mut bench, "own-2", r#"{"roots":[]}"#).is_empty());
}

#[test]
fn xa_47_forms_for_a_client_of_2025_06_18() {
    let form = |mode: &str, properties: &str| {
        format!(
            r#"{{{mode}"message":"?","requestedSchema":{{"type":"object","properties":{properties},"required":["a"]}}}}"#
        )
    };
    for (properties, older) in [
        (r#"{"a":{"type":"string","default":"x"},"b":{"type":"boolean"}}"#, None),
        (
            r#"{"a":{"type":"string","oneOf":[{"const":"r","title":"Red"},{"const":"g","title":"Green"}],"title":"T"}}"#,
            Some(
                r#"{"a":{"type":"string","title":"T","enum":["r","g"],"enumNames":["Red","Green"]}}"#,
            ),
        ),
        (
            r#"{"a":{"type":"string","oneOf":[{"const":"r"}]}}"#,
            Some(r#"{"a":{"type":"string","enum":["r"]}}"#),
        ),
    ] {
        let mut bench = Bench::open("2025-06-18", r#"{"elicitation":{}}"#, r#"{"tools":{}}"#);
        let params = form(r#""mode":"form","#, properties);
        let said = asked(
            &mut bench,
            &format!(r#"{{"k":{{"method":"elicitation/create","params":{params}}}}}"#),
        );
        let expected = form("", older.unwrap_or(properties));
        assert_eq!(
            said,
            [format!(
                r#"client< 3 ~{{"jsonrpc":"2.0","id":"own-2","method":"elicitation/create","params":{expected}}}"#
            )]
        );
    }
    let several = r#"{"a":{"type":"array","items":{"type":"string","enum":["x"]}}}"#;
    let params = form("", several);
    let input = format!(r#"{{"k":{{"method":"elicitation/create","params":{params}}}}}"#);
    let mut bench = Bench::open("2025-06-18", r#"{"elicitation":{}}"#, r#"{"tools":{}}"#);
    let said = asked(&mut bench, &input);
    assert!(said[0].starts_with("log< remote.test asks for a choice of several"), "{said:?}");
    assert!(said[1].contains(r#""inputResponses":{"k":{"action":"cancel"}}"#), "{said:?}");
    // A client of 2025-11-25 knows them all.
    let said = asked(&mut Bench::able(), &input);
    assert!(said[0].ends_with(&format!(r#""params":{params}}}"#)), "{said:?}");
}

#[test]
fn xa_48_a_declined_url_is_not_completed_and_another_one_has_another_id() {
    let mut bench = Bench::able();
    let said = asked(&mut bench, &format!(r#"{{"k":{URL}}}"#));
    assert!(said[0].contains(r#""elicitationId":"$ID1""#), "{said:?}");
    answer(&mut bench, "own-2", r#"{"action":"decline"}"#);
    let other = URL.replace("x.example", "y.example");
    let said = bench.remote(&format!(
        r#"own2 {{"jsonrpc":"2.0","id":"own-3","result":{{"resultType":"input_required","inputRequests":{{"k":{other}}}}}}}"#
    ));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains(r#""elicitationId":"$ID2""#), "{said:?}");
    answer(&mut bench, "own-4", r#"{"action":"accept"}"#);
    // What comes next lists it no more: it is complete.
    let said = bench.remote(&format!(
        r#"own3 {{"jsonrpc":"2.0","id":"own-5","result":{{"resultType":"input_required","inputRequests":{{"k":{ROOTS}}}}}}}"#
    ));
    assert_eq!(
        said[0],
        r#"client< 3 ~{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":"$ID2"}}"#
    );
}

#[test]
fn xa_49_samples_for_an_older_client() {
    let sample = |content: &str| {
        format!(
            r#"{{"method":"sampling/createMessage","params":{{"messages":[{{"role":"user","content":{content}}}],"maxTokens":1}}}}"#
        )
    };
    let block = r#"{"type":"text","text":"x"}"#;
    for (content, is_asked) in [
        (block.to_owned(), true),
        (format!("[{block}]"), true),
        (format!("[{block},{block}]"), false),
        ("[]".to_owned(), false),
    ] {
        let mut bench = Bench::open("2025-06-18", r#"{"sampling":{}}"#, r#"{"tools":{}}"#);
        let said = asked(&mut bench, &format!(r#"{{"k":{}}}"#, sample(&content)));
        if is_asked {
            assert!(
                said[0].contains(&format!(r#""messages":[{{"role":"user","content":{block}}}]"#)),
                "{said:?}"
            );
        } else {
            assert!(is_violation(&said), "{content}: {said:?}");
        }
    }
}

#[test]
fn xa_55_a_retry_that_no_server_takes_is_given_up() {
    let mut bench = Bench::able();
    asked(&mut bench, &format!(r#"{{"k":{ROOTS}}}"#));
    answer(&mut bench, "own-2", r#"{"roots":[]}"#);
    let mut last = Vec::new();
    for exchange in 2..=10 {
        last = bench.remote(&format!("own{exchange} unsent"));
        bench.pass(5000);
    }
    assert!(
        last[0].starts_with(r#"client< 3 {"jsonrpc":"2.0","id":1,"error":{"code":-31000,"#),
        "{last:?}"
    );
    for (outcome, code) in [
        ("lost", "-31001"),
        ("silent", "-31001"),
        ("ended", "-31001"),
        ("accepted", "-31003"),
        (
            r#"status 400 {"jsonrpc":"2.0","id":null,"error":{"code":-32602,"message":"m"}}"#,
            "-32602",
        ),
        ("status 404", "-31003"),
    ] {
        let mut bench = Bench::able();
        asked(&mut bench, &format!(r#"{{"k":{ROOTS}}}"#));
        answer(&mut bench, "own-2", r#"{"roots":[]}"#);
        let said = bench.remote(&format!("own2 {outcome}"));
        assert!(
            said[0].starts_with(&format!(
                r#"client< 3 {{"jsonrpc":"2.0","id":1,"error":{{"code":{code},"#
            )),
            "{said:?}"
        );
    }
}

#[test]
fn a_new_connection_leaves_no_question_open() {
    let lost = |said: &[String]| {
        said.iter().any(|line| {
            line.starts_with(r#"client< 3 {"jsonrpc":"2.0","id":1,"error":{"code":-31005,"#)
        })
    };
    let again = super::play::initialize("2025-11-25", r#"{"roots":{}}"#);
    // While the client is asked.
    let mut bench = Bench::able();
    asked(&mut bench, &format!(r#"{{"k":{ROOTS}}}"#));
    let said = bench.client(&again);
    assert!(lost(&said), "{said:?}");
    assert!(!said.iter().any(|line| line.contains("notifications/cancelled")), "{said:?}");
    assert!(answer(&mut bench, "own-2", r#"{"roots":[]}"#).is_empty());
    // Before.
    let mut bench = Bench::able();
    begin(&mut bench, "tools/call");
    assert!(!lost(&bench.client(&again)));
    let said = require(&mut bench, &format!(r#"{{"k":{ROOTS}}}"#));
    assert!(lost(&said), "{said:?}");
    // Who needs no input has its answer all the same.
    let mut bench = Bench::able();
    begin(&mut bench, "tools/call");
    bench.client(&again);
    let said = bench.remote(r#"3 {"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#);
    assert_eq!(said, [r#"client< 3 {"jsonrpc":"2.0","id":1,"result":{"content":[]}}"#]);
}

#[test]
fn a_retry_carries_what_the_server_gave_and_nothing_the_client_made_up() {
    let mut bench = Bench::able();
    bench.client(
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"requestState":"mine","inputResponses":{},"name":"t"}}"#,
    );
    require(&mut bench, &format!(r#"{{"k":{ROOTS}}}"#));
    let said = answer(&mut bench, "own-2", r#"{"roots":[]}"#);
    assert_eq!(
        said,
        [
            r#"remote< own2 {"jsonrpc":"2.0","id":"own-3","method":"tools/call","params":{"_meta":{$CALL},"name":"t","inputResponses":{"k":{"roots":[]}}}}"#
        ]
    );
}
