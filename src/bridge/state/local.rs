//! What the local client says.

use bytes::Bytes;
use tracing::debug;

use super::{Action, Held, OneWay, State};
use crate::{
    bridge::pending::{Batch, Request, Stage},
    error::{Error, Kind},
    message::{self, Invalid, Message, elements, is_request_id, member, unquote},
    protocol::{List, Method},
    time::Millis,
};

/// What is known of the local client.
#[derive(Debug, Default)]
pub(super) struct Local {
    /// Its `initialize`, kept to open further sessions with.
    pub initialize: Option<Message>,
    /// When that came.
    pub since: Millis,
    /// Whether that has its answer.
    pub is_answered: bool,
    /// Its `notifications/initialized`.
    pub initialized: Option<Bytes>,
    /// The protocol version it was told.
    pub version: Option<String>,
    /// Its last `logging/setLevel`.
    pub log_level: Option<Message>,
    /// Its `resources/subscribe` requests, by URI.
    pub subscriptions: Vec<(String, Message)>,
}

impl Local {
    /// The `initialize` that still wants an answer.
    pub fn unanswered_initialize(&self) -> Option<&Message> {
        self.initialize.as_ref().filter(|_| !self.is_answered)
    }

    /// The same, counted as answered from now on.
    pub fn take_unanswered(&mut self) -> Option<Message> {
        let initialize = self.unanswered_initialize().cloned();
        self.is_answered = true;
        initialize
    }
}

impl State {
    pub(super) fn on_line(&mut self, line: Bytes) {
        let line = trim(line);
        match line.first() {
            None => {}
            Some(b'[') => self.on_batch(&line),
            Some(_) => self.on_text(line, None),
        }
    }

    pub(super) fn on_long_line(&mut self) {
        let error = Error::new(Kind::Limit, "the message is longer than 128 MiB");
        self.refuse(&error, None, None);
    }

    fn on_text(&mut self, text: Bytes, batch: Option<u64>) {
        match Message::parse(text) {
            Ok(message) => self.on_message(message, batch),
            Err(Invalid::Shape(id)) => {
                let error = Error::new(Kind::InvalidRequest, Invalid::Shape(None).to_string());
                self.refuse(&error, id.filter(|id| is_request_id(id)).as_deref(), batch);
            }
            Err(invalid) => {
                let error = Error::new(Kind::Parse, invalid.to_string());
                self.refuse(&error, None, batch);
            }
        }
    }

    pub(super) fn on_message(&mut self, message: Message, batch: Option<u64>) {
        debug!("the client says {}", message.summary());
        match message.kind() {
            message::Kind::Request if !message.id().is_some_and(is_request_id) => {
                let error = Error::new(Kind::InvalidRequest, "the id must be a string or a number");
                self.refuse(&error, None, batch);
            }
            message::Kind::Request => self.on_request(message, batch),
            message::Kind::Notification => self.on_notification(message),
            message::Kind::Response => self.on_answer(&message),
        }
    }

    fn on_request(&mut self, message: Message, batch: Option<u64>) {
        if self.sessionless {
            let method = Self::modern_method(&message);
            return self.accept_if_shown(message, method, batch);
        }
        let method = Method::of(&message.method());
        match method {
            Method::Initialize if batch.is_some() => {
                let error = Error::new(Kind::InvalidRequest, "`initialize` cannot be in a batch");
                self.refuse(&error, message.id(), batch);
            }
            Method::Initialize => self.on_initialize(message),
            Method::Ping if !self.link.is_usable() => {
                let id = message.id().unwrap_or("null");
                let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#);
                self.reply(answer.into(), batch);
            }
            _ if self.local.initialize.is_none() => {
                let error = self.not_initialized(&message.method());
                self.refuse(&error, message.id(), batch);
            }
            _ => self.accept_if_shown(message, method, batch),
        }
    }

    /// A request that goes to the remote, unless it calls a hidden tool.
    fn accept_if_shown(&mut self, message: Message, method: Method, batch: Option<u64>) {
        if method != Method::ToolsCall || self.may_call(&message) {
            return self.accept(message, method, batch);
        }
        let name = message.param("name").map(unquote).unwrap_or_default();
        let error = Error::new(Kind::ToolNotAvailable, format!("Tool \"{name}\" is not available"));
        self.refuse(&error, message.id(), batch);
    }

    /// Why a request is refused before a successful `initialize`.
    fn not_initialized(&self, method: &str) -> Error {
        if method == "server/discover" {
            return Error::new(Kind::MethodNotFound, "this server speaks MCP up to 2025-11-25");
        }
        let early = Error::new(Kind::InvalidRequest, "the first request must be `initialize`");
        self.link.failure().cloned().unwrap_or(early)
    }

    fn may_call(&self, message: &Message) -> bool {
        let filter = &self.settings.filter;
        filter.is_off() || message.param("name").is_none_or(|name| filter.shows(&unquote(name)))
    }

    /// A request that goes to the remote, now or when it is there.
    fn accept(&mut self, message: Message, method: Method, batch: Option<u64>) {
        self.note_for_replay(&message, method);
        let cursor = match method {
            Method::List(_) => message.param("cursor").map(|cursor| unquote(cursor).into_owned()),
            _ => None,
        };
        let key = self.requests.insert(Request {
            message,
            method,
            stage: Stage::Held,
            remote_id: None,
            repeats: 0,
            deadline: None,
            since: self.now.mono,
            batch,
            cursor: cursor.unwrap_or_default(),
        });
        if self.held.is_empty() && self.link.is_usable() {
            self.submit(key);
        } else {
            self.hold(key);
        }
    }

    /// What a later session must be told again.
    fn note_for_replay(&mut self, message: &Message, method: Method) {
        let uri = || message.param("uri").map(|uri| unquote(uri).into_owned()).unwrap_or_default();
        match method {
            Method::SetLevel => self.local.log_level = Some(message.clone()),
            Method::Subscribe => {
                let uri = uri();
                self.local.subscriptions.retain(|(known, _)| *known != uri);
                self.local.subscriptions.push((uri, message.clone()));
            }
            Method::Unsubscribe => {
                let uri = uri();
                self.local.subscriptions.retain(|(known, _)| *known != uri);
            }
            _ => {}
        }
    }

    fn on_notification(&mut self, message: Message) {
        match message.method().as_ref() {
            _ if self.local.initialize.is_none() && !self.sessionless => {
                debug!("ignored a notification before `initialize`")
            }
            "notifications/initialized" => {
                let bytes = message.bytes().clone();
                self.local.initialized = Some(bytes.clone());
                self.held.push_back(Held::Initialized(bytes));
                self.advance();
            }
            "notifications/cancelled" => self.on_cancelled(&message),
            _ => {
                let bytes = message.bytes().clone();
                self.send_or_hold(OneWay { bytes, is_answer: false, tries: 0 });
            }
        }
    }

    pub(super) fn send_or_hold(&mut self, message: OneWay) {
        if self.held.is_empty() && self.link.is_usable() {
            self.send_one_way(message, None);
        } else {
            self.held.push_back(Held::OneWay(message));
        }
    }

    /// The local client gives up one of its requests (1125:canc): it gets no answer any more, and
    /// the remote is told, unless the request never left.
    fn on_cancelled(&mut self, message: &Message) {
        let key = message.param("requestId").and_then(|id| self.requests.by_local_id(id));
        let Some(request) = key.and_then(|key| self.requests.remove(key)) else {
            let names_initialize =
                self.local.initialize.as_ref().and_then(Message::id) == message.param("requestId");
            // Nothing but the end of its stream calls off a modern request (MH-40).
            if !names_initialize && !self.is_modern() {
                let bytes = message.bytes().clone();
                self.send_or_hold(OneWay { bytes, is_answer: false, tries: 0 });
            }
            return;
        };
        self.answer_missing(request.batch);
        let bytes = match &request.remote_id {
            Some(id) => message.with_param("requestId", id),
            None => message.bytes().clone(),
        };
        let current = self.connection.generation;
        let (exchange, is_current) = match request.stage {
            Stage::Sent(exchange) if self.is_modern() => return self.abort(exchange),
            Stage::Sent(exchange) => {
                // A server may leave the stream of what it was told to drop open for ever.
                self.linger(exchange);
                // Without its exchange it is accepted over HTTP+SSE, on the stream there is.
                let begun = self.exchanges.get(&exchange).map(|(_, generation)| *generation);
                (Some(exchange), begun.is_none_or(|generation| generation == current))
            }
            Stage::Resuming(resume) => {
                resume.exchange.into_iter().for_each(|exchange| self.abort(exchange));
                (None, resume.generation == current)
            }
            Stage::Held | Stage::Delayed => {
                self.held.retain(|held| !matches!(held, Held::Request(held) if Some(*held) == key));
                return;
            }
        };
        // A session that is gone has called off everything by itself.
        if is_current {
            self.send_one_way(OneWay { bytes, is_answer: false, tries: 0 }, exchange);
        }
    }

    /// The local client answers a request of the remote.
    fn on_answer(&mut self, message: &Message) {
        let Some(inbound) = message.id().and_then(|id| self.inbounds.take_local(id)) else {
            debug!("ignored an answer to no request of the remote");
            return;
        };
        if inbound.generation != self.connection.generation {
            debug!("ignored an answer to a request of an earlier session");
            return;
        }
        let bytes = if message.id() == Some(&inbound.remote_id) {
            message.bytes().clone()
        } else {
            message.with_id(&inbound.remote_id)
        };
        // Never held back: the remote waits for it, perhaps even before it is ready itself.
        self.send_one_way(OneWay { bytes, is_answer: true, tries: 0 }, None);
    }

    fn on_batch(&mut self, array: &Bytes) {
        if self.local.version.as_deref() != Some("2025-03-26") {
            let text = "batches exist only in protocol version 2025-03-26";
            return self.refuse_without_id(&Error::new(Kind::InvalidRequest, text));
        }
        let Some(items) = elements(array) else {
            return self.refuse(&Error::new(Kind::Parse, "not valid JSON"), None, None);
        };
        if items.is_empty() {
            return self.refuse(&Error::new(Kind::InvalidRequest, "an empty batch"), None, None);
        }
        let texts: Vec<Bytes> =
            items.iter().map(|item| array.slice_ref(item.get().as_bytes())).collect();
        let number = self.unique();
        let wants_answer = |text: &Bytes| match Message::parse(text.clone()) {
            Ok(message) => message.kind() == message::Kind::Request,
            Err(_) => true,
        };
        let missing = texts.iter().filter(|text| wants_answer(text)).count();
        if missing > 0 {
            self.batches.insert(number, Batch { missing, answers: Vec::new() });
        }
        for text in texts {
            self.on_text(text, Some(number));
        }
    }

    /// Answers a message that goes nowhere.
    fn refuse(&mut self, error: &Error, id: Option<&str>, batch: Option<u64>) {
        let answer = match id {
            None if self.null_id_expected() => error.response(Some("null")),
            id => error.response(id),
        };
        self.reply(answer, batch);
    }

    fn refuse_without_id(&mut self, error: &Error) {
        let answer = error.response(None);
        self.act(Action::Write(answer));
    }

    /// Up to 2025-06-18 an error must have an id; from 2025-11-25 on an unknown one is left out.
    fn null_id_expected(&self) -> bool {
        !self.sessionless
            && !self.is_beside_modern
            && self.local.version.as_deref().is_none_or(|version| version < "2025-11-25")
    }

    /// Writes an answer, or keeps it for its batch.
    pub(super) fn reply(&mut self, answer: Bytes, batch: Option<u64>) {
        let Some(number) = batch else { return self.act(Action::Write(answer)) };
        if let Some(batch) = self.batches.get_mut(&number) {
            batch.answers.push(answer);
        }
        self.answer_missing(Some(number));
    }

    /// One answer of a batch less to wait for.
    fn answer_missing(&mut self, batch: Option<u64>) {
        let Some(number) = batch else { return };
        let Some(entry) = self.batches.get_mut(&number) else { return };
        entry.missing = entry.missing.saturating_sub(1);
        if entry.missing > 0 {
            return;
        }
        let joined = (!entry.answers.is_empty()).then(|| entry.join());
        self.batches.remove(&number);
        if let Some(joined) = joined {
            self.act(Action::Write(joined));
        }
    }

    /// Whether the local client has seen `list` in its `initialize` answer, or may have.
    pub(super) fn declares(result: &str, list: List) -> bool {
        let capability = member(result, "capabilities").and_then(|all| member(all, list.name()));
        capability.and_then(|one| member(one, "listChanged")) == Some("true")
    }
}

/// Without a byte order mark before and white space around.
pub fn trim(line: Bytes) -> Bytes {
    let text = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line).trim_ascii();
    if text.len() == line.len() { line } else { line.slice_ref(text) }
}
