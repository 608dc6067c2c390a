use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::mpsc::{self, Receiver, Sender},
    time::Duration,
};

use super::*;
use crate::demo::loopback::Loopback;

/// How long anything awaited may take before the test fails.
const DEADLINE: Duration = Duration::from_secs(30);

/// Offers requests that never end, and tells when one begins and when one is given up.
struct Endless(Sender<&'static str>);

struct GivenUp(Sender<&'static str>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        // A test that has failed listens no more.
        let _ = self.0.send("given up");
    }
}

impl Offer for Endless {
    fn about(&self) -> Value {
        json!({ "capabilities": {}, "serverInfo": { "name": "endless", "version": "1" } })
    }

    fn answer<'c>(&'c self, call: &'c Call) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'c>> {
        Box::pin(async move {
            let _given_up = GivenUp(self.0.clone());
            if call.method == "say" {
                call.notify("notifications/said", json!({}));
            }
            self.0.send("begun").expect("the test goes on");
            std::future::pending().await
        })
    }
}

struct House {
    told: Receiver<&'static str>,
    server: Loopback,
}

impl House {
    fn new() -> Self {
        let (tell, told) = mpsc::channel();
        let server = Loopback::start(0, move |_| {
            let server = Server::new(Era::Dual, Box::new(Endless(tell)));
            Arc::new(move |request| {
                let server = server.clone();
                Box::pin(async move {
                    match request.uri().path() {
                        "/mcp" => server.answer(request).await,
                        _ => server.answer_sse(request).await,
                    }
                })
            })
        });
        House { told, server: server.expect("a free port") }
    }

    /// Sends a request and reads until `end` has come.
    fn send(&self, start: &str, headers: &str, body: &Value, end: &str) -> (TcpStream, String) {
        let mut stream = TcpStream::connect(self.server.address()).expect("it listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a duration");
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let length = body.len();
        let head = format!(
            "{start} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nContent-Length: {length}\r\n{headers}\r\n"
        );
        stream.write_all((head + &body).as_bytes()).expect("it reads");
        let (mut answer, mut byte) = (Vec::new(), [0]);
        while !answer.ends_with(end.as_bytes()) {
            stream.read_exact(&mut byte).expect("it says more");
            answer.push(byte[0]);
        }
        (stream, String::from_utf8(answer).expect("text"))
    }

    fn session(&self) -> String {
        let initialize = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize" });
        let (_, answer) = self.send("POST /mcp", "", &initialize, "\r\n\r\n");
        let id = answer.lines().find(|line| line.starts_with("mcp-session-id: "));
        format!("{}\r\n", id.expect("a session"))
    }

    #[track_caller]
    fn expect(&self, what: &str) {
        assert_eq!(self.told.recv_timeout(DEADLINE), Ok(what));
    }
}

fn request(method: &str) -> Value {
    let meta = json!({ meta::PROTOCOL_VERSION: "2026-07-28", meta::CLIENT_CAPABILITIES: {} });
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": { "_meta": meta } })
}

fn in_session(method: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method })
}

#[test]
fn a_modern_request_is_given_up_when_its_stream_is_closed_before_or_after_it_began() {
    for (method, until) in [("say", "notifications/said\",\"params\":{}}\n\n"), ("be silent", "")] {
        let house = House::new();
        let headers = format!("MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: {method}\r\n");
        let (stream, _) = house.send("POST /mcp", &headers, &request(method), until);
        house.expect("begun");
        drop(stream);
        house.expect("given up");
    }
}

#[test]
fn a_request_in_a_session_outlives_its_stream_and_ends_when_it_is_cancelled() {
    let house = House::new();
    let session = house.session();
    let (stream, _) = house.send("POST /mcp", &session, &in_session("be silent"), "\n\n");
    house.expect("begun");
    drop(stream);
    let cancelled = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled",
        "params": { "requestId": 1 } });
    house.send("POST /mcp", &session, &json!({ "jsonrpc": "2.0", "method": "x" }), "\r\n\r\n");
    assert!(house.told.try_recv().is_err(), "nobody gave it up");
    house.send("POST /mcp", &session, &cancelled, "\r\n\r\n");
    house.expect("given up");
}

#[test]
fn a_session_takes_its_requests_with_it() {
    let house = House::new();
    let session = house.session();
    let (mut stream, _) = house.send("POST /mcp", &session, &in_session("be silent"), "\n\n");
    house.expect("begun");
    house.send("DELETE /mcp", &session, &Value::Null, "\r\n\r\n");
    house.expect("given up");
    let mut rest = String::new();
    stream.shutdown(std::net::Shutdown::Write).expect("an open stream");
    stream.read_to_string(&mut rest).expect("the stream ends");
    assert!(!rest.contains("data"), "{rest}");
    let (sse, answer) = house.send("GET /sse", "", &Value::Null, "\n\n\r\n");
    let to = answer.lines().find_map(|line| line.strip_prefix("data: ")).expect("an address");
    house.send(&format!("POST {to}"), "", &in_session("be silent"), "Accepted");
    house.expect("begun");
    drop(sse);
    house.expect("given up");
}
