//! The handshake: `initialize` on its way, its answer, and what nothing may overtake.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::{
    Action, Purpose, State, Timer, Transport,
    explain::is_passing,
    link::{BARRIER, Link},
};
use crate::{
    era::detect::{Outcome, suggests_modern},
    error::{Error, Kind},
    message::{Message, one_line},
    remote::{
        event::{End, ExchangeId},
        refusal,
    },
    time::Millis,
};

/// How long a remote that has accepted the connection may take to answer `initialize` before a new
/// attempt is made; a server that is started on demand may need most of it.
const HANDSHAKE: Millis = 60_000;

impl State {
    /// Sends `initialize`: the client's own bytes the first time, under an id of ours later.
    pub(super) fn send_initialize(&mut self) {
        let number = self.unique();
        let ours = self.own_id(number);
        let Some(message) = self.local.initialize.clone() else { return };
        let Link::Opening(opening) = &mut self.link else { return };
        let is_first = opening.attempt == 0 && !opening.is_recovery;
        let own = message.id().filter(|_| is_first).map(str::to_owned);
        opening.id = own.unwrap_or(ours);
        let body = if is_first { message.bytes().clone() } else { message.with_id(&opening.id) };
        self.send(Purpose::Initialize, body, false, None);
    }

    /// HTTP+SSE: the URL for sending is known.
    pub(super) fn on_endpoint(&mut self, exchange: ExchangeId, url: Arc<str>) {
        if self.connection.stream != Some(exchange) {
            return;
        }
        let is_first = self.connection.url.replace(url).is_none();
        if matches!(self.link, Link::Opening(_)) && is_first {
            self.send_initialize();
        }
    }

    /// Whether this is the answer to `initialize`.
    pub(super) fn is_handshake_answer(&self, answer: &Message) -> bool {
        let Link::Opening(opening) = &self.link else { return false };
        let is_anonymous = answer.id().is_none_or(|id| id == "null") && answer.error().is_some();
        is_anonymous || answer.id().is_some_and(|id| crate::message::same_id(id, &opening.id))
    }

    /// The remote has answered `initialize`.
    pub(super) fn on_handshake_answer(&mut self, answer: &Message, session: Option<Arc<str>>) {
        let Some(result) = answer.result().map(str::to_owned) else {
            return self.on_handshake_error(answer);
        };
        if session.is_some() {
            self.connection.session = session;
        }
        if self.wants_second_opinion(&result) {
            return self.ask_second_opinion(answer);
        }
        self.remember_transport(false);
        self.accept_handshake(answer);
    }

    /// The handshake is done: `answer` holds its result.
    pub(super) fn accept_handshake(&mut self, answer: &Message) {
        let Link::Opening(opening) = std::mem::replace(&mut self.link, Link::Open) else { return };
        self.learn_initialize(answer.result().unwrap_or_default());
        self.note_token_works();
        self.heard = self.now.mono;
        self.opened = self.now.mono;
        self.served = false;
        self.schedule_ping();
        if opening.is_recovery {
            return self.replay();
        }
        if let Some(initialize) = self.local.take_unanswered() {
            self.local.version =
                self.connection.version.as_ref().map(|version| version.to_string());
            let id = initialize.id().unwrap_or("null");
            let bytes = if answer.id() == Some(id) {
                answer.bytes().clone()
            } else {
                answer.with_id_added(id)
            };
            self.act(Action::Write(one_line(bytes)));
        } else {
            self.note_version_change();
        }
        self.advance();
    }

    pub(super) fn note_version_change(&mut self) {
        let told = self.local.version.as_deref().unwrap_or_default();
        let spoken = self.connection.version.as_deref().unwrap_or_default();
        if told != spoken {
            let text =
                format!("the remote speaks protocol version {spoken}, the client was told {told}");
            self.act(Action::Warn(text));
        }
    }

    fn on_handshake_error(&mut self, answer: &Message) {
        if self.take_legacy_answer(false) {
            return;
        }
        let text = answer.error().and_then(|error| crate::message::member(error, "message"));
        let text = text.map(crate::message::unquote).unwrap_or_default().into_owned();
        let error = Error::new(Kind::Protocol, self.connect_attempt()).because(text);
        if self.is_for_other_era(Outcome::Answer(answer)) {
            return self.leave_to_other_era(None);
        }
        let transport = self.connection.transport;
        let Link::Opening(opening) = &mut self.link else { return };
        opening.answer = Some(answer.clone());
        opening.failures.push((transport, error.clone()));
        let is_untried = opening.failures.iter().all(|(tried, _)| *tried != Transport::Modern);
        let may_be_modern = suggests_modern(Outcome::Answer(answer)) && is_untried;
        if may_be_modern && self.transports().contains(&Transport::Modern) {
            self.lean_to_modern();
            self.forget_connection();
            return self.open_with(Transport::Modern);
        }
        self.refused(error);
    }

    /// An exchange of the handshake has ended without an answer to `initialize`.
    pub(super) fn on_handshake_ended(&mut self, purpose: &Purpose, end: End) {
        let is_sse = self.connection.transport == Transport::HttpSse;
        if is_sse && matches!((purpose, &end), (Purpose::Initialize, End::Accepted(_))) {
            return;
        }
        if self.take_legacy_answer(matches!(end, End::NotModern(_))) {
            return;
        }
        if self.is_for_other_era(Outcome::End(&end)) {
            return self.leave_to_other_era(None);
        }
        if self.sign_in_for_handshake(&end) || self.open_if_replaced(&end) {
            return;
        }
        let error = self.explain_refusal(&self.connect_attempt(), &end);
        if matches!(end, End::Unusable(_)) {
            // A key store may be unlocked, or a file put in order, before the next try.
            self.act(Action::Renew);
        }
        let transport = self.connection.transport;
        let Link::Opening(opening) = &mut self.link else { return };
        opening.failures.push((transport, error.clone()));
        if let End::Status(refused) = &end
            && opening.answer.is_none()
        {
            opening.answer = refusal::json_rpc_error(refused);
        }
        let tried: Vec<Transport> = opening.failures.iter().map(|(tried, _)| *tried).collect();
        if let Some(next) = self.next_transport(&tried, purpose, &end) {
            if suggests_modern(Outcome::End(&end)) {
                self.lean_to_modern();
            }
            self.forget_connection();
            return self.open_with(next);
        }
        let comes_later = is_passing(&end) || self.sign_in_rests();
        if comes_later { self.try_later(error) } else { self.refused(error) }
    }

    /// The remote has had its time to answer `initialize`.
    pub(super) fn on_handshake_due(&mut self, generation: u32) {
        if generation == self.connection.generation && matches!(self.link, Link::Opening(_)) {
            let end = End::Silent(Duration::from_millis(self.handshake_limit()));
            self.on_handshake_ended(&Purpose::Initialize, end);
        }
    }

    pub(super) fn handshake_limit(&self) -> Millis {
        self.settings.answer_wait.map_or(HANDSHAKE, |wait| wait.min(HANDSHAKE))
    }

    pub(super) fn confirm(&mut self, bytes: Bytes) {
        self.link = Link::Confirming;
        self.send(Purpose::Initialized(bytes.clone()), bytes, false, None);
        self.after(BARRIER, Timer::Barrier(self.connection.generation));
    }

    /// `notifications/initialized` has arrived, or was waited for long enough.
    pub(super) fn confirmed(&mut self) {
        if !matches!(self.link, Link::Confirming) {
            return;
        }
        self.link = Link::Ready;
        self.start_listening();
        self.catch_up();
        self.announce_replacement();
        self.advance();
    }

    pub(super) fn on_barrier_due(&mut self, generation: u32) {
        if generation == self.connection.generation {
            self.confirmed();
        }
    }
}
