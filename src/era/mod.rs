//! The two eras of the protocol, and the way between them. Everything here is pure.
//!
//! The *legacy* revisions (2024-11-05 to 2025-11-25) open with `initialize`; the *modern* one
//! (2026-07-28) carries its metadata with each request. The state machine of
//! [`bridge::state`](crate::bridge::state) speaks either; what it cannot speak is put between it
//! and the other side:
//!
//! ```text
//!   legacy client, legacy remote     local ──────────── state ─────────────────────── transports
//!   modern client, modern remote     local ──────────── state ─────────────── wire ── transports
//!   legacy client, modern remote     local ──────────── state ── to_modern ── wire ── transports
//!   modern client, legacy remote     local ─ to_legacy ─ state ─────────────────────── transports
//! ```
//!
//! [`wire`] is what a modern remote needs of any client: the headers that repeat members of the
//! body, their repair, and listen streams that outlive a connection. [`to_modern`] makes a modern
//! remote look like a legacy one to the state machine, [`to_legacy`] makes a modern client look
//! like a legacy one. [`detect`] says which era a remote is of, [`version`] which versions are served;
//! [`header`] and [`mirror`] make the headers that repeat members of the body. [`promised`] is what a
//! modern client was told while nobody could be asked.

pub mod detect;
pub mod header;
pub mod mirror;
pub mod promised;
pub mod to_legacy;
pub mod to_modern;
#[cfg(test)]
mod transcript;
pub mod version;
pub mod wire;

use crate::{
    remote::event::{Event, ExchangeId, Get, Post},
    time::{Millis, Now},
};

/// The reserved members of `_meta` (26:base, 26:subs).
pub mod meta {
    /// The protocol version of a request.
    pub const PROTOCOL_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
    /// What the client can do, for this request.
    pub const CLIENT_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
    /// Who the client is.
    pub const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
    /// The least severe log message wanted while the request runs.
    pub const LOG_LEVEL: &str = "io.modelcontextprotocol/logLevel";
    /// Which `subscriptions/listen` a message belongs to.
    pub const SUBSCRIPTION_ID: &str = "io.modelcontextprotocol/subscriptionId";
    /// Who the server is.
    pub const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";
}

/// Something between the state machine and the transports. It is asked to do what a transport
/// does, and reports what a transport reports; what it asks of the layer below, or of the
/// transports, it gives as [`Step`]s.
pub trait Layer {
    /// The layer above sends a message.
    fn post(&mut self, post: Post, now: Now, steps: &mut Vec<Step>);
    /// The layer above wants the server's own stream.
    fn get(&mut self, get: Get, now: Now, steps: &mut Vec<Step>);
    /// The layer above wants nothing more of an exchange.
    fn abort(&mut self, exchange: ExchangeId, now: Now, steps: &mut Vec<Step>);
    /// The layer below reports something about an exchange that this layer began.
    fn event(&mut self, event: Event, now: Now, steps: &mut Vec<Step>);
    /// A deadline may have passed.
    fn tick(&mut self, now: Now, steps: &mut Vec<Step>);
    /// When [`Layer::tick`] is due, if nothing else happens before.
    fn next_deadline(&self) -> Option<Millis>;
}

/// What a [`Layer`] wants.
#[derive(Debug)]
pub enum Step {
    /// Report this to the layer above, about an exchange that it began.
    Up(Event),
    /// Send a message.
    Post(Post),
    /// Stop an exchange that this layer began.
    Abort(ExchangeId),
    /// A line for the log, at warn level: something a person should know.
    Warn(String),
}
