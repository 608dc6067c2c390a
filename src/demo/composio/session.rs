//! Sessions: making, reading, changing and deleting them, and their configuration as answers say it.

use serde_json::{Map, Value, json};

use super::{
    catalogue,
    reply::{Outcome, Refusal, cursor_page, invalid, missing},
    state::{Call, Session, State, new_id, now},
    view,
};
use crate::json::{text, texts};

/// The one saved configuration.
const PRESET: &str = "sc_demo_readers";

pub(super) fn create(state: &mut State, call: &Call) -> Outcome {
    let mut blocks = call.body.clone();
    let user = text(&blocks, "user_id").unwrap_or_default().to_owned();
    check(state, call.project, &user, &blocks)?;
    if let Some(saved) = text(&blocks["experimental"], "session_config_id") {
        for (name, block) in preset(saved)?["config"].as_object().into_iter().flatten() {
            blocks[name] = block.clone();
        }
    }
    let id = new_id("trs_");
    let config = shown(&user, &blocks);
    let history = vec![json!({ "version": 1, "config": config, "created_at": now() })];
    let session =
        Session { project: call.project, user, blocks, history, approved: Default::default() };
    let mut answer = described(&state.base, &id, &session);
    answer["experimental"] = experimental(&session);
    state.sessions.insert(id, session);
    Ok((201, answer))
}

pub(super) fn get(state: &mut State, call: &Call) -> Outcome {
    let base = state.base.clone();
    let session = state.session(call)?;
    Ok((200, described(&base, call.id(0), session)))
}

pub(super) fn patch(state: &mut State, call: &Call) -> Outcome {
    let user = state.session(call)?.user.clone();
    check(state, call.project, &user, &call.body)?;
    let session = state.session(call)?;
    for (name, block) in call.body.as_object().into_iter().flatten() {
        session.blocks[name] = block.clone();
    }
    let config = shown(&session.user, &session.blocks);
    let version = session.history.len() + 1;
    let entry = json!({ "version": version, "config": config, "created_at": now() });
    session.history.push(entry);
    get(state, call)
}

pub(super) fn delete(state: &mut State, call: &Call) -> Outcome {
    state.session(call)?;
    state.sessions.remove(call.id(0));
    Ok((200, json!({ "session_id": call.id(0), "deleted": true })))
}

/// Attaches to a session; the custom tools that come along are not kept.
pub(super) fn attach(state: &mut State, call: &Call) -> Outcome {
    let (_, mut answer) = get(state, call)?;
    let mut experimental = experimental(state.session(call)?);
    for name in ["custom_tools", "custom_toolkits"] {
        experimental[name] = call.body["experimental"].get(name).cloned().unwrap_or(json!([]));
    }
    answer["experimental"] = experimental;
    Ok((200, answer))
}

pub(super) fn history(state: &mut State, call: &Call) -> Outcome {
    let limit = call.number("limit", 20, 100)?;
    let newest_first = state.session(call)?.history.iter().rev().enumerate();
    let items = newest_first.map(|(age, entry)| {
        let mut entry = entry.clone();
        entry["is_current"] = (age == 0).into();
        entry
    });
    cursor_page(items.collect(), limit, call.query("cursor"))
}

pub(super) fn configs(_: &mut State, call: &Call) -> Outcome {
    let limit = call.number("limit", 20, 100)?;
    let search = call.query("search").unwrap_or_default().to_ascii_lowercase();
    let mut all = vec![preset(PRESET)?];
    all.retain(|preset| preset.to_string().to_ascii_lowercase().contains(&search));
    if call.query("archived") == Some("true") {
        all.clear();
    }
    cursor_page(all, limit, call.query("cursor"))
}

pub(super) fn config(_: &mut State, call: &Call) -> Outcome {
    Ok((200, preset(call.id(0))?))
}

fn preset(id: &str) -> Result<Value, Refusal> {
    if id != PRESET {
        return Err(missing("Session config", id));
    }
    Ok(json!({
        "id": PRESET,
        "name": "Readers",
        "description": "Tools that only read",
        "config": { "tags": { "enable": ["readOnlyHint"] } },
        "created_at": "2026-11-01T00:00:00.000Z",
        "updated_at": "2026-11-01T00:00:00.000Z",
    }))
}

/// What a shape cannot tell: names that do not exist, and blocks that exclude each other.
fn check(state: &State, project: usize, user: &str, blocks: &Value) -> Result<(), Refusal> {
    let mut faults = Vec::new();
    let mut toolkits: Vec<&str> = ["enable", "disable", "require_approval"]
        .into_iter()
        .flat_map(|list| texts(&blocks["toolkits"], list))
        .collect();
    for block in ["tools", "auth_configs", "connected_accounts"] {
        toolkits.extend(members(&blocks[block]).map(|(toolkit, _)| toolkit.as_str()));
    }
    let unknown = toolkits.iter().filter(|slug| catalogue::toolkit(slug).is_none());
    faults.extend(unknown.map(|slug| format!("Toolkit with slug \"{slug}\" not found")));
    let preloaded = texts(&blocks["preload"], "tools");
    let filters = members(&blocks["tools"]).flat_map(|(_, filter)| {
        ["enable", "disable", "require_approval"].into_iter().flat_map(|list| texts(filter, list))
    });
    let unknown = preloaded.chain(filters).filter(|slug| catalogue::tool(slug).is_none());
    faults.extend(unknown.map(|slug| format!("Tool with slug \"{slug}\" not found")));
    check_accounts(state, (project, user), blocks, &mut faults);
    if blocks["preload"]["tools"] == "all" && !is_narrow(blocks) {
        faults.push("preload.tools: \"all\" needs a positive filter in toolkits or tools".into());
    }
    let customs = ["custom_tools", "custom_toolkits"].map(|name| &blocks["experimental"][name]);
    let others = ["toolkits", "tools", "tags"].map(|name| &blocks[name]);
    if text(&blocks["experimental"], "session_config_id").is_some()
        && others.into_iter().chain(customs).any(|block| !block.is_null())
    {
        faults.push(
            "experimental.session_config_id: excludes toolkits, tools, tags and custom tools"
                .into(),
        );
    }
    if faults.is_empty() { Ok(()) } else { Err(invalid(faults)) }
}

fn check_accounts(
    state: &State,
    (project, user): (usize, &str),
    blocks: &Value,
    faults: &mut Vec<String>,
) {
    for (toolkit, id) in members(&blocks["auth_configs"]) {
        let of = catalogue::of_auth_config(id.as_str().unwrap_or_default());
        if of.map(catalogue::slug) != Some(toolkit.as_str()) {
            faults.push(format!("auth_configs.{toolkit}: Auth config {id} not found"));
        }
    }
    let several = blocks["multi_account"]["enable"] == true;
    for (toolkit, ids) in members(&blocks["connected_accounts"]) {
        let ids: Vec<_> = ids.as_array().into_iter().flatten().collect();
        if ids.len() > 1 && !several {
            faults
                .push(format!("connected_accounts.{toolkit}: one account, without multi_account"));
        }
        for id in ids {
            if !state.connected(project, user, toolkit).any(|account| id == &account.id) {
                faults.push(format!("connected_accounts.{toolkit}: {id} not found"));
            }
        }
    }
}

/// Whether the toolkits or the tools are named that there are to be.
fn is_narrow(blocks: &Value) -> bool {
    texts(&blocks["toolkits"], "enable").next().is_some()
        || members(&blocks["tools"]).any(|(_, filter)| filter.get("enable").is_some())
}

fn members(block: &Value) -> impl Iterator<Item = (&String, &Value)> {
    block.as_object().into_iter().flatten()
}

fn described(base: &str, id: &str, session: &Session) -> Value {
    let latest = session.history.last().cloned().unwrap_or_default();
    let mut answer = json!({
        "session_id": id,
        "mcp": { "type": "http", "url": format!("{base}/tool_router/{id}/mcp") },
        "tool_router_tools": view::meta_tools(session),
        "config": latest["config"],
        "config_version": latest["version"],
    });
    let preloaded = view::preloaded(session).len();
    if preloaded > 10 {
        let message = format!("{preloaded} tools are loaded into the context of the model");
        answer["warnings"] =
            json!([{ "code": "PRELOAD_TOOLS_HIGH_CONTEXT_USAGE", "message": message }]);
    }
    answer
}

fn experimental(session: &Session) -> Value {
    let asked = &session.blocks["experimental"];
    let list = |name: &str| asked.get(name).cloned().unwrap_or(json!([]));
    let fallback = text(asked, "no_elicitation_support_fallback").unwrap_or("deny");
    let source = text(asked, "session_config_id").map(|id| json!({ "id": id }));
    json!({
        "assistive_prompt": "Find the tool first, then run it.",
        "custom_tools": list("custom_tools"),
        "custom_toolkits": list("custom_toolkits"),
        "no_elicitation_support_fallback": fallback,
        "source_session_config": source,
    })
}

/// A configuration as answers say it, where some members have other names than in requests.
fn shown(user: &str, blocks: &Value) -> Value {
    let or = |name: &str, usual: Value| match blocks.get(name) {
        Some(block) if !block.is_null() => block.clone(),
        _ => usual,
    };
    let with = |name: &str, mut usual: Value| {
        for (member, value) in members(&blocks[name]) {
            usual[member] = value.clone();
        }
        usual
    };
    let connections = json!({ "enable": true, "enable_connection_removal": true,
        "enable_wait_for_connections": false });
    let mut workbench = with(
        "workbench",
        json!({ "enable": true,
        "enable_proxy_execution": true, "sandbox_size": "standard" }),
    );
    if let Some(proxy) = workbench.as_object_mut() {
        let allowed = proxy.remove("enable_proxy_execution");
        proxy.insert("proxy_execution_enabled".into(), allowed.unwrap_or_default());
    }
    let tags = match or("tags", Value::Null) {
        Value::Array(tags) => json!({ "enabled": tags }),
        tags => renamed(tags),
    };
    json!({
        "user_id": user,
        "toolkits": renamed(or("toolkits", json!({ "disable": [] }))),
        "tools": renamed(or("tools", json!({}))),
        "tags": tags,
        "auth_configs": or("auth_configs", json!({})),
        "connected_accounts": or("connected_accounts", json!({})),
        "manage_connections": renamed(with("manage_connections", connections)),
        "workbench": workbench,
        "multi_account": with("multi_account", json!({ "enable": false,
            "max_accounts_per_toolkit": 5, "require_explicit_selection": false })),
        "preload": with("preload", json!({ "tools": [] })),
        "search": with("search", json!({ "enable": true })),
        "execute": with("execute", json!({ "enable_multi_execute": true })),
        "instant": or("instant", json!(false)),
        "proxy_execute": with("proxy_execute", json!({ "enable": true })),
        "hooks": or("hooks", json!([])),
    })
}

/// The same with `enabled` for `enable` and `disabled` for `disable`, at every depth.
fn renamed(value: Value) -> Value {
    let Value::Object(members) = value else { return value };
    let members = members.into_iter().map(|(name, value)| {
        let name = match name.as_str() {
            "enable" => "enabled".to_owned(),
            "disable" => "disabled".to_owned(),
            _ => name,
        };
        (name, renamed(value))
    });
    Value::Object(members.collect::<Map<_, _>>())
}
