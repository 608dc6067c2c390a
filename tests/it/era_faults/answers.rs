//! Answers that are none, odd ones, and large ones.

use super::{BOTH, call, connected, works};
use crate::{
    awkward,
    support::{
        bridge::Bridge,
        json::{self, value},
        modern::{Call, Modern, client},
        remote::Remote,
        server::{Face, Server},
    },
};

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
