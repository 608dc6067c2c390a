//! Composio's REST API: JSON over HTTP, with the network settings of the bridge.
//!
//! - [`retry`]: when a request is made again. Pure.
//! - [`refusal`]: the sentences for what the API refuses. Pure.
//! - [`notice`]: what the API says about its own end. Pure.
//! - [`page`]: lists in pages.

pub mod notice;
pub mod page;
pub mod refusal;
pub mod retry;

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::{Request, Response, Url};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::{
    config::Config,
    error::{Error, Kind},
    kept,
    remote::{
        build::{address, build, needs_tls, proxy_of},
        cause::cause,
        event::Refusal,
        field::retry_after,
        hint,
        redirect::{self, Redirect},
    },
};
use retry::{Failed, Repeat};

/// The version of the API, below the base.
const VERSION: [&str; 2] = ["api", "v3.1"];

/// How long one attempt may take.
const LIMIT: Duration = Duration::from_secs(60);

/// How long an execution may take: tools may work for minutes, and one that is given up is not
/// tried again.
const EXECUTION_LIMIT: Duration = Duration::from_secs(600);

/// A longer wait before another attempt is told, as somebody may be waiting too.
const SILENT_WAIT: Duration = Duration::from_secs(4);

/// How long a connection may take.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// The most redirects that a request follows, all within the origin.
const REDIRECTS: usize = 20;

/// The largest answer that is read, in bytes: 500 tools with their schemas are some megabytes.
const LARGEST: usize = 64 * 1024 * 1024;

/// A request to the API.
#[derive(Debug, Clone)]
pub struct Call<'a> {
    /// What it attempts, for errors: a lower-case clause that begins with "could not".
    pub attempted: &'a str,
    /// The method.
    pub method: Method,
    /// The segments of the path after the version.
    pub path: &'a [&'a str],
    /// The query.
    pub query: Vec<(&'static str, String)>,
    /// The body.
    pub body: Option<Value>,
    /// Whether it may be made again.
    pub repeat: Repeat,
}

impl<'a> Call<'a> {
    /// Looks something up.
    pub fn get(attempted: &'a str, path: &'a [&'a str]) -> Self {
        Call {
            attempted,
            method: Method::GET,
            path,
            query: Vec::new(),
            body: None,
            repeat: Repeat::Safe,
        }
    }

    /// Deletes something.
    pub fn delete(attempted: &'a str, path: &'a [&'a str]) -> Self {
        Call { method: Method::DELETE, ..Call::get(attempted, path) }
    }

    /// Changes something to what the body says.
    pub fn patch(attempted: &'a str, path: &'a [&'a str], body: Value) -> Self {
        Call { method: Method::PATCH, body: Some(body), ..Call::get(attempted, path) }
    }

    /// Makes something new.
    pub fn create(attempted: &'a str, path: &'a [&'a str], body: Value) -> Self {
        let (method, repeat) = (Method::POST, Repeat::IfNotDone);
        Call { method, repeat, body: Some(body), ..Call::get(attempted, path) }
    }

    /// Executes something, once.
    pub fn execute(attempted: &'a str, path: &'a [&'a str], body: Value) -> Self {
        Call { repeat: Repeat::Never, ..Call::create(attempted, path, body) }
    }

    /// How long one attempt may take.
    fn limit(&self) -> Duration {
        if self.repeat == Repeat::Never { EXECUTION_LIMIT } else { LIMIT }
    }

    /// The failure of this request.
    fn failed(&self, kind: Kind) -> Error {
        Error::new(kind, self.attempted)
    }
}

/// What a request will bring.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Value, Error>> + Send + 'a>>;

/// The API, for one key.
pub struct Api {
    /// Its endpoint is the base of the API.
    config: Config,
    client: OnceCell<reqwest::Client>,
    credential: OnceCell<HeaderMap>,
    /// Whether a deprecation was logged.
    was_noted: AtomicBool,
}

/// An attempt that brought nothing: what is told, and what decides about another one.
struct Failure {
    error: Error,
    failed: Failed,
}

impl Failure {
    /// Whether it says that what is to be deleted is not there.
    fn is_absence_for(&self, call: &Call<'_>) -> bool {
        call.method == Method::DELETE && self.error.http_status() == Some(404)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure { error, failed: Failed::ForGood }
    }
}

impl Api {
    /// The API at the endpoint of the configuration, with its key and its network settings, and none
    /// of its headers. Nothing happens yet.
    pub fn new(mut config: Config) -> Self {
        config.network.cookies = false;
        Api {
            config,
            client: OnceCell::new(),
            credential: OnceCell::new(),
            was_noted: AtomicBool::new(false),
        }
    }

    /// The base of the API.
    pub fn base(&self) -> &Url {
        &self.config.endpoint
    }

    /// Makes a request, again where that is safe and may help.
    ///
    /// # Errors
    /// No answer came, or a refusal, or one that is not JSON.
    pub fn send<'s>(&'s self, call: &'s Call<'_>) -> Answer<'s> {
        // Behind a pointer, as many places wait for it, and each would have a copy of its own.
        Box::pin(self.insist(call))
    }

    async fn insist(&self, call: &Call<'_>) -> Result<Value, Error> {
        let url = self.url(call)?;
        let (mut attempt, mut may_be_done) = (0, false);
        loop {
            let failure = match self.attempt(call, url.clone()).await {
                Ok(answer) => return Ok(answer),
                // It was there when the attempt before was made, whose answer got lost.
                Err(gone) if may_be_done && gone.is_absence_for(call) => return Ok(Value::Null),
                Err(failure) => failure,
            };
            may_be_done |= failure.failed.may_be_done();
            let Some(wait) = retry::wait(call.repeat, attempt, failure.failed, fastrand::f64())
            else {
                return Err(self.explained(failure.error));
            };
            if wait > SILENT_WAIT {
                tracing::warn!("{}; trying again in {} s", failure.error, wait.as_secs());
            } else {
                tracing::info!("{}; trying again in {} ms", failure.error, wait.as_millis());
            }
            tokio::time::sleep(wait).await;
            attempt += 1;
        }
    }

    /// An error of the API, with what the key itself explains.
    fn explained(&self, error: Error) -> Error {
        let lacks_ids = self.credential.get().is_some_and(|headers| {
            headers.contains_key("x-user-api-key") && !headers.contains_key("x-org-id")
        });
        match error.http_status() {
            Some(401) if lacks_ids => error.hint(
                "a user key (`uak_…`) may need its organisation and project: `--org-id ID \
                 --project-id ID`",
            ),
            _ => error,
        }
    }

    /// A digest that tells keys and bases apart and gives neither away.
    ///
    /// # Errors
    /// There is no key.
    pub async fn identity(&self) -> Result<String, Error> {
        let mut text = self.base().as_str().to_owned();
        for (name, value) in self.credential().await? {
            let value = String::from_utf8_lossy(value.as_bytes());
            text = format!("{text}\n{name}: {value}");
        }
        Ok(kept::digest(&text))
    }

    /// The URL of a request. Ids are data: none of them leads to another path.
    fn url(&self, call: &Call<'_>) -> Result<Url, Error> {
        let mut url = self.base().clone();
        let is_segment = |part: &&str| !matches!(*part, "" | "." | "..");
        if !call.path.iter().all(is_segment) {
            return Err(call.failed(Kind::Usage).because("an id is empty or no id"));
        }
        url.set_query(None);
        url.set_fragment(None);
        // Who names the version too means the same.
        let before = url.path().trim_end_matches('/');
        let named = ["/api/v3.1", "/api/v3"].iter().find_map(|end| before.strip_suffix(end));
        let before = named.unwrap_or(before).to_owned();
        url.set_path(&before);
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(VERSION).extend(call.path);
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        Ok(url)
    }

    async fn attempt(&self, call: &Call<'_>, mut url: Url) -> Result<Value, Failure> {
        let (mut method, mut body) = (call.method.clone(), call.body.as_ref());
        for _ in 0..=REDIRECTS {
            let response = self.exchange(call, &method, &url, body).await?;
            let status = response.status();
            if !is_redirect(status) {
                return self.read(call, response).await;
            }
            if status == StatusCode::SEE_OTHER {
                (method, body) = (Method::GET, None);
            }
            let location = response.headers().get(header::LOCATION);
            let location = location.and_then(|location| location.to_str().ok());
            url = match redirect::decide(&url, location) {
                Redirect::Follow(next) => next,
                Redirect::Foreign(origin) => Err(call
                    .failed(Kind::Protocol)
                    .because(format!("it leads on to {origin}, which is not given the key"))
                    .hint("if the API has moved there, set COMPOSIO_BASE_URL"))?,
                Redirect::Broken => Err(call
                    .failed(Kind::Protocol)
                    .because(format!("HTTP {} without a usable Location", status.as_u16())))?,
            };
        }
        let cause = format!("it was redirected more than {REDIRECTS} times");
        Err(call.failed(Kind::Protocol).because(cause))?
    }

    /// One request and the head of its response.
    async fn exchange(
        &self,
        call: &Call<'_>,
        method: &Method,
        url: &Url,
        body: Option<&Value>,
    ) -> Result<Response, Failure> {
        let mut request = Request::new(method.clone(), url.clone());
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let agent = concat!("composio-bridge/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        headers.extend(self.credential().await?.clone());
        if let Some(body) = body {
            let json = HeaderValue::from_static("application/json");
            headers.insert(header::CONTENT_TYPE, json);
            *request.body_mut() = Some(body.to_string().into());
        }
        *request.timeout_mut() = Some(call.limit());
        let client = self.client().await?;
        let start = Instant::now();
        let response = client.execute(request).await;
        let response = response.map_err(|error| self.no_answer(call, &error))?;
        let (status, took) = (response.status().as_u16(), start.elapsed().as_millis());
        // The query and the bodies may hold anything.
        tracing::debug!("{method} {}: HTTP {status} in {took} ms", url.path());
        Ok(response)
    }

    async fn read(&self, call: &Call<'_>, mut response: Response) -> Result<Value, Failure> {
        self.note(response.headers());
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| self.no_answer(call, &error))?
        {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST {
                let cause = "the answer is larger than 64 MiB";
                Err(call.failed(Kind::Limit).because(cause))?;
            }
        }
        if !status.is_success() {
            return Err(refused(call, status, &headers, body));
        }
        let answer = match body.is_empty() {
            true => Ok(Value::Null),
            false => serde_json::from_slice(&body).map_err(|_| "the answer is not JSON"),
        };
        // What is looked up is a document always; what is done may be answered with nothing.
        let answer = answer.and_then(|answer: Value| match call.method {
            Method::GET if !answer.is_object() => Err("the answer is no JSON object"),
            _ => Ok(answer),
        });
        Ok(answer.map_err(|why| {
            call.failed(Kind::Protocol)
                .because(why)
                .hint("check COMPOSIO_BASE_URL, and what a proxy on the way may have answered")
        })?)
    }

    fn no_answer(&self, call: &Call<'_>, error: &reqwest::Error) -> Failure {
        let mut cause = cause(error);
        if error.is_connect() {
            if let Some(proxy) = proxy_of(&self.config) {
                cause = format!("through the proxy {}: {cause}", address(&proxy));
            }
            let advice = hint::of_network(&cause);
            let error = call.failed(Kind::Unreachable).because(cause).hint(advice);
            return Failure { error, failed: Failed::Unsent };
        }
        if error.is_timeout() {
            cause = format!("no whole answer came within {} s", call.limit().as_secs());
        }
        let error = if call.repeat == Repeat::Safe {
            call.failed(Kind::Unreachable).because(cause)
        } else {
            call.failed(Kind::OutcomeUnknown)
                .because(cause)
                .hint("it may have been done all the same: look before you try again")
        };
        Failure { error, failed: Failed::Broken }
    }

    /// Logs, once, that a part of the API is to end.
    fn note(&self, headers: &HeaderMap) {
        if let Some(notice) = notice::of(headers)
            && !self.was_noted.swap(true, Ordering::Relaxed)
        {
            tracing::info!("{notice}");
        }
    }

    /// The headers with the key. A command that prints the key is run once.
    async fn credential(&self) -> Result<&HeaderMap, Error> {
        let resolve = || async {
            let Some(source) = &self.config.key else { return Err(no_key()) };
            Ok(source.resolve().await?.headers().into_iter().collect())
        };
        self.credential.get_or_try_init(resolve).await
    }

    async fn client(&self) -> Result<&reqwest::Client, Error> {
        let make = || async {
            let config = self.config.clone();
            let build = move || build(&config, &Arc::default(), needs_tls(&config));
            let made = tokio::task::spawn_blocking(build).await;
            made.map_err(|error| Error::new(Kind::Unexpected, error.to_string()))?
        };
        self.client.get_or_try_init(make).await
    }
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn no_key() -> Error {
    Error::new(Kind::Config, "there is no key for Composio")
        .hint("store one with `composio-bridge key set`, or set COMPOSIO_API_KEY")
        .hint("project keys (`ak_…`) are in the project's settings at Composio")
}

fn refused(call: &Call<'_>, status: StatusCode, headers: &HeaderMap, body: Vec<u8>) -> Failure {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let milliseconds = text("retry-after-ms").and_then(|text| text.trim().parse().ok());
    let wait = milliseconds.map(Duration::from_millis);
    let refusal = Refusal {
        status: status.as_u16(),
        retry_after: wait.or_else(|| retry_after(headers)),
        content_type: text("content-type").unwrap_or_default().to_ascii_lowercase(),
        body: Bytes::from(body),
        ..Refusal::default()
    };
    let failed = Failed::Refused {
        status: refusal.status,
        should: text("x-should-retry").and_then(|text| text.trim().parse().ok()),
        after: refusal.retry_after,
    };
    Failure { error: refusal::describe(call.attempted, &refusal, call.repeat), failed }
}

#[cfg(test)]
mod tests;
