//! What the API says about its own end: `Deprecation`, `Sunset` and the successor's `Link`. Pure.

use std::time::{Duration, UNIX_EPOCH};

use http::HeaderMap;

/// The sentence about it; nothing where the headers say nothing.
pub fn of(headers: &HeaderMap) -> Option<String> {
    let text = |name: &str| {
        let text = headers.get(name)?.to_str().ok()?.trim();
        (!text.is_empty() && text != "false").then_some(text)
    };
    let (deprecated, sunset) = (text("deprecation"), text("sunset"));
    deprecated.or(sunset)?;
    let mut said = "Composio says that this part of its API is deprecated".to_owned();
    if let Some(since) = deprecated.filter(|since| *since != "true") {
        said = format!("{said} since {}", date(since));
    }
    if let Some(end) = sunset {
        said = format!("{said}, and ends on {end}");
    }
    let links = headers.get_all(http::header::LINK).iter().filter_map(|link| link.to_str().ok());
    if let Some(successor) = links.flat_map(|links| links.split(',')).find_map(successor) {
        said = format!("{said}; its successor is {successor}");
    }
    Some(said)
}

/// A date as a structured field has it (RFC 9745), or else the text.
fn date(text: &str) -> String {
    /// The end of the year 9999.
    const LAST: u64 = 253_402_300_799;
    let seconds = text.strip_prefix('@').and_then(|text| text.parse().ok());
    match seconds.filter(|seconds| *seconds <= LAST) {
        Some(seconds) => httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds)),
        None => text.to_owned(),
    }
}

/// The target of a link with the relation `successor-version` (RFC 8288, RFC 5829).
fn successor(link: &str) -> Option<&str> {
    let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
    let is_successor = |parameter: &str| {
        let Some((name, value)) = parameter.split_once('=') else { return false };
        let mut relations = value.trim().trim_matches('"').split(' ');
        name.trim() == "rel" && relations.any(|relation| relation == "successor-version")
    };
    parameters.split(';').any(is_successor).then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_said_is_said() {
        for (headers, expected) in [
            (vec![], None),
            (vec![("link", "<https://h/v4>; rel=\"successor-version\"")], None),
            (vec![("deprecation", "false")], None),
            (vec![("deprecation", "true")], Some("is deprecated")),
            (vec![("deprecation", "@999999999999999")], Some("since @999999999999999")),
            (
                vec![
                    ("deprecation", "@1790000000"),
                    ("sunset", "Sat, 31 Jan 2027 00:00:00 GMT"),
                    (
                        "link",
                        "<https://h/next>; rel=next, <https://h/v4>; rel=\"successor-version\"",
                    ),
                ],
                Some(
                    "is deprecated since Mon, 21 Sep 2026 14:13:20 GMT, and ends on Sat, 31 Jan 2027 \
                     00:00:00 GMT; its successor is https://h/v4",
                ),
            ),
            (
                vec![("sunset", "Sat, 31 Jan 2027 00:00:00 GMT")],
                Some("is deprecated, and ends on Sat, 31 Jan 2027 00:00:00 GMT"),
            ),
        ] {
            let map: HeaderMap = headers
                .iter()
                .map(|(name, value)| {
                    (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
                })
                .collect();
            let said = of(&map);
            match expected {
                None => assert_eq!(said, None, "{headers:?}"),
                Some(end) => {
                    assert!(said.as_deref().is_some_and(|said| said.ends_with(end)), "{said:?}");
                }
            }
        }
    }
}
