//! What a server does with one message.

use std::sync::Arc;

use serde_json::Value;

use super::{Core, Face, Frame};
use crate::support::{
    http::{Exchange, event},
    json,
    net::{Gate, lock},
};

/// One JSON-RPC message that came in, and the ways to react.
pub struct Call<'a> {
    /// The bytes of the id; none for a notification or a response.
    pub id: Option<String>,
    pub method: String,
    /// Null where they cannot be parsed (deep nesting, numbers out of range).
    pub params: Value,
    pub session: String,
    pub(super) exchange: &'a mut Exchange,
    pub(super) core: &'a Arc<Core>,
    pub(super) accepted: bool,
}

impl Call<'_> {
    /// What a server without faults does.
    pub fn behave(&mut self) {
        if self.id.is_none() {
            return self.accept();
        }
        match self.method.as_str() {
            "initialize" => self.initialize(&[]),
            "tools/call" => {
                self.executed();
                self.echo();
            }
            method => match canned(method) {
                Some(result) => self.answer(result),
                None => {
                    let id = self.id();
                    self.message(json::error(&id, -32601, "Method not found"));
                }
            },
        }
    }

    /// Opens a session and answers with everything a server can have, and with more headers.
    pub fn initialize(&mut self, headers: &[(&str, &str)]) {
        let version = self.params["protocolVersion"].as_str().unwrap_or("2025-11-25").to_owned();
        let body = json::result(&self.id(), &initialize_result(&version));
        if self.core.face == Face::Sse {
            return self.message(body);
        }
        let mut all = vec![("content-type", "application/json")];
        all.extend(headers);
        if lock(&self.core.state).stateless {
            return self.exchange.reply(200, &all, body);
        }
        let session = self.core.new_session();
        all.push(("mcp-session-id", &session));
        self.exchange.reply(200, &all, body);
    }

    /// The bytes of the id of a request.
    pub fn id(&self) -> String {
        self.id.clone().unwrap_or_else(|| "null".to_owned())
    }

    /// The marker of a `tools/call`.
    pub fn marker(&self) -> String {
        self.params["arguments"]["marker"].as_str().unwrap_or("unmarked").to_owned()
    }

    /// Counts an execution; HTTP+SSE also says 202 now, as such servers do.
    pub fn executed(&mut self) {
        if self.core.face == Face::Sse && !self.accepted {
            // This thread may block from here on: the connection is not for other messages.
            self.exchange.reply(202, &[("connection", "close")], "");
            self.accepted = true;
        }
        *lock(&self.core.state).executed.entry(self.marker()).or_default() += 1;
        self.core.changed.notify_all();
    }

    /// Answers a `tools/call` with its marker.
    pub fn echo(&mut self) {
        self.answer(&format!(r#"{{"content":[{{"type":"text","text":"{}"}}]}}"#, self.marker()));
    }

    /// Answers with this result.
    pub fn answer(&mut self, result: &str) {
        self.message(json::result(&self.id(), result));
    }

    /// Answers with this message: as a JSON body, or accepted and then on the stream.
    pub fn message(&mut self, message: impl AsRef<[u8]>) {
        match self.core.face {
            Face::Http => self.exchange.json(message),
            Face::Sse => self.on_stream(event(None, message.as_ref())),
        }
    }

    /// Writes these bytes into the session's stream (after accepting the POST of HTTP+SSE).
    pub fn on_stream(&mut self, bytes: Vec<u8>) {
        self.frame(Frame::Raw(bytes));
    }

    /// Says something during the call, on the stream that is the call's; `first` opens it.
    pub fn say(&mut self, first: bool, message: &str) {
        match self.core.face {
            Face::Http if first => _ = self.http().sse(&[]).event(message),
            Face::Http => _ = self.http().event(message),
            Face::Sse => self.on_stream(event(None, message.as_bytes())),
        }
    }

    /// Ends a call in which something was said.
    pub fn finish(&mut self, result: &str) {
        let message = json::result(&self.id(), result);
        match self.core.face {
            Face::Http => self.http().event(message).end(),
            Face::Sse => self.message(message),
        }
    }

    /// Asks the person, and answers the call when the gate opens.
    pub fn ask_until(&mut self, gate: &Gate) {
        self.executed();
        let form = r#"{"message":"?","requestedSchema":{"type":"object","properties":{}}}"#;
        self.say(true, &json::request("5", "elicitation/create", form));
        gate.wait();
        self.finish(r#"{"content":[]}"#);
    }

    /// Does this to the session's stream (after accepting the POST of HTTP+SSE).
    pub fn frame(&mut self, frame: Frame) {
        if self.core.face == Face::Sse {
            self.accept();
        }
        let stream = lock(&self.core.state).sessions.get(&self.session).cloned().flatten();
        stream.map(|stream| stream.frames.send(frame));
    }

    /// Puts this message on the session's stream and leaves the POST to the test.
    pub fn only_stream(&mut self, message: impl AsRef<[u8]>) {
        let accepted = std::mem::replace(&mut self.accepted, true);
        self.on_stream(event(None, message.as_ref()));
        self.accepted = accepted;
    }

    /// 202, once.
    pub fn accept(&mut self) {
        if !self.accepted {
            self.exchange.reply(202, &[], "");
            self.accepted = true;
        }
    }

    /// Breaks what would have carried the answer.
    pub fn cut(&mut self) {
        match self.core.face {
            Face::Http => self.exchange.reset(),
            Face::Sse => self.frame(Frame::Reset),
        }
    }

    /// The POST's own answering side.
    pub fn http(&mut self) -> &mut Exchange {
        self.exchange
    }
}

/// The result of `initialize` in `version`.
pub fn initialize_result(version: &str) -> String {
    format!(
        r#"{{"protocolVersion":"{version}","capabilities":{{"tools":{{"listChanged":true}},"prompts":{{"listChanged":true}},"resources":{{"subscribe":true,"listChanged":true}},"logging":{{}},"completions":{{}}}},"serverInfo":{{"name":"scripted","version":"1"}}}}"#
    )
}

fn canned(method: &str) -> Option<&'static str> {
    Some(match method {
        "ping" | "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe" => "{}",
        "tools/list" => r#"{"tools":[{"name":"echo","inputSchema":{"type":"object"}}]}"#,
        "prompts/list" => r#"{"prompts":[{"name":"greet"}]}"#,
        "resources/list" => r#"{"resources":[{"uri":"test://one","name":"one"}]}"#,
        "resources/templates/list" => r#"{"resourceTemplates":[]}"#,
        "resources/read" => r#"{"contents":[{"uri":"test://one","text":"1"}]}"#,
        "completion/complete" => r#"{"completion":{"values":["a"]}}"#,
        _ => return None,
    })
}
