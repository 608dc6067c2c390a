//! A raw remote: every request goes to a script, every request is recorded.

use std::{
    io::BufReader,
    net::TcpStream,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{
    DEADLINE,
    http::{Exchange, Request, read_request},
    net::{Listener, await_some, lock},
};

/// Answers one request.
pub type Script = dyn Fn(&Arc<Request>, &mut Exchange) + Send + Sync;

/// A scripted HTTP remote on loopback.
pub struct Remote {
    listener: Listener,
    log: Arc<Log>,
}

/// What came in, in order.
#[derive(Default)]
pub struct Log {
    requests: Mutex<Vec<Arc<Request>>>,
    changed: Condvar,
    connections: AtomicUsize,
}

impl Remote {
    pub fn start(script: impl Fn(&Arc<Request>, &mut Exchange) + Send + Sync + 'static) -> Self {
        let log = Arc::new(Log::default());
        let (recorder, script): (_, Arc<Script>) = (log.clone(), Arc::new(script));
        let serve = move |stream: Arc<TcpStream>| serve(stream, &recorder, &*script);
        Remote { listener: Listener::start(Arc::new(serve)), log }
    }

    /// The URL of `path` here.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.listener.addr)
    }

    pub fn listener(&self) -> &Listener {
        &self.listener
    }

    /// Everything that came in so far.
    pub fn requests(&self) -> Vec<Arc<Request>> {
        lock(&self.log.requests).clone()
    }

    /// How many requests so far are like this.
    pub fn count(&self, like: impl Fn(&Request) -> bool) -> usize {
        lock(&self.log.requests).iter().filter(|request| like(request)).count()
    }

    /// The first request like this, waiting for it if need be.
    pub fn await_request(&self, like: impl Fn(&Request) -> bool) -> Arc<Request> {
        self.await_nth(1, like)
    }

    /// The `n`th (from 1) request like this, waiting for it if need be.
    pub fn await_nth(&self, n: usize, like: impl Fn(&Request) -> bool) -> Arc<Request> {
        self.nth_within(n, DEADLINE, like).unwrap_or_else(|| {
            let seen: Vec<_> = self.requests().iter().map(|request| brief(request)).collect();
            panic!("request no. {n} of that kind never came; seen: {seen:#?}")
        })
    }

    /// Like [`Remote::await_nth`], giving up after `within`.
    pub fn nth_within(
        &self,
        n: usize,
        within: Duration,
        like: impl Fn(&Request) -> bool,
    ) -> Option<Arc<Request>> {
        await_some(&self.log.requests, &self.log.changed, within, |all| {
            all.iter().filter(|request| like(request)).nth(n - 1).cloned()
        })
    }
}

fn brief(request: &Request) -> String {
    request.dump().chars().take(400).collect()
}

fn serve(stream: Arc<TcpStream>, log: &Log, script: &Script) {
    let connection = log.connections.fetch_add(1, Ordering::SeqCst);
    let mut reader = BufReader::new(&*stream);
    while let Some(request) = read_request(&mut reader) {
        let request = record(log, request, connection);
        let mut exchange = Exchange::new(stream.clone());
        script(&request, &mut exchange);
        if exchange.over() {
            return;
        }
    }
}

fn record(log: &Log, request: Request, connection: usize) -> Arc<Request> {
    let mut all = lock(&log.requests);
    let request = Arc::new(Request { ordinal: all.len(), connection, ..request });
    all.push(request.clone());
    log.changed.notify_all();
    request
}
