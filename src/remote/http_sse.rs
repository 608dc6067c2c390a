//! HTTP+SSE (24:tr): one stream for everything the server says, one URL for everything we say.

use std::time::Instant;

use http::{HeaderValue, Method, header};
use reqwest::Url;

use super::{
    body::Sent,
    client::Client,
    event::{End, Event, Get, Post, Route, StreamEnd},
    field::media_type,
    report::Reporter,
    sse::{Events, Sse},
};
use crate::origin::{origin, same_origin};

/// Sends one message; its answer comes on the stream, not here (SSE-5).
pub async fn post(client: &Client, post: Post, sent: Sent, events: &Reporter) {
    let exchange = post.exchange;
    let end = try_post(client, post, sent).await.unwrap_or_else(|end| end);
    events.report(Event::Ended { exchange, end }).await;
}

async fn try_post(client: &Client, post: Post, sent: Sent) -> Result<End, End> {
    let Route::HttpSse { url } = &post.route else { return Ok(End::Accepted(0)) };
    let url = Url::parse(url).map_err(|error| End::Malformed(error.to_string()))?;
    let mut headers = client.headers();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let response = client.send(Method::POST, url, headers, Some((post.body, sent))).await?;
    let status = response.status().as_u16();
    // Read to the end, so that the connection can be used again; the text means nothing (SSE-6).
    let _ = client.read(response).await;
    Ok(End::Accepted(status))
}

/// Opens the stream.
pub async fn get(client: &Client, get: Get, events: &Reporter) {
    let exchange = get.exchange;
    let end = match try_get(client, &get, events).await {
        Ok(end) => End::Stream(end),
        Err(end) => end,
    };
    events.report(Event::Ended { exchange, end }).await;
}

async fn try_get(client: &Client, get: &Get, events: &Reporter) -> Result<StreamEnd, End> {
    let mut headers = client.headers();
    headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let response = client.send(Method::GET, client.endpoint().clone(), headers, None).await?;
    let (exchange, status) = (get.exchange, response.status().as_u16());
    let media = media_type(response.headers());
    if media != "text/event-stream" {
        let media = if media.is_empty() { "no content type" } else { &media };
        return Err(End::Malformed(format!(
            "HTTP {status} with {media} instead of an event stream"
        )));
    }
    events.report(Event::Opened { exchange, session: None }).await;

    let base = response.url().clone();
    let opened = Instant::now();
    let mut stream = Events::new(response, None);
    let mut end = StreamEnd::default();
    while let Some(block) = stream.next().await {
        match block {
            Ok(block) => {
                end.note(&block);
                deliver(&base, block, exchange, events).await?;
            }
            Err(why) => {
                end.broken = Some(why);
                end.too_large = stream.is_too_large();
                break;
            }
        }
    }
    end.lived = opened.elapsed();
    Ok(end)
}

async fn deliver(base: &Url, block: Sse, exchange: u64, events: &Reporter) -> Result<(), End> {
    let Some(data) = block.data.filter(|data| !data.is_empty()) else { return Ok(()) };
    match block.event.as_deref().unwrap_or_default() {
        "" | "message" => {
            events.report(Event::Message { exchange, bytes: data.into_bytes().into() }).await;
        }
        "endpoint" => {
            let url = resolve(base, &data)?;
            events.report(Event::Endpoint { exchange, url: url.as_str().into() }).await;
        }
        _ => {}
    }
    Ok(())
}

/// The URL for sending: resolved against the stream's own, on the same origin only (SSE-3, SSE-4).
fn resolve(base: &Url, data: &str) -> Result<Url, End> {
    let data = data.trim();
    let bare = data.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(data);
    let url = base
        .join(bare)
        .map_err(|_| End::Malformed("an `endpoint` event that is not a URL".to_owned()))?;
    if same_origin(base, &url) {
        return Ok(url);
    }
    let origin = origin(&url);
    Err(End::Malformed(format!("an `endpoint` event that points to another origin: {origin}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_for_sending_is_resolved_and_stays_at_home() {
        let base = Url::parse("https://h.example/v1/sse?k=1").expect("a URL");
        for (data, expected) in [
            ("/messages?sid=a%2Fb", Some("https://h.example/messages?sid=a%2Fb")),
            ("messages?x", Some("https://h.example/v1/messages?x")),
            ("\"/m\"", Some("https://h.example/m")),
            ("https://h.example:443/m", Some("https://h.example/m")),
            ("https://other.example/m", None),
            ("http://h.example/m", None),
            ("https://h.example:8443/m", None),
            ("//other.example/m", None),
        ] {
            let url = resolve(&base, data).ok();
            assert_eq!(url.as_ref().map(Url::as_str), expected, "{data}");
        }
    }
}
