//! What the server says of its own accord: listen streams in the place of the GET stream and of
//! `resources/subscribe` (spec digest 6A.3).

use bytes::Bytes;
use serde_json::value::RawValue;
use tracing::debug;

use super::{Purpose, Timer, ToModern, millis, result::without_subscription};
use crate::{
    bridge::{Millis, policy::List},
    error::{Error, Kind},
    message::{self, Message, elements, member, object::quote, unquote},
    remote::{
        backoff::STREAM,
        event::{End, Event, ExchangeId},
    },
};

/// How long a server may take to acknowledge.
const ACKNOWLEDGE: Millis = 30_000;

/// How long updates are held back when one listen has replaced another, so that what comes on both
/// is told once.
const OVERLAP: Millis = 100;

/// How many notifications wait for the client's stream.
const MAX_PENDING: usize = 64;

/// The listen streams.
#[derive(Debug, Default)]
pub(super) struct Listens {
    /// The exchange above that carries what the server says: the GET.
    carrier: Option<ExchangeId>,
    /// What was said while there was none.
    pending: Vec<Bytes>,
    lists: Lists,
    resources: Resources,
}

/// The listen for changed lists (XA-30).
#[derive(Debug, Default)]
struct Lists {
    stream: Option<ExchangeId>,
    was_open: bool,
    attempts: u32,
}

/// The listens for changed resources (XA-34).
#[derive(Debug, Default)]
struct Resources {
    /// What the client has subscribed to.
    wanted: Vec<String>,
    /// The listen that is acknowledged.
    active: Option<ExchangeId>,
    /// The one that is to take its place.
    opening: Option<Opening>,
    /// Changes that came meanwhile.
    queue: Vec<Change>,
    /// Updates held back while one takes the place of the other.
    held: Vec<(String, Bytes)>,
    /// Resources that changed unseen, perhaps: told of with the next acknowledgement (XA-36).
    unseen: Vec<String>,
    attempts: u32,
}

/// A listen that is not acknowledged.
#[derive(Debug)]
struct Opening {
    stream: ExchangeId,
    waiters: Vec<Waiter>,
}

/// A `resources/subscribe` that waits for its answer.
#[derive(Debug)]
struct Waiter {
    exchange: ExchangeId,
    message: Message,
    uri: String,
}

/// A change of what is subscribed to.
#[derive(Debug)]
enum Change {
    Add(Waiter),
    Remove(String),
}

impl Listens {
    pub fn is_carrier(&self, exchange: ExchangeId) -> bool {
        self.carrier == Some(exchange)
    }

    pub fn has_carrier(&self) -> bool {
        self.carrier.is_some()
    }

    /// Nobody waits for the answer to this `resources/subscribe` any more.
    pub fn forget_waiter(&mut self, exchange: ExchangeId) {
        if let Some(opening) = &mut self.resources.opening {
            opening.waiters.retain(|waiter| waiter.exchange != exchange);
        }
        self.resources
            .queue
            .retain(|change| !matches!(change, Change::Add(waiter) if waiter.exchange == exchange));
    }

    /// A new handshake: the client subscribes anew, or the layer above does it in its name.
    pub fn forget_subscriptions(&mut self) {
        let resources = &mut self.resources;
        let known = std::mem::take(&mut resources.wanted);
        resources.unseen.extend(known);
    }
}

/// How a listen ended.
enum Over {
    /// By its result (MD-42).
    Graceful,
    /// By an error; the raw token.
    Error(String),
    /// Without an answer.
    End(End),
}

impl Over {
    /// Whether the server does not offer it at all (XA-35).
    fn is_final(&self) -> bool {
        match self {
            Over::Graceful => false,
            Over::Error(error) => {
                matches!(member(error, "code"), Some("-32601" | "-32602" | "-32020" | "-32022"))
            }
            Over::End(End::Status(refused)) => matches!(refused.status, 400 | 404 | 405 | 501),
            Over::End(End::Malformed(_) | End::Redirected(_) | End::NotModern(_)) => true,
            Over::End(_) => false,
        }
    }
}

impl ToModern {
    /// The layer above wants what the server says of its own accord (XA-30).
    pub(super) fn start_listening(&mut self, exchange: ExchangeId) {
        self.listens.carrier = Some(exchange);
        self.up(Event::Opened { exchange, session: None });
        for bytes in std::mem::take(&mut self.listens.pending) {
            self.say(exchange, bytes);
        }
        self.listen_to_lists();
        self.listen_to_resources();
    }

    /// The layer above wants none of it any more, or wants it on a new connection.
    pub(super) fn stop_listening(&mut self) {
        self.listens.carrier = None;
        if let Some(stream) = self.listens.lists.stream.take() {
            self.abort_below(stream);
        }
        if self.listens.resources.opening.is_none() {
            self.close_resources();
        }
    }

    /// Tells the client something that belongs to no request.
    pub(super) fn tell(&mut self, bytes: Bytes) {
        match self.listens.carrier {
            Some(exchange) => self.say(exchange, bytes),
            None if self.listens.pending.len() < MAX_PENDING => {
                if !self.listens.pending.contains(&bytes) {
                    self.listens.pending.push(bytes);
                }
            }
            None => debug!("dropped a notification: nobody listens"),
        }
    }

    pub(super) fn listen_to_lists(&mut self) {
        let listens = &self.listens;
        let is_due = listens.carrier.is_some() && listens.lists.stream.is_none();
        if !is_due || self.server.lists.is_empty() {
            return;
        }
        let kinds: Vec<String> =
            self.server.lists.iter().map(|list| format!(r#""{}":true"#, flag(*list))).collect();
        self.listens.lists.stream = Some(self.listen(&kinds.join(",")));
    }

    fn listen(&mut self, notifications: &str) -> ExchangeId {
        let members = format!(r#""notifications":{{{notifications}}},"#);
        self.ask(Purpose::Listen, "subscriptions/listen", &members).0
    }

    pub(super) fn on_listen_event(&mut self, event: Event) {
        let exchange = super::exchange_of(&event);
        let bytes = match event {
            Event::Opened { .. } | Event::Endpoint { .. } => return,
            Event::Message { bytes, .. } => bytes,
            Event::Answer { bytes, .. } => {
                self.below.remove(&exchange);
                bytes
            }
            Event::Ended { end, .. } => {
                self.below.remove(&exchange);
                return self.on_listen_over(exchange, Over::End(end));
            }
        };
        let Ok(message) = Message::parse(bytes) else { return };
        match message.kind() {
            message::Kind::Notification => self.on_told(exchange, &message),
            message::Kind::Request => {
                debug!("ignored a request of a modern server, which makes none");
            }
            message::Kind::Response => {
                if self.below.contains_key(&exchange) {
                    self.spend(exchange);
                }
                let over = match message.error() {
                    Some(error) => Over::Error(error.to_owned()),
                    None => Over::Graceful,
                };
                self.on_listen_over(exchange, over);
            }
        }
    }

    fn on_told(&mut self, exchange: ExchangeId, message: &Message) {
        let is_lists = self.listens.lists.stream == Some(exchange);
        match message.method().as_ref() {
            "notifications/subscriptions/acknowledged" if is_lists => {
                self.on_lists_acknowledged(message);
            }
            "notifications/subscriptions/acknowledged" => {
                self.on_resources_acknowledged(exchange, message);
            }
            "notifications/resources/updated" => self.on_updated(exchange, message),
            "notifications/tools/list_changed"
            | "notifications/prompts/list_changed"
            | "notifications/resources/list_changed" => self.tell(without_subscription(message)),
            _ => debug!("ignored a notification that was not asked for"),
        }
    }

    fn on_lists_acknowledged(&mut self, message: &Message) {
        let honoured = message.param("notifications").unwrap_or("{}");
        let is_honoured =
            |list: &&List| member(honoured, flag(**list)).is_some_and(|value| value == "true");
        let (kept, lost): (Vec<List>, Vec<List>) =
            self.server.lists.iter().partition(|list| is_honoured(list));
        self.listens.lists.attempts = 0;
        let was_open = std::mem::replace(&mut self.listens.lists.was_open, true);
        for list in lost {
            let (host, name) = (&self.host, list.name());
            // It was promised in `initialize` and cannot be taken back (XA-31).
            let text = format!("{host} does not tell of changed {name} after all");
            if !was_open {
                self.warn(text);
            }
        }
        for list in kept.into_iter().filter(|_| was_open) {
            let name = list.name();
            let text =
                format!(r#"{{"jsonrpc":"2.0","method":"notifications/{name}/list_changed"}}"#);
            self.tell(text.into());
        }
    }

    fn on_listen_over(&mut self, exchange: ExchangeId, over: Over) {
        let listens = &mut self.listens;
        if listens.lists.stream == Some(exchange) {
            listens.lists.stream = None;
            if over.is_final() {
                let host = &self.host;
                return self.warn(format!("{host} does not tell of changed lists after all"));
            }
            let wait = millis(STREAM.delay(listens.lists.attempts, self.now.random));
            listens.lists.attempts += 1;
            self.after(wait, Timer::Lists);
        } else if listens.resources.active == Some(exchange) {
            listens.resources.active = None;
            let known = listens.resources.wanted.clone();
            listens.resources.unseen.extend(known);
            if listens.resources.opening.is_none() {
                self.listen_to_resources_later(&over);
            }
        } else {
            self.on_opening_over(exchange, over);
        }
    }

    fn listen_to_resources_later(&mut self, over: &Over) {
        if self.listens.resources.wanted.is_empty() {
            return;
        }
        if over.is_final() {
            let host = &self.host;
            return self.warn(format!("{host} does not tell of changed resources any more"));
        }
        let attempts = self.listens.resources.attempts;
        self.listens.resources.attempts += 1;
        let wait = millis(STREAM.delay(attempts, self.now.random));
        self.after(wait, Timer::Resources);
    }

    /// XA-34; the answer waits for the acknowledgement.
    pub(super) fn subscribe(&mut self, exchange: ExchangeId, message: &Message) {
        let Some(uri) = uri_of(message) else {
            let why = "`uri` is missing";
            return self.refuse(exchange, message, Kind::InvalidParams, why);
        };
        let resources = &mut self.listens.resources;
        let is_settled =
            resources.active.is_some() && resources.opening.is_none() && resources.queue.is_empty();
        if is_settled && resources.wanted.contains(&uri) {
            return self.succeed(exchange, message);
        }
        let message = message.clone();
        resources.queue.push(Change::Add(Waiter { exchange, message, uri }));
        self.change_resources();
    }

    pub(super) fn unsubscribe(&mut self, exchange: ExchangeId, message: &Message) {
        let Some(uri) = uri_of(message) else {
            let why = "`uri` is missing";
            return self.refuse(exchange, message, Kind::InvalidParams, why);
        };
        self.succeed(exchange, message);
        self.listens.resources.queue.push(Change::Remove(uri));
        self.change_resources();
    }

    /// Opens a listen for what is wanted now, unless one is being opened: then that comes first.
    fn change_resources(&mut self) {
        let resources = &mut self.listens.resources;
        if resources.opening.is_some() || resources.queue.is_empty() {
            return;
        }
        let before = resources.wanted.clone();
        let mut waiters = Vec::new();
        for change in std::mem::take(&mut resources.queue) {
            match change {
                Change::Add(waiter) => {
                    if !resources.wanted.contains(&waiter.uri) {
                        resources.wanted.push(waiter.uri.clone());
                    }
                    waiters.push(waiter);
                }
                Change::Remove(uri) => resources.wanted.retain(|known| *known != uri),
            }
        }
        if resources.wanted.is_empty() {
            self.close_resources();
        }
        let resources = &self.listens.resources;
        let is_same = resources.wanted == before && resources.active.is_some();
        if is_same || resources.wanted.is_empty() {
            return waiters.iter().for_each(|it| self.succeed(it.exchange, &it.message));
        }
        self.open_resources(waiters);
    }

    fn open_resources(&mut self, waiters: Vec<Waiter>) {
        let uris: Vec<String> =
            self.listens.resources.wanted.iter().map(|uri| quote(uri)).collect();
        let stream = self.listen(&format!(r#""resourceSubscriptions":[{}]"#, uris.join(",")));
        self.listens.resources.opening = Some(Opening { stream, waiters });
        self.after(ACKNOWLEDGE, Timer::Acknowledge(stream));
    }

    /// Listens again to what the client has subscribed to.
    pub(super) fn listen_to_resources(&mut self) {
        let resources = &self.listens.resources;
        let is_idle = resources.active.is_none() && resources.opening.is_none();
        if is_idle && !resources.wanted.is_empty() {
            self.open_resources(Vec::new());
        }
    }

    /// Ends the listen to resources; what changes from now on is told of with the next one.
    pub(super) fn close_resources(&mut self) {
        let resources = &mut self.listens.resources;
        let wanted = resources.wanted.clone();
        resources.unseen.extend(wanted);
        let opening = resources.opening.take();
        let streams = [resources.active.take(), opening.as_ref().map(|opening| opening.stream)];
        streams.into_iter().flatten().for_each(|stream| self.abort_below(stream));
        for waiter in opening.into_iter().flat_map(|opening| opening.waiters) {
            let why = "the connection was closed meanwhile";
            self.refuse(waiter.exchange, &waiter.message, Kind::Unreachable, why);
        }
        self.release_held();
    }

    fn on_resources_acknowledged(&mut self, exchange: ExchangeId, message: &Message) {
        let resources = &mut self.listens.resources;
        let Some(opening) = resources.opening.take_if(|it| it.stream == exchange) else { return };
        let list = message
            .param("notifications")
            .and_then(|honoured| member(honoured, "resourceSubscriptions"))
            .and_then(|list| elements(list.as_bytes()))
            .unwrap_or_default();
        let honoured: Vec<_> = list.into_iter().map(|uri| unquote(RawValue::get(uri))).collect();
        resources.attempts = 0;
        let before = resources.active.replace(exchange);
        resources.wanted.retain(|uri| honoured.iter().any(|known| known == uri));
        let wanted = resources.wanted.clone();
        let unseen = std::mem::take(&mut resources.unseen);
        if let Some(before) = before {
            self.abort_below(before);
            self.after(OVERLAP, Timer::Held);
        }
        for waiter in &opening.waiters {
            if honoured.iter().any(|known| *known == waiter.uri) {
                self.succeed(waiter.exchange, &waiter.message);
            } else {
                self.refuse_resource(waiter);
            }
        }
        for uri in wanted.iter().filter(|uri| unseen.contains(uri)) {
            let text = format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{{"uri":{}}}}}"#,
                quote(uri)
            );
            self.tell(text.into());
        }
        self.change_resources();
    }

    /// The server does not tell of changes of this resource.
    fn refuse_resource(&mut self, waiter: &Waiter) {
        let message = quote(&format!(
            "could not subscribe to {}: {} does not tell of its changes",
            waiter.uri, self.host
        ));
        let answer = format!(
            r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":{},"message":{message},"data":{{"uri":{}}}}}}}"#,
            waiter.message.id().unwrap_or("null"),
            Kind::InvalidParams.code(),
            quote(&waiter.uri)
        );
        self.answer(waiter.exchange, answer.into());
    }

    /// A listen ended before it was acknowledged: those who wait for it hear why, and what was
    /// there before goes on.
    fn on_opening_over(&mut self, exchange: ExchangeId, over: Over) {
        let resources = &mut self.listens.resources;
        let Some(opening) = resources.opening.take_if(|it| it.stream == exchange) else { return };
        let is_reopening = opening.waiters.is_empty() && resources.active.is_none();
        for waiter in opening.waiters {
            self.listens.resources.wanted.retain(|uri| *uri != waiter.uri);
            match &over {
                Over::Error(error) => {
                    let id = waiter.message.id().unwrap_or("null");
                    let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#);
                    self.answer(waiter.exchange, answer.into());
                }
                Over::Graceful => self.refuse_resource(&waiter),
                Over::End(end) => {
                    self.up(Event::Ended { exchange: waiter.exchange, end: end.clone() });
                }
            }
        }
        if is_reopening {
            self.listen_to_resources_later(&over);
        }
        self.release_held();
        self.change_resources();
    }

    pub(super) fn on_never_acknowledged(&mut self, exchange: ExchangeId) {
        let is_open =
            self.listens.resources.opening.as_ref().is_some_and(|it| it.stream == exchange);
        if !is_open {
            return;
        }
        self.abort_below(exchange);
        let error = Error::new(Kind::Unreachable, "could not subscribe")
            .because(format!("{} has not acknowledged it for 30s", self.host));
        let token = error.response(None);
        let raw = std::str::from_utf8(&token).ok().and_then(|text| member(text, "error"));
        let raw = raw.unwrap_or("null").to_owned();
        self.on_opening_over(exchange, Over::Error(raw));
    }

    /// A resource has changed. While one listen takes the place of another, both may say so.
    fn on_updated(&mut self, exchange: ExchangeId, message: &Message) {
        let bytes = without_subscription(message);
        let resources = &mut self.listens.resources;
        let Some(uri) = uri_of(message) else { return };
        let is_known = resources.active == Some(exchange);
        let is_held = resources.held.iter().any(|(held, _)| *held == uri);
        if is_known && resources.opening.is_some() && !is_held {
            resources.held.push((uri, bytes));
        } else if is_known && !is_held {
            self.tell(bytes);
        }
    }

    /// What was held back is told.
    pub(super) fn release_held(&mut self) {
        if self.listens.resources.opening.is_some() {
            return;
        }
        for (_, bytes) in std::mem::take(&mut self.listens.resources.held) {
            self.tell(bytes);
        }
    }
}

/// The `uri` of a message's parameters.
fn uri_of(message: &Message) -> Option<String> {
    let token = message.param("uri").filter(|token| token.starts_with('"'))?;
    Some(unquote(token).into_owned())
}

/// The member of a listen's filter that stands for a list.
fn flag(list: List) -> &'static str {
    match list {
        List::Tools => "toolsListChanged",
        List::Prompts => "promptsListChanged",
        List::Resources => "resourcesListChanged",
    }
}
