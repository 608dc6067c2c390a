//! What a transport is asked to do and what it reports; plain data, shared by both transports.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;

use crate::{composio::url::Shape, error::Error, message::Message};

/// Names one HTTP exchange: a POST with its answer, or a GET with its stream.
pub type ExchangeId = u64;

/// Something that happened on an exchange.
#[derive(Debug)]
pub enum Event {
    /// A successful response to a GET, or one to a POST that carries a stream, has begun.
    Opened {
        /// The exchange.
        exchange: ExchangeId,
        /// The `Mcp-Session-Id` of the response.
        session: Option<Arc<str>>,
    },
    /// HTTP+SSE: the server named the URL for sending (24:tr, the `endpoint` event).
    Endpoint {
        /// The exchange.
        exchange: ExchangeId,
        /// The absolute URL, on the endpoint's own origin.
        url: Arc<str>,
    },
    /// A message arrived on a stream.
    Message {
        /// The exchange.
        exchange: ExchangeId,
        /// The message, as it came.
        bytes: Bytes,
    },
    /// The whole answer to a POST came as one JSON body, and the exchange is over.
    Answer {
        /// The exchange.
        exchange: ExchangeId,
        /// The body, as it came.
        bytes: Bytes,
        /// The `Mcp-Session-Id` of the response.
        session: Option<Arc<str>>,
    },
    /// The exchange is over.
    Ended {
        /// The exchange.
        exchange: ExchangeId,
        /// How.
        end: End,
    },
}

impl Event {
    /// The exchange it is about.
    pub fn exchange(&self) -> ExchangeId {
        match self {
            Event::Opened { exchange, .. }
            | Event::Endpoint { exchange, .. }
            | Event::Message { exchange, .. }
            | Event::Answer { exchange, .. }
            | Event::Ended { exchange, .. } => *exchange,
        }
    }

    /// Whether nothing follows it on its exchange.
    pub fn is_last(&self) -> bool {
        matches!(self, Event::Answer { .. } | Event::Ended { .. })
    }
}

/// How an exchange ended.
#[derive(Debug, Clone)]
pub enum End {
    /// A response without content, such as 202, to a POST. Holds the status.
    Accepted(u16),
    /// An event stream ended without a transport error, or broke off; see [`StreamEnd::broken`].
    Stream(StreamEnd),
    /// The status was not a success.
    Status(Box<Refusal>),
    /// No byte of the request left this machine.
    Unsent(String),
    /// The connection broke after the request may have left this machine.
    Broken(String),
    /// The limit on waiting ran out.
    Silent(Duration),
    /// A success, but not one the protocol allows; the text says what it was.
    Malformed(String),
    /// The answer is larger than is carried; the text says so.
    TooLarge(String),
    /// A redirect to another origin, which is not followed. Holds that origin.
    Redirected(String),
    /// The remote is not one of 2026-07-28; the text says what shows it.
    NotModern(String),
    /// The HTTP client could not be made from the configuration.
    Unusable(Error),
}

/// How an event stream ended.
#[derive(Debug, Clone, Default)]
pub struct StreamEnd {
    /// Why the connection broke; `None` where the server ended the stream in good order.
    pub broken: Option<String>,
    /// Whether it broke because an event is larger than is carried.
    pub too_large: bool,
    /// The last event id seen, to resume behind (1125:tr, resumability).
    pub last_event_id: Option<Arc<str>>,
    /// The server's `retry` value.
    pub retry: Option<Duration>,
    /// Whether any event, even an empty one, was read.
    pub events: bool,
    /// Whether any of them held a message.
    pub messages: bool,
    /// How long the stream was open.
    pub lived: Duration,
}

/// A response whose status is not a success.
#[derive(Debug, Clone, Default)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// `Retry-After`, as a wait from now.
    pub retry_after: Option<Duration>,
    /// `WWW-Authenticate`, several fields joined by commas.
    pub challenge: Option<Box<str>>,
    /// The command that signs in, where that may help.
    pub sign_in: Option<Box<str>>,
    /// Whether nobody is signed in, or not well enough: what there is to renew has been renewed.
    pub wants_sign_in: bool,
    /// Whether what the endpoint stood for was gone, and a new one is in its place.
    pub is_replaced: bool,
    /// What of Composio's it came from, if it did.
    pub composio: Option<Shape>,
    /// The media type of the body, lower case, without parameters.
    pub content_type: String,
    /// The body, up to 64 KiB.
    pub body: Bytes,
}

/// Which headers and which URL a message is sent with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// Streamable HTTP: to the endpoint itself.
    Streamable {
        /// `Mcp-Session-Id`, if the server gave one (LH-2).
        session: Option<Arc<str>>,
        /// `MCP-Protocol-Version`, once negotiated (LH-3).
        version: Option<Arc<str>>,
    },
    /// HTTP+SSE: to the URL the server named.
    HttpSse {
        /// That URL.
        url: Arc<str>,
    },
    /// Streamable HTTP of 2026-07-28: to the endpoint itself, without a session.
    Modern(Mirrored),
}

/// The members of a modern request that its headers repeat (26:http, MH-3 to MH-7). The values are
/// encoded already; each is a legal header value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mirrored {
    /// `MCP-Protocol-Version`.
    pub version: String,
    /// `Mcp-Method`.
    pub method: String,
    /// `Mcp-Name`.
    pub name: Option<String>,
    /// `Mcp-Param-…`: the part of the header's name that the schema gives, and its value.
    pub params: Vec<(String, String)>,
}

/// A message to send.
#[derive(Debug, Clone)]
pub struct Post {
    /// The exchange this begins.
    pub exchange: ExchangeId,
    /// Where to.
    pub route: Route,
    /// The message.
    pub body: Bytes,
    /// The same, where it has been read already.
    pub message: Option<Box<Message>>,
    /// Ask for a compressed answer: for lists, which are large and never streamed.
    pub compressed: bool,
    /// Send only after the request of this exchange has left (a cancellation).
    pub after: Option<ExchangeId>,
}

/// An event stream to open.
#[derive(Debug, Clone)]
pub struct Get {
    /// The exchange this begins.
    pub exchange: ExchangeId,
    /// Headers. [`Route::HttpSse`] holds no URL yet: the endpoint itself is asked.
    pub route: GetRoute,
    /// `Last-Event-ID`, to resume a stream.
    pub last_event_id: Option<Arc<str>>,
}

/// What a GET is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GetRoute {
    /// The GET stream, or the rest of a response stream, of Streamable HTTP.
    Streamable {
        /// `Mcp-Session-Id`, if the server gave one.
        session: Option<Arc<str>>,
        /// `MCP-Protocol-Version`.
        version: Option<Arc<str>>,
    },
    /// The one stream of HTTP+SSE, whose first event names the URL for sending.
    HttpSse,
    /// What the GET stream is for, from a remote of 2026-07-28, which has none: the translation
    /// answers it with `subscriptions/listen`.
    Modern,
}

/// For the log: a few words, never a body or a URL.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Accepted(status) => write!(f, "HTTP {status} without content"),
            End::Stream(end) => match &end.broken {
                Some(why) => write!(f, "the stream broke: {why}"),
                None => f.write_str("the stream ended"),
            },
            End::Status(refused) => write!(f, "HTTP {}", refused.status),
            End::Silent(limit) => write!(f, "nothing came for {}s", limit.as_secs_f64()),
            End::Unsent(why) => write!(f, "not sent: {why}"),
            End::Broken(why) => write!(f, "broken: {why}"),
            End::Malformed(why) | End::TooLarge(why) | End::NotModern(why) => f.write_str(why),
            End::Redirected(origin) => write!(f, "a redirect to {origin}"),
            End::Unusable(error) => write!(f, "{error}"),
        }
    }
}

impl StreamEnd {
    /// Takes note of a block's id and delay, which count even where it has no data (LH-31).
    pub fn note(&mut self, block: &sse_stream::Sse) {
        self.events = true;
        if let Some(retry) = block.retry {
            self.retry = Some(Duration::from_millis(retry));
        }
        if let Some(id) = &block.id {
            self.last_event_id = (!id.is_empty()).then(|| id.as_str().into());
        }
    }
}
