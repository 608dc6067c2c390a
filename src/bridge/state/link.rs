//! Making the connection, with the local client's own `initialize` as the probe: when it is tried,
//! and tried again.

use std::sync::Arc;

use super::{
    Action, Held, Purpose, State, Timer, Transport, explain::with_all_attempts, local::Local,
    sign_in::Pause, startup::Provisional,
};
use crate::{
    bridge::pending::Key,
    error::{Error, Kind},
    message::{Message, one_line},
    protocol::List,
    remote::{
        backoff::CONNECT,
        event::{End, ExchangeId, Get, GetRoute, Mirrored, Route},
    },
};

/// How long `notifications/initialized` may take to be accepted before the rest goes on.
pub(super) const BARRIER: u64 = 10_000;

/// How long after a refusal the next try is made, where the client was told to wait.
const REFUSED_WAIT: u64 = 30_000;

/// How soon after a refusal a request of the client may cause the next try.
const REFUSED_REST: u64 = 2000;

/// The connection: what every message to the remote needs.
#[derive(Debug)]
pub(super) struct Connection {
    /// The transport.
    pub transport: Transport,
    /// Counts the sessions; what comes from an earlier one is no news.
    pub generation: u32,
    /// `Mcp-Session-Id`.
    pub session: Option<Arc<str>>,
    /// The negotiated protocol version.
    pub version: Option<Arc<str>>,
    /// HTTP+SSE: the URL for sending.
    pub url: Option<Arc<str>>,
    /// HTTP+SSE: the stream.
    pub stream: Option<ExchangeId>,
    /// The lists whose changes the remote announces.
    pub list_changed: Vec<List>,
}

impl Default for Connection {
    fn default() -> Self {
        Connection {
            transport: Transport::StreamableHttp,
            generation: 0,
            session: None,
            version: None,
            url: None,
            stream: None,
            list_changed: Vec::new(),
        }
    }
}

impl Connection {
    /// Whether a refusal can mean that a session is gone.
    pub fn has_session(&self) -> bool {
        self.session.is_some() || self.transport == Transport::HttpSse
    }

    /// How messages are sent now.
    pub fn route(&self) -> Route {
        match (self.transport, &self.url) {
            (Transport::HttpSse, Some(url)) => Route::HttpSse { url: Arc::clone(url) },
            (Transport::Modern, _) => Route::Modern(Mirrored::default()),
            _ => Route::Streamable { session: self.session.clone(), version: self.version.clone() },
        }
    }
}

/// How far the connection is.
#[derive(Debug)]
pub(super) enum Link {
    /// No `initialize` has come.
    Idle,
    /// A handshake is under way.
    Opening(Opening),
    /// The next handshake waits for its time.
    Waiting(Opening, Error),
    /// `initialize` is answered; the client has not confirmed yet.
    Open,
    /// `notifications/initialized` is on its way; nothing may overtake it (INV-5).
    Confirming,
    /// A new session is told what the old one knew; holds how many answers are missing.
    Replaying(usize),
    /// Everything passes.
    Ready,
    /// Nobody knows yet whether the remote is modern: one request at a time is sent, and its
    /// outcome tells (26:ver). Holds the one that is on its way.
    Trial(Option<Key>),
    /// The remote said no, in a way that trying again at once will not change. Since when.
    Refused(Error, u64),
    /// The remote wants a token that somebody has to sign in for.
    SigningIn(Box<Pause>),
}

/// A handshake under way.
#[derive(Debug, Clone, Default)]
pub(super) struct Opening {
    /// How many rounds have failed.
    pub attempt: u32,
    /// Which transports have failed in this round, and how.
    pub failures: Vec<(Transport, Error)>,
    /// How the last round failed, while this one has not.
    pub last: Option<Error>,
    /// A JSON-RPC error that was the answer; worth more to the client than our words.
    pub answer: Option<Message>,
    /// Whether an earlier session is replaced.
    pub is_recovery: bool,
    /// The id `initialize` was sent under.
    pub id: String,
    /// The answer of a remote that may be worth more as a modern one.
    pub legacy_answer: Option<Message>,
}

impl Link {
    /// Whether requests may be sent.
    pub fn is_usable(&self) -> bool {
        matches!(self, Link::Open | Link::Ready | Link::Trial(None))
    }

    /// Why there is no connection, as far as that is known.
    pub fn failure(&self) -> Option<&Error> {
        match self {
            Link::Waiting(_, error) | Link::Refused(error, _) => Some(error),
            Link::SigningIn(pause) => Some(&pause.error),
            Link::Opening(opening) => {
                opening.failures.last().map(|(_, error)| error).or(opening.last.as_ref())
            }
            _ => None,
        }
    }
}

impl State {
    /// The local client begins, or begins again.
    pub(super) fn on_initialize(&mut self, message: Message) {
        if let Some(earlier) = self.local.take_unanswered() {
            let error =
                Error::new(Kind::InvalidRequest, "another `initialize` came after this one");
            self.act(Action::Write(error.response(earlier.id())));
        }
        if let Some(session) = self.connection.session.take() {
            let version = self.connection.version.clone();
            self.act(Action::Delete { session, version });
        }
        let cause = "the client began a new session";
        self.forget_inbounds();
        self.own.clear();
        self.held.retain(|held| matches!(held, Held::Request(_)));
        self.provisional = Provisional::default();
        let since = self.now.mono;
        self.local = Local { initialize: Some(message), since, ..Local::default() };
        self.after(self.settings.grace, Timer::Grace);
        let was_sse = self.is_sse();
        self.open(Opening::default());
        if was_sse {
            self.settle_lost_answers(cause);
        }
    }

    /// Starts a round of attempts.
    pub(super) fn open(&mut self, opening: Opening) {
        self.forget_connection();
        let first = self.transports()[0];
        self.link = Link::Opening(Opening { failures: Vec::new(), answer: None, ..opening });
        self.open_with(first);
    }

    pub(super) fn forget_connection(&mut self) {
        let streams = |(exchange, (purpose, _)): (&ExchangeId, &(Purpose, u32))| {
            matches!(purpose, Purpose::Stream | Purpose::Listen | Purpose::Initialize)
                .then_some(*exchange)
        };
        let streams: Vec<ExchangeId> = self.exchanges.iter().filter_map(streams).collect();
        streams.into_iter().for_each(|exchange| self.abort(exchange));
        self.connection.generation += 1;
        self.connection.session = None;
        self.connection.version = None;
        self.connection.url = None;
        self.connection.stream = None;
        self.listen.reset();
    }

    pub(super) fn open_with(&mut self, transport: Transport) {
        self.connection.transport = transport;
        self.after(self.handshake_limit(), Timer::Handshake(self.connection.generation));
        match transport {
            Transport::StreamableHttp | Transport::Modern => self.send_initialize(),
            Transport::HttpSse => {
                let exchange = self.begin(Purpose::Stream);
                self.connection.stream = Some(exchange);
                let route = GetRoute::HttpSse;
                self.act(Action::Get(Get { exchange, route, last_event_id: None }));
                // The stream opens, but its first event may never come.
                self.after(BARRIER, Timer::Connect(self.connection.generation));
            }
        }
    }

    /// The remote is not there: the next round comes by itself.
    pub(super) fn try_later(&mut self, error: Error) {
        let Link::Opening(mut opening) = std::mem::replace(&mut self.link, Link::Idle) else {
            return;
        };
        let wait = CONNECT.delay(opening.attempt, self.now.random);
        opening.attempt += 1;
        tracing::debug!("not connected, trying again later: {error}");
        opening.last = Some(error.clone());
        self.link = Link::Waiting(opening, error);
        self.forget_connection();
        self.after_wait(wait, Timer::Connect(self.connection.generation));
    }

    /// The next session waits a little: the last ones did not live long.
    pub(super) fn open_later(&mut self, opening: Opening, repeats: u32, cause: &str) {
        let error = Error::new(Kind::Unreachable, self.connect_attempt()).because(cause);
        self.link = Link::Waiting(opening, error);
        self.forget_connection();
        let wait = CONNECT.delay(repeats, self.now.random);
        self.after_wait(wait, Timer::Connect(self.connection.generation));
    }

    /// The remote said no.
    pub(super) fn refused(&mut self, error: Error) {
        let Link::Opening(opening) = std::mem::replace(&mut self.link, Link::Idle) else { return };
        let error = with_all_attempts(error, &opening.failures);
        self.forget_connection();
        if let Some(initialize) = self.local.take_unanswered() {
            let id = initialize.id().unwrap_or("null");
            let answer = match &opening.answer {
                Some(answer) => one_line(answer.with_id_added(id)),
                None => error.response(Some(id)),
            };
            self.act(Action::Write(answer));
            // The client may ask again; until then nothing is open.
            self.local.initialize = None;
        } else {
            self.after(REFUSED_WAIT, Timer::Connect(self.connection.generation));
        }
        self.link = Link::Refused(error.clone(), self.now.mono);
        let waiting = self
            .requests
            .keys(|request| matches!(request.stage, crate::bridge::pending::Stage::Held));
        waiting.into_iter().for_each(|key| self.fail(key, &error));
        self.held.retain(|held| !matches!(held, Held::Request(_)));
    }

    /// The refusal that answers a new request at once, unless it is time to ask again.
    pub(super) fn refusal_in_force(&self) -> Option<Error> {
        match &self.link {
            Link::Refused(error, since) if self.now.mono < since + REFUSED_REST => {
                Some(error.clone())
            }
            Link::Refused(error, _) if self.local.initialize.is_none() => Some(error.clone()),
            _ => None,
        }
    }

    /// A request waits: where the last refusal is old enough, the remote is asked again.
    pub(super) fn wake_link(&mut self) {
        if matches!(self.link, Link::Refused(..)) && self.local.initialize.is_some() {
            let is_recovery = self.local.is_answered && !self.provisional.is_open();
            self.open(Opening { attempt: 1, is_recovery, ..Opening::default() });
        }
    }

    pub(super) fn on_connect_due(&mut self, generation: u32) {
        if generation != self.connection.generation {
            return;
        }
        match std::mem::replace(&mut self.link, Link::Idle) {
            Link::Waiting(opening, _) => self.open(opening),
            Link::Refused(error, since) => {
                self.link = Link::Refused(error, since);
                self.wake_link();
            }
            Link::Opening(opening) => {
                self.link = Link::Opening(opening);
                if self.connection.transport == Transport::HttpSse && self.connection.url.is_none()
                {
                    let end =
                        End::Malformed("an event stream without an `endpoint` event".to_owned());
                    self.on_handshake_ended(&Purpose::Stream, end);
                }
            }
            other => self.link = other,
        }
    }

    /// Sends what is held, in its order, up to the confirmation that nothing may overtake.
    pub(super) fn advance(&mut self) {
        while self.link.is_usable() {
            match self.held.pop_front() {
                Some(Held::Request(key)) => self.submit(key),
                Some(Held::OneWay(message)) => self.send_one_way(message, None),
                Some(Held::Initialized(bytes)) => self.confirm(bytes),
                None => return,
            }
        }
    }
}
