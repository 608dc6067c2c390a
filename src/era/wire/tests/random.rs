//! Any traffic at all: whatever the layer above begins ends once, and nothing is left behind.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// What the layer above may send.
const REQUESTS: [&str; 6] = [
    "tools/call",
    "tools/list",
    "subscriptions/listen",
    "prompts/get",
    "notifications/cancelled",
    "ö",
];

/// What a remote may say on any exchange.
const SAID: [&str; 12] = [
    r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"t","inputSchema":{"properties":{"region":{"type":"string","x-mcp-header":"R"}}}}],"nextCursor":""}}"#,
    r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"t","inputSchema":{"properties":{"region":{"type":"string","x-mcp-header":""}}}}]}}"#,
    r#"{"jsonrpc":"2.0","id":"own-1001","result":{}}"#,
    r#"{"jsonrpc":"2.0","error":{"code":-32022,"message":"m","data":{"supported":["2026-07-28"]}}}"#,
    r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"m"}}"#,
    r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"m"}}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true}}}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{}}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#,
    r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
    "[{}]",
    "nonsense",
];

#[derive(Debug, Clone)]
enum Op {
    Post(usize),
    Message(usize, usize),
    Answer(usize, usize),
    End(usize, usize),
    Abort(usize),
    Wait,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let (which, said) = (0..8usize, 0..SAID.len());
    let op = prop_oneof![
        2 => (0..REQUESTS.len()).prop_map(Op::Post),
        4 => (which.clone(), said.clone()).prop_map(|(at, what)| Op::Message(at, what)),
        2 => (which.clone(), said).prop_map(|(at, what)| Op::Answer(at, what)),
        2 => (which.clone(), 0..6usize).prop_map(|(at, how)| Op::End(at, how)),
        1 => which.prop_map(Op::Abort),
        2 => Just(Op::Wait),
    ];
    prop::collection::vec(op, 1..60)
}

fn ending(how: usize) -> End {
    match how {
        0 => status(400, &error("null", -32020, "{}")),
        1 => status(400, &error("null", -32022, r#"{"supported":["2026-07-28"]}"#)),
        2 => status(404, ""),
        3 => End::Unsent("refused".to_owned()),
        4 => dropped(),
        _ => End::Accepted(202),
    }
}

/// The layer, and what both sides of it take for open.
struct World {
    bench: Bench,
    above: BTreeSet<ExchangeId>,
    below: BTreeSet<ExchangeId>,
    seen: BTreeSet<ExchangeId>,
    next: ExchangeId,
}

impl World {
    fn take(&mut self, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Post(post) => {
                    assert!(self.seen.insert(post.exchange), "{} was used before", post.exchange);
                    self.below.insert(post.exchange);
                }
                Step::Abort(exchange) => {
                    assert!(self.below.remove(&exchange), "{exchange} is over")
                }
                Step::Up(Event::Opened { exchange, .. } | Event::Message { exchange, .. }) => {
                    assert!(self.above.contains(&exchange), "{exchange} is over");
                }
                Step::Up(Event::Answer { exchange, .. } | Event::Ended { exchange, .. }) => {
                    assert!(self.above.remove(&exchange), "{exchange} is over");
                }
                Step::Warn(_) => {}
                other @ Step::Up(_) => panic!("{other:?}"),
            }
        }
    }

    fn pick(set: &BTreeSet<ExchangeId>, at: usize) -> Option<ExchangeId> {
        set.iter().nth(at % set.len().max(1)).copied()
    }

    fn run(&mut self, op: Op) {
        let steps = match op {
            Op::Post(what) => {
                self.next += 1;
                self.above.insert(self.next);
                let params = r#""name":"t","arguments":{"region":"eu"}"#;
                self.bench.post(self.next, &request("1", REQUESTS[what], params))
            }
            Op::Message(at, what) => match World::pick(&self.below, at) {
                Some(exchange) => self.bench.message(exchange, SAID[what]),
                None => return,
            },
            Op::Answer(at, what) => match World::pick(&self.below, at) {
                Some(exchange) => {
                    self.below.remove(&exchange);
                    self.bench.answer(exchange, SAID[what])
                }
                None => return,
            },
            Op::End(at, how) => match World::pick(&self.below, at) {
                Some(exchange) => {
                    self.below.remove(&exchange);
                    self.bench.ended(exchange, ending(how))
                }
                None => return,
            },
            Op::Abort(at) => match World::pick(&self.above, at) {
                Some(exchange) => {
                    self.above.remove(&exchange);
                    self.bench.abort(exchange)
                }
                None => return,
            },
            Op::Wait if self.bench.wire.next_deadline().is_none() => return,
            Op::Wait => self.bench.wait().1,
        };
        self.take(steps);
    }
}

proptest! {
    #[test]
    fn whatever_is_begun_ends_once_and_nothing_is_left(ops in ops()) {
        let mut world = World {
            bench: Bench::new(),
            above: BTreeSet::new(),
            below: BTreeSet::new(),
            seen: BTreeSet::new(),
            next: 0,
        };
        for op in ops {
            world.run(op);
        }
        // The remote goes away for good.
        for _ in 0..1000 {
            world.run(Op::Wait);
            world.run(Op::End(0, 2));
        }
        prop_assert!(world.above.is_empty(), "never ended: {:?}", world.above);
        prop_assert!(world.below.is_empty(), "never stopped: {:?}", world.below);
        prop_assert!(world.bench.is_clean());
    }
}
