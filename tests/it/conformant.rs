//! A legacy client and a remote that keeps to the specification: rmcp's server, which others wrote,
//! and the sandbox, over both transports and in both eras. What is odd, late or broken is asked for
//! elsewhere.

use composio_bridge::demo::{Era, Transport, sandbox};
use serde_json::{Value, json};

use crate::support::{bridge::Bridge, json, rmcp};

const ALL: [(Transport, Era); 3] =
    [(Transport::Http, Era::Legacy), (Transport::Sse, Era::Legacy), (Transport::Http, Era::Modern)];
const LATEST: &str = "2025-11-25";

/// Who wrote the remote.
#[derive(Debug, Clone, Copy)]
enum Maker {
    Rmcp,
    Own,
}

/// A remote, which stops when it is dropped.
enum Remote {
    Rmcp(rmcp::Sandbox),
    Own(sandbox::Sandbox),
}

impl Remote {
    fn start(maker: Maker, era: Era) -> Self {
        match maker {
            Maker::Rmcp => Remote::Rmcp(rmcp::Sandbox::start(era)),
            Maker::Own => Remote::Own(sandbox::Sandbox::start(era).expect("a free port")),
        }
    }

    fn url(&self, transport: Transport) -> String {
        match self {
            Remote::Rmcp(sandbox) => sandbox.url(transport),
            Remote::Own(sandbox) => sandbox.url(transport),
        }
    }
}

/// A bridge to a remote of its own, after the handshake.
struct Pair {
    bridge: Bridge,
    era: Era,
    // Dropped after the bridge, which may say good-bye to it.
    _remote: Remote,
}

impl Pair {
    fn over(transport: Transport, era: Era, maker: Maker) -> Self {
        let remote = Remote::start(maker, era);
        let mut bridge = Bridge::to(remote.url(transport)).spawn();
        bridge.handshake(LATEST);
        Pair { bridge, era, _remote: remote }
    }

    fn request(&mut self, id: &str, method: &str, params: Value) -> Value {
        self.bridge.send(json::request(id, method, &params.to_string()));
        self.bridge.answer_to(id)
    }

    fn result(&mut self, id: &str, method: &str, params: Value) -> Value {
        let mut answer = self.request(id, method, params);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    fn send_call(&mut self, id: &str, tool: &str, arguments: Value) {
        let params = json!({ "name": tool, "arguments": arguments });
        self.bridge.send(json::request(id, "tools/call", &params.to_string()));
    }

    fn call(&mut self, id: &str, tool: &str, arguments: Value) -> String {
        self.send_call(id, tool, arguments);
        text(&self.bridge.answer_to(id))
    }

    /// Calls `count` with this request id as its progress token.
    fn count(&mut self, id: &str, steps: u32, ms: u32) {
        let params = json!({
            "name": "count",
            "arguments": { "steps": steps, "ms": ms },
            "_meta": { "progressToken": id },
        });
        self.bridge.send(json::request(id, "tools/call", &params.to_string()));
    }
}

fn text(answer: &Value) -> String {
    let text = answer["result"]["content"][0]["text"].as_str();
    text.unwrap_or_else(|| panic!("no text in {answer}")).to_owned()
}

fn on_all(test: impl Fn(&mut Pair)) {
    for maker in [Maker::Rmcp, Maker::Own] {
        for (transport, era) in ALL {
            let mut pair = Pair::over(transport, era, maker);
            test(&mut pair);
            pair.bridge.finish();
        }
    }
}

#[test]
fn every_legacy_version_is_negotiated_end_to_end() {
    for maker in [Maker::Rmcp, Maker::Own] {
        for (transport, era) in ALL {
            for version in ["2024-11-05", "2025-03-26", "2025-06-18", LATEST] {
                let remote = Remote::start(maker, era);
                let mut bridge = Bridge::to(remote.url(transport)).spawn();
                let answer = bridge.handshake(version);
                let case = format!("{maker:?} {transport:?} {era:?}");
                assert_eq!(answer["result"]["protocolVersion"], version, "{case}");
                assert_eq!(answer["result"]["serverInfo"]["name"], "sandbox", "{case}");
                bridge.finish();
            }
        }
    }
}

#[test]
fn tools_are_listed_called_and_refused() {
    on_all(|pair| {
        let listed = pair.result("1", "tools/list", json!({}));
        let names: Vec<_> =
            listed["tools"].as_array().into_iter().flatten().map(|tool| &tool["name"]).collect();
        assert_eq!(names, ["echo", "add", "count", "wait", "ask"]);
        assert_eq!(pair.call("2", "echo", json!({ "text": "Grüße 🦀" })), "Grüße 🦀");
        assert_eq!(pair.call("\"three\"", "add", json!({ "a": 2, "b": 0.5 })), "2.5");
        let refused = pair.request("4", "tools/call", json!({ "name": "no-such-tool" }));
        assert_eq!(refused["error"]["code"], -32602, "{refused}");
    });
}

#[test]
fn progress_comes_in_order_and_before_the_answer() {
    on_all(|pair| {
        pair.count("7", 50, 0);
        let mut steps = Vec::new();
        loop {
            let line = json::value(&pair.bridge.next_line());
            match line["method"].as_str() {
                Some("notifications/progress") => {
                    assert_eq!(line["params"]["progressToken"], "7");
                    steps.push(line["params"]["progress"].as_f64().expect("a number"));
                }
                Some("notifications/message") => {}
                other => {
                    assert_eq!((other, &line["id"]), (None, &json!(7)));
                    break;
                }
            }
        }
        assert_eq!(steps, (1..=50).map(f64::from).collect::<Vec<_>>());
    });
}

#[test]
fn a_question_of_the_remote_is_answered_by_the_client() {
    on_all(|pair| {
        pair.send_call("1", "ask", json!({}));
        let question = pair.bridge.incoming("elicitation/create");
        assert_eq!(question["params"]["message"], "What is your name?");
        let accepted = r#"{"action":"accept","content":{"name":"Ada"}}"#;
        pair.bridge.send(json::result(&question["id"].to_string(), accepted));
        assert_eq!(text(&pair.bridge.answer_to("1")), "Hello, Ada!");
    });
}

#[test]
fn no_call_waits_behind_a_slow_one() {
    on_all(|pair| {
        pair.send_call("1", "wait", json!({ "ms": 60_000 }));
        for id in 2..34 {
            pair.send_call(&id.to_string(), "wait", json!({ "ms": 50 }));
        }
        for id in 2..34 {
            assert_eq!(text(&pair.bridge.answer_to(&id.to_string())), "waited 50 ms");
        }
        pair.bridge.send(json::notification("notifications/cancelled", r#"{"requestId":1}"#));
    });
}

#[test]
fn a_cancelled_call_stops_on_the_remote() {
    on_all(|pair| {
        pair.count("1", 10_000, 10);
        pair.bridge.incoming("notifications/progress");
        pair.bridge.send(json::notification("notifications/cancelled", r#"{"requestId":1}"#));
        // What was on its way when the cancellation arrived may still come.
        pair.call("2", "wait", json!({ "ms": 100 }));
        pair.bridge.send(json::request("3", "ping", "{}"));
        while json::value(&pair.bridge.next_line())["id"] != 3 {}
        // In this time an uncancelled one would have taken ten steps.
        pair.send_call("4", "wait", json!({ "ms": 100 }));
        let next = json::value(&pair.bridge.next_line());
        assert_eq!(next["id"], 4, "{next}");
    });
}

#[test]
fn a_subscribed_resource_tells_of_its_changes() {
    on_all(|pair| {
        let uri = "sandbox://last-echo";
        let listed = pair.result("1", "resources/list", json!({}));
        assert_eq!(listed["resources"][0]["uri"], uri);
        pair.result("2", "resources/subscribe", json!({ "uri": uri }));
        pair.call("3", "echo", json!({ "text": "news" }));
        let update = pair.bridge.incoming("notifications/resources/updated");
        assert_eq!(update["params"]["uri"], uri);
        let read = pair.result("4", "resources/read", json!({ "uri": uri }));
        assert_eq!(read["contents"][0]["text"], "news");
        let missing = pair.request("5", "resources/read", json!({ "uri": "sandbox://no" }));
        assert!(missing["error"]["code"].is_i64(), "{missing}");
        pair.result("6", "resources/unsubscribe", json!({ "uri": uri }));
    });
}

#[test]
fn prompts_are_listed_completed_and_filled_in() {
    on_all(|pair| {
        let listed = pair.result("1", "prompts/list", json!({}));
        assert_eq!(listed["prompts"][0]["name"], "greeting");
        let completed = pair.result(
            "2",
            "completion/complete",
            json!({
                "ref": { "type": "ref/prompt", "name": "greeting" },
                "argument": { "name": "language", "value": "e" },
            }),
        );
        assert_eq!(completed["completion"]["values"], json!(["English", "Esperanto"]));
        let params = json!({ "name": "greeting", "arguments": { "language": "Hindi" } });
        let filled = pair.result("3", "prompts/get", params);
        assert_eq!(filled["messages"][0]["content"]["text"], "Please greet me in Hindi.");
    });
}

#[test]
fn log_messages_come_at_the_level_that_was_asked_for() {
    on_all(|pair| {
        pair.count("1", 1, 0);
        // Before a level is asked for, a legacy server may log; a modern one may not.
        if pair.era == Era::Legacy {
            let logged = pair.bridge.incoming("notifications/message");
            assert_eq!(logged["params"]["data"], "counting to 1");
        }
        pair.bridge.answer_to("1");
        pair.result("2", "logging/setLevel", json!({ "level": "error" }));
        pair.count("3", 2, 0);
        pair.bridge.answer_to("3");
        pair.result("4", "logging/setLevel", json!({ "level": "info" }));
        pair.count("5", 3, 0);
        let logged = pair.bridge.incoming("notifications/message");
        assert_eq!(logged["params"]["data"], "counting to 3");
    });
}
