//! The layer as dialogues: a [`Bench`] plays the layer above, the remote and the clock.

mod headers;
mod listen;
mod random;
mod repair;

use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::remote::event::StreamEnd;

/// What every request of these tests carries.
const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}},"io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"vendor/x":1.0}"#;

/// The first number of the layer's own exchanges, less one.
const OWN: ExchangeId = 1000;

struct Bench {
    wire: Wire,
    now: Now,
}

impl Bench {
    fn new() -> Self {
        Bench { wire: Wire::new(OWN, "own-"), now: Now { mono: 5000, ..Now::default() } }
    }

    fn post(&mut self, exchange: ExchangeId, body: &str) -> Vec<Step> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let route = Route::Modern(Mirrored::default());
        let mut steps = Vec::new();
        let post = Post { exchange, route, body, compressed: false, after: None };
        self.wire.post(post, self.now, &mut steps);
        steps
    }

    /// The same, where it is sent on; gives what is sent.
    fn send(&mut self, exchange: ExchangeId, body: &str) -> Post {
        sent(self.post(exchange, body))
    }

    fn event(&mut self, event: Event) -> Vec<Step> {
        let mut steps = Vec::new();
        self.wire.event(event, self.now, &mut steps);
        steps
    }

    fn message(&mut self, exchange: ExchangeId, text: &str) -> Vec<Step> {
        self.event(Event::Message { exchange, bytes: Bytes::copy_from_slice(text.as_bytes()) })
    }

    fn answer(&mut self, exchange: ExchangeId, text: &str) -> Vec<Step> {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        self.event(Event::Answer { exchange, bytes, session: Some("s".into()) })
    }

    fn ended(&mut self, exchange: ExchangeId, end: End) -> Vec<Step> {
        self.event(Event::Ended { exchange, end })
    }

    fn abort(&mut self, exchange: ExchangeId) -> Vec<Step> {
        let mut steps = Vec::new();
        self.wire.abort(exchange, self.now, &mut steps);
        steps
    }

    /// Waits until the next deadline; gives how long that took.
    fn wait(&mut self) -> (Millis, Vec<Step>) {
        let due = self.wire.next_deadline().expect("a deadline");
        let waited = due - self.now.mono;
        let mut steps = Vec::new();
        self.now.mono = due - 1;
        self.wire.tick(self.now, &mut steps);
        assert!(steps.is_empty(), "{steps:?}");
        self.now.mono = due;
        self.wire.tick(self.now, &mut steps);
        (waited, steps)
    }

    /// Nothing is left of what has ended.
    fn is_clean(&self) -> bool {
        self.wire.flights.is_empty() && self.wire.aliases.is_empty() && self.wire.timers.is_empty()
    }
}

/// A request with an id (a JSON token) and members of `params` before `_meta`.
fn request(id: &str, method: &str, params: &str) -> String {
    let comma = if params.is_empty() { "" } else { "," };
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{params}{comma}{META}}}}}"#
    )
}

fn result(id: &str, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

fn error(id: &str, code: i32, data: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"m","data":{data}}}}}"#
    )
}

fn status(status: u16, body: &str) -> End {
    let body = Bytes::copy_from_slice(body.as_bytes());
    End::Status(Box::new(Refusal { status, body, ..Refusal::default() }))
}

fn dropped() -> End {
    End::Stream(StreamEnd { broken: Some("reset".to_owned()), ..StreamEnd::default() })
}

/// The one message that was sent.
fn sent(steps: Vec<Step>) -> Post {
    let mut posts: Vec<Post> = steps
        .into_iter()
        .map(|step| match step {
            Step::Post(post) => post,
            other => panic!("not a message to send: {other:?}"),
        })
        .collect();
    assert_eq!(posts.len(), 1, "{posts:?}");
    posts.remove(0)
}

fn headers(post: &Post) -> &Mirrored {
    match &post.route {
        Route::Modern(mirrored) => mirrored,
        other => panic!("{other:?}"),
    }
}

fn text(bytes: &Bytes) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

fn json(bytes: &Bytes) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

/// Steps in a few words: what goes up with its exchange and text, what is stopped.
fn words(steps: &[Step]) -> Vec<String> {
    let word = |step: &Step| match step {
        Step::Up(Event::Message { exchange, bytes }) => format!("{exchange} {}", text(bytes)),
        Step::Up(Event::Answer { exchange, bytes, session: None }) => {
            format!("{exchange} body {}", text(bytes))
        }
        Step::Up(Event::Ended { exchange, end }) => format!("{exchange} ended: {end}"),
        Step::Up(Event::Opened { exchange, session: None }) => format!("{exchange} opened"),
        Step::Abort(exchange) => format!("abort {exchange}"),
        Step::Warn(text) => format!("warn {text}"),
        other => format!("{other:?}"),
    };
    steps.iter().map(word).collect()
}
