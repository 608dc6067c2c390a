//! The HTTP client: connections, TLS, proxies, the configured headers, redirects.

use std::{error::Error as _, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::{Body, Request, Response, Url};
use tokio::sync::OnceCell;

use super::{
    body::{Collected, MESSAGE_LIMIT, Outgoing, Sent},
    build::{address, build, needs_tls, proxy_of},
    cause::cause,
    direct::{Cookies, Direct, Failure},
    event::{End, Refusal},
    field::{media_type, retry_after},
    redirect::{self, Redirect},
};
use crate::{
    auth::source::{Instead, Source},
    composio::{keeper::Keeper, key::Key, url::Shape},
    config::{Config, Timeouts},
    error::{Error, Kind},
    origin::same_origin,
};

/// The header that names an MCP session.
const SESSION: &str = "mcp-session-id";

/// How much of an error response is read, in bytes.
const REFUSAL_LIMIT: usize = 64 * 1024;

/// Makes requests to one endpoint.
pub struct Client {
    http: Http,
    endpoint: Url,
    /// What of Composio's that is.
    composio: Option<Shape>,
    headers: HeaderMap,
    /// The tokens of a sign-in, where they may be used.
    tokens: Option<Arc<Source>>,
    /// Who keeps the session that the endpoint is.
    keeper: Option<Arc<Keeper>>,
    timeouts: Timeouts,
    /// The proxy on the way, to be named when there is no way through.
    proxy: Option<String>,
}

/// The way to the endpoint.
enum Http {
    /// To this machine.
    Short(Box<Direct>),
    /// To any other, through whatever lies between.
    Long(reqwest::Client),
}

/// A [`Client`] that is being made while the first message is read: building TLS takes
/// milliseconds, and a key command may take seconds.
#[derive(Clone)]
pub struct Connector {
    config: Arc<Config>,
    cookies: Arc<Cookies>,
    key: Arc<OnceCell<Option<Key>>>,
    tokens: Option<Arc<Source>>,
    keeper: Option<Arc<Keeper>>,
    client: Arc<OnceCell<Result<Client, Error>>>,
}

impl Connector {
    /// Prepares connections as `config` says; nothing happens yet.
    pub fn new(config: Arc<Config>) -> Self {
        let tokens = Source::new(&config).map(Arc::new);
        let keeper = Keeper::new(&config).map(Arc::new);
        let (cookies, key, client) = (Arc::default(), Arc::default(), Arc::default());
        Connector { config, cookies, key, tokens, keeper, client }
    }

    /// The client, made on the first call.
    ///
    /// # Errors
    /// A file of certificates or the key's command is unusable, or the proxy is.
    pub async fn client(&self) -> Result<&Client, Error> {
        if let Some(made) = self.client.get() {
            return made.as_ref().map_err(Clone::clone);
        }
        let made = self.client.get_or_init(|| self.make()).await;
        made.as_ref().map_err(Clone::clone)
    }

    /// The same with new connections: the old ones may lead nowhere. Exchanges under way keep
    /// theirs; cookies and the key stay.
    pub fn renewed(&self) -> Self {
        Connector { client: Arc::default(), ..self.clone() }
    }

    /// What connections are made by.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The tokens of a sign-in, where such may be used.
    pub fn tokens(&self) -> Option<&Arc<Source>> {
        self.tokens.as_ref()
    }

    /// The credential headers as one text, to tell what was remembered for whom.
    pub async fn credential(&self) -> String {
        let Ok(client) = self.client().await else { return String::new() };
        let mut lines: Vec<String> = client
            .headers
            .iter()
            .map(|(name, value)| format!("{name}:{}", String::from_utf8_lossy(value.as_bytes())))
            .collect();
        lines.sort();
        if let Some(tokens) = &client.tokens {
            lines.push(tokens.identity().await);
        }
        lines.join("\n")
    }

    async fn make(&self) -> Result<Client, Error> {
        let endpoint = match &self.keeper {
            Some(keeper) => keeper.url().await?,
            None => self.config.endpoint.clone(),
        };
        let key = self.key.get_or_try_init(|| resolve_key(&self.config)).await?;
        let (config, cookies) = (Arc::clone(&self.config), Arc::clone(&self.cookies));
        let http = if let Some(direct) = Direct::new(&config, &cookies) {
            Http::Short(Box::new(direct))
        } else if needs_tls(&config) {
            let made =
                tokio::task::spawn_blocking(move || build(&config, &cookies.jar, true)).await;
            Http::Long(made.map_err(|error| Error::new(Kind::Unexpected, error.to_string()))??)
        } else {
            Http::Long(build(&config, &cookies.jar, false)?)
        };
        let mut headers: HeaderMap = self.config.headers.iter().cloned().collect();
        for (name, value) in key.iter().flat_map(Key::headers) {
            headers.entry(name).or_insert(value);
        }
        let agent = concat!("composio-bridge/", env!("CARGO_PKG_VERSION"));
        headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(agent));
        Ok(Client {
            http,
            endpoint,
            composio: self.config.composio,
            headers,
            tokens: self.tokens.clone(),
            keeper: self.keeper.clone(),
            timeouts: self.config.timeouts.clone(),
            proxy: proxy_of(&self.config).as_ref().map(address),
        })
    }
}

impl Client {
    /// The endpoint's URL.
    pub fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// The limits on waiting.
    pub fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// A copy of the configured headers, to add an exchange's own to.
    pub fn headers(&self) -> HeaderMap {
        self.headers.clone()
    }

    /// Sends a request and follows redirects within the origin, with method and body kept.
    ///
    /// # Errors
    /// The end of the exchange, where no successful response came.
    pub async fn send(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Option<(Bytes, Sent)>,
    ) -> Result<Response, End> {
        let mut headers = headers;
        let mut is_again = false;
        let mut wants_sign_in = false;
        let mut target = url;
        // Tokens go to the endpoint's own origin and nowhere else (SEC-8).
        let tokens = self.tokens.as_ref();
        let tokens = tokens.filter(|_| same_origin(&target, &self.endpoint));
        if let Some(token) = authorized(tokens).await {
            headers.insert(header::AUTHORIZATION, token);
        }
        let mut hops = 0;
        while hops <= redirect::LIMIT {
            let sent = body.as_ref().map(|(_, sent)| sent);
            let exchange =
                self.exchange(method.clone(), target.clone(), headers.clone(), body.clone());
            let response = self.await_headers(exchange, sent).await?;
            if response.status() == StatusCode::UNAUTHORIZED && !is_again {
                // What is refused with 401 did not run (AU-50).
                is_again = true;
                let refused = headers.get(header::AUTHORIZATION);
                let instead = match tokens {
                    Some(tokens) => tokens.instead_of(refused).await,
                    None => Instead::Later,
                };
                wants_sign_in = !matches!(instead, Instead::Later);
                if let Instead::Token(token) = instead {
                    headers.insert(header::AUTHORIZATION, token);
                    continue;
                }
            }
            if !is_redirect(response.status()) {
                let is_replaced = self.is_replaced(response.status(), &headers).await;
                return self.accept(response, wants_sign_in, is_replaced).await;
            }
            hops += 1;
            let location = response.headers().get(header::LOCATION);
            let location = location.and_then(|value| value.to_str().ok());
            target = match redirect::decide(&target, location) {
                Redirect::Follow(next) => next,
                Redirect::Foreign(origin) => return Err(End::Redirected(origin)),
                Redirect::Broken => {
                    return Err(End::Malformed("a redirect without a usable Location".to_owned()));
                }
            };
        }
        Err(End::Malformed(format!("more than {} redirects", redirect::LIMIT)))
    }

    /// One exchange, without redirects, as far as the headers of the response.
    async fn exchange(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: Option<(Bytes, Sent)>,
    ) -> Result<Response, Failure> {
        match &self.http {
            Http::Short(direct) => direct.execute(method, &url, headers, body).await,
            Http::Long(http) => {
                let mut request = Request::new(method, url);
                *request.headers_mut() = headers;
                *request.body_mut() =
                    body.map(|(bytes, sent)| Body::wrap(Outgoing::new(bytes, sent)));
                http.execute(request).await.map_err(|error| Failure {
                    is_unsent: error.is_connect() || was_refused_unprocessed(&error),
                    cause: match &self.proxy {
                        Some(proxy) if error.is_connect() => {
                            format!("through the proxy {proxy}: {}", cause(&error))
                        }
                        _ => cause(&error),
                    },
                })
            }
        }
    }

    async fn await_headers(
        &self,
        response: impl Future<Output = Result<Response, Failure>>,
        sent: Option<&Sent>,
    ) -> Result<Response, End> {
        let outcome = match self.timeouts.headers {
            None => response.await,
            Some(limit) => match tokio::time::timeout(limit, response).await {
                Ok(outcome) => outcome,
                Err(_) => return Err(End::Silent(limit)),
            },
        };
        if let (Ok(_), Some(sent)) = (&outcome, sent) {
            sent.note_answer();
        }
        outcome.map_err(|failure| {
            if failure.is_unsent || sent.is_some_and(|sent| !sent.get()) {
                End::Unsent(failure.cause)
            } else {
                End::Broken(failure.cause)
            }
        })
    }

    /// Whether there is another session in the place of the one that the endpoint is. That an MCP
    /// session is gone says nothing of it.
    async fn is_replaced(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        let Some(keeper) = &self.keeper else { return false };
        let may_be_gone = status == StatusCode::NOT_FOUND && !headers.contains_key(SESSION);
        may_be_gone && keeper.has_replaced(&self.endpoint).await
    }

    async fn accept(
        &self,
        mut response: Response,
        wants_sign_in: bool,
        is_replaced: bool,
    ) -> Result<Response, End> {
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let mut refusal = Refusal {
            status: status.as_u16(),
            retry_after: retry_after(response.headers()),
            challenge: challenge(response.headers()),
            sign_in: self.tokens.as_ref().map(|_| login(&self.endpoint)),
            wants_sign_in: wants_sign_in && status == StatusCode::UNAUTHORIZED,
            is_replaced,
            composio: self.composio,
            content_type: media_type(response.headers()),
            body: Bytes::new(),
        };
        let mut body = Collected::default();
        let read = async {
            while let Ok(Some(chunk)) = response.chunk().await {
                let room = REFUSAL_LIMIT - body.len();
                body.push(chunk.slice(..chunk.len().min(room)));
                if body.len() == REFUSAL_LIMIT {
                    break;
                }
            }
        };
        // The status is what matters: a body that does not come must not hide it.
        let _ = tokio::time::timeout(Duration::from_secs(5), read).await;
        refusal.body = body.finish();
        Err(End::Status(Box::new(refusal)))
    }

    /// Reads a whole response body.
    ///
    /// # Errors
    /// The end of the exchange: broken, silent for too long, or too large.
    pub async fn read(&self, mut response: Response) -> Result<Bytes, End> {
        let mut body = Collected::expecting(response.content_length());
        loop {
            let chunk = match self.timeouts.body {
                None => response.chunk().await,
                Some(limit) => match tokio::time::timeout(limit, response.chunk()).await {
                    Ok(chunk) => chunk,
                    Err(_) => return Err(End::Silent(limit)),
                },
            };
            let Some(chunk) = chunk.map_err(|error| End::Broken(cause(&error)))? else {
                return Ok(body.finish());
            };
            if !body.push(chunk) {
                let limit = MESSAGE_LIMIT / (1024 * 1024);
                return Err(End::TooLarge(format!("an answer larger than {limit} MiB")));
            }
        }
    }
}

/// HTTP/2 lets a server say that it never looked at a request (RFC 9113, 6.8 and 8.7).
fn was_refused_unprocessed(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(next) = source {
        if let Some(h2) = next.downcast_ref::<h2::Error>() {
            let reason = h2.reason();
            return h2.is_remote()
                && (h2.is_go_away() && reason == Some(h2::Reason::NO_ERROR)
                    || h2.is_reset() && reason == Some(h2::Reason::REFUSED_STREAM));
        }
        source = next.source();
    }
    false
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// The token of a sign-in, if there is one.
async fn authorized(tokens: Option<&Arc<Source>>) -> Option<HeaderValue> {
    tokens?.header().await
}

/// `WWW-Authenticate`, whose fields may be several.
fn challenge(headers: &HeaderMap) -> Option<Box<str>> {
    let fields = headers.get_all(header::WWW_AUTHENTICATE).iter();
    let fields: Vec<&str> = fields.filter_map(|value| value.to_str().ok()).collect();
    (!fields.is_empty()).then(|| fields.join(", ").into())
}

/// The command that signs in to an endpoint; what stands in its query may be secret.
fn login(endpoint: &Url) -> Box<str> {
    let mut shown = endpoint.clone();
    shown.set_query(endpoint.query().map(|_| "..."));
    format!("composio-bridge login {shown}").into()
}

async fn resolve_key(config: &Config) -> Result<Option<Key>, Error> {
    let Some(source) = &config.key else { return Ok(None) };
    source.resolve().await.map(Some)
}
