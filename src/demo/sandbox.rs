//! The sandbox remote: a small MCP server on loopback, in a thread of its own.

use std::{io, sync::Arc};

use http::Request;
use hyper::body::Incoming;

use super::{
    Era, Transport,
    loopback::{Answering, Loopback, plain},
    server::Server,
    toys::Toys,
};
use crate::local::http::Answer;

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
        Loopback::start(port, move |_| answering(era)).map(Sandbox)
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

fn answering(era: Era) -> Answering {
    let server = Server::new(era, Box::new(Toys::default()));
    Arc::new(move |request| Box::pin(answer(server.clone(), era, request)))
}

/// Answers at one of the two faces, behind which is one server.
async fn answer(server: Arc<Server>, era: Era, request: Request<Incoming>) -> Answer {
    match request.uri().path() {
        "/mcp" => server.answer(request).await,
        "/sse" | "/messages" if era != Era::Modern => server.answer_sse(request).await,
        _ if era == Era::Modern => plain(404, "try /mcp"),
        _ => plain(404, "try /mcp or /sse"),
    }
}
