//! A legacy client and a modern remote (quadrant A).

mod handshake;
mod listen;
mod questions;
mod results;
mod rounds;

use serde_json::Value;

use crate::support::{
    bridge::Bridge,
    http::Request,
    json::{self, value},
    modern::Modern,
};

fn bridge_to(server: &Modern) -> Bridge {
    Bridge::to(server.endpoint()).spawn()
}

fn connected(server: &Modern, version: &str) -> Bridge {
    let mut bridge = bridge_to(server);
    bridge.handshake(version);
    bridge
}

/// The handshake of a client with these capabilities (JSON); its result.
fn handshake_as(bridge: &mut Bridge, version: &str, capabilities: &str) -> Value {
    let params = format!(
        r#"{{"protocolVersion":"{version}","capabilities":{capabilities},"clientInfo":{{"name":"old-client","version":"3"}}}}"#
    );
    let result = bridge.result_of("\"hello\"", json::request("\"hello\"", "initialize", &params));
    bridge.send(json::notification("notifications/initialized", "{}"));
    result
}

fn params_of(request: &Request) -> Value {
    value(&request.body)["params"].take()
}

fn is_call(request: &Request) -> bool {
    request.is_rpc("tools/call")
}

fn meta<'a>(params: &'a Value, name: &str) -> &'a Value {
    &params["_meta"][format!("io.modelcontextprotocol/{name}")]
}

const FORM: &str = r#"{"method":"elicitation/create","params":{"mode":"form","message":"Name?","requestedSchema":{"type":"object","properties":{"n":{"type":"string"}},"required":["n"]}}}"#;

fn assert_has_no_modern_members(result: &Value) {
    for member in ["resultType", "ttlMs", "cacheScope"] {
        assert_eq!(result.get(member), None, "{member}: {result}");
    }
    assert!(meta(result, "serverInfo").is_null(), "{result}");
}
