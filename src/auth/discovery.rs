//! Which authorization server a remote belongs to, and what that server offers (AU-3 to AU-16).

use reqwest::Url;
use serde_json::Value;

use super::{
    challenge::Challenge,
    exchange::{Exchange, Found, clip},
};
use crate::{
    error::{Error, Kind},
    json::{text, texts},
    origin::{may_be_asked, same_origin},
};

/// What is known of the remote and its authorization server before anybody signs in.
#[derive(Debug, Clone)]
pub struct Discovered {
    /// The authorization server's name for itself, checked (AU-14).
    pub issuer: String,
    /// What the tokens will be for, as the remote says; `None` where it says nothing.
    pub resource: Option<String>,
    /// The scopes to ask for (AU-40, AU-44).
    pub scope: Option<String>,
    /// The authorization server's metadata.
    pub metadata: Value,
    /// Whether that is assumed, as for a server of 2025-03-26 without any (AU-16).
    pub is_assumed: bool,
}

impl Discovered {
    /// The URL of one of the authorization server's endpoints.
    ///
    /// # Errors
    /// It is missing, or not one that may be used (AU-60).
    pub fn endpoint(&self, name: &str) -> Result<Url, Error> {
        let Some(url) = text(&self.metadata, name) else {
            return Err(broken(&self.issuer, &format!("it names no {name}")));
        };
        let mut url = may_be_asked(url)
            .map_err(|why| broken(&self.issuer, &format!("its {name} cannot be used: {why}")))?;
        // None may have one (RFC 6749, 3.1), and what is added would come after it.
        url.set_fragment(None);
        Ok(url)
    }

    /// Whether a list in the metadata holds a word.
    pub fn lists(&self, name: &str, word: &str) -> bool {
        texts(&self.metadata, name).any(|item| item == word)
    }

    /// Refuses an authorization server without PKCE (AU-31).
    ///
    /// # Errors
    /// It does not say that it supports S256.
    pub fn check_pkce(&self) -> Result<(), Error> {
        if self.is_assumed || self.lists("code_challenge_methods_supported", "S256") {
            return Ok(());
        }
        let why =
            "it does not say that it supports PKCE with S256, without which a code could be stolen";
        Err(broken(&self.issuer, why))
    }
}

/// Asks the remote and then its authorization server. `challenge` is what a 401 said.
///
/// # Errors
/// Neither can be asked, or what they say does not fit together.
pub async fn discover(
    exchange: &Exchange,
    endpoint: &Url,
    challenge: Option<&Challenge>,
) -> Result<Discovered, Error> {
    let resource = resource_metadata(exchange, endpoint, challenge).await?;
    let issuer = match &resource {
        Some(metadata) => Some(issuer_of(metadata, exchange.options().accept_issuer.as_deref())?),
        None => None,
    };
    let named = resource.as_ref().and_then(|metadata| text(metadata, "resource"));
    let (metadata, issuer, is_assumed) = match issuer {
        Some(issuer) => {
            let found = of_issuer(exchange, issuer).await?;
            (found.metadata, found.issuer, false)
        }
        None => of_origin(exchange, endpoint).await?,
    };
    let scope = scope(challenge, resource.as_ref(), &metadata);
    Ok(Discovered { issuer, resource: named.map(String::from), scope, metadata, is_assumed })
}

/// What the authorization server of this name offers, whatever a remote says.
///
/// # Errors
/// It cannot be asked, or has no metadata.
pub async fn of_issuer(exchange: &Exchange, issuer: String) -> Result<Discovered, Error> {
    let found = server_metadata(exchange, &issuer, |named| is_same(named, &issuer)).await?;
    let missing = || broken(&issuer, "it has no metadata");
    let (metadata, issuer) = found.ok_or_else(missing)?;
    Ok(Discovered { issuer, resource: None, scope: None, metadata, is_assumed: false })
}

/// One of these stands in all metadata of a protected resource (RFC 9728, 2).
const SAYING: [&str; 2] = ["resource", "authorization_servers"];

/// The protected resource's metadata (AU-3, AU-11, AU-12).
async fn resource_metadata(
    exchange: &Exchange,
    endpoint: &Url,
    challenge: Option<&Challenge>,
) -> Result<Option<Value>, Error> {
    let named = challenge.and_then(|challenge| challenge.resource_metadata.as_deref());
    let candidates = match named {
        Some(url) => vec![may_be_asked(url).map_err(|why| {
            Error::new(Kind::Protocol, "could not learn how to sign in")
                .because(format!("the server's resource_metadata cannot be used: {why}"))
        })?],
        None => resource_candidates(endpoint),
    };
    for url in candidates {
        let Found::Document(metadata) = exchange.get(&url).await? else { continue };
        // Some servers answer everything with a document.
        if named.is_none() && SAYING.iter().all(|name| metadata.get(name).is_none()) {
            continue;
        }
        let Some(resource) = text(&metadata, "resource") else {
            return Err(Error::new(Kind::Protocol, "could not learn how to sign in")
                .because("the server's metadata does not say which resource it is about"));
        };
        if !identifies(resource, endpoint) {
            return Err(Error::new(Kind::Protocol, "could not learn how to sign in")
                .because("the server's metadata is about another resource")
                .hint("check the URL: tokens for one server must not be sent to another"));
        }
        return Ok(Some(metadata));
    }
    Ok(None)
}

/// The authorization server that the options accept, if it is one of those that are named, or else
/// the first of them (AU-4).
fn issuer_of(metadata: &Value, accepted: Option<&str>) -> Result<String, Error> {
    let mut all = texts(metadata, "authorization_servers");
    let first = all.next();
    let issuer = all.find(|issuer| Some(*issuer) == accepted).or(first);
    issuer.map(String::from).ok_or_else(|| {
        Error::new(Kind::Protocol, "could not learn how to sign in")
            .because("the server's metadata names no authorization server")
    })
}

/// A remote without metadata is its own authorization server (AU-16).
async fn of_origin(exchange: &Exchange, endpoint: &Url) -> Result<(Value, String, bool), Error> {
    let origin = endpoint.origin().ascii_serialization();
    // Nobody has named an issuer, and the metadata may name any of this origin; not another's, whose
    // answers (AU-35) would then be taken for this one's.
    let fits = |named: &str| may_be_asked(named).is_ok_and(|named| same_origin(&named, endpoint));
    if let Some((metadata, issuer)) = server_metadata(exchange, &origin, fits).await? {
        return Ok((metadata, issuer, false));
    }
    let at = |path: &str| format!("{origin}{path}");
    let metadata = serde_json::json!({
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "registration_endpoint": at("/register"),
    });
    Ok((metadata, origin, true))
}

/// An authorization server's metadata and its name there; `None` where it has none (AU-13). That
/// must fit how it was asked for, or be the one that the options accept (AU-14).
async fn server_metadata(
    exchange: &Exchange,
    issuer: &str,
    fits: impl Fn(&str) -> bool,
) -> Result<Option<(Value, String)>, Error> {
    let url = may_be_asked(issuer)
        .map_err(|why| unusable(issuer).because(format!("its address cannot be used: {why}")))?;
    let accepted = exchange.options().accept_issuer.as_deref();
    let mut other = None;
    for candidate in server_candidates(&url) {
        let Found::Document(metadata) = exchange.get(&candidate).await? else { continue };
        let named = text(&metadata, "issuer").unwrap_or_default().to_owned();
        if fits(&named) || accepted == Some(&named) {
            return Ok(Some((metadata, named)));
        }
        other = other.or(Some(named));
    }
    other.map_or(Ok(None), |other| Err(is_of_another(issuer, &other)))
}

/// Whether two names lead to the same metadata: a slash at the end is left out before that is asked
/// for (RFC 8414, 3.1), and those who write the names do so as they like. What comes back from the
/// sign-in page is held to the name in the metadata, letter by letter (AU-36).
fn is_same(named: &str, asked: &str) -> bool {
    let plain = |name| str::strip_suffix(name, "/").unwrap_or(name);
    !named.is_empty() && plain(named) == plain(asked)
}

/// The refusal of metadata with another name than the one it was asked by.
fn is_of_another(issuer: &str, other: &str) -> Error {
    let (asked, named) = (clip(issuer), clip(other));
    if named.is_empty() {
        return broken(issuer, "its metadata names no issuer");
    }
    let cause = format!("its metadata names another issuer, `{named}` where `{asked}` was asked");
    let error = unusable(issuer).because(cause);
    // A shell reads these as they are.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/%".contains(c);
    if may_be_asked(other).is_err() || !other.chars().all(is_plain) {
        return error;
    }
    error.hint(format!("if both are yours to trust, pass `--accept-issuer {other}`"))
}

/// What only those who run an authorization server can mend.
fn broken(issuer: &str, cause: &str) -> Error {
    unusable(issuer)
        .because(cause)
        .hint("tell whoever runs it")
        .hint("if the MCP server takes a key as well, pass that with `--header 'Name: value'`")
}

fn unusable(issuer: &str) -> Error {
    let attempted = match Url::parse(issuer) {
        Ok(url) => format!(
            "could not sign in at the authorization server {}{}",
            url.origin().ascii_serialization(),
            url.path().trim_end_matches('/')
        ),
        Err(_) => "could not sign in at the authorization server".to_owned(),
    };
    Error::new(Kind::Protocol, attempted)
}

/// Where the protected resource's metadata may be (AU-11).
fn resource_candidates(endpoint: &Url) -> Vec<Url> {
    const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
    let mut root = endpoint.clone();
    root.set_fragment(None);
    root.set_query(None);
    root.set_path(WELL_KNOWN);
    let path = endpoint.path().trim_end_matches('/');
    if path.is_empty() {
        return vec![root];
    }
    let mut inserted = root.clone();
    inserted.set_path(&format!("{WELL_KNOWN}{path}"));
    inserted.set_query(endpoint.query());
    vec![inserted, root]
}

/// Where an authorization server's metadata may be, in the order to ask (AU-13).
fn server_candidates(issuer: &Url) -> Vec<Url> {
    const OAUTH: &str = "/.well-known/oauth-authorization-server";
    const OPENID: &str = "/.well-known/openid-configuration";
    let path = issuer.path().trim_end_matches('/');
    let paths = if path.is_empty() {
        vec![OAUTH.to_owned(), OPENID.to_owned()]
    } else {
        vec![format!("{OAUTH}{path}"), format!("{OPENID}{path}"), format!("{path}{OPENID}")]
    };
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_query(None);
        url.set_fragment(None);
        url.set_path(&path);
        url
    };
    paths.into_iter().map(at).collect()
}

/// Whether `resource` stands for the endpoint: itself, or the same origin and the beginning of its
/// path, in whole segments (AU-12).
fn identifies(resource: &str, endpoint: &Url) -> bool {
    let Ok(resource) = Url::parse(resource) else { return false };
    let above = resource.path().trim_end_matches('/');
    let rest = endpoint.path().strip_prefix(above);
    same_origin(&resource, endpoint)
        && resource.fragment().is_none()
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        && (resource.query().is_none() || resource.query() == endpoint.query())
}

/// What to ask for: what the 401 said, or else all that the remote has, and leave to stay signed
/// in where the authorization server gives it by a scope (AU-40, AU-44).
fn scope(
    challenge: Option<&Challenge>,
    resource: Option<&Value>,
    metadata: &Value,
) -> Option<String> {
    let supported = || {
        let all: Vec<&str> = texts(resource?, "scopes_supported").collect();
        (!all.is_empty()).then(|| all.join(" "))
    };
    let challenged = challenge.and_then(|challenge| challenge.scope.clone());
    let scope = challenged.filter(|scope| !scope.is_empty()).or_else(supported)?;
    let has = |word| scope.split(' ').any(|known| known == word);
    let may_stay = texts(metadata, "scopes_supported").any(|known| known == "offline_access");
    let adds = may_stay && !has("offline_access");
    Some(if adds { format!("{scope} offline_access") } else { scope })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn texts_of(urls: Vec<Url>) -> Vec<String> {
        urls.into_iter().map(String::from).collect()
    }

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn metadata_is_looked_for_where_the_specification_says() {
        const WELL: &str = "https://h/.well-known";
        for (endpoint, expected) in [
            (
                "https://h/a/mcp?x=1",
                vec!["/oauth-protected-resource/a/mcp?x=1", "/oauth-protected-resource"],
            ),
            ("https://h/", vec!["/oauth-protected-resource"]),
        ] {
            let expected: Vec<_> = expected.iter().map(|path| format!("{WELL}{path}")).collect();
            assert_eq!(texts_of(resource_candidates(&url(endpoint))), expected);
        }
        assert_eq!(
            texts_of(server_candidates(&url("https://h/t1"))),
            [
                "https://h/.well-known/oauth-authorization-server/t1",
                "https://h/.well-known/openid-configuration/t1",
                "https://h/t1/.well-known/openid-configuration"
            ]
        );
        assert_eq!(
            texts_of(server_candidates(&url("https://h"))),
            [
                "https://h/.well-known/oauth-authorization-server",
                "https://h/.well-known/openid-configuration"
            ]
        );
    }

    #[test]
    fn who_may_be_accepted_is_named_as_it_can_be_typed() {
        for (other, is_named) in [
            ("https://other.example/t1", true),
            ("https://other.example/;rm", false),
            ("https://other.example/$(x)", false),
            ("http://other.example", false),
        ] {
            let report = is_of_another("https://as.example", other).report();
            assert!(report.contains("another issuer") && report.contains("https://as.example"));
            assert_eq!(report.contains("--accept-issuer"), is_named, "{report}");
        }
    }

    #[test]
    fn a_slash_at_the_end_makes_no_other_issuer() {
        for (named, asked, same) in [
            ("https://as.example/", "https://as.example", true),
            ("https://as.example/t1", "https://as.example/t1/", true),
            ("https://as.example", "https://as.example", true),
            ("https://as.example//", "https://as.example", false),
            ("https://AS.example", "https://as.example", false),
            ("https://as.example:443", "https://as.example", false),
            ("", "", false),
        ] {
            assert_eq!(is_same(named, asked), same, "{named} {asked}");
        }
    }

    #[test]
    fn of_several_servers_the_one_that_is_accepted_is_asked() {
        let both = json!({ "authorization_servers": ["https://a/", "https://b/"] });
        for (accepted, chosen) in [
            (None, "https://a/"),
            (Some("https://b/"), "https://b/"),
            (Some("https://c/"), "https://a/"),
        ] {
            assert_eq!(issuer_of(&both, accepted).expect("one"), chosen);
        }
        assert!(issuer_of(&json!({ "authorization_servers": {"a": 1} }), None).is_err());
    }

    #[test]
    fn a_resource_must_stand_for_the_endpoint() {
        for (resource, endpoint, fits) in [
            ("https://h/mcp", "https://h/mcp", true),
            ("https://h", "https://h/mcp", true),
            ("https://h/a", "https://h/a/mcp?x=1", true),
            ("https://h/a/", "https://h/a/mcp", true),
            ("https://h/a", "https://h/ab", false),
            ("https://h/mcp?x=2", "https://h/mcp?x=1", false),
            ("https://h/mcp#x", "https://h/mcp", false),
            ("https://evil/mcp", "https://h/mcp", false),
            ("http://h/mcp", "https://h/mcp", false),
            ("", "https://h/mcp", false),
        ] {
            assert_eq!(identifies(resource, &url(endpoint)), fits, "{resource} {endpoint}");
        }
    }

    #[test]
    fn the_scope_of_the_challenge_goes_before_all_that_there_are() {
        let challenge =
            |scope: &str| Challenge { scope: Some(scope.into()), ..Challenge::default() };
        let resource = json!({ "scopes_supported": ["a", "b"] });
        let stays = json!({ "scopes_supported": ["offline_access"] });
        let said = |challenge: Option<Challenge>, resource, metadata| {
            scope(challenge.as_ref(), resource, metadata)
        };
        let text = |text: &str| Some(text.to_owned());
        let plain = json!({});
        assert_eq!(said(Some(challenge("c")), Some(&resource), &plain), text("c"));
        assert_eq!(said(Some(challenge("")), Some(&resource), &stays), text("a b offline_access"));
        assert_eq!(said(Some(challenge("offline_access")), None, &stays), text("offline_access"));
        assert_eq!(said(None, None, &stays), None);
    }
}
