//! 6A.5: results and errors.

use super::Bench;

/// What the client gets where the server answers a request of `method` with `result`.
fn translated(method: &str, result: &str) -> Vec<String> {
    answered(method, &format!(r#""result":{result}"#))
}

fn answered(method: &str, member: &str) -> Vec<String> {
    let mut bench = Bench::able();
    bench.client(&format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"uri":"file:///a"}}}}"#
    ));
    bench.remote(&format!(r#"3 {{"jsonrpc":"2.0","id":1,{member}}}"#))
}

fn becomes(method: &str, result: &str, expected: &str) {
    let expected = format!(r#"client< 3 {{"jsonrpc":"2.0","id":1,"result":{expected}}}"#);
    assert_eq!(translated(method, result), [expected], "{method} {result}");
}

#[test]
fn xa_50_what_only_a_modern_client_needs_is_gone_and_nothing_else() {
    for (result, expected) in [
        (r#"{"resultType":"complete"}"#, "{}"),
        (r#"{ "a" : 1.0 , "resultType":"complete"}"#, r#"{ "a" : 1.0}"#),
        (r#"{"resultType":"complete","a":[ 1e400 ]}"#, r#"{"a":[ 1e400 ]}"#),
        (
            r#"{"a":1,"ttlMs":5,"cacheScope":"public","b":{"ttlMs":5}}"#,
            r#"{"a":1,"b":{"ttlMs":5}}"#,
        ),
        (r#"{"_meta":{"io.modelcontextprotocol/serverInfo":{}},"a":1}"#, r#"{"a":1}"#),
        (
            r#"{"_meta":{"x/y":1,"io.modelcontextprotocol/serverInfo":{},"z":2},"a":1}"#,
            r#"{"_meta":{"x/y":1,"z":2},"a":1}"#,
        ),
        (r#"{"_meta":{}}"#, r#"{"_meta":{}}"#),
        (r#"{"a":1}"#, r#"{"a":1}"#),
    ] {
        becomes("prompts/get", result, expected);
    }
}

#[test]
fn xa_51_an_output_schema_must_be_an_object() {
    for (schema, is_kept) in [
        (r#"{"type":"object"}"#, true),
        (r#"{"type":"\u006fbject"}"#, true),
        (r#"{"type":"array"}"#, false),
        (r#"{"$ref":"https://x.example/s"}"#, false),
        (r#"{"type":["object","null"]}"#, false),
        ("true", false),
    ] {
        let tool = format!(r#"{{"name":"a", "outputSchema":{schema},"x":1.0}}"#);
        let expected = if is_kept { tool.clone() } else { r#"{"name":"a","x":1.0}"#.to_owned() };
        becomes(
            "tools/list",
            &format!(r#"{{"tools":[ {tool} ]}}"#),
            &format!(r#"{{"tools":[ {expected} ]}}"#),
        );
    }
    // What a tool takes may be composed as it likes.
    let odd = r#"{"tools":[{"name":"a","inputSchema":{"type":"object","oneOf":[{"outputSchema":1}],"properties":{"r":{"type":"string","x-mcp-header":"R"}}}},7]}"#;
    becomes("tools/list", odd, odd);
}

#[test]
fn xa_52_structured_content_must_be_an_object() {
    for (result, expected) in [
        (
            r#"{"content":[],"structuredContent":{"a":1.0}}"#,
            r#"{"content":[],"structuredContent":{"a":1.0}}"#,
        ),
        (
            r#"{"content":[],"structuredContent":"a\n"}"#,
            r#"{"content":[{"type":"text","text":"\"a\\n\""}]}"#,
        ),
        (
            r#"{"content":[{"type":"text","text":"1"}],"structuredContent":1}"#,
            r#"{"content":[{"type":"text","text":"1"}]}"#,
        ),
        (
            r#"{"structuredContent":[1e2],"x":1}"#,
            r#"{"content":[{"type":"text","text":"[1e2]"}],"x":1}"#,
        ),
        (r#"{"content":[],"structuredContent":null}"#, r#"{"content":[]}"#),
    ] {
        becomes("tools/call", result, expected);
    }
    becomes("prompts/get", r#"{"structuredContent":1}"#, r#"{"structuredContent":1}"#);
}

#[test]
fn xa_53_newer_content_passes() {
    let result = r#"{"content":[{"type":"audio","data":"","mimeType":"a/b"},{"type":"resource_link","uri":"x:y","icons":[]}]}"#;
    becomes("tools/call", result, result);
}

#[test]
fn xa_54_errors() {
    let found = r#"{"code":-32602,"message":"m","data":{"uri":"file:///a"}}"#;
    for (method, error, expected) in [
        ("resources/read", found, r#"{"code":-32002,"message":"m","data":{"uri":"file:///a"}}"#),
        ("tools/call", found, found),
        (
            "resources/read",
            r#"{"code":-32602,"message":"m","data":{"uri":"file:///b"}}"#,
            r#"{"code":-32602,"message":"m","data":{"uri":"file:///b"}}"#,
        ),
        (
            "tools/call",
            r#"{"code":-32021,"message":"no \"x\"","data":{"requiredCapabilities":{"roots":{}}}}"#,
            r#"{"code":-32021,"message":"the server needs `roots`, which this client did not offer in `initialize`: no \"x\"","data":{"requiredCapabilities":{"roots":{}}}}"#,
        ),
        (
            "tools/call",
            r#"{"code":-32020,"message":"m"}"#,
            r#"{"code":-31003,"message":"could not get an answer to `tools/call` from remote.test: it refuses the request as the bridge sent it (-32020: m)","data":{"origin":"bridge","reason":"protocol","original":{"code":-32020,"message":"m"}}}"#,
        ),
        (
            "tools/list",
            r#"{"code":-32042,"message":"m","x":1.0}"#,
            r#"{"code":-32042,"message":"m","x":1.0}"#,
        ),
    ] {
        let said = answered(method, &format!(r#""error":{error}"#));
        assert_eq!(said, [format!(r#"client< 3 {{"jsonrpc":"2.0","id":1,"error":{expected}}}"#)]);
    }
}

#[test]
fn xa_54_a_refusal_with_an_error_is_that_error() {
    let error = r#"{"code":-32601,"message":"m"}"#;
    for (status, is_answer) in [(400, true), (404, true), (401, false), (503, false)] {
        let mut bench = Bench::able();
        bench.client(r#"{"jsonrpc":"2.0","id":1,"method":"vendor/x"}"#);
        let said =
            bench.remote(&format!(r#"3 status {status} {{"jsonrpc":"2.0","error":{error}}}"#));
        let expected = if is_answer {
            format!(r#"client< 3 {{"jsonrpc":"2.0","id":1,"error":{error}}}"#)
        } else {
            format!("client< 3 ended: HTTP {status}")
        };
        assert_eq!(said, [expected]);
    }
}

#[test]
fn xa_56_a_result_of_an_unknown_type_is_no_answer() {
    for (method, result) in [
        ("tools/call", r#"{"resultType":"surprise"}"#),
        ("tools/call", r#"{"resultType":7}"#),
        ("prompts/get", r#"{"resultType":"task","taskId":"t"}"#),
    ] {
        let said = translated(method, result);
        assert!(
            said[0].starts_with(r#"client< 3 {"jsonrpc":"2.0","id":1,"error":{"code":-31003,"#),
            "{said:?}"
        );
    }
}

#[test]
fn answers_under_other_ids() {
    for (id, error, expected) in [
        ("2", false, "client< 3 ended: an answer under another id"),
        ("1.0", false, r#"client< 3 {"jsonrpc":"2.0","id":1,"result":{"a":1}}"#),
        ("null", true, r#"client< 3 {"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m"}}"#),
        ("null", false, "client< 3 ended: an answer under another id"),
    ] {
        let mut bench = Bench::able();
        bench.client(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#);
        let body =
            if error { r#""error":{"code":1,"message":"m"}"# } else { r#""result":{"a":1}"# };
        let said = bench.remote(&format!(r#"3 {{"jsonrpc":"2.0","id":{id},{body}}}"#));
        assert_eq!(said, [expected], "{id}");
    }
}

#[test]
fn what_is_no_message_is_for_the_layer_above_to_judge() {
    let mut bench = Bench::able();
    bench.client(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#);
    assert_eq!(bench.remote("3 ~nonsense"), ["client< 3 ~nonsense"]);
    assert_eq!(bench.remote("3 nonsense"), ["client< 3 nonsense"]);
}

#[test]
fn a_large_result_is_copied_once_and_not_looked_into() {
    let blob = "x".repeat(16 << 20);
    let answer = format!(
        r#"3 {{"jsonrpc":"2.0","id":1,"result":{{"blob":"{blob}","resultType":"complete"}}}}"#
    );
    let mut bench = Bench::able();
    bench.client(r#"{"jsonrpc":"2.0","id":1,"method":"resources/read"}"#);
    let said = bench.remote(&answer);
    assert_eq!(
        said[0].len(),
        answer.len() + "client< ".len() - r#","resultType":"complete""#.len()
    );
}
