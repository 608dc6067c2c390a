//! Which era a message of the local client's is of (26:ver, spec digest 1.3). Each is looked at by
//! itself: a client may try one era and go on in the other.

use bytes::Bytes;
use memchr::memmem;

use crate::{
    era::{meta, version},
    error::{Error, Kind},
    message::{self, Message, is_request_id, members, unquote},
};

/// What a message turns out to be.
#[derive(Debug)]
pub enum Said {
    /// One of 2026-07-28 or later, with all the metadata that it must have.
    Modern(Message),
    /// One of an earlier revision.
    Legacy(Message),
    /// A notification that does not say; it belongs with what it is about.
    Either(Message),
    /// One that cannot be served. Holds the answer.
    Refused(Bytes),
}

/// Looks at a message.
pub fn classify(message: Message) -> Said {
    if !is_suspect(&message) {
        return match message.kind() {
            message::Kind::Notification => Said::Either(message),
            _ => Said::Legacy(message),
        };
    }
    let all = message.param("_meta").filter(|all| all.starts_with('{'));
    let wanted = [meta::PROTOCOL_VERSION, meta::CLIENT_CAPABILITIES];
    let [version, capabilities] = all.map_or([None; 2], |all| members(all, wanted));
    let version = version.map(unquote);
    let is_modern = version.is_some() || is_modern_method(&message.method());
    if message.kind() != message::Kind::Request || !is_modern {
        return match (message.kind(), version) {
            (message::Kind::Notification, Some(_)) => Said::Modern(message),
            (message::Kind::Notification, None) => Said::Either(message),
            _ => Said::Legacy(message),
        };
    }
    let Some(id) = message.id().filter(|id| is_request_id(id)) else {
        return Said::Legacy(message);
    };
    let Some(version) = version else {
        return missing(id, &message, meta::PROTOCOL_VERSION);
    };
    // Of a later version, the remote says itself whether it serves it.
    if !version::is_ours(&version) && !version::is_later(&version) {
        return Said::Refused(version::unsupported(id, &version));
    }
    if !capabilities.is_some_and(|capabilities| capabilities.starts_with('{')) {
        return missing(id, &message, meta::CLIENT_CAPABILITIES);
    }
    Said::Modern(message)
}

/// Whether it is worth a closer look. A slash may be escaped, so only the end of the name counts.
fn is_suspect(message: &Message) -> bool {
    message.params().is_some_and(|params| {
        let name = meta::PROTOCOL_VERSION.rsplit('/').next().unwrap_or_default();
        memmem::find(params.as_bytes(), name.as_bytes()).is_some()
    }) || message.kind() == message::Kind::Request && is_modern_method(&message.method())
}

fn is_modern_method(method: &str) -> bool {
    matches!(method, "server/discover" | "subscriptions/listen")
}

/// ST-22.
fn missing(id: &str, message: &Message, name: &str) -> Said {
    let error = Error::new(Kind::InvalidParams, format!("could not serve `{}`", message.method()))
        .because(format!("its `_meta` has no `{name}`"));
    Said::Refused(error.response(Some(id)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::message::member;

    const FULL: &str = r#"{"_meta":{"io.modelcontextprotocol\/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}"#;

    fn said(text: &str) -> String {
        let message = Message::parse(text.to_owned().into()).expect("a message");
        match classify(message) {
            Said::Modern(_) => "modern".to_owned(),
            Said::Legacy(_) => "legacy".to_owned(),
            Said::Either(_) => "either".to_owned(),
            Said::Refused(answer) => {
                let answer = std::str::from_utf8(&answer).expect("UTF-8");
                let error = member(answer, "error").expect("an error");
                member(error, "code").expect("a code").to_owned()
            }
        }
    }

    #[test]
    fn st_21_to_23_each_message_says_its_era() {
        let with = |params: &str| format!(r#"{{"id":1,"method":"tools/list","params":{params}}}"#);
        let version = |version: &str| with(&FULL.replace("2026-07-28", version));
        for (text, expected) in [
            (with(FULL), "modern"),
            (with("{}"), "legacy"),
            (with(r#"{"_meta":{"protocolVersion":"2026-07-28"}}"#), "legacy"),
            (with(r#"{"arguments":{"io.modelcontextprotocol/protocolVersion":"x"}}"#), "legacy"),
            (version("1999-01-01"), "-32022"),
            (version("2025-11-25"), "-32022"),
            (version("2099-01-01"), "modern"),
            (version("2099-01-01").replace("clientCapabilities", "x"), "-32602"),
            (version("DRAFT-2099"), "-32022"),
            (with(&FULL.replace("clientCapabilities", "x")), "-32602"),
            (r#"{"id":1,"method":"server/discover"}"#.to_owned(), "-32602"),
            (r#"{"id":1,"method":"subscriptions/listen","params":{}}"#.to_owned(), "-32602"),
            (
                r#"{"id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}"#
                    .to_owned(),
                "legacy",
            ),
            (
                r#"{"method":"notifications/cancelled","params":{"requestId":1}}"#.to_owned(),
                "either",
            ),
            (format!(r#"{{"method":"notifications/x","params":{FULL}}}"#), "modern"),
            (r#"{"id":1,"result":{"protocolVersion":1}}"#.to_owned(), "legacy"),
            (r#"{"id":null,"method":"server/discover"}"#.to_owned(), "legacy"),
        ] {
            assert_eq!(said(&text), expected, "{text}");
        }
    }

    #[test]
    fn st_23_an_unsupported_version_is_told_with_those_that_are_supported() {
        let text = r#"{"id":"a","method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"1999-01-01"}}}"#;
        let Said::Refused(answer) = classify(Message::parse(text.into()).expect("a message"))
        else {
            panic!("it is refused");
        };
        let answer: serde_json::Value = serde_json::from_slice(&answer).expect("JSON");
        assert_eq!(answer["id"], "a");
        assert_eq!(
            answer["error"]["data"],
            json!({ "supported": ["2026-07-28"], "requested": "1999-01-01" })
        );
    }
}
