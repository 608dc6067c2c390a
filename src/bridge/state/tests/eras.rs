//! Which era the remote is of: how it is found out, and what follows.

use super::*;

const DAY: Millis = 24 * 60 * 60 * 1000;

/// What a modern-only server may answer `initialize` with.
const MODERN_ONLY: &str = r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32022,"message":"v","data":{"supported":["2026-07-28"]}}}"#;

/// The same without anything that a legacy client has to be announced.
const QUIET: &str = r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}"#;

fn auto(settings: &mut Settings) {
    settings.protocol = Protocol::Auto;
}

pub(super) fn modern_request(id: &str, method: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{"name":"t","_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{"roots":{{}}}},"v":1}}}}}}"#
    )
}

fn remembered(bench: &Bench) -> Option<Known> {
    bench.rest.iter().find_map(|action| match action {
        Action::RememberTransport(known) => Some(*known),
        _ => None,
    })
}

/// A machine for a modern client.
pub(super) fn sessionless() -> Bench {
    Bench::of(State::sessionless, auto)
}

/// What it has handed over.
fn handed_over(bench: &Bench) -> Option<Vec<String>> {
    bench.rest.iter().find_map(|action| match action {
        Action::OtherEra(messages, _) => {
            Some(messages.iter().map(|message| message.id().unwrap_or("").to_owned()).collect())
        }
        _ => None,
    })
}

#[test]
fn mh_54_initialize_falls_forward_at_once_where_the_refusal_looks_modern() {
    for end in [
        status(400, MODERN_ONLY),
        status(400, &MODERN_ONLY.replace("-32022", "-32020")),
        status(400, &MODERN_ONLY.replace("-32022", "-32602")),
        status(404, &MODERN_ONLY.replace("-32022", "-32601")),
    ] {
        let mut bench = Bench::with(auto);
        bench.say(INITIALIZE);
        let post = bench.post("initialize");
        bench.end(post.exchange, end);
        let post = bench.post("initialize");
        assert_eq!(post.to.as_deref(), Some("modern"));
        bench.answer(&post, WELCOME);
        assert_eq!(bench.wrote(), result("0", WELCOME));
        assert_eq!(
            remembered(&bench),
            Some(Known { transport: Transport::Modern, at: bench.now.wall })
        );
    }
}

#[test]
fn mh_54_otherwise_it_does_so_once_nothing_else_is_left() {
    for (end, tries_modern) in
        [(status(404, "<html>"), true), (status(400, ""), true), (status(405, ""), false)]
    {
        let mut bench = Bench::with(|settings| {
            auto(settings);
            settings.strategy = Strategy::HttpOnly;
        });
        bench.say(INITIALIZE);
        let post = bench.post("initialize");
        bench.end(post.exchange, end);
        assert_eq!(bench.methods().len(), usize::from(tries_modern));
    }
}

#[test]
fn mh_55_when_every_way_fails_the_answer_tells_of_all() {
    let mut bench = Bench::with(auto);
    bench.say(INITIALIZE);
    let post = bench.post("initialize");
    bench.end(post.exchange, status(404, "<html>"));
    let get = bench.get();
    bench.end(get.exchange, status(405, ""));
    let post = bench.post("initialize");
    bench.end(post.exchange, End::NotModern("it is not".to_owned()));
    let text = bench.wrote();
    for part in ["Streamable HTTP: HTTP 404", "HTTP+SSE: HTTP 405", "2026-07-28: it is not"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn the_protocol_that_is_asked_for_is_the_only_one() {
    let mut bench = Bench::with(|settings| settings.protocol = Protocol::Modern);
    bench.say(INITIALIZE);
    assert_eq!(bench.post("initialize").to.as_deref(), Some("modern"));
    let mut bench = Bench::new();
    bench.say(INITIALIZE);
    let post = bench.post("initialize");
    bench.end(post.exchange, status(400, MODERN_ONLY));
    bench.end(bench.gets[0].exchange, status(405, ""));
    assert!(bench.methods().is_empty());
}

#[test]
fn a_remote_known_to_be_modern_is_asked_as_such_and_may_have_changed() {
    let mut bench = Bench::with(|settings| {
        auto(settings);
        settings.known = Some(Known { transport: Transport::Modern, at: 0 });
    });
    bench.say(INITIALIZE);
    let post = bench.post("initialize");
    assert_eq!(post.to.as_deref(), Some("modern"));
    bench.end(post.exchange, End::NotModern("HTTP 400".to_owned()));
    bench.welcome("s1");
    assert_eq!(bench.wrote(), result("0", WELCOME));
    assert_eq!(remembered(&bench).map(|known| known.transport), Some(Transport::StreamableHttp));
}

/// What is done to a machine whose `initialize` was answered without a session.
fn after_welcome_without_session(change: impl FnOnce(&mut Settings), welcome: &str) -> Bench {
    let mut bench = Bench::with(|settings| {
        auto(settings);
        change(settings);
    });
    bench.say(INITIALIZE);
    let post = bench.post("initialize");
    bench.answer(&post, welcome);
    bench
}

#[test]
fn inv_7_a_remote_without_a_session_is_asked_whether_it_is_modern_too() {
    let mut bench = after_welcome_without_session(|_| {}, WELCOME);
    assert!(bench.written().is_empty(), "the better answer may still come");
    let post = bench.post("initialize");
    assert_eq!(post.to.as_deref(), Some("modern"));
    bench.answer(&post, QUIET);
    assert_eq!(bench.wrote(), result("0", QUIET));
    assert_eq!(remembered(&bench).map(|known| known.transport), Some(Transport::Modern));
}

#[test]
fn inv_7_where_it_is_not_its_answer_counts() {
    for (end, is_kept) in [
        (Some(End::NotModern("no".to_owned())), true),
        (Some(status(500, "")), false),
        (None, false),
    ] {
        let mut bench = after_welcome_without_session(|_| {}, WELCOME);
        let post = bench.post("initialize");
        match end {
            Some(end) => bench.end(post.exchange, end),
            None => bench.wait(2500),
        }
        assert_eq!(bench.wrote(), result("0", WELCOME));
        assert_eq!(remembered(&bench).is_some(), is_kept);
        bench.say(&call("1"));
        assert_eq!(bench.post("tools/call").to, None, "without a session, as it was");
    }
}

#[test]
fn inv_7_nobody_is_asked_where_it_would_bring_nothing_or_is_known() {
    let fresh = |settings: &mut Settings| {
        settings.known = Some(Known { transport: Transport::StreamableHttp, at: 900_000 });
    };
    for (bench, asked) in [
        (after_welcome_without_session(|_| {}, QUIET), false),
        (after_welcome_without_session(fresh, WELCOME), false),
        (
            after_welcome_without_session(|settings| settings.protocol = Protocol::Legacy, WELCOME),
            false,
        ),
        (after_welcome_without_session(|_| {}, WELCOME), true),
    ] {
        assert_eq!(bench.methods().len(), usize::from(asked));
    }
}

#[test]
fn mh_52_only_that_a_remote_is_legacy_is_forgotten_after_a_day() {
    let known = |transport| Known { transport, at: 1000 };
    for (transport, after, is_legacy) in [
        (Transport::StreamableHttp, DAY, true),
        (Transport::StreamableHttp, DAY + 1001, false),
        (Transport::HttpSse, DAY, true),
        (Transport::HttpSse, DAY + 1001, false),
        (Transport::Modern, 1000, false),
    ] {
        let now = Now { wall: after, ..Now::default() };
        assert_eq!(known(transport).is_legacy(now), is_legacy, "{transport:?} {after}");
    }
    // That it is modern is believed however old it is, by a client of either era.
    let modern = |settings: &mut Settings| {
        auto(settings);
        settings.known = Some(Known { transport: Transport::Modern, at: 0 });
    };
    let mut bench = Bench::with(modern);
    bench.pass(30 * DAY);
    bench.say(INITIALIZE);
    assert_eq!(bench.post("initialize").to.as_deref(), Some("modern"));
    let mut bench = Bench::of(State::sessionless, modern);
    bench.say(&modern_request("1", "tools/list"));
    bench.say(&modern_request("2", "tools/list"));
    assert_eq!(bench.methods().len(), 2, "neither is a probe");
}

#[test]
fn mh_51_what_was_found_out_is_remembered_once_for_either_era() {
    let found = |bench: &Bench| {
        let is_it = |action: &Action| matches!(action, Action::RememberTransport(_));
        (bench.count(is_it), remembered(bench).map(|known| known.transport))
    };
    let mut bench = sessionless();
    for id in ["1", "2"] {
        bench.say(&modern_request(id, "tools/list"));
        let post = bench.post("tools/list");
        bench.answer(&post, r#"{"resultType":"complete","tools":[]}"#);
    }
    assert_eq!(found(&bench), (1, Some(Transport::Modern)));
    // Where it stops to fit, it is found out anew.
    let mut bench = Bench::with(|settings| {
        auto(settings);
        settings.known = Some(Known { transport: Transport::Modern, at: 0 });
    });
    bench.say(INITIALIZE);
    let post = bench.post("initialize");
    bench.end(post.exchange, End::NotModern("HTTP 400".to_owned()));
    bench.welcome("s1");
    assert_eq!(found(&bench), (1, Some(Transport::StreamableHttp)));
}

#[test]
fn mh_53_a_refusal_that_no_modern_remote_gives_is_a_reason_to_ask_again() {
    let mut bench = Bench::with(|settings| settings.protocol = Protocol::Modern);
    bench.say(INITIALIZE);
    let post = bench.post("initialize");
    bench.answer(&post, QUIET);
    bench.say(INITIALIZED);
    bench.confirm();
    bench.written();
    bench.say(&call("1"));
    let mut sends = 0;
    for _ in 0..10 {
        if bench.methods().contains(&"tools/call") {
            let post = bench.post("tools/call");
            bench.end(post.exchange, status(404, ""));
            sends += 1;
        }
        if bench.methods().contains(&"initialize") {
            let post = bench.post("initialize");
            bench.answer(&post, QUIET);
            bench.confirm();
        }
        bench.wait(1000);
    }
    assert!((2..=3).contains(&sends), "{sends}");
    assert_eq!(bench.wrote_error(), ("1".to_owned(), -31003));
}

#[test]
fn a_modern_request_is_the_probe_and_the_others_wait_for_it() {
    let mut bench = sessionless();
    bench.say(&modern_request("1", "server/discover"));
    bench.say(&modern_request("2", "tools/list"));
    bench.say(&modern_request("3", "tools/call"));
    let post = bench.post("server/discover");
    assert_eq!(post.text, modern_request("1", "server/discover"), "its own bytes");
    assert!(bench.methods().is_empty());
    bench.answer(&post, r#"{"resultType":"complete","supportedVersions":["2026-07-28"]}"#);
    assert_eq!(bench.methods(), ["tools/list", "tools/call"]);
    assert_eq!(remembered(&bench).map(|known| known.transport), Some(Transport::Modern));
}

#[test]
fn whatever_says_nothing_leaves_it_open_and_holds_nobody_up() {
    let mut bench = sessionless();
    bench.say(&modern_request("1", "tools/call"));
    bench.say(&modern_request("2", "tools/call"));
    bench.say(&modern_request("3", "tools/call"));
    let post = bench.post("tools/call");
    bench.answer(&post, r#"{"content":[]}"#);
    let post = bench.post("tools/call");
    assert_eq!(post.id, "2");
    bench.remote(Event::Opened { exchange: post.exchange, session: None });
    let third = bench.post("tools/call");
    assert_eq!(third.id, "3", "a stream may take long");
    bench.end(third.exchange, status(500, ""));
    assert_eq!(bench.written().len(), 2);
    bench.say(&cancel("2"));
    assert!(!bench.live.contains(&post.exchange), "MM-1: its stream is closed");
    assert!(bench.methods().is_empty() && bench.written().is_empty(), "and nothing is said");
}

#[test]
fn t65_what_only_a_legacy_remote_says_hands_everything_over() {
    let error = |code: i32| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"error":{{"code":{code},"message":"m"}}}}"#)
    };
    for (method, end) in [
        ("server/discover", status(400, &error(-32000))),
        ("server/discover", status(400, &error(-32602))),
        ("server/discover", status(400, "<html>")),
        ("server/discover", status(404, "")),
        ("server/discover", status(405, "")),
        ("tools/call", status(400, &error(-32000))),
        ("tools/call", status(404, &error(-32001))),
    ] {
        let mut bench = sessionless();
        bench.say(&modern_request("1", method));
        bench.say(&modern_request("\"b\"", "tools/list"));
        let post = bench.post(method);
        bench.end(post.exchange, end);
        let unanswered = handed_over(&bench).unwrap_or_else(|| panic!("{method}"));
        assert_eq!(unanswered, ["1", "\"b\""]);
        assert!(bench.written().is_empty());
    }
    let mut bench = sessionless();
    bench.say(&modern_request("1", "server/discover"));
    let post = bench.post("server/discover");
    bench.body(post.exchange, &error(-32601));
    assert!(handed_over(&bench).is_some());
}

#[test]
fn t66_what_says_nothing_about_the_era_hands_nothing_over() {
    for end in [status(401, ""), status(403, ""), status(500, ""), silent(), unsent()] {
        let mut bench = sessionless();
        bench.say(&modern_request("1", "server/discover"));
        let post = bench.post("server/discover");
        bench.end(post.exchange, end);
        bench.wait(1000);
        assert!(handed_over(&bench).is_none());
        assert!(!bench.methods().contains(&"initialize"));
    }
}

#[test]
fn a_doubtful_refusal_is_followed_by_a_question() {
    let invalid = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"m"}}"#;
    let discovered = r#"{"resultType":"complete","supportedVersions":["2026-07-28"]}"#;
    // The parameters of the first request may be wrong on a remote of either era.
    let mut bench = sessionless();
    bench.say(&modern_request("1", "tools/call"));
    let post = bench.post("tools/call");
    bench.end(post.exchange, status(400, invalid));
    let question = bench.post("server/discover");
    assert!(question.text.contains(r#""io.modelcontextprotocol/clientCapabilities":{"roots":{}}"#));
    bench.answer(&question, discovered);
    assert_eq!(bench.wrote(), invalid);

    // Nothing modern refuses discovery with "method not found".
    let unknown = invalid.replace("-32602", "-32601");
    for (listed, is_legacy) in
        [(r#"{"resultType":"complete","tools":[]}"#, false), (r#"{"tools":[]}"#, true)]
    {
        let mut bench = sessionless();
        bench.say(&modern_request("1", "server/discover"));
        let post = bench.post("server/discover");
        bench.end(post.exchange, status(404, &unknown));
        let question = bench.post("tools/list");
        bench.answer(&question, listed);
        assert_eq!(handed_over(&bench).is_some(), is_legacy);
        assert_eq!(bench.written().len(), usize::from(!is_legacy));
    }

    // A remote known to be modern says what no modern remote says.
    for (end, asks) in [
        (status(404, ""), true),
        (status(400, &invalid.replace("-32602", "-32001")), true),
        (status(400, invalid), false),
        (status(404, &unknown), false),
    ] {
        let mut bench = Bench::of(State::sessionless, |settings| {
            auto(settings);
            settings.known = Some(Known { transport: Transport::Modern, at: 0 });
        });
        bench.say(&modern_request("1", "tools/call"));
        let post = bench.post("tools/call");
        bench.end(post.exchange, end);
        assert_eq!(bench.methods().contains(&"server/discover"), asks);
        if asks {
            let question = bench.post("server/discover");
            bench.answer(&question, discovered);
            assert_eq!(bench.wrote_error().0, "1", "it is modern still");
        }
    }
}

#[test]
fn a_translated_machine_leaves_a_modern_remote_to_another() {
    for may_turn in [true, false] {
        let mut bench =
            Bench::of(|settings, now| State::new(settings, now).translated(may_turn), |_| {});
        bench.say(INITIALIZE);
        let post = bench.post("initialize");
        bench.end(post.exchange, status(400, MODERN_ONLY));
        assert_eq!(handed_over(&bench).is_some(), may_turn);
    }
}

#[test]
fn md_42_a_subscription_ends_with_a_result_when_the_client_goes() {
    let mut bench = Bench::of(State::sessionless, |settings| settings.protocol = Protocol::Modern);
    bench.say(&modern_request("\"l\"", "subscriptions/listen"));
    bench.input(Input::LocalClosed);
    assert!(bench.exited, "nothing is waited for");
    let text = bench.wrote();
    assert!(text.contains(r#""id":"l""#) && text.contains(r#"subscriptionId":"l""#), "{text}");
}
