//! Tasks, waited for on behalf of a client that knows nothing of them (XA-61, Tasks-ext).

use std::collections::HashSet;

use super::{
    Purpose, Reply, ToModern, millis, request::Carrier, result::legacy_nested, round::Round,
};
use crate::{
    error::Kind,
    message::{
        Message, member,
        object::{Object, quote},
        unquote,
    },
    remote::{
        backoff::CONNECT,
        event::{End, ExchangeId},
        refusal,
    },
    time::Millis,
};

/// How often a task is asked after, where the server does not say; and the bounds of what it may
/// say.
const INTERVAL: Millis = 1000;
const SHORTEST: Millis = 500;
const LONGEST: Millis = 60_000;

/// How often in a row asking may fail.
const MAX_FAILURES: u32 = 10;

/// A task that has the answer to a call.
#[derive(Debug)]
pub(super) struct Task {
    /// Its id, the raw token.
    id: String,
    interval: Millis,
    failures: u32,
    polls: u32,
    /// The inputs it has asked for; their names are unique for its life (MD-53).
    known: HashSet<String>,
    /// Answers that the server does not have yet.
    update: Option<String>,
    /// The `tasks/get` or `tasks/update` under way.
    under_way: Vec<ExchangeId>,
    /// The last `statusMessage` that was told, and how many were.
    said: Option<String>,
    told: u32,
}

impl ToModern {
    /// A call is answered with a task (MD-51).
    pub(super) fn on_task(&mut self, exchange: ExchangeId, result: &Object<'_>) {
        self.spend_call(exchange);
        let Some(id) = result.get("taskId").filter(|id| id.starts_with('"')) else {
            return self.fail_as(exchange, Kind::Protocol, "it is a task without an id");
        };
        let task = Task {
            id: id.to_owned(),
            interval: INTERVAL,
            failures: 0,
            polls: 0,
            known: HashSet::new(),
            update: None,
            under_way: Vec::new(),
            said: None,
            told: 0,
        };
        if let Some(rounds) = self.rounds(exchange) {
            rounds.task = Some(task);
        }
        self.on_task_state(exchange, result);
    }

    fn task(&mut self, exchange: ExchangeId) -> Option<&mut Task> {
        self.rounds(exchange)?.task.as_mut()
    }

    /// Where a task is (MD-52).
    fn on_task_state(&mut self, exchange: ExchangeId, state: &Object<'_>) {
        let Some(task) = self.task(exchange) else { return };
        task.failures = 0;
        let interval = state.get("pollIntervalMs").and_then(|token| token.parse::<f64>().ok());
        if let Some(asked) = interval {
            task.interval = (asked as Millis).clamp(SHORTEST, LONGEST);
        }
        let is_first = task.polls == 0;
        let Some(call) = self.calls.get(&exchange) else { return };
        match state.get("status").map(unquote).unwrap_or_default().as_ref() {
            "completed" => match state.get("result") {
                Some(result) => {
                    let answer = legacy_nested(result, call.id());
                    self.complete_visits(exchange, &[]);
                    self.conclude(exchange, answer, Carrier::Body);
                }
                None if is_first => self.task_due(exchange),
                None => self.fail_as(exchange, Kind::Protocol, "the task has no result"),
            },
            "failed" => match state.get("error") {
                Some(error) => {
                    let answer =
                        format!(r#"{{"jsonrpc":"2.0","id":{},"error":{error}}}"#, call.id());
                    self.conclude(exchange, answer.into(), Carrier::Body);
                }
                None if is_first => self.task_due(exchange),
                None => self.fail_as(exchange, Kind::Protocol, "the task failed without a reason"),
            },
            "cancelled" => {
                self.fail_as(exchange, Kind::Limit, "the task was cancelled on the server");
            }
            "input_required" => self.on_task_asks(exchange, state),
            _ => {
                self.tell_status(exchange, state);
                self.task_due(exchange);
            }
        }
    }

    fn task_due(&mut self, exchange: ExchangeId) {
        if let Some(wait) = self.task(exchange).map(|task| task.interval) {
            self.call_due(exchange, wait);
        }
    }

    /// A task wants input: what is new of it goes to the client, one round at a time.
    fn on_task_asks(&mut self, exchange: ExchangeId, state: &Object<'_>) {
        self.task_due(exchange);
        let is_busy = self
            .rounds(exchange)
            .is_none_or(|rounds| rounds.round.is_some() || rounds.task.is_none());
        let Some(client) = self.client.as_ref().filter(|_| !is_busy) else { return };
        let mut round = match Round::read(state, client) {
            Ok(round) => round,
            Err(why) => {
                if let Some(task) = self.rounds(exchange).and_then(|rounds| rounds.task.take()) {
                    self.cancel_task(&task);
                }
                return self.fail_as(exchange, Kind::Protocol, &why);
            }
        };
        let Some(task) = self.task(exchange) else { return };
        round.entries.retain(|entry| task.known.insert(entry.key.clone()));
        if !round.entries.is_empty() {
            self.begin_round(exchange, round);
            self.ask_client(exchange);
        }
    }

    /// Everything a task asked for is answered (MD-53).
    pub(super) fn update_task(&mut self, exchange: ExchangeId, responses: String) {
        let Some(task) = self.task(exchange) else { return };
        task.update = Some(responses);
        self.send_update(exchange);
    }

    fn send_update(&mut self, exchange: ExchangeId) {
        let Some(task) = self.task(exchange) else { return };
        let Some(responses) = &task.update else { return };
        let members = format!(r#""taskId":{},"inputResponses":{responses},"#, task.id);
        let (below, _) = self.ask(Purpose::TaskUpdate(exchange), "tasks/update", &members);
        if let Some(task) = self.task(exchange) {
            task.under_way.push(below);
        }
    }

    pub(super) fn on_task_updated(&mut self, exchange: ExchangeId, reply: Reply) {
        self.forget_done(exchange);
        let Some(task) = self.task(exchange) else { return };
        match reply {
            // A second one is ignored by design, so what may not have arrived is sent again with
            // the next question.
            Reply::End(end) if is_passing(&end) => {}
            Reply::End(_) | Reply::Answer(_) => task.update = None,
        }
    }

    /// Asks after a task.
    pub(super) fn poll_task(&mut self, exchange: ExchangeId) {
        let Some(task) = self.task(exchange) else { return };
        task.polls += 1;
        let members = format!(r#""taskId":{},"#, task.id);
        let is_update_due = task.update.is_some() && task.under_way.is_empty();
        if is_update_due {
            self.send_update(exchange);
        }
        let (below, _) = self.ask(Purpose::TaskGet(exchange), "tasks/get", &members);
        if let Some(task) = self.task(exchange) {
            task.under_way.push(below);
        }
    }

    pub(super) fn on_task_told(&mut self, exchange: ExchangeId, reply: Reply) {
        self.forget_done(exchange);
        let random = self.now.random;
        let Some(task) = self.task(exchange) else { return };
        let end = match reply {
            Reply::Answer(answer) => return self.on_task_answer(exchange, &answer),
            Reply::End(end) => end,
        };
        task.failures += 1;
        if is_passing(&end) && task.failures <= MAX_FAILURES {
            let wait = millis(CONNECT.delay(task.failures - 1, random)).max(task.interval);
            return self.call_due(exchange, wait);
        }
        let error = match &end {
            End::Status(refused) => refusal::json_rpc_error(refused),
            _ => None,
        };
        match error {
            Some(error) => self.on_task_answer(exchange, &error),
            None => self.lose(exchange, &end.to_string()),
        }
    }

    fn on_task_answer(&mut self, exchange: ExchangeId, answer: &Message) {
        match (answer.result().and_then(Object::parse), answer.error()) {
            (Some(state), _) => self.on_task_state(exchange, &state),
            (None, error) => {
                let said = error.and_then(|error| member(error, "message")).map(unquote);
                let said = said.unwrap_or("it is not an object".into());
                self.lose(exchange, &format!("the server does not tell what became of it: {said}"));
            }
        }
    }

    /// Drops what is no longer under way.
    fn forget_done(&mut self, exchange: ExchangeId) {
        let open: Vec<ExchangeId> = self
            .below
            .iter()
            .filter(|(_, purpose)| {
                matches!(purpose, Purpose::TaskGet(of) | Purpose::TaskUpdate(of) if *of == exchange)
            })
            .map(|(below, _)| *below)
            .collect();
        if let Some(task) = self.task(exchange) {
            task.under_way.retain(|below| open.contains(below));
        }
    }

    /// Nobody waits for a task any more (MD-54).
    pub(super) fn cancel_task(&mut self, task: &Task) {
        task.under_way.iter().for_each(|below| self.abort_below(*below));
        let members = format!(r#""taskId":{},"#, task.id);
        self.ask(Purpose::Spent, "tasks/cancel", &members);
    }

    /// What a task says of itself becomes progress, where the client asked for progress and there
    /// is none: a task has none (MD-55).
    fn tell_status(&mut self, exchange: ExchangeId, state: &Object<'_>) {
        let is_oldest = self.client.as_ref().is_some_and(|it| it.version == "2024-11-05");
        let Some(call) = self.calls.get(&exchange).filter(|call| call.progress.is_none()) else {
            return;
        };
        let own_meta = call.message.param("_meta");
        let token = own_meta.and_then(|meta| member(meta, "progressToken")).map(str::to_owned);
        let said = state.get("statusMessage").filter(|said| said.starts_with('"'));
        let (Some(token), Some(said), false) = (token, said, is_oldest) else { return };
        let Some(task) = self.task(exchange).filter(|task| task.said.as_deref() != Some(said))
        else {
            return;
        };
        task.said = Some(said.to_owned());
        task.told += 1;
        let text = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{token},"progress":{},"message":{}}}}}"#,
            task.told,
            quote(&unquote(said))
        );
        self.say(exchange, text.into());
    }
}

/// Whether asking again may bring an answer.
fn is_passing(end: &End) -> bool {
    match end {
        End::Unsent(_) | End::Broken(_) | End::Silent(_) | End::Stream(_) => true,
        End::Status(refused) => matches!(refused.status, 429 | 500 | 502..=504),
        _ => false,
    }
}
