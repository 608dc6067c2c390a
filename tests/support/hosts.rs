//! Composio's hosts as a socket sees them: a proxy leads whatever is asked for to one remote, which
//! shows a certificate for all of them.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
    sync::Arc,
};

use tempfile::{NamedTempFile, TempDir};

use super::{
    bridge::{Bridge, Setup, executable},
    http::{Exchange, Request},
    remote::Remote,
    server::{Face, Server},
    tls::{Authority, Front},
    tunnel::Tunnel,
};

/// The names in the certificate.
const NAMES: [&str; 7] = [
    "composio.dev",
    "backend.composio.dev",
    "connect.composio.dev",
    "app.composio.dev",
    "rube.app",
    "other.test",
    "backend.composio.dev.other.test",
];

/// The headers that carry a credential.
const CREDENTIALS: [&str; 5] =
    ["authorization", "x-api-key", "x-user-api-key", "x-org-api-key", "x-consumer-api-key"];

/// The hosts, and a home for those who ask them.
pub struct Hosts {
    remote: Remote,
    proxy: Tunnel,
    _front: Front,
    trusted: NamedTempFile,
    pub home: TempDir,
}

impl Hosts {
    /// Every path of every host is a working MCP endpoint.
    pub fn start() -> Self {
        Hosts::scripted(|_, _| false)
    }

    /// The same, but for what `script` answers, which then returns true.
    pub fn scripted(
        script: impl Fn(&Request, &mut Exchange) -> bool + Send + Sync + 'static,
    ) -> Self {
        let server = Server::start(Face::Http);
        let remote = Remote::start(move |request, exchange| {
            if !script(request, exchange) {
                server.serve(&at_mcp(request), exchange);
            }
        });
        let authority = Authority::new();
        let front = Front::start(remote.listener().addr, |_| authority.issue(&NAMES).server(None));
        let proxy = Tunnel::http(front.addr(), None);
        let home = tempfile::tempdir().expect("a temporary directory");
        Hosts { remote, proxy, _front: front, trusted: authority.file(), home }
    }

    /// A bridge to this URL, at home here.
    pub fn bridge(&self, url: &str) -> Setup {
        self.bridge_as_usual(url).arg("--transport=http-only")
    }

    /// The same, with no transport named.
    pub fn bridge_as_usual(&self, url: &str) -> Setup {
        Bridge::to(url)
            .arg("--ca-file")
            .arg(self.trusted.path().to_str().expect("a plain path"))
            .arg(format!("--proxy=http://{}", self.proxy.addr()))
            .home(self.home.path())
    }

    /// Runs to the end in the same home, with this on stdin.
    pub fn run(&self, args: &[&str], stdin: &str) -> Output {
        run_at(self.home.path(), args, stdin)
    }

    /// What came in, in order.
    pub fn requests(&self) -> Vec<Arc<Request>> {
        self.remote.requests()
    }

    /// Which hosts were asked for, whether or not anything was sent to them.
    pub fn asked(&self) -> Vec<String> {
        self.proxy.asked()
    }
}

/// Runs to the end with nothing in the environment but a home.
pub fn run_at(home: &Path, args: &[&str], stdin: &str) -> Output {
    let words = executable();
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).args(args).env_clear().env("HOME", home).env("APPDATA", home);
    command.env("PATH", "/usr/bin:/bin").env("XDG_STATE_HOME", home.join("state"));
    command.env("XDG_CONFIG_HOME", home.join("config"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the executable starts");
    let mut pipe = child.stdin.take().expect("stdin is piped");
    // Whoever refuses its arguments reads nothing.
    let _ = std::io::Write::write_all(&mut pipe, stdin.as_bytes());
    drop(pipe);
    child.wait_with_output().expect("it ends")
}

/// The headers of a request that carry a credential, with the ids that accompany a user key.
pub fn credentials(request: &Request) -> Vec<(String, String)> {
    let of_keys =
        |name: &str| CREDENTIALS.contains(&name) || matches!(name, "x-org-id" | "x-project-id");
    request.headers.iter().filter(|(name, _)| of_keys(name)).cloned().collect()
}

fn at_mcp(request: &Request) -> Arc<Request> {
    Arc::new(Request {
        ordinal: request.ordinal,
        connection: request.connection,
        method: request.method.clone(),
        path: "/mcp".to_owned(),
        origin: request.origin.clone(),
        headers: request.headers.clone(),
        body: request.body.clone(),
        at: request.at,
    })
}
