//! Which era a message is of, and what a server of 2026-07-28 wants of it. Pure.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    Era,
    message::{Fault, Message},
};
use crate::{
    era::meta,
    protocol::{LEGACY_VERSIONS, MODERN_VERSIONS},
};

/// The version that a message without a header is of (1125:http, "Protocol Version Header").
const UNNAMED: &str = "2025-03-26";

/// The versions that a server of this era speaks, the oldest first.
pub(super) fn supported(era: Era) -> Vec<&'static str> {
    let legacy = LEGACY_VERSIONS.into_iter().rev().filter(|_| era != Era::Modern);
    legacy.chain(MODERN_VERSIONS.into_iter().filter(|_| era != Era::Legacy)).collect()
}

/// Whether a version is known in either era.
pub(super) fn is_known(version: &str) -> bool {
    LEGACY_VERSIONS.contains(&version) || MODERN_VERSIONS.contains(&version)
}

/// Whether a message is of 2026-07-28, by its metadata and by the header that names its version
/// (26:ver).
///
/// # Errors
/// That the two differ, that the metadata is missing, or that the version is not spoken.
pub(super) fn is_modern(era: Era, message: &Message, named: Option<&str>) -> Result<bool, Fault> {
    let is_initialize = message.is_request() && message.method == "initialize";
    if is_initialize && era != Era::Modern {
        return Ok(false);
    }
    let version = message.params["_meta"][meta::PROTOCOL_VERSION].as_str();
    if let Some(version) = version.filter(|_| message.is_request()) {
        agrees(version, named)?;
        let is_legacy = LEGACY_VERSIONS.contains(&version) && era != Era::Modern;
        if is_legacy || supported(era).contains(&version) {
            return Ok(!is_legacy);
        }
        return Err(unsupported(era, version));
    }
    let names_modern = named.is_some_and(|named| MODERN_VERSIONS.contains(&named));
    if message.is_request() && (names_modern || message.method == "server/discover") {
        return Err(incomplete(message));
    }
    if era == Era::Modern && !names_modern {
        let requested = message.params["protocolVersion"].as_str().or(named);
        return Err(unsupported(era, requested.unwrap_or(UNNAMED)));
    }
    Ok(names_modern)
}

fn agrees(version: &str, named: Option<&str>) -> Result<(), Fault> {
    match named {
        Some(named) if named == version => Ok(()),
        Some(named) => Err(Fault::mismatch(format!(
            "the header MCP-Protocol-Version says {named}, and _meta says {version}"
        ))),
        None => Err(Fault::mismatch(format!(
            "the header MCP-Protocol-Version is missing, and _meta says {version}"
        ))),
    }
}

fn unsupported(era: Era, requested: &str) -> Fault {
    let data = json!({ "supported": supported(era), "requested": requested });
    Fault { data, ..Fault::new(-32022, "Unsupported protocol version") }
}

fn incomplete(message: &Message) -> Fault {
    let meta = &message.params["_meta"];
    let mut missing = Vec::new();
    if !meta[meta::PROTOCOL_VERSION].is_string() {
        missing.push(meta::PROTOCOL_VERSION);
    }
    if !meta[meta::CLIENT_CAPABILITIES].is_object() {
        missing.push(meta::CLIENT_CAPABILITIES);
    }
    Fault::invalid_params(format!("_meta lacks {}", missing.join(" and ")))
}

/// Checks a modern message: the headers that repeat its members (26:http), and the rest of its
/// metadata (26:base). `header` gives a header's value by its name.
pub(super) fn check<'h>(
    message: &Message,
    header: impl Fn(&'static str) -> Option<&'h str>,
) -> Result<(), Fault> {
    if message.is_response() {
        return Err(Fault::new(-32600, "there is no request that this could answer"));
    }
    repeats("Mcp-Method", header("mcp-method"), &message.method)?;
    let name = match message.method.as_str() {
        "tools/call" | "prompts/get" => message.params["name"].as_str(),
        "resources/read" => message.params["uri"].as_str(),
        _ => None,
    };
    if let Some(name) = name {
        repeats("Mcp-Name", header("mcp-name"), name)?;
    }
    if message.is_request() && !message.params["_meta"][meta::CLIENT_CAPABILITIES].is_object() {
        return Err(incomplete(message));
    }
    Ok(())
}

fn repeats(name: &str, value: Option<&str>, member: &str) -> Result<(), Fault> {
    match value {
        Some(value) if is_same(value, member) => Ok(()),
        Some(_) => Err(Fault::mismatch(format!("the header {name} is not `{member}`"))),
        None => Err(Fault::mismatch(format!("the header {name} is missing"))),
    }
}

/// Whether a header's value is this text, which may be wrapped in Base64 (MH-21).
fn is_same(value: &str, text: &str) -> bool {
    let wrapped = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    match wrapped {
        Some(wrapped) => STANDARD.decode(wrapped).is_ok_and(|bytes| bytes == text.as_bytes()),
        None => value == text,
    }
}

/// Adds to a result what every result of 2026-07-28 has, and what those have that may be kept.
pub(super) fn complete(method: &str, result: &mut Value) {
    if result.get("resultType").is_none() {
        result["resultType"] = "complete".into();
    }
    if matches!(method, "server/discover" | "resources/read") || method.ends_with("/list") {
        result["ttlMs"] = 0.into();
        result["cacheScope"] = "private".into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODERN: &str = MODERN_VERSIONS[0];

    fn message(method: &str, version: Option<&str>) -> Message {
        let meta = version.map(|version| json!({ meta::PROTOCOL_VERSION: version }));
        let params = json!({ "_meta": meta, "protocolVersion": "2025-11-25" });
        let text = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        Message::read(text.to_string().as_bytes()).expect("a message")
    }

    #[test]
    fn the_era_of_a_request_is_that_of_its_metadata_and_its_header() {
        let (legacy, modern) = (Some("2025-06-18"), Some(MODERN));
        let list = "tools/list";
        for (era, method, version, named, expected) in [
            (Era::Dual, "initialize", None, None, Ok(false)),
            (Era::Dual, "initialize", None, modern, Ok(false)),
            (Era::Modern, "initialize", None, None, Err(-32022)),
            (Era::Legacy, list, None, None, Ok(false)),
            (Era::Legacy, list, None, legacy, Ok(false)),
            (Era::Legacy, list, modern, modern, Err(-32022)),
            (Era::Dual, list, None, legacy, Ok(false)),
            (Era::Dual, list, modern, modern, Ok(true)),
            (Era::Dual, list, modern, None, Err(-32020)),
            (Era::Dual, list, modern, legacy, Err(-32020)),
            (Era::Dual, list, legacy, modern, Err(-32020)),
            (Era::Dual, list, None, modern, Err(-32602)),
            (Era::Dual, "server/discover", None, None, Err(-32602)),
            (Era::Dual, list, Some("2099-01-01"), Some("2099-01-01"), Err(-32022)),
            (Era::Modern, list, modern, modern, Ok(true)),
            (Era::Modern, list, None, legacy, Err(-32022)),
            (Era::Modern, list, legacy, legacy, Err(-32022)),
        ] {
            let found = is_modern(era, &message(method, version), named).map_err(|f| f.code);
            assert_eq!(found, expected, "{era:?} {method} {version:?} {named:?}");
        }
    }

    #[test]
    fn a_header_repeats_a_member_as_it_is_or_in_base64() {
        for (value, text, expected) in [
            ("echo", "echo", true),
            ("Echo", "echo", false),
            ("=?base64?ZWNobw==?=", "echo", true),
            ("=?base64?ZWNobw==?=", "add", false),
            ("=?base64?%%?=", "%%", false),
            ("=?base64?open", "=?base64?open", true),
        ] {
            assert_eq!(is_same(value, text), expected, "{value}");
        }
    }
}
