//! HTTP with authorization servers: JSON documents and forms, bounded in size and time, without
//! redirects to other origins (AU-60 to AU-63).

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::{Request, Response, Url};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::guard::{self, Guard};
use crate::{
    config::{Config, sign_in::SignIn},
    error::{Error, Kind, is_unfit},
    protocol::LEGACY_VERSIONS,
    remote::{
        build::build_looking_up,
        cause::cause,
        redirect::{self, Redirect},
    },
};

/// How long one exchange may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The largest document that is read, in bytes.
const LARGEST: usize = 1024 * 1024;

/// Makes requests to authorization servers, with the network settings of the bridge and none of
/// its headers.
pub struct Exchange {
    config: Config,
    guard: Guard,
    encrypted: OnceCell<reqwest::Client>,
    plain: OnceCell<reqwest::Client>,
}

/// What a GET brought.
pub enum Found {
    /// A JSON object.
    Document(Value),
    /// There is none there (AU-15).
    Nothing,
}

/// The answer to a POST.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The JSON in the body; null where there is none.
    pub body: Value,
}

impl Exchange {
    /// Nothing happens yet.
    pub fn new(config: &Config) -> Self {
        let mut config = config.clone();
        // Tokens belong to a sign-in, and nothing else should tie two of them together.
        config.network.cookies = false;
        let guard = Guard::new(&config.endpoint);
        Exchange { config, guard, encrypted: OnceCell::new(), plain: OnceCell::new() }
    }

    /// How to sign in.
    pub fn options(&self) -> &SignIn {
        &self.config.sign_in
    }

    /// Fetches a JSON document.
    ///
    /// # Errors
    /// The server cannot be reached, has a problem, or redirects elsewhere.
    pub async fn get(&self, url: &Url) -> Result<Found, Error> {
        let mut target = url.clone();
        for _ in 0..=redirect::LIMIT {
            let mut request = Request::new(Method::GET, target.clone());
            accept_json(request.headers_mut());
            // Servers of 2025-03-26 may answer by it (AU-16).
            let version = HeaderValue::from_static(LEGACY_VERSIONS[0]);
            request.headers_mut().insert("mcp-protocol-version", version);
            let response = self.send(request).await?;
            let status = response.status();
            if status.is_redirection() {
                let location = response.headers().get(header::LOCATION);
                let location = location.and_then(|value| value.to_str().ok());
                match redirect::decide(&target, location) {
                    Redirect::Follow(next) => target = next,
                    Redirect::Foreign(_) | Redirect::Broken => return Ok(Found::Nothing),
                }
                continue;
            }
            if status.is_server_error() {
                return Err(failed(url).because(format!("HTTP {}", status.as_u16())));
            }
            if !status.is_success() {
                return Ok(Found::Nothing);
            }
            let body = read(response, url).await?;
            return Ok(if body.is_object() { Found::Document(body) } else { Found::Nothing });
        }
        Ok(Found::Nothing)
    }

    /// The status of a page, which is not read, and where it leads, which is not followed.
    ///
    /// # Errors
    /// No answer came.
    pub async fn knock(&self, url: &Url) -> Result<(StatusCode, Option<Url>), Error> {
        let mut request = Request::new(Method::GET, url.clone());
        accept_json(request.headers_mut());
        let response = self.send(request).await?;
        let leads = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
        Ok((response.status(), leads.and_then(|leads| url.join(leads).ok())))
    }

    /// Posts a form.
    ///
    /// # Errors
    /// No answer came.
    pub async fn post_form(
        &self,
        url: &Url,
        fields: &[(&str, &str)],
        authorization: Option<HeaderValue>,
    ) -> Result<Answer, Error> {
        let headers = authorization.map(|value| (header::AUTHORIZATION, value));
        self.post(url, "application/x-www-form-urlencoded", form(fields), headers).await
    }

    /// Posts a JSON document.
    ///
    /// # Errors
    /// No answer came.
    pub async fn post_json(&self, url: &Url, document: &Value) -> Result<Answer, Error> {
        self.post(url, "application/json", document.to_string(), None).await
    }

    async fn post(
        &self,
        url: &Url,
        media_type: &'static str,
        body: String,
        further: Option<(header::HeaderName, HeaderValue)>,
    ) -> Result<Answer, Error> {
        let mut request = Request::new(Method::POST, url.clone());
        accept_json(request.headers_mut());
        request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        request.headers_mut().extend(further);
        *request.body_mut() = Some(body.into());
        let response = self.send(request).await?;
        Ok(Answer { status: response.status(), body: read(response, url).await? })
    }

    /// Whether the person may be sent to a page that a server names: their browser reaches this
    /// machine and the private network too (AU-61).
    ///
    /// # Errors
    /// It is at a private address, and neither the endpoint is at one nor did the person name it.
    pub async fn may_be_shown(&self, page: &Url) -> Result<(), Error> {
        let failed = || {
            let what = "the address of the sign-in page cannot be opened";
            Error::new(Kind::Protocol, what)
        };
        if self.options().names(page) { Ok(()) } else { self.guard.check(page, failed).await }
    }

    async fn send(&self, mut request: Request) -> Result<Response, Error> {
        let url = request.url().clone();
        if !self.options().names(&url) {
            self.guard.check(&url, || failed(&url)).await?;
        }
        *request.timeout_mut() = Some(LIMIT);
        let client = self.client(&url).await?;
        let answer = client.execute(request).await;
        answer.map_err(|error| guard::because(failed(&url), cause(&error)))
    }

    async fn client(&self, url: &Url) -> Result<&reqwest::Client, Error> {
        let is_encrypted = url.scheme() == "https";
        let cell = if is_encrypted { &self.encrypted } else { &self.plain };
        let make = || async {
            let config = Config { endpoint: url.clone(), ..self.config.clone() };
            let guard = Arc::new(self.guard.clone());
            let build = move || build_looking_up(&config, &Arc::default(), is_encrypted, guard);
            let made = tokio::task::spawn_blocking(build).await;
            made.map_err(|error| Error::new(Kind::Unexpected, error.to_string()))?
        };
        cell.get_or_try_init(make).await
    }
}

fn accept_json(headers: &mut HeaderMap) {
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    let agent = concat!("composio-bridge/", env!("CARGO_PKG_VERSION"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
}

/// The failure to talk to the server at a URL, which is named by its origin alone.
pub fn failed(url: &Url) -> Error {
    let origin = url.origin().ascii_serialization();
    Error::new(Kind::Unreachable, format!("could not ask the authorization server {origin}"))
}

/// The JSON of a body; null where it is not JSON.
async fn read(mut response: Response, url: &Url) -> Result<Value, Error> {
    let mut body = Vec::new();
    loop {
        let chunk = response.chunk().await;
        let chunk = chunk.map_err(|error| failed(url).because(cause(&error)))?;
        let Some(chunk) = chunk else { break };
        body.extend_from_slice(&chunk);
        if body.len() > LARGEST {
            return Err(failed(url).because("its answer is larger than 1 MiB"));
        }
    }
    Ok(serde_json::from_slice(&body).unwrap_or_default())
}

/// The text of a form.
pub fn form(fields: &[(&str, &str)]) -> String {
    // The encoding of a query is that of a form.
    let url = Url::parse_with_params("http://localhost/", fields);
    url.ok().and_then(|url| url.query().map(String::from)).unwrap_or_default()
}

/// What a server says, fit for a terminal.
pub fn clip(text: &str) -> String {
    text.chars().map(|letter| if is_unfit(letter) { ' ' } else { letter }).take(300).collect()
}

/// A number of seconds, which some write as a text.
pub fn seconds(value: Option<&Value>) -> Option<u64> {
    let value = value?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).or_else(|| {
        let seconds = Duration::try_from_secs_f64(value.as_f64()?).ok()?;
        Some(seconds.as_secs())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AU-61; what the person named may be anywhere.
    #[tokio::test]
    async fn a_server_elsewhere_does_not_lead_to_this_machine() {
        use crate::config::environment::Environment;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("our own");
        let target = format!("http://{}/x", listener.local_addr().expect("an address"));
        let cli =
            |arguments: &[&str]| crate::cli::parse(arguments.iter().map(Into::into).collect());
        let named = ["x", "https://8.8.8.8/", "--client-credentials", "--token-endpoint", &target];
        let accepted = ["x", "https://8.8.8.8/", "--accept-issuer", &target];
        for (arguments, connects) in
            [(&named[..2], false), (&named[..], true), (&accepted[..], true)]
        {
            let cli = cli(arguments).expect("good");
            let config = Config::load(cli, &Environment::of([])).expect("good");
            let (exchange, url) = (Exchange::new(&config), Url::parse(&target).expect("a URL"));
            let wait = Duration::from_millis(300);
            let answer = tokio::time::timeout(wait, exchange.post_form(&url, &[], None)).await;
            assert_eq!(answer.is_err(), connects, "it waits for an answer, or does not ask");
            let report = answer.ok().and_then(Result::err).map(|error| error.report());
            assert!(report.is_none_or(|report| report.contains("--accept-issuer")));
            assert_eq!(listener.accept().is_ok(), connects);
            assert_eq!(exchange.may_be_shown(&url).await.is_ok(), connects);
            let elsewhere = Url::parse("https://9.9.9.9/authorize").expect("a URL");
            assert!(exchange.may_be_shown(&elsewhere).await.is_ok());
        }
    }

    #[test]
    fn a_form_is_encoded_as_forms_are() {
        assert_eq!(
            form(&[("a", "b c&d"), ("e", "https://h/?x")]),
            "a=b+c%26d&e=https%3A%2F%2Fh%2F%3Fx"
        );
    }
}
