//! A well-behaved legacy MCP server on the raw remote, in both its faces, any part of which a test
//! can replace by misbehaviour.

use std::{
    collections::HashMap,
    ops::Deref,
    sync::{
        Arc, Condvar, Mutex,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    time::Duration,
};

mod call;

pub use call::Call;

use super::{
    DEADLINE,
    http::{Exchange, Request, event},
    json,
    net::{await_some, lock},
    remote::Remote,
};

/// The transport a server speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Face {
    /// Streamable HTTP at `/mcp`.
    Http,
    /// HTTP+SSE at `/sse`, messages to `/messages?sid=…`.
    Sse,
}

impl Face {
    /// The bridge's arguments that choose this transport and no other.
    pub fn flag(self) -> &'static str {
        match self {
            Face::Http => "--transport=http-only",
            Face::Sse => "--transport=sse-only",
        }
    }
}

/// What goes into a session's stream (the GET stream, or the one stream of HTTP+SSE).
pub enum Frame {
    /// These bytes as one chunk.
    Raw(Vec<u8>),
    /// A clean end.
    End,
    /// A reset.
    Reset,
}

type Behaviour = dyn Fn(&mut Call) + Send + Sync;
type Rule = dyn Fn(&Arc<Request>, &mut Exchange) -> bool + Send + Sync;

/// A scripted server; derefs to its [`Remote`] for what came in.
pub struct Server {
    remote: Remote,
    core: Arc<Core>,
}

struct Core {
    face: Face,
    state: Mutex<State>,
    changed: Condvar,
    behaviours: Mutex<HashMap<String, Arc<Behaviour>>>,
    rules: Mutex<Vec<Arc<Rule>>>,
}

/// The writing end of a session's stream, numbered so that an old one cannot be taken for its
/// successor.
#[derive(Clone)]
struct Stream {
    number: usize,
    frames: Sender<Frame>,
}

#[derive(Default)]
struct State {
    sessions: HashMap<String, Option<Stream>>,
    /// Streams of forgotten sessions, still open.
    orphans: Vec<Stream>,
    streams_opened: usize,
    newest: String,
    opened: usize,
    streams_left: usize,
    executed: HashMap<String, usize>,
    /// Answers to a lost session instead of 404 (Streamable HTTP).
    lost_is_400: bool,
    stateless: bool,
}

impl Deref for Server {
    type Target = Remote;
    fn deref(&self) -> &Remote {
        &self.remote
    }
}

impl Server {
    pub fn start(face: Face) -> Self {
        let core = Arc::new(Core {
            face,
            state: Mutex::default(),
            changed: Condvar::new(),
            behaviours: Mutex::default(),
            rules: Mutex::default(),
        });
        let serving = core.clone();
        let remote = Remote::start(move |request, exchange| serving.serve(request, exchange));
        Server { remote, core }
    }

    /// Answers a request that came to another remote.
    pub fn serve(&self, request: &Arc<Request>, exchange: &mut Exchange) {
        self.core.serve(request, exchange);
    }

    /// The URL that a person would configure.
    pub fn endpoint(&self) -> String {
        self.url(if self.core.face == Face::Http { "/mcp" } else { "/sse" })
    }

    /// Replaces what a JSON-RPC method does (requests and notifications; an answer from the client
    /// is the method `response`).
    pub fn on(&self, method: &str, behaviour: impl Fn(&mut Call) + Send + Sync + 'static) -> &Self {
        lock(&self.core.behaviours).insert(method.to_owned(), Arc::new(behaviour));
        self
    }

    /// Puts a rule before everything else, earlier rules too: it answers the HTTP request itself and
    /// returns true, or leaves it alone.
    pub fn rule(
        &self,
        rule: impl Fn(&Arc<Request>, &mut Exchange) -> bool + Send + Sync + 'static,
    ) -> &Self {
        lock(&self.core.rules).push(Arc::new(rule));
        self
    }

    /// Gives out no session ids and has no GET stream.
    pub fn stateless(&self) -> &Self {
        lock(&self.core.state).stateless = true;
        self
    }

    /// Answers lost sessions with 400 instead of 404.
    pub fn lost_is_400(&self) -> &Self {
        lock(&self.core.state).lost_is_400 = true;
        self
    }

    /// Forgets all sessions and ends their streams.
    pub fn forget_sessions(&self) {
        for (_, stream) in lock(&self.core.state).sessions.drain() {
            stream.map(|stream| stream.frames.send(Frame::End));
        }
    }

    /// Forgets all sessions; their streams stay open and silent.
    pub fn forget_sessions_quietly(&self) {
        let mut state = lock(&self.core.state);
        let streams: Vec<_> = state.sessions.drain().filter_map(|(_, stream)| stream).collect();
        state.orphans.extend(streams);
    }

    /// Closes the port and every connection, and forgets the sessions.
    pub fn stop(&self) {
        self.listener().stop();
        lock(&self.core.state).sessions.clear();
    }

    /// Listens again on the same port.
    pub fn start_again(&self) {
        self.listener().start_again();
    }

    /// Sends a message on the newest session's stream, waiting for the stream if need be.
    pub fn push(&self, message: impl AsRef<[u8]>) {
        self.frame(Frame::Raw(event(None, message.as_ref())));
    }

    /// Does this to the newest session's stream, waiting for the stream if need be. After an end
    /// or a reset the next frame waits for the next stream.
    pub fn frame(&self, frame: Frame) {
        let last = !matches!(frame, Frame::Raw(_));
        let stream = await_some(&self.core.state, &self.core.changed, DEADLINE, |state| {
            let newest = state.newest.clone();
            let stream = state.sessions.get_mut(&newest)?;
            if last { stream.take() } else { stream.clone() }
        });
        let _ = stream.expect("the client never opened a stream").frames.send(frame);
    }

    /// The newest session's id, once there are `n` sessions.
    pub fn await_session(&self, n: usize) -> String {
        await_some(&self.core.state, &self.core.changed, DEADLINE, |state| {
            (state.opened >= n).then(|| state.newest.clone())
        })
        .unwrap_or_else(|| panic!("session no. {n} was never opened"))
    }

    /// How many sessions were ever opened.
    pub fn sessions_opened(&self) -> usize {
        lock(&self.core.state).opened
    }

    /// Whether the client leaves `n` streams within the deadline.
    pub fn await_streams_left(&self, n: usize) -> bool {
        await_some(&self.core.state, &self.core.changed, DEADLINE, |state| {
            (state.streams_left >= n).then_some(())
        })
        .is_some()
    }

    /// How often a `tools/call` with this marker was executed.
    pub fn executions(&self, marker: &str) -> usize {
        lock(&self.core.state).executed.get(marker).copied().unwrap_or(0)
    }

    /// Waits until a `tools/call` with this marker is executing.
    pub fn await_execution(&self, marker: &str) {
        await_some(&self.core.state, &self.core.changed, DEADLINE, |state| {
            state.executed.contains_key(marker).then_some(())
        })
        .unwrap_or_else(|| panic!("{marker} was never executed"));
    }
}

impl Core {
    fn serve(self: &Arc<Self>, request: &Arc<Request>, exchange: &mut Exchange) {
        let rules = lock(&self.rules).clone();
        if rules.iter().rev().any(|rule| rule(request, exchange)) {
            return;
        }
        match (self.face, request.method.as_str()) {
            (Face::Http, "POST") if request.path == "/mcp" => self.http_post(request, exchange),
            (Face::Http, "GET") if request.path == "/mcp" => self.http_get(request, exchange),
            (Face::Http, "DELETE") if request.path == "/mcp" => self.http_delete(request, exchange),
            (Face::Sse, "GET") if request.path == "/sse" => self.sse_get(exchange),
            (Face::Sse, "POST") if request.path.starts_with("/messages?sid=") => {
                self.sse_post(request, exchange);
            }
            (Face::Sse, _) if request.path == "/sse" => exchange.reply(405, &[], ""),
            _ => exchange.reply(404, &[], ""),
        }
    }

    fn http_post(self: &Arc<Self>, request: &Arc<Request>, exchange: &mut Exchange) {
        if request.is_rpc("initialize") {
            return self.dispatch(request, exchange, String::new());
        }
        let session = request.header("mcp-session-id").unwrap_or_default().to_owned();
        if self.knows(&session) {
            self.dispatch(request, exchange, session)
        } else {
            self.lost(exchange)
        }
    }

    fn knows(&self, session: &str) -> bool {
        let state = lock(&self.state);
        state.stateless || state.sessions.contains_key(session)
    }

    fn lost(&self, exchange: &mut Exchange) {
        let headers = [("content-type", "application/json")];
        if lock(&self.state).lost_is_400 {
            let text = "Bad Request: No valid session ID provided";
            exchange.reply(400, &headers, json::error("null", -32000, text));
        } else {
            exchange.reply(404, &headers, json::error("null", -32001, "Session not found"));
        }
    }

    fn http_get(self: &Arc<Self>, request: &Arc<Request>, exchange: &mut Exchange) {
        let session = request.header("mcp-session-id").unwrap_or_default().to_owned();
        if lock(&self.state).stateless {
            return exchange.reply(405, &[("allow", "POST")], "");
        }
        if !self.knows(&session) {
            return self.lost(exchange);
        }
        exchange.sse(&[]);
        let opened = self.open_stream(&session);
        self.stream(&session, opened, exchange);
    }

    fn http_delete(&self, request: &Request, exchange: &mut Exchange) {
        let session = request.header("mcp-session-id").unwrap_or_default();
        match lock(&self.state).sessions.remove(session) {
            Some(_) => exchange.reply(200, &[], ""),
            None => exchange.reply(404, &[], ""),
        }
    }

    fn sse_get(self: &Arc<Self>, exchange: &mut Exchange) {
        let session = self.new_session();
        let opened = self.open_stream(&session);
        exchange.sse(&[]).chunk(format!("event: endpoint\ndata: /messages?sid={session}\n\n"));
        self.stream(&session, opened, exchange);
        lock(&self.state).sessions.remove(&session);
    }

    fn sse_post(self: &Arc<Self>, request: &Arc<Request>, exchange: &mut Exchange) {
        let session = request.path.rsplit('=').next().unwrap_or_default().to_owned();
        if !lock(&self.state).sessions.contains_key(&session) {
            return exchange.reply(404, &[], "no such session");
        }
        self.dispatch(request, exchange, session);
    }

    fn new_session(&self) -> String {
        let mut state = lock(&self.state);
        state.opened += 1;
        let id = format!("session-{}", state.opened);
        state.newest.clone_from(&id);
        state.sessions.insert(id.clone(), None);
        self.changed.notify_all();
        id
    }

    fn open_stream(&self, session: &str) -> (usize, Receiver<Frame>) {
        let (sender, frames) = channel();
        let mut state = lock(&self.state);
        state.streams_opened += 1;
        let number = state.streams_opened;
        let stream = Stream { number, frames: sender };
        state.sessions.insert(session.to_owned(), Some(stream));
        self.changed.notify_all();
        (number, frames)
    }

    /// Writes the frames until the stream or the client ends.
    fn stream(&self, session: &str, opened: (usize, Receiver<Frame>), exchange: &mut Exchange) {
        let (number, frames) = opened;
        while !exchange.over() {
            match frames.recv_timeout(Duration::from_millis(10)) {
                Ok(Frame::Raw(bytes)) => _ = exchange.chunk(bytes),
                Ok(Frame::Reset) => exchange.reset(),
                Ok(Frame::End) | Err(RecvTimeoutError::Disconnected) => return exchange.end(),
                Err(RecvTimeoutError::Timeout) if exchange.left() => {
                    lock(&self.state).streams_left += 1;
                    self.changed.notify_all();
                    break;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        if let Some(stream) = lock(&self.state).sessions.get_mut(session) {
            stream.take_if(|stream| stream.number == number);
        }
    }

    fn dispatch(
        self: &Arc<Self>,
        request: &Arc<Request>,
        exchange: &mut Exchange,
        session: String,
    ) {
        let members = request.members();
        let text = |name: &str| members.as_ref().and_then(|all| all.raw(name)).map(str::to_owned);
        let method = request.rpc().unwrap_or_else(|| "response".to_owned());
        let behaviour = lock(&self.behaviours).get(&method).cloned();
        let mut call = Call {
            id: text("id").filter(|_| method != "response"),
            params: text("params")
                .and_then(|raw| serde_json::from_str(&raw).ok())
                .unwrap_or_default(),
            method,
            session,
            exchange,
            core: self,
            accepted: false,
        };
        match behaviour {
            Some(behaviour) => behaviour(&mut call),
            None => call.behave(),
        }
    }
}
