//! A lost session: one new handshake, what is replayed in it, and what is sent again.

use super::*;

/// The remote takes the replayed confirmation.
fn recover(bench: &mut Bench, session: &str) {
    bench.welcome(session);
    bench.confirm();
}

#[test]
fn many_requests_notice_and_one_handshake_follows() {
    for refusal in [status(404, LOST), status(400, "Bad Request: No valid session ID provided")] {
        let mut bench = Bench::ready();
        let ids = ["1", "2", "\"3\""];
        ids.iter().for_each(|id| bench.say(&call(id)));
        let sent: Vec<Sent> = ids.iter().map(|_| bench.post("tools/call")).collect();
        for post in &sent {
            bench.end(post.exchange, refusal.clone());
        }
        assert_eq!(bench.methods(), ["initialize"], "{refusal:?}");
        assert_eq!(bench.posts[0].to, None, "a new session");
        bench.welcome("s2");
        assert_eq!(bench.methods(), ["notifications/initialized"], "nothing overtakes it");
        bench.confirm();
        let again: Vec<String> = ids.iter().map(|_| bench.post("tools/call").text).collect();
        let before: Vec<String> = sent.into_iter().map(|post| post.text).collect();
        assert_eq!(again, before, "the same bytes, once each");
        let told = bench.wrote();
        assert!(told.contains("notifications/tools/list_changed"), "{told}");
    }
}

#[test]
fn what_notices_late_is_sent_again_in_the_session_there_is() {
    let mut bench = Bench::ready();
    bench.say(&call("1"));
    bench.say(&call("2"));
    let (one, two) = (bench.post("tools/call"), bench.post("tools/call"));
    bench.end(one.exchange, status(404, LOST));
    recover(&mut bench, "s2");
    bench.end(two.exchange, status(404, LOST));
    let to: Vec<_> = bench.posts.iter().map(|post| post.to.as_deref()).collect();
    assert_eq!(to, [Some("s2"), Some("s2")], "no third session");
}

#[test]
fn the_new_session_is_told_what_the_old_one_knew() {
    let with = |id: &str, method: &str, params: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
    };
    let mut bench = Bench::ready();
    for (id, method, params) in [
        ("1", "logging/setLevel", r#"{"level":"debug"}"#),
        ("2", "logging/setLevel", r#"{"level":"info"}"#),
        ("3", "resources/subscribe", r#"{"uri":"a"}"#),
        ("4", "resources/subscribe", r#"{"uri":"b"}"#),
        ("5", "resources/unsubscribe", r#"{"uri":"\u0061"}"#),
    ] {
        bench.say(&with(id, method, params));
        let post = bench.post(method);
        bench.answer(&post, "{}");
    }
    bench.written();
    bench.say(&call("6"));
    let lost = bench.post("tools/call").exchange;
    bench.end(lost, status(404, LOST));
    bench.welcome("s2");
    bench.confirm();
    let (level, subscription) = (bench.post("logging/setLevel"), bench.post("resources/subscribe"));
    assert!(level.text.contains(r#""info""#) && subscription.text.contains(r#""b""#));
    assert!(bench.posts.is_empty(), "the call waits: {:?}", bench.posts);
    bench.answer(&level, "{}");
    let refused = r#"{"jsonrpc":"2.0","id":ID,"error":{"code":-32601,"message":"no"}}"#;
    bench.body(subscription.exchange, &refused.replace("ID", &subscription.id));
    bench.post("tools/call");
    assert_eq!(bench.written().len(), 1, "a list has changed; the replay is nobody's business");
}

#[test]
fn a_replay_that_is_not_answered_is_not_waited_for_for_ever() {
    let mut bench = Bench::ready();
    bench.say(&request("1", "logging/setLevel"));
    let post = bench.post("logging/setLevel");
    bench.answer(&post, "{}");
    bench.say(&call("2"));
    let lost = bench.post("tools/call").exchange;
    bench.end(lost, status(404, LOST));
    recover(&mut bench, "s2");
    bench.wait(10_000);
    bench.post("tools/call");
}

#[test]
fn a_replayed_confirmation_is_sent_again_until_it_is_through() {
    let mut bench = Bench::ready();
    bench.say(&call("1"));
    let lost = bench.post("tools/call").exchange;
    bench.end(lost, status(404, LOST));
    bench.welcome("s2");
    let confirmation = bench.post("notifications/initialized").exchange;
    bench.end(confirmation, unsent());
    bench.wait(2000);
    assert_eq!(bench.methods(), ["notifications/initialized"]);
    bench.confirm();
    bench.post("tools/call");
}

#[test]
fn where_the_confirmation_itself_loses_the_session_the_handshakes_slow_down() {
    let mut bench = Bench::new();
    bench.say(INITIALIZE);
    bench.welcome("s");
    bench.say(INITIALIZED);
    let mut handshakes = 0;
    let end = bench.now.mono + 60_000;
    while bench.now.mono < end && handshakes < 1000 {
        if bench.methods().contains(&"notifications/initialized") {
            let confirmation = bench.post("notifications/initialized").exchange;
            bench.end(confirmation, status(404, LOST));
        } else if bench.methods().contains(&"initialize") {
            bench.welcome("s");
            handshakes += 1;
        } else {
            bench.wait(50);
        }
    }
    assert!((5..30).contains(&handshakes), "{handshakes} in a minute");
}

#[test]
fn where_the_stream_of_sse_ends_after_each_handshake_the_handshakes_slow_down() {
    let (mut bench, mut stream) = Bench::ready_sse();
    let mut handshakes = 0;
    let end = bench.now.mono + 60_000;
    while bench.now.mono < end && handshakes < 1000 {
        bench.end(stream, cut(None));
        while bench.gets.is_empty() {
            bench.wait(50);
        }
        stream = bench.connect_sse("/m");
        bench.confirm();
        handshakes += 1;
    }
    assert!((5..30).contains(&handshakes), "{handshakes} in a minute");
}

#[test]
fn a_call_is_sent_in_so_many_sessions_and_no_more() {
    let mut bench = Bench::ready();
    bench.say(&call("1"));
    let mut sessions = 0;
    while bench.written.is_empty() || !bench.written.iter().any(|text| text.contains("error")) {
        let sent = bench.post("tools/call").exchange;
        bench.end(sent, status(404, LOST));
        sessions += 1;
        bench.wait(5000);
        if bench.methods().contains(&"initialize") {
            recover(&mut bench, "s");
        }
        assert!(sessions < 10);
    }
    assert_eq!(sessions, 3);
}

#[test]
fn a_notification_the_lost_session_refused_is_sent_again_in_the_next() {
    let mut bench = Bench::ready();
    let line = r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#;
    bench.say(line);
    let post = bench.post("notifications/roots/list_changed").exchange;
    bench.end(post, status(404, LOST));
    recover(&mut bench, "s2");
    let again = bench.post("notifications/roots/list_changed");
    assert_eq!((again.text.as_str(), again.to.as_deref()), (line, Some("s2")));
    bench.end(again.exchange, End::Accepted(202));
    bench.wait(60_000);
    assert!(bench.posts.is_empty());
}

#[test]
fn a_remote_that_is_gone_after_its_session_is_tried_for_as_long_as_it_takes() {
    let mut bench = Bench::ready();
    bench.say(&call("1"));
    let lost = bench.post("tools/call").exchange;
    bench.end(lost, status(404, LOST));
    for _ in 0..100 {
        let post = bench.post("initialize").exchange;
        bench.end(post, unsent());
        bench.wait(5000);
    }
    assert_eq!(bench.wrote_error(), ("1".to_owned(), -31000));
    recover(&mut bench, "s2");
    bench.say(&call("2"));
    bench.post("tools/call");
}

#[test]
fn another_version_in_the_new_session_is_said() {
    let mut bench = Bench::ready();
    bench.say(&call("1"));
    let lost = bench.post("tools/call").exchange;
    bench.end(lost, status(404, LOST));
    let initialize = bench.post("initialize");
    bench.answer(&initialize, &WELCOME.replace("2025-06-18", "2025-03-26"));
    bench.confirm();
    assert_eq!(bench.count(|action| matches!(action, Action::Warn(_))), 1);
}

#[test]
fn with_the_stream_of_sse_its_answers_are_lost_but_lists_are_asked_again() {
    let (mut bench, stream) = Bench::ready_sse();
    bench.say(&call("1"));
    bench.say(&request("2", "tools/list"));
    for method in ["tools/call", "tools/list"] {
        let post = bench.post(method).exchange;
        bench.end(post, End::Accepted(202));
    }
    bench.end(stream, cut(None));
    assert_eq!(bench.wrote_error(), ("1".to_owned(), -31005));
    bench.connect_sse("/m2");
    bench.confirm();
    assert_eq!(bench.methods(), ["tools/list"], "never the call");
    assert_eq!(bench.post("tools/list").to.as_deref(), Some("/m2"));
}

#[test]
fn over_sse_a_post_that_is_still_open_says_itself_whether_its_call_ran() {
    for (end, runs_again) in [
        (status(404, LOST), true),
        (End::Accepted(202), false),
        (broken(), false),
        (unsent(), true),
    ] {
        let told = format!("{end:?}");
        let (mut bench, stream) = Bench::ready_sse();
        bench.say(&call("1"));
        let sent = bench.post("tools/call").exchange;
        bench.end(stream, cut(None));
        bench.connect_sse("/m2");
        bench.confirm();
        bench.end(sent, end);
        bench.wait(5000);
        assert_eq!(bench.methods().contains(&"tools/call"), runs_again, "{told}");
        let errors = bench.written().iter().filter(|text| text.contains("error")).count();
        assert_eq!(errors, usize::from(!runs_again), "{told}");
    }
}
