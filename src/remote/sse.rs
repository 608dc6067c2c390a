//! Server-sent events from a response body, with a bound on size and on silence.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use futures_core::Stream;
use http_body::{Body, Frame};
use sse_stream::SseStream;
use tokio::time::{Instant, Sleep};

use super::body::MESSAGE_LIMIT;

/// One block of the stream. A block without data still carries its id and delay (LH-31).
pub use sse_stream::Sse;

/// The decoder for one response.
pub struct Events {
    stream: Pin<Box<SseStream<Guarded>>>,
    size: Arc<AtomicUsize>,
}

impl Events {
    /// Decodes `response`. Silence longer than `silence` is an error; comments count as a sign of
    /// life.
    pub fn new(response: reqwest::Response, silence: Option<Duration>) -> Self {
        let size = Arc::new(AtomicUsize::new(0));
        let body = Guarded {
            body: http::Response::<reqwest::Body>::from(response).into_body(),
            size: Arc::clone(&size),
            silence: silence.map(|limit| (limit, Box::pin(tokio::time::sleep(limit)))),
        };
        Events { stream: Box::pin(SseStream::new(body)), size }
    }

    /// Whether the stream broke because an event is over [`MESSAGE_LIMIT`].
    pub fn is_too_large(&self) -> bool {
        self.size.load(Ordering::Relaxed) > MESSAGE_LIMIT
    }

    /// The next block; `None` when the server has ended the stream.
    ///
    /// # Errors
    /// A text saying why the stream broke: the connection, text that is not UTF-8, an event over
    /// [`MESSAGE_LIMIT`], or silence.
    pub async fn next(&mut self) -> Option<Result<Sse, String>> {
        let block = poll_fn(|cx| self.stream.as_mut().poll_next(cx)).await?;
        if block.is_ok() {
            self.size.store(0, Ordering::Relaxed);
        }
        Some(block.map_err(|error| match error {
            sse_stream::Error::Body(cause) => cause.to_string(),
            sse_stream::Error::Utf8Parse(_) => "the event stream is not valid UTF-8".to_owned(),
            other => other.to_string(),
        }))
    }
}

/// A response body that counts what was read since the last event, and minds the silence.
struct Guarded {
    body: reqwest::Body,
    size: Arc<AtomicUsize>,
    silence: Option<(Duration, Pin<Box<Sleep>>)>,
}

/// Why a guarded body broke.
#[derive(Debug)]
struct Broken(String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Broken {}

impl Body for Guarded {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) else {
            if let Some((limit, sleep)) = &mut this.silence {
                ready!(sleep.as_mut().poll(cx));
                let text = format!("nothing came for {}s", limit.as_secs_f64());
                return Poll::Ready(Some(Err(Broken(text))));
            }
            return Poll::Pending;
        };
        if let Some((limit, sleep)) = &mut this.silence {
            sleep.as_mut().reset(Instant::now() + *limit);
        }
        Poll::Ready(frame.map(|frame| {
            let frame = frame.map_err(|error| Broken(super::cause::cause(&error)))?;
            let read = frame.data_ref().map_or(0, Bytes::len);
            if this.size.fetch_add(read, Ordering::Relaxed) + read > MESSAGE_LIMIT {
                return Err(Broken("an event is larger than 128 MiB".to_owned()));
            }
            Ok(frame)
        }))
    }
}

#[cfg(test)]
mod tests;
