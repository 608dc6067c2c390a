//! Where requests come in: who may, how often, and which operation each is for.

use http::{HeaderMap, request::Parts};
use reqwest::Url;
use serde_json::{Value, json};

use super::{
    Failure, KeyKind, account, execute, instance, mounts,
    reply::{Outcome, Refusal, invalid, refuse},
    schema, search, server, session,
    shape::{self, Member},
    state::{Call, State},
    view,
};

type Operation = fn(&mut State, &Call) -> Outcome;

const S: &str = "tool_router/session/{}";

/// Every operation: the method, the path (`S` is a session's), the body's shape, and what it does.
/// The first that fits is meant.
const OPERATIONS: &[(&str, &str, &[Member], Operation)] = &[
    ("POST", "tool_router/session", schema::CREATE, session::create),
    ("GET", "S", schema::NOTHING, session::get),
    ("PATCH", "S", schema::PATCH, session::patch),
    ("DELETE", "S", schema::NOTHING, session::delete),
    ("POST", "S/attach", schema::ATTACH, session::attach),
    ("GET", "S/tools", schema::NOTHING, view::tools),
    ("GET", "S/toolkits", schema::NOTHING, view::toolkits_of),
    ("POST", "S/link", schema::LINK, account::link),
    ("POST", "S/execute", schema::EXECUTE, execute::execute),
    ("POST", "S/execute_meta", schema::EXECUTE_META, execute::execute_meta),
    ("POST", "S/search", schema::SEARCH, search::search),
    ("POST", "S/proxy_execute", schema::PROXY, execute::proxy),
    ("GET", "S/config_history", schema::NOTHING, session::history),
    ("GET", "S/mounts/{}/items", schema::NOTHING, mounts::items),
    ("POST", "S/mounts/{}/delete", schema::FILE, mounts::delete),
    ("POST", "S/mounts/{}/download_url", schema::FILE, mounts::download_url),
    ("POST", "S/mounts/{}/upload_url", schema::FILE, mounts::upload_url),
    ("GET", "session_configs", schema::NOTHING, session::configs),
    ("GET", "session_configs/{}", schema::NOTHING, session::config),
    ("GET", "auth_configs/{}", schema::NOTHING, account::auth_config),
    ("POST", "mcp/servers", schema::SERVER_CREATE, server::create),
    ("POST", "mcp/servers/custom", schema::SERVER_CUSTOM, server::create_custom),
    ("POST", "mcp/servers/generate", schema::GENERATE, server::generate),
    ("GET", "mcp/servers", schema::NOTHING, server::list_all),
    ("GET", "mcp/app/{}", schema::NOTHING, server::list_of_app),
    ("GET", "mcp/servers/{}/instances", schema::NOTHING, instance::list),
    ("POST", "mcp/servers/{}/instances", schema::INSTANCE, instance::create),
    ("DELETE", "mcp/servers/{}/instances/{}", schema::NOTHING, instance::delete),
    ("GET", "mcp/{}", schema::NOTHING, server::get),
    ("PATCH", "mcp/{}", schema::SERVER_PATCH, server::patch),
    ("DELETE", "mcp/{}", schema::NOTHING, server::delete),
];

/// Answers a request of the API; the path is without the prefix of the version.
pub(super) fn operate(
    state: &mut State,
    project: usize,
    (head, path): (&Parts, &str),
    body: &[u8],
) -> Outcome {
    let fits = |(_, pattern, ..): &&(&str, &str, &[Member], Operation)| ids(pattern, path);
    let known = OPERATIONS.iter().filter(|operation| fits(operation).is_some());
    let mut with_method = known.clone().filter(|(method, ..)| *method == head.method.as_str());
    let Some((method, pattern, shape, operation)) = with_method.next() else {
        let status = if known.count() == 0 { 404 } else { 405 };
        return Err(refuse(status, format!("Cannot {} /{path}", head.method)));
    };
    let body = match *method {
        "POST" | "PATCH" => read(shape, body)?,
        _ => Value::Null,
    };
    let ids = ids(pattern, path).unwrap_or_default();
    operation(state, &Call { project, ids, query: query(head.uri.query()), body })
}

/// What stands in the place of each `{}`, where the path is of this pattern.
fn ids(pattern: &str, path: &str) -> Option<Vec<String>> {
    let pattern = match pattern.strip_prefix('S') {
        Some(rest) => format!("{S}{rest}"),
        None => pattern.to_owned(),
    };
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    let mut ids = Vec::new();
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return Some(ids),
            (Some("{}"), Some(id)) if !id.is_empty() => ids.push(decoded(id)),
            (Some(known), Some(part)) if known == part => {}
            _ => return None,
        }
    }
}

/// A part of a path without percent signs.
fn decoded(part: &str) -> String {
    let part = format!("x={}", part.replace('+', "%2B"));
    query(Some(&part)).pop().map(|(_, value)| value).unwrap_or_default()
}

/// The parameters of a query.
pub(super) fn query(query: Option<&str>) -> Vec<(String, String)> {
    let url = Url::parse(&format!("http://localhost/?{}", query.unwrap_or_default()));
    let pairs = |url: Url| url.query_pairs().into_owned().collect();
    url.map(pairs).unwrap_or_default()
}

fn read(shape: &[Member], body: &[u8]) -> Result<Value, Refusal> {
    let value = match body.iter().all(u8::is_ascii_whitespace) {
        true => json!({}),
        false => serde_json::from_slice(body)
            .map_err(|_| refuse(400, "Malformed JSON in request body"))?,
    };
    let faults = shape::faults(shape, &value);
    if faults.is_empty() { Ok(value) } else { Err(invalid(faults)) }
}

/// The project of the caller, who must bring exactly one credential that fits.
pub(super) fn admit(state: &State, headers: &HeaderMap) -> Result<usize, Refusal> {
    let credentials: Vec<_> = [
        ("x-api-key", KeyKind::Project),
        ("x-user-api-key", KeyKind::User),
        ("x-org-api-key", KeyKind::Organisation),
        ("x-consumer-api-key", KeyKind::Consumer),
        ("authorization", KeyKind::Bearer),
    ]
    .into_iter()
    .flat_map(|(name, kind)| headers.get_all(name).iter().map(move |value| (kind, value)))
    .collect();
    let [(kind, value)] = credentials.as_slice() else {
        let text = if credentials.is_empty() {
            "Invalid API key"
        } else {
            "Multiple credentials provided: send exactly one"
        };
        return Err(unauthorized(text));
    };
    let given = value.to_str().unwrap_or_default();
    let given = match kind {
        KeyKind::Bearer => given.strip_prefix("Bearer ").unwrap_or_default(),
        _ => given,
    };
    // Those are for the organisation itself and for Connect.
    let fits = !matches!(kind, KeyKind::Organisation | KeyKind::Consumer);
    let whole = *kind != KeyKind::User
        || headers.contains_key("x-org-id") == headers.contains_key("x-project-id");
    let key = state.keys.iter().find(|key| key.kind == *kind && key.text == given);
    match key {
        Some(key) if fits && whole => Ok(key.project),
        _ => Err(unauthorized("Invalid API key")),
    }
}

fn unauthorized(text: &str) -> Refusal {
    Refusal { fix: "Send a valid API key in the x-api-key header", ..refuse(401, text) }
}

/// The failure that this request is to end with, if one is planned.
pub(super) fn planned(state: &mut State, path: &str) -> Option<Failure> {
    let failures = &mut state.failures;
    let at = failures.iter().position(|failure| path.contains(&failure.path))?;
    failures[at].times = failures[at].times.saturating_sub(1);
    let failure = failures[at].clone();
    if failure.times == 0 {
        failures.remove(at);
    }
    Some(failure)
}
