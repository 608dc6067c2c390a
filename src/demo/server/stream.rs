//! Event streams: what is said on one, in order, and what is kept of it for a client that lost it.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::{
    sync::mpsc::{self, UnboundedReceiver, UnboundedSender},
    time::{self, Interval},
};

use crate::local::http::Answer;

/// How many events of a stream are kept.
const KEPT: usize = 100;

/// How long a stream is silent before a comment shows that it is still there.
const SILENCE: Duration = Duration::from_secs(15);

/// How the events of a stream are written.
pub(super) enum Form {
    /// With ids that end like this, so that a client can resume it (1125:http, "Resumability").
    Numbered(String),
    /// Named `message` (2024-11-05, "HTTP with SSE").
    Named,
    /// As 2026-07-28 has it: nothing but the data.
    Plain,
}

/// One event stream, whoever holds it.
#[derive(Clone)]
pub(in crate::demo) struct Stream(Arc<Mutex<State>>);

struct State {
    form: Form,
    /// The number of the next event; that before the first is 0.
    next: u64,
    /// The first event that no reader has been given.
    unread: u64,
    kept: VecDeque<(u64, Bytes)>,
    reader: Option<UnboundedSender<Bytes>>,
    is_over: bool,
}

impl Stream {
    pub(super) fn new(form: Form) -> Self {
        let (kept, reader) = (VecDeque::new(), None);
        Stream(Arc::new(Mutex::new(State {
            form,
            next: 1,
            unread: 1,
            kept,
            reader,
            is_over: false,
        })))
    }

    /// Says a message to whoever reads, or keeps it until somebody does.
    pub(in crate::demo) fn say(&self, message: &Value) {
        self.state().say(message);
    }

    /// Gives the stream a reader in the place of an earlier one: one that has read until event
    /// `after`, or one that is new, and gets what nobody has got.
    pub(super) fn connect(&self, after: Option<u64>) -> UnboundedReceiver<Bytes> {
        self.state().connect(after)
    }

    /// Whether somebody reads.
    pub(super) fn is_read(&self) -> bool {
        self.state().reader.as_ref().is_some_and(|reader| !reader.is_closed())
    }

    /// Completes when the present reader is gone.
    pub(super) async fn abandoned(&self) {
        let reader = self.state().reader.clone();
        if let Some(reader) = reader {
            reader.closed().await;
        }
    }

    /// Ends the stream, once what has been said is read.
    pub(super) fn end(&self) {
        let is_read = self.is_read();
        let mut state = self.state();
        (state.is_over, state.reader) = (true, None);
        if is_read {
            state.kept.clear();
        }
    }

    /// Whether nobody can want anything of it any more.
    pub(super) fn is_spent(&self) -> bool {
        let state = self.state();
        state.is_over && state.kept.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No statement leaves it half changed, so a poisoned one is usable.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn say(&mut self, message: &Value) {
        let number = self.next;
        self.next += 1;
        let event = Bytes::from(match &self.form {
            Form::Numbered(suffix) => format!("id: {number}{suffix}\ndata: {message}\n\n"),
            Form::Named => format!("event: message\ndata: {message}\n\n"),
            Form::Plain => format!("data: {message}\n\n"),
        });
        if matches!(self.form, Form::Numbered(_)) {
            self.kept.push_back((number, event.clone()));
            if self.kept.len() > KEPT {
                self.kept.pop_front();
            }
        }
        if self.reader.as_ref().is_some_and(|reader| reader.send(event).is_ok()) {
            self.unread = self.next;
        }
    }

    fn connect(&mut self, after: Option<u64>) -> UnboundedReceiver<Bytes> {
        let (reader, events) = mpsc::unbounded_channel();
        let from = after.map_or(self.unread, |after| after.saturating_add(1));
        let mut missed = Vec::new();
        if let (Form::Numbered(suffix), None) = (&self.form, after) {
            // Something to resume after, should it break off before the first event.
            let before = self.unread - 1;
            missed.push(Bytes::from(format!("id: {before}{suffix}\nretry: 3000\ndata: \n\n")));
        }
        missed.extend(self.kept.iter().filter(|(n, _)| *n >= from).map(|(_, event)| event.clone()));
        for event in missed {
            // The other end is here.
            let _ = reader.send(event);
        }
        self.unread = self.next;
        self.reader = (!self.is_over).then_some(reader);
        events
    }
}

/// Ends a stream when it is dropped: with the task that answers on it, however that ends.
pub(super) struct Ending(pub(super) Stream);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// An answer that goes on as long as events come.
pub(super) fn answer(events: UnboundedReceiver<Bytes>, first: Option<Bytes>) -> Answer {
    let silence = time::interval_at(time::Instant::now() + SILENCE, SILENCE);
    let mut answer = Answer::new(Events { first, events, silence }.boxed());
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

struct Events {
    first: Option<Bytes>,
    events: UnboundedReceiver<Bytes>,
    silence: Interval,
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match self.first.take() {
            Some(first) => Poll::Ready(Some(first)),
            None => self.events.poll_recv(cx),
        };
        if next.is_ready() {
            self.silence.reset();
            return next.map(|event| event.map(|event| Ok(Frame::data(event))));
        }
        let comment = || Some(Ok(Frame::data(Bytes::from_static(b":\n\n"))));
        self.silence.poll_tick(cx).map(|_| comment())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(events: &mut UnboundedReceiver<Bytes>) -> String {
        let mut all = String::new();
        while let Ok(event) = events.try_recv() {
            all += std::str::from_utf8(&event).expect("UTF-8");
        }
        all
    }

    #[test]
    fn a_resumed_stream_gives_what_came_after_the_last_event_read() {
        let stream = Stream::new(Form::Numbered("/7".into()));
        let mut events = stream.connect(None);
        for n in 1..=3 {
            stream.say(&json!(n));
        }
        let primed = "id: 0/7\nretry: 3000\ndata: \n\n";
        let all = "id: 1/7\ndata: 1\n\nid: 2/7\ndata: 2\n\nid: 3/7\ndata: 3\n\n";
        assert_eq!(read(&mut events), format!("{primed}{all}"));
        drop(events);
        stream.say(&json!(4));
        stream.end();
        let mut events = stream.connect(Some(2));
        assert_eq!(read(&mut events), "id: 3/7\ndata: 3\n\nid: 4/7\ndata: 4\n\n");
        assert!(events.is_closed(), "it is over");
    }

    #[test]
    fn a_new_reader_gets_only_what_nobody_has_got() {
        let stream = Stream::new(Form::Numbered(String::new()));
        stream.say(&json!("before"));
        let mut first = stream.connect(None);
        assert!(read(&mut first).ends_with("id: 1\ndata: \"before\"\n\n"));
        drop(first);
        stream.say(&json!("between"));
        let mut second = stream.connect(None);
        let primed = "id: 1\nretry: 3000\ndata: \n\n";
        assert_eq!(read(&mut second), format!("{primed}id: 2\ndata: \"between\"\n\n"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_stream_shows_that_it_is_still_there() {
        let stream = Stream::new(Form::Plain);
        let mut body = answer(stream.connect(None), None).into_body();
        let mut next = async || {
            let began = time::Instant::now();
            let frame = body.frame().await.expect("it goes on").expect("no error");
            (frame.into_data().expect("data"), began.elapsed().as_secs())
        };
        assert_eq!(next().await, (Bytes::from(":\n\n"), SILENCE.as_secs()));
        stream.say(&json!(1));
        assert_eq!(next().await, (Bytes::from("data: 1\n\n"), 0));
        assert_eq!(next().await, (Bytes::from(":\n\n"), SILENCE.as_secs()));
        stream.end();
        assert!(body.frame().await.is_none());
    }

    #[test]
    fn no_more_is_kept_than_a_client_may_miss() {
        let stream = Stream::new(Form::Numbered(String::new()));
        for n in 0..1000 {
            stream.say(&json!(n));
        }
        let mut events = stream.connect(Some(0));
        assert_eq!(read(&mut events).matches("data:").count(), KEPT);
        let (named, plain) = (Stream::new(Form::Named), Stream::new(Form::Plain));
        let (mut of_named, mut of_plain) = (named.connect(None), plain.connect(None));
        named.say(&json!({}));
        plain.say(&json!({}));
        assert_eq!(read(&mut of_named), "event: message\ndata: {}\n\n");
        assert_eq!(read(&mut of_plain), "data: {}\n\n");
        assert!(plain.state().kept.is_empty() && named.state().kept.is_empty());
    }
}
