//! `composio-bridge auth status`: what is stored about sign-ins, by mcp-remote too; never a
//! token.

use std::{
    io::{self, Write},
    time::{Duration, UNIX_EPOCH},
};

use serde_json::{Value, json};

use crate::{
    auth::{
        exchange::clip,
        mcp_remote,
        store::{self, SignIn},
    },
    config::environment::Environment,
    error::{Error, is_unfit},
    json::text,
    kept::now,
};

/// What stands in the place of an endpoint that nobody wrote down.
const OF_MCP_REMOTE: &str =
    "A sign-in of mcp-remote, used by a bridge with the URL and the options that mcp-remote had";

/// Lists the sign-ins, for a person or as JSON.
///
/// # Errors
/// None, at present.
pub fn status(as_json: bool) -> Result<(), Error> {
    let environment = Environment::of_process();
    let own = environment.state_dir().map(|directory| store::all(&directory));
    let others = mcp_remote::root(&environment).map(|root| mcp_remote::files::all(&root));
    let (own, others) = (own.unwrap_or_default(), others.unwrap_or_default());
    let all = own.iter().map(described).chain(others.iter().map(described_other));
    let all: Vec<Value> = all.collect();
    let text = if as_json {
        plain(&Value::from(all).to_string())
    } else if all.is_empty() {
        "Nobody is signed in anywhere. `composio-bridge login URL` does it.".to_owned()
    } else {
        all.iter().map(told).collect::<Vec<_>>().join("\n\n")
    };
    // Whoever reads this may have gone away; there is nobody left to tell.
    let _ = writeln!(io::stdout().lock(), "{text}");
    Ok(())
}

fn described(sign_in: &SignIn) -> Value {
    let tokens = &sign_in.tokens;
    json!({
        "source": "composio-bridge",
        "endpoint": shown(&sign_in.endpoint),
        "issuer": sign_in.issuer,
        "resource": sign_in.resource,
        "clientId": sign_in.client.id,
        "scope": tokens.scope,
        "signedInAt": date(sign_in.signed_in_at),
        "expiresAt": tokens.expires_at.map(date),
        "expired": is_over(tokens.expires_at),
        "renewable": tokens.refresh.is_some() || sign_in.is_program,
    })
}

/// The same of mcp-remote, which keeps a digest of the endpoint alone.
fn described_other(sign_in: &mcp_remote::SignIn) -> Value {
    let (tokens, client) = (&sign_in.tokens, sign_in.client.as_ref());
    let expires_at = tokens.expires_at.map(|end| end / 1000);
    json!({
        "source": "mcp-remote",
        "file": sign_in.place.tokens_file().display().to_string(),
        "issuer": sign_in.issuer(),
        "clientId": client.map(|client| client.client_id.as_str()),
        "scope": tokens.scope.as_ref().or(tokens.requested_scope.as_ref()),
        "expiresAt": expires_at.map(date),
        "expired": is_over(expires_at),
        "renewable": tokens.refresh_token.is_some() && client.is_some(),
    })
}

fn told(one: &Value) -> String {
    let member = |name| text(one, name);
    let life = match (member("expiresAt"), one["expired"] == true) {
        (None, _) => "the server did not say when it expires".to_owned(),
        (Some(end), true) => format!("expired on {end}"),
        (Some(end), false) => format!("until {end}"),
    };
    let renewal = if one["renewable"] == true { "renewed by itself" } else { "not renewable" };
    let whose = member("endpoint").unwrap_or(OF_MCP_REMOTE);
    let mut told = format!("{whose}\n  token:  {life}, {renewal}");
    for name in ["issuer", "scope", "file"] {
        let Some(value) = member(name) else { continue };
        told.push_str(&format!("\n  {:<7} {}", format!("{name}:"), clip(value)));
    }
    told
}

/// The same JSON, with what a terminal would not show as it is in escapes; all of that stands within
/// strings.
fn plain(json: &str) -> String {
    let mut all = String::with_capacity(json.len());
    for letter in json.chars() {
        match is_unfit(letter) {
            true => letter
                .encode_utf16(&mut [0; 2])
                .iter()
                .for_each(|unit| all.push_str(&format!("\\u{unit:04x}"))),
            false => all.push(letter),
        }
    }
    all
}

/// What stands in a query may be secret.
fn shown(endpoint: &str) -> String {
    match endpoint.split_once('?') {
        Some((before, _)) => format!("{before}?..."),
        None => endpoint.to_owned(),
    }
}

fn is_over(end: Option<u64>) -> bool {
    end.is_some_and(|end| end <= now())
}

pub(super) fn date(seconds: u64) -> String {
    UNIX_EPOCH
        .checked_add(Duration::from_secs(seconds))
        .filter(|_| seconds < 253_402_300_800)
        .map_or_else(|| "no date".to_owned(), httpdate::fmt_http_date)
}
