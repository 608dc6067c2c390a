//! A modern remote, as a legacy client's state machine may take it for a legacy one (quadrant A,
//! spec digest 6A).
//!
//! `client` is what the client's `initialize` says of it, put into every request; `handshake`
//! answers that `initialize` by `server/discover`; `request` carries requests and `result`
//! translates what comes back; `input` turns an `input_required` into requests to the client, and
//! `retry` its answers into the next try; `task` waits for tasks; `subscribe` keeps the listen
//! stream that stands for the GET stream, and `resources` those for `resources/subscribe`.

mod client;
mod downgrade;
mod edit;
mod handshake;
mod input;
mod request;
mod resources;
mod result;
mod retry;
mod round;
mod subscribe;
mod task;

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use bytes::Bytes;
use tracing::debug;

use super::{Layer, Step};
use crate::{
    message::{self, Message},
    remote::event::{End, Event, ExchangeId, Get, Mirrored, Post, Route},
    time::{Millis, Now},
};
use client::Client;
use handshake::{Handshake, Server};
use request::Call;
use subscribe::Listens;

/// How long the stream of an answered request may stay open, so that its connection can be used
/// again.
const LINGER: Millis = 1000;

/// The translation for a legacy client.
#[derive(Debug)]
pub struct ToModern {
    /// How long a person may take for what one round asks for.
    input_wait: Millis,
    host: String,
    own_id: String,
    counter: u64,
    ids: u64,
    exchanges: ExchangeId,
    now: Now,
    steps: Vec<Step>,
    timers: BTreeMap<(Millis, u64), Timer>,
    client: Option<Client>,
    server: Server,
    handshake: Option<Handshake>,
    /// Whether the client has confirmed the handshake, so that it may be asked something (XA-41).
    is_confirmed: bool,
    /// Requests by the exchange above.
    calls: BTreeMap<ExchangeId, Call>,
    /// What the exchanges below are for, where they are not simply those of `calls`.
    below: BTreeMap<ExchangeId, Purpose>,
    /// The requests that the client has not answered, by id, with the call they are for.
    asked: HashMap<String, ExchangeId>,
    listens: Listens,
}

/// What an exchange below is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// `server/discover`.
    Discover,
    /// The `tools/list` that shows whether a server without `server/discover` is modern.
    Tools,
    /// Another try of this call.
    Call(ExchangeId),
    /// `tasks/get` for this call.
    TaskGet(ExchangeId),
    /// `tasks/update` for this call.
    TaskUpdate(ExchangeId),
    /// A notification of the client's.
    Notification,
    /// A listen stream.
    Listen,
    /// Nothing more is expected.
    Spent,
}

/// What happens at a deadline. A timer whose cause has gone does nothing.
#[derive(Debug, Clone, Copy)]
enum Timer {
    /// Something is due for a call, unless it has a later number by now.
    Call(ExchangeId, u64),
    /// The answers to the questions of this round of a call have been waited for long enough.
    Limit(ExchangeId, u32),
    /// An exchange below has had its time to end.
    Linger(ExchangeId),
    /// The lists are to be listened to again.
    Lists,
    /// The resources are to be listened to again.
    Resources,
    /// A listen has had its time to be acknowledged.
    Acknowledge(ExchangeId),
    /// A listen that another has replaced is to be left.
    Leave(ExchangeId),
}

/// What came of a request of the bridge's own.
enum Reply {
    Answer(Message),
    End(End),
}

impl ToModern {
    /// A translation to the remote on `host`, which numbers exchanges of its own from `exchanges`
    /// on and makes up request ids that begin with `own_id`.
    pub fn new(host: &str, exchanges: ExchangeId, own_id: &str, input_wait: Millis) -> Self {
        ToModern {
            input_wait,
            host: host.to_owned(),
            own_id: own_id.to_owned(),
            counter: 0,
            ids: 0,
            exchanges,
            now: Now::default(),
            steps: Vec::new(),
            timers: BTreeMap::new(),
            client: None,
            server: Server::default(),
            handshake: None,
            is_confirmed: false,
            calls: BTreeMap::new(),
            below: BTreeMap::new(),
            asked: HashMap::new(),
            listens: Listens::default(),
        }
    }

    /// How much is kept, by name.
    #[cfg(test)]
    pub fn sizes(&self) -> Vec<(&'static str, usize)> {
        vec![("translated calls", self.calls.len()), ("asked", self.asked.len())]
    }

    fn run_timers(&mut self) {
        while let Some(entry) = self.timers.first_entry() {
            if entry.key().0 > self.now.mono {
                return;
            }
            match entry.remove() {
                Timer::Call(exchange, number) => self.on_call_due(exchange, number),
                Timer::Limit(exchange, round) => self.on_limit(exchange, round),
                Timer::Linger(exchange) => self.abort_below(exchange),
                Timer::Lists => self.listen_to_lists(),
                Timer::Resources => self.listen_to_resources(),
                Timer::Acknowledge(exchange) => self.on_never_acknowledged(exchange),
                Timer::Leave(exchange) => self.leave(exchange),
            }
        }
    }

    fn after(&mut self, wait: Millis, timer: Timer) -> u64 {
        let number = self.unique();
        self.timers.insert((self.now.mono.saturating_add(wait), number), timer);
        number
    }

    fn unique(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// A request id, as a JSON token, that is unique for the process (XA-41).
    fn fresh_id(&mut self) -> String {
        self.ids += 1;
        format!("\"{}{}\"", self.own_id, self.ids)
    }

    fn up(&mut self, mut event: Event) {
        if let Event::Ended { end: End::Stream(end), .. } = &mut event {
            // There is no resumption (MH-45).
            end.last_event_id = None;
        }
        self.steps.push(Step::Up(event));
    }

    fn warn(&mut self, text: String) {
        self.steps.push(Step::Warn(text));
    }

    /// A message to the client on an exchange that the layer above still has.
    fn say(&mut self, exchange: ExchangeId, bytes: Bytes) {
        self.up(Event::Message { exchange, bytes });
    }

    /// The exchange is over with this answer.
    fn answer(&mut self, exchange: ExchangeId, bytes: Bytes) {
        self.up(Event::Answer { exchange, bytes, session: None });
    }

    /// A message that needs no answer has arrived.
    fn accept(&mut self, exchange: ExchangeId) {
        self.up(Event::Ended { exchange, end: End::Accepted(202) });
    }

    /// Sends a message below, on an exchange of the bridge's own.
    fn send(&mut self, purpose: Purpose, body: Bytes, compressed: bool) -> ExchangeId {
        let exchange = self.exchanges;
        self.exchanges += 1;
        self.below.insert(exchange, purpose);
        let route = Route::Modern(Mirrored::default());
        self.steps.push(Step::Post(Post {
            exchange,
            route,
            body,
            message: None,
            compressed,
            after: None,
        }));
        exchange
    }

    /// Sends a request of the bridge's own; gives its exchange and its id.
    fn ask(&mut self, purpose: Purpose, method: &str, members: &str) -> (ExchangeId, String) {
        let id = self.fresh_id();
        let meta = self
            .client
            .as_ref()
            .map_or_else(|| "{}".to_owned(), |client| client.meta(method.starts_with("tasks/")));
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{members}"_meta":{meta}}}}}"#
        );
        let compressed = method == "tools/list";
        (self.send(purpose, body.into(), compressed), id)
    }

    fn abort_below(&mut self, exchange: ExchangeId) {
        if self.below.remove(&exchange).is_some() {
            self.steps.push(Step::Abort(exchange));
        }
    }

    /// Nothing more is expected of an exchange below that may still be open.
    fn spend(&mut self, exchange: ExchangeId) {
        self.below.insert(exchange, Purpose::Spent);
        self.after(LINGER, Timer::Linger(exchange));
    }

    fn purpose(&self, exchange: ExchangeId) -> Option<Purpose> {
        let is_first = |call: &Call| call.below == Some(exchange);
        if self.calls.get(&exchange).is_some_and(is_first) {
            return Some(Purpose::Call(exchange));
        }
        self.below.get(&exchange).copied()
    }

    fn on_event(&mut self, event: Event) {
        let exchange = exchange_of(&event);
        match self.purpose(exchange) {
            None => debug!("ignored an event of an exchange that is over"),
            Some(Purpose::Call(call)) => self.on_call_event(call, event),
            Some(Purpose::Listen) => self.on_listen_event(event),
            Some(Purpose::Notification) => self.on_notified(event),
            Some(Purpose::Spent) => {
                if matches!(event, Event::Ended { .. } | Event::Answer { .. }) {
                    self.below.remove(&exchange);
                }
            }
            Some(purpose) => {
                if let Some(reply) = self.reply(event) {
                    self.on_reply(purpose, reply);
                }
            }
        }
    }

    fn on_reply(&mut self, purpose: Purpose, reply: Reply) {
        match purpose {
            Purpose::Discover => self.on_discovered(reply),
            Purpose::Tools => self.on_tools_listed(reply),
            Purpose::TaskGet(call) => self.on_task_told(call, reply),
            Purpose::TaskUpdate(call) => self.on_task_updated(call, reply),
            Purpose::Call(_) | Purpose::Notification | Purpose::Listen | Purpose::Spent => {}
        }
    }

    /// What an event means for a request of the bridge's own, if anything.
    fn reply(&mut self, event: Event) -> Option<Reply> {
        let exchange = exchange_of(&event);
        match event {
            Event::Opened { .. } | Event::Endpoint { .. } => None,
            Event::Message { bytes, .. } => {
                let message = Message::parse(bytes).ok();
                let answer = message.filter(|message| message.kind() == message::Kind::Response)?;
                self.spend(exchange);
                Some(Reply::Answer(answer))
            }
            Event::Answer { bytes, .. } => {
                self.below.remove(&exchange);
                Some(match Message::parse(bytes) {
                    Ok(answer) if answer.kind() == message::Kind::Response => Reply::Answer(answer),
                    Ok(_) => Reply::End(End::Malformed("the answer is no response".to_owned())),
                    Err(why) => Reply::End(End::Malformed(format!("the answer is {why}"))),
                })
            }
            Event::Ended { end, .. } => {
                self.below.remove(&exchange);
                Some(Reply::End(end))
            }
        }
    }

    /// The layer above wants nothing more of one of its exchanges.
    fn on_abort(&mut self, exchange: ExchangeId) {
        if self.listens.is_carrier(exchange) {
            return self.stop_listening();
        }
        if self.handshake.as_ref().is_some_and(|handshake| handshake.exchange == exchange) {
            return self.stop_handshake();
        }
        if self.calls.contains_key(&exchange) {
            return self.abort_call(exchange);
        }
        self.listens.resources.forget_waiter(exchange);
        self.abort_below(exchange);
    }
}

fn exchange_of(event: &Event) -> ExchangeId {
    match event {
        Event::Opened { exchange, .. }
        | Event::Endpoint { exchange, .. }
        | Event::Message { exchange, .. }
        | Event::Answer { exchange, .. }
        | Event::Ended { exchange, .. } => *exchange,
    }
}

fn millis(wait: Duration) -> Millis {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}

impl Layer for ToModern {
    fn post(&mut self, post: Post, now: Now, steps: &mut Vec<Step>) {
        self.now = now;
        self.on_post(post);
        steps.append(&mut self.steps);
    }

    fn get(&mut self, get: Get, now: Now, steps: &mut Vec<Step>) {
        self.now = now;
        self.start_listening(get.exchange);
        steps.append(&mut self.steps);
    }

    fn abort(&mut self, exchange: ExchangeId, now: Now, steps: &mut Vec<Step>) {
        self.now = now;
        self.on_abort(exchange);
        steps.append(&mut self.steps);
    }

    fn event(&mut self, event: Event, now: Now, steps: &mut Vec<Step>) {
        self.now = now;
        self.on_event(event);
        steps.append(&mut self.steps);
    }

    fn tick(&mut self, now: Now, steps: &mut Vec<Step>) {
        self.now = now;
        self.run_timers();
        steps.append(&mut self.steps);
    }

    fn next_deadline(&self) -> Option<Millis> {
        self.timers.keys().next().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests;
