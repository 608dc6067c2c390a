//! Signing in, and what the bridge does with a sign-in (spec.md 7; T110 to T122).

use std::{fs, time::Duration};

use composio_bridge::auth::mcp_remote::{Flags, hash::Recipe};
use reqwest::Url;
use serde_json::{Value, json};

use crate::support::{
    authorization::{Authorization, MARKER, get, value},
    bridge::executable,
    remote::Remote,
};

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

/// T110, T111, T115.
#[test]
fn what_is_asked_carries_what_the_specification_wants() {
    let place = Authorization::start();
    let login = place.login(&["--authorize-param", "audience=x y"]);
    let page = query(&login.page());
    let resource = place.server.endpoint();
    for (name, expected) in [
        ("response_type", "code"),
        ("client_id", "the-client"),
        ("code_challenge_method", "S256"),
        ("scope", "read"),
        ("resource", resource.as_str()),
        ("audience", "x y"),
    ] {
        assert_eq!(value(&page, name), Some(expected), "{name}");
    }
    assert!(value(&page, "state").is_some_and(|state| state.len() >= 22));
    get(&place.consent(&login.page()));
    assert_eq!(login.end().0, 0);

    let asked = &place.grants("authorization_code")[0];
    assert_eq!(value(asked, "resource"), Some(resource.as_str()));
    assert_eq!(value(asked, "redirect_uri"), value(&page, "redirect_uri"));
    assert!(value(asked, "code_verifier").is_some_and(|verifier| verifier.len() == 43));
    let registered = &place.asked("/register")[0];
    let registered: Value = serde_json::from_slice(&registered.body).expect("JSON");
    assert_eq!(registered["application_type"], "native");
    assert_eq!(registered["grant_types"], json!(["authorization_code", "refresh_token"]));

    let documents: Vec<_> =
        place.remote.requests().iter().map(|r| r.path.clone()).take(2).collect();
    let inserted = ["oauth-authorization-server", "openid-configuration"];
    assert_eq!(documents, inserted.map(|name| format!("/.well-known/{name}/t1")));
    let known = place.server.requests();
    let known: Vec<_> = known.iter().filter(|r| r.path.contains("/.well-known/")).collect();
    assert_eq!(known.len(), 1, "the root is not asked where the path answers");
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

/// T111 to T113, T119.
#[test]
fn what_does_not_fit_stops_before_the_browser() {
    for (metadata, resource, words) in [
        (json!({"issuer": "https://other.example"}), json!({}), "another issuer"),
        (json!({"code_challenge_methods_supported": null}), json!({}), "PKCE"),
        (json!({"code_challenge_methods_supported": ["plain"]}), json!({}), "PKCE"),
        (json!({}), json!({"resource": "https://other.example/mcp"}), "another resource"),
        (json!({"authorization_endpoint": "javascript:alert(1)"}), json!({}), "not https://"),
        (json!({"authorization_endpoint": "file:///etc/passwd"}), json!({}), "not https://"),
        (json!({"authorization_endpoint": "http://evil.example/"}), json!({}), "not https://"),
        (json!({"token_endpoint": "http://evil.example/"}), json!({}), "not https://"),
    ] {
        let place = Authorization::start();
        place.change(|script| (script.metadata, script.resource) = (metadata, resource));
        let login = place.login(&[]);
        let page = place.home.path().join("page");
        let (code, text) = login.end();
        assert!(code == 5 && text.contains(words), "{code}: {text}");
        assert!(!page.exists(), "the browser was opened: {words}");
        assert!(place.asked("/register").is_empty() && place.asked("/token").is_empty());
    }
}

/// T114, T120.
#[test]
fn an_answer_of_another_server_is_not_used_and_a_wrong_state_not_heard() {
    for (advertised, iss, proceeds) in [
        (true, Some("/t1"), true),
        (true, None, false),
        (false, Some("/t2"), false),
        (false, Some("/t1/"), false),
    ] {
        let place = Authorization::start();
        let name = "authorization_response_iss_parameter_supported";
        place.change(|script| script.metadata = json!({ name: advertised }));
        let login = place.login(&[]);
        let mut back = place.consent(&login.page());
        let mut wrong = back.clone();
        wrong.set_query(Some("code=x&state=wrong"));
        assert!(!get(&wrong).starts_with("HTTP/1.1 200"), "a wrong state was heard");
        back.query_pairs_mut().extend_pairs(iss.map(|path| ("iss", place.remote.url(path))));
        get(&back);
        let (code, text) = login.end();
        assert_eq!(code == 0, proceeds, "{advertised} {iss:?}: {text}");
        assert_eq!(place.grants("authorization_code").len(), usize::from(proceeds));
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

/// T118.
#[test]
fn two_bridges_renew_a_token_once() {
    let place = Authorization::start();
    place.sign_in(&[]);
    let mut bridges = [place.bridge().spawn(), place.bridge().spawn()];
    for bridge in &mut bridges {
        bridge.handshake("2025-06-18");
    }
    place.revoke();
    for bridge in &mut bridges {
        bridge.call("1", "works");
    }
    for mut bridge in bridges {
        assert!(bridge.answer_to("1").get("result").is_some());
        bridge.finish();
    }
    assert_eq!(place.grants("refresh_token").len(), 1);
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
    run(&place, &["logout", &place.server.endpoint()]);

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

/// T121; and a configured credential goes before a sign-in (AU-1).
#[test]
fn tokens_go_to_the_endpoint_alone() {
    let place = Authorization::start();
    place.sign_in(&[]);
    let elsewhere = Remote::start(|_, exchange| exchange.reply(200, &[], ""));
    let target = elsewhere.url("/mcp");
    place.server.on("tools/call", move |call| {
        call.http().reply(307, &[("location", &target)], "");
    });
    let mut bridge = place.bridge().spawn();
    bridge.handshake("2025-06-18");
    bridge.call("1", "x");
    assert!(bridge.answer_to("1").get("error").is_some());
    assert!(elsewhere.requests().is_empty());
    drop(bridge);

    let mut bridge = place.bridge().arg("--header=Authorization: Bearer own").spawn();
    bridge.send(crate::support::json::initialize("1", "2025-06-18"));
    place.server.await_request(|request| request.header("authorization") == Some("Bearer own"));
    drop(bridge);
}

fn run(place: &Authorization, args: &[&str]) -> String {
    let words = executable();
    let mut command = std::process::Command::new(&words[0]);
    command.args(&words[1..]).args(args).env_clear().env("HOME", place.home.path());
    command.env("XDG_STATE_HOME", place.home.path().join("state"));
    let output = command.output().expect("the executable starts");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// T122.
#[test]
fn no_secret_is_shown_and_a_sign_in_can_be_forgotten() {
    let place = Authorization::start();
    let log = place.home.path().join("log");
    let flag = format!("--log-file={}", log.display());
    let mut said = place.sign_in(&["--log-level=trace", &flag]);
    let mut bridge = place.bridge().arg("--log-level=trace").arg(&flag).spawn();
    bridge.handshake("2025-06-18");
    place.revoke();
    bridge.call_works("1");
    said += &bridge.end();
    said += &fs::read_to_string(&log).expect("a log");
    let verifier =
        value(&place.grants("authorization_code")[0], "code_verifier").map(str::to_owned);
    let status = run(&place, &["auth", "status"]);
    let as_json = run(&place, &["auth", "status", "--json"]);
    said += &(status.clone() + &as_json);
    for secret in [MARKER, verifier.as_deref().expect("a verifier")] {
        let line = said.lines().find(|line| line.contains(secret));
        assert!(line.is_none(), "{line:?}");
    }
    let issuer = place.remote.url("/t1");
    assert!(status.contains(&issuer) && status.contains("read"), "{status}");
    let listed: Value = serde_json::from_str(&as_json).expect("JSON");
    assert_eq!(listed[0]["issuer"], issuer);
    assert_eq!(listed[0]["renewable"], true);

    assert!(run(&place, &["logout", &place.server.endpoint()]).contains("Signed out"));
    assert!(run(&place, &["auth", "status"]).contains("Nobody"));
    assert!(run(&place, &["logout", &place.server.endpoint()]).contains("Nobody"));
}
