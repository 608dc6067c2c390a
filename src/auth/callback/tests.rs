//! The callback against real connections.

use std::net::Shutdown;

use http::StatusCode;
use secrecy::ExposeSecret;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinHandle,
};

use super::*;

const STATE: &str = "st-4~te";

/// A generous limit: no test waits for it.
const LONG: Duration = Duration::from_secs(60);

/// A callback that is waited on in a task of its own.
struct Waiting {
    port: u16,
    answer: JoinHandle<Result<Answer, Error>>,
}

fn waiting(host: &str, success_url: Option<&str>) -> Waiting {
    let callback = Callback::bind(host, None, "/cb").expect("a free port");
    let port = callback.port();
    let success_url = success_url.map(|url| Url::parse(url).expect("a URL"));
    let answer = tokio::spawn(async move {
        callback.wait(&SecretString::from(STATE), LONG, success_url.as_ref()).await
    });
    Waiting { port, answer }
}

impl Waiting {
    async fn answer(self) -> Answer {
        self.answer.await.expect("no panic").expect("an answer")
    }

    /// What comes back for a request with this head; `HOST` stands for ours.
    async fn ask(&self, head: &str) -> String {
        ask((Ipv4Addr::LOCALHOST, self.port).into(), head).await
    }

    /// A task that asks for the callback with this query.
    fn back(&self, query: &str) -> JoinHandle<String> {
        let (port, head) = (self.port, format!("GET /cb?{query} HTTP/1.1\r\nHOST"));
        tokio::spawn(async move { ask((Ipv4Addr::LOCALHOST, port).into(), &head).await })
    }
}

async fn ask(address: SocketAddr, head: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let host = format!("Host: {address}\r\n");
    let request = format!("{}\r\n", head.replace("HOST", &host));
    stream.write_all(request.as_bytes()).await.expect("a request");
    let mut response = String::new();
    let read = stream.read_to_string(&mut response);
    tokio::time::timeout(LONG / 6, read).await.expect("in time").expect("a response");
    response
}

/// Whether a port is closed, or is at once: a process that another test starts holds a copy of
/// every socket for a moment.
async fn is_closed(port: u16) -> bool {
    for _ in 0..100 {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

fn status(response: &str) -> StatusCode {
    let code = response.split(' ').nth(1).expect("a status line");
    code.parse().expect("a status")
}

/// What SEC-2 wants of every page, and that it repeats nothing of the request.
fn assert_sound(response: &str) {
    let lower = response.to_lowercase();
    for line in ["cache-control: no-store\r\n", "referrer-policy: no-referrer\r\n"] {
        assert!(lower.contains(line), "{response}");
    }
    for word in ["access-control", "reflected", "st-4~te", "<script"] {
        assert!(!lower.contains(word), "{response}");
    }
}

#[tokio::test]
async fn wrong_requests_get_a_page_and_the_wait_goes_on() {
    let waiting = waiting("127.0.0.1", None);
    for (head, expected) in [
        ("GET /favicon.ico HTTP/1.1\r\nHOST", 404),
        ("GET / HTTP/1.1\r\nHOST", 404),
        ("GET /cb?code=reflected HTTP/1.1\r\nHOST", 400),
        ("GET /cb?code=reflected&state=reflected HTTP/1.1\r\nHOST", 400),
        ("GET /cb?error=%3Cscript%3E&state=reflected HTTP/1.1\r\nHOST", 400),
        ("GET /cb?code=reflected&state=st-4~te HTTP/1.1\r\nHost: evil.example\r\n", 421),
        ("GET /cb?code=reflected&state=st-4~te HTTP/1.0\r\n", 421),
        ("POST /cb?code=reflected&state=st-4~te HTTP/1.1\r\nContent-Length: 0\r\nHOST", 405),
        ("OPTIONS /cb HTTP/1.1\r\nOrigin: https://evil.example\r\nHOST", 405),
    ] {
        let response = waiting.ask(head).await;
        assert_eq!(status(&response), expected, "{head}");
        assert_sound(&response);
        assert!(!waiting.answer.is_finished(), "{head}");
    }
    let page = waiting.back("code=c&state=st-4~te");
    let answer = waiting.answer().await;
    assert_eq!(answer.code.expect("a code").expose_secret(), "c");
    answer.tab.finish(Ending::SignedIn).await;
    assert_eq!(status(&page.await.expect("a page")), 200);
}

#[tokio::test]
async fn the_page_tells_how_the_sign_in_ended() {
    let site = "https://done.example/?a=b%20c";
    for (ending, success_url, expected, words) in [
        (Ending::SignedIn, None, 200, "You are signed in."),
        (Ending::SignedIn, Some(site), 303, "location: https://done.example/?a=b%20c\r\n"),
        (Ending::Failed, Some(site), 502, "did not work"),
        (Ending::Denied, Some(site), 400, "not signed in"),
    ] {
        let waiting = waiting("127.0.0.1", success_url);
        let port = waiting.port;
        let page = waiting.back("code=reflected&state=st-4~te&iss=https%3A%2F%2Fi.example");
        let answer = waiting.answer().await;
        assert_eq!(answer.iss.as_deref(), Some("https://i.example"));
        assert!(!page.is_finished(), "the tab waits");
        assert!(is_closed(port).await, "the sockets are closed after one answer");
        answer.tab.finish(ending).await;
        // Whatever was to be sent is sent by now: a process may end here.
        let page = page.await.expect("a page");
        assert_eq!(status(&page), expected, "{ending:?}");
        assert!(page.contains(words), "{page}");
        assert_sound(&page);
    }
}

#[tokio::test]
async fn a_denial_comes_back_as_it_was_sent() {
    let waiting = waiting("localhost", None);
    let query = "error=access_denied&error_description=a%1B%5B1m+reflected&state=st-4~te";
    let page = waiting.back(query);
    let answer = waiting.answer().await;
    assert!(!format!("{answer:?}").contains("access_denied"), "{answer:?}");
    let denial = answer.code.expect_err("a denial");
    assert_eq!(denial.error(), "access_denied");
    assert_eq!(denial.description(), Some("a\u{1b}[1m reflected"));
    assert_eq!(denial.told(), "access_denied: a [1m reflected");
    answer.tab.finish(Ending::Denied).await;
    assert_sound(&page.await.expect("a page"));
}

#[tokio::test]
async fn connections_without_a_request_and_half_requests_hold_nobody_up() {
    let waiting = waiting("127.0.0.1", None);
    let address = (Ipv4Addr::LOCALHOST, waiting.port);
    let mut idle = Vec::new();
    for n in 0..20 {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        if n % 2 == 0 {
            stream.write_all(b"GET /cb?code=x&sta").await.expect("half a request");
        }
        idle.push(stream);
    }
    idle.push(TcpStream::connect(address).await.expect("a connection"));
    let gone = std::net::TcpStream::connect(address).expect("a connection");
    gone.shutdown(Shutdown::Both).expect("it goes away");
    let page = waiting.back("code=c&state=st-4~te");
    let answer = waiting.answer().await;
    let before = std::time::Instant::now();
    answer.tab.finish(Ending::SignedIn).await;
    assert!(before.elapsed() < Duration::from_secs(1), "only the tab is waited for");
    assert_eq!(status(&page.await.expect("a page")), 200);
}

#[tokio::test]
async fn only_the_first_answer_counts() {
    let waiting = waiting("127.0.0.1", None);
    // Connected before the sockets are closed, asks afterwards.
    let mut late =
        TcpStream::connect((Ipv4Addr::LOCALHOST, waiting.port)).await.expect("a connection");
    let host = format!("127.0.0.1:{}", waiting.port);
    waiting.ask("GET / HTTP/1.1\r\nHOST").await;
    let page = waiting.back("code=first&state=st-4~te");
    let answer = waiting.answer().await;
    let request = format!("GET /cb?code=second&state=st-4~te HTTP/1.1\r\nHost: {host}\r\n\r\n");
    late.write_all(request.as_bytes()).await.expect("a request");
    let mut response = String::new();
    late.read_to_string(&mut response).await.expect("a response");
    assert_eq!(status(&response), 400);
    answer.tab.finish(Ending::SignedIn).await;
    assert_eq!(status(&page.await.expect("a page")), 200);
}

#[tokio::test]
async fn a_tab_that_is_dropped_or_closed_does_no_harm() {
    let first = waiting("127.0.0.1", None);
    let page = first.back("code=c&state=st-4~te");
    let Answer { tab, .. } = first.answer().await;
    let Tab { ending, connections, .. } = tab;
    drop(ending);
    assert_eq!(status(&page.await.expect("a page")), 502);
    drop(connections);

    let second = waiting("127.0.0.1", None);
    let page = second.back("code=c&state=st-4~te");
    let answer = second.answer().await;
    page.abort();
    let before = std::time::Instant::now();
    answer.tab.finish(Ending::SignedIn).await;
    assert!(before.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn localhost_is_heard_on_both_addresses() {
    let waiting = waiting("localhost", None);
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, waiting.port));
    if std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return;
    }
    assert_eq!(status(&waiting.ask("GET / HTTP/1.1\r\nHOST").await), 404);
    let page =
        tokio::spawn(async move { ask(v6, "GET /cb?code=c&state=st-4~te HTTP/1.1\r\nHOST").await });
    waiting.answer().await.tab.finish(Ending::SignedIn).await;
    assert_eq!(status(&page.await.expect("a page")), 200);
}

#[tokio::test]
async fn too_large_a_request_is_cut_off() {
    let waiting = waiting("127.0.0.1", None);
    let large = |length| format!("GET /x HTTP/1.1\r\nCookie: {}\r\nHOST", "x".repeat(length));
    assert_eq!(status(&waiting.ask(&large(50_000)).await), 404);
    let mut stream =
        TcpStream::connect((Ipv4Addr::LOCALHOST, waiting.port)).await.expect("a connection");
    let mut sent = 0;
    while sent < 100 * REQUEST_SIZE && stream.write_all(&[b'x'; 4096]).await.is_ok() {
        sent += 4096;
    }
    assert!(sent < 100 * REQUEST_SIZE, "it was read to the end");
    assert!(!waiting.answer.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_limit_ends_the_wait() {
    let callback = Callback::bind("localhost", None, "/cb").expect("a free port");
    let started = tokio::time::Instant::now();
    let state = SecretString::from(STATE);
    let limit = Duration::from_secs(300);
    let error = callback.wait(&state, limit, None).await.expect_err("nobody came");
    assert_eq!(started.elapsed().as_secs(), 300);
    assert_eq!(error.kind(), Kind::Authorization);
    assert!(error.report().contains("300 s"), "{error}");
}

#[tokio::test]
async fn a_connection_that_sends_nothing_is_closed() {
    let waiting = waiting("127.0.0.1", None);
    let mut stream =
        TcpStream::connect((Ipv4Addr::LOCALHOST, waiting.port)).await.expect("a connection");
    // What connected later was served, so this one is known, and its time runs.
    waiting.ask("GET / HTTP/1.1\r\nHOST").await;
    tokio::time::pause();
    tokio::time::sleep(REQUEST_TIME + Duration::from_secs(1)).await;
    tokio::time::resume();
    let mut response = Vec::new();
    let read = stream.read_to_end(&mut response);
    let ended = tokio::time::timeout(Duration::from_secs(5), read).await;
    assert!(ended.is_ok(), "it is still open");
    assert!(!waiting.answer.is_finished());
}

#[test]
fn the_redirect_uri_is_what_was_asked_for_with_the_port_that_was_bound() {
    for (host, path, expected) in [
        ("127.0.0.1", "/", "http://127.0.0.1:PORT/"),
        ("localhost", "/oauth/callback", "http://localhost:PORT/oauth/callback"),
        ("::1", "/cb", "http://[::1]:PORT/cb"),
        ("[::1]", "/cb", "http://[::1]:PORT/cb"),
        ("desk.example", "/a b", "http://desk.example:PORT/a%20b"),
        ("192.168.0.1", "/cb", "http://192.168.0.1:PORT/cb"),
    ] {
        let callback = match Callback::bind(host, None, path) {
            Err(_) if host.contains("::1") => continue,
            bound => bound.expect(host),
        };
        let port = callback.port().to_string();
        assert_eq!(callback.redirect_uri(), expected.replace("PORT", &port));
        for socket in &callback.sockets {
            let address = socket.local_addr().expect("an address");
            assert!(address.ip().is_loopback() && address.port() == callback.port(), "{address}");
        }
    }
}

#[test]
fn what_cannot_be_a_redirect_uri_is_said_before_a_browser_opens() {
    for (host, path) in [
        ("", "/cb"),
        ("a b", "/cb"),
        ("localhost:1", "/cb"),
        ("u@localhost", "/cb"),
        ("localhost/x", "/cb"),
        ("localhost?x", "/cb"),
        ("https://localhost", "/cb"),
        ("::1::2", "/cb"),
        ("localhost", "cb"),
        ("localhost", ""),
        ("localhost", "/cb?x"),
        ("localhost", "/cb#x"),
    ] {
        let error = Callback::bind(host, None, path).expect_err(host);
        assert_eq!(error.kind(), Kind::Config, "{host} {path}");
    }
}

#[test]
fn a_port_that_is_taken_on_either_address_is_named() {
    let taken = Socket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = taken.local_addr().expect("an address").port();
    let error = Callback::bind("127.0.0.1", Some(port), "/cb").expect_err("it is taken");
    assert_eq!(error.kind(), Kind::Config);
    let text = format!("another program uses port {port} of 127.0.0.1");
    assert!(error.report().contains(&text), "{error}");

    let Ok(taken) = Socket::bind((Ipv6Addr::LOCALHOST, 0)) else { return };
    let port = taken.local_addr().expect("an address").port();
    let error = Callback::bind("localhost", Some(port), "/cb").expect_err("it is taken");
    assert!(error.report().contains(&format!("port {port} of ")), "{error}");
}
