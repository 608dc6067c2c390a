//! Which key is used, of those that there are.

use super::{super::Config, KeySource, OTHER, Place, key};
use crate::composio::{
    key::{Key, Kind},
    key_store::KeyStore,
};

const PLATFORM: &str = "https://backend.composio.dev/tool_router/trs_1/mcp";
const CONNECT: &str = "https://connect.composio.dev/mcp";
const LOCAL: &str = "http://127.0.0.1:9/mcp";

/// The header and the key that are sent, or nothing.
fn sent(config: &Config) -> String {
    match &config.key {
        None => String::new(),
        Some(KeySource::Command { .. }) => "a command's".to_owned(),
        Some(KeySource::Value(key)) => {
            let lines = key.headers().into_iter();
            let line = |(name, value): (_, http::HeaderValue)| {
                format!("{name} {}", value.to_str().expect("the tests use ASCII"))
            };
            lines.map(line).collect::<Vec<_>>().join(", ")
        }
    }
}

#[cfg(unix)]
fn store(place: &Place, key: &str, ids: Option<&str>) {
    let store = KeyStore::below(&place.environment().state_dir().expect("there is a home"));
    let key = Key::new(key, Kind::Unknown, ids, ids).expect("a good key");
    store.write(&key).expect("it can be stored");
}

#[test]
fn each_variable_has_its_header_and_its_place() {
    let place = Place::new()
        .var("COMPOSIO_USER_API_KEY", "uak_1")
        .var("COMPOSIO_ORG_ID", "o")
        .var("COMPOSIO_PROJECT_ID", "p")
        .var("COMPOSIO_CONSUMER_API_KEY", "odd");
    let user = "x-user-api-key uak_1, x-org-id o, x-project-id p";
    assert_eq!(sent(&place.load(&[PLATFORM])), user);
    assert_eq!(sent(&place.load(&[CONNECT])), "x-consumer-api-key odd");
    assert_eq!(sent(&place.load(&[LOCAL])), user);
    assert_eq!(sent(&place.load(&[OTHER])), "");
    let place = place.var("COMPOSIO_API_KEY", "ak_1");
    assert_eq!(sent(&place.load(&[PLATFORM])), "x-api-key ak_1", "the project's before a person's");
    assert_eq!(sent(&place.load(&[CONNECT])), "x-consumer-api-key odd");
}

#[test]
fn a_key_that_does_not_fit_is_refused_with_what_would() {
    for (url, variable, value, words) in [
        (CONNECT, "COMPOSIO_API_KEY", "ak_SECRET", ["a project key", "ck_…", "For You"]),
        (CONNECT, "COMPOSIO_USER_API_KEY", "uak_SECRET", ["a user key", "ck_…", "login URL"]),
        (CONNECT, "COMPOSIO_API_KEY", "SECRET", ["without a known prefix", "ck_…", "key set"]),
        (PLATFORM, "COMPOSIO_API_KEY", "ck_SECRET", ["a consumer key", "connect.composio", "ak_…"]),
        (PLATFORM, "COMPOSIO_CONSUMER_API_KEY", "SECRET", ["consumer", "project key", "ak_…"]),
    ] {
        let report = Place::new().var(variable, value).report(&[url]);
        for word in words.into_iter().chain([variable]) {
            assert!(report.contains(word), "{word} is missing in: {report}");
        }
        assert!(!report.contains("SECRET"), "{report}");
    }
    let place = Place::new().beside("key", "ck_SECRET").var("COMPOSIO_API_KEY", "ak_1");
    let report = place.report(&[PLATFORM, "--api-key-file", "~/key"]);
    assert!(report.contains("does not fit") && !report.contains("SECRET"), "{report}");
    let ids = Place::new().var("COMPOSIO_USER_API_KEY", "uak_SECRET").var("COMPOSIO_ORG_ID", "o");
    assert!(ids.report(&[PLATFORM]).contains("COMPOSIO_PROJECT_ID"));
}

#[test]
fn signing_in_is_not_hindered_by_a_key_for_other_places() {
    let place = Place::new().var("COMPOSIO_API_KEY", "ak_1");
    let config = place.load(&["login", CONNECT]);
    assert!(config.key.is_none() && config.may_sign_in);
}

#[test]
fn a_header_with_a_key_is_checked_too() {
    for (url, header, word) in [
        (CONNECT, "x-api-key: ${K}", "ck_…"),
        (CONNECT, "x-user-api-key: ${K}", "ck_…"),
        (PLATFORM, "x-consumer-api-key: ${K}", "ak_…"),
        (PLATFORM, "x-api-key: ck_${K}", "ak_…"),
        (PLATFORM, "x-api-key: uak_${K}", "belongs in x-user-api-key"),
        (CONNECT, "x-api-key: ck_${K}", "belongs in x-consumer-api-key"),
    ] {
        let report = Place::new().var("K", "SECRET").report(&[url, "--header", header]);
        assert!(report.contains(word) && !report.contains("SECRET"), "{header}: {report}");
    }
    for (url, header) in [
        (CONNECT, "x-consumer-api-key: ${K}"),
        (CONNECT, "Authorization: Bearer ${K}"),
        (PLATFORM, "x-api-key: ak_${K}"),
        (PLATFORM, "x-user-api-key: uak_${K}"),
        (PLATFORM, "x-org-api-key: ${K}"),
        (OTHER, "x-api-key: ck_${K}"),
        (LOCAL, "x-consumer-api-key: ak_${K}"),
    ] {
        let place = Place::new().var("K", "k").var("COMPOSIO_API_KEY", "ak_1");
        let config = place.load(&[url, "--header", header]);
        assert_eq!((config.headers.len(), key(&config)), (1, None), "{url} {header}");
    }
}

#[cfg(unix)]
#[test]
fn a_stored_key_is_the_last_and_goes_to_composio_alone() {
    let place = Place::new();
    store(&place, "uak_stored", Some("i"));
    let stored = "x-user-api-key uak_stored, x-org-id i, x-project-id i";
    assert_eq!(sent(&place.load(&[PLATFORM])), stored);
    assert_eq!(sent(&place.load(&[LOCAL])), "", "not every server on this machine is Composio's");
    let config = place.load(&[CONNECT]);
    assert!(config.key.is_none() && config.may_sign_in, "it does not fit, and nobody named it");
    assert_eq!((sent(&place.load(&[OTHER])), place.load(&[OTHER]).warnings), ("".into(), vec![]));
    let place = place.var("COMPOSIO_BASE_URL", "http://127.0.0.1:9/api");
    assert_eq!(sent(&place.load(&[LOCAL])), stored);
    assert_eq!(sent(&place.load(&["http://127.0.0.1:8/mcp"])), "");
    let place = place.file("api-key-command = ['x']\n");
    assert_eq!(sent(&place.load(&[PLATFORM])), "a command's");
    let place = place.var("COMPOSIO_API_KEY", "ak_1");
    assert_eq!(sent(&place.load(&[PLATFORM])), "x-api-key ak_1");
    store(&place, "ck_1", None);
    assert_eq!(sent(&place.load(&[CONNECT])), "a command's", "only running it would tell");
}

#[cfg(unix)]
#[test]
fn composios_own_files_are_read_only_where_that_was_asked_for() {
    let place = Place::new();
    let directory = place.home.path().join(".composio");
    std::fs::create_dir(&directory).expect("it can be made");
    std::fs::write(directory.join("user_data.json"), r#"{"api_key":"uak_cli"}"#).expect("written");
    assert_eq!(sent(&place.load(&[PLATFORM])), "");
    let asked = [PLATFORM, "--use-composio-cli-key", "--org-id", "o", "--project-id=p"];
    assert_eq!(sent(&place.load(&asked)), "x-user-api-key uak_cli, x-org-id o, x-project-id p");
    let config = place.load(&[OTHER, "--use-composio-cli-key"]);
    assert_eq!((sent(&config).as_str(), config.warnings.len()), ("", 0));
    let place = place.var("COMPOSIO_API_KEY", "ak_1");
    assert_eq!(sent(&place.load(&asked)), "x-api-key ak_1");
    let none = Place::new();
    assert!(none.report(&[PLATFORM, "--use-composio-cli-key"]).contains("composio login"));
    let file = Place::new().file("use-composio-cli-key = true\n");
    assert!(file.report(&[PLATFORM]).contains("composio login"));
    assert_eq!(sent(&file.load(&[PLATFORM, "--header", "authorization: x"])), "");
}

/// Every shape of URL with every kind of key: the header that is sent, or words of what is said.
#[test]
fn every_shape_of_url_with_every_kind_of_key() {
    const KEYS: [(&str, &str); 4] = [
        ("ak_1", "x-api-key ak_1"),
        ("uak_1", "x-user-api-key uak_1"),
        ("ck_1", "x-consumer-api-key ck_1"),
        ("odd", "x-api-key odd"),
    ];
    enum Expected {
        /// The header of the key's kind, but for those kinds that do not fit.
        Sent(&'static [&'static str]),
        /// Nothing is sent along, and nothing is said.
        Bare,
        /// Whatever the key is.
        Refused(&'static str),
    }
    use Expected::{Bare, Refused, Sent};
    let platform = || Sent(&["ck_1"]);
    for (url, expected) in [
        ("https://backend.composio.dev/tool_router/trs_1/mcp", platform()),
        ("https://backend.composio.dev/tool_router/session/trs_1/mcp", platform()),
        ("https://backend.composio.dev/tool_router/trs_1", platform()),
        ("https://app.composio.dev/tool_router/v3/trs_123456789/mcp", platform()),
        ("https://backend.composio.dev/v3/mcp/5f0c?user_id=u", platform()),
        ("https://backend.composio.dev/v3/mcp/5f0c?connected_account_id=ca_1", platform()),
        ("https://backend.composio.dev/v3/mcp/5f0c?connected_account_ids=ca_1", platform()),
        ("https://backend.composio.dev/v3/mcp/5f0c/mcp?user_id=u", platform()),
        ("https://backend.composio.dev/v3/mcp/5f0c/sse?user_id=u", platform()),
        ("https://connect.composio.dev/mcp", Sent(&["ak_1", "uak_1", "odd"])),
        ("https://rube.app/mcp", Bare),
        ("https://platform.composio.dev/v3/mcp/5f0c", platform()),
        ("https://dashboard.composio.dev/v3/mcp/5f0c", platform()),
        ("https://api.composio.dev/v3/mcp/tool-router/session_1/mcp", platform()),
        ("https://backend.composio.dev/v3/mcp/5f0c", Refused("no user")),
        ("https://backend.composio.dev/tool_router/{session_id}/mcp", Refused("placeholder")),
        ("https://backend.composio.dev/tool_router/ses_1/mcp", Refused("trs_")),
        ("https://mcp.composio.dev/composio/server/5f0c/mcp?user_id=u", Refused("removed")),
        ("https://mcp.composio.dev/gmail/three-random-words", Refused("removed")),
        ("https://mcp.composio.dev/custom/mcp_1?user=u", Refused("removed")),
        ("https://mcp.composio.dev/session/ses_1/sse", Refused("removed")),
        ("https://apollo.composio.dev/v3/mcp/5f0c", Refused("staff")),
        ("https://apollo-x-composio.vercel.app/v3/mcp/5f0c", Refused("staff")),
        ("https://backend.composio.dev/api/rerouted/v2/x", Refused("410")),
        ("https://backend.composio.dev/api/v3/mcp/servers", Refused("REST API")),
        ("http://backend.composio.dev/tool_router/trs_1/mcp", Refused("not encrypted")),
        ("https://mcp.example.com/mcp", Bare),
        ("http://localhost:9/mcp", Sent(&[])),
    ] {
        for (key, header) in KEYS {
            let outcome = Place::new().var("COMPOSIO_API_KEY", key).try_load(&[url]);
            match (&expected, outcome) {
                (Sent(misfits), Ok(config)) => {
                    assert!(!misfits.contains(&key), "{url} {key}");
                    assert_eq!(sent(&config), header, "{url}");
                    assert!(config.headers.is_empty() && config.warnings.is_empty());
                }
                (Sent(misfits), Err(error)) => {
                    let report = error.report();
                    assert!(misfits.contains(&key), "{url} {key}: {report}");
                    assert!(report.contains("does not fit the URL"), "{url} {key}: {report}");
                }
                (Bare, Ok(config)) => assert_eq!(sent(&config), "", "{url} {key}"),
                (Refused(word), Err(error)) => {
                    let report = error.report();
                    assert!(report.contains(word) && report.contains("hint:"), "{url}: {report}");
                }
                (Bare, Err(error)) => panic!("{url} {key}: {}", error.report()),
                (Refused(_), Ok(_)) => panic!("{url} {key} was taken"),
            }
        }
    }
}

#[test]
fn the_api_has_its_own_endpoint_and_none_of_the_headers() {
    let load = |place: &Place| {
        let args = ["composio-bridge", "--header", "x-mine: 1", "--proxy=http://p:1"];
        let cli = crate::cli::parse(args.map(Into::into).to_vec()).expect("the usage is right");
        Config::for_api(cli, &place.environment()).expect("the configuration is right")
    };
    let place = Place::new().var("COMPOSIO_API_KEY", "ak_1");
    let config = load(&place);
    assert_eq!(config.endpoint.as_str(), "https://backend.composio.dev/");
    assert_eq!((sent(&config).as_str(), config.headers.len()), ("x-api-key ak_1", 0));
    assert!(matches!(config.network.proxy, crate::config::ProxyChoice::Url { .. }));
    let config = load(&place.var("COMPOSIO_BASE_URL", "http://127.0.0.1:9/prefix"));
    assert_eq!(config.endpoint.as_str(), "http://127.0.0.1:9/prefix");
    assert_eq!(sent(&config), "x-api-key ak_1");
}
