//! Questions that are no rounds, and those that the server asks by an error.

use serde_json::json;

use super::{BOTH, FORM, answers, asking, bridge_to, is_call, only_question, retry};
use crate::support::{
    json::{self, value},
    modern::client,
    server::{Face, Server},
};

#[test]
fn t96_a_question_that_the_request_does_not_cover_is_answered_at_once() {
    for (method, params, capabilities, code) in [
        ("elicitation/create", FORM, "{}", -32602),
        (
            "elicitation/create",
            r#"{"mode":"url","message":"?","url":"https://x.example/","elicitationId":"e"}"#,
            r#"{"elicitation":{"form":{}}}"#,
            -32602,
        ),
        (
            "sampling/createMessage",
            r#"{"messages":[],"maxTokens":1}"#,
            r#"{"elicitation":{}}"#,
            -32601,
        ),
        ("roots/list", "{}", r#"{"elicitation":{}}"#, -32601),
    ] {
        for face in BOTH {
            let (server, gate) = asking(face, vec![json::request("\"q\"", method, params)]);
            let mut bridge = bridge_to(face, &server);
            // A first request that covers everything: the session is opened with all of it.
            bridge.modern_call_works("0");
            let members = r#""name":"echo","arguments":{"marker":"held"}"#;
            bridge.send(client::request_as("1", "tools/call", members, capabilities, ""));
            let answer = value(&server.await_request(answers("\"q\"")).body);
            assert_eq!(answer["error"]["code"], code, "{face:?} {method}: {answer}");
            gate.open();
            let result = bridge.answer_to("1")["result"].take();
            assert_eq!(result["content"][0]["text"], "done", "{face:?}: {result}");
            bridge.finish();
        }
    }
}

#[test]
fn t96_a_ping_of_the_server_is_answered_here() {
    for face in BOTH {
        let (server, gate) = asking(face, vec![json::request("\"p\"", "ping", "{}")]);
        let mut bridge = bridge_to(face, &server);
        bridge.send(client::call("1", "held"));
        let answer = value(&server.await_request(answers("\"p\"")).body);
        assert_eq!(answer["result"], json!({}), "{face:?}: {answer}");
        gate.open();
        assert_eq!(bridge.answer_to("1")["result"]["content"][0]["text"], "done");
        bridge.finish();
    }
}

#[test]
fn t97_a_question_that_belongs_to_no_call_never_reaches_stdout() {
    for face in BOTH {
        let server = Server::start(face);
        let mut bridge = bridge_to(face, &server);
        bridge.discover();
        bridge.result_of("1", client::request("1", "tools/list", ""));
        server.push(json::request("\"alone\"", "elicitation/create", FORM));
        let answer = value(&server.await_request(answers("\"alone\"")).body);
        assert_eq!(answer["error"]["code"], -32602, "{face:?}: {answer}");
        // Roots may be asked for at once and answered later.
        server.push(json::request("\"roots\"", "roots/list", "{}"));
        bridge.result_of("2", client::request("2", "tools/list", ""));
        bridge.close_stdin();
        for line in bridge.rest() {
            assert_eq!(value(&line).get("method"), None, "{}", String::from_utf8_lossy(&line));
        }
    }
}

const URL_REQUIRED: &str = r#"{"jsonrpc":"2.0","id":{id},"error":{"code":-32042,"message":"Sign in first","data":{"elicitations":[{"mode":"url","elicitationId":"e-9","url":"https://login.example/","message":"Sign in"}]}}}"#;

fn signing_in(face: Face) -> Server {
    let server = Server::start(face);
    let seen = std::sync::atomic::AtomicUsize::new(0);
    server.on("tools/call", move |call| {
        if seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst) > 0 {
            return call.behave();
        }
        let message = URL_REQUIRED.replace("{id}", &call.id());
        call.message(message);
    });
    server
}

#[test]
fn t99_a_url_that_the_call_needs_is_a_round_and_the_retry_sends_the_call_anew() {
    for face in BOTH {
        let server = signing_in(face);
        let mut bridge = bridge_to(face, &server);
        let asked = bridge.result_of("1", client::call("1", "works"));
        let (key, question) = only_question(&asked);
        assert_eq!(question["method"], "elicitation/create", "{asked}");
        assert_eq!(question["params"]["mode"], "url", "{asked}");
        assert_eq!(question["params"]["url"], "https://login.example/", "{asked}");
        assert_eq!(question["params"]["message"], "Sign in", "{asked}");
        assert_eq!(question["params"].get("elicitationId"), None, "{asked}");
        let told = format!(r#"{{"{key}":{{"action":"accept"}}}}"#);
        let result = bridge.result_of("2", retry("2", "works", &told, &asked["requestState"]));
        assert_eq!(result["content"][0]["text"], "works", "{face:?}: {result}");
        assert_eq!(server.count(is_call), 2);
        bridge.finish();
    }
}

#[test]
fn t99_a_client_without_urls_is_told_which_capability_it_lacks() {
    for face in BOTH {
        let server = signing_in(face);
        let mut bridge = bridge_to(face, &server);
        let members = r#""name":"echo","arguments":{}"#;
        let request =
            client::request_as("1", "tools/call", members, r#"{"elicitation":{"form":{}}}"#, "");
        let error = bridge.error_of("1", request);
        assert_eq!(error["code"], -32021, "{error}");
        assert_eq!(error["data"]["requiredCapabilities"], json!({"elicitation": {"url": {}}}));
        bridge.finish();
    }
}

#[test]
fn t99_a_url_that_was_declined_is_a_failure_without_a_second_call() {
    for face in BOTH {
        let server = signing_in(face);
        let mut bridge = bridge_to(face, &server);
        let asked = bridge.result_of("1", client::call("1", "works"));
        let told = format!(r#"{{"{}":{{"action":"decline"}}}}"#, only_question(&asked).0);
        bridge.send(retry("2", "works", &told, &asked["requestState"]));
        let answer = bridge.answer_to("2");
        let failed = answer["result"]["isError"] == true || answer["error"]["code"] == -32603;
        assert!(failed, "{answer}");
        assert_eq!(server.count(is_call), 1, "{face:?}");
        bridge.finish();
    }
}
