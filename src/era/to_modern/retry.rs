//! The same request once more, with what the server asked for (26:mrtr, MD-30 to MD-34).

use super::{
    Purpose, Timer, ToModern, millis, request::Carrier, result::What, round::Round, task::Task,
};
use crate::{
    error::{Error, Kind},
    message::{Message, object::Object},
    remote::{
        backoff::CONNECT,
        event::{End, Event, ExchangeId, Refusal},
        refusal,
    },
    time::Millis,
};

/// How often a server may ask before it is given up (XA-42).
pub(super) const MAX_ROUNDS: u32 = 10;

/// How often a retry that did not leave this machine, or was put off, is sent again.
const MAX_RESENDS: u32 = 8;

/// The longest wait that a server may ask for.
const LONGEST_WAIT: Millis = 20_000;

/// What happens between a request and its answer.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    /// How often the server has asked.
    pub count: u32,
    /// How often it has asked for nothing but patience.
    pub pauses: u32,
    /// What it asks now.
    pub round: Option<Round>,
    /// What the next try carries, or the one under way.
    pub retry: Option<Retry>,
    /// The URLs that the client was to visit.
    pub visits: Vec<Visit>,
    /// The task that has the answer.
    pub task: Option<Task>,
    resends: u32,
    due: u64,
}

/// What a try carries.
#[derive(Debug)]
pub(super) struct Retry {
    /// `inputResponses`.
    pub responses: Option<String>,
    /// `requestState`, byte for byte as the server gave it; none if it gave none (MD-32).
    pub state: Option<String>,
}

/// A URL that a person was to visit (XA-48).
#[derive(Debug)]
pub(super) struct Visit {
    /// The name of the question.
    pub key: String,
    /// The URL.
    pub url: String,
    /// The id the client knows it by.
    pub id: String,
    /// How often it was asked for again.
    pub repeats: u32,
    /// Whether the person agreed.
    pub is_accepted: bool,
}

impl ToModern {
    /// What goes on for a call.
    pub(super) fn rounds(&mut self, exchange: ExchangeId) -> Option<&mut Rounds> {
        let call = self.calls.get_mut(&exchange).filter(|call| !call.is_answered)?;
        call.rounds.as_deref_mut()
    }

    /// The answer on the exchange below is not the last word.
    pub(super) fn spend_call(&mut self, exchange: ExchangeId) {
        let Some(call) = self.calls.get_mut(&exchange) else { return };
        call.rounds.get_or_insert_default().retry = None;
        if let Some(below) = call.below.take() {
            self.spend(below);
        }
    }

    /// Something is due for a call after a wait; what was due before is not any more.
    pub(super) fn call_due(&mut self, exchange: ExchangeId, wait: Millis) {
        // The number is the next one of `unique`.
        let number = self.counter + 1;
        self.after(wait, Timer::Call(exchange, number));
        if let Some(rounds) = self.rounds(exchange) {
            rounds.due = number;
        }
    }

    pub(super) fn on_call_due(&mut self, exchange: ExchangeId, number: u64) {
        let Some(rounds) = self.rounds(exchange).filter(|rounds| rounds.due == number) else {
            return;
        };
        if rounds.task.is_some() {
            self.ask_client(exchange);
            self.poll_task(exchange);
        } else if rounds.retry.is_some() {
            self.send_retry(exchange);
        } else {
            self.ask_client(exchange);
        }
    }

    /// Sends the request again under a fresh id (MD-33).
    pub(super) fn send_retry(&mut self, exchange: ExchangeId) {
        let id = self.fresh_id();
        let (Some(call), Some(client)) = (self.calls.get(&exchange), &self.client) else { return };
        let Some(retry) = call.rounds.as_ref().and_then(|rounds| rounds.retry.as_ref()) else {
            return;
        };
        let described = client.describe_request(&call.message, call.what == What::Call);
        let Some(first) = described.and_then(|bytes| Message::parse(bytes).ok()) else { return };
        let mut params = first.params().and_then(Object::parse).unwrap_or_default();
        for (name, value) in [("inputResponses", &retry.responses), ("requestState", &retry.state)]
        {
            params.remove(name);
            if let Some(value) = value {
                params.set(name, value.as_str());
            }
        }
        let text = params.to_string();
        let Ok(again) = Message::parse(first.with_params(&text)) else { return };
        let below = self.send(Purpose::Call(exchange), again.with_id(&id), false);
        if let Some(call) = self.calls.get_mut(&exchange) {
            call.below = Some(below);
            call.sent_as = Some(id);
        }
    }

    /// A retry has no answer. It is never begun from the start again: what it carries may be good
    /// for one use alone (4.5).
    pub(super) fn on_retry_ended(&mut self, exchange: ExchangeId, end: End) {
        match end {
            End::Unsent(cause) => self.resend(exchange, &cause),
            End::Status(refused) => self.on_retry_refused(exchange, &refused),
            End::Stream(end) if end.too_large => {
                self.fail_as(exchange, Kind::Limit, &end.broken.unwrap_or_default());
            }
            End::Stream(end) => {
                let cause = end.broken.unwrap_or_else(|| "the stream ended early".to_owned());
                self.lose(exchange, &cause);
            }
            End::Broken(cause) => self.lose(exchange, &cause),
            End::Silent(limit) => {
                self.lose(exchange, &format!("no answer for {}s", limit.as_secs_f64()));
            }
            End::Accepted(status) => {
                self.fail_as(exchange, Kind::Protocol, &format!("HTTP {status} without an answer"));
            }
            End::NotModern(why) => self.fail_as(exchange, Kind::Protocol, &why),
            end => {
                self.calls.remove(&exchange);
                self.up(Event::Ended { exchange, end });
            }
        }
    }

    /// Nothing left this machine: the same again, for a while.
    fn resend(&mut self, exchange: ExchangeId, cause: &str) {
        let random = self.now.random;
        let Some(rounds) = self.rounds(exchange) else { return };
        rounds.resends += 1;
        if rounds.resends > MAX_RESENDS {
            return self.fail_as(exchange, Kind::Unreachable, cause);
        }
        let wait = CONNECT.delay(rounds.resends - 1, random);
        self.call_due(exchange, millis(wait));
    }

    fn on_retry_refused(&mut self, exchange: ExchangeId, refused: &Refusal) {
        let Some(call) = self.calls.get(&exchange) else { return };
        if let Some(answer) = self.refusal_answer(call, refused) {
            return self.conclude(exchange, answer, Carrier::Body);
        }
        let wait = refused.retry_after.map(millis).filter(|wait| *wait <= LONGEST_WAIT);
        if refused.status == 429
            && let Some(wait) = wait
            && let Some(rounds) = self.rounds(exchange)
            && rounds.resends < MAX_RESENDS
        {
            rounds.resends += 1;
            return self.call_due(exchange, wait);
        }
        let Some(call) = self.calls.get(&exchange) else { return };
        let error = refusal::describe(&call.attempted(&self.host), refused);
        let answer = error.response(Some(call.id()));
        self.conclude(exchange, answer, Carrier::Body);
    }

    /// The request was sent, and nobody knows what became of it (XA-55).
    pub(super) fn lose(&mut self, exchange: ExchangeId, cause: &str) {
        let Some(call) = self.calls.get(&exchange) else { return };
        let attempted = format!("lost the answer to {} from {}", call.name(), self.host);
        let error = Error::new(Kind::OutcomeUnknown, attempted).because(cause).hint(
            "outcome unknown: it may or may not have been carried out, so check before you repeat it",
        );
        let answer = error.response(Some(call.id()));
        self.conclude(exchange, answer, Carrier::Body);
    }
}
