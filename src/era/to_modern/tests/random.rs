//! Whatever is said, in whatever order: who asks gets one answer, nobody hears of what is over, and
//! nothing is left behind.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Bench, play::initialize};
use crate::message::{Kind, Message};

/// What the client's side may say; `ID` is a fresh id.
const CLIENT: [&str; 14] = [
    "initialize",
    r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
    r#"{"jsonrpc":"2.0","id":ID,"method":"tools/call","params":{"name":"t","_meta":{"progressToken":1}}}"#,
    r#"{"jsonrpc":"2.0","id":ID,"method":"tools/call","params":{"name":"t"}}"#,
    r#"{"jsonrpc":"2.0","id":ID,"method":"prompts/get","params":{"name":"p"}}"#,
    r#"{"jsonrpc":"2.0","id":ID,"method":"tools/list"}"#,
    r#"{"jsonrpc":"2.0","id":ID,"method":"resources/subscribe","params":{"uri":"a:"}}"#,
    r#"{"jsonrpc":"2.0","id":ID,"method":"resources/subscribe","params":{"uri":"b:"}}"#,
    r#"{"jsonrpc":"2.0","id":ID,"method":"resources/unsubscribe","params":{"uri":"a:"}}"#,
    r#"{"jsonrpc":"2.0","id":ID,"method":"ping"}"#,
    r#"{"jsonrpc":"2.0","id":ID,"method":"tasks/get"}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/vendor"}"#,
    r#"{"jsonrpc":"2.0","id":ID,"method":"tools/call","params":[]}"#,
    "get",
];

/// What a remote may say to a request under `ID`.
const REMOTE: [&str; 17] = [
    r#"{"jsonrpc":"2.0","id":ID,"result":{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{"listChanged":true},"resources":{"subscribe":true}}}}"#,
    r#"{"jsonrpc":"2.0","id":ID,"result":{"resultType":"complete","content":[]}}"#,
    r#"{"jsonrpc":"2.0","id":ID,"result":{"resultType":"input_required","inputRequests":{"a":{"method":"roots/list"},"b":{"method":"elicitation/create","params":{"message":"?"}}},"requestState":"s"}}"#,
    r#"{"jsonrpc":"2.0","id":ID,"result":{"resultType":"input_required","inputRequests":{"u":{"method":"elicitation/create","params":{"mode":"url","url":"x:"}}}}}"#,
    r#"{"jsonrpc":"2.0","id":ID,"result":{"resultType":"input_required","requestState":"s"}}"#,
    r#"{"jsonrpc":"2.0","id":ID,"result":{"resultType":"task","taskId":"k","status":"working","statusMessage":"m"}}"#,
    r#"{"jsonrpc":"2.0","id":ID,"result":{"resultType":"task","taskId":"k","status":"input_required","inputRequests":{"a":{"method":"roots/list"}}}}"#,
    r#"{"jsonrpc":"2.0","id":ID,"result":{"taskId":"k","status":"completed","result":{"content":[]}}}"#,
    r#"{"jsonrpc":"2.0","id":ID,"result":{"resultType":"surprise"}}"#,
    r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32601,"message":"m"}}"#,
    r#"{"jsonrpc":"2.0","error":{"code":-32603,"message":"m"}}"#,
    r#"{"jsonrpc":"2.0","id":"somebody else's","result":{}}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true,"resourceSubscriptions":["a:","b:"]}}}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a:"}}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
    "nonsense",
];

const ENDS: [&str; 8] =
    ["ended", "broken", "lost", "unsent", "accepted", "status 404", "status 429", "status 503"];

const ANSWERS: [&str; 4] = [
    r#""result":{"roots":[],"action":"accept"}"#,
    r#""result":{"action":"decline"}"#,
    r#""result":{}"#,
    r#""error":{"code":-1,"message":"no"}"#,
];

#[derive(Debug, Clone)]
enum Op {
    Client(usize),
    Answer(usize, usize),
    Abort(usize),
    Stream(usize, usize),
    Body(usize, usize),
    End(usize, usize),
    Wait(u64),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let which = 0..8usize;
    let op = prop_oneof![
        4 => (0..CLIENT.len()).prop_map(Op::Client),
        4 => (which.clone(), 0..ANSWERS.len()).prop_map(|(at, what)| Op::Answer(at, what)),
        1 => which.clone().prop_map(Op::Abort),
        4 => (which.clone(), 0..REMOTE.len()).prop_map(|(at, what)| Op::Stream(at, what)),
        4 => (which.clone(), 0..REMOTE.len()).prop_map(|(at, what)| Op::Body(at, what)),
        1 => (which, 0..ENDS.len()).prop_map(|(at, how)| Op::End(at, how)),
        2 => prop_oneof![Just(100), Just(3000), Just(16 * 60_000)].prop_map(Op::Wait),
    ];
    prop::collection::vec(op, 1..80)
}

/// What is begun and not over, on both sides.
struct World {
    bench: Bench,
    /// Exchanges above, with the id of the request that has no answer yet.
    above: BTreeMap<String, Option<String>>,
    /// Exchanges below, with the id of their request.
    below: BTreeMap<String, Option<String>>,
    questions: Vec<String>,
    next: u32,
}

impl World {
    fn new() -> Self {
        World {
            bench: Bench::able(),
            above: BTreeMap::new(),
            below: BTreeMap::new(),
            questions: Vec::new(),
            // Two exchanges have opened the session.
            next: 2,
        }
    }

    fn run(&mut self, op: &Op) {
        match op {
            Op::Client(what) => self.client(CLIENT[*what]),
            Op::Answer(at, what) => {
                let Some(id) = pick(&self.questions, *at).cloned() else { return };
                self.questions.retain(|known| *known != id);
                self.client(&format!(r#"{{"jsonrpc":"2.0","id":{id},{}}}"#, ANSWERS[*what]));
            }
            Op::Abort(at) => {
                let names: Vec<String> = self.above.keys().cloned().collect();
                if let Some(name) = pick(&names, *at) {
                    self.above.remove(name);
                    let said = self.bench.client(&format!("abort {name}"));
                    self.note(&said);
                }
            }
            Op::Stream(at, what) => self.remote(*at, &format!("~{}", REMOTE[*what]), false),
            Op::Body(at, what) => self.remote(*at, REMOTE[*what], true),
            Op::End(at, how) => self.remote(*at, ENDS[*how], true),
            Op::Wait(time) => {
                let said = self.bench.pass(*time);
                self.note(&said);
            }
        }
    }

    fn client(&mut self, what: &str) {
        self.next += 1;
        let text = match what {
            "initialize" => {
                initialize("2025-11-25", r#"{"roots":{},"elicitation":{"form":{},"url":{}}}"#)
            }
            _ => what.replace("ID", &self.next.to_string()),
        };
        let id = Message::parse(text.clone().into()).ok().filter(|it| it.kind() == Kind::Request);
        let id = id.and_then(|message| message.id().map(str::to_owned));
        self.above.insert(self.next.to_string(), id);
        let said = self.bench.client(&text);
        self.note(&said);
    }

    fn remote(&mut self, at: usize, what: &str, is_over: bool) {
        let names: Vec<String> = self.below.keys().cloned().collect();
        let Some(name) = pick(&names, at) else { return };
        let id = self.below[name].clone();
        if is_over {
            self.below.remove(name);
        }
        let what = what.replace("ID", id.as_deref().unwrap_or("0"));
        let said = self.bench.remote(&format!("{name} {what}"));
        self.note(&said);
    }

    fn note(&mut self, said: &[String]) {
        for line in said {
            let (who, rest) = line.split_once("< ").expect("who says");
            let (name, what) = rest.split_once(' ').unwrap_or((rest, ""));
            match who {
                "remote" if what == "abort" => {
                    assert!(self.below.remove(name).is_some(), "aborted what is over: {line}");
                }
                "remote" => {
                    let message = Message::parse(
                        what.to_owned()
                            .replace("{$META", "{")
                            .replace("{$CALL", "{")
                            .replace("{,", "{")
                            .into(),
                    );
                    let id = message.expect("a message").id().map(str::to_owned);
                    assert!(self.below.insert(name.to_owned(), id).is_none(), "twice: {line}");
                }
                "client" => self.note_up(name, what, line),
                _ => {}
            }
        }
    }

    fn note_up(&mut self, name: &str, what: &str, line: &str) {
        let waiting = self.above.get_mut(name);
        let waiting = waiting.unwrap_or_else(|| panic!("nobody hears that: {line}"));
        if what == "opened" {
            return;
        }
        let text = what.strip_prefix('~').unwrap_or(what).to_owned();
        match Message::parse(text.into()) {
            Ok(message) if message.kind() == Kind::Response => {
                assert_eq!(waiting.take().as_deref(), message.id(), "{line}");
            }
            Ok(message) if message.kind() == Kind::Request => {
                self.questions.extend(message.id().map(str::to_owned));
            }
            _ => {}
        }
        if !what.starts_with('~') {
            self.above.remove(name);
        }
    }

    /// Every connection breaks, every question is refused, and time goes by: whoever waits for an
    /// answer has it then, or has been told that there is none.
    fn settle(&mut self) {
        for _ in 0..15 {
            for _ in 0..self.below.len() {
                self.run(&Op::End(0, 2));
            }
            while !self.questions.is_empty() {
                self.run(&Op::Answer(0, 3));
            }
            self.run(&Op::Wait(3_600_000));
        }
        let waiting: Vec<_> = self.above.values().flatten().collect();
        assert!(waiting.is_empty(), "still waiting: {waiting:?}");
    }

    /// Everything ends.
    fn end(&mut self) {
        for _ in 0..3 {
            while !self.above.is_empty() {
                self.run(&Op::Abort(0));
            }
            while !self.below.is_empty() {
                self.run(&Op::End(0, 2));
            }
            self.run(&Op::Wait(3_600_000));
        }
        self.bench.assert_at_rest();
    }
}

fn pick<T>(all: &[T], at: usize) -> Option<&T> {
    (!all.is_empty()).then(|| &all[at % all.len()])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_begun_ends_once(ops in ops()) {
        let mut world = World::new();
        ops.iter().for_each(|op| world.run(op));
        world.settle();
        world.end();
    }
}
