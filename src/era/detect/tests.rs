use super::*;

fn answer(text: &'static str) -> Message {
    Message::parse(text.into()).expect("a message")
}

fn status(status: u16, body: &'static str) -> End {
    End::Status(Box::new(Refusal {
        status,
        content_type: "application/json".to_owned(),
        body: body.into(),
        ..Refusal::default()
    }))
}

fn legacy(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Legacy(_))
}

#[test]
fn mh_probe_outcomes() {
    let discover = |text| of_discover(Outcome::Answer(&answer(text)));
    let of = |code: u16, body| of_discover(Outcome::End(&status(code, body)));
    assert_eq!(
        discover(r#"{"id":1,"result":{"supportedVersions":["2025-11-25","2026-07-28"]}}"#),
        Verdict::Modern
    );
    assert!(legacy(&discover(r#"{"id":1,"result":{"supportedVersions":["2025-11-25"]}}"#)));
    assert_eq!(
        discover(r#"{"id":1,"result":{"supportedVersions":["2099-01-01"]}}"#),
        Verdict::Incompatible(vec!["2099-01-01".to_owned()])
    );
    assert!(legacy(&discover(r#"{"id":1,"result":{"supportedVersions":[]}}"#)));
    assert!(legacy(&discover(r#"{"id":1,"result":{}}"#)));
    assert!(legacy(&discover(r#"{"id":1,"error":{"code":-32601,"message":"?"}}"#)));

    let refused = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"v","data":{"supported":["2026-07-28"]}}}"#;
    assert_eq!(of(400, refused), Verdict::Again);
    let refused = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"v","data":{"supported":["2025-11-25"]}}}"#;
    assert!(legacy(&of(400, refused)));
    let refused = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"v","data":{"supported":["2099-01-01"]}}}"#;
    assert_eq!(of(400, refused), Verdict::Incompatible(vec!["2099-01-01".to_owned()]));
    let refused = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"private"}}"#;
    assert!(legacy(&of(400, refused)));
    for code in ["-32020", "-32021"] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":{code},"message":"m"}}}}"#);
        assert_eq!(of(400, Box::leak(body.into())), Verdict::Modern, "{code}");
    }
    for code in ["-32000", "-32001", "-32602"] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":{code},"message":"m"}}}}"#);
        assert!(legacy(&of(400, Box::leak(body.into()))), "{code}");
    }
    assert!(legacy(&of(400, "<html>")));
    assert!(legacy(&of(400, "")));
    assert!(legacy(&of(404, "")));
    assert!(legacy(&of(405, "")));
    let refused = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"m"}}"#;
    assert_eq!(of(404, refused), Verdict::AskForTools);
    for code in [401, 403, 500, 502] {
        assert_eq!(of(code, ""), Verdict::Unknown, "{code}");
    }
    assert_eq!(of_discover(Outcome::End(&End::Unsent("refused".to_owned()))), Verdict::Unknown);
}

#[test]
fn mh_54_what_refusals_of_initialize_suggest() {
    let of = |code: u16, body| suggests_modern(Outcome::End(&status(code, body)));
    for (code, error, expected) in [
        (400, "-32022", true),
        (400, "-32020", true),
        (400, "-32602", true),
        (404, "-32601", true),
        (400, "-32000", false),
        (400, "-32600", false),
        (404, "-32001", false),
        (401, "-32001", false),
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","error":{{"code":{error},"message":"m"}}}}"#);
        assert_eq!(of(code, Box::leak(body.into())), expected, "{code} {error}");
    }
    assert!(!of(404, "<html>"));
    let answer = answer(r#"{"id":0,"error":{"code":-32601,"message":"initialize?"}}"#);
    assert!(suggests_modern(Outcome::Answer(&answer)));
}
