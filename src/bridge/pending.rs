//! The requests that wait for an answer, in both directions. Pure.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;

use crate::{
    message::{Message, same_id},
    remote::event::ExchangeId,
};
use crate::{protocol::Method, time::Millis};

/// Names one request of the local client, whatever its id.
pub type Key = u64;

/// How many times a request is sent again before its failure is the answer.
pub const MAX_REPEATS: u8 = 3;

/// The same where each time costs a new session.
pub const MAX_SESSIONS: u8 = 2;

/// A request of the local client that has no answer yet.
#[derive(Debug)]
pub struct Request {
    /// The request, as it came.
    pub message: Message,
    /// Its method.
    pub method: Method,
    /// Where it is.
    pub stage: Stage,
    /// The id it was sent under, where that is not its own (a repetition within a session).
    pub remote_id: Option<String>,
    /// How often it was sent again.
    pub repeats: u8,
    /// When it is given up.
    pub deadline: Option<Millis>,
    /// When it came.
    pub since: Millis,
    /// The batch it came in.
    pub batch: Option<u64>,
    /// The page asked for, in a list.
    pub cursor: String,
}

/// Where a request is.
#[derive(Debug)]
pub enum Stage {
    /// Waiting for the remote to be ready.
    Held,
    /// On its way, or being answered.
    Sent(ExchangeId),
    /// Its response stream broke and will be, or is being, resumed.
    Resuming(Resume),
    /// Waiting before it is sent again.
    Delayed,
}

/// A response stream between two connections.
#[derive(Debug, Clone)]
pub struct Resume {
    /// The exchange that reads on, once there is one.
    pub exchange: Option<ExchangeId>,
    /// Where to read on.
    pub last_event_id: Arc<str>,
    /// The server's own wait.
    pub retry: Option<Duration>,
    /// The session it belongs to: another one cannot resume it.
    pub generation: u32,
    /// How many attempts brought nothing.
    pub attempts: u32,
    /// When something last came.
    pub since: Millis,
}

impl Request {
    /// The id, as the local client spelled it.
    pub fn id(&self) -> &str {
        self.message.id().unwrap_or("null")
    }

    /// The id, as the remote knows it.
    pub fn id_at_remote(&self) -> &str {
        self.remote_id.as_deref().unwrap_or_else(|| self.id())
    }

    /// The exchange that may bring its answer.
    pub fn exchange(&self) -> Option<ExchangeId> {
        match &self.stage {
            Stage::Sent(exchange) => Some(*exchange),
            Stage::Resuming(resume) => resume.exchange,
            Stage::Held | Stage::Delayed => None,
        }
    }

    /// The bytes to send.
    pub fn bytes(&self) -> Bytes {
        match &self.remote_id {
            Some(id) => self.message.with_id(id),
            None => self.message.bytes().clone(),
        }
    }
}

/// All requests of the local client that have no answer yet.
#[derive(Debug, Default)]
pub struct Requests {
    all: BTreeMap<Key, Request>,
    next: Key,
}

impl Requests {
    /// Adds one.
    pub fn insert(&mut self, request: Request) -> Key {
        self.next += 1;
        self.all.insert(self.next, request);
        self.next
    }

    /// One of them.
    pub fn get(&self, key: Key) -> Option<&Request> {
        self.all.get(&key)
    }

    /// One of them, to change.
    pub fn get_mut(&mut self, key: Key) -> Option<&mut Request> {
        self.all.get_mut(&key)
    }

    /// Takes one out: it has its answer, or needs none any more.
    pub fn remove(&mut self, key: Key) -> Option<Request> {
        self.all.remove(&key)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Those that fulfil a condition, oldest first.
    pub fn keys(&self, mut condition: impl FnMut(&Request) -> bool) -> Vec<Key> {
        let chosen = self.all.iter().filter(|(_, request)| condition(request));
        let mut keys: Vec<Key> = chosen.map(|(key, _)| *key).collect();
        keys.sort_unstable();
        keys
    }

    /// The oldest request that the remote knows by this id.
    pub fn by_remote_id(&self, id: &str) -> Option<Key> {
        self.by(id, Request::id_at_remote)
    }

    /// The oldest request that the local client knows by this id.
    pub fn by_local_id(&self, id: &str) -> Option<Key> {
        self.by(id, Request::id)
    }

    fn by<'a>(&'a self, id: &str, name: impl Fn(&'a Request) -> &'a str) -> Option<Key> {
        let exact = self.all.iter().filter(|(_, request)| name(request) == id);
        exact.map(|(key, _)| *key).min().or_else(|| {
            let alike = self.all.iter().filter(|(_, request)| same_id(name(request), id));
            alike.map(|(key, _)| *key).min()
        })
    }
}

/// A request of the remote that the local client has not answered yet.
#[derive(Debug, PartialEq, Eq)]
pub struct Inbound {
    /// The id the local client was given.
    pub local_id: String,
    /// The id the remote used.
    pub remote_id: String,
    /// The session it belongs to.
    pub generation: u32,
}

/// All requests of the remote that the local client has not answered yet.
#[derive(Debug, Default)]
pub struct Inbounds(Vec<Inbound>);

impl Inbounds {
    /// Adds one.
    pub fn insert(&mut self, inbound: Inbound) {
        self.0.push(inbound);
    }

    /// Whether the local client already has an unanswered request with this id.
    pub fn has_local(&self, id: &str) -> bool {
        self.0.iter().any(|inbound| same_id(&inbound.local_id, id))
    }

    /// Takes out the one the local client answers with this id.
    pub fn take_local(&mut self, id: &str) -> Option<Inbound> {
        let at = self.0.iter().position(|inbound| same_id(&inbound.local_id, id))?;
        Some(self.0.remove(at))
    }

    /// Takes out the one the remote knows by this id in a session: each counts from the start.
    pub fn take_remote(&mut self, id: &str, generation: u32) -> Option<Inbound> {
        let is_it =
            |inbound: &Inbound| inbound.generation == generation && same_id(&inbound.remote_id, id);
        let at = self.0.iter().position(is_it)?;
        Some(self.0.remove(at))
    }

    /// Takes out all.
    pub fn drain(&mut self) -> Vec<Inbound> {
        std::mem::take(&mut self.0)
    }
}

/// The answers to one batch (0326:base), written together.
#[derive(Debug, Default)]
pub struct Batch {
    /// How many answers are missing.
    pub missing: usize,
    /// Those that have come.
    pub answers: Vec<Bytes>,
}

impl Batch {
    /// The array of all answers.
    pub fn join(&self) -> Bytes {
        let mut joined = vec![b'['];
        joined.extend_from_slice(&self.answers.join(&b','));
        joined.push(b']');
        joined.into()
    }
}
