//! The sandbox remote: a small MCP server on loopback, in a thread of its own.

use std::{
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    thread::JoinHandle,
};

use ::http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::Service};
use hyper_util::service::TowerToHyperService;
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use super::{
    Era, Transport,
    handler::{Handler, Shared},
    http_sse::HttpSse,
    refusal,
};
use crate::local::http;
pub(super) use crate::local::http::Answer;

/// The port that [`Sandbox::start_preferred`] tries first, so that a configuration pasted into a
/// client once still fits the next time.
pub const PREFERRED_PORT: u16 = 7676;

/// A running sandbox; it stops when this is dropped.
#[derive(Debug)]
pub struct Sandbox {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Starts a sandbox on any free port of 127.0.0.1; it accepts connections at return.
    ///
    /// # Errors
    /// What the operating system says when it gives no port or no thread.
    pub fn start(era: Era) -> io::Result<Self> {
        Self::start_on(0, era)
    }

    /// The same on [`PREFERRED_PORT`], or on any free port where that one is taken.
    ///
    /// # Errors
    /// As [`Sandbox::start`].
    pub fn start_preferred(era: Era) -> io::Result<Self> {
        Self::start_on(PREFERRED_PORT, era).or_else(|_| Self::start_on(0, era))
    }

    fn start_on(port: u16, era: Era) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("sandbox".into())
            .spawn(move || runtime.block_on(serve(listener, era, stopped)))?;
        Ok(Sandbox { address, stop: Some(stop), thread: Some(thread) })
    }

    /// The URL of one of its two faces.
    pub fn url(&self, transport: Transport) -> String {
        url(self.address.port(), transport)
    }

    /// Serves until the process is ended from outside.
    pub fn run_for_ever(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The URL of a sandbox on `port`.
pub fn url(port: u16, transport: Transport) -> String {
    match transport {
        Transport::Http => format!("http://127.0.0.1:{port}/mcp"),
        Transport::Sse => format!("http://127.0.0.1:{port}/sse"),
    }
}

/// Accepts connections until the other end of `stopped` is gone.
async fn serve(listener: std::net::TcpListener, era: Era, mut stopped: oneshot::Receiver<()>) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    let faces = Faces::new(era);
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { tokio::spawn(connection(stream, faces.clone())); }
                // A lack of file descriptors passes; spinning on it would not help.
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            },
        }
    }
}

async fn connection(stream: TcpStream, faces: Faces) {
    let _ = stream.set_nodelay(true);
    let answer = move |request| {
        let faces = faces.clone();
        async move { faces.answer(request).await }
    };
    http::serve(&http1::Builder::new(), stream, answer).await;
}

/// The two transports, in front of one [`Shared`] state.
///
/// rmcp serves each POST of 2026-07-28 by itself and keeps sessions for the legacy versions, side
/// by side; without sessions and with the metadata required of each request it serves the modern
/// one alone, but for what `refusal` does.
#[derive(Clone)]
struct Faces {
    era: Era,
    streamable: TowerToHyperService<StreamableHttpService<Handler, LocalSessionManager>>,
    http_sse: Arc<HttpSse>,
}

impl Faces {
    fn new(era: Era) -> Self {
        let shared = Arc::new(Shared::default());
        let for_sse = shared.clone();
        let streamable = StreamableHttpService::new(
            move || Ok(Handler::new(shared.clone(), era)),
            Arc::default(),
            StreamableHttpServerConfig::default()
                .with_legacy_session_mode(era != Era::Modern)
                .with_stateless_protocol_metadata_required(era == Era::Modern),
        );
        Faces {
            era,
            streamable: TowerToHyperService::new(streamable),
            http_sse: Arc::new(HttpSse::new(for_sse)),
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Answer, Infallible> {
        let modern = self.era == Era::Modern;
        match request.uri().path() {
            "/mcp" if modern && refusal::is_due(&request) => Ok(refusal::answer(request).await),
            "/mcp" => self.streamable.call(request).await,
            "/sse" | "/messages" if !modern => Ok(self.http_sse.answer(request).await),
            _ if modern => Ok(plain(StatusCode::NOT_FOUND, "try /mcp")),
            _ => Ok(plain(StatusCode::NOT_FOUND, "try /mcp or /sse")),
        }
    }
}

/// A short answer in plain text.
pub(super) fn plain(status: StatusCode, text: &'static str) -> Answer {
    let mut answer = Response::new(Full::from(text).boxed());
    *answer.status_mut() = status;
    answer
}
