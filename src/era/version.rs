//! The protocol versions of modern requests: which are served, and how the others are refused.

use bytes::Bytes;
use serde_json::json;

use crate::protocol::MODERN_VERSIONS;

/// Whether requests of this version are served here.
pub fn is_ours(version: &str) -> bool {
    MODERN_VERSIONS.contains(&version)
}

/// Whether this is a version that came after ours, as far as its date says. A modern remote may
/// know it, and is the one to say so (MM-5).
pub fn is_later(version: &str) -> bool {
    let is_date = version.len() == MODERN_VERSIONS[0].len()
        && version.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    is_date && version > MODERN_VERSIONS[0]
}

/// The answer to a request, by its id, in a version that is not served (ST-23, XB-14), in the shape
/// that the specification gives this error, so that a client can choose.
pub fn unsupported(id: &str, version: &str) -> Bytes {
    let error = json!({
        "code": -32022,
        "message": format!(
            "protocol version {version} is not served per request; {} is, and earlier ones by \
             `initialize`",
            MODERN_VERSIONS.join(", "),
        ),
        "data": { "supported": MODERN_VERSIONS, "requested": version },
    });
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mm_5_a_later_version_is_told_by_its_date() {
        for (version, expected) in [
            ("2026-07-29", true),
            ("2099-01-01", true),
            ("2026-07-28", false),
            ("2025-11-25", false),
            ("1999-01-01", false),
            ("2099-01-01x", false),
            ("2099/01/01", false),
            ("DRAFT-2099", false),
            ("", false),
        ] {
            assert_eq!(is_later(version), expected, "{version}");
        }
    }
}
