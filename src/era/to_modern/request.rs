//! Requests of the client on their way to one answer (spec digest 6A.2).

use bytes::Bytes;
use tracing::debug;

use super::{
    Purpose, ToModern,
    client::LEVELS,
    result::{ResultType, What, legacy_answer, legacy_error},
    retry::Rounds,
};
use crate::{
    error::{Error, Kind},
    message::{self, Message, object::Object, same_id, unquote},
    remote::{
        event::{End, Event, ExchangeId, Mirrored, Post, Refusal, Route},
        refusal,
    },
};

/// A request of the client that has no answer yet, or whose stream is still open.
#[derive(Debug)]
pub(super) struct Call {
    /// The request, as it was posted.
    pub message: Message,
    /// What it asks for.
    pub what: What,
    /// The exchange below that may bring the answer.
    pub below: Option<ExchangeId>,
    /// The id it was sent under the last time, where that is not its own.
    pub sent_as: Option<String>,
    /// Whether it has its answer.
    pub is_answered: bool,
    /// The highest progress that was told.
    pub progress: Option<f64>,
    /// Whether the layer above has connected anew since, and lets no question through to the client
    /// on this exchange.
    pub is_stranded: bool,
    /// What came between the request and its answer.
    pub rounds: Option<Box<Rounds>>,
}

impl Call {
    /// The id, as the layer above spelled it.
    pub fn id(&self) -> &str {
        self.message.id().unwrap_or("null")
    }

    /// What is said to have been attempted when it fails.
    pub fn attempted(&self, host: &str) -> String {
        format!("could not get an answer to {} from {host}", self.name())
    }

    /// What it is, for a sentence.
    pub fn name(&self) -> String {
        let method = self.message.method();
        match (self.what, self.message.param("name")) {
            (What::Call, Some(tool)) => format!("`{method}` of `{}`", unquote(tool)),
            _ => format!("`{method}`"),
        }
    }
}

/// How an answer came: it decides how it is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    /// On a stream that may still be open.
    Stream,
    /// As a body; its exchange is over.
    Body,
}

impl ToModern {
    pub(super) fn on_post(&mut self, post: Post) {
        let exchange = post.exchange;
        match Message::parse(post.body.clone()) {
            Ok(message) => match message.kind() {
                message::Kind::Request => self.on_request(post, message),
                message::Kind::Notification => self.on_notification(post, &message),
                message::Kind::Response => {
                    self.accept(exchange);
                    self.on_client_answer(&message);
                }
            },
            Err(why) => {
                let end = End::Malformed(format!("the request is {why}"));
                self.up(Event::Ended { exchange, end });
            }
        }
    }

    fn on_request(&mut self, post: Post, message: Message) {
        let method = message.method();
        match method.as_ref() {
            "initialize" => self.on_initialize(&post, &message),
            "ping" => self.succeed(post.exchange, &message),
            "logging/setLevel" => self.set_level(post.exchange, &message),
            "resources/subscribe" | "resources/unsubscribe" if !self.server.subscribe => {
                self.refuse_method(post.exchange, &message, "the server does not tell of changes");
            }
            "resources/subscribe" => self.subscribe(post.exchange, &message),
            "resources/unsubscribe" => self.unsubscribe(post.exchange, &message),
            "completion/complete" if !self.server.completions => {
                self.refuse_method(post.exchange, &message, "the server does not offer it");
            }
            // What a legacy client knows of tasks cannot be had here (XA-26, XA-60).
            name if name.starts_with("tasks/") => {
                self.refuse_method(post.exchange, &message, "no tasks were offered");
            }
            "server/discover" | "subscriptions/listen" => {
                let why = "it does not exist up to 2025-11-25";
                self.refuse_method(post.exchange, &message, why);
            }
            _ => {
                let what = What::of(&method);
                drop(method);
                self.forward(post, message, what);
            }
        }
    }

    /// Sends a request under its own id (XA-10); its exchange above serves below too.
    fn forward(&mut self, mut post: Post, message: Message, what: What) {
        let described = match &self.client {
            Some(client) => client.describe_request(&message, what == What::Call),
            None => Some(message.bytes().clone()),
        };
        let Some(body) = described else {
            let why = "its parameters are not an object";
            return self.refuse(post.exchange, &message, Kind::InvalidParams, why);
        };
        post.body = body;
        post.route = Route::Modern(Mirrored::default());
        let exchange = post.exchange;
        let call = Call {
            message,
            what,
            below: Some(exchange),
            sent_as: None,
            is_answered: false,
            progress: None,
            is_stranded: false,
            rounds: None,
        };
        self.calls.insert(exchange, call);
        self.steps.push(super::Step::Post(post));
    }

    /// `{}`, for what the bridge does itself.
    pub(super) fn succeed(&mut self, exchange: ExchangeId, message: &Message) {
        let id = message.id().unwrap_or("null");
        self.answer(exchange, format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#).into());
    }

    pub(super) fn refuse(
        &mut self,
        exchange: ExchangeId,
        message: &Message,
        kind: Kind,
        why: &str,
    ) {
        let attempted = format!("could not carry out `{}`", message.method());
        let error = Error::new(kind, attempted).because(why);
        self.answer(exchange, error.response(message.id()));
    }

    fn refuse_method(&mut self, exchange: ExchangeId, message: &Message, why: &str) {
        self.refuse(exchange, message, Kind::MethodNotFound, why);
    }

    /// XA-20.
    fn set_level(&mut self, exchange: ExchangeId, message: &Message) {
        if !self.server.logging {
            return self.refuse_method(exchange, message, "the server does not log");
        }
        let level = message.param("level").map(unquote).unwrap_or_default();
        if !LEVELS.contains(&level.as_ref()) {
            let why = format!("the level must be one of {}", LEVELS.join(", "));
            return self.refuse(exchange, message, Kind::InvalidParams, &why);
        }
        if let Some(client) = &mut self.client {
            client.set_level(&level);
        }
        self.succeed(exchange, message);
    }

    fn on_notification(&mut self, mut post: Post, message: &Message) {
        match message.method().as_ref() {
            "notifications/initialized" => {
                self.accept(post.exchange);
                self.is_confirmed = true;
                self.ask_what_waits();
            }
            // Nothing of this exists any more (XA-18, XA-19, XA-21).
            "notifications/roots/list_changed"
            | "notifications/progress"
            | "notifications/cancelled" => self.accept(post.exchange),
            _ => {
                self.below.insert(post.exchange, Purpose::Notification);
                post.route = Route::Modern(Mirrored::default());
                self.steps.push(super::Step::Post(post));
            }
        }
    }

    /// What became of a notification; that the server did not want it is nobody's concern (XA-24).
    pub(super) fn on_notified(&mut self, event: Event) {
        let exchange = super::exchange_of(&event);
        let end = match event {
            Event::Ended { end: end @ End::Unsent(_), .. } => end,
            Event::Ended { .. } | Event::Answer { .. } => End::Accepted(202),
            Event::Opened { .. } | Event::Endpoint { .. } | Event::Message { .. } => return,
        };
        self.below.remove(&exchange);
        self.up(Event::Ended { exchange, end });
    }

    /// Something came for a call, on the exchange that may bring its answer.
    pub(super) fn on_call_event(&mut self, exchange: ExchangeId, event: Event) {
        match event {
            Event::Opened { .. } => self.up(Event::Opened { exchange, session: None }),
            Event::Endpoint { .. } => {}
            Event::Message { bytes, .. } => self.on_call_message(exchange, bytes),
            Event::Answer { bytes, .. } => {
                self.let_go(exchange);
                match Message::parse(bytes.clone()) {
                    Ok(answer) => self.on_response(exchange, &answer, Carrier::Body),
                    // The layer above says what is wrong with it.
                    Err(_) => {
                        self.calls.remove(&exchange);
                        self.answer(exchange, bytes);
                    }
                }
            }
            Event::Ended { end, .. } => {
                self.let_go(exchange);
                self.on_call_ended(exchange, end);
            }
        }
    }

    /// The exchange below is over.
    fn let_go(&mut self, exchange: ExchangeId) {
        if let Some(below) = self.calls.get_mut(&exchange).and_then(|call| call.below.take()) {
            self.below.remove(&below);
        }
    }

    fn on_call_message(&mut self, exchange: ExchangeId, bytes: Bytes) {
        match Message::parse(bytes.clone()) {
            Ok(message) => match message.kind() {
                message::Kind::Response => self.on_response(exchange, &message, Carrier::Stream),
                message::Kind::Notification => self.on_call_notification(exchange, &message),
                message::Kind::Request => {
                    debug!("ignored a request of a modern server, which makes none");
                }
            },
            Err(_) => self.say(exchange, bytes),
        }
    }

    fn on_call_notification(&mut self, exchange: ExchangeId, message: &Message) {
        let Some(call) = self.calls.get_mut(&exchange).filter(|call| !call.is_answered) else {
            return;
        };
        let mut bytes = message.bytes().clone();
        match message.method().as_ref() {
            // It has no use on the stream of a request (MD-43).
            "notifications/cancelled" => return,
            "notifications/progress" => {
                let progress: Option<f64> =
                    message.param("progress").and_then(|token| token.parse().ok());
                let is_later = call.sent_as.is_some();
                let is_old =
                    matches!((progress, call.progress), (Some(new), Some(old)) if new <= old);
                if is_later && is_old {
                    return;
                }
                call.progress = match (progress, call.progress) {
                    (Some(new), Some(old)) => Some(new.max(old)),
                    (new, old) => new.or(old),
                };
                let is_oldest = self.client.as_ref().is_some_and(|it| it.version == "2024-11-05");
                if is_oldest && let Some(params) = message.params().and_then(Object::parse) {
                    let mut params = params;
                    params.remove("message");
                    bytes = message.with_params(&params.to_string());
                }
            }
            _ => {}
        }
        self.say(exchange, bytes);
    }

    /// An answer to a call.
    fn on_response(&mut self, exchange: ExchangeId, answer: &Message, carrier: Carrier) {
        let Some(call) = self.calls.get(&exchange).filter(|call| !call.is_answered) else { return };
        let sent_as = call.sent_as.as_deref().unwrap_or_else(|| call.id());
        let is_anonymous = answer.id().is_none_or(|id| id == "null") && answer.error().is_some();
        let is_its = is_anonymous || answer.id().is_some_and(|id| same_id(id, sent_as));
        if !is_its || answer.kind() != message::Kind::Response {
            debug!("an answer under another id than that of its request");
            if carrier == Carrier::Body {
                let end = End::Malformed("an answer under another id".to_owned());
                self.on_call_ended(exchange, end);
            }
            return;
        }
        if let Some(error) = answer.error() {
            let error = self.translate_error(call, error);
            let answer = format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, call.id());
            return self.conclude(exchange, answer.into(), carrier);
        }
        let text = answer.result().unwrap_or("null");
        // What is no object is not ours to judge.
        let result = Object::parse(text).unwrap_or_default();
        let kind =
            if call.what == What::Unknown { ResultType::Complete } else { ResultType::of(&result) };
        match kind {
            ResultType::Complete => {
                let answer = if result.is_empty() {
                    answer.with_id_added(call.id())
                } else {
                    legacy_answer(answer, text, &result, call.what, call.id())
                };
                self.complete_visits(exchange, &[]);
                self.conclude(exchange, answer, carrier);
            }
            ResultType::InputRequired if call.what.may_ask() => {
                self.on_input_required(exchange, &result);
            }
            ResultType::Task if call.what == What::Call => self.on_task(exchange, &result),
            ResultType::InputRequired | ResultType::Task => {
                self.fail_as(exchange, Kind::Protocol, "such a request cannot be answered so");
            }
            ResultType::Unknown(name) => {
                let why = format!("the result is of the unknown type `{name}`");
                self.fail_as(exchange, Kind::Protocol, &why);
            }
        }
    }

    fn translate_error(&self, call: &Call, error: &str) -> String {
        let uri = call.message.param("uri").filter(|_| call.what == What::Read);
        legacy_error(error, uri, &call.attempted(&self.host))
    }

    /// A call has its answer.
    pub(super) fn conclude(&mut self, exchange: ExchangeId, answer: Bytes, carrier: Carrier) {
        self.settle_questions(exchange);
        let below = self.calls.get(&exchange).and_then(|call| call.below);
        match (carrier, below) {
            (Carrier::Stream, Some(_)) => {
                if let Some(call) = self.calls.get_mut(&exchange) {
                    call.is_answered = true;
                    call.rounds = None;
                }
                self.say(exchange, answer);
            }
            (_, below) => {
                self.calls.remove(&exchange);
                below.into_iter().for_each(|below| self.spend(below));
                self.answer(exchange, answer);
            }
        }
    }

    /// A call fails for a reason that the bridge gives.
    pub(super) fn fail_as(&mut self, exchange: ExchangeId, kind: Kind, why: &str) {
        let Some(call) = self.calls.get(&exchange) else { return };
        let error = Error::new(kind, call.attempted(&self.host)).because(why);
        let answer = error.response(Some(call.id()));
        self.conclude(exchange, answer, Carrier::Body);
    }

    /// The exchange of a call ended without an answer. What becomes of a first try is for the layer
    /// above to say; a later one is not to be repeated from the start.
    fn on_call_ended(&mut self, exchange: ExchangeId, end: End) {
        let Some(call) = self.calls.get(&exchange) else { return };
        if !call.is_answered && call.rounds.is_some() {
            return self.on_retry_ended(exchange, end);
        }
        if let End::Status(refused) = &end
            && !call.is_answered
            && let Some(answer) = self.refusal_answer(call, refused)
        {
            return self.conclude(exchange, answer, Carrier::Body);
        }
        self.calls.remove(&exchange);
        self.up(Event::Ended { exchange, end });
    }

    /// The JSON-RPC error in a refusal that says that the request is wrong.
    pub(super) fn refusal_answer(&self, call: &Call, refused: &Refusal) -> Option<Bytes> {
        if !matches!(refused.status, 400 | 404) {
            return None;
        }
        let answer = refusal::json_rpc_error(refused)?;
        let error = self.translate_error(call, answer.error()?);
        Some(format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, call.id()).into())
    }

    /// The layer above wants nothing more of a call: the client has cancelled it (XA-21), or its
    /// answered stream stays open for too long.
    pub(super) fn abort_call(&mut self, exchange: ExchangeId) {
        self.withdraw_questions(exchange);
        let Some(call) = self.calls.remove(&exchange) else { return };
        if let Some(below) = call.below {
            self.below.remove(&below);
            self.steps.push(super::Step::Abort(below));
        }
        if let Some(task) = call.rounds.and_then(|rounds| rounds.task) {
            self.cancel_task(&task);
        }
    }
}
