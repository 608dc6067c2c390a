//! What is certainly wrong with a session's configuration, before it is sent. Pure.

use serde_json::{Map, Value};

use super::body::{Purpose, TAGS, wrong};
use crate::{
    error::{Error, Kind},
    json::text,
};

/// Names that the API's answers have, and those that its requests have in their place.
const ANSWERED: [(&str, &str); 3] = [
    ("enabled", "enable"),
    ("disabled", "disable"),
    ("proxy_execution_enabled", "enable_proxy_execution"),
];

/// The parts of the document in which those names can stand.
const PARTS: [&str; 9] = [
    "toolkits",
    "tags",
    "manage_connections",
    "workbench",
    "multi_account",
    "proxy_execute",
    "search",
    "execute",
    "preload",
];

/// Members that only an answer has.
const OF_ANSWERS: [&str; 3] = ["session_id", "mcp", "tool_router_tools"];

/// What can be said when a session is made, and not later.
const AT_FIRST: [&str; 4] =
    ["assistive_prompt_config", "custom_tools", "custom_toolkits", "restrict_egress_to_composio"];

type Object = Map<String, Value>;

pub(super) fn check(body: &Object, purpose: Purpose) -> Result<(), Error> {
    form(body)?;
    user(body, purpose)?;
    let empty = Object::new();
    let object = |name: &str| body.get(name).and_then(Value::as_object).unwrap_or(&empty);
    alternatives("toolkits", object("toolkits"))?;
    tags("tags", body.get("tags"))?;
    for (toolkit, tools) in object("tools") {
        let place = format!("tools.{toolkit}");
        if let Value::Object(tools) = tools {
            alternatives(&place, tools)?;
            tags(&format!("{place}.tags"), tools.get("tags"))?;
        }
    }
    accounts(object("auth_configs"), object("connected_accounts"), object("multi_account"))?;
    limits(object("multi_account"), object("workbench"), object("proxy_execute"))?;
    callback(object("manage_connections"))?;
    experimental(body, object("experimental"), purpose)?;
    if purpose == Purpose::Create {
        preload(body)?;
    }
    Ok(())
}

fn part(name: &str) -> Error {
    wrong(&format!("the member `{name}` of the session's configuration"))
}

/// Whether it is a request's document, and its parts are what parts are.
fn form(body: &Object) -> Result<(), Error> {
    if OF_ANSWERS.iter().any(|name| body.contains_key(*name)) {
        return Err(wrong("the session's configuration")
            .because("it is an answer of the API, and not a request")
            .hint("take its member `config`, and say `enable` and `disable` in it"));
    }
    let mut objects: Vec<(String, &Object)> = Vec::new();
    for name in PARTS {
        match body.get(name) {
            Some(Value::Object(members)) => objects.push((name.to_owned(), members)),
            Some(Value::Array(_)) if name == "tags" => {}
            None | Some(Value::Null) => {}
            Some(_) => return Err(part(name).because("it is no JSON object")),
        }
    }
    for (toolkit, tools) in body.get("tools").and_then(Value::as_object).into_iter().flatten() {
        let Value::Object(members) = tools else {
            return Err(part(&format!("tools.{toolkit}")).because("it is no JSON object"));
        };
        objects.push((format!("tools.{toolkit}"), members));
        let of_tags = members.get("tags").and_then(Value::as_object);
        objects.extend(of_tags.map(|tags| (format!("tools.{toolkit}.tags"), tags)));
    }
    for (place, members) in objects {
        for (answered, asked) in ANSWERED {
            if members.contains_key(answered) {
                return Err(part(&format!("{place}.{answered}"))
                    .because("that is how the API answers, and not what it takes")
                    .hint(format!("write `{asked}` in its place")));
            }
        }
    }
    Ok(())
}

fn user(body: &Object, purpose: Purpose) -> Result<(), Error> {
    let user = body.get("user_id");
    match purpose {
        Purpose::Create
            if user.and_then(Value::as_str).is_none_or(|user| user.trim().is_empty()) =>
        {
            Err(Error::new(Kind::Usage, "a session needs a user")
                .hint("pass `--user ID`: the id that your own program has for the person"))
        }
        Purpose::Update if user.is_some() => {
            Err(part("user_id").because("a session's user cannot be changed").hint(
                "leave it out, or make a session with `composio-bridge session create --user ID`",
            ))
        }
        Purpose::Update if body.is_empty() => {
            Err(Error::new(Kind::Usage, "there is nothing to change")
                .hint("name what: `composio-bridge session update --help` lists it"))
        }
        _ => Ok(()),
    }
}

/// A list of what is allowed or of what is not.
fn alternatives(place: &str, members: &Object) -> Result<(), Error> {
    if members.contains_key("enable") && members.contains_key("disable") {
        return Err(part(place).because("it says `enable` and `disable`, and the API takes one"));
    }
    Ok(())
}

fn tags(place: &str, tags: Option<&Value>) -> Result<(), Error> {
    let lists: Vec<&Value> = match tags {
        Some(list @ Value::Array(_)) => vec![list],
        Some(Value::Object(members)) => members.values().collect(),
        _ => Vec::new(),
    };
    let mut all = lists.into_iter().filter_map(Value::as_array).flatten();
    if all.all(|tag| tag.as_str().is_some_and(|tag| TAGS.contains(&tag))) {
        return Ok(());
    }
    Err(part(place)
        .because("it names a tag that is none")
        .hint(format!("tags are {}", TAGS.join(", "))))
}

fn accounts(auth_configs: &Object, accounts: &Object, several: &Object) -> Result<(), Error> {
    let begins = |value: &Value, with: &str| value.as_str().is_some_and(|id| id.starts_with(with));
    for (toolkit, id) in auth_configs {
        if !begins(id, "ac_") {
            return Err(part(&format!("auth_configs.{toolkit}"))
                .because("the id of an auth config begins with ac_"));
        }
    }
    let may_be_several = several.get("enable") == Some(&Value::Bool(true));
    for (toolkit, ids) in accounts {
        let place = format!("connected_accounts.{toolkit}");
        let Some(ids) = ids.as_array() else {
            return Err(part(&place).because("it is no list of ids"));
        };
        if !ids.iter().all(|id| begins(id, "ca_")) {
            return Err(part(&place).because("the id of a connected account begins with ca_"));
        }
        if ids.len() > 1 && !may_be_several {
            return Err(part(&place)
                .because("a toolkit has one account, unless several are allowed")
                .hint("pass `--multi-account` too"));
        }
    }
    Ok(())
}

fn limits(several: &Object, workbench: &Object, proxy: &Object) -> Result<(), Error> {
    if let Some(most) = several.get("max_accounts_per_toolkit")
        && !most.as_u64().is_some_and(|most| (2..=10).contains(&most))
    {
        return Err(part("multi_account.max_accounts_per_toolkit").because("it must be 2 to 10"));
    }
    if proxy.get("enable") == Some(&Value::Bool(false))
        && workbench.get("enable_proxy_execution") == Some(&Value::Bool(true))
    {
        return Err(part("workbench.enable_proxy_execution")
            .because("it is true, and `proxy_execute.enable` is false")
            .hint("leave one of them out"));
    }
    Ok(())
}

fn callback(connections: &Object) -> Result<(), Error> {
    let Some(url) = connections.get("callback_url") else { return Ok(()) };
    let is_web = |url: &str| url.starts_with("https://") || url.starts_with("http://");
    if url.as_str().is_some_and(is_web) {
        return Ok(());
    }
    Err(part("manage_connections.callback_url").because("it must begin with https:// or http://"))
}

fn experimental(body: &Object, members: &Object, purpose: Purpose) -> Result<(), Error> {
    let named = AT_FIRST.into_iter().find(|name| members.contains_key(*name));
    if let Some(name) = named.filter(|_| purpose == Purpose::Update) {
        return Err(part(&format!("experimental.{name}"))
            .because("that can only be said when the session is made")
            .hint("make one with `composio-bridge session create`"));
    }
    let Some(saved) = members.get("session_config_id") else { return Ok(()) };
    if !saved.as_str().is_some_and(|id| id.starts_with("sc_")) {
        return Err(part("experimental.session_config_id")
            .because("the id of a saved configuration begins with sc_"));
    }
    let other = ["toolkits", "tools", "tags"].into_iter().find(|name| body.contains_key(*name));
    let custom = AT_FIRST[1..3].iter().copied().find(|name| members.contains_key(*name));
    match other.or(custom) {
        Some(name) => Err(part(name)
            .because("a saved configuration says that already, and the two exclude each other")
            .hint("leave it out, or do without the saved configuration")),
        None => Ok(()),
    }
}

/// `all` needs a list of what is allowed.
fn preload(body: &Object) -> Result<(), Error> {
    if body.get("preload").and_then(|preload| text(preload, "tools")) != Some("all") {
        return Ok(());
    }
    let has = |value: &Value| ["enable", "tags"].iter().any(|name| value.get(name).is_some());
    let tags = body.get("tags").is_some_and(|tags| tags.is_array() || has(tags));
    let tools = body.get("tools").and_then(Value::as_object);
    let tools = tools.is_some_and(|tools| tools.values().any(has));
    let saved =
        body.get("experimental").is_some_and(|part| part.get("session_config_id").is_some());
    if body.get("toolkits").is_some_and(has) || tags || tools || saved {
        return Ok(());
    }
    Err(part("preload.tools")
        .because("`all` needs a list of what is allowed")
        .hint("name toolkits with `--toolkit SLUG`, or tools with `--tool SLUG`"))
}
