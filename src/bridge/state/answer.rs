//! Answers of the remote, on their way to the local client.

use tracing::debug;

use super::{Action, State};
use crate::{
    bridge::{
        memory::Remembered,
        pending::{Key, Request},
    },
    message::{Message, member, one_line, unquote},
    protocol::{List, Method},
};

impl State {
    /// Gives a request its answer: the bytes that came, but for an id that is spelled differently,
    /// hidden tools, and line breaks.
    pub(super) fn deliver(&mut self, key: Key, answer: &Message) {
        let Some(request) = self.requests.remove(key) else { return };
        self.served = true;
        let bytes = if answer.id() == Some(request.id()) {
            answer.bytes().clone()
        } else {
            answer.with_id_added(request.id())
        };
        let bytes = self.without_hidden_tools(&request, answer, bytes);
        self.learn(&request, answer);
        self.reply(one_line(bytes), request.batch);
        if let Some(exchange) = request.exchange() {
            self.linger(exchange);
        }
    }

    fn without_hidden_tools(
        &self,
        request: &Request,
        answer: &Message,
        bytes: bytes::Bytes,
    ) -> bytes::Bytes {
        if request.method != Method::List(List::Tools) || self.settings.filter.is_off() {
            return bytes;
        }
        let filtered = answer.result().and_then(|result| self.settings.filter.apply(result));
        match filtered.zip(Message::parse(bytes.clone()).ok()) {
            Some((filtered, whole)) => whole.with_result(&filtered),
            None => bytes,
        }
    }

    /// Keeps a list for a start at which the remote is not there.
    fn learn(&mut self, request: &Request, answer: &Message) {
        let (Method::List(list), Some(result)) = (request.method, answer.result()) else { return };
        if self.sessionless {
            return;
        }
        if let Some(text) = self.learned.learn(list, &request.cursor, result) {
            self.act(Action::Remember(Remembered::List(list), text));
        }
    }

    /// An answer that came for a request other than by its own exchange, or under another id.
    pub(super) fn route_answer(&mut self, expected: Option<Key>, answer: &Message) -> bool {
        let by_id = answer.id().and_then(|id| {
            let matches_own = expected
                .and_then(|key| self.requests.get(key))
                .is_some_and(|request| crate::message::same_id(request.id_at_remote(), id));
            if matches_own { expected } else { self.requests.by_remote_id(id) }
        });
        let is_anonymous = answer.id().is_none_or(|id| id == "null") && answer.error().is_some();
        let Some(key) = by_id.or_else(|| expected.filter(|_| is_anonymous)) else {
            debug!("ignored an answer to no request");
            return false;
        };
        let is_ours = expected == Some(key);
        self.deliver(key, answer);
        is_ours || expected.is_none()
    }

    /// Keeps what `initialize` was answered with.
    pub(super) fn learn_initialize(&mut self, result: &str) {
        if let Some(version) = member(result, "protocolVersion") {
            self.connection.version = Some(unquote(version).as_ref().into());
        }
        for list in List::ALL {
            let declared = Self::declares(result, list);
            self.connection.list_changed.retain(|known| *known != list);
            if declared {
                self.connection.list_changed.push(list);
            }
        }
        self.act(Action::Remember(Remembered::Initialize, result.to_owned()));
    }
}
