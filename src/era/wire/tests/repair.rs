//! Requests that are sent once more.

use super::*;

const CALL: &str = r#""name":"t","arguments":{"region":"eu"}"#;

fn mismatch() -> End {
    status(400, &error("null", -32020, "{}"))
}

fn tools(header: &str, next: &str) -> String {
    format!(
        r#"{{"tools":[{{"name":"t","inputSchema":{{"properties":{{"region":{{"type":"string","x-mcp-header":"{header}"}}}}}}}}]{next}}}"#
    )
}

#[test]
fn t56_mh_37_a_mismatch_is_repaired_by_the_tools_and_the_call_sent_once_more() {
    let mut bench = Bench::new();
    let first = bench.send(4, &request("\"c\"", "tools/call", CALL));
    assert_eq!(headers(&first).params, []);

    let ask = sent(bench.ended(4, mismatch()));
    let body = json(&ask.body);
    assert_eq!(
        (ask.exchange, ask.compressed, &body["method"]),
        (OWN + 1, true, &"tools/list".into())
    );
    assert_eq!(
        (&headers(&ask).version[..], &headers(&ask).method[..]),
        ("2026-07-28", "tools/list")
    );
    let meta = body["params"]["_meta"].as_object().expect("metadata");
    assert_eq!(meta.len(), 3, "{meta:?}");
    assert_eq!(
        meta["io.modelcontextprotocol/clientCapabilities"]["elicitation"],
        Value::Object(Default::default())
    );
    assert!(body["params"].get("cursor").is_none());

    // Another page, by an empty cursor, and the first as a stream.
    assert!(bench.event(Event::Opened { exchange: OWN + 1, session: None }).is_empty());
    let id = body["id"].to_string();
    let mut steps = bench.message(OWN + 1, &result(&id, &tools("Region", r#","nextCursor":"""#)));
    assert_eq!(words(&steps[..1]), ["abort 1001"]);
    let ask = sent(steps.split_off(1));
    assert_eq!(json(&ask.body)["params"]["cursor"], "");
    assert_ne!(json(&ask.body)["id"], body["id"]);

    let again = sent(bench.answer(OWN + 2, &result("1", r#"{"tools":[]}"#)));
    assert_eq!(again.exchange, OWN + 3);
    assert_eq!(headers(&again).params, [("Region".to_owned(), "eu".to_owned())]);
    assert_eq!(headers(&again).name.as_deref(), Some("t"));
    assert_eq!(
        text(&again.body),
        request("\"own-1003\"", "tools/call", CALL),
        "only the id is new"
    );

    // Its answer has the caller's id, on the caller's exchange; a notification passes as it is.
    let progress = r#"{"method":"notifications/progress","params":{}}"#;
    assert_eq!(words(&bench.message(OWN + 3, progress)), [format!("4 {progress}")]);
    let steps = bench.answer(OWN + 3, r#"{"id": "own-1003","result":{"n":1.0}}"#);
    assert_eq!(words(&steps), [r#"4 body {"id": "c","result":{"n":1.0}}"#]);
    assert!(bench.is_clean());
    // The next call has its header at once.
    let next = bench.send(5, &request("6", "tools/call", CALL));
    assert_eq!(headers(&next).params.len(), 1);
}

#[test]
fn t57_a_second_mismatch_is_surfaced() {
    let mut bench = Bench::new();
    bench.send(4, &request("1", "tools/call", CALL));
    sent(bench.ended(4, mismatch()));
    let again = sent(bench.answer(OWN + 1, &result("1", &tools("Other", ""))));
    assert_eq!(headers(&again).params[0].0, "Other");
    assert_eq!(words(&bench.ended(OWN + 2, mismatch())), ["4 ended: HTTP 400"]);
    assert!(bench.is_clean());
}

#[test]
fn mh_37_only_the_refusal_of_a_call_is_repaired() {
    for (method, end) in [
        ("prompts/get", mismatch()),
        ("tools/list", mismatch()),
        ("tools/call", status(500, &error("null", -32020, "{}"))),
        ("tools/call", status(400, &error("null", -32021, "{}"))),
        ("tools/call", status(400, "")),
        ("tools/call", End::Broken("-32020".to_owned())),
    ] {
        let mut bench = Bench::new();
        bench.send(4, &request("1", method, CALL));
        let word = format!("4 ended: {end}");
        assert_eq!(words(&bench.ended(4, end)), [word], "{method}");
        assert!(bench.is_clean());
    }
    // With a success status it may have run.
    let mut bench = Bench::new();
    bench.send(4, &request("1", "tools/call", CALL));
    let text = error("1", -32020, "{}");
    assert_eq!(words(&bench.answer(4, &text)), [format!("4 body {text}")]);
}

#[test]
fn mh_37_where_the_tools_do_not_come_the_mismatch_is_surfaced() {
    for body in [Some(error("1", -32603, "{}")), Some("[]".to_owned()), None] {
        let mut bench = Bench::new();
        bench.send(4, &request("1", "tools/call", CALL));
        sent(bench.ended(4, mismatch()));
        let steps = match &body {
            Some(body) => bench.answer(OWN + 1, body),
            None => bench.ended(OWN + 1, End::Unsent("refused".to_owned())),
        };
        assert_eq!(words(&steps), ["4 ended: HTTP 400"], "{body:?}");
        assert!(bench.is_clean());
    }
}

#[test]
fn mh_10_a_request_of_our_own_carries_the_metadata_of_the_one_it_serves() {
    for (version, capabilities) in
        [("2026-07-28", r#"{"elicitation":{}}"#), ("2099-01-01", r#"{"roots":{},"x/y":1.0}"#)]
    {
        let mut bench = Bench::new();
        let body = request("1", "tools/call", CALL)
            .replace("2026-07-28", version)
            .replace(r#"{"elicitation":{}}"#, capabilities);
        bench.send(4, &body);
        let ask = sent(bench.ended(4, mismatch()));
        let required = format!(
            r#""io.modelcontextprotocol/protocolVersion":"{version}","io.modelcontextprotocol/clientCapabilities":{capabilities}"#
        );
        assert!(text(&ask.body).contains(&required), "{}", text(&ask.body));
        assert!(!text(&ask.body).contains("vendor/x"), "{}", text(&ask.body));
        assert_eq!(headers(&ask).version, version, "MH-3");
        let again = sent(bench.answer(ask.exchange, &result("1", &tools("Region", ""))));
        assert!(text(&again.body).contains(&required), "{}", text(&again.body));
    }
}

#[test]
fn mh_37_pages_are_bounded_and_a_tool_found_invalid_is_not_called() {
    let mut bench = Bench::new();
    bench.send(4, &request("1", "tools/call", CALL));
    let mut post = sent(bench.ended(4, mismatch()));
    let mut asked = 0;
    while headers(&post).method == "tools/list" {
        asked += 1;
        assert!(asked <= 100, "endless");
        let page = tools("Region", r#","nextCursor":"again""#);
        post = sent(bench.answer(post.exchange, &result("1", &page)));
    }
    assert_eq!((asked, headers(&post).params.len()), (100, 1));

    let mut bench = Bench::new();
    bench.send(4, &request("1", "tools/call", CALL));
    sent(bench.ended(4, mismatch()));
    let steps = bench.answer(OWN + 1, &result("1", &tools("not a token", "")));
    let [Step::Warn(_), Step::Up(Event::Answer { exchange: 4, bytes, .. })] = &steps[..] else {
        panic!("{steps:?}");
    };
    assert_eq!(json(bytes)["error"]["code"], -32602);
    assert!(bench.is_clean());
}

#[test]
fn an_abort_reaches_whatever_serves_the_call() {
    let mut bench = Bench::new();
    bench.send(4, &request("1", "tools/call", CALL));
    sent(bench.ended(4, mismatch()));
    assert_eq!(words(&bench.abort(4)), ["abort 1001"]);
    assert!(bench.is_clean());
    assert!(bench.answer(OWN + 1, &result("1", &tools("Region", ""))).is_empty());

    bench.send(5, &request("1", "tools/call", CALL));
    sent(bench.ended(5, mismatch()));
    sent(bench.answer(OWN + 2, &result("1", &tools("Region", ""))));
    assert!(bench.ended(5, End::Broken("late".to_owned())).is_empty(), "its first try is over");
    assert_eq!(words(&bench.abort(5)), ["abort 1003"]);
    assert!(bench.is_clean());
}

#[test]
fn t62_an_unsupported_version_that_is_supported_is_sent_once_more() {
    let ours = r#"{"supported":["2026-07-28"],"requested":"2026-07-28"}"#;
    let mut bench = Bench::new();
    bench.send(4, &request("1", "server/discover", ""));
    let again = sent(bench.ended(4, status(400, &error("1", -32022, ours))));
    assert_eq!(text(&again.body), request("\"own-1001\"", "server/discover", ""));
    assert_eq!(headers(&again).method, "server/discover");
    let second = status(400, &error("null", -32022, ours));
    assert_eq!(words(&bench.ended(OWN + 1, second)), ["4 ended: HTTP 400"]);
    assert!(bench.is_clean());

    // The same, told on a stream; an error that comes up has the caller's id.
    bench.send(5, &request("7", "tools/call", CALL));
    let mut steps = bench.message(5, &error("7", -32022, ours));
    assert_eq!(words(&steps[..1]), ["abort 5"]);
    sent(steps.split_off(1));
    let steps = bench.answer(OWN + 2, &error("\"own-1002\"", -32022, ours));
    assert_eq!(words(&steps), [format!("5 body {}", error("7", -32022, ours))]);
    assert!(bench.is_clean());
}

#[test]
fn t62_a_version_that_is_not_supported_is_surfaced() {
    let theirs = r#"{"supported":["2099-01-01"]}"#;
    let ours = r#"{"supported":["2026-07-28"]}"#;
    let other = request("1", "x/y", "").replace("2026-07-28", "2027-01-01");
    for (body, data) in [(&request("1", "x/y", ""), theirs), (&other, ours)] {
        let mut bench = Bench::new();
        bench.send(4, body);
        let refused = status(400, &error("1", -32022, data));
        assert_eq!(words(&bench.ended(4, refused)), ["4 ended: HTTP 400"]);
    }
}
