//! What a modern remote, or the way to it, can do wrong: each fault costs one request, and the
//! next one works.

use serde_json::json;

use crate::{
    awkward,
    support::{
        bridge::Bridge,
        http::event,
        json::{self, value},
        modern::{Call, Modern, client},
        net::Gate,
        remote::Remote,
        server::{Face, Server},
    },
};

const BOTH: [Face; 2] = [Face::Http, Face::Sse];

/// A client of either era, connected.
fn connected(url: String, legacy: bool) -> Bridge {
    let mut bridge = Bridge::to(url).spawn();
    if legacy {
        bridge.handshake("2025-11-25");
    } else {
        bridge.discover();
    }
    bridge
}

fn call(bridge: &mut Bridge, legacy: bool, id: &str, marker: &str) {
    bridge.send(if legacy { json::call(id, marker) } else { client::call(id, marker) });
}

fn works(bridge: &mut Bridge, legacy: bool, id: &str) {
    if legacy {
        bridge.call_works(id);
    } else {
        bridge.modern_call_works(id);
    }
}

/// A call that is treated like this ends in one of these errors of the bridge, runs once, and the
/// next one works.
#[track_caller]
fn fault(name: &str, codes: &[i64], fail: fn(&mut Call)) {
    for legacy in [false, true] {
        let server = Modern::start();
        server.on("tools/call", move |call| {
            call.executed();
            if call.marker() == "works" { call.echo() } else { fail(call) }
        });
        let mut bridge = connected(server.endpoint(), legacy);
        call(&mut bridge, legacy, "\"row\"", "fails");
        let error = bridge.answer_to("\"row\"")["error"].take();
        let code = error["code"].as_i64().unwrap_or_default();
        assert!(codes.contains(&code), "{name}, legacy client {legacy}: {error}");
        assert_eq!(error["data"]["origin"], "bridge", "{name}: {error}");
        works(&mut bridge, legacy, "1");
        assert_eq!(server.executions("fails"), 1, "{name}");
        server.is_content();
        bridge.end();
    }
}

#[test]
fn an_answer_that_is_none_is_an_error_and_never_silence() {
    fault("an empty body", &[-31003, -31001], |call| call.http().json(""));
    fault("202", &[-31003, -31001], |call| call.http().reply(202, &[], ""));
    fault("204", &[-31003, -31001], |call| call.http().reply(204, &[], ""));
    fault("no JSON", &[-31003, -31001], |call| call.http().json("{oops"));
    fault("an array", &[-31003, -31001], |call| call.http().json("[]"));
    fault("HTML", &[-31003, -31001], |call| {
        call.http().reply(200, &[("content-type", "text/html")], "<html></html>");
    });
    fault("a stream that ends", &[-31001], |call| call.sse().http().end());
    fault("a stream of rubbish", &[-31003, -31001], |call| {
        call.sse().event("{oops").http().end();
    });
    fault("another id", &[-31003, -31001], |call| {
        call.http().json(json::result("\"nobody\"", r#"{"resultType":"complete","content":[]}"#));
    });
}

#[test]
fn a_status_that_is_no_success_is_an_error_with_its_status() {
    for (status, code) in
        [(401, -31002), (403, -31002), (406, -31003), (413, -31003), (500, -31003)]
    {
        for legacy in [false, true] {
            let server = Modern::start();
            server.on("tools/call", move |call| match call.marker().as_str() {
                "works" => call.behave(),
                _ => call.http().reply(status, &[("content-type", "text/plain")], "no"),
            });
            let mut bridge = connected(server.endpoint(), legacy);
            call(&mut bridge, legacy, "1", "fails");
            let error = bridge.refusal("1", code, &[&status.to_string()]);
            assert_eq!(error["data"]["httpStatus"], status, "{error}");
            works(&mut bridge, legacy, "2");
            assert_eq!(server.count(|request| request.dump().contains("\"fails\"")), 1);
            assert!(!server.heard()[2..].contains(&"initialize".to_owned()), "the era stays");
            bridge.end();
        }
    }
}

#[test]
fn a_call_that_was_put_off_is_sent_again_under_a_new_id_and_runs_once() {
    for legacy in [false, true] {
        let server = Modern::start();
        let left = std::sync::atomic::AtomicUsize::new(1);
        server.on("tools/call", move |call| {
            let order = std::sync::atomic::Ordering::SeqCst;
            match left.fetch_update(order, order, |left| left.checked_sub(1)) {
                Ok(_) => call.http().reply(429, &[("retry-after", "1")], "slow down"),
                Err(_) => call.behave(),
            }
        });
        let mut bridge = connected(server.endpoint(), legacy);
        works(&mut bridge, legacy, "1");
        assert_eq!(server.executions("works"), 1);
        server.is_content();
        bridge.end();
    }
}

#[test]
fn a_redirect_is_followed_at_home_with_all_headers_and_refused_abroad() {
    for legacy in [false, true] {
        let server = Modern::start();
        let elsewhere = Remote::start(|_, exchange| exchange.reply(200, &[], ""));
        let abroad = elsewhere.url("/mcp");
        server.rule(move |request, exchange| match request.path.as_str() {
            "/old" => {
                exchange.reply(307, &[("location", "/mcp")], "");
                true
            }
            "/mcp" if request.dump().contains("\"abroad\"") => {
                exchange.reply(307, &[("location", &abroad)], "");
                true
            }
            _ => false,
        });
        let mut bridge = connected(server.url("/old"), legacy);
        works(&mut bridge, legacy, "1");
        call(&mut bridge, legacy, "2", "abroad");
        assert!(bridge.answer_to("2").get("error").is_some());
        assert_eq!(elsewhere.requests().len(), 0);
        server.is_content();
        bridge.end();
    }
}

#[test]
fn st_11_13_a_response_of_a_modern_client_answers_nothing_and_goes_nowhere() {
    let (modern, legacy) = (Modern::start(), Server::start(Face::Http));
    for url in [modern.endpoint(), legacy.endpoint()] {
        let mut bridge = connected(url, false);
        bridge.send(json::result("1", "{}"));
        bridge.send(json::error("\"probe\"", -1, "no"));
        bridge.modern_call_works("1");
        bridge.finish();
    }
    modern.is_content();
    let responses = |request: &crate::support::http::Request| {
        request.method == "POST" && request.rpc().is_none()
    };
    assert_eq!((modern.count(responses), legacy.count(responses)), (0, 0));
}

#[test]
fn awkward_ids_come_back_as_they_were_across_the_eras() {
    let modern = Modern::start();
    let mut bridge = connected(modern.endpoint(), true);
    for id in awkward::ids() {
        bridge.call(&id, "m");
        bridge.answer_bytes(&id);
    }
    modern.is_content();
    bridge.finish();
    for face in BOTH {
        let legacy = Server::start(face);
        let mut bridge = Bridge::over(face, &legacy).spawn();
        for id in awkward::ids() {
            bridge.send(client::call(&id, "m"));
            bridge.answer_bytes(&id);
        }
        bridge.finish();
    }
}

#[test]
fn awkward_values_survive_the_way_between_the_eras() {
    let modern = Modern::start();
    let legacy = Server::start(Face::Http);
    let values = awkward::values();
    let result =
        |n: usize| format!(r#"{{"content":[],"v":{},"_meta":{{"x/v":{}}}}}"#, values[n], values[n]);
    let mut across_a = connected(modern.endpoint(), true);
    let mut across_b = connected(legacy.endpoint(), false);
    for (n, value) in values.iter().enumerate() {
        let answer = result(n);
        let sent = answer.clone();
        modern.on("x/vendor", move |call| {
            call.answer(&format!(r#"{{"resultType":"complete",{}"#, &sent[1..]));
        });
        let sent = answer.clone();
        legacy.on("x/vendor", move |call| call.answer(&sent));
        let id = n.to_string();
        across_a.send(json::request(&id, "x/vendor", &format!(r#"{{"v":{value}}}"#)));
        across_b.send(client::request(&id, "x/vendor", &format!(r#""v":{value}"#)));
        let (kept, meta) = (format!(r#""v":{value}"#), format!(r#""x/v":{value}"#));
        for (name, bridge) in [("A", &mut across_a), ("B", &mut across_b)] {
            let got = String::from_utf8(bridge.answer_bytes(&id)).expect("UTF-8");
            assert!(
                got.contains(&kept) && got.contains(&meta),
                "{name}: {kept} is missing in {got}"
            );
        }
        for requests in [modern.requests(), legacy.requests()] {
            let last = requests.iter().rfind(|request| request.is_rpc("x/vendor")).cloned();
            let body = String::from_utf8_lossy(&last.expect("it was sent").body).into_owned();
            assert!(body.contains(&kept), "{kept} is missing in {body}");
        }
    }
    modern.is_content();
    across_a.finish();
    across_b.finish();
}

#[test]
fn eight_megabytes_pass_between_the_eras() {
    // Escapes, and words that mean something elsewhere, must not change how a large result is read.
    for piece in
        ["0123456789 plain text", "\\u00e9 é😀 0123456789", r#"\"resultType\" _meta ttlMs"#]
    {
        let text = piece.repeat((8 << 20) / piece.len());
        let result = format!(r#"{{"content":[{{"type":"text","text":"{text}"}}] }}"#);
        let (modern, legacy) = (Modern::start(), Server::start(Face::Http));
        let sent = result.clone();
        modern.on("tools/call", move |call| {
            call.answer(&format!(r#"{{"resultType":"complete",{}"#, &sent[1..]));
        });
        let sent = result.clone();
        legacy.on("tools/call", move |call| call.answer(&sent));
        for (url, old) in [(modern.endpoint(), true), (legacy.endpoint(), false)] {
            let mut bridge = connected(url, old);
            call(&mut bridge, old, "1", &text);
            let got = bridge.answer_bytes("1");
            assert!(String::from_utf8_lossy(&got).contains(&text), "{piece}, legacy client {old}");
            let kind = value(&got)["result"]["resultType"].take();
            assert_eq!(kind == "complete", !old, "{piece}, legacy client {old}: {kind}");
            bridge.finish();
        }
    }
}

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
            call.executed();
            let question = json::request(
                "5",
                "elicitation/create",
                r#"{"message":"?","requestedSchema":{"type":"object","properties":{}}}"#,
            );
            match face {
                Face::Http => _ = call.http().sse(&[]).event(question),
                Face::Sse => call.on_stream(event(None, question.as_bytes())),
            }
            held.wait();
            let answer = json::result(&call.id(), r#"{"content":[]}"#);
            match face {
                Face::Http => call.http().event(answer).end(),
                Face::Sse => call.message(answer),
            }
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
