//! A remote that others wrote: rmcp's server on loopback, with the tools of the executable's own
//! sandbox. Streamable HTTP is rmcp's; HTTP+SSE, which it no longer has, is put around its sessions.

mod ask;
mod handler;
mod http_sse;
mod refusal;

use std::{net::Ipv4Addr, sync::Arc, thread::JoinHandle};

use composio_bridge::{
    demo::{Era, Transport},
    local::http::{self, Answer},
};
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode, body::Incoming, server::conn::http1, service::Service};
use hyper_util::service::TowerToHyperService;
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};
use tokio::{net::TcpListener, sync::oneshot};

use handler::{Handler, Shared};
use http_sse::HttpSse;

/// A running remote; it stops when this is dropped.
pub struct Sandbox {
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sandbox {
    /// Starts one on any free port of 127.0.0.1; it accepts connections at return.
    pub fn start(era: Era) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a listener that does not block");
        let port = listener.local_addr().expect("an address").port();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                tokio::select! {
                    () = serve(listener, Faces::new(era)) => {}
                    _ = stopped => {}
                }
            });
        });
        Sandbox { port, stop: Some(stop), thread: Some(thread) }
    }

    /// The URL of one of its two faces.
    pub fn url(&self, transport: Transport) -> String {
        let path = match transport {
            Transport::Http => "mcp",
            Transport::Sse => "sse",
        };
        format!("http://127.0.0.1:{}/{path}", self.port)
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

async fn serve(listener: std::net::TcpListener, faces: Faces) {
    let listener = TcpListener::from_std(listener).expect("the listener of this runtime");
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).expect("an option of every socket");
        let faces = faces.clone();
        let answer = move |request| {
            let faces = faces.clone();
            async move { Ok(faces.answer(request).await) }
        };
        tokio::spawn(async move { http::serve(&http1::Builder::new(), stream, answer).await });
    }
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
            _ => plain(StatusCode::NOT_FOUND, "nothing is here"),
        }
    }
}

/// A short answer in plain text.
fn plain(status: StatusCode, text: &'static str) -> Answer {
    let mut answer = Answer::new(Full::from(text).boxed());
    *answer.status_mut() = status;
    answer
}
