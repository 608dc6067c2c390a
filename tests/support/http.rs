//! HTTP/1.1 by hand: requests read, answers written byte by byte as the script wants.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{DEADLINE, json::Members, net};

/// One request as it came in.
pub struct Request {
    /// Its place in the order of arrival at this remote, from 0.
    pub ordinal: usize,
    /// Which TCP connection brought it.
    pub connection: usize,
    pub method: String,
    /// Path and query, also where a proxy is meant and the whole URL stands in the request.
    pub path: String,
    /// The origin in such a URL.
    pub origin: Option<String>,
    /// Names in lower case, in order.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// When its last byte was read.
    pub at: Instant,
}

impl Request {
    /// The first value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name)?;
        Some(&found.1)
    }

    /// The members of a JSON body.
    pub fn members(&self) -> Option<Members> {
        Members::of(&self.body)
    }

    /// The JSON-RPC method in the body, if there is one.
    pub fn rpc(&self) -> Option<String> {
        self.members()?.text("method")
    }

    /// Whether the body is a message with this JSON-RPC method.
    pub fn is_rpc(&self, method: &str) -> bool {
        self.rpc().as_deref() == Some(method)
    }

    /// The bytes of the JSON-RPC id.
    pub fn rpc_id(&self) -> Option<String> {
        self.members()?.raw("id").map(str::to_owned)
    }

    /// Everything about it as text, to search for what must not be there.
    pub fn dump(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        format!("{} {} {:?} {body}", self.method, self.path, self.headers)
    }
}

/// Reads one request; `None` at the end of the connection.
pub fn read_request(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let first = read_line(reader)?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (origin, path) = match target.find("://").map(|at| at + 3) {
        Some(host) => match target[host..].find('/') {
            Some(slash) => target.split_at(host + slash),
            None => (target, "/"),
        },
        None => ("", target),
    };
    let (origin, path) = ((!origin.is_empty()).then(|| origin.to_owned()), path.to_owned());
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let body = read_body(reader, &headers)?;
    let at = Instant::now();
    Some(Request { ordinal: 0, connection: 0, method, path, origin, headers, body, at })
}

fn read_line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).ok()?;
    let line = line.strip_suffix(b"\n")?;
    Some(String::from_utf8_lossy(line).trim_end().to_owned())
}

fn read_body(reader: &mut impl BufRead, headers: &[(String, String)]) -> Option<Vec<u8>> {
    let of = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value);
    if of("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
        return read_chunks(reader);
    }
    let length = of("content-length").map_or(Some(0), |value| value.parse().ok())?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(body)
}

fn read_chunks(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = usize::from_str_radix(&read_line(reader)?, 16).ok()?;
        let start = body.len();
        body.resize(start + size, 0);
        reader.read_exact(&mut body[start..]).ok()?;
        read_line(reader)?;
        if size == 0 {
            return Some(body);
        }
    }
}

/// The answering side of one request. Writing to a connection that the other side has left does
/// nothing but set [`Exchange::gone`].
pub struct Exchange {
    stream: Arc<TcpStream>,
    gone: bool,
    /// No further request is read from this connection.
    over: bool,
}

impl Exchange {
    pub fn new(stream: Arc<TcpStream>) -> Self {
        Exchange { stream, gone: false, over: false }
    }

    /// Writes exactly these bytes.
    pub fn raw(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.gone |= (&*self.stream).write_all(bytes.as_ref()).is_err();
        self
    }

    /// A complete answer with a length.
    pub fn reply(&mut self, status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) {
        let body = body.as_ref();
        let length = body.len().to_string();
        let mut head = head(status, headers);
        if status != 204 {
            head.push_str(&format!("content-length: {length}\r\n"));
        }
        self.raw(head + "\r\n").raw(body);
    }

    /// 200 with a JSON body.
    pub fn json(&mut self, body: impl AsRef<[u8]>) {
        self.reply(200, &[("content-type", "application/json")], body);
    }

    /// Begins a chunked event stream.
    pub fn sse(&mut self, headers: &[(&str, &str)]) -> &mut Self {
        let mut all = vec![("content-type", "text/event-stream"), ("transfer-encoding", "chunked")];
        all.extend(headers);
        self.raw(head(200, &all) + "\r\n")
    }

    /// One chunk of a chunked body.
    pub fn chunk(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let bytes = bytes.as_ref();
        let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
        framed.extend_from_slice(bytes);
        framed.extend_from_slice(b"\r\n");
        self.raw(framed)
    }

    /// One `message` event in a chunk of its own.
    pub fn event(&mut self, data: impl AsRef<[u8]>) -> &mut Self {
        self.chunk(event(None, data.as_ref()))
    }

    /// One `message` event with an event id.
    pub fn event_with_id(&mut self, id: &str, data: impl AsRef<[u8]>) -> &mut Self {
        self.chunk(event(Some(id), data.as_ref()))
    }

    /// The end of a chunked body.
    pub fn end(&mut self) {
        self.raw("0\r\n\r\n");
    }

    /// Breaks the connection with a reset.
    pub fn reset(&mut self) {
        net::reset_on_close(&self.stream);
        self.over = true;
    }

    /// Ends the connection cleanly, whatever was promised.
    pub fn close(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Both);
        self.over = true;
    }

    /// Waits until the other side has left this connection.
    pub fn await_gone(&mut self) -> bool {
        let _ = self.stream.set_read_timeout(Some(DEADLINE));
        let read = (&*self.stream).read(&mut [0; 1]);
        self.over = true;
        !matches!(read, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
    }

    /// Looks whether the other side has ended the connection by now.
    pub fn left(&mut self) -> bool {
        let _ = self.stream.set_read_timeout(Some(Duration::from_millis(1)));
        let ended = matches!(self.stream.peek(&mut [0; 1]), Ok(0));
        let _ = self.stream.set_read_timeout(None);
        ended
    }

    /// Whether this connection carries nothing more.
    pub fn over(&self) -> bool {
        self.over || self.gone
    }
}

fn head(status: u16, headers: &[(&str, &str)]) -> String {
    let mut head = format!("HTTP/1.1 {status} Scripted\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head
}

/// A `message` event.
pub fn event(id: Option<&str>, data: &[u8]) -> Vec<u8> {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    [format!("{id}event: message\ndata: ").as_bytes(), data, b"\n\n"].concat()
}
