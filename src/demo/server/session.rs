//! A session of the legacy era: its streams, the requests that run in it, what it was told.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc::UnboundedReceiver, oneshot},
    task::AbortHandle,
};

use super::{
    message::Message,
    stream::{Form, Stream},
};

/// How many streams are kept for a client that lost them.
const KEPT: usize = 32;

/// One session.
pub(in crate::demo) struct Session {
    /// Where everything goes that belongs to no request's own stream: in HTTP+SSE, all of it.
    pub(in crate::demo) common: Stream,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What the client can do, as it said at the start.
    able: Value,
    /// The least severe level that is logged, where the client named one.
    level: Option<String>,
    /// The streams of requests that have one of their own, and the number of each.
    streams: VecDeque<(u64, Stream)>,
    started: u64,
    /// Streams beside the common one, on which nothing is said.
    idle: Vec<Stream>,
    /// The requests that have no answer yet, by id.
    running: HashMap<String, AbortHandle>,
    /// What the client was asked, by the id of the question.
    questions: HashMap<u64, oneshot::Sender<Value>>,
    asked: u64,
    subscription: Option<AbortHandle>,
}

impl Session {
    pub(super) fn new(form: Form) -> Arc<Self> {
        Arc::new(Session { common: Stream::new(form), state: Mutex::default() })
    }

    /// A stream for one request.
    pub(super) fn stream(&self) -> Stream {
        let mut state = self.state();
        let number = state.started;
        state.started += 1;
        let stream = Stream::new(Form::Numbered(format!("/{number}")));
        state.streams.retain(|(_, stream)| !stream.is_spent());
        if state.streams.len() >= KEPT {
            state.streams.pop_front();
        }
        state.streams.push_back((number, stream.clone()));
        stream
    }

    /// What comes on a stream that the client opened for what belongs to no request. A second one
    /// beside it stays silent: no message is sent twice (1125:http, "Multiple Connections").
    pub(super) fn listen(&self) -> UnboundedReceiver<Bytes> {
        if !self.common.is_read() {
            return self.common.connect(None);
        }
        let silent = Stream::new(Form::Numbered(String::new()));
        let events = silent.connect(None);
        let idle = &mut self.state().idle;
        idle.retain(Stream::is_read);
        idle.push(silent);
        events
    }

    /// What came on a stream after the event with this id. Nothing where the stream is not kept.
    pub(super) fn resume(&self, last: &str) -> Option<UnboundedReceiver<Bytes>> {
        let (number, of) = last.split_once('/').map_or((last, None), |(n, of)| (n, Some(of)));
        let after = number.parse().ok()?;
        let Some(of) = of else { return Some(self.common.connect(Some(after))) };
        let of: u64 = of.parse().ok()?;
        let streams = &self.state().streams;
        let (_, stream) = streams.iter().find(|(number, _)| *number == of)?;
        Some(stream.connect(Some(after)))
    }

    /// Runs what answers a request, until it is done or cancelled.
    pub(super) fn run(&self, id: &Value, answering: impl Future<Output = ()> + Send + 'static) {
        // Nothing of it runs before it stands in the list.
        let mut state = self.state();
        let task = tokio::spawn(answering).abort_handle();
        state.running.insert(id.to_string(), task);
    }

    /// Forgets a request that is answered.
    pub(super) fn finished(&self, id: &Value) {
        self.state().running.remove(&id.to_string());
    }

    /// Takes in a notification or a response.
    pub(super) fn receive(&self, message: Message) {
        let mut state = self.state();
        if message.method == "notifications/cancelled" {
            let task = state.running.remove(&message.params["requestId"].to_string());
            task.inspect(AbortHandle::abort);
        } else if message.is_response() {
            let question = message.id.as_u64().and_then(|id| state.questions.remove(&id));
            // Whoever asked may have been cancelled meanwhile.
            question.map(|question| question.send(message.whole));
        }
    }

    /// Asks the client on this stream, and gives its response.
    pub(super) async fn ask(&self, stream: &Stream, method: &str, params: Value) -> Value {
        let (answer, answered) = oneshot::channel();
        let id = {
            let mut state = self.state();
            state.asked += 1;
            let id = state.asked;
            state.questions.insert(id, answer);
            id
        };
        stream.say(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        // A session that has ended takes its requests with it, so this one waits no longer either.
        answered.await.unwrap_or_default()
    }

    /// Whether the client said that it can do this.
    pub(super) fn is_able_to(&self, what: &str) -> bool {
        self.state().able.get(what).is_some()
    }

    pub(super) fn set_able(&self, able: Value) {
        self.state().able = able;
    }

    /// The least severe level that is logged, where the client named one.
    pub(super) fn level(&self) -> Option<String> {
        self.state().level.clone()
    }

    pub(in crate::demo) fn set_level(&self, level: &str) {
        self.state().level = Some(level.to_owned());
    }

    /// Puts a subscription in the place of an earlier one.
    pub(in crate::demo) fn subscribe(&self, task: Option<AbortHandle>) {
        let earlier = std::mem::replace(&mut self.state().subscription, task);
        earlier.inspect(AbortHandle::abort);
    }

    /// Ends everything that runs in it, and its streams.
    pub(super) fn end(&self) {
        self.subscribe(None);
        let state = std::mem::take(&mut *self.state());
        state.running.values().for_each(AbortHandle::abort);
        self.common.end();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No statement leaves it half changed, so a poisoned one is usable.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
