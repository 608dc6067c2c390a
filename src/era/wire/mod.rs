//! What a modern remote needs of any client (spec 26:http): headers that repeat the body, their
//! repair, and listen streams that outlive a connection.
//!
//! Every exchange of the layer above is a *flight* here. Its first try goes by the number that
//! the layer above gave it; what is sent for it later, under an id of our own, by numbers of ours.
//! `answer` takes what comes back, `repair` sends a refused request once more, `listen` keeps
//! subscriptions alive.

mod answer;
mod listen;
mod repair;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use tracing::debug;

use super::{Layer, Step, header, meta, mirror::Tools};
use crate::{
    error::{Error, Kind},
    message::{self, Message, member, members, object::quote},
    protocol::MODERN_VERSIONS,
    remote::event::{End, Event, ExchangeId, Get, Mirrored, Post, Refusal, Route},
    time::{Millis, Now},
};
use listen::Listen;
use repair::Repair;

/// The layer above the transport to a modern remote.
#[derive(Debug)]
pub struct Wire {
    exchanges: ExchangeId,
    own_id: String,
    tools: Tools,
    /// By the numbers of the layer above.
    flights: BTreeMap<ExchangeId, Flight>,
    /// Which flight an exchange of our own numbering serves.
    aliases: BTreeMap<ExchangeId, ExchangeId>,
    /// The listen streams that wait to be opened again.
    timers: BTreeSet<(Millis, ExchangeId)>,
}

/// An exchange of the layer above, until it is over.
#[derive(Debug)]
struct Flight {
    /// The exchange below that serves it, unless it waits.
    below: Option<ExchangeId>,
    body: Bytes,
    compressed: bool,
    role: Role,
    renamed: Option<Renamed>,
    /// Whether it has been sent once more because of error -32022.
    is_second: bool,
    /// Whether something that may be its answer has gone up: then nothing is sent for it again.
    is_answered: bool,
}

/// The ids, as JSON tokens, of a request that went out under another than it came with.
#[derive(Debug)]
struct Renamed {
    came: String,
    sent: String,
}

/// What a flight has to have done for it.
#[derive(Debug)]
enum Role {
    /// Nothing.
    Plain,
    /// `tools/list`: its result is learnt from. The first page has no cursor.
    ToolsList { is_first: bool },
    /// `tools/call`: its headers may be repaired.
    ToolsCall(Repair),
    /// `subscriptions/listen`: its stream is kept alive.
    Listen(Box<Listen>),
}

impl Role {
    fn of(message: &Message) -> Role {
        let Some(id) = message.id() else { return Role::Plain };
        match message.method().as_ref() {
            "tools/list" => {
                let cursor = message.param("cursor").filter(|cursor| *cursor != "null");
                Role::ToolsList { is_first: cursor.is_none() }
            }
            "tools/call" => Role::ToolsCall(Repair::Unneeded),
            "subscriptions/listen" => Role::Listen(Box::new(Listen::new(id))),
            _ => Role::Plain,
        }
    }
}

impl Wire {
    /// A layer that numbers the exchanges of its own from `exchanges` on, and makes up request ids
    /// that begin with `own_id`.
    pub fn new(exchanges: ExchangeId, own_id: &str) -> Self {
        Wire {
            exchanges,
            own_id: own_id.to_owned(),
            tools: Tools::default(),
            flights: BTreeMap::new(),
            aliases: BTreeMap::new(),
            timers: BTreeSet::new(),
        }
    }

    /// How much is kept, by name.
    #[cfg(test)]
    pub fn sizes(&self) -> Vec<(&'static str, usize)> {
        let listens = |flight: &&Flight| matches!(flight.role, Role::Listen(_));
        let flights = self.flights.values().filter(|flight| !listens(flight)).count();
        vec![
            ("flights", flights),
            ("repairs", self.aliases.len().saturating_sub(self.flights.len())),
        ]
    }

    /// Begins an exchange of our own for a flight, in the place of the one it had.
    fn begin(&mut self, above: ExchangeId) -> ExchangeId {
        self.exchanges += 1;
        self.aliases.insert(self.exchanges, above);
        if let Some(flight) = self.flights.get_mut(&above)
            && let Some(old) = flight.below.replace(self.exchanges)
        {
            self.aliases.remove(&old);
        }
        self.exchanges
    }

    /// A flight has no exchange any more. Gives the one it had.
    fn land(&mut self, above: ExchangeId) -> Option<ExchangeId> {
        let below = self.flights.get_mut(&above)?.below.take()?;
        self.aliases.remove(&below);
        Some(below)
    }

    /// Forgets all about a flight.
    fn forget(&mut self, above: ExchangeId) -> Option<Flight> {
        self.land(above);
        let flight = self.flights.remove(&above)?;
        if let Role::Listen(listen) = &flight.role
            && let Some(due) = listen.due
        {
            self.timers.remove(&(due, above));
        }
        Some(flight)
    }

    /// The id, as a JSON token, of a request sent by an exchange of our own.
    fn own_id(&self, exchange: ExchangeId) -> String {
        quote(&format!("{}{exchange}", self.own_id))
    }

    /// Sends the request of a flight again, under a new id (INV-1), with headers made anew.
    fn send_again(&mut self, above: ExchangeId, steps: &mut Vec<Step>) {
        let Some(flight) = self.flights.get(&above) else { return };
        let (body, compressed) = (flight.body.clone(), flight.compressed);
        let Ok(message) = Message::parse(body) else { return };
        let mirrored = match mirror(&message, &self.tools) {
            Ok(mirrored) => mirrored,
            Err(error) => {
                self.forget(above);
                return refuse(above, &message, &error, steps);
            }
        };
        let exchange = self.begin(above);
        let id = self.own_id(exchange);
        let body = message.with_id(&id);
        if let (Some(flight), Some(came)) = (self.flights.get_mut(&above), message.id()) {
            flight.renamed = Some(Renamed { came: came.to_owned(), sent: id });
            if let Role::Listen(listen) = &mut flight.role {
                listen.sent_again();
            }
        }
        let route = Route::Modern(mirrored);
        steps.push(Step::Post(Post {
            exchange,
            route,
            body,
            message: None,
            compressed,
            after: None,
        }));
    }
}

impl Layer for Wire {
    fn post(&mut self, mut post: Post, _: Now, steps: &mut Vec<Step>) {
        let exchange = post.exchange;
        let message = match post.message.take() {
            Some(message) => *message,
            None => match Message::parse(post.body.clone()) {
                Ok(message) => message,
                Err(invalid) => return end(exchange, End::Malformed(invalid.to_string()), steps),
            },
        };
        let is_cancellation = message.method() == "notifications/cancelled";
        if message.kind() == message::Kind::Response || is_cancellation {
            debug!("kept back what a modern remote is never sent: {}", message.summary());
            return end(exchange, End::Accepted(202), steps);
        }
        match mirror(&message, &self.tools) {
            Ok(mirrored) => {
                let flight = Flight {
                    below: Some(exchange),
                    body: post.body.clone(),
                    compressed: post.compressed,
                    role: Role::of(&message),
                    renamed: None,
                    is_second: false,
                    is_answered: false,
                };
                self.flights.insert(exchange, flight);
                steps.push(Step::Post(Post { route: Route::Modern(mirrored), ..post }));
            }
            Err(error) => refuse(exchange, &message, &error, steps),
        }
    }

    /// A modern remote has no stream of its own (MH-1).
    fn get(&mut self, get: Get, _: Now, steps: &mut Vec<Step>) {
        let refusal = Refusal { status: 405, ..Refusal::default() };
        end(get.exchange, End::Status(Box::new(refusal)), steps);
    }

    /// To stop the exchange is to cancel the request; nothing is sent (MH-40).
    fn abort(&mut self, exchange: ExchangeId, _: Now, steps: &mut Vec<Step>) {
        let below = self.flights.get(&exchange).and_then(|flight| flight.below);
        self.forget(exchange);
        steps.extend(below.map(Step::Abort));
    }

    fn event(&mut self, event: Event, now: Now, steps: &mut Vec<Step>) {
        self.on_event(event, now, steps);
    }

    fn tick(&mut self, now: Now, steps: &mut Vec<Step>) {
        while let Some((due, above)) = self.timers.first().copied() {
            if due > now.mono {
                return;
            }
            self.timers.pop_first();
            self.send_again(above, steps);
        }
    }

    fn next_deadline(&self) -> Option<Millis> {
        self.timers.first().map(|(due, _)| *due)
    }
}

/// The headers of a message (MH-3 to MH-9).
///
/// # Errors
/// What the request is answered with, where headers cannot say it.
fn mirror(message: &Message, tools: &Tools) -> Result<Mirrored, Error> {
    let method = message.method();
    if method.is_empty() || !header::is_plain(&method) {
        return Err(Error::new(Kind::InvalidRequest, "could not send the request")
            .because("its method holds characters that no HTTP header can carry"));
    }
    let named = name_of(&method);
    let wanted = ["_meta", named.unwrap_or_default(), "arguments"];
    let [meta, name, arguments] = message.params().map_or([None; 3], |it| members(it, wanted));
    let name = named.and(name).and_then(header::text);
    let params = match &name {
        Some(name) if method == "tools/call" => tools.headers(name, arguments)?,
        _ => Vec::new(),
    };
    Ok(Mirrored {
        version: version_of(meta)?,
        name: name.map(|name| header::encode(&name).into_owned()),
        params,
        method: method.into_owned(),
    })
}

/// Which member of `params` the header `Mcp-Name` repeats (MH-5, MH-6).
fn name_of(method: &str) -> Option<&'static str> {
    match method {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" => Some("uri"),
        _ if method.starts_with("tasks/") => Some("taskId"),
        _ => None,
    }
}

/// The version that a message is in; messages without metadata are in our newest (MH-3, MH-9).
fn version_of(meta: Option<&str>) -> Result<String, Error> {
    let Some(token) = meta.and_then(|meta| member(meta, meta::PROTOCOL_VERSION)) else {
        return Ok(MODERN_VERSIONS[0].to_owned());
    };
    let version = header::text(token).filter(|text| !text.is_empty() && header::is_plain(text));
    version.map(std::borrow::Cow::into_owned).ok_or_else(|| {
        Error::new(Kind::InvalidParams, "could not send the request")
            .because(format!("`{}` in its `_meta` is no protocol version", meta::PROTOCOL_VERSION))
    })
}

/// Answers a message that is not sent.
fn refuse(exchange: ExchangeId, message: &Message, error: &Error, steps: &mut Vec<Step>) {
    if message.id().is_none() {
        return end(exchange, End::Malformed(error.to_string()), steps);
    }
    let bytes = error.response(message.id());
    steps.push(Step::Up(Event::Answer { exchange, bytes, session: None }));
}

/// Reports the end of an exchange of the layer above.
fn end(exchange: ExchangeId, end: End, steps: &mut Vec<Step>) {
    steps.push(Step::Up(Event::Ended { exchange, end }));
}

#[cfg(test)]
mod tests;
