//! Streamable HTTP (1125:tr): one POST a message, answered by JSON or by an event stream, and GETs
//! for streams of the server's own.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::{
    body::Sent,
    client::Client,
    event::{End, Event, ExchangeId, Get, GetRoute, Mirrored, Post, Route, StreamEnd},
    field::media_type,
    report::Reporter,
    sse::Events,
};

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const EVENT_STREAM: &str = "text/event-stream";

/// Sends one message and reports everything that comes back on `events`.
pub async fn post(client: &Client, post: Post, sent: Sent, events: &Reporter) {
    let exchange = post.exchange;
    if let Err(end) = try_post(client, post, sent, events).await {
        events.report(Event::Ended { exchange, end }).await;
    }
}

async fn try_post(client: &Client, post: Post, sent: Sent, events: &Reporter) -> Result<(), End> {
    let mut headers = client.headers();
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if !post.compressed {
        // A compressor in front of the server may hold back events until its buffer is full.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    match &post.route {
        Route::Streamable { session, version } => add_session(&mut headers, session, version),
        Route::Modern(mirrored) => add_mirrored(&mut headers, mirrored),
        Route::HttpSse { .. } => return Ok(()),
    }
    let url = client.endpoint().clone();
    let response = client.send(Method::POST, url, headers, Some((post.body, sent))).await?;

    let (exchange, status) = (post.exchange, response.status().as_u16());
    let session = session_of(response.headers());
    match media_type(response.headers()).as_str() {
        EVENT_STREAM => {
            events.report(Event::Opened { exchange, session }).await;
            let end = forward(response, exchange, events, silence(&post.route, client)).await;
            Err(End::Stream(end))
        }
        _ if status == 202 || status == 204 || response.content_length() == Some(0) => {
            Err(End::Accepted(status))
        }
        "application/json" => {
            let bytes = client.read(response).await?;
            events.report(Event::Answer { exchange, bytes, session }).await;
            Ok(())
        }
        media => {
            let media = media.to_owned();
            let bytes = client.read(response).await?;
            if bytes.is_empty() {
                return Err(End::Accepted(status));
            }
            let media = if media.is_empty() { "no content type" } else { &media };
            Err(End::Malformed(format!(
                "HTTP {status} with {media} instead of JSON or an event stream"
            )))
        }
    }
}

/// How long the stream that answers a message may be silent. A subscription may be for hours.
fn silence(route: &Route, client: &Client) -> Option<Duration> {
    let is_listen = matches!(route, Route::Modern(of) if of.method == "subscriptions/listen");
    client.timeouts().body.filter(|_| !is_listen)
}

/// Opens an event stream: the server's own, or the rest of a response stream.
pub async fn get(client: &Client, get: Get, events: &Reporter) {
    let exchange = get.exchange;
    let end = match try_get(client, get, events).await {
        Ok(end) => End::Stream(end),
        Err(end) => end,
    };
    events.report(Event::Ended { exchange, end }).await;
}

async fn try_get(client: &Client, get: Get, events: &Reporter) -> Result<StreamEnd, End> {
    let GetRoute::Streamable { session, version } = &get.route else {
        return Ok(StreamEnd::default());
    };
    let mut headers = client.headers();
    headers.insert(header::ACCEPT, HeaderValue::from_static(EVENT_STREAM));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    add_session(&mut headers, session, version);
    insert(&mut headers, LAST_EVENT_ID, &get.last_event_id);
    let response = client.send(Method::GET, client.endpoint().clone(), headers, None).await?;
    let (exchange, status) = (get.exchange, response.status().as_u16());
    let media = media_type(response.headers());
    if media != EVENT_STREAM {
        let media = if media.is_empty() { "no content type" } else { &media };
        return Err(End::Malformed(format!(
            "HTTP {status} with {media} instead of an event stream"
        )));
    }
    events.report(Event::Opened { exchange, session: None }).await;
    // A stream of the server's own may be silent for hours; dead peers show by TCP and HTTP/2
    // keep-alive.
    Ok(forward(response, exchange, events, None).await)
}

/// Ends a session (LH-55). Nothing depends on the answer.
pub async fn delete(client: &Client, session: &Arc<str>, version: &Option<Arc<str>>) {
    let mut headers = client.headers();
    add_session(&mut headers, &Some(Arc::clone(session)), version);
    let _ = client.send(Method::DELETE, client.endpoint().clone(), headers, None).await;
}

async fn forward(
    response: reqwest::Response,
    exchange: ExchangeId,
    events: &Reporter,
    silence: Option<Duration>,
) -> StreamEnd {
    let opened = Instant::now();
    let mut stream = Events::new(response, silence);
    let mut end = StreamEnd::default();
    while let Some(block) = stream.next().await {
        let block = match block {
            Ok(block) => block,
            Err(why) => {
                end.broken = Some(why);
                end.too_large = stream.is_too_large();
                break;
            }
        };
        end.note(&block);
        let is_message =
            block.event.as_deref().is_none_or(|name| name.is_empty() || name == "message");
        if let Some(data) = block.data.filter(|data| is_message && !data.is_empty()) {
            end.messages = true;
            events.report(Event::Message { exchange, bytes: data.into_bytes().into() }).await;
        }
    }
    end.lived = opened.elapsed();
    end
}

/// A session id may hold visible ASCII only (LH-2); another one is no session id.
fn session_of(headers: &HeaderMap) -> Option<Arc<str>> {
    let value = headers.get(SESSION)?.as_bytes();
    let visible = !value.is_empty() && value.iter().all(|byte| (0x21..=0x7e).contains(byte));
    visible.then(|| String::from_utf8_lossy(value).into())
}

fn add_session(headers: &mut HeaderMap, session: &Option<Arc<str>>, version: &Option<Arc<str>>) {
    insert(headers, SESSION, session);
    insert(headers, VERSION, version);
}

/// The members of the body that a modern request repeats in its headers (MH-3 to MH-7).
fn add_mirrored(headers: &mut HeaderMap, mirrored: &Mirrored) {
    let mut add = |name: HeaderName, value: &str| {
        if let Ok(mut value) = HeaderValue::from_str(value) {
            // They repeat what a person said to a tool (SEC-16).
            value.set_sensitive(true);
            headers.insert(name, value);
        }
    };
    add(VERSION, &mirrored.version);
    add(METHOD, &mirrored.method);
    if let Some(name) = &mirrored.name {
        add(NAME, name);
    }
    for (name, value) in &mirrored.params {
        if let Ok(name) = HeaderName::try_from(format!("mcp-param-{name}")) {
            add(name, value);
        }
    }
}

fn insert(headers: &mut HeaderMap, name: HeaderName, value: &Option<Arc<str>>) {
    if let Some(Ok(mut value)) = value.as_ref().map(|value| HeaderValue::from_str(value)) {
        value.set_sensitive(name == SESSION);
        headers.insert(name, value);
    }
}
