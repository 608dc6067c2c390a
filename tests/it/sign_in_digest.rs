//! The cases of the digest about authorization, each under its id (spec.md 9, T110 to T115 and T118 to
//! T122; T116 and T117 are among those of the running bridge).

use std::fs;

use reqwest::Url;
use serde_json::{Value, json};

use crate::support::{
    authorization::{Authorization, Login, MARKER, get, get_at, value},
    remote::Remote,
};

fn query(url: &Url) -> Vec<(String, String)> {
    url.query_pairs().into_owned().collect()
}

/// The paths under `/.well-known/`, or with it at the end, that were asked for.
fn documents(asked: &[std::sync::Arc<crate::support::http::Request>]) -> Vec<String> {
    let all = asked.iter().map(|request| request.path.clone());
    all.filter(|path| path.contains("/.well-known/")).collect()
}

fn finish(place: &Authorization, login: Login) {
    get(&place.consent(&login.page()));
    let (code, text) = login.end();
    assert_eq!(code, 0, "{text}");
}

const ROOT: &str = "/.well-known/oauth-protected-resource";

#[test]
fn t110_the_metadata_is_where_the_challenge_says() {
    let place = Authorization::start();
    let elsewhere = "Bearer resource_metadata=\"{metadata}/at/another/place\"";
    place.change(|script| script.challenge = elsewhere);
    let resource = place.server.endpoint();
    let servers = [place.remote.url("/t1")];
    place.server.rule(move |request, exchange| {
        let is_there = request.path.ends_with("/at/another/place");
        if is_there {
            let document = json!({"resource": resource, "authorization_servers": servers});
            exchange.json(document.to_string());
        }
        is_there
    });
    finish(&place, place.login(&[]));
    assert_eq!(documents(&place.server.requests()), [format!("{ROOT}/mcp/at/another/place")]);
}

#[test]
fn t110_without_a_word_the_path_is_asked_and_then_the_root() {
    let place = Authorization::start();
    place.change(|script| script.challenge = "Bearer");
    finish(&place, place.login(&[]));
    assert_eq!(documents(&place.server.requests()), [format!("{ROOT}/mcp")], "it has answered");

    let place = Authorization::start();
    place.change(|script| script.challenge = "Bearer");
    let resource = place.server.endpoint();
    let servers = [place.remote.url("/t1")];
    place.server.rule(move |request, exchange| {
        if request.path == ROOT {
            let document = json!({"resource": resource, "authorization_servers": servers});
            exchange.json(document.to_string());
            return true;
        }
        let is_known = request.path.starts_with("/.well-known/");
        if is_known {
            exchange.reply(404, &[], "");
        }
        is_known
    });
    finish(&place, place.login(&[]));
    assert_eq!(documents(&place.server.requests()), [format!("{ROOT}/mcp"), ROOT.to_owned()]);
}

#[test]
fn t111_an_issuer_with_a_path_has_three_addresses_and_the_root_is_none() {
    let place = Authorization::start();
    place.change(|script| script.tenant = "t3");
    let (code, text) = place.login(&[]).end();
    assert!(code == 5 && text.contains("/t3"), "{code}: {text}");
    let asked = documents(&place.remote.requests());
    let expected = [
        "/.well-known/oauth-authorization-server/t3",
        "/.well-known/openid-configuration/t3",
        "/t3/.well-known/openid-configuration",
    ];
    assert_eq!(asked, expected);
}

/// What is wrong with a server is said before a browser opens, and before it is told of a client.
fn stops(metadata: Value, resource: Value, words: &str) {
    let place = Authorization::start();
    place.change(|script| (script.metadata, script.resource) = (metadata, resource));
    let (code, text) = place.login(&[]).end();
    assert!(code == 5 && text.contains(words), "{code}: {text}");
    assert_eq!(place.pages_opened(), 0, "{words}");
    assert!(place.asked("/register").is_empty() && place.asked("/token").is_empty());
}

#[test]
fn t111_metadata_of_another_issuer_is_discarded() {
    stops(json!({"issuer": "https://other.example"}), json!({}), "another issuer");
}

#[test]
fn t112_a_server_without_pkce_is_not_signed_in_to() {
    for methods in [Value::Null, json!(["plain"])] {
        stops(json!({"code_challenge_methods_supported": methods}), json!({}), "PKCE");
    }
}

#[test]
fn t113_a_resource_elsewhere_is_not_signed_in_to() {
    stops(json!({}), json!({"resource": "https://other.example/mcp"}), "another resource");
}

#[test]
fn t114_the_issuer_in_the_answer_is_the_one_that_was_asked() {
    let name = "authorization_response_iss_parameter_supported";
    for (advertised, iss, proceeds) in [
        (true, Some("/t1"), true),
        (true, None, false),
        (true, Some("/t2"), false),
        (false, Some("/t2"), false),
        (false, Some("/t1/"), false),
        (false, Some("/t1"), true),
        (false, None, true),
    ] {
        let place = Authorization::start();
        place.change(|script| script.metadata = json!({ name: advertised }));
        let login = place.login(&[]);
        let mut back = place.consent(&login.page());
        back.query_pairs_mut().extend_pairs(iss.map(|path| ("iss", place.remote.url(path))));
        get(&back);
        let (code, text) = login.end();
        assert_eq!(code == 0, proceeds, "{advertised} {iss:?}: {text}");
        assert_eq!(place.grants("authorization_code").len(), usize::from(proceeds));
    }
}

#[test]
fn t115_what_is_asked_carries_what_the_specification_wants() {
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

    place.revoke();
    let mut bridge = place.bridge().arg("--authorize-param=audience=x y").spawn();
    bridge.handshake("2025-06-18");
    bridge.finish();
    let renewed = &place.grants("refresh_token")[0];
    assert_eq!(value(renewed, "resource"), Some(resource.as_str()));
}

#[test]
fn t118_two_bridges_renew_a_token_once() {
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
fn t119_only_a_web_page_is_opened() {
    for (name, address) in [
        ("authorization_endpoint", "javascript:alert(1)"),
        ("authorization_endpoint", "file:///etc/passwd"),
        ("authorization_endpoint", "http://evil.example/"),
        ("token_endpoint", "http://evil.example/"),
    ] {
        stops(json!({ name: address }), json!({}), "not https://");
    }
}

#[test]
fn t120_a_wrong_answer_is_not_heard_and_the_right_one_still_is() {
    let place = Authorization::start();
    let login = place.login(&[]);
    let back = place.consent(&login.page());
    let state = value(&query(&back), "state").expect("a state").to_owned();
    let mut wrong = back.clone();
    wrong.set_query(Some("code=x&state=wrong"));
    assert!(!get(&wrong).starts_with("HTTP/1.1 200"), "a wrong state was heard");
    let mut wrong = back.clone();
    wrong.set_path("/elsewhere");
    wrong.set_query(Some(&format!("code=x&state={state}")));
    assert!(!get(&wrong).starts_with("HTTP/1.1 200"), "a wrong path was heard");
    let mut wrong = back.clone();
    wrong.set_query(Some(&format!("code=x&state={state}")));
    let told = get_at(&wrong, "evil.example");
    assert!(!told.starts_with("HTTP/1.1 200"), "a wrong host was heard");
    assert!(get(&back).starts_with("HTTP/1.1 200"));
    let (code, text) = login.end();
    assert_eq!(code, 0, "{text}");
    let redeemed = place.grants("authorization_code");
    assert_eq!(redeemed.len(), 1);
    assert_eq!(value(&redeemed[0], "code"), value(&query(&back), "code"));
}

/// And a configured credential goes before a sign-in (AU-1).
#[test]
fn t121_tokens_go_to_the_endpoint_alone() {
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

#[test]
fn t122_no_secret_is_shown_and_a_sign_in_can_be_forgotten() {
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
    let status = place.run(&["auth", "status"]);
    let as_json = place.run(&["auth", "status", "--json"]);
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

    assert!(place.run(&["logout", &place.server.endpoint()]).contains("Signed out"));
    assert!(place.run(&["auth", "status"]).contains("Nobody"));
    assert!(place.run(&["logout", &place.server.endpoint()]).contains("Nobody"));
}
