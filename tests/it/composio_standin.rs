//! The stand-in for Composio's API without a bridge: every documented operation, its answer's
//! members, and its refusals. The tests of the commands rest on this.

use composio_bridge::demo::composio::{Failure, KeyKind, StandIn};
use serde_json::{Value, json};

use crate::support::composio::{Reply, api, exchange, key, rpc};

const S: &str = "tool_router/session";

pub(super) fn stand_in() -> StandIn {
    StandIn::start().expect("a loopback port is free")
}

/// A session with this body; its id.
pub(super) fn session(stand_in: &StandIn, body: &Value) -> String {
    let created = api(stand_in, "POST", S, body);
    assert_eq!(created.status, 201, "{}", created.text);
    created.text_at("/session_id")
}

/// An MCP server for gmail; its id.
pub(super) fn server(stand_in: &StandIn) -> String {
    let body = json!({ "name": "Mail server", "auth_config_ids": [stand_in.auth_config("gmail")] });
    let created = api(stand_in, "POST", "mcp/servers", &body);
    assert_eq!(created.status, 201, "{}", created.text);
    created.text_at("/id")
}

#[track_caller]
fn has(reply: &Reply, status: u16, members: &str) {
    assert_eq!(reply.status, status, "{}", reply.text);
    for member in members.split(' ').filter(|member| !member.is_empty()) {
        let pointer = format!("/{}", member.replace('.', "/"));
        assert!(reply.body.pointer(&pointer).is_some(), "{member} is missing in {}", reply.text);
    }
}

#[track_caller]
pub(super) fn refused(reply: &Reply, status: u16, slug: &str, message: &str) {
    has(reply, status, "error.message error.code error.slug error.status error.request_id");
    let error = &reply.body["error"];
    assert_eq!((&error["slug"], &error["status"]), (&json!(slug), &json!(status)));
    assert!(reply.text.contains(message), "`{message}` is missing in {}", reply.text);
    assert_eq!(
        reply.header("x-request-id"),
        error["request_id"].as_str().map(|id| id.to_ascii_lowercase()).as_deref()
    );
}

const ITEM: &str = "items.0.slug items.0.name items.0.description items.0.input_parameters \
    items.0.output_parameters items.0.toolkit.slug items.0.version items.0.available_versions \
    items.0.tags items.0.no_auth items.0.is_deprecated next_cursor total_items total_pages current_page";
const SERVER: &str = "id name auth_config_ids allowed_tools mcp_url toolkits toolkit_icons \
    commands.claude commands.cursor commands.windsurf created_at updated_at server_instance_count \
    managed_auth_via_composio";

#[test]
fn every_operation_of_a_session_answers_with_the_documented_members() {
    let stand_in = stand_in();
    stand_in.connect("ada", "gmail").expect("an app");
    let id = session(
        &stand_in,
        &json!({ "user_id": "ada", "toolkits": { "enable": ["gmail", "github"] } }),
    );
    let file = json!({ "mount_relative_path": "a/b.txt" });
    let config = "session_id mcp.type mcp.url tool_router_tools.0 config_version config.user_id \
        config.toolkits.enabled config.manage_connections.enabled config.workbench.enable \
        config.workbench.proxy_execution_enabled config.multi_account config.preload.tools \
        config.search.enable config.execute config.instant config.proxy_execute config.hooks";
    let upload = api(&stand_in, "POST", &format!("{S}/{id}/mounts/files/upload_url"), &file);
    has(&upload, 200, "upload_url mount_relative_path");
    let address = upload.text_at("/upload_url");
    let address = address.trim_start_matches(&stand_in.base_url());
    assert_eq!(exchange(&stand_in, "PUT", address, &[], "hello").status, 200);
    for (method, path, body, status, members) in [
        ("GET", "", json!(null), 200, config),
        ("PATCH", "", json!({ "tags": ["readOnlyHint"] }), 200, config),
        ("POST", "/attach", json!({}), 200, "session_id experimental.custom_tools"),
        ("GET", "/tools?limit=2", json!(null), 200, ITEM),
        (
            "GET",
            "/toolkits",
            json!(null),
            200,
            "items.0.slug items.0.name items.0.enabled items.0.is_no_auth items.0.meta.logo \
             items.0.composio_managed_auth_schemes items.0.connected_account.auth_config.id next_cursor",
        ),
        (
            "POST",
            "/link",
            json!({ "toolkit": "github" }),
            201,
            "connected_account_id link_token redirect_url",
        ),
        (
            "POST",
            "/execute",
            json!({ "tool_slug": "GMAIL_FETCH_EMAILS", "arguments": {} }),
            200,
            "data.messages error log_id result_type",
        ),
        (
            "POST",
            "/execute_meta",
            json!({ "slug": "COMPOSIO_GET_TOOL_SCHEMAS",
            "arguments": { "tool_slugs": ["GMAIL_FETCH_EMAILS"] } }),
            200,
            "data.GMAIL_FETCH_EMAILS log_id",
        ),
        (
            "POST",
            "/search",
            json!({ "queries": [{ "use_case": "list messages" }] }),
            200,
            "success error results tool_schemas.GMAIL_FETCH_EMAILS next_steps_guidance session.id time_info \
             toolkit_connection_statuses.0.has_active_connection toolkit_connection_statuses.0.status_message",
        ),
        (
            "POST",
            "/proxy_execute",
            json!({ "toolkit_slug": "gmail", "endpoint": "/x", "method": "GET" }),
            200,
            "status data",
        ),
        (
            "GET",
            "/config_history",
            json!(null),
            200,
            "items.1.config items.0.version items.0.is_current next_cursor",
        ),
        (
            "GET",
            "/mounts/files/items",
            json!(null),
            200,
            "items.0.mount_relative_path items.0.size next_cursor",
        ),
        ("POST", "/mounts/files/download_url", file.clone(), 200, "download_url"),
        ("POST", "/mounts/files/delete", file.clone(), 200, "mount_relative_path"),
        ("DELETE", "", json!(null), 200, "session_id deleted"),
        ("GET", "", json!(null), 404, "error.message"),
    ] {
        let reply = api(&stand_in, method, &format!("{S}/{id}{path}"), &body);
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.text);
        has(&reply, status, members);
        assert!(reply.header("x-request-id").is_some() && reply.header("x-ratelimit").is_some());
    }
    has(&api(&stand_in, "GET", "session_configs", &json!(null)), 200, "items.0.id next_cursor");
    has(
        &api(&stand_in, "GET", "session_configs/sc_demo_readers", &json!(null)),
        200,
        "id name config",
    );
}

#[test]
fn every_operation_of_an_mcp_server_answers_with_the_documented_members() {
    let stand_in = stand_in();
    stand_in.connect("ada", "gmail").expect("an app");
    let id = server(&stand_in);
    let instances = format!("mcp/servers/{id}/instances");
    let own = format!("mcp/{id}");
    let gone = format!("mcp/servers/{id}/instances/ada");
    let list = SERVER.split_whitespace().map(|name| format!("items.0.{name} "));
    let list = list.collect::<String>() + "current_page total_pages";
    for (method, path, body, status, members) in [
        (
            "POST",
            "mcp/servers/custom",
            json!({ "name": "Just tools", "toolkits": ["slack"] }),
            201,
            "id name auth_config_ids allowed_tools mcp_url commands",
        ),
        ("GET", "mcp/servers?name=mail", json!(null), 200, list.as_str()),
        ("GET", "mcp/app/gmail", json!(null), 200, &list),
        ("GET", &own, json!(null), 200, SERVER),
        ("PATCH", &own, json!({ "allowed_tools": ["GMAIL_SEND_EMAIL"] }), 200, SERVER),
        (
            "POST",
            "mcp/servers/generate",
            json!({ "mcp_server_id": id, "user_ids": ["ada"] }),
            200,
            "mcp_url connected_account_urls user_ids_url.0",
        ),
        (
            "POST",
            &instances,
            json!({ "user_id": "ada" }),
            201,
            "id instance_id mcp_server_id created_at",
        ),
        ("POST", &instances, json!({ "user_id": "ada" }), 409, "error.slug"),
        ("POST", &instances, json!({ "user_id": "bob" }), 403, "error.slug"),
        (
            "GET",
            &instances,
            json!(null),
            200,
            "instances.0.instance_id server_id server_name total_pages current_page",
        ),
        ("DELETE", &gone, json!(null), 200, "message deleted_connected_accounts"),
        ("DELETE", &gone, json!(null), 404, "error.slug"),
        ("DELETE", &own, json!(null), 200, "id deleted"),
        ("GET", &own, json!(null), 404, "error.slug"),
    ] {
        let reply = api(&stand_in, method, path, &body);
        assert_eq!(reply.status, status, "{method} {path}: {}", reply.text);
        has(&reply, status, members);
    }
}

#[test]
fn bodies_that_break_the_rules_are_400_with_their_faults() {
    let stand_in = stand_in();
    let id = session(&stand_in, &json!({ "user_id": "ada" }));
    let own = |path: &str| format!("{S}/{id}/{path}");
    let with = |name: &str, block: Value| json!({ "user_id": "ada", name: block });
    for (path, body, fault) in [
        (S.into(), json!({}), "user_id: Required"),
        (S.into(), with("toolkits", json!({ "enabled": ["gmail"] })), "toolkits: Invalid input"),
        (S.into(), with("toolkits", json!(["gmail"])), "toolkits: Invalid input"),
        (S.into(), with("toolkits", json!({ "enable": ["nope"] })), "nope"),
        (S.into(), with("tools", json!({ "gmail": { "enable": ["NOPE"] } })), "NOPE"),
        (S.into(), with("auth_configs", json!({ "gmail": "ac_other" })), "ac_other"),
        (S.into(), with("connected_accounts", json!({ "gmail": ["ca_other"] })), "ca_other"),
        (
            S.into(),
            with("manage_connections", json!({ "enabled": true })),
            "manage_connections.enabled",
        ),
        (S.into(), with("preload", json!({ "tools": "all" })), "positive filter"),
        (
            S.into(),
            with("multi_account", json!({ "max_accounts_per_toolkit": 11 })),
            "multi_account",
        ),
        (
            S.into(),
            json!({ "user_id": "ada", "tags": ["readOnlyHint"],
            "experimental": { "session_config_id": "sc_demo_readers" } }),
            "excludes",
        ),
        (own("link"), json!({ "toolkit": "nope" }), "nope"),
        (own("link"), json!({}), "toolkit: Required"),
        (own("execute"), json!({ "arguments": {} }), "tool_slug: Required"),
        (own("execute_meta"), json!({ "slug": "GMAIL_SEND_EMAIL" }), "slug: Invalid input"),
        (
            own("search"),
            json!({ "queries": [{ "use_case": "x".repeat(1025) }] }),
            "queries[0].use_case",
        ),
        (
            "mcp/servers".into(),
            json!({ "name": "abc", "auth_config_ids": [] }),
            "name: Invalid input",
        ),
        (
            "mcp/servers".into(),
            json!({ "name": "a_b_c_d", "auth_config_ids": [] }),
            "name: Invalid input",
        ),
        ("mcp/servers".into(), json!({ "name": "Good name" }), "auth_config_ids: Required"),
        ("mcp/servers".into(), json!({ "name": "Good name", "auth_config_ids": ["ac_x"] }), "ac_x"),
    ] {
        refused(&api(&stand_in, "POST", &path, &body), 400, "HTTP_BadRequest", fault);
    }
    for path in
        ["tools?limit=501", "toolkits?limit=51", "config_history?limit=101", "tools?cursor=x"]
    {
        refused(&api(&stand_in, "GET", &own(path), &Value::Null), 400, "HTTP_BadRequest", "");
    }
    let bad = exchange(&stand_in, "POST", "/api/v3/tool_router/session", &[key(&stand_in)], "{");
    refused(&bad, 400, "HTTP_BadRequest", "Malformed");
    refused(
        &api(&stand_in, "GET", &format!("{S}/ses_1"), &Value::Null),
        400,
        "HTTP_BadRequest",
        "trs_",
    );
    refused(&api(&stand_in, "GET", "nothing", &Value::Null), 404, "HTTP_NotFound", "Cannot GET");
    refused(&api(&stand_in, "PUT", S, &Value::Null), 405, "HTTP_MethodNotAllowed", "Cannot PUT");
}

#[test]
fn exactly_one_credential_that_fits_is_let_in() {
    let stand_in = stand_in();
    let key = |kind| stand_in.key(kind);
    let project = format!("x-api-key: {}", key(KeyKind::Project));
    let user = format!("x-user-api-key: {}", key(KeyKind::User));
    let bearer = format!("Authorization: Bearer {}", key(KeyKind::Bearer));
    let (org, of) = ("x-org-id: o".to_owned(), "x-project-id: p".to_owned());
    let id = session(&stand_in, &json!({ "user_id": "ada" }));
    let other = format!("x-api-key: {}", key(KeyKind::OtherProject));
    for (headers, status) in [
        (vec![project.clone()], 200),
        (vec![bearer.clone()], 200),
        (vec![user.clone(), org.clone(), of], 200),
        (vec![user.clone(), org], 401),
        (vec![], 401),
        (vec!["x-api-key: wrong".into()], 401),
        (vec![format!("x-api-key: Bearer {}", key(KeyKind::Project))], 401),
        (vec![format!("Authorization: {}", key(KeyKind::Bearer))], 401),
        (vec![format!("x-api-key: {}", key(KeyKind::User))], 401),
        (vec![format!("x-api-key: {}", key(KeyKind::Consumer))], 401),
        (vec![format!("x-consumer-api-key: {}", key(KeyKind::Consumer))], 401),
        (vec![format!("x-org-api-key: {}", key(KeyKind::Organisation))], 401),
        (vec![project.clone(), bearer], 401),
        (vec![project.clone(), user], 401),
        (vec![other], 404),
    ] {
        for path in [format!("/api/v3.1/{S}/{id}"), format!("/tool_router/{id}/mcp")] {
            let reply = exchange(&stand_in, "GET", &path, &headers, "");
            let expected = if status == 200 && path.contains("/mcp") { 405 } else { status };
            assert_eq!(reply.status, expected, "{headers:?} {path}: {}", reply.text);
            match status {
                401 => refused(&reply, 401, "HTTP_Unauthorized", ""),
                404 => refused(&reply, 404, "HTTP_NotFound", "not found"),
                _ => {}
            }
        }
    }
    stand_in.revoke(&key(KeyKind::Project));
    let revoked = exchange(&stand_in, "GET", &format!("/api/v3.1/{S}/{id}"), &[project], "");
    refused(&revoked, 401, "HTTP_Unauthorized", "Invalid API key");
}

#[test]
fn planned_failures_come_in_the_documented_shapes() {
    let stand_in = stand_in();
    let fail = |times, path: &str, status, retry_after: &str| {
        let (path, retry_after) = (path.into(), retry_after.into());
        stand_in.fail(Failure { times, path, status, retry_after });
    };
    fail(1, "/session", 429, "2");
    let limited = api(&stand_in, "POST", S, &json!({ "user_id": "ada" }));
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("2")));
    assert!(limited.body["error"].is_null() && limited.text.contains("Rate limit exceeded"));
    let id = session(&stand_in, &json!({ "user_id": "ada" }));
    fail(2, "", 500, "");
    for _ in 0..2 {
        let failed = api(&stand_in, "GET", &format!("{S}/{id}"), &Value::Null);
        refused(&failed, 500, "HTTP_InternalServerError", "");
    }
    fail(1, "/mcp", 502, "");
    assert_eq!(api(&stand_in, "GET", &format!("{S}/{id}"), &Value::Null).status, 200);
    let html = rpc(&stand_in, &format!("/tool_router/{id}/mcp"), None, &json!({}));
    assert!(html.status == 502 && html.text.starts_with("<html>"), "{}", html.text);
    let seen = stand_in.seen();
    assert_eq!((seen.len(), seen[0].method.as_str()), (6, "POST"));
    assert_eq!(seen[0].body, json!({ "user_id": "ada" }));
    assert!(seen[0].headers.contains_key("x-api-key"));
    let named = [key(&stand_in), "x-request-id: Mine".into()];
    let own = exchange(&stand_in, "GET", &format!("/api/v3.1/{S}/trs_none"), &named, "");
    assert_eq!(own.body["error"]["request_id"], "Mine", "{}", own.text);
}

#[test]
fn a_visit_of_the_link_connects_the_account() {
    let stand_in = stand_in();
    let id = session(&stand_in, &json!({ "user_id": "ada", "toolkits": { "enable": ["github"] } }));
    let execute = || {
        let body = json!({ "tool_slug": "GITHUB_GET_THE_AUTHENTICATED_USER", "arguments": {} });
        api(&stand_in, "POST", &format!("{S}/{id}/execute"), &body)
    };
    let connected = || {
        let path = format!("{S}/{id}/toolkits?is_connected=true");
        api(&stand_in, "GET", &path, &Value::Null).body["total_items"].clone()
    };
    let refused = execute();
    assert_eq!(refused.body["result_type"], "failed", "{}", refused.text);
    assert!(refused.text_at("/error").starts_with("Connected account not found"));
    let link = api(&stand_in, "POST", &format!("{S}/{id}/link"), &json!({ "toolkit": "github" }));
    assert_eq!(connected(), 0);
    let address = link.text_at("/redirect_url");
    let page =
        exchange(&stand_in, "GET", address.trim_start_matches(&stand_in.base_url()), &[], "");
    assert_eq!(page.status, 200, "{}", page.text);
    assert_eq!(connected(), 1);
    assert_eq!(execute().body["data"]["login"], "octo-demo");
    assert_eq!(exchange(&stand_in, "GET", "/link/lk_unknown", &[], "").status, 404);
}

#[test]
fn what_a_session_does_not_allow_is_said_in_the_result() {
    let stand_in = stand_in();
    stand_in.connect("ada", "gmail").expect("an app");
    let run = |session_body: Value, request: Value| {
        let id = session(&stand_in, &session_body);
        api(&stand_in, "POST", &format!("{S}/{id}/execute"), &request)
    };
    let send = json!({ "tool_slug": "GMAIL_SEND_EMAIL",
        "arguments": { "recipient_email": "a@b", "body": "SECRET PLAN" } });
    let restricted =
        run(json!({ "user_id": "ada", "toolkits": { "disable": ["gmail"] } }), send.clone());
    assert_eq!(
        restricted.text_at("/error"),
        "[Session Restriction] Toolkit 'gmail' is not allowed"
    );
    let hook = json!({ "type": "before_execute", "id": "h1", "applies_to": "all",
        "handler": { "type": "condition_check", "condition": "SECRET", "action": "block" } });
    let blocked = run(json!({ "user_id": "ada", "hooks": [hook] }), send.clone());
    assert_eq!(blocked.text_at("/result_type"), "blocked");
    assert_eq!(blocked.body["reason"], json!({ "type": "request_blocked", "hook_id": "h1" }));
    let lacking = run(
        json!({ "user_id": "ada" }),
        json!({ "tool_slug": "GMAIL_SEND_EMAIL", "arguments": {} }),
    );
    assert!(lacking.text_at("/error").contains("recipient_email"), "{}", lacking.text);
    let unknown = run(json!({ "user_id": "ada" }), json!({ "tool_slug": "NO_SUCH_TOOL" }));
    refused(&unknown, 404, "HTTP_NotFound", "NO_SUCH_TOOL");
    let asking = json!({ "user_id": "ada",
        "experimental": { "permissions": { "default": "ask_every_call" } } });
    let asked = run(asking.clone(), send.clone());
    has(&asked, 200, "input_requests.approval.requested_schema request_state");
    assert_eq!(asked.text_at("/result_type"), "input_required");
    for (action, outcome) in [("accept", "completed"), ("decline", "failed")] {
        let mut again = send.clone();
        again["request_state"] = asked.body["request_state"].clone();
        again["input_responses"] = json!({ "approval": { "action": action } });
        assert_eq!(run(asking.clone(), again).text_at("/result_type"), outcome);
    }
}

#[test]
fn lists_are_read_on_with_cursors_and_page_numbers() {
    let stand_in = stand_in();
    let id = session(&stand_in, &json!({ "user_id": "ada" }));
    let (mut slugs, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("{S}/{id}/tools?limit=4{cursor}");
        let page = api(&stand_in, "GET", &path, &Value::Null);
        has(&page, 200, "next_cursor total_items");
        let items = page.body["items"].as_array().expect("a list");
        slugs.extend(items.iter().map(|item| item["slug"].clone()));
        let Some(next) = page.body["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let created = api(&stand_in, "GET", &format!("{S}/{id}"), &Value::Null);
    assert_eq!(json!(slugs), created.body["tool_router_tools"]);
    for _ in 0..12 {
        server(&stand_in);
    }
    for (path, count) in [("", 10), ("?page_no=2", 2), ("?page_no=3", 0), ("?limit=5&page_no=3", 2)]
    {
        let page = api(&stand_in, "GET", &format!("mcp/servers{path}"), &Value::Null);
        assert_eq!(page.body["items"].as_array().map(Vec::len), Some(count), "{path}");
    }
}
