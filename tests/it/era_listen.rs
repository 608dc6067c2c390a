//! `subscriptions/listen` of a modern client at a modern remote.

use crate::support::{
    bridge::Bridge,
    http::Request,
    json::{self, value},
    modern::{Modern, client},
    net::Gate,
    server::Frame,
};

fn connected(server: &Modern) -> Bridge {
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.discover();
    bridge
}

const TOOLS: &str = r#"{"toolsListChanged":true}"#;
const EVERYTHING: &str = r#"{"toolsListChanged":true,"promptsListChanged":true,"resourcesListChanged":true,"resourceSubscriptions":["test://one","test://two"]}"#;
const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

#[test]
fn a_listen_passes_with_its_own_id_and_a_cancelled_one_is_closed() {
    let server = Modern::start();
    let mut bridge = connected(&server);
    for (n, id) in ["7", "\"listen\""].into_iter().enumerate() {
        bridge.send(client::listen(id, TOOLS));
        let number = server.await_listen_after(n, |_| true);
        let acknowledged = bridge.incoming(ACKNOWLEDGED);
        assert_eq!(acknowledged["params"]["_meta"][SUBSCRIPTION], json::lenient(id));
        assert_eq!(acknowledged["params"]["notifications"], json::lenient(TOOLS));
        server.notify(number, "notifications/tools/list_changed", "");
        let changed = bridge.incoming("notifications/tools/list_changed");
        assert_eq!(changed["params"]["_meta"][SUBSCRIPTION], json::lenient(id));
        bridge.send(client::cancel(id));
        server.await_listen_left(number);
    }
    assert!(!server.heard().contains(&"notifications/cancelled".to_owned()));
    server.is_content();
    bridge.finish();
}

#[test]
fn a_listen_outlives_a_dropped_stream_and_the_gap_is_covered() {
    let server = Modern::start();
    let mut bridge = connected(&server);
    bridge.send(client::listen("7", EVERYTHING));
    let first = server.await_listen(|_| true);
    bridge.incoming(ACKNOWLEDGED);
    server.cut_listen(first);
    let second = server.await_listen_after(first + 1, |_| true);
    assert_eq!(server.filter(second), json::lenient(EVERYTHING));
    let listens = |request: &Request| request.is_rpc("subscriptions/listen");
    assert_ne!(server.await_nth(1, listens).rpc_id(), server.await_nth(2, listens).rpc_id());
    let mut covered = Vec::new();
    for _ in 0..5 {
        let line = value(&bridge.next_line());
        assert_eq!(line["params"]["_meta"][SUBSCRIPTION], 7, "{line}");
        let uri = line["params"]["uri"].as_str().unwrap_or_default();
        covered.push(format!("{} {uri}", line["method"].as_str().unwrap_or_default()));
    }
    covered.sort();
    assert_eq!(
        covered,
        [
            "notifications/prompts/list_changed ",
            "notifications/resources/list_changed ",
            "notifications/resources/updated test://one",
            "notifications/resources/updated test://two",
            "notifications/tools/list_changed ",
        ]
    );
    server.notify(second, "notifications/resources/updated", r#""uri":"test://two""#);
    let line = value(&bridge.next_line());
    assert_eq!(
        line["method"], "notifications/resources/updated",
        "no second acknowledgement: {line}"
    );
    assert_eq!(line["params"]["_meta"][SUBSCRIPTION], 7, "{line}");
    server.is_content();
    bridge.end();
}

#[test]
fn a_listen_that_is_honoured_less_after_a_drop_is_ended_for_the_client() {
    let server = Modern::start();
    let mut bridge = connected(&server);
    bridge.send(client::listen("7", EVERYTHING));
    let first = server.await_listen(|_| true);
    bridge.incoming(ACKNOWLEDGED);
    server.honour(TOOLS);
    server.cut_listen(first);
    let ended = bridge.answer_to("7");
    assert_eq!(ended["result"]["_meta"][SUBSCRIPTION], 7, "{ended}");
    let cancelled = bridge.incoming("notifications/cancelled");
    assert_eq!(cancelled["params"]["requestId"], 7, "{cancelled}");
    bridge.end();
}

#[test]
fn a_listen_that_the_remote_ends_in_good_order_ends_for_the_client() {
    let server = Modern::start();
    let mut bridge = connected(&server);
    bridge.send(client::listen("\"l\"", TOOLS));
    let number = server.await_listen(|_| true);
    bridge.incoming(ACKNOWLEDGED);
    server.end_listen(number);
    let line = value(&bridge.next_line());
    assert_eq!(line["result"]["_meta"][SUBSCRIPTION], "l", "the result comes first: {line}");
    let line = value(&bridge.next_line());
    assert_eq!(line["method"], "notifications/cancelled", "then the cancellation: {line}");
    assert_eq!(line["params"]["requestId"], "l", "{line}");
    bridge.modern_call_works("1");
    assert_eq!(server.listens(), 1, "an ended subscription is the client's to open again");
    bridge.end();
}

#[test]
fn a_listen_that_the_remote_does_not_know_is_an_error_and_not_tried_again() {
    let server = Modern::start();
    server.on("subscriptions/listen", |call| call.refuse(404, -32601, "Method not found"));
    let mut bridge = connected(&server);
    let error = bridge.error_of("1", client::listen("1", TOOLS));
    assert_eq!(error["code"], -32601, "{error}");
    bridge.modern_call_works("2");
    assert_eq!(server.count(|request| request.is_rpc("subscriptions/listen")), 1);
    bridge.end();
}

#[test]
fn xa_33_a_silent_listen_holds_no_call_up() {
    for legacy in [true, false] {
        let server = Modern::start();
        let gate = Gate::new();
        let held = gate.clone();
        server.on("x/hold", move |call| {
            held.wait();
            call.answer(r#"{"resultType":"complete"}"#);
        });
        let mut bridge = Bridge::to(server.endpoint()).spawn();
        if legacy {
            bridge.handshake("2025-11-25");
            server.await_request(|request| request.is_rpc("subscriptions/listen"));
        } else {
            bridge.discover();
            bridge.send(client::listen("\"l\"", TOOLS));
            bridge.incoming(ACKNOWLEDGED);
        }
        for id in 0..20 {
            let id = id.to_string();
            bridge.send(match legacy {
                true => json::request(&id, "x/hold", "{}"),
                false => client::request(&id, "x/hold", ""),
            });
        }
        match legacy {
            true => bridge.call_works("\"quick\""),
            false => bridge.modern_call_works("\"quick\""),
        }
        gate.open();
        (0..20).for_each(|id| _ = bridge.answer_to(&id.to_string()));
        server.listen_frame(0, Frame::Raw(b": keep-alive\n\n".to_vec()));
        bridge.close_stdin();
        server.await_listen_left(0);
    }
}
