//! The client of Composio's REST API at the socket: where the key goes, what is asked again, pages.

use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::network::gzip;
use crate::support::{
    hosts::credentials,
    platform::{KEY, Platform},
    remote::Remote,
};

const SHOW: [&str; 3] = ["session", "show", "--session=trs_1"];
const EXECUTE: [&str; 4] = ["session", "execute", "--session=trs_1", "A_B"];

#[test]
fn a_redirect_within_the_origin_keeps_method_body_and_key() {
    for status in [301, 302, 307, 308] {
        let platform = Platform::scripted(move |request, exchange| match request.path.as_str() {
            "/moved" => exchange.json(r#"{"data":1}"#),
            _ => exchange.reply(status, &[("location", "/moved")], ""),
        });
        platform.run(&EXECUTE).healthy();
        let asked = platform.asked();
        assert_eq!(asked.len(), 2, "{asked:?}");
        assert_eq!(asked[1], ("POST /moved".to_owned(), json!({"tool_slug": "A_B"})), "{status}");
    }
    let platform = Platform::scripted(|request, exchange| match request.path.as_str() {
        "/moved" => exchange.json(r#"{"data":1}"#),
        _ => exchange.reply(303, &[("location", "/moved")], ""),
    });
    platform.run(&EXECUTE).healthy();
    assert_eq!(platform.asked()[1], ("GET /moved".to_owned(), Value::Null));
}

#[test]
fn no_key_follows_a_redirect_to_another_origin() {
    let elsewhere = Remote::start(|_, exchange| exchange.json("{}"));
    for status in [301, 302, 303, 307, 308] {
        let target = elsewhere.url("/stolen?q=SECRET");
        let platform = Platform::scripted(move |_, exchange| {
            exchange.reply(status, &[("location", &target)], "");
        });
        let report =
            platform.run(&SHOW).failed(5, &["leads on to http://127.", "not given the key"]);
        assert!(!report.contains("SECRET"), "{report}");
        assert_eq!(platform.asked().len(), 1);
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

#[test]
fn redirects_come_to_an_end() {
    let platform =
        Platform::scripted(|_, exchange| exchange.reply(307, &[("location", "/again")], ""));
    platform.run(&SHOW).failed(5, &["more than 20 times"]);
    assert_eq!(platform.asked().len(), 21);
    let platform = Platform::scripted(|_, exchange| exchange.reply(307, &[], ""));
    platform.run(&SHOW).failed(5, &["without a usable Location"]);
}

/// Each kind of key in its one header, with nothing beside it.
#[test]
fn every_kind_of_key_has_its_header() {
    let ids = [("COMPOSIO_ORG_ID", "o"), ("COMPOSIO_PROJECT_ID", "p")];
    for (variable, key, expected) in [
        ("COMPOSIO_API_KEY", "ak_1", vec![("x-api-key", "ak_1")]),
        (
            "COMPOSIO_USER_API_KEY",
            "uak_1",
            vec![("x-org-id", "o"), ("x-project-id", "p"), ("x-user-api-key", "uak_1")],
        ),
    ] {
        let platform = Platform::answering(json!({"session_id": "trs_1"}));
        let variables = [&[(variable, key)], ids.as_slice()].concat();
        platform.run_with(&SHOW, &variables, "").healthy();
        let mut found = credentials(&platform.remote.requests()[0]);
        found.sort();
        let found: Vec<_> =
            found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(found, expected);
    }
}

/// The API says the same to a key that is wrong and to one that lacks something.
#[test]
fn a_user_key_that_is_refused_may_lack_its_project() {
    let ids = [("COMPOSIO_ORG_ID", "o"), ("COMPOSIO_PROJECT_ID", "p")];
    for (key, ids, is_told) in
        [("uak_1", &[][..], true), ("uak_1", &ids[..], false), ("ak_1", &[][..], false)]
    {
        let platform = Platform::in_turn(vec![(401, json!({}))]);
        let variables = [&[("COMPOSIO_API_KEY", key)], ids].concat();
        let report = platform.run_with(&SHOW, &variables, "").failed(4, &["HTTP 401"]);
        assert_eq!(report.contains("--org-id ID --project-id ID"), is_told, "{key}: {report}");
    }
}

/// The key may be named with the command, as for a bridge.
#[test]
fn a_key_file_and_a_proxy_may_be_named() {
    let platform = Platform::answering(json!({"session_id": "trs_1"}));
    let file = platform.home.path().join("key");
    fs::write(&file, "ak_of-the-file\n").expect("it can be written");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("our own file");
    }
    let proxy = Remote::start(|_, exchange| exchange.json(r#"{"session_id":"trs_2"}"#));
    let proxied = format!("--proxy={}", proxy.url(""));
    let file = format!("--api-key-file={}", file.display());
    let words = [&SHOW[..], &[&file, &proxied, "--json"]].concat();
    let key = [("COMPOSIO_API_KEY", KEY)];
    assert_eq!(platform.run_with(&words, &key, "").json()["session_id"], "trs_2");
    assert_eq!(platform.remote.requests().len(), 0);
    let found = credentials(&proxy.requests()[0]);
    assert_eq!(found, [("x-api-key".to_owned(), "ak_of-the-file".to_owned())]);
}

/// What is configured for a server of the person's own is not for Composio.
#[test]
fn headers_for_a_server_are_not_sent_to_the_api() {
    let platform = Platform::answering(json!({"session_id": "trs_1"}));
    let config = platform.home.path().join("config/composio-bridge");
    fs::create_dir_all(&config).expect("it can be made");
    let text = "url = \"https://mine.example/mcp\"\n[headers]\nAuthorization = \"Bearer MINE\"\nx-mine = \"MINE\"\n";
    fs::write(config.join("config.toml"), text).expect("it can be written");
    let variables = [("COMPOSIO_API_KEY", KEY), ("COMPOSIO_BRIDGE_HEADER", "x-other: MINE")];
    let ran = platform.run_with(&SHOW, &variables, "");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!platform.remote.requests()[0].dump().contains("MINE"));
    platform.asked_once();
}

#[test]
fn the_base_may_have_a_path_and_name_the_version() {
    for (path, expected) in [
        ("", "/api/v3.1/tool_router/session/trs_1"),
        ("/gate/", "/gate/api/v3.1/tool_router/session/trs_1"),
        ("/gate/api/v3.1", "/gate/api/v3.1/tool_router/session/trs_1"),
    ] {
        let platform = Platform::answering(json!({"session_id": "trs_1"}));
        let base = platform.remote.url(path);
        let variables = [("COMPOSIO_API_KEY", KEY), ("COMPOSIO_BASE_URL", base.as_str())];
        platform.run_with(&SHOW, &variables, "").healthy();
        assert_eq!(platform.asked_once().0, format!("GET {expected}"));
    }
}

#[test]
fn what_passes_is_asked_again_and_succeeds() {
    let fine = json!({"session_id": "trs_1"});
    for status in [408, 409, 429, 500, 503] {
        let platform =
            Platform::in_turn(vec![(status, json!({})), (status, json!({})), (200, fine.clone())]);
        platform.run(&SHOW).healthy();
        assert_eq!(platform.asked().len(), 3, "{status}");
    }
}

#[test]
fn the_server_says_how_long_to_wait_and_whether_at_all() {
    let times = AtomicUsize::new(0);
    let platform = Platform::scripted(move |_, exchange| {
        if times.fetch_add(1, Ordering::SeqCst) == 0 {
            exchange.reply(429, &[("retry-after", "1")], "{}");
        } else {
            exchange.json("{}");
        }
    });
    let start = Instant::now();
    platform.run(&SHOW).healthy();
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());

    for headers in [
        [("retry-after", "60")],
        [("retry-after", "99999999999999999999999999")],
        [("retry-after", "Sat, 21 Nov 2099 00:00:00 GMT")],
        [("retry-after-ms", "18446744073709551615")],
        [("x-should-retry", "false")],
    ] {
        let platform = Platform::scripted(move |_, exchange| exchange.reply(429, &headers, "{}"));
        platform.run(&SHOW).failed(5, &["HTTP 429"]);
        assert_eq!(platform.asked().len(), 1, "{headers:?}");
    }
    let platform = Platform::scripted(|_, exchange| {
        exchange.reply(400, &[("x-should-retry", "true"), ("retry-after-ms", "1")], "{}");
    });
    platform.run(&SHOW).failed(5, &["HTTP 400"]);
    assert_eq!(platform.asked().len(), 3);
}

/// Who looks for a fault sees what was asked, how long it took, and nothing that may be secret.
#[test]
fn requests_are_in_the_log_without_their_contents() {
    let platform = Platform::in_turn(vec![(503, json!({})), (200, json!({"data": "SECRET"}))]);
    let words = ["session", "toolkits", "--session=trs_1", "--search=SECRET", "--log-level=debug"];
    let log = platform.run(&words).failed(5, &["GET /api/v3.1/tool_router/session/trs_1/toolkits"]);
    for part in [": HTTP 503 in ", ": HTTP 200 in ", "trying again in "] {
        assert!(log.contains(part), "{part} is missing in {log}");
    }
    assert!(!log.contains("SECRET"), "{log}");
}

/// A broken connection leaves open what happened: only what is safe is asked again.
#[test]
fn a_broken_connection_is_no_reason_to_execute_twice() {
    for (words, times, told) in [
        (SHOW.to_vec(), 3, "could not look up"),
        (EXECUTE.to_vec(), 1, "it may have been done"),
        (vec!["session", "create", "--user=u"], 1, "it may have been done"),
    ] {
        let platform = Platform::scripted(|_, exchange| exchange.reset());
        platform.run(&words).failed(5, &[told]);
        assert_eq!(platform.asked().len(), times, "{words:?}");
    }
}

#[test]
fn an_answer_that_is_no_answer_is_told() {
    for (body, told) in [
        ("<html>hello", "not JSON"),
        ("{\"items\":", "not JSON"),
        ("", "no JSON object"),
        ("\"ok\"", "no JSON object"),
    ] {
        let platform = Platform::scripted(move |_, exchange| {
            exchange.reply(200, &[("content-type", "text/html")], body);
        });
        platform.run(&SHOW).failed(5, &[told]);
    }
    let platform = Platform::answering(json!({"session_id": "trs_1"}));
    let ran = platform.run(&["session", "create", "--user=u"]);
    ran.failed(5, &["no session id and MCP URL"]);
    let platform = Platform::answering(json!({}));
    platform.run(&["session", "tools", "--session=trs_1"]).failed(5, &["no list `items`"]);
}

/// The answer to a deletion gets lost, and the second attempt finds nothing any more.
#[test]
fn what_an_attempt_before_has_deleted_is_deleted() {
    let delete = ["session", "delete", "--session=trs_1", "--yes"];
    for (first, code, told) in [(500, 0, ""), (429, 5, "HTTP 404")] {
        let platform = Platform::in_turn(vec![(first, json!({})), (404, json!({}))]);
        let ran = platform.run(&delete);
        assert_eq!((ran.code, ran.stderr.contains(told)), (Some(code), true), "{ran:?}");
        assert_eq!(platform.asked().len(), 2, "{first}");
    }
    Platform::scripted(|_, exchange| exchange.reply(204, &[], "")).run(&delete).healthy();
}

#[test]
fn a_proxy_that_is_not_there_is_named() {
    let platform = Platform::answering(json!({}));
    let proxy = "--proxy=http://u:SECRET@127.0.0.1:1";
    let report = platform
        .run(&[&SHOW[..], &[proxy]].concat())
        .failed(5, &["through the proxy http://127.0.0.1:1", "--no-proxy"]);
    assert!(!report.contains("SECRET"), "{report}");
}

/// An answer may be compressed, and one that lies about it is no answer.
#[test]
fn compressed_answers_are_read() {
    let session = gzip(br#"{"session_id":"trs_1"}"#);
    let headers = [("content-encoding", "gzip")];
    let platform = Platform::scripted(move |_, exchange| exchange.reply(200, &headers, &session));
    assert!(platform.run(&SHOW).healthy().contains("trs_1"));
    let platform = Platform::scripted(move |_, exchange| exchange.reply(200, &headers, "{}"));
    platform.run(&SHOW).failed(5, &["could not look up", "gzip"]);
}

#[test]
fn nobody_listens() {
    let platform = Platform::answering(json!({}));
    platform.remote.listener().stop();
    let report = platform.run(&EXECUTE).failed(5, &["could not execute", "is running"]);
    assert!(!report.contains("may have been done"), "{report}");
}

#[test]
fn a_deprecation_is_logged_once_and_not_on_a_healthy_stderr() {
    let platform = Platform::scripted(|request, exchange| {
        let headers = [
            ("deprecation", "true"),
            ("sunset", "Sat, 31 Jan 2027 00:00:00 GMT"),
            ("link", "<https://h/v4>; rel=\"successor-version\""),
        ];
        let next = if request.path.contains("cursor") { "null" } else { "\"c2\"" };
        exchange.reply(200, &headers, format!("{{\"items\":[],\"next_cursor\":{next}}}"));
    });
    let words = ["session", "tools", "--session=trs_1", "--all"];
    platform.run(&words).healthy();
    let ran = platform.run(&[&words[..], &["--log-level=info"]].concat());
    let said =
        "is deprecated, and ends on Sat, 31 Jan 2027 00:00:00 GMT; its successor is https://h/v4";
    assert_eq!(ran.stderr.matches(said).count(), 1, "{}", ran.stderr);
}

/// Pages of a list: one, from anywhere, or all.
#[test]
fn lists_are_read_page_by_page() {
    let platform = Platform::scripted(|request, exchange| {
        let page = |slug: &str, next: Value| {
            json!({"items": [{"slug": slug}], "next_cursor": next, "total_items": 3}).to_string()
        };
        exchange.json(match request.path.split("cursor=").nth(1) {
            None => page("A_1", json!("two")),
            Some("two") => page("A_2", json!("three")),
            Some(_) => page("A_3", Value::Null),
        });
    });
    let tools =
        |words: &[&str]| platform.run(&[&["session", "tools", "--session=trs_1"], words].concat());
    let text = tools(&[]).healthy();
    assert!(
        text.contains("A_1") && text.contains("1 of 3") && text.contains("--cursor two"),
        "{text}"
    );
    let text = tools(&["--cursor=two"]).healthy();
    assert!(
        text.contains("A_2") && !text.contains("A_1") && text.contains("--cursor three"),
        "{text}"
    );
    let text = tools(&["--all"]).healthy();
    assert!(["A_1", "A_2", "A_3"].iter().all(|slug| text.contains(slug)), "{text}");
    assert!(!text.contains("--cursor"), "{text}");
    let all = tools(&["--all", "--json", "--limit=7"]).json();
    assert_eq!(
        (all["items"].as_array().map(Vec::len), &all["next_cursor"]),
        (Some(3), &Value::Null)
    );
    let path = |n: usize| platform.asked()[n].0.clone();
    assert!(path(2).ends_with("tools?limit=500"), "{}", path(2));
    assert!(path(6).ends_with("tools?limit=7&cursor=two"), "{}", path(6));
}

#[test]
fn a_list_without_end_is_left() {
    let words = ["session", "tools", "--session=trs_1", "--all"];
    for (cursors, times) in [(["same", "same"], 2), (["one", "other"], 3)] {
        let turn = AtomicUsize::new(0);
        let platform = Platform::scripted(move |_, exchange| {
            let cursor = cursors[turn.fetch_add(1, Ordering::SeqCst) % 2];
            exchange.json(json!({"items": [], "next_cursor": cursor}).to_string());
        });
        platform.run(&words).failed(5, &["leads back"]);
        assert_eq!(platform.asked().len(), times);
    }
}
