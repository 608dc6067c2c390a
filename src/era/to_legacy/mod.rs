//! A modern client, as a legacy client to the state machine (quadrant B, spec digest 6B).
//!
//! ```text
//!              request                      own request
//!   client ──────────────▶ waiting ───────────────────────▶ call ──▶ answer ──▶ client
//!             (a session, a log level, its turn)             │ ▲
//!                                          the server asks   ▼ │  the client's answers
//!                                                           held ──▶ `input_required`
//! ```
//!
//! `session` opens the legacy session at the first need and `discover` tells the client what it
//! said; `call` takes a request there and back, edited by `request` and `result`; `ask` and `hold`
//! turn requests of the server into rounds of input, `seal` makes their `requestState`; `listen`
//! serves subscriptions, `log` log messages, `tasks` the tools that must run as tasks.

mod ask;
mod call;
mod capabilities;
mod discover;
mod hold;
mod listen;
mod log;
mod notice;
mod request;
mod result;
mod seal;
mod session;
mod tasks;

use std::collections::{BTreeMap, HashSet, VecDeque};

use bytes::Bytes;
use tracing::debug;

use crate::{
    era::promised::Promised,
    error::Error,
    message::{Kind, Message},
    time::{Millis, Now},
};
use ask::Parked;
use call::{Call, Waiting};
pub use hold::refuse_held;
use listen::Listens;
use log::Log;
use seal::{Handle, Seal};
use session::Session;

/// What the translation wants.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// Write this to the local client.
    Local(Bytes),
    /// Say this to the state machine, as a legacy client would on a line of its own.
    Core(Bytes),
    /// A line for the log, at warn level: something a person should know.
    Warn(String),
}

/// The translation for a modern client.
#[derive(Debug)]
pub struct ToLegacy {
    /// How long the client may take to come back with an answer, and a call is held for it.
    input_wait: Millis,
    own_id: String,
    seal: Seal,
    now: Now,
    turns: Vec<Turn>,
    counter: u64,
    timers: BTreeMap<(Millis, u64), Timer>,
    session: Session,
    waiting: VecDeque<Waiting>,
    calls: BTreeMap<u64, Call>,
    own: BTreeMap<u64, Own>,
    parked: Vec<Parked>,
    listens: Listens,
    log: Log,
    /// The tools that must be called as tasks.
    task_tools: HashSet<String>,
    /// Whether the server has asked for input without saying for which call.
    is_uncorrelated: bool,
    has_warned: bool,
    /// Whether the client says nothing more.
    is_closing: bool,
}

/// What a request of the translation's own is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Own {
    /// `logging/setLevel`.
    Level,
    /// `resources/subscribe` to this URI.
    Subscribe(String),
    /// `tasks/get` for this call.
    TaskGet(u64),
    /// `tasks/result` for this call.
    TaskResult(u64),
    /// Something whose answer tells nothing.
    Ignored,
}

/// What happens at a deadline. A timer whose cause has gone does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timer {
    /// The questions for a call have been collected (XB-42).
    Window(u64),
    /// A held call has waited long enough (XB-50).
    Expire(Handle),
    /// A parked question has (XB-44).
    Parked(u64),
    /// A waiting call has (XB-41).
    Turn,
    /// The answer to `logging/setLevel` has been waited for long enough.
    Level(u64),
    /// The subscriptions of this listen have.
    Subscribed(u64),
    /// A task is to be looked at.
    Poll(u64),
}

impl ToLegacy {
    /// A translation whose `requestState`s nobody can guess who does not know `secret`, and whose
    /// made-up request ids begin with `own_id`, which needs no escapes in JSON.
    pub fn new(secret: [u8; 32], own_id: &str, input_wait: Millis) -> Self {
        ToLegacy {
            input_wait,
            own_id: own_id.to_owned(),
            seal: Seal::new(&secret),
            now: Now::default(),
            turns: Vec::new(),
            counter: 0,
            timers: BTreeMap::new(),
            session: Session::default(),
            waiting: VecDeque::new(),
            calls: BTreeMap::new(),
            own: BTreeMap::new(),
            parked: Vec::new(),
            listens: Listens::default(),
            log: Log::default(),
            task_tools: HashSet::new(),
            is_uncorrelated: false,
            has_warned: false,
            is_closing: false,
        }
    }

    /// The same, whose calls are numbered from `first` on: those of two translations with one secret
    /// must differ.
    pub fn numbered(mut self, first: u64) -> Self {
        self.counter = first;
        self
    }

    /// The same, for a client that was told something in the remote's place.
    pub fn promising(mut self, promised: Promised) -> Self {
        self.listens.promised = promised;
        self
    }

    /// How much is kept, by name.
    #[cfg(test)]
    pub fn sizes(&self) -> Vec<(&'static str, usize)> {
        let parked = self.parked.len();
        vec![("waiting", self.waiting.len()), ("calls", self.calls.len()), ("parked", parked)]
    }

    /// The client says something: a request with valid modern metadata, or a notification.
    pub fn on_local(&mut self, message: Message, now: Now, turns: &mut Vec<Turn>) {
        self.now = now;
        match message.kind() {
            Kind::Request => self.on_request(&message),
            Kind::Notification => self.on_notification(&message),
            Kind::Response => debug!("ignored an answer: nothing was asked (ST-11)"),
        }
        turns.append(&mut self.turns);
    }

    /// The state machine says something to its legacy client. `during` is the raw id of the request
    /// whose own response stream brought it, where there is one.
    pub fn on_core(
        &mut self,
        message: Message,
        during: Option<&str>,
        now: Now,
        turns: &mut Vec<Turn>,
    ) {
        self.now = now;
        match message.kind() {
            Kind::Response => self.on_answer(message),
            Kind::Request => self.on_question(&message, during),
            Kind::Notification => self.on_notice(&message, during),
        }
        turns.append(&mut self.turns);
    }

    /// A deadline may have passed.
    pub fn tick(&mut self, now: Now, turns: &mut Vec<Turn>) {
        self.now = now;
        while let Some(entry) = self.timers.first_entry() {
            if entry.key().0 > now.mono {
                break;
            }
            match entry.remove() {
                Timer::Window(call) => self.on_window(call),
                Timer::Expire(handle) => self.on_expired(handle),
                Timer::Parked(number) => self.on_parked_long(number),
                Timer::Turn => self.pump(),
                Timer::Level(number) => self.on_level_set(number),
                Timer::Subscribed(listen) => self.on_subscribe_due(listen),
                Timer::Poll(call) => self.poll(call),
            }
        }
        turns.append(&mut self.turns);
    }

    /// When [`ToLegacy::tick`] is due, if nothing else happens before.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.timers.keys().next().map(|(at, _)| *at)
    }

    /// The client will say nothing more: whatever the server wants to know from it is called off
    /// (XB-50), and nothing waits for anything that can be done without.
    pub fn close(&mut self, now: Now, turns: &mut Vec<Turn>) {
        self.now = now;
        self.is_closing = true;
        let asked = |call: &Call| call.is_held || !call.asked.is_empty();
        let numbers = self.calls.iter().filter(|(_, call)| asked(call)).map(|(number, _)| *number);
        for number in numbers.collect::<Vec<_>>() {
            self.refuse_running(number);
            self.give_up(number);
        }
        for parked in std::mem::take(&mut self.parked) {
            self.abandon(parked.asked);
        }
        self.pump();
        turns.append(&mut self.turns);
    }

    /// Whether no request of the client is without an answer.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.calls.is_empty()
    }

    /// The end: answers what is still open.
    pub fn end(&mut self, now: Now, turns: &mut Vec<Turn>) {
        self.now = now;
        for number in self.calls.keys().copied().collect::<Vec<_>>() {
            self.refuse_running(number);
            self.give_up(number);
        }
        for waiting in std::mem::take(&mut self.waiting) {
            self.refuse(&waiting.call.message, &closed());
        }
        self.finish_listens();
        self.timers.clear();
        turns.append(&mut self.turns);
    }

    /// Answers a call that the client waits for, now that the bridge is closed.
    fn refuse_running(&mut self, number: u64) {
        let call = self.calls.get(&number).filter(|call| !call.is_held);
        if let Some(message) = call.map(|call| call.message.clone()) {
            self.refuse(&message, &closed());
        }
    }

    /// The requests that have not reached the remote, taken out: it turned out to be modern. The
    /// next request begins anew;
    /// requests that went out in a session before hear that it is lost.
    pub fn take_unsent(&mut self, turns: &mut Vec<Turn>) -> Vec<Message> {
        self.session = Session::default();
        for call in std::mem::take(&mut self.calls).into_values().filter(|call| !call.is_held) {
            let attempted = format!("lost the answer to `{}`", call.message.method());
            let error = Error::new(crate::error::Kind::SessionLost, attempted)
                .because("the server has ended the session, and is one of 2026-07-28 now")
                .hint("make the request again");
            self.refuse(&call.message, &error);
        }
        self.finish_listens();
        turns.append(&mut self.turns);
        self.waiting.drain(..).map(|waiting| waiting.call.message).collect()
    }

    fn tell(&mut self, bytes: Bytes) {
        self.turns.push(Turn::Local(bytes));
    }

    fn say(&mut self, bytes: impl Into<Bytes>) {
        self.turns.push(Turn::Core(bytes.into()));
    }

    /// Answers a request of the client with an error of the bridge.
    fn refuse(&mut self, request: &Message, error: &Error) {
        self.tell(error.response(request.id()));
    }

    fn after(&mut self, wait: Millis, timer: Timer) {
        let number = self.unique();
        self.timers.insert((self.now.mono.saturating_add(wait), number), timer);
    }

    fn unique(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// The id, as a JSON token, of the translation's request of that number.
    fn own_token(&self, number: u64) -> String {
        format!("\"{}{number}\"", self.own_id)
    }

    /// The number in such an id.
    fn own_number(&self, token: &str) -> Option<u64> {
        let text = token.strip_prefix('"')?.strip_suffix('"')?;
        text.strip_prefix(self.own_id.as_str())?.parse().ok()
    }

    /// A request of the translation's own.
    fn ask(&mut self, own: Own, method: &str, params: &str) -> u64 {
        let number = self.unique();
        let id = self.own_token(number);
        self.own.insert(number, own);
        self.say(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#));
        number
    }

    /// The state machine answers a request.
    fn on_answer(&mut self, answer: Message) {
        let Some(number) = answer.id().and_then(|id| self.own_number(id)) else {
            return debug!("ignored an answer to no request");
        };
        if self.session.is_opening(number) {
            return self.on_initialize_answer(&answer);
        }
        if self.calls.contains_key(&number) {
            return self.on_call_answer(number, answer);
        }
        match self.own.remove(&number) {
            Some(Own::Level) => self.on_level_set(number),
            Some(Own::Subscribe(uri)) => self.on_subscribed(&uri, answer.error().is_none()),
            Some(Own::TaskGet(call)) => self.on_task(call, answer),
            Some(Own::TaskResult(call)) => self.on_task_result(call, answer),
            Some(Own::Ignored) | None => {}
        }
    }

    /// The call that a request of the translation's own belongs to.
    fn call_of(&self, number: u64) -> Option<u64> {
        match self.own.get(&number) {
            Some(Own::TaskGet(call) | Own::TaskResult(call)) => Some(*call),
            _ => Some(number),
        }
        .filter(|number| self.calls.contains_key(number))
    }
}

fn closed() -> Error {
    Error::new(
        crate::error::Kind::OutcomeUnknown,
        "the bridge was closed before the remote answered",
    )
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod transcript;
