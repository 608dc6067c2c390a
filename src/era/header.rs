//! Values of the headers that repeat members of a modern request (26:http, MH-20 to MH-25).

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::message::unquote;

const OPENING: &str = "=?base64?";
const CLOSING: &str = "?=";

/// The largest integer that every JSON peer reads exactly (MH-35).
const LARGEST_INTEGER: i64 = (1 << 53) - 1;

/// `text` as a header value: as it is where that is a plain one, else wrapped in Base64
/// (MH-21 to MH-24).
pub fn encode(text: &str) -> Cow<'_, str> {
    let is_wrapped = text.starts_with(OPENING) && text.ends_with(CLOSING);
    if is_plain(text) && !is_wrapped {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("{OPENING}{}{CLOSING}", STANDARD.encode(text)))
}

/// Whether a header can carry `text` so that it arrives as it is: visible ASCII, with spaces inside
/// only (MH-22, MH-25).
pub fn is_plain(text: &str) -> bool {
    let is_padded = text.starts_with(' ') || text.ends_with(' ');
    !is_padded && text.bytes().all(|byte| (0x20..=0x7e).contains(&byte))
}

/// An integer that not every peer would read alike (MH-35).
#[derive(Debug, PartialEq, Eq)]
pub struct TooLarge;

/// A primitive JSON token as a header value, by its own type (MH-20). `None` for what has none:
/// `null`, arrays, objects, and strings that are no text.
pub fn encode_token(token: &str) -> Result<Option<String>, TooLarge> {
    match token.as_bytes().first() {
        Some(b'"') => Ok(text(token).map(|text| encode(&text).into_owned())),
        Some(b't' | b'f') => Ok(Some(token.to_owned())),
        Some(b'-' | b'0'..=b'9') => number(token).map(Some),
        _ => Ok(None),
    }
}

/// The content of a JSON string token; `None` for another token, and for one that holds half a
/// surrogate pair, which no header can repeat.
pub fn text(token: &str) -> Option<Cow<'_, str>> {
    if !token.starts_with('"') {
        return None;
    }
    let text = unquote(token);
    // What cannot be decoded comes back with its quotes.
    (text.len() < token.len()).then_some(text)
}

/// A number token; whole ones without fraction and exponent, as a JavaScript peer writes them.
fn number(token: &str) -> Result<String, TooLarge> {
    let is_safe = |value: &i64| (-LARGEST_INTEGER..=LARGEST_INTEGER).contains(value);
    let is_integer = token.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit());
    if is_integer {
        let value = token.parse::<i64>().ok().filter(is_safe).ok_or(TooLarge)?;
        return Ok(value.to_string());
    }
    let value: f64 = token.parse().map_err(|_| TooLarge)?;
    if value.is_finite() && value.fract() != 0.0 {
        return Ok(value.to_string());
    }
    let is_safe = value.abs() <= LARGEST_INTEGER as f64;
    // Adding zero makes `-0` the `0` that it is.
    if is_safe { Ok((value + 0.0).to_string()) } else { Err(TooLarge) }
}

#[cfg(test)]
mod tests;
