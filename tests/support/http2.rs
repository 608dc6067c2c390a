//! An HTTP/2 face for a plain remote, with the faults that HTTP/2 has words for.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use bytes::{Buf, Bytes, BytesMut};
use h2::{Reason, RecvStream, SendStream, server::SendResponse};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream},
    task::JoinSet,
};

/// What is to go wrong, and what was seen.
#[derive(Default)]
pub struct Faults {
    go_away: AtomicBool,
    refuse: AtomicUsize,
    frozen: AtomicUsize,
    born: AtomicUsize,
    requests: AtomicUsize,
    resets: AtomicUsize,
}

impl Faults {
    /// The next request is answered by GOAWAY (no error), saying that it was not looked at.
    pub fn go_away_once(&self) {
        self.go_away.store(true, Ordering::SeqCst);
    }

    /// The next `n` requests are refused (REFUSED_STREAM).
    pub fn refuse(&self, n: usize) {
        self.refuse.store(n, Ordering::SeqCst);
    }

    /// On every connection there is now nothing passes any more.
    pub fn freeze(&self) {
        self.frozen.store(self.born.load(Ordering::SeqCst), Ordering::SeqCst);
    }

    /// Whether the faults asked for have all happened.
    pub fn are_over(&self) -> bool {
        !self.go_away.load(Ordering::SeqCst) && self.refuse.load(Ordering::SeqCst) == 0
    }

    /// How many requests came over HTTP/2.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// How many answers the client did not want any more.
    pub fn resets(&self) -> usize {
        self.resets.load(Ordering::SeqCst)
    }
}

/// Serves one connection.
pub async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    target: SocketAddr,
    faults: &Arc<Faults>,
) -> io::Result<()> {
    let number = faults.born.fetch_add(1, Ordering::SeqCst) + 1;
    let (inner, outer) = tokio::io::duplex(1 << 20);
    tokio::select! {
        served = requests(inner, target, faults) => served,
        tapped = tap(stream, outer, faults, number) => tapped,
    }
}

/// Carries whole frames inwards, so that it can end the connection before a request.
async fn tap(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    inner: DuplexStream,
    faults: &Faults,
    number: usize,
) -> io::Result<()> {
    let (mut from_client, mut to_client) = tokio::io::split(stream);
    let (mut from_server, mut to_server) = tokio::io::split(inner);
    let (mut inwards, mut outwards) = (BytesMut::new(), BytesMut::new());
    let mut preface = 24;
    loop {
        tokio::select! {
            read = from_client.read_buf(&mut inwards) => if read? == 0 { return Ok(()) },
            read = from_server.read_buf(&mut outwards) => if read? == 0 { return Ok(()) },
        }
        if faults.frozen.load(Ordering::SeqCst) >= number {
            return std::future::pending().await;
        }
        to_client.write_all_buf(&mut outwards).await?;
        to_client.flush().await?;
        if preface > 0 && inwards.len() >= preface {
            to_server.write_all(&inwards.split_to(preface)).await?;
            preface = 0;
        }
        while preface == 0 && inwards.len() >= 9 {
            let length = 9 + (&mut &inwards[..3]).get_uint(3) as usize;
            let (kind, id) = (inwards[3], (&mut &inwards[5..9]).get_u32());
            if inwards.len() < length {
                break;
            }
            const HEADERS: u8 = 1;
            if kind == HEADERS && faults.go_away.swap(false, Ordering::SeqCst) {
                return go_away(&mut to_client, id.saturating_sub(2)).await;
            }
            to_server.write_all(&inwards.split_to(length)).await?;
        }
    }
}

/// GOAWAY without an error: nothing after stream `last` was looked at.
async fn go_away(to_client: &mut (impl AsyncWrite + Unpin), last: u32) -> io::Result<()> {
    let mut frame = vec![0, 0, 8, 7, 0, 0, 0, 0, 0];
    frame.extend(last.to_be_bytes());
    frame.extend(0_u32.to_be_bytes());
    to_client.write_all(&frame).await?;
    to_client.flush().await?;
    to_client.shutdown().await
}

async fn requests(
    stream: DuplexStream,
    target: SocketAddr,
    faults: &Arc<Faults>,
) -> io::Result<()> {
    let broken = io::Error::other::<h2::Error>;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build();
    let client = client.map_err(io::Error::other)?;
    let mut builder = h2::server::Builder::new();
    builder.max_concurrent_streams(200);
    let mut connection = builder.handshake::<_, Bytes>(stream).await.map_err(broken)?;
    let mut exchanges = JoinSet::new();
    while let Some(accepted) = connection.accept().await {
        let (request, mut respond) = accepted.map_err(broken)?;
        faults.requests.fetch_add(1, Ordering::SeqCst);
        let refused = |left: usize| left.checked_sub(1);
        if faults.refuse.fetch_update(Ordering::SeqCst, Ordering::SeqCst, refused).is_ok() {
            respond.send_reset(Reason::REFUSED_STREAM);
            continue;
        }
        let (client, faults) = (client.clone(), faults.clone());
        exchanges.spawn(async move {
            let _ = exchange(&client, target, request, respond, &faults).await;
        });
    }
    Ok(())
}

async fn exchange(
    client: &reqwest::Client,
    target: SocketAddr,
    request: http::Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    faults: &Faults,
) -> Result<(), Box<dyn std::error::Error>> {
    let (head, mut incoming) = request.into_parts();
    let mut body = BytesMut::new();
    while let Some(chunk) = incoming.data().await {
        let chunk = chunk?;
        incoming.flow_control().release_capacity(chunk.len())?;
        body.extend_from_slice(&chunk);
    }
    let url = format!("http://{target}{}", head.uri.path_and_query().map_or("/", |it| it.as_str()));
    let request = client.request(head.method, url).headers(head.headers).body(body.freeze());
    let mut answer = request.send().await?;
    let mut response = http::Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if name != "transfer-encoding" {
            response = response.header(name, value);
        }
    }
    let mut outgoing = respond.send_response(response.body(())?, false)?;
    loop {
        let chunk = tokio::select! {
            chunk = answer.chunk() => chunk?,
            _ = std::future::poll_fn(|cx| outgoing.poll_reset(cx)) => {
                faults.resets.fetch_add(1, Ordering::SeqCst);
                return Ok(());
            }
        };
        match chunk {
            Some(chunk) => send(&mut outgoing, chunk).await?,
            None => return Ok(outgoing.send_data(Bytes::new(), true)?),
        }
    }
}

/// Sends a chunk as the client has room for it.
async fn send(outgoing: &mut SendStream<Bytes>, mut chunk: Bytes) -> Result<(), h2::Error> {
    while !chunk.is_empty() {
        outgoing.reserve_capacity(chunk.len());
        let room = match std::future::poll_fn(|cx| outgoing.poll_capacity(cx)).await {
            Some(room) => room?.min(chunk.len()),
            None => return Ok(()),
        };
        outgoing.send_data(chunk.split_to(room), false)?;
    }
    Ok(())
}
