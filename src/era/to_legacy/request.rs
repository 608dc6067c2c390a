//! A modern request as the request of a legacy client (XB-14, XB-20).

use std::{borrow::Cow, fmt};

use crate::{
    era::meta,
    message::{Message, object::Object},
};

/// What a method is to this translation; every other one is carried as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// `server/discover`, answered from `initialize`.
    Discover,
    /// `subscriptions/listen`, served here.
    Listen,
    /// `tools/call`.
    ToolsCall,
    /// `prompts/get`.
    PromptsGet,
    /// `resources/read`.
    ResourcesRead,
    /// `tools/list`.
    ToolsList,
    /// Another list.
    List,
    /// Anything else.
    Other,
    /// One that 2026-07-28 has not, though a legacy remote might know it.
    Removed,
}

impl Method {
    /// Classifies a method's name.
    pub(super) fn of(name: &str) -> Self {
        match name {
            "server/discover" => Method::Discover,
            "subscriptions/listen" => Method::Listen,
            "tools/call" => Method::ToolsCall,
            "prompts/get" => Method::PromptsGet,
            "resources/read" => Method::ResourcesRead,
            "tools/list" => Method::ToolsList,
            "prompts/list" | "resources/list" | "resources/templates/list" => Method::List,
            // The tasks of the two eras differ, and the extension is not offered (XB-25).
            "initialize"
            | "ping"
            | "logging/setLevel"
            | "resources/subscribe"
            | "resources/unsubscribe"
            | "tasks/result"
            | "tasks/list"
            | "tasks/get"
            | "tasks/update"
            | "tasks/cancel" => Method::Removed,
            _ => Method::Other,
        }
    }

    /// Whether the client may be asked for input before the answer (26:mrtr, XB-40).
    pub(super) fn is_eligible(self) -> bool {
        matches!(self, Method::ToolsCall | Method::PromptsGet | Method::ResourcesRead)
    }

    /// Whether the result must say how long it may be kept (26:cache, XB-22).
    pub(super) fn has_hints(self) -> bool {
        matches!(self, Method::ToolsList | Method::List | Method::ResourcesRead)
    }
}

/// The `params` of a modern request; `_meta` apart.
pub(super) struct Params<'a> {
    all: Object<'a>,
    meta: Object<'a>,
}

impl<'a> Params<'a> {
    /// Those of `request`.
    pub(super) fn of(request: &'a Message) -> Self {
        let mut all = request.params().and_then(Object::parse).unwrap_or_default();
        let meta = match all.remove("_meta") {
            Some(Cow::Borrowed(meta)) => Object::parse(meta).unwrap_or_default(),
            _ => Object::default(),
        };
        Params { all, meta }
    }

    /// A member.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.all.get(name)
    }

    /// A member of `_meta`.
    pub(super) fn meta(&self, name: &str) -> Option<&str> {
        self.meta.get(name)
    }

    /// Makes them those of a legacy request (XB-20); `token` stands for the client's progress
    /// token, if it gave one.
    pub(super) fn into_legacy(mut self, method: Method, token: &'a str) -> impl fmt::Display {
        for name in
            [meta::PROTOCOL_VERSION, meta::CLIENT_CAPABILITIES, meta::CLIENT_INFO, meta::LOG_LEVEL]
        {
            self.meta.remove(name);
        }
        if self.meta.get("progressToken").is_some() {
            self.meta.set("progressToken", token);
        }
        self.all.remove("inputResponses");
        self.all.remove("requestState");
        if method == Method::ToolsCall {
            // It means nothing since 2026-07-28, but a great deal before.
            self.all.remove("task");
        }
        if !self.meta.is_empty() {
            self.all.set("_meta", self.meta.to_string());
        }
        self.all
    }
}
