//! The older MCP servers: making, listing, changing and deleting them, and their addresses.

use serde_json::{Value, json};

use super::{
    catalogue::{self, slug},
    reply::{Outcome, Refusal, invalid, numbered_page, refuse},
    state::{Account, Call, Server, State, new_uuid, now},
};
use crate::json::{text, texts};

pub(super) fn create(state: &mut State, call: &Call) -> Outcome {
    let id = insert(state, call, "no_auth_apps")?;
    Ok((201, described(&state.base, &id, &state.servers[&id])))
}

pub(super) fn create_custom(state: &mut State, call: &Call) -> Outcome {
    let id = insert(state, call, "toolkits")?;
    let all = described(&state.base, &id, &state.servers[&id]);
    let few = ["id", "name", "auth_config_ids", "allowed_tools", "mcp_url", "commands"];
    let few = few.into_iter().map(|name| (name.to_owned(), all[name].clone()));
    Ok((201, Value::Object(few.collect())))
}

fn insert(state: &mut State, call: &Call, toolkits: &str) -> Result<String, Refusal> {
    let body = &call.body;
    check(body, toolkits)?;
    let mut allowed_tools = list(body, "allowed_tools");
    allowed_tools.extend(list(body, "custom_tools"));
    let id = new_uuid();
    let server = Server {
        project: call.project,
        name: text(body, "name").unwrap_or_default().to_owned(),
        auth_configs: list(body, "auth_config_ids"),
        toolkits: list(body, toolkits),
        allowed_tools,
        managed: body["managed_auth_via_composio"] == true,
        created_at: now(),
        updated_at: now(),
        instances: Vec::new(),
    };
    state.servers.insert(id.clone(), server);
    Ok(id)
}

fn list(body: &Value, name: &str) -> Vec<String> {
    texts(body, name).map(str::to_owned).collect()
}

/// Whether everything that is named exists.
fn check(body: &Value, toolkits: &str) -> Result<(), Refusal> {
    let ids = texts(body, "auth_config_ids").filter(|id| catalogue::of_auth_config(id).is_none());
    let mut faults: Vec<_> = ids.map(|id| format!("Auth config {id} not found")).collect();
    let apps = texts(body, toolkits).filter(|slug| catalogue::toolkit(slug).is_none());
    faults.extend(apps.map(|slug| format!("Toolkit with slug \"{slug}\" not found")));
    let tools = texts(body, "allowed_tools").chain(texts(body, "custom_tools"));
    let tools = tools.filter(|slug| catalogue::tool(slug).is_none());
    faults.extend(tools.map(|slug| format!("Tool with slug \"{slug}\" not found")));
    if faults.is_empty() { Ok(()) } else { Err(invalid(faults)) }
}

pub(super) fn list_all(state: &mut State, call: &Call) -> Outcome {
    listed(state, call, None)
}

pub(super) fn list_of_app(state: &mut State, call: &Call) -> Outcome {
    listed(state, call, Some(call.id(0)))
}

fn listed(state: &State, call: &Call, app: Option<&str>) -> Outcome {
    let limit = call.number("limit", 10, 1000)?;
    let page = call.number("page_no", 1, usize::MAX)?;
    let order = ordered_by(call, "created_at")?;
    let name = call.query("name").unwrap_or_default().to_ascii_lowercase();
    let apps = app.map(|app| vec![app]).or_else(|| call.list("toolkits"));
    let configs = call.list("auth_config_ids");
    let fits = |server: &Server| {
        let serves = server.serves();
        server.project == call.project
            && server.name.to_ascii_lowercase().contains(&name)
            && apps.as_ref().is_none_or(|apps| {
                serves
                    .iter()
                    .any(|toolkit| apps.iter().any(|app| app.eq_ignore_ascii_case(slug(toolkit))))
            })
            && configs.as_ref().is_none_or(|configs| {
                server.auth_configs.iter().any(|id| configs.contains(&id.as_str()))
            })
    };
    let mut items: Vec<_> = state
        .servers
        .iter()
        .filter(|(_, server)| fits(server))
        .map(|(id, server)| described(&state.base, id, server))
        .collect();
    sort(&mut items, call, order);
    Ok((200, numbered_page("items", items, limit, page)))
}

/// What a list is sorted by.
pub(super) fn ordered_by(call: &Call, usual: &'static str) -> Result<&'static str, Refusal> {
    match (call.query("order_by"), call.query("order_direction")) {
        (_, Some(direction)) if direction != "asc" && direction != "desc" => {
            Err(invalid(vec!["order_direction: must be asc or desc".into()]))
        }
        (None, _) => Ok(usual),
        (Some("created_at"), _) => Ok("created_at"),
        (Some("updated_at"), _) => Ok("updated_at"),
        (Some(_), _) => Err(invalid(vec!["order_by: must be created_at or updated_at".into()])),
    }
}

/// The newest first, unless it is to be otherwise.
pub(super) fn sort(items: &mut [Value], call: &Call, order: &str) {
    items.sort_by(|a, b| b[order].as_str().cmp(&a[order].as_str()));
    if call.query("order_direction") == Some("asc") {
        items.reverse();
    }
}

pub(super) fn get(state: &mut State, call: &Call) -> Outcome {
    let base = state.base.clone();
    let mut answer = described(&base, call.id(0), state.server(call, call.id(0))?);
    answer["deleted"] = false.into();
    Ok((200, answer))
}

pub(super) fn patch(state: &mut State, call: &Call) -> Outcome {
    let body = &call.body;
    check(body, "toolkits")?;
    let server = state.server(call, call.id(0))?;
    if let Some(name) = text(body, "name") {
        server.name = name.to_owned();
    }
    for (name, own) in [
        ("auth_config_ids", &mut server.auth_configs),
        ("toolkits", &mut server.toolkits),
        ("allowed_tools", &mut server.allowed_tools),
    ] {
        if body[name].is_array() {
            *own = list(body, name);
        }
    }
    server.managed = body["managed_auth_via_composio"].as_bool().unwrap_or(server.managed);
    server.updated_at = now();
    get(state, call)
}

pub(super) fn delete(state: &mut State, call: &Call) -> Outcome {
    state.server(call, call.id(0))?;
    state.servers.remove(call.id(0));
    Ok((200, json!({ "id": call.id(0), "deleted": true })))
}

/// The addresses for users and accounts. The parameter for an account is the plural one that the
/// transport refuses, as with Composio.
pub(super) fn generate(state: &mut State, call: &Call) -> Outcome {
    let body = &call.body;
    let id = text(body, "mcp_server_id").unwrap_or_default();
    state.server(call, id)?;
    for account in texts(body, "connected_account_ids") {
        let own = |known: &&Account| known.project == call.project && known.id == account;
        if !state.accounts.iter().any(|known| own(&known)) {
            return Err(refuse(400, format!("Connected account {account} not found")));
        }
    }
    let url = url(&state.base, id);
    let helpers = body["managed_auth_by_composio"] == true;
    let urls = |name: &str, parameter: &str| {
        let each = texts(body, name).map(|value| {
            let query = crate::auth::exchange::form(&[(parameter, value)]);
            let helpers = if helpers { "&include_composio_helper_actions=true" } else { "" };
            format!("{url}?{query}{helpers}")
        });
        each.collect::<Vec<_>>()
    };
    let answer = json!({
        "mcp_url": url,
        "connected_account_urls": urls("connected_account_ids", "connected_account_ids"),
        "user_ids_url": urls("user_ids", "user_id"),
    });
    Ok((200, answer))
}

fn url(base: &str, id: &str) -> String {
    format!("{base}/v3/mcp/{id}")
}

fn described(base: &str, id: &str, server: &Server) -> Value {
    let toolkits: Vec<_> = server.serves().into_iter().map(slug).collect();
    let icons = server
        .serves()
        .into_iter()
        .map(|toolkit| (slug(toolkit).to_owned(), Value::from(catalogue::logo(toolkit))));
    let url = url(base, id);
    let command = |client| format!("npx @composio/mcp@latest setup \"{url}\" --client {client}");
    json!({
        "id": id,
        "name": server.name,
        "auth_config_ids": server.auth_configs,
        "allowed_tools": server.allowed_tools,
        "mcp_url": url,
        "toolkits": toolkits,
        "toolkit_icons": Value::Object(icons.collect()),
        "commands": {
            "claude": command("claude"),
            "cursor": command("cursor"),
            "windsurf": command("windsurf"),
        },
        "created_at": server.created_at,
        "updated_at": server.updated_at,
        "server_instance_count": server.instances.len(),
        "managed_auth_via_composio": server.managed,
    })
}
