//! Proxies: named by flag or by the environment, left aside for this machine and for exceptions.

use crate::support::{
    bridge::{Bridge, Setup},
    json,
    server::{Face, Server},
    tls::{Authority, Front},
    tunnel::Tunnel,
};

const CREDENTIAL: &str = "Basic dXNlcjpNQVJLRVItU0VDUkVU";
const USER: &str = "user:MARKER-SECRET";

/// A host that only the proxy knows: a remote takes what is meant for a proxy, too.
fn plain() -> Setup {
    Bridge::to("http://mcp.test/mcp").arg("--transport=http-only").arg("--allow-http")
}

fn url(scheme: &str, server: &Server, user: &str) -> String {
    format!("{scheme}://{user}{}", server.listener().addr)
}

fn works(setup: Setup) -> String {
    let mut bridge = setup.spawn();
    bridge.handshake("2025-11-25");
    bridge.call_works("1");
    bridge.end()
}

#[track_caller]
fn excuse(setup: Setup, words: &[&str]) {
    let mut bridge = setup.arg("--startup-grace=1").spawn();
    bridge.send(json::initialize("1", "2025-11-25"));
    let answer = bridge.answer_to("1").to_string();
    for word in words {
        assert!(answer.contains(word), "{word} is missing in: {answer}");
    }
    assert!(!(answer + &bridge.end()).contains("MARKER-SECRET"));
}

/// Every request came as a proxy sees it.
#[track_caller]
fn all_through_the_proxy(server: &Server, credential: Option<&str>) {
    let requests = server.requests();
    assert!(requests.len() >= 3);
    for request in requests {
        assert_eq!(request.origin.as_deref(), Some("http://mcp.test"), "{}", request.dump());
        assert_eq!(request.header("proxy-authorization"), credential, "{}", request.dump());
    }
}

#[test]
fn http_goes_through_the_proxy_that_was_named_with_its_credential() {
    let server = Server::start(Face::Http);
    let proxy = format!("--proxy={}", url("http", &server, &format!("{USER}@")));
    let log = works(plain().arg(proxy).arg("--log-level=trace"));
    all_through_the_proxy(&server, Some(CREDENTIAL));
    assert!(!log.contains("MARKER-SECRET"), "{log}");
}

#[test]
fn the_environment_names_proxies_in_either_case() {
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let server = Server::start(Face::Http);
        works(plain().env(name, url("http", &server, "")));
        all_through_the_proxy(&server, None);
    }
}

#[test]
fn this_machine_is_never_asked_through_the_systems_proxy() {
    let (server, proxy) = (Server::start(Face::Http), Tunnel::http(unused(), None));
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"] {
        let bridge = Bridge::over(Face::Http, &server);
        works(bridge.env(name, format!("http://{}", proxy.addr())));
    }
    assert_eq!(proxy.asked(), [""; 0]);
}

/// An address where nobody listens.
fn unused() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("a bound address")
}

#[test]
fn exceptions_are_left_alone() {
    let server = Server::start(Face::Http);
    let proxy = url("http", &server, "");
    for setup in [
        plain().env("HTTP_PROXY", &proxy).arg("--no-proxy"),
        plain().env("HTTP_PROXY", &proxy).arg("--no-proxy=other.test,mcp.test"),
        plain().env("HTTP_PROXY", &proxy).env("NO_PROXY", "mcp.test"),
        plain().arg(format!("--proxy={proxy}")).arg("--no-proxy=mcp.test"),
    ] {
        // Nobody but the proxy knows the host.
        excuse(setup, &["not connected yet", "check the host name"]);
    }
    assert_eq!(server.requests().len(), 0);
    works(plain().env("HTTP_PROXY", &proxy).env("NO_PROXY", "mcp.test").arg("--no-proxy=x.test"));
    works(plain().arg(format!("--proxy={proxy}")).arg("--no-proxy=x.test"));
}

struct Encrypted {
    server: Server,
    front: Front,
    trusted: tempfile::NamedTempFile,
}

impl Encrypted {
    fn new() -> Self {
        let (server, authority) = (Server::start(Face::Http), Authority::new());
        let front = Front::trusted(server.listener().addr, &authority);
        Encrypted { server, front, trusted: authority.file() }
    }

    fn setup(&self) -> Setup {
        let trusted = self.trusted.path().to_str().expect("a plain path");
        Bridge::to("https://mcp.test/mcp")
            .arg("--transport=http-only")
            .arg("--ca-file")
            .arg(trusted)
    }
}

#[test]
fn https_goes_through_a_tunnel_and_only_the_proxy_sees_its_credential() {
    let world = Encrypted::new();
    let proxy = Tunnel::http(world.front.addr(), Some(CREDENTIAL));
    let flag = format!("--proxy=http://{USER}@{}", proxy.addr());
    let log = works(world.setup().arg(flag).arg("--log-level=trace"));
    assert!(!log.contains("MARKER-SECRET"), "{log}");
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        works(world.setup().env(variable, format!("http://{USER}@{}", proxy.addr())));
    }
    assert!(proxy.asked().iter().all(|line| line == "CONNECT mcp.test:443"));
    for request in world.server.requests() {
        assert!(!request.dump().contains("proxy-auth"), "{}", request.dump());
    }
}

#[test]
fn socks_resolves_the_name_at_the_proxy_where_that_was_asked_for() {
    let world = Encrypted::new();
    let proxy = Tunnel::socks(world.front.addr());
    works(world.setup().arg(format!("--proxy=socks5h://{}", proxy.addr())));
    let server = Server::start(Face::Http);
    let proxy_of_plain = Tunnel::socks(server.listener().addr);
    works(plain().arg(format!("--proxy=socks5h://{}", proxy_of_plain.addr())));
    assert!(proxy.asked().iter().all(|line| line == "SOCKS1 mcp.test:443"));
    assert!(proxy_of_plain.asked().iter().all(|line| line == "SOCKS1 mcp.test:80"));
    assert!(!proxy.asked().is_empty() && !proxy_of_plain.asked().is_empty());
}

#[test]
fn a_proxy_that_wants_a_password_says_so() {
    let world = Encrypted::new();
    let proxy = Tunnel::http(world.front.addr(), Some("Basic other"));
    for user in ["", "user:MARKER-SECRET@"] {
        let flag = format!("--proxy=http://{user}{}", proxy.addr());
        excuse(world.setup().arg(flag), &["proxy authorization required", "user:password@host"]);
    }
    let server = Server::start(Face::Http);
    server.rule(|_, exchange| {
        exchange.reply(407, &[("proxy-authenticate", "Basic")], "");
        true
    });
    let flag = format!("--proxy={}", url("http", &server, "user:MARKER-SECRET@"));
    excuse(plain().arg(flag), &["HTTP 407", "user:password@host"]);
}

#[test]
fn a_proxy_that_is_not_there_is_told_as_that() {
    let world = Encrypted::new();
    let flag = format!("--proxy=http://{USER}@{}", unused());
    let words = ["through the proxy http://127.0.0.1", "refused", "--no-proxy"];
    excuse(world.setup().arg(flag.clone()), &words);
    excuse(plain().arg(flag), &words);
    let socks = format!("socks5h://{USER}@{}", unused());
    let words = ["through the proxy socks5h://127.0.0.1", "SOCKS error", "--no-proxy"];
    excuse(plain().env("ALL_PROXY", socks), &words);
}
