//! What an answer says of the era: the table of 4.7, row by row.

use std::time::Duration;

use super::*;

fn answer(text: &str) -> Message {
    Message::parse(text.to_owned().into()).expect("a message")
}

fn status(status: u16, body: &str) -> End {
    End::Status(Box::new(Refusal {
        status,
        content_type: "application/json".to_owned(),
        body: body.to_owned().into(),
        ..Refusal::default()
    }))
}

/// The verdicts of the table of 4.7.
const MODERN: fn(&Verdict) -> bool = |verdict| *verdict == Verdict::Modern;
const AGAIN: fn(&Verdict) -> bool = |verdict| *verdict == Verdict::Again;
const LEGACY: fn(&Verdict) -> bool = |verdict| matches!(verdict, Verdict::Legacy(_));
const ASK_FOR_TOOLS: fn(&Verdict) -> bool = |verdict| *verdict == Verdict::AskForTools;
const UNKNOWN: fn(&Verdict) -> bool = |verdict| *verdict == Verdict::Unknown;
const INCOMPATIBLE: fn(&Verdict) -> bool =
    |verdict| *verdict == Verdict::Incompatible(vec!["2099-01-01".to_owned()]);

/// What the answer to a probe in our version says.
fn of_probe(outcome: Outcome<'_>) -> Verdict {
    of_discover(outcome, "2026-07-28")
}

/// The error -32022 with this list of supported versions.
fn unsupported(supported: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":-32022,"message":"v","data":{{"supported":{supported}}}}}}}"#
    )
}

fn error(code: i32) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":{code},"message":"m"}}}}"#)
}

#[test]
fn mh_50_a_probe_with_a_success_status() {
    for (supported, expected) in [
        (r#"["2026-07-28"]"#, MODERN),
        (r#"["2025-11-25","2026-07-28"]"#, MODERN),
        (r#"["2099-01-01","2026-07-28"]"#, MODERN),
        (r#"["2025-11-25"]"#, LEGACY),
        (r#"["2099-01-01","2025-11-25"]"#, LEGACY),
        (r#"["2099-01-01"]"#, INCOMPATIBLE),
        ("[]", LEGACY),
        ("[20260728]", LEGACY),
        (r#""2026-07-28""#, LEGACY),
        ("null", LEGACY),
    ] {
        let text = format!(r#"{{"id":1,"result":{{"supportedVersions":{supported}}}}}"#);
        let verdict = of_probe(Outcome::Answer(&answer(&text)));
        assert!(expected(&verdict), "{text}: {verdict:?}");
    }
    for (text, expected) in [
        (r#"{"id":1,"result":{}}"#, LEGACY),
        (&error(-32601), LEGACY),
        (&error(-32000), LEGACY),
        (&error(-32602), LEGACY),
        (&error(-32020), MODERN),
        (&error(-32021), MODERN),
        (&unsupported(r#"["2026-07-28"]"#), AGAIN),
        (&unsupported(r#"["2025-11-25"]"#), LEGACY),
        (&unsupported(r#"["2099-01-01"]"#), INCOMPATIBLE),
    ] {
        let verdict = of_probe(Outcome::Answer(&answer(text)));
        assert!(expected(&verdict), "{text}: {verdict:?}");
    }
}

#[test]
fn mh_50_a_probe_with_another_status() {
    for (code, body, expected) in [
        (400, unsupported(r#"["2026-07-28"]"#), AGAIN),
        (400, unsupported(r#"["2026-07-28","2025-11-25"]"#), AGAIN),
        (400, unsupported(r#"["2025-11-25"]"#), LEGACY),
        (400, unsupported(r#"["2099-01-01"]"#), INCOMPATIBLE),
        (400, unsupported("[]"), LEGACY),
        (400, unsupported("[7]"), LEGACY),
        (400, error(-32022), LEGACY),
        (400, error(-32020), MODERN),
        (400, error(-32021), MODERN),
        (400, error(-32000), LEGACY),
        (400, error(-32001), LEGACY),
        (400, error(-32602), LEGACY),
        (400, error(-32601), LEGACY),
        (400, "<html>".to_owned(), LEGACY),
        (400, String::new(), LEGACY),
        (404, error(-32601), ASK_FOR_TOOLS),
        (404, error(-32001), LEGACY),
        (404, String::new(), LEGACY),
        (405, String::new(), LEGACY),
        (401, String::new(), UNKNOWN),
        (401, error(-32001), UNKNOWN),
        (403, error(-32000), UNKNOWN),
        (429, String::new(), UNKNOWN),
        (500, String::new(), UNKNOWN),
        (502, "<html>".to_owned(), UNKNOWN),
    ] {
        let verdict = of_probe(Outcome::End(&status(code, &body)));
        assert!(expected(&verdict), "{code} {body}: {verdict:?}");
    }
}

#[test]
fn mh_50_a_probe_without_an_answer_says_nothing() {
    for end in [
        End::Unsent("refused".to_owned()),
        End::Broken("reset".to_owned()),
        End::Silent(Duration::from_secs(60)),
        End::Malformed("no JSON".to_owned()),
    ] {
        assert_eq!(of_probe(Outcome::End(&end)), Verdict::Unknown, "{end}");
    }
    // The layers below have found it out already.
    let told = End::NotModern("it says so".to_owned());
    assert_eq!(of_probe(Outcome::End(&told)), Verdict::Legacy("it says so".to_owned()));
}

#[test]
fn mh_50_any_other_request_is_as_good_a_probe() {
    for (text, expected) in [
        (r#"{"id":1,"result":{"resultType":"complete","tools":[]}}"#, MODERN),
        (r#"{"id":1,"result":{"tools":[]}}"#, UNKNOWN),
        (&error(-32021), MODERN),
        (&error(-32601), UNKNOWN),
    ] {
        let verdict = of_request(Outcome::Answer(&answer(text)));
        assert!(expected(&verdict), "{text}: {verdict:?}");
    }
    for (code, body, expected) in [
        (404, error(-32601), MODERN),
        (400, error(-32020), MODERN),
        (400, error(-32602), LEGACY),
        (404, String::new(), LEGACY),
        (503, String::new(), UNKNOWN),
    ] {
        let verdict = of_request(Outcome::End(&status(code, &body)));
        assert!(expected(&verdict), "{code} {body}: {verdict:?}");
    }
}

#[test]
fn mm_5_a_version_of_the_clients_own_counts_as_mutual() {
    for (supported, asked, expected) in [
        (r#"["2099-01-01"]"#, "2099-01-01", MODERN),
        (r#"["2099-01-01","2025-11-25"]"#, "2099-01-01", MODERN),
        (r#"["2099-01-01"]"#, "2098-01-01", INCOMPATIBLE),
        (r#"["2026-07-28"]"#, "2099-01-01", MODERN),
        (r#"["2025-11-25"]"#, "2099-01-01", LEGACY),
    ] {
        let text = format!(r#"{{"id":1,"result":{{"supportedVersions":{supported}}}}}"#);
        let verdict = of_discover(Outcome::Answer(&answer(&text)), asked);
        assert!(expected(&verdict), "{asked} {text}: {verdict:?}");
    }
}

#[test]
fn mh_54_what_refusals_of_initialize_suggest() {
    let of = |code: u16, body: &str| suggests_modern(Outcome::End(&status(code, body)));
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
        assert_eq!(of(code, &body), expected, "{code} {error}");
    }
    assert!(!of(404, "<html>"));
    let answer = answer(r#"{"id":0,"error":{"code":-32601,"message":"initialize?"}}"#);
    assert!(suggests_modern(Outcome::Answer(&answer)));
}
