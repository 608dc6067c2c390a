//! Calls that are cancelled, and ways and sessions that are lost.

use serde_json::json;

use super::{BOTH, FORM, asking, bridge_to, is_call, only_question, params_of, retry};
use crate::support::{
    json::{self, value},
    modern::client,
    net::Gate,
    server::{Face, Server},
};

#[test]
fn a_cancelled_request_is_cancelled_upstream_under_its_own_id_and_not_answered() {
    for face in BOTH {
        let (server, gate) = asking(face, vec![json::notification("notifications/x", "{}")]);
        let mut bridge = bridge_to(face, &server);
        bridge.send(client::call("1", "held"));
        server.await_execution("held");
        bridge.send(client::cancel("1"));
        let cancelled = server.await_request(|request| request.is_rpc("notifications/cancelled"));
        let call = server.await_request(is_call);
        assert_eq!(params_of(&cancelled)["requestId"].to_string(), call.rpc_id().expect("an id"));
        gate.open();
        bridge.modern_call_works("2");
        bridge.close_stdin();
        assert!(!bridge.rest().iter().any(|line| value(line)["id"] == 1), "{face:?}");
    }
}

#[test]
fn a_call_whose_way_breaks_is_never_repeated() {
    for face in BOTH {
        let server = Server::start(face);
        server.on("tools/call", |call| {
            if call.marker() == "works" {
                return call.behave();
            }
            call.executed();
            call.cut();
        });
        let mut bridge = bridge_to(face, &server);
        bridge.send(client::call("1", "once"));
        let error = bridge.answer_to("1")["error"].take();
        assert!([json!(-31001), json!(-31005)].contains(&error["code"]), "{face:?}: {error}");
        bridge.modern_call_works("2");
        assert_eq!(server.executions("once"), 1, "{face:?}");
        assert_eq!(server.count(is_call), 2, "{face:?}: the one that broke, the one that works");
        bridge.end();
    }
}

#[test]
fn a_held_call_whose_way_breaks_is_never_started_again() {
    for face in BOTH {
        let server = Server::start(face);
        let gate = Gate::new();
        let held = gate.clone();
        server.on("tools/call", move |call| {
            if call.marker() == "works" {
                return call.behave();
            }
            call.executed();
            call.say(true, &json::request("5", "elicitation/create", FORM));
            held.wait();
            call.cut();
        });
        let mut bridge = bridge_to(face, &server);
        let asked = bridge.result_of("1", client::call("1", "held"));
        gate.open();
        // A list is asked for again where the break takes it along.
        bridge.result_of("\"after\"", client::request("\"after\"", "tools/list", ""));
        let told = format!(r#"{{"{}":{{"action":"decline"}}}}"#, only_question(&asked).0);
        bridge.send(retry("2", "held", &told, &asked["requestState"]));
        let answer = bridge.answer_to("2");
        assert!(answer.get("error").is_some(), "{face:?}: {answer}");
        assert_eq!(server.executions("held"), 1, "{face:?}");
        bridge.end();
    }
}

#[test]
fn a_session_that_is_lost_is_opened_again_without_a_word() {
    let server = Server::start(Face::Http);
    let mut bridge = bridge_to(Face::Http, &server);
    bridge.modern_call_works("1");
    server.forget_sessions();
    bridge.modern_call_works("2");
    assert_eq!(server.executions("works"), 2);
    bridge.end();
}
