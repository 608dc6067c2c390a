//! What a 401 says about signing in: the `WWW-Authenticate` field (RFC 9110, 11.6.1; AU-10). Pure.

/// What a `Bearer` challenge tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Challenge {
    /// Where the protected resource's metadata is (RFC 9728, 5.1).
    pub resource_metadata: Option<String>,
    /// The scopes that the operation needs (AU-40).
    pub scope: Option<String>,
    /// What is wrong with the token that was sent (RFC 6750, 3.1).
    pub error: Option<String>,
}

/// The `Bearer` challenge in a field's value, several fields joined by commas; `None` where there
/// is no such challenge.
pub fn bearer(field: &str) -> Option<Challenge> {
    let mut found: Option<Challenge> = None;
    let mut is_bearer = false;
    let mut rest = field;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let Some(first) = rest.chars().next() else { return found };
        let end = rest.find(|letter| !is_token(letter)).unwrap_or(rest.len());
        if end == 0 {
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (name, after) = rest.split_at(end);
        match after.trim_start().strip_prefix('=').map(str::trim_start) {
            Some(value) if value.is_empty() || value.starts_with([',', '=']) => {
                // The end of a `token68`, such as the padding of base64.
                rest = value.trim_start_matches('=');
            }
            Some(value) => {
                let (text, after) = value_of(value);
                rest = after;
                if let Some(found) = found.as_mut().filter(|_| is_bearer) {
                    found.note(name, text);
                }
            }
            None => {
                is_bearer = name.eq_ignore_ascii_case("bearer");
                if is_bearer {
                    found.get_or_insert_default();
                }
                rest = after;
            }
        }
    }
}

impl Challenge {
    /// Takes a parameter's first value.
    fn note(&mut self, name: &str, value: String) {
        let place = match name.to_ascii_lowercase().as_str() {
            "resource_metadata" => &mut self.resource_metadata,
            "scope" => &mut self.scope,
            "error" => &mut self.error,
            _ => return,
        };
        place.get_or_insert(value);
    }
}

/// A parameter's value, quoted or not, and what follows it.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(letters.next().map(|(_, escaped)| escaped)),
            _ => value.push(letter),
        }
    }
    (value, "")
}

fn is_token(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bearer_challenge_is_found_among_others() {
        for (field, expected) in [
            ("Bearer", Some((None, None))),
            ("bearer realm=\"x\", scope=\"a b\"", Some((None, Some("a b")))),
            (
                "Basic realm=\"a, Bearer scope=no\", BEARER Resource_Metadata = \"https://h/x\"",
                Some((Some("https://h/x"), None)),
            ),
            ("Negotiate abc==, Bearer scope=a", Some((None, Some("a")))),
            ("Bearer scope=a, Basic scope=b", Some((None, Some("a")))),
            ("Bearer scope=\"a\\\"b\"", Some((None, Some("a\"b")))),
            ("Bearer scope=\"never closed", Some((None, Some("never closed")))),
            ("Bearer error=\"invalid_token\"", Some((None, None))),
            ("Basic realm=\"x\"", None),
            ("\"Bearer\" é", Some((None, None))),
            ("", None),
        ] {
            let found = bearer(field);
            let parts =
                found.as_ref().map(|f| (f.resource_metadata.as_deref(), f.scope.as_deref()));
            assert_eq!(parts, expected, "{field}");
        }
    }
}
