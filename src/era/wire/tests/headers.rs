//! What is sent, and what passes without being touched.

use super::*;

#[test]
fn t50_t51_t52_mh_3_to_6_headers_repeat_the_body() {
    for (method, params, name) in [
        ("tools/call", r#""name":"sum","arguments":{}"#, Some("sum")),
        ("tools/call", r#""name":"gr\u00f6\u00dfe""#, Some("=?base64?Z3LDtsOfZQ==?=")),
        ("tools/call", r#""name":"größe""#, Some("=?base64?Z3LDtsOfZQ==?=")),
        ("tools/call", r#""name":7"#, None),
        ("prompts/get", r#""name":"p q""#, Some("p q")),
        (
            "resources/read",
            r#""uri":"file:///a b ","name":"no""#,
            Some("=?base64?ZmlsZTovLy9hIGIg?="),
        ),
        ("tasks/get", r#""taskId":"t1""#, Some("t1")),
        ("tasks/update", r#""taskId":"t1","name":"no""#, Some("t1")),
        ("tasks/cancel", r#""taskId":"t1""#, Some("t1")),
        ("tools/list", r#""name":"no""#, None),
        ("server/discover", "", None),
        ("completion/complete", r#""name":"no""#, None),
    ] {
        let mut bench = Bench::new();
        let body = request("1", method, params);
        let post = bench.send(7, &body);
        let expected = Mirrored {
            version: "2026-07-28".to_owned(),
            method: method.to_owned(),
            name: name.map(str::to_owned),
            params: Vec::new(),
        };
        assert_eq!((headers(&post), post.exchange), (&expected, 7), "{params}");
        assert_eq!(text(&post.body), body);
    }
}

#[test]
fn mh_3_the_version_is_that_of_the_message() {
    let mut bench = Bench::new();
    let body = request("1", "x/y", "").replace("2026-07-28", "2027-01-01");
    assert_eq!(headers(&bench.send(1, &body)).version, "2027-01-01");
    let post = bench.send(2, r#"{"jsonrpc":"2.0","method":"notifications/x"}"#);
    assert_eq!(headers(&post).version, "2026-07-28");
    assert_eq!(headers(&post).method, "notifications/x");
    assert_eq!(words(&bench.ended(2, End::Accepted(202))), ["2 ended: HTTP 202 without content"]);
}

#[test]
fn mh_25_what_no_header_can_say_is_refused_and_not_sent() {
    let mut bench = Bench::new();
    let good = request("\"a\"", "m", "");
    for (body, code) in [
        (good.replace(r#""m","params""#, r#""m\r\nx: y","params""#), -32600),
        (good.replace(r#""m","params""#, r#""größe","params""#), -32600),
        (good.replace(r#""m","params""#, r#""","params""#), -32600),
        (good.replace("2026-07-28", "2026\\n"), -32602),
        (good.replace("\"2026-07-28\"", "5"), -32602),
        (good.replace("2026-07-28", ""), -32602),
    ] {
        let steps = bench.post(3, &body);
        let [Step::Up(Event::Answer { exchange: 3, bytes, .. })] = &steps[..] else {
            panic!("{body}: {steps:?}");
        };
        assert_eq!(json(bytes)["error"]["code"], code, "{body}");
        assert_eq!(json(bytes)["id"], "a");
    }
    let steps = bench.post(4, r#"{"jsonrpc":"2.0","method":"ö"}"#);
    assert!(matches!(&steps[..], [Step::Up(Event::Ended { exchange: 4, end: End::Malformed(_) })]));
    assert!(bench.is_clean());
}

#[test]
fn mh_1_mh_9_answers_and_cancellations_are_not_sent() {
    let mut bench = Bench::new();
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
    for body in [cancel, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#] {
        let steps = bench.post(1, body);
        assert_eq!(words(&steps), ["1 ended: HTTP 202 without content"]);
    }
}

#[test]
fn mh_1_there_is_no_stream_to_get() {
    let mut bench = Bench::new();
    let mut steps = Vec::new();
    let route = crate::remote::event::GetRoute::Modern;
    bench.wire.get(Get { exchange: 3, route, last_event_id: None }, bench.now, &mut steps);
    assert_eq!(words(&steps), ["3 ended: HTTP 405"]);
}

#[test]
fn answers_and_notifications_pass_byte_for_byte() {
    let mut bench = Bench::new();
    bench.send(1, &request("5", "tools/call", r#""name":"t""#));
    let opened = bench.event(Event::Opened { exchange: 1, session: Some("s".into()) });
    assert_eq!(words(&opened), ["1 opened"]);
    for text in [
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1}}"#,
        r#"{ "id" : 5, "result":{"content":[{"text":"\"method\" -32022 \u0001"}],"n":1e400}}"#,
        "no JSON",
    ] {
        assert_eq!(words(&bench.message(1, text)), [format!("1 {text}")]);
    }
    bench.ended(1, End::Stream(StreamEnd::default()));
    assert!(bench.is_clean());
    assert!(bench.message(1, r#"{"id":5,"result":{}}"#).is_empty(), "it is over");
}

#[test]
fn mh_45_of_the_end_of_a_stream_nothing_is_kept_to_go_on_from() {
    for broken in [None, Some("reset".to_owned())] {
        let mut bench = Bench::new();
        bench.send(1, &request("5", "tools/call", r#""name":"t""#));
        let steps = bench.ended(
            1,
            End::Stream(StreamEnd {
                broken: broken.clone(),
                last_event_id: Some("e".into()),
                retry: Some(Duration::from_secs(1)),
                ..StreamEnd::default()
            }),
        );
        let [Step::Up(Event::Ended { exchange: 1, end: End::Stream(end) })] = &steps[..] else {
            panic!("{steps:?}");
        };
        assert_eq!((&end.last_event_id, end.retry, &end.broken), (&None, None, &broken));
        assert!(bench.is_clean());
    }
}

#[test]
fn mh_43_what_a_stream_tells_goes_up_on_it_and_on_no_other() {
    let mut bench = Bench::new();
    bench.send(1, &request("5", "tools/call", r#""name":"t""#));
    bench.send(2, &request("6", "tools/call", r#""name":"t""#));
    for (exchange, method) in
        [(2, "progress"), (1, "message"), (1, "progress"), (2, "vendor/x"), (2, "message")]
    {
        let note =
            format!(r#"{{"jsonrpc":"2.0","method":"notifications/{method}","params":{{}}}}"#);
        assert_eq!(words(&bench.message(exchange, &note)), [format!("{exchange} {note}")]);
    }
}

#[test]
fn mh_7_parameters_are_mirrored_on_calls_alone() {
    let mut bench = Bench::new();
    list(&mut bench, "", REGION);
    let with = [("Region".to_owned(), "eu".to_owned())];
    for (method, expected) in [
        ("tools/call", &with[..]),
        ("prompts/get", &[]),
        ("completion/complete", &[]),
        ("vendor/call", &[]),
    ] {
        let body = request("1", method, r#""name":"t","arguments":{"r":"eu"}"#);
        assert_eq!(headers(&bench.send(1, &body)).params, expected, "{method}");
        bench.abort(1);
    }
}

#[test]
fn mh_8_a_body_ends_the_exchange_and_its_session_is_not_taken() {
    let mut bench = Bench::new();
    bench.send(1, &request("5", "prompts/get", r#""name":"t""#));
    let text = result("5", "{}");
    assert_eq!(words(&bench.answer(1, &text)), [format!("1 body {text}")]);
    assert!(bench.is_clean());
}

#[test]
fn t60_mh_42_requests_of_the_remote_are_ignored() {
    let mut bench = Bench::new();
    for spelling in [r#""method""#, r#""\u006dethod""#] {
        bench.send(1, &request("5", "tools/call", r#""name":"t""#));
        let asks = format!(r#"{{"jsonrpc":"2.0","id":5,{spelling}:"roots/list"}}"#);
        assert!(bench.message(1, &asks).is_empty());
        assert!(bench.message(1, &format!("[{asks}]")).is_empty());
        let steps = bench.answer(1, &asks);
        assert_eq!(words(&steps), ["1 ended: the answer is a request"]);
        assert!(bench.is_clean());
    }
}

const REGION: &str = r#"{"name":"t","inputSchema":{"type":"object","properties":{"r":{"type":"string","x-mcp-header":"Region"}}}}"#;
const BAD: &str =
    r#"{"name":"bad","inputSchema":{"properties":{"r":{"type":"number","x-mcp-header":"R"}}}}"#;

fn list(bench: &mut Bench, params: &str, tools: &str) -> Vec<Step> {
    bench.send(50, &request("50", "tools/list", params));
    bench.answer(50, &result("50", &format!(r#"{{"tools":[{tools}],"x": 1.0}}"#)))
}

fn region(bench: &mut Bench) -> Vec<(String, String)> {
    let body = request("1", "tools/call", r#""name":"t","arguments":{"r":"eu"}"#);
    let post = bench.send(1, &body);
    bench.abort(1);
    headers(&post).params.clone()
}

#[test]
fn t53_mh_7_36_38_parameters_are_mirrored_by_the_list_that_came_last() {
    let mut bench = Bench::new();
    let with = vec![("Region".to_owned(), "eu".to_owned())];
    assert_eq!(region(&mut bench), []);
    list(&mut bench, "", REGION);
    assert_eq!(region(&mut bench), with);
    list(&mut bench, r#""cursor":"""#, "");
    assert_eq!(region(&mut bench), with, "a later page adds");
    list(&mut bench, r#""cursor":null"#, "");
    assert_eq!(region(&mut bench), [], "a first page replaces");
    list(&mut bench, "", REGION);
    bench.send(2, &request("2", "tools/call", r#""name":"u""#));
    let change = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
    assert_eq!(words(&bench.message(2, change)), [format!("2 {change}")]);
    assert_eq!(region(&mut bench), [], "the list has changed");
}

#[test]
fn t54_mh_31_32_a_tool_with_an_invalid_annotation_is_left_out_and_not_called() {
    let mut bench = Bench::new();
    let steps = list(&mut bench, "", &format!("{REGION},{BAD}"));
    let [Step::Warn(warning), Step::Up(Event::Answer { bytes, .. })] = &steps[..] else {
        panic!("{steps:?}");
    };
    assert!(warning.contains("`bad`") && warning.contains("type"), "{warning}");
    assert_eq!(text(bytes), result("50", &format!(r#"{{"tools":[{REGION}],"x": 1.0}}"#)));
    assert_eq!(list(&mut bench, "", BAD).len(), 1, "told once");
    let steps = bench.post(1, &request("8", "tools/call", r#""name":"bad","arguments":{}"#));
    let [Step::Up(Event::Answer { exchange: 1, bytes, .. })] = &steps[..] else {
        panic!("{steps:?}");
    };
    assert_eq!((&json(bytes)["id"], &json(bytes)["error"]["code"]), (&8.into(), &(-32602).into()));
    assert!(bench.is_clean());
}

#[test]
fn mh_40_to_abort_is_to_stop_the_exchange_and_to_send_nothing() {
    let mut bench = Bench::new();
    bench.send(1, &request("5", "tools/call", r#""name":"t""#));
    assert_eq!(words(&bench.abort(1)), ["abort 1"]);
    assert!(bench.is_clean());
    assert!(bench.abort(1).is_empty());
    assert!(bench.ended(1, End::Broken("x".to_owned())).is_empty());
}
