//! What is remembered of an endpoint's era, and for how long.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use super::{JSON, count, is_initialize, run};
use crate::support::{
    bridge::{Bridge, Setup},
    json,
    modern::Modern,
};

fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let inside = |entry: fs::DirEntry| match entry.path() {
        path if path.is_dir() => files_below(&path),
        path => vec![path],
    };
    entries.flat_map(inside).collect()
}

#[test]
fn t67_a_server_that_became_modern_is_found_out_by_its_refusal() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let server = Modern::start();
    server.only_legacy();
    let heard = run(&server, home.path(), true);
    assert_eq!(heard[0], "initialize", "{heard:?}");
    server.only_modern();
    server.rule(|request, exchange| {
        let old = is_initialize(request);
        if old {
            let body = json::error("null", -32020, "Mcp-Method is missing");
            exchange.reply(400, &[("content-type", JSON)], body);
        }
        old
    });
    let heard = run(&server, home.path(), true);
    assert_eq!(heard[..2], ["initialize", "server/discover"], "{heard:?}");
    assert_eq!(count(&heard, "tools/call"), 1, "{heard:?}");
}

#[test]
fn t67_a_modern_client_of_a_server_that_was_legacy_finds_out_too() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let server = Modern::start();
    server.only_legacy();
    run(&server, home.path(), false);
    server.only_modern();
    let heard = run(&server, home.path(), false);
    assert_eq!(count(&heard, "tools/call"), 1, "executed once: {heard:?}");
    server.only_legacy();
    let heard = run(&server, home.path(), false);
    assert_eq!(server.legacy().executions("works"), 2, "and back again: {heard:?}");
}

#[test]
fn mh_51_a_verdict_is_remembered_for_the_endpoint() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let server = Modern::start();
    let first = run(&server, home.path(), true);
    assert_eq!(first[..2], ["initialize", "server/discover"], "{first:?}");
    let second = run(&server, home.path(), true);
    assert_eq!(count(&second, "initialize"), 0, "it is known to be modern: {second:?}");

    let legacy = Modern::start();
    legacy.only_legacy();
    let first = run(&legacy, home.path(), false);
    assert_eq!(first[..2], ["tools/call", "initialize"], "{first:?}");
    let second = run(&legacy, home.path(), false);
    assert_eq!(second[0], "initialize", "it is known to be legacy: {second:?}");
    for file in files_below(&home.path().join("state")) {
        let text = format!(
            "{} {}",
            file.display(),
            String::from_utf8_lossy(&fs::read(&file).expect("readable"))
        );
        assert!(!text.contains(&server.listener().addr.to_string()), "no URL in the store: {text}");
    }
}

#[test]
fn mh_51_a_verdict_is_remembered_for_one_credential_alone() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let server = Modern::start();
    let with = |key: &str| -> Setup {
        Bridge::to(server.endpoint()).home(home.path()).arg(format!("--header=x-api-key: {key}"))
    };
    for (key, known) in [("a", false), ("a", true), ("b", false)] {
        let before = server.requests().len();
        let mut bridge = with(key).spawn();
        bridge.handshake("2025-11-25");
        bridge.call_works("1");
        bridge.close_stdin();
        bridge.rest();
        let heard = server.heard()[before..].to_vec();
        assert_eq!(count(&heard, "initialize") == 0, known, "{key}: {heard:?}");
    }
}

/// Makes a file of the store, and the time it holds in milliseconds, more than a day older.
fn age(file: &Path) {
    const DAY: u64 = 25 * 3600 * 1000;
    let text = fs::read_to_string(file).expect("text");
    if let Some((name, Ok(at))) =
        text.trim().rsplit_once(' ').map(|(name, at)| (name, at.parse::<u64>()))
    {
        fs::write(file, format!("{name} {}\n", at - DAY)).expect("our own file");
    }
    let opened = fs::File::options().write(true).open(file).expect("our own file");
    opened.set_modified(SystemTime::now() - Duration::from_millis(DAY)).expect("our own file");
}

#[test]
fn mh_52_a_legacy_verdict_lasts_a_day_and_a_modern_one_for_good() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let server = Modern::start();
    server.only_legacy();
    run(&server, home.path(), false);
    let files = files_below(&home.path().join("state"));
    assert!(!files.is_empty(), "something is remembered");
    files.iter().for_each(|file| age(file));
    let heard = run(&server, home.path(), false);
    assert_eq!(heard[0], "tools/call", "asked again as a modern server: {heard:?}");

    let home = tempfile::tempdir().expect("a temporary directory");
    server.only_modern();
    run(&server, home.path(), true);
    files_below(&home.path().join("state")).iter().for_each(|file| age(file));
    let heard = run(&server, home.path(), true);
    assert_eq!(count(&heard, "initialize"), 0, "still known to be modern: {heard:?}");
}
