//! JSON-RPC messages as a server reads them and answers them.

use serde_json::{Map, Value, json};

/// A message that came in.
pub(super) struct Message {
    /// `null` where it has none.
    pub(super) id: Value,
    /// Empty for a response.
    pub(super) method: String,
    /// An object, empty where there are none.
    pub(super) params: Value,
    /// All of it.
    pub(super) whole: Value,
}

impl Message {
    /// Reads one message; `None` for anything else, such as a batch.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let whole: Value = serde_json::from_slice(bytes).ok()?;
        let id = whole.get("id").cloned().unwrap_or_default();
        let method = whole["method"].as_str().unwrap_or_default().to_owned();
        let params = whole.get("params").cloned().unwrap_or_else(|| Map::new().into());
        let is_response = whole.get("result").is_some() || whole.get("error").is_some();
        let has_id = id.is_string() || id.is_i64() || id.is_u64();
        let is_sound = whole["jsonrpc"] == "2.0"
            && params.is_object()
            && (has_id || whole.get("id").is_none())
            && method.is_empty() == (is_response && has_id);
        is_sound.then_some(Message { id, method, params, whole })
    }

    pub(super) fn is_request(&self) -> bool {
        !self.id.is_null() && !self.method.is_empty()
    }

    pub(super) fn is_response(&self) -> bool {
        self.method.is_empty()
    }
}

/// Why a request is answered with an error.
#[derive(Debug)]
pub(in crate::demo) struct Fault {
    pub(super) code: i64,
    pub(super) message: String,
    /// `null` for none.
    pub(super) data: Value,
}

/// The result of a request.
pub(in crate::demo) type Outcome = Result<Value, Fault>;

impl Fault {
    pub(super) fn new(code: i64, message: impl Into<String>) -> Self {
        Fault { code, message: message.into(), data: Value::Null }
    }

    /// The server has nothing by that name.
    pub(in crate::demo) fn unknown_method(method: &str) -> Self {
        Fault::new(-32601, method)
    }

    /// The parameters are not what the method takes.
    pub(in crate::demo) fn invalid_params(message: impl Into<String>) -> Self {
        Fault::new(-32602, message)
    }

    /// No resource has that URI. Its code is one of the legacy era's.
    pub(in crate::demo) fn no_resource(uri: &str, is_modern: bool) -> Self {
        let code = if is_modern { -32602 } else { -32002 };
        Fault::new(code, format!("no such resource: {uri}"))
    }

    /// The request needs a client that declares these capabilities (26:mrtr).
    pub(in crate::demo) fn unable(required: Value) -> Self {
        let data = json!({ "requiredCapabilities": required });
        Fault { data, ..Fault::new(-32021, "Missing required client capability") }
    }

    /// What the header says is not what the message says (26:http).
    pub(super) fn mismatch(message: impl Into<String>) -> Self {
        Fault::new(-32020, message)
    }

    /// The status of an answer that is nothing but this error (26:http).
    pub(super) fn status(&self) -> u16 {
        match self.code {
            -32601 => 404,
            -32022..=-32020 => 400,
            _ => 200,
        }
    }

    /// The response; without an id where that is `null`, as there is no request that it is to.
    pub(super) fn response(&self, id: &Value) -> Value {
        let mut error = json!({ "code": self.code, "message": self.message });
        if !self.data.is_null() {
            error["data"] = self.data.clone();
        }
        let mut response = json!({ "jsonrpc": "2.0", "error": error });
        if !id.is_null() {
            response["id"] = id.clone();
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_notifications_and_responses_are_told_apart_and_from_anything_else() {
        for (text, expected) in [
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, Some((true, false))),
            (r#"{"jsonrpc":"2.0","id":"a","method":"x","params":{}}"#, Some((true, false))),
            (r#"{"jsonrpc":"2.0","method":"notifications/x"}"#, Some((false, false))),
            (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, Some((false, true))),
            (r#"{"jsonrpc":"2.0","id":1,"error":{}}"#, Some((false, true))),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, None),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, None),
            (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, None),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#, None),
            (r#"{"jsonrpc":"2.0","result":{}}"#, None),
            (r#"{"jsonrpc":"2.0","id":1}"#, None),
            (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, None),
            ("{", None),
        ] {
            let read = Message::read(text.as_bytes());
            let read = read.map(|message| (message.is_request(), message.is_response()));
            assert_eq!(read, expected, "{text}");
        }
    }
}
