//! Tools that a legacy server runs as tasks only (1125:tasks, XB-24).

use std::borrow::Cow;

use bytes::Bytes;

use super::{
    Own, Timer, ToLegacy,
    call::Call,
    request::{Method, Params},
    result::{code, may_have_execution, without_execution},
};
use crate::{
    message::{Message, member, object::Object, same_id, unquote},
    time::Millis,
};

/// How often a task is looked at: what the server asks for, within reason.
const POLL: Millis = 1_000;
const MIN_POLL: Millis = 200;
const MAX_POLL: Millis = 60_000;

/// The task that a call has become.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) enum Task {
    /// An ordinary call.
    #[default]
    None,
    /// Asked for.
    Asked,
    /// Runs, under this raw id.
    Running(String),
}

impl Task {
    /// Whether it is the one of that raw id.
    pub(super) fn is(&self, id: &str) -> bool {
        self.id().is_some_and(|known| same_id(known, id))
    }

    /// The raw id.
    pub(super) fn id(&self) -> Option<&str> {
        match self {
            Task::Running(id) => Some(id),
            _ => None,
        }
    }
}

impl ToLegacy {
    /// A `tools/list` result as a modern client knows it; which tools need tasks is kept.
    pub(super) fn learn_tools<'a>(&mut self, call: &Call, result: &'a str) -> Cow<'a, str> {
        if call.message.param("cursor").is_none() {
            self.task_tools.clear();
        }
        if !may_have_execution(result) {
            return Cow::Borrowed(result);
        }
        without_execution(result, |name, must| {
            if must {
                self.task_tools.insert(name.to_owned());
            }
        })
    }

    /// The request of a call, asking for a task where its tool needs one.
    pub(super) fn as_task(&self, call: &mut Call, outgoing: Bytes) -> Bytes {
        let has_tasks = self.session.remote.as_ref().is_some_and(|remote| remote.has_task_calls);
        if call.method != Method::ToolsCall || !has_tasks || self.task_tools.is_empty() {
            return outgoing;
        }
        let name = call.message.param("name").map(unquote).unwrap_or_default();
        if !self.task_tools.contains(name.as_ref()) {
            return outgoing;
        }
        let Ok(message) = Message::parse(outgoing.clone()) else { return outgoing };
        let Some(mut params) = message.params().and_then(Object::parse) else { return outgoing };
        params.set("task", "{}");
        call.task = Task::Asked;
        message.with_params(&params.to_string())
    }

    /// Whether a call was refused because its tool, not listed yet, must be called as a task: the
    /// server says that there is no such method (1125:tasks), and has not run it. Then the call is
    /// made again as one.
    pub(super) fn is_again_as_task(&mut self, number: u64, answer: &Message) -> bool {
        let has_tasks = self.session.remote.as_ref().is_some_and(|remote| remote.has_task_calls);
        let is_refused = answer.error().and_then(code) == Some(-32601);
        let Some(call) = self.calls.get(&number).filter(|_| has_tasks && is_refused) else {
            return false;
        };
        let is_plain = call.method == Method::ToolsCall && call.task == Task::None && !call.is_held;
        let Some(name) = call.message.param("name").map(unquote).filter(|_| is_plain) else {
            return false;
        };
        if !self.task_tools.insert(name.into_owned()) {
            return false;
        }
        let message = call.message.clone();
        let (method, level) = (call.method, call.level);
        self.calls.remove(&number);
        self.accept(&message, method, Params::of(&message), level);
        true
    }

    /// Whether the answer to a call says that it runs as a task.
    pub(super) fn became_task(&mut self, number: u64, answer: &Message) -> bool {
        let Some(call) = self.calls.get_mut(&number) else { return false };
        if call.task != Task::Asked {
            return false;
        }
        let task = answer.result().and_then(|result| member(result, "task"));
        let Some((task, id)) = task.and_then(|task| Some((task, member(task, "taskId")?))) else {
            return false;
        };
        call.task = Task::Running(id.to_owned());
        self.follow(number, task);
        true
    }

    /// Looks at a task.
    pub(super) fn poll(&mut self, number: u64) {
        self.ask_task(number, Own::TaskGet(number), "tasks/get");
    }

    fn ask_task(&mut self, number: u64, own: Own, method: &str) {
        let id = self.calls.get(&number).and_then(|call| call.task.id());
        if let Some(params) = id.map(|id| format!(r#"{{"taskId":{id}}}"#)) {
            self.ask(own, method, &params);
        }
    }

    /// The state of a task decides what to ask next. While it wants input, the questions come with
    /// the answer to `tasks/result`, which waits for the end.
    fn follow(&mut self, number: u64, task: &str) {
        let status = member(task, "status").map(unquote).unwrap_or_default();
        if status == "working" {
            let wait = member(task, "pollInterval").and_then(|wait| wait.parse::<f64>().ok());
            let wait = wait.map_or(POLL, |wait| wait as Millis);
            self.after(wait.clamp(MIN_POLL, MAX_POLL), Timer::Poll(number));
        } else {
            self.ask_task(number, Own::TaskResult(number), "tasks/result");
        }
    }

    pub(super) fn on_task(&mut self, number: u64, answer: Message) {
        match answer.result() {
            Some(task) if answer.error().is_none() => self.follow(number, task),
            _ => self.on_task_result(number, answer),
        }
    }

    /// The outcome of a task is the answer to its call.
    pub(super) fn on_task_result(&mut self, number: u64, answer: Message) {
        if self.calls.contains_key(&number) {
            self.on_call_answer(number, answer);
        }
    }
}
