//! What waits for the remote, in which order it goes, and what is called off.

use super::*;

const CHANGED: &str = r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#;

#[test]
fn st_6_21_before_initialize_only_ping_is_answered() {
    let mut bench = Bench::new();
    bench.say(&request("1", "ping"));
    assert_eq!(bench.wrote(), result("1", "{}"));
    bench.say(&call("2"));
    assert_eq!(bench.wrote_error(), ("2".to_owned(), -32600));
    bench.say(&request("3", "server/discover"));
    assert_eq!(bench.wrote_error(), ("3".to_owned(), -32601));
    bench.say(INITIALIZED);
    bench.say(&result("4", "{}"));
    assert!(bench.posts.is_empty() && bench.written().is_empty());
}

#[test]
fn what_was_said_before_the_remote_answered_goes_in_its_order() {
    let mut bench = Bench::new();
    bench.say(INITIALIZE);
    for line in [&call("1"), CHANGED, INITIALIZED, &call("2"), CHANGED] {
        bench.say(line);
    }
    assert_eq!(bench.methods(), ["initialize"]);
    bench.welcome("s");
    assert_eq!(
        bench.methods(),
        ["tools/call", "notifications/roots/list_changed", "notifications/initialized"]
    );
    bench.say(&call("3"));
    assert_eq!(bench.posts.len(), 3, "nothing overtakes the confirmation");
    bench.posts.drain(..2);
    bench.confirm();
    let ids: Vec<&str> = bench.posts.iter().map(|post| post.id.as_str()).collect();
    assert_eq!(ids, ["2", "", "3"]);
    assert!(bench.posts.iter().all(|post| post.to.as_deref() == Some("s")));
}

#[test]
fn only_the_confirmation_itself_opens_the_barrier() {
    let mut bench = Bench::new();
    bench.say(INITIALIZE);
    bench.welcome("s");
    bench.say(CHANGED);
    bench.say(INITIALIZED);
    bench.say(&call("1"));
    let changed = bench.post("notifications/roots/list_changed").exchange;
    bench.end(changed, End::Accepted(202));
    assert_eq!(bench.methods(), ["notifications/initialized"], "not yet confirmed");
    bench.confirm();
    bench.post("tools/call");
}

#[test]
fn the_confirmation_is_sent_again_until_it_is_through_and_no_longer_than_the_barrier() {
    let mut bench = Bench::new();
    bench.say(INITIALIZE);
    bench.welcome("s");
    bench.say(INITIALIZED);
    bench.say(&call("1"));
    for end in [unsent, broken] {
        let post = bench.post("notifications/initialized").exchange;
        bench.end(post, end());
        bench.wait(2000);
    }
    assert_eq!(bench.methods(), ["notifications/initialized"]);
    bench.confirm();
    bench.post("tools/call");

    let mut bench = Bench::new();
    bench.say(INITIALIZE);
    bench.welcome("s");
    bench.say(INITIALIZED);
    bench.say(&call("1"));
    bench.wait(10_000);
    bench.post("tools/call");
}

#[test]
fn a_call_for_a_remote_that_is_not_there_waits_so_long_and_no_longer() {
    let mut bench = Bench::with(|settings| settings.grace = 60_000);
    bench.say(INITIALIZE);
    bench.say(&call("1"));
    bench.wait(10_000);
    bench.say(&call("2"));
    bench.wait(34_999);
    assert!(bench.written().is_empty());
    bench.wait(1);
    assert_eq!(bench.wrote_error(), ("1".to_owned(), -31000));
    bench.wait(10_000);
    assert_eq!(bench.wrote_error(), ("2".to_owned(), -31000));
}

#[test]
fn a_deadline_that_is_seen_late_is_seen_all_the_same() {
    let mut bench = Bench::with(|settings| settings.grace = 60_000);
    bench.say(INITIALIZE);
    bench.say(&call("1"));
    bench.pass(bench.now.mono + 45_001);
    bench.say(&call("2"));
    assert_eq!(bench.wrote_error(), ("1".to_owned(), -31000));
}

#[test]
fn what_is_called_off_while_it_waits_is_never_sent() {
    let mut bench = Bench::new();
    bench.say(INITIALIZE);
    bench.say(&call("1"));
    bench.say(&cancel("1"));
    bench.welcome("s");
    assert!(bench.posts.is_empty(), "neither the call nor the cancellation");
    bench.written();
    bench.wait(60_000);
    assert!(bench.written().is_empty());
}

#[test]
fn what_is_called_off_while_it_runs_is_called_off_at_the_remote_behind_it() {
    let mut bench = Bench::ready();
    bench.say(&call("1"));
    let sent = bench.post("tools/call");
    bench.say(&cancel("1"));
    let told = bench.post("notifications/cancelled");
    assert_eq!((told.text, told.after), (cancel("1"), Some(sent.exchange)));
    bench.message(sent.exchange, &result("1", "{}"));
    assert!(bench.written().is_empty(), "a late answer is no answer");
    bench.wait(5000);
    assert!(!bench.live.contains(&sent.exchange), "a stream nobody waits for is not kept");
}

#[test]
fn what_is_called_off_before_it_is_sent_again_is_not_sent_again() {
    for (end, status) in [(unsent as fn() -> End, "unsent"), (|| wait_asked(429, 2), "429")] {
        let mut bench = Bench::ready();
        bench.say(&call("1"));
        let sent = bench.post("tools/call");
        bench.end(sent.exchange, end());
        bench.say(&cancel("1"));
        bench.wait(60_000);
        assert!(bench.posts.is_empty() && bench.written().is_empty(), "{status}");
    }
}

#[test]
fn what_was_sent_under_another_id_is_called_off_under_that() {
    let mut bench = Bench::ready();
    bench.say(&request("1", "tools/list"));
    let sent = bench.post("tools/list");
    bench.end(sent.exchange, broken());
    bench.wait(1000);
    let again = bench.post("tools/list");
    assert_ne!(again.id, "1");
    bench.say(&cancel("1"));
    assert_eq!(bench.post("notifications/cancelled").text, cancel(&again.id));
    bench.answer(&again, "{}");
    assert!(bench.written().is_empty());
}

#[test]
fn a_resumption_that_is_called_off_ends() {
    let mut bench = Bench::ready();
    bench.say(&call("1"));
    let sent = bench.post("tools/call");
    bench.end(sent.exchange, cut(Some("e1")));
    bench.wait(1000);
    let resumed = bench.get().exchange;
    bench.say(&cancel("1"));
    assert!(!bench.live.contains(&resumed));
    bench.post("notifications/cancelled");
    bench.wait(60_000);
    assert!(bench.gets.is_empty() && bench.written().is_empty());
}

#[test]
fn a_lost_session_is_not_told_what_is_called_off() {
    // HTTP+SSE: the POST of the call has no response yet when the stream is lost.
    let (mut bench, stream) = Bench::ready_sse();
    bench.say(&call("1"));
    let sent = bench.post("tools/call");
    bench.end(stream, cut(None));
    bench.say(&cancel("1"));
    assert!(bench.posts.is_empty(), "there is no URL to send it to");
    bench.connect_sse("/m2");
    bench.confirm();
    bench.end(sent.exchange, status(404, LOST));
    bench.wait(5000);
    assert!(bench.posts.is_empty() && bench.gets.is_empty(), "one new session, no more");
}

#[test]
fn initialize_cannot_be_called_off_and_unknown_requests_are_passed_on() {
    let mut bench = Bench::new();
    bench.say(INITIALIZE);
    bench.say(&cancel("0"));
    bench.welcome("s");
    assert_eq!(bench.wrote(), result("0", WELCOME));
    assert!(bench.posts.is_empty());
    bench.say(&cancel("99"));
    assert_eq!(bench.post("notifications/cancelled").text, cancel("99"));
}

#[test]
fn hidden_tools_are_neither_listed_nor_called() {
    let mut bench = Bench::ready_with(|settings| {
        let patterns = ToolFilter { allow: Vec::new(), ignore: vec!["t".to_owned()] };
        settings.filter = Filter::new(&patterns);
    });
    bench.say(&call("1"));
    assert_eq!(bench.wrote_error(), ("1".to_owned(), -32603));
    bench.say(&request("2", "tools/list"));
    let list = bench.post("tools/list");
    bench.answer(&list, r#"{"tools":[{"name":"t"},{"name":"u"}]}"#);
    assert_eq!(bench.wrote(), result("2", r#"{"tools":[{"name":"u"}]}"#));
}
