//! Between a modern client and a modern remote the bytes of a message are the bytes that go out.

use std::sync::{Arc, Mutex};

use crate::{
    awkward,
    support::{
        bridge::Bridge,
        json,
        modern::{Modern, client},
        net::lock,
    },
};

fn connected(server: &Modern) -> Bridge {
    let mut bridge = Bridge::to(server.endpoint()).spawn();
    bridge.discover();
    bridge
}

/// Requests that a bridge which parses and prints again would change.
fn awkward_requests() -> Vec<(String, String)> {
    let meta = client::meta(client::FULL, "");
    let mut all = Vec::new();
    for (n, value) in awkward::values().iter().enumerate() {
        let id = n.to_string();
        let params = format!(r#"{{"v":{value},{meta},"w":{value}}}"#);
        all.push((id.clone(), json::request(&id, "x/vendor", &params)));
        let id = format!("\"{n}\"");
        all.push((
            id.clone(),
            format!(
                r#"{{"x-member":{value},"method":"tools/call","params":{{ "name":"echo",{meta},"arguments":{{"marker":1,"marker":{value}}} }},"id":{id},"jsonrpc":"2.0"}}"#
            ),
        ));
    }
    for id in awkward::ids() {
        all.push((id.clone(), json::request(&id, "x/id", &format!("{{{meta}}}"))));
    }
    all
}

#[test]
fn awkward_requests_reach_a_modern_remote_unchanged_and_awkward_answers_come_back_so() {
    let server = Modern::start();
    let next: Arc<Mutex<Vec<u8>>> = Arc::default();
    for method in ["x/vendor", "x/id", "tools/call"] {
        let next = next.clone();
        server.on(method, move |call| {
            let message = lock(&next).clone();
            if call.method == "x/id" {
                call.sse().event(message).http().end();
            } else {
                call.http().json(message);
            }
        });
    }
    let values = awkward::values();
    let mut bridge = connected(&server);
    for (n, (id, request)) in awkward_requests().into_iter().enumerate() {
        let value = &values[n % values.len()];
        let answer = if n % 4 == 3 {
            format!(
                r#"{{"error":{{"data":{value},"code":-31900,"message":"odd"}},"id":{id},"jsonrpc":"2.0","x":{value}}}"#
            )
        } else {
            format!(
                r#"{{"jsonrpc":"2.0","x":{value},"id":{id},"result":{{"resultType":"complete","v":{value},"v":{value},"_meta":{{"m":{value}}}}}}}"#
            )
        };
        lock(&next).clone_from(&answer.clone().into_bytes());
        bridge.send(&request);
        let got = bridge.next_line();
        assert!(
            got == answer.as_bytes(),
            "\n     got: {}\nexpected: {answer}",
            String::from_utf8_lossy(&got)
        );
        let sent = server.requests().last().cloned().expect("it was sent");
        assert!(
            sent.body == request.as_bytes(),
            "\n     got: {}\nexpected: {request}",
            sent.dump()
        );
    }
    server.is_content();
    bridge.finish();
}

#[test]
fn awkward_notifications_of_a_modern_remote_pass_unchanged_before_the_answer() {
    let server = Modern::start();
    server.on("tools/call", |call| {
        call.sse();
        for value in awkward::values() {
            call.event(json::notification(
                "notifications/message",
                &format!("{{\"level\":\"info\",\"data\":{value}}}"),
            ));
        }
        call.finish(r#"{"resultType":"complete","content":[]}"#);
    });
    let mut bridge = connected(&server);
    bridge.send(client::request_as(
        "1",
        "tools/call",
        r#""name":"echo","arguments":{}"#,
        "{}",
        r#""io.modelcontextprotocol/logLevel":"debug""#,
    ));
    for value in awkward::values() {
        let expected = json::notification(
            "notifications/message",
            &format!("{{\"level\":\"info\",\"data\":{value}}}"),
        );
        let got = bridge.next_line();
        assert!(got == expected.as_bytes(), "{}", String::from_utf8_lossy(&got));
    }
    bridge.answer_to("1");
    bridge.finish();
}
