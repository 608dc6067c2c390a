//! Whatever the client and the remote do, in whichever era and in whatever order, some things hold.

mod remote;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use proptest::prelude::{Just, ProptestConfig, any, prop_oneof, proptest};

use super::*;
use crate::message::Kind;
use remote::cut;

/// One thing that happens: what, and two numbers that say which and how.
type Step = (u8, u8, u16);

/// Which eras the client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speaks {
    Legacy,
    Modern,
    Both,
}

/// What was sent on an exchange.
#[derive(Debug, Clone)]
struct Sent {
    id: String,
    method: String,
    is_modern: bool,
    is_get: bool,
    tool: Option<String>,
}

/// A world in which anything may happen, and what must never happen in it.
struct Chaos {
    bench: Bench,
    speaks: Speaks,
    /// Which era the remote is of, now.
    is_remote_modern: bool,
    /// The exchanges under way, by number.
    live: BTreeMap<ExchangeId, Sent>,
    /// Those that are over, or were given up, and of which something may still be in the queue.
    ghosts: Vec<ExchangeId>,
    begun: HashSet<ExchangeId>,
    /// The exchanges that carry a stream: nothing but its messages and its end comes on them.
    opened: HashSet<ExchangeId>,
    /// The last POST of each call, by the name of the tool.
    calls: HashMap<String, ExchangeId>,
    /// The POSTs that surely did not run, or whose answer asks for another.
    free: HashSet<ExchangeId>,
    /// The requests said, by their ids, with their lines; whether they were called off.
    said: BTreeMap<String, (String, bool)>,
    answered: HashSet<String>,
    listens: BTreeSet<String>,
    questions: Vec<String>,
    /// The rounds that the client may go on with: the tool, and the state as it came.
    rounds: Vec<(String, String)>,
    next: u32,
    exited: bool,
}

impl Chaos {
    fn new(protocol: Protocol, strategy: Strategy, speaks: Speaks, is_remote_modern: bool) -> Self {
        let mut bench = Bench::new(protocol);
        bench.switch.settings.strategy = strategy;
        bench.switch = Switch::new(bench.switch.settings.clone(), [7; 32], bench.now);
        Chaos {
            bench,
            speaks,
            is_remote_modern,
            live: BTreeMap::new(),
            ghosts: Vec::new(),
            begun: HashSet::new(),
            opened: HashSet::new(),
            calls: HashMap::new(),
            free: HashSet::new(),
            said: BTreeMap::new(),
            answered: HashSet::new(),
            listens: BTreeSet::new(),
            questions: Vec::new(),
            rounds: Vec::new(),
            next: 0,
            exited: false,
        }
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn input(&mut self, input: Input) {
        let mut actions = Vec::new();
        self.bench.switch.handle(input, self.bench.now, &mut actions);
        let mut recalls = 0;
        for action in actions {
            assert!(!self.exited, "{action:?} after the end");
            match action {
                Action::Post(post) => self.look_at_post(&post),
                Action::Get(get) => {
                    let sent = Sent {
                        id: String::new(),
                        method: String::new(),
                        is_modern: false,
                        is_get: true,
                        tool: None,
                    };
                    self.begin(get.exchange, sent);
                }
                Action::Abort(exchange) => {
                    let sent = self.live.remove(&exchange);
                    assert!(sent.is_some(), "aborts {exchange}, which is over");
                    self.ghosts.push(exchange);
                }
                Action::Write(bytes) | Action::Relay(bytes, _) => self.look_at_line(&bytes),
                Action::Recall => recalls += 1,
                Action::Exit => self.exited = true,
                Action::OtherEra(..) | Action::Reconnected => panic!("{action:?} for nobody"),
                _ => {}
            }
        }
        for _ in 0..recalls {
            self.input(Input::Recalled(Box::default()));
        }
    }

    fn begin(&mut self, exchange: ExchangeId, sent: Sent) {
        assert!(self.begun.insert(exchange), "{exchange} is begun twice: {sent:?}");
        self.live.insert(exchange, sent);
    }

    fn look_at_post(&mut self, post: &Post) {
        let message = Message::parse(post.body.clone()).expect("only messages are sent");
        let tool = (message.method() == "tools/call")
            .then(|| message.param("name").expect("a name").to_owned());
        let sent = Sent {
            id: message.id().unwrap_or_default().to_owned(),
            method: message.method().into_owned(),
            is_modern: matches!(post.route, Route::Modern(_)),
            is_get: false,
            tool: tool.clone(),
        };
        self.begin(post.exchange, sent);
        if let Some(earlier) = tool.and_then(|tool| self.calls.insert(tool, post.exchange)) {
            assert!(
                self.free.contains(&earlier),
                "exchange {earlier} may have run, but is repeated: {:?}",
                post.body
            );
        }
    }

    fn look_at_line(&mut self, bytes: &Bytes) {
        assert!(!bytes.contains(&b'\n'), "one message a line");
        let message = Message::parse(bytes.clone()).expect("only messages are written");
        let id = message.id().unwrap_or_default().to_owned();
        match message.kind() {
            Kind::Request => {
                assert_ne!(self.speaks, Speaks::Modern, "a request to a modern client: {bytes:?}");
                self.questions.push(id);
            }
            Kind::Response if id.is_empty() || id == "null" => {}
            Kind::Response => {
                let (line, _) = self.said.get(&id).unwrap_or_else(|| panic!("asked? {bytes:?}"));
                assert!(self.answered.insert(id), "answered again: {bytes:?}");
                let state = message.result().and_then(|result| member(result, "requestState"));
                if let Some(state) = state {
                    let request = Message::parse(line.clone().into()).expect("a message");
                    let tool = request.param("name").expect("a call").to_owned();
                    self.rounds.push((tool, state.to_owned()));
                }
            }
            Kind::Notification => {}
        }
    }

    fn say(&mut self, line: &str) {
        self.input(Input::Line(Bytes::copy_from_slice(line.as_bytes())));
    }

    fn ask(&mut self, id: String, line: String) {
        self.said.insert(id, (line.clone(), false));
        self.say(&line);
    }

    fn step(&mut self, (what, which, how): Step) {
        match what % 32 {
            0..=1 if self.speaks != Speaks::Modern => self.say_initialize(how),
            2 if self.speaks != Speaks::Modern => {
                self.say(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
            }
            3..=8 => self.say_request(which, how),
            9 => self.say_cancel(which, how),
            10 => self.say_answer(which),
            11 => self.say_retry(which),
            12..=13 => self.pass([1, 40, 300, 1000, 5000, 11_000, 61_000][which as usize % 7]),
            14 if which < 20 => {
                self.bench.now.wall += 60_000;
                self.input(Input::Tick);
            }
            15 if which < 60 => self.is_remote_modern = !self.is_remote_modern,
            16 => self.haunt(which, how),
            17 => self.say(
                ["{", "[]", r#"{"jsonrpc":"2.0","method":"notifications/x"}"#][how as usize % 3],
            ),
            18..=26 => self.let_remote(which, how, true),
            _ => self.let_remote(which, how, false),
        }
    }

    fn pass(&mut self, millis: Millis) {
        let until = self.bench.now.mono + millis;
        let mut ticks = 0;
        while let Some(at) = self.bench.switch.next_deadline().filter(|at| *at <= until) {
            if self.exited {
                return;
            }
            self.go_to(at.max(self.bench.now.mono));
            self.input(Input::Tick);
            ticks += 1;
            assert!(ticks < 5000, "the timers never come to rest");
        }
        self.go_to(until);
    }

    fn go_to(&mut self, mono: Millis) {
        self.bench.now.wall += mono - self.bench.now.mono;
        self.bench.now.mono = mono;
    }

    fn say_initialize(&mut self, how: u16) {
        let id = format!("\"i{}\"", self.number());
        let capabilities = [r#"{}"#, r#"{"roots":{},"elicitation":{},"sampling":{}}"#];
        let line = INITIALIZE.replace(r#""id":0"#, &format!(r#""id":{id}"#)).replace(
            r#""capabilities":{}"#,
            &format!(r#""capabilities":{}"#, capabilities[how as usize % 2]),
        );
        self.ask(id, line);
    }

    fn say_request(&mut self, which: u8, how: u16) {
        let number = self.number();
        let id = if how & 1 == 0 { number.to_string() } else { format!("\"x{number}\"") };
        let is_modern = match self.speaks {
            Speaks::Legacy => false,
            Speaks::Modern => true,
            Speaks::Both => which & 1 == 0,
        };
        let legacy =
            ["tools/list", "resources/read", "resources/subscribe", "ping", "logging/setLevel"];
        let modern =
            ["tools/list", "resources/read", "server/discover", "subscriptions/listen", "x/y"];
        let method = match (usize::from(how / 2) % 10, is_modern) {
            (at @ 0..=4, false) => legacy[at],
            (at @ 0..=4, true) => modern[at],
            _ => "tools/call",
        };
        if method == "subscriptions/listen" {
            self.listens.insert(id.clone());
        }
        let capabilities = ["{}", r#"{"elicitation":{},"roots":{}}"#][usize::from(which / 2) % 2];
        let meta = match is_modern {
            true => format!(
                r#","notifications":{{"toolsListChanged":true,"resourceSubscriptions":["u"]}},"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{capabilities}}}"#
            ),
            false => String::new(),
        };
        self.ask(
            id.clone(),
            format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{"name":"t{number}.","uri":"u{}","level":"info"{meta}}}}}"#,
                how % 3
            ),
        );
    }

    fn say_cancel(&mut self, which: u8, how: u16) {
        let is_open = |(id, _): &(&String, &(String, bool))| {
            !self.answered.contains(*id) && !id.starts_with("\"i")
        };
        let open: Vec<String> =
            self.said.iter().filter(is_open).map(|(id, _)| id.clone()).collect();
        let Some(id) = open.get(usize::from(which) % open.len().max(1)).cloned() else { return };
        self.cancel(&id, how.is_multiple_of(8));
    }

    fn cancel(&mut self, id: &str, is_twice: bool) {
        if let Some((_, is_cancelled)) = self.said.get_mut(id) {
            *is_cancelled = true;
        }
        let line = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
        );
        self.say(&line);
        if is_twice {
            self.say(&line);
        }
    }

    fn say_answer(&mut self, which: u8) {
        if !self.questions.is_empty() {
            let at = usize::from(which) % self.questions.len();
            let id = self.questions.swap_remove(at);
            self.say(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"action":"decline"}}}}"#));
        }
    }

    /// The client goes on with a call that wanted input.
    fn say_retry(&mut self, which: u8) {
        if self.rounds.is_empty() {
            return;
        }
        let at = usize::from(which) % self.rounds.len();
        let (tool, state) = self.rounds.swap_remove(at);
        let id = self.number().to_string();
        self.ask(
            id.clone(),
            format!(
                r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":{tool},"uri":"u0","level":"info","notifications":{{"toolsListChanged":true,"resourceSubscriptions":["u"]}},"requestState":{state},"inputResponses":{{"k":{{"action":"accept","content":{{}}}},"input-1":{{"action":"accept","content":{{}}}}}},"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{"elicitation":{{}},"roots":{{}}}}}}}}}}"#
            ),
        );
    }

    fn event(&mut self, event: Event) {
        let is_stream = self.opened.contains(&event.exchange());
        let event = match event {
            Event::Answer { exchange, bytes, .. } if is_stream => {
                self.input(Input::Remote(Event::Message { exchange, bytes }));
                if !self.live.contains_key(&exchange) {
                    return;
                }
                Event::Ended { exchange, end: cut() }
            }
            Event::Ended { exchange, end } if is_stream && !matches!(end, End::Stream(_)) => {
                Event::Ended { exchange, end: cut() }
            }
            Event::Opened { .. } if is_stream => return,
            other => other,
        };
        if let Event::Opened { exchange, .. } = event {
            self.opened.insert(exchange);
        }
        if event.is_last() {
            self.live.remove(&event.exchange());
            self.ghosts.push(event.exchange());
        }
        self.input(Input::Remote(event));
    }

    fn end(&mut self, exchange: ExchangeId, end: End) {
        self.event(Event::Ended { exchange, end });
    }

    fn message(&mut self, exchange: ExchangeId, text: String) {
        self.event(Event::Message { exchange, bytes: text.into() });
    }

    /// The remote is gone for good, and the client does not listen any more: nobody may wait for
    /// ever, and nothing may be kept.
    fn exhaust(&mut self) {
        let listens = std::mem::take(&mut self.listens);
        let open: Vec<String> =
            listens.into_iter().filter(|id| !self.answered.contains(id)).collect();
        open.iter().for_each(|id| self.cancel(id, false));
        for _ in 0..400 {
            let live: Vec<(ExchangeId, bool)> =
                self.live.iter().map(|(exchange, sent)| (*exchange, sent.is_get)).collect();
            for (exchange, is_get) in live {
                if self.live.contains_key(&exchange) {
                    let end = if is_get { cut() } else { End::Broken("reset".to_owned()) };
                    self.end(exchange, end);
                }
            }
            self.pass(3000);
        }
        self.assert_answered();
        for (what, size) in self.bench.switch.sizes() {
            // A handshake may be under way.
            let limit = if what == "flights" { self.live.len() } else { 0 };
            assert!(size <= limit, "{size} {what} are kept at the end");
        }
    }

    fn assert_answered(&self) {
        for (id, (line, is_cancelled)) in &self.said {
            assert!(self.answered.contains(id) || *is_cancelled, "{id} has no answer: {line}");
        }
    }

    fn finish(&mut self, by_signal: bool) {
        if by_signal {
            self.input(Input::Stop);
        } else {
            self.input(Input::LocalClosed);
            self.pass(10_000);
        }
        assert!(self.exited, "no end");
        self.assert_answered();
    }
}

fn settings() -> impl proptest::strategy::Strategy<Value = (Protocol, Strategy, Speaks)> {
    let protocol = prop_oneof![
        4 => Just(Protocol::Auto),
        1 => Just(Protocol::Legacy),
        1 => Just(Protocol::Modern),
    ];
    let strategy = prop_oneof![
        3 => Just(Strategy::HttpFirst),
        1 => Just(Strategy::HttpOnly),
    ];
    let speaks = prop_oneof![
        2 => Just(Speaks::Legacy),
        3 => Just(Speaks::Modern),
        2 => Just(Speaks::Both),
    ];
    (protocol, strategy, speaks)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_request_is_answered_once_and_no_call_runs_twice(
        (protocol, strategy, speaks) in settings(),
        is_remote_modern in any::<bool>(),
        steps in proptest::collection::vec(any::<Step>(), 1..200),
        by_signal in any::<bool>(),
        is_exhausted in any::<bool>(),
    ) {
        let mut chaos = Chaos::new(protocol, strategy, speaks, is_remote_modern);
        chaos.step((0, 0, 1));
        for step in steps {
            chaos.step(step);
        }
        if is_exhausted {
            chaos.exhaust();
        }
        chaos.finish(by_signal);
    }
}
