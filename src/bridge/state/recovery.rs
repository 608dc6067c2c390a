//! A session ends, or the stream of HTTP+SSE does: one new handshake, whoever noticed.

use bytes::Bytes;

use super::{Action, Held, Link, Own, State, Timer, Transport, link::Opening};
use crate::{
    bridge::pending::{Key, MAX_REPEATS, Request, Stage},
    error::Kind,
    message::one_line,
    protocol::List,
    remote::event::{End, Refusal},
};

/// How long a new session is waited for to take in what the old one knew.
const REPLAY: u64 = 10_000;

/// A session that ends sooner, and then the next one too, is no accident: no more are opened at
/// once.
const SETTLED: u64 = 10_000;

impl State {
    /// The session of `generation` is gone. Only the first to notice starts anything (LH-51).
    pub(super) fn lose_session(&mut self, generation: u32, cause: &str) {
        let had_connection =
            matches!(self.link, Link::Open | Link::Confirming | Link::Replaying(_) | Link::Ready);
        if generation != self.connection.generation || !had_connection || self.sessionless {
            return;
        }
        self.forget_inbounds();
        if matches!(self.link, Link::Confirming)
            && let Some(bytes) = self.local.initialized.clone()
        {
            self.held.push_front(Held::Initialized(bytes));
        }
        let is_recovery =
            self.local.initialized.is_some() && !matches!(self.link, Link::Confirming);
        self.own.clear();
        let was_sse = self.is_sse();
        // Attempt 0 would repeat the id of the first handshake, which is free again; recovery
        // never does.
        let opening =
            Opening { is_recovery, attempt: u32::from(!is_recovery), ..Opening::default() };
        let lived = self.now.mono.saturating_sub(self.opened);
        self.short_sessions = match (lived < SETTLED, self.served) {
            (false, _) => 0,
            // What brings something is worth having at once; the wait only does not grow.
            (true, true) => (self.short_sessions + 1).min(2),
            (true, false) => self.short_sessions + 1,
        };
        match self.short_sessions.checked_sub(2) {
            None => self.open(opening),
            Some(repeats) => self.open_later(opening, repeats, cause),
        }
        if was_sse {
            self.settle_lost_answers(cause);
        }
    }

    /// What the endpoint stood for is another now: connections to it are made anew.
    pub(super) fn renew_if_replaced(&mut self, refused: &Refusal) {
        if refused.is_replaced {
            self.act(Action::Renew);
            // Who has been told nothing yet need not hear that it changes.
            self.is_replaced |= self.local.is_answered;
        }
    }

    /// The same during a handshake, which begins again. Whether it does.
    pub(super) fn open_if_replaced(&mut self, end: &End) -> bool {
        let End::Status(refused) = end else { return false };
        if !refused.is_replaced {
            return false;
        }
        let Link::Opening(opening) = &self.link else { return false };
        let opening = opening.clone();
        self.renew_if_replaced(refused);
        self.open(opening);
        true
    }

    /// The remote that asked is gone; the client need not bother a person any more.
    pub(super) fn forget_inbounds(&mut self) {
        for inbound in self.inbounds.drain() {
            let id = inbound.local_id;
            let text = format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id},"reason":"the session ended"}}}}"#
            );
            self.act(Action::Write(text.into()));
        }
    }

    /// HTTP+SSE: with the stream every answer is gone that was to come on it.
    pub(super) fn settle_lost_answers(&mut self, cause: &str) {
        // A POST that has no response yet may still be refused, and then did not run.
        let is_accepted = |request: &Request| match &request.stage {
            Stage::Sent(exchange) => !self.exchanges.contains_key(exchange),
            _ => false,
        };
        for key in self.requests.keys(is_accepted) {
            self.settle_lost_answer(key, cause);
        }
    }

    /// HTTP+SSE: the answer to an accepted request will not come.
    pub(super) fn settle_lost_answer(&mut self, key: Key, cause: &str) {
        let Some(request) = self.requests.get_mut(key) else { return };
        if request.method.is_repeatable() && request.repeats < MAX_REPEATS {
            request.repeats += 1;
            return self.hold_or_submit(key);
        }
        let Some(request) = self.requests.get(key) else { return };
        let error = self.outcome_unknown(request, Kind::SessionLost, cause);
        self.fail(key, &error);
    }

    /// Tells a new session what the old one knew (LH-52).
    pub(super) fn replay(&mut self) {
        let body = self.local.initialized.clone().unwrap_or_else(|| {
            Bytes::from_static(br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#)
        });
        self.link = Link::Replaying(1);
        self.send(super::Purpose::Initialized(body.clone()), body, false, None);
        self.after(REPLAY, Timer::Replay(self.connection.generation));
    }

    /// The new session has taken `notifications/initialized`.
    pub(super) fn on_replay_confirmed(&mut self) {
        let messages: Vec<_> = self
            .local
            .log_level
            .iter()
            .chain(self.local.subscriptions.iter().map(|(_, message)| message))
            .cloned()
            .collect();
        self.link = Link::Replaying(messages.len());
        for message in &messages {
            self.ask_again(Own::Replay, message);
        }
        if messages.is_empty() {
            self.recovered();
        }
    }

    /// The new session has taken in one thing.
    pub(super) fn on_replayed(&mut self) {
        if let Link::Replaying(missing) = &mut self.link {
            *missing = missing.saturating_sub(1);
            if *missing == 0 {
                self.recovered();
            }
        }
    }

    pub(super) fn on_replay_due(&mut self, generation: u32) {
        if generation == self.connection.generation && matches!(self.link, Link::Replaying(_)) {
            self.recovered();
        }
    }

    fn recovered(&mut self) {
        self.link = Link::Ready;
        self.note_version_change();
        self.start_listening();
        self.catch_up();
        self.act(Action::Reconnected);
        for list in self.connection.list_changed.clone() {
            self.announce_change(list);
        }
        self.is_replaced &= !self.connection.list_changed.contains(&List::Tools);
        self.announce_replacement();
        // Whatever was held goes first, in its order; the confirmation has been replayed.
        self.held.retain(|held| !matches!(held, Held::Initialized(_)));
        self.advance();
    }

    /// Where the bridge has replaced what the endpoint stood for, it is the one who knows, whatever
    /// the remote declares.
    pub(super) fn announce_replacement(&mut self) {
        if std::mem::take(&mut self.is_replaced) {
            self.announce_change(List::Tools);
        }
    }

    /// Tells the client that a list is not what it was.
    pub(super) fn announce_change(&mut self, list: List) {
        let name = list.name();
        let text = format!(r#"{{"jsonrpc":"2.0","method":"notifications/{name}/list_changed"}}"#);
        self.act(Action::Write(one_line(text.into())));
    }

    /// Whether the transport is HTTP+SSE.
    pub(super) fn is_sse(&self) -> bool {
        self.connection.transport == Transport::HttpSse
    }
}
