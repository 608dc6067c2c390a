//! The rules of the house that a machine can check.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The rooms that decide and do nothing: time and randomness are their arguments.
const PURE: &[&str] = &[
    "auth/browser/plan.rs",
    "auth/callback/page.rs",
    "auth/callback/request.rs",
    "message.rs",
    "message",
    "era",
    "auth/challenge.rs",
    "composio/rest/notice.rs",
    "composio/rest/refusal.rs",
    "composio/rest/retry.rs",
    "composio/session/body.rs",
    "composio/session/check.rs",
    "auth/mcp_remote/hash.rs",
    "auth/mcp_remote/json.rs",
    "bridge/state",
    "bridge/memory.rs",
    "bridge/pending.rs",
    "protocol.rs",
    "json.rs",
    "origin.rs",
    "time.rs",
    "bridge/switch",
    "bridge/tools.rs",
    "remote/backoff.rs",
    "remote/event.rs",
    "remote/redirect.rs",
    "remote/refusal.rs",
    "config/credential.rs",
    "config/header.rs",
    "cli/argv.rs",
    "composio/key.rs",
    "composio/url.rs",
    "demo/server/era.rs",
    "demo/server/message.rs",
];

/// What such a room never mentions. A URL is plain data, whoever exports it.
const IMPURE: &[&str] = &[
    "tokio",
    "reqwest",
    "Instant::",
    "SystemTime",
    "fastrand",
    "std::fs",
    "std::net",
    "std::env::",
    "std::process",
    "std::thread",
    "Mutex",
];

/// A source file without its tests.
struct Source {
    path: PathBuf,
    lines: Vec<String>,
}

fn sources(below: &Path) -> Vec<Source> {
    if below.is_file() {
        return vec![read(below)];
    }
    let entries =
        fs::read_dir(below).unwrap_or_else(|error| panic!("{}: {error}", below.display()));
    let mut all: Vec<Source> = entries.flatten().flat_map(|entry| sources(&entry.path())).collect();
    all.retain(|source| {
        let name = source.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.ends_with(".rs") && !name.ends_with("tests.rs")
    });
    all
}

fn read(path: &Path) -> Source {
    let text = fs::read_to_string(path).expect("a readable source file");
    let lines =
        text.lines().take_while(|line| *line != "#[cfg(test)]").map(str::to_owned).collect();
    Source { path: path.to_owned(), lines }
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

#[test]
fn what_decides_knows_no_clock_no_network_and_no_runtime() {
    for room in PURE {
        for source in sources(&src().join(room)) {
            for (n, line) in source.lines.iter().enumerate() {
                let code =
                    line.split("//").next().unwrap_or_default().replace("reqwest::Url", "Url");
                let found = IMPURE.iter().find(|word| code.contains(*word));
                assert!(found.is_none(), "{}:{}: {line}", source.path.display(), n + 1);
            }
        }
    }
}

#[test]
fn the_bridge_shares_no_state_behind_a_lock() {
    for source in sources(&src().join("bridge")) {
        let locked =
            source.lines.iter().find(|line| line.contains("Mutex") || line.contains("RwLock"));
        assert!(locked.is_none(), "{}: {locked:?}", source.path.display());
    }
}

#[test]
fn stdout_is_written_in_one_room() {
    for source in sources(&src()) {
        let room =
            source.path.strip_prefix(src()).expect("below src").to_string_lossy().into_owned();
        let may =
            room == "local/stdout.rs" || room.starts_with("demo") || room.starts_with("command");
        let writes = source.lines.iter().find(|line| line.contains("stdout()"));
        assert!(may || writes.is_none(), "{room}: {writes:?}");
    }
}

#[test]
fn files_and_functions_are_small() {
    let mut lengths = Vec::new();
    for source in sources(&src()) {
        let name = source.path.display();
        assert!(source.lines.len() <= 500, "{name} has {} lines", source.lines.len());
        for (function, length) in functions(&source.lines) {
            assert!(length <= 80, "{name}: {function} has {length} lines");
            lengths.push(length);
        }
    }
    lengths.sort_unstable();
    assert!(lengths.len() > 200, "only {} functions were found", lengths.len());
    let median = lengths[lengths.len() / 2];
    assert!(median <= 10, "the median function has {median} lines");
}

/// The functions with a body, each with its number of lines; the layout is rustfmt's.
fn functions(lines: &[String]) -> Vec<(String, usize)> {
    let mut all = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let words: Vec<&str> = line.trim_start().split([' ', '(', '<']).collect();
        let Some(at) = words.iter().position(|word| *word == "fn") else { continue };
        let qualifiers = ["pub", "crate)", "super)", "in", "const", "async", "default"];
        if !words[..at].iter().all(|word| qualifiers.contains(word)) {
            continue;
        }
        let closing = format!("{}}}", " ".repeat(indent));
        let semicolon = format!("{};", " ".repeat(indent));
        let body = &lines[start..];
        let one_line = line.ends_with('}') || line.ends_with(';');
        let end = body.iter().position(|line| *line == closing || line.starts_with(&semicolon));
        let length = if one_line { 1 } else { end.map_or(1, |end| end + 1) };
        all.push((words.get(at + 1).unwrap_or(&"?").to_string(), length));
    }
    all
}

#[test]
fn a_function_is_measured_from_its_first_line_to_its_brace() {
    let text = "impl A {\n    pub(crate) async fn long(\n        a: u8,\n    ) {\n        x();\n    }\n    fn one() {}\n}\n";
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(functions(&lines), [("long".to_owned(), 5), ("one".to_owned(), 1)]);
}
