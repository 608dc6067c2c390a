//! `subscriptions/listen` (26:subs): streams that the test writes into.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    time::Duration,
};

use serde_json::Value;

use super::{Call, Modern, State};
use crate::support::{
    DEADLINE,
    http::event,
    json,
    net::{await_some, lock},
    server::Frame,
};

/// One listen stream.
pub(super) struct Listen {
    /// The bytes of its request's id.
    id: String,
    filter: Value,
    frames: Sender<Frame>,
    /// The client has left it, or it has ended.
    left: bool,
}

impl Call<'_> {
    /// Acknowledges the subscription and serves its stream until either side ends it.
    pub fn listen(&mut self) {
        let filter = self.params["notifications"].clone();
        let honoured = lock(&self.core.terms).honoured.clone();
        let honoured = honoured.unwrap_or_else(|| filter.to_string());
        let params = format!(r#""notifications":{honoured}"#);
        let acknowledged = tagged("notifications/subscriptions/acknowledged", &params, &self.id);
        self.sse().event(acknowledged);
        self.listen_on();
    }

    /// Registers the stream, which has begun, and serves it.
    pub fn listen_on(&mut self) {
        let (sender, frames) = channel();
        let listen = Listen {
            id: self.id.clone(),
            filter: self.params["notifications"].clone(),
            frames: sender,
            left: false,
        };
        let number = {
            let mut state = lock(&self.core.state);
            state.listens.push(listen);
            state.listens.len() - 1
        };
        self.core.changed.notify_all();
        self.serve(&frames);
        lock(&self.core.state).listens[number].left = true;
        self.core.changed.notify_all();
    }

    fn serve(&mut self, frames: &Receiver<Frame>) {
        while !self.exchange.over() {
            match frames.recv_timeout(Duration::from_millis(10)) {
                Ok(Frame::Raw(bytes)) => _ = self.exchange.chunk(bytes),
                Ok(Frame::Reset) => self.exchange.reset(),
                Ok(Frame::End) | Err(RecvTimeoutError::Disconnected) => return self.exchange.end(),
                Err(RecvTimeoutError::Timeout) if self.exchange.left() => self.exchange.close(),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

/// A notification of the subscription `id`; `params` are JSON members.
fn tagged(method: &str, params: &str, id: &str) -> String {
    let comma = if params.is_empty() { "" } else { "," };
    let meta = format!(r#""_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}"#);
    json::notification(method, &format!("{{{params}{comma}{meta}}}"))
}

impl Modern {
    fn await_state<R>(&self, what: &str, ready: impl FnMut(&mut State) -> Option<R>) -> R {
        await_some(&self.core.state, &self.core.changed, DEADLINE, ready)
            .unwrap_or_else(|| panic!("{what}; heard: {:?}", self.heard()))
    }

    /// The number (from 0) of the first listen whose filter is like this, once it is there.
    pub fn await_listen(&self, like: impl Fn(&Value) -> bool) -> usize {
        self.await_listen_after(0, like)
    }

    /// The same, of the listens from number `first` on.
    pub fn await_listen_after(&self, first: usize, like: impl Fn(&Value) -> bool) -> usize {
        self.await_state("no such listen came", |state| {
            let mut all = state.listens.iter().enumerate().skip(first);
            all.find(|(_, listen)| like(&listen.filter)).map(|(number, _)| number)
        })
    }

    /// How many listens came so far.
    pub fn listens(&self) -> usize {
        lock(&self.core.state).listens.len()
    }

    /// The filter of listen no. `number`.
    pub fn filter(&self, number: usize) -> Value {
        lock(&self.core.state).listens[number].filter.clone()
    }

    /// Whether listen no. `number` is open now.
    pub fn is_listening(&self, number: usize) -> bool {
        !lock(&self.core.state).listens[number].left
    }

    /// Waits until listen no. `number` is over.
    pub fn await_listen_left(&self, number: usize) {
        self.await_state("the listen never ended", |state| {
            state.listens[number].left.then_some(())
        });
    }

    /// Does this to listen no. `number`.
    pub fn listen_frame(&self, number: usize, frame: Frame) {
        let _ = lock(&self.core.state).listens[number].frames.send(frame);
    }

    /// Sends a notification of the subscription on listen no. `number`; `params` are JSON members.
    pub fn notify(&self, number: usize, method: &str, params: &str) {
        let id = lock(&self.core.state).listens[number].id.clone();
        let message = tagged(method, params, &id);
        self.listen_frame(number, Frame::Raw(event(None, message.as_bytes())));
    }

    /// Ends listen no. `number` in good order: the result, then the end (MD-42).
    pub fn end_listen(&self, number: usize) {
        let id = lock(&self.core.state).listens[number].id.clone();
        let result = format!(
            r#"{{"resultType":"complete","_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}"#
        );
        let message = json::result(&id, &result);
        self.listen_frame(number, Frame::Raw(event(None, message.as_bytes())));
        self.listen_frame(number, Frame::End);
    }

    /// Breaks listen no. `number`.
    pub fn cut_listen(&self, number: usize) {
        self.listen_frame(number, Frame::Reset);
    }
}
