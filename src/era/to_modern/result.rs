//! Answers of a modern server, as a legacy client expects them (spec digest 6A.5).

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{client::Client, edit::Edits};
use crate::{
    era::meta,
    error::Kind,
    message::{
        Message, elements, member,
        object::{Object, quote},
        replace_member, unquote,
    },
    protocol::Method,
};

/// What a request asks for, as far as its answer has to be translated for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// `tools/call`.
    Call,
    /// `prompts/get`.
    Prompt,
    /// `resources/read`.
    Read,
    /// `tools/list`.
    Tools,
    /// Another request of the specification.
    Known,
    /// A request of an extension, whose answer is nobody's to change (XA-23).
    Unknown,
}

impl What {
    /// Classifies a method.
    pub fn of(method: &str) -> What {
        match method {
            "tools/call" => What::Call,
            "prompts/get" => What::Prompt,
            "resources/read" => What::Read,
            "tools/list" => What::Tools,
            "completion/complete" | "resources/templates/list" => What::Known,
            _ if matches!(Method::of(method), Method::List(_)) => What::Known,
            _ => What::Unknown,
        }
    }

    /// Whether the server may ask for input first (MD-13).
    pub fn may_ask(self) -> bool {
        matches!(self, What::Call | What::Prompt | What::Read)
    }
}

/// What a result is (MD-10, MD-11).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ResultType {
    /// The answer.
    Complete,
    /// A question.
    InputRequired,
    /// A task that will have the answer.
    Task,
    /// Something else; the raw token.
    Unknown(String),
}

impl ResultType {
    /// Reads it from the members of a result.
    pub fn of(result: &Object<'_>) -> Self {
        let token = result.get("resultType");
        match token.map(unquote).as_deref() {
            None | Some("complete") => ResultType::Complete,
            Some("input_required") => ResultType::InputRequired,
            Some("task") => ResultType::Task,
            Some(other) => ResultType::Unknown(other.chars().take(60).collect()),
        }
    }
}

/// A complete answer as a legacy client expects it, under its own `id` (XA-50 to XA-52). One copy
/// at most.
pub(super) fn legacy_answer(
    answer: &Message,
    text: &str,
    result: &Object<'_>,
    what: What,
    id: &str,
) -> Bytes {
    let mut edits = Edits::new(answer.bytes());
    match answer.id() {
        Some(token) if token != id => edits.replace(token, id.to_owned()),
        _ => {}
    }
    if what != What::Unknown {
        legacy_result(&mut edits, text, result, what);
    }
    edits.finish()
}

/// The same for a result that stands in something else: the result of a task.
pub(super) fn legacy_nested(text: &str, id: &str) -> Bytes {
    let whole = Bytes::from(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{text}}}"#));
    let Ok(message) = Message::parse(whole.clone()) else { return whole };
    let result = message.result().unwrap_or_default();
    match Object::parse(result) {
        Some(members) => legacy_answer(&message, result, &members, What::Call, id),
        None => whole,
    }
}

fn legacy_result(edits: &mut Edits<'_>, text: &str, result: &Object<'_>, what: What) {
    let own_meta = result.get("_meta").map(|meta| (meta, Object::parse(meta).unwrap_or_default()));
    let is_own = |name: &str| name == meta::SERVER_INFO;
    let has_own = own_meta.as_ref().is_some_and(|(_, all)| all.get(meta::SERVER_INFO).is_some());
    let others =
        own_meta.as_ref().is_some_and(|(_, all)| all.iter().any(|(name, _)| !is_own(&name)));
    if let Some((meta, all)) = own_meta.as_ref().filter(|_| has_own && others) {
        edits.cut(meta, all, is_own);
    }
    let odd = result
        .get("structuredContent")
        .filter(|value| what == What::Call && !value.starts_with('{'));
    let goes = |name: &str| match name {
        "resultType" | "ttlMs" | "cacheScope" => true,
        "_meta" => has_own && !others,
        "structuredContent" => odd.is_some(),
        _ => false,
    };
    edits.cut(text, result, goes);
    if let Some(value) = odd.filter(|value| *value != "null") {
        let block = format!(r#"[{{"type":"text","text":{}}}]"#, quote(value));
        match result.get("content") {
            Some(content) if elements(content.as_bytes()).is_some_and(|all| all.is_empty()) => {
                edits.replace(content, block);
            }
            Some(_) => {}
            None => {
                let others = result.iter().any(|(name, _)| !goes(&name));
                edits.add_members(text, format!(r#""content":{block}"#), others);
            }
        }
    }
    if what == What::Tools {
        legacy_tools(edits, result);
    }
}

/// Takes out each `outputSchema` whose root is not an object: a strict client would reject the
/// whole list (XA-51).
fn legacy_tools(edits: &mut Edits<'_>, result: &Object<'_>) {
    let Some(tools) = result.get("tools") else { return };
    if memchr::memmem::find(tools.as_bytes(), b"outputSchema").is_none() {
        return;
    }
    let tools = elements(tools.as_bytes()).unwrap_or_default();
    for tool in tools.into_iter().map(RawValue::get) {
        let Some(members) = Object::parse(tool) else { continue };
        let root = members.get("outputSchema").map(|schema| member(schema, "type").map(unquote));
        if root.is_some_and(|root| root.as_deref() != Some("object")) {
            edits.cut(tool, &members, |name| name == "outputSchema");
        }
    }
}

/// An error of a modern server as a legacy client knows it (XA-54). `uri` is what a
/// `resources/read` asked for.
pub(super) fn legacy_error(error: &str, uri: Option<&str>, attempted: &str) -> String {
    let Some(members) = Object::parse(error) else { return error.to_owned() };
    let data = |name: &str| members.get("data").and_then(|data| member(data, name));
    match members.get("code").unwrap_or_default() {
        "-32602" if is_same_text(uri, data("uri")) => replace_member(error, "code", "-32002"),
        "-32021" => {
            let said = members.get("message").map(unquote).unwrap_or_default();
            let missing = data("requiredCapabilities").map(capability_names).unwrap_or_default();
            let missing = if missing.is_empty() { "something".to_owned() } else { missing };
            let message = quote(&format!(
                "the server needs {missing}, which this client did not offer in `initialize`: {said}"
            ));
            let mut members = members.clone();
            members.set("message", message);
            members.to_string()
        }
        code @ ("-32020" | "-32022") => {
            let said = members.get("message").map(unquote).unwrap_or_default();
            let message = quote(&format!(
                "{attempted}: it refuses the request as the bridge sent it ({code}: {said})"
            ));
            format!(
                r#"{{"code":{},"message":{message},"data":{{"origin":"bridge","reason":"{}","original":{error}}}}}"#,
                Kind::Protocol.code(),
                Kind::Protocol.reason(),
            )
        }
        _ => error.to_owned(),
    }
}

/// The names of capabilities, with those of their parts: `elicitation.url, roots`.
fn capability_names(capabilities: &str) -> String {
    let mut names = Vec::new();
    for (name, parts) in Object::parse(capabilities).unwrap_or_default().iter() {
        let parts = Object::parse(parts).unwrap_or_default();
        if parts.is_empty() {
            names.push(format!("`{name}`"));
        }
        names.extend(parts.iter().map(|(part, _)| format!("`{name}.{part}`")));
    }
    names.join(", ")
}

/// Whether both are the same string.
fn is_same_text(a: Option<&str>, b: Option<&str>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if unquote(a) == unquote(b))
}

/// The answer to `initialize` that this DiscoverResult comes to (XA-2, XA-3).
pub(super) fn initialize_result(discovered: &str, client: &Client, host: &str) -> String {
    let mut result = Object::parse(discovered).unwrap_or_default();
    let declared = result.remove("capabilities");
    let capabilities = capabilities(declared.as_deref().unwrap_or("{}"), client);
    let mut own_meta = result.get("_meta").and_then(Object::parse).unwrap_or_default();
    let named = own_meta.get(meta::SERVER_INFO).or_else(|| result.get("serverInfo"));
    let info = server_info(named, host);
    let names: Vec<String> = own_meta.iter().map(|(name, _)| name.into_owned()).collect();
    for name in names.iter().filter(|name| name.starts_with("io.modelcontextprotocol/")) {
        own_meta.remove(name);
    }
    let own_meta = own_meta.to_string();
    let gone = ["resultType", "supportedVersions", "ttlMs", "cacheScope", "serverInfo", "_meta"];
    let mut text = format!(
        r#"{{"protocolVersion":"{}","capabilities":{capabilities},"serverInfo":{info}"#,
        client.version
    );
    for (name, value) in result.iter() {
        if !gone.contains(&name.as_ref()) && name != "protocolVersion" {
            text.push_str(&format!(",{}:{value}", quote(&name)));
        }
    }
    if own_meta != "{}" {
        text.push_str(&format!(r#","_meta":{own_meta}"#));
    }
    text.push('}');
    text
}

/// Who the server is; a legacy client must be told (MD-3).
fn server_info(named: Option<&str>, host: &str) -> String {
    let mut info = named.and_then(Object::parse).unwrap_or_default();
    for (name, substitute) in [("name", host), ("version", "unknown")] {
        if info.get(name).is_none() {
            info.set(name, quote(substitute));
        }
    }
    info.to_string()
}

fn capabilities(declared: &str, client: &Client) -> String {
    let mut legacy = Object::default();
    let modern = Object::parse(declared).unwrap_or_default();
    for (name, value) in modern.iter() {
        let value = match name.as_ref() {
            "tasks" => continue,
            "completions" if client.version == "2024-11-05" => continue,
            "extensions" if member(value, super::client::TASKS).is_some() => {
                let left = super::client::without_tasks(value);
                if left == "{}" {
                    continue;
                }
                Cow::Owned(left)
            }
            _ => Cow::Borrowed(value),
        };
        legacy.set(&name, value);
    }
    legacy.to_string()
}

/// A notification of a listen stream without what only a modern client needs (XA-32).
pub(super) fn without_subscription(message: &Message) -> Bytes {
    let Some((params, members)) =
        message.params().and_then(|text| Some((text, Object::parse(text)?)))
    else {
        return message.bytes().clone();
    };
    let Some((meta, all)) =
        members.get("_meta").and_then(|text| Some((text, Object::parse(text)?)))
    else {
        return message.bytes().clone();
    };
    let is_own = |name: &str| name == meta::SUBSCRIPTION_ID;
    let mut edits = Edits::new(message.bytes());
    if all.iter().any(|(name, _)| !is_own(&name)) {
        edits.cut(meta, &all, is_own);
    } else if members.iter().any(|(name, _)| name != "_meta") {
        edits.cut(params, &members, |name| name == "_meta");
    } else {
        let method = quote(&message.method());
        return format!(r#"{{"jsonrpc":"2.0","method":{method}}}"#).into();
    }
    edits.finish()
}
