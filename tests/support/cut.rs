//! A TCP proxy between the bridge and the remote that fails like networks do.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use super::net::{Listener, lock, reset_on_close};

const FORWARD: u8 = 0;
const STALL: u8 = 1;

/// Carries bytes to `target` until told otherwise.
pub struct Proxy {
    listener: Listener,
    shared: Arc<Shared>,
}

struct Shared {
    target: Mutex<SocketAddr>,
    mode: AtomicU8,
    /// Connections older than this generation are to be reset.
    generation: AtomicUsize,
}

impl Proxy {
    pub fn to(target: SocketAddr) -> Self {
        let shared = Arc::new(Shared {
            target: Mutex::new(target),
            mode: AtomicU8::new(FORWARD),
            generation: AtomicUsize::new(0),
        });
        let carrying = shared.clone();
        let listener = Listener::start(Arc::new(move |stream| carry(&stream, &carrying)));
        Proxy { listener, shared }
    }

    /// The URL of `path` through this proxy.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.listener.addr)
    }

    /// Resets every connection that is open now, on both sides.
    pub fn cut(&self) {
        self.shared.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Nothing passes any more, though connections stay open and new ones are accepted.
    pub fn stall(&self) {
        self.shared.mode.store(STALL, Ordering::SeqCst);
    }

    /// Connections are reset and new ones refused.
    pub fn refuse(&self) {
        self.cut();
        self.listener.stop();
    }

    /// Ends whatever [`Proxy::stall`] or [`Proxy::refuse`] began.
    pub fn come_back(&self) {
        if self.shared.mode.swap(FORWARD, Ordering::SeqCst) == FORWARD {
            self.listener.start_again();
        }
    }
}

fn carry(client: &Arc<TcpStream>, shared: &Arc<Shared>) {
    let born = shared.generation.load(Ordering::SeqCst);
    let Ok(server) = TcpStream::connect(*lock(&shared.target)) else {
        return reset_on_close(client);
    };
    let _ = server.set_nodelay(true);
    let server = Arc::new(server);
    let back = {
        let (client, server, shared) = (client.clone(), server.clone(), shared.clone());
        thread::spawn(move || pump(&server, &client, &shared, born))
    };
    pump(client, &server, shared, born);
    let _ = back.join();
}

/// Moves bytes one way until an end, a failure or a cut.
fn pump(mut from: &TcpStream, mut to: &TcpStream, shared: &Shared, born: usize) {
    let _ = from.set_read_timeout(Some(Duration::from_millis(5)));
    let mut buffer = vec![0; 64 * 1024];
    loop {
        if shared.generation.load(Ordering::SeqCst) != born {
            reset_on_close(from);
            return;
        }
        let read = from.read(&mut buffer);
        while shared.mode.load(Ordering::SeqCst) == STALL {
            thread::sleep(Duration::from_millis(5));
        }
        match read {
            Ok(n @ 1..) if to.write_all(&buffer[..n]).is_ok() => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            _ => {
                let _ = to.shutdown(Shutdown::Write);
                return;
            }
        }
    }
}
