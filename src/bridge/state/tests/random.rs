//! Whatever happens, in whatever order, some things hold.

use std::collections::HashMap;

use proptest::prelude::{Just, ProptestConfig, any, prop_oneof, proptest};

use super::*;

/// One thing that happens: what, and two numbers that say which and how.
type Step = (u8, u8, u16);

/// A world in which anything may happen, and what must never happen in it.
struct Chaos {
    bench: Bench,
    /// The requests said, by their ids; whether they were called off.
    said: HashMap<String, bool>,
    answered: HashMap<String, usize>,
    /// The POSTs of calls, by the name of the tool.
    calls: HashMap<String, ExchangeId>,
    /// The last POST of each id in each session.
    used: HashMap<(String, String), ExchangeId>,
    /// The POSTs that surely did not run.
    unexecuted: HashSet<ExchangeId>,
    confirming: Option<(ExchangeId, Millis)>,
    questions: Vec<String>,
    urls: HashMap<ExchangeId, String>,
    looked_at: ExchangeId,
    next: u32,
    recalls: usize,
}

impl Chaos {
    fn new(strategy: Strategy, ping_interval: Option<Millis>) -> Self {
        let bench = Bench::with(|settings| {
            settings.strategy = strategy;
            settings.ping_interval = ping_interval;
        });
        Chaos {
            bench,
            said: HashMap::new(),
            answered: HashMap::new(),
            calls: HashMap::new(),
            used: HashMap::new(),
            unexecuted: HashSet::new(),
            confirming: None,
            questions: Vec::new(),
            urls: HashMap::new(),
            looked_at: 0,
            next: 0,
            recalls: 0,
        }
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn step(&mut self, (what, which, how): Step) {
        match what % 32 {
            0 => self.say_initialize(),
            1..=2 => self.bench.say(INITIALIZED),
            3..=7 => self.say_request(how),
            8 => self.say_cancel(which),
            9 => self.bench.say(r#"{"jsonrpc":"2.0","method":"notifications/x"}"#),
            10 => self.say_answer(which),
            11..=13 => self.pass([1, 300, 1000, 5000, 11_000, 40_000, 70_000][which as usize % 7]),
            14 if which < 30 => {
                self.bench.now.wall += 60_000;
                self.bench.input(Input::Tick);
            }
            14 => self.bench.input(Input::SignIn(Box::new(match how % 4 {
                0 => News::Waiting("open https://as.example/".to_owned()),
                1 => News::SignedIn,
                how => News::Failed { error: None, is_passing: how == 2 },
            }))),
            15..=22 => self.let_remote(which, how, true),
            _ => self.let_remote(which, how, false),
        }
        self.look();
    }

    fn pass(&mut self, millis: Millis) {
        // One deadline at a time, so that everything is looked at when it happens.
        let until = self.bench.now.mono + millis;
        let mut ticks = 0;
        while let Some(at) = self.bench.state.next_deadline().filter(|at| *at <= until) {
            self.bench.pass(at.max(self.bench.now.mono));
            self.bench.input(Input::Tick);
            self.look();
            ticks += 1;
            assert!(ticks < 5000, "the timers never come to rest");
        }
        self.bench.pass(until);
    }

    fn say_initialize(&mut self) {
        let id = format!("\"i{}\"", self.number());
        self.said.insert(id.clone(), false);
        self.bench.say(&INITIALIZE.replace(r#""id":0"#, &format!(r#""id":{id}"#)));
    }

    fn say_request(&mut self, how: u16) {
        let methods = [
            "tools/call",
            "tools/call",
            "tools/call",
            "tools/list",
            "prompts/list",
            "resources/read",
            "resources/subscribe",
            "logging/setLevel",
            "ping",
        ];
        let number = self.number();
        let id = if how & 1 == 0 { number.to_string() } else { format!("\"{OWN_ID}{number}\"") };
        let method = methods[usize::from(how / 2) % methods.len()];
        self.said.insert(id.clone(), false);
        self.bench.say(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{"name":"t{number}.","uri":"u{}"}}}}"#,
            how % 3
        ));
    }

    fn say_cancel(&mut self, which: u8) {
        let mut open: Vec<String> = self.said.keys().cloned().collect();
        open.retain(|id| !self.answered.contains_key(id) && !id.starts_with("\"i"));
        open.sort();
        if let Some(id) = open.get(usize::from(which) % open.len().max(1)).cloned() {
            self.said.insert(id.clone(), true);
            self.bench.say(&cancel(&id));
        }
    }

    fn say_answer(&mut self, which: u8) {
        if !self.questions.is_empty() {
            let at = usize::from(which) % self.questions.len();
            let id = self.questions.swap_remove(at);
            self.bench.say(&result(&id, "{}"));
        }
    }

    /// The remote does something on one of the exchanges that are open.
    fn let_remote(&mut self, which: u8, how: u16, is_kind: bool) {
        let mut live: Vec<ExchangeId> = self.bench.live.iter().copied().collect();
        live.sort_unstable();
        let Some(exchange) = live.get(usize::from(which) % live.len().max(1)).copied() else {
            return;
        };
        let post = self.bench.posts.iter().find(|post| post.exchange == exchange).cloned();
        let is_sse = self.bench.gets.iter().any(|get| get.exchange == exchange && get.is_sse);
        match post {
            _ if !is_kind => self.misbehave(exchange, post.as_ref(), how),
            Some(post) if self.urls.values().any(|url| post.to.as_ref() == Some(url)) => {
                self.bench.end(exchange, End::Accepted(202));
            }
            Some(post) if post.id.is_empty() || post.method.is_empty() => {
                self.bench.end(exchange, End::Accepted(202));
            }
            Some(post) => self.answer(&post),
            None if is_sse => self.talk(exchange, how),
            None => {
                self.bench.remote(Event::Opened { exchange, session: None });
                self.say_something(exchange, how);
            }
        }
    }

    fn answer(&mut self, post: &Sent) {
        let is_first = post.method == "initialize";
        let text = if is_first { WELCOME } else { "{}" };
        let session = is_first.then(|| format!("s{}", self.number()).as_str().into());
        let bytes = result(&post.id, text).into();
        self.bench.remote(Event::Answer { exchange: post.exchange, bytes, session });
    }

    /// The stream of HTTP+SSE names its URL, or answers something that was sent there.
    fn talk(&mut self, stream: ExchangeId, how: u16) {
        let Some(url) = self.urls.get(&stream).cloned() else {
            let url = format!("/m{}", self.number());
            self.urls.insert(stream, url.clone());
            return self
                .bench
                .remote(Event::Endpoint { exchange: stream, url: url.as_str().into() });
        };
        let is_here = |post: &&Sent| post.to.as_ref() == Some(&url) && !post.id.is_empty();
        let sent: Vec<Sent> = self.bench.posts.iter().filter(is_here).cloned().collect();
        match sent.get(usize::from(how) % (sent.len() + 1)) {
            Some(post) if post.method == "initialize" => {
                self.bench.message(stream, &result(&post.id, WELCOME));
            }
            Some(post) => self.bench.message(stream, &result(&post.id, "{}")),
            None => self.say_something(stream, how),
        }
    }

    fn say_something(&mut self, exchange: ExchangeId, how: u16) {
        let id = (how % 3).to_string();
        match how % 4 {
            0 => self.bench.message(exchange, &request(&id, "roots/list")),
            1 => self.bench.message(exchange, &cancel(&id)),
            2 => self.bench.message(exchange, "no JSON"),
            _ => self.bench.message(exchange, r#"{"jsonrpc":"2.0","method":"notifications/y"}"#),
        }
    }

    fn misbehave(&mut self, exchange: ExchangeId, post: Option<&Sent>, how: u16) {
        let event_id = format!("e{how}");
        let end = match how % 18 {
            0 => unsent(),
            1 => broken(),
            2 => silent(),
            3 => cut(None),
            4 => cut(Some(&event_id)),
            5 => status(404, LOST),
            6 => status(400, "no such session"),
            7 => wait_asked(429, 3),
            8 => wait_asked(503, 3),
            9 => status([401, 405, 406, 500, 502][usize::from(how / 16) % 5], ""),
            10 => End::Malformed("HTML".to_owned()),
            11 => End::Accepted(202),
            12 | 13 => return self.say_something(exchange, how / 16),
            14 if post.is_some() => {
                return self.bench.body(exchange, &result(&(how / 16).to_string(), "{}"));
            }
            15 => End::TooLarge("too large".to_owned()),
            16 => unsigned(),
            _ => insufficient(if how > 9000 { "a" } else { "b" }),
        };
        if matches!(how % 18, 0 | 5 | 6 | 7 | 16 | 17) {
            self.unexecuted.insert(exchange);
        }
        self.bench.end(exchange, end);
    }

    /// Looks at all that was done since the last look.
    fn look(&mut self) {
        self.look_at_posts();
        for text in self.bench.written() {
            let message = Message::parse(text.clone().into()).expect("only messages are written");
            let id = message.id().unwrap_or_default().to_owned();
            match message.kind() {
                crate::message::Kind::Request => self.questions.push(id),
                crate::message::Kind::Response if id.is_empty() || id == "null" => {}
                crate::message::Kind::Response => {
                    assert!(self.said.contains_key(&id), "an answer to no request: {text}");
                    let times = self.answered.entry(id).or_default();
                    *times += 1;
                    assert_eq!(*times, 1, "answered again: {text}");
                }
                crate::message::Kind::Notification => {}
            }
        }
        let recalls = self.bench.count(|action| matches!(action, Action::Recall));
        if recalls > self.recalls {
            self.recalls = recalls;
            self.bench.input(Input::Recalled(Box::default()));
            self.look();
        }
    }

    fn look_at_posts(&mut self) {
        let seen = self.looked_at;
        let newest = self.bench.posts.iter().map(|post| post.exchange).max();
        self.looked_at = seen.max(newest.unwrap_or_default());
        let is_new = |post: &&Sent| post.exchange > seen;
        let new: Vec<Sent> = self.bench.posts.iter().filter(is_new).cloned().collect();
        for post in new {
            self.look_at(&post);
        }
        let live =
            |post: &&Sent| post.method == "initialize" && self.bench.live.contains(&post.exchange);
        let handshakes = self.bench.posts.iter().filter(live).count();
        assert!(handshakes <= 1, "{handshakes} handshakes at a time");
    }

    fn look_at(&mut self, post: &Sent) {
        match post.method.as_str() {
            "initialize" => self.confirming = None,
            "notifications/initialized" => {
                // Sent again, it is waited for from the first time on.
                let since = self.confirming.map_or(self.bench.now.mono, |(_, since)| since);
                self.confirming = Some((post.exchange, since));
            }
            _ => {}
        }
        if let Some((confirmation, since)) = self.confirming
            && !post.id.is_empty()
            && !post.method.is_empty()
            && post.exchange > confirmation
            && self.bench.live.contains(&confirmation)
        {
            assert!(self.bench.now.mono >= since + 10_000, "overtakes the confirmation: {post:?}");
        }
        let is_request = !post.id.is_empty() && !post.method.is_empty();
        if let Some(to) = post.to.clone().filter(|_| is_request) {
            let earlier = self.used.insert((to, post.id.clone()), post.exchange);
            self.assert_unexecuted(earlier, post);
        }
        if post.method == "tools/call" {
            let name = Message::parse(post.text.clone().into()).expect("a message");
            let name = name.param("name").expect("a name").to_owned();
            let earlier = self.calls.insert(name, post.exchange);
            self.assert_unexecuted(earlier, post);
        }
    }

    fn assert_unexecuted(&self, earlier: Option<ExchangeId>, post: &Sent) {
        assert!(
            earlier.is_none_or(|earlier| self.unexecuted.contains(&earlier)),
            "exchange {earlier:?} may have been executed, but is repeated: {post:?}"
        );
    }

    /// The remote is gone for good: nobody may wait for it for ever.
    fn exhaust(&mut self) {
        for _ in 0..150 {
            let mut live: Vec<ExchangeId> = self.bench.live.iter().copied().collect();
            live.sort_unstable();
            for exchange in live {
                if self.bench.live.contains(&exchange) {
                    let is_stream = self.bench.gets.iter().any(|get| get.exchange == exchange);
                    self.bench.end(exchange, if is_stream { cut(None) } else { broken() });
                    self.look();
                }
            }
            self.pass(3000);
        }
        self.assert_answered();
    }

    fn assert_answered(&self) {
        for (id, is_cancelled) in &self.said {
            let times = self.answered.get(id).copied().unwrap_or_default();
            assert!(times == 1 || *is_cancelled, "{id} has {times} answers");
        }
    }

    fn finish(&mut self, by_signal: bool) {
        if by_signal {
            self.bench.input(Input::Stop);
        } else {
            self.bench.input(Input::LocalClosed);
            self.look();
            self.pass(1500);
        }
        self.look();
        assert!(self.bench.exited, "no end");
        self.assert_answered();
    }
}

fn strategies() -> impl proptest::strategy::Strategy<Value = Strategy> {
    prop_oneof![
        3 => Just(Strategy::HttpFirst),
        1 => Just(Strategy::SseFirst),
        1 => Just(Strategy::HttpOnly),
        3 => Just(Strategy::SseOnly),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_request_is_answered_once_and_no_call_runs_twice(
        strategy in strategies(),
        ping_interval in proptest::option::of(5000u64..40_000),
        steps in proptest::collection::vec(any::<Step>(), 1..250),
        by_signal in any::<bool>(),
        is_exhausted in any::<bool>(),
    ) {
        let mut chaos = Chaos::new(strategy, ping_interval);
        chaos.step((0, 0, 0));
        for step in steps {
            chaos.step(step);
        }
        if is_exhausted {
            chaos.exhaust();
        }
        chaos.finish(by_signal);
    }
}
