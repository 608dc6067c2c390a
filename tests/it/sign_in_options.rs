//! What the options about signing in change, and what older or stricter authorization servers want
//! (spec.md 7; mcp-remote.md 1.2).

use reqwest::Url;
use serde_json::{Value, json};

use crate::support::{
    authorization::{Authorization, MARKER, form, get, value},
    json as messages,
    remote::Remote,
};

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

fn query(url: &Url) -> Vec<(String, String)> {
    url.query_pairs().into_owned().collect()
}

/// What was registered, one after the other.
fn registered(place: &Authorization) -> Vec<Value> {
    let all = place.asked("/register").into_iter();
    all.map(|request| serde_json::from_slice(&request.body).expect("JSON")).collect()
}

#[test]
fn the_browser_comes_back_where_the_options_say() {
    let place = Authorization::start();
    let login = place.login(&[
        "--host=127.0.0.1",
        "--callback-path=/my/way",
        "--auth-success-url=https://done.example/well",
        "--authorize-param=prompt=login",
        "--static-oauth-client-metadata={\"client_name\":\"mine\",\"scope\":\"write\"}",
    ]);
    let page = login.page();
    let query = query(&page);
    let uri = value(&query, "redirect_uri").expect("an address").to_owned();
    assert!(uri.starts_with("http://127.0.0.1:") && uri.ends_with("/my/way"), "{uri}");
    let said = [value(&query, "prompt"), value(&query, "scope")];
    assert_eq!(said, [Some("login"), Some("write")]);
    let told = get(&place.consent(&page)).to_ascii_lowercase();
    assert!(told.starts_with("http/1.1 303"), "{told}");
    assert!(told.contains("location: https://done.example/well\r\n"), "{told}");
    assert_eq!(login.end().0, 0);
    let client = &registered(&place)[0];
    assert_eq!((&client["client_name"], &client["scope"]), (&json!("mine"), &json!("write")));
    assert_eq!(client["redirect_uris"], json!([uri]));
}

#[test]
fn a_port_after_the_url_is_that_and_no_other() {
    let place = Authorization::start();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let (code, text) = place.login(&[&port]).end();
    assert!(code == 3 && text.contains(&format!("another program uses port {port}")), "{text}");
    assert!(text.contains("hint: ") && place.pages_opened() == 0, "{text}");
    drop(taken);
    let login = place.login(&[&port]);
    assert_eq!(place.consent(&login.page()).port(), port.parse().ok());
    login.kill();
}

#[test]
fn what_the_token_is_for_is_said_as_the_options_want() {
    for (option, expected) in [
        ("--disable-resource-parameter", None),
        ("--resource=https://api.example/x", Some("https://api.example/x")),
    ] {
        let place = Authorization::start();
        let login = place.login(&[option]);
        let page = login.page();
        assert_eq!(value(&query(&page), "resource"), expected);
        get(&place.consent(&page));
        assert_eq!(login.end().0, 0);
        place.revoke();
        let mut bridge = place.bridge().arg(option).spawn();
        bridge.handshake("2025-06-18");
        bridge.finish();
        for grant in ["authorization_code", "refresh_token"] {
            assert_eq!(value(&place.grants(grant)[0], "resource"), expected, "{grant}");
        }
    }
}

#[test]
fn the_id_token_goes_in_the_place_of_the_access_token() {
    let place = Authorization::start();
    place.change(|script| script.tokens = json!({"id_token": format!("{MARKER}-id")}));
    place.sign_in(&["--use-id-token"]);
    let mut bridge = place.bridge().arg("--use-id-token").arg("--log-level=trace").spawn();
    bridge.send(messages::initialize("1", "2025-06-18"));
    let sent = format!("Bearer {MARKER}-id");
    place.server.await_request(|request| request.header("authorization") == Some(sent.as_str()));
    let said = bridge.end();
    assert!(!said.contains(MARKER), "{said}");
}

/// AU-20: no registration is made, and none is needed again.
#[test]
fn a_client_with_a_document_of_its_own_is_named_by_it_where_that_is_supported() {
    const ID: &str = "https://client.example/me.json";
    let option = format!("--client-metadata-url={ID}");
    for (supported, named, registers) in
        [(json!(true), ID, 0), (json!("true"), "the-client", 1), (json!(null), "the-client", 1)]
    {
        let place = Authorization::start();
        place.change(|script| {
            script.metadata = json!({"client_id_metadata_document_supported": supported});
        });
        let login = place.login(&[&option]);
        let page = login.page();
        assert_eq!(value(&query(&page), "client_id"), Some(named));
        get(&place.consent(&page));
        assert_eq!(login.end().0, 0);
        assert_eq!(registered(&place).len(), registers);
        assert_eq!(value(&place.grants("authorization_code")[0], "client_id"), Some(named));
    }
}

/// AU-24: found out only when the token is asked for, and then once.
#[test]
fn a_client_that_is_refused_at_the_end_is_registered_anew_once() {
    const REFUSAL: Option<(u16, &str)> = Some((401, r#"{"error":"invalid_client"}"#));
    for is_cured in [true, false] {
        let place = Authorization::start();
        place.sign_in(&[]);
        place.change(|script| script.fails = REFUSAL);
        let login = place.login(&[]);
        get(&place.consent(&place.page()));
        let again = place.page();
        if is_cured {
            place.change(|script| script.fails = None);
        }
        get(&place.consent(&again));
        let (code, text) = login.end();
        assert_eq!(code, if is_cured { 0 } else { 4 }, "{text}");
        assert_eq!((registered(&place).len(), place.pages_opened()), (2, 3));
    }
}

/// AU-37: nobody hears what another authorization server has to say.
#[test]
fn a_refusal_of_another_issuer_is_not_shown() {
    let place = Authorization::start();
    let login = place.login(&[]);
    let mut denial = place.denial(&login.page());
    let pairs = [("iss", "https://evil.example"), ("error_description", "call 555")];
    denial.query_pairs_mut().extend_pairs(pairs);
    assert!(get(&denial).starts_with("HTTP/1.1 502"));
    let (code, text) = login.end();
    assert!(code == 4 && text.contains("does not come from"), "{text}");
    assert!(!text.contains("555") && !text.contains("access_denied"), "{text}");
}

/// AU-54: the wait between two questions grows as the server wants, and what ends it is told.
#[test]
fn a_device_that_is_told_to_slow_down_or_no_asks_no_more() {
    for (error, code, words) in
        [("access_denied", 4, "access_denied"), ("expired_token", 4, "expired_token")]
    {
        let place = Authorization::start();
        let body = format!("{{\"error\":\"{error}\"}}");
        place.change(|script| script.fails = Some((400, Box::leak(body.into_boxed_str()))));
        let (found, text) = place.login(&["--device-code"]).end();
        assert!(found == code && text.contains(words), "{text}");
        assert_eq!(place.grants(DEVICE).len(), 1);
    }
    let place = Authorization::start();
    place.change(|script| script.fails = Some((400, r#"{"error":"slow_down"}"#)));
    let (code, text) = place.login(&["--device-code", "--auth-timeout=3"]).end();
    assert!(code == 4 && text.contains("nobody entered the code in time"), "{text}");
    assert_eq!(place.grants(DEVICE).len(), 1, "the next one would be six seconds later");

    let place = Authorization::start();
    place.change(|script| script.pending = usize::MAX);
    place.login(&["--device-code", "--auth-timeout=2.5"]).end();
    let asked = place.grants(DEVICE).len();
    assert!((1..=2).contains(&asked), "once a second, though the server says 0: {asked}");
}

/// AU-16: a server of 2025-03-26 is its own authorization server, with or without metadata.
#[test]
fn a_server_that_says_nothing_is_its_own_authorization_server() {
    // The name in the metadata, if there is any: the origin's, or one of the origin's.
    let at_home = |issuer: Option<&'static str>| {
        Remote::start(move |request, exchange| {
            let host = request.header("host").unwrap_or_default();
            match request.path.split('?').next().unwrap_or_default() {
                "/mcp" => exchange.reply(401, &[], ""),
                "/.well-known/oauth-authorization-server" if issuer.is_some() => exchange.json(
                    json!({
                        "issuer": issuer.unwrap_or_default().replace("{host}", host),
                        "authorization_endpoint": format!("http://{host}/enter"),
                        "token_endpoint": format!("http://{host}/get"),
                        "registration_endpoint": format!("http://{host}/register"),
                        "code_challenge_methods_supported": ["S256"],
                    })
                    .to_string(),
                ),
                "/register" => exchange.reply(201, &[], r#"{"client_id":"c"}"#),
                "/token" | "/get" => exchange.json(r#"{"access_token":"t","token_type":"Bearer"}"#),
                "/authorize" | "/enter" => exchange.reply(200, &[], "a page"),
                _ => exchange.reply(404, &[], ""),
            }
        })
    };
    for (issuer, page_at, token_at) in [
        (Some("http://{host}"), "/enter", "/get"),
        (Some("http://{host}/"), "/enter", "/get"),
        (Some("http://{host}/of/it"), "/enter", "/get"),
        (None, "/authorize", "/token"),
    ] {
        let (place, server) = (Authorization::start(), at_home(issuer));
        let login = place.login_to(&server.url("/mcp"), &[]);
        let page = login.page();
        assert_eq!(page.path(), page_at);
        assert!(get(&place.consent(&page)).starts_with("HTTP/1.1 200"));
        assert_eq!(login.end().0, 0);
        let all = server.requests();
        let token = all.iter().find(|request| request.path == token_at).expect("a token");
        assert!(value(&form(&token.body), "code_verifier").is_some());
        let metadata =
            all.iter().filter(|request| request.path.starts_with("/.well-known/oauth-a"));
        for request in metadata {
            assert_eq!(request.header("mcp-protocol-version"), Some("2025-11-25"));
        }
    }
    let (place, server) = (Authorization::start(), at_home(Some("https://other.example")));
    let (code, text) = place.login_to(&server.url("/mcp"), &[]).end();
    assert!(code == 5 && text.contains("another issuer"), "{text}");
}

/// AU-15: a server that is down has not said that there is nothing.
#[test]
fn metadata_that_cannot_be_had_now_is_not_sought_elsewhere() {
    let broken = Remote::start(|request, exchange| match request.path.as_str() {
        "/mcp" => exchange.reply(401, &[("www-authenticate", "Bearer")], ""),
        _ => exchange.reply(503, &[], ""),
    });
    let place = Authorization::start();
    let (code, text) = place.login_to(&broken.url("/mcp"), &[]).end();
    assert!(code == 5 && text.contains("HTTP 503"), "{text}");
    assert_eq!(broken.count(|request| request.path.starts_with("/.well-known/")), 1);
}
