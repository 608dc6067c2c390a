//! Fields of an HTTP response that decide how it is read.

use std::time::Duration;

use http::{HeaderMap, header};

/// The media type of a response, lower case, without parameters.
pub fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

/// `Retry-After` in seconds or as a date (RFC 9110, 10.2.3), as a wait from now.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    /// As good as never; a server that asks for more has still asked for a wait.
    const LONGEST: f64 = 1e9;
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds.min(LONGEST)).ok();
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(std::time::SystemTime::now()).unwrap_or_default())
}
