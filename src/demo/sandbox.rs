//! The sandbox remote: a small MCP server on loopback, in a thread of its own.

use std::{io, sync::Arc};

use ::http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::Service};
use hyper_util::service::TowerToHyperService;
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};

use super::{
    Era, Transport,
    handler::{Handler, Shared},
    http_sse::HttpSse,
    loopback::{Answering, Loopback},
    refusal,
};
pub(super) use crate::local::http::Answer;

/// The port that [`Sandbox::start_preferred`] tries first, so that a configuration pasted into a
/// client once still fits the next time.
pub const PREFERRED_PORT: u16 = 7676;

/// A running sandbox; it stops when this is dropped.
#[derive(Debug)]
pub struct Sandbox(Loopback);

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
        Loopback::start(port, move |_| answering(Faces::new(era))).map(Sandbox)
    }

    /// The URL of one of its two faces.
    pub fn url(&self, transport: Transport) -> String {
        url(self.0.address().port(), transport)
    }

    /// Serves until the process is ended from outside.
    pub fn run_for_ever(self) {
        self.0.run_for_ever();
    }
}

/// The URL of a sandbox on `port`.
pub fn url(port: u16, transport: Transport) -> String {
    match transport {
        Transport::Http => format!("http://127.0.0.1:{port}/mcp"),
        Transport::Sse => format!("http://127.0.0.1:{port}/sse"),
    }
}

fn answering(faces: Faces) -> Answering {
    Arc::new(move |request| {
        let faces = faces.clone();
        Box::pin(async move { faces.answer(request).await })
    })
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

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let modern = self.era == Era::Modern;
        match request.uri().path() {
            "/mcp" if modern && refusal::is_due(&request) => refusal::answer(request).await,
            "/mcp" => {
                let Ok(answer) = self.streamable.call(request).await;
                answer
            }
            "/sse" | "/messages" if !modern => self.http_sse.answer(request).await,
            _ if modern => plain(StatusCode::NOT_FOUND, "try /mcp"),
            _ => plain(StatusCode::NOT_FOUND, "try /mcp or /sse"),
        }
    }
}

/// A short answer in plain text.
pub(super) fn plain(status: StatusCode, text: &'static str) -> Answer {
    let mut answer = Response::new(Full::from(text).boxed());
    *answer.status_mut() = status;
    answer
}
