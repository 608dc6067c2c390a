//! What a person should read where Composio's API refused. Pure.

use std::time::Duration;

use super::retry::Repeat;
use crate::{
    error::{Error, Kind},
    remote::{event::Refusal, refusal::Said},
};

/// The sentences for the refusal of what was `attempted`: a lower-case clause.
pub fn describe(attempted: &str, refusal: &Refusal, repeat: Repeat) -> Error {
    let said = Said::from(refusal);
    let status = refusal.status;
    let name = http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let mut error = Error::new(kind(status, repeat), attempted).with_status(status);
    error = match name {
        Some(name) => error.because(format!("HTTP {status} {name}")),
        None => error.because(format!("HTTP {status}")),
    };
    for cause in said.message.into_iter().chain(said.errors) {
        error = error.because(cause);
    }
    if let Some(fix) = said.suggested_fix {
        error = error.hint(fix);
    }
    for hint in hints(refusal, repeat) {
        error = error.hint(hint);
    }
    match said.request_id {
        Some(id) => error.hint(format!("Composio's support finds it by the request id {id}")),
        None => error,
    }
}

fn kind(status: u16, repeat: Repeat) -> Kind {
    match status {
        401 | 403 | 407 => Kind::Authorization,
        // A gateway's: what is behind it may have done it all the same.
        502 | 504 if repeat != Repeat::Safe => Kind::OutcomeUnknown,
        _ => Kind::Protocol,
    }
}

fn hints(refusal: &Refusal, repeat: Repeat) -> Vec<String> {
    let texts: &[&str] = match refusal.status {
        401 => &[
            "check the key: `composio-bridge key show` says which one is used",
            "Composio says the same where the key may not do this: a scoped key needs Sessions: write \
             or Session tool execution",
            "and where the key is bound to other IP addresses than this machine's",
        ],
        403 => &["the key is good, but its project or its user is not allowed to do this"],
        404 => &["it may have been deleted, or belong to another project than the key"],
        407 => &[
            "the proxy wants a user name and password: pass `--proxy http://user:password@host:port`",
        ],
        410 => &["this version of the API is gone: take a newer composio-bridge"],
        429 => {
            let wait = refusal.retry_after.map_or_else(|| "in a minute".to_owned(), told);
            return vec![format!("too many requests for this organisation: try again {wait}")];
        }
        500..=599 if repeat == Repeat::Safe => {
            &["Composio or a gateway before it has a problem: try again later"]
        }
        500..=599 => &[
            "Composio or a gateway before it has a problem, and it may have been done: look before \
             you try again",
        ],
        _ => &[],
    };
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// How long a wait is, for a person.
fn told(wait: Duration) -> String {
    match wait.as_secs() {
        seconds @ 0..120 => format!("in {} s", seconds.max(1)),
        seconds @ 120..7200 => format!("in {} minutes", seconds.div_ceil(60)),
        seconds @ 7200..172_800 => format!("in {} hours", seconds.div_ceil(3600)),
        _ => "much later: the API asks for days".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn described(status: u16, body: &str, repeat: Repeat) -> Error {
        let is_html = body.starts_with('<');
        let refusal = Refusal {
            status,
            content_type: if is_html { "text/html" } else { "application/json" }.to_owned(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            ..Refusal::default()
        };
        describe("could not create the session", &refusal, repeat)
    }

    #[test]
    fn every_body_becomes_causes_and_hints() {
        const WHOLE: &str = r#"{"error":{"message":"Invalid input","code":10400,"slug":"HTTP_BadRequest",
            "status":400,"request_id":"req_9","suggested_fix":"Name a user",
            "errors":["user_id: Required","toolkits: Invalid"]}}"#;
        for (status, body, parts) in [
            (
                400,
                WHOLE,
                vec![
                    "error: could not create the session\n  caused by: HTTP 400 Bad Request\n  caused \
                     by: Invalid input\n  caused by: user_id: Required\n  caused by: toolkits: Invalid\n\
                     hint: Name a user\n",
                    "request id req_9",
                ],
            ),
            (
                401,
                r#"{"error":{"message":"Invalid API key"}}"#,
                vec!["Invalid API key", "key show"],
            ),
            (401, r#"{"error":"Invalid consumer API key"}"#, vec!["Invalid consumer API key"]),
            (
                404,
                r#"{"jsonrpc":"2.0","error":{"code":-32000,"message":"Transport not found"},"id":null}"#,
                vec!["HTTP 404 Not Found", "Transport not found"],
            ),
            (
                429,
                r#"{"message":"Rate limit exceeded. Limit: 10000 requests per 1 minutes"}"#,
                vec!["Limit: 10000", "try again in a minute"],
            ),
            (503, "<html><title>Down</title>", vec!["a web page titled \"Down\"", "try again"]),
            (410, "", vec!["HTTP 410 Gone", "newer composio-bridge"]),
            (418, "{}", vec!["HTTP 418"]),
        ] {
            let report = described(status, body, Repeat::Safe).report();
            for part in parts {
                assert!(report.contains(part), "{report} lacks {part}");
            }
        }
    }

    #[test]
    fn a_wait_is_told_in_what_people_count_in() {
        for (seconds, expected) in [
            (0, "in 1 s"),
            (119, "in 119 s"),
            (121, "in 3 minutes"),
            (7200, "in 2 hours"),
            (172_800, "asks for days"),
            (u64::MAX, "asks for days"),
        ] {
            assert!(told(Duration::from_secs(seconds)).ends_with(expected), "{seconds}");
        }
    }

    #[test]
    fn the_exit_code_follows_the_status() {
        for (status, repeat, kind) in [
            (400, Repeat::Safe, Kind::Protocol),
            (401, Repeat::Safe, Kind::Authorization),
            (403, Repeat::Safe, Kind::Authorization),
            (404, Repeat::Never, Kind::Protocol),
            (504, Repeat::Safe, Kind::Protocol),
            (504, Repeat::Never, Kind::OutcomeUnknown),
        ] {
            let error = described(status, "", repeat);
            assert_eq!((error.kind(), error.http_status()), (kind, Some(status)), "{repeat:?}");
        }
        let report = described(502, "", Repeat::Never).report();
        assert!(report.contains("may have been done"), "{report}");
    }
}
