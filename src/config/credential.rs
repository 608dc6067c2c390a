//! Who may be given a key.
//!
//! A key that a person did not name for one URL (it comes from the environment, a file or a
//! command) goes to Composio, to the origin of `COMPOSIO_BASE_URL` and to this machine, and nowhere
//! else. And a request carries one credential: Composio refuses two, even when each is good.

use http::{HeaderName, HeaderValue};
use reqwest::Url;

use crate::{
    composio::key::{self, Place},
    error::{Error, Kind},
    origin::{is_loopback, same_origin},
};

/// The headers that carry a credential.
const CREDENTIALS: [&str; 5] =
    ["authorization", "x-api-key", "x-user-api-key", "x-org-api-key", "x-consumer-api-key"];

/// Whether a header of this name carries a credential.
pub fn is_credential(name: &HeaderName) -> bool {
    CREDENTIALS.contains(&name.as_str())
}

/// Whether the endpoint may be given a key that was not named for it. `base` is what
/// `COMPOSIO_BASE_URL` says.
pub fn may_have_key(endpoint: &Url, base: Option<&Url>) -> bool {
    is_loopback(endpoint) || (endpoint.scheme() == "https" && is_composio(endpoint, base))
}

/// Whether the endpoint is on one of Composio's hosts, or on the origin that stands for them.
fn is_composio(endpoint: &Url, base: Option<&Url>) -> bool {
    let trusted = base.filter(|base| base.scheme() == "https" || is_loopback(base));
    is_composio_host(endpoint) || trusted.is_some_and(|base| same_origin(base, endpoint))
}

/// Whether the host is `composio.dev` or below it.
pub fn is_composio_host(url: &Url) -> bool {
    let host = host(url);
    host == "composio.dev" || host.ends_with(".composio.dev")
}

/// What the endpoint is for a key.
pub fn place(endpoint: &Url) -> Place {
    match host(endpoint) {
        "connect.composio.dev" => Place::Connect,
        _ if is_composio_host(endpoint) => Place::Platform,
        _ => Place::StandIn,
    }
}

fn host(url: &Url) -> &str {
    let host = url.host_str().unwrap_or_default();
    host.strip_suffix('.').unwrap_or(host)
}

/// Whether the headers name a credential, so that no key is to be added.
///
/// # Errors
/// The endpoint is one of Composio's, and they name two, or one that is refused there.
pub fn is_named(
    headers: &[(HeaderName, HeaderValue)],
    endpoint: &Url,
    base: Option<&Url>,
) -> Result<bool, Error> {
    let mut names = headers.iter().map(|(name, _)| name).filter(|name| is_credential(name));
    let (first, second) = (names.next(), names.next());
    if let (Some(first), Some(second)) = (first, second)
        && is_composio(endpoint, base)
    {
        return Err(Error::new(Kind::Config, "two headers carry a credential")
            .because(format!("{first} and {second}; Composio refuses a request with both"))
            .hint("keep the one that fits the URL"));
    }
    let place = place(endpoint);
    for (name, value) in headers.iter().filter(|_| place != Place::StandIn) {
        check(name, value, place)?;
    }
    Ok(first.is_some())
}

/// Whether a header with a key can be of use at one of Composio's hosts.
fn check(name: &HeaderName, value: &HeaderValue, place: Place) -> Result<(), Error> {
    use key::Kind as Key;
    let kinds = [Key::Project, Key::User, Key::Consumer];
    let Some(of_header) = kinds.into_iter().find(|kind| kind.header() == name) else {
        return Ok(());
    };
    let stands_in = |error: Error| error.because(format!("it stands in the header {name}"));
    let of_value = Key::of(value.to_str().unwrap_or_default());
    let kind = if of_value == Key::Unknown { of_header } else { of_value };
    kind.check(place).map_err(stands_in)?;
    if kind != of_header {
        return Err(Error::new(
            Kind::Config,
            format!("the key in the header {name} is another kind"),
        )
        .because(format!("it is {}, which belongs in {}", kind.named(), kind.header()))
        .hint("store it with `composio-bridge key set`, and it is sent in the right header"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("the URL is well formed")
    }

    #[test]
    fn a_key_goes_to_composio_its_stand_in_and_this_machine() {
        let none = None;
        let own = Some("https://api.corp.example:8443/v3");
        for (endpoint, base, expected) in [
            ("https://backend.composio.dev/v3/mcp/x", none, true),
            ("https://composio.dev/", none, true),
            ("https://COMPOSIO.DEV./", none, true),
            ("http://backend.composio.dev/", none, false),
            ("https://composio.dev.evil.example/", none, false),
            ("https://evilcomposio.dev/", none, false),
            ("https://evil.example/?x=.composio.dev", none, false),
            ("http://localhost:3000/mcp", none, true),
            ("https://127.0.0.1/mcp", none, true),
            ("http://[::1]/mcp", none, true),
            ("http://128.0.0.1/mcp", none, false),
            ("https://api.corp.example/mcp", none, false),
            ("https://api.corp.example:8443/mcp", own, true),
            ("https://api.corp.example/mcp", own, false),
            ("http://api.corp.example:8443/mcp", own, false),
            ("https://www.api.corp.example:8443/mcp", own, false),
            ("https://api.corp.example/mcp", Some("http://api.corp.example"), false),
        ] {
            let base = base.map(url);
            assert_eq!(may_have_key(&url(endpoint), base.as_ref()), expected, "{endpoint}");
        }
    }

    #[test]
    fn two_credentials_are_refused_for_composio_alone() {
        let headers = |names: &[&'static str]| -> Vec<_> {
            names
                .iter()
                .map(|name| (HeaderName::from_static(name), HeaderValue::from_static("SECRET")))
                .collect()
        };
        let check =
            |names: &[&'static str], endpoint| is_named(&headers(names), &url(endpoint), None);
        let composio = "https://backend.composio.dev/x";
        assert_eq!(check(&["x-org-id", "accept-language"], composio), Ok(false));
        assert_eq!(check(&["x-user-api-key", "x-org-id"], composio), Ok(true));
        assert_eq!(check(&["x-api-key", "authorization"], "https://x.example/"), Ok(true));
        let error = check(&["x-api-key", "authorization"], composio).expect_err("there are two");
        let text = error.report();
        assert!(text.contains("x-api-key") && text.contains("authorization"), "{text}");
        assert!(!text.contains("SECRET"), "{text}");
    }
}
