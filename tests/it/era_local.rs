//! The stdio side between the eras: which era a message is of, and what a client may count on
//! before it has decided.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    bridge::Bridge,
    http::event,
    json::{self, value},
    modern::{
        Modern, VERSION,
        client::{self, FULL},
    },
    server::{Face, Frame, Server},
};

const BOTH: [Face; 2] = [Face::Http, Face::Sse];

/// An endpoint of each kind, with what keeps it alive.
fn endpoints() -> Vec<(&'static str, String, Box<dyn std::any::Any>)> {
    let (legacy, modern, dual) = (Server::start(Face::Http), Modern::start(), Modern::start());
    dual.dual();
    vec![
        ("legacy", legacy.endpoint(), Box::new(legacy)),
        ("modern", modern.endpoint(), Box::new(modern)),
        ("dual", dual.endpoint(), Box::new(dual)),
    ]
}

/// The result of `server/discover` has everything that the schema wants.
#[track_caller]
fn is_discover_result(result: &Value) {
    assert_eq!(result["resultType"], "complete", "{result}");
    let versions = result["supportedVersions"].as_array().expect("an array");
    assert!(versions.contains(&json!(VERSION)), "{result}");
    assert!(result["capabilities"].is_object(), "{result}");
    assert!(result["ttlMs"].is_u64(), "{result}");
    assert!(["public", "private"].contains(&result["cacheScope"].as_str().unwrap_or("")));
}

#[track_caller]
fn is_legacy_initialize_result(result: &Value, version: &str) {
    assert_eq!(result["protocolVersion"], version, "{result}");
    assert!(result["serverInfo"]["name"].is_string(), "{result}");
    for modern in ["resultType", "supportedVersions", "ttlMs", "cacheScope"] {
        assert_eq!(result.get(modern), None, "{result}");
    }
}

#[test]
fn t01_stdout_holds_one_json_object_a_line_in_every_quadrant() {
    for (kind, url, _alive) in endpoints() {
        let mut bridge = Bridge::to(url).spawn();
        // The leash checks each line: JSON, one a line, ended by a newline.
        bridge.send("garbage");
        bridge.next_line();
        is_discover_result(&bridge.discover()["result"]);
        bridge.modern_call_works("1");
        bridge.handshake("2025-11-25");
        bridge.call_works("2");
        bridge.close_stdin();
        for line in bridge.rest() {
            assert!(value(&line).is_object(), "{kind}: {}", String::from_utf8_lossy(&line));
        }
    }
}

#[test]
fn t02_garbage_between_modern_requests_is_answered_at_most_once_and_costs_nothing() {
    for (kind, url, _alive) in endpoints() {
        let mut bridge = Bridge::to(url).spawn();
        bridge.discover();
        bridge.send("{oops");
        let answer = value(&bridge.next_line());
        assert_eq!(answer["error"]["code"], -32700, "{kind}: {answer}");
        bridge.modern_call_works("1");
        bridge.end();
    }
}

#[test]
fn t03_a_modern_request_in_two_writes_with_crlf_and_blank_lines_is_understood() {
    let server = Modern::start();
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.send_raw("\u{feff}\r\n\n");
    bridge.discover();
    let call = client::call("1", "zwölf 😀");
    let cut = call.find('😀').expect("it is there") + 2;
    bridge.send_raw(&call.as_bytes()[..cut]);
    bridge.send_raw(&call.as_bytes()[cut..]);
    bridge.send_raw("\r\n\r\n");
    assert_eq!(bridge.answer_to("1")["result"]["content"][0]["text"], "zwölf 😀");
    server.is_content();
    bridge.finish();
}

#[test]
fn t04_st_6_a_probe_before_anything_else_is_answered_and_the_process_stays_up() {
    for (kind, url, _alive) in endpoints() {
        let mut bridge = Bridge::to(url).spawn();
        let answer = bridge.discover();
        is_discover_result(&answer["result"]);
        bridge.modern_call_works("1");
        assert!(bridge.child.try_wait().expect("our own child").is_none(), "{kind}");
        bridge.finish();
    }
}

#[test]
fn t04_st_6_21_a_probe_without_metadata_is_a_wrong_request_not_a_legacy_one() {
    for (kind, url, _alive) in endpoints() {
        let mut bridge = Bridge::to(url).spawn();
        for method in ["server/discover", "subscriptions/listen"] {
            let error = bridge.error_of("1", json::request("1", method, "{}"));
            assert_eq!(error["code"], -32602, "{kind}: {error}");
        }
        bridge.discover();
        bridge.finish();
    }
}

#[test]
fn t04_st_6_25_a_probe_of_a_remote_that_is_down_gets_an_error_of_the_bridge_and_the_process_stays_up()
 {
    let server = Modern::start();
    server.listener().stop();
    let mut bridge = Bridge::to(server.endpoint()).arg("--startup-grace=0.3").spawn();
    bridge.send(client::request("1", "server/discover", ""));
    bridge.refusal("1", -31000, &[]);
    server.listener().start_again();
    bridge.discover();
    bridge.end();
}

#[test]
fn t05_st_7_a_probing_copy_that_is_killed_leaves_nothing_behind_for_the_next() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let server = Modern::start();
    server.rule(|request, exchange| {
        let refused = request.header("authorization").is_none();
        if refused {
            exchange.reply(401, &[("www-authenticate", "Bearer")], "");
        }
        refused
    });
    let mut probe = Bridge::to(server.endpoint()).home(home.path()).spawn();
    probe.send(client::request("1", "server/discover", ""));
    let told = probe.answer_to("1");
    is_discover_result(&told["result"]);
    drop(probe);
    assert!(!home.path().join("state/composio-bridge/sign-ins").exists(), "no lock is left");
    assert!(!server.heard().contains(&"initialize".to_owned()), "a 401 says nothing of the era");
    let mut bridge = Bridge::to(server.endpoint())
        .home(home.path())
        .arg("--header=Authorization: Bearer ${TOKEN}")
        .env("TOKEN", "good")
        .spawn();
    is_discover_result(&bridge.discover()["result"]);
    bridge.modern_call_works("1");
    bridge.finish();
}

#[test]
fn t05_st_7_a_probing_copy_killed_in_the_middle_leaves_nothing_behind() {
    for (kind, url, _alive) in endpoints() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let mut probe = Bridge::to(&url).home(home.path()).spawn();
        probe.send(client::request("1", "server/discover", ""));
        drop(probe);
        let mut bridge = Bridge::to(&url).home(home.path()).spawn();
        bridge.discover();
        bridge.handshake("2025-06-18");
        bridge.call_works("2");
        assert!(bridge.child.try_wait().expect("our own child").is_none(), "{kind}");
        bridge.finish();
    }
}

#[test]
fn t06_st_24_initialize_after_an_answered_probe_selects_a_legacy_version() {
    for (kind, url, _alive) in endpoints() {
        let mut bridge = Bridge::to(url).spawn();
        bridge.discover();
        let answer = bridge.handshake("2025-06-18");
        is_legacy_initialize_result(&answer["result"], "2025-06-18");
        bridge.call_works("1");
        let list = bridge.result_of("2", json::request("2", "tools/list", "{}"));
        assert!(list["tools"].is_array(), "{kind}: {list}");
        bridge.finish();
    }
}

#[test]
fn t06_st_24_initialize_pipelined_behind_a_probe_works_too() {
    for (kind, url, _alive) in endpoints() {
        let mut bridge = Bridge::to(url).spawn();
        bridge.send_raw(format!(
            "{}\n{}\n",
            client::request("1", "server/discover", ""),
            json::initialize("2", "2025-11-25"),
        ));
        let probed = bridge.answer_to("1");
        assert!(probed.get("result").is_some(), "{kind}: {probed}");
        let answer = bridge.answer_to("2");
        is_legacy_initialize_result(&answer["result"], "2025-11-25");
        bridge.send(json::notification("notifications/initialized", "{}"));
        bridge.call_works("3");
        bridge.finish();
    }
}

#[test]
fn t07_st_22_mh_10_modern_metadata_without_capabilities_is_a_wrong_request() {
    for (kind, url, _alive) in endpoints() {
        let mut bridge = Bridge::to(url).spawn();
        let meta = r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#;
        for method in ["server/discover", "tools/list", "tools/call"] {
            let error = bridge.error_of("1", json::request("1", method, meta));
            assert_eq!(error["code"], -32602, "{kind} {method}: {error}");
        }
        bridge.modern_call_works("2");
        bridge.finish();
    }
}

#[test]
fn t08_st_23_an_unknown_or_a_legacy_version_in_the_metadata_is_refused_with_both_lists() {
    for (kind, url, _alive) in endpoints() {
        let mut bridge = Bridge::to(url).spawn();
        for version in ["1999-01-01", "2025-11-25"] {
            for method in ["server/discover", "tools/list"] {
                let request = client::request("1", method, "").replace(VERSION, version);
                let error = bridge.error_of("1", request);
                assert_eq!(error["code"], -32022, "{kind} {method}: {error}");
                let supported = error["data"]["supported"].as_array().expect("a list");
                assert!(supported.contains(&json!(VERSION)), "{kind}: {error}");
                assert_eq!(error["data"]["requested"], version, "{kind}: {error}");
            }
        }
        bridge.modern_call_works("2");
        bridge.finish();
    }
}

#[test]
fn t09_xa_25_a_batch_of_a_legacy_client_of_2025_03_26_is_one_array_also_from_a_modern_remote() {
    let server = Modern::start();
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.handshake("2025-03-26");
    let note = json::notification("notifications/roots/list_changed", "{}");
    bridge.send(format!("[{},{note},{}]", json::call("1", "a"), json::call("\"1\"", "b")));
    let line = bridge.take_line("an array", |line| line.starts_with(b"["));
    let answers = value(&line);
    assert_eq!(answers.as_array().map(Vec::len), Some(2), "{answers}");
    assert_eq!((server.executions("a"), server.executions("b")), (1, 1));
    server.is_content();
    bridge.finish();
}

#[test]
fn t10_a_batch_of_modern_requests_is_an_invalid_request() {
    for (kind, url, _alive) in endpoints() {
        let mut bridge = Bridge::to(url).spawn();
        bridge.discover();
        bridge.send(format!("[{},{}]", client::call("1", "a"), client::call("2", "b")));
        let answer = value(&bridge.next_line());
        assert_eq!(answer["error"]["code"], -32600, "{kind}: {answer}");
        bridge.modern_call_works("3");
        bridge.finish();
    }
}

#[test]
fn t11_ids_of_each_type_come_back_as_they_were_in_every_quadrant() {
    for (kind, url, _alive) in endpoints() {
        let mut bridge = Bridge::to(&url).spawn();
        for id in ["1", "\"1\"", "9007199254740993"] {
            bridge.send(client::call(id, "modern"));
        }
        for id in ["9007199254740993", "\"1\"", "1"] {
            assert_eq!(bridge.answer_to(id)["result"]["content"][0]["text"], "modern", "{kind}");
        }
        bridge.handshake("2025-11-25");
        for id in ["1", "\"1\"", "9007199254740993"] {
            bridge.call(id, "legacy");
        }
        for id in ["9007199254740993", "\"1\"", "1"] {
            assert_eq!(bridge.answer_to(id)["result"]["content"][0]["text"], "legacy", "{kind}");
        }
        bridge.finish();
    }
}

#[test]
fn t12_the_session_opened_for_a_modern_client_is_deleted_at_the_end() {
    let server = Server::start(Face::Http);
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.modern_call_works("1");
    let session = server.await_session(1);
    bridge.finish();
    server.await_request(|request| {
        request.method == "DELETE" && request.header("mcp-session-id") == Some(&session)
    });
}

#[test]
fn t13_a_modern_call_in_flight_at_the_end_of_stdin_is_given_up_upstream() {
    let server = Modern::start();
    server.on("tools/call", |call| {
        call.executed();
        call.sse().log("info", "working").await_gone();
    });
    for legacy in [false, true] {
        let mut bridge = Bridge::to(server.endpoint()).spawn();
        if legacy {
            bridge.handshake("2025-11-25");
            bridge.call("1", "legacy");
            server.await_execution("legacy");
        } else {
            bridge.send(client::call("1", "modern"));
            server.await_execution("modern");
        }
        bridge.close_stdin();
        assert_eq!(bridge.await_exit(Duration::from_secs(8)).code(), Some(0));
        server.await_cancelled(if legacy { 2 } else { 1 });
    }
    assert_eq!((server.executions("legacy"), server.executions("modern")), (1, 1));
    assert_eq!(server.count(|request| request.method == "DELETE"), 0);
    server.is_content();
}

/// No line is a JSON-RPC request.
#[track_caller]
fn holds_no_requests(lines: &[Vec<u8>]) {
    for line in lines {
        let message = value(line);
        let request = message.get("method").is_some() && message.get("id").is_some();
        assert!(!request, "a request on stdout: {message}");
    }
}

#[test]
fn t14_st_11_a_modern_client_never_reads_a_request_whatever_a_legacy_remote_asks() {
    const QUESTIONS: [&str; 5] =
        ["ping", "roots/list", "sampling/createMessage", "elicitation/create", "x/vendor"];
    for face in BOTH {
        let server = Server::start(face);
        server.on("tools/call", move |call| {
            call.executed();
            for (n, method) in QUESTIONS.iter().enumerate() {
                let params = r#"{"message":"?","messages":[],"maxTokens":1,"requestedSchema":{"type":"object","properties":{}}}"#;
                let question = json::request(&format!("\"q{n}\""), method, params);
                match face {
                    Face::Http if n == 0 => _ = call.http().sse(&[]).event(question),
                    Face::Http => _ = call.http().event(question),
                    Face::Sse => call.on_stream(event(None, question.as_bytes())),
                }
            }
            let answer = json::result(&call.id(), r#"{"content":[]}"#);
            match face {
                Face::Http => call.http().event(answer).end(),
                Face::Sse => call.message(answer),
            }
        });
        let mut bridge = Bridge::over(face, &server).spawn();
        bridge.discover();
        for method in QUESTIONS {
            server.push(json::request("\"unasked\"", method, "{}"));
        }
        // Without any capability, and with all of them.
        bridge.send(client::request_as(
            "1",
            "tools/call",
            r#""name":"echo","arguments":{}"#,
            "{}",
            "",
        ));
        bridge.answer_to("1");
        bridge.send(client::request_as(
            "2",
            "tools/call",
            r#""name":"echo","arguments":{}"#,
            FULL,
            "",
        ));
        bridge.answer_to("2");
        server.frame(Frame::End);
        bridge.close_stdin();
        holds_no_requests(&bridge.rest());
    }
}

#[test]
fn t14_st_11_mh_42_a_modern_remote_that_pushes_a_request_does_not_get_it_through_either() {
    let server = Modern::start();
    server.on("tools/call", |call| {
        call.sse().event(json::request("1", "elicitation/create", r#"{"message":"?"}"#));
        call.finish(r#"{"resultType":"complete","content":[]}"#);
    });
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.result_of("1", client::call("1", "m"));
    bridge.close_stdin();
    holds_no_requests(&bridge.rest());
}
