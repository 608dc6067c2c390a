//! Which redirects are followed. Pure.
//!
//! Only those within the endpoint's own origin, with method and body kept: the headers that were
//! configured for an origin must not reach another one, and an HTTP client drops just the headers
//! it knows to be secret.

use reqwest::Url;

use crate::origin::{origin, same_origin};

/// The most redirects one request follows.
pub const LIMIT: usize = 5;

/// What to do with a redirect.
#[derive(Debug, PartialEq, Eq)]
pub enum Redirect {
    /// Send the same request to this URL.
    Follow(Url),
    /// Another origin; the text names it.
    Foreign(String),
    /// No usable `Location`.
    Broken,
}

/// Decides about the `Location` of a response from `from`.
pub fn decide(from: &Url, location: Option<&str>) -> Redirect {
    let Some(target) = location.and_then(|location| from.join(location).ok()) else {
        return Redirect::Broken;
    };
    if same_origin(from, &target) {
        Redirect::Follow(target)
    } else {
        Redirect::Foreign(origin(&target))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_within_the_origin_only() {
        let from = Url::parse("https://h.example/a/b?q=1").expect("a URL");
        for (location, expected) in [
            (Some("/mcp"), Ok("https://h.example/mcp")),
            (Some("c/?x=2"), Ok("https://h.example/a/c/?x=2")),
            (Some("https://h.example:443/z"), Ok("https://h.example/z")),
            (Some("http://h.example/z"), Err("http://h.example")),
            (Some("https://h.example:444/z"), Err("https://h.example:444")),
            (Some("//evil.example/?k=v"), Err("https://evil.example")),
            (Some("https://u:p@evil.example/"), Err("https://evil.example")),
        ] {
            let expected = match expected {
                Ok(url) => Redirect::Follow(Url::parse(url).expect("a URL")),
                Err(origin) => Redirect::Foreign(origin.to_owned()),
            };
            assert_eq!(decide(&from, location), expected, "{location:?}");
        }
        assert_eq!(decide(&from, None), Redirect::Broken);
        assert_eq!(decide(&from, Some("http://[")), Redirect::Broken);
    }
}
