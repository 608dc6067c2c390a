//! Whose an address is: this machine's, another's, the same as another address. Pure.

use core::net::IpAddr;

use reqwest::Url;

use crate::error::is_unfit;

/// Whether a URL names this machine.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether two URLs share scheme, host and port.
pub fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme()
        && a.host_str() == b.host_str()
        && a.port_or_known_default() == b.port_or_known_default()
}

/// A URL's origin as text, without user name, path and query.
pub fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Reads a URL that what is secret may be sent to: encrypted, or on this machine (AU-60, SEC-3).
///
/// # Errors
/// Why it may not be used.
pub fn may_be_asked(text: &str) -> Result<Url, &'static str> {
    // A parser of URLs drops some of these without a word, and what is said shows them all.
    if text.chars().any(|letter| letter.is_whitespace() || is_unfit(letter)) {
        return Err("it holds characters that do not belong in a URL");
    }
    let url = Url::parse(text).map_err(|_| "it is no URL")?;
    if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
        return Err("it is not https://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a user name or a password");
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_encrypted_addresses_and_this_machine_are_asked() {
        for (url, may) in [
            ("https://as.example/token", true),
            ("http://localhost:1/token", true),
            ("http://127.0.0.1:1/token", true),
            ("http://evil.example/token", false),
            ("javascript:alert(1)", false),
            ("file:///etc/passwd", false),
            ("https://user:SECRET@as.example/", false),
            ("nothing", false),
            ("https://as.example/\u{1b}[31m", false),
            ("https://as.exa\nmple/", false),
            ("https://as.example/\u{202e}", false),
        ] {
            assert_eq!(may_be_asked(url).is_ok(), may, "{url}");
        }
    }
}
