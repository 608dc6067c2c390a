//! `composio-bridge session authorize`, and sessions that bridges share.

use std::{
    ffi::OsString,
    fs,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use composio_bridge::{
    cli,
    composio::{
        rest::Api,
        session::{obtain, remembered::Store},
    },
    config::{Config, environment::Environment},
};
use serde_json::{Value, json};

use crate::support::{
    http::{Exchange, Request},
    platform::{KEY, Platform},
};

const WORDS: [&str; 4] = ["session", "authorize", "gmail", "--session=trs_1"];

/// The API of a session whose toolkit has these accounts, one look after the other.
fn accounts(looks: Vec<Value>) -> Platform {
    let seen = AtomicUsize::new(0);
    Platform::scripted(move |request: &std::sync::Arc<Request>, exchange: &mut Exchange| {
        if request.method == "POST" {
            let link = json!({
                "connected_account_id": "ca_new", "link_token": "lt",
                "redirect_url": "https://connect.composio.dev/link/lt",
            });
            exchange.reply(201, &[("content-type", "application/json")], link.to_string());
            return;
        }
        let look = seen.fetch_add(1, Ordering::SeqCst).min(looks.len() - 1);
        exchange.json(page(&looks[look]).to_string());
    })
}

/// The toolkits of a session: one, with this account.
fn page(account: &Value) -> Value {
    let item = json!({"slug": "gmail", "connected_account": account});
    json!({"items": [item], "next_cursor": null})
}

fn account(id: &str, status: &str) -> Value {
    json!({"id": id, "status": status})
}

#[test]
fn waiting_ends_when_the_new_account_is_connected() {
    let old = account("ca_old", "ACTIVE");
    for looks in [
        vec![Value::Null, Value::Null, account("ca_new", "ACTIVE")],
        vec![Value::Null, account("ca_new", "INITIATED"), account("ca_new", "ACTIVE")],
        vec![old.clone(), old, account("ca_new", "ACTIVE")],
    ] {
        let platform = accounts(looks);
        let words = ["session", "authorize", "Gmail", "--session=trs_1", "--wait", "--timeout=8"];
        let text = platform.run(&words).healthy();
        assert!(text.contains("https://connect.composio.dev/link/lt"), "{text}");
        assert!(text.ends_with("Connected Gmail: ca_new\n"), "{text}");
        let asked = platform.asked();
        let asked: Vec<_> = asked.iter().map(|(line, _)| line.split(' ').next()).collect();
        assert_eq!(asked, [Some("GET"), Some("POST"), Some("GET"), Some("GET")]);
    }
}

/// A wait of minutes outlives a gateway that is away, and not a key that is refused.
#[test]
fn what_passes_does_not_end_the_wait() {
    let wait = [&WORDS[..], &["--wait", "--timeout=4"]].concat();
    for (status, code, word) in [(503, 0, "Connected gmail: ca_new"), (401, 4, "http")] {
        let looks = AtomicUsize::new(0);
        let platform = Platform::scripted(move |request, exchange| {
            if request.method == "POST" {
                let link = json!({"connected_account_id": "ca_new", "redirect_url": "https://h/l"});
                return exchange.json(link.to_string());
            }
            let headers = [("retry-after-ms", "1")];
            match looks.fetch_add(1, Ordering::SeqCst) {
                0 => exchange.json(page(&Value::Null).to_string()),
                1..=3 => exchange.reply(status, &headers, "{}"),
                _ => exchange.json(page(&account("ca_new", "ACTIVE")).to_string()),
            }
        });
        let ran = platform.run(&wait);
        assert_eq!((ran.code, ran.stdout.contains(word)), (Some(code), true), "{ran:?}");
    }
}

#[test]
fn waiting_ends_when_it_came_to_nothing_or_takes_too_long() {
    let platform = accounts(vec![Value::Null, account("ca_new", "FAILED")]);
    let ran = platform.run(&[&WORDS[..], &["--wait", "--timeout=20"]].concat());
    ran.failed(4, &["was not connected", "FAILED", "new link"]);

    let platform = accounts(vec![account("ca_old", "ACTIVE")]);
    let start = Instant::now();
    let ran = platform.run(&[&WORDS[..], &["--wait", "--timeout=0.4"]].concat());
    assert!(ran.stdout.contains("/link/lt"), "{ran:?}");
    ran.failed(1, &["was not connected", "within 0.4 s", "--timeout"]);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[cfg(unix)]
#[test]
fn the_link_is_opened_in_the_browser_where_that_was_asked_for() {
    use std::os::unix::fs::PermissionsExt;
    let platform = accounts(vec![Value::Null]);
    let (browser, page) = (platform.home.path().join("browser"), platform.home.path().join("page"));
    fs::write(&browser, format!("#!/bin/sh\nprintf %s \"$1\" > '{}'\n", page.display()))
        .expect("written");
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o755)).expect("our own file");
    let browser = browser.display().to_string();
    let variables = [("COMPOSIO_API_KEY", KEY), ("BROWSER", browser.as_str())];
    platform.run_with(&WORDS, &variables, "").healthy();
    assert!(!page.exists());
    platform.run_with(&[&WORDS[..], &["--open"]].concat(), &variables, "").healthy();
    assert_eq!(
        fs::read_to_string(&page).ok().as_deref(),
        Some("https://connect.composio.dev/link/lt")
    );
}

/// On a machine without one, somebody opens the link elsewhere.
#[cfg(unix)]
#[test]
fn without_a_browser_the_connection_is_awaited_all_the_same() {
    let platform = accounts(vec![Value::Null, account("ca_new", "ACTIVE")]);
    let variables = [("COMPOSIO_API_KEY", KEY), ("PATH", "/nonexistent")];
    let words = [&WORDS[..], &["--open", "--wait", "--timeout=2"]].concat();
    let ran = platform.run_with(&words, &variables, "");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("Connected gmail: ca_new"), "{ran:?}");
    assert!(ran.stderr.contains("could not open a browser"), "{ran:?}");
    let alone = platform.run_with(&[&WORDS[..], &["--open"]].concat(), &variables, "");
    alone.failed(1, &["could not open a browser", "copy the URL"]);
}

#[test]
fn a_link_that_is_no_page_is_not_opened() {
    let link = json!({"connected_account_id": "ca", "redirect_url": "javascript:alert(1)"});
    let platform = Platform::answering(link);
    platform.run(&[&WORDS[..], &["--open"]].concat()).failed(5, &["cannot be opened"]);
    let platform = Platform::answering(json!({"connected_account_id": "ca"}));
    platform.run(&WORDS).failed(5, &["no URL"]);
}

fn api(platform: &Platform) -> Api {
    let base = platform.remote.url("");
    let cli = cli::parse(vec![OsString::from("composio-bridge")]).expect("it is a command line");
    let variables = [("COMPOSIO_API_KEY", KEY), ("COMPOSIO_BASE_URL", base.as_str())];
    Api::new(Config::for_api(cli, &Environment::of(variables)).expect("it is right"))
}

/// Of several that want the same session at once, one makes it; who finds it gone makes a new one.
#[test]
fn one_session_is_made_for_one_wish() {
    let made = AtomicUsize::new(0);
    let platform = Platform::scripted(move |_, exchange| {
        std::thread::sleep(Duration::from_millis(50));
        let id = format!("trs_{}", made.fetch_add(1, Ordering::SeqCst));
        let url = format!("https://backend.composio.dev/tool_router/{id}/mcp");
        exchange.json(json!({"session_id": id, "mcp": {"type": "http", "url": url}}).to_string());
    });
    let store = Store::below(platform.home.path());
    let body = json!({"user_id": "u"});
    let one = |gone: Option<&str>| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let work =
            async { obtain(&api(&platform), Some(&store), &body, gone).await.expect("made").id };
        runtime.expect("a runtime").block_on(work)
    };
    let ids: Vec<String> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| one(None))).collect();
        all.into_iter().map(|one| one.join().expect("it ends")).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(platform.asked().len(), 1);
    assert_eq!(store.forget(&ids[0]), Ok(true));
    let second = one(None);
    assert_ne!(second, ids[0]);
    assert_eq!((one(None), platform.asked().len()), (second.clone(), 2));
    assert_ne!(one(Some(&second)), second, "it could not be forgotten, and is gone");
    assert_eq!(platform.asked().len(), 3);
}
