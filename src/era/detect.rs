//! Which era a remote is of, by what it answers (26:ver, spec digest 4.7).

use crate::{
    message::{Message, elements, member, unquote},
    remote::{
        event::{End, Refusal},
        refusal,
    },
};

/// The error codes that only a modern server uses (schema of 2026-07-28). No other code is proof.
const MODERN_CODES: [&str; 3] = ["-32020", "-32021", "-32022"];

/// What a remote has answered a modern request with.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'a> {
    /// A JSON-RPC response with a success status.
    Answer(&'a Message),
    /// Something else.
    End(&'a End),
}

/// What that says about it.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is modern, and this is its answer.
    Modern,
    /// It is modern, and wants the same request once more.
    Again,
    /// It does not know `server/discover`: the answer to a modern `tools/list` decides.
    AskForTools,
    /// It is legacy; the text says what shows it.
    Legacy(String),
    /// It is modern, but in none of our versions. Holds its own.
    Incompatible(Vec<String>),
    /// That says nothing.
    Unknown,
}

/// What the answer to `server/discover` says, `asked` in this version: one that the client speaks,
/// whether we know it or not (MM-5).
pub fn of_discover(outcome: Outcome<'_>, asked: &str) -> Verdict {
    if let Outcome::Answer(answer) = outcome
        && let Some(versions) =
            answer.result().and_then(|result| member(result, "supportedVersions"))
        && let Some(versions) = strings(versions).filter(|versions| !versions.is_empty())
    {
        let is_asked = versions.iter().any(|version| version == asked);
        return if is_asked { Verdict::Modern } else { of_versions(versions, Verdict::Modern) };
    }
    match of_request(outcome) {
        Verdict::Unknown if matches!(outcome, Outcome::Answer(_)) => {
            Verdict::Legacy("it does not know `server/discover`".to_owned())
        }
        // `server/discover` is mandatory, so the server may also be one that knows nothing of it.
        Verdict::Modern if is_not_found(outcome) => Verdict::AskForTools,
        other => other,
    }
}

/// What the answer to any other modern request says. [`Verdict::Unknown`] for an answer that a
/// legacy server without sessions may have given too.
pub fn of_request(outcome: Outcome<'_>) -> Verdict {
    let (error, status) = match outcome {
        Outcome::Answer(answer) if answer.error().is_none() => {
            let kind = answer.result().and_then(|result| member(result, "resultType"));
            return if kind.is_some() { Verdict::Modern } else { Verdict::Unknown };
        }
        Outcome::Answer(answer) => (answer.error().map(str::to_owned), 200),
        Outcome::End(End::Status(refused)) => (error_of(refused), refused.status),
        Outcome::End(End::NotModern(why)) => return Verdict::Legacy(why.clone()),
        Outcome::End(_) => return Verdict::Unknown,
    };
    match (error.as_deref().and_then(code_of), status) {
        (Some("-32022"), _) => match error.as_deref().and_then(supported) {
            Some(versions) => of_versions(versions, Verdict::Again),
            None => Verdict::Legacy("it names no version that it speaks".to_owned()),
        },
        (Some(code), _) if MODERN_CODES.contains(&code) => Verdict::Modern,
        (Some("-32601"), 404) => Verdict::Modern,
        (_, 400 | 404 | 405) => {
            Verdict::Legacy(format!("HTTP {status} to a request of 2026-07-28"))
        }
        _ => Verdict::Unknown,
    }
}

/// Whether a refusal of `initialize`, by status or by a JSON-RPC error, comes from a server that
/// may well be modern (MH-54).
pub fn suggests_modern(outcome: Outcome<'_>) -> bool {
    let (error, status) = match outcome {
        Outcome::Answer(answer) => (answer.error().map(str::to_owned), 200),
        Outcome::End(End::Status(refused)) => (error_of(refused), refused.status),
        Outcome::End(_) => return false,
    };
    let code = error.as_deref().and_then(code_of);
    code.is_some_and(|code| {
        MODERN_CODES.contains(&code) || code == "-32601" || code == "-32602" && status == 400
    })
}

fn of_versions(versions: Vec<String>, mutual: Verdict) -> Verdict {
    let is = |known: &[&str]| versions.iter().any(|version| known.contains(&version.as_str()));
    if is(&crate::protocol::MODERN_VERSIONS) {
        mutual
    } else if is(&crate::protocol::LEGACY_VERSIONS) {
        Verdict::Legacy(format!("it speaks {}", versions.join(", ")))
    } else {
        Verdict::Incompatible(versions)
    }
}

fn is_not_found(outcome: Outcome<'_>) -> bool {
    let Outcome::End(End::Status(refused)) = outcome else { return false };
    error_of(refused).as_deref().and_then(code_of) == Some("-32601")
}

fn error_of(refused: &Refusal) -> Option<String> {
    refusal::json_rpc_error(refused)?.error().map(str::to_owned)
}

fn code_of(error: &str) -> Option<&str> {
    member(error, "code")
}

/// The versions that an error -32022 names.
fn supported(error: &str) -> Option<Vec<String>> {
    let named = member(member(error, "data")?, "supported")?;
    strings(named).filter(|versions| !versions.is_empty())
}

/// The strings of a JSON array of strings.
fn strings(array: &str) -> Option<Vec<String>> {
    let tokens = elements(array.as_bytes())?;
    let is_text = |token: &&serde_json::value::RawValue| token.get().starts_with('"');
    tokens
        .iter()
        .all(is_text)
        .then(|| tokens.iter().map(|token| unquote(token.get()).into_owned()).collect())
}

#[cfg(test)]
mod tests;
