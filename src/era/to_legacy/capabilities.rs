//! What a modern client says it can do with each request, and what of that a legacy session knows.

use crate::message::{member, object::Object};

/// The extension of 2026-07-28 that a legacy remote has no form of (XB-25).
pub(super) const TASKS_EXTENSION: &str = "io.modelcontextprotocol/tasks";

/// The `capabilities` of `initialize` for a client of these `clientCapabilities` (XB-4): what a
/// server may be told without promising it something that cannot be carried.
pub(super) fn declared(client: &str) -> String {
    let mut declared = Object::default();
    let client = Object::parse(client).unwrap_or_default();
    for (name, value) in client.iter().filter(|(_, value)| *value != "null") {
        match name.as_ref() {
            // Without `listChanged`: a modern client has no such notification.
            "roots" => declared.set("roots", "{}"),
            "sampling" | "elicitation" | "experimental" => declared.set(&name, value.to_owned()),
            "extensions" => {
                if let Some(extensions) = without_tasks(value) {
                    declared.set("extensions", extensions);
                }
            }
            _ => {}
        }
    }
    declared.to_string()
}

/// `extensions` but for that of tasks; `None` where nothing is left.
pub(super) fn without_tasks(extensions: &str) -> Option<String> {
    let mut extensions = Object::parse(extensions)?;
    extensions.remove(TASKS_EXTENSION);
    (!extensions.is_empty()).then(|| extensions.to_string())
}

/// What a server may ask its client for (26:mrtr).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// `elicitation/create`.
    Elicitation,
    /// `sampling/createMessage`.
    Sampling,
    /// `roots/list`.
    Roots,
}

impl Ask {
    /// The one of that method, if a modern client can be asked that at all.
    pub(super) fn of(method: &str) -> Option<Self> {
        match method {
            "elicitation/create" => Some(Ask::Elicitation),
            "sampling/createMessage" => Some(Ask::Sampling),
            "roots/list" => Some(Ask::Roots),
            _ => None,
        }
    }

    /// Its method.
    pub(super) fn method(self) -> &'static str {
        match self {
            Ask::Elicitation => "elicitation/create",
            Ask::Sampling => "sampling/createMessage",
            Ask::Roots => "roots/list",
        }
    }
}

/// Why a client of these `clientCapabilities` cannot be asked that: the code and the sentence for
/// the server (XB-40, XB-44). `None` where it can.
pub(super) fn refusal(client: &str, ask: Ask, params: Option<&str>) -> Option<(i32, &'static str)> {
    let offers = |name| member(client, name).filter(|value| *value != "null");
    let part = |whole: &str, name| member(whole, name).is_some_and(|value| value != "null");
    let asks = |name| params.and_then(|params| member(params, name));
    match (
        ask,
        offers(match ask {
            Ask::Elicitation => "elicitation",
            Ask::Sampling => "sampling",
            Ask::Roots => "roots",
        }),
    ) {
        (Ask::Roots, Some(_)) => None,
        (Ask::Roots, None) => Some((-32601, "the client offers no roots")),
        (Ask::Sampling, None) => Some((-32601, "the client offers no sampling")),
        (Ask::Sampling, Some(sampling)) if asks("tools").is_some() && !part(sampling, "tools") => {
            Some((-32602, "the client offers no sampling with tools"))
        }
        (Ask::Sampling, Some(_)) => None,
        (Ask::Elicitation, None) => Some((-32602, "the client offers no elicitation")),
        (Ask::Elicitation, Some(modes)) => {
            let wants_url = asks("mode") == Some("\"url\"");
            // An object without modes means forms.
            let offered = if wants_url {
                part(modes, "url")
            } else {
                part(modes, "form") || !part(modes, "url")
            };
            (!offered).then_some((-32602, "the client offers no elicitation in this mode"))
        }
    }
}

/// Whether a server may ask a client of these `clientCapabilities` anything.
pub(super) fn may_be_asked(client: &str) -> bool {
    ["elicitation", "sampling", "roots"]
        .into_iter()
        .any(|name| member(client, name).is_some_and(|value| value != "null"))
}
