//! With the real state machine behind it, down to what the transports are asked for.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::super::{ToLegacy, Turn, transcript::ACME};
use crate::{
    bridge::{
        state::{Action, Input, Settings, State},
        tools::Filter,
    },
    config::{Protocol, Strategy, ToolFilter},
    message::{Message, member},
    remote::event::{End, Event, Get, Post, Refusal, StreamEnd},
    time::Now,
};

struct Chain {
    layer: ToLegacy,
    state: State,
    now: Now,
    posts: VecDeque<Post>,
    gets: VecDeque<Get>,
    told: VecDeque<String>,
    deleted: Vec<Arc<str>>,
}

impl Chain {
    fn new() -> Self {
        let now = Now { mono: 1000, wall: 1_000_000, random: 0.5 };
        let settings = Settings {
            origin: "http://remote.test".to_owned(),
            strategy: Strategy::HttpFirst,
            protocol: Protocol::Legacy,
            known: None,
            grace: 5000,
            input_wait: 720_000,
            call_wait: 45_000,
            answer_wait: None,
            ping_interval: None,
            filter: Filter::new(&ToolFilter::default()),
        };
        let mut layer = ToLegacy::new([3; 32], "composio-bridge-0000-b", 720_000);
        layer.listening(true, now, &mut Vec::new());
        Chain {
            layer,
            state: State::new(settings, now),
            now,
            posts: VecDeque::new(),
            gets: VecDeque::new(),
            told: VecDeque::new(),
            deleted: Vec::new(),
        }
    }

    fn local(&mut self, text: &str) {
        let mut turns = Vec::new();
        let message = Message::parse(text.to_owned().into()).expect("JSON");
        self.layer.on_local(message, self.now, &mut turns);
        self.take(turns);
    }

    fn remote(&mut self, event: Event) {
        self.feed(Input::Remote(event));
    }

    fn feed(&mut self, input: Input) {
        let mut actions = Vec::new();
        self.state.handle(input, self.now, &mut actions);
        for action in actions {
            match action {
                Action::Write(bytes) => {
                    let mut turns = Vec::new();
                    let message = Message::parse(bytes).expect("JSON");
                    self.layer.on_core(message, None, self.now, &mut turns);
                    self.take(turns);
                }
                Action::Relay(bytes, key) => {
                    let mut turns = Vec::new();
                    let message = Message::parse(bytes).expect("JSON");
                    let during = key.and_then(|key| self.state.id_of(key)).map(str::to_owned);
                    self.layer.on_core(message, during.as_deref(), self.now, &mut turns);
                    self.take(turns);
                }
                Action::Post(post) => self.posts.push_back(post),
                Action::Get(get) => self.gets.push_back(get),
                Action::Delete { session, .. } => self.deleted.push(session),
                _ => {}
            }
        }
    }

    fn take(&mut self, turns: Vec<Turn>) {
        for turn in turns {
            match turn {
                Turn::Local(bytes) => {
                    self.told.push_back(String::from_utf8(bytes.to_vec()).expect("UTF-8"));
                }
                Turn::Core(bytes) => self.feed(Input::Line(bytes)),
                Turn::Warn(text) => panic!("{text}"),
            }
        }
    }

    fn wait(&mut self, span: u64) {
        self.now.mono += span;
        self.now.wall += span;
        let mut turns = Vec::new();
        self.layer.tick(self.now, &mut turns);
        self.take(turns);
        self.feed(Input::Tick);
    }

    /// The next message on its way to the remote, which must have this in it.
    fn sent(&mut self, part: &str) -> (u64, Message) {
        let post = self.posts.pop_front().unwrap_or_else(|| panic!("nothing was sent: {part}"));
        let text = String::from_utf8_lossy(&post.body).into_owned();
        assert!(text.contains(part), "{text}\nis not {part}");
        (post.exchange, Message::parse(post.body).expect("JSON"))
    }

    /// Answers the next request, which must be of that method.
    fn answer(&mut self, method: &str, result: &str) {
        let (exchange, request) = self.sent(&format!("\"{method}\""));
        let id = request.id().expect("an id");
        let bytes = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#).into();
        self.remote(Event::Answer { exchange, bytes, session: Some("s1".into()) });
    }

    fn accept(&mut self, part: &str) {
        let (exchange, _) = self.sent(part);
        self.remote(Event::Ended { exchange, end: End::Accepted(202) });
    }

    fn told(&mut self) -> String {
        self.told.pop_front().expect("the client is told something")
    }
}

fn request(id: u32, method: &str, params: &str, capabilities: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{params}"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{capabilities}}}}}}}"#
    )
}

const CAN: &str = r#"{"elicitation":{}}"#;

/// After the handshake, with a call sent; gives its exchange.
fn in_a_call() -> (Chain, u64) {
    let mut chain = Chain::new();
    chain.local(&request(1, "tools/call", r#""name":"a","#, CAN));
    chain.answer("initialize", ACME);
    chain.accept("notifications/initialized");
    let (exchange, _) = chain.sent(r#""params":{"name":"a"}"#);
    (chain, exchange)
}

#[test]
fn t93_a_call_is_held_and_its_stream_stays_open_until_the_result() {
    let (mut chain, exchange) = in_a_call();
    let ask = r#"{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"message":"?"}}"#;
    chain.remote(Event::Opened { exchange, session: None });
    chain.remote(Event::Message { exchange, bytes: ask.into() });
    chain.wait(30);
    let asked = chain.told();
    let result = member(&asked, "result").expect("a result");
    let state = member(result, "requestState").expect("a state");
    let key = member(result, "inputRequests").expect("requests").split('"').nth(1).expect("a key");
    let retry = format!(
        r#""name":"a","inputResponses":{{"{key}":{{"action":"accept"}}}},"requestState":{state},"#
    );
    chain.local(&request(2, "tools/call", &retry, CAN));
    chain.accept(r#""id":1,"result":{"action":"accept"}"#);
    assert!(chain.posts.is_empty(), "the tool is not started again");
    let answer = r#"{"jsonrpc":"2.0","id":"composio-bridge-0000-b1","result":{"content":[]}}"#;
    chain.remote(Event::Message { exchange, bytes: answer.into() });
    assert!(chain.told().starts_with(r#"{"jsonrpc":"2.0","id":2,"result":{"content":[],"#));
    assert!(chain.told.is_empty());
}

#[test]
fn t95_a_client_that_does_not_come_back_has_its_call_cancelled() {
    let (mut chain, exchange) = in_a_call();
    let ask = r#"{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"message":"?"}}"#;
    chain.remote(Event::Message { exchange, bytes: ask.into() });
    chain.wait(30);
    assert!(chain.told().contains("input_required"));
    chain.wait(720_000);
    chain.accept(r#""id":1,"result":{"action":"cancel"}"#);
    chain.accept(
        r#""method":"notifications/cancelled","params":{"requestId":"composio-bridge-0000-b1","#,
    );
    assert!(chain.told.is_empty());
}

#[test]
fn xb_51_a_stream_that_breaks_while_its_call_is_held_is_read_on() {
    for broken in [None, Some("connection reset".to_owned())] {
        let (mut chain, exchange) = in_a_call();
        chain.gets.clear();
        let ask =
            r#"{"jsonrpc":"2.0","id":1,"method":"elicitation/create","params":{"message":"?"}}"#;
        chain.remote(Event::Opened { exchange, session: None });
        chain.remote(Event::Message { exchange, bytes: ask.into() });
        chain.wait(30);
        let asked = chain.told();
        let result = member(&asked, "result").expect("a result");
        let state = member(result, "requestState").expect("a state").to_owned();
        let end = StreamEnd {
            broken,
            last_event_id: Some("e7".into()),
            retry: Some(Duration::from_millis(500)),
            events: true,
            messages: true,
            ..StreamEnd::default()
        };
        chain.remote(Event::Ended { exchange, end: End::Stream(end) });
        assert!(chain.told.is_empty(), "the client has its answer");
        chain.wait(600);
        let get = chain.gets.pop_front().expect("the stream is read on");
        assert_eq!(get.last_event_id.as_deref(), Some("e7"));
        assert!(chain.posts.is_empty(), "the tool is not started again");
        let answer = r#"{"jsonrpc":"2.0","id":"composio-bridge-0000-b1","result":{"content":[]}}"#;
        chain.remote(Event::Opened { exchange: get.exchange, session: None });
        chain.remote(Event::Message { exchange: get.exchange, bytes: answer.into() });
        chain.local(&request(
            2,
            "tools/call",
            &format!(r#""name":"a","requestState":{state},"#),
            CAN,
        ));
        assert!(chain.told().starts_with(r#"{"jsonrpc":"2.0","id":2,"result":{"content":[],"#));
    }
}

#[test]
fn xb_3_the_session_that_only_discovery_opened_is_deleted() {
    let mut chain = Chain::new();
    chain.local(&request(1, "server/discover", "", "{}"));
    chain.answer("initialize", ACME);
    assert!(chain.told().contains("supportedVersions"));
    chain.accept("notifications/initialized");
    chain.local(&request(2, "tools/list", "", CAN));
    assert_eq!(chain.deleted, [Arc::from("s1")]);
    chain.answer("initialize", ACME);
    chain.accept("notifications/initialized");
    chain.answer("tools/list", r#"{"tools":[]}"#);
    assert!(chain.told().starts_with(r#"{"jsonrpc":"2.0","id":2,"result":{"tools":[],"#));
}

#[test]
fn xb_6_a_lost_session_is_opened_anew_without_the_client() {
    let (mut chain, exchange) = in_a_call();
    let lost = Refusal { status: 404, body: "Session not found".into(), ..Refusal::default() };
    chain.remote(Event::Ended { exchange, end: End::Status(Box::new(lost)) });
    chain.answer("initialize", ACME);
    chain.accept("notifications/initialized");
    chain.answer("tools/call", r#"{"content":[]}"#);
    assert!(chain.told().starts_with(r#"{"jsonrpc":"2.0","id":1,"result":{"content":[],"#));
    assert!(chain.told.is_empty());
}

#[test]
fn st_25_xb_15_a_remote_that_is_not_there_is_an_answer_all_the_same() {
    let mut chain = Chain::new();
    chain.local(&request(1, "server/discover", "", "{}"));
    let (exchange, _) = chain.sent("initialize");
    let end = End::Unsent("connection refused".to_owned());
    chain.remote(Event::Ended { exchange, end });
    chain.wait(5000);
    chain.feed(Input::Recalled(Box::default()));
    let answer = chain.told();
    assert!(answer.contains(r#""supportedVersions":["2026-07-28"]"#), "{answer}");
    assert!(answer.contains("not connected yet"), "{answer}");
}

#[test]
fn xb_63_a_cancellation_reaches_the_remote_and_no_answer_the_client() {
    let (mut chain, exchange) = in_a_call();
    chain.local(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#);
    chain.accept(r#""params":{"requestId":"composio-bridge-0000-b1"}"#);
    let answer = r#"{"jsonrpc":"2.0","id":"composio-bridge-0000-b1","result":{}}"#;
    chain.remote(Event::Message { exchange, bytes: answer.into() });
    assert!(chain.told.is_empty());
}
