//! Streamable HTTP, as the versions since 2025-03-26 have it, and as 2026-07-28 has it.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, header, uri::Authority};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::select;

use super::{
    Call, Ending, Era, Server, Session, Stream, era,
    message::{Fault, Message},
    new_session, stream, unpoisoned,
};
use crate::{
    demo::loopback::{document, plain},
    local::http::Answer,
    protocol::MODERN_VERSIONS,
};

/// The largest message that is taken in, in bytes.
const LARGEST: usize = 4 << 20;

const SESSION: &str = "mcp-session-id";

/// Why a request gets no further.
pub(super) enum Refusal {
    /// For a reason of HTTP's.
    Http(u16, &'static str),
    /// Because it may come with other methods alone.
    Method(&'static str),
    /// With a response to the request with this id.
    Fault(Value, Fault),
}

impl Refusal {
    pub(super) fn answer(self) -> Answer {
        match self {
            Refusal::Http(status, text) => plain(status, text),
            Refusal::Method(allowed) => {
                let mut answer = plain(405, "Method Not Allowed");
                answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
                answer
            }
            Refusal::Fault(id, fault) => document(fault.status().max(400), &fault.response(&id)),
        }
    }
}

impl Server {
    /// Answers a request to the endpoint.
    pub(in crate::demo) async fn answer(self: &Arc<Self>, request: Request<Incoming>) -> Answer {
        self.admit(request).await.unwrap_or_else(Refusal::answer)
    }

    async fn admit(self: &Arc<Self>, request: Request<Incoming>) -> Result<Answer, Refusal> {
        is_local(request.headers())?;
        let (head, body) = request.into_parts();
        match head.method {
            Method::POST => self.post(&head.headers, body).await,
            _ if self.era == Era::Modern => Err(Refusal::Method("POST")),
            Method::GET => self.get(&head.headers),
            Method::DELETE => self.delete(&head.headers),
            _ => Err(Refusal::Method("GET, POST, DELETE")),
        }
    }

    async fn post(
        self: &Arc<Self>,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Result<Answer, Refusal> {
        if !(accepts(headers, "application/json") && accepts(headers, "text/event-stream")) {
            let text = "Accept must have both application/json and text/event-stream";
            return Err(Refusal::Http(406, text));
        }
        let media_type = value(headers, "content-type").unwrap_or_default();
        if !is_media_type(media_type, "application/json") {
            return Err(Refusal::Http(415, "Content-Type must be application/json"));
        }
        let message = read(body).await?;
        // A response that is refused is not answered under its id: that is of our own requests.
        let id = if message.is_request() { message.id.clone() } else { Value::Null };
        let named = value(headers, "mcp-protocol-version");
        match era::is_modern(self.era, &message, named) {
            Err(fault) => Err(Refusal::Fault(id, fault)),
            Ok(false) => self.in_session(headers, message),
            Ok(true) => {
                let checked = era::check(&message, |name| value(headers, name));
                checked.map_err(|fault| Refusal::Fault(id, fault))?;
                Ok(self.alone(message).await)
            }
        }
    }

    /// A message of the legacy era.
    fn in_session(
        self: &Arc<Self>,
        headers: &HeaderMap,
        message: Message,
    ) -> Result<Answer, Refusal> {
        names_known_version(headers)?;
        let is_first = message.is_request() && message.method == "initialize";
        if is_first {
            names_same_version(headers, &message)?;
        }
        let (session, id) = match value(headers, SESSION) {
            None if is_first => {
                let session = Session::new(stream::Form::Numbered(String::new()));
                let id = new_session();
                unpoisoned(&self.sessions).insert(id.clone(), session.clone());
                (session, Some(id))
            }
            _ => (self.session(headers)?, None),
        };
        if !message.is_request() {
            session.receive(message);
            return Ok(plain(202, ""));
        }
        let stream = session.stream();
        let events = stream.connect(None);
        let call = Call::new(message, Some(session.clone()), stream.clone());
        self.start(call, &session, Some(Ending(stream)));
        let mut answer = stream::answer(events, None);
        if let Some(id) = id.and_then(|id| HeaderValue::from_str(&id).ok()) {
            answer.headers_mut().insert(SESSION, id);
        }
        Ok(answer)
    }

    /// A message of 2026-07-28. Whoever closes the stream of a request cancels it (26:http).
    async fn alone(self: &Arc<Self>, message: Message) -> Answer {
        if !message.is_request() {
            return plain(202, "");
        }
        let stream = Stream::new(stream::Form::Plain);
        let mut events = stream.connect(None);
        let (server, call) = (self.clone(), Call::new(message, None, stream.clone()));
        let mut answering = Box::pin(async move {
            let answer = server.respond(&call).await;
            answer.map_err(|fault| (fault.status(), fault.response(&call.id)))
        });
        // The status is that of the answer, unless something has to be said before it.
        select! {
            biased;
            answer = &mut answering => match answer {
                Err((status, response)) if status != 200 => document(status, &response),
                Ok(response) | Err((_, response)) => {
                    stream.say(&response);
                    stream.end();
                    stream::answer(events, None)
                }
            },
            first = events.recv() => {
                tokio::spawn(async move {
                    select! {
                        answer = answering => {
                            let (Ok(response) | Err((_, response))) = answer;
                            stream.say(&response);
                        }
                        () = stream.abandoned() => {}
                    }
                    stream.end();
                });
                stream::answer(events, first)
            }
        }
    }

    fn get(&self, headers: &HeaderMap) -> Result<Answer, Refusal> {
        if !accepts(headers, "text/event-stream") {
            return Err(Refusal::Http(406, "Accept must have text/event-stream"));
        }
        let session = self.named_session(headers)?;
        let events = match value(headers, "last-event-id") {
            None => Some(session.listen()),
            Some(last) => session.resume(last),
        };
        // Nothing more comes where it cannot be resumed: an error would be tried for ever.
        let events = events.unwrap_or_else(|| tokio::sync::mpsc::unbounded_channel().1);
        Ok(stream::answer(events, None))
    }

    fn delete(&self, headers: &HeaderMap) -> Result<Answer, Refusal> {
        self.named_session(headers)?.end();
        unpoisoned(&self.sessions).remove(value(headers, SESSION).unwrap_or_default());
        Ok(plain(202, ""))
    }

    /// The session of a request that has no message.
    fn named_session(&self, headers: &HeaderMap) -> Result<Arc<Session>, Refusal> {
        let named = value(headers, "mcp-protocol-version").unwrap_or_default();
        if MODERN_VERSIONS.contains(&named) {
            return Err(Refusal::Method("POST"));
        }
        names_known_version(headers)?;
        self.session(headers)
    }

    fn session(&self, headers: &HeaderMap) -> Result<Arc<Session>, Refusal> {
        let Some(id) = value(headers, SESSION) else {
            return Err(Refusal::Http(400, "Mcp-Session-Id is missing"));
        };
        let session = unpoisoned(&self.sessions).get(id).cloned();
        session.ok_or(Refusal::Http(404, "there is no such session"))
    }
}

/// Reads the message of a POST.
pub(super) async fn read(body: Incoming) -> Result<Message, Refusal> {
    let bytes: Bytes = match Limited::new(body, LARGEST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Err(Refusal::Http(413, "a message may have 4 MiB"));
        }
        Err(_) => return Err(Refusal::Http(400, "the body broke off")),
    };
    Message::read(&bytes).ok_or(Refusal::Http(400, "the body is not a JSON-RPC message"))
}

/// Keeps out what a page of the internet has a browser send here (1125:http, "Security Warning").
pub(super) fn is_local(headers: &HeaderMap) -> Result<(), Refusal> {
    let host = value(headers, "host").unwrap_or_default();
    let origin = value(headers, "origin");
    let origin = origin.map(|origin| origin.split_once("://").map_or("", |(_, host)| host));
    let is_loopback = |name: &str| {
        let authority = name.parse::<Authority>();
        authority.is_ok_and(|it| matches!(it.host(), "localhost" | "127.0.0.1" | "[::1]"))
    };
    match is_loopback(host) && origin.is_none_or(is_loopback) {
        true => Ok(()),
        false => Err(Refusal::Http(403, "Host and Origin must be of this machine")),
    }
}

fn names_known_version(headers: &HeaderMap) -> Result<(), Refusal> {
    match value(headers, "mcp-protocol-version") {
        Some(version) if !era::is_known(version) => {
            Err(Refusal::Http(400, "MCP-Protocol-Version is not one that is spoken here"))
        }
        _ => Ok(()),
    }
}

fn names_same_version(headers: &HeaderMap, message: &Message) -> Result<(), Refusal> {
    match value(headers, "mcp-protocol-version") {
        Some(version) if message.params["protocolVersion"] != version => {
            let text = format!("the header MCP-Protocol-Version says {version}, not the message");
            Err(Refusal::Fault(message.id.clone(), Fault::new(-32600, text)))
        }
        _ => Ok(()),
    }
}

fn value<'h>(headers: &'h HeaderMap, name: &'static str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether a media type is accepted by name; one with the quality 0 is not.
fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let all = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(',')).any(|range| {
        let quality = range.split(';').skip(1).find_map(|part| part.trim().strip_prefix("q="));
        let is_refused = quality.and_then(|quality| quality.parse().ok()) == Some(0.0_f32);
        is_media_type(range, media_type) && !is_refused
    })
}

fn is_media_type(value: &str, media_type: &str) -> bool {
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(media_type)
}
