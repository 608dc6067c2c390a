//! A proxy that makes tunnels, by HTTP's CONNECT or by SOCKS 5, to one target whatever is asked for.

use std::{
    io::{self, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use super::{
    http::read_request,
    net::{Listener, lock},
};

/// The proxy.
pub struct Tunnel {
    listener: Listener,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Tunnel {
    /// An HTTP proxy. With `credential`, only who shows it (as `Basic …`) gets a tunnel.
    pub fn http(target: SocketAddr, credential: Option<&'static str>) -> Self {
        Tunnel::start(move |client, asked| {
            let Some(request) = read_request(&mut BufReader::new(client)) else { return Ok(()) };
            lock(asked).push(format!("{} {}", request.method, request.path));
            let shown = request.header("proxy-authorization");
            if request.method != "CONNECT" {
                return client.write_all_to("HTTP/1.1 405 No\r\ncontent-length: 0\r\n\r\n");
            }
            if credential.is_some() && shown != credential {
                return client.write_all_to(
                    "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\
                     content-length: 0\r\n\r\n",
                );
            }
            client.write_all_to("HTTP/1.1 200 Connected\r\n\r\n")?;
            splice(client, target)
        })
    }

    /// A SOCKS 5 proxy without credentials (RFC 1928).
    pub fn socks(target: SocketAddr) -> Self {
        Tunnel::start(move |client, asked| {
            let [_, count] = read(client)?;
            io::copy(&mut client.take(count.into()), &mut io::sink())?;
            (&mut &*client).write_all(&[5, 0])?;
            let [_, command, _, kind] = read(client)?;
            let length = match kind {
                1 => 4,
                4 => 16,
                _ => read::<1>(client)?[0].into(),
            };
            let mut host = vec![0; length];
            (&mut &*client).read_exact(&mut host)?;
            let port = u16::from_be_bytes(read(client)?);
            let host = match kind {
                3 => String::from_utf8_lossy(&host).into_owned(),
                _ => format!("address {host:?}"),
            };
            lock(asked).push(format!("SOCKS{command} {host}:{port}"));
            (&mut &*client).write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0])?;
            splice(client, target)
        })
    }

    fn start(
        serve: impl Fn(&TcpStream, &Mutex<Vec<String>>) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let asking = asked.clone();
        let listener = Listener::start(Arc::new(move |stream| {
            // A client that leaves is no fault of the proxy's.
            let _ = serve(&stream, &asking);
            let _ = stream.shutdown(Shutdown::Both);
        }));
        Tunnel { listener, asked }
    }

    pub fn addr(&self) -> SocketAddr {
        self.listener.addr
    }

    /// What it was asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        lock(&self.asked).clone()
    }
}

trait WriteText {
    fn write_all_to(&self, text: &str) -> io::Result<()>;
}

impl WriteText for TcpStream {
    fn write_all_to(&self, text: &str) -> io::Result<()> {
        (&mut &*self).write_all(text.as_bytes())
    }
}

fn read<const N: usize>(mut stream: &TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Carries bytes both ways until both sides have ended.
pub fn splice(client: &TcpStream, target: SocketAddr) -> io::Result<()> {
    let server = TcpStream::connect(target)?;
    let _ = server.set_nodelay(true);
    let (mut from, mut to) = (server.try_clone()?, client.try_clone()?);
    let back = thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let _ = io::copy(&mut &*client, &mut &server);
    let _ = server.shutdown(Shutdown::Write);
    let _ = back.join();
    Ok(())
}
