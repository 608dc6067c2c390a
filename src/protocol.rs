//! Words of the protocol that something is decided by: what may be done with a request, by its
//! method, and which versions there are. Pure.

/// The methods the bridge itself has to know; every other one is carried all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `initialize`: the handshake.
    Initialize,
    /// `ping`.
    Ping,
    /// One of the lists that are remembered and that change.
    List(List),
    /// `tools/call`.
    ToolsCall,
    /// `resources/subscribe`, repeated in a new session.
    Subscribe,
    /// `resources/unsubscribe`.
    Unsubscribe,
    /// `logging/setLevel`, repeated in a new session.
    SetLevel,
    /// `subscriptions/listen`, which is answered when it ends.
    Listen,
    /// Another one without side effects.
    Read,
    /// Anything else, which may have side effects.
    Other,
}

/// A list that a client asks for once and is told about when it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum List {
    /// `tools/list`.
    Tools,
    /// `prompts/list`.
    Prompts,
    /// `resources/list`.
    Resources,
}

impl List {
    /// All of them.
    pub const ALL: [List; 3] = [List::Tools, List::Prompts, List::Resources];

    /// The name of the capability, and of the member of the result that holds the list.
    pub fn name(self) -> &'static str {
        match self {
            List::Tools => "tools",
            List::Prompts => "prompts",
            List::Resources => "resources",
        }
    }

    /// The result that lists nothing.
    pub fn empty(self) -> String {
        format!(r#"{{"{}":[]}}"#, self.name())
    }
}

impl Method {
    /// Classifies a method's name.
    pub fn of(name: &str) -> Method {
        match name {
            "initialize" => Method::Initialize,
            "ping" => Method::Ping,
            "tools/list" => Method::List(List::Tools),
            "prompts/list" => Method::List(List::Prompts),
            "resources/list" => Method::List(List::Resources),
            "tools/call" => Method::ToolsCall,
            "resources/subscribe" => Method::Subscribe,
            "resources/unsubscribe" => Method::Unsubscribe,
            "logging/setLevel" => Method::SetLevel,
            "subscriptions/listen" => Method::Listen,
            "server/discover"
            | "tasks/get"
            | "resources/templates/list"
            | "resources/read"
            | "prompts/get"
            | "completion/complete" => Method::Read,
            _ => Method::Other,
        }
    }

    /// Whether a request whose fate is unknown may be sent again: it has no side effects.
    pub fn is_repeatable(self) -> bool {
        matches!(self, Method::Ping | Method::List(_) | Method::Read)
    }

    /// Whether a compressed answer is asked for: lists are large and never streamed.
    pub fn wants_compression(self) -> bool {
        matches!(self, Method::List(_))
    }
}

/// The legacy protocol versions, newest first.
pub const LEGACY_VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// The modern protocol versions that the bridge speaks, newest first.
pub const MODERN_VERSIONS: [&str; 1] = ["2026-07-28"];

/// The version the bridge itself answers `initialize` with (1125:lc): the one asked for, if it is
/// known, else the newest.
pub fn answer_version(asked: &str) -> &'static str {
    LEGACY_VERSIONS.into_iter().find(|known| *known == asked).unwrap_or(LEGACY_VERSIONS[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_with_side_effects_is_ever_repeatable() {
        for (name, repeatable) in [
            ("tools/list", true),
            ("prompts/list", true),
            ("resources/list", true),
            ("resources/templates/list", true),
            ("resources/read", true),
            ("prompts/get", true),
            ("completion/complete", true),
            ("ping", true),
            ("tools/call", false),
            ("initialize", false),
            ("resources/subscribe", false),
            ("logging/setLevel", false),
            ("tasks/cancel", false),
            ("subscriptions/listen", false),
            ("vendor/anything", false),
        ] {
            assert_eq!(Method::of(name).is_repeatable(), repeatable, "{name}");
        }
    }

    #[test]
    fn answers_the_version_asked_for_or_the_newest() {
        assert_eq!(answer_version("2025-03-26"), "2025-03-26");
        assert_eq!(answer_version("2026-07-28"), "2025-11-25");
    }
}
