//! Failures, told to a person.
//!
//! One [`Error`] says what was attempted, why it did not work, and what to try. The same value
//! becomes the text on stderr, the exit code, and the JSON-RPC error that answers a pending
//! request; those three conversions live here and nowhere else.

use std::fmt;

use bytes::Bytes;
use serde::Serialize;

/// What went wrong, as far as anybody branches on it.
///
/// The kind alone decides the exit code and the JSON-RPC code. The codes from -31000 downwards are
/// the bridge's own: they lie outside the range that JSON-RPC reserves, so that they cannot be
/// taken for an error the remote sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The command line is wrong.
    Usage,
    /// A configuration file, an environment variable or a key source is wrong.
    Config,
    /// The remote could not be reached; nothing was executed.
    Unreachable,
    /// The connection broke after the request was sent: it may or may not have been executed.
    OutcomeUnknown,
    /// The remote refused the credential, or wants one.
    Authorization,
    /// The remote answered with something the protocol does not allow, or with an HTTP error.
    Protocol,
    /// The message cannot be said in the protocol version of the other side.
    Untranslatable,
    /// The session on the remote ended while the request was running.
    SessionLost,
    /// A documented limit was reached: a size, a wait, a number of rounds.
    Limit,
    /// A line from the local client is not JSON (JSON-RPC 2.0, parse error).
    Parse,
    /// A message from the local client is not a request that can be served now.
    InvalidRequest,
    /// The parameters of a request are wrong (JSON-RPC 2.0, invalid params).
    InvalidParams,
    /// The method does not exist here.
    MethodNotFound,
    /// The tool is hidden by `--ignore-tool` or `--allow-tool`.
    ToolNotAvailable,
    /// A `requestState` that is not known, used up, expired, or of another request (XB-46).
    InvalidRequestState,
    /// Anything else, such as an operating-system error.
    Unexpected,
}

impl Kind {
    /// The process exit code: 2 usage, 3 configuration, 4 authorization, 5 remote, 1 the rest.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Usage => 2,
            Kind::Config => 3,
            Kind::Authorization => 4,
            Kind::Unreachable | Kind::OutcomeUnknown | Kind::SessionLost | Kind::Protocol => 5,
            _ => 1,
        }
    }

    /// The JSON-RPC error code.
    pub fn code(self) -> i32 {
        match self {
            Kind::Unreachable => -31000,
            Kind::OutcomeUnknown => -31001,
            Kind::Authorization => -31002,
            Kind::Protocol => -31003,
            Kind::Untranslatable => -31004,
            Kind::SessionLost => -31005,
            Kind::Limit => -31006,
            Kind::Parse => -32700,
            Kind::InvalidRequest => -32600,
            Kind::MethodNotFound => -32601,
            Kind::InvalidParams => -32602,
            Kind::ToolNotAvailable | Kind::Usage | Kind::Config | Kind::Unexpected => -32603,
            Kind::InvalidRequestState => -32602,
        }
    }

    /// A stable word for programs, in `error.data.reason`.
    pub fn reason(self) -> &'static str {
        match self {
            Kind::Usage => "usage",
            Kind::Config => "configuration",
            Kind::Unreachable => "unreachable",
            Kind::OutcomeUnknown => "outcome-unknown",
            Kind::Authorization => "authorization",
            Kind::Protocol => "protocol",
            Kind::Untranslatable => "untranslatable",
            Kind::SessionLost => "session-lost",
            Kind::Limit => "limit",
            Kind::Parse => "parse",
            Kind::InvalidRequest => "invalid-request",
            Kind::InvalidParams => "invalid-params",
            Kind::MethodNotFound => "method-not-found",
            Kind::ToolNotAvailable => "tool-not-available",
            Kind::InvalidRequestState => "invalid_request_state",
            Kind::Unexpected => "unexpected",
        }
    }
}

/// A failure: what was attempted, the causes from near to far, and what to try next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    attempted: String,
    causes: Vec<String>,
    hints: Vec<String>,
    http_status: Option<u16>,
}

impl Error {
    /// A failure of `kind`; `attempted` is a lower-case clause without a full stop, such as
    /// ``could not connect to https://mcp.example.com/mcp``.
    pub fn new(kind: Kind, attempted: impl Into<String>) -> Self {
        Error {
            kind,
            attempted: attempted.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            http_status: None,
        }
    }

    /// Adds the next deeper cause.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds something the person can do, best with a command or flag in backticks.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Records the HTTP status that the remote answered with.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.http_status = Some(status);
        self
    }

    /// What went wrong, for code that branches.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What was attempted.
    pub fn attempted(&self) -> &str {
        &self.attempted
    }

    /// The causes in one clause.
    pub fn cause(&self) -> String {
        self.causes.join(": ")
    }

    /// What to try.
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// The HTTP status behind the failure, if there was one.
    pub fn http_status(&self) -> Option<u16> {
        self.http_status
    }

    /// The text for stderr: `error:`, `caused by:` and `hint:` lines, without a final newline.
    pub fn report(&self) -> String {
        let mut text = format!("error: {}", self.attempted);
        for cause in &self.causes {
            text.push_str("\n  caused by: ");
            text.push_str(cause);
        }
        for hint in &self.hints {
            text.push_str("\nhint: ");
            text.push_str(hint);
        }
        text
    }

    /// The JSON-RPC error response to the request whose id is the JSON token `id`; without an id
    /// the member is left out (allowed since protocol version 2025-11-25).
    pub fn response(&self, id: Option<&str>) -> Bytes {
        #[derive(Serialize)]
        struct Data {
            origin: &'static str,
            reason: &'static str,
            #[serde(rename = "httpStatus", skip_serializing_if = "Option::is_none")]
            http_status: Option<u16>,
        }
        #[derive(Serialize)]
        struct Body<'a> {
            code: i32,
            message: &'a str,
            data: Data,
        }
        let body = serde_json::to_string(&Body {
            code: self.kind.code(),
            message: &self.to_string(),
            data: Data {
                origin: "bridge",
                reason: self.kind.reason(),
                http_status: self.http_status,
            },
        })
        .unwrap_or_default();
        let text = match id {
            Some(id) => format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{body}}}"#),
            None => format!(r#"{{"jsonrpc":"2.0","error":{body}}}"#),
        };
        Bytes::from(text)
    }
}

/// One line: what was attempted, the causes after colons, the hints after semicolons.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.attempted)?;
        for cause in &self.causes {
            write!(f, ": {cause}")?;
        }
        for hint in &self.hints {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Whether a letter of somebody else's text would move, colour, turn round or hide what a person
/// reads in a terminal: control characters, and those that set the direction or cannot be seen.
pub fn is_unfit(letter: char) -> bool {
    letter.is_control()
        || matches!(
            u32::from(letter),
            0xad | 0x61c
                | 0x180e
                | 0x200b..=0x200f
                | 0x2028..=0x202e
                | 0x2060..=0x206f
                | 0xfeff
                | 0xfff9..=0xfffb
                | 0xe0000..=0xe0fff
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Error {
        Error::new(Kind::Unreachable, "could not connect to https://x.example")
            .because("connection refused")
            .hint("check that the server is running")
    }

    #[test]
    fn one_sentence_for_the_person_in_all_three_forms() {
        assert_eq!(
            sample().report(),
            "error: could not connect to https://x.example\n  caused by: connection refused\n\
             hint: check that the server is running"
        );
        let answer: serde_json::Value =
            serde_json::from_slice(&sample().response(Some("\"a\""))).expect("valid JSON");
        assert_eq!(answer["id"], "a");
        assert_eq!(answer["error"]["code"], -31000);
        assert_eq!(answer["error"]["message"], sample().to_string());
        assert_eq!(answer["error"]["data"]["origin"], "bridge");
    }

    #[test]
    fn what_turns_or_hides_a_text_is_not_fit_for_a_terminal() {
        for letter in "\n\u{1b}\u{7f}\u{9b}\u{202e}\u{2066}\u{200b}\u{feff}\u{e0041}".chars() {
            assert!(is_unfit(letter), "{letter:?}");
        }
        assert!(!"a é 日 ü…-\u{1f600}".chars().any(is_unfit));
    }

    #[test]
    fn an_error_without_an_id_has_no_id_member() {
        let answer: serde_json::Value =
            serde_json::from_slice(&sample().response(None)).expect("valid JSON");
        assert!(answer.get("id").is_none());
    }
}
