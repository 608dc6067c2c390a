//! Signing in while a client runs: what it is told meanwhile, and what happens afterwards
//! (spec.md 7; T05, T44, T66, T116, T117).

use std::{thread, time::Duration};

use serde_json::Value;

use crate::support::{
    authorization::{Authorization, MARKER, get, value},
    bridge::Bridge,
    json,
    modern::{Modern, client},
};

/// A bridge to the place, with a browser.
fn bridge(place: &Authorization) -> Bridge {
    place.bridge_with_browser(place.server.endpoint()).arg("--startup-grace=1").spawn()
}

fn sign_in(place: &Authorization) {
    get(&place.consent(&place.page()));
}

/// The texts of all tools in an answer to `tools/list`.
fn tools(answer: &Value) -> usize {
    answer["result"]["tools"].as_array().unwrap_or_else(|| panic!("a list: {answer}")).len()
}

#[test]
fn a_client_that_starts_without_a_token_is_told_and_served_as_soon_as_there_is_one() {
    let place = Authorization::start();
    let mut bridge = bridge(&place);
    bridge.send(json::initialize("1", "2025-06-18"));
    let page = place.page();
    let answer = bridge.answer_to("1");
    let instructions = answer["result"]["instructions"].as_str().expect("a text").to_owned();
    assert!(instructions.contains(page.as_str()), "{instructions}");
    bridge.send(json::notification("notifications/initialized", "{}"));
    bridge.send(json::request("2", "tools/list", "{}"));
    bridge.call("3", "early");
    bridge.refusal("3", -31002, &["wants you to sign in", page.as_str()]);
    assert_eq!(tools(&bridge.answer_to("2")), 0);
    get(&place.consent(&page));
    bridge.incoming("notifications/tools/list_changed");
    bridge.send(json::request("4", "tools/list", "{}"));
    assert!(tools(&bridge.answer_to("4")) > 0);
    bridge.call_works("5");
    assert_eq!(place.pages_opened(), 1);
    let said = bridge.end();
    assert!(said.contains(page.as_str()) && said.lines().count() == 1, "{said}");
}

#[test]
fn who_is_quick_is_answered_by_the_server_itself() {
    let place = Authorization::start();
    let endpoint = place.server.endpoint();
    let mut bridge = place.bridge_with_browser(endpoint).arg("--startup-grace=30").spawn();
    bridge.send(json::initialize("1", "2025-06-18"));
    sign_in(&place);
    let answer = bridge.answer_to("1");
    assert_ne!(answer["result"]["serverInfo"]["name"], "composio-bridge", "{answer}");
    let refused = |request: &crate::support::http::Request| request.is_rpc("initialize");
    assert_eq!(place.server.count(refused), 2, "the same message, once more");
    bridge.end();
}

#[test]
fn t44_a_401_in_the_middle_is_signed_in_for_and_the_session_stays() {
    let place = Authorization::start();
    place.sign_in(&[]);
    let mut bridge = bridge(&place);
    bridge.handshake("2025-06-18");
    place.revoke();
    place.change(|script| script.fails = Some((400, r#"{"error":"invalid_grant"}"#)));
    let before = place.pages_opened();
    bridge.call("1", "waits");
    let page = place.page();
    bridge.call("2", "early");
    bridge.refusal("2", -31002, &[page.as_str()]);
    place.change(|script| script.fails = None);
    get(&place.consent(&page));
    assert!(bridge.answer_to("1").get("result").is_some());
    assert_eq!(place.server.executions("waits"), 1);
    assert_eq!(place.server.sessions_opened(), 1);
    assert_eq!(place.pages_opened(), before + 1);
    bridge.end();
}

#[test]
fn t116_more_scopes_are_asked_for_together_with_those_there_are() {
    let place = Authorization::start();
    place.sign_in(&[]);
    let mut bridge = bridge(&place);
    bridge.handshake("2025-06-18");
    place.change(|script| script.call_scope = Some("write"));
    bridge.call("1", "more");
    let page = place.page();
    let query: Vec<_> = page.query_pairs().into_owned().collect();
    assert_eq!(value(&query, "scope"), Some("read write"));
    bridge.send(json::request("2", "tools/list", "{}"));
    assert!(tools(&bridge.answer_to("2")) > 0, "all else goes on");
    get(&place.consent(&page));
    assert!(bridge.answer_to("1").get("result").is_some());
    assert_eq!(place.server.executions("more"), 1);
    assert_eq!(place.server.sessions_opened(), 1);
    bridge.end();
}

#[test]
fn t116_scopes_that_never_suffice_are_asked_for_once() {
    let place = Authorization::start();
    place.sign_in(&[]);
    let mut bridge = bridge(&place);
    bridge.handshake("2025-06-18");
    let before = place.pages_opened();
    // Nothing that is asked for has a comma.
    place.change(|script| script.call_scope = Some("never,enough"));
    bridge.call("1", "more");
    let page = place.page();
    let mut consent = page.clone();
    let kept: Vec<_> =
        page.query_pairs().into_owned().filter(|(name, _)| name != "scope").collect();
    consent.query_pairs_mut().clear().extend_pairs(kept);
    get(&place.consent(&consent));
    bridge.refusal("1", -31002, &["HTTP 403"]);
    bridge.call("2", "more");
    bridge.refusal("2", -31002, &["HTTP 403"]);
    assert_eq!(place.pages_opened(), before + 1);
    bridge.end();
}

#[test]
fn t117_another_authorization_server_gets_a_registration_of_its_own() {
    let place = Authorization::start();
    place.sign_in(&[]);
    let mut bridge = bridge(&place);
    bridge.handshake("2025-06-18");
    place.revoke();
    place.change(|script| {
        script.tenant = "t2";
        script.fails = Some((400, r#"{"error":"invalid_grant"}"#));
    });
    bridge.call("1", "moved");
    let page = place.page();
    place.change(|script| script.fails = None);
    assert!(page.path().starts_with("/t2/"), "{page}");
    get(&place.consent(&page));
    assert!(bridge.answer_to("1").get("result").is_some());
    let second = place.remote.requests().into_iter().filter(|r| r.path.starts_with("/t2/"));
    let second: Vec<_> = second.map(|r| String::from_utf8_lossy(&r.body).into_owned()).collect();
    assert!(second.iter().any(|body| body.contains("second-client")), "{second:?}");
    assert!(!second.iter().any(|body| body.contains("the-client")), "{second:?}");
    bridge.end();
}

#[test]
fn t117_a_client_that_was_named_is_not_shown_to_another_authorization_server() {
    const CLIENT: &str = r#"--static-oauth-client-info={"client_id":"named"}"#;
    let place = Authorization::start();
    place.sign_in(&[CLIENT]);
    let endpoint = place.server.endpoint();
    let mut bridge = place.bridge_with_browser(endpoint).arg(CLIENT).spawn();
    bridge.handshake("2025-06-18");
    place.revoke();
    let before = place.pages_opened();
    place.change(|script| {
        script.tenant = "t2";
        script.fails = Some((400, r#"{"error":"invalid_grant"}"#));
    });
    bridge.call("1", "moved");
    bridge.refusal("1", -31002, &["now belongs to", "/t2"]);
    assert_eq!(place.pages_opened(), before);
    bridge.end();
}

#[test]
fn ten_bridges_open_one_browser_and_all_are_served() {
    let place = Authorization::start();
    let mut bridges: Vec<Bridge> = (0..10).map(|_| bridge(&place)).collect();
    for bridge in &mut bridges {
        bridge.send(json::initialize("1", "2025-06-18"));
    }
    let page = place.page();
    for bridge in &mut bridges {
        assert!(bridge.answer_to("1").get("result").is_some());
        bridge.send(json::notification("notifications/initialized", "{}"));
    }
    for bridge in &mut bridges {
        // All of them know the page, whoever opened it.
        bridge.call("2", "early");
        bridge.refusal("2", -31002, &[page.as_str()]);
        bridge.send(json::request("3", "tools/list", "{}"));
    }
    for bridge in &mut bridges {
        assert_eq!(tools(&bridge.answer_to("3")), 0);
    }
    get(&place.consent(&page));
    for bridge in &mut bridges {
        bridge.incoming("notifications/tools/list_changed");
        bridge.call_works("4");
        bridge.end();
    }
    assert_eq!(place.pages_opened(), 1);
    assert_eq!(place.grants("authorization_code").len(), 1);
}

#[test]
fn who_says_no_is_not_asked_again_by_any_bridge_and_may_sign_in_by_hand() {
    let place = Authorization::start();
    let mut bridges = [bridge(&place), bridge(&place)];
    for bridge in &mut bridges {
        bridge.send(json::initialize("1", "2025-06-18"));
    }
    let page = place.page();
    for bridge in &mut bridges {
        assert!(bridge.answer_to("1").get("result").is_some());
        bridge.send(json::notification("notifications/initialized", "{}"));
        bridge.call("2", "early");
        bridge.refusal("2", -31002, &[page.as_str()]);
    }
    get(&place.denial(&page));
    let command = format!("composio-bridge login {}", place.server.endpoint());
    for bridge in &mut bridges {
        // The one that waits for the other hears of it a little later.
        thread::sleep(Duration::from_millis(600));
        bridge.call("3", "late");
        bridge.refusal("3", -31002, &["HTTP 401", "access_denied", &command]);
    }
    assert_eq!(place.pages_opened(), 1);
    place.sign_in(&[]);
    thread::sleep(Duration::from_millis(2100));
    for bridge in &mut bridges {
        bridge.call_works("4");
        bridge.end();
    }
    assert_eq!(place.pages_opened(), 2, "the second one by hand");
}

#[test]
fn who_does_not_come_is_waited_for_as_long_as_was_said() {
    let place = Authorization::start();
    let endpoint = place.server.endpoint();
    let setup = place.bridge_with_browser(endpoint).arg("--auth-timeout=1");
    let mut bridge = setup.arg("--startup-grace=30").spawn();
    bridge.send(json::initialize("1", "2025-06-18"));
    bridge.refusal("1", -31002, &["no answer came back", "composio-bridge login"]);
    assert_eq!(place.pages_opened(), 1);
    bridge.end();
}

#[test]
fn a_renewal_that_fails_for_now_opens_no_browser() {
    for (status, body) in [(503, "{}"), (400, r#"{"error":"temporarily_unavailable"}"#)] {
        let place = Authorization::start();
        place.sign_in(&[]);
        let mut bridge = bridge(&place);
        bridge.handshake("2025-06-18");
        place.revoke();
        place.change(|script| script.fails = Some((status, body)));
        bridge.call("1", "x");
        bridge.refusal("1", -31002, &["HTTP 401"]);
        assert_eq!(place.pages_opened(), 1, "the one by hand");
        bridge.end();
    }
}

#[test]
fn an_authorization_server_that_is_away_is_tried_again_without_a_browser() {
    let place = Authorization::start();
    place.remote.listener().stop();
    let mut bridge = bridge(&place);
    bridge.send(json::initialize("1", "2025-06-18"));
    let answer = bridge.answer_to("1").to_string();
    assert!(answer.contains("could not ask the authorization server"), "{answer}");
    bridge.send(json::notification("notifications/initialized", "{}"));
    bridge.send(json::request("2", "tools/list", "{}"));
    assert_eq!(tools(&bridge.answer_to("2")), 0);
    place.remote.listener().start_again();
    sign_in(&place);
    bridge.incoming("notifications/tools/list_changed");
    bridge.call_works("3");
    bridge.end();
}

#[test]
fn a_bridge_that_is_killed_while_a_person_signs_in_leaves_the_next_one_free() {
    let place = Authorization::start();
    let mut first = bridge(&place);
    first.send(json::initialize("1", "2025-06-18"));
    place.page();
    first.signal(rustix::process::Signal::KILL);
    let mut second = bridge(&place);
    second.send(json::initialize("1", "2025-06-18"));
    sign_in(&place);
    second.answer_to("1");
    second.send(json::notification("notifications/initialized", "{}"));
    second.call_works("2");
    second.end();
    assert_eq!(place.pages_opened(), 2);
}

#[test]
fn a_bridge_whose_client_goes_away_while_a_person_signs_in_ends() {
    let place = Authorization::start();
    let mut bridge = bridge(&place);
    bridge.send(json::initialize("1", "2025-06-18"));
    let page = place.page();
    bridge.answer_to("1");
    bridge.close_stdin();
    assert!(bridge.await_exit(Duration::from_secs(3)).success());
    assert!(std::net::TcpStream::connect(("127.0.0.1", port_of(&page))).is_err());
}

/// The port that a sign-in page leads back to.
fn port_of(page: &reqwest::Url) -> u16 {
    let query: Vec<_> = page.query_pairs().into_owned().collect();
    let back = value(&query, "redirect_uri").expect("a redirect URI");
    reqwest::Url::parse(back).ok().and_then(|url| url.port()).expect("a port")
}

#[test]
fn a_credential_that_was_named_is_refused_and_never_becomes_a_sign_in() {
    for header in ["Authorization: Bearer own", "x-api-key: own"] {
        let place = Authorization::start();
        let endpoint = place.server.endpoint();
        let setup = place.bridge_with_browser(endpoint).arg("--header").arg(header);
        let mut bridge = setup.spawn();
        bridge.send(json::initialize("1", "2025-06-18"));
        bridge.refusal("1", -31002, &["HTTP 401", "check that the API key"]);
        assert_eq!((place.pages_opened(), place.remote.requests().len()), (0, 0));
        bridge.end();
    }
}

#[test]
fn a_server_that_wants_something_else_is_told_as_before() {
    let place = Authorization::start();
    place.change(|script| script.challenge = "");
    place.change(|script| script.resource = serde_json::json!({ "resource": null }));
    place.server.rule(|request, exchange| {
        let is_known = request.path.starts_with("/.well-known/");
        if is_known {
            exchange.reply(404, &[], "");
        }
        is_known
    });
    let mut bridge = bridge(&place);
    bridge.send(json::initialize("1", "2025-06-18"));
    bridge.refusal("1", -31002, &["HTTP 401", "check that the API key"]);
    assert_eq!(place.pages_opened(), 0);
    bridge.end();
}

#[test]
fn t05_t66_a_modern_client_is_answered_and_its_first_use_begins_the_sign_in() {
    let place = Authorization::start();
    let modern = Modern::start();
    place.guard(&modern);
    let mut probe = place.bridge_with_browser(modern.endpoint()).spawn();
    let told = probe.discover();
    assert!(told["result"]["instructions"].as_str().is_some_and(|text| text.contains("sign in")));
    drop(probe);
    assert_eq!(place.pages_opened(), 0, "a probe opens no browser");
    assert!(!place.home.path().join("state/composio-bridge/sign-ins").exists());

    let mut bridge = place.bridge_with_browser(modern.endpoint()).spawn();
    bridge.discover();
    bridge.send(client::request("2", "tools/list", ""));
    let page = place.page();
    bridge.send(client::call("3", "early"));
    bridge.refusal("3", -31002, &[page.as_str()]);
    get(&place.consent(&page));
    assert!(tools(&bridge.answer_to("2")) > 0);
    bridge.modern_call_works("4");
    assert!(!modern.heard().contains(&"initialize".to_owned()), "{:?}", modern.heard());
    bridge.end();
}

#[test]
fn a_modern_client_is_not_kept_waiting_for_a_person_either() {
    let place = Authorization::start();
    let modern = Modern::start();
    place.guard(&modern);
    modern.honour(r#"{"toolsListChanged":true}"#);
    let setup = place.bridge_with_browser(modern.endpoint());
    let mut bridge = setup.arg("--startup-grace=0.5").spawn();
    bridge.discover();
    bridge.send(client::listen("7", r#"{"toolsListChanged":true}"#));
    bridge.send(client::request("2", "tools/list", ""));
    let page = place.page();
    let acknowledged = bridge.incoming("notifications/subscriptions/acknowledged");
    assert_eq!(acknowledged["params"]["notifications"]["toolsListChanged"], true);
    assert_eq!(tools(&bridge.answer_to("2")), 0);
    get(&place.consent(&page));
    let changed = bridge.incoming("notifications/tools/list_changed");
    assert_eq!(changed["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 7);
    bridge.send(client::request("3", "tools/list", ""));
    assert!(tools(&bridge.answer_to("3")) > 0);
    // What changes later is told by the server itself, and the beginning is told once.
    modern.notify(modern.await_listen(|_| true), "notifications/tools/list_changed", "");
    bridge.incoming("notifications/tools/list_changed");
    bridge.close_stdin();
    let rest = bridge.rest();
    let again = |line: &Vec<u8>| String::from_utf8_lossy(line).contains("acknowledged");
    assert!(!rest.iter().any(again), "{rest:?}");
}

#[test]
fn nor_by_a_server_that_turns_out_to_be_a_legacy_one() {
    let place = Authorization::start();
    let setup = place.bridge_with_browser(place.server.endpoint());
    let mut bridge = setup.arg("--startup-grace=0.5").spawn();
    bridge.discover();
    bridge.send(client::listen("7", r#"{"toolsListChanged":true}"#));
    bridge.send(client::request("2", "tools/list", ""));
    let page = place.page();
    bridge.incoming("notifications/subscriptions/acknowledged");
    assert_eq!(tools(&bridge.answer_to("2")), 0);
    get(&place.consent(&page));
    let changed = bridge.incoming("notifications/tools/list_changed");
    assert_eq!(changed["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 7);
    bridge.send(client::request("3", "tools/list", ""));
    assert!(tools(&bridge.answer_to("3")) > 0);
    bridge.close_stdin();
    let rest = bridge.rest();
    let again = |line: &Vec<u8>| String::from_utf8_lossy(line).contains("acknowledged");
    assert!(!rest.iter().any(again), "{rest:?}");
}

#[test]
fn a_probe_of_a_legacy_server_opens_no_browser_either() {
    let place = Authorization::start();
    // A first run finds out that the server is a legacy one.
    place.sign_in(&[]);
    let endpoint = place.server.endpoint();
    let mut known = place.bridge_with_browser(endpoint.clone()).spawn();
    known.discover();
    known.send(client::request("2", "tools/list", ""));
    assert!(tools(&known.answer_to("2")) > 0);
    known.end();
    place.revoke();
    place.change(|script| script.fails = Some((400, r#"{"error":"invalid_grant"}"#)));
    let before = place.pages_opened();
    let mut bridge = place.bridge_with_browser(endpoint).arg("--startup-grace=2").spawn();
    bridge.discover();
    assert_eq!(place.pages_opened(), before);
    place.change(|script| script.fails = None);
    bridge.send(client::request("2", "tools/list", ""));
    sign_in(&place);
    assert!(tools(&bridge.answer_to("2")) > 0);
    // What was remembered is told at once, so that it says nothing of the sign-in.
    let works = |id: u32| {
        bridge.send(client::call(&id.to_string(), "works"));
        let answer = bridge.answer_to(&id.to_string());
        thread::sleep(Duration::from_millis(50));
        answer.get("result").is_some()
    };
    assert!((3..100).any(works));
    bridge.end();
}

#[test]
fn a_device_is_signed_in_from_elsewhere_and_a_program_by_itself() {
    let place = Authorization::start();
    place.change(|script| script.pending = 2);
    let endpoint = place.server.endpoint();
    let setup = place.bridge_with_browser(endpoint).arg("--device-code");
    let mut bridge = setup.arg("--startup-grace=30").spawn();
    bridge.handshake("2025-06-18");
    assert!(bridge.end().contains("enter the code ABCD-EFGH"));

    const CLIENT: &str = r#"{"client_id":"me","client_secret":"marker-4b7e-own"}"#;
    let place = Authorization::start();
    let endpoint = place.server.endpoint();
    let setup = place.bridge_with_browser(endpoint).arg("--client-credentials");
    let setup = setup.arg(format!("--static-oauth-client-info={CLIENT}"));
    let mut bridge = setup.arg("--startup-grace=30").spawn();
    bridge.handshake("2025-06-18");
    assert_eq!(bridge.end(), "", "nobody has to do anything");
    assert_eq!(place.pages_opened(), 0);
}

/// T122, for a sign-in from the running bridge.
#[test]
fn t122_nothing_secret_is_said_while_a_person_signs_in() {
    let place = Authorization::start();
    let log = place.home.path().join("log");
    let setup = place.bridge_with_browser(place.server.endpoint()).arg("--log-level=trace");
    let mut bridge = setup.arg(format!("--log-file={}", log.display())).spawn();
    bridge.send(json::initialize("1", "2025-06-18"));
    let page = place.page();
    get(&place.consent(&page));
    bridge.answer_to("1");
    bridge.send(json::notification("notifications/initialized", "{}"));
    bridge.call_works("2");
    let session = place.server.await_session(1);
    let verifier =
        value(&place.grants("authorization_code")[0], "code_verifier").map(str::to_owned);
    let said = bridge.end();
    let logged = std::fs::read_to_string(&log).expect("a log");
    for secret in [MARKER, verifier.as_deref().expect("a verifier"), session.as_str()] {
        assert!(!said.contains(secret) && !logged.contains(secret), "{secret}");
    }
    let query: Vec<_> = page.query_pairs().into_owned().collect();
    assert!(!logged.contains(value(&query, "state").expect("a state")), "the log may be passed on");
}
