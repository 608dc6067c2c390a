//! Calls that wait: for a person, for a list, or for a client that has died.

use serde_json::json;

use super::{BOTH, connected};
use crate::support::{
    bridge::Bridge,
    json::{self, value},
    modern::{Modern, client},
    net::Gate,
    server::{Face, Server},
};

#[test]
fn a_call_that_waits_for_a_person_holds_no_other_call_up() {
    for face in BOTH {
        let server = Server::start(face);
        let gate = Gate::new();
        let held = gate.clone();
        server.on("tools/call", move |call| {
            if call.marker() == "works" {
                return call.behave();
            }
            call.ask_until(&held);
        });
        let mut bridge = Bridge::over(face, &server).spawn();
        let asked = bridge.result_of("1", client::call("1", "held"));
        assert_eq!(asked["resultType"], "input_required", "{face:?}: {asked}");
        for id in ["2", "3"] {
            bridge.modern_call_works(id);
        }
        bridge.result_of("4", client::request("4", "tools/list", ""));
        gate.open();
        bridge.end();
    }
}

#[test]
fn a_held_call_whose_session_is_lost_is_not_started_again() {
    let server = Server::start(Face::Http);
    let gate = Gate::new();
    let held = gate.clone();
    server.on("tools/call", move |call| {
        if call.marker() == "works" {
            return call.behave();
        }
        call.executed();
        call.http().sse(&[]).event(json::request("5", "roots/list", "{}"));
        held.wait();
        call.http().close();
    });
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    let asked = bridge.result_of("1", client::call("1", "held"));
    server.forget_sessions();
    gate.open();
    bridge.modern_call_works("2");
    let key = asked["inputRequests"].as_object().and_then(|all| all.keys().next()).expect("one");
    let retry = format!(
        r#""name":"echo","arguments":{{"marker":"held"}},"inputResponses":{{"{key}":{{"roots":[]}}}},"requestState":{}"#,
        asked["requestState"]
    );
    let error = bridge.error_of("3", client::request("3", "tools/call", &retry));
    assert_ne!(error["code"], json!(-32601), "{error}");
    assert_eq!(server.executions("held"), 1);
    bridge.end();
}

#[test]
fn a_client_that_dies_in_the_middle_of_everything_leaves_no_process_and_no_stream() {
    let server = Modern::start();
    server.on("tools/call", |call| {
        call.executed();
        call.sse().await_gone();
    });
    let mut bridge = connected(server.endpoint(), false);
    bridge.send(client::listen("\"l\"", r#"{"toolsListChanged":true}"#));
    bridge.incoming("notifications/subscriptions/acknowledged");
    bridge.send(client::call("1", "running"));
    server.await_execution("running");
    bridge.close_stdin();
    server.await_cancelled(1);
    server.await_listen_left(0);
    assert_eq!(bridge.await_exit(std::time::Duration::from_secs(8)).code(), Some(0));
    for line in bridge.rest() {
        assert!(value(&line).is_object());
    }
}

#[test]
fn many_calls_of_a_tool_never_listed_are_each_repaired_and_run_once() {
    for legacy in [false, true] {
        let server = Modern::start();
        let mut bridge = connected(server.endpoint(), legacy);
        for n in 0..12 {
            let arguments = format!(r#"{{"marker":"m{n}","region":"r{n}"}}"#);
            let params = format!(r#"{{"name":"annotated","arguments":{arguments}}}"#);
            bridge.send(match legacy {
                true => json::request(&n.to_string(), "tools/call", &params),
                false => client::tool(&n.to_string(), "annotated", &arguments),
            });
        }
        for n in 0..12 {
            let answer = bridge.answer_to(&n.to_string());
            assert_eq!(answer["result"]["content"][0]["text"], format!("m{n}"), "{answer}");
            assert_eq!(server.executions(&format!("m{n}")), 1);
        }
        let calls = server.count(|request| request.is_rpc("tools/call"));
        assert!(calls <= 24, "{calls} calls: none is repaired twice");
        bridge.finish();
    }
}

#[test]
fn the_answers_of_several_held_calls_reach_their_own_questions() {
    let server = Server::start(Face::Http);
    server.on("tools/call", |call| {
        call.executed();
        let marker = call.marker();
        let params = format!(
            r#"{{"message":"{marker}","requestedSchema":{{"type":"object","properties":{{}}}}}}"#
        );
        let question = json::request(&format!("\"q-{marker}\""), "elicitation/create", &params);
        call.http().sse(&[]).event(question);
        // The answer's POST ends the call; see below.
        call.http().event(json::notification("notifications/x", "{}"));
        let done = format!(r#"{{"content":[{{"type":"text","text":"{marker}"}}]}}"#);
        let message = json::result(&call.id(), &done);
        HELD.wait_for(&marker);
        call.http().event(message).end();
    });
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    let markers = ["a", "b", "c"];
    for (n, marker) in markers.iter().enumerate() {
        bridge.send(client::call(&n.to_string(), marker));
    }
    let asked: Vec<_> = (0..3).map(|n| bridge.answer_to(&n.to_string())["result"].take()).collect();
    for (n, marker) in markers.iter().enumerate().rev() {
        let all = asked[n]["inputRequests"].as_object().expect("questions");
        assert_eq!(all.len(), 1, "{}", asked[n]);
        let (key, question) = all.iter().next().expect("one");
        assert_eq!(question["params"]["message"], *marker, "its own question: {}", asked[n]);
        let members = format!(
            r#""name":"echo","arguments":{{"marker":"{marker}"}},"inputResponses":{{"{key}":{{"action":"accept","content":{{"m":"{marker}"}}}}}},"requestState":{}"#,
            asked[n]["requestState"]
        );
        let id = format!("\"retry-{n}\"");
        bridge.send(client::request(&id, "tools/call", &members));
        let question = format!("\"q-{marker}\"");
        let told = server.await_request(|request| {
            request.rpc().is_none() && request.rpc_id().as_deref() == Some(&question)
        });
        assert_eq!(value(&told.body)["result"]["content"]["m"], *marker);
        HELD.let_go(marker);
        let answer = bridge.answer_to(&id);
        assert_eq!(answer["result"]["content"][0]["text"], *marker, "{answer}");
        assert_eq!(server.executions(marker), 1);
    }
    bridge.finish();
}

/// Calls that wait for their turn, by marker.
struct Turns {
    open: std::sync::Mutex<Vec<String>>,
    changed: std::sync::Condvar,
}

static HELD: Turns =
    Turns { open: std::sync::Mutex::new(Vec::new()), changed: std::sync::Condvar::new() };

impl Turns {
    fn let_go(&self, marker: &str) {
        crate::support::net::lock(&self.open).push(marker.to_owned());
        self.changed.notify_all();
    }

    fn wait_for(&self, marker: &str) {
        let deadline = crate::support::DEADLINE;
        crate::support::net::await_some(&self.open, &self.changed, deadline, |open| {
            open.iter().any(|one| one == marker).then_some(())
        })
        .expect("its turn never came");
    }
}
