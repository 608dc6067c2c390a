//! Signing in, and what the bridge does with a sign-in (spec.md 7).

use std::{fs, time::Duration};

use composio_bridge::auth::mcp_remote::{Flags, hash::Recipe};
use reqwest::Url;
use serde_json::{Value, json};

use crate::support::authorization::{Authorization, MARKER, get, value};

fn query(url: &Url) -> Vec<(String, String)> {
    url.query_pairs().into_owned().collect()
}

#[test]
fn a_person_signs_in_in_the_browser_and_the_bridge_uses_it() {
    let place = Authorization::start();
    let text = place.sign_in(&[]);
    assert!(text.contains("Signed in to"), "{text}");
    let mut bridge = place.bridge().spawn();
    bridge.handshake("2025-06-18");
    bridge.call_works("1");
    bridge.finish();
    assert_eq!(place.remote.count(|request| request.header("authorization").is_some()), 0);
}

/// AU-22: as `oidc-provider` has it, which knows no scopes of the servers behind it.
#[test]
fn who_may_not_register_a_scope_registers_without_one() {
    let place = Authorization::start();
    place.change(|script| script.registers_scopes = false);
    let login = place.login(&[]);
    assert_eq!(value(&query(&login.page()), "scope"), Some("read"));
    get(&place.consent(&login.page()));
    assert_eq!(login.end().0, 0);
    assert_eq!(place.asked("/register").len(), 2);
}

/// AU-24: a person who is sent there in the name of an unknown client is not sent back.
#[test]
fn a_client_that_was_forgotten_is_registered_anew_before_the_browser_opens() {
    let place = Authorization::start();
    for (has_forgotten, registered) in [(false, 1), (false, 1), (true, 2)] {
        place.change(|script| script.has_forgotten = has_forgotten);
        place.sign_in(&[]);
        assert_eq!(place.asked("/register").len(), registered);
    }
}

#[test]
fn a_token_is_renewed_before_its_end_and_rotates() {
    let place = Authorization::start();
    place.change(|script| script.life = 1);
    place.sign_in(&[]);
    std::thread::sleep(Duration::from_millis(1100));
    place.change(|script| script.life = 3600);
    let mut bridge = place.bridge().spawn();
    bridge.handshake("2025-06-18");
    bridge.call_works("1");
    bridge.finish();
    let renewals = place.grants("refresh_token");
    assert_eq!(renewals.len(), 1);
    let endpoint = place.server.endpoint();
    assert_eq!(value(&renewals[0], "resource"), Some(endpoint.as_str()));
    place.revoke();
    let mut bridge = place.bridge().spawn();
    bridge.handshake("2025-06-18");
    bridge.finish();
    let tokens: Vec<_> = place.grants("refresh_token");
    let refresh = |n: usize| value(&tokens[n], "refresh_token").map(str::to_owned);
    assert_eq!(tokens.len(), 2);
    assert_ne!(refresh(0), refresh(1), "the new refresh token was kept");
}

#[test]
fn a_token_that_cannot_be_renewed_now_is_kept() {
    let place = Authorization::start();
    place.sign_in(&[]);
    let mut bridge = place.bridge().spawn();
    bridge.handshake("2025-06-18");
    place.revoke();
    place.change(|script| script.fails = Some((503, "{}")));
    bridge.call("1", "x");
    let command = format!("composio-bridge login {}", place.server.endpoint());
    bridge.refusal("1", -31002, &["HTTP 401", &command]);
    assert_eq!(place.grants("refresh_token").len(), 1);
    drop(bridge);
    place.change(|script| script.fails = None);
    let mut bridge = place.bridge().spawn();
    bridge.handshake("2025-06-18");
    bridge.finish();
}

/// AU-52; and who signs in again needs no new bridge.
#[test]
fn a_sign_in_that_has_ended_is_told_and_the_next_one_used() {
    let place = Authorization::start();
    place.sign_in(&[]);
    let mut bridge = place.bridge().arg("--auth-timeout=0.5").spawn();
    bridge.handshake("2025-06-18");
    place.revoke();
    place.change(|script| script.fails = Some((400, r#"{"error":"invalid_grant"}"#)));
    for id in ["1", "2"] {
        bridge.call(id, "x");
        bridge.refusal(id, -31002, &["HTTP 401", "composio-bridge login"]);
    }
    assert_eq!(place.grants("refresh_token").len(), 1, "what was refused is not tried again");
    place.change(|script| script.fails = None);
    place.sign_in(&[]);
    bridge.call_works("3");
    assert!(bridge.end().contains("invalid_grant"));
}

/// A sign-in of mcp-remote is found, used, renewed, and left so that mcp-remote can go on.
#[test]
fn a_sign_in_of_mcp_remote_is_used_and_renewed() {
    let place = Authorization::start();
    place.sign_in(&[]);
    let directory = place.home.path().join("state/composio-bridge/sign-ins");
    let own = fs::read_dir(&directory).expect("a sign-in").flatten().map(|entry| entry.path());
    let own = own.into_iter().find(|file| file.extension().is_some_and(|end| end == "json"));
    let stored: Value =
        serde_json::from_slice(&fs::read(own.expect("a file")).expect("readable")).expect("JSON");
    place.run(&["logout", &place.server.endpoint()]);

    let url = place.server.endpoint();
    let flags = Flags { server_url: &url, ..Flags::default() };
    let theirs = place.home.path().join(".mcp-auth/mcp-remote-v1");
    fs::create_dir_all(&theirs).expect("it can be made");
    let file = |name: &str| theirs.join(format!("{}_{name}", flags.hash(Recipe::Current)));
    let tokens = json!({
        "access_token": stored["access_token"], "token_type": "Bearer", "expires_in": 3600,
        "refresh_token": stored["refresh_token"], "requested_scope": "read",
    });
    fs::write(file("tokens.json"), tokens.to_string()).expect("written");
    let client = json!({"client_id": "the-client", "redirect_uris": ["http://localhost:1/x"]});
    fs::write(file("client_info.json"), client.to_string()).expect("written");

    let mut bridge = place.bridge().spawn();
    bridge.handshake("2025-06-18");
    place.revoke();
    bridge.call_works("1");
    bridge.finish();
    let renewals = place.grants("refresh_token");
    assert_eq!(renewals.len(), 1);
    assert_eq!(value(&renewals[0], "resource"), Some(url.as_str()));
    let kept: Value =
        serde_json::from_slice(&fs::read(file("tokens.json")).expect("readable")).expect("JSON");
    assert_ne!(kept["refresh_token"], stored["refresh_token"]);
    assert_eq!(kept["requested_scope"], "read");
    let mut bridge = place.bridge().spawn();
    bridge.handshake("2025-06-18");
    bridge.finish();
    assert_eq!(place.grants("refresh_token").len(), 1);
}

/// AU-42: as those of any other sign-in.
#[test]
fn t116_the_scopes_of_a_sign_in_of_mcp_remote_are_kept() {
    let place = Authorization::start();
    place.sign_in(&[]);
    let endpoint = place.server.endpoint();
    place.run(&["logout", &endpoint]);
    let theirs = place.home.path().join(".mcp-auth/mcp-remote-v1");
    fs::create_dir_all(&theirs).expect("it can be made");
    let flags = Flags { server_url: &endpoint, ..Flags::default() };
    let tokens = theirs.join(format!("{}_tokens.json", flags.hash(Recipe::Current)));
    let issuer = place.remote.url("/t1");
    let stored = json!({
        "access_token": format!("{MARKER}-access-1"), "token_type": "Bearer", "scope": "read mail",
        "issuer": issuer,
    });
    fs::write(&tokens, stored.to_string()).expect("written");
    let mut bridge = place.bridge_with_browser(endpoint).spawn();
    bridge.handshake("2025-06-18");
    place.change(|script| script.call_scope = Some("write"));
    bridge.call("1", "more");
    let page = place.page();
    assert_eq!(value(&query(&page), "scope"), Some("read mail write"));
    get(&place.consent(&page));
    assert!(bridge.answer_to("1").get("result").is_some());
    bridge.end();
}

#[test]
fn a_device_shows_a_code_and_waits() {
    let place = Authorization::start();
    place.change(|script| script.pending = 2);
    let login = place.login(&["--device-code"]);
    let (code, text) = login.end();
    assert!(code == 0 && text.contains("ABCD-EFGH") && text.contains("/enter"), "{text}");
    let polls = place.grants("urn:ietf:params:oauth:grant-type:device_code");
    assert_eq!(polls.len(), 3);
    assert_eq!(value(&polls[0], "resource"), Some(place.server.endpoint().as_str()));
    let mut bridge = place.bridge().spawn();
    bridge.handshake("2025-06-18");
    bridge.finish();
}

#[test]
fn a_program_signs_in_with_its_secret_and_does_so_again() {
    const CLIENT: &str = r#"{"client_id":"me","client_secret":"marker-4b7e-own"}"#;
    let place = Authorization::start();
    let endpoint = place.remote.url("/token");
    let (info, at) =
        (format!("--static-oauth-client-info={CLIENT}"), format!("--token-endpoint={endpoint}"));
    let args = ["--client-credentials", &info, &at];
    let (code, text) = place.login(&args).end();
    assert_eq!(code, 0, "{text}");
    place.revoke();
    let mut setup = place.bridge();
    for arg in args {
        setup = setup.arg(arg);
    }
    let mut bridge = setup.spawn();
    bridge.handshake("2025-06-18");
    bridge.finish();
    assert_eq!(place.grants("client_credentials").len(), 2);
    let first = &place.asked("/token")[0];
    assert!(first.header("authorization").is_some_and(|value| value.starts_with("Basic ")));
    let kept = fs::read_dir(place.home.path().join("state/composio-bridge/sign-ins"));
    for file in kept.expect("a sign-in").flatten() {
        let text = fs::read_to_string(file.path()).expect("it is text");
        assert!(!text.contains("marker-4b7e-own"), "whoever names a secret keeps it");
    }
}
