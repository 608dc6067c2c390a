//! `composio-bridge url explain URL`: what a URL is, which key goes with it, and what is wrong.

use std::io::{self, Write};

use reqwest::Url;
use serde_json::{Value, json};

use crate::{
    composio::{
        key,
        url::{Explanation, explain},
    },
    config::{credential, endpoint, environment::Environment},
    error::{Error, Kind},
};

/// The kinds of keys that a place may take.
const KEYS: [key::Kind; 3] = [key::Kind::Project, key::Kind::User, key::Kind::Consumer];

/// Explains a URL, for a person or as JSON. Asks nobody.
///
/// # Errors
/// It is no URL.
pub fn run(text: &str, as_json: bool) -> Result<(), Error> {
    let environment = Environment::of_process();
    let base = environment.get("COMPOSIO_BASE_URL").and_then(|text| Url::parse(text).ok());
    let url = Url::parse(text.trim()).ok();
    let found = url.and_then(|url| explain(&url, base.as_ref(), false));
    let shown = match found {
        Some(found) => shown(&found, base.as_ref(), as_json),
        None => {
            let url = endpoint::parse(text, false, Kind::Usage)?;
            foreign(&url, base.as_ref(), as_json)
        }
    };
    // Whoever reads this may have gone away; there is nobody left to tell.
    let _ = writeln!(io::stdout().lock(), "{shown}");
    Ok(())
}

/// The transport, where there is just one.
fn transport(found: &Explanation) -> Option<&'static str> {
    found.shape.is_http_only().then_some("streamable-http")
}

/// The kinds of keys that are sent there.
fn keys(url: &Url, base: Option<&Url>) -> Vec<key::Kind> {
    let may = credential::may_have_key(url, base);
    let place = credential::place(url);
    KEYS.into_iter().filter(|kind| may && kind.fits(place)).collect()
}

fn shown(found: &Explanation, base: Option<&Url>, as_json: bool) -> String {
    let facts = found.shape.facts();
    let keys = keys(&found.url, base);
    let problem = found.problem.as_deref();
    if as_json {
        let described = json!({
            "composio": true,
            "kind": facts.word,
            "status": facts.status,
            "transport": transport(found),
            "usable": problem.is_none(),
            "use": problem.is_none().then(|| found.url.as_str()),
            "changes": found.changes,
            "keys": described(&keys),
            "problem": problem,
            "hints": found.hints,
        });
        return described.to_string();
    }
    let mut lines = vec![format!("{} ({})", facts.what, facts.status)];
    lines.extend(found.changes.iter().map(|change| format!("changed: {change}")));
    match problem {
        Some(problem) => lines.push(format!("cannot be used: {problem}")),
        None => {
            let transport = transport(found).map(|_| ", over Streamable HTTP").unwrap_or_default();
            lines.push(format!("used as: {}{transport}", found.url));
            lines.extend(told(&keys));
        }
    }
    lines.extend(found.hints.iter().map(|hint| format!("hint: {hint}")));
    lines.join("\n")
}

fn foreign(url: &Url, base: Option<&Url>, as_json: bool) -> String {
    let keys = keys(url, base);
    if as_json {
        let described = json!({
            "composio": false,
            "usable": true,
            "use": url.as_str(),
            "keys": described(&keys),
        });
        return described.to_string();
    }
    let mut lines = vec!["not one of Composio's URLs: it is used as it is".to_owned()];
    lines.extend(told(&keys));
    lines.join("\n")
}

/// A line for each key, or one that says that there is none.
fn told(keys: &[key::Kind]) -> Vec<String> {
    let ids = |kind| match kind {
        key::Kind::User => ", with x-org-id and x-project-id where they are named",
        _ => "",
    };
    let key =
        |kind: &key::Kind| format!("key: {} in {}{}", kind.named(), kind.header(), ids(*kind));
    let mut lines: Vec<_> = keys.iter().map(key).collect();
    if lines.is_empty() {
        lines.push("key: none of Composio's is sent there".to_owned());
    }
    lines.push("or a token in Authorization, from a sign-in or a header of yours".to_owned());
    lines
}

fn described(keys: &[key::Kind]) -> Value {
    let key = |kind: &key::Kind| json!({ "kind": kind.word(), "prefix": kind.prefix(), "header": kind.header().as_str() });
    keys.iter().map(key).collect()
}
