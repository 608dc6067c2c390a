//! `composio-bridge demo`, as a person runs it.

use std::{
    path::PathBuf,
    process::{Command, Output},
};

use serde_json::Value;

fn demo(args: &[&str], env: &[(&str, &str)]) -> Output {
    let home = tempfile::tempdir().expect("a temporary directory");
    Command::new(env!("CARGO_BIN_EXE_composio-bridge"))
        .arg("demo")
        .args(args)
        .env_clear()
        .env("HOME", home.path())
        .envs(env.iter().copied())
        .output()
        .expect("the executable starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn plays_through(args: &[&str], url_ends: &str) {
    let output = demo(args, &[]);
    let shown = stdout(&output);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{shown}\n{stderr}", output.status);
    assert_eq!(stderr, "");
    for line in [
        "→ initialize",
        "← hello",
        "← notifications/progress step 5 of 5",
        "← Hello, Ada!",
        "← waited 300 ms",
        "← notifications/resources/updated sandbox://last-echo",
        "nothing on stderr",
    ] {
        assert!(shown.contains(line), "`{line}` is missing in\n{shown}");
    }
    assert!(!shown.contains('\u{1b}'), "no colours where nobody sees them");
    let server = &snippet(&shown)["mcpServers"]["sandbox"];
    let command = PathBuf::from(server["command"].as_str().expect("a command"));
    assert!(command.is_absolute() && command.exists(), "{server}");
    assert!(server["args"][0].as_str().is_some_and(|url| url.ends_with(url_ends)), "{server}");
}

/// The part that is to be pasted into a client's configuration.
fn snippet(shown: &str) -> Value {
    let start = shown.find("\n{").expect("a JSON object");
    serde_json::from_str(&shown[start..]).expect("nothing but JSON to the end")
}

#[test]
fn the_dialogue_plays_through_over_streamable_http() {
    plays_through(&[], "/mcp");
}

#[test]
fn the_dialogue_plays_through_over_http_sse() {
    plays_through(&["--transport", "sse"], "/sse");
}

#[test]
fn a_step_that_fails_is_named_with_what_the_bridge_said() {
    // The demo itself reads no configuration; the bridge that it starts does.
    let output = demo(&[], &[("COMPOSIO_BRIDGE_CONFIG", "/nonexistent/config.toml")]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("the demo failed at `start`"), "{stderr}");
    assert!(stderr.contains("/nonexistent/config.toml"), "{stderr}");
}
