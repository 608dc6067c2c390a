//! What a sign-in is for, and what becomes of it. Pure.

use super::challenge::{self, Challenge};
use crate::{error::Error, remote::event::Refusal};

/// A sign-in that a refusal of the remote asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Want {
    /// What the remote said about signing in; `None` where it said nothing (SEP-985).
    pub challenge: Option<Challenge>,
    /// The token is good, but not for everything: more scopes are wanted (AU-42).
    pub is_step_up: bool,
}

impl Want {
    /// What a refusal asks for; `None` where signing in is not what helps.
    pub fn of(refusal: &Refusal) -> Option<Self> {
        let challenge = refusal.challenge.as_deref().and_then(challenge::bearer);
        let error = challenge.as_ref().and_then(|challenge| challenge.error.as_deref());
        let is_step_up = refusal.status == 403
            && refusal.sign_in.is_some()
            && error == Some("insufficient_scope");
        (is_step_up || refusal.wants_sign_in).then_some(Want { challenge, is_step_up })
    }

    /// The scopes that are asked for.
    pub fn scope(&self) -> &str {
        self.challenge.as_ref().and_then(|challenge| challenge.scope.as_deref()).unwrap_or_default()
    }
}

/// What became of a sign-in.
#[derive(Debug, Clone)]
pub enum News {
    /// A person is waited for. The text says what to do, as the end of a sentence.
    Waiting(String),
    /// There is a new token.
    SignedIn,
    /// It came to nothing.
    Failed {
        /// Why; `None` where the remote offers no way to sign in.
        error: Option<Error>,
        /// The same may work later, and no person was asked.
        is_passing: bool,
    },
}

/// All the words of two lists of scopes, each once (AU-42).
pub fn union(one: &str, other: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    for word in one.split_whitespace().chain(other.split_whitespace()) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, challenge: &str, wants_sign_in: bool) -> Refusal {
        Refusal {
            status,
            challenge: Some(challenge.into()),
            sign_in: Some("composio-bridge login".into()),
            wants_sign_in,
            ..Refusal::default()
        }
    }

    #[test]
    fn a_refusal_may_ask_for_a_sign_in_or_for_more_scopes() {
        const MORE: &str = r#"Bearer error="insufficient_scope", scope="a b""#;
        for (status, challenge, wants, expected) in [
            (401, "Bearer", true, Some(false)),
            (401, "Basic", true, Some(false)),
            (401, MORE, false, None),
            (403, MORE, false, Some(true)),
            (403, "Bearer error=\"invalid_token\"", false, None),
            (403, "", false, None),
        ] {
            let want = Want::of(&refusal(status, challenge, wants));
            assert_eq!(want.map(|want| want.is_step_up), expected, "{status} {challenge}");
        }
        let own = Refusal { sign_in: None, ..refusal(403, MORE, false) };
        assert_eq!(Want::of(&own), None, "a header that was named is not replaced");
    }

    #[test]
    fn scopes_are_joined_without_doubles() {
        assert_eq!(union("a b", " b  c"), "a b c");
        assert_eq!(union("", ""), "");
    }
}
