//! Start-up between the eras: requests before the remote's era is known, remotes that come later,
//! and what is asked for while it is being found out.

use serde_json::json;

use crate::support::{
    bridge::{Bridge, Setup},
    json::{self, value},
    modern::{Modern, client},
    net::Gate,
    server::{Face, Server},
};

/// A legacy, a modern and a dual remote.
fn remotes() -> Vec<(&'static str, Modern)> {
    let all = ["legacy", "modern", "dual", "dual without sessions"];
    let started = all.map(|kind| {
        let server = Modern::start();
        match kind {
            "legacy" => _ = server.only_legacy(),
            "dual" => _ = server.dual_with_sessions(),
            "dual without sessions" => _ = server.dual(),
            _ => {}
        }
        (kind, server)
    });
    started.into()
}

fn executions(server: &Modern, marker: &str) -> usize {
    server.executions(marker) + server.legacy().executions(marker)
}

#[test]
fn many_requests_before_the_era_is_known_are_each_executed_once() {
    for (kind, server) in remotes() {
        for legacy in [false, true] {
            let mut bridge = Bridge::to(server.endpoint()).spawn();
            let marker = |n: usize| format!("{legacy}-{n}");
            let mut text = String::new();
            if legacy {
                text = json::initialize("\"hello\"", "2025-11-25") + "\n";
                text += &json::notification("notifications/initialized", "{}");
                text += "\n";
            }
            for n in 0..16 {
                let id = n.to_string();
                text += &match legacy {
                    true => json::call(&id, &marker(n)),
                    false => client::call(&id, &marker(n)),
                };
                text += "\n";
            }
            bridge.send_raw(text);
            for n in 0..16 {
                let answer = bridge.answer_to(&n.to_string());
                assert_eq!(answer["result"]["content"][0]["text"], marker(n), "{kind}: {answer}");
                assert_eq!(executions(&server, &marker(n)), 1, "{kind}");
            }
            bridge.finish();
        }
        server.is_content();
    }
}

#[test]
fn st_20_24_both_eras_at_once_on_one_pipe_are_served_each_in_its_own_words() {
    for (kind, server) in remotes() {
        let mut bridge = Bridge::to(server.endpoint()).spawn();
        let mut text = json::initialize("\"hello\"", "2025-11-25") + "\n";
        text += &client::call("1", "modern");
        text += "\n";
        text += &json::notification("notifications/initialized", "{}");
        text += "\n";
        text += &json::call("2", "legacy");
        text += "\n";
        bridge.send_raw(text);
        let modern = bridge.answer_to("1");
        assert_eq!(modern["result"]["resultType"], "complete", "{kind}: {modern}");
        assert_eq!(modern["result"]["content"][0]["text"], "modern", "{kind}: {modern}");
        let hello = bridge.answer_to("\"hello\"");
        assert_eq!(hello["result"]["protocolVersion"], "2025-11-25", "{kind}: {hello}");
        let legacy = bridge.answer_to("2");
        assert_eq!(legacy["result"]["content"][0]["text"], "legacy", "{kind}: {legacy}");
        assert_eq!(legacy["result"].get("resultType"), None, "{kind}: {legacy}");
        assert_eq!(
            (executions(&server, "modern"), executions(&server, "legacy")),
            (1, 1),
            "{kind}"
        );
        bridge.finish();
    }
}

#[test]
fn a_request_cancelled_while_the_era_is_unknown_is_never_executed_in_the_other_one() {
    let server = Server::start(Face::Http);
    let (seen, go) = (Gate::new(), Gate::new());
    let (came, wait) = (seen.clone(), go.clone());
    server.rule(move |request, exchange| {
        let modern = request.header("mcp-method").is_some();
        if modern {
            came.open();
            wait.wait();
            exchange.reply(400, &[], "");
        }
        modern
    });
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.send(client::call("1", "cancelled"));
    seen.wait();
    bridge.send(client::cancel("1"));
    bridge.send(client::call("2", "after"));
    go.open();
    assert_eq!(bridge.answer_to("2")["result"]["content"][0]["text"], "after");
    assert_eq!(server.executions("cancelled"), 0);
    assert_eq!(server.executions("after"), 1);
    bridge.close_stdin();
    assert!(!bridge.rest().iter().any(|line| value(line)["id"] == 1), "no answer");
}

fn soon(server: &Modern) -> Setup {
    Bridge::to(server.endpoint()).arg("--startup-grace=0.3")
}

#[test]
fn a_legacy_client_that_started_before_its_modern_remote_works_once_that_is_there() {
    let server = Modern::start();
    server.listener().stop();
    let mut bridge = soon(&server).spawn();
    bridge.handshake("2025-06-18");
    let empty = bridge.result_of("0", json::request("0", "tools/list", "{}"));
    assert_eq!(empty["tools"], json!([]), "nothing is known yet");
    bridge.call("1", "patient");
    server.listener().start_again();
    assert_eq!(bridge.answer_to("1")["result"]["content"][0]["text"], "patient");
    assert_eq!(server.executions("patient"), 1);
    bridge.incoming("notifications/tools/list_changed");
    let list = bridge.result_of("2", json::request("2", "tools/list", "{}"));
    assert_eq!(list["tools"][0]["name"], "echo", "{list}");
    server.is_content();
    bridge.end();
}

#[test]
fn a_modern_client_that_started_before_its_remote_works_once_that_is_there() {
    for (kind, server) in remotes() {
        server.listener().stop();
        let mut bridge = soon(&server).spawn();
        bridge.send(client::call("1", "patient"));
        server.listener().start_again();
        assert_eq!(bridge.answer_to("1")["result"]["content"][0]["text"], "patient", "{kind}");
        assert_eq!(executions(&server, "patient"), 1, "{kind}");
        bridge.end();
    }
}

#[test]
fn xa_6_a_remote_known_to_be_modern_that_is_away_is_remembered_for_a_legacy_client() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let server = Modern::start();
    let mut bridge = soon(&server).home(home.path()).spawn();
    let first = bridge.handshake("2025-11-25");
    bridge.result_of("1", json::request("1", "tools/list", "{}"));
    bridge.finish();
    server.listener().stop();
    let mut bridge = soon(&server).home(home.path()).spawn();
    let second = bridge.handshake("2025-11-25");
    assert_eq!(second["result"]["serverInfo"], first["result"]["serverInfo"], "{second}");
    assert_eq!(second["result"]["capabilities"], first["result"]["capabilities"], "{second}");
    let list = bridge.result_of("1", json::request("1", "tools/list", "{}"));
    assert_eq!(list["tools"][0]["name"], "echo", "{list}");
    server.listener().start_again();
    bridge.call_works("2");
    bridge.end();
}

#[test]
fn a_hidden_tool_is_hidden_in_every_quadrant() {
    for (kind, server) in remotes() {
        for legacy in [false, true] {
            let mut bridge = Bridge::to(server.endpoint()).arg("--ignore-tool=ec*").spawn();
            let (list, call) = if legacy {
                bridge.handshake("2025-11-25");
                (json::request("1", "tools/list", "{}"), json::call("2", "hidden"))
            } else {
                (client::request("1", "tools/list", ""), client::call("2", "hidden"))
            };
            let list = bridge.result_of("1", list);
            let names = list["tools"].as_array().expect("a list");
            assert!(!names.iter().any(|tool| tool["name"] == "echo"), "{kind}: {list}");
            bridge.error_of("2", call);
            assert_eq!(executions(&server, "hidden"), 0, "{kind}");
            bridge.end();
        }
    }
}

#[test]
fn a_wrong_transport_flag_is_not_held_against_a_modern_remote() {
    for legacy in [false, true] {
        let server = Modern::start();
        let mut bridge = Bridge::to(server.endpoint()).arg("--transport=http-only").spawn();
        if legacy {
            bridge.handshake("2025-11-25");
            bridge.call_works("1");
        } else {
            bridge.modern_call_works("1");
        }
        bridge.finish();
        server.is_content();
    }
}

#[test]
fn a_slow_remote_holds_up_nobody_else() {
    let server = Modern::start();
    let gate = Gate::new();
    let held = gate.clone();
    server.on("server/discover", move |call| {
        held.wait();
        call.behave();
    });
    let mut bridge = soon(&server).spawn();
    bridge.send(json::request("\"p\"", "ping", "{}"));
    assert_eq!(bridge.answer_to("\"p\"")["result"], json!({}));
    // A legacy client is answered within its grace although the probe is not.
    bridge.handshake("2025-11-25");
    bridge.send(json::request("\"q\"", "ping", "{}"));
    assert_eq!(bridge.answer_to("\"q\"")["result"], json!({}));
    bridge.call("1", "late");
    gate.open();
    assert_eq!(bridge.answer_to("1")["result"]["content"][0]["text"], "late");
    assert_eq!(server.executions("late"), 1);
    bridge.end();
}
