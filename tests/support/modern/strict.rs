//! What a strict server of 2026-07-28 looks at before it serves a request (26:base, 26:http).

use serde_json::Value;

use super::{super::json::Members, VERSION};
use crate::support::{http::Request, json};

const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// A request that may be served, and what a stricter server yet would say about it.
#[derive(Debug, Default)]
pub struct Found {
    /// The bytes of the id; none for a notification.
    pub id: Option<String>,
    pub remarks: Vec<String>,
}

/// The answer to one that may not.
#[derive(Debug)]
pub struct Refusal {
    pub status: u16,
    pub body: String,
}

/// The members of `params._meta`, whatever awkward values stand beside it.
fn meta(request: &Request) -> Option<Members> {
    let body = request.members()?;
    let params = Members::of(body.raw("params")?.as_bytes())?;
    Members::of(params.raw("_meta")?.as_bytes())
}

/// The version that a request names in its metadata.
pub fn version(request: &Request) -> Option<String> {
    meta(request)?.text(META_VERSION)
}

/// Whether this is for the modern side of a server that has two.
pub fn is_modern(request: &Request) -> bool {
    version(request).is_some() || request.header("mcp-protocol-version") == Some(VERSION)
}

/// Looks at everything.
pub fn check(request: &Request, tools: &[String]) -> Result<Found, Refusal> {
    if request.path != "/mcp" {
        return Err(Refusal { status: 404, body: String::new() });
    }
    if request.method != "POST" {
        return Err(Refusal { status: 405, body: String::new() });
    }
    let accept = request.header("accept").unwrap_or_default();
    if !accept.contains("application/json") || !accept.contains("text/event-stream") {
        return Err(Refusal { status: 406, body: String::new() });
    }
    if request.header("content-type") != Some("application/json") {
        return Err(Refusal { status: 415, body: String::new() });
    }
    let Some(body) = request.members() else { return Err(refuse(400, "null", -32700, "no JSON")) };
    let id = body.raw("id").map(str::to_owned);
    let Some(method) = body.text("method") else {
        return Err(refuse(400, "null", -32600, "a client sends no responses"));
    };
    let mut remarks = Vec::new();
    for name in ["mcp-session-id", "last-event-id", "origin"] {
        if request.header(name).is_some() {
            remarks.push(format!("the header {name}"));
        }
    }
    let Some(id) = id else {
        if method == "notifications/cancelled" {
            remarks.push("a cancellation is the end of the stream, not a message".to_owned());
        }
        return Ok(Found { id: None, remarks });
    };
    metadata(request, &id)?;
    headers(request, &id, &method, &mut remarks)?;
    if method == "tools/call" {
        params(request, &id, tools, &mut remarks)?;
    }
    Ok(Found { id: Some(id), remarks })
}

fn metadata(request: &Request, id: &str) -> Result<(), Refusal> {
    let header = request.header("mcp-protocol-version");
    let meta = meta(request);
    let named = meta.as_ref().and_then(|meta| meta.text(META_VERSION));
    if request.is_rpc("initialize") {
        let asked = request.members().and_then(|all| all.raw("params").map(json::lenient));
        let asked = asked.unwrap_or_default()["protocolVersion"].to_string();
        return Err(unsupported(id, &asked));
    }
    let Some(named) = named else {
        // A legacy client says in the header alone what it speaks.
        return Err(match header.filter(|version| *version != VERSION) {
            Some(version) => unsupported(id, &format!("\"{version}\"")),
            None => refuse(400, id, -32602, "_meta lacks the protocol version"),
        });
    };
    if header != Some(named.as_str()) {
        return Err(refuse(400, id, -32020, "MCP-Protocol-Version is not what _meta says"));
    }
    if named != VERSION {
        return Err(unsupported(id, &format!("\"{named}\"")));
    }
    let capabilities = meta.as_ref().and_then(|meta| meta.raw(META_CAPABILITIES));
    if !capabilities.is_some_and(|raw| raw.starts_with('{')) {
        return Err(refuse(400, id, -32602, "_meta lacks the client's capabilities"));
    }
    Ok(())
}

fn headers(
    request: &Request,
    id: &str,
    method: &str,
    remarks: &mut Vec<String>,
) -> Result<(), Refusal> {
    if request.header("mcp-method") != Some(method) {
        return Err(refuse(400, id, -32020, "Mcp-Method is not the method"));
    }
    let member = match method {
        "tools/call" | "prompts/get" => "name",
        "resources/read" => "uri",
        "tasks/get" | "tasks/update" | "tasks/cancel" => "taskId",
        _ => {
            if request.header("mcp-name").is_some() {
                remarks.push("the header mcp-name".to_owned());
            }
            return Ok(());
        }
    };
    let params = request.members().and_then(|all| Members::of(all.raw("params")?.as_bytes()));
    let name = params.and_then(|params| params.text(member));
    if request.header("mcp-name").and_then(decoded) != name {
        return Err(refuse(400, id, -32020, "Mcp-Name is not the name"));
    }
    Ok(())
}

fn params(
    request: &Request,
    id: &str,
    tools: &[String],
    remarks: &mut Vec<String>,
) -> Result<(), Refusal> {
    let params = request.members().and_then(|all| all.raw("params").map(json::lenient));
    let params = params.unwrap_or_default();
    let tool = tools.iter().map(|tool| json::value(tool.as_bytes()));
    let tool = tool.into_iter().find(|tool| tool["name"] == params["name"]).unwrap_or_default();
    let mut expected = Vec::new();
    annotated(&tool["inputSchema"], &params["arguments"], &mut expected);
    for (header, value) in &expected {
        let got = request.header(header);
        if got.and_then(decoded) != *value || got.is_some() != value.is_some() {
            return Err(refuse(400, id, -32020, &format!("{header} is not the argument")));
        }
    }
    let known = |name: &String| expected.iter().any(|(header, _)| header == name);
    let surplus = request.headers.iter().map(|(name, _)| name);
    let surplus = surplus.filter(|name| name.starts_with("mcp-param-") && !known(name));
    remarks.extend(surplus.map(|name| format!("the header {name}")));
    Ok(())
}

/// The headers that a schema asks for, each with the value it must have.
fn annotated(schema: &Value, arguments: &Value, found: &mut Vec<(String, Option<String>)>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(header) = property["x-mcp-header"].as_str() {
            let value = match &arguments[name] {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            };
            found.push((format!("mcp-param-{}", header.to_ascii_lowercase()), value));
        }
        annotated(property, &arguments[name], found);
    }
}

/// A header value as it was meant; none where it is not a legal one.
pub fn decoded(value: &str) -> Option<String> {
    let inner = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    match inner {
        Some(inner) => String::from_utf8(from_base64(inner)?).ok(),
        None => value.bytes().all(|byte| (0x20..0x7f).contains(&byte)).then(|| value.to_owned()),
    }
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let sextet = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let digits = text.trim_end_matches('=');
    let mut bytes = Vec::new();
    for chunk in digits.as_bytes().chunks(4) {
        let mut bits = 0_u32;
        for at in 0..4 {
            let digit = chunk.get(at).map_or(Some(0), |&byte| sextet(byte))?;
            bits = bits << 6 | u32::from(digit);
        }
        bytes.extend(&bits.to_be_bytes()[1..chunk.len()]);
    }
    Some(bytes)
}

fn refuse(status: u16, id: &str, code: i64, message: &str) -> Refusal {
    Refusal { status, body: json::error(id, code, message) }
}

/// The refusal of a version; `asked` is JSON.
fn unsupported(id: &str, asked: &str) -> Refusal {
    Refusal { status: 400, body: unsupported_version(id, &format!(r#"["{VERSION}"]"#), asked) }
}

/// The error -32022 with these supported versions and this requested one, both JSON.
pub fn unsupported_version(id: &str, supported: &str, requested: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32022,"message":"Unsupported protocol version","data":{{"supported":{supported},"requested":{requested}}}}}}}"#
    )
}
