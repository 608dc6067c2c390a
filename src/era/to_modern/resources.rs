//! `resources/subscribe`, by listens that take each other's place (XA-34).

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{Timer, ToModern, millis, result::without_subscription, subscribe::Over};
use crate::{
    error::{Error, Kind},
    message::{Message, elements, member, object::quote, unquote},
    remote::{
        backoff::STREAM,
        event::{End, Event, ExchangeId},
    },
    time::Millis,
};

/// How long a server may take to acknowledge.
const ACKNOWLEDGE: Millis = 30_000;

/// How long a listen goes on that another has replaced: what it has said may still be on its way.
/// Updates are held back meanwhile, so that what comes on both is told once.
const OVERLAP: Millis = 100;

/// The listens for changed resources (XA-34).
#[derive(Debug, Default)]
pub(super) struct Resources {
    /// What the client has subscribed to.
    wanted: Vec<String>,
    /// The listen that is acknowledged.
    active: Option<ExchangeId>,
    /// The one that is to take its place.
    opening: Option<Opening>,
    /// Those that were replaced, for a moment yet.
    leaving: Vec<ExchangeId>,
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

impl Change {
    fn waiter(self) -> Option<Waiter> {
        match self {
            Change::Add(waiter) => Some(waiter),
            Change::Remove(_) => None,
        }
    }
}

impl Resources {
    /// Nobody waits for the answer to this `resources/subscribe` any more.
    pub fn forget_waiter(&mut self, exchange: ExchangeId) {
        if let Some(opening) = &mut self.opening {
            opening.waiters.retain(|waiter| waiter.exchange != exchange);
        }
        self.queue
            .retain(|change| !matches!(change, Change::Add(waiter) if waiter.exchange == exchange));
    }

    /// A new handshake: the client subscribes anew, or the layer above does it in its name.
    pub fn forget_subscriptions(&mut self) {
        self.note_unseen();
        self.wanted.clear();
    }

    /// Whether one listen takes the place of another.
    fn is_changing(&self) -> bool {
        self.opening.is_some() || !self.leaving.is_empty()
    }

    /// From now on nobody tells of changes.
    fn note_unseen(&mut self) {
        for uri in &self.wanted {
            if !self.unseen.contains(uri) {
                self.unseen.push(uri.clone());
            }
        }
    }
}

impl ToModern {
    /// A listen to resources is over.
    pub(super) fn on_resources_over(&mut self, exchange: ExchangeId, over: Over) {
        let resources = &mut self.listens.resources;
        if resources.active != Some(exchange) {
            return self.on_opening_over(exchange, over);
        }
        resources.active = None;
        resources.note_unseen();
        if resources.opening.is_none() {
            self.listen_to_resources_later(&over);
        }
    }

    fn listen_to_resources_later(&mut self, over: &Over) {
        // Without the client's stream nobody would hear of it; with it, the listen comes back.
        if self.listens.resources.wanted.is_empty() || !self.listens.has_carrier() {
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
        let is_idle =
            self.listens.has_carrier() && resources.active.is_none() && resources.opening.is_none();
        if is_idle && !resources.wanted.is_empty() {
            self.open_resources(Vec::new());
        }
    }

    /// Ends the listen that is settled; it comes back with the client's stream.
    pub(super) fn rest_resources(&mut self) {
        if self.listens.resources.opening.is_none() {
            self.close_resources();
        }
    }

    /// Ends the listen to resources; what changes from now on is told of with the next one.
    pub(super) fn close_resources(&mut self) {
        let resources = &mut self.listens.resources;
        resources.note_unseen();
        let opening = resources.opening.take();
        let queue = std::mem::take(&mut resources.queue);
        let mut streams = std::mem::take(&mut resources.leaving);
        streams.extend(resources.active.take());
        streams.extend(opening.as_ref().map(|opening| opening.stream));
        streams.into_iter().for_each(|stream| self.abort_below(stream));
        let queued = queue.into_iter().filter_map(Change::waiter);
        let waiters = opening.into_iter().flat_map(|opening| opening.waiters);
        // Nothing has come of it yet, so the layer above may ask again.
        for waiter in waiters.chain(queued) {
            let end = End::Unsent("the connection was closed meanwhile".to_owned());
            self.up(Event::Ended { exchange: waiter.exchange, end });
        }
        self.release_held();
    }

    pub(super) fn on_resources_acknowledged(&mut self, exchange: ExchangeId, message: &Message) {
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
        let asked = resources.wanted.len();
        resources.wanted.retain(|uri| honoured.iter().any(|known| known == uri));
        let wanted = resources.wanted.clone();
        let is_refused = |waiter: &&Waiter| !wanted.contains(&waiter.uri);
        let refused = opening.waiters.iter().filter(is_refused).count();
        let unseen = std::mem::take(&mut resources.unseen);
        if let Some(before) = before {
            resources.leaving.push(before);
            self.after(OVERLAP, Timer::Leave(before));
        }
        if asked > wanted.len() + refused {
            let host = &self.host;
            self.warn(format!("{host} does not tell of changes of some resources any more"));
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
            "could not subscribe: {} does not tell of changes of this resource",
            self.host
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
    pub(super) fn on_updated(&mut self, exchange: ExchangeId, message: &Message) {
        let bytes = without_subscription(message);
        let resources = &mut self.listens.resources;
        let Some(uri) = uri_of(message) else { return };
        let is_known = resources.active == Some(exchange) || resources.leaving.contains(&exchange);
        let is_held = resources.held.iter().any(|(held, _)| *held == uri);
        if is_known && resources.is_changing() && !is_held {
            resources.held.push((uri, bytes));
        } else if is_known && !is_held {
            self.tell(bytes);
        }
    }

    /// A listen that was replaced has had its time.
    pub(super) fn leave(&mut self, exchange: ExchangeId) {
        self.listens.resources.leaving.retain(|leaving| *leaving != exchange);
        self.abort_below(exchange);
        self.release_held();
    }

    /// What was held back is told.
    fn release_held(&mut self) {
        if self.listens.resources.is_changing() {
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
