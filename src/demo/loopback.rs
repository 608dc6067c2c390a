//! An HTTP server on 127.0.0.1 in a thread of its own: what the remotes of the demo have in common.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use ::http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1};
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use crate::local::http::{self, Answer};

/// What answers requests. Boxed, because hyper's server is compiled once for each type.
pub(super) type Answering =
    Arc<dyn Fn(Request<Incoming>) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync>;

/// A running server; it stops when this is dropped.
#[derive(Debug)]
pub(super) struct Loopback {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Loopback {
    /// Listens on `port`, 0 for any; connections are accepted at return. What answers is made when
    /// the address is known, in the server's own thread.
    pub(super) fn start(
        port: u16,
        answering: impl FnOnce(SocketAddr) -> Answering + Send + 'static,
    ) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let serving = move || {
            runtime.block_on(async move { serve(listener, answering(address), stopped).await })
        };
        let thread = std::thread::Builder::new().name("sandbox".into()).spawn(serving)?;
        Ok(Loopback { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the process is ended from outside.
    pub(super) fn run_for_ever(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Accepts connections until the other end of `stopped` is gone.
async fn serve(
    listener: std::net::TcpListener,
    answering: Answering,
    mut stopped: oneshot::Receiver<()>,
) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { tokio::spawn(connection(stream, answering.clone())); }
                // A lack of file descriptors passes; spinning on it would not help.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
        }
    }
}

async fn connection(stream: TcpStream, answering: Answering) {
    let _ = stream.set_nodelay(true);
    let answer = move |request| {
        let answer = answering(request);
        async move { Ok(answer.await) }
    };
    http::serve(&http1::Builder::new(), stream, answer).await;
}

/// A short answer in plain text.
pub(super) fn plain(status: u16, text: &str) -> Answer {
    answer(status, "text/plain", text.to_owned())
}

/// An answer that is JSON.
pub(super) fn document(status: u16, body: &Value) -> Answer {
    answer(status, "application/json", body.to_string())
}

/// An answer in one piece.
pub(super) fn answer(status: u16, media_type: &'static str, body: String) -> Answer {
    let is_empty = body.is_empty();
    let mut answer = Answer::new(Full::from(body).boxed());
    *answer.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if !is_empty {
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    }
    answer
}
