//! The MCP endpoints of the stand-in for Composio: those of sessions and of MCP servers.

use composio_bridge::demo::composio::{KeyKind, StandIn};
use serde_json::{Value, json};

use super::composio_standin::{refused, server, session, stand_in};
use crate::support::{
    bridge::Bridge,
    composio::{Reply, api, exchange, key, rpc},
};

fn initialize() -> Value {
    json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": { "name": "test", "version": "1" },
    }})
}

/// What tools an endpoint has, and what one of them answers.
fn speak(stand_in: &StandIn, path: &str, tool: &str) -> (Vec<String>, Reply) {
    let first = rpc(stand_in, path, None, &initialize());
    assert_eq!(first.status, 200, "{}", first.text);
    let session = first.header("mcp-session-id").expect("a session");
    let ask = |message: Value| rpc(stand_in, path, Some(session), &message);
    assert_eq!(ask(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).status, 202);
    let list = ask(json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }));
    let tools = list.body["result"]["tools"].as_array();
    let tools = tools.unwrap_or_else(|| panic!("no tools: {} {}", list.status, list.text));
    let names = tools.iter().filter_map(|tool| tool["name"].as_str()).map(str::to_owned);
    let params = json!({ "name": tool, "arguments": { "queries": [], "recipient_email": "a@b" } });
    let call = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params });
    (names.collect(), ask(call))
}

#[test]
fn a_session_is_an_mcp_server_until_it_is_deleted() {
    let stand_in = stand_in();
    let meta = session(&stand_in, &json!({ "user_id": "ada" }));
    let (tools, answer) =
        speak(&stand_in, &format!("/tool_router/{meta}/mcp"), "COMPOSIO_SEARCH_TOOLS");
    assert_eq!(tools.first().map(String::as_str), Some("COMPOSIO_SEARCH_TOOLS"));
    assert_eq!(answer.body["result"]["isError"], false, "{}", answer.text);
    let direct = json!({ "user_id": "ada", "toolkits": { "enable": ["gmail"] },
        "search": { "enable": false }, "execute": { "enable_multi_execute": false },
        "preload": { "tools": "all" }, "manage_connections": { "enable": false },
        "workbench": { "enable": false } });
    let direct = session(&stand_in, &direct);
    let path = format!("/tool_router/{direct}/mcp");
    let (tools, answer) = speak(&stand_in, &path, "GMAIL_CREATE_EMAIL_DRAFT");
    assert!(tools.len() == 4 && tools.iter().all(|name| name.starts_with("GMAIL_")), "{tools:?}");
    assert!(answer.text.contains("Connected account not found"), "{}", answer.text);
    stand_in.connect("ada", "gmail").expect("an app");
    let (_, answer) = speak(&stand_in, &path, "GMAIL_CREATE_EMAIL_DRAFT");
    assert_eq!(answer.body["result"]["isError"], false, "{}", answer.text);
    let key = [key(&stand_in)];
    assert_eq!(exchange(&stand_in, "GET", &path, &key, "").status, 405);
    let unacceptable = exchange(&stand_in, "POST", &path, &key, &initialize().to_string());
    assert_eq!((unacceptable.status, &unacceptable.body["error"]["code"]), (406, &json!(-32000)));
    let lost = rpc(
        &stand_in,
        &path,
        Some("no-such"),
        &json!({ "jsonrpc": "2.0", "id": 1, "method": "ping" }),
    );
    assert_eq!(
        (lost.status, lost.text_at("/error/message").as_str()),
        (404, "Transport not found")
    );
    assert!(stand_in.delete_session(&direct));
    refused(&rpc(&stand_in, &path, None, &initialize()), 404, "HTTP_NotFound", &direct);
    assert_eq!(stand_in.sessions(), [meta]);
}

#[test]
fn an_mcp_server_redirects_to_its_transport_and_wants_the_singular_parameter() {
    let stand_in = stand_in();
    let account = stand_in.connect("ada", "gmail").expect("an app");
    let id = server(&stand_in);
    let generated = api(
        &stand_in,
        "POST",
        "mcp/servers/generate",
        &json!({
        "mcp_server_id": id, "user_ids": ["ada lovelace"], "connected_account_ids": [account],
        "managed_auth_by_composio": true }),
    );
    let url = format!("{}/v3/mcp/{id}", stand_in.base_url());
    assert_eq!(generated.text_at("/mcp_url"), url);
    let user = format!("{url}?user_id=ada+lovelace&include_composio_helper_actions=true");
    assert_eq!(generated.text_at("/user_ids_url/0"), user);
    let plural =
        format!("{url}?connected_account_ids={account}&include_composio_helper_actions=true");
    assert_eq!(generated.text_at("/connected_account_urls/0"), plural);
    for (query, status) in [
        ("", 400),
        ("?connected_account_ids=ca_1", 400),
        ("?user_id=ada", 307),
        ("?connected_account_id=ca_1", 307),
    ] {
        let reply = rpc(&stand_in, &format!("/v3/mcp/{id}{query}"), None, &initialize());
        if status == 400 {
            refused(
                &reply,
                400,
                "HTTP_BadRequest",
                "user_id or connected_account_id query parameter is required",
            );
        } else {
            assert_eq!(
                (reply.status, reply.header("location")),
                (307, Some(format!("/v3/mcp/{id}/mcp{query}").as_str()))
            );
        }
    }
    for query in ["user_id=ada".to_owned(), format!("connected_account_id={account}")] {
        let path = format!("/v3/mcp/{id}/mcp?{query}");
        let (tools, answer) = speak(&stand_in, &path, "GMAIL_CREATE_EMAIL_DRAFT");
        assert_eq!(
            (tools.len(), &answer.body["result"]["isError"]),
            (4, &json!(false)),
            "{}",
            answer.text
        );
    }
}

/// "Enhanced Control": the person is asked through the client before a tool runs.
#[test]
fn a_session_that_asks_before_each_call_asks_through_the_client_or_denies() {
    let stand_in = stand_in();
    stand_in.connect("ada", "gmail").expect("an app");
    let fallback = |fallback: &str| {
        let permissions = json!({ "default": "ask_every_call" });
        let body = json!({ "user_id": "ada", "preload": { "tools": ["GMAIL_FETCH_EMAILS"] },
            "experimental": { "permissions": permissions, "no_elicitation_support_fallback": fallback } });
        format!("/tool_router/{}/mcp", session(&stand_in, &body))
    };
    for (named, is_error) in [("deny", true), ("allow", false)] {
        let (_, answer) = speak(&stand_in, &fallback(named), "GMAIL_FETCH_EMAILS");
        assert_eq!(answer.body["result"]["isError"], is_error, "{}", answer.text);
    }
    let url = stand_in.base_url() + &fallback("deny");
    let setup = Bridge::to(url).env("COMPOSIO_BASE_URL", stand_in.base_url());
    let mut bridge = setup.env("COMPOSIO_API_KEY", stand_in.key(KeyKind::Project)).spawn();
    bridge.handshake("2025-11-25");
    for (action, is_error) in [("accept", false), ("decline", true)] {
        let params = json!({ "name": "GMAIL_FETCH_EMAILS", "arguments": {} });
        let id = format!("\"{action}\"");
        bridge.send(format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}"#
        ));
        let question = bridge.incoming("elicitation/create");
        assert_eq!(question["params"]["message"], "May GMAIL_FETCH_EMAILS run?");
        let result = json!({ "action": action, "content": {} });
        bridge
            .send(json!({ "jsonrpc": "2.0", "id": question["id"], "result": result }).to_string());
        assert_eq!(bridge.answer_to(&id)["result"]["isError"], is_error);
    }
    bridge.finish();
}
