//! Looking into messages without changing a byte of them.

use std::collections::HashMap;

use serde_json::{Value, value::RawValue};

/// The top-level members of a JSON object, each as its bytes; of duplicates the last.
pub struct Members(HashMap<String, Box<RawValue>>);

impl Members {
    pub fn of(message: &[u8]) -> Option<Self> {
        serde_json::from_slice(message).ok().map(Members)
    }

    /// The bytes of a member's value.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.get())
    }

    /// A string member, decoded.
    pub fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.raw(name)?).ok()
    }
}

/// A message as a `serde_json::Value`, for what a test wants to look up.
pub fn value(message: &[u8]) -> Value {
    serde_json::from_slice(message).unwrap_or_else(|error| {
        let shown = &message[..message.len().min(300)];
        panic!("{error} in {}", String::from_utf8_lossy(shown))
    })
}

/// The same for a part of a message; null where it cannot be had (deep nesting, large numbers).
pub fn lenient(part: &str) -> Value {
    serde_json::from_str(part).unwrap_or_default()
}

/// A request with these params (`params` is JSON).
pub fn request(id: &str, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

/// A notification with these params (`params` is JSON).
pub fn notification(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#)
}

/// A response with this result (`result` is JSON).
pub fn result(id: &str, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

/// An error response.
pub fn error(id: &str, code: i64, message: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"{message}"}}}}"#)
}

/// A `tools/call` of the tool `echo` that carries `marker`.
pub fn call(id: &str, marker: &str) -> String {
    let params = format!(r#"{{"name":"echo","arguments":{{"marker":"{marker}"}}}}"#);
    request(id, "tools/call", &params)
}

/// An `initialize` request in `version`.
pub fn initialize(id: &str, version: &str) -> String {
    let params = format!(
        r#"{{"protocolVersion":"{version}","capabilities":{{"roots":{{"listChanged":true}},"sampling":{{}},"elicitation":{{}}}},"clientInfo":{{"name":"test","version":"1"}}}}"#
    );
    request(id, "initialize", &params)
}
