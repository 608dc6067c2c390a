//! What the server asks its client while it works (XB-40, XB-41, XB-43, XB-44).

use std::borrow::Cow;

use tracing::debug;

use super::{
    Own, Timer, ToLegacy, Turn,
    capabilities::{Ask, refusal},
    result::{RELATED_TASK, error_response, remove_task_meta, response},
};
use crate::{
    message::{Message, member, object::Object, same_id},
    time::Millis,
};

/// How long more questions for a call are waited for, so that they share a round (XB-42).
const WINDOW: Millis = 30;

/// How long `roots/list` waits for a call to go with.
const PARKED: Millis = 5_000;

/// A question of the server.
#[derive(Debug)]
pub(super) struct Asked {
    /// Its name in `inputRequests`.
    pub key: String,
    /// The raw id the server waits with; none where nobody waits.
    pub server_id: Option<String>,
    pub ask: Ask,
    /// Its `params`, as a modern client gets them.
    pub params: Option<String>,
    /// Whether it came while no call ran.
    pub was_parked: bool,
}

/// A question that waits for a call to go with.
#[derive(Debug)]
pub(super) struct Parked {
    number: u64,
    pub asked: Asked,
}

impl ToLegacy {
    /// The server asks something. It never reaches the client as a request (ST-11).
    pub(super) fn on_question(&mut self, message: &Message, during: Option<&str>) {
        let Some(id) = message.id() else { return };
        let method = message.method();
        let Some(ask) = Ask::of(&method) else {
            let answer = if method == "ping" {
                response(id, "{}")
            } else {
                error_response(id, r#"{"code":-32601,"message":"the client has no such method"}"#)
            };
            return self.say(answer);
        };
        match self.owner(ask, message, during) {
            Some(call) => self.ask_about(call, ask, message),
            None if ask == Ask::Roots && !self.is_of_client(during) => self.park(message),
            None => self.decline(id, -32602, "no call runs that the client could be asked about"),
        }
    }

    /// Whether a question came on the stream of a request of the client's, and not on the server's
    /// own or on that of a request of ours, such as `initialize`.
    fn is_of_client(&self, during: Option<&str>) -> bool {
        during.and_then(|id| self.own_number(id)).is_some_and(|number| {
            !self.own.contains_key(&number) && !self.session.is_opening(number)
        })
    }

    /// The call a question belongs to: its stream, or the task it names, says so; else it is the
    /// one call that it can be about (XB-41).
    fn owner(&mut self, ask: Ask, message: &Message, during: Option<&str>) -> Option<u64> {
        let may_ask =
            |of: &Self, number: &u64| of.calls.get(number).is_some_and(|call| call.may_ask());
        let by_stream = match during {
            Some(id) => Some(self.own_number(id).and_then(|number| self.call_of(number))),
            None => self.task_named_in(message).map(Some),
        };
        match by_stream {
            Some(call) => call.filter(|number| may_ask(self, number)),
            None => self.guess(ask, message.params()),
        }
    }

    /// The call whose task is named in `_meta` (1125:tasks).
    fn task_named_in(&self, message: &Message) -> Option<u64> {
        let task = member(member(message.param("_meta")?, RELATED_TASK)?, "taskId")?;
        self.calls.iter().find(|(_, call)| call.task.is(task)).map(|(number, _)| *number)
    }

    /// The oldest call that a question can be about. One whose client waits comes before one that
    /// is held: that one waits for us.
    fn guess(&mut self, ask: Ask, params: Option<&str>) -> Option<u64> {
        let open: Vec<_> = self.calls.iter().filter(|(_, call)| call.may_ask()).collect();
        let fits = |held| {
            open.iter()
                .filter(|(_, call)| call.is_held == held)
                .find(|(_, call)| refusal(call.capabilities(), ask, params).is_none())
        };
        let best = fits(false).or_else(|| fits(true)).or(open.first());
        let (number, count) = (best.map(|(number, _)| **number)?, open.len());
        if ask == Ask::Roots {
            // They are the same for every call.
            return Some(number);
        }
        self.is_uncorrelated = true;
        if count > 1 && !std::mem::replace(&mut self.has_warned, true) {
            self.turns.push(Turn::Warn(format!(
                "the remote asks for input without saying for which of {count} calls; \
                 the oldest is taken, and from now on one such call runs at a time"
            )));
        }
        Some(number)
    }

    fn ask_about(&mut self, number: u64, ask: Ask, message: &Message) {
        let Some(call) = self.calls.get(&number) else { return };
        let id = message.id().unwrap_or("null");
        if let Some((code, why)) = refusal(call.capabilities(), ask, message.params()) {
            return self.decline(id, code, why);
        }
        let asked = self.asked(ask, message);
        self.collect(number, asked);
    }

    fn asked(&mut self, ask: Ask, message: &Message) -> Asked {
        Asked {
            key: format!("input-{}", self.unique()),
            server_id: message.id().map(str::to_owned),
            ask,
            params: message.params().map(|params| modern_params(params).into_owned()),
            was_parked: false,
        }
    }

    /// A question more for a call.
    fn collect(&mut self, number: u64, asked: Asked) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        call.asked.push(asked);
        // For a held one it is for the next round.
        if !call.is_held && !std::mem::replace(&mut call.is_collecting, true) {
            self.after(WINDOW, Timer::Window(number));
        }
    }

    /// `roots/list` without a call: many servers ask for it right after the handshake.
    fn park(&mut self, message: &Message) {
        if !self.session.has_roots() {
            return self.decline(
                message.id().unwrap_or("null"),
                -32601,
                "the client offers no roots",
            );
        }
        let asked = Asked { was_parked: true, ..self.asked(Ask::Roots, message) };
        let number = self.unique();
        self.parked.push(Parked { number, asked });
        self.after(PARKED, Timer::Parked(number));
    }

    /// A call has begun that parked questions may go with.
    pub(super) fn unpark(&mut self, number: u64) {
        let Some(call) = self.calls.get(&number) else { return };
        if refusal(call.capabilities(), Ask::Roots, None).is_some() {
            return;
        }
        for parked in std::mem::take(&mut self.parked) {
            self.collect(number, parked.asked);
        }
    }

    pub(super) fn on_parked_long(&mut self, number: u64) {
        if let Some(at) = self.parked.iter().position(|parked| parked.number == number) {
            let parked = self.parked.remove(at);
            self.abandon(parked.asked);
        }
    }

    /// The server wants no answer to its question any more (XB-49).
    pub(super) fn on_question_cancelled(&mut self, message: &Message) {
        let Some(id) = message.param("requestId") else { return };
        let is_it =
            |asked: &Asked| asked.server_id.as_deref().is_some_and(|known| same_id(known, id));
        self.parked.retain(|parked| !is_it(&parked.asked));
        for call in self.calls.values_mut() {
            call.asked.retain(|asked| !is_it(asked));
        }
    }

    /// Nobody will answer a question.
    pub(super) fn abandon(&mut self, asked: Asked) {
        let Some(id) = &asked.server_id else { return };
        match asked.ask {
            Ask::Elicitation => self.say(response(id, r#"{"action":"cancel"}"#)),
            Ask::Roots if asked.was_parked => self.say(response(id, r#"{"roots":[]}"#)),
            Ask::Roots | Ask::Sampling => self.decline(id, -32603, "the client did not answer"),
        }
    }

    fn decline(&mut self, id: &str, code: i32, why: &str) {
        debug!(why, "declined a request of the remote");
        self.say(error_response(id, &format!(r#"{{"code":{code},"message":"{why}"}}"#)));
    }

    /// Tells the server that a call of its is not wanted any more, and drops it (XB-50).
    pub(super) fn call_off(&mut self, number: u64, reason: Option<&str>) {
        let Some(call) = self.calls.remove(&number) else { return };
        for asked in call.asked {
            self.abandon(asked);
        }
        if call.finished.is_some() || call.failure.is_some() {
            return;
        }
        let part =
            |own: &Own| matches!(own, Own::TaskGet(of) | Own::TaskResult(of) if *of == number);
        let parts: Vec<u64> =
            self.own.iter().filter(|(_, own)| part(own)).map(|(number, _)| *number).collect();
        for part in parts {
            self.own.remove(&part);
            self.cancel(part, reason);
        }
        match call.task.id() {
            Some(task) => {
                let params = format!(r#"{{"taskId":{task}}}"#);
                self.ask(Own::Ignored, "tasks/cancel", &params);
            }
            None => self.cancel(number, reason),
        }
    }

    fn cancel(&mut self, number: u64, reason: Option<&str>) {
        let id = self.own_token(number);
        let reason = reason
            .map(|reason| format!(r#","reason":{}"#, crate::message::object::quote(reason)))
            .unwrap_or_default();
        self.say(format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}{reason}}}}}"#
        ));
    }
}

/// The `params` of a question without what only a legacy client understands (XB-43).
fn modern_params(params: &str) -> Cow<'_, str> {
    let Some(mut all) = Object::parse(params) else { return Cow::Borrowed(params) };
    all.remove("elicitationId");
    all.remove("task");
    if let Some(old) = all.remove("_meta") {
        let mut meta = Object::parse(&old).unwrap_or_default();
        meta.remove("progressToken");
        remove_task_meta(&mut meta);
        if !meta.is_empty() {
            all.set("_meta", meta.to_string());
        }
    }
    Cow::Owned(all.to_string())
}
