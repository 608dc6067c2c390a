//! Which URL may be an endpoint.

use reqwest::Url;

use super::environment::Environment;
use crate::{
    error::{Error, Kind},
    origin::{is_loopback, may_be_asked},
};

/// Where Composio's API is, unless `COMPOSIO_BASE_URL` says otherwise.
const BASE: &str = "https://backend.composio.dev";

/// Reads the endpoint's URL. `kind` is the kind of an error in its form: of usage where the
/// command line named it.
///
/// No message repeats the text: a URL may carry a password, and what stands in its place by
/// mistake may be a key.
///
/// # Errors
/// It is not an http or https URL, holds a user name or a placeholder, or is http to another
/// machine without `allow_http`.
pub(crate) fn parse(text: &str, allow_http: bool, kind: Kind) -> Result<Url, Error> {
    let text = text.trim();
    if let Some(name) = placeholder(text) {
        return Err(unusable(Kind::Config)
            .because(format!("the placeholder {{{name}}} was never filled in"))
            .hint("put the real value in its place"));
    }
    let url = Url::parse(text).map_err(|cause| {
        unusable(kind)
            .because(if text.contains("://") {
                cause.to_string()
            } else {
                "it does not begin with https://".to_owned()
            })
            .hint("give the whole URL, such as `https://mcp.example.com/mcp`")
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(unusable(kind)
            .because("only http:// and https:// lead to a remote MCP server")
            .hint("give the whole URL, such as `https://mcp.example.com/mcp`"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(unusable(Kind::Config)
            .because("it holds a user name or a password")
            .hint("name the credential with `--header 'Authorization: Basic ${CREDENTIAL}'`"));
    }
    if url.scheme() == "http" && !allow_http && !is_loopback(&url) {
        return Err(unusable(Kind::Config)
            .because("http:// to another machine is not encrypted")
            .hint("use https://, or pass `--allow-http` in a network you trust"));
    }
    Ok(url)
}

fn unusable(kind: Kind) -> Error {
    Error::new(kind, "the URL of the remote server cannot be used")
}

/// The first `{name}` outside the query, where braces may be data.
fn placeholder(text: &str) -> Option<&str> {
    let before_query = text.split(['?', '#']).next()?;
    let (_, rest) = before_query.split_once('{')?;
    let (name, _) = rest.split_once('}')?;
    Some(name)
}

/// The base of Composio's API.
///
/// # Errors
/// `COMPOSIO_BASE_URL` says something that cannot be one; the message does not repeat it.
pub(super) fn base(environment: &Environment) -> Result<String, Error> {
    let Some(text) = environment.get("COMPOSIO_BASE_URL") else { return Ok(BASE.to_owned()) };
    may_be_asked(text).map(String::from).map_err(|why| {
        Error::new(Kind::Config, "the API that COMPOSIO_BASE_URL names cannot be used")
            .because(why)
            .hint(format!("leave it unset for {BASE}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_that_lead_to_a_server_pass() {
        for (text, allow_http, expected) in [
            ("https://x.example/mcp?q={a}", false, Ok(())),
            (" https://x.example/mcp ", false, Ok(())),
            ("http://localhost:1/mcp", false, Ok(())),
            ("http://127.8.9.1/mcp", false, Ok(())),
            ("http://[::1]:1/mcp", false, Ok(())),
            ("http://x.example/mcp", true, Ok(())),
            ("http://x.example/mcp", false, Err(Kind::Config)),
            ("http://localhost.example/mcp", false, Err(Kind::Config)),
            ("https://u:SECRET@x.example/mcp", false, Err(Kind::Config)),
            ("https://SECRET@x.example/mcp", false, Err(Kind::Config)),
            ("https://x.example/{session_id}/mcp", false, Err(Kind::Config)),
            ("https://{host}/mcp", false, Err(Kind::Config)),
            ("https://x.example/${user_config.id}/mcp", false, Err(Kind::Config)),
            ("SECRET", false, Err(Kind::Usage)),
            ("x.example/SECRET", false, Err(Kind::Usage)),
            ("ftp://SECRET.example/", false, Err(Kind::Usage)),
            ("file:///SECRET", true, Err(Kind::Usage)),
        ] {
            let outcome = parse(text, allow_http, Kind::Usage);
            if let Err(error) = &outcome {
                assert!(!error.report().contains("SECRET"), "{}", error.report());
            }
            assert_eq!(outcome.map(|_| ()).map_err(|error| error.kind()), expected, "{text}");
        }
    }

    #[test]
    fn the_placeholder_is_named() {
        let error = parse("https://x.example/{session_id}/mcp", false, Kind::Usage)
            .expect_err("a placeholder is no path");
        assert!(error.to_string().contains("{session_id}"), "{error}");
    }
}
