//! What a modern server does with one request.

use std::sync::Arc;

use serde_json::Value;

use super::Core;
use crate::support::{http::Exchange, json, net::lock};

/// One request that came in and was found good, and the ways to react.
pub struct Call<'a> {
    /// The bytes of the id.
    pub id: String,
    pub method: String,
    /// Null where they cannot be parsed (deep nesting, numbers out of range).
    pub params: Value,
    pub(super) exchange: &'a mut Exchange,
    pub(super) core: &'a Arc<Core>,
}

impl Call<'_> {
    /// What a server without faults does.
    pub fn behave(&mut self) {
        match self.method.as_str() {
            "tools/call" => {
                self.executed();
                self.echo();
            }
            "subscriptions/listen" => self.listen(),
            "server/discover" => {
                let result = lock(&self.core.terms).discover.clone();
                self.answer(&result);
            }
            "tools/list" => {
                let tools = lock(&self.core.terms).tools.join(",");
                self.answer(&format!(
                    r#"{{"resultType":"complete","tools":[{tools}],"ttlMs":1000,"cacheScope":"public"}}"#
                ));
            }
            method => match canned(method) {
                Some(result) => self.answer(result),
                None => self.refuse(404, -32601, "Method not found"),
            },
        }
    }

    /// The marker of a `tools/call`.
    pub fn marker(&self) -> String {
        self.params["arguments"]["marker"].as_str().unwrap_or("unmarked").to_owned()
    }

    /// Counts an execution.
    pub fn executed(&mut self) {
        *lock(&self.core.state).executed.entry(self.marker()).or_default() += 1;
        self.core.changed.notify_all();
    }

    /// Answers a `tools/call` with its marker.
    pub fn echo(&mut self) {
        let marker = Value::String(self.marker());
        self.answer(&text_result(&marker));
    }

    /// Answers with this result, as a JSON body.
    pub fn answer(&mut self, result: &str) {
        self.exchange.json(json::result(&self.id, result));
    }

    /// Answers with a status and this error.
    pub fn refuse(&mut self, status: u16, code: i64, message: &str) {
        let body = json::error(&self.id, code, message);
        self.exchange.reply(status, &[("content-type", "application/json")], body);
    }

    /// Answers with a status and an error that has data (JSON).
    pub fn refuse_with(&mut self, status: u16, code: i64, data: &str) {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":{code},"message":"refused","data":{data}}}}}"#,
            self.id
        );
        self.exchange.reply(status, &[("content-type", "application/json")], body);
    }

    /// Begins a response stream.
    pub fn sse(&mut self) -> &mut Self {
        self.exchange.sse(&[]);
        self
    }

    /// A message on the response stream.
    pub fn event(&mut self, message: impl AsRef<[u8]>) -> &mut Self {
        self.exchange.event(message);
        self
    }

    /// A progress notification on the response stream, under the request's own token.
    pub fn progress(&mut self, progress: u32) -> &mut Self {
        let token = &self.params["_meta"]["progressToken"];
        let params = format!(r#"{{"progressToken":{token},"progress":{progress}}}"#);
        self.event(json::notification("notifications/progress", &params))
    }

    /// A log message on the response stream.
    pub fn log(&mut self, level: &str, text: &str) -> &mut Self {
        let params = format!(r#"{{"level":"{level}","data":"{text}"}}"#);
        self.event(json::notification("notifications/message", &params))
    }

    /// The result on the response stream, and its end.
    pub fn finish(&mut self, result: &str) {
        let message = json::result(&self.id, result);
        self.event(message);
        self.exchange.end();
    }

    /// Asks the client for input. `inputs` is JSON, `state` the text of the request state.
    pub fn ask(&mut self, inputs: Option<&str>, state: Option<&str>) {
        let inputs = inputs.map(|inputs| format!(r#","inputRequests":{inputs}"#));
        let state = state.map(|state| format!(r#","requestState":{}"#, Value::from(state)));
        self.answer(&format!(
            r#"{{"resultType":"input_required"{}{}}}"#,
            inputs.unwrap_or_default(),
            state.unwrap_or_default()
        ));
    }

    /// The client's answers to what was asked; null in a request that is no retry.
    pub fn responses(&self) -> &Value {
        &self.params["inputResponses"]
    }

    /// Waits until the client has closed the connection: that is a cancellation.
    pub fn await_gone(&mut self) {
        if self.exchange.await_gone() {
            lock(&self.core.state).cancelled += 1;
            self.core.changed.notify_all();
        }
    }

    /// The answering side itself.
    pub fn http(&mut self) -> &mut Exchange {
        self.exchange
    }
}

/// The result of a tool that says `text` (JSON).
pub fn text_result(text: &Value) -> String {
    format!(
        r#"{{"resultType":"complete","content":[{{"type":"text","text":{text}}}],"_meta":{{"io.modelcontextprotocol/serverInfo":{{"name":"modern","version":"2"}}}}}}"#
    )
}

fn canned(method: &str) -> Option<&'static str> {
    Some(match method {
        "prompts/list" => {
            r#"{"resultType":"complete","prompts":[{"name":"greet"}],"ttlMs":0,"cacheScope":"private"}"#
        }
        "prompts/get" => {
            r#"{"resultType":"complete","messages":[{"role":"user","content":{"type":"text","text":"hi"}}]}"#
        }
        "resources/list" => {
            r#"{"resultType":"complete","resources":[{"uri":"test://one","name":"one"}],"ttlMs":0,"cacheScope":"private"}"#
        }
        "resources/templates/list" => {
            r#"{"resultType":"complete","resourceTemplates":[],"ttlMs":0,"cacheScope":"private"}"#
        }
        "resources/read" => {
            r#"{"resultType":"complete","contents":[{"uri":"test://one","text":"1"}],"ttlMs":0,"cacheScope":"private"}"#
        }
        "completion/complete" => r#"{"resultType":"complete","completion":{"values":["a"]}}"#,
        _ => return None,
    })
}
