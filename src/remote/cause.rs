//! Why an HTTP exchange failed, for a person.

/// The deepest cause of an HTTP error, which is the one that says something to a person; never
/// with the URL, whose query may be secret.
pub fn cause(error: &reqwest::Error) -> String {
    let deepest = deepest(error);
    match deepest.downcast_ref::<reqwest::Error>() {
        Some(_) if error.is_timeout() => "timed out".to_owned(),
        Some(_) => "the HTTP exchange failed".to_owned(),
        None => deepest.to_string(),
    }
}

/// The end of an error's chain of causes.
pub(super) fn deepest<'e>(
    error: &'e (dyn std::error::Error + 'static),
) -> &'e (dyn std::error::Error + 'static) {
    let mut deepest = error;
    while let Some(next) = deepest.source() {
        deepest = next;
    }
    deepest
}
