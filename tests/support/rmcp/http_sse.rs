//! HTTP+SSE (specification 2024-11-05, "HTTP with SSE") around rmcp's sessions.
//!
//! Each GET of `/sse` opens one session of rmcp's server, of the kind that Streamable HTTP uses too.
//! What is POSTed to the address named in the `endpoint` event goes in, and each message that comes
//! out is one event.

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
use rmcp::{
    model::{ClientJsonRpcMessage, ServerJsonRpcMessage},
    serve_server,
    transport::{
        WorkerTransport,
        common::server_side_http::ServerSseMessage,
        streamable_http_server::session::local::{
            LocalSessionHandle, LocalSessionWorker, SessionConfig, SessionError,
            create_local_session,
        },
    },
};
use tokio::{sync::mpsc, task::AbortHandle};

use composio_bridge::{demo::Era, local::http::Answer};

use super::{
    handler::{Handler, Shared},
    plain,
};

/// Where the messages of one session go.
type Inbox = mpsc::Sender<ClientJsonRpcMessage>;

/// All open HTTP+SSE sessions: where the POSTed messages of each go.
pub(super) struct HttpSse {
    shared: Arc<Shared>,
    sessions: Mutex<HashMap<String, Inbox>>,
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
        posted: mpsc::Receiver<ClientJsonRpcMessage>,
        events: mpsc::Sender<Bytes>,
    ) {
        let (handle, worker) = create_local_session(session.as_str(), for_ever());
        let server = self.serve(worker);
        let endpoint = format!("event: endpoint\ndata: /messages?sessionId={session}\n\n");
        if events.send(Bytes::from(endpoint)).await.is_ok() {
            tokio::select! {
                // Where the server has ended its error tells nothing more.
                _ = converse(&handle, posted, &events) => {}
                () = events.closed() => {}
            }
        }
        self.sessions().remove(&session);
        server.abort();
    }

    fn serve(&self, worker: LocalSessionWorker) -> AbortHandle {
        let handler = Handler::new(self.shared.clone(), Era::Legacy);
        let server = async move {
            if let Ok(running) = serve_server(handler, WorkerTransport::spawn(worker)).await {
                let _ = running.waiting().await;
            }
        };
        tokio::spawn(server).abort_handle()
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
        let Ok(message) = serde_json::from_slice(&body.to_bytes()) else {
            return plain(StatusCode::BAD_REQUEST, "not a JSON-RPC message");
        };
        match inbox.send(message).await {
            Ok(()) => plain(StatusCode::ACCEPTED, "Accepted"),
            Err(_) => plain(StatusCode::NOT_FOUND, "the session has ended"),
        }
    }

    fn sessions(&self) -> std::sync::MutexGuard<'_, HashMap<String, Inbox>> {
        // The map is whole after every statement that changes it, so a poisoned one is usable.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session that ends with its event stream and not before.
fn for_ever() -> SessionConfig {
    let mut config = SessionConfig::default();
    config.keep_alive = None;
    config.init_timeout = None;
    config
}

/// Carries the messages of one session: what was POSTed in, what the server says out as events.
async fn converse(
    handle: &LocalSessionHandle,
    mut posted: mpsc::Receiver<ClientJsonRpcMessage>,
    events: &mpsc::Sender<Bytes>,
) -> Result<(), SessionError> {
    let Some(first) = posted.recv().await else { return Ok(()) };
    emit(&handle.initialize(first).await?, events).await;
    // This is where messages go that belong to no POST's own response, and here none does.
    let said = handle.establish_common_channel().await?.inner;
    // Beside each other: the server takes in no more while nobody takes what it says.
    tokio::select! {
        ended = feed(posted, handle) => ended,
        () = emit_all(said, events) => Ok(()),
    }
}

async fn feed(
    mut posted: mpsc::Receiver<ClientJsonRpcMessage>,
    handle: &LocalSessionHandle,
) -> Result<(), SessionError> {
    while let Some(message) = posted.recv().await {
        handle.push_message(message, None).await?;
    }
    Ok(())
}

async fn emit_all(mut said: mpsc::Receiver<ServerSseMessage>, events: &mpsc::Sender<Bytes>) {
    while let Some(event) = said.recv().await {
        if let Some(message) = event.message {
            emit(&message, events).await;
        }
    }
}

async fn emit(message: &ServerJsonRpcMessage, events: &mpsc::Sender<Bytes>) {
    if let Ok(json) = serde_json::to_string(message) {
        // A client that has gone away is noticed where the session waits for that.
        let _ = events.send(Bytes::from(format!("event: message\ndata: {json}\n\n"))).await;
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
