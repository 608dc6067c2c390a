//! A modern client, as a legacy client to the state machine (quadrant B, spec digest 6B).

use bytes::Bytes;

use crate::{
    bridge::{Millis, state::Now},
    message::Message,
};

/// What the translation wants.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// Write this to the local client.
    Local(Bytes),
    /// Say this to the state machine, as a legacy client would on a line of its own.
    Core(Bytes),
    /// A line for the log, at warn level: something a person should know.
    Warn(String),
}

/// The translation for a modern client.
#[derive(Debug)]
pub struct ToLegacy {}

impl ToLegacy {
    /// A translation whose `requestState`s nobody can guess who does not know `secret`, and whose
    /// made-up request ids begin with `own_id`.
    pub fn new(secret: [u8; 32], own_id: &str) -> Self {
        let _ = (secret, own_id);
        ToLegacy {}
    }

    /// The client says something: a request with valid modern metadata, or a notification.
    pub fn on_local(&mut self, message: Message, now: Now, turns: &mut Vec<Turn>) {
        let _ = (message, now, turns);
    }

    /// The state machine says something to its legacy client. `during` is the raw id of the request
    /// whose own response stream brought it, where there is one.
    pub fn on_core(
        &mut self,
        message: Message,
        during: Option<&str>,
        now: Now,
        turns: &mut Vec<Turn>,
    ) {
        let _ = (message, during, now, turns);
    }

    /// A deadline may have passed.
    pub fn tick(&mut self, now: Now, turns: &mut Vec<Turn>) {
        let _ = (now, turns);
    }

    /// When [`ToLegacy::tick`] is due, if nothing else happens before.
    pub fn next_deadline(&self) -> Option<Millis> {
        None
    }

    /// The client has gone: whatever the server still waits for is called off (XB-50).
    pub fn close(&mut self, now: Now, turns: &mut Vec<Turn>) {
        let _ = (now, turns);
    }

    /// The requests that have not reached the remote, taken out: it turned out to be modern.
    pub fn take_unsent(&mut self) -> Vec<Message> {
        Vec::new()
    }
}
