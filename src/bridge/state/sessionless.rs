//! A local client that speaks 2026-07-28: no handshake, no session, and a remote of which it has
//! to be found out whether it is modern too (26:ver, spec digest 4.7).

use std::borrow::Cow;

use super::{Action, Link, Own, Purpose, Request, Stage, State, Transport};
use crate::{
    bridge::pending::Key,
    config::Protocol,
    era::{
        detect::{Outcome, Verdict, of_discover, of_request, suggests_modern},
        meta,
    },
    error::Kind,
    message::{Message, member, object::Object, unquote},
    protocol::Method,
    remote::{event::End, refusal},
};

pub(super) const DISCOVER: &str = "server/discover";

impl State {
    /// A machine for a modern client that has seen nothing yet.
    pub fn sessionless(settings: super::Settings, now: super::Now) -> Self {
        let is_modern = settings.protocol == Protocol::Modern
            || settings.known.is_some_and(|known| known.transport == Transport::Modern);
        let mut state = State::new(settings, now);
        state.sessionless = true;
        state.connection.transport = Transport::Modern;
        state.link = if is_modern { Link::Ready } else { Link::Trial(None) };
        state
    }

    /// How a request of a modern client is to be treated.
    pub(super) fn modern_method(message: &Message) -> Method {
        let has = |name| message.param(name).is_some();
        match (message.method().as_ref(), Method::of(&message.method())) {
            // What the server wants back may be good for one use alone.
            (_, Method::Read) if has("inputResponses") || has("requestState") => Method::Other,
            // A second one is ignored by design.
            ("tasks/update" | "tasks/cancel", _) => Method::Read,
            (_, method) => method,
        }
    }

    /// A request under trial is on its way.
    pub(super) fn try_era(&mut self, key: Key) {
        if matches!(self.link, Link::Trial(None)) {
            self.link = Link::Trial(Some(key));
        }
    }

    /// A stream has begun for the request under trial: what may come on it may take long.
    pub(super) fn on_trial_opened(&mut self, purpose: Option<Key>) {
        if matches!(self.link, Link::Trial(Some(key)) if Some(key) == purpose) {
            self.link = Link::Trial(None);
            self.advance();
        }
    }

    /// The request under trial is answered, and nobody is wiser: the next one is tried.
    pub(super) fn settle_trial(&mut self) {
        if matches!(self.link, Link::Trial(Some(key)) if self.requests.get(key).is_none()) {
            self.link = Link::Trial(None);
            self.advance();
        }
    }

    /// Looks at an outcome for what it says about the era. Whether that settles the request.
    pub(super) fn judge(&mut self, key: Key, outcome: Outcome<'_>) -> bool {
        let is_trial = matches!(self.link, Link::Trial(_));
        if !is_trial && matches!(outcome, Outcome::Answer(_)) {
            return false;
        }
        let is_asked = self.settings.protocol == Protocol::Auto && self.sessionless;
        let Some(request) = self.requests.get(key).filter(|_| is_asked) else { return false };
        if self.suspects.iter().any(|(suspect, _)| *suspect == key) {
            return false;
        }
        let is_discover = request.message.method() == DISCOVER;
        let verdict = if is_discover {
            of_discover(outcome, &version_of(&request.message))
        } else {
            of_request(outcome)
        };
        match verdict {
            Verdict::Modern if is_trial => {
                self.link = Link::Ready;
                self.remember_transport(false);
                self.advance();
                false
            }
            Verdict::AskForTools if is_trial => self.ask_era(key, outcome),
            // Discovery is refused as nothing modern would refuse it.
            Verdict::Legacy(_) if is_trial && (is_discover || !is_ambiguous(outcome)) => {
                self.leave_to_other_era(Some(key));
                true
            }
            Verdict::Legacy(_) if is_trial || is_suspicious(outcome) => self.ask_era(key, outcome),
            _ => false,
        }
    }

    /// Asks the remote something that only a modern one can answer, before `key` is told that it
    /// was refused.
    fn ask_era(&mut self, key: Key, outcome: Outcome<'_>) -> bool {
        let (Outcome::End(end), Some(request)) = (outcome, self.requests.get_mut(key)) else {
            return false;
        };
        let is_discover = request.message.method() == DISCOVER;
        let all = request.message.param("_meta").and_then(Object::parse).unwrap_or_default();
        let mut own = Object::default();
        for name in [meta::PROTOCOL_VERSION, meta::CLIENT_CAPABILITIES, meta::CLIENT_INFO] {
            if let Some(value) = all.get(name) {
                own.set(name, value.to_owned());
            }
        }
        let params = format!(r#","params":{{"_meta":{own}}}"#);
        request.stage = Stage::Delayed;
        self.suspects.push((key, end.clone()));
        let method = if is_discover { "tools/list" } else { DISCOVER };
        self.ask(Own::Era(key), method, &params);
        true
    }

    /// The remote has answered, or refused, that question.
    pub(super) fn on_era_told(&mut self, key: Key, outcome: Outcome<'_>) {
        let Some(at) = self.suspects.iter().position(|(suspect, _)| *suspect == key) else {
            return;
        };
        let Some(request) = self.requests.get(key) else {
            self.suspects.swap_remove(at);
            return;
        };
        let asked_for_tools = request.message.method() == DISCOVER;
        let verdict = if asked_for_tools {
            of_request(outcome)
        } else {
            of_discover(outcome, &version_of(&request.message))
        };
        let is_legacy = match (verdict, outcome) {
            (Verdict::Legacy(_), _) => true,
            (Verdict::Unknown, Outcome::Answer(_)) => asked_for_tools,
            (Verdict::Modern, _) if matches!(self.link, Link::Trial(_)) => {
                self.link = Link::Ready;
                self.remember_transport(false);
                false
            }
            _ => false,
        };
        if is_legacy {
            return self.leave_to_other_era(Some(key));
        }
        // It stays in the list until its refusal is told, so that it is not doubted again.
        let end = self.suspects[at].1.clone();
        let generation = self.connection.generation;
        self.on_request_ended(key, end, generation);
        self.suspects.retain(|(suspect, _)| *suspect != key);
        self.advance();
    }

    /// Whether a refusal of `initialize` means that the remote is modern, and somebody else's.
    pub(super) fn is_for_other_era(&self, outcome: Outcome<'_>) -> bool {
        self.may_turn && suggests_modern(outcome)
    }

    /// The remote is of the other era, as the fate of the request `of` shows: everything
    /// unanswered is for another machine, but for what may be running.
    pub(super) fn leave_to_other_era(&mut self, of: Option<Key>) {
        let may_run = |request: &Request| {
            let is_harmless = request.method.is_repeatable() || request.method == Method::Listen;
            let is_under_way = |exchange| self.exchanges.contains_key(&exchange);
            !is_harmless && self.sessionless && request.exchange().is_some_and(is_under_way)
        };
        for key in self.requests.keys(may_run) {
            if Some(key) != of
                && let Some(request) = self.requests.get(key)
            {
                let cause = "the server is not one of 2026-07-28 any more";
                let error = self.outcome_unknown(request, Kind::OutcomeUnknown, cause);
                self.fail(key, &error);
            }
        }
        let exchanges: Vec<_> = self.exchanges.keys().copied().collect();
        exchanges.into_iter().for_each(|exchange| self.abort(exchange));
        let keys = self.requests.keys(|_| true);
        let requests = keys.into_iter().filter_map(|key| self.requests.remove(key));
        let messages = requests.map(|request: Request| request.message).collect();
        self.held.clear();
        self.timers.clear();
        self.done = true;
        let promised = std::mem::take(&mut self.signing_in.promised);
        self.act(Action::OtherEra(messages, Box::new(promised)));
    }

    /// What a question about the era came to, where it is one.
    pub(super) fn take_era_question(&mut self, number: u64) -> Option<Key> {
        let at = self.own.iter().position(|(known, _)| *known == number)?;
        let Own::Era(key) = self.own[at].1 else { return None };
        self.own.swap_remove(at);
        Some(key)
    }

    /// The graceful end of a `subscriptions/listen` (MD-42).
    pub(super) fn listen_result(id: &str) -> String {
        let name = meta::SUBSCRIPTION_ID;
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"result":{{"resultType":"complete","_meta":{{"{name}":{id}}}}}}}"#
        )
    }

    /// The request of an exchange.
    pub(super) fn request_of(purpose: Option<&Purpose>) -> Option<Key> {
        purpose.and_then(Purpose::request)
    }
}

/// The protocol version that a request of a modern client is in.
fn version_of(message: &Message) -> Cow<'_, str> {
    let version = message.param("_meta").and_then(|all| member(all, meta::PROTOCOL_VERSION));
    version.map(unquote).unwrap_or_default()
}

/// Whether the refusal of a request may come from a server of either era: its parameters are wrong.
fn is_ambiguous(outcome: Outcome<'_>) -> bool {
    code(outcome).as_deref() == Some("-32602")
}

/// Whether the refusal of a request, by a remote known to be modern, is one that modern servers do
/// not make (MH-53): without a JSON-RPC error, or with one of those that speak of sessions.
fn is_suspicious(outcome: Outcome<'_>) -> bool {
    match code(outcome).and_then(|code| code.parse::<i64>().ok()) {
        None => true,
        Some(code) => (-32019..=-32000).contains(&code) || code == -32600,
    }
}

fn code(outcome: Outcome<'_>) -> Option<String> {
    let Outcome::End(End::Status(refused)) = outcome else { return None };
    let error = refusal::json_rpc_error(refused)?;
    error.error().and_then(|error| member(error, "code")).map(str::to_owned)
}
