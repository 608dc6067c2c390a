//! What is asked of a session, as the API wants it said: from options over a document. Pure.

use serde_json::{Map, Value, json};

use super::check;
use crate::{
    cli::table::Options,
    error::{Error, Kind},
};

/// What the document is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Making a session.
    Create,
    /// Changing one.
    Update,
}

/// How the value of an option is said.
#[derive(Clone, Copy)]
enum Form {
    Bool,
    Number,
    Text,
}

/// The options with one value, and where it stands in the document.
const PLACES: [(&str, Form, &[&str]); 16] = [
    ("user", Form::Text, &["user_id"]),
    ("manage-connections", Form::Bool, &["manage_connections", "enable"]),
    ("callback-url", Form::Text, &["manage_connections", "callback_url"]),
    ("remove-connections", Form::Bool, &["manage_connections", "enable_connection_removal"]),
    ("wait-for-connections", Form::Bool, &["manage_connections", "enable_wait_for_connections"]),
    ("workbench", Form::Bool, &["workbench", "enable"]),
    ("sandbox-size", Form::Text, &["workbench", "sandbox_size"]),
    ("proxy-execute", Form::Bool, &["proxy_execute", "enable"]),
    ("multi-account", Form::Bool, &["multi_account", "enable"]),
    ("max-accounts", Form::Number, &["multi_account", "max_accounts_per_toolkit"]),
    ("choose-account", Form::Bool, &["multi_account", "require_explicit_selection"]),
    ("search", Form::Bool, &["search", "enable"]),
    ("multi-execute", Form::Bool, &["execute", "enable_multi_execute"]),
    ("timezone", Form::Text, &["experimental", "assistive_prompt_config", "user_timezone"]),
    ("permissions", Form::Text, &["experimental", "permissions", "default"]),
    ("saved-config", Form::Text, &["experimental", "session_config_id"]),
];

/// The preset "direct tools" of Composio's own libraries.
const DIRECT_TOOLS: [(&[&str], Value); 4] = [
    (&["search", "enable"], Value::Bool(false)),
    (&["execute", "enable_multi_execute"], Value::Bool(false)),
    (&["manage_connections", "enable"], Value::Bool(false)),
    (&["workbench", "enable"], Value::Bool(false)),
];

/// What a session may be told by a tag.
pub(super) const TAGS: [&str; 6] = [
    "readOnlyHint",
    "destructiveHint",
    "idempotentHint",
    "openWorldHint",
    "createHint",
    "updateHint",
];

/// The document for the API: what the options say, over `document`.
///
/// # Errors
/// An option or a member cannot be used; no message repeats a value.
pub fn build(options: &Options, document: Option<Value>, purpose: Purpose) -> Result<Value, Error> {
    let mut body = match document {
        None => Map::new(),
        Some(Value::Object(members)) => members,
        Some(_) => return Err(wrong("--session-config").because("it is no JSON object")),
    };
    for (option, form, place) in PLACES {
        if let Some(text) = options.text(option) {
            *member(&mut body, place)? = said(option, form, text)?;
        }
    }
    lists(options, &mut body)?;
    tools(options, &mut body)?;
    approvals(options, &mut body)?;
    accounts(options, &mut body)?;
    for part in options.all("clear") {
        body.insert(cleared(part)?.to_owned(), Value::Null);
    }
    if options.text("preset").is_some() {
        for (place, value) in DIRECT_TOOLS {
            let member = member(&mut body, place)?;
            if member.is_null() {
                *member = value;
            }
        }
        let preload = member(&mut body, &["preload", "tools"])?;
        if preload.is_null() {
            *preload = Value::from("all");
        }
    }
    check::check(&body, purpose)?;
    Ok(Value::Object(body))
}

pub(super) fn wrong(what: &str) -> Error {
    Error::new(Kind::Usage, format!("{what} cannot be used"))
}

fn said(option: &str, form: Form, text: &str) -> Result<Value, Error> {
    let value = match form {
        Form::Text => Some(Value::from(text)),
        Form::Bool => text.parse().ok().map(Value::Bool),
        Form::Number => text.parse::<u64>().ok().map(Value::from),
    };
    value.ok_or_else(|| wrong(&format!("the value of --{option}")))
}

/// The member at a place, made where it is missing.
fn member<'b>(body: &'b mut Map<String, Value>, place: &[&str]) -> Result<&'b mut Value, Error> {
    let Some((last, before)) = place.split_last() else { return Err(wrong("the document")) };
    let mut object = body;
    for name in before {
        object = section(object, name)?;
    }
    Ok(object.entry(*last).or_insert(Value::Null))
}

/// A member that is an object, made where it is missing.
fn section<'b>(
    object: &'b mut Map<String, Value>,
    name: &str,
) -> Result<&'b mut Map<String, Value>, Error> {
    let member = object.entry(name).or_insert(Value::Null);
    if member.is_null() {
        *member = Value::Object(Map::new());
    }
    member.as_object_mut().ok_or_else(|| {
        let what = format!("the member `{name}` of the session's configuration");
        wrong(&what).because("it is no JSON object")
    })
}

/// All values of an option that may be said several times, or once with commas.
fn each<'o>(options: &'o Options, name: &str) -> impl Iterator<Item = &'o str> {
    let values: Vec<&str> = options.all(name).collect();
    values.into_iter().flat_map(|value| value.split(',')).map(str::trim).filter(|v| !v.is_empty())
}

/// What is allowed and what is not, in the place of what was said about that before.
fn replace(
    object: &mut Map<String, Value>,
    enable: Vec<&str>,
    disable: Vec<&str>,
    both: Option<(&str, &str)>,
) -> Result<(), Error> {
    if let Some((one, other)) = both.filter(|_| !enable.is_empty() && !disable.is_empty()) {
        return Err(Error::new(Kind::Usage, format!("`{one}` and `{other}` exclude each other"))
            .because("the API takes a list of what is allowed or of what is not, not both"));
    }
    object.retain(|name, _| name == "require_approval");
    for (name, list) in [("enable", enable), ("disable", disable)] {
        if !list.is_empty() {
            object.insert(name.to_owned(), Value::from(list));
        }
    }
    Ok(())
}

/// Toolkits, tags, and what is preloaded.
fn lists(options: &Options, body: &mut Map<String, Value>) -> Result<(), Error> {
    let list = |name| each(options, name).collect::<Vec<_>>();
    let (enable, disable) = (list("toolkit"), list("disable-toolkit"));
    if !enable.is_empty() || !disable.is_empty() {
        let both = Some(("--toolkit", "--disable-toolkit"));
        replace(section(body, "toolkits")?, enable, disable, both)?;
    }
    let (enable, disable) = (list("tag"), list("disable-tag"));
    if !enable.is_empty() || !disable.is_empty() {
        replace(tags(body)?, enable, disable, None)?;
    }
    let preload = list("preload");
    if preload.iter().any(|slug| slug.eq_ignore_ascii_case("all")) {
        *member(body, &["preload", "tools"])? = Value::from("all");
    } else if !preload.is_empty() {
        *member(body, &["preload", "tools"])? = Value::from(preload);
    }
    Ok(())
}

/// The tags of the session. A list of them means those that are allowed.
fn tags(body: &mut Map<String, Value>) -> Result<&mut Map<String, Value>, Error> {
    if let Some(list @ Value::Array(_)) = body.get_mut("tags") {
        *list = json!({ "enable": list.take() });
    }
    section(body, "tags")
}

/// The toolkit and the slug of a tool. A tool's slug begins with its toolkit's, unless that holds an
/// underscore itself.
fn tool(text: &str) -> Result<(String, &str), Error> {
    if let Some((toolkit, slug)) = text.split_once(':')
        && !toolkit.is_empty()
        && !slug.is_empty()
    {
        return Ok((toolkit.to_ascii_lowercase(), slug));
    }
    match text.split_once('_') {
        Some((toolkit, rest)) if !toolkit.is_empty() && !rest.is_empty() && !text.contains(':') => {
            Ok((toolkit.to_ascii_lowercase(), text))
        }
        _ => Err(wrong("the name of a tool")
            .because("it does not tell the toolkit")
            .hint("write it as `gmail:GMAIL_SEND_EMAIL`")),
    }
}

fn tools(options: &Options, body: &mut Map<String, Value>) -> Result<(), Error> {
    type Lists<'a> = (Vec<&'a str>, Vec<&'a str>);
    let mut all: Vec<(String, Lists<'_>)> = Vec::new();
    let named = each(options, "tool").map(|text| (text, true));
    for (text, is_allowed) in named.chain(each(options, "disable-tool").map(|text| (text, false))) {
        let (toolkit, slug) = tool(text)?;
        let at = all.iter().position(|(known, _)| *known == toolkit).unwrap_or_else(|| {
            all.push((toolkit, Lists::default()));
            all.len() - 1
        });
        let (enable, disable) = &mut all[at].1;
        if is_allowed { enable.push(slug) } else { disable.push(slug) }
    }
    for (toolkit, (enable, disable)) in all {
        let object = section(section(body, "tools")?, &toolkit)?;
        replace(object, enable, disable, Some(("--tool", "--disable-tool")))?;
    }
    Ok(())
}

/// A tag is known by its name, a tool by its form; all else is a toolkit.
fn approvals(options: &Options, body: &mut Map<String, Value>) -> Result<(), Error> {
    let mut fresh: Vec<String> = Vec::new();
    for name in each(options, "require-approval") {
        let is_tool = name.contains(':')
            || (name.contains('_') && !name.chars().any(|letter| letter.is_ascii_lowercase()));
        let (place, object, name) = if TAGS.contains(&name) {
            ("tags".to_owned(), tags(body)?, name)
        } else if is_tool {
            let (toolkit, slug) = tool(name)?;
            (format!("tools {toolkit}"), section(section(body, "tools")?, &toolkit)?, slug)
        } else {
            ("toolkits".to_owned(), section(body, "toolkits")?, name)
        };
        // The first of them takes the place of what the document says.
        if !fresh.contains(&place) {
            object.insert("require_approval".to_owned(), Value::Array(Vec::new()));
            fresh.push(place);
        }
        if let Some(Value::Array(list)) = object.get_mut("require_approval") {
            list.push(Value::from(name));
        }
    }
    Ok(())
}

/// Which auth config and which accounts a toolkit uses.
fn accounts(options: &Options, body: &mut Map<String, Value>) -> Result<(), Error> {
    let pair = |option: &str, text| {
        let split = str::split_once(text, '=');
        let both = split.filter(|(toolkit, id)| !toolkit.is_empty() && !id.is_empty());
        both.map(|(toolkit, id)| (toolkit.trim().to_ascii_lowercase(), id.trim())).ok_or_else(
            || {
                let example = if option == "auth-config" { "ac_..." } else { "ca_..." };
                wrong(&format!("the value of --{option}"))
                    .because("it must be TOOLKIT=ID")
                    .hint(format!("such as `--{option} gmail={example}`"))
            },
        )
    };
    for text in each(options, "auth-config") {
        let (toolkit, id) = pair("auth-config", text)?;
        section(body, "auth_configs")?.insert(toolkit, Value::from(id));
    }
    let mut fresh: Vec<String> = Vec::new();
    for text in each(options, "connected-account") {
        let (toolkit, id) = pair("connected-account", text)?;
        let object = section(body, "connected_accounts")?;
        if !fresh.contains(&toolkit) {
            object.insert(toolkit.clone(), Value::Array(Vec::new()));
            fresh.push(toolkit.clone());
        }
        if let Some(Value::Array(list)) = object.get_mut(&toolkit) {
            list.push(Value::from(id));
        }
    }
    Ok(())
}

/// A part of a session that can be taken back.
fn cleared(part: &str) -> Result<&'static str, Error> {
    const PARTS: [&str; 7] = [
        "connected_accounts",
        "manage_connections",
        "workbench",
        "multi_account",
        "proxy_execute",
        "hooks",
        "experimental",
    ];
    let part = part.trim().replace('-', "_");
    PARTS.into_iter().find(|known| *known == part).ok_or_else(|| {
        wrong("the value of --clear").because(format!("it must be one of {}", PARTS.join(", ")))
    })
}
