//! What stands in mcp-remote's files, read with tolerance and written as it expects it.

use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use super::{Client, Tokens};
use crate::message::object::{Object, quote};

/// What a token endpoint answered to a refresh.
#[derive(Debug, Clone)]
pub struct Refreshed {
    /// The new access token.
    pub access_token: SecretString,
    /// Its type; `None` for the one there was.
    pub token_type: Option<String>,
    /// The new refresh token; `None` for the one there was.
    pub refresh_token: Option<SecretString>,
    /// The new ID token; `None` for the one there was.
    pub id_token: Option<SecretString>,
    /// How long the access token lives, in seconds.
    pub expires_in: Option<u64>,
    /// The scope; `None` for the one there was (RFC 6749, 6).
    pub scope: Option<String>,
}

/// Reads `<hash>_tokens.json`; `None` where it holds no access token. `modified` is when it was
/// written, in milliseconds since 1970: older versions store `expires_in` alone.
pub fn tokens(text: &str, modified: Option<u64>) -> Option<Tokens> {
    let object = Object::parse(text)?;
    let expires_in = number(&object, "expires_in");
    let computed = || modified?.checked_add(expires_in?.checked_mul(1000)?);
    Some(Tokens {
        access_token: secret(&object, "access_token")?,
        id_token: secret(&object, "id_token"),
        refresh_token: secret(&object, "refresh_token"),
        expires_at: number(&object, "expires_at").or_else(computed),
        expires_in,
        scope: member(&object, "scope"),
        requested_scope: member(&object, "requested_scope"),
        issuer: string(&object, "issuer"),
    })
}

/// Reads `<hash>_client_info.json`; `None` where it names no client.
pub fn client(text: &str) -> Option<Client> {
    let object = Object::parse(text)?;
    Some(Client {
        client_id: string(&object, "client_id")?,
        client_secret: secret(&object, "client_secret"),
        client_secret_expires_at: number(&object, "client_secret_expires_at"),
        token_endpoint_auth_method: string(&object, "token_endpoint_auth_method"),
        redirect_uris: member(&object, "redirect_uris").unwrap_or_default(),
        scope: member(&object, "scope"),
        issuer: string(&object, "issuer"),
    })
}

/// The text of `<hash>_tokens.json` after a refresh at `now`, in milliseconds since 1970: every
/// member that the refresh does not change stays, `requested_scope` above all, because mcp-remote
/// signs in again when that differs.
///
/// `None` where the file no longer holds the refresh token that was `used`: somebody signed in
/// anew or out meanwhile, and what they left is not to be replaced.
pub fn merged(
    text: &str,
    used: &SecretString,
    answer: &Refreshed,
    now: u64,
) -> Option<SecretString> {
    let mut object = Object::parse(text)?;
    let stored = secret(&object, "refresh_token")?;
    if stored.expose_secret() != used.expose_secret() {
        return None;
    }
    let secrets = [
        ("access_token", Some(&answer.access_token)),
        ("refresh_token", answer.refresh_token.as_ref()),
        ("id_token", answer.id_token.as_ref()),
    ];
    for (name, value) in secrets {
        if let Some(value) = value {
            object.set(name, quote(value.expose_secret()));
        }
    }
    for (name, value) in [("token_type", &answer.token_type), ("scope", &answer.scope)] {
        if let Some(value) = value {
            object.set(name, quote(value));
        }
    }
    // mcp-remote takes no file without it.
    if string(&object, "token_type").is_none() {
        object.set("token_type", "\"Bearer\"");
    }
    let expires_at =
        answer.expires_in.map(|seconds| now.saturating_add(seconds.saturating_mul(1000)));
    for (name, value) in [("expires_in", answer.expires_in), ("expires_at", expires_at)] {
        match value {
            Some(value) => object.set(name, value.to_string()),
            None => drop(object.remove(name)),
        }
    }
    Some(SecretString::from(indented(&object)))
}

/// The object as `JSON.stringify(object, null, 2)` writes it; values keep the bytes they had.
pub(super) fn indented(object: &Object<'_>) -> String {
    let members: Vec<_> =
        object.iter().map(|(name, value)| ["  ", &quote(&name), ": ", value].concat()).collect();
    format!("{{\n{}\n}}", members.join(",\n"))
}

/// A member, if it is of this type.
pub(super) fn member<T: DeserializeOwned>(object: &Object<'_>, name: &str) -> Option<T> {
    serde_json::from_str(object.get(name)?).ok()
}

/// A string that says something.
pub(super) fn string(object: &Object<'_>, name: &str) -> Option<String> {
    member(object, name).filter(|text: &String| !text.is_empty())
}

fn secret(object: &Object<'_>, name: &str) -> Option<SecretString> {
    string(object, name).map(SecretString::from)
}

/// A positive number, or a string that says one, without its fraction. Zero stands for no time at
/// all in `client_secret_expires_at` (RFC 7591, 3.2.1), and is nothing to mcp-remote elsewhere.
pub(super) fn number(object: &Object<'_>, name: &str) -> Option<u64> {
    let text = object.get(name)?.trim_matches('"');
    let number: f64 = text.parse().ok()?;
    (number.is_finite() && number >= 1.0).then_some(number as u64)
}
