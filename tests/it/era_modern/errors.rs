//! The remote's own errors, and versions it does not know.

use serde_json::json;

use super::{connected, posted};
use crate::support::{
    bridge::Bridge,
    json,
    modern::{Modern, VERSION, client, strict::unsupported_version},
};

#[test]
fn t61_an_unknown_method_is_an_error_of_the_remote_and_the_era_stays() {
    let server = Modern::start();
    let mut bridge = connected(&server);
    let error = bridge.error_of("1", client::request("1", "x/unknown", ""));
    assert_eq!((&error["code"], &error["message"]), (&json!(-32601), &json!("Method not found")));
    assert_eq!(error.get("data"), None, "it is the remote's own error: {error}");
    bridge.modern_call_works("2");
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.handshake("2025-11-25");
    let error = bridge.error_of("1", json::request("1", "x/unknown", "{}"));
    assert_eq!(error["code"], -32601, "{error}");
    bridge.call_works("2");
    server.is_content();
}

#[test]
fn mm_6_an_error_under_no_id_reaches_the_client_under_its_own() {
    let server = Modern::start();
    for (n, body) in [
        r#"{"jsonrpc":"2.0","error":{"code":-32602,"message":"no id","data":{"v":1.0}}}"#,
        r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32602,"message":"null id","data":{"v":1.0}}}"#,
        r#"{"jsonrpc":"2.0","id":"other","error":{"code":-32602,"message":"another","data":{"v":1.0}}}"#,
    ]
    .into_iter()
    .enumerate()
    {
        server.on("x/refused", move |call| {
            call.http().reply(400, &[("content-type", "application/json")], body);
        });
        let mut bridge = connected(&server);
        let id = format!("\"n{n}\"");
        let error = bridge.error_of(&id, client::request(&id, "x/refused", ""));
        assert_eq!(error["code"], -32602, "{error}");
        bridge.finish();
    }
}

#[test]
fn a_missing_capability_is_the_remotes_own_error() {
    let server = Modern::start();
    server.on("tools/call", |call| {
        call.refuse_with(400, -32021, r#"{"requiredCapabilities":{"sampling":{}}}"#);
    });
    let mut bridge = connected(&server);
    let error = bridge.error_of("1", client::call("1", "m"));
    assert_eq!(error["code"], -32021, "{error}");
    assert_eq!(error["data"]["requiredCapabilities"], json!({"sampling": {}}), "{error}");
    assert_eq!(server.count(|request| request.is_rpc("tools/call")), 1);
    bridge.finish();
}

#[test]
fn mm_5_a_later_version_passes_where_the_remote_lists_it_and_is_refused_with_its_list_where_not() {
    const LATER: &str = "2099-01-01";
    let server = Modern::start();
    let mut bridge = connected(&server);
    let request = client::request("1", "tools/list", "").replace(VERSION, LATER);
    let error = bridge.error_of("1", request);
    assert_eq!(error["code"], -32022, "{error}");
    assert_eq!(error["data"]["requested"], LATER, "{error}");
    assert_eq!(error["data"]["supported"], json!([VERSION]), "{error}");
    bridge.modern_call_works("2");
    bridge.finish();

    // One that speaks nothing else, from the probe on.
    let server = Modern::start();
    server.rule(|request, exchange| {
        let id = request.rpc_id().unwrap_or_default();
        let is_later = request.header("mcp-protocol-version") == Some(LATER);
        let result = match request.rpc().as_deref() {
            _ if !is_later => return false,
            Some("server/discover") => {
                r#"{"resultType":"complete","supportedVersions":["2099-01-01","2025-11-25"],"capabilities":{},"ttlMs":0,"cacheScope":"private"}"#
            }
            _ => r#"{"resultType":"complete","content":[],"new": 1.0}"#,
        };
        exchange.json(json::result(&id, result));
        true
    });
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    let later = |id: &str, method: &str, members: &str| {
        client::request(id, method, members).replace(VERSION, LATER)
    };
    let found = bridge.result_of("1", later("1", "server/discover", ""));
    assert_eq!(found["supportedVersions"], json!([LATER, "2025-11-25"]), "{found}");
    let members = r#""name":"echo","arguments":{}"#;
    let result = bridge.result_of("2", later("2", "tools/call", members));
    assert_eq!(result["new"], 1.0, "{result}");
    assert_eq!(server.heard(), ["server/discover", "tools/call"]);
    let call = posted(&server, "tools/call");
    assert_eq!(call.body, later("2", "tools/call", members).as_bytes());
    bridge.finish();
}

#[test]
fn a_modern_server_sees_not_one_extra_request_from_a_modern_client() {
    let server = Modern::start();
    let home = tempfile::tempdir().expect("a temporary directory");
    for run in 0..2 {
        let before = server.requests().len();
        let mut bridge = Bridge::to(server.endpoint()).home(home.path()).spawn();
        let mut expected = vec!["tools/list", "tools/call", "tools/call"];
        if run == 0 {
            bridge.discover();
            expected.insert(0, "server/discover");
        }
        bridge.result_of("1", client::request("1", "tools/list", ""));
        bridge.modern_call_works("2");
        bridge.modern_call_works("3");
        bridge.finish();
        assert_eq!(server.heard()[before..], expected);
    }
}

#[test]
fn a_version_refused_in_the_middle_of_a_connection_is_the_remotes_error() {
    let server = Modern::start();
    server.on("tools/call", |call| {
        let id = call.id.clone();
        let body = unsupported_version(&id, r#"["2031-01-01"]"#, r#""2026-07-28""#);
        call.http().reply(400, &[("content-type", "application/json")], body);
    });
    let mut bridge = connected(&server);
    let error = bridge.error_of("1", client::call("1", "m"));
    assert_eq!(error["code"], -32022, "{error}");
    assert_eq!(error["data"]["supported"], json!(["2031-01-01"]), "{error}");
    assert!(!server.heard().contains(&"initialize".to_owned()));
    bridge.end();
}
