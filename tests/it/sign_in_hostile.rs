//! Authorization servers, and whoever is at the callback, that mean no good or do not work (spec.md
//! 7 and 8).

use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use composio_bridge::error::is_unfit;
use serde_json::{Value, json};

use crate::support::{
    authorization::{Authorization, MARKER, get, value},
    json as messages,
    remote::Remote,
};

/// Ends the line, colours what follows, turns it round, and hides a word.
const ODD: &str = "be\n\u{1b}[31mware\u{9b}1m \u{202e}dlo\u{2066} a\u{200b}b\u{e0041}";

/// A terminal shows it as it is.
fn is_plain(text: &str) {
    let odd: Vec<char> =
        text.chars().filter(|letter| *letter != '\n' && is_unfit(*letter)).collect();
    assert!(odd.is_empty() && !text.contains("be\n"), "{odd:?} {text:?}");
}

#[test]
fn what_a_server_says_moves_and_hides_nothing_in_the_terminal() {
    let place = Authorization::start();
    place.change(|script| {
        script.refuses = Some(json!({"error": "invalid_redirect_uri", "error_description": ODD}));
    });
    let (code, text) = place.login(&[]).end();
    assert!(code == 4 && text.contains("invalid_redirect_uri: be"), "{text}");
    is_plain(&text);

    place.change(|script| {
        script.refuses = None;
        script.device = json!({"user_code": ODD});
        script.tokens = json!({"scope": ODD});
    });
    let (code, text) = place.login(&["--device-code", "--log-level=trace"]).end();
    assert!(code == 0 && text.contains("enter: be") && !text.contains(MARKER), "{text}");
    is_plain(&text);
    is_plain(&place.run(&["auth", "status"]));
    let as_json = place.run(&["auth", "status", "--json"]);
    is_plain(&as_json);
    assert!(serde_json::from_str::<Value>(&as_json).is_ok());

    place.change(|script| script.device = json!({"verification_uri": format!("https://h/{ODD}")}));
    let (code, text) = place.login(&["--device-code"]).end();
    assert!(code == 5 && text.contains("cannot be opened"), "{text}");
    is_plain(&text);

    place.change(|script| {
        script.fails =
            Some((400, "{\"error\":\"be\\n\",\"error_description\":\"\\u202e\\u001b[1m\"}"));
    });
    let login = place.login(&[]);
    get(&place.consent(&login.page()));
    let (code, text) = login.end();
    assert!(code == 4 && text.contains("gave no token"), "{text}");
    is_plain(&text);

    let login = place.login(&[]);
    let mut denial = place.denial(&login.page());
    denial.query_pairs_mut().append_pair("error_description", ODD);
    let page = get(&denial);
    assert!(page.contains("declined") && !page.contains("ware"), "{page}");
    let (code, text) = login.end();
    assert!(code == 4 && text.contains("access_denied: be"), "{text}");
    is_plain(&text);
}

#[test]
fn documents_that_are_none_are_named_before_a_browser_opens() {
    let large = "x".repeat(2 << 20);
    for (metadata, resource, words) in [
        (json!({"x": large}), json!({}), "larger than 1 MiB"),
        (json!({"issuer": null}), json!({}), "names no issuer"),
        (json!({"token_endpoint": 5}), json!({}), "names no token_endpoint"),
        (json!({"authorization_endpoint": {}}), json!({}), "names no authorization_endpoint"),
        (json!({"registration_endpoint": "\u{202e}"}), json!({}), "do not belong in a URL"),
        (json!({}), json!({"resource": 5}), "does not say which resource"),
        (json!({}), json!({"authorization_servers": {"a": 1}}), "no authorization server"),
        (
            json!({}),
            json!({"authorization_servers": [format!("https://h/{ODD}")]}),
            "do not belong",
        ),
    ] {
        let place = Authorization::start();
        place.change(|script| (script.metadata, script.resource) = (metadata, resource));
        let (code, text) = place.login(&[]).end();
        assert!(code == 5 && text.contains(words), "{code}: {text}");
        assert_eq!(place.pages_opened(), 0, "{words}");
        is_plain(&text);
    }
}

#[test]
fn a_fragment_of_the_sign_in_page_is_left_out() {
    let place = Authorization::start();
    let page = place.remote.url("/authorize?x=1#part");
    place.change(|script| script.metadata = json!({"authorization_endpoint": page}));
    let login = place.login(&[]);
    let page = login.page();
    assert!(
        page.fragment().is_none() && page.query().is_some_and(|query| query.starts_with("x=1&"))
    );
    login.kill();
}

#[test]
fn a_slash_at_the_end_of_an_issuer_is_no_other_issuer() {
    let place = Authorization::start();
    let named = place.remote.url("/t1/");
    place.change(|script| script.metadata = json!({"issuer": named}));
    place.sign_in(&[]);
    assert!(place.run(&["auth", "status"]).contains("/t1/"), "as the server writes it");
}

/// AU-38: a client that was registered by hand was so for one port, perhaps the one of mcp-remote.
#[test]
fn a_client_that_is_named_is_answered_where_mcp_remote_would_listen() {
    use composio_bridge::auth::mcp_remote::Flags;
    let place = Authorization::start();
    let endpoint = place.server.endpoint();
    let port = Flags { server_url: &endpoint, ..Flags::default() }.port();
    let is_free = || std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    let (before, client) = (is_free(), r#"--static-oauth-client-info={"client_id":"me"}"#);
    let login = place.login(&[client]);
    let back = place.consent(&login.page());
    assert!(!before || back.port() == Some(port), "{back}");
    let taken = place.login(&[client]);
    assert_ne!(place.consent(&taken.page()).port(), back.port(), "and elsewhere where it is taken");
    taken.kill();
    get(&back);
    assert_eq!(login.end().0, 0);
}

/// And nobody waits longer than was said (`--auth-timeout`).
#[test]
fn a_server_that_does_not_answer_is_not_waited_for_for_ever() {
    let place = Authorization::start();
    let silent = Remote::start(|_, exchange| {
        exchange.await_gone();
    });
    let since = Instant::now();
    let (code, text) = place.login_to(&silent.url("/mcp"), &["--auth-timeout=0.5"]).end();
    assert!(code == 5 && text.contains("hint: ") && text.contains("--auth-timeout"), "{text}");
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());

    let place = Authorization::start();
    let token = silent.url("/register");
    place.change(|script| script.metadata = json!({"registration_endpoint": token}));
    let since = Instant::now();
    let (code, text) = place.login(&["--auth-timeout=0.5"]).end();
    assert!(code == 5 && text.contains("--auth-timeout"), "{text}");
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
}

#[test]
fn where_there_is_nothing_to_sign_in_to_the_reason_is_said() {
    let place = Authorization::start();
    for (status, words) in [
        (200, "takes requests without a token"),
        (404, "HTTP 404"),
        (404, "check the URL, its path"),
        (503, "when the server works"),
    ] {
        let other = Remote::start(move |request, exchange| {
            let status = if request.path == "/mcp" { status } else { 404 };
            exchange.reply(status, &[("content-type", "application/json")], "{}");
        });
        let (code, text) = place.login_to(&other.url("/mcp"), &[]).end();
        assert!(code == 5 && text.contains(words), "{text}");
    }
    let gone = Remote::start(|_, exchange| exchange.reply(200, &[], ""));
    gone.listener().stop();
    let (code, text) = place.login_to(&gone.url("/mcp"), &[]).end();
    assert!(code == 5 && text.contains(&gone.url("")) && text.contains("hint: check"), "{text}");
    assert!(place.home.path().join("opened").metadata().is_err());
}

/// AU-62: neither a code nor a client's secret follows a redirect.
#[test]
fn what_is_posted_to_an_authorization_server_follows_no_redirect() {
    let place = Authorization::start();
    let elsewhere = Remote::start(|_, exchange| exchange.json("{\"access_token\":\"x\"}"));
    let target = elsewhere.url("/token");
    let token = Remote::start(move |_, exchange| exchange.reply(307, &[("location", &target)], ""));
    let (from, to) = (token.url("/token"), elsewhere.url("/meta"));
    place.change(|script| script.metadata = json!({"token_endpoint": from}));
    let info = r#"--static-oauth-client-info={"client_id":"me","client_secret":"marker-4b7e-own"}"#;
    let login = place.login(&[info]);
    assert!(get(&place.consent(&login.page())).starts_with("HTTP/1.1 502"));
    let (code, text) = login.end();
    assert!(code == 4 && text.contains("HTTP 307"), "{text}");
    assert!(token.requests().len() == 1 && elsewhere.requests().is_empty());

    let leads = Remote::start(move |request, exchange| match request.path.as_str() {
        "/mcp" => exchange.reply(401, &[("www-authenticate", "Bearer")], ""),
        _ => exchange.reply(302, &[("location", &to)], ""),
    });
    let (code, _) = place.login_to(&leads.url("/mcp"), &["--auth-timeout=1"]).end();
    assert!(code != 0 && elsewhere.requests().is_empty());
}

/// Idle connections, as browsers open them ahead of need, and the same answer from many tabs.
#[test]
fn one_answer_of_many_is_used_and_nobody_is_in_its_way() {
    let place = Authorization::start();
    let login = place.login(&[]);
    let back = place.consent(&login.page());
    let port = back.port().expect("a port");
    let open = |_| TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
    let idle: Vec<TcpStream> = (0..40).map(open).collect();
    let since = Instant::now();
    let tabs: Vec<_> = (0..12)
        .map(|_| {
            let back = back.clone();
            std::thread::spawn(move || std::panic::catch_unwind(|| get(&back)).unwrap_or_default())
        })
        .collect();
    let pages: Vec<String> = tabs.into_iter().map(|tab| tab.join().expect("a page")).collect();
    assert_eq!(pages.iter().filter(|page| page.contains("You are signed in")).count(), 1);
    assert_eq!(login.end().0, 0);
    assert!(since.elapsed() < Duration::from_secs(8), "{:?}", since.elapsed());
    assert_eq!(place.grants("authorization_code").len(), 1);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "nobody listens any more");
    drop(idle);
}

/// AU-50 to AU-52: what a renewal may bring, and what is sent then.
#[test]
fn odd_answers_to_a_renewal_cost_no_token() {
    for (answer, works, pages) in [
        (json!({"refresh_token": null}), true, 0),
        (json!({"token_type": "bEARER", "expires_in": "3600"}), true, 0),
        (json!({"token_type": null, "expires_in": -1}), true, 0),
        (json!({"token_type": "mac"}), false, 1),
        (json!({"access_token": null}), false, 1),
    ] {
        let place = Authorization::start();
        place.sign_in(&[]);
        let setup = place.bridge_with_browser(place.server.endpoint());
        let mut bridge = setup.arg("--auth-timeout=1").spawn();
        bridge.handshake("2025-06-18");
        place.revoke();
        place.change(|script| script.tokens = answer.clone());
        if works {
            bridge.call_works("1");
            place.revoke();
            place.change(|script| script.tokens = json!({}));
        } else {
            bridge.call("1", "x");
            bridge.refusal("1", -31002, &["sign"]);
        }
        let kept = bridge.end();
        assert_eq!(place.pages_opened(), 1 + pages, "{answer} {kept}");
        let renewals = place.grants("refresh_token");
        assert_eq!(value(&renewals[0], "refresh_token"), Some("marker-4b7e-refresh-1"));
    }
}

/// A page of something between, with status 200, is no word of the authorization server.
#[test]
fn a_renewal_that_meets_a_web_page_opens_no_browser() {
    let place = Authorization::start();
    place.sign_in(&[]);
    let mut bridge = place.bridge_with_browser(place.server.endpoint()).spawn();
    bridge.handshake("2025-06-18");
    place.revoke();
    place.change(|script| script.fails = Some((200, "<html>Welcome to our network</html>")));
    bridge.call("1", "x");
    bridge.refusal("1", -31002, &["HTTP 401"]);
    bridge.send(messages::request("2", "ping", "{}"));
    assert_eq!(place.pages_opened(), 1, "the one by hand");
    bridge.end();
}
