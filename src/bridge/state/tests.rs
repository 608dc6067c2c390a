//! The state machine as dialogues: a [`Bench`] plays the local client, the remote and the clock.

mod ending;
mod eras;
mod handshake;
mod held;
mod inbound;
mod listen;
mod liveness;
mod provisional;
mod random;
mod refusals;
mod replaced;
mod sessionless;
mod sessions;
mod sign_in;
mod streams;

use std::{collections::HashSet, sync::Arc, time::Duration};

use serde_json::Value;

use super::*;
use crate::{
    auth::news::News,
    bridge::{memory::Remembered, tools::Filter},
    config::{Protocol, Strategy, ToolFilter},
    remote::event::{End, Event, GetRoute, Post, Refusal, Route, StreamEnd},
};

const INITIALIZE: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;
const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
const LOST: &str = "Session not found";

/// What the remote answers `initialize` with.
const WELCOME: &str = r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"s","version":"1"}}"#;

/// A request with an id (a JSON token) and no parameters.
fn request(id: &str, method: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}"}}"#)
}

fn call(id: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"t"}}}}"#)
}

fn cancel(id: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
    )
}

fn result(id: &str, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

fn status(status: u16, body: &str) -> End {
    let body = Bytes::copy_from_slice(body.as_bytes());
    End::Status(Box::new(Refusal { status, body, ..Refusal::default() }))
}

/// A remote that wants somebody to sign in.
fn unsigned() -> End {
    let sign_in = Some("composio-bridge login https://r.example/".into());
    let refusal = Refusal { status: 401, sign_in, wants_sign_in: true, ..Refusal::default() };
    End::Status(Box::new(refusal))
}

/// A remote that wants more scopes.
fn insufficient(scope: &str) -> End {
    let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
    let sign_in = Some("composio-bridge login https://r.example/".into());
    let challenge = Some(challenge.into());
    End::Status(Box::new(Refusal { status: 403, sign_in, challenge, ..Refusal::default() }))
}

fn wait_asked(status: u16, seconds: u64) -> End {
    let retry_after = Some(Duration::from_secs(seconds));
    End::Status(Box::new(Refusal { status, retry_after, ..Refusal::default() }))
}

fn unsent() -> End {
    End::Unsent("connection refused".to_owned())
}

fn broken() -> End {
    End::Broken("connection reset".to_owned())
}

fn silent() -> End {
    End::Silent(Duration::from_secs(60))
}

/// The end of a stream that broke, after the event `id` if there was one.
fn cut(id: Option<&str>) -> End {
    End::Stream(StreamEnd {
        broken: Some("connection reset".to_owned()),
        last_event_id: id.map(Arc::from),
        events: id.is_some(),
        messages: id.is_some(),
        lived: Duration::from_secs(5),
        ..StreamEnd::default()
    })
}

fn settings() -> Settings {
    Settings {
        origin: "http://remote.test".to_owned(),
        strategy: Strategy::HttpFirst,
        protocol: Protocol::Legacy,
        known: None,
        grace: 5000,
        input_wait: 720_000,
        call_wait: 45_000,
        answer_wait: Some(60_000),
        ping_interval: None,
        filter: Filter::new(&ToolFilter::default()),
    }
}

/// A message that the machine wants sent.
#[derive(Debug, Clone)]
struct Sent {
    exchange: ExchangeId,
    /// The id as it stands in the message; empty without one.
    id: String,
    method: String,
    text: String,
    /// The session of Streamable HTTP, or the URL of HTTP+SSE.
    to: Option<String>,
    after: Option<ExchangeId>,
}

/// A stream that the machine wants opened.
#[derive(Debug, Clone)]
struct Opened {
    exchange: ExchangeId,
    last_event_id: Option<String>,
    is_sse: bool,
}

/// The world around the machine. Whatever the machine does is checked against what it may never do.
struct Bench {
    state: State,
    now: Now,
    live: HashSet<ExchangeId>,
    written: Vec<String>,
    posts: Vec<Sent>,
    gets: Vec<Opened>,
    rest: Vec<Action>,
    exited: bool,
}

impl Bench {
    fn new() -> Self {
        Bench::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Bench::of(State::new, change)
    }

    fn of(make: impl FnOnce(Settings, Now) -> State, change: impl FnOnce(&mut Settings)) -> Self {
        let now = Now { mono: 1000, wall: 1_000_000, random: 0.0 };
        let mut settings = settings();
        change(&mut settings);
        Bench {
            state: make(settings, now),
            now,
            live: HashSet::new(),
            written: Vec::new(),
            posts: Vec::new(),
            gets: Vec::new(),
            rest: Vec::new(),
            exited: false,
        }
    }

    /// A machine in a session `s1` of Streamable HTTP, whose server offers no GET stream.
    fn ready() -> Self {
        Bench::ready_with(|_| {})
    }

    fn ready_with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut bench = Bench::with(change);
        bench.say(INITIALIZE);
        bench.welcome("s1");
        bench.say(INITIALIZED);
        bench.confirm();
        if let Some(stream) = bench.gets.pop() {
            bench.end(stream.exchange, status(405, ""));
        }
        bench.written();
        bench.rest.clear();
        bench
    }

    /// A machine connected over HTTP+SSE, and the stream.
    fn ready_sse() -> (Self, ExchangeId) {
        Bench::ready_sse_with(|_| {})
    }

    fn ready_sse_with(change: impl FnOnce(&mut Settings)) -> (Self, ExchangeId) {
        let mut bench = Bench::with(|settings| {
            settings.strategy = Strategy::SseOnly;
            change(settings);
        });
        bench.say(INITIALIZE);
        let stream = bench.connect_sse("/m1");
        bench.say(INITIALIZED);
        bench.confirm();
        bench.written();
        bench.rest.clear();
        (bench, stream)
    }

    /// The stream of HTTP+SSE opens, and `initialize` is answered on it.
    fn connect_sse(&mut self, url: &str) -> ExchangeId {
        let stream = self.get().exchange;
        self.remote(Event::Endpoint { exchange: stream, url: url.into() });
        let initialize = self.post("initialize");
        self.end(initialize.exchange, End::Accepted(202));
        self.message(stream, &result(&initialize.id, WELCOME));
        stream
    }

    /// `initialize` is answered, and a session opened.
    fn welcome(&mut self, session: &str) {
        let initialize = self.post("initialize");
        let bytes = result(&initialize.id, WELCOME).into();
        let session = Some(session.into());
        self.remote(Event::Answer { exchange: initialize.exchange, bytes, session });
    }

    /// `notifications/initialized` is taken.
    fn confirm(&mut self) {
        let exchange = self.post("notifications/initialized").exchange;
        self.end(exchange, End::Accepted(202));
    }

    fn say(&mut self, line: &str) {
        self.input(Input::Line(Bytes::copy_from_slice(line.as_bytes())));
    }

    fn remote(&mut self, event: Event) {
        let (exchange, is_over) = match &event {
            Event::Opened { exchange, .. }
            | Event::Endpoint { exchange, .. }
            | Event::Message { exchange, .. } => (*exchange, false),
            Event::Answer { exchange, .. } | Event::Ended { exchange, .. } => (*exchange, true),
        };
        assert!(self.live.contains(&exchange), "the test speaks on a dead exchange: {event:?}");
        if is_over {
            self.live.remove(&exchange);
        }
        self.input(Input::Remote(event));
    }

    fn end(&mut self, exchange: ExchangeId, end: End) {
        self.remote(Event::Ended { exchange, end });
    }

    fn message(&mut self, exchange: ExchangeId, text: &str) {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        self.remote(Event::Message { exchange, bytes });
    }

    /// The whole answer as one body.
    fn body(&mut self, exchange: ExchangeId, text: &str) {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        self.remote(Event::Answer { exchange, bytes, session: None });
    }

    /// Answers a request with a result.
    fn answer(&mut self, sent: &Sent, text: &str) {
        self.body(sent.exchange, &result(&sent.id, text));
    }

    /// Lets time pass, with every deadline on its way.
    fn wait(&mut self, millis: Millis) {
        let until = self.now.mono + millis;
        let mut ticks = 0;
        while let Some(at) = self.state.next_deadline().filter(|at| *at <= until) {
            self.pass(at.max(self.now.mono));
            self.input(Input::Tick);
            ticks += 1;
            assert!(ticks < 50_000, "the timers never come to rest");
        }
        self.pass(until);
    }

    fn pass(&mut self, until: Millis) {
        self.now.wall += until - self.now.mono;
        self.now.mono = until;
    }

    fn input(&mut self, input: Input) {
        let mut actions = Vec::new();
        self.state.handle(input, self.now, &mut actions);
        for action in actions {
            self.note(action);
        }
    }

    fn note(&mut self, action: Action) {
        let is_handed_over = matches!(self.rest.last(), Some(Action::OtherEra(..)));
        assert!(!self.exited && !is_handed_over, "after the end: {action:?}");
        match action {
            Action::Write(bytes) | Action::Relay(bytes, _) => {
                let text = String::from_utf8(bytes.to_vec()).expect("only UTF-8 is written");
                assert!(!text.contains(['\n', '\r']), "one line: {text}");
                self.written.push(text);
            }
            Action::Post(post) => {
                assert!(self.live.insert(post.exchange), "an exchange begins twice");
                let sent = sent(&post);
                self.posts.push(sent);
            }
            Action::Get(get) => {
                assert!(self.live.insert(get.exchange), "an exchange begins twice");
                self.gets.push(Opened {
                    exchange: get.exchange,
                    last_event_id: get.last_event_id.map(|id| id.to_string()),
                    is_sse: get.route == GetRoute::HttpSse,
                });
            }
            Action::Abort(exchange) => {
                assert!(self.live.remove(&exchange), "aborts exchange {exchange}, which is over");
                self.posts.retain(|post| post.exchange != exchange);
                self.gets.retain(|get| get.exchange != exchange);
            }
            Action::Exit => self.exited = true,
            other => self.rest.push(other),
        }
    }

    /// Takes the oldest message with this method that has not been looked at.
    #[track_caller]
    fn post(&mut self, method: &str) -> Sent {
        let at = self.posts.iter().position(|post| post.method == method);
        let at = at.unwrap_or_else(|| panic!("no `{method}` in {:#?}", self.posts));
        self.posts.remove(at)
    }

    /// Takes the oldest stream that has not been looked at.
    #[track_caller]
    fn get(&mut self) -> Opened {
        assert!(!self.gets.is_empty(), "no stream is opened");
        self.gets.remove(0)
    }

    /// The methods of all messages that have not been looked at.
    fn methods(&self) -> Vec<&str> {
        self.posts.iter().map(|post| post.method.as_str()).collect()
    }

    /// Takes everything written.
    fn written(&mut self) -> Vec<String> {
        std::mem::take(&mut self.written)
    }

    /// Takes the one thing written.
    #[track_caller]
    fn wrote(&mut self) -> String {
        let mut written = self.written();
        assert_eq!(written.len(), 1, "{written:#?}");
        written.remove(0)
    }

    /// Takes the one thing written: an error. Its id and its code.
    #[track_caller]
    fn wrote_error(&mut self) -> (String, i64) {
        let text = self.wrote();
        let value: Value = serde_json::from_str(&text).expect("JSON is written");
        let id = value.get("id").map_or("none".to_owned(), Value::to_string);
        (id, value["error"]["code"].as_i64().unwrap_or_else(|| panic!("no error: {text}")))
    }

    fn count(&self, wanted: impl Fn(&Action) -> bool) -> usize {
        self.rest.iter().filter(|action| wanted(action)).count()
    }
}

fn sent(post: &Post) -> Sent {
    let message = Message::parse(post.body.clone()).expect("only messages are sent");
    let to = match &post.route {
        Route::Streamable { session, .. } => session.as_deref(),
        Route::HttpSse { url } => Some(&**url),
        Route::Modern(_) => Some("modern"),
    };
    Sent {
        exchange: post.exchange,
        id: message.id().unwrap_or_default().to_owned(),
        method: message.method().into_owned(),
        text: String::from_utf8(post.body.to_vec()).expect("only UTF-8 is sent"),
        to: to.map(str::to_owned),
        after: post.after,
    }
}
