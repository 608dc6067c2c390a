//! The test house tested: a support that hides a fault would make every other test worthless.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use crate::support::{
    cut::Proxy,
    json,
    server::{Face, Server},
};

fn connect(url: &str) -> TcpStream {
    let host = url.trim_start_matches("http://").split('/').next().expect("a host");
    TcpStream::connect(host).expect("the remote listens")
}

fn post(stream: &mut TcpStream, path: &str, session: &str, body: &str) {
    let head = format!("POST {path} HTTP/1.1\r\nmcp-session-id: {session}\r\n");
    let length = body.len();
    write!(stream, "{head}content-length: {length}\r\n\r\n{body}").expect("it is written");
}

fn read_until(stream: &mut TcpStream, needle: &str) -> String {
    let mut seen = Vec::new();
    let mut byte = [0; 1];
    while !String::from_utf8_lossy(&seen).contains(needle) {
        let n = stream.read(&mut byte).expect("no reset");
        assert_eq!(n, 1, "ended after {}", String::from_utf8_lossy(&seen));
        seen.push(byte[0]);
    }
    String::from_utf8_lossy(&seen).into_owned()
}

#[test]
fn the_scripted_server_gives_a_session_and_insists_on_it() {
    let server = Server::start(Face::Http);
    let mut stream = connect(&server.endpoint());
    post(&mut stream, "/mcp", "none", &json::call("1", "early"));
    read_until(&mut stream, "404");
    read_until(&mut stream, "}}");
    post(&mut stream, "/mcp", "", &json::initialize("1", "2025-06-18"));
    read_until(&mut stream, "mcp-session-id: session-1");
    read_until(&mut stream, "}}}");
    post(&mut stream, "/mcp", "session-1", &json::call("2", "m"));
    read_until(&mut stream, "\"text\":\"m\"");
    assert_eq!((server.executions("early"), server.executions("m")), (0, 1));
    assert_eq!(server.await_nth(2, |request| request.is_rpc("tools/call")).ordinal, 2);
}

#[test]
fn the_scripted_http_sse_server_answers_on_its_stream() {
    let server = Server::start(Face::Sse);
    let mut stream = connect(&server.endpoint());
    write!(stream, "GET /sse HTTP/1.1\r\n\r\n").expect("it is written");
    read_until(&mut stream, "data: /messages?sid=session-1\n\n");
    let mut other = connect(&server.endpoint());
    post(&mut other, "/messages?sid=session-1", "", &json::call("7", "m"));
    read_until(&mut other, "202");
    read_until(&mut stream, "\"text\":\"m\"");
    drop(stream);
    assert!(server.await_streams_left(1));
}

#[test]
fn a_stopped_server_refuses_and_comes_back_on_the_same_port() {
    let server = Server::start(Face::Http);
    let addr = server.listener().addr;
    server.stop();
    assert!(TcpStream::connect(addr).is_err());
    server.start_again();
    let mut stream = connect(&server.endpoint());
    post(&mut stream, "/mcp", "", &json::initialize("1", "2025-06-18"));
    read_until(&mut stream, "200");
}

#[test]
fn a_reset_is_a_reset_from_the_script_and_through_the_proxy() {
    let server = Server::start(Face::Http);
    server.on("initialize", |call| call.cut());
    let mut stream = connect(&server.endpoint());
    post(&mut stream, "/mcp", "", &json::initialize("1", "2025-06-18"));
    let error = stream.read(&mut [0; 1]).expect_err("a reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);

    let proxy = Proxy::to(server.listener().addr);
    let mut stream = connect(&proxy.url("/"));
    server.on("initialize", |call| call.behave());
    post(&mut stream, "/mcp", "", &json::initialize("1", "2025-06-18"));
    read_until(&mut stream, "}}}");
    proxy.cut();
    let error = stream.read(&mut [0; 1]).expect_err("a reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn a_stalled_proxy_delivers_later_and_a_refusing_one_never() {
    let server = Server::start(Face::Http);
    let proxy = Proxy::to(server.listener().addr);
    let mut stream = connect(&proxy.url("/"));
    post(&mut stream, "/mcp", "", &json::initialize("1", "2025-06-18"));
    read_until(&mut stream, "}}}");
    proxy.stall();
    post(&mut stream, "/mcp", "session-1", &json::call("2", "late"));
    proxy.come_back();
    read_until(&mut stream, "late");
    proxy.refuse();
    assert!(TcpStream::connect(proxy.url("").trim_start_matches("http://")).is_err());
    proxy.come_back();
    connect(&proxy.url("/"));
}
