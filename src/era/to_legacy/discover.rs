//! The remote's `initialize` answer, and the `DiscoverResult` made of it (XB-10 to XB-13).

use super::{capabilities::without_tasks, result::set_meta};
use crate::{
    message::{
        member,
        object::{Object, quote},
        unquote,
    },
    protocol::LEGACY_VERSIONS,
    protocol::MODERN_VERSIONS,
};

/// What the remote has said of itself.
#[derive(Debug)]
pub(super) struct Remote {
    /// The whole result.
    result: String,
    /// The raw `serverInfo`.
    pub server_info: Option<String>,
    /// Whether it takes a log level.
    pub has_logging: bool,
    /// Whether tools may want to be called as tasks.
    pub has_task_calls: bool,
}

/// The capabilities that may come with `listChanged`.
const LISTS: [&str; 3] = ["tools", "prompts", "resources"];

impl Remote {
    /// Reads an `InitializeResult`.
    ///
    /// # Errors
    /// The version it names, where that is none that the bridge speaks.
    pub(super) fn new(result: &str) -> Result<Self, String> {
        let version = member(result, "protocolVersion").map(unquote).unwrap_or_default();
        if !LEGACY_VERSIONS.contains(&version.as_ref()) {
            return Err(version.into_owned());
        }
        let has = |path: &[&str]| {
            let mut at = Some(result);
            for name in path {
                at = at.and_then(|object| member(object, name)).filter(|value| *value != "null");
            }
            at.is_some()
        };
        Ok(Remote {
            server_info: member(result, "serverInfo").map(str::to_owned),
            has_logging: has(&["capabilities", "logging"]),
            has_task_calls: has(&["capabilities", "tasks", "requests", "tools", "call"]),
            result: result.to_owned(),
        })
    }

    /// Whether it says when this list changes.
    pub(super) fn announces(&self, list: &str) -> bool {
        self.flag(list, "listChanged")
    }

    /// Whether it says when a resource changes.
    pub(super) fn has_subscribe(&self) -> bool {
        self.flag("resources", "subscribe")
    }

    fn flag(&self, capability: &str, name: &str) -> bool {
        member(&self.result, "capabilities")
            .and_then(|all| member(all, capability))
            .and_then(|one| member(one, name))
            == Some("true")
    }

    /// The `DiscoverResult`. Without a stream to bring them (`can_listen`) nothing is promised of
    /// changes (XB-12).
    pub(super) fn discover(&self, can_listen: bool) -> String {
        let mut result = Object::parse(&self.result).unwrap_or_default();
        let version = result.remove("protocolVersion").unwrap_or_default();
        result.remove("serverInfo");
        let capabilities = result.remove("capabilities").unwrap_or_default();
        let versions: Vec<String> = MODERN_VERSIONS.into_iter().map(quote).collect();
        result.set("resultType", r#""complete""#);
        result.set("supportedVersions", format!("[{}]", versions.join(",")));
        let capabilities = self::capabilities(&capabilities, &unquote(&version), can_listen);
        result.set("capabilities", capabilities);
        result.set("ttlMs", "0");
        result.set("cacheScope", r#""private""#);
        set_meta(&mut result, self.server_info.as_deref());
        result.to_string()
    }
}

/// The capabilities of a legacy server, as those of a modern one.
fn capabilities(legacy: &str, version: &str, can_listen: bool) -> String {
    let mut all = Object::parse(legacy).unwrap_or_default();
    all.remove("tasks");
    if let Some(extensions) = all.remove("extensions").as_deref().and_then(without_tasks) {
        all.set("extensions", extensions);
    }
    // 2024-11-05 had completions without a capability for them.
    let completes = all.get("prompts").is_some() || all.get("resources").is_some();
    if version == "2024-11-05" && completes && all.get("completions").is_none() {
        all.set("completions", "{}");
    }
    for list in LISTS {
        let Some(one) = all.get(list).filter(|_| !can_listen).map(str::to_owned) else { continue };
        let Some(mut one) = Object::parse(&one) else { continue };
        one.remove("listChanged");
        one.remove("subscribe");
        all.set(list, one.to_string());
    }
    all.to_string()
}
