//! A small MCP server for the demo: both eras over Streamable HTTP, and HTTP+SSE. What it offers is
//! an [`Offer`]; it knows no tool itself.
//!
//! - `message`: JSON-RPC as it comes in, and errors as they go out.
//! - `era`: which era a message is of, and what 2026-07-28 wants of one (pure).
//! - `stream`: event streams that can be resumed; `session`: what a legacy session holds.
//! - `http`: Streamable HTTP; `http_sse`: HTTP+SSE.

mod era;
mod http;
mod http_sse;
mod message;
mod session;
mod stream;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};

pub(super) use message::{Fault, Outcome};
pub(super) use session::Session;
use stream::{Ending, Stream};

use super::Era;
use crate::{era::meta, protocol::answer_version};

/// What a server offers.
pub(super) trait Offer: Send + Sync {
    /// Its `capabilities`, `serverInfo` and `instructions`.
    fn about(&self) -> Value;

    /// The result of a request, other than those about the server itself.
    fn answer<'c>(&'c self, call: &'c Call) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'c>>;
}

type Sessions = HashMap<String, Arc<Session>>;

/// A server at one endpoint.
pub(super) struct Server {
    era: Era,
    offer: Box<dyn Offer>,
    sessions: Mutex<Sessions>,
    sessions_of_sse: Mutex<Sessions>,
}

/// A request that is being answered.
pub(super) struct Call {
    id: Value,
    pub(super) method: String,
    pub(super) params: Value,
    /// None in 2026-07-28.
    session: Option<Arc<Session>>,
    stream: Stream,
}

impl Server {
    pub(super) fn new(era: Era, offer: Box<dyn Offer>) -> Arc<Self> {
        let (sessions, sessions_of_sse) = Default::default();
        Arc::new(Server { era, offer, sessions, sessions_of_sse })
    }

    /// The response to a request.
    async fn respond(&self, call: &Call) -> Result<Value, Fault> {
        let mut result = match (call.method.as_str(), call.session.as_deref()) {
            ("initialize", Some(session)) => self.initialize(call, session),
            ("ping", Some(_)) => json!({}),
            ("server/discover", None) => self.discover(),
            _ => self.offer.answer(call).await?,
        };
        if call.session.is_none() {
            era::complete(&call.method, &mut result);
        }
        Ok(json!({ "jsonrpc": "2.0", "id": call.id, "result": result }))
    }

    fn initialize(&self, call: &Call, session: &Session) -> Value {
        session.set_able(call.params["capabilities"].clone());
        let mut result = self.offer.about();
        let asked = call.params["protocolVersion"].as_str().unwrap_or_default();
        result["protocolVersion"] = answer_version(asked).into();
        result
    }

    fn discover(&self) -> Value {
        let mut result = self.offer.about();
        let server = result["serverInfo"].take();
        if let Some(members) = result.as_object_mut() {
            members.remove("serverInfo");
        }
        result["supportedVersions"] = era::supported(self.era).into();
        result["_meta"] = json!({ meta::SERVER_INFO: server });
        result
    }

    /// Begins to answer a request in a session. With `ending`, the stream ends with the answer.
    fn start(self: &Arc<Self>, call: Call, session: &Arc<Session>, ending: Option<Ending>) {
        let (server, id) = (self.clone(), call.id.clone());
        let task = async move {
            let _ending = ending;
            let answer = server.respond(&call).await;
            call.stream.say(&answer.unwrap_or_else(|fault| fault.response(&call.id)));
            call.session.inspect(|session| session.finished(&call.id));
        };
        session.run(&id, task);
    }
}

impl Call {
    fn new(message: message::Message, session: Option<Arc<Session>>, stream: Stream) -> Self {
        Call { id: message.id, method: message.method, params: message.params, session, stream }
    }

    /// The session; none in 2026-07-28.
    pub(super) fn session(&self) -> Option<&Session> {
        self.session.as_deref()
    }

    /// The id of the request.
    pub(super) fn id(&self) -> &Value {
        &self.id
    }

    /// A text among the parameters.
    ///
    /// # Errors
    /// That there is none by that name.
    pub(super) fn text(&self, name: &str) -> Result<&str, Fault> {
        text(&self.params, name)
    }

    /// Sends a notification on the stream of this request.
    pub(super) fn notify(&self, method: &str, params: Value) {
        self.stream.say(&notification(method, params));
    }

    /// Logs, if the session, or in 2026-07-28 the request, wants this level.
    pub(super) fn log(&self, level: &str, text: &str) {
        let asked = match self.session() {
            Some(session) => Some(session.level().unwrap_or_else(|| "info".to_owned())),
            None => self.params["_meta"][meta::LOG_LEVEL].as_str().map(str::to_owned),
        };
        let severity = |level: &str| LEVELS.iter().position(|known| *known == level);
        let least = asked.and_then(|asked| severity(&asked));
        if least.is_none_or(|least| severity(level) < Some(least)) {
            return;
        }
        let params = json!({ "level": level, "logger": "sandbox", "data": text });
        let message = notification("notifications/message", params);
        // In a session it belongs to no request (1125:http, "Listening for Messages").
        self.session().map_or(&self.stream, |session| &session.common).say(&message);
    }

    /// Whether the client can put questions to the person.
    pub(super) fn can_ask(&self) -> bool {
        match self.session() {
            Some(session) => session.is_able_to("elicitation"),
            None => self.params["_meta"][meta::CLIENT_CAPABILITIES].get("elicitation").is_some(),
        }
    }

    /// Puts a question to the person in a session, and gives the client's response.
    pub(super) async fn ask(&self, question: Value) -> Value {
        match self.session() {
            Some(session) => session.ask(&self.stream, "elicitation/create", question).await,
            None => Value::Null,
        }
    }
}

/// The levels of log messages, the least severe first.
pub(super) const LEVELS: [&str; 8] =
    ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// A text among the members of an object.
///
/// # Errors
/// That there is none by that name.
pub(super) fn text<'v>(object: &'v Value, name: &str) -> Result<&'v str, Fault> {
    let found = object[name].as_str();
    found.ok_or_else(|| Fault::invalid_params(format!("`{name}` must be a string")))
}

/// A tool's result that is a text.
pub(super) fn text_result(text: &str, is_error: bool) -> Value {
    json!({ "content": [{ "type": "text", "text": text }], "isError": is_error })
}

/// A notification.
pub(super) fn notification(method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": method, "params": params })
}

/// The map is whole after every statement that changes it, so a poisoned one is usable.
fn unpoisoned(sessions: &Mutex<Sessions>) -> MutexGuard<'_, Sessions> {
    sessions.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A new id for a session.
fn new_session() -> String {
    format!("{:032x}", fastrand::u128(..))
}
