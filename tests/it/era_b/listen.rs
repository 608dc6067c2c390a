//! Listens of a modern client, each under its own id.

use serde_json::json;

use super::{BOTH, bridge_to, params_of, setup};
use crate::support::{
    json::{self, value},
    modern::client,
    server::{Face, Server},
};

const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";

#[test]
fn t98_each_listen_gets_what_it_asked_for_under_its_own_id() {
    for face in BOTH {
        let server = Server::start(face);
        let mut bridge = bridge_to(face, &server);
        bridge.send(client::listen("7", r#"{"toolsListChanged":true}"#));
        let line = value(&bridge.next_line());
        assert_eq!(line["method"], ACKNOWLEDGED, "first of all: {line}");
        assert_eq!(line["params"]["notifications"], json!({"toolsListChanged": true}), "{line}");
        assert_eq!(line["params"]["_meta"][SUBSCRIPTION], 7, "{line}");
        bridge.send(client::listen(
            "\"7\"",
            r#"{"promptsListChanged":true,"resourceSubscriptions":["test://one"]}"#,
        ));
        let line = value(&bridge.next_line());
        assert_eq!(line["method"], ACKNOWLEDGED, "{line}");
        assert_eq!(line["params"]["_meta"][SUBSCRIPTION], "7", "{line}");
        assert_eq!(
            line["params"]["notifications"],
            json!({"promptsListChanged": true, "resourceSubscriptions": ["test://one"]}),
            "{line}"
        );
        let subscribed = server.await_request(|request| request.is_rpc("resources/subscribe"));
        assert_eq!(params_of(&subscribed)["uri"], "test://one");
        for (method, params, id) in [
            ("notifications/tools/list_changed", "{}", json!(7)),
            ("notifications/prompts/list_changed", "{}", json!("7")),
            ("notifications/resources/updated", r#"{"uri":"test://one"}"#, json!("7")),
            ("notifications/resources/updated", r#"{"uri":"test://one/part"}"#, json!("7")),
        ] {
            server.push(json::notification("notifications/resources/list_changed", "{}"));
            server.push(json::notification(method, params));
            let line = value(&bridge.next_line());
            assert_eq!(line["method"], method, "nobody asked for the other one: {line}");
            assert_eq!(line["params"]["_meta"][SUBSCRIPTION], id, "{line}");
        }
        bridge.send(client::cancel("\"7\""));
        let left = server.await_request(|request| request.is_rpc("resources/unsubscribe"));
        assert_eq!(params_of(&left)["uri"], "test://one");
        server.push(json::notification("notifications/prompts/list_changed", "{}"));
        server.push(json::notification("notifications/tools/list_changed", "{}"));
        let line = value(&bridge.next_line());
        assert_eq!(line["method"], "notifications/tools/list_changed", "{line}");
        bridge.finish();
    }
}

#[test]
fn t98_two_listens_of_one_kind_get_a_copy_each_and_share_a_subscription() {
    for face in BOTH {
        let server = Server::start(face);
        let mut bridge = bridge_to(face, &server);
        let filter = r#"{"toolsListChanged":true,"resourceSubscriptions":["test://one"]}"#;
        for id in ["1", "\"1\""] {
            bridge.send(client::listen(id, filter));
            assert_eq!(value(&bridge.next_line())["method"], ACKNOWLEDGED);
        }
        assert_eq!(server.count(|request| request.is_rpc("resources/subscribe")), 1);
        server.push(json::notification("notifications/tools/list_changed", "{}"));
        let mut ids: Vec<String> = (0..2)
            .map(|_| value(&bridge.next_line())["params"]["_meta"][SUBSCRIPTION].to_string())
            .collect();
        ids.sort();
        assert_eq!(ids, ["\"1\"", "1"]);
        bridge.send(client::cancel("1"));
        bridge.modern_call_works("2");
        assert_eq!(server.count(|request| request.is_rpc("resources/unsubscribe")), 0);
        bridge.send(client::cancel("\"1\""));
        server.await_request(|request| request.is_rpc("resources/unsubscribe"));
        bridge.finish();
    }
}

#[test]
fn t98_what_cannot_be_honoured_is_left_out_and_still_acknowledged() {
    let server = Server::start(Face::Http);
    server.on("resources/subscribe", |call| {
        if call.params["uri"] == "test://one" {
            return call.behave();
        }
        let error = json::error(&call.id(), -32602, "no such resource");
        call.message(error);
    });
    let mut bridge = bridge_to(Face::Http, &server);
    bridge.send(client::listen("1", r#"{"resourceSubscriptions":["test://bad","test://one"]}"#));
    let line = bridge.incoming(ACKNOWLEDGED);
    let honoured = &line["params"]["notifications"]["resourceSubscriptions"];
    assert_eq!(*honoured, json!(["test://one"]), "{line}");
    bridge.finish();

    let server = Server::start(Face::Http);
    server.stateless();
    let mut bridge = setup(Face::Http, &server).arg("--protocol=legacy").spawn();
    bridge.send(client::listen("1", r#"{"toolsListChanged":true}"#));
    let line = bridge.incoming(ACKNOWLEDGED);
    assert_ne!(line["params"]["notifications"]["toolsListChanged"], true, "{line}");
    bridge.end();
}

#[test]
fn a_listen_goes_on_over_a_dropped_stream_and_the_gap_is_covered() {
    for face in BOTH {
        let server = Server::start(face);
        let mut bridge = bridge_to(face, &server);
        let filter = r#"{"toolsListChanged":true,"resourceSubscriptions":["test://one"]}"#;
        bridge.send(client::listen("7", filter));
        bridge.incoming(ACKNOWLEDGED);
        // A stream that brought something is known to be one, however soon it ends.
        server.push(json::notification("notifications/tools/list_changed", "{}"));
        bridge.incoming("notifications/tools/list_changed");
        let sessions = server.sessions_opened();
        server.forget_sessions();
        let changed = bridge.incoming("notifications/tools/list_changed");
        assert_eq!(changed["params"]["_meta"][SUBSCRIPTION], 7, "{face:?}: {changed}");
        server.await_session(sessions + 1);
        server.await_nth(2, |request| request.is_rpc("resources/subscribe"));
        server
            .push(json::notification("notifications/resources/updated", r#"{"uri":"test://one"}"#));
        let updated = bridge.incoming("notifications/resources/updated");
        assert_eq!(updated["params"]["_meta"][SUBSCRIPTION], 7, "{face:?}: {updated}");
        bridge.end();
    }
}
