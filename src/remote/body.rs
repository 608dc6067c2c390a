//! Request bodies that know whether they were sent, and response bodies read whole.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::buffer::Buffer;

/// The largest JSON body, event or line, in bytes.
pub const MESSAGE_LIMIT: usize = 128 * 1024 * 1024;

/// How far a request is.
#[derive(Debug, Clone, Default)]
pub struct Sent(Arc<AtomicU8>);

const SENT: u8 = 1;
const ANSWERED: u8 = 2;

impl Sent {
    /// Whether its body was handed to the connection. Until then, nothing of the request can have
    /// reached the remote.
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= SENT
    }

    /// Whether the remote has begun to answer, and so has the request.
    pub fn is_answered(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= ANSWERED
    }

    /// Takes note that the remote has begun to answer.
    pub fn note_answer(&self) {
        self.0.store(ANSWERED, Ordering::Relaxed);
    }
}

/// A request body in one piece.
pub struct Outgoing {
    bytes: Option<Bytes>,
    sent: Sent,
}

impl Outgoing {
    /// A body of `bytes` that reports to `sent`.
    pub fn new(bytes: Bytes, sent: Sent) -> Self {
        Outgoing { bytes: Some(bytes), sent }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.sent.0.fetch_max(SENT, Ordering::Relaxed);
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// Collects the chunks of a body. One chunk is passed on as it is; several are joined in a buffer
/// of the announced length, so that every byte is copied at most once.
#[derive(Debug, Default)]
pub struct Collected {
    first: Bytes,
    joined: Option<Buffer>,
    expected: usize,
}

impl Collected {
    /// Expects `length` bytes, where the response announced that.
    pub fn expecting(length: Option<u64>) -> Self {
        let expected = length.and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        Collected { expected: expected.min(MESSAGE_LIMIT), ..Collected::default() }
    }

    /// Adds a chunk; false when the body has outgrown [`MESSAGE_LIMIT`].
    pub fn push(&mut self, chunk: Bytes) -> bool {
        if self.len() + chunk.len() > MESSAGE_LIMIT {
            return false;
        }
        if self.is_empty() {
            self.first = chunk;
            return true;
        }
        let (first, expected) = (&mut self.first, self.expected);
        let joined = self.joined.get_or_insert_with(|| {
            let first = std::mem::take(first);
            let mut joined = Buffer::with_room(expected.max(first.len() + chunk.len()));
            joined.push(&first);
            joined
        });
        joined.push(&chunk);
        true
    }

    /// How many bytes have come.
    pub fn len(&self) -> usize {
        self.joined.as_ref().map_or(self.first.len(), Buffer::len)
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The body.
    pub fn finish(self) -> Bytes {
        self.joined.map_or(self.first, Buffer::freeze)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_chunk_is_not_copied_and_several_are_joined() {
        let chunk = Bytes::from_static(b"abc");
        let mut one = Collected::expecting(Some(3));
        assert!(one.push(chunk.clone()));
        assert_eq!(one.finish().as_ptr(), chunk.as_ptr());

        let mut three = Collected::expecting(None);
        for part in [&b"a"[..], b"", b"bc", b"d"] {
            assert!(three.push(Bytes::from_static(part)));
        }
        assert_eq!(three.finish(), "abcd");
    }

    #[test]
    fn the_limit_holds() {
        let half = Bytes::from(vec![b' '; MESSAGE_LIMIT / 2 + 1]);
        let mut collected = Collected::expecting(Some(u64::MAX));
        assert!(collected.push(half.clone()));
        assert!(!collected.push(half));
    }
}
