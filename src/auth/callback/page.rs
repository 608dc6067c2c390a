//! The pages that the person's browser gets (SEC-2). They are constants and repeat nothing of the
//! request. Pure.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use reqwest::Url;

use super::{Ending, request::Wrong};

/// A page, with its headers.
pub(super) type Page = Response<Full<Bytes>>;

/// The page at the end of a sign-in; after a success it is `success_url` if there is one.
pub(super) fn ending(ending: Ending, success_url: Option<&Url>) -> Page {
    match (ending, success_url.map(|url| HeaderValue::from_str(url.as_str()))) {
        (Ending::SignedIn, Some(Ok(location))) => {
            let mut page = page(StatusCode::SEE_OTHER, SIGNED_IN);
            page.headers_mut().insert(header::LOCATION, location);
            page
        }
        (Ending::SignedIn, _) => page(StatusCode::OK, SIGNED_IN),
        (Ending::Denied, _) => page(StatusCode::BAD_REQUEST, DENIED),
        (Ending::Failed, _) => page(StatusCode::BAD_GATEWAY, FAILED),
    }
}

/// The page for a request that is not the sign-in's answer.
pub(super) fn wrong(wrong: Wrong) -> Page {
    let status = match wrong {
        Wrong::Host => StatusCode::MISDIRECTED_REQUEST,
        Wrong::Path => StatusCode::NOT_FOUND,
        Wrong::Method => StatusCode::METHOD_NOT_ALLOWED,
        Wrong::Answer => StatusCode::BAD_REQUEST,
    };
    let mut page = page(status, WRONG);
    if wrong == Wrong::Method {
        page.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
    }
    page
}

fn page(status: StatusCode, text: &'static str) -> Page {
    let mut page = Response::new(Full::from(text));
    *page.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ] {
        page.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    page
}

/// An HTML page of a heading and a sentence.
macro_rules! html {
    ($heading:literal, $sentence:literal) => {
        concat!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">",
            "<meta name=\"viewport\" content=\"width=device-width\">",
            "<meta name=\"color-scheme\" content=\"light dark\">",
            "<title>",
            $heading,
            "</title><h1>",
            $heading,
            "</h1><p>",
            $sentence,
            "</p></html>\n"
        )
    };
}

const SIGNED_IN: &str = html!("You are signed in.", "You can close this window.");

const DENIED: &str = html!(
    "You are not signed in.",
    "The sign-in was declined. The terminal or log of composio-bridge says more. You can close this window."
);

const FAILED: &str = html!(
    "The sign-in did not work.",
    "The terminal or log of composio-bridge says why. You can close this window."
);

const WRONG: &str = html!(
    "This page belongs to no sign-in.",
    "If you were signing in, go back to the page that composio-bridge opened, and finish there."
);
