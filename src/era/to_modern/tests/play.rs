//! The world around the translation: the layer above, the layer below and the clock.

use std::time::Duration;

use bytes::Bytes;

use crate::{
    era::{Layer, Step, to_modern::ToModern, transcript::Player},
    message::Message,
    remote::event::{
        End, Event, ExchangeId, Get, GetRoute, Mirrored, Post, Refusal, Route, StreamEnd,
    },
    time::{Millis, Now},
};

/// The first exchange of the translation's own.
const OWN: ExchangeId = 1000;

/// Plays the layers around a translation.
///
/// Exchanges have names: above they are the numbers the client's messages are given, from 1 on;
/// below `own1` and so on are the translation's own.
///
/// What can be said: `client> MESSAGE`, `client> get`, `client> abort 3`; and by the remote about
/// an exchange, such as `remote> 3 MESSAGE` for a body, `remote> 3 ~MESSAGE` for a message of a
/// stream, `remote> 3 opened`, `remote> 3 ended`, `remote> 3 broken`, `remote> 3 unsent`,
/// `remote> 3 accepted`, `remote> 3 status 404 BODY`.
pub struct Bench {
    layer: ToModern,
    now: Now,
    next: ExchangeId,
    /// The `_meta` of the handshake's client, to be shortened to `$META`; the same with tasks.
    metas: Vec<(String, &'static str)>,
    /// The ids that elicitations were given, to be shortened to `$ID1` and so on.
    elicitations: Vec<String>,
}

impl Bench {
    pub fn new() -> Self {
        let now = Now { mono: 1000, wall: 1_000_000, random: 0.0 };
        let layer = ToModern::new("remote.test", OWN, "own-", 900_000);
        Bench { layer, now, next: 1, metas: Vec::new(), elicitations: Vec::new() }
    }

    /// What the translation does when `who` says `what`.
    pub fn say(&mut self, who: &str, what: &str) -> Vec<String> {
        let mut said = Vec::new();
        self.hear(who, what, &mut said);
        said
    }

    pub fn client(&mut self, what: &str) -> Vec<String> {
        self.say("client", what)
    }

    /// The same with nothing shortened.
    pub fn client_raw(&mut self, what: &str) -> Vec<String> {
        let (mut steps, mut said) = (Vec::new(), Vec::new());
        self.take("client", what, &mut steps);
        self.write(steps, &mut said);
        said
    }

    pub fn remote(&mut self, what: &str) -> Vec<String> {
        self.say("remote", what)
    }

    pub fn pass(&mut self, time: Millis) -> Vec<String> {
        let mut said = Vec::new();
        self.wait(time, &mut said);
        said
    }

    /// A translation whose client has opened a session with these parameters, on exchange 1, and
    /// confirmed it on 2; the server declares these capabilities.
    pub fn open(version: &str, capabilities: &str, server: &str) -> Self {
        let mut bench = Bench::new();
        bench.client(&initialize(version, capabilities));
        bench.remote(&format!(
            r#"own1 {{"jsonrpc":"2.0","id":"own-1","result":{{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{server}}}}}"#
        ));
        bench.client(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        bench
    }

    /// The same, of 2025-11-25, that can answer everything.
    pub fn able() -> Self {
        Bench::open(
            "2025-11-25",
            r#"{"roots":{},"sampling":{},"elicitation":{"form":{},"url":{}}}"#,
            r#"{"tools":{},"prompts":{},"resources":{"subscribe":true},"logging":{},"completions":{}}"#,
        )
    }

    /// Nothing is kept of what is over.
    pub fn assert_at_rest(&self) {
        let layer = &self.layer;
        assert!(layer.calls.is_empty(), "{:?}", layer.calls);
        assert!(layer.below.is_empty(), "{:?}", layer.below);
        assert!(layer.asked.is_empty(), "{:?}", layer.asked);
        assert!(layer.handshake.is_none(), "{:?}", layer.handshake);
        assert!(layer.timers.is_empty(), "{:?}", layer.timers);
    }

    fn take(&mut self, who: &str, what: &str, steps: &mut Vec<Step>) {
        let now = self.now;
        match (who, what.split_once(' ')) {
            ("client", _) if what == "get" => {
                let exchange = self.fresh();
                let get = Get { exchange, route: GetRoute::Modern, last_event_id: None };
                self.layer.get(get, now, steps);
            }
            ("client", Some(("abort", exchange))) => {
                self.layer.abort(number(exchange), now, steps);
            }
            ("client", _) => {
                let exchange = self.fresh();
                let body = Bytes::copy_from_slice(what.as_bytes());
                let route = Route::Modern(Mirrored::default());
                let post =
                    Post { exchange, route, body, message: None, compressed: false, after: None };
                self.layer.post(post, now, steps);
            }
            ("remote", Some((exchange, what))) => {
                self.layer.event(event(number(exchange), what), now, steps);
            }
            _ => panic!("who says what? {who}> {what}"),
        }
    }

    fn fresh(&mut self) -> ExchangeId {
        self.next += 1;
        self.next - 1
    }

    fn write(&mut self, steps: Vec<Step>, said: &mut Vec<String>) {
        for step in steps {
            let line = match step {
                Step::Up(event) => {
                    let line = format!("client< {}", up(event));
                    self.learn_elicitation(&line);
                    self.short(&line)
                }
                Step::Post(post) => {
                    assert!(matches!(post.route, Route::Modern(_)), "{:?}", post.route);
                    let text = text(&post.body);
                    Message::parse(post.body).expect("a message");
                    format!("remote< {} {}", name(post.exchange), self.short(&text))
                }
                Step::Abort(exchange) => format!("remote< {} abort", name(exchange)),
                Step::Warn(text) => format!("log< {text}"),
            };
            said.push(line);
        }
    }

    fn short(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (meta, short) in &self.metas {
            text = text.replace(meta, short);
        }
        for (index, id) in self.elicitations.iter().enumerate() {
            text = text.replace(id, &format!("$ID{}", index + 1));
        }
        text
    }

    fn learn_elicitation(&mut self, line: &str) {
        let Some((_, rest)) = line.split_once(r#""elicitationId":""#) else { return };
        let id = &rest[..36];
        let is_uuid = |(at, byte): (usize, u8)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            14 => byte == b'4',
            19 => b"89ab".contains(&byte),
            _ => byte.is_ascii_hexdigit(),
        };
        assert!(id.bytes().enumerate().all(is_uuid), "no UUID: {id}");
        if !self.elicitations.iter().any(|known| known == id) {
            self.elicitations.push(id.to_owned());
        }
    }

    /// After `initialize`, what every request carries is known.
    fn learn_meta(&mut self) {
        let Some(client) = &self.layer.client else { return };
        let probe = |is_call| {
            let message = Message::parse(Bytes::from_static(br#"{"id":1,"method":"m"}"#));
            let message = message.expect("a message");
            let bytes = client.describe_request(&message, is_call).expect("an object");
            let described = Message::parse(bytes).expect("a message");
            let meta = described.param("_meta").expect("_meta").to_owned();
            meta[1..meta.len() - 1].to_owned()
        };
        self.metas = vec![(probe(true), "$CALL"), (probe(false), "$META")];
    }
}

impl Player for Bench {
    fn hear(&mut self, who: &str, what: &str, said: &mut Vec<String>) {
        let mut steps = Vec::new();
        self.take(who, what, &mut steps);
        if who == "client" && self.metas.is_empty() {
            self.learn_meta();
        }
        self.write(steps, said);
    }

    fn wait(&mut self, time: Millis, said: &mut Vec<String>) {
        let end = self.now.mono + time;
        while let Some(at) = self.layer.next_deadline().filter(|at| *at <= end) {
            self.now.mono = at.max(self.now.mono);
            let mut steps = Vec::new();
            self.layer.tick(self.now, &mut steps);
            self.write(steps, said);
        }
        self.now.mono = end;
    }
}

/// The raw result in a line that tells of an answer.
pub fn result_of(line: &str) -> String {
    let (_, text) = line.split_once(" {").expect("an answer");
    let message = Message::parse(format!("{{{text}").into()).expect("a message");
    message.result().expect("a result").to_owned()
}

/// An `initialize` under id 0.
pub fn initialize(version: &str, capabilities: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"{version}","capabilities":{capabilities},"clientInfo":{{"name":"c","version":"1"}}}}}}"#
    )
}

fn number(name: &str) -> ExchangeId {
    match name.strip_prefix("own") {
        Some(own) => OWN - 1 + own.parse::<ExchangeId>().expect("a number"),
        None => name.parse().expect("a number"),
    }
}

fn name(exchange: ExchangeId) -> String {
    if exchange < OWN { exchange.to_string() } else { format!("own{}", exchange - OWN + 1) }
}

fn text(bytes: &Bytes) -> String {
    std::str::from_utf8(bytes).expect("UTF-8").to_owned()
}

fn event(exchange: ExchangeId, what: &str) -> Event {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let ended = |end| Event::Ended { exchange, end };
    let stream = |broken: Option<&str>| {
        let broken = broken.map(str::to_owned);
        ended(End::Stream(StreamEnd {
            broken,
            last_event_id: Some("e".into()),
            ..StreamEnd::default()
        }))
    };
    match what.split_once(' ') {
        Some(("status", rest)) => {
            let (status, body) = rest.split_once(' ').unwrap_or((rest, ""));
            let status = status.parse().expect("a status");
            let retry_after = (status == 429).then(|| Duration::from_secs(2));
            let refusal = Refusal { status, body: bytes(body), retry_after, ..Refusal::default() };
            ended(End::Status(Box::new(refusal)))
        }
        _ if what == "opened" => Event::Opened { exchange, session: Some("ignored".into()) },
        _ if what == "ended" => stream(None),
        _ if what == "broken" => stream(Some("connection reset")),
        _ if what == "lost" => ended(End::Broken("connection reset".to_owned())),
        _ if what == "unsent" => ended(End::Unsent("connection refused".to_owned())),
        _ if what == "silent" => ended(End::Silent(Duration::from_secs(60))),
        _ if what == "accepted" => ended(End::Accepted(202)),
        _ => match what.strip_prefix('~') {
            Some(message) => Event::Message { exchange, bytes: bytes(message) },
            None => Event::Answer { exchange, bytes: bytes(what), session: None },
        },
    }
}

fn up(event: Event) -> String {
    match event {
        Event::Opened { exchange, session } => {
            assert_eq!(session, None, "a modern remote has no session");
            format!("{} opened", name(exchange))
        }
        Event::Endpoint { .. } => panic!("there is no endpoint here"),
        Event::Message { exchange, bytes } => format!("{} ~{}", name(exchange), text(&bytes)),
        Event::Answer { exchange, bytes, session } => {
            assert_eq!(session, None, "a modern remote has no session");
            format!("{} {}", name(exchange), text(&bytes))
        }
        Event::Ended { exchange, end } => {
            if let End::Stream(end) = &end {
                assert_eq!(end.last_event_id, None, "nothing can be resumed");
            }
            format!("{} ended: {end}", name(exchange))
        }
    }
}
