//! What a server of 2026-07-28 alone answers to a legacy client (26:ver, "Version Negotiation").
//!
//! rmcp's server answers `initialize` with the right error, -32022, but with status 200 and as an
//! event stream, and a notification of a legacy client with 202. A strict server says 400, which
//! is what tells a client of both eras that this is no legacy server.

use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use rmcp::model::ProtocolVersion;
use serde_json::{Value, json};

use composio_bridge::{era::meta, local::http::Answer, protocol::MODERN_VERSIONS};

use super::plain;

const VERSION_HEADER: &str = "mcp-protocol-version";

/// Whether this is a message of a legacy client: no header names the version, or a legacy one.
/// What else may be wrong with a message, rmcp refuses.
pub(super) fn is_due(request: &Request<Incoming>) -> bool {
    request.method() == Method::POST
        && match request.headers().get(VERSION_HEADER).map(HeaderValue::to_str) {
            None => true,
            Some(Ok(version)) => ProtocolVersion::known_up_to(&ProtocolVersion::V_2025_11_25)
                .iter()
                .any(|legacy| legacy.as_str() == version),
            Some(Err(_)) => false,
        }
}

/// 400 with error -32022, and the versions that are served.
pub(super) async fn answer(request: Request<Incoming>) -> Answer {
    let header = request.headers().get(VERSION_HEADER).and_then(|value| value.to_str().ok());
    let header = header.map(str::to_owned);
    let Ok(body) = request.into_body().collect().await else {
        return plain(StatusCode::BAD_REQUEST, "the body broke off");
    };
    let message = serde_json::from_slice(&body.to_bytes()).unwrap_or(Value::Null);
    let error = error(&message, header.as_deref());
    let body = json!({ "jsonrpc": "2.0", "id": message["id"], "error": error }).to_string();
    let mut answer = Answer::new(Full::from(body).boxed());
    *answer.status_mut() = StatusCode::BAD_REQUEST;
    let json = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(header::CONTENT_TYPE, json);
    answer
}

fn error(message: &Value, header: Option<&str>) -> Value {
    let params = &message["params"];
    if params["_meta"].get(meta::PROTOCOL_VERSION).is_some() {
        let message = "the header MCP-Protocol-Version does not name the version in _meta";
        return json!({ "code": -32020, "message": message });
    }
    let requested = params["protocolVersion"].as_str().or(header);
    json!({
        "code": -32022,
        "message": "Unsupported protocol version",
        "data": {
            "supported": MODERN_VERSIONS,
            // What an absent header stands for (2025-11-25, "Protocol Version Header").
            "requested": requested.unwrap_or("2025-03-26"),
        },
    })
}
