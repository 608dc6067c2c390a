//! The remote that everybody is measured against: HTTP/1.1 by hand, so that it is never the one
//! that is waited for.

use std::{io::Write, rc::Rc};

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::LocalSet,
};

/// Progress notifications in the answer to `progress`.
pub const NOTIFICATIONS: usize = 1_000;

/// Serves until its stdin closes; says its port on stdout first.
pub fn run() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_io().build().expect("a runtime");
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        writeln!(std::io::stdout(), "{port}").expect("the driver reads this");
        let payload = Rc::new(vec![b'x'; 16 << 20]);
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).expect("a TCP socket");
            let payload = payload.clone();
            tokio::task::spawn_local(async move {
                // A client that goes away is none of our business.
                let _ = connection(stream, &payload).await;
            });
        }
    });
}

async fn connection(mut stream: TcpStream, payload: &[u8]) -> std::io::Result<()> {
    let mut buffer = Vec::with_capacity(8 << 10);
    loop {
        let Some((head, length)) = read_request(&mut stream, &mut buffer).await? else {
            return Ok(());
        };
        let line = buffer[..head].split(|&byte| byte == b'\r').next().unwrap_or_default();
        match line {
            b"POST /mcp HTTP/1.1" => answer(&mut stream, &buffer[head..length], payload).await?,
            b"POST /modern HTTP/1.1" => modern(&mut stream, &buffer[head..length], payload).await?,
            // The server's own stream, which stays silent.
            b"GET /mcp HTTP/1.1" => stream.write_all(EVENTS_HEAD).await?,
            b"DELETE /mcp HTTP/1.1" => stream.write_all(EMPTY_HEAD).await?,
            _ => stream.write_all(MISSING_HEAD).await?,
        }
        buffer.drain(..length);
    }
}

const EVENTS_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
    transfer-encoding: chunked\r\n\r\n";

const EMPTY_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

const MISSING_HEAD: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";

/// Reads until a whole request is in the buffer; where its body begins and ends.
async fn read_request(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
) -> std::io::Result<Option<(usize, usize)>> {
    loop {
        if let Some(end) = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            let length = end + 4 + content_length(&buffer[..end]);
            if buffer.len() >= length {
                return Ok(Some((end + 4, length)));
            }
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

fn content_length(head: &[u8]) -> usize {
    let lines = head.split(|&byte| byte == b'\n');
    let value = lines.into_iter().find_map(|line| {
        let (name, value) = line.split_at_checked(15)?;
        name.eq_ignore_ascii_case(b"content-length:").then_some(value)
    });
    let digits = value.and_then(|value| std::str::from_utf8(value).ok());
    digits.and_then(|digits| digits.trim().parse().ok()).unwrap_or(0)
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    method: Option<&'a str>,
    #[serde(borrow)]
    params: Option<Params<'a>>,
}

#[derive(Deserialize)]
struct Params<'a> {
    name: Option<&'a str>,
}

async fn answer(stream: &mut TcpStream, body: &[u8], payload: &[u8]) -> std::io::Result<()> {
    let message: Message<'_> = serde_json::from_slice(body)?;
    let Some(id) = message.id.map(RawValue::get) else {
        return stream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").await;
    };
    let tool = message.params.and_then(|params| params.name).unwrap_or_default();
    match (message.method, tool) {
        (Some("initialize"), _) => json(stream, id, INITIALIZED, b"").await,
        (Some("tools/call"), "progress") => progress(stream, id).await,
        (Some("tools/call"), "1 MB") => json(stream, id, TEXT, &payload[..1 << 20]).await,
        (Some("tools/call"), "16 MB") => json(stream, id, TEXT, payload).await,
        (Some("tools/call"), _) => json(stream, id, TEXT, &payload[..100]).await,
        _ => json(stream, id, ("{", "}"), b"").await,
    }
}

/// The same as a server of 2026-07-28 and nothing else.
async fn modern(stream: &mut TcpStream, body: &[u8], payload: &[u8]) -> std::io::Result<()> {
    let message: Message<'_> = serde_json::from_slice(body)?;
    let Some(id) = message.id.map(RawValue::get) else {
        return stream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").await;
    };
    match message.method {
        Some("initialize") => {
            let error = format!(
                r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32022,"message":"2026-07-28 only","data":{{"supported":["2026-07-28"]}}}}}}"#
            );
            let head = format!(
                "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                error.len()
            );
            stream.write_all((head + &error).as_bytes()).await
        }
        Some("server/discover") => json(stream, id, DISCOVERED, b"").await,
        _ => json(stream, id, MODERN_TEXT, &payload[..100]).await,
    }
}

const DISCOVERED: (&str, &str) = (
    r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}},"#,
    r#""ttlMs":0,"cacheScope":"private","_meta":{"io.modelcontextprotocol/serverInfo":{"name":"bench","version":"1"}}}"#,
);

const MODERN_TEXT: (&str, &str) = (
    r#"{"resultType":"complete","content":[{"type":"text","text":""#,
    r#""}],"isError":false,"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"bench","version":"1"}}}"#,
);

const INITIALIZED: (&str, &str) = (
    r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"bench","#,
    r#""version":"1"}}"#,
);

const TEXT: (&str, &str) = (r#"{"content":[{"type":"text","text":""#, r#""}],"isError":false}"#);

/// A result made of a beginning, a payload and an end, as one JSON body.
async fn json(
    stream: &mut TcpStream,
    id: &str,
    (start, end): (&str, &str),
    payload: &[u8],
) -> std::io::Result<()> {
    let before = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{start}"#);
    let length = before.len() + payload.len() + end.len() + 1;
    let mut head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nmcp-session-id: bench\r\n\
         content-length: {length}\r\n\r\n{before}"
    )
    .into_bytes();
    if payload.len() > 64 << 10 {
        stream.write_all(&head).await?;
        stream.write_all(payload).await?;
        head.clear();
    } else {
        head.extend_from_slice(payload);
    }
    head.extend_from_slice(end.as_bytes());
    head.push(b'}');
    stream.write_all(&head).await
}

/// Notifications as they would come from a running tool, each in a write of its own.
async fn progress(stream: &mut TcpStream, id: &str) -> std::io::Result<()> {
    stream.write_all(EVENTS_HEAD).await?;
    for step in 1..=NOTIFICATIONS {
        let notification = format!(
            r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":1,"progress":{step},"total":{NOTIFICATIONS}}}}}"#
        );
        event(stream, &notification).await?;
    }
    let result = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{}done{}}}"#, TEXT.0, TEXT.1);
    event(stream, &result).await?;
    stream.write_all(b"0\r\n\r\n").await
}

async fn event(stream: &mut TcpStream, message: &str) -> std::io::Result<()> {
    let length = "data: \n\n".len() + message.len();
    stream.write_all(format!("{length:x}\r\ndata: {message}\n\n\r\n").as_bytes()).await
}
