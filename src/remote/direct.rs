//! The short way to a server on this machine: plain HTTP/1.1 without TLS, proxy or compression.
//!
//! What lies between for the long way (`reqwest`) costs about as much processor time as the
//! exchange itself where the network costs nothing, chiefly by reading the same URL several times.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Uri, header};
use http_body_util::{BodyExt, Empty, combinators::BoxBody};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use reqwest::{
    Body, Response, ResponseBuilderExt, Url,
    cookie::{CookieStore, Jar},
};

use super::body::{Outgoing, Sent};
use crate::{
    config::{Config, ProxyChoice},
    origin::is_loopback,
};

/// A client for one endpoint on this machine.
pub struct Direct {
    http: Client<HttpConnector, BoxBody<Bytes, Infallible>>,
    endpoint: (Url, Uri),
    cookies: Option<Arc<Cookies>>,
}

/// The cookies of the endpoint's origin, in memory.
#[derive(Default)]
pub struct Cookies {
    /// The cookies.
    pub jar: Arc<Jar>,
    /// Whether a direct exchange ever brought one; nearly always none does.
    any: AtomicBool,
}

/// Why an exchange failed.
pub struct Failure {
    /// Whether nothing of the request was looked at: there was no connection, or it was refused.
    pub is_unsent: bool,
    /// The cause that says something to a person.
    pub cause: String,
}

impl Direct {
    /// The client, where the endpoint is one that can be reached so.
    pub fn new(config: &Config, cookies: &Arc<Cookies>) -> Option<Self> {
        let endpoint = &config.endpoint;
        let has_proxy = matches!(config.network.proxy, ProxyChoice::Url { .. });
        if endpoint.scheme() != "http" || !is_loopback(endpoint) || has_proxy {
            return None;
        }
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(config.timeouts.connect));
        connector.set_keepalive(Some(Duration::from_secs(15)));
        if config.network.ipv4 {
            connector.set_local_address(Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)));
        }
        let http = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(90))
            .build(connector);
        Some(Direct {
            http,
            endpoint: (endpoint.clone(), endpoint.as_str().parse().ok()?),
            cookies: config.network.cookies.then(|| Arc::clone(cookies)),
        })
    }

    /// Makes one exchange, as far as the headers of the response.
    ///
    /// # Errors
    /// There was no connection, or it broke.
    pub async fn execute(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body: Option<(Bytes, Sent)>,
    ) -> Result<Response, Failure> {
        let mut request = http::Request::new(match body {
            Some((bytes, sent)) => Outgoing::new(bytes, sent).boxed(),
            None => Empty::new().boxed(),
        });
        *request.method_mut() = method;
        *request.uri_mut() = self.uri(url)?;
        *request.headers_mut() = headers;
        self.add_cookies(url, request.headers_mut());
        let response = self.http.request(request).await.map_err(|error| Failure {
            is_unsent: error.is_connect(),
            cause: super::cause::deepest(&error).to_string(),
        })?;
        self.keep_cookies(url, response.headers());
        let (parts, incoming) = response.into_parts();
        let built = http::Response::builder().url(url.clone()).body(Body::wrap(incoming));
        let mut response =
            built.map_err(|error| Failure { is_unsent: false, cause: error.to_string() })?;
        *response.status_mut() = parts.status;
        *response.headers_mut() = parts.headers;
        Ok(response.into())
    }

    fn uri(&self, url: &Url) -> Result<Uri, Failure> {
        if *url == self.endpoint.0 {
            return Ok(self.endpoint.1.clone());
        }
        let unusable =
            |error: http::uri::InvalidUri| Failure { is_unsent: true, cause: error.to_string() };
        url.as_str().parse().map_err(unusable)
    }

    fn add_cookies(&self, url: &Url, headers: &mut HeaderMap) {
        let Some(cookies) = &self.cookies else { return };
        if !cookies.any.load(Ordering::Relaxed) || headers.contains_key(header::COOKIE) {
            return;
        }
        if let Some(value) = cookies.jar.cookies(url) {
            headers.insert(header::COOKIE, value);
        }
    }

    fn keep_cookies(&self, url: &Url, headers: &HeaderMap) {
        let Some(cookies) = &self.cookies else { return };
        if headers.contains_key(header::SET_COOKIE) {
            cookies.jar.set_cookies(&mut headers.get_all(header::SET_COOKIE).iter(), url);
            cookies.any.store(true, Ordering::Relaxed);
        }
    }
}
