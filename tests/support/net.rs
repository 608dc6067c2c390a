//! Sockets: loopback addresses of our own, listeners that stop and come back, resets, gates.

use std::{
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::DEADLINE;

/// Locks, also when another thread panicked meanwhile: its test has failed already.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits on `condvar` until `ready` yields something, or fails after the deadline.
pub fn await_some<T, R>(
    mutex: &Mutex<T>,
    condvar: &Condvar,
    deadline: Duration,
    mut ready: impl FnMut(&mut T) -> Option<R>,
) -> Option<R> {
    let end = Instant::now() + deadline;
    let mut guard = lock(mutex);
    loop {
        if let Some(found) = ready(&mut guard) {
            return Some(found);
        }
        let left = end.checked_duration_since(Instant::now())?;
        guard = condvar.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// Closed until the test opens it.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn open(&self) {
        *lock(&self.0.0) = true;
        self.0.1.notify_all();
    }

    /// Waits until the gate is open; fails after the deadline.
    pub fn wait(&self) {
        await_some(&self.0.0, &self.0.1, DEADLINE, |open| open.then_some(()))
            .expect("the gate was never opened");
    }
}

/// An address nobody else listens on. Linux owns all of 127/8, so that a port which a test closes
/// for a while cannot be taken by a neighbour; elsewhere there is only 127.0.0.1.
fn fresh_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(1);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let own = Ipv4Addr::new(127, 77, (n >> 8) as u8, (n & 0xff) as u8);
    let ip = if cfg!(target_os = "linux") { own } else { Ipv4Addr::LOCALHOST };
    SocketAddr::from((ip, 0))
}

/// Makes the close of this socket a reset (RST) instead of a clean end (FIN).
pub fn reset_on_close(stream: &TcpStream) {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime")
    });
    let _guard = runtime.enter();
    let Ok(twin) = stream.try_clone() else { return };
    // std cannot set SO_LINGER yet; tokio can, but accepts only non-blocking sockets.
    if twin.set_nonblocking(true).is_ok() {
        if let Ok(twin) = tokio::net::TcpStream::from_std(twin) {
            let _ = twin.set_zero_linger();
        }
        let _ = stream.set_nonblocking(false);
    }
}

/// What serves one accepted connection, on a thread of its own.
pub type Serve = dyn Fn(Arc<TcpStream>) + Send + Sync;

/// A listener that can be stopped (port closed, connections ended) and started again.
pub struct Listener {
    pub addr: SocketAddr,
    serve: Arc<Serve>,
    running: Mutex<Option<Running>>,
    connections: Arc<Mutex<Vec<Weak<TcpStream>>>>,
}

struct Running {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Listener {
    pub fn start(serve: Arc<Serve>) -> Self {
        let listener = TcpListener::bind(fresh_address()).expect("a free loopback port");
        let this = Listener {
            addr: listener.local_addr().expect("a bound address"),
            serve,
            running: Mutex::new(None),
            connections: Arc::default(),
        };
        *lock(&this.running) = Some(this.accept_on(listener));
        this
    }

    fn accept_on(&self, listener: TcpListener) -> Running {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, serve) = (stop.clone(), self.serve.clone());
        let connections = self.connections.clone();
        let thread = thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let _ = stream.set_nodelay(true);
                let stream = Arc::new(stream);
                let mut all = lock(&connections);
                all.retain(|one| one.strong_count() > 0);
                all.push(Arc::downgrade(&stream));
                drop(all);
                let serve = serve.clone();
                thread::spawn(move || serve(stream));
            }
        });
        Running { stop, thread }
    }

    /// Closes the port and ends every connection; new attempts are refused.
    pub fn stop(&self) {
        let Some(running) = lock(&self.running).take() else {
            return;
        };
        running.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.addr);
        let _ = running.thread.join();
        self.end_connections();
    }

    /// Ends every connection; the port stays open.
    pub fn end_connections(&self) {
        for stream in lock(&self.connections).drain(..) {
            if let Some(stream) = stream.upgrade() {
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }

    /// Listens again on the same port.
    pub fn start_again(&self) {
        let listener = TcpListener::bind(self.addr).expect("the same port again");
        *lock(&self.running) = Some(self.accept_on(listener));
    }

    /// How many connections are open.
    pub fn open_connections(&self) -> usize {
        let all = lock(&self.connections);
        all.iter().filter(|one| one.strong_count() > 0).count()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop();
    }
}
