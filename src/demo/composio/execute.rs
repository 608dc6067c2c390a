//! Running tools. Nothing happens; what comes back is what the catalogue says.

use serde_json::{Map, Value, json};

use super::{
    account, catalogue,
    reply::{Outcome, Refusal, invalid, missing, refuse},
    search,
    state::{Call, State, new_id},
    view::{self, Entry},
};
use crate::json::{text, texts};

/// The key of the one question that is ever asked.
const APPROVAL: &str = "approval";

/// One run of a tool.
pub(super) struct Run<'a> {
    pub(super) session: &'a str,
    pub(super) arguments: &'a Value,
    /// The account to use; any of the user's where it is null.
    pub(super) account: &'a Value,
    /// The answers to what was asked before.
    pub(super) answers: &'a Value,
    /// The state that the question came with.
    pub(super) asked: &'a Value,
}

impl<'a> Run<'a> {
    fn of(call: &'a Call) -> Self {
        Run {
            session: call.id(0),
            arguments: &call.body["arguments"],
            account: &call.body["account"],
            answers: &call.body["input_responses"],
            asked: &call.body["request_state"],
        }
    }
}

pub(super) fn execute(state: &mut State, call: &Call) -> Outcome {
    state.session(call)?;
    let slug = text(&call.body, "tool_slug").unwrap_or_default();
    Ok((200, run(state, slug, &Run::of(call))?))
}

pub(super) fn execute_meta(state: &mut State, call: &Call) -> Outcome {
    let session = state.session(call)?;
    let slug = text(&call.body, "slug").unwrap_or_default();
    if !view::meta_tools(session).contains(&slug) {
        return Err(refuse(400, format!("{slug} is not enabled in this session")));
    }
    Ok((200, run(state, slug, &Run::of(call))?))
}

/// Calls an app's own interface with a connected account.
pub(super) fn proxy(state: &mut State, call: &Call) -> Outcome {
    let session = state.session(call)?;
    if session.blocks["proxy_execute"]["enable"] == false {
        return Err(refuse(403, "Proxy execution is not enabled in this session"));
    }
    let user = session.user.clone();
    let slug = text(&call.body, "toolkit_slug").or(text(&call.body, "toolkit"));
    let slug = slug.ok_or_else(|| invalid(vec!["toolkit_slug: Required".into()]))?;
    if state.connected(call.project, &user, slug).next().is_none() {
        return Err(refuse(400, format!("Connected account not found for toolkit {slug}")));
    }
    let echo = json!({ "endpoint": call.body["endpoint"], "method": call.body["method"] });
    Ok((200, json!({ "status": 200, "data": echo, "headers": {} })))
}

/// Runs a tool of a session, a meta tool or another, as `execute` answers.
pub(super) fn run(state: &mut State, slug: &str, run: &Run) -> Result<Value, Refusal> {
    let entry = catalogue::tool(slug).ok_or_else(|| missing("Tool", slug))?;
    if let Some(fault) = lacking(entry.1, run.arguments) {
        return Ok(failed(&fault));
    }
    if catalogue::slug(entry.0) == catalogue::META {
        return meta(state, entry, run);
    }
    let session = state.sessions.get(run.session);
    let session = session.ok_or_else(|| missing("Session", run.session))?;
    if !view::allows(session, entry) {
        let toolkit = catalogue::slug(entry.0);
        let what = if view::allows_toolkit(session, toolkit) {
            format!("Tool '{slug}'")
        } else {
            format!("Toolkit '{toolkit}'")
        };
        return Ok(failed(&format!("[Session Restriction] {what} is not allowed")));
    }
    let (project, user) = (session.project, session.user.clone());
    if let Some(blocked) = blocked(&session.blocks, catalogue::slug(entry.0), run.arguments) {
        return Ok(blocked);
    }
    let Some(account) = account_for(state, entry.0, project, &user, run.account.as_str()) else {
        return Ok(not_connected(entry.0));
    };
    if let Some(question) = ask(state, entry, &account, run)? {
        return Ok(question);
    }
    Ok(completed(entry.1, run.arguments))
}

/// The account that a tool runs with; an empty text where it needs none.
pub(super) fn account_for(
    state: &State,
    toolkit: &'static Value,
    project: usize,
    user: &str,
    wanted: Option<&str>,
) -> Option<String> {
    if catalogue::is_open(toolkit) {
        return Some(String::new());
    }
    let mut connected = state.connected(project, user, catalogue::slug(toolkit));
    let account = connected.find(|account| {
        wanted.is_none_or(|wanted| account.id == wanted || account.alias == wanted)
    });
    account.map(|account| account.id.clone())
}

pub(super) fn completed(tool: &Value, arguments: &Value) -> Value {
    let mut data = tool.get("data").cloned().unwrap_or_else(|| json!({}));
    data["arguments"] = arguments.clone();
    done(data)
}

fn done(data: Value) -> Value {
    json!({ "data": data, "error": null, "log_id": new_id("log_"), "result_type": "completed" })
}

pub(super) fn failed(error: &str) -> Value {
    json!({ "data": {}, "error": error, "log_id": new_id("log_"), "result_type": "failed" })
}

pub(super) fn not_connected(toolkit: &'static Value) -> Value {
    let slug = catalogue::slug(toolkit);
    failed(&format!("Connected account not found for toolkit {slug}. Connect one first."))
}

/// What an argument check finds.
pub(super) fn lacking(tool: &Value, arguments: &Value) -> Option<String> {
    let missing: Vec<_> =
        texts(tool, "required").filter(|name| arguments.get(name).is_none()).collect();
    (!missing.is_empty()).then(|| {
        format!("Invalid request data: required fields are missing: {}", missing.join(", "))
    })
}

/// What the hooks of a session stop: a condition here is a text that the arguments must not hold.
fn blocked(blocks: &Value, toolkit: &str, arguments: &Value) -> Option<Value> {
    let arguments = arguments.to_string();
    let hooks = blocks["hooks"].as_array().into_iter().flatten();
    let hit = hooks.into_iter().find(|hook| {
        let applies = hook["applies_to"] == "all"
            || texts(&hook["applies_to"], "toolkits").any(|known| known == toolkit);
        let handler = &hook["handler"];
        let suspicious = text(handler, "condition").unwrap_or("ignore all previous instructions");
        applies && arguments.contains(suspicious)
    })?;
    let kind = match hit["type"].as_str() {
        Some("after_execute") => "response_blocked",
        _ => "request_blocked",
    };
    Some(json!({
        "result_type": "blocked",
        "reason": { "type": kind, "hook_id": hit["id"] },
        "message": format!("Blocked by the hook {}", hit["id"]),
        "log_id": new_id("log_"),
    }))
}

/// Asks the person where the session wants that; none where the tool may run.
fn ask(
    state: &mut State,
    entry: Entry,
    account: &str,
    run: &Run,
) -> Result<Option<Value>, Refusal> {
    let Some(session) = state.sessions.get_mut(run.session) else { return Ok(None) };
    let slug = catalogue::slug(entry.1);
    let rule = rule(&session.blocks, entry, account);
    match rule {
        "allow_all" | "always_allow" => return Ok(None),
        "always_deny" => return Ok(Some(failed("The person does not allow this tool"))),
        "ask_once" | "ask_once_per_session" if session.approved.contains(slug) => return Ok(None),
        _ => {}
    }
    let expected = format!("approve:{slug}");
    match run.asked.as_str() {
        None => {
            let question = json!({
                "type": "elicitation",
                "mode": "form",
                "message": format!("May {slug} run?"),
                "requested_schema": {
                    "type": "object",
                    "properties": { "remember": { "type": "boolean", "default": false } },
                },
            });
            let mut requests = Map::new();
            requests.insert(APPROVAL.into(), question);
            Ok(Some(json!({ "result_type": "input_required", "input_requests": requests,
                "request_state": expected })))
        }
        Some(asked) if asked != expected => {
            Err(invalid(vec!["request_state: Invalid state".into()]))
        }
        Some(_) if run.answers[APPROVAL]["action"] == "accept" => {
            session.approved.insert(slug.to_owned());
            Ok(None)
        }
        Some(_) => Ok(Some(failed("The person declined"))),
    }
}

/// How a tool is approved in a session.
fn rule<'a>(blocks: &'a Value, (toolkit, tool): Entry, account: &str) -> &'a str {
    let permissions = &blocks["experimental"]["permissions"];
    let slugs = (catalogue::slug(toolkit), catalogue::slug(tool));
    let exact = [format!("{}:{account}", slugs.1), format!("*:{account}")];
    let overrides = &permissions["overrides"];
    if let Some(rule) = exact.iter().find_map(|key| text(overrides, key)) {
        return rule;
    }
    let lists = [(&blocks["toolkits"], slugs.0), (&blocks["tools"][slugs.0], slugs.1)];
    let listed = lists
        .into_iter()
        .any(|(block, name)| texts(block, "require_approval").any(|known| known == name));
    let tags: Vec<_> = texts(&blocks["tags"], "require_approval").collect();
    if listed || catalogue::has_tag(tool, &tags) {
        return "ask_always";
    }
    text(permissions, "default").unwrap_or("allow_all")
}

/// A tool that finds, runs or connects.
fn meta(state: &mut State, (_, tool): Entry, this: &Run) -> Result<Value, Refusal> {
    let data = match catalogue::slug(tool) {
        "COMPOSIO_SEARCH_TOOLS" => search::find(state, this.session, this.arguments),
        "COMPOSIO_GET_TOOL_SCHEMAS" => search::schemas(texts(this.arguments, "tool_slugs")),
        "COMPOSIO_MULTI_EXECUTE_TOOL" => return several(state, this),
        "COMPOSIO_MANAGE_CONNECTIONS" => connections(state, this, true),
        "COMPOSIO_WAIT_FOR_CONNECTIONS" => connections(state, this, false),
        _ => return Ok(completed(tool, this.arguments)),
    };
    Ok(done(data))
}

/// Runs each tool of a list; the first question ends it, and comes again with its answers.
fn several(state: &mut State, this: &Run) -> Result<Value, Refusal> {
    let mut results = Vec::new();
    for wanted in this.arguments["tools"].as_array().into_iter().flatten() {
        let slug = text(wanted, "tool_slug").unwrap_or_default();
        let one = Run { arguments: &wanted["arguments"], ..*this };
        let result = match run(state, slug, &one) {
            Ok(result) if result["result_type"] == "input_required" => return Ok(result),
            Ok(result) => result,
            Err(refusal) => failed(&refusal.message),
        };
        results.push(json!({ "tool_slug": slug, "response": result }));
    }
    Ok(done(json!({ "results": results })))
}

/// Tells of each app whether it is connected, and where wanted with a link if it is not.
fn connections(state: &mut State, this: &Run, with_links: bool) -> Value {
    let Some(session) = state.sessions.get(this.session) else { return Value::Null };
    let (project, user, base) = (session.project, session.user.clone(), state.base.clone());
    let mut results = Map::new();
    for slug in texts(this.arguments, "toolkits") {
        let Some(toolkit) = catalogue::toolkit(slug) else {
            results.insert(slug.into(), json!({ "status": "failed", "error": "no such toolkit" }));
            continue;
        };
        let is_connected = account_for(state, toolkit, project, &user, None).is_some();
        let mut result = json!({ "status": if is_connected { "active" } else { "initiated" } });
        if !is_connected && with_links {
            let account = state.open_account(project, &user, toolkit, false);
            result["redirect_url"] = account::linked(&base, account)["redirect_url"].take();
        }
        results.insert(slug.into(), result);
    }
    json!({ "results": results })
}
