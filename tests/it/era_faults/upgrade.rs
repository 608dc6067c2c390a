//! A remote that changes its era under a connected client (MH-53).

use super::{call, connected, works};
use crate::support::modern::{Modern, client};

/// A legacy remote becomes a modern one under a client that is connected (MH-53).
fn is_followed(legacy: bool) {
    let server = Modern::start();
    server.only_legacy();
    let mut bridge = connected(server.endpoint(), legacy);
    works(&mut bridge, legacy, "1");
    server.only_modern();
    // It refuses what it does not understand, with its own code: nothing was executed.
    call(&mut bridge, legacy, "2", "upgraded");
    let answer = bridge.answer_to("2");
    let executed = server.executions("upgraded");
    assert_eq!(executed, usize::from(answer.get("result").is_some()), "{answer}");
    works(&mut bridge, legacy, "3");
    bridge.end();
}

#[test]
fn t67_a_legacy_remote_that_becomes_modern_is_followed_for_a_connected_legacy_client() {
    is_followed(true);
}

#[test]
fn t67_a_legacy_remote_that_becomes_modern_is_followed_for_a_connected_modern_client() {
    is_followed(false);
}

#[test]
fn a_modern_remote_that_becomes_legacy_while_a_modern_client_is_connected_is_followed() {
    let server = Modern::start();
    let mut bridge = connected(server.endpoint(), false);
    bridge.modern_call_works("1");
    server.only_legacy();
    bridge.send(client::call("2", "downgraded"));
    let answer = bridge.answer_to("2");
    let executed = server.legacy().executions("downgraded");
    assert_eq!(executed, usize::from(answer.get("result").is_some()), "{answer}");
    bridge.modern_call_works("3");
    bridge.end();
}

#[test]
fn a_session_that_is_lost_to_an_upgrade_leaves_no_request_unanswered() {
    for legacy in [true, false] {
        let server = Modern::start();
        server.only_legacy();
        let mut bridge = connected(server.endpoint(), legacy);
        works(&mut bridge, legacy, "1");
        server.only_modern();
        server.rule(|request, exchange| {
            let lost = request.header("mcp-session-id").is_some();
            if lost {
                exchange.reply(404, &[], "");
            }
            lost
        });
        call(&mut bridge, legacy, "2", "lost");
        let answer = bridge.answer_to("2");
        let executed = server.executions("lost");
        assert_eq!(executed, usize::from(answer.get("result").is_some()), "{answer}");
        works(&mut bridge, legacy, "3");
        bridge.end();
    }
}
