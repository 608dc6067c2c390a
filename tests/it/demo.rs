//! `composio-bridge demo`, as a person runs it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Command, Output, Stdio},
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

/// What every dialogue shows.
const ALWAYS: [&str; 11] = [
    "→ tools/list",
    "← echo, add, count, wait, ask",
    "← hello",
    "← notifications/message counting to 5",
    "← notifications/progress step 5 of 5",
    "← waited 300 ms",
    "← elicitation/create What is your name?",
    "← Hello, Ada!",
    "← notifications/resources/updated sandbox://last-echo",
    "← exit status: 0",
    "nothing on stderr",
];

/// What a client of each era shows besides, in this order.
const LEGACY: [&str; 7] = [
    "client, 2025-11-25 ⇄",
    "→ initialize",
    "← sandbox 0.1.0, protocol version 2025-11-25",
    "→ notifications/initialized",
    "→ logging/setLevel info",
    "→ resources/subscribe",
    "→ resources/unsubscribe",
];
const MODERN: [&str; 7] = [
    "client, 2026-07-28 ⇄",
    "→ server/discover",
    "← sandbox 0.1.0, protocol version 2026-07-28",
    "→ tools/call ask {} with inputResponses",
    "→ subscriptions/listen",
    "← notifications/subscriptions/acknowledged",
    "→ notifications/cancelled",
];

fn plays_through(args: &[&str], besides: &[&str], remote: &str, url_ends: &str) {
    let output = demo(args, &[]);
    let shown = stdout(&output);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {}\n{shown}\n{stderr}", output.status);
    assert_eq!(stderr, "", "{args:?}");
    for line in ALWAYS.iter().chain([&format!("⇄ {remote} ⇄").as_str()]) {
        assert!(shown.contains(line), "{args:?}: `{line}` is missing in\n{shown}");
    }
    let mut rest = shown.as_str();
    for line in besides {
        let at = rest.find(line);
        let at = at.unwrap_or_else(|| panic!("{args:?}: `{line}` is missing in\n{shown}"));
        rest = &rest[at + line.len()..];
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
fn the_dialogue_of_a_legacy_client_plays_through_over_streamable_http() {
    plays_through(&[], &LEGACY, "Streamable HTTP, 2025-11-25", "/mcp");
}

#[test]
fn the_dialogue_of_a_legacy_client_plays_through_over_http_sse() {
    let args = ["--transport", "sse"];
    plays_through(&args, &LEGACY, "HTTP+SSE, 2025-11-25", "/sse");
    let args = ["--transport=sse", "--era=dual"];
    plays_through(&args, &LEGACY, "HTTP+SSE, 2025-11-25", "/sse");
}

#[test]
fn the_dialogue_of_a_legacy_client_plays_through_with_a_modern_remote() {
    let remote = "Streamable HTTP, 2026-07-28";
    plays_through(&["--era", "modern"], &LEGACY, remote, "/mcp");
    plays_through(&["--era=modern", "--client=legacy"], &LEGACY, remote, "/mcp");
}

#[test]
fn the_dialogue_of_a_legacy_client_plays_through_with_a_remote_of_both_eras() {
    let remote = "Streamable HTTP, 2025-11-25 or 2026-07-28";
    plays_through(&["--era", "dual"], &LEGACY, remote, "/mcp");
}

#[test]
fn the_dialogue_of_a_modern_client_plays_through_over_streamable_http() {
    let args = ["--client=modern", "--era=legacy"];
    plays_through(&args, &MODERN, "Streamable HTTP, 2025-11-25", "/mcp");
}

#[test]
fn the_dialogue_of_a_modern_client_plays_through_over_http_sse() {
    for era in ["--era=legacy", "--era=dual"] {
        let args = ["--client=modern", "--transport=sse", era];
        plays_through(&args, &MODERN, "HTTP+SSE, 2025-11-25", "/sse");
    }
}

#[test]
fn the_dialogue_of_a_modern_client_plays_through_with_a_modern_remote() {
    let args = ["--client=modern", "--era=modern"];
    plays_through(&args, &MODERN, "Streamable HTTP, 2026-07-28", "/mcp");
}

#[test]
fn the_dialogue_of_a_modern_client_plays_through_with_a_remote_of_both_eras() {
    let args = ["--client=modern", "--era=dual"];
    plays_through(&args, &MODERN, "Streamable HTTP, 2025-11-25 or 2026-07-28", "/mcp");
}

#[test]
fn a_sandbox_that_cannot_be_is_refused() {
    let args = ["--transport", "sse", "--era", "modern"];
    for serve in [None, Some("--serve")] {
        let args: Vec<_> = args.into_iter().chain(serve).collect();
        let output = demo(&args, &[]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""), "{stderr}");
        assert!(stderr.contains("`--transport sse` and `--era modern`"), "{stderr}");
        assert!(stderr.contains("HTTP+SSE exists in the legacy era only"), "{stderr}");
    }
    let output = demo(&["--serve", "--client", "modern"], &[]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "no client is played: {stderr}");
    assert!(stderr.contains("--client"), "{stderr}");
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

/// What the walk shows, in this order.
const WALK: [&str; 15] = [
    "nothing leaves this machine",
    "$ composio-bridge key set",
    "Stored a project key",
    "$ composio-bridge session create --user ada --toolkit gmail",
    "Session trs_",
    "$ composio-bridge session authorize gmail",
    "/link/lk_",
    "gmail  ACTIVE ca_",
    "→ tools/call GMAIL_FETCH_EMAILS",
    "← exit status: 0, nothing on stderr",
    "→ tools/call GMAIL_FETCH_EMAILS",
    "(the session is deleted behind its back)",
    "→ tools/call GMAIL_FETCH_EMAILS",
    "← notifications/tools/list_changed",
    "← exit status: 0, nothing on stderr",
];

/// Those who have a key of Composio's already see the demo too, and it does not touch their key.
#[test]
fn the_walk_with_composio_goes_all_the_way_whatever_is_set_for_real_work() {
    let real = "ak_0123456789-m4rk3r";
    let nowhere = "http://127.0.0.1:1";
    for env in [
        vec![],
        vec![("COMPOSIO_API_KEY", real), ("COMPOSIO_BASE_URL", nowhere)],
        vec![("COMPOSIO_BRIDGE_API_KEY_FILE", "/nonexistent/key"), ("COMPOSIO_ORG_ID", "o")],
        vec![("COMPOSIO_BRIDGE_CONFIG", "/nonexistent/config.toml"), ("HTTPS_PROXY", nowhere)],
    ] {
        let output = demo(&["--composio"], &env);
        let (shown, stderr) = (stdout(&output), String::from_utf8_lossy(&output.stderr));
        assert_eq!((output.status.code(), &*stderr), (Some(0), ""), "{env:?}: {shown}");
        let mut rest = shown.as_str();
        for part in WALK {
            let at = rest.find(part).unwrap_or_else(|| panic!("{part} is missing in: {rest}"));
            rest = &rest[at + part.len()..];
        }
        assert!(!shown.contains("m4rk3r"), "{shown}");
    }
}

#[test]
fn the_stand_in_for_composio_is_served_with_what_it_takes_to_use_it() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_composio-bridge"))
        .args(["demo", "--composio", "--serve"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the executable starts");
    let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
    let lines: Vec<_> = stdout.lines().map_while(Result::ok).take(4).collect();
    let exported = |name: &str| {
        let start = format!("export {name}=");
        let line = lines.iter().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_else(|| panic!("{name} is missing in {lines:#?}")).to_owned()
    };
    let (base, key) = (exported("COMPOSIO_BASE_URL"), exported("COMPOSIO_API_KEY"));
    let host = base.strip_prefix("http://").expect("http on loopback");
    let mut stream = TcpStream::connect(host).expect("it listens");
    let head =
        format!("GET /api/v3.1/mcp/servers HTTP/1.0\r\nHost: {host}\r\nx-api-key: {key}\r\n\r\n");
    stream.write_all(head.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    child.kill().expect("it runs until it is ended");
    child.wait().expect("our own child");
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
}
