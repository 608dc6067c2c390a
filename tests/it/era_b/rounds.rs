//! Questions of the server are input rounds, while the call goes on.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    BOTH, FORM, answers, asking, bridge_to, is_call, only_question, params_of, retry, setup,
};
use crate::support::{
    bridge::Bridge,
    json::{self, value},
    modern::client,
    net::Gate,
    server::Server,
};

#[test]
fn t93_a_question_of_the_server_is_a_round_and_the_call_goes_on() {
    for face in BOTH {
        let (server, gate) =
            asking(face, vec![json::request("\"s-1\"", "elicitation/create", FORM)]);
        let mut bridge = bridge_to(face, &server);
        let asked = bridge.result_of("1", client::call("1", "held"));
        let (key, question) = only_question(&asked);
        assert_eq!(question["method"], "elicitation/create", "{asked}");
        assert_eq!(question["params"]["message"], "Name?", "{asked}");
        assert_eq!(question["params"].get("elicitationId"), None, "{asked}");
        assert_eq!(question["params"]["_meta"].get("progressToken"), None, "{asked}");
        assert_eq!(question["params"]["_meta"]["x/kept"], 1.0, "{asked}");
        for envelope in ["jsonrpc", "id"] {
            assert_eq!(question.get(envelope), None, "{asked}");
        }
        assert_eq!(server.count(answers("\"s-1\"")), 0, "nobody has answered yet");
        let responses = format!(
            r#"{{"{key}":{{"action":"accept","content":{{"n":"Ada"}}}},"surplus":{{"action":"cancel"}}}}"#
        );
        bridge.send(retry("2", "held", &responses, &asked["requestState"]));
        let response = server.await_request(answers("\"s-1\""));
        let told = value(&response.body)["result"].take();
        assert_eq!(told, json!({"action": "accept", "content": {"n": "Ada"}}));
        gate.open();
        let answer = bridge.answer_to("2");
        assert_eq!(answer["result"]["content"][0]["text"], "done", "{answer}");
        assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
        assert_eq!(server.executions("held"), 1);
        assert_eq!(server.count(is_call), 1, "{face:?}: one call upstream");
        bridge.finish();
    }
}

#[test]
fn t93_two_questions_at_once_share_a_round_and_a_later_one_has_its_own() {
    for face in BOTH {
        let server = Server::start(face);
        let (second, last) = (Gate::new(), Gate::new());
        let gates = (second.clone(), last.clone());
        server.on("tools/call", move |call| {
            call.executed();
            call.say(true, &json::request("1", "elicitation/create", FORM));
            call.say(false, &json::request("\"1\"", "roots/list", "{}"));
            gates.0.wait();
            call.say(
                false,
                &json::request("2", "sampling/createMessage", r#"{"messages":[],"maxTokens":5}"#),
            );
            gates.1.wait();
            call.finish(r#"{"content":[{"type":"text","text":"done"}]}"#);
        });
        let mut bridge = bridge_to(face, &server);
        let asked = bridge.result_of("1", client::call("1", "held"));
        let mut responses = serde_json::Map::new();
        // On a slow machine the second question may come too late for the first round.
        let mut state = asked["requestState"].clone();
        let mut round = asked;
        let mut seen = 0;
        loop {
            for (key, question) in round["inputRequests"].as_object().expect("questions") {
                seen += 1;
                let answer = match question["method"].as_str() {
                    Some("roots/list") => json!({"roots": []}),
                    _ => json!({"action": "decline"}),
                };
                responses.insert(key.clone(), answer);
            }
            if seen == 2 {
                break;
            }
            let told = Value::from(std::mem::take(&mut responses)).to_string();
            let id = format!("\"late-{seen}\"");
            round = bridge.result_of(&id, retry(&id, "held", &told, &state));
            state = round["requestState"].clone();
        }
        bridge.send(retry("2", "held", &Value::from(responses).to_string(), &state));
        assert_eq!(value(&server.await_request(answers("1")).body)["result"]["action"], "decline");
        assert_eq!(
            value(&server.await_request(answers("\"1\"")).body)["result"]["roots"],
            json!([])
        );
        second.open();
        let asked = bridge.answer_to("2")["result"].take();
        let (key, question) = only_question(&asked);
        assert_eq!(question["method"], "sampling/createMessage", "{asked}");
        assert_ne!(asked["requestState"], state, "a new state each round");
        let sample = format!(
            r#"{{"{key}":{{"role":"assistant","content":{{"type":"text","text":"y"}},"model":"m"}}}}"#
        );
        bridge.send(retry("3", "held", &sample, &asked["requestState"]));
        server.await_request(answers("2"));
        last.open();
        assert_eq!(bridge.answer_to("3")["result"]["content"][0]["text"], "done");
        assert_eq!(server.count(is_call), 1, "{face:?}");
        bridge.finish();
    }
}

#[test]
fn t93_a_retry_that_answers_nothing_is_asked_again_under_a_new_state() {
    for face in BOTH {
        let (server, gate) = asking(face, vec![json::request("5", "elicitation/create", FORM)]);
        let mut bridge = bridge_to(face, &server);
        let asked = bridge.result_of("1", client::call("1", "held"));
        let again = bridge.result_of("2", retry("2", "held", "{}", &asked["requestState"]));
        let (key, _) = only_question(&again);
        assert_ne!(again["requestState"], asked["requestState"]);
        let stale = retry("\"stale\"", "held", "{}", &asked["requestState"]);
        is_refused_state(&mut bridge, "\"stale\"", stale);
        let told = format!(r#"{{"{key}":{{"action":"decline"}}}}"#);
        bridge.send(retry("3", "held", &told, &again["requestState"]));
        server.await_request(answers("5"));
        gate.open();
        assert_eq!(bridge.answer_to("3")["result"]["content"][0]["text"], "done");
        bridge.finish();
    }
}

#[test]
fn t93_a_result_that_comes_while_nobody_waits_is_kept_for_the_retry() {
    for face in BOTH {
        let (server, gate) = asking(face, vec![json::request("5", "elicitation/create", FORM)]);
        let mut bridge = bridge_to(face, &server);
        let asked = bridge.result_of("1", client::call("1", "held"));
        gate.open();
        // Whoever comes after it on the same way knows that it has passed.
        bridge.modern_call_works("\"after\"");
        let (key, _) = only_question(&asked);
        let told = format!(r#"{{"{key}":{{"action":"decline"}}}}"#);
        let result = bridge.result_of("2", retry("2", "held", &told, &asked["requestState"]));
        assert_eq!(result["content"][0]["text"], "done", "{face:?}: {result}");
        assert_eq!(server.executions("held"), 1);
        bridge.finish();
    }
}

#[track_caller]
fn is_refused_state(bridge: &mut Bridge, id: &str, request: String) {
    let error = bridge.error_of(id, request);
    assert_eq!(error["code"], -32602, "{error}");
    assert_eq!(error["data"]["reason"], "invalid_request_state", "{error}");
}

#[test]
fn t94_a_state_is_good_once_for_the_same_request_in_the_same_process() {
    for face in BOTH {
        let (server, gate) = asking(face, vec![json::request("5", "elicitation/create", FORM)]);
        let mut bridge = bridge_to(face, &server);
        let asked = bridge.result_of("1", client::call("1", "held"));
        let (key, state) = (only_question(&asked).0, &asked["requestState"]);
        let told = format!(r#"{{"{key}":{{"action":"decline"}}}}"#);
        is_refused_state(&mut bridge, "2", retry("2", "held", &told, &json!("made up")));
        let mut other = bridge_to(face, &server);
        is_refused_state(&mut other, "1", retry("1", "held", &told, state));
        other.end();
        bridge.send(retry("3", "held", &told, state));
        server.await_request(answers("5"));
        gate.open();
        assert!(bridge.answer_to("3").get("result").is_some());
        is_refused_state(&mut bridge, "4", retry("4", "held", &told, state));
        assert_eq!(server.count(is_call), 1, "{face:?}: the tool is not started again");
        bridge.end();
    }
}

#[test]
fn t94_a_state_for_other_arguments_or_another_tool_is_refused() {
    for face in BOTH {
        let (server, gate) = asking(face, vec![json::request("5", "elicitation/create", FORM)]);
        let mut bridge = bridge_to(face, &server);
        let asked = bridge.result_of("1", client::call("1", "held"));
        let (key, state) = (only_question(&asked).0, &asked["requestState"]);
        let told = format!(r#"{{"{key}":{{"action":"decline"}}}}"#);
        is_refused_state(&mut bridge, "2", retry("2", "other", &told, state));
        assert_eq!(server.count(answers("5")), 0, "no answer reaches the wrong question");
        assert_eq!(server.count(is_call), 1);
        gate.open();
        bridge.end();
    }
}

#[test]
fn t95_a_call_that_nobody_comes_back_for_is_called_off_in_the_end() {
    for face in BOTH {
        let (server, gate) = asking(face, vec![json::request("5", "elicitation/create", FORM)]);
        let mut bridge = setup(face, &server).arg("--input-timeout=0.7").spawn();
        let asked = bridge.result_of("1", client::call("1", "held"));
        let (key, state) = (only_question(&asked).0, &asked["requestState"]);
        let call = server.await_request(is_call);
        let answer = server.await_request(answers("5"));
        assert_eq!(value(&answer.body)["result"]["action"], "cancel", "{face:?}");
        assert!(answer.at - call.at >= Duration::from_millis(700), "{face:?}: not before its time");
        let cancelled = server.await_request(|request| request.is_rpc("notifications/cancelled"));
        assert_eq!(params_of(&cancelled)["requestId"].to_string(), call.rpc_id().expect("an id"));
        gate.open();
        let told = format!(r#"{{"{key}":{{"action":"decline"}}}}"#);
        is_refused_state(&mut bridge, "2", retry("2", "held", &told, state));
        assert_eq!(server.count(is_call), 1, "{face:?}: the tool is not started again");
        bridge.end();
    }
}

#[test]
fn t95_what_is_held_when_the_client_leaves_is_called_off() {
    for face in BOTH {
        let (server, gate) = asking(
            face,
            vec![
                json::request("5", "elicitation/create", FORM),
                json::request("6", "roots/list", "{}"),
            ],
        );
        let mut bridge = bridge_to(face, &server);
        bridge.result_of("1", client::call("1", "held"));
        let call = server.await_request(is_call);
        bridge.close_stdin();
        let answer = value(&server.await_request(answers("5")).body);
        assert_eq!(answer["result"]["action"], "cancel", "{face:?}: {answer}");
        let answer = value(&server.await_request(answers("6")).body);
        assert!(answer.get("error").is_some(), "{face:?}: {answer}");
        let cancelled = server.await_request(|request| request.is_rpc("notifications/cancelled"));
        assert_eq!(params_of(&cancelled)["requestId"].to_string(), call.rpc_id().expect("an id"));
        assert_eq!(bridge.await_exit(Duration::from_secs(5)).code(), Some(0));
        gate.open();
    }
}
