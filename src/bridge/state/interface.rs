//! What goes into the state machine, and what comes out.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    auth::news::{News, Want},
    bridge::{
        memory::{Memory, Remembered},
        pending::Key,
        tools::Filter,
    },
    config::{Protocol, Strategy},
    era::promised::Promised,
    message::Message,
    remote::event::{Event, ExchangeId, Get, Post},
    time::{Millis, Now},
};

/// What the machine has to know of the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The endpoint's origin, for sentences.
    pub origin: String,
    /// The transports to try.
    pub strategy: Strategy,
    /// The protocol to speak with the remote.
    pub protocol: Protocol,
    /// The transport that worked the last time.
    pub known: Option<Known>,
    /// How long `initialize` may wait for the remote.
    pub grace: Millis,
    /// How long the remote's question in a call may wait for its answer, across eras.
    pub input_wait: Millis,
    /// How long a call may wait for a remote that is not there.
    pub call_wait: Millis,
    /// How long an answer on the stream of HTTP+SSE may take to begin.
    pub answer_wait: Option<Millis>,
    /// How often the remote is pinged.
    pub ping_interval: Option<Millis>,
    /// Which tools are shown.
    pub filter: Filter,
}

/// One of the transports. The era of the remote is its transport's: each has its own way to open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Streamable HTTP, up to 2025-11-25.
    StreamableHttp,
    /// HTTP+SSE.
    HttpSse,
    /// Streamable HTTP of 2026-07-28, without handshake, session and GET stream.
    Modern,
}

/// What is known of an endpoint from earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The transport that worked.
    pub transport: Transport,
    /// When that was found out, by the wall clock.
    pub at: Millis,
}

/// How long it is taken for granted that a remote is legacy: one that has learned 2026-07-28 since
/// still answers `initialize`, so nothing else would show it (MH-52).
const FRESH: Millis = 24 * 60 * 60 * 1000;

impl Known {
    /// Whether the remote was legacy, and not too long ago.
    pub fn is_legacy(&self, now: Now) -> bool {
        self.transport != Transport::Modern && now.wall.saturating_sub(self.at) < FRESH
    }
}

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// A line came from the local client.
    Line(Bytes),
    /// The same, where its message is known already.
    Message(Message),
    /// A line from the local client was longer than the limit, and was skipped.
    LongLine,
    /// The local client has closed our stdin.
    LocalClosed,
    /// The process is to end now.
    Stop,
    /// Something came from the remote.
    Remote(Event),
    /// What was asked for with [`Action::Recall`].
    Recalled(Box<Memory>),
    /// The client has said something that no mere probe says.
    Earnest,
    /// What became of an [`Action::SignIn`], of this machine's or another's.
    SignIn(Box<News>),
    /// A deadline may have passed.
    Tick,
}

/// What is to be done.
#[derive(Debug)]
pub enum Action {
    /// Write a message and a newline to stdout.
    Write(Bytes),
    /// The same, for what the remote says of its own accord: a request, or a notification. With
    /// it goes the request on whose response stream it came.
    Relay(Bytes, Option<Key>),
    /// Send a message.
    Post(Post),
    /// Open an event stream of Streamable HTTP or HTTP+SSE.
    Get(Get),
    /// End a session (LH-55).
    Delete {
        /// The session.
        session: Arc<str>,
        /// The negotiated version.
        version: Option<Arc<str>>,
    },
    /// Stop an exchange; nothing of it is wanted any more.
    Abort(ExchangeId),
    /// Make new connections from now on.
    Renew,
    /// Keep an answer for the next start.
    Remember(Remembered, String),
    /// Keep which transport worked, where it is not the one that is tried first anyway.
    RememberTransport(Known),
    /// The remote is of the other era: these messages of the local client's are unanswered, that
    /// was told in the remote's place, and this machine is of no more use.
    OtherEra(Vec<Message>, Box<Promised>),
    /// A new session is in the place of a lost one: what happened in between was not heard.
    Reconnected,
    /// Sign in; what becomes of it comes as [`Input::SignIn`].
    SignIn(Want),
    /// Bring back what was remembered, as [`Input::Recalled`].
    Recall,
    /// A line for the log, at warn level: something a person should know.
    Warn(String),
    /// Something a person should do: for stderr alone, as it may hold what is good only once.
    Ask(String),
    /// Write what is to be written and end the process.
    Exit,
}
