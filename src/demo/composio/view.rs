//! What a session shows: its tools and its apps.

use serde_json::{Value, json};

use super::{
    catalogue::{self, has_tag, slug, toolkits},
    reply::{Outcome, cursor_page, invalid},
    state::{Account, Call, Session, State},
};
use crate::json::texts;

/// An app and one of its tools.
pub(super) type Entry = (&'static Value, &'static Value);

pub(super) fn tools(state: &mut State, call: &Call) -> Outcome {
    let limit = call.number("limit", 20, 500)?;
    let session = state.session(call)?;
    let items = exposed(session).into_iter().map(|(toolkit, tool)| catalogue::item(toolkit, tool));
    cursor_page(items.collect(), limit, call.query("cursor"))
}

/// All that a client of the session is shown: the meta tools, and what is preloaded.
pub(super) fn exposed(session: &Session) -> Vec<Entry> {
    let meta = meta_tools(session).into_iter().filter_map(catalogue::tool);
    meta.chain(preloaded(session)).collect()
}

/// The meta tools that its configuration leaves.
pub(super) fn meta_tools(session: &Session) -> Vec<&'static str> {
    let is = |block: &str, name: &str, usual: bool| {
        session.blocks[block].get(name).and_then(Value::as_bool).unwrap_or(usual)
    };
    let searches = is("search", "enable", true);
    let connects = is("manage_connections", "enable", true);
    let works = is("workbench", "enable", true);
    [
        ("COMPOSIO_SEARCH_TOOLS", searches),
        ("COMPOSIO_GET_TOOL_SCHEMAS", searches),
        ("COMPOSIO_MULTI_EXECUTE_TOOL", is("execute", "enable_multi_execute", true)),
        ("COMPOSIO_MANAGE_CONNECTIONS", connects),
        (
            "COMPOSIO_WAIT_FOR_CONNECTIONS",
            connects && is("manage_connections", "enable_wait_for_connections", false),
        ),
        ("COMPOSIO_REMOTE_WORKBENCH", works),
        ("COMPOSIO_REMOTE_BASH_TOOL", works),
    ]
    .into_iter()
    .filter_map(|(slug, is_there)| is_there.then_some(slug))
    .collect()
}

/// The tools that are shown without a search.
pub(super) fn preloaded(session: &Session) -> Vec<Entry> {
    let block = &session.blocks["preload"];
    let all = block["tools"] == "all";
    let wanted = |slug| all || texts(block, "tools").any(|wanted| wanted == slug);
    let mut entries = allowed(session);
    entries.retain(|(_, tool)| wanted(slug(tool)));
    entries
}

/// The tools that may be run, preloaded or not.
pub(super) fn allowed(session: &Session) -> Vec<Entry> {
    let of = |toolkit| catalogue::tools(toolkit).map(move |tool| (toolkit, tool));
    toolkits().flat_map(of).filter(|entry| allows(session, *entry)).collect()
}

/// Whether a tool may be run.
pub(super) fn allows(session: &Session, (toolkit, tool): Entry) -> bool {
    let filter = &session.blocks["tools"][slug(toolkit)];
    let own = if filter.get("tags").is_some() {
        passes_tags(&filter["tags"], tool)
    } else {
        passes(filter, slug(tool))
    };
    allows_toolkit(session, slug(toolkit)) && own && passes_tags(&session.blocks["tags"], tool)
}

/// Whether tools of an app may be run.
pub(super) fn allows_toolkit(session: &Session, toolkit: &str) -> bool {
    passes(&session.blocks["toolkits"], toolkit)
}

fn passes(filter: &Value, name: &str) -> bool {
    let named = |list| texts(filter, list).any(|known| known.eq_ignore_ascii_case(name));
    if filter.get("enable").is_some() { named("enable") } else { !named("disable") }
}

fn passes_tags(filter: &Value, tool: &Value) -> bool {
    let list = |value: &'_ Value, name| texts(value, name).map(str::to_owned).collect::<Vec<_>>();
    let (enable, disable) = match filter {
        Value::Array(_) => (list(&json!({ "enable": filter }), "enable"), Vec::new()),
        _ => (list(filter, "enable"), list(filter, "disable")),
    };
    let any = |tags: &[String]| has_tag(tool, &tags.iter().map(String::as_str).collect::<Vec<_>>());
    (enable.is_empty() || any(&enable)) && !any(&disable)
}

pub(super) fn toolkits_of(state: &mut State, call: &Call) -> Outcome {
    let limit = call.number("limit", 20, 50)?;
    let wanted = call.list("toolkits");
    let connected = match call.query("is_connected") {
        None => None,
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(_) => {
            return Err(invalid(vec!["is_connected: Expected boolean".into()]));
        }
    };
    let search = call.query("search").unwrap_or_default().to_ascii_lowercase();
    state.session(call)?;
    let items = toolkits()
        .filter(|toolkit| wanted.as_ref().is_none_or(|wanted| wanted.contains(&slug(toolkit))))
        .filter(|toolkit| toolkit.to_string().to_ascii_lowercase().contains(&search))
        .map(|toolkit| describe(state, call.id(0), toolkit));
    let shown = items.filter(|item| {
        let is_connected =
            item["connected_account"]["status"] == "ACTIVE" || item["is_no_auth"] == true;
        item["enabled"] == true && connected.is_none_or(|wanted| wanted == is_connected)
    });
    cursor_page(shown.collect(), limit, call.query("cursor"))
}

/// An app as the list of a session's apps describes it.
fn describe(state: &State, session: &str, toolkit: &'static Value) -> Value {
    let session = &state.sessions[session];
    let own = |account: &&Account| {
        (account.project, account.user.as_str(), account.toolkit)
            == (session.project, session.user.as_str(), slug(toolkit))
    };
    // The latest that is connected, else the latest that waits.
    let account = state.accounts.iter().filter(own).max_by_key(|account| account.is_active);
    let account = account.map(describe_account);
    let open = catalogue::is_open(toolkit);
    let schemes = if open { json!([]) } else { json!([toolkit["scheme"]]) };
    json!({
        "slug": toolkit["slug"],
        "name": toolkit["name"],
        "enabled": allows_toolkit(session, slug(toolkit)),
        "is_no_auth": open,
        "meta": { "description": toolkit["description"], "logo": catalogue::logo(toolkit) },
        "composio_managed_auth_schemes": schemes,
        "connected_account": account,
    })
}

pub(super) fn describe_account(account: &Account) -> Value {
    json!({
        "id": account.id,
        "user_id": account.user,
        "status": if account.is_active { "ACTIVE" } else { "INITIATED" },
        "created_at": account.created_at,
        "auth_config": {
            "id": catalogue::auth_config(account.toolkit),
            "auth_scheme": "OAUTH2",
            "is_composio_managed": true,
        },
    })
}
