//! The MCP servers that came before sessions; Composio calls them deprecated and still serves them.
//! Pure.
//!
//! - [`migrate`]: the session that replaces one.
//! - [`swap`]: its URL in the text of a client's configuration.

pub mod migrate;
pub mod swap;

use serde_json::{Map, Value};

use crate::{
    cli::table::Options,
    error::{Error, Kind},
};

/// The id of a server that a person names: the id itself, or a URL that holds it.
///
/// # Errors
/// There is none in it; the message does not repeat it.
pub fn id(named: &str) -> Result<&str, Error> {
    let is_id = |text: &str| {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        text.len() >= 8 && text.bytes().all(is_letter)
    };
    let path = named.trim().split(['?', '#']).next().unwrap_or_default();
    let id = match path.contains("://") {
        false => Some(path),
        true => ["/v3/mcp/", "/composio/server/"].into_iter().find_map(|before| {
            let (_, rest) = path.split_once(before)?;
            rest.split('/').next()
        }),
    };
    id.filter(|id| is_id(id)).ok_or_else(|| {
        Error::new(Kind::Usage, "that is no MCP server of Composio's")
            .because(
                "it is neither an id nor a URL such as https://backend.composio.dev/v3/mcp/...",
            )
            .hint("`composio-bridge server list` shows the servers and their ids")
    })
}

/// The user that a URL of a server is for.
pub fn user(url: &str) -> Option<String> {
    let url = reqwest::Url::parse(url.trim()).ok()?;
    let found = url.query_pairs().find(|(name, _)| name == "user_id")?.1;
    (!found.is_empty()).then(|| found.into_owned())
}

/// The URL of a server for an account with the parameter that the transport wants: the API gives it
/// out in the plural, which the transport refuses.
pub fn with_singular(url: &str) -> String {
    match url.split_once('?') {
        Some((before, query)) => {
            let parts = query.split('&').map(|part| match part.split_once('=') {
                Some(("connected_account_ids", value)) => format!("connected_account_id={value}"),
                _ => part.to_owned(),
            });
            format!("{before}?{}", parts.collect::<Vec<_>>().join("&"))
        }
        None => url.to_owned(),
    }
}

/// A URL with the parameter that offers the tools to connect accounts with.
pub fn with_helpers(url: String) -> String {
    const PARAMETER: &str = "include_composio_helper_actions";
    if url.contains(PARAMETER) {
        return url;
    }
    let mark = if url.contains('?') { '&' } else { '?' };
    format!("{url}{mark}{PARAMETER}=true")
}

/// All values of an option that may be said several times, or once with commas.
pub fn each(options: &Options, name: &str) -> Vec<String> {
    let values = options.all(name).flat_map(|value| value.split(','));
    values.map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned).collect()
}

/// What making or changing a server asks for: each option that was given. The apps without accounts
/// belong to making one alone.
///
/// # Errors
/// Something cannot be right; no message repeats a value.
pub fn body(options: &Options) -> Result<Map<String, Value>, Error> {
    let mut body = Map::new();
    if let Some(name) = options.text("name") {
        check_name(name)?;
        body.insert("name".to_owned(), Value::from(name));
    }
    for (option, member, start) in [
        ("toolkit", "toolkits", ""),
        ("no-auth-app", "no_auth_apps", ""),
        ("tool", "allowed_tools", ""),
        ("auth-config", "auth_config_ids", "ac_"),
    ] {
        let values = each(options, option);
        if let Some(wrong) = values.iter().find(|value| !value.starts_with(start)) {
            return Err(unusable(option, wrong));
        }
        if options.text(option).is_some() {
            body.insert(member.to_owned(), Value::from(values));
        }
    }
    if let Some(managed) = options.text("managed-auth") {
        body.insert("managed_auth_via_composio".to_owned(), Value::Bool(managed == "true"));
    }
    Ok(body)
}

fn unusable(option: &str, value: &str) -> Error {
    let error = Error::new(Kind::Usage, format!("the value of --{option} cannot be used"));
    if value.contains('=') {
        return error.because("here the ids stand alone, without a toolkit");
    }
    error.because("the id of an auth config begins with ac_")
}

fn check_name(name: &str) -> Result<(), Error> {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-');
    if (4..=30).contains(&name.len()) && name.bytes().all(is_letter) {
        return Ok(());
    }
    Err(Error::new(Kind::Usage, "the name of the server cannot be used")
        .because("it must have 4 to 30 letters of English, digits, spaces and hyphens"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "5bbde5b5-83ec-4b28-94c8-0d4a8d7b8a2f";

    #[test]
    fn a_server_is_named_by_its_id_or_by_any_url_of_it() {
        for (named, is_one) in [
            (ID.to_owned(), true),
            (format!(" {ID} "), true),
            (format!("https://backend.composio.dev/v3/mcp/{ID}?user_id=ada"), true),
            (format!("https://backend.composio.dev/v3/mcp/{ID}/mcp?user_id=ada"), true),
            (format!("https://mcp.composio.dev/composio/server/{ID}/sse?user_id=ada"), true),
            ("https://backend.composio.dev/tool_router/trs_1/mcp".to_owned(), false),
            ("My server".to_owned(), false),
            ("..".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(id(&named).ok() == Some(ID), is_one, "{named}");
            assert_eq!(id(&named).is_ok(), is_one, "{named}");
        }
        assert_eq!(user("https://h/v3/mcp/x?a=b&user_id=ada%20l"), Some("ada l".to_owned()));
        assert_eq!(user("https://h/v3/mcp/x?user_id="), None);
        assert_eq!(user(ID), None);
    }

    #[test]
    fn urls_get_the_parameters_that_work() {
        for (url, expected) in [
            ("https://h/x?connected_account_ids=ca_1", "https://h/x?connected_account_id=ca_1"),
            (
                "https://h/x?a=1&connected_account_ids=ca_1&b=connected_account_ids",
                "https://h/x?a=1&connected_account_id=ca_1&b=connected_account_ids",
            ),
            ("https://h/x?connected_account_id=ca_1", "https://h/x?connected_account_id=ca_1"),
            ("https://h/x", "https://h/x"),
        ] {
            assert_eq!(with_singular(url), expected);
        }
        let helped = "https://h/x?a=1&include_composio_helper_actions=true";
        assert_eq!(with_helpers("https://h/x?a=1".to_owned()), helped);
        assert_eq!(with_helpers(helped.to_owned()), helped);
    }

    #[test]
    fn names_are_those_that_the_api_takes() {
        for (name, is_good) in [
            ("Mail", true),
            ("My mail-server 2", true),
            ("abc", false),
            (&"a".repeat(30), true),
            (&"a".repeat(31), false),
            ("my_server", false),
            ("Möglich", false),
        ] {
            assert_eq!(check_name(name).is_ok(), is_good, "{name}");
        }
    }
}
