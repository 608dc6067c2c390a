//! What comes from the remote.

use std::sync::Arc;

use bytes::Bytes;
use tracing::debug;

use super::{Action, OneWay, Own, Purpose, State, Timer};
use crate::{
    bridge::pending::{Inbound, Key},
    era::detect::Outcome,
    error::{Error, Kind},
    message::{self, Message, elements, one_line, unquote},
    remote::{
        backoff::CONNECT,
        event::{End, Event, ExchangeId},
        refusal,
    },
};

/// How often an answer to the remote is sent again when the network fails (LH-61).
const MAX_TRIES: u8 = 5;

/// What brought a message.
#[derive(Clone)]
enum Carrier {
    /// An event of a stream.
    Stream,
    /// The body of a response, which named this session.
    Body(Option<Arc<str>>),
}

impl Carrier {
    fn session(self) -> Option<Arc<str>> {
        match self {
            Carrier::Stream => None,
            Carrier::Body(session) => session,
        }
    }
}

impl State {
    pub(super) fn on_event(&mut self, event: Event) {
        match event {
            Event::Opened { exchange, session } => self.on_opened(exchange, session),
            Event::Endpoint { exchange, url } => self.on_endpoint(exchange, url),
            Event::Message { exchange, bytes } => {
                self.heard = self.now.mono;
                self.extend_deadlines(exchange);
                if let Some((purpose, generation)) = self.exchanges.get(&exchange).cloned() {
                    self.on_bytes(&purpose, generation, bytes, Carrier::Stream);
                }
            }
            Event::Answer { exchange, bytes, session } => {
                self.heard = self.now.mono;
                // The exchange is over before its answer is looked at: nothing is left to abort.
                if let Some((purpose, generation)) = self.exchanges.remove(&exchange) {
                    self.on_bytes(&purpose, generation, bytes, Carrier::Body(session));
                    self.on_ended(exchange, purpose, generation, None);
                }
            }
            Event::Ended { exchange, end } => {
                if let Some((purpose, generation)) = self.exchanges.remove(&exchange) {
                    self.on_ended(exchange, purpose, generation, Some(end));
                }
            }
        }
    }

    fn on_opened(&mut self, exchange: ExchangeId, session: Option<Arc<str>>) {
        let purpose = self.exchanges.get(&exchange).map(|(purpose, _)| purpose);
        self.on_trial_opened(Self::request_of(purpose));
        match self.exchanges.get(&exchange) {
            Some((Purpose::Initialize, _)) if session.is_some() => {
                self.connection.session = session
            }
            Some((Purpose::Listen, _)) => self.listen.opened(),
            _ => {}
        }
    }

    /// One message, or an array of them (0326:base).
    fn on_bytes(&mut self, purpose: &Purpose, generation: u32, bytes: Bytes, carrier: Carrier) {
        if bytes.trim_ascii_start().first() != Some(&b'[') {
            return self.on_remote_text(purpose, generation, bytes, carrier);
        }
        let Some(items) = elements(&bytes) else {
            return self.on_unreadable(purpose, &carrier, "an array that is not valid JSON");
        };
        for item in items {
            let item = bytes.slice_ref(item.get().as_bytes());
            self.on_remote_text(purpose, generation, item, carrier.clone());
        }
    }

    fn on_remote_text(
        &mut self,
        purpose: &Purpose,
        generation: u32,
        bytes: Bytes,
        carrier: Carrier,
    ) {
        let parsed = Message::parse(bytes);
        if let Ok(message) = &parsed {
            debug!("the remote says {}", message.summary());
        }
        match parsed {
            Ok(message) => match message.kind() {
                message::Kind::Response => self.on_response(purpose, &message, carrier.session()),
                message::Kind::Request => self.on_inbound(message, purpose, generation),
                message::Kind::Notification => {
                    self.on_remote_notification(&message, purpose, generation);
                }
            },
            Err(invalid) => self.on_unreadable(purpose, &carrier, &invalid.to_string()),
        }
    }

    /// Something that is no message. A body is an error for the request it came for; on a stream
    /// the answer may still follow, and the end of the stream tells if it does not.
    fn on_unreadable(&mut self, purpose: &Purpose, carrier: &Carrier, why: &str) {
        let cause = format!("the answer is {why}");
        match purpose {
            Purpose::Request(key) | Purpose::Resume(key) if matches!(carrier, Carrier::Body(_)) => {
                let error = Error::new(Kind::Protocol, self.attempted(*key)).because(cause);
                self.fail(*key, &error);
            }
            Purpose::Initialize => self.on_handshake_ended(purpose, End::Malformed(cause)),
            Purpose::OneWay(_) | Purpose::Initialized(_) | Purpose::Own(_) => {
                debug!(why, "ignored the body of an answer that needs none");
            }
            Purpose::Request(_) | Purpose::Resume(_) | Purpose::Listen | Purpose::Stream => {
                self.act(Action::Warn(format!("ignored a message of the remote: it is {why}")));
            }
        }
    }

    fn on_response(&mut self, purpose: &Purpose, answer: &Message, session: Option<Arc<str>>) {
        let may_be_handshake = matches!(purpose, Purpose::Initialize | Purpose::Stream);
        if may_be_handshake && self.is_handshake_answer(answer) {
            return self.on_handshake_answer(answer, session);
        }
        let id = answer.id().map(unquote).unwrap_or_default();
        let number = self.own_number(&id);
        if let Some(key) = number.and_then(|number| self.take_era_question(number)) {
            return self.on_era_told(key, Outcome::Answer(answer));
        }
        if let Some(number) = number
            && self.take_own(number, Some(answer))
        {
            return;
        }
        let expected = match purpose {
            Purpose::Request(key) | Purpose::Resume(key) => self.requests.get(*key).map(|_| *key),
            _ => None,
        };
        if let Some(key) = expected.filter(|_| self.sessionless)
            && self.judge(key, Outcome::Answer(answer))
        {
            return;
        }
        if !self.route_answer(expected, answer)
            && let Some(key) = expected
            && matches!(purpose, Purpose::Request(_))
            && self.requests.get(key).is_some()
        {
            debug!("an answer under another id than that of its request");
        }
    }

    /// A request of the bridge's own has its answer, or will have none.
    fn take_own(&mut self, number: u64, answer: Option<&Message>) -> bool {
        let Some(at) = self.own.iter().position(|(known, _)| *known == number) else {
            return false;
        };
        match self.own.swap_remove(at).1 {
            Own::Ping => self.unanswered_pings = 0,
            Own::Era(_) => {}
            Own::Replay => self.on_replayed(),
            Own::Compare(list) => self.on_compared(list, answer),
        }
        true
    }

    /// The remote asks the local client something. Its bytes pass as they are, unless the client
    /// still has an unanswered request of the same id, from an earlier session.
    fn on_inbound(&mut self, message: Message, purpose: &Purpose, generation: u32) {
        self.served = true;
        if generation != self.connection.generation {
            // Its answer could not be sent any more, so nobody is bothered with it.
            debug!("ignored a request of an earlier session");
            return;
        }
        let remote_id = message.id().unwrap_or("null").to_owned();
        let clashes = self.inbounds.has_local(&remote_id);
        let local_id = if clashes {
            {
                let number = self.unique();
                self.own_id(number)
            }
        } else {
            remote_id.clone()
        };
        let bytes = if clashes { message.with_id(&local_id) } else { message.bytes().clone() };
        self.inbounds.insert(Inbound { local_id, remote_id, generation });
        self.act(Action::Relay(one_line(bytes), purpose.request()));
    }

    fn on_remote_notification(&mut self, message: &Message, purpose: &Purpose, generation: u32) {
        self.served = true;
        if purpose.request().is_some_and(|key| self.is_acknowledged_again(key, message)) {
            return;
        }
        let mut bytes = message.bytes().clone();
        if message.method() == "notifications/cancelled"
            && let Some(inbound) =
                message.param("requestId").and_then(|id| self.inbounds.take_remote(id, generation))
        {
            bytes = message.with_param("requestId", &inbound.local_id);
        }
        self.act(Action::Relay(one_line(bytes), purpose.request()));
    }

    fn on_ended(
        &mut self,
        exchange: ExchangeId,
        purpose: Purpose,
        generation: u32,
        end: Option<End>,
    ) {
        let is_current = generation == self.connection.generation;
        match purpose {
            Purpose::Request(key) | Purpose::Resume(key) => {
                self.on_request_exchange_ended(key, exchange, end, generation);
            }
            Purpose::Initialize if is_current && matches!(self.link, super::Link::Opening(_)) => {
                let end = end.unwrap_or(End::Malformed("an answer under another id".to_owned()));
                self.on_handshake_ended(&Purpose::Initialize, end);
            }
            Purpose::Initialize => {}
            Purpose::Initialized(bytes) => self.on_initialized_ended(bytes, end, generation),
            Purpose::OneWay(message) => self.on_one_way_ended(message, end, generation),
            Purpose::Own(number) => self.on_own_ended(number, end, generation),
            Purpose::Listen if is_current => self.on_listen_ended(end),
            Purpose::Listen => {}
            Purpose::Stream if is_current => self.on_sse_stream_ended(end),
            Purpose::Stream => {}
        }
    }

    fn on_request_exchange_ended(
        &mut self,
        key: Key,
        exchange: ExchangeId,
        end: Option<End>,
        generation: u32,
    ) {
        use crate::bridge::pending::Stage;
        let Some(request) = self.requests.get(key) else { return };
        let is_its = match &request.stage {
            Stage::Sent(sent) => *sent == exchange,
            Stage::Resuming(resume) => resume.exchange == Some(exchange),
            Stage::Held | Stage::Delayed => false,
        };
        if !is_its {
            return;
        }
        let end = end.unwrap_or(End::Malformed("an answer under another id".to_owned()));
        self.on_request_ended(key, end, generation);
    }

    fn on_initialized_ended(&mut self, bytes: Bytes, end: Option<End>, generation: u32) {
        if generation != self.connection.generation {
            return;
        }
        match end {
            Some(End::Status(refused))
                if refusal::is_session_loss(&refused, self.connection.has_session()) =>
            {
                self.lose_session(generation, "the session ended on the server");
            }
            Some(End::Unsent(_) | End::Broken(_)) => {
                let wait = CONNECT.delay(2, self.now.random);
                self.after_wait(wait, Timer::Confirm(bytes, generation));
            }
            _ if matches!(self.link, super::Link::Replaying(_)) => self.on_replay_confirmed(),
            _ => self.confirmed(),
        }
    }

    /// A notification or an answer could not be delivered: what waits for it gets another try, and
    /// what surely did not arrive is for the next session, but for answers to the last one.
    fn on_one_way_ended(&mut self, message: OneWay, end: Option<End>, generation: u32) {
        let (again, is_lost) = match end {
            Some(End::Status(refused)) => {
                let had_session =
                    generation != self.connection.generation || self.connection.has_session();
                let is_lost = refusal::is_session_loss(&refused, had_session);
                if is_lost {
                    self.lose_session(generation, "the session ended on the server");
                }
                debug!(status = refused.status, "the remote refused a notification or an answer");
                (matches!(refused.status, 429 | 502..=504) && message.is_answer, is_lost)
            }
            Some(End::Unsent(_)) => (true, true),
            Some(End::Broken(_)) => (message.is_answer, false),
            _ => (false, false),
        };
        let message = OneWay { tries: message.tries + 1, ..message };
        if message.tries > MAX_TRIES {
            return;
        }
        if generation != self.connection.generation {
            if is_lost && !message.is_answer {
                self.send_or_hold(message);
            }
        } else if again {
            let wait = CONNECT.delay((message.tries - 1).into(), self.now.random);
            self.after_wait(wait, Timer::OneWay(message, generation));
        }
    }

    /// The confirmation could not be delivered; as long as something waits for it, it is sent again.
    pub(super) fn on_confirm_due(&mut self, bytes: Bytes, generation: u32) {
        use super::Link::{Confirming, Replaying};
        if generation == self.connection.generation
            && matches!(self.link, Confirming | Replaying(_))
        {
            self.send(Purpose::Initialized(bytes.clone()), bytes, false, None);
        }
    }

    pub(super) fn on_one_way_due(&mut self, message: OneWay, generation: u32) {
        if generation == self.connection.generation {
            self.send_one_way(message, None);
        } else if !message.is_answer {
            self.send_or_hold(message);
        }
    }

    fn on_own_ended(&mut self, number: u64, end: Option<End>, generation: u32) {
        if let Some(key) = self.take_era_question(number) {
            let end = end.unwrap_or(End::Accepted(200));
            return self.on_era_told(key, Outcome::End(&end));
        }
        match end {
            None => {
                self.take_own(number, None);
            }
            // The answer comes on the stream.
            Some(End::Accepted(_)) if self.is_sse() => {}
            Some(End::Status(refused)) => {
                let had_session = self.connection.has_session();
                let is_ping =
                    self.own.iter().any(|(known, own)| *known == number && *own == Own::Ping);
                if refusal::is_session_loss(&refused, had_session) {
                    let cause = "the session ended on the server";
                    return self.lose_session(generation, cause);
                }
                self.take_own(number, None);
                // Any answer shows that somebody is there.
                if is_ping {
                    self.heard = self.now.mono;
                }
            }
            // No answer to a ping: the next ping decides.
            Some(_) => {
                let is_ping =
                    self.own.iter().any(|(known, own)| *known == number && *own == Own::Ping);
                if !is_ping {
                    self.take_own(number, None);
                }
            }
        }
    }

    fn on_sse_stream_ended(&mut self, end: Option<End>) {
        let end = end.unwrap_or(End::Accepted(200));
        if matches!(self.link, super::Link::Opening(_)) {
            return self.on_handshake_ended(&Purpose::Stream, end);
        }
        let cause = self.explain("the stream of the remote ended", &end).cause();
        self.lose_session(self.connection.generation, &cause);
    }

    /// HTTP+SSE: as long as something comes, the answers may come too.
    fn extend_deadlines(&mut self, exchange: ExchangeId) {
        if self.connection.stream != Some(exchange) {
            return;
        }
        let Some(wait) = self.settings.answer_wait else { return };
        let deadline = self.now.mono + wait;
        let sent = |request: &crate::bridge::pending::Request| {
            matches!(request.stage, crate::bridge::pending::Stage::Sent(_))
        };
        for key in self.requests.keys(sent) {
            if let Some(request) = self.requests.get_mut(key) {
                request.deadline = Some(deadline);
            }
        }
    }
}
