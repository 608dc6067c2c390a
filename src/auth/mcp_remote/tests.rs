//! With files that mcp-remote 0.15.1 wrote, in `samples`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretString};

use super::{
    files::{self, Place},
    hash::{Flags, Recipe},
    json::{self, Refreshed},
};
use crate::{cli::HeaderSource, config::environment::Environment};

const URL: &str = "http://127.0.0.1:38431/mcp";
const NOW: u64 = 1_795_300_000_000;

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/auth/mcp_remote/samples")
}

fn flags() -> Flags<'static> {
    Flags { server_url: URL, ..Flags::default() }
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

fn exposed(secret: Option<&SecretString>) -> Option<&str> {
    secret.map(ExposeSecret::expose_secret)
}

fn answer() -> Refreshed {
    Refreshed {
        access_token: secret("access-2"),
        token_type: Some("Bearer".to_owned()),
        refresh_token: Some(secret("refresh-2")),
        id_token: None,
        expires_in: Some(60),
        scope: None,
    }
}

/// A copy of the sample, and its directory.
fn copied() -> (tempfile::TempDir, Place) {
    let home = tempfile::tempdir().expect("a directory");
    let sample = files::find(&samples(), &flags()).expect("the sample").place;
    let place = Place { directory: home.path().to_owned(), hash: sample.hash.clone() };
    fs::copy(sample.tokens_file(), place.tokens_file()).expect("copied");
    fs::copy(sample.client_file(), place.client_file()).expect("copied");
    (home, place)
}

#[test]
fn a_sign_in_of_mcp_remote_is_found() {
    let found = files::find(&samples(), &flags()).expect("the sample");
    let tokens = &found.tokens;
    assert_eq!(tokens.access_token.expose_secret(), "sample-access-1");
    assert_eq!(exposed(tokens.refresh_token.as_ref()), Some("sample-refresh-1"));
    assert_eq!(exposed(tokens.id_token.as_ref()), Some("sample.id.token"));
    assert_eq!(tokens.expires_at, Some(1_795_257_867_418));
    assert_eq!(tokens.expires_in, Some(3600));
    assert_eq!(tokens.scope.as_deref(), Some("mcp.read"));
    assert_eq!(tokens.requested_scope.as_deref(), Some("mcp.read mcp.write"));
    assert_eq!(found.issuer(), Some("http://127.0.0.1:38431"));
    let client = found.client.as_ref().expect("a client");
    assert_eq!(client.client_id, "sample-client");
    assert_eq!(exposed(client.client_secret.as_ref()), Some("sample-client-secret"));
    assert_eq!(client.client_secret_expires_at, None);
    assert_eq!(client.token_endpoint_auth_method.as_deref(), Some("client_secret_post"));
    assert_eq!(client.redirect_uris, ["http://localhost:37489/oauth/callback"]);
    assert_eq!(client.issuer.as_deref(), Some("http://127.0.0.1:38431"));
    let told = format!("{found:?}");
    for secret in ["sample-access", "sample-refresh", "sample.id", "sample-client-secret"] {
        assert!(!told.contains(secret), "{told}");
    }
}

#[test]
fn another_command_line_has_another_sign_in() {
    let headers = ["X-Tenant: 1".to_owned()];
    let other = Flags { headers: &headers, ..flags() };
    assert!(files::find(&samples(), &other).is_none());
}

#[test]
fn what_is_written_back_is_what_mcp_remote_wrote_but_for_the_refresh() {
    let (home, place) = copied();
    let before = fs::read_to_string(place.tokens_file()).expect("the sample");
    assert!(place.write_back(&secret("sample-refresh-1"), &answer(), NOW).expect("written"));
    let expected = before
        .replace("sample-access-1", "access-2")
        .replace("sample-refresh-1", "refresh-2")
        .replace("\"expires_in\": 3600", "\"expires_in\": 60");
    // The new time stands at the place of the old.
    let expected = expected.replace("1795257867418", &(NOW + 60_000).to_string());
    assert_eq!(fs::read_to_string(place.tokens_file()).expect("it exists"), expected);
    assert_eq!(fs::read_dir(home.path()).expect("it exists").count(), 2, "no temporary file");
    let read = place.read().expect("a sign-in");
    assert_eq!(exposed(read.tokens.refresh_token.as_ref()), Some("refresh-2"));
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_what_is_written_back() {
    use std::os::unix::fs::PermissionsExt;
    let (_home, place) = copied();
    fs::set_permissions(place.tokens_file(), fs::Permissions::from_mode(0o644)).expect("set");
    assert!(place.write_back(&secret("sample-refresh-1"), &answer(), NOW).expect("written"));
    let mode = fs::metadata(place.tokens_file()).expect("it exists").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_newer_sign_in_and_a_missing_one_are_left_alone() {
    let (_home, place) = copied();
    let before = fs::read_to_string(place.tokens_file()).expect("the sample");
    assert!(!place.write_back(&secret("of-before"), &answer(), NOW).expect("no error"));
    assert_eq!(fs::read_to_string(place.tokens_file()).expect("it exists"), before);
    fs::remove_file(place.tokens_file()).expect("removed");
    assert!(!place.write_back(&secret("sample-refresh-1"), &answer(), NOW).expect("no error"));
    assert!(!place.tokens_file().exists());
}

#[test]
fn what_a_refresh_does_not_say_stays_except_the_lifetime() {
    let text = r#"{"vendor":{"a":1.0},"refresh_token":"r","expires_at":1,"expires_in":1,
        "access_token":"a","scope":"s","id_token":"i","issuer":"https://as.example"}"#;
    let silent = Refreshed {
        access_token: secret("quo\"ted"),
        token_type: None,
        refresh_token: None,
        expires_in: None,
        ..answer()
    };
    let merged = json::merged(text, &secret("r"), &silent, NOW).expect("the token was used");
    assert_eq!(
        merged.expose_secret(),
        r#"{
  "vendor": {"a":1.0},
  "refresh_token": "r",
  "access_token": "quo\"ted",
  "scope": "s",
  "id_token": "i",
  "issuer": "https://as.example",
  "token_type": "Bearer"
}"#
    );
    let said = Refreshed {
        id_token: Some(secret("j")),
        scope: Some("t".to_owned()),
        token_type: Some("bearer".to_owned()),
        ..answer()
    };
    let merged = json::merged(text, &secret("r"), &said, NOW).expect("the token was used");
    let read = json::tokens(merged.expose_secret(), None).expect("tokens");
    assert_eq!(exposed(read.id_token.as_ref()), Some("j"));
    assert_eq!(read.scope.as_deref(), Some("t"));
    assert!(merged.expose_secret().contains("\"token_type\": \"bearer\""));
}

#[test]
fn odd_members_are_read_with_tolerance_and_useless_files_are_absent() {
    let read = |text| json::tokens(text, Some(NOW));
    for text in ["", "[]", "{}", r#"{"access_token":""}"#, r#"{"access_token":1}"#, r#"{"acc"#] {
        assert!(read(text).is_none(), "{text}");
    }
    for (text, expires_at) in [
        (r#"{"access_token":"a"}"#, None),
        (r#"{"access_token":"a","expires_at":null,"scope":1}"#, None),
        (r#"{"access_token":"a","expires_at":0,"expires_in":0}"#, None),
        (r#"{"access_token":"a","expires_at":"1700000000000"}"#, Some(1_700_000_000_000)),
        (r#"{"access_token":"a","expires_at":1700000000000.5}"#, Some(1_700_000_000_000)),
        (r#"{"access_token":"a","expires_in":10}"#, Some(NOW + 10_000)),
        (r#"{"access_token":"a","expires_in":1e300}"#, None),
    ] {
        assert_eq!(read(text).expect(text).expires_at, expires_at, "{text}");
    }
    assert!(json::client(r#"{"client_secret":"s"}"#).is_none());
    let client = json::client(r#"{"client_id":"c","redirect_uris":7,"client_secret":null}"#);
    let client = client.expect("a client");
    assert!(client.redirect_uris.is_empty() && client.client_secret.is_none());
}

#[test]
fn a_client_that_cannot_be_read_leaves_the_tokens() {
    let (_home, place) = copied();
    fs::write(place.client_file(), b"\xff").expect("written");
    let found = place.read().expect("a sign-in");
    assert!(found.client.is_none());
    assert_eq!(found.issuer(), Some("http://127.0.0.1:38431"));
}

#[test]
fn the_issuer_is_the_clients_where_the_tokens_have_none() {
    let (_home, place) = copied();
    fs::write(place.tokens_file(), r#"{"access_token":"a"}"#).expect("written");
    assert_eq!(place.read().expect("a sign-in").issuer(), Some("http://127.0.0.1:38431"));
}

#[test]
fn the_newest_directory_comes_first_and_each_has_its_recipe() {
    let headers = ["A: b".to_owned()];
    let params = ["c=d".to_owned()];
    let flags = Flags { headers: &headers, authorize_params: &params, ..flags() };
    let names = [
        "mcp-remote-0.1.29",
        "mcp-remote-0.1.9",
        "other",
        "mcp-remote-0.3.1-rc.1",
        "mcp-remote-v2",
        "mcp-remote-0.3",
        "mcp-remote-v1",
        "mcp-remote-0.1.30",
        "mcp-remote-0.3.1",
        "mcp-remote-0.10.0",
    ];
    let places = files::places(Path::new("/r"), names, &flags);
    let [new, middle, old] =
        [Recipe::Current, Recipe::UrlResourceHeaders, Recipe::Url].map(|recipe| flags.hash(recipe));
    let expected = [
        ("mcp-remote-v1", &new),
        ("mcp-remote-0.10.0", &middle),
        ("mcp-remote-0.3.1", &middle),
        ("mcp-remote-0.3.1-rc.1", &middle),
        ("mcp-remote-0.1.30", &middle),
        ("mcp-remote-0.1.29", &old),
        ("mcp-remote-0.1.9", &old),
    ];
    let places: Vec<_> =
        places.iter().map(|place| (place.directory.as_path(), &place.hash)).collect();
    let expected = expected.map(|(name, hash)| (Path::new("/r").join(name), hash));
    let expected: Vec<_> = expected.iter().map(|(path, hash)| (path.as_path(), *hash)).collect();
    assert_eq!(places, expected);
}

#[test]
fn an_older_sign_in_is_found_where_the_newer_cannot_be_used() {
    let home = tempfile::tempdir().expect("a directory");
    let at = |directory: &str, recipe| Place {
        directory: home.path().join(directory),
        hash: flags().hash(recipe),
    };
    let old = at("mcp-remote-0.1.29", Recipe::Url);
    let new = at("mcp-remote-v1", Recipe::Current);
    for (place, text) in [(&old, r#"{"access_token":"old"}"#), (&new, "{")] {
        fs::create_dir(&place.directory).expect("created");
        fs::write(place.tokens_file(), text).expect("written");
    }
    let found = files::find(home.path(), &flags()).expect("the older");
    assert_eq!((found.tokens.access_token.expose_secret(), &found.place), ("old", &old));
    assert!(files::find(&home.path().join("missing"), &flags()).is_none());
}

#[test]
fn the_directory_is_named_or_below_home() {
    let root = |vars: &[(&str, &str)]| files::root(&Environment::of(vars.iter().copied()));
    assert_eq!(root(&[("HOME", "/h")]), Some("/h/.mcp-auth".into()));
    assert_eq!(root(&[("HOME", "/h"), ("MCP_REMOTE_CONFIG_DIR", "/m")]), Some("/m".into()));
    assert_eq!(root(&[("HOME", "/h"), ("MCP_REMOTE_CONFIG_DIR", "")]), Some("/h/.mcp-auth".into()));
    assert_eq!(root(&[]), None);
}

#[test]
fn header_lines_come_in_the_order_of_the_command_line() {
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("headers");
    fs::write(&file, "# c\nB: 2\n").expect("written");
    let line = |text: &str| HeaderSource::Line(text.to_owned());
    let missing = HeaderSource::File(home.path().join("missing"));
    let lines =
        files::header_lines(&[line("A: 1"), HeaderSource::File(file), missing, line("C: ${D}")]);
    assert_eq!(lines, ["A: 1", "B: 2", "C: ${D}"]);
}
