//! `composio-bridge auth status`: what is stored about sign-ins; never a token.

use std::{
    io::{self, Write},
    time::{Duration, UNIX_EPOCH},
};

use serde_json::{Value, json};

use crate::{
    auth::{
        grant::now,
        store::{self, SignIn},
    },
    config::environment::Environment,
    error::Error,
};

/// Lists the sign-ins, for a person or as JSON.
///
/// # Errors
/// None, at present.
pub fn status(as_json: bool) -> Result<(), Error> {
    let state_dir = Environment::of_process().state_dir();
    let all = state_dir.map(|directory| store::all(&directory)).unwrap_or_default();
    let text = if as_json {
        Value::from(all.iter().map(described).collect::<Vec<_>>()).to_string()
    } else if all.is_empty() {
        "Nobody is signed in anywhere. `composio-bridge login URL` does it.".to_owned()
    } else {
        let now = now();
        all.iter().map(|sign_in| told(sign_in, now)).collect::<Vec<_>>().join("\n\n")
    };
    // Whoever reads this may have gone away; there is nobody left to tell.
    let _ = writeln!(io::stdout().lock(), "{text}");
    Ok(())
}

fn described(sign_in: &SignIn) -> Value {
    let tokens = &sign_in.tokens;
    json!({
        "endpoint": shown(&sign_in.endpoint),
        "issuer": sign_in.issuer,
        "resource": sign_in.resource,
        "clientId": sign_in.client.id,
        "scope": tokens.scope,
        "signedInAt": date(sign_in.signed_in_at),
        "expiresAt": tokens.expires_at.map(date),
        "renewable": is_renewable(sign_in),
    })
}

fn told(sign_in: &SignIn, now: u64) -> String {
    let life = match sign_in.tokens.expires_at {
        None => "the server did not say when it expires".to_owned(),
        Some(end) if end <= now => format!("expired on {}", date(end)),
        Some(end) => format!("until {}", date(end)),
    };
    let renewal = if is_renewable(sign_in) { "renewed by itself" } else { "not renewable" };
    let mut text = format!(
        "{}\n  issuer: {}\n  token:  {life}, {renewal}",
        shown(&sign_in.endpoint),
        sign_in.issuer
    );
    if let Some(scope) = &sign_in.tokens.scope {
        text.push_str(&format!("\n  scope:  {scope}"));
    }
    text
}

/// What stands in a query may be secret.
fn shown(endpoint: &str) -> String {
    match endpoint.split_once('?') {
        Some((before, _)) => format!("{before}?..."),
        None => endpoint.to_owned(),
    }
}

fn is_renewable(sign_in: &SignIn) -> bool {
    sign_in.tokens.refresh.is_some() || sign_in.is_program
}

pub(super) fn date(seconds: u64) -> String {
    UNIX_EPOCH
        .checked_add(Duration::from_secs(seconds))
        .filter(|_| seconds < 253_402_300_800)
        .map_or_else(|| "no date".to_owned(), httpdate::fmt_http_date)
}
