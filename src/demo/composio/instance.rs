//! The instances of an MCP server, one a user.

use serde_json::{Value, json};

use super::{
    catalogue,
    reply::{Outcome, missing, numbered_page, refuse},
    server::{ordered_by, sort},
    state::{Call, State, now},
};
use crate::json::text;

pub(super) fn list(state: &mut State, call: &Call) -> Outcome {
    let limit = call.number("limit", 20, 1000)?;
    let page = call.number("page_no", 1, usize::MAX)?;
    let order = ordered_by(call, "created_at")?;
    let search = call.query("search").unwrap_or_default();
    let server = state.server(call, call.id(0))?;
    let found = server.instances.iter().filter(|(user, _)| user.contains(search));
    let mut items: Vec<_> = found.map(|(user, at)| described(call.id(0), user, at)).collect();
    sort(&mut items, call, order);
    let mut answer = numbered_page("instances", items, limit, page);
    answer["server_id"] = call.id(0).into();
    answer["server_name"] = server.name.clone().into();
    Ok((200, answer))
}

pub(super) fn create(state: &mut State, call: &Call) -> Outcome {
    let user = text(&call.body, "user_id").unwrap_or_default();
    let server = state.server(call, call.id(0))?;
    if server.instances.iter().any(|(known, _)| known == user) {
        return Err(refuse(409, format!("An instance for the user {user} exists already")));
    }
    let configs = server.auth_configs.clone();
    let toolkits = configs.iter().filter_map(|id| catalogue::of_auth_config(id));
    for toolkit in toolkits.map(catalogue::slug) {
        if state.connected(call.project, user, toolkit).next().is_none() {
            let text = format!("The user {user} has no connected account for {toolkit}");
            return Err(refuse(403, text));
        }
    }
    let at = now();
    let answer = described(call.id(0), user, &at);
    state.server(call, call.id(0))?.instances.push((user.to_owned(), at));
    Ok((201, answer))
}

/// Deletes an instance, and with it the user's accounts for the apps of the server.
pub(super) fn delete(state: &mut State, call: &Call) -> Outcome {
    let user = call.id(1);
    let server = state.server(call, call.id(0))?;
    let Some(at) = server.instances.iter().position(|(known, _)| known == user) else {
        return Err(missing("Instance", user));
    };
    server.instances.remove(at);
    let toolkits: Vec<_> = server.serves().into_iter().map(catalogue::slug).collect();
    let before = state.accounts.len();
    state.accounts.retain(|account| {
        (account.project, account.user.as_str()) != (call.project, user)
            || !toolkits.contains(&account.toolkit)
    });
    let deleted = before - state.accounts.len();
    Ok((200, json!({ "message": "Instance deleted", "deleted_connected_accounts": deleted })))
}

fn described(server: &str, user: &str, at: &str) -> Value {
    json!({
        "id": format!("{server}:{user}"),
        "instance_id": user,
        "mcp_server_id": server,
        "created_at": at,
        "updated_at": at,
    })
}
