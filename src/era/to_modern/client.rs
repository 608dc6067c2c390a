//! The legacy client, as each modern request describes it (XA-4, XA-10, XA-20).

use std::borrow::Cow;

use bytes::Bytes;

use super::edit::Edits;
use crate::{
    era::meta,
    message::{
        Message, member,
        object::{Object, quote},
        unquote,
    },
    protocol::MODERN_VERSIONS,
    protocol::answer_version,
};

/// The extension that lets a server answer a call with a task (Tasks-ext).
pub(super) const TASKS: &str = "io.modelcontextprotocol/tasks";

/// Members of `_meta` that only the bridge sets, or that are legacy.
const RESERVED: [&str; 6] = [
    meta::PROTOCOL_VERSION,
    meta::CLIENT_CAPABILITIES,
    meta::CLIENT_INFO,
    meta::LOG_LEVEL,
    "io.modelcontextprotocol/related-task",
    "io.modelcontextprotocol/model-immediate-response",
];

/// The severities of log messages (26:log).
pub(super) const LEVELS: [&str; 8] =
    ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// What is known of the local client from its `initialize`.
#[derive(Debug)]
pub(super) struct Client {
    /// The version it is answered with.
    pub version: &'static str,
    /// The version it asked for.
    pub asked: String,
    /// Whether it answers `roots/list`.
    pub roots: bool,
    /// Whether it answers `sampling/createMessage`.
    pub sampling: bool,
    /// Whether it also runs the tools of one.
    pub sampling_tools: bool,
    /// Whether it shows forms.
    pub form: bool,
    /// Whether it shows URLs.
    pub url: bool,
    capabilities: String,
    info: Option<String>,
    level: Option<String>,
    /// The members of `_meta`, for any request and for `tools/call`.
    common: String,
    for_calls: String,
}

impl Client {
    /// The client that sent this `initialize`.
    pub fn new(initialize: &Message) -> Self {
        let asked = initialize.param("protocolVersion").map(unquote).unwrap_or_default();
        let asked = asked.into_owned();
        let version = answer_version(&asked);
        let declared = initialize.param("capabilities").unwrap_or("{}");
        let capabilities = capabilities(declared, version);
        let has = |name| member(&capabilities, name).is_some();
        let elicitation = member(&capabilities, "elicitation").map(str::to_owned);
        let mode = |name| elicitation.as_deref().is_some_and(|all| member(all, name).is_some());
        let mut client = Client {
            version,
            asked,
            roots: has("roots"),
            sampling: has("sampling"),
            sampling_tools: member(&capabilities, "sampling")
                .is_some_and(|sampling| member(sampling, "tools").is_some()),
            // An empty object means forms alone (1125:elic).
            form: elicitation.is_some() && (mode("form") || !mode("url")),
            url: mode("url"),
            info: initialize.param("clientInfo").map(str::to_owned),
            level: None,
            common: String::new(),
            for_calls: String::new(),
            capabilities,
        };
        client.describe();
        client
    }

    /// Whether it knows what 2025-11-25 brought.
    pub fn is_latest(&self) -> bool {
        self.version >= "2025-11-25"
    }

    /// Log messages from this level on are wanted (XA-20).
    pub fn set_level(&mut self, level: &str) {
        self.level = Some(quote(level));
        self.describe();
    }

    /// The raw `_meta` of a request of the bridge's own; those about tasks declare that the bridge
    /// knows them (MD-50).
    pub fn meta(&self, is_about_tasks: bool) -> String {
        format!("{{{}}}", if is_about_tasks { &self.for_calls } else { &self.common })
    }

    /// The client's request with `_meta` as a modern server expects it; every other byte of
    /// `params` is as it was, but for what asks for a legacy task (XA-10, XA-13, XA-60). `None`
    /// where `params` is not an object.
    pub fn describe_request(&self, message: &Message, is_call: bool) -> Option<Bytes> {
        let own = if is_call { &self.for_calls } else { &self.common };
        let params = message.params().unwrap_or("null");
        if params == "null" {
            return Some(message.with_params(&format!(r#"{{"_meta":{{{own}}}}}"#)));
        }
        let members = Object::parse(params)?;
        let goes = |name: &str| is_call && name == "task";
        let mut edits = Edits::new(message.bytes());
        edits.cut(params, &members, goes);
        match members.get("_meta").map(|text| (text, Object::parse(text))) {
            Some((text, Some(all))) => {
                let others = all.iter().any(|(name, _)| !is_reserved(&name));
                edits.cut(text, &all, is_reserved);
                edits.add_members(text, own, others);
            }
            Some((text, None)) => edits.replace(text, format!("{{{own}}}")),
            None => {
                let others = members.iter().any(|(name, _)| !goes(&name));
                edits.add_members(params, format!(r#""_meta":{{{own}}}"#), others);
            }
        }
        Some(edits.finish())
    }

    fn describe(&mut self) {
        self.common = self.members(&self.capabilities);
        let mut all = Object::parse(&self.capabilities).unwrap_or_default();
        let mut extensions = all.get("extensions").and_then(Object::parse).unwrap_or_default();
        extensions.set(TASKS, "{}");
        let extensions = extensions.to_string();
        all.set("extensions", extensions);
        self.for_calls = self.members(&all.to_string());
    }

    fn members(&self, capabilities: &str) -> String {
        let mut text = format!(
            r#""{}":"{}","{}":{capabilities}"#,
            meta::PROTOCOL_VERSION,
            MODERN_VERSIONS[0],
            meta::CLIENT_CAPABILITIES,
        );
        for (name, value) in [(meta::CLIENT_INFO, &self.info), (meta::LOG_LEVEL, &self.level)] {
            if let Some(value) = value {
                text.push_str(&format!(r#","{name}":{value}"#));
            }
        }
        text
    }
}

fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name)
}

/// The capabilities of a legacy client as a modern one declares them (table of 6A.1).
fn capabilities(declared: &str, version: &str) -> String {
    let is_latest = version >= "2025-11-25";
    let mut modern = Object::default();
    let legacy = Object::parse(declared).unwrap_or_default();
    for (name, value) in legacy.iter() {
        let value = match name.as_ref() {
            "tasks" => continue,
            "elicitation" if version < "2025-06-18" => continue,
            "roots" => Cow::Borrowed("{}"),
            "sampling" if !is_latest => Cow::Borrowed("{}"),
            "sampling" => Cow::Owned(only(value, &["context", "tools"])),
            "elicitation" if !is_latest => Cow::Borrowed("{}"),
            "elicitation" => Cow::Owned(only(value, &["form", "url"])),
            "extensions" => Cow::Owned(without_tasks(value)),
            _ => Cow::Borrowed(value),
        };
        modern.set(&name, value);
    }
    modern.to_string()
}

/// The object with these members alone.
pub(super) fn only(object: &str, names: &[&str]) -> String {
    let all = Object::parse(object).unwrap_or_default();
    let mut some = Object::default();
    for (name, value) in all.iter().filter(|(name, _)| names.contains(&name.as_ref())) {
        some.set(&name, value.to_owned());
    }
    some.to_string()
}

/// Extensions without that of tasks, which the bridge drives itself (XA-60, XA-61).
pub(super) fn without_tasks(extensions: &str) -> String {
    let mut all = Object::parse(extensions).unwrap_or_default();
    all.remove(TASKS);
    all.to_string()
}
