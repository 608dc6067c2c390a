//! Everything the bridge decides, as a pure state machine: an [`Input`] and the time go in,
//! [`Action`]s come out. No I/O, no clock, no randomness of its own.
//!
//! ```text
//!             initialize            answered            initialized         202
//!   Idle ───────────────▶ Opening ───────────▶ Open ───────────────▶ Confirming ──▶ Ready
//!                        ▲   │  ▲                                                    │
//!             next try   │   │  └──────────── the session or the stream is lost ─────┤
//!                        │   ▼                                                       │
//!                      Waiting / Refused        Replaying ──▶ Ready  ◀── re-handshake┘
//! ```
//!
//! The parts: `local` takes what the client says, `remote` what the server says, `request`
//! follows a client's request to its one answer, `link` makes and remakes the connection,
//! `handshake` is how one begins, `recovery` replays what a new session must know, `listen` keeps
//! the GET stream, `startup` answers for a remote that is not there yet, `explain` says why one is
//! not, `choice` knows the transports and their order, `sessionless` is what differs where there is
//! no handshake, `sign_in` is what happens while a person signs in.

mod answer;
mod choice;
mod explain;
mod handshake;
mod interface;
mod link;
mod listen;
mod liveness;
mod local;
mod recovery;
mod remote;
mod request;
mod sessionless;
mod sign_in;
mod startup;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;

use super::{
    memory::Memory,
    pending::{Batch, Inbounds, Key, Request, Requests, Stage},
};
use crate::{
    error::Error,
    message::Message,
    protocol::{List, Method},
    remote::event::{End, ExchangeId},
    time::{Millis, Now},
};
pub use interface::{Action, Input, Known, Settings, Transport};
use link::{Connection, Link};
use listen::Listen;
use local::Local;
pub use local::trim;
use sign_in::SigningIn;
use startup::Provisional;

/// The start of every request id the bridge makes up.
pub const OWN_ID: &str = "composio-bridge-";

/// How long answers in flight are waited for once stdin has ended.
pub const DRAIN: Millis = 1500;

/// What an exchange is for.
#[derive(Debug, Clone)]
enum Purpose {
    /// The POST of `initialize`.
    Initialize,
    /// The POST of `notifications/initialized`.
    Initialized(Bytes),
    /// The POST of a request of the local client.
    Request(Key),
    /// The GET that reads on in the response stream of a request.
    Resume(Key),
    /// The POST of a notification or an answer of the local client.
    OneWay(OneWay),
    /// The POST of a request of the bridge's own.
    Own(u64),
    /// The GET stream of Streamable HTTP.
    Listen,
    /// The one stream of HTTP+SSE.
    Stream,
}

impl Purpose {
    /// The request whose response stream it is.
    fn request(&self) -> Option<Key> {
        match self {
            Purpose::Request(key) | Purpose::Resume(key) => Some(*key),
            _ => None,
        }
    }
}

/// A message that gets no answer.
#[derive(Debug, Clone)]
struct OneWay {
    bytes: Bytes,
    /// Whether the remote waits for it: an answer to its request (LH-61).
    is_answer: bool,
    tries: u8,
}

/// What one of the bridge's own requests is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Own {
    /// To see whether the remote is alive.
    Ping,
    /// To tell a new session what the old one knew.
    Replay,
    /// To see whether a list is what was remembered.
    Compare(List),
    /// To see whether the remote is still, or at all, of 2026-07-28, now that it has refused this
    /// request.
    Era(Key),
}

/// What happens at a deadline. A timer whose cause has gone does nothing.
#[derive(Debug, Clone)]
enum Timer {
    Grace,
    Connect(u32),
    Handshake(u32),
    Confirm(Bytes, u32),
    Barrier(u32),
    Replay(u32),
    Resend(Key),
    Resume(Key),
    OneWay(OneWay, u32),
    Listen(u32),
    SecondOpinion(u32),
    Ping,
    Wake(u32, Millis),
    Deadlines,
    Linger(ExchangeId),
    Drain,
}

/// The machine.
#[derive(Debug)]
pub struct State {
    settings: Settings,
    token: u32,
    now: Now,
    actions: Vec<Action>,
    timers: BTreeMap<(Millis, u64), Timer>,
    counter: u64,
    local: Local,
    link: Link,
    connection: Connection,
    exchanges: BTreeMap<ExchangeId, (Purpose, u32)>,
    requests: Requests,
    batches: BTreeMap<u64, Batch>,
    inbounds: Inbounds,
    own: Vec<(u64, Own)>,
    /// Requests whose refusal raises the question which era the remote is of.
    suspects: Vec<(Key, End)>,
    held: VecDeque<Held>,
    listen: Listen,
    provisional: Provisional,
    signing_in: SigningIn,
    /// What the endpoint stood for was replaced, and the client has not been told yet.
    is_replaced: bool,
    learned: Memory,
    heard: Millis,
    opened: Millis,
    short_sessions: u32,
    /// Whether the local client speaks 2026-07-28, so that there is no handshake and no session.
    sessionless: bool,
    /// Whether the remote is taken for a modern one, and has not shown yet that it is.
    is_leaning: bool,
    /// Whether a remote that turns out to be modern is left to another machine.
    may_turn: bool,
    /// Whether the local client also speaks 2026-07-28, on another machine.
    is_beside_modern: bool,
    /// Whether the session has brought the client anything.
    served: bool,
    unanswered_pings: u8,
    deadline_at: Option<Millis>,
    closing: bool,
    done: bool,
}

/// A message that waits for the remote to be ready, in the order it came.
#[derive(Debug)]
enum Held {
    Request(Key),
    Initialized(Bytes),
    OneWay(OneWay),
}

impl State {
    /// A machine that has seen nothing yet.
    pub fn new(settings: Settings, now: Now) -> Self {
        State {
            settings,
            token: (now.random * f64::from(u32::MAX)) as u32,
            now,
            actions: Vec::new(),
            timers: BTreeMap::new(),
            counter: 0,
            local: Local::default(),
            link: Link::Idle,
            connection: Connection::default(),
            exchanges: BTreeMap::new(),
            requests: Requests::default(),
            batches: BTreeMap::new(),
            inbounds: Inbounds::default(),
            own: Vec::new(),
            suspects: Vec::new(),
            held: VecDeque::new(),
            listen: Listen::default(),
            provisional: Provisional::default(),
            signing_in: SigningIn::default(),
            is_replaced: false,
            learned: Memory::default(),
            heard: now.mono,
            opened: now.mono,
            short_sessions: 0,
            sessionless: false,
            is_beside_modern: false,
            may_turn: false,
            is_leaning: false,
            served: false,
            unanswered_pings: 0,
            deadline_at: None,
            closing: false,
            done: false,
        }
    }

    /// Takes in what happened; what is to be done about it is added to `actions`.
    pub fn handle(&mut self, input: Input, now: Now, actions: &mut Vec<Action>) {
        self.notice_sleep(now);
        self.now = now;
        match input {
            _ if self.done => {}
            Input::Line(line) => self.on_line(line),
            Input::Message(message) => self.on_message(message, None),
            Input::LongLine => self.on_long_line(),
            Input::LocalClosed => self.on_local_closed(),
            Input::Stop => self.finish(),
            Input::Remote(event) => self.on_event(event),
            Input::Recalled(memory) => self.on_recalled(*memory),
            Input::Earnest => self.note_earnest(),
            Input::SignIn(news) => self.on_sign_in(*news),
            Input::Tick => {}
        }
        self.run_timers();
        self.settle_trial();
        self.finish_when_drained();
        actions.append(&mut self.actions);
    }

    /// When [`Input::Tick`] is due, if nothing else happens before.
    pub fn next_deadline(&self) -> Option<Millis> {
        self.timers.keys().next().map(|(at, _)| *at)
    }

    /// The same, whose exchanges are numbered from `first` on.
    pub fn numbered(mut self, first: ExchangeId) -> Self {
        self.counter = first;
        self
    }

    /// The same, for a client whose modern messages are translated; `may_turn` if a remote that
    /// turns out to be modern is to be left to another machine.
    pub fn translated(mut self, may_turn: bool) -> Self {
        self.may_turn = may_turn;
        self.signing_in.wait_for_earnest();
        self
    }

    /// The local client speaks 2026-07-28 too.
    pub fn note_modern_client(&mut self) {
        self.is_beside_modern = true;
    }

    /// Whether the local client has begun a session.
    pub fn has_client(&self) -> bool {
        self.local.initialize.is_some()
    }

    /// The raw id that the local client gave an unanswered request.
    pub fn id_of(&self, key: Key) -> Option<&str> {
        self.requests.get(key).map(Request::id)
    }

    /// How much is kept, by name.
    #[cfg(test)]
    pub fn sizes(&self) -> Vec<(&'static str, usize)> {
        let requests = self.requests.keys(|_| true).len();
        let held = self.held.iter().filter(|held| matches!(held, Held::Request(_))).count();
        vec![
            ("requests", requests),
            ("held requests", held),
            ("batches", self.batches.len()),
            ("suspects", self.suspects.len()),
        ]
    }

    /// Whether the local client has an unanswered request with this raw id.
    pub fn has_request(&self, id: &str) -> bool {
        self.requests.by_local_id(id).is_some()
    }

    /// Whether the remote is one of 2026-07-28, as far as is known.
    fn is_modern(&self) -> bool {
        self.connection.transport == Transport::Modern
    }

    fn run_timers(&mut self) {
        while let Some(entry) = self.timers.first_entry() {
            if entry.key().0 > self.now.mono || self.done {
                return;
            }
            match entry.remove() {
                Timer::Grace => self.on_grace(),
                Timer::Connect(generation) => self.on_connect_due(generation),
                Timer::Handshake(generation) => self.on_handshake_due(generation),
                Timer::Confirm(bytes, generation) => self.on_confirm_due(bytes, generation),
                Timer::Barrier(generation) => self.on_barrier_due(generation),
                Timer::Replay(generation) => self.on_replay_due(generation),
                Timer::Resend(key) => self.resend(key),
                Timer::Resume(key) => self.resume(key),
                Timer::OneWay(message, generation) => self.on_one_way_due(message, generation),
                Timer::Listen(generation) => self.on_listen_due(generation),
                Timer::SecondOpinion(generation) => self.on_second_opinion_due(generation),
                Timer::Ping => self.on_ping_due(),
                Timer::Wake(generation, woken) => self.on_wake_due(generation, woken),
                Timer::Deadlines => self.on_deadlines(),
                Timer::Linger(exchange) => self.abort(exchange),
                Timer::Drain => self.finish(),
            }
        }
    }

    fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    fn after(&mut self, wait: Millis, timer: Timer) {
        self.counter += 1;
        self.timers.insert((self.now.mono.saturating_add(wait), self.counter), timer);
    }

    fn after_wait(&mut self, wait: Duration, timer: Timer) {
        self.after(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX), timer);
    }

    fn unique(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    fn begin(&mut self, purpose: Purpose) -> ExchangeId {
        let exchange = self.unique();
        self.exchanges.insert(exchange, (purpose, self.connection.generation));
        exchange
    }

    fn abort(&mut self, exchange: ExchangeId) {
        if self.exchanges.remove(&exchange).is_some() {
            self.act(Action::Abort(exchange));
        }
    }

    fn on_local_closed(&mut self) {
        if !std::mem::replace(&mut self.closing, true) {
            self.after(DRAIN, Timer::Drain);
        }
    }

    fn finish_when_drained(&mut self) {
        let one_way_left = || {
            self.exchanges
                .values()
                .any(|(purpose, _)| matches!(purpose, Purpose::OneWay(_) | Purpose::Initialized(_)))
        };
        let is_drained = self.closing
            && !self.done
            && self.requests.keys(|request| request.method != Method::Listen).is_empty()
            && self.local.unanswered_initialize().is_none()
            && self.held.is_empty()
            && !one_way_left();
        if is_drained {
            self.finish();
        }
    }

    /// Answers what is still open and ends.
    fn finish(&mut self) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        let error = Error::new(
            crate::error::Kind::OutcomeUnknown,
            "the bridge was closed before the remote answered",
        );
        if let Some(initialize) = self.local.take_unanswered() {
            let answer = error.response(initialize.id());
            self.act(Action::Write(answer));
        }
        for key in self.requests.keys(|_| true) {
            match self.requests.get(key) {
                Some(request) if request.method == Method::Listen => {
                    let answer = Self::listen_result(request.id());
                    self.act(Action::Write(answer.into()));
                }
                _ => self.fail(key, &error),
            }
        }
        if let Some(session) = self.connection.session.take() {
            let version = self.connection.version.clone();
            self.act(Action::Delete { session, version });
        }
        self.timers.clear();
        self.act(Action::Exit);
    }

    /// The id, as a JSON token, of a request that the bridge makes up or repeats. No other program
    /// makes up the same, not even another bridge behind this one.
    fn own_id(&self, number: u64) -> String {
        format!("\"{OWN_ID}{:08x}-{number}\"", self.token)
    }

    /// The number in such an id, where it is one of this bridge's.
    fn own_number(&self, id: &str) -> Option<u64> {
        let (token, number) = id.strip_prefix(OWN_ID)?.split_once('-')?;
        (token == format!("{:08x}", self.token)).then(|| number.parse().ok())?
    }

    /// A request of the bridge's own.
    fn ask(&mut self, own: Own, method: &str, params: &str) {
        let number = self.unique();
        let id = self.own_id(number);
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}"{params}}}"#);
        self.own.push((number, own));
        self.send(Purpose::Own(number), body.into(), Method::of(method).wants_compression(), None);
    }

    /// A message of the local client's, under a fresh id, sent by the bridge.
    fn ask_again(&mut self, own: Own, message: &Message) {
        let number = self.unique();
        let body = message.with_id(&self.own_id(number));
        self.own.push((number, own));
        self.send(Purpose::Own(number), body, false, None);
    }
}

#[cfg(test)]
mod tests;
