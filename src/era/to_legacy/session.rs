//! The legacy session: opened at the first need, for what that request can do (XB-1 to XB-4).

use bytes::Bytes;

use super::{
    ToLegacy,
    call::Call,
    capabilities::declared,
    discover::Remote,
    log::Log,
    request::{Method, Params},
    result::{error, error_response},
};
use crate::{
    era::meta,
    error::{Error, Kind},
    message::Message,
    protocol::LEGACY_VERSIONS,
};

/// The session, as far as the client's side of it goes.
#[derive(Debug)]
pub(super) struct Session {
    phase: Phase,
    /// The `clientCapabilities` it was opened for.
    asked: Bytes,
    /// What of those it was told.
    declared: String,
    /// Opened by `server/discover` alone: nothing has run in it.
    is_provisional: bool,
    /// What the remote said of itself.
    pub remote: Option<Remote>,
    /// Whether the remote has a stream to bring what it says of its own accord, once that is known.
    pub listening: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Closed,
    /// `initialize` of this number waits for its answer.
    Opening(u64),
    Open,
}

impl Default for Session {
    fn default() -> Self {
        Session {
            phase: Phase::Closed,
            asked: Bytes::new(),
            declared: String::new(),
            is_provisional: false,
            remote: None,
            listening: None,
        }
    }
}

impl Session {
    pub(super) fn is_opening(&self, number: u64) -> bool {
        self.phase == Phase::Opening(number)
    }

    pub(super) fn waits(&self) -> bool {
        matches!(self.phase, Phase::Opening(_))
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether the remote can bring changes, as far as is known.
    pub(super) fn can_listen(&self) -> bool {
        self.listening != Some(false)
    }

    /// Whether it promises to, and has not shown yet whether it can.
    pub(super) fn is_promising(&self) -> bool {
        let promises = |remote: &Remote| {
            ["tools", "prompts", "resources"].iter().any(|list| remote.announces(list))
                || remote.has_subscribe()
        };
        self.listening.is_none() && self.remote.as_ref().is_some_and(promises)
    }

    /// Whether the remote was told that the client has roots.
    pub(super) fn has_roots(&self) -> bool {
        crate::message::member(&self.declared, "roots").is_some()
    }

    /// Whether a call may run in the session as it is. The first one settles that (XB-3).
    fn settle(&mut self, call: &Call) -> bool {
        if !self.is_provisional || call.method == Method::Discover {
            return true;
        }
        let fits =
            call.capabilities == self.asked || declared(call.capabilities()) == self.declared;
        self.is_provisional = !fits;
        fits
    }
}

impl ToLegacy {
    /// The remote has said of itself what only the state machine saw: it had answered `initialize`
    /// in the remote's place before, or has opened a new session. Later answers to
    /// `server/discover` are made of that.
    pub fn learn_remote(&mut self, initialize_result: &str) {
        if let (true, Ok(remote)) = (self.session.is_open(), Remote::new(initialize_result)) {
            self.session.remote = Some(remote);
        }
    }

    /// Whether there is a session that the call may run in; if not, one is on its way.
    pub(super) fn has_session_for(&mut self, index: usize) -> bool {
        let Some(waiting) = self.waiting.get(index) else { return false };
        if self.session.is_open() && self.session.settle(&waiting.call) {
            return true;
        }
        if !self.session.waits() {
            let (message, capabilities) =
                (waiting.call.message.clone(), waiting.call.capabilities.clone());
            self.open_session(&message, capabilities, waiting.call.method == Method::Discover);
        }
        false
    }

    fn open_session(&mut self, message: &Message, asked: Bytes, is_provisional: bool) {
        let number = self.unique();
        let id = self.own_token(number);
        let declared = declared(std::str::from_utf8(&asked).unwrap_or_default());
        let params = Params::of(message);
        let own =
            concat!(r#"{"name":"composio-bridge","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#);
        let info = params.meta(meta::CLIENT_INFO).filter(|info| info.starts_with('{'));
        self.say(format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"initialize","params":{{"protocolVersion":"{}","capabilities":{declared},"clientInfo":{}}}}}"#,
            LEGACY_VERSIONS[0],
            info.unwrap_or(own),
        ));
        self.log = Log::default();
        let listening = self.session.listening;
        self.session = Session {
            phase: Phase::Opening(number),
            asked,
            declared,
            is_provisional,
            remote: None,
            listening,
        };
    }

    pub(super) fn on_initialize_answer(&mut self, answer: &Message) {
        if let Some(failure) = answer.error() {
            let failure = error(failure);
            return self.fail_session(|id| error_response(id, &failure));
        }
        match Remote::new(answer.result().unwrap_or_default()) {
            Ok(remote) => {
                self.session.phase = Phase::Open;
                self.session.remote = Some(remote);
                self.say(&br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#[..]);
                self.pump();
            }
            Err(version) => {
                let error = Error::new(Kind::Protocol, "could not open a session on the remote")
                    .because(format!("it speaks the unknown protocol version `{version}`"))
                    .hint(format!("the bridge speaks {}", LEGACY_VERSIONS.join(", ")));
                self.fail_session(|id| error.response(Some(id)));
            }
        }
    }

    /// Answers what has waited; the next request tries again.
    fn fail_session(&mut self, failure: impl Fn(&str) -> Bytes) {
        self.session.phase = Phase::Closed;
        for waiting in std::mem::take(&mut self.waiting) {
            self.tell(failure(waiting.call.id()));
        }
    }
}
