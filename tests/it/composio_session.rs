//! `composio-bridge session`: what each operation asks the API, and what it makes of the answer.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::support::platform::{KEY, Platform};

const S: &str = "/api/v3.1/tool_router/session";

/// What the API answers about a session (composio.md 2.2).
fn session(id: &str) -> Value {
    json!({
        "session_id": id,
        "mcp": {"type": "http", "url": format!("https://backend.composio.dev/tool_router/{id}/mcp")},
        "tool_router_tools": ["COMPOSIO_SEARCH_TOOLS", "COMPOSIO_MULTI_EXECUTE_TOOL"],
        "config_version": 1,
        "config": {"user_id": "user_1", "toolkits": {"enabled": ["gmail"]}},
        "warnings": [{"code": "PRELOAD_TOOLS_HIGH_CONTEXT_USAGE", "message": "That is much."}],
    })
}

fn page(items: Value) -> Value {
    json!({"items": items, "next_cursor": null, "total_items": 1, "total_pages": 1, "current_page": 1})
}

/// An operation: its words, the request, its body, the answer, and what a person reads.
type Case = (Vec<&'static str>, &'static str, Value, Value, Vec<&'static str>);

fn of_sessions() -> Vec<Case> {
    vec![
        (
            vec!["create", "--user", "user_1", "--toolkit", "gmail", "--workbench=false"],
            "POST /api/v3.1/tool_router/session",
            json!({"user_id": "user_1", "toolkits": {"enable": ["gmail"]}, "workbench": {"enable": false}}),
            session("trs_1"),
            vec![
                "Session trs_1",
                "user_1",
                "tool_router/trs_1/mcp",
                "That is much.",
                "\"mcpServers\"",
                "\"COMPOSIO_API_KEY\": \"ak_...\"",
                "composio-bridge",
            ],
        ),
        (
            vec!["show", "--session", "trs_1"],
            "GET /api/v3.1/tool_router/session/trs_1",
            Value::Null,
            session("trs_1"),
            vec!["Session trs_1", "tool_router/trs_1/mcp", "\"enabled\""],
        ),
        (
            vec!["update", "--session=trs_1", "--search=false", "--clear=workbench"],
            "PATCH /api/v3.1/tool_router/session/trs_1",
            json!({"search": {"enable": false}, "workbench": null}),
            session("trs_1"),
            vec!["Changed", "trs_1"],
        ),
        (
            vec!["delete", "--session=https://backend.composio.dev/tool_router/trs_1/mcp", "--yes"],
            "DELETE /api/v3.1/tool_router/session/trs_1",
            Value::Null,
            json!({"session_id": "trs_1", "deleted": true}),
            vec!["Deleted trs_1"],
        ),
        (
            vec!["attach", "--session=trs_1", r#"{"custom_tools":[]}"#],
            "POST /api/v3.1/tool_router/session/trs_1/attach",
            json!({"experimental": {"custom_tools": []}}),
            session("trs_1"),
            vec!["Attached", "trs_1"],
        ),
        (
            vec!["authorize", "--session=trs_1", "gmail", "--alias=work", "--shared"],
            "POST /api/v3.1/tool_router/session/trs_1/link",
            json!({"toolkit": "gmail", "alias": "work", "experimental": {"account_type": "SHARED"}}),
            json!({"connected_account_id": "ca_1", "link_token": "lt", "redirect_url": "https://h/l"}),
            vec!["connects gmail here", "https://h/l"],
        ),
    ]
}

fn of_lists() -> Vec<Case> {
    vec![
        (
            vec!["tools", "--session=trs_1", "--limit=5", "--cursor=c"],
            "GET /api/v3.1/tool_router/session/trs_1/tools?limit=5&cursor=c",
            Value::Null,
            page(
                json!([{"slug": "GMAIL_SEND_EMAIL", "description": "Sends\u{1b}[2J it.", "is_deprecated": true}]),
            ),
            vec!["GMAIL_SEND_EMAIL  deprecated: Sends [2J it."],
        ),
        (
            vec![
                "toolkits",
                "--session=trs_1",
                "--toolkit=gmail,exa",
                "--connected=true",
                "--search=m",
            ],
            "GET /api/v3.1/tool_router/session/trs_1/toolkits?toolkits=gmail%2Cexa&is_connected=true&search=m",
            Value::Null,
            page(json!([
                {"slug": "gmail", "name": "Gmail", "enabled": true, "is_no_auth": false,
                 "connected_account": {"id": "ca_1", "status": "ACTIVE"}},
                {"slug": "exa", "name": "Exa", "enabled": false, "is_no_auth": false, "connected_account": null},
                {"slug": "hn", "name": "News", "enabled": true, "is_no_auth": true, "connected_account": null},
            ])),
            vec![
                "gmail  ACTIVE ca_1",
                "exa    not connected, not enabled",
                "hn     needs no account",
            ],
        ),
        (
            vec!["history", "--session=trs_1"],
            "GET /api/v3.1/tool_router/session/trs_1/config_history",
            Value::Null,
            page(
                json!([{"version": 2, "created_at": "2026-11-01T00:00:00Z", "is_current": true, "config": {}}]),
            ),
            vec!["2  2026-11-01T00:00:00Z  current"],
        ),
        (
            vec!["mounts", "--session=trs_1", "m1", "--prefix=a/"],
            "GET /api/v3.1/tool_router/session/trs_1/mounts/m1/items?mount_relative_prefix=a%2F",
            Value::Null,
            json!({"items": [{"mount_relative_path": "a/b.pdf", "size": 7, "last_modified": "2026"}]}),
            vec!["a/b.pdf  7  2026"],
        ),
        (
            vec!["mounts", "--session=trs_1", "m1", "--delete=a.pdf", "--yes"],
            "POST /api/v3.1/tool_router/session/trs_1/mounts/m1/delete",
            json!({"mount_relative_path": "a.pdf"}),
            json!({"mount_relative_path": "a.pdf", "sandbox_mount_prefix": "/mnt/files"}),
            vec!["Deleted."],
        ),
        (
            vec!["mounts", "--session=trs_1", "m1", "--download-url=a.pdf"],
            "POST /api/v3.1/tool_router/session/trs_1/mounts/m1/download_url",
            json!({"mount_relative_path": "a.pdf"}),
            json!({"download_url": "https://h/down", "expires_at": "2026"}),
            vec!["https://h/down"],
        ),
        (
            vec!["mounts", "--session=trs_1", "m1", "--upload-url=a.pdf", "--mimetype=text/plain"],
            "POST /api/v3.1/tool_router/session/trs_1/mounts/m1/upload_url",
            json!({"mount_relative_path": "a.pdf", "mimetype": "text/plain"}),
            json!({"upload_url": "https://h/up", "expires_at": "2026"}),
            vec!["https://h/up"],
        ),
        (
            vec!["configs", "--search=x", "--archived"],
            "GET /api/v3.1/session_configs?search=x&archived=true",
            Value::Null,
            page(json!([{"id": "sc_1", "name": "Mail"}])),
            vec!["sc_1  Mail"],
        ),
        (
            vec!["configs", "sc_1"],
            "GET /api/v3.1/session_configs/sc_1",
            Value::Null,
            json!({"id": "sc_1", "name": "Mail"}),
            vec!["\"sc_1\""],
        ),
    ]
}

fn of_calls() -> Vec<Case> {
    vec![
        (
            vec![
                "execute",
                "--session=trs_1",
                "GMAIL_SEND_EMAIL",
                "--arguments",
                r#"{"to":"a"}"#,
                "--account=ca_1",
                "--offload=false",
                "--request-state=st",
                r#"--input-responses={"q":{"action":"decline"}}"#,
            ],
            "POST /api/v3.1/tool_router/session/trs_1/execute",
            json!({
                "tool_slug": "GMAIL_SEND_EMAIL", "arguments": {"to": "a"}, "account": "ca_1",
                "enable_auto_workbench_offload": false, "request_state": "st",
                "input_responses": {"q": {"action": "decline"}},
            }),
            json!({"data": {"sent": true}, "error": null, "log_id": "log_1"}),
            vec!["\"sent\": true"],
        ),
        (
            vec!["execute-meta", "--session=trs_1", "COMPOSIO_SEARCH_TOOLS", "--arguments={}"],
            "POST /api/v3.1/tool_router/session/trs_1/execute_meta",
            json!({"slug": "COMPOSIO_SEARCH_TOOLS", "arguments": {}}),
            json!({"data": {"results": []}, "error": null, "log_id": "log_1"}),
            vec!["\"results\""],
        ),
        (
            vec![
                "proxy-execute",
                "--session=trs_1",
                "github",
                "/user",
                "--method=POST",
                "--body=[1]",
                "--header=X-A: b: c",
                "--query=q=1=2",
            ],
            "POST /api/v3.1/tool_router/session/trs_1/proxy_execute",
            json!({
                "toolkit_slug": "github", "endpoint": "/user", "method": "POST", "body": [1],
                "parameters": [
                    {"name": "X-A", "type": "header", "value": "b: c"},
                    {"name": "q", "type": "query", "value": "1=2"},
                ],
            }),
            json!({"status": 200, "data": {"login": "me"}, "headers": {}}),
            vec!["\"login\": \"me\""],
        ),
        (
            vec![
                "search",
                "--session=trs_1",
                "send a mail",
                "--known=to:a",
                "--strategy=auto",
                "--model=m",
            ],
            "POST /api/v3.1/tool_router/session/trs_1/search",
            json!({
                "queries": [{"use_case": "send a mail", "known_fields": "to:a"}],
                "search_strategy": "auto", "model": "m",
            }),
            json!({
                "success": true, "error": null, "tool_schemas": {},
                "results": [{"index": 1, "primary_tool_slugs": ["GMAIL_SEND_EMAIL"], "related_tool_slugs": []}],
                "toolkit_connection_statuses": [{"toolkit": "gmail", "has_active_connection": false}],
            }),
            vec!["GMAIL_SEND_EMAIL", "gmail is not connected", "session authorize gmail"],
        ),
    ]
}

/// Every operation of composio.md 2.2, against its schema.
#[test]
fn every_operation_asks_what_is_documented_and_shows_what_comes() {
    for (words, request, body, answer, shown) in
        [of_sessions(), of_lists(), of_calls()].into_iter().flatten()
    {
        let platform = Platform::answering(answer.clone());
        let words = [&["session"], words.as_slice()].concat();
        let text = platform.run(&words).healthy();
        for part in shown {
            assert!(text.contains(part), "{words:?}: {part} is missing in: {text}");
        }
        assert!(!text.contains('\u{1b}'), "{text}");
        assert_eq!(platform.asked_once(), (request.to_owned(), body.clone()), "{words:?}");
        let request = &platform.remote.requests()[0];
        let agent = concat!("composio-bridge/", env!("CARGO_PKG_VERSION"));
        assert_eq!(request.header("user-agent"), Some(agent));

        let platform = Platform::answering(answer.clone());
        let words = [words.as_slice(), &["--json"]].concat();
        assert_eq!(platform.run(&words).json(), answer, "{words:?}");
        assert_eq!(platform.asked_once().1, body, "{words:?}");
    }
}

#[test]
fn a_session_is_remembered_and_meant_when_none_is_named() {
    let platform = Platform::answering(session("trs_1"));
    let none = platform.run(&["session", "show"]);
    none.failed(2, &["no session is named", "session create"]);
    assert!(platform.asked().is_empty());

    platform.run(&["session", "create", "--user", "user_1"]).healthy();
    platform.run(&["session", "show"]).healthy();
    assert_eq!(platform.asked()[1].0, format!("GET {S}/trs_1"));
    let other = [("COMPOSIO_API_KEY", "ak_of-somebody-else")];
    platform.run_with(&["session", "show"], &other, "").failed(2, &["none was made here"]);

    let state = platform.home.path().join("state/composio-bridge/composio-sessions");
    let files: Vec<_> = fs::read_dir(&state).expect("it is there").flatten().collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let text = fs::read_to_string(files[0].path()).expect("readable");
    assert!(text.contains("trs_1") && text.contains("user_1"), "{text}");
    private(&files[0].path(), 0o600);
    private(&state, 0o700);
}

#[cfg(unix)]
fn private(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    let found = fs::metadata(path).expect("it is there").permissions().mode();
    assert_eq!(found & 0o777, mode, "{}", path.display());
}

#[cfg(not(unix))]
fn private(_: &Path, _: u32) {}

#[test]
fn of_several_sessions_one_must_be_named() {
    let answers = ["trs_1", "trs_2"].map(|id| (201, session(id)));
    let platform = Platform::in_turn(answers.to_vec());
    for user in ["a", "b"] {
        platform.run(&["session", "create", "--user", user]).healthy();
    }
    platform.run(&["session", "tools"]).failed(2, &["--session trs_1", "--session trs_2"]);
    assert_eq!(platform.asked().len(), 2);
}

#[test]
fn the_list_is_checked_and_what_is_gone_forgotten() {
    let gone = json!({"error": {"message": "Session not found", "slug": "NotFound"}});
    let answers = vec![
        (201, session("trs_1")),
        (201, session("trs_2")),
        (200, session("trs_1")),
        (404, gone),
    ];
    let platform = Platform::in_turn(answers);
    for user in ["a", "b"] {
        platform.run(&["session", "create", "--user", user]).healthy();
    }
    let text = platform.run(&["session", "list", "--offline"]).healthy();
    assert_eq!(text.matches("not checked").count(), 2, "{text}");
    let listed = platform.run(&["session", "list", "--json"]).json();
    let mut states: Vec<_> =
        listed.as_array().expect("a list").iter().map(|one| &one["state"]).collect();
    states.sort_by_key(|state| state.to_string());
    assert_eq!(states, ["gone, and forgotten", "there"]);
    assert_eq!(platform.asked().len(), 4);
    let left = platform.run(&["session", "list", "--offline", "--json"]).json();
    assert_eq!(left.as_array().map(Vec::len), Some(1), "{left}");
    let others = [("COMPOSIO_API_KEY", "ak_of-somebody-else")];
    let text = platform.run_with(&["session", "list"], &others, "").healthy();
    assert!(text.contains("No session of this key") && text.contains("1 more"), "{text}");
}

#[test]
fn nothing_is_destroyed_without_a_yes() {
    let platform = Platform::answering(json!({"session_id": "trs_1", "deleted": true}));
    for words in [
        vec!["session", "delete", "--session=trs_1"],
        vec!["session", "mounts", "m1", "--session=trs_1", "--delete=a.pdf"],
    ] {
        platform.run(&words).failed(2, &["nothing was done", "--yes"]);
    }
    assert!(platform.asked().is_empty());
}

#[test]
fn what_is_deleted_or_gone_is_forgotten() {
    let gone = json!({"error": {"message": "Session not found"}});
    for (status, answer, code) in [
        (200, json!({"session_id": "trs_1", "deleted": true}), 0),
        (404, gone, 5),
        (500, json!({}), 5),
    ] {
        let platform = Platform::in_turn(vec![(201, session("trs_1")), (status, answer)]);
        platform.run(&["session", "create", "--user=u"]).healthy();
        assert_eq!(platform.run(&["session", "delete", "--yes"]).code, Some(code), "{status}");
        let left = platform.run(&["session", "list", "--offline", "--json"]).json();
        let expected = usize::from(status == 500);
        assert_eq!(left.as_array().map(Vec::len), Some(expected), "{status}");
    }
}

#[test]
fn a_configuration_may_stand_in_a_file_or_on_stdin() {
    let platform = Platform::answering(session("trs_1"));
    let file = platform.home.path().join("session.json");
    let text = r#"{"user_id":"f","hooks":[{"id":"h"}],"toolkits":{"disable":["exa"]}}"#;
    fs::write(&file, text).expect("it can be written");
    let expected =
        json!({"user_id": "me", "hooks": [{"id": "h"}], "toolkits": {"enable": ["gmail"]}});
    let flags = ["session", "create", "--user=me", "--toolkit=gmail", "--session-config"];
    platform.run(&[&flags[..], &["~/session.json"]].concat()).healthy();
    let key = [("COMPOSIO_API_KEY", KEY)];
    platform.run_with(&[&flags[..], &["-"]].concat(), &key, text).healthy();
    assert!(platform.asked().iter().all(|(_, body)| *body == expected), "{:?}", platform.asked());

    fs::write(&file, r#"{"user_id":"f","toolkits":{"enabled":["SECRET"]}}"#).expect("written");
    let words = ["session", "create", "--session-config", "~/session.json"];
    let report = platform.run(&words).failed(2, &["toolkits.enabled", "write `enable`"]);
    assert!(!report.contains("SECRET"), "{report}");
    assert_eq!(platform.asked().len(), 2, "nothing was sent");
}

#[test]
fn what_was_changed_is_no_longer_what_it_was_made_for() {
    let platform = Platform::answering(session("trs_1"));
    platform.run(&["session", "create", "--user=u"]).healthy();
    platform.run(&["session", "update", "--search=false"]).healthy();
    let state = platform.home.path().join("state/composio-bridge/composio-sessions");
    let file = fs::read_dir(state).expect("there").flatten().next().expect("one").path();
    let kept: Value = serde_json::from_slice(&fs::read(file).expect("readable")).expect("JSON");
    assert_eq!(kept["wish"], "changed", "{kept}");
}

/// A call is made once, and how it ended is told and in the exit code.
#[test]
fn every_outcome_of_a_call_is_told() {
    let blocked = json!({
        "result_type": "blocked", "message": "No mail leaves.", "log_id": "log_2",
        "reason": {"type": "request_blocked", "hook_id": "hook_1"},
    });
    let asks = json!({
        "result_type": "input_required", "request_state": "st_1",
        "input_requests": {"q1": {
            "type": "elicitation", "mode": "form", "message": "Really?",
            "requested_schema": {"type": "object", "properties": {"sure": {"type": "boolean"}}},
        }},
    });
    for (answer, code, printed, told) in [
        (
            json!({"data": {"a": 1}, "error": null, "result_type": "completed"}),
            0,
            "\"a\": 1",
            vec![],
        ),
        (
            json!({"data": {}, "error": "no such mail", "log_id": "log_1", "result_type": "failed"}),
            5,
            "{}",
            vec!["the tool failed", "no such mail", "log_1"],
        ),
        (blocked, 4, "Blocked: No mail leaves.", vec!["before it was made", "hook_1", "log_2"]),
        (asks, 1, "--request-state 'st_1'", vec!["waits for answers", "--input-responses"]),
    ] {
        let platform = Platform::answering(answer.clone());
        let words = ["session", "execute", "--session=trs_1", "GMAIL_SEND_EMAIL"];
        let ran = platform.run(&words);
        assert!(ran.stdout.contains(printed), "{ran:?}");
        if code == 0 {
            ran.healthy();
        } else {
            ran.failed(code, &told);
        }
        assert_eq!(platform.asked_once().1, json!({"tool_slug": "GMAIL_SEND_EMAIL"}));
        let ran = platform.run(&[&words[..], &["--json"]].concat());
        let printed: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        assert_eq!((printed, ran.code), (answer, Some(code)));
    }
}
