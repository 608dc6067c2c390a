//! Finding tools for a use case: those that share a word with it.

use serde_json::{Map, Value, json};

use super::{
    catalogue::{self, slug},
    execute::account_for,
    reply::Outcome,
    state::{Call, State, now},
    view,
};
use crate::json::text;

pub(super) fn search(state: &mut State, call: &Call) -> Outcome {
    state.session(call)?;
    Ok((200, find(state, call.id(0), &call.body)))
}

/// The tools for the `queries` in `asked`, and what of their apps is connected.
pub(super) fn find(state: &State, session_id: &str, asked: &Value) -> Value {
    let Some(session) = state.sessions.get(session_id) else { return Value::Null };
    let mut found: Vec<view::Entry> = Vec::new();
    let mut results = Vec::new();
    for query in asked["queries"].as_array().into_iter().flatten() {
        let use_case = text(query, "use_case").unwrap_or_default();
        let mut hits = view::allowed(session);
        hits.retain(|(_, tool)| matches(tool, use_case));
        let slugs: Vec<_> = hits.iter().map(|(_, tool)| slug(tool)).collect();
        results.push(json!({ "use_case": use_case, "primary_tool_slugs": slugs }));
        found.extend(hits);
    }
    let mut toolkits: Vec<_> = found.iter().map(|(toolkit, _)| *toolkit).collect();
    toolkits.dedup_by_key(|toolkit| slug(toolkit));
    let statuses = toolkits.into_iter().map(|toolkit| {
        let account = account_for(state, toolkit, session.project, &session.user, None);
        let status = if account.is_some() { "Connected" } else { "No active connection" };
        json!({
            "toolkit": toolkit["slug"],
            "has_active_connection": account.is_some(),
            "status_message": status,
            "accounts": account.iter().filter(|id| !id.is_empty()).collect::<Vec<_>>(),
        })
    });
    json!({
        "success": true,
        "error": null,
        "results": results,
        "tool_schemas": schemas(found.iter().map(|(_, tool)| slug(tool))),
        "toolkit_connection_statuses": statuses.collect::<Vec<_>>(),
        "next_steps_guidance": ["Connect what is not connected, then run the tool."],
        "session": { "id": session_id },
        "time_info": { "current_time_utc": now() },
    })
}

/// The schemas of tools by their slugs.
pub(super) fn schemas<'a>(slugs: impl Iterator<Item = &'a str>) -> Value {
    let known = slugs.filter_map(catalogue::tool);
    let schemas = known.map(|(toolkit, tool)| {
        let schema = json!({
            "tool_slug": tool["slug"],
            "toolkit": toolkit["slug"],
            "description": tool["description"],
            "input_schema": catalogue::input_schema(tool),
        });
        (slug(tool).to_owned(), schema)
    });
    Value::Object(schemas.collect::<Map<_, _>>())
}

fn matches(tool: &'static Value, use_case: &str) -> bool {
    let known = format!("{} {}", slug(tool), tool["description"]).to_ascii_lowercase();
    let words = use_case.split(|char: char| !char.is_alphanumeric());
    words.filter(|word| word.len() > 3).any(|word| known.contains(&word.to_ascii_lowercase()))
}
