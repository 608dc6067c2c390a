//! Composio's keys at the socket: which header carries which, and where none ever goes.

#[cfg(unix)]
use crate::support::{authorization::Authorization, hosts::run_at};
use crate::support::{
    bridge::{Bridge, Setup},
    hosts::{Hosts, credentials},
    json,
    remote::Remote,
    server::{Face, Server},
};

const PLATFORM: &str = "https://backend.composio.dev/tool_router/trs_1/mcp";
const CONNECT: &str = "https://connect.composio.dev/mcp";
const FOREIGN: &str = "https://other.test/mcp";
const MARKER: &str = "s3cr3t-m4rk3r-0123";

/// A handshake and a call, which must work.
#[track_caller]
fn works(setup: Setup) {
    let mut bridge = setup.spawn();
    bridge.handshake("2025-11-25");
    bridge.call_works("1");
    bridge.finish();
}

/// Ends with code 3 before it has asked anybody.
#[track_caller]
fn refused(hosts: &Hosts, setup: Setup, words: &[&str]) {
    let mut bridge = setup.spawn();
    let status = bridge.await_exit(std::time::Duration::from_secs(30));
    bridge.rest();
    let stderr = bridge.await_stderr('\n');
    assert_eq!(status.code(), Some(3), "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "{word} is missing in: {stderr}");
    }
    assert!(!stderr.contains(MARKER), "{stderr}");
    assert_eq!(hosts.asked(), [""; 0], "it is refused before anything is sent");
}

/// Every request so far carries these credentials and no other.
#[track_caller]
fn all_carry(hosts: &Hosts, expected: &[(&str, &str)]) {
    let requests = hosts.requests();
    assert!(requests.len() >= 3);
    for request in requests {
        let mut found = credentials(&request);
        found.sort();
        let found: Vec<_> = found.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(found, expected, "{}", request.dump());
    }
}

#[test]
fn each_kind_of_key_goes_in_its_header_or_is_refused() {
    let (ak, uak, ck) = (format!("ak_{MARKER}"), format!("uak_{MARKER}"), format!("ck_{MARKER}"));
    let ids = [("x-org-id", "o"), ("x-project-id", "p")];
    for (url, variable, key, header) in [
        (PLATFORM, "COMPOSIO_API_KEY", &ak, Ok("x-api-key")),
        (PLATFORM, "COMPOSIO_API_KEY", &uak, Ok("x-user-api-key")),
        (PLATFORM, "COMPOSIO_USER_API_KEY", &uak, Ok("x-user-api-key")),
        (PLATFORM, "COMPOSIO_API_KEY", &ck, Err("connect.composio.dev")),
        (PLATFORM, "COMPOSIO_CONSUMER_API_KEY", &ck, Err("ak_…")),
        (CONNECT, "COMPOSIO_API_KEY", &ak, Err("ck_…")),
        (CONNECT, "COMPOSIO_USER_API_KEY", &uak, Err("ck_…")),
        (CONNECT, "COMPOSIO_API_KEY", &ck, Ok("x-consumer-api-key")),
        (CONNECT, "COMPOSIO_CONSUMER_API_KEY", &ck, Ok("x-consumer-api-key")),
    ] {
        let hosts = Hosts::start();
        let setup = hosts.bridge(url).env(variable, key.as_str());
        let setup = setup.env("COMPOSIO_ORG_ID", "o").env("COMPOSIO_PROJECT_ID", "p");
        match header {
            Err(word) => refused(&hosts, setup, &[word, variable, "does not fit"]),
            Ok(header) => {
                works(setup);
                let mut expected = vec![(header, key.as_str())];
                expected.extend(ids.iter().filter(|_| header == "x-user-api-key"));
                expected.sort_unstable();
                all_carry(&hosts, &expected);
            }
        }
    }
}

#[test]
fn no_request_carries_two_credentials() {
    let hosts = Hosts::start();
    let two = ["x-api-key: ${K}", "Authorization: Bearer ${K}"];
    let setup = hosts.bridge(PLATFORM).env("K", MARKER);
    refused(
        &hosts,
        setup.arg("--header").arg(two[0]).arg("--header").arg(two[1]),
        &["two headers carry a credential"],
    );
    for (header, name, value) in [
        ("Authorization: Bearer ${K}", "authorization", "Bearer mine"),
        ("x-api-key: ak_${K}", "x-api-key", "ak_mine"),
        ("x-org-api-key: ${K}", "x-org-api-key", "mine"),
    ] {
        let hosts = Hosts::start();
        hosts.run(&["key", "set"], &format!("ak_stored_{MARKER}\n"));
        let setup = hosts.bridge(PLATFORM).arg("--header").arg(header).env("K", "mine");
        let setup = setup.env("COMPOSIO_API_KEY", MARKER).env("COMPOSIO_USER_API_KEY", MARKER);
        works(setup.env("COMPOSIO_CONSUMER_API_KEY", MARKER));
        all_carry(&hosts, &[(name, value)]);
    }
}

#[test]
fn two_credentials_are_refused_at_what_stands_for_composio_too() {
    let hosts = Hosts::start();
    let setup = hosts.bridge(FOREIGN).env("COMPOSIO_BASE_URL", "https://other.test/composio");
    let setup = setup.arg("--header=x-api-key: ${K}").arg("--header=Authorization: ${K}");
    refused(&hosts, setup.env("K", MARKER), &["two headers carry a credential"]);
    let setup = hosts.bridge(FOREIGN).env("COMPOSIO_BASE_URL", "https://other.test/composio");
    works(setup.env("COMPOSIO_API_KEY", "ak_1"));
    all_carry(&hosts, &[("x-api-key", "ak_1")]);
}

#[test]
fn no_key_goes_to_a_foreign_origin() {
    for url in [
        FOREIGN,
        "https://backend.composio.dev.other.test/mcp",
        "https://other.test/tool_router/trs_1/mcp?host=backend.composio.dev",
    ] {
        let hosts = Hosts::start();
        hosts.run(&["key", "set"], &format!("ak_{MARKER}\n"));
        let cli = hosts.home.path().join(".composio");
        std::fs::create_dir(&cli).expect("it can be made");
        let text = format!(r#"{{"api_key":"uak_{MARKER}"}}"#);
        std::fs::write(cli.join("user_data.json"), text).expect("it can be written");
        let setup = hosts.bridge(url).arg("--use-composio-cli-key");
        let setup = setup.env("COMPOSIO_API_KEY", MARKER).env("COMPOSIO_USER_API_KEY", MARKER);
        let setup = setup.env("COMPOSIO_CONSUMER_API_KEY", MARKER);
        // Another port and another scheme are another origin.
        works(setup.env("COMPOSIO_BASE_URL", "https://other.test:8443/"));
        assert!(hosts.requests().len() >= 3);
        for request in hosts.requests() {
            assert!(!request.dump().contains(MARKER), "{}", request.dump());
        }
    }
}

#[test]
fn no_key_goes_to_composio_without_encryption() {
    let server = crate::support::server::Server::start(crate::support::server::Face::Http);
    let proxy = format!("--proxy=http://{}", server.listener().addr);
    let setup = crate::support::bridge::Bridge::to("http://composio.dev/mcp").arg(proxy);
    let setup = setup.arg("--allow-http").arg("--transport=http-only");
    works(setup.env("COMPOSIO_API_KEY", MARKER));
    assert!(server.requests().len() >= 3);
    for request in server.requests() {
        assert!(!request.dump().contains(MARKER), "{}", request.dump());
    }
}

#[test]
fn a_redirect_within_the_origin_keeps_key_and_body() {
    for status in [301, 302, 303, 307, 308] {
        let hosts = Hosts::scripted(move |request, exchange| {
            let moved = request.path == "/v3/mcp/5f0c/?user_id=u";
            if moved {
                let to = [("location", "/v3/mcp/5f0c/mcp?user_id=u")];
                exchange.reply(status, &to, "");
            }
            moved
        });
        let url = "https://backend.composio.dev/v3/mcp/5f0c/?user_id=u";
        works(hosts.bridge(url).env("COMPOSIO_API_KEY", "ak_1"));
        all_carry(&hosts, &[("x-api-key", "ak_1")]);
        let calls: Vec<_> =
            hosts.requests().into_iter().filter(|r| r.is_rpc("tools/call")).collect();
        assert_eq!(calls.len(), 2, "{status}: once refused with a redirect, once carried out");
        assert_eq!(calls[0].body, calls[1].body);
        assert_eq!(calls[1].path, "/v3/mcp/5f0c/mcp?user_id=u");
        assert_eq!(
            (calls[1].method.as_str(), calls[1].header("host")),
            ("POST", Some("backend.composio.dev"))
        );
    }
}

#[test]
fn a_redirect_to_another_origin_gets_no_key_and_no_request() {
    for to in [
        "https://connect.composio.dev/mcp",
        "https://other.test/mcp",
        "https://backend.composio.dev:8443/mcp",
        "http://backend.composio.dev/mcp",
        "//other.test/mcp",
    ] {
        let hosts = Hosts::scripted(move |_, exchange| {
            exchange.reply(307, &[("location", to)], "");
            true
        });
        let setup = hosts.bridge(PLATFORM).arg("--startup-grace=30");
        let mut bridge = setup.env("COMPOSIO_USER_API_KEY", format!("uak_{MARKER}")).spawn();
        bridge.send(json::initialize("1", "2025-11-25"));
        let answer = bridge.answer_to("1").to_string();
        assert!(answer.contains("redirect"), "{to}: {answer}");
        assert!(!(answer + &bridge.end()).contains(MARKER));
        assert!(!hosts.requests().is_empty());
        assert!(hosts.asked().iter().all(|asked| asked == "CONNECT backend.composio.dev:443"));
        for request in hosts.requests() {
            assert_eq!(request.header("host"), Some("backend.composio.dev"));
        }
    }
}

fn texts(output: &std::process::Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_stored_key_is_used_replaced_shown_by_its_end_and_removed() {
    let hosts = Hosts::start();
    let (code, said, _) = texts(&hosts.run(&["key", "show"], ""));
    assert_eq!(code, 0);
    assert!(said.contains("There is no key") && said.contains("key set"), "{said}");
    let mut all = String::new();
    for (key, args) in [
        (format!("ak_{MARKER}"), &["key", "set"][..]),
        (format!("uak_{MARKER}9"), &["key", "set", "--org", "o", "--project=p"]),
    ] {
        let (code, said, wrong) = texts(&hosts.run(args, &format!("  {key}\r\nmore\n")));
        assert_eq!((code, wrong.as_str()), (0, ""), "{said}");
        all += &said;
    }
    works(hosts.bridge(PLATFORM));
    let key = format!("uak_{MARKER}9");
    all_carry(&hosts, &[("x-org-id", "o"), ("x-project-id", "p"), ("x-user-api-key", &key)]);

    let (_, said, _) = texts(&hosts.run(&["key", "show"], ""));
    assert!(said.contains("a user key") && said.contains("1239"), "{said}");
    all += &said;
    let (_, said, _) = texts(&hosts.run(&["key", "show", "--json"], ""));
    let shown: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(shown[0]["kind"], "user");
    assert_eq!(shown[0]["header"], "x-user-api-key");
    assert_eq!(shown[0]["endsWith"], "1239");
    assert_eq!((&shown[0]["org"], &shown[0]["project"]), (&"o".into(), &"p".into()));
    assert_eq!(shown[0]["usedFor"], serde_json::json!(["platform"]));
    all += &said;
    assert!(!all.contains(MARKER), "{all}");

    let before = hosts.requests().len();
    let (_, said, _) = texts(&hosts.run(&["key", "remove"], ""));
    assert!(said.contains("Removed"), "{said}");
    works(hosts.bridge(PLATFORM));
    assert!(hosts.requests()[before..].iter().all(|request| credentials(request).is_empty()));
    let (code, said, _) = texts(&hosts.run(&["key", "remove"], ""));
    assert_eq!((code, said.as_str()), (0, "No key was stored.\n"));
}

/// What people paste in the place of a key, or around one.
#[test]
fn what_is_certainly_no_key_is_told_before_anything_is_sent() {
    let bearer = format!("Bearer ak_{MARKER}");
    let header = format!("x-api-key: ak_{MARKER}");
    for (key, word) in [
        (bearer.as_str(), "`Bearer`"),
        (&header, "a header's name"),
        ("ak_...", "placeholder"),
        ("${COMPOSIO_API_KEY}", "placeholder"),
        ("YOUR_API_KEY", "placeholder"),
        (" ", "empty"),
    ] {
        let hosts = Hosts::start();
        let setup = hosts.bridge(PLATFORM).env("COMPOSIO_API_KEY", key);
        refused(&hosts, setup, &[word, "COMPOSIO_API_KEY", "hint: "]);
    }
    let hosts = Hosts::start();
    let quoted = format!("\"ak_{MARKER}\"");
    works(hosts.bridge(PLATFORM).env("COMPOSIO_API_KEY", quoted.as_str()));
    all_carry(&hosts, &[("x-api-key", quoted.trim_matches('"'))]);
}

/// It is somebody else's variable there.
#[test]
fn what_is_no_key_keeps_nobody_from_a_server_on_this_machine() {
    let server = Server::start(Face::Http);
    let remote = Remote::start(move |request, exchange| server.serve(request, exchange));
    let setup = Bridge::to(remote.url("/mcp")).arg("--transport=http-only");
    let mut bridge = setup.env("COMPOSIO_API_KEY", "${COMPOSIO_API_KEY}").spawn();
    bridge.handshake("2025-11-25");
    bridge.call_works("1");
    let said = bridge.end();
    assert!(said.contains("placeholder") && said.lines().count() == 1, "{said}");
    assert!(remote.requests().iter().all(|request| credentials(request).is_empty()));
}

#[test]
fn what_is_no_key_is_not_stored_and_not_shown() {
    let hosts = Hosts::start();
    let user = format!("uak_{MARKER}\n");
    let project = format!("ak_{MARKER}\n");
    let control = format!("ak_{MARKER}\u{1}\n");
    for (args, stdin, code, word) in [
        (&["key", "set"][..], "", 3, "empty"),
        (&["key", "set"], "\nak_1\n", 3, "empty"),
        (&["key", "set"], &control, 3, "control character"),
        (&["key", "set", "--org", "o"], &user, 3, "both or neither"),
        (&["key", "set", "--org", "o", "--project", "p"], &project, 2, "user keys"),
        (&["key", "set", MARKER], "", 2, "unexpected argument"),
        (&["key"], "", 2, "set, show, remove"),
    ] {
        let (status, said, wrong) = texts(&hosts.run(args, stdin));
        assert_eq!((status, said.as_str()), (code, ""), "{args:?}: {wrong}");
        assert!(wrong.contains(word) && !wrong.contains(MARKER), "{args:?}: {wrong}");
    }
    let (_, said, _) = texts(&hosts.run(&["key", "show"], ""));
    assert!(said.contains("There is no key"), "{said}");
}

#[cfg(unix)]
#[test]
fn the_stored_key_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let hosts = Hosts::start();
    hosts.run(&["key", "set"], "ak_1\n");
    let directory = hosts.home.path().join("state/composio-bridge/keys");
    let mode = |path: &std::path::Path| {
        std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
    };
    let files: Vec<_> = std::fs::read_dir(&directory).expect("there").flatten().collect();
    assert_eq!((mode(&directory), files.len()), (0o700, 1));
    assert_eq!(mode(&files[0].path()), 0o600);
}

#[cfg(unix)]
#[test]
fn no_key_is_in_a_log_an_answer_or_a_file_of_ours_but_where_it_is_stored() {
    type Way = fn(&Hosts, Setup) -> Setup;
    let ways: [(&str, &str, Way); 6] = [
        (PLATFORM, "x-api-key", |_, setup| setup.env("COMPOSIO_API_KEY", format!("ak_{MARKER}"))),
        (PLATFORM, "x-user-api-key", |_, setup| {
            setup.env("COMPOSIO_USER_API_KEY", format!("uak_{MARKER}"))
        }),
        (CONNECT, "x-consumer-api-key", |_, setup| {
            setup.env("COMPOSIO_CONSUMER_API_KEY", format!("ck_{MARKER}"))
        }),
        (CONNECT, "x-consumer-api-key", |_, setup| {
            setup.arg(format!("--api-key-command=echo ck_{MARKER}"))
        }),
        (PLATFORM, "x-user-api-key", |hosts, setup| {
            hosts.run(&["key", "set"], &format!("uak_{MARKER}"));
            setup
        }),
        (PLATFORM, "x-user-api-key", |hosts, setup| {
            let directory = hosts.home.path().join(".composio");
            std::fs::create_dir(&directory).expect("it can be made");
            let text = format!(r#"{{"api_key":"uak_{MARKER}"}}"#);
            std::fs::write(directory.join("user_data.json"), text).expect("it can be written");
            setup.arg("--use-composio-cli-key")
        }),
    ];
    for (n, (url, header, way)) in ways.into_iter().enumerate() {
        let hosts = Hosts::scripted(|request, exchange| {
            let is_refused = request.is_rpc("tools/call");
            if is_refused {
                exchange.reply(401, &[], r#"{"error":{"message":"Invalid API key"}}"#);
            }
            is_refused
        });
        let log = hosts.home.path().join("log");
        let setup = hosts.bridge(url).arg("--log-level=trace");
        let setup = setup.arg(format!("--log-file={}", log.display()));
        let mut bridge = way(&hosts, setup).spawn();
        bridge.handshake("2025-11-25");
        bridge.call("1", "refused");
        let said = bridge.answer_to("1").to_string() + &bridge.end();
        let logged = std::fs::read_to_string(&log).expect("a log file");
        assert!(logged.len() > 100, "{n}: at trace level something is logged");
        assert!(!said.contains(MARKER) && !logged.contains(MARKER), "{n}: {said}{logged}");
        for request in hosts.requests() {
            assert!(request.header(header).is_some_and(|value| value.ends_with(MARKER)), "{n}");
        }
        let kept = holders(&hosts.home.path().join("state"));
        let expected: &[&str] = if n == 4 { &["composio.json"] } else { &[] };
        assert_eq!(kept, expected, "{n}");
    }
}

/// The names of the files that hold the marker.
#[cfg(unix)]
fn holders(folder: &std::path::Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            names.extend(holders(&path));
        } else if String::from_utf8_lossy(&std::fs::read(&path).expect("readable")).contains(MARKER)
        {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names
}

#[cfg(unix)]
#[test]
fn a_sign_in_and_a_key_are_never_sent_together() {
    let place = Authorization::start();
    place.sign_in(&[]);
    let before = place.server.requests().len();
    let setup = place.bridge().env("COMPOSIO_API_KEY", "ak_1");
    let mut bridge = setup.spawn();
    bridge.send(json::initialize("1", "2025-06-18"));
    bridge.refusal("1", -31002, &["HTTP 401"]);
    bridge.end();
    let seen = place.server.requests();
    assert!(seen.len() > before);
    for request in &seen[before..] {
        let key = ("x-api-key".to_owned(), "ak_1".to_owned());
        assert_eq!(credentials(request), [key], "{}", request.dump());
    }
    // A stored key is for Composio, so that here the sign-in is what is used.
    assert!(run_at(place.home.path(), &["key", "set"], "ak_stored\n").status.success());
    let mut bridge = place.bridge().spawn();
    bridge.handshake("2025-06-18");
    bridge.call_works("2");
    bridge.finish();
    for request in &place.server.requests()[seen.len()..] {
        let found = credentials(request);
        assert_eq!((found.len(), found[0].0.as_str()), (1, "authorization"));
    }
}
