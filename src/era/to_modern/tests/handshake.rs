//! 6A.1: the handshake.

use super::{
    Bench,
    play::{initialize, result_of},
};

const DISCOVERED: &str = r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"2"}}}"#;

fn discover(bench: &mut Bench, result: &str) -> Vec<String> {
    bench.remote(&format!(r#"own1 {{"jsonrpc":"2.0","id":"own-1","result":{result}}}"#))
}

/// What `server/discover` carries as the client's capabilities.
fn declared(version: &str, capabilities: &str) -> String {
    let mut bench = Bench::new();
    let said = bench.client_raw(&initialize(version, capabilities));
    let (_, rest) = said[0].split_once(r#"clientCapabilities":"#).expect("capabilities");
    rest.split_once(r#","io.modelcontextprotocol/clientInfo""#).expect("clientInfo").0.to_owned()
}

#[test]
fn xa_1_nothing_is_answered_before_the_server_is() {
    let mut bench = Bench::new();
    let said = bench.client(&initialize("2025-11-25", "{}"));
    assert_eq!(said.len(), 1);
    assert!(
        said[0].starts_with(
            r#"remote< own1 {"jsonrpc":"2.0","id":"own-1","method":"server/discover""#
        )
    );
    assert!(discover(&mut bench, DISCOVERED)[0].starts_with("client< 1 {"));
    // What is said twice counts once.
    assert!(discover(&mut bench, DISCOVERED).is_empty());
}

#[test]
fn xa_2_the_version_is_always_a_legacy_one() {
    for (asked, answered) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("2024-10-07", "2025-11-25"),
    ] {
        let mut bench = Bench::new();
        bench.client(&initialize(asked, "{}"));
        let said = discover(&mut bench, DISCOVERED);
        assert!(said[0].contains(&format!(r#"{{"protocolVersion":"{answered}","#)), "{said:?}");
    }
}

#[test]
fn xa_3_what_the_server_says_of_itself() {
    for (version, discovered, expected) in [
        (
            "2025-11-25",
            r#"{"supportedVersions":["2026-07-28"],"capabilities":{"logging":{},"completions":{},"experimental":{"x":1.0},"tasks":{},"extensions":{"io.modelcontextprotocol/tasks":{},"io.x/ui":{"n":1e2}}},"ttlMs":1,"cacheScope":"private","future":[1]}"#,
            r#"{"protocolVersion":"2025-11-25","capabilities":{"logging":{},"completions":{},"experimental":{"x":1.0},"extensions":{"io.x/ui":{"n":1e2}}},"serverInfo":{"name":"remote.test","version":"unknown"},"future":[1]}"#,
        ),
        (
            "2024-11-05",
            r#"{"supportedVersions":["2026-07-28"],"capabilities":{"resources":{"subscribe":true,"listChanged":true},"completions":{}},"serverInfo":{"name":"top","version":"1"},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"in","version":"1.0","icons":[]}}}"#,
            r#"{"protocolVersion":"2024-11-05","capabilities":{"resources":{"subscribe":true,"listChanged":true}},"serverInfo":{"name":"in","version":"1.0","icons":[]}}"#,
        ),
        (
            "2025-03-26",
            r#"{"supportedVersions":["2026-07-28"],"capabilities":7,"serverInfo":"odd"}"#,
            r#"{"protocolVersion":"2025-03-26","capabilities":{},"serverInfo":{"name":"remote.test","version":"unknown"}}"#,
        ),
    ] {
        let mut bench = Bench::new();
        bench.client(&initialize(version, "{}"));
        let said = discover(&mut bench, discovered);
        assert_eq!(result_of(&said[0]), expected);
    }
}

#[test]
fn xa_4_and_t71_what_the_client_can_do_goes_with_every_request() {
    for (version, legacy, modern) in [
        ("2025-11-25", r#"{"roots":{"listChanged":true}}"#, r#"{"roots":{}}"#),
        (
            "2025-11-25",
            r#"{"sampling":{"context":{},"tools":{},"x":1}}"#,
            r#"{"sampling":{"context":{},"tools":{}}}"#,
        ),
        ("2025-06-18", r#"{"sampling":{"context":{},"tools":{}}}"#, r#"{"sampling":{}}"#),
        (
            "2025-11-25",
            r#"{"elicitation":{"form":{},"url":{}}}"#,
            r#"{"elicitation":{"form":{},"url":{}}}"#,
        ),
        ("2025-11-25", r#"{"elicitation":{}}"#, r#"{"elicitation":{}}"#),
        ("2025-06-18", r#"{"elicitation":{"url":{}}}"#, r#"{"elicitation":{}}"#),
        ("2025-03-26", r#"{"elicitation":{}}"#, "{}"),
        (
            "2025-11-25",
            r#"{"tasks":{"list":{}},"experimental":{"n":1.0}}"#,
            r#"{"experimental":{"n":1.0}}"#,
        ),
        (
            "2025-11-25",
            r#"{"extensions":{"io.modelcontextprotocol/tasks":{},"io.x/ui":{"n":1e2}},"y":{}}"#,
            r#"{"extensions":{"io.x/ui":{"n":1e2}},"y":{}}"#,
        ),
        ("2025-11-25", "7", "{}"),
    ] {
        assert_eq!(declared(version, legacy), modern, "{version} {legacy}");
    }
}

#[test]
fn xa_5_without_a_version_in_common_both_lists_are_named() {
    let mut bench = Bench::new();
    bench.client(&initialize("2025-06-18", "{}"));
    let said = bench.remote(r#"own1 {"jsonrpc":"2.0","id":"own-1","result":{"supportedVersions":["2099-01-01"],"capabilities":{}}}"#);
    assert_eq!(
        said,
        [concat!(
            r#"client< 1 {"jsonrpc":"2.0","id":0,"error":{"code":-32602,"message":"no protocol version in common: remote.test speaks 2099-01-01, this bridge 2026-07-28, 2025-11-25, 2025-06-18, 2025-03-26, 2024-11-05","#,
            r#""data":{"supported":["2099-01-01"],"requested":"2025-06-18"}}}"#
        )]
    );
}

#[test]
fn what_is_not_modern_is_left_to_the_layer_above() {
    let body = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32022,"message":"m","data":{"supported":["2025-11-25"]}}}"#;
    for (outcome, expected) in [
        (
            r#"{"jsonrpc":"2.0","id":"own-1","error":{"code":-32601,"message":"?"}}"#.to_owned(),
            "it does not know `server/discover`",
        ),
        (format!("status 400 {body}"), "it speaks 2025-11-25"),
        ("status 400".to_owned(), "HTTP 400 to a request of 2026-07-28"),
        ("status 500".to_owned(), "HTTP 500"),
        ("status 401".to_owned(), "HTTP 401"),
        ("unsent".to_owned(), "not sent: connection refused"),
        ("lost".to_owned(), "broken: connection reset"),
        ("broken".to_owned(), "the stream broke: connection reset"),
        ("nonsense".to_owned(), "the answer is not valid JSON: expected ident at line 1 column 2"),
    ] {
        let mut bench = Bench::new();
        bench.client(&initialize("2025-11-25", "{}"));
        let said = bench.remote(&format!("own1 {outcome}"));
        assert_eq!(said, [format!("client< 1 ended: {expected}")]);
    }
}

#[test]
fn a_modern_refusal_is_the_answer() {
    let mut bench = Bench::new();
    bench.client(&initialize("2025-11-25", "{}"));
    let error = r#"{"code":-32021,"message":"m","data":{"requiredCapabilities":{"roots":{}}}}"#;
    let told = error.replace(
        r#""m""#,
        r#""the server needs `roots`, which this client did not offer in `initialize`: m""#,
    );
    let said =
        bench.remote(&format!(r#"own1 status 400 {{"jsonrpc":"2.0","id":null,"error":{error}}}"#));
    assert_eq!(said, [format!(r#"client< 1 {{"jsonrpc":"2.0","id":0,"error":{told}}}"#)]);
}

#[test]
fn a_server_without_discovery_is_asked_for_its_tools() {
    let not_found =
        r#"status 404 {"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"?"}}"#;
    let welcome = r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{},"prompts":{},"resources":{}},"serverInfo":{"name":"remote.test","version":"unknown"}}"#;
    let welcome = format!(r#"client< 1 {{"jsonrpc":"2.0","id":0,"result":{welcome}}}"#);
    let no = "client< 1 ended: it does not know `server/discover`, nor answer `tools/list` as a server of 2026-07-28 does";
    for (outcome, expected) in [
        (
            r#"{"jsonrpc":"2.0","id":"own-2","result":{"resultType":"complete","tools":[]}}"#,
            welcome.as_str(),
        ),
        (r#"~{"jsonrpc":"2.0","id":"own-2","error":{"code":-32021,"message":"m"}}"#, &welcome),
        (r#"{"jsonrpc":"2.0","id":"own-2","result":{"tools":[]}}"#, no),
        (not_found, no),
        ("status 400", no),
        ("unsent", "client< 1 ended: not sent: connection refused"),
    ] {
        let mut bench = Bench::new();
        bench.client(&initialize("2025-11-25", "{}"));
        let said = bench.remote(&format!("own1 {not_found}"));
        assert_eq!(
            said,
            [
                r#"remote< own2 {"jsonrpc":"2.0","id":"own-2","method":"tools/list","params":{"_meta":{$META}}}"#
            ]
        );
        assert_eq!(bench.remote(&format!("own2 {outcome}")), [expected], "{outcome}");
    }
}

#[test]
fn a_handshake_that_nobody_waits_for_is_stopped() {
    let mut bench = Bench::new();
    bench.client(&initialize("2025-11-25", "{}"));
    assert_eq!(bench.client("abort 1"), ["remote< own1 abort"]);
    assert!(discover(&mut bench, DISCOVERED).is_empty());
}
