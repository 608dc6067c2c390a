//! Waits on loopback for the browser to come back from a sign-in (SEC-2, AU-38).
//!
//! [`Callback::bind`] comes before the browser is opened, so that no answer is too early.
//! [`Callback::wait`] gives the first request that carries our `state`; whatever else asks gets a
//! plain page, and the wait goes on. The browser's tab then waits for [`Tab::finish`], because
//! only the caller learns whether the code was worth a token.

mod page;
mod request;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    future::poll_fn,
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as Socket},
    sync::Arc,
    time::Duration,
};

use http::Request;
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::rt::TokioTimer;
use reqwest::Url;
use secrecy::SecretString;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::{self, JoinSet},
};

use self::{
    page::Page,
    request::{Said, Site, Wrong},
};
use super::exchange::clip;
use crate::{
    error::{Error, Kind},
    local::http::serve as serve_http,
};

/// The connections served at once; browsers open a few ahead of need.
const CONNECTIONS: usize = 64;

/// How long a connection may take to send a request, or send none.
const REQUEST_TIME: Duration = Duration::from_secs(10);

/// The longest request: cookies of everything on this machine may come along.
const REQUEST_SIZE: usize = 64 * 1024;

/// How long the last page may take to reach the browser.
const PAGE_TIME: Duration = Duration::from_secs(2);

/// How often a port is sought that is free on both loopback addresses.
const PORT_ATTEMPTS: usize = 16;

/// Sockets on loopback that hear the end of one sign-in.
#[derive(Debug)]
pub struct Callback {
    sockets: Vec<Socket>,
    site: Site,
    redirect_uri: Url,
}

/// What the browser brought back. The `state` is ours; whether `iss` is right is still to be
/// checked, before the code goes anywhere and before the denial is shown (AU-35, AU-37).
#[derive(Debug)]
pub struct Answer {
    /// The authorization code, or why there is none.
    pub code: Result<SecretString, Denial>,
    /// The issuer that says so (RFC 9207), form-decoded and otherwise as it came.
    pub iss: Option<String>,
    /// Who waits for a page.
    pub tab: Tab,
}

/// An error response of the authorization endpoint. It is not to be shown or acted on before
/// [`Answer::iss`] was checked (AU-37).
pub struct Denial {
    error: String,
    description: Option<String>,
}

impl Denial {
    /// The error code, such as `access_denied`, as it came.
    pub fn error(&self) -> &str {
        &self.error
    }

    /// What the server says about it, as it came.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Both in one line that is fit for a terminal: no control characters, not too long.
    pub fn told(&self) -> String {
        let description = self.description.iter().filter(|text| !text.is_empty());
        clip(&description.fold(self.error.clone(), |error, text| format!("{error}: {text}")))
    }
}

/// Says nothing of what is not yet checked.
impl fmt::Debug for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Denial")
    }
}

/// How a sign-in ended, for the person who looks at the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The code was exchanged for a token.
    SignedIn,
    /// The person, or the authorization server, said no.
    Denied,
    /// The answer could not be used, or the exchange failed.
    Failed,
}

/// The browser's tab, which waits for its page. Dropped, it learns that the sign-in did not work,
/// if there is time.
#[derive(Debug)]
pub struct Tab {
    ending: oneshot::Sender<Ending>,
    task: task::Id,
    connections: JoinSet<()>,
}

impl Tab {
    /// Shows how the sign-in ended, and returns when the browser has the page, or does not take it.
    pub async fn finish(mut self, ending: Ending) {
        // A tab that was closed meanwhile needs no page.
        if self.ending.send(ending).is_err() {
            return;
        }
        let sent = async {
            while let Some(ended) = self.connections.join_next_with_id().await {
                let id = ended.map_or_else(|broken| broken.id(), |(id, ())| id);
                if id == self.task {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(PAGE_TIME, sent).await;
    }
}

impl Callback {
    /// Listens on loopback: on 127.0.0.1, on ::1 as well where `host` is `localhost` and there is
    /// IPv6, or on the loopback address that `host` is. `host` appears in the redirect URI alone:
    /// it may be a name that leads here. Without a `port` any free one is taken.
    ///
    /// # Errors
    /// The host or path cannot stand in a URL, or the port is taken on one of the addresses: a
    /// browser may try either, and whoever has it would get the code.
    pub fn bind(host: &str, port: Option<u16>, path: &str) -> Result<Self, Error> {
        let mut redirect_uri = address(host, path)?;
        let host = redirect_uri.host_str().unwrap_or_default().to_owned();
        let (sockets, port) = listen(&host, port)?;
        // A URL that has a host can have a port.
        let _ = redirect_uri.set_port(Some(port));
        let site = Site { host, port, path: redirect_uri.path().to_owned() };
        Ok(Callback { sockets, site, redirect_uri })
    }

    /// The redirect URI, with the port that was bound (AU-38).
    pub fn redirect_uri(&self) -> String {
        self.redirect_uri.as_str().to_owned()
    }

    /// The port that was bound.
    pub fn port(&self) -> u16 {
        self.site.port
    }

    /// Waits for the answer that carries `state`, then closes the sockets. After a success the tab
    /// is sent on to `success_url`, if there is one.
    ///
    /// # Errors
    /// None came within `limit`.
    pub async fn wait(
        self,
        state: &SecretString,
        limit: Duration,
        success_url: Option<&Url>,
    ) -> Result<Answer, Error> {
        let listeners: Vec<TcpListener> = self
            .sockets
            .into_iter()
            .map(TcpListener::from_std)
            .collect::<io::Result<_>>()
            .map_err(|cause| cannot_listen(Kind::Unexpected).because(cause.to_string()))?;
        let (arrivals, arrived) = mpsc::channel(1);
        let state = state.clone();
        let desk = Desk { site: self.site, state, success_url: success_url.cloned(), arrivals };
        let arrival = serve(&listeners, Arc::new(desk), arrived);
        tokio::time::timeout(limit, arrival).await.map_err(|_| {
            let what = "no answer came back from the browser";
            let waited = format!("it was waited for {} s", limit.as_secs_f64());
            Error::new(Kind::Authorization, what)
                .because(waited)
                .hint("try again; `--auth-timeout SECONDS` waits longer")
                .hint("with no browser on this machine, try `--device-code`")
        })
    }
}

/// The redirect URI without its port.
fn address(host: &str, path: &str) -> Result<Url, Error> {
    let unusable = |cause: &str| {
        let what = "the address that the browser comes back to cannot be used";
        Error::new(Kind::Config, what).because(cause).hint("check `--host` and `--callback-path`")
    };
    let written = match host.parse::<Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => host.to_owned(),
    };
    let is_host = |text: &str| !text.contains(['/', '\\', '?', '#', '@']) && !has_port(text);
    let url = Some(&written).filter(|text| is_host(text));
    let mut url = url
        .and_then(|text| Url::parse(&format!("http://{text}/")).ok())
        .ok_or_else(|| unusable("its host is not a host name or an IP address"))?;
    if !path.starts_with('/') || path.contains(['?', '#']) {
        return Err(unusable("its path does not begin with `/`, or holds `?` or `#`"));
    }
    url.set_path(path);
    Ok(url)
}

/// Whether something with a colon is more than an IPv6 address in brackets.
fn has_port(host: &str) -> bool {
    host.contains(':') && !host.ends_with(']')
}

/// Whether a host, as it stands in a URL, can be nothing but this machine.
fn reads_as_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || literal(host).is_some_and(|ip| ip.is_loopback())
}

fn literal(host: &str) -> Option<IpAddr> {
    host.trim_matches(['[', ']']).parse().ok()
}

/// The sockets for a host, and their common port.
fn listen(host: &str, port: Option<u16>) -> Result<(Vec<Socket>, u16), Error> {
    let first = literal(host).filter(IpAddr::is_loopback).unwrap_or(Ipv4Addr::LOCALHOST.into());
    let second = host.eq_ignore_ascii_case("localhost").then_some(Ipv6Addr::LOCALHOST.into());
    let attempts = if port.is_some() { 1 } else { PORT_ATTEMPTS };
    let mut failure = None;
    for _ in 0..attempts {
        match pair(first, second, port.unwrap_or(0)) {
            Ok(found) => return Ok(found),
            Err(error) => failure = Some(error),
        }
    }
    let (address, cause) = failure.unwrap_or((SocketAddr::new(first, 0), io::Error::other("")));
    Err(refused(address, port, &cause))
}

/// A socket on each address at one port; the second may be missing where there is no such address.
fn pair(
    first: IpAddr,
    second: Option<IpAddr>,
    port: u16,
) -> Result<(Vec<Socket>, u16), (SocketAddr, io::Error)> {
    let open = |address: SocketAddr| {
        let socket = Socket::bind(address).map_err(|cause| (address, cause))?;
        socket.set_nonblocking(true).map_err(|cause| (address, cause))?;
        let port = socket.local_addr().map_err(|cause| (address, cause))?.port();
        Ok((socket, port))
    };
    let (socket, port) = open(SocketAddr::new(first, port))?;
    let mut sockets = vec![socket];
    if let Some(second) = second {
        match open(SocketAddr::new(second, port)) {
            Ok((socket, _)) => sockets.push(socket),
            Err((address, cause)) if cause.kind() == ErrorKind::AddrInUse => {
                return Err((address, cause));
            }
            Err(_) => {}
        }
    }
    Ok((sockets, port))
}

fn refused(address: SocketAddr, port: Option<u16>, cause: &io::Error) -> Error {
    let Some(port) = port else {
        return cannot_listen(Kind::Unexpected).because(format!("{}: {cause}", address.ip()));
    };
    let error = cannot_listen(Kind::Config);
    match cause.kind() {
        ErrorKind::AddrInUse => error
            .because(format!("another program uses port {port} of {}", address.ip()))
            .hint("end that program, perhaps another sign-in, or name another port after the URL"),
        _ => error
            .because(format!("port {port} of {}: {cause}", address.ip()))
            .hint("name another port after the URL"),
    }
}

fn cannot_listen(kind: Kind) -> Error {
    Error::new(kind, "could not listen for the answer from the browser")
}

/// Serves whoever connects until one brings the answer.
async fn serve(
    listeners: &[TcpListener],
    desk: Arc<Desk>,
    mut arrived: mpsc::Receiver<Arrival>,
) -> Answer {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            Some(Arrival { said, ending, task }) = arrived.recv() => {
                let tab = Tab { ending, task, connections };
                return Answer { code: said.code, iss: said.iss, tab };
            }
            Some(_) = connections.join_next() => {}
            accepted = accept(listeners), if connections.len() < CONNECTIONS => match accepted {
                Ok(stream) => { connections.spawn(connection(stream, desk.clone())); }
                // A lack of file descriptors passes; spinning on it would not help.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
        }
    }
}

/// The next connection, on any of the sockets.
async fn accept(listeners: &[TcpListener]) -> io::Result<TcpStream> {
    poll_fn(|context| {
        let mut ready = listeners.iter().map(|listener| listener.poll_accept(context));
        ready.find(std::task::Poll::is_ready).unwrap_or(std::task::Poll::Pending)
    })
    .await
    .map(|(stream, _)| stream)
}

async fn connection(stream: TcpStream, desk: Arc<Desk>) {
    let answer = move |request| {
        let desk = desk.clone();
        async move { Ok(desk.answer(&request).await.map(BodyExt::boxed)) }
    };
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIME)
        .max_buf_size(REQUEST_SIZE)
        .keep_alive(false);
    serve_http(&server, stream, answer).await;
}

/// An answer on its way from the connection that carried it.
struct Arrival {
    said: Said,
    ending: oneshot::Sender<Ending>,
    task: task::Id,
}

/// What all connections know.
struct Desk {
    site: Site,
    state: SecretString,
    success_url: Option<Url>,
    arrivals: mpsc::Sender<Arrival>,
}

impl Desk {
    /// The page for a request: for the answer it is ready when the sign-in has ended.
    async fn answer(&self, request: &Request<Incoming>) -> Page {
        let head = (request.method(), request.uri(), request.headers());
        let said = match request::judge(&self.site, &self.state, head) {
            Ok(said) => said,
            Err(wrong) => {
                tracing::debug!("a request to the sign-in's address was not its answer: {wrong:?}");
                return page::wrong(wrong);
            }
        };
        let (ending, ended) = oneshot::channel();
        // Only the first one counts.
        if self.arrivals.try_send(Arrival { said, ending, task: task::id() }).is_err() {
            return page::wrong(Wrong::Answer);
        }
        page::ending(ended.await.unwrap_or(Ending::Failed), self.success_url.as_ref())
    }
}
