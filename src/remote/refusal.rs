//! What a person should read where the remote refused. Pure.
//!
//! Servers refuse in many forms: a JSON-RPC error, one of Composio's error bodies, a page of HTML,
//! or nothing. The first is passed on as it is; all others become one [`Error`].

use serde_json::Value;

use super::event::Refusal;
use crate::{
    auth::challenge,
    composio::url::Shape,
    error::{Error, Kind, is_unfit},
    json::texts,
    message::{Message, member},
};

/// The JSON-RPC error in the body of a refusal, if that is what it is.
pub fn json_rpc_error(refusal: &Refusal) -> Option<Message> {
    let text = std::str::from_utf8(&refusal.body).ok()?;
    member(text, "jsonrpc")?;
    let message = Message::parse(refusal.body.clone()).ok()?;
    message.error().is_some().then_some(message)
}

/// How servers say with 400 that they do not know a session. Whole phrases: a tool may speak of
/// sessions of its own, and what it refused must not be taken for what it never saw.
const LOST_SESSION: [&str; 12] = [
    "session id",
    "session-id",
    "sessionid",
    "session not found",
    "session does not exist",
    "session expired",
    "session has expired",
    "session terminated",
    "invalid session",
    "unknown session",
    "no such session",
    "no valid session",
];

/// How servers say that they have seen no `initialize`.
const NEVER_INITIALIZED: [&str; 2] =
    ["server not initialized", "received request before initialization"];

/// Whether a refusal means that the session is gone, where the request named one (LH-50). Servers
/// say it with 404, or with 400 and a text about the session.
pub fn is_session_loss(refusal: &Refusal, had_session: bool) -> bool {
    let says = |words: &[&str]| {
        let text = String::from_utf8_lossy(&refusal.body).to_ascii_lowercase();
        words.iter().any(|word| text.contains(word))
    };
    match refusal.status {
        _ if refusal.is_replaced => true,
        404 => had_session,
        400 if had_session && is_of_modern_server(refusal) => true,
        400 => had_session && says(&LOST_SESSION) || says(&NEVER_INITIALIZED),
        _ => false,
    }
}

/// Whether this is how a server refuses that knows no sessions, as those of 2026-07-28 do: with
/// codes of theirs, of which a legacy server uses neither in this way (MH-53).
fn is_of_modern_server(refusal: &Refusal) -> bool {
    let Some(message) = json_rpc_error(refusal) else { return false };
    let Some(error) = message.error() else { return false };
    match member(error, "code") {
        Some("-32020") => true,
        Some("-32022") => {
            member(error, "data").is_some_and(|data| member(data, "supported").is_some())
        }
        _ => false,
    }
}

/// Whether an answer to the first message means that the other transport should be tried (SSE-10;
/// 400, 404 and 405, and the other client errors but for those that say something else).
pub fn suggests_other_transport(status: u16) -> bool {
    matches!(status, 400 | 404 | 405)
}

/// Whether the same request may succeed later.
pub fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..=599)
}

/// The sentence for a refusal of what was `attempted`.
pub fn describe(attempted: &str, refusal: &Refusal) -> Error {
    let said = Said::from(refusal);
    let mut cause = format!("HTTP {}", refusal.status);
    if let Some(name) =
        http::StatusCode::from_u16(refusal.status).ok().and_then(|s| s.canonical_reason())
    {
        cause = format!("{cause} {name}");
    }
    let mut error = Error::new(kind(refusal.status), attempted).because(cause);
    if let Some(text) = said.message {
        error = error.because(text);
    }
    if let Some(fix) = said.suggested_fix {
        error = error.hint(fix);
    }
    if let Some(hint) = hint(refusal) {
        error = error.hint(hint);
    }
    if let Some(id) = said.request_id {
        error = error.hint(format!("request id {id}"));
    }
    error.with_status(refusal.status)
}

fn kind(status: u16) -> Kind {
    match status {
        401 | 403 => Kind::Authorization,
        502 | 504 => Kind::OutcomeUnknown,
        _ => Kind::Protocol,
    }
}

fn hint(refusal: &Refusal) -> Option<String> {
    let of_composio = refusal.composio.and_then(|shape| shape.hint(refusal.status));
    let text = match refusal.status {
        401 if wants_token(refusal) => {
            let sign_in = refusal.sign_in.as_deref()?;
            let key = match refusal.composio {
                Some(Shape::Connect) => "store a consumer key with `composio-bridge key set`",
                Some(_) => "store a project key with `composio-bridge key set`",
                None => "pass the credential it expects",
            };
            return Some(format!("sign in with `{sign_in}`, or {key}"));
        }
        _ if of_composio.is_some() => of_composio?,
        401 => {
            "check that the API key is set, belongs to this server and is sent in the header it expects"
        }
        403 => "the credential was understood but is not allowed to do this",
        404 | 405 => "check the URL: the path may be wrong, or not an MCP endpoint",
        407 => {
            "the proxy wants a user name and password: pass `--proxy http://user:password@host:port`"
        }
        413 | 431 => "the message is larger than the server accepts",
        429 => {
            let wait = refusal.retry_after.map(|wait| format!(" in {} s", wait.as_secs().max(1)));
            return Some(format!("too many requests: try again{}", wait.unwrap_or_default()));
        }
        500..=599 => "the server or a gateway before it has a problem: try again later",
        _ => return None,
    };
    Some(text.to_owned())
}

/// Whether a token of a sign-in is what the server misses.
fn wants_token(refusal: &Refusal) -> bool {
    let challenge = refusal.challenge.as_deref().and_then(challenge::bearer);
    refusal.sign_in.is_some() && challenge.is_some()
}

/// No person reads more details than these.
const MOST_ERRORS: usize = 10;

/// What a body says, whatever its form.
#[derive(Default)]
pub(crate) struct Said {
    pub(crate) message: Option<String>,
    /// What is wrong in detail, as Composio's API says it.
    pub(crate) errors: Vec<String>,
    pub(crate) suggested_fix: Option<String>,
    pub(crate) request_id: Option<String>,
}

impl Said {
    pub(crate) fn from(refusal: &Refusal) -> Said {
        let Ok(body) = serde_json::from_slice::<Value>(&refusal.body) else {
            return Said { message: from_text(refusal), ..Said::default() };
        };
        let error = body.get("error").unwrap_or(&body);
        let text = |value: &Value, name: &str| {
            value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(clip)
        };
        let message = error.as_str().map(clip).or_else(|| text(error, "message"));
        Said {
            // OAuth's shape: the error is a code, the description is for people.
            message: text(&body, "error_description").or(message).or_else(|| text(&body, "detail")),
            errors: texts(error, "errors").take(MOST_ERRORS).map(clip).collect(),
            suggested_fix: text(error, "suggested_fix"),
            request_id: text(error, "request_id"),
        }
    }
}

/// The heart of a body that is not JSON: the title of a page, or the first line of a text.
fn from_text(refusal: &Refusal) -> Option<String> {
    let body = String::from_utf8_lossy(&refusal.body);
    if refusal.content_type.contains("html") || body.trim_start().starts_with('<') {
        let lower = body.to_ascii_lowercase();
        let start = lower.find("<title>")? + "<title>".len();
        let end = start + lower.get(start..)?.find("</title>")?;
        return body.get(start..end).map(|title| format!("a web page titled \"{}\"", clip(title)));
    }
    let line = body.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(clip(line))
}

/// At most 300 characters, on one line, without control characters.
fn clip(text: &str) -> String {
    one_line(text, 300)
}

/// The beginning of a text on one line, without control characters, which could move a terminal's
/// cursor; `most` is a number of characters.
pub(crate) fn one_line(text: &str, most: usize) -> String {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || is_unfit(c)).collect();
    let line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn refusal(status: u16, content_type: &str, body: &str) -> Refusal {
        Refusal {
            status,
            challenge: None,
            sign_in: None,
            wants_sign_in: false,
            is_replaced: false,
            composio: None,
            content_type: content_type.to_owned(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            retry_after: None,
        }
    }

    #[test]
    fn every_form_of_body_becomes_one_sentence() {
        let json = "application/json";
        for (refused, parts) in [
            (
                refusal(
                    401,
                    json,
                    r#"{"error":{"message":"Invalid API key","code":10401,"slug":"HTTP_Unauthorized","status":401,"request_id":"req_9","suggested_fix":"Use a project key","errors":[]}}"#,
                ),
                vec![
                    "HTTP 401 Unauthorized",
                    "Invalid API key",
                    "Use a project key",
                    "request id req_9",
                ],
            ),
            (
                refusal(401, json, r#"{"error":"Invalid consumer API key"}"#),
                vec!["Invalid consumer API key"],
            ),
            (
                refusal(429, json, r#"{"message":"Rate limit exceeded. Limit: 10000"}"#),
                vec!["HTTP 429", "Rate limit exceeded", "try again"],
            ),
            (
                refusal(502, "text/html", "<html><head><title>502 Bad\nGateway</title>"),
                vec!["HTTP 502", "a web page titled \"502 Bad Gateway\""],
            ),
            (refusal(500, "text/plain", "\n  boom\nmore"), vec!["HTTP 500", ": boom;"]),
            (refusal(403, "", ""), vec!["HTTP 403 Forbidden"]),
            (
                refusal(
                    401,
                    json,
                    r#"{"error":"invalid_token","error_description":"The token expired"}"#,
                ),
                vec!["The token expired"],
            ),
            (refusal(400, json, r#"{"detail":"no"}"#), vec!["HTTP 400 Bad Request: no"]),
        ] {
            let text = describe("could not call `x`", &refused).to_string();
            for part in parts {
                assert!(text.contains(part), "{text} lacks {part}");
            }
            assert!(!text.contains('\n'));
        }
    }

    #[test]
    fn only_a_json_rpc_error_is_passed_on() {
        let json = "application/json";
        for (body, passed) in [
            (
                r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Not Acceptable"},"id":null}"#,
                true,
            ),
            (r#"{"jsonrpc":"2.0","error":{"code":-32601,"message":"m"}}"#, true),
            (r#"{"error":{"message":"Invalid API key","code":10401}}"#, false),
            (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, false),
            ("<html>", false),
            ("", false),
        ] {
            assert_eq!(json_rpc_error(&refusal(400, json, body)).is_some(), passed, "{body}");
        }
    }

    #[test]
    fn a_lost_session_is_told_from_other_refusals() {
        const MISMATCH: &str = r#"{"jsonrpc":"2.0","error":{"code":-32020,"message":"m"}}"#;
        const VERSIONS: &str = r#"{"jsonrpc":"2.0","error":{"code":-32022,"message":"m","data":{"supported":["2026-07-28"]}}}"#;
        const PRIVATE: &str = r#"{"jsonrpc":"2.0","error":{"code":-32022,"message":"m"}}"#;
        for (status, body, had_session, lost) in [
            (404, "", true, true),
            (404, "", false, false),
            (400, "Bad Request: No valid session ID provided", true, true),
            (400, "Bad Request: Server not initialized", false, true),
            (400, "{\"error\":\"Invalid session ID\"}", true, true),
            (400, "bad arguments", true, false),
            (400, "the payment session failed", true, false),
            (400, "database not initialized", true, false),
            (400, "session", false, false),
            (400, MISMATCH, true, true),
            (400, MISMATCH, false, false),
            (200, MISMATCH, true, false),
            (400, VERSIONS, true, true),
            (400, PRIVATE, true, false),
            (401, "session", true, false),
        ] {
            let refused = refusal(status, "text/plain", body);
            assert_eq!(is_session_loss(&refused, had_session), lost, "{status} {body}");
        }
    }
}
