//! Whether a request is the browser coming back from the sign-in, and what it brings (SEC-2).
//! Pure.

use http::{HeaderMap, Method, Uri, header, uri::Authority};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::{Denial, reads_as_loopback};

/// Where the answer is expected.
#[derive(Debug, Clone)]
pub(super) struct Site {
    /// The host as it stands in the redirect URI.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) path: String,
}

/// What is wrong with a request. The wait goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It was sent to a name that is not ours: perhaps one that an attacker pointed at loopback.
    Host,
    /// Another path, such as the browser's own wish for `/favicon.ico`.
    Path,
    /// Not a GET.
    Method,
    /// The query has no `state` or another one, or is not an authorization response.
    Answer,
}

/// What an authorization response says.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) code: Result<SecretString, Denial>,
    pub(super) iss: Option<String>,
}

/// Reads a request that came in at `site` while `state` is waited for.
pub(super) fn judge(
    site: &Site,
    state: &SecretString,
    (method, target, headers): (&Method, &Uri, &HeaderMap),
) -> Result<Said, Wrong> {
    // A target with an authority of its own is for proxies.
    if target.authority().is_some() || !host_is_ours(site, headers) {
        return Err(Wrong::Host);
    }
    if target.path() != site.path {
        return Err(Wrong::Path);
    }
    if method != Method::GET {
        return Err(Wrong::Method);
    }
    answer(target.query().unwrap_or_default(), state).ok_or(Wrong::Answer)
}

/// One `Host`, with our port, that is the redirect URI's or one that no DNS server can give away.
fn host_is_ours(site: &Site, headers: &HeaderMap) -> bool {
    let mut all = headers.get_all(header::HOST).iter();
    let (Some(only), None) = (all.next(), all.next()) else { return false };
    let Some(authority) = only.to_str().ok().and_then(|text| text.parse::<Authority>().ok()) else {
        return false;
    };
    let host = authority.host();
    !authority.as_str().contains('@')
        && authority.port_u16().unwrap_or(80) == site.port
        && (host.eq_ignore_ascii_case(&site.host) || reads_as_loopback(host))
}

/// An authorization response (RFC 6749 section 4.1.2) to the request with this `state`. A parameter
/// that occurs twice makes it none.
fn answer(query: &str, expected: &SecretString) -> Option<Said> {
    let form = decoded(query)?;
    let only = |name: &str| -> Result<Option<String>, ()> {
        let mut values = form.query_pairs().filter(|(key, _)| key == name).map(|(_, value)| value);
        let first = values.next().map(String::from);
        if values.next().is_some() { Err(()) } else { Ok(first) }
    };
    let state = only("state").ok()??;
    let expected = expected.expose_secret();
    if expected.is_empty() || !bool::from(state.as_bytes().ct_eq(expected.as_bytes())) {
        return None;
    }
    let (code, error) = (only("code").ok()?, only("error").ok()?);
    let (iss, description) = (only("iss").ok()?, only("error_description").ok()?);
    let code = match (error, code) {
        (Some(error), _) => Err(Denial { error, description }),
        (None, Some(code)) if !code.is_empty() => Ok(SecretString::from(code)),
        (None, _) => return None,
    };
    Some(Said { code, iss })
}

/// The query within a URL, which knows how to decode a form.
fn decoded(query: &str) -> Option<Url> {
    let mut form = Url::parse("http://localhost/").ok()?;
    form.set_query(Some(query));
    Some(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        Site { host: "desk.example".into(), port: 3334, path: "/oauth/callback".into() }
    }

    fn judged(method: &str, target: &str, hosts: &[&str]) -> Result<Said, Wrong> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(header::HOST, host.parse().expect("a header value"));
        }
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let target: Uri = target.parse().expect("a target");
        judge(&site(), &SecretString::from("s-1~A"), (&method, &target, &headers))
    }

    /// What a GET of the callback with this query is taken for, in a line.
    fn said(query: &str) -> String {
        match judged("GET", &format!("/oauth/callback{query}"), &["127.0.0.1:3334"]) {
            Ok(Said { code: Ok(code), iss }) => format!("code {} {iss:?}", code.expose_secret()),
            Ok(Said { code: Err(denial), iss }) => {
                format!("denied {} {:?} {iss:?}", denial.error(), denial.description())
            }
            Err(wrong) => format!("{wrong:?}"),
        }
    }

    #[test]
    fn only_a_whole_answer_with_our_state_counts() {
        for (query, expected) in [
            ("?code=c&state=s-1~A", "code c None"),
            ("?state=s-1%7EA&x=1&code=a%2Fb+c%3D", "code a/b c= None"),
            (
                "?code=c&state=s-1~A&iss=https%3A%2F%2Fa.example%2F%25",
                "code c Some(\"https://a.example/%\")",
            ),
            ("?error=access_denied&state=s-1~A", "denied access_denied None None"),
            (
                "?error=x&error_description=a+%3Cb%3E&state=s-1~A&iss=i&code=c",
                "denied x Some(\"a <b>\") Some(\"i\")",
            ),
            ("", "Answer"),
            ("?", "Answer"),
            ("?code=c", "Answer"),
            ("?code=c&state=", "Answer"),
            ("?code=c&state=s-1~B", "Answer"),
            ("?code=c&state=s-1~AA", "Answer"),
            ("?code=c&state=s-1~", "Answer"),
            ("?code=c&state=S-1~A", "Answer"),
            ("?code=c&State=s-1~A", "Answer"),
            ("?error=access_denied", "Answer"),
            ("?error=access_denied&state=x", "Answer"),
            ("?state=s-1~A", "Answer"),
            ("?state=s-1~A&code=", "Answer"),
            ("?code=c&state=s-1~A&state=s-1~A", "Answer"),
            ("?code=c&code=d&state=s-1~A", "Answer"),
            ("?code=c&iss=a&iss=b&state=s-1~A", "Answer"),
            ("?code=c&error=a&error=b&state=s-1~A", "Answer"),
        ] {
            assert_eq!(said(query), expected, "{query}");
        }
    }

    #[test]
    fn an_empty_state_is_no_state() {
        assert!(answer("code=c&state=", &SecretString::from("")).is_none());
    }

    #[test]
    fn only_a_get_of_the_path_at_our_own_name_is_read() {
        let good = "/oauth/callback?code=c&state=s-1~A";
        for (method, target, hosts, expected) in [
            ("GET", good, &["127.0.0.1:3334"][..], None),
            ("GET", good, &["localhost:3334"], None),
            ("GET", good, &["LOCALHOST:3334"], None),
            ("GET", good, &["[::1]:3334"], None),
            ("GET", good, &["desk.example:3334"], None),
            ("GET", good, &["127.0.0.1"], Some(Wrong::Host)),
            ("GET", good, &["127.0.0.1:3335"], Some(Wrong::Host)),
            ("GET", good, &["evil.example:3334"], Some(Wrong::Host)),
            ("GET", good, &["localhost.evil.example:3334"], Some(Wrong::Host)),
            ("GET", good, &["192.168.0.1:3334"], Some(Wrong::Host)),
            ("GET", good, &["x@localhost:3334"], Some(Wrong::Host)),
            ("GET", good, &["localhost:3334", "evil.example:3334"], Some(Wrong::Host)),
            ("GET", good, &[""], Some(Wrong::Host)),
            ("GET", good, &[], Some(Wrong::Host)),
            (
                "GET",
                "http://localhost:3334/oauth/callback?code=c&state=s-1~A",
                &["localhost:3334"],
                Some(Wrong::Host),
            ),
            ("GET", "/favicon.ico", &["localhost:3334"], Some(Wrong::Path)),
            ("GET", "/oauth/callback/?code=c&state=s-1~A", &["localhost:3334"], Some(Wrong::Path)),
            (
                "GET",
                "/x/../oauth/callback?code=c&state=s-1~A",
                &["localhost:3334"],
                Some(Wrong::Path),
            ),
            ("POST", "/", &["localhost:3334"], Some(Wrong::Path)),
            ("POST", good, &["localhost:3334"], Some(Wrong::Method)),
            ("HEAD", good, &["localhost:3334"], Some(Wrong::Method)),
            ("OPTIONS", good, &["localhost:3334"], Some(Wrong::Method)),
            ("get", good, &["localhost:3334"], Some(Wrong::Method)),
            ("POST", good, &["evil.example:3334"], Some(Wrong::Host)),
        ] {
            assert_eq!(
                judged(method, target, hosts).err(),
                expected,
                "{method} {target} {hosts:?}"
            );
        }
    }

    #[test]
    fn the_port_of_http_need_not_be_said() {
        let mut headers = HeaderMap::new();
        headers.append(header::HOST, "localhost".parse().expect("a header value"));
        assert!(host_is_ours(&Site { port: 80, ..site() }, &headers));
        assert!(!host_is_ours(&site(), &headers));
    }
}
