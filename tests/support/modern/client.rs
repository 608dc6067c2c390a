//! What a client of 2026-07-28 writes into our stdin.

use serde_json::Value;

use crate::support::{bridge::Bridge, json};

/// Capabilities of a client that can do everything.
pub const FULL: &str =
    r#"{"elicitation":{"form":{},"url":{}},"sampling":{"tools":{},"context":{}},"roots":{}}"#;

/// The member `_meta` of a request with these capabilities (JSON) and more members of the metadata.
pub fn meta(capabilities: &str, more: &str) -> String {
    let comma = if more.is_empty() { "" } else { "," };
    format!(
        r#""_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{capabilities},"io.modelcontextprotocol/clientInfo":{{"name":"modern-client","version":"9"}}{comma}{more}}}"#
    )
}

/// A request with these members of `params`, from a client that can do everything.
pub fn request(id: &str, method: &str, members: &str) -> String {
    request_as(id, method, members, FULL, "")
}

/// The same with these capabilities and more members of the metadata.
pub fn request_as(id: &str, method: &str, members: &str, capabilities: &str, more: &str) -> String {
    let comma = if members.is_empty() { "" } else { "," };
    json::request(id, method, &format!("{{{members}{comma}{}}}", meta(capabilities, more)))
}

/// A `tools/call` of the tool `echo` that carries `marker`.
pub fn call(id: &str, marker: &str) -> String {
    tool(id, "echo", &format!(r#"{{"marker":"{marker}"}}"#))
}

/// A `tools/call` of this tool with these arguments (JSON).
pub fn tool(id: &str, name: &str, arguments: &str) -> String {
    let name = Value::from(name);
    request(id, "tools/call", &format!(r#""name":{name},"arguments":{arguments}"#))
}

/// A `subscriptions/listen` with this filter (JSON).
pub fn listen(id: &str, filter: &str) -> String {
    request(id, "subscriptions/listen", &format!(r#""notifications":{filter}"#))
}

/// A cancellation of this request (JSON id).
pub fn cancel(id: &str) -> String {
    json::notification("notifications/cancelled", &format!(r#"{{"requestId":{id}}}"#))
}

impl Bridge {
    /// Asks `server/discover`; the answer.
    #[track_caller]
    pub fn discover(&mut self) -> Value {
        self.send(request("\"probe\"", "server/discover", ""));
        let answer = self.answer_to("\"probe\"");
        assert!(answer.get("result").is_some(), "server/discover failed: {answer}");
        answer
    }

    /// Calls `echo` as a modern client and expects its marker back.
    #[track_caller]
    pub fn modern_call_works(&mut self, id: &str) {
        self.send(call(id, "works"));
        let answer = self.answer_to(id);
        assert_eq!(answer["result"]["content"][0]["text"], "works", "{answer}");
        assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
    }

    /// A request whose answer is expected to be a result.
    #[track_caller]
    pub fn result_of(&mut self, id: &str, message: impl AsRef<[u8]>) -> Value {
        self.send(message);
        let mut answer = self.answer_to(id);
        assert!(answer.get("result").is_some(), "{answer}");
        answer["result"].take()
    }

    /// A request whose answer is expected to be an error.
    #[track_caller]
    pub fn error_of(&mut self, id: &str, message: impl AsRef<[u8]>) -> Value {
        self.send(message);
        let mut answer = self.answer_to(id);
        assert!(answer.get("error").is_some(), "{answer}");
        answer["error"].take()
    }
}
