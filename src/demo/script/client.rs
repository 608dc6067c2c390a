//! The client's end of the dialogue: what is sent, and what comes back.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::screen::Screen;
use crate::{
    demo::{
        Dialect,
        child::{Child, Incoming},
    },
    error::{Error, Kind},
};

/// The client, and the bridge that it launched.
pub(super) struct Client<'a> {
    pub(super) dialect: Dialect,
    pub(super) child: Child,
    pub(super) screen: Screen<'a>,
    /// The name that the server gives itself.
    pub(super) server: &'static str,
    next_id: u64,
    /// Requests that have no answer yet, and when they were sent.
    sent: Vec<(u64, Instant)>,
}

/// What came from the bridge.
pub(super) enum Event {
    Answer(Answer),
    Other(Value, Instant),
}

pub(super) struct Answer {
    pub(super) id: u64,
    pub(super) result: Value,
    pub(super) took: Duration,
    pub(super) at: Instant,
}

impl Answer {
    /// The text of a tool's result.
    pub(super) fn text(&self) -> &str {
        self.result["content"][0]["text"].as_str().unwrap_or("")
    }
}

impl<'a> Client<'a> {
    pub(super) fn new(
        dialect: Dialect,
        child: Child,
        screen: Screen<'a>,
        server: &'static str,
    ) -> Self {
        Client { dialect, child, screen, server, next_id: 0, sent: Vec::new() }
    }

    pub(super) fn call(&mut self, tool: &str, arguments: Value) -> Result<u64, String> {
        self.screen.sent(&format!("tools/call {tool} {arguments}"));
        self.send_call(tool, arguments)
    }

    /// A tool call that is not shown.
    pub(super) fn send_call(&mut self, tool: &str, arguments: Value) -> Result<u64, String> {
        self.send_request("tools/call", json!({ "name": tool, "arguments": arguments }))
    }

    pub(super) fn request(
        &mut self,
        method: &str,
        params: Value,
        shown: &str,
    ) -> Result<u64, String> {
        self.screen.sent(&format!("{method} {shown}"));
        self.send_request(method, params)
    }

    /// A request whose answer says nothing but that it was done.
    pub(super) fn settle(
        &mut self,
        method: &str,
        params: Value,
        shown: &str,
    ) -> Result<(), String> {
        let id = self.request(method, params, shown)?;
        let answer = self.answer(id)?;
        self.screen.received("{}", Some(answer.took));
        Ok(())
    }

    fn send_request(&mut self, method: &str, mut params: Value) -> Result<u64, String> {
        self.dialect.sign(&mut params);
        self.next_id += 1;
        let id = self.next_id;
        self.sent.push((id, Instant::now()));
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))?;
        Ok(id)
    }

    pub(super) fn notify(&mut self, method: &str, params: Value) -> Result<(), String> {
        self.screen.sent(method);
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }))
    }

    /// Ends a request that is answered by being ended.
    pub(super) fn cancel(&mut self, id: u64) -> Result<(), String> {
        self.sent.retain(|(sent, _)| *sent != id);
        self.notify("notifications/cancelled", json!({ "requestId": id }))
    }

    pub(super) fn send(&mut self, message: &Value) -> Result<(), String> {
        self.child.send(message)
    }

    /// The answer to request `id`, which must be the next to come; anything else that is no
    /// answer is shown.
    pub(super) fn answer(&mut self, id: u64) -> Result<Answer, String> {
        loop {
            match self.next()? {
                Event::Answer(answer) if answer.id == id => return Ok(answer),
                Event::Answer(answer) => {
                    return Err(format!("request {} was answered before {id}", answer.id));
                }
                Event::Other(message, _) => self.screen.other(&message),
            }
        }
    }

    pub(super) fn next(&mut self) -> Result<Event, String> {
        let Incoming { message, at } = self.child.receive()?;
        if message.get("method").is_some() {
            return Ok(Event::Other(message, at));
        }
        let id = message["id"].as_u64();
        let asked = self.sent.iter().position(|(sent, _)| Some(*sent) == id);
        let Some(asked) = asked else {
            return Err(format!("an answer to no request: {message}"));
        };
        let (id, sent) = self.sent.swap_remove(asked);
        let result = match message.get("result") {
            Some(result) => result.clone(),
            None => return Err(format!("an error: {}", message["error"])),
        };
        Ok(Event::Answer(Answer { id, result, took: at - sent, at }))
    }

    pub(super) fn explain(&mut self, step: &str, failure: String) -> Error {
        let mut error =
            Error::new(Kind::Unexpected, format!("the demo failed at `{step}`")).because(failure);
        for line in self.child.kill().lines() {
            error = error.because(format!("the bridge wrote on stderr: {line}"));
        }
        error
    }
}
