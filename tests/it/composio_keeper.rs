//! A bridge that keeps its Composio session: made, remembered, shared, and made anew.

use composio_bridge::demo::composio::{Failure, KeyKind, StandIn};

use crate::support::{
    bridge::{Bridge, Setup},
    http::Request,
    json,
    remote::Remote,
};

/// A bridge for the same user and tools each time.
fn bridge(stand_in: &StandIn, home: &std::path::Path) -> Setup {
    let setup = Bridge::to("--user").arg("ada").arg("--toolkit=gmail").arg("--preset=direct-tools");
    setup
        .home(home)
        .env("COMPOSIO_BASE_URL", stand_in.base_url())
        .env("COMPOSIO_API_KEY", stand_in.key(KeyKind::Project))
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn fetch(bridge: &mut Bridge, id: &str) -> serde_json::Value {
    let params = r#"{"name":"GMAIL_FETCH_EMAILS","arguments":{}}"#;
    bridge.send(json::request(id, "tools/call", params));
    bridge.answer_to(id)
}

/// How many sessions were asked for.
fn made(stand_in: &StandIn) -> usize {
    let seen = stand_in.seen();
    seen.iter().filter(|one| one.method == "POST" && one.target.ends_with("/session")).count()
}

#[test]
fn a_session_is_made_once_and_used_again() {
    let (stand_in, home) = (StandIn::start().expect("a port"), home());
    stand_in.connect("ada", "gmail");
    for _ in 0..2 {
        let mut bridge = bridge(&stand_in, home.path()).spawn();
        bridge.handshake("2025-06-18");
        assert!(fetch(&mut bridge, "1").get("result").is_some());
        bridge.finish();
    }
    assert_eq!((stand_in.sessions().len(), made(&stand_in)), (1, 1));
}

#[test]
fn bridges_that_start_together_share_one() {
    let (stand_in, home) = (StandIn::start().expect("a port"), home());
    let mut all: Vec<Bridge> =
        (0..4).map(|_| bridge(&stand_in, home.path()).arg("--startup-grace=30").spawn()).collect();
    for bridge in &mut all {
        bridge.handshake("2025-06-18");
    }
    all.into_iter().for_each(Bridge::finish);
    assert_eq!(made(&stand_in), 1);
}

#[test]
fn other_keys_users_and_tools_have_others() {
    let (stand_in, home) = (StandIn::start().expect("a port"), home());
    let more = [("--tool=GMAIL_SEND_EMAIL", KeyKind::Project), ("--silent", KeyKind::User)];
    for (word, kind) in more {
        let mut setup = bridge(&stand_in, home.path()).arg(word).arg("--startup-grace=30");
        if kind == KeyKind::User {
            setup = setup.env("COMPOSIO_API_KEY", stand_in.key(kind));
            setup = setup.env("COMPOSIO_ORG_ID", "o").env("COMPOSIO_PROJECT_ID", "p");
        }
        let mut bridge = setup.spawn();
        bridge.handshake("2025-06-18");
        bridge.finish();
    }
    assert_eq!(made(&stand_in), 2);
}

#[test]
fn a_session_that_is_gone_is_replaced_while_the_client_stays() {
    let (stand_in, home) = (StandIn::start().expect("a port"), home());
    stand_in.connect("ada", "gmail");
    let mut bridge = bridge(&stand_in, home.path()).spawn();
    bridge.handshake("2025-06-18");
    let before = stand_in.sessions();
    before.iter().for_each(|id| assert!(stand_in.delete_session(id)));
    assert!(fetch(&mut bridge, "1").get("result").is_some());
    bridge.incoming("notifications/tools/list_changed");
    let after = stand_in.sessions();
    assert!(after.len() == 1 && after != before);
    bridge.finish();
    // The next one finds the new one.
    let mut bridge = self::bridge(&stand_in, home.path()).spawn();
    bridge.handshake("2025-06-18");
    bridge.finish();
    assert_eq!((stand_in.sessions(), made(&stand_in)), (after, 2));
}

#[test]
fn a_session_that_was_deleted_between_two_starts_is_replaced() {
    let (stand_in, home) = (StandIn::start().expect("a port"), home());
    for _ in 0..2 {
        let mut bridge = bridge(&stand_in, home.path()).arg("--startup-grace=30").spawn();
        bridge.handshake("2025-06-18");
        bridge.finish();
        stand_in.sessions().iter().for_each(|id| assert!(stand_in.delete_session(id)));
    }
    assert_eq!(made(&stand_in), 2);
}

#[test]
fn an_api_that_is_away_is_waited_for() {
    let (stand_in, home) = (StandIn::start().expect("a port"), home());
    let failure =
        Failure { times: 3, path: "/session".into(), status: 503, retry_after: String::new() };
    stand_in.fail(failure);
    let mut bridge = bridge(&stand_in, home.path()).arg("--startup-grace=0.5").spawn();
    bridge.send(json::initialize("1", "2025-06-18"));
    let answer = bridge.answer_to("1");
    assert!(answer.get("result").is_some(), "the client is not kept waiting: {answer}");
    bridge.send(json::notification("notifications/initialized", "{}"));
    bridge.send(json::request("2", "tools/call", r#"{"name":"GMAIL_FETCH_EMAILS"}"#));
    assert!(bridge.answer_to("2").get("result").is_some());
    bridge.end();
}

#[test]
fn a_key_that_is_refused_is_told() {
    let (stand_in, home) = (StandIn::start().expect("a port"), home());
    stand_in.revoke(&stand_in.key(KeyKind::Project));
    let setup = bridge(&stand_in, home.path()).env("COMPOSIO_API_KEY", "ak_marker-1");
    let mut bridge = setup.arg("--startup-grace=30").spawn();
    bridge.send(json::initialize("1", "2025-06-18"));
    let told = bridge.refusal("1", -31002, &["could not create", "HTTP 401", "Invalid API key"]);
    assert!(!(told.to_string() + &bridge.end()).contains("marker-1"));
}

#[test]
fn a_session_that_is_named_is_used_as_it_is() {
    let (stand_in, home) = (StandIn::start().expect("a port"), home());
    stand_in.connect("ada", "gmail");
    let mut first = bridge(&stand_in, home.path()).spawn();
    first.handshake("2025-06-18");
    first.finish();
    let id = stand_in.sessions().remove(0);
    let setup = Bridge::to("--session").arg(&id).home(home.path());
    let mut bridge = setup
        .env("COMPOSIO_BASE_URL", stand_in.base_url())
        .env("COMPOSIO_API_KEY", stand_in.key(KeyKind::Project))
        .spawn();
    bridge.handshake("2025-06-18");
    assert!(fetch(&mut bridge, "1").get("result").is_some());
    stand_in.delete_session(&id);
    bridge.send(json::request("2", "tools/list", "{}"));
    bridge.refusal("2", -31003, &["HTTP 404"]);
    bridge.end();
    assert_eq!(made(&stand_in), 1, "what was named is not made anew");
}

/// The key goes to the API's own origin alone.
#[test]
fn a_session_on_another_origin_is_not_used() {
    let elsewhere = Remote::start(|_, exchange| exchange.reply(200, &[], ""));
    let url = elsewhere.url("/tool_router/trs_1/mcp");
    let api = Remote::start(move |_, exchange| {
        let body = format!(
            r#"{{"session_id":"trs_1","mcp":{{"type":"http","url":"{url}"}},"config":{{"user_id":"ada"}}}}"#
        );
        exchange.reply(201, &[("content-type", "application/json")], body);
    });
    let setup = Bridge::to("--user").arg("ada").env("COMPOSIO_BASE_URL", api.url(""));
    let mut bridge = setup.env("COMPOSIO_API_KEY", "ak_1").arg("--startup-grace=30").spawn();
    bridge.send(json::initialize("1", "2025-06-18"));
    bridge.refusal("1", -31003, &["not on the API's own origin", "COMPOSIO_BASE_URL"]);
    bridge.end();
    let with_key = |request: &Request| request.header("x-api-key") == Some("ak_1");
    assert!(elsewhere.requests().is_empty() && api.count(with_key) > 0);
}
