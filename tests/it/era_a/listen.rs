//! Subscriptions and promised lists: one listen at a time, whatever becomes of it.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};

use super::{connected, meta};
use crate::support::{
    http::Request,
    json::{self, value},
    modern::{DISCOVER, Modern},
    net::Gate,
};

fn watches(uris: Value) -> impl Fn(&Value) -> bool {
    move |filter| filter["resourceSubscriptions"] == uris
}

fn subscribe(id: &str, uri: &str) -> String {
    json::request(id, "resources/subscribe", &format!(r#"{{"uri":"{uri}"}}"#))
}

#[test]
fn one_listen_asks_for_exactly_the_lists_that_were_promised() {
    let server = Modern::start();
    let mut bridge = connected(&server, "2025-11-25");
    let number = server.await_listen(|filter| filter["toolsListChanged"] == true);
    assert_eq!(server.filter(number)["promptsListChanged"], true);
    assert_eq!(server.filter(number)["resourcesListChanged"], true);
    for kind in ["tools", "prompts", "resources"] {
        let method = format!("notifications/{kind}/list_changed");
        server.notify(number, &method, "");
        let changed = bridge.incoming(&method);
        assert!(meta(&changed["params"], "subscriptionId").is_null(), "{changed}");
    }
    assert_eq!(server.listens(), 1);
    server.is_content();
    bridge.finish();

    let server = Modern::start();
    server.discover(
        &DISCOVER
            .replace(r#""prompts":{"listChanged":true},"#, "")
            .replace(r#""subscribe":true,"listChanged":true"#, ""),
    );
    let bridge = connected(&server, "2025-11-25");
    let number = server.await_listen(|_| true);
    assert_eq!(server.filter(number)["toolsListChanged"], true);
    for kind in ["promptsListChanged", "resourcesListChanged"] {
        assert_ne!(server.filter(number)[kind], true, "{}", server.filter(number));
    }
    bridge.finish();
}

#[test]
fn t73_xa_16_34_subscriptions_are_listens_each_acknowledged_before_the_one_before_is_left() {
    let server = Modern::start();
    let gate = Gate::new();
    let held = gate.clone();
    server.on("subscriptions/listen", move |call| {
        let both = call.params["notifications"]["resourceSubscriptions"]
            == json!(["test://a", "test://b"]);
        if both {
            held.wait();
        }
        call.behave();
    });
    let mut bridge = connected(&server, "2025-11-25");
    assert_eq!(bridge.result_of("1", subscribe("1", "test://a")), json!({}));
    let first = server.await_listen(watches(json!(["test://a"])));
    server.notify(first, "notifications/resources/updated", r#""uri":"test://a""#);
    let updated = bridge.incoming("notifications/resources/updated");
    assert_eq!(updated["params"], json!({"uri": "test://a"}), "{updated}");

    bridge.send(subscribe("2", "test://b"));
    server.await_nth(3, |request| request.is_rpc("subscriptions/listen"));
    // Not acknowledged yet: the client has no answer, and the old stream goes on.
    bridge.call_works("\"meanwhile\"");
    assert!(server.is_listening(first), "break before make");
    server.notify(first, "notifications/resources/updated", r#""uri":"test://a""#);
    gate.open();
    assert_eq!(bridge.answer_to("2")["result"], json!({}));
    assert_eq!(bridge.incoming("notifications/resources/updated")["params"]["uri"], "test://a");
    let second = server.await_listen(watches(json!(["test://a", "test://b"])));
    server.await_listen_left(first);

    let unsubscribe = json::request("3", "resources/unsubscribe", r#"{"uri":"test://a"}"#);
    assert_eq!(bridge.result_of("3", unsubscribe), json!({}));
    let third = server.await_listen(watches(json!(["test://b"])));
    server.await_listen_left(second);
    server.notify(third, "notifications/resources/updated", r#""uri":"test://b""#);
    assert_eq!(bridge.incoming("notifications/resources/updated")["params"]["uri"], "test://b");

    let unsubscribe = json::request("4", "resources/unsubscribe", r#"{"uri":"test://b"}"#);
    assert_eq!(bridge.result_of("4", unsubscribe), json!({}));
    server.await_listen_left(third);
    assert!(!server.heard().iter().any(|method| method.starts_with("resources/")));
    server.is_content();
    bridge.finish();
}

#[test]
fn t73_an_update_that_both_streams_bring_while_they_overlap_is_told_once() {
    let server = Modern::start();
    let mut bridge = connected(&server, "2025-11-25");
    bridge.result_of("1", subscribe("1", "test://a"));
    let first = server.await_listen(watches(json!(["test://a"])));
    let (acknowledged, go) = (Gate::new(), Gate::new());
    let (ready, wait) = (acknowledged.clone(), go.clone());
    server.on("subscriptions/listen", move |call| {
        ready.open();
        wait.wait();
        let id = call.id.clone();
        let tag = format!(r#""_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}"#);
        let honoured = format!(r#"{{"notifications":{},{tag}}}"#, call.params["notifications"]);
        let updated = |uri: &str| {
            json::notification(
                "notifications/resources/updated",
                &format!(r#"{{"uri":"{uri}",{tag}}}"#),
            )
        };
        call.sse();
        // All in one piece, so that nothing of the old stream comes between.
        let messages = [
            json::notification("notifications/subscriptions/acknowledged", &honoured),
            updated("test://a"),
            updated("test://b"),
        ];
        let events: Vec<u8> = messages
            .iter()
            .flat_map(|text| crate::support::http::event(None, text.as_bytes()))
            .collect();
        call.http().chunk(events);
        call.listen_on();
    });
    bridge.send(subscribe("2", "test://b"));
    acknowledged.wait();
    server.notify(first, "notifications/resources/updated", r#""uri":"test://a""#);
    go.open();
    bridge.answer_to("2");
    let updated: Vec<_> = (0..2)
        .map(|_| bridge.incoming("notifications/resources/updated")["params"]["uri"].take())
        .collect();
    assert!(updated.contains(&json!("test://a")), "{updated:?}");
    assert!(updated.contains(&json!("test://b")), "no duplicate of a: {updated:?}");
    bridge.end();
}

#[test]
fn t73_a_resource_that_is_not_honoured_is_a_wrong_request() {
    let server = Modern::start();
    server.honour(r#"{"resourceSubscriptions":[]}"#);
    let mut bridge = connected(&server, "2025-11-25");
    let error = bridge.error_of("1", subscribe("1", "test://no"));
    assert_eq!(error["code"], -32602, "{error}");
    assert_eq!(error["data"]["uri"], "test://no", "{error}");
    bridge.end();

    let server = Modern::start();
    server.discover(&DISCOVER.replace(r#""subscribe":true,"#, ""));
    let mut bridge = connected(&server, "2025-11-25");
    assert_eq!(bridge.error_of("1", subscribe("1", "test://a"))["code"], -32601);
    bridge.finish();
}

#[test]
fn t74_after_a_dropped_listen_each_promised_list_is_said_to_have_changed_once() {
    let server = Modern::start();
    let mut bridge = connected(&server, "2025-11-25");
    bridge.result_of("1", subscribe("1", "test://a"));
    let lists = server.await_listen(|filter| filter["toolsListChanged"] == true);
    let resources = server.await_listen(watches(json!(["test://a"])));
    let before = server.listens();
    server.cut_listen(lists);
    let again = server.await_listen_after(before, |filter| filter["toolsListChanged"] == true);
    let mut changed = BTreeSet::new();
    for _ in 0..3 {
        let line = value(&bridge.next_line());
        assert!(meta(&line["params"], "subscriptionId").is_null(), "{line}");
        assert!(changed.insert(line["method"].as_str().unwrap_or_default().to_owned()), "{line}");
    }
    assert_eq!(
        changed.iter().map(String::as_str).collect::<Vec<_>>(),
        [
            "notifications/prompts/list_changed",
            "notifications/resources/list_changed",
            "notifications/tools/list_changed"
        ]
    );
    server.notify(again, "notifications/tools/list_changed", "");
    assert_eq!(value(&bridge.next_line())["method"], "notifications/tools/list_changed");

    let before = server.listens();
    server.cut_listen(resources);
    server.await_listen_after(before, watches(json!(["test://a"])));
    let line = value(&bridge.next_line());
    assert_eq!(line["method"], "notifications/resources/updated", "{line}");
    assert_eq!(line["params"]["uri"], "test://a", "{line}");
    server.is_content();
    bridge.end();
}

#[test]
fn t74_a_listen_that_the_server_ends_is_opened_again_and_one_it_does_not_know_is_not() {
    let server = Modern::start();
    let mut bridge = connected(&server, "2025-11-25");
    let first = server.await_listen(|_| true);
    server.end_listen(first);
    server.await_listen_after(first + 1, |filter| filter["toolsListChanged"] == true);
    for kind in ["tools", "prompts", "resources"] {
        // What changed while nobody listened is not known.
        bridge.incoming(&format!("notifications/{kind}/list_changed"));
    }
    bridge.end();

    let server = Modern::start();
    server.on("subscriptions/listen", |call| call.refuse(404, -32601, "Method not found"));
    let mut bridge = connected(&server, "2025-11-25");
    bridge.call_works("1");
    let listens = |request: &Request| request.is_rpc("subscriptions/listen");
    server.await_request(listens);
    assert!(server.nth_within(2, Duration::from_millis(1500), listens).is_none());
    bridge.end();
}
