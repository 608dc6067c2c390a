//! A request of the local client on its way to exactly one answer.

use std::time::Duration;

use bytes::Bytes;

use super::{Action, Held, OneWay, Purpose, State, Timer, Transport};
use crate::{
    bridge::pending::{Key, MAX_REPEATS, MAX_SESSIONS, Request, Resume, Stage},
    era::detect::Outcome,
    error::{Error, Kind},
    protocol::Method,
    remote::{
        backoff::{CONNECT, STREAM},
        event::{End, ExchangeId, Get, GetRoute, Post, Refusal, StreamEnd},
        refusal,
    },
    time::Millis,
};

/// The longest `Retry-After` that is waited for; a client waits about a minute in all.
const SHORT_WAIT: Duration = Duration::from_secs(20);

/// How long a broken response stream is tried to be resumed without anything coming of it.
const RESUME_LIMIT: Millis = 120_000;

/// How long an exchange may go on once nobody waits for it: time to end in good order, so that
/// its connection can be used again.
const LINGER: Millis = 1000;

impl State {
    /// Keeps a request until the remote is ready.
    pub(super) fn hold(&mut self, key: Key) {
        let refusal = self.refusal_in_force().or_else(|| self.sign_in_in_the_way(key));
        if let Some(error) = refusal {
            return self.fail(key, &error);
        }
        let wait = self.settings.call_wait;
        if let Some(request) = self.requests.get_mut(key) {
            request.stage = Stage::Held;
            request.deadline = Some(self.now.mono + wait);
        }
        self.held.push_back(Held::Request(key));
        self.watch_deadlines(self.now.mono + wait);
        self.serve_from_memory(key);
        self.hasten(key);
        self.wake_link();
    }

    /// Sends a request now.
    pub(super) fn submit(&mut self, key: Key) {
        let Some(request) = self.requests.get(key) else { return };
        let (bytes, compressed) = (request.bytes(), request.method.wants_compression());
        // The layers between here and a modern remote need not read it again.
        let message = Some(&request.message).filter(|message| message.bytes() == &bytes);
        let message = message.filter(|_| self.is_modern()).cloned().map(Box::new);
        self.try_era(key);
        let exchange = self.begin(Purpose::Request(key));
        let route = self.connection.route();
        self.act(Action::Post(Post {
            exchange,
            route,
            body: bytes,
            message,
            compressed,
            after: None,
        }));
        let over_sse = self.connection.transport == Transport::HttpSse;
        let deadline = self.settings.answer_wait.filter(|_| over_sse);
        let deadline = deadline.map(|wait| self.now.mono + wait);
        if let Some(request) = self.requests.get_mut(key) {
            request.stage = Stage::Sent(exchange);
            request.deadline = deadline;
        }
        if let Some(deadline) = deadline {
            self.watch_deadlines(deadline);
        }
    }

    /// Sends bytes on the connection there is.
    pub(super) fn send(
        &mut self,
        purpose: Purpose,
        body: Bytes,
        compressed: bool,
        after: Option<ExchangeId>,
    ) -> ExchangeId {
        let exchange = self.begin(purpose);
        let route = self.connection.route();
        self.act(Action::Post(Post { exchange, route, body, message: None, compressed, after }));
        exchange
    }

    /// Sends a message that gets no answer.
    pub(super) fn send_one_way(&mut self, message: OneWay, after: Option<ExchangeId>) {
        let body = message.bytes.clone();
        self.send(Purpose::OneWay(message), body, false, after);
    }

    /// The exchange of a request is over, and the answer has not come on it.
    pub(super) fn on_request_ended(&mut self, key: Key, end: End, generation: u32) {
        let Some(request) = self.requests.get(key) else { return };
        let is_resume = matches!(request.stage, Stage::Resuming(_));
        if self.sessionless && self.judge(key, Outcome::End(&end)) {
            return;
        }
        match end {
            End::Accepted(_) if self.is_sse() && generation == self.connection.generation => {}
            End::Accepted(_) if self.is_sse() => self.settle_lost_answer(key, "the stream ended"),
            End::Accepted(status) => {
                let text = format!("HTTP {status} without an answer");
                self.fail_as(key, Kind::Protocol, &text);
            }
            End::Stream(end) => self.on_stream_ended(key, end, generation),
            End::Status(refused) if is_resume => self.on_resume_refused(key, &refused, generation),
            End::Status(refused) => self.on_refused(key, &refused, generation),
            End::Unsent(cause) if is_resume => self.resume_later(key, &cause),
            End::Unsent(cause) => self.on_unsent(key, &cause),
            End::Broken(cause) if is_resume => self.resume_later(key, &cause),
            End::Broken(cause) => self.repeat_or_fail(key, &cause),
            End::Silent(limit) if is_resume => {
                self.resume_later(key, &format!("no answer for {}s", limit.as_secs_f64()));
            }
            End::Silent(limit) => {
                let cause = format!("no answer for {}s", limit.as_secs_f64());
                self.give_up(key, &cause);
            }
            End::Malformed(_) if is_resume => {
                self.not_resumable(key, "the stream cannot be resumed")
            }
            End::Malformed(cause) | End::NotModern(cause) => {
                self.fail_as(key, Kind::Protocol, &cause)
            }
            End::TooLarge(cause) => self.fail_as(key, Kind::Limit, &cause),
            End::Redirected(origin) => {
                let error = self.redirected(&self.attempted(key), &origin);
                self.fail(key, &error);
            }
            End::Unusable(error) => self.fail(key, &error),
        }
    }

    fn on_refused(&mut self, key: Key, refused: &Refusal, generation: u32) {
        let Some(request) = self.requests.get(key) else { return };
        let (repeats, method) = (request.repeats, request.method);
        let had_session = self.connection.generation != generation || self.connection.has_session();
        // A remote that was modern may be legacy by now: the next handshake tells (MH-53).
        let is_stale = self.is_modern()
            && !self.sessionless
            && matches!(refused.status, 400 | 404 | 405)
            && refusal::json_rpc_error(refused).is_none();
        let is_lost = is_stale
            || refused.is_replaced
            || !self.sessionless && refusal::is_session_loss(refused, had_session);
        if is_lost && repeats < MAX_SESSIONS {
            self.renew_if_replaced(refused);
            // The remote did not look at it: it is sent again, as it is, in the next session.
            if let Some(request) = self.requests.get_mut(key) {
                request.repeats += 1;
                request.remote_id = None;
                request.stage = Stage::Delayed;
            }
            self.lose_session(generation, "the session ended on the server");
            return self.hold_or_submit(key);
        }
        if self.sign_in_for(key, refused) {
            return;
        }
        let is_unexecuted =
            refused.status == 429 || refused.status == 503 && method.is_repeatable();
        let wait = refused.retry_after.filter(|wait| *wait <= SHORT_WAIT);
        if let Some(wait) = wait.filter(|_| is_unexecuted && repeats < MAX_REPEATS) {
            return self.repeat_after(key, wait);
        }
        if let Some(error) = refusal::json_rpc_error(refused) {
            return self.deliver(key, &error);
        }
        let is_soon = refused.retry_after.is_none() || wait.is_some();
        let is_repeated = method.is_repeatable() && repeats < MAX_REPEATS;
        if matches!(refused.status, 502..=504) && is_repeated && is_soon {
            let own = CONNECT.delay(repeats.into(), self.now.random);
            return self.repeat_after(key, own.max(wait.unwrap_or_default()));
        }
        let error =
            self.explain_refusal(&self.attempted(key), &End::Status(refused.clone().into()));
        self.fail(key, &error);
    }

    /// Nothing was executed: it is sent again until it is through or has waited long enough.
    fn on_unsent(&mut self, key: Key, cause: &str) {
        let (now, random) = (self.now.mono, self.now.random);
        let limit = self.patience(key);
        let Some(request) = self.requests.get_mut(key) else { return };
        if now.saturating_sub(request.since) >= limit {
            let error = Error::new(Kind::Unreachable, self.attempted(key)).because(cause);
            return self.fail(key, &super::explain::with_network_hint(error, cause));
        }
        let waited = now.saturating_sub(request.since);
        let attempt = (waited / 500).checked_ilog2().map_or(0, |log| log + 1);
        request.stage = Stage::Delayed;
        self.after_wait(CONNECT.delay(attempt, random), Timer::Resend(key));
    }

    /// How long a request may wait for a remote that is not there. A probe must not: the client
    /// goes on in the other era meanwhile (ST-25).
    fn patience(&self, key: Key) -> Millis {
        let is_probe = |request: &Request| {
            self.sessionless && request.message.method() == super::sessionless::DISCOVER
        };
        match self.requests.get(key) {
            Some(request) if is_probe(request) => self.settings.grace.min(self.settings.call_wait),
            _ => self.settings.call_wait,
        }
    }

    /// The request was sent, and nobody knows what became of it.
    pub(super) fn repeat_or_fail(&mut self, key: Key, cause: &str) {
        let Some(request) = self.requests.get(key) else { return };
        if request.method.is_repeatable() && request.repeats < MAX_REPEATS {
            let wait = CONNECT.delay(request.repeats.into(), self.now.random);
            return self.repeat_after(key, wait);
        }
        self.give_up(key, cause);
    }

    /// Sends a request again after a wait; within a session an id is never used twice (1125:base).
    fn repeat_after(&mut self, key: Key, wait: Duration) {
        let number = self.unique();
        let id = self.own_id(number);
        let Some(request) = self.requests.get_mut(key) else { return };
        request.repeats += 1;
        // What comes on a subscription names it by this id.
        request.remote_id = Some(id).filter(|_| request.method != Method::Listen);
        request.stage = Stage::Delayed;
        self.after_wait(wait, Timer::Resend(key));
    }

    /// A wait is over.
    pub(super) fn resend(&mut self, key: Key) {
        if self.requests.get(key).is_some_and(|request| matches!(request.stage, Stage::Delayed)) {
            self.hold_or_submit(key);
        }
    }

    pub(super) fn hold_or_submit(&mut self, key: Key) {
        let is_under_trial = matches!(self.link, super::Link::Trial(Some(tried)) if tried == key);
        if self.link.is_usable() || is_under_trial {
            self.submit(key);
        } else {
            self.hold(key);
        }
    }

    /// Answers a request whose outcome is unknown, and tells the remote that nobody waits.
    fn give_up(&mut self, key: Key, cause: &str) {
        let Some(request) = self.requests.get(key) else { return };
        let id = request.id_at_remote();
        let body = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id},"reason":"the connection was lost"}}}}"#
        );
        let error = self.outcome_unknown(request, Kind::OutcomeUnknown, cause);
        self.fail(key, &error);
        if self.link.is_usable() && !self.is_modern() {
            self.send_one_way(OneWay { bytes: body.into(), is_answer: false, tries: 0 }, None);
        }
    }

    /// The error for a request that may or may not have been executed.
    pub(super) fn outcome_unknown(&self, request: &Request, kind: Kind, cause: &str) -> Error {
        let origin = &self.settings.origin;
        let what = self.name(request);
        let error =
            Error::new(kind, format!("lost the answer to {what} from {origin}")).because(cause);
        if request.method.is_repeatable() {
            return error.hint("try again");
        }
        error.hint("outcome unknown: it may or may not have been carried out, so check before you repeat it")
    }

    fn on_stream_ended(&mut self, key: Key, end: StreamEnd, generation: u32) {
        let now = self.now.mono;
        let Some(request) = self.requests.get_mut(key) else { return };
        let before = match &request.stage {
            Stage::Resuming(resume) => Some(resume.clone()),
            _ => None,
        };
        let cause = end.broken.clone().unwrap_or_else(|| "the stream ended early".to_owned());
        if end.too_large {
            return self.fail_as(key, Kind::Limit, &cause);
        }
        let last_event_id = end
            .last_event_id
            .or_else(|| before.as_ref().map(|resume| resume.last_event_id.clone()));
        let (Some(last_event_id), true) = (last_event_id, generation == self.connection.generation)
        else {
            return self.repeat_or_fail(key, &cause);
        };
        let brought_nothing = !end.events;
        request.stage = Stage::Resuming(Resume {
            exchange: None,
            last_event_id,
            generation,
            retry: end.retry.or(before.as_ref().and_then(|resume| resume.retry)),
            attempts: before.as_ref().map_or(0, |resume| resume.attempts),
            since: before.as_ref().filter(|_| brought_nothing).map_or(now, |resume| resume.since),
        });
        if brought_nothing && before.is_some() {
            return self.resume_later(key, &cause);
        }
        if let Stage::Resuming(resume) = &mut request.stage {
            resume.attempts = 0;
        }
        self.schedule_resume(key);
    }

    /// An attempt to resume brought nothing.
    pub(super) fn resume_later(&mut self, key: Key, cause: &str) {
        let now = self.now.mono;
        let Some(Request { stage: Stage::Resuming(resume), .. }) = self.requests.get_mut(key)
        else {
            return;
        };
        resume.exchange = None;
        resume.attempts += 1;
        if now.saturating_sub(resume.since) > RESUME_LIMIT {
            return self.not_resumable(key, cause);
        }
        self.schedule_resume(key);
    }

    fn schedule_resume(&mut self, key: Key) {
        let random = self.now.random;
        let Some(Request { stage: Stage::Resuming(resume), .. }) = self.requests.get(key) else {
            return;
        };
        let wait = STREAM.delay_after(resume.retry, resume.attempts, random);
        self.after_wait(wait, Timer::Resume(key));
    }

    /// Reads on in a broken response stream (1125:tr, always by GET).
    pub(super) fn resume(&mut self, key: Key) {
        let exchange = self.unique();
        let generation = self.connection.generation;
        let Some(Request { stage: Stage::Resuming(resume), .. }) = self.requests.get_mut(key)
        else {
            return;
        };
        if resume.generation != generation {
            return self.not_resumable(key, "the session ended on the server");
        }
        resume.exchange = Some(exchange);
        let last_event_id = Some(resume.last_event_id.clone());
        self.exchanges.insert(exchange, (Purpose::Resume(key), generation));
        let (session, version) = (self.connection.session.clone(), self.connection.version.clone());
        let route = GetRoute::Streamable { session, version };
        self.act(Action::Get(Get { exchange, route, last_event_id }));
    }

    fn on_resume_refused(&mut self, key: Key, refused: &Refusal, generation: u32) {
        if refusal::is_session_loss(refused, self.connection.has_session()) {
            self.lose_session(generation, "the session ended on the server");
            return self.not_resumable(key, "the session ended on the server");
        }
        if refusal::is_passing(refused.status) {
            return self.resume_later(key, &format!("HTTP {}", refused.status));
        }
        self.not_resumable(key, &format!("the stream cannot be resumed: HTTP {}", refused.status));
    }

    fn not_resumable(&mut self, key: Key, cause: &str) {
        let Some(request) = self.requests.get_mut(key) else { return };
        request.stage = Stage::Delayed;
        self.repeat_or_fail(key, cause);
    }

    fn fail_as(&mut self, key: Key, kind: Kind, cause: &str) {
        let error = Error::new(kind, self.attempted(key)).because(cause);
        self.fail(key, &error);
    }

    /// Answers a request with an error.
    pub(super) fn fail(&mut self, key: Key, error: &Error) {
        let Some(request) = self.requests.remove(key) else { return };
        let answer = error.response(Some(request.id()));
        self.reply(answer, request.batch);
        if let Some(exchange) = request.exchange() {
            self.linger(exchange);
        }
        if matches!(request.stage, Stage::Held) {
            self.held.retain(|held| !matches!(held, Held::Request(held) if *held == key));
        }
    }

    /// Lets an exchange end by itself, but not for ever.
    pub(super) fn linger(&mut self, exchange: ExchangeId) {
        if self.exchanges.contains_key(&exchange) {
            self.after(LINGER, Timer::Linger(exchange));
        }
    }

    /// Makes sure that [`State::on_deadlines`] runs at `at` or before.
    pub(super) fn watch_deadlines(&mut self, at: Millis) {
        if self.deadline_at.is_none_or(|due| at < due) {
            self.deadline_at = Some(at);
            self.after(at.saturating_sub(self.now.mono), Timer::Deadlines);
        }
    }

    /// Some request may have waited long enough.
    pub(super) fn on_deadlines(&mut self) {
        let now = self.now.mono;
        if self.deadline_at.take_if(|at| *at <= now).is_none() {
            return;
        }
        for key in self.requests.keys(|request| request.deadline.is_some_and(|at| at <= now)) {
            self.on_waited_enough(key);
        }
        let deadlines = self.requests.keys(|request| request.deadline.is_some());
        let deadlines = deadlines.into_iter().filter_map(|key| self.requests.get(key)?.deadline);
        if let Some(next) = deadlines.min() {
            self.watch_deadlines(next);
        }
    }

    fn on_waited_enough(&mut self, key: Key) {
        let Some(request) = self.requests.get(key) else { return };
        if let Stage::Sent(_) = request.stage {
            let waited = self.settings.answer_wait.unwrap_or_default();
            return self.give_up(key, &format!("no answer for {}s", waited as f64 / 1000.0));
        }
        if self.serve_empty_list(key) {
            return;
        }
        if self.answer_for_the_absent(key) {
            return;
        }
        if let Some(error) = self.sign_in_awaited_by(key) {
            return self.fail(key, &error);
        }
        let error = Error::new(Kind::Unreachable, self.attempted(key));
        let error = match self.link.failure() {
            Some(failure) => error.because(failure.to_string()),
            None => error.because("the remote did not answer in time"),
        };
        self.fail(key, &error);
    }

    /// What is said to have been attempted when a request fails.
    pub(super) fn attempted(&self, key: Key) -> String {
        let name = self.requests.get(key).map(|request| self.name(request)).unwrap_or_default();
        format!("could not get an answer to {name} from {}", self.settings.origin)
    }

    fn name(&self, request: &Request) -> String {
        let method = request.message.method();
        match (request.method, request.message.param("name")) {
            (Method::ToolsCall, Some(tool)) => {
                format!("`{method}` of `{}`", crate::message::unquote(tool))
            }
            _ => format!("`{method}`"),
        }
    }

    pub(super) fn redirected(&self, attempted: &str, origin: &str) -> Error {
        Error::new(Kind::Protocol, attempted)
            .because(format!(
                "it redirects to another origin, {origin}, where your headers must not go"
            ))
            .hint("if you trust it, configure the URL there instead")
    }
}
