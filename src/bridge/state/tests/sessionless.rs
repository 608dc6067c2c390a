//! A modern client of a modern remote: what the remote's answers come to.

use super::{
    eras::{modern_request, sessionless},
    *,
};

/// Requests of each kind.
const EACH: [&str; 10] = [
    "server/discover",
    "tools/list",
    "prompts/list",
    "resources/list",
    "resources/templates/list",
    "completion/complete",
    "tools/call",
    "prompts/get",
    "resources/read",
    "vendor/x",
];

/// A machine for a modern client of a remote that is known to be modern.
fn to_modern() -> Bench {
    Bench::of(State::sessionless, |settings| settings.protocol = Protocol::Modern)
}

#[test]
fn mh_41_any_request_may_be_answered_by_a_body_or_on_a_stream() {
    for method in EACH {
        let answer = result("1", r#"{"resultType":"complete","x": 1.0}"#);
        let mut bench = to_modern();
        bench.say(&modern_request("1", method));
        let post = bench.post(method);
        bench.body(post.exchange, &answer);
        assert_eq!(bench.wrote(), answer, "{method} by a body");

        bench.say(&modern_request("1", method));
        let post = bench.post(method);
        bench.remote(Event::Opened { exchange: post.exchange, session: None });
        bench.message(post.exchange, &answer);
        assert_eq!(bench.wrote(), answer, "{method} on a stream");
        bench.end(post.exchange, End::Stream(StreamEnd::default()));
        assert!(bench.written().is_empty() && bench.posts.is_empty(), "MH-46: and that was all");
    }
}

#[test]
fn mm_2_a_stream_without_an_answer_is_asked_again_where_that_is_safe_and_else_unknown() {
    let plain = |method: &str| modern_request("1", method);
    let retry = |method: &str, member: &str| {
        plain(method).replace(r#""name":"t""#, &format!(r#""name":"t",{member}"#))
    };
    let mut rows = EACH
        .map(|method| (method, plain(method), !matches!(method, "tools/call" | "vendor/x")))
        .to_vec();
    rows.extend([
        ("tasks/get", plain("tasks/get"), true),
        ("tasks/update", retry("tasks/update", r#""inputResponses":{}"#), true),
        ("tasks/cancel", plain("tasks/cancel"), true),
        ("prompts/get", retry("prompts/get", r#""inputResponses":{}"#), false),
        ("resources/read", retry("resources/read", r#""requestState":"s""#), false),
    ]);
    for (method, line, is_safe) in rows {
        for end in [cut(None), End::Stream(StreamEnd::default()), broken()] {
            let mut bench = to_modern();
            bench.say(&line);
            let post = bench.post(method);
            bench.end(post.exchange, end);
            bench.wait(2000);
            if is_safe {
                let again = bench.post(method);
                assert_ne!(again.id, post.id, "{method}: a new id");
                bench.answer(&again, r#"{"resultType":"complete"}"#);
                assert!(bench.wrote().contains(r#""id":1,"result""#), "{method}");
            } else {
                assert!(bench.posts.is_empty(), "{line}");
                assert_eq!(bench.wrote_error(), ("1".to_owned(), -31001), "{line}");
            }
        }
    }
}

#[test]
fn mm_6_of_a_refusal_the_client_sees_a_json_rpc_error_and_no_more() {
    let error = r#""error":{"code":-32602,"message":"m","data":{"v": 1.0}}"#;
    for id in [r#""id":1,"#, r#""id":null,"#, r#""id":"other","#, ""] {
        for code in [400, 404, 422] {
            let mut bench = to_modern();
            bench.say(&modern_request("1", "x/y"));
            let post = bench.post("x/y");
            bench.end(post.exchange, status(code, &format!(r#"{{"jsonrpc":"2.0",{id}{error}}}"#)));
            let told: Value = serde_json::from_str(&bench.wrote()).expect("JSON");
            let expected = format!(r#"{{"jsonrpc":"2.0","id":1,{error}}}"#);
            let expected: Value = serde_json::from_str(&expected).expect("JSON");
            assert_eq!(told, expected, "{code} {id}");
        }
    }
    // Without one, the bridge says what there was instead.
    for code in [400, 418, 500] {
        let mut bench = to_modern();
        bench.say(&modern_request("1", "x/y"));
        let post = bench.post("x/y");
        bench.end(post.exchange, status(code, "<html>"));
        let told: Value = serde_json::from_str(&bench.wrote()).expect("JSON");
        assert_eq!(told["error"]["data"]["httpStatus"], code, "{told}");
        assert_eq!(told["error"]["data"]["origin"], "bridge", "INV-8: {told}");
    }
}

#[test]
fn mh_10_the_question_for_the_era_carries_the_metadata_too() {
    let mut bench = sessionless();
    bench.say(&modern_request("1", "server/discover"));
    let post = bench.post("server/discover");
    let unknown = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"m"}}"#;
    bench.end(post.exchange, status(404, unknown));
    let question = bench.post("tools/list");
    let meta = r#""params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"roots":{}}}}"#;
    assert!(question.text.contains(meta), "{}", question.text);
}

#[test]
fn mm_5_what_a_remote_says_of_a_later_version_is_what_the_client_gets() {
    let later =
        |id: &str, method: &str| modern_request(id, method).replace("2026-07-28", "2099-01-01");
    // It is served in it, and from then on nobody waits.
    let mut bench = sessionless();
    bench.say(&later("1", "server/discover"));
    let post = bench.post("server/discover");
    assert_eq!(post.text, later("1", "server/discover"), "its own bytes");
    let listed = r#"{"resultType":"complete","supportedVersions":["2099-01-01","2025-11-25"]}"#;
    bench.answer(&post, listed);
    assert_eq!(bench.wrote(), result("1", listed));
    bench.say(&later("2", "tools/call"));
    bench.say(&later("3", "tools/call"));
    assert_eq!(bench.methods().len(), 2);
    // It is not, and is modern all the same.
    for supported in
        [r#"["2026-07-28"]"#, r#"["2098-01-01","2025-11-25","2026-07-28"]"#, r#"["2098-01-01"]"#]
    {
        let mut bench = sessionless();
        bench.say(&later("1", "tools/list"));
        let post = bench.post("tools/list");
        let refusal = format!(
            r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":-32022,"message":"v","data":{{"supported":{supported},"requested":"2099-01-01"}}}}}}"#
        );
        bench.end(post.exchange, status(400, &refusal));
        assert_eq!(bench.wrote(), refusal, "with its own list");
        bench.say(&modern_request("2", "tools/list"));
        bench.post("tools/list");
    }
}
