//! A client's request on its way to the remote, and the answer on its way back.

use std::borrow::Cow;

use bytes::Bytes;
use tracing::debug;

use super::{
    Timer, ToLegacy,
    ask::Asked,
    capabilities::may_be_asked,
    log::Level,
    request::{Method, Params},
    result::{self, Added, complete, error_response, response},
    tasks::Task,
};
use crate::{
    era::{meta, version},
    error::{Error, Kind},
    message::{Message, same_id, unquote},
    protocol::MODERN_VERSIONS,
    time::Millis,
};

/// How long what can be told of changes may take to become known.
const CLEAR: Millis = 1500;

/// How long a call waits for its turn where the server's questions cannot be told apart (XB-41).
const TURN: Millis = 10_000;

/// A request that is not sent yet.
#[derive(Debug)]
pub(super) struct Waiting {
    pub number: u64,
    pub call: Call,
    /// The legacy request; nothing for what is served here.
    outgoing: Bytes,
    since: Millis,
    /// Whether the end of its wait for its turn is marked.
    is_timed: bool,
}

/// A request of the client that the remote has not answered, or whose answer the client has not
/// asked for again yet.
#[derive(Debug)]
pub(super) struct Call {
    /// The request as it came; of several rounds the latest.
    pub message: Message,
    pub method: Method,
    /// The raw `clientCapabilities` of it.
    pub capabilities: Bytes,
    /// The client's own progress token, raw.
    progress: Option<Bytes>,
    /// The least severe log message it wants.
    pub level: Option<Level>,
    /// The task that it has become at the remote.
    pub task: Task,
    /// What the server waits for.
    pub asked: Vec<Asked>,
    /// Whether the questions that have come are being collected.
    pub is_collecting: bool,
    /// Whether the client has been asked and has not come back.
    pub is_held: bool,
    /// The number of its last `requestState`.
    pub round: u32,
    /// The answer that came meanwhile.
    pub finished: Option<Message>,
    /// The error that ended it and wants the client to go somewhere first (XB-48).
    pub failure: Option<String>,
}

impl Call {
    fn new(message: &Message, method: Method, params: &Params<'_>, level: Option<Level>) -> Self {
        let part = |raw: &str| message.bytes().slice_ref(raw.as_bytes());
        Call {
            message: message.clone(),
            method,
            capabilities: params.meta(meta::CLIENT_CAPABILITIES).map(part).unwrap_or_default(),
            progress: params.meta("progressToken").map(part),
            level,
            task: Task::None,
            asked: Vec::new(),
            is_collecting: false,
            is_held: false,
            round: 0,
            finished: None,
            failure: None,
        }
    }

    /// The raw id that the client waits with.
    pub(super) fn id(&self) -> &str {
        self.message.id().unwrap_or("null")
    }

    pub(super) fn capabilities(&self) -> &str {
        std::str::from_utf8(&self.capabilities).unwrap_or("{}")
    }

    /// The client's progress token, while it may still be used (26:prog).
    pub(super) fn progress(&self) -> Option<&str> {
        let token = self.progress.as_ref().filter(|_| !self.is_held)?;
        std::str::from_utf8(token).ok()
    }

    /// Whether the server may have a question about it.
    pub(super) fn may_ask(&self) -> bool {
        self.method.is_eligible() && self.finished.is_none() && self.failure.is_none()
    }

    /// The client asks again, in the next round.
    pub(super) fn attach(&mut self, message: &Message, params: &Params<'_>, level: Option<Level>) {
        let fresh = Call::new(message, self.method, params, level);
        self.message = fresh.message;
        self.capabilities = fresh.capabilities;
        self.progress = fresh.progress;
        self.level = fresh.level;
        self.is_held = false;
    }
}

impl ToLegacy {
    pub(super) fn on_request(&mut self, message: &Message) {
        let params = Params::of(message);
        // Of the versions after ours a legacy remote knows nothing (MM-5, XB-14).
        if let Some(version) = params.meta(meta::PROTOCOL_VERSION).map(unquote)
            && let Some(id) = message.id()
            && !version::is_ours(&version)
        {
            return self.tell(version::unsupported(id, &version));
        }
        let method = Method::of(&message.method());
        if method == Method::Removed {
            let name = message.method();
            let text = format!("{} has no `{name}`", MODERN_VERSIONS[0]);
            return self.refuse(message, &Error::new(Kind::MethodNotFound, text));
        }
        let level = match params.meta(meta::LOG_LEVEL).map(Level::of) {
            None => None,
            Some(Some(level)) => Some(level),
            Some(None) => {
                let text = "the log level is none of the eight that there are";
                return self.refuse(message, &Error::new(Kind::InvalidParams, text));
            }
        };
        let is_retry =
            ["requestState", "inputResponses"].iter().any(|name| params.get(name).is_some());
        if is_retry && method.is_eligible() {
            return self.on_retry(message, &params, level);
        }
        self.accept(message, method, params, level);
    }

    /// Takes in a request, to be sent when it can be.
    pub(super) fn accept(
        &mut self,
        message: &Message,
        method: Method,
        params: Params<'_>,
        level: Option<Level>,
    ) {
        let number = self.unique();
        let id = self.own_token(number);
        let call = Call::new(message, method, &params, level);
        let outgoing = match method {
            Method::Discover | Method::Listen => Bytes::new(),
            _ => message.with_id_and_params(&id, params.into_legacy(method, &id)),
        };
        self.waiting.push_back(Waiting {
            number,
            call,
            outgoing,
            since: self.now.mono,
            is_timed: false,
        });
        self.pump();
    }

    /// Sends what can be sent.
    pub(super) fn pump(&mut self) {
        let mut index = 0;
        while index < self.waiting.len() && !self.session.waits() {
            if !self.may_go(index) {
                index += 1;
            } else if let Some(waiting) = self.waiting.remove(index) {
                self.go(waiting);
            }
        }
    }

    fn may_go(&mut self, index: usize) -> bool {
        self.has_session_for(index)
            && self.is_clear_about_changes(index)
            && self.has_level_for(index)
            && self.has_turn(index)
    }

    /// What can be promised of changes is waited for a little, by what is told of them (XB-12).
    fn is_clear_about_changes(&mut self, index: usize) -> bool {
        let is_promising = self.session.is_promising() && !self.is_closing;
        let Some(waiting) = self.waiting.get_mut(index).filter(|_| is_promising) else {
            return true;
        };
        if !matches!(waiting.call.method, Method::Discover | Method::Listen) {
            return true;
        }
        if !std::mem::replace(&mut waiting.is_timed, true) {
            waiting.since = self.now.mono;
            self.after(CLEAR, Timer::Turn);
            return false;
        }
        self.now.mono.saturating_sub(waiting.since) >= CLEAR
    }

    /// Where the server's questions name no call, only one runs at a time that they could be about.
    /// A held one does not count: it may be for ever.
    fn has_turn(&mut self, index: usize) -> bool {
        let Some(waiting) =
            self.waiting.get_mut(index).filter(|_| self.is_uncorrelated && !self.is_closing)
        else {
            return true;
        };
        let is_alike = |call: &Call| call.may_ask() && may_be_asked(call.capabilities());
        let waited = self.now.mono.saturating_sub(waiting.since);
        if !is_alike(&waiting.call) || waited >= TURN {
            return true;
        }
        let is_free = !self.calls.values().any(|call| !call.is_held && is_alike(call));
        if !is_free && !std::mem::replace(&mut waiting.is_timed, true) {
            self.after(TURN - waited, Timer::Turn);
        }
        is_free
    }

    fn go(&mut self, waiting: Waiting) {
        let Waiting { number, mut call, outgoing, .. } = waiting;
        match call.method {
            Method::Discover => self.discover(&call),
            Method::Listen => self.listen(number, &call.message),
            _ => {
                let outgoing = self.as_task(&mut call, outgoing);
                self.say(outgoing);
                let takes_parked = call.may_ask() && !self.parked.is_empty();
                self.calls.insert(number, call);
                if takes_parked {
                    self.unpark(number);
                }
            }
        }
    }

    fn discover(&mut self, call: &Call) {
        let Some(remote) = &self.session.remote else { return };
        let answer = response(call.id(), remote.discover(self.session.can_listen()));
        self.tell(answer);
    }

    /// The remote has answered a call.
    pub(super) fn on_call_answer(&mut self, number: u64, answer: Message) {
        if self.became_task(number, &answer) || self.is_again_as_task(number, &answer) {
            return;
        }
        let Some(call) = self.calls.get_mut(&number) else { return };
        if call.is_held {
            call.finished = Some(answer);
            return;
        }
        if let Some(call) = self.calls.remove(&number) {
            self.finish(number, call, &answer);
        }
    }

    /// Gives the client the answer to its call.
    pub(super) fn finish(&mut self, number: u64, mut call: Call, answer: &Message) {
        for asked in std::mem::take(&mut call.asked) {
            self.abandon(asked);
        }
        match answer.error() {
            Some(error) if call.method.is_eligible() && result::code(error) == Some(-32042) => {
                self.on_url_required(number, call, error);
            }
            Some(error) => self.tell(error_response(call.id(), &result::error(error))),
            None => {
                let answer = self.modern_answer(&call, answer);
                self.tell(answer);
            }
        }
        self.pump();
    }

    fn modern_answer(&mut self, call: &Call, answer: &Message) -> Bytes {
        let mut text = Cow::Borrowed(answer.result().unwrap_or("null"));
        if call.method == Method::ToolsList {
            text = self.learn_tools(call, answer.result().unwrap_or("null"));
        }
        let server_info =
            self.session.remote.as_ref().and_then(|remote| remote.server_info.as_deref());
        let added = Added { server_info, hints: call.method.has_hints() };
        match (complete(&text, added), &text) {
            (Some(result), Cow::Borrowed(_)) => answer.with_id_and_result(call.id(), result),
            (Some(result), Cow::Owned(_)) => response(call.id(), result),
            (None, _) => {
                let attempted = format!("could not use the answer to `{}`", call.message.method());
                let error = Error::new(Kind::Protocol, attempted)
                    .because("the result is not a JSON object");
                error.response(Some(call.id()))
            }
        }
    }

    /// The client wants no answer to one of its requests any more (XB-33, XB-52, XB-63).
    pub(super) fn on_local_cancelled(&mut self, message: &Message) {
        let Some(id) = message.param("requestId") else { return };
        let names = |call: &Call| same_id(call.id(), id);
        if let Some(at) = self.waiting.iter().position(|waiting| names(&waiting.call)) {
            self.waiting.remove(at);
            return;
        }
        if self.listens.is_listen(id) {
            return self.end_listen(id);
        }
        let running = self.calls.iter().find(|(_, call)| !call.is_held && names(call));
        let Some(number) = running.map(|(number, _)| *number) else {
            return debug!("ignored the cancellation of no request");
        };
        let reason = message.param("reason").map(|reason| unquote(reason).into_owned());
        self.call_off(number, reason.as_deref());
        self.pump();
    }
}
