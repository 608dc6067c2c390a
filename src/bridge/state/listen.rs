//! The GET stream: for what the remote says of its own accord (1125:tr, LH-20 to LH-24).

use std::{sync::Arc, time::Duration};

use super::{Action, Purpose, State, Timer, Transport};
use crate::remote::{
    backoff::STREAM,
    event::{End, ExchangeId, Get, GetRoute},
    refusal,
};

/// An empty stream that ends sooner is no stream at all.
const EMPTY: Duration = Duration::from_secs(2);

/// The longest `Retry-After` that is kept.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// The GET stream of the session.
#[derive(Debug, Default)]
pub(super) struct Listen {
    exchange: Option<ExchangeId>,
    last_event_id: Option<Arc<str>>,
    retry: Option<Duration>,
    /// Attempts since something was delivered.
    attempts: u32,
    /// Whether it was ever open in this session.
    was_open: bool,
    /// Whether one lived, or brought something: then an empty one means nothing.
    is_proven: bool,
    /// The server offers none.
    absent: bool,
}

impl Listen {
    pub(super) fn reset(&mut self) {
        *self = Listen::default();
    }

    pub(super) fn opened(&mut self) {
        self.was_open = true;
    }
}

/// What to do when the stream has ended.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// There is none.
    Absent,
    /// The session is over.
    SessionLost,
    /// Open it again, counting from the first wait or from a longer one.
    Reopen {
        /// Whether something was delivered.
        delivered: bool,
    },
}

/// Decides what the end of a GET stream means.
fn after(end: &End, was_open: bool, has_session: bool) -> Next {
    match end {
        End::Stream(end) if end.broken.is_none() && !end.events && end.lived < EMPTY => {
            Next::Absent
        }
        End::Stream(end) => Next::Reopen { delivered: end.messages },
        End::Status(refused) if was_open && refusal::is_session_loss(refused, has_session) => {
            Next::SessionLost
        }
        // Somebody else listens, or it is too early: it may work later.
        End::Status(refused) if matches!(refused.status, 409 | 500 | 502..=599) => {
            Next::Reopen { delivered: false }
        }
        End::Status(refused) if refusal::is_passing(refused.status) && refused.status != 501 => {
            Next::Reopen { delivered: false }
        }
        End::Status(_) | End::Accepted(_) | End::Malformed(_) | End::TooLarge(_) => Next::Absent,
        End::Redirected(_) | End::Unusable(_) | End::NotModern(_) => Next::Absent,
        End::Unsent(_) | End::Broken(_) | End::Silent(_) => Next::Reopen { delivered: false },
    }
}

impl State {
    /// Whether the remote has a stream of its own, once it has shown that.
    pub fn is_listening(&self) -> Option<bool> {
        let is_on = self.listen.was_open || self.is_sse() && self.link.is_usable();
        if is_on { Some(true) } else { self.listen.absent.then_some(false) }
    }

    /// Opens the GET stream, where the transport has one.
    pub(super) fn start_listening(&mut self) {
        if self.is_sse() || self.sessionless || self.listen.absent || self.listen.exchange.is_some()
        {
            return;
        }
        let exchange = self.begin(Purpose::Listen);
        self.listen.exchange = Some(exchange);
        let (session, version) = (self.connection.session.clone(), self.connection.version.clone());
        let route = match self.connection.transport {
            Transport::Modern => GetRoute::Modern,
            _ => GetRoute::Streamable { session, version },
        };
        let last_event_id = self.listen.last_event_id.clone();
        self.act(Action::Get(Get { exchange, route, last_event_id }));
    }

    pub(super) fn on_listen_ended(&mut self, end: Option<End>) {
        self.listen.exchange = None;
        let end = end.unwrap_or(End::Accepted(200));
        if let End::Stream(stream) = &end {
            self.listen.retry = stream.retry.or(self.listen.retry);
            if stream.last_event_id.is_some() {
                self.listen.last_event_id = stream.last_event_id.clone();
            }
        }
        match after(&end, self.listen.was_open, self.connection.has_session()) {
            Next::Absent if self.listen.is_proven && matches!(end, End::Stream(_)) => {
                self.listen_later(false, None);
            }
            Next::Absent => self.listen.absent = true,
            Next::SessionLost => {
                let cause = "the session ended on the server";
                self.lose_session(self.connection.generation, cause);
            }
            Next::Reopen { delivered } => {
                self.listen.is_proven |= matches!(end, End::Stream(_));
                let asked = match &end {
                    End::Status(refused) => refused.retry_after,
                    _ => None,
                };
                self.listen_later(delivered, asked);
            }
        }
    }

    /// Listens again after the wait that is due, or the longer one that the server asked for.
    fn listen_later(&mut self, delivered: bool, asked: Option<Duration>) {
        let attempt = if delivered { 0 } else { self.listen.attempts };
        self.listen.attempts = if delivered { 0 } else { self.listen.attempts + 1 };
        let wait = STREAM.delay_after(self.listen.retry, attempt, self.now.random);
        let wait = wait.max(asked.unwrap_or_default().min(LONGEST_WAIT));
        self.after_wait(wait, Timer::Listen(self.connection.generation));
    }

    pub(super) fn on_listen_due(&mut self, generation: u32) {
        if generation == self.connection.generation && matches!(self.link, super::Link::Ready) {
            self.start_listening();
        }
    }

    /// The connection may be dead without knowing it: listens on a new one.
    pub(super) fn listen_anew(&mut self) {
        if let Some(exchange) = self.listen.exchange.take() {
            self.abort(exchange);
        }
        self.listen.attempts = 0;
        if matches!(self.link, super::Link::Ready) {
            self.start_listening();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::event::{Refusal, StreamEnd};

    fn status(status: u16, body: &'static str) -> End {
        End::Status(Box::new(Refusal { status, body: body.into(), ..Refusal::default() }))
    }

    fn stream(broken: bool, events: bool, lived: u64) -> End {
        End::Stream(StreamEnd {
            broken: broken.then(|| "reset".to_owned()),
            events,
            messages: events,
            lived: Duration::from_secs(lived),
            ..StreamEnd::default()
        })
    }

    #[test]
    fn what_the_end_of_the_stream_means() {
        let again = |delivered| Next::Reopen { delivered };
        for (end, was_open, expected) in [
            (status(405, ""), false, Next::Absent),
            (status(404, ""), false, Next::Absent),
            (status(404, ""), true, Next::SessionLost),
            (status(400, "Invalid session"), true, Next::SessionLost),
            (status(400, "Invalid session"), false, Next::Absent),
            (status(401, ""), true, Next::Absent),
            (status(409, ""), false, again(false)),
            (status(429, ""), false, again(false)),
            (status(502, ""), true, again(false)),
            (status(501, ""), false, Next::Absent),
            (End::Malformed("html".to_owned()), false, Next::Absent),
            (stream(false, false, 0), false, Next::Absent),
            (stream(false, false, 60), true, again(false)),
            (stream(true, false, 0), true, again(false)),
            (stream(false, true, 0), true, again(true)),
            (End::Unsent("refused".to_owned()), true, again(false)),
        ] {
            assert_eq!(after(&end, was_open, true), expected, "{end:?} {was_open}");
        }
    }
}
