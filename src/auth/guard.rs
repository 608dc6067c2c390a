//! Looking up the names of authorization servers, such that none that a server elsewhere names
//! leads to this machine or into a private network (AU-61).
//!
//! The HTTP client connects to the very addresses that were looked at here. Where a proxy looks
//! names up, only addresses that stand in a URL can be judged.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};
use tokio::sync::OnceCell;

use super::address::{is_internal, names_internal};
use crate::error::Error;

/// What is said about an address that is not for a server elsewhere to name.
const REFUSED: &str = "a server elsewhere must not send the bridge to a private address";

/// The failure to ask a server that is not for a server elsewhere to name.
fn refused(error: Error) -> Error {
    let hint = "if that server is yours to trust, pass its issuer as `--accept-issuer ISSUER`";
    error.because(REFUSED).hint(hint)
}

/// The failure to ask a server, because of what the HTTP client says.
pub fn because(error: Error, cause: String) -> Error {
    if cause == REFUSED { refused(error) } else { error.because(cause) }
}

type Found = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Judges where requests go.
#[derive(Clone)]
pub struct Guard(Arc<Inner>);

struct Inner {
    endpoint: Url,
    is_at_home: OnceCell<bool>,
    /// The hosts that may only be public. A proxy's is none of them.
    watched: Mutex<Vec<String>>,
    look_up: Box<dyn Fn(String) -> Found + Send + Sync>,
}

impl Guard {
    /// A guard for the authorization servers that the MCP server at `endpoint` names.
    pub fn new(endpoint: &Url) -> Self {
        Guard::with(endpoint, |host| {
            Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.collect()) })
        })
    }

    fn with(endpoint: &Url, look_up: impl Fn(String) -> Found + Send + Sync + 'static) -> Self {
        Guard(Arc::new(Inner {
            endpoint: endpoint.clone(),
            is_at_home: OnceCell::new(),
            watched: Mutex::default(),
            look_up: Box::new(look_up),
        }))
    }

    /// Judges a URL before a request goes there; its name is judged when it is looked up.
    ///
    /// # Errors
    /// It names a private address, and the endpoint does not.
    pub async fn check(&self, url: &Url, failed: impl Fn() -> Error) -> Result<(), Error> {
        if names_internal(url) && !self.0.is_at_home().await {
            return Err(refused(failed()));
        }
        let host = url.host_str().unwrap_or_default();
        let mut watched = self.0.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if !watched.iter().any(|known| known == host) {
            watched.push(host.to_owned());
        }
        Ok(())
    }
}

impl Inner {
    /// Whether the endpoint itself is of this machine or of a private network.
    async fn is_at_home(&self) -> bool {
        let find = || async {
            let host = self.endpoint.host_str().unwrap_or_default();
            names_internal(&self.endpoint) || {
                let found = (self.look_up)(host.to_owned()).await.unwrap_or_default();
                !found.is_empty() && found.iter().all(|address| is_internal(address.ip()))
            }
        };
        *self.is_at_home.get_or_init(find).await
    }

    fn is_watched(&self, host: &str) -> bool {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.iter().any(|known| known == host)
    }

    async fn resolve(&self, host: String) -> io::Result<Vec<SocketAddr>> {
        let is_watched = self.is_watched(&host);
        let found = (self.look_up)(host).await?;
        let is_private = is_watched && found.iter().any(|address| is_internal(address.ip()));
        if is_private && !self.is_at_home().await {
            return Err(io::Error::other(REFUSED));
        }
        Ok(found)
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let found = inner.resolve(name.as_str().to_owned()).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::error::Kind;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    /// Names that lead where they say.
    fn look_up(host: String) -> Found {
        let at: &[&str] = match host.as_str() {
            "inside.example" => &["10.0.0.1"],
            "both.example" => &["8.8.8.8", "127.0.0.1"],
            "six.example" => &["fd00::1"],
            "outside.example" => &["8.8.8.8", "2606:4700::1111"],
            _ => &[],
        };
        let found =
            at.iter().map(|text| SocketAddr::new(text.parse().expect("an address"), 0)).collect();
        Box::pin(std::future::ready(Ok(found)))
    }

    async fn may(endpoint: &str, target: &str) -> bool {
        let (guard, target) = (Guard::with(&url(endpoint), look_up), url(target));
        let failed = || Error::new(Kind::Unreachable, "x");
        let may_be_named = guard.check(&target, failed).await.is_ok();
        let host = target.host_str().expect("a host").to_owned();
        may_be_named && guard.0.resolve(host).await.is_ok()
    }

    #[tokio::test]
    async fn only_an_endpoint_at_home_may_name_a_private_address() {
        for (endpoint, target, expected) in [
            ("https://outside.example/", "https://outside.example/", true),
            ("https://outside.example/", "https://inside.example/", false),
            ("https://outside.example/", "https://both.example/", false),
            ("https://outside.example/", "https://six.example/", false),
            ("https://outside.example/", "https://10.0.0.1/", false),
            ("https://outside.example/", "http://localhost/", false),
            ("https://both.example/", "https://inside.example/", false),
            ("https://unknown.example/", "https://inside.example/", false),
            ("https://inside.example/", "https://six.example/", true),
            ("https://inside.example/", "https://10.0.0.1/", true),
            ("http://localhost/", "https://inside.example/", true),
            ("https://10.0.0.1/", "https://inside.example/", true),
        ] {
            assert_eq!(may(endpoint, target).await, expected, "{endpoint} {target}");
        }
    }

    #[tokio::test]
    async fn the_name_of_a_proxy_is_not_judged() {
        let guard = Guard::with(&url("https://outside.example/"), look_up);
        let failed = || Error::new(Kind::Unreachable, "x");
        guard.check(&url("https://outside.example/"), failed).await.expect("it is public");
        assert!(guard.0.resolve("inside.example".into()).await.is_ok());
    }

    /// The HTTP client asks the guard, and connects where the guard looked.
    #[tokio::test]
    async fn no_connection_is_made_to_an_address_that_is_refused() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("our own");
        let port = listener.local_addr().expect("an address").port();
        let home = |_| -> Found { Box::pin(async { Ok(vec![([127, 0, 0, 1], 0).into()]) }) };
        for (endpoint, connects) in
            [("https://outside.example/", false), ("https://inside.example/", true)]
        {
            static ASKED: AtomicUsize = AtomicUsize::new(0);
            let guard = Guard::with(&url(endpoint), move |host: String| {
                ASKED.fetch_add(1, Ordering::Relaxed);
                if host == "as.example" { home(host) } else { look_up(host) }
            });
            let target = url(&format!("http://as.example:{port}/"));
            let failed = || Error::new(Kind::Unreachable, "x");
            guard.check(&target, failed).await.expect("it is a name");
            let client = reqwest::Client::builder().no_proxy().dns_resolver(guard);
            let tls = crate::remote::build::no_tls().expect("a configuration");
            let client = client.tls_backend_preconfigured(tls).build().expect("a client");
            let wait = std::time::Duration::from_millis(300);
            let result = client.get(target).timeout(wait).send().await;
            let said = crate::remote::cause::cause(&result.expect_err("nobody answers"));
            let report = because(failed(), said).report();
            assert_eq!(report.contains("private address"), !connects, "{report}");
            assert_eq!(report.contains("--accept-issuer"), !connects, "{report}");
            assert_eq!(listener.accept().is_ok(), connects, "{endpoint}");
            assert!(ASKED.load(Ordering::Relaxed) > 0);
        }
    }
}
