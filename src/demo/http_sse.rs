//! The HTTP+SSE face of the sandbox (specification 2024-11-05, "HTTP with SSE").
//!
//! Each GET of `/sse` opens one pipe to an rmcp server: what is POSTed to the address named in the
//! `endpoint` event goes in as a line, and each line that comes out is one event.

use std::{
    collections::HashMap,
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use rmcp::ServiceExt;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf},
    sync::mpsc,
};

use super::{
    Era,
    handler::{Handler, Shared},
    sandbox::{Answer, plain},
};

/// Bytes that may wait in the pipe in each direction before the writer waits.
const PIPE: usize = 64 * 1024;

/// All open HTTP+SSE sessions: where the POSTed messages of each go.
pub(super) struct HttpSse {
    shared: Arc<Shared>,
    sessions: Mutex<HashMap<String, mpsc::Sender<Bytes>>>,
}

impl HttpSse {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        HttpSse { shared, sessions: Mutex::default() }
    }

    /// Answers a request for `/sse` or `/messages`.
    pub(super) async fn answer(self: &Arc<Self>, request: Request<Incoming>) -> Answer {
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/sse") => self.open(),
            (&Method::POST, "/messages") => self.receive(request).await,
            _ => plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed"),
        }
    }

    fn open(self: &Arc<Self>) -> Answer {
        let session = format!("{:016x}", fastrand::u64(..));
        let (events, body) = mpsc::channel(64);
        let (inbox, posted) = mpsc::channel(64);
        self.sessions().insert(session.clone(), inbox);
        tokio::spawn(self.clone().session(session, posted, events));
        let mut answer = Response::new(EventBody(body).boxed());
        answer
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        answer
    }

    /// Runs one session until its event stream is closed by the client.
    async fn session(
        self: Arc<Self>,
        session: String,
        posted: mpsc::Receiver<Bytes>,
        events: mpsc::Sender<Bytes>,
    ) {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let (lines, input) = tokio::io::split(ours);
        let handler = Handler::new(self.shared.clone(), Era::Legacy);
        let server = tokio::spawn(async move {
            if let Ok(running) = handler.serve(theirs).await {
                let _ = running.waiting().await;
            }
        });
        let endpoint = format!("event: endpoint\ndata: /messages?sessionId={session}\n\n");
        if events.send(Bytes::from(endpoint)).await.is_ok() {
            tokio::select! {
                () = feed(posted, input) => {}
                () = emit(lines, &events) => {}
                () = events.closed() => {}
            }
        }
        self.sessions().remove(&session);
        server.abort();
    }

    async fn receive(&self, request: Request<Incoming>) -> Answer {
        let session = request.uri().query().and_then(|query| query.strip_prefix("sessionId="));
        let inbox = session.and_then(|session| self.sessions().get(session).cloned());
        let Some(inbox) = inbox else {
            return plain(StatusCode::NOT_FOUND, "no such session");
        };
        let Ok(body) = request.into_body().collect().await else {
            return plain(StatusCode::BAD_REQUEST, "the body broke off");
        };
        match inbox.send(body.to_bytes()).await {
            Ok(()) => plain(StatusCode::ACCEPTED, "Accepted"),
            Err(_) => plain(StatusCode::NOT_FOUND, "the session has ended"),
        }
    }

    fn sessions(&self) -> std::sync::MutexGuard<'_, HashMap<String, mpsc::Sender<Bytes>>> {
        // The map is whole after every statement that changes it, so a poisoned one is usable.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes each POSTed message into the pipe as one line.
async fn feed(mut posted: mpsc::Receiver<Bytes>, mut input: WriteHalf<DuplexStream>) {
    while let Some(message) = posted.recv().await {
        // A line break between JSON tokens is only white space; inside a string it is escaped.
        let mut line: Vec<u8> = message
            .iter()
            .map(|&byte| if byte == b'\n' || byte == b'\r' { b' ' } else { byte })
            .collect();
        line.push(b'\n');
        if input.write_all(&line).await.is_err() {
            return;
        }
    }
}

/// Turns each line that comes out of the pipe into one `message` event.
async fn emit(lines: ReadHalf<DuplexStream>, events: &mpsc::Sender<Bytes>) {
    let mut lines = BufReader::new(lines).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let event = format!("event: message\ndata: {line}\n\n");
        if events.send(Bytes::from(event)).await.is_err() {
            return;
        }
    }
}

/// A response body that goes on as long as events come.
struct EventBody(mpsc::Receiver<Bytes>);

impl Body for EventBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|event| event.map(|bytes| Ok(Frame::data(bytes))))
    }
}
