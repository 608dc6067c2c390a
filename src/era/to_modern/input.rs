//! Questions of a modern server, put to the legacy client as requests of a server (spec digest
//! 6A.4).

use std::hash::{DefaultHasher, Hash, Hasher};

use tracing::debug;

use super::{
    Timer, ToModern,
    request::Carrier,
    result::What,
    retry::{MAX_ROUNDS, Retry, Rounds, Visit},
    round::{CANCEL, Input, Round, Stage},
};
use crate::{
    error::Kind,
    message::{
        Message, member,
        object::{Object, quote},
        unquote,
    },
    remote::event::ExchangeId,
    time::Millis,
};

/// The first pause before a round that asks nothing (XA-42), and before a URL is shown again.
const PAUSE: Millis = 250;
const URL_PAUSE: Millis = 2000;

/// No such pause is longer: all of them together stay below the minute that most clients wait, so
/// that the client hears of the end.
const LONGEST_PAUSE: Millis = 8_000;

impl ToModern {
    /// The server wants something first (XA-40).
    pub(super) fn on_input_required(&mut self, exchange: ExchangeId, result: &Object<'_>) {
        self.spend_call(exchange);
        let Some(client) = &self.client else {
            return self.fail_as(
                exchange,
                Kind::Protocol,
                "nobody can be asked before `initialize`",
            );
        };
        let round = match Round::read(result, client) {
            Ok(round) if round.entries.is_empty() && round.state.is_none() => {
                let why = "it wants input but does not say what";
                return self.fail_as(exchange, Kind::Protocol, why);
            }
            Ok(round) => round,
            Err(why) => return self.fail_as(exchange, Kind::Protocol, &why),
        };
        let Some(rounds) = self.rounds(exchange) else { return };
        rounds.count += 1;
        let count = rounds.count;
        if count > MAX_ROUNDS {
            let why = format!("it asked for input {MAX_ROUNDS} times and still has no answer");
            return self.give_up(exchange, &why);
        }
        let asks_nothing = round.entries.is_empty();
        self.begin_round(exchange, round);
        if asks_nothing {
            self.pause_round(exchange);
        } else {
            self.after(self.input_wait, Timer::Limit(exchange, count));
            self.ask_client(exchange);
        }
    }

    /// The server wants the same request once more, after a moment (XA-42).
    fn pause_round(&mut self, exchange: ExchangeId) {
        let Some(rounds) = self.rounds(exchange) else { return };
        let state = rounds.round.take().and_then(|round| round.state);
        rounds.retry = Some(Retry { responses: None, state });
        let wait = grown(PAUSE, rounds.pauses);
        rounds.pauses += 1;
        self.call_due(exchange, wait);
    }

    /// Keeps the questions, each URL with the id the client knows it by (XA-48).
    pub(super) fn begin_round(&mut self, exchange: ExchangeId, mut round: Round) {
        let now = self.now.mono;
        let urls: Vec<(String, String)> = round
            .entries
            .iter()
            .filter_map(|entry| Some((entry.key.clone(), entry.url.clone()?)))
            .collect();
        // A task lists all that it ever asked; here is only what is new of it.
        if self.rounds(exchange).is_some_and(|rounds| rounds.task.is_none()) {
            self.complete_visits(exchange, &urls);
        }
        for entry in &mut round.entries {
            if entry.stage == Stage::Answered(CANCEL.to_owned()) {
                self.warn(format!(
                    "{} asks for a choice of several, which this client cannot show",
                    self.host
                ));
            }
            let (Some(url), Some(params)) = (&entry.url, &entry.params) else { continue };
            let fresh = self.uuid();
            let Some(rounds) = self.rounds(exchange) else { return };
            let is_it = |visit: &&mut Visit| visit.key == entry.key && visit.url == *url;
            let id = match rounds.visits.iter_mut().find(is_it) {
                Some(visit) => {
                    // It was visited, or said to be, and that is not finished.
                    entry.not_before = now + grown(URL_PAUSE, visit.repeats);
                    visit.repeats += 1;
                    visit.id.clone()
                }
                None => {
                    rounds.visits.push(Visit {
                        key: entry.key.clone(),
                        url: url.clone(),
                        id: fresh.clone(),
                        repeats: 0,
                        is_accepted: false,
                    });
                    fresh
                }
            };
            let mut params = Object::parse(params).unwrap_or_default();
            params.set("elicitationId", quote(&id));
            let params = params.to_string();
            entry.params = Some(params);
        }
        if let Some(rounds) = self.rounds(exchange) {
            rounds.round = Some(round);
        }
    }

    /// Puts the questions that are due; once all are answered, the server gets the answers.
    pub(super) fn ask_client(&mut self, exchange: ExchangeId) {
        let now = self.now.mono;
        let Some(round) = self.round(exchange) else { return };
        if let Some(responses) = round.responses() {
            return self.on_all_answered(exchange, responses);
        }
        let (due, later) = round.due(now);
        if self.calls.get(&exchange).is_some_and(|call| call.is_stranded) {
            return self.strand(exchange);
        }
        if !self.is_confirmed {
            return;
        }
        due.into_iter().for_each(|index| self.put_question(exchange, index));
        let is_task = self.rounds(exchange).is_some_and(|rounds| rounds.task.is_some());
        // A task is looked at again with its next poll anyway.
        if let Some(at) = later.filter(|_| !is_task) {
            self.call_due(exchange, at - now);
        }
    }

    fn round(&mut self, exchange: ExchangeId) -> Option<&mut Round> {
        self.rounds(exchange)?.round.as_mut()
    }

    /// One question, as a request under an id of its own (XA-41).
    fn put_question(&mut self, exchange: ExchangeId, index: usize) {
        let id = self.fresh_id();
        let Some(entry) = self.round(exchange).and_then(|round| round.entries.get_mut(index))
        else {
            return;
        };
        let params = entry.params.as_ref().map(|params| format!(r#","params":{params}"#));
        let text = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"{}"{}}}"#,
            entry.input.method(),
            params.unwrap_or_default()
        );
        let id = unquote(&id).into_owned();
        entry.stage = Stage::Asked(id.clone());
        self.asked.insert(id, exchange);
        self.say(exchange, text.into());
    }

    fn on_all_answered(&mut self, exchange: ExchangeId, responses: String) {
        let Some(rounds) = self.rounds(exchange) else { return };
        let state = rounds.round.take().and_then(|round| round.state);
        if rounds.task.is_some() {
            return self.update_task(exchange, responses);
        }
        rounds.pauses = 0;
        rounds.retry = Some(Retry { responses: Some(responses), state });
        self.send_retry(exchange);
    }

    /// The layer above connects anew. It has told the client that all questions are void, and will
    /// let none through that come on the exchanges it has: who still needs an answer gets none.
    pub(super) fn strand_calls(&mut self) {
        self.asked.clear();
        let mut waiting = Vec::new();
        for (exchange, call) in &mut self.calls {
            call.is_stranded = true;
            if call.rounds.as_ref().is_some_and(|rounds| rounds.round.is_some()) {
                waiting.push(*exchange);
            }
        }
        waiting.sort_unstable();
        waiting.into_iter().for_each(|exchange| self.strand(exchange));
    }

    /// A call wants input that nobody can give any more.
    fn strand(&mut self, exchange: ExchangeId) {
        let Some(rounds) = self.rounds(exchange) else { return };
        rounds.round = None;
        if let Some(task) = rounds.task.take() {
            self.cancel_task(&task);
        }
        let why = "the connection was opened anew before the client had given the input it needs";
        self.fail_as(exchange, Kind::SessionLost, why);
    }

    /// The handshake is confirmed: now the client may be asked (XA-41).
    pub(super) fn ask_what_waits(&mut self) {
        let mut calls: Vec<ExchangeId> = self
            .calls
            .iter()
            .filter(|(_, call)| call.rounds.as_ref().is_some_and(|rounds| rounds.round.is_some()))
            .map(|(exchange, _)| *exchange)
            .collect();
        calls.sort_unstable();
        calls.into_iter().for_each(|exchange| self.ask_client(exchange));
    }

    /// The client answers a question (XA-22).
    pub(super) fn on_client_answer(&mut self, message: &Message) {
        let id = message.id().map(unquote).unwrap_or_default();
        let Some(exchange) = self.asked.remove(id.as_ref()) else {
            return debug!("ignored an answer to no question");
        };
        let Some(rounds) = self.rounds(exchange) else { return };
        let Some(entry) = rounds.round.as_mut().and_then(|round| round.asked(&id)) else { return };
        let input = entry.input;
        let answer = message.result().and_then(|result| input.bare(result));
        if answer.is_none() && input != Input::Elicitation {
            entry.stage = Stage::Answered(String::new());
            return self.on_question_refused(exchange, input, message);
        }
        let answer = answer.unwrap_or_else(|| CANCEL.to_owned());
        let is_accepted = member(&answer, "action") == Some("\"accept\"");
        let (key, url) = (entry.key.clone(), entry.url.clone());
        entry.stage = Stage::Answered(answer);
        for visit in &mut rounds.visits {
            if visit.key == key && Some(&visit.url) == url.as_ref() {
                visit.is_accepted = is_accepted;
            }
        }
        self.ask_client(exchange);
    }

    /// An error has no form in `inputResponses`: the request fails with it (XA-44).
    fn on_question_refused(&mut self, exchange: ExchangeId, input: Input, message: &Message) {
        let missing = format!(
            r#"{{"code":{},"message":"the client's answer is not of the kind asked for"}}"#,
            Kind::InvalidParams.code()
        );
        let error = message.error().unwrap_or(&missing);
        let Some(call) = self.calls.get_mut(&exchange) else { return };
        let id = call.id().to_owned();
        let what = call.what;
        if let Some(task) = call.rounds.as_mut().and_then(|rounds| rounds.task.take()) {
            self.cancel_task(&task);
        }
        if what != What::Call {
            let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#);
            return self.conclude(exchange, answer.into(), Carrier::Body);
        }
        let said = member(error, "message").map(unquote).unwrap_or_default();
        let text = format!("the tool needs `{}`, which the client refused: {said}", input.method());
        self.fail_call(exchange, &text);
    }

    /// Answers a `tools/call` with a result that is an error for the model.
    fn fail_call(&mut self, exchange: ExchangeId, text: &str) {
        let Some(call) = self.calls.get(&exchange) else { return };
        let answer = format!(
            r#"{{"jsonrpc":"2.0","id":{},"result":{{"content":[{{"type":"text","text":{}}}],"isError":true}}}}"#,
            call.id(),
            quote(text)
        );
        self.conclude(exchange, answer.into(), Carrier::Body);
    }

    /// The limit on rounds or on time is reached (XA-42).
    fn give_up(&mut self, exchange: ExchangeId, why: &str) {
        let Some(call) = self.calls.get(&exchange) else { return };
        if call.what == What::Call {
            let text = format!("{}: {why}", call.attempted(&self.host));
            return self.fail_call(exchange, &text);
        }
        self.fail_as(exchange, Kind::Limit, why);
    }

    /// A person had time enough.
    pub(super) fn on_limit(&mut self, exchange: ExchangeId, round: u32) {
        let is_waiting = |rounds: &&mut Rounds| rounds.round.is_some() && rounds.count == round;
        if self.rounds(exchange).filter(is_waiting).is_some() {
            self.give_up(exchange, "what it asked for was not answered within 15 minutes");
        }
    }

    /// Takes back the questions that are open, because their request is answered.
    pub(super) fn settle_questions(&mut self, exchange: ExchangeId) {
        for text in self.open_questions(exchange) {
            self.say(exchange, text.into());
        }
    }

    /// The same where the layer above has dropped the exchange they went up on (XA-46).
    pub(super) fn withdraw_questions(&mut self, exchange: ExchangeId) {
        for text in self.open_questions(exchange) {
            let other = self.calls.keys().copied().filter(|other| *other != exchange).min();
            match other.filter(|_| !self.listens.has_carrier()) {
                Some(other) => self.say(other, text.into()),
                None => self.tell(text.into()),
            }
        }
    }

    /// The cancellations of a call's open questions, which are none from now on.
    fn open_questions(&mut self, exchange: ExchangeId) -> Vec<String> {
        let round = self.rounds(exchange).and_then(|rounds| rounds.round.take());
        let ids = round.map(|round| round.open_ids()).unwrap_or_default();
        for id in &ids {
            self.asked.remove(id);
        }
        let cancel = |id: &String| {
            format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{},"reason":"the request that needed it is over"}}}}"#,
                quote(id)
            )
        };
        ids.iter().map(cancel).collect()
    }

    /// Tells the client that what it visited URLs for is done, but for those in `listed` (XA-48).
    pub(super) fn complete_visits(&mut self, exchange: ExchangeId, listed: &[(String, String)]) {
        let Some(rounds) = self.rounds(exchange) else { return };
        let is_listed =
            |visit: &Visit| listed.iter().any(|(key, url)| *key == visit.key && *url == visit.url);
        let (left, done): (Vec<Visit>, Vec<Visit>) =
            std::mem::take(&mut rounds.visits).into_iter().partition(is_listed);
        rounds.visits = left;
        for visit in done.iter().filter(|visit| visit.is_accepted) {
            let text = format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{{"elicitationId":{}}}}}"#,
                quote(&visit.id)
            );
            self.say(exchange, text.into());
        }
    }

    /// Something that looks like a UUID, and is as unique.
    fn uuid(&mut self) -> String {
        let number = self.unique();
        let part = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, number, self.now.random.to_bits(), self.now.wall, &self.own_id)
                .hash(&mut hasher);
            hasher.finish()
        };
        let (high, low) = (part(1), part(2));
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 48 & 0x3fff | 0x8000,
            low & 0xffff_ffff_ffff
        )
    }
}

/// A pause that doubles with each time.
fn grown(first: Millis, times: u32) -> Millis {
    first.saturating_mul(1 << times.min(16)).min(LONGEST_PAUSE)
}
