//! Held calls: the client is told what input the server wants, and comes back with it
//! (XB-42 to XB-50).

use bytes::Bytes;
use tracing::debug;

use super::{
    Timer, ToLegacy,
    ask::Asked,
    call::Call,
    capabilities::{Ask, refusal},
    log::Level,
    request::{Method, Params},
    result::{error_response, internal, response, set_meta},
    seal::{Handle, Seal},
};
use crate::{
    error::{Error, Kind},
    message::{
        Message, elements, member,
        object::{Object, quote},
        unquote,
    },
};

/// How many calls may be held; of more the oldest is given up.
const MAX_HELD: usize = 256;

/// Why a request with a `requestState` is not served (XB-46).
fn unknown_state(message: &Message) -> Error {
    let attempted = format!("could not go on with `{}`", message.method());
    Error::new(Kind::InvalidRequestState, attempted)
        .because("its `requestState` is unknown, used, expired or of another request")
        .hint("make the call again without `requestState` and `inputResponses`")
}

/// The answer to a request that goes on with a call which a translation with this `secret` held. To
/// a remote that has become a modern one since, it would be a new one (XB-46).
pub fn refuse_held(secret: &[u8; 32], message: &Message) -> Option<Bytes> {
    let state = unquote(message.param("requestState")?);
    Seal::new(secret).open(&state, message)?;
    Some(unknown_state(message).response(message.id()))
}

impl ToLegacy {
    /// The questions for a call have been collected.
    pub(super) fn on_window(&mut self, number: u64) {
        if let Some(call) = self.calls.get_mut(&number) {
            call.is_collecting = false;
            if !call.is_held && !call.asked.is_empty() {
                self.open_round(number);
            }
        }
    }

    /// Answers the client that input is required, and holds the call.
    fn open_round(&mut self, number: u64) {
        let Some(call) = self.calls.get_mut(&number) else { return };
        call.round += 1;
        call.is_held = true;
        let handle = Handle { call: number, round: call.round };
        let mut requests = Object::default();
        for asked in &call.asked {
            let method = asked.ask.method();
            let params = asked.params.as_ref();
            let params = params.map(|params| format!(r#","params":{params}"#)).unwrap_or_default();
            requests.set(&asked.key, format!(r#"{{"method":"{method}"{params}}}"#));
        }
        let mut result = Object::default();
        result.set("resultType", r#""input_required""#);
        result.set("inputRequests", requests.to_string());
        result.set("requestState", quote(&self.seal.state(handle, &call.message)));
        let remote = self.session.remote.as_ref();
        set_meta(&mut result, remote.and_then(|remote| remote.server_info.as_deref()));
        let answer = response(call.id(), result);
        self.tell(answer);
        self.after(self.input_wait, Timer::Expire(handle));
        self.limit_held();
        self.pump();
    }

    fn limit_held(&mut self) {
        let held = || self.calls.iter().filter(|(_, call)| call.is_held);
        if held().count() > MAX_HELD {
            let oldest = held().next().map(|(number, _)| *number);
            oldest.into_iter().for_each(|number| self.give_up(number));
        }
    }

    pub(super) fn on_expired(&mut self, handle: Handle) {
        let is_still = |call: &Call| call.is_held && call.round == handle.round;
        if self.calls.get(&handle.call).is_some_and(is_still) {
            debug!("the client did not come back with its input");
            self.give_up(handle.call);
        }
    }

    /// Nobody waits for a call any more.
    pub(super) fn give_up(&mut self, number: u64) {
        self.call_off(number, Some("the client did not come back with its input"));
    }

    /// A request with `requestState` or `inputResponses`: the next round of a held call, and never
    /// a new one (XB-46).
    pub(super) fn on_retry(
        &mut self,
        message: &Message,
        params: &Params<'_>,
        level: Option<Level>,
    ) {
        let state = params.get("requestState").map(unquote).unwrap_or_default();
        let is_held = |handle: &Handle| {
            let call = self.calls.get(&handle.call);
            call.is_some_and(|call| call.is_held && call.round == handle.round)
        };
        let Some(handle) = self.seal.open(&state, message).filter(is_held) else {
            return self.refuse(message, &unknown_state(message));
        };
        let number = handle.call;
        let Some(mut call) = self.calls.remove(&number) else { return };
        call.attach(message, params, level);
        let given = params.get("inputResponses").and_then(Object::parse).unwrap_or_default();
        if let Some(answer) = call.finished.take() {
            return self.finish(number, call, &answer);
        }
        if let Some(failure) = call.failure.take() {
            return self.go_on_after_url(&call, &failure, &given);
        }
        let is_complete = self.pass_on(&mut call, &given);
        self.calls.insert(number, call);
        if is_complete {
            self.raise_level(level);
        } else {
            self.open_round(number);
        }
    }

    /// Gives the server the answers the client has brought. Whether that is all of them.
    fn pass_on(&mut self, call: &mut Call, given: &Object<'_>) -> bool {
        for asked in std::mem::take(&mut call.asked) {
            match given.get(&asked.key).filter(|answer| answer.starts_with('{')) {
                Some(answer) => {
                    let id = asked.server_id.as_deref().unwrap_or("null");
                    self.say(response(id, answer));
                }
                None => call.asked.push(asked),
            }
        }
        call.asked.is_empty()
    }

    /// The call has ended because the client must go to a URL first (XB-48).
    pub(super) fn on_url_required(&mut self, number: u64, mut call: Call, failure: &str) {
        let wanted = Some(r#"{"mode":"url"}"#);
        if refusal(call.capabilities(), Ask::Elicitation, wanted).is_some() {
            let message = member(failure, "message").unwrap_or(r#""a URL must be opened first""#);
            let error = format!(
                r#"{{"code":-32021,"message":{message},"data":{{"requiredCapabilities":{{"elicitation":{{"url":{{}}}}}}}}}}"#
            );
            return self.tell(error_response(call.id(), &error));
        }
        let list = member(failure, "data").and_then(|data| member(data, "elicitations"));
        let list = list.and_then(|list| elements(list.as_bytes())).unwrap_or_default();
        call.asked = list.iter().filter_map(|one| self.url_question(one.get())).collect();
        if call.asked.is_empty() {
            return self.tell(error_response(call.id(), &internal(failure)));
        }
        call.failure = Some(failure.to_owned());
        self.calls.insert(number, call);
        self.open_round(number);
    }

    fn url_question(&mut self, elicitation: &str) -> Option<Asked> {
        let mut params = Object::parse(elicitation)?;
        params.remove("elicitationId");
        params.set("mode", r#""url""#);
        Some(Asked {
            key: format!("input-{}", self.unique()),
            server_id: None,
            ask: Ask::Elicitation,
            params: Some(params.to_string()),
            was_parked: false,
        })
    }

    /// The client comes back from a URL: the call is made again, unless the person refused.
    fn go_on_after_url(&mut self, call: &Call, failure: &str, given: &Object<'_>) {
        let refused =
            |answer: &str| matches!(member(answer, "action"), Some(r#""decline""# | r#""cancel""#));
        let is_refused = call.asked.iter().any(|asked| given.get(&asked.key).is_some_and(refused));
        if !is_refused {
            let params = Params::of(&call.message);
            return self.accept(&call.message, call.method, params, call.level);
        }
        if call.method != Method::ToolsCall {
            return self.tell(error_response(call.id(), &internal(failure)));
        }
        let text = member(failure, "message").unwrap_or(r#""a URL had to be opened first""#);
        let mut result = Object::default();
        result.set("content", format!(r#"[{{"type":"text","text":{text}}}]"#));
        result.set("isError", "true");
        result.set("resultType", r#""complete""#);
        let remote = self.session.remote.as_ref();
        set_meta(&mut result, remote.and_then(|remote| remote.server_info.as_deref()));
        self.tell(response(call.id(), result));
    }
}
