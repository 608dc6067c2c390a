//! What a legacy remote answers, as a modern client expects it (XB-21 to XB-23, XB-27).

use std::{borrow::Cow, fmt};

use memchr::memmem;
use serde_json::value::RawValue;

use crate::{
    era::meta,
    message::{elements, member, object::Object, unquote},
};

/// From this size on a result is searched for members before it is taken apart: most need not be.
const LARGE: usize = 4096;

/// The members that are added to a result.
#[derive(Debug, Clone, Copy)]
pub(super) struct Added<'a> {
    /// The raw `serverInfo` of the remote.
    pub server_info: Option<&'a str>,
    /// Whether to say how long the result may be kept.
    pub hints: bool,
}

/// A legacy result as a complete modern one; written by its `Display`. `None` where `result` is no
/// object.
pub(super) fn complete<'a>(result: &'a str, added: Added<'a>) -> Option<Complete<'a>> {
    if result.len() >= LARGE && lacks_all_members(result) {
        let body = result.trim_ascii().strip_prefix('{')?.strip_suffix('}')?;
        return Some(Complete::Spliced { body, added });
    }
    let mut object = if result == "null" { Object::default() } else { Object::parse(result)? };
    // Whatever a legacy remote says here has no meaning (INV-10).
    object.set("resultType", r#""complete""#);
    if added.hints {
        if object.get("ttlMs").is_none_or(|ttl| ttl.parse::<u64>().is_err()) {
            object.set("ttlMs", "0");
        }
        object.set("cacheScope", r#""private""#);
    }
    set_meta(&mut object, added.server_info);
    Some(Complete::Edited(object))
}

/// Whether none of the members that matter can be in `result`, not even under an escaped name.
fn lacks_all_members(result: &str) -> bool {
    ["_meta", "resultType", "ttlMs", "cacheScope", "\\u"]
        .into_iter()
        .all(|part| memmem::find(result.as_bytes(), part.as_bytes()).is_none())
}

/// Says who the server is, and takes out what concerned legacy tasks.
pub(super) fn set_meta(result: &mut Object<'_>, server_info: Option<&str>) {
    let old = result.remove("_meta").unwrap_or_default();
    let mut new = Object::parse(&old).unwrap_or_default();
    remove_task_meta(&mut new);
    if let Some(info) = server_info {
        new.set(meta::SERVER_INFO, info);
    }
    if !new.is_empty() {
        result.set("_meta", new.to_string());
    }
}

/// Takes out the members of `_meta` that belong to the tasks of 2025-11-25.
pub(super) fn remove_task_meta(meta: &mut Object<'_>) {
    meta.remove(RELATED_TASK);
    meta.remove("io.modelcontextprotocol/model-immediate-response");
}

/// The member of `_meta` that names a task of 2025-11-25.
pub(super) const RELATED_TASK: &str = "io.modelcontextprotocol/related-task";

/// See [`complete`].
pub(super) enum Complete<'a> {
    /// The text between its braces, to which members are only added.
    Spliced { body: &'a str, added: Added<'a> },
    /// Taken apart.
    Edited(Object<'a>),
}

impl fmt::Display for Complete<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (body, added) = match self {
            Complete::Edited(object) => return object.fmt(f),
            Complete::Spliced { body, added } => (body, added),
        };
        let comma = if body.trim_ascii().is_empty() { "" } else { "," };
        write!(f, r#"{{{body}{comma}"resultType":"complete""#)?;
        if added.hints {
            f.write_str(r#","ttlMs":0,"cacheScope":"private""#)?;
        }
        if let Some(info) = added.server_info {
            write!(f, r#","_meta":{{"{}":{info}}}"#, meta::SERVER_INFO)?;
        }
        f.write_str("}")
    }
}

/// A `tools/list` result without `execution`, which is gone (XB-23). `learn` is told of each tool
/// whether it must be called as a task (1125:tasks, XB-24).
pub(super) fn without_execution(result: &str, mut learn: impl FnMut(&str, bool)) -> Cow<'_, str> {
    let Some(list) = member(result, "tools") else { return Cow::Borrowed(result) };
    let Some(tools) = elements(list.as_bytes()) else { return Cow::Borrowed(result) };
    let mut edited = String::with_capacity(result.len());
    let start = list.as_ptr() as usize - result.as_ptr() as usize;
    edited.push_str(&result[..start]);
    for (index, tool) in tools.iter().map(|tool| RawValue::get(tool)).enumerate() {
        edited.push(if index == 0 { '[' } else { ',' });
        let execution = member(tool, "execution");
        let must = execution.and_then(|execution| member(execution, "taskSupport"))
            == Some(r#""required""#);
        if let Some(name) = member(tool, "name") {
            learn(&unquote(name), must);
        }
        match Object::parse(tool).filter(|_| execution.is_some()) {
            Some(mut object) => {
                object.remove("execution");
                edited.push_str(&object.to_string());
            }
            None => edited.push_str(tool),
        }
    }
    if tools.is_empty() {
        edited.push('[');
    }
    edited.push(']');
    edited.push_str(&result[start + list.len()..]);
    Cow::Owned(edited)
}

/// Whether a result may have tools with `execution` in it at all.
pub(super) fn may_have_execution(result: &str) -> bool {
    memmem::find(result.as_bytes(), b"execution").is_some()
}

/// The code of a raw error.
pub(super) fn code(error: &str) -> Option<i64> {
    member(error, "code")?.parse().ok()
}

/// A legacy error as a modern one (XB-27).
pub(super) fn error(error: &str) -> Cow<'_, str> {
    match code(error) {
        // A resource that does not exist.
        Some(-32002) => match Object::parse(error) {
            Some(mut object) => {
                object.set("code", "-32602");
                Cow::Owned(object.to_string())
            }
            None => Cow::Borrowed(error),
        },
        // These codes mean something now, or nothing yet; no legacy remote means that. Among
        // them is -32042, a URL to be opened first (XB-48), where that cannot be offered.
        Some(-32099..=-32020) => Cow::Owned(internal(error)),
        _ => Cow::Borrowed(error),
    }
}

/// -32603 with the message of `error`, which is in `data`.
pub(super) fn internal(error: &str) -> String {
    let message = member(error, "message").unwrap_or(r#""the remote reported an error""#);
    format!(r#"{{"code":-32603,"message":{message},"data":{{"original":{error}}}}}"#)
}

/// The response with a raw `error`.
pub(super) fn error_response(id: &str, error: &str) -> bytes::Bytes {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#).into()
}

/// The response with a raw `result`.
pub(super) fn response(id: &str, result: impl fmt::Display) -> bytes::Bytes {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#).into()
}
