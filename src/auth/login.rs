//! Signing in, from the first question to the remote to the token.

mod device;

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderValue, Method, header};
use reqwest::Url;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};

use super::{
    browser,
    callback::{Answer, Callback, Ending},
    challenge::{self, Challenge},
    discovery::{Discovered, discover},
    exchange::{Exchange, clip},
    grant::{self, Failure, Grant},
    news::{Want, union},
    program, registration,
    store::{Client, SignIn, Tokens},
};
use crate::{
    config::{
        Config,
        environment::Environment,
        sign_in::{Resource, Way},
    },
    error::{Error, Kind},
    kept::now,
    remote::{body::Sent, client::Connector, event::End, hint, refusal::is_passing},
};

/// Something that every server has to refuse without a token, and none does much about.
const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

/// What signing in needs.
pub struct Login<'a> {
    /// What for, and how.
    pub config: &'a Config,
    /// For the choice of a browser.
    pub environment: &'a Environment,
    /// Talks to authorization servers.
    pub exchange: &'a Exchange,
    /// What the remote said when it refused a request; `None`: it is to be asked.
    pub want: Option<&'a Want>,
    /// Tells the person what to do.
    pub tell: &'a (dyn Fn(Notice<'_>) + Sync),
}

/// What a person has to do.
pub enum Notice<'a> {
    /// Sign in on this page, which is being opened.
    Page(&'a Url),
    /// No browser could be opened: the page is to be opened by hand.
    NoBrowser,
    /// Open this page in any browser and enter the code.
    Code {
        /// The page.
        page: &'a Url,
        /// The code.
        user: &'a str,
    },
}

/// What is attempted in vain where nothing tells how to sign in.
pub const NOTHING: &str = "there is nothing to sign in to";

impl Login<'_> {
    /// Signs in. `known` is the sign-in before.
    ///
    /// # Errors
    /// What kept the person, or the program, from signing in.
    pub async fn run(&self, known: Option<&SignIn>) -> Result<SignIn, Error> {
        let options = &self.config.sign_in;
        if options.way.is_program() {
            return self.as_program(known).await;
        }
        let mut discovered = self.discover().await?;
        self.step_up(&mut discovered, known);
        self.check_named(&discovered, known)?;
        let known = known.filter(|known| known.issuer == discovered.issuer);
        let known = known.map(|known| &known.client);
        let token_endpoint = discovered.endpoint("token_endpoint")?;
        let (client, tokens) = match options.way {
            Way::DeviceCode => self.with_device_code(&discovered, &token_endpoint).await?,
            _ => self.in_browser(&discovered, &token_endpoint, known).await?,
        };
        Ok(self.sign_in(Some(&discovered), token_endpoint, client, tokens))
    }

    /// Asks the remote what it wants, and its authorization server what it offers.
    async fn discover(&self) -> Result<Discovered, Error> {
        self.in_time(async {
            let (status, challenge) = match self.want {
                // Who says nothing of tokens, and has no metadata either, wants something else.
                Some(want) => {
                    (want.challenge.as_ref().map_or(403, |_| 401), want.challenge.clone())
                }
                None => self.challenge().await?,
            };
            let endpoint = &self.config.endpoint;
            let discovered = discover(self.exchange, endpoint, challenge.as_ref()).await?;
            if discovered.is_assumed && status != 401 {
                return Err(nothing(status));
            }
            Ok(discovered)
        })
        .await
    }

    /// What is done before a person is asked takes no longer than the person may.
    async fn in_time<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let limit = self.config.sign_in.patience;
        tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
            let origin = self.config.endpoint.origin().ascii_serialization();
            let what = format!("could not learn in time how to sign in to {origin}");
            Err(Error::new(Kind::Unreachable, what)
                .because(format!("it took longer than {} s", limit.as_secs_f64()))
                .hint("try again, or pass `--auth-timeout SECONDS`"))
        })
    }

    /// Where more scopes are wanted, those that there are stay (AU-42).
    fn step_up(&self, discovered: &mut Discovered, known: Option<&SignIn>) {
        if self.want.is_some_and(|want| want.is_step_up) {
            let before = known.and_then(|known| known.tokens.scope.as_deref()).unwrap_or_default();
            let wanted = discovered.scope.as_deref().unwrap_or_default();
            discovered.scope = Some(union(before, wanted)).filter(|scope| !scope.is_empty());
        }
    }

    /// A client that was named is known to one authorization server, and not to the one that the
    /// remote names now (AU-23).
    fn check_named(&self, discovered: &Discovered, known: Option<&SignIn>) -> Result<(), Error> {
        let named = self.config.sign_in.client.as_ref();
        let moved = known.zip(named).is_some_and(|(known, named)| {
            known.client.id == named.id && known.issuer != discovered.issuer
        });
        if !moved {
            return Ok(());
        }
        let what = "the client that was named is not known to the server's authorization server";
        Err(Error::new(Kind::Authorization, what)
            .because(format!("the server now belongs to {}", clip(&discovered.issuer)))
            .hint("name a client of that one, or `composio-bridge logout` if it is known there"))
    }

    /// The status with which the remote answers a request without a token, and what it says then.
    async fn challenge(&self) -> Result<(u16, Option<Challenge>), Error> {
        let config = Config { may_sign_in: false, ..self.config.clone() };
        let connector = Connector::new(Arc::new(config));
        let client = connector.client().await?;
        let mut headers = client.headers();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        let both = HeaderValue::from_static("application/json, text/event-stream");
        headers.insert(header::ACCEPT, both);
        let body = Some((Bytes::from_static(PING.as_bytes()), Sent::default()));
        let url = client.endpoint().clone();
        match client.send(Method::POST, url, headers, body).await {
            Ok(_) => Ok((200, None)),
            Err(End::Status(refusal)) => {
                let field = refusal.challenge.as_deref();
                Ok((refusal.status, field.and_then(challenge::bearer)))
            }
            Err(end) => {
                let origin = self.config.endpoint.origin().ascii_serialization();
                let (what, cause) =
                    (format!("could not ask {origin} how to sign in"), end.to_string());
                let hint = hint::of_network(&cause);
                Err(Error::new(Kind::Unreachable, what).because(cause).hint(hint))
            }
        }
    }

    fn resource<'d>(&'d self, discovered: Option<&'d Discovered>) -> Option<&'d str> {
        match &self.config.sign_in.resource {
            Resource::Named(resource) => Some(resource),
            Resource::Discovered => discovered?.resource.as_deref(),
            Resource::Unsaid => None,
        }
    }

    fn scope<'d>(&'d self, discovered: Option<&'d Discovered>) -> Option<&'d str> {
        let pinned = self.config.sign_in.client_metadata.get("scope");
        pinned.and_then(|scope| scope.as_str()).or_else(|| discovered?.scope.as_deref())
    }

    fn sign_in(
        &self,
        discovered: Option<&Discovered>,
        token_endpoint: Url,
        client: Client,
        tokens: Tokens,
    ) -> SignIn {
        let origin = || token_endpoint.origin().ascii_serialization();
        SignIn {
            endpoint: self.config.endpoint.to_string(),
            issuer: discovered.map_or_else(origin, |discovered| discovered.issuer.clone()),
            token_endpoint: token_endpoint.to_string(),
            resource: self.resource(discovered).map(String::from),
            is_program: self.config.sign_in.way.is_program(),
            signed_in_at: now(),
            client,
            tokens,
        }
    }

    /// The program signs in; nothing is said to anybody.
    async fn as_program(&self, known: Option<&SignIn>) -> Result<SignIn, Error> {
        let options = &self.config.sign_in;
        let (discovered, url) = match &options.token_endpoint {
            Some(url) => (None, url.clone()),
            None => {
                let mut discovered = self.discover().await?;
                self.step_up(&mut discovered, known);
                self.check_named(&discovered, known)?;
                let url = discovered.endpoint("token_endpoint")?;
                (Some(discovered), url)
            }
        };
        let discovered = discovered.as_ref();
        let nothing = serde_json::Value::Null;
        let metadata = discovered.map_or(&nothing, |discovered| &discovered.metadata);
        let client = program::client(options, metadata)?;
        let scope = self.scope(discovered).map(String::from);
        let mut sign_in = self.sign_in(discovered, url, client, Tokens::to_come(scope));
        sign_in.tokens = program::tokens(self.exchange, &sign_in).await?;
        Ok(sign_in)
    }

    /// A person signs in in this machine's browser (AU-8). A client that the server has forgotten
    /// is registered anew, once (AU-24).
    async fn in_browser(
        &self,
        discovered: &Discovered,
        token_endpoint: &Url,
        known: Option<&Client>,
    ) -> Result<(Client, Tokens), Error> {
        discovered.check_pkce()?;
        let page = discovered.endpoint("authorization_endpoint")?;
        self.exchange.may_be_shown(&page).await?;
        let mut known = known;
        loop {
            let callback = self.callback(known)?;
            let uri = callback.redirect_uri();
            let options = &self.config.sign_in;
            let client =
                registration::client(self.exchange, discovered, options, known, Some(&uri));
            let client = self.in_time(client).await?;
            let was_known = known.is_some_and(|known| known.id == client.id);
            let visit = Visit { page: &page, token_endpoint, uri, client: &client };
            match self.visit(discovered, visit, callback).await {
                Ok(tokens) => return Ok((client, tokens)),
                Err(Failure::Refused(code, _)) if was_known && code == "invalid_client" => {
                    known = None;
                }
                Err(failure) => return Err(failure.into()),
            }
        }
    }

    /// Listens where the client was registered for, as far as that is known, if it is still free.
    fn callback(&self, known: Option<&Client>) -> Result<Callback, Error> {
        let options = &self.config.sign_in;
        let bind = |port| Callback::bind(&options.host, port, &options.path);
        let uri = known.and_then(|known| known.redirect_uri.as_deref());
        let before = uri.and_then(|uri| Url::parse(uri).ok()?.port());
        match (options.port, before.or(options.usual_port)) {
            (None, Some(before)) => bind(Some(before)).or_else(|_| bind(None)),
            (port, _) => bind(port),
        }
    }

    async fn visit(
        &self,
        discovered: &Discovered,
        visit: Visit<'_>,
        callback: Callback,
    ) -> Result<Tokens, Failure> {
        let (state, verifier) = (random()?, random()?);
        let scope = self.scope(Some(discovered));
        let resource = self.resource(Some(discovered));
        let mut url = visit.page.clone();
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("response_type", "code");
            query.append_pair("client_id", &visit.client.id);
            query.append_pair("redirect_uri", &visit.uri);
            query.append_pair("state", state.expose_secret());
            query.append_pair("code_challenge", &challenge_of(&verifier));
            query.append_pair("code_challenge_method", "S256");
            if let Some(scope) = scope {
                query.append_pair("scope", scope);
                if scope.split(' ').any(|word| word == "offline_access") {
                    query.append_pair("prompt", "consent");
                }
            }
            query.extend_pairs(resource.map(|resource| ("resource", resource)));
            query.extend_pairs(&self.config.sign_in.authorize_params);
        }
        let answer = self.answer(&url, callback, &state).await.map_err(Failure::Passing)?;
        let advertised = "authorization_response_iss_parameter_supported";
        let advertised = discovered.metadata.get(advertised) == Some(&true.into());
        let Answer { code, iss, tab } = answer;
        if !is_from(&discovered.issuer, advertised, iss.as_deref()) {
            tab.finish(Ending::Failed).await;
            return Err(Failure::Passing(
                Error::new(Kind::Authorization, "the answer of the sign-in page was not used")
                    .because("it does not come from the authorization server that was asked"),
            ));
        }
        let code = match code {
            Ok(code) => code,
            Err(denial) => {
                tab.finish(Ending::Denied).await;
                let error = Error::new(Kind::Authorization, "the authorization server said no");
                return Err(Failure::Passing(error.because(denial.told())));
            }
        };
        let fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code.expose_secret()),
            ("code_verifier", verifier.expose_secret()),
            ("redirect_uri", &visit.uri),
        ];
        let client = visit.client;
        let asked = Grant { fields, client, issuer: &discovered.issuer, resource, scope };
        let tokens = grant::ask(self.exchange, visit.token_endpoint, asked).await;
        tab.finish(if tokens.is_ok() { Ending::SignedIn } else { Ending::Failed }).await;
        tokens
    }

    async fn answer(
        &self,
        url: &Url,
        callback: Callback,
        state: &SecretString,
    ) -> Result<Answer, Error> {
        browser::check(url)?;
        (self.tell)(Notice::Page(url));
        if let Err(error) = browser::open(url, self.environment).await {
            tracing::debug!("{error}");
            (self.tell)(Notice::NoBrowser);
        }
        let options = &self.config.sign_in;
        callback.wait(state, options.patience, options.success_url.as_ref()).await
    }
}

/// Why there is nothing to sign in to, after the status of an answer to who has no token.
fn nothing(status: u16) -> Error {
    let error = Error::new(Kind::Protocol, NOTHING);
    match status {
        200..=299 => error
            .because("the server takes requests without a token, and names none that gives any")
            .hint("check the URL; if it is right, bridge to it without signing in"),
        _ => {
            let error = error.with_status(status).because(format!(
                "the server answers HTTP {status}, which asks for no token, and names none that gives any"
            ));
            match is_passing(status) {
                true => error.hint("try again when the server works"),
                false => error.hint("check the URL, its path above all"),
            }
        }
    }
}

/// One visit of the sign-in page.
struct Visit<'a> {
    page: &'a Url,
    token_endpoint: &'a Url,
    uri: String,
    client: &'a Client,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Passing(error)
    }
}

/// Whether an answer comes from the authorization server that was asked (RFC 9207; AU-35, AU-36).
fn is_from(issuer: &str, advertised: bool, iss: Option<&str>) -> bool {
    iss.map_or(!advertised, |iss| iss == issuer)
}

/// What nobody can guess: 256 bits, in characters that need no encoding (AU-30, AU-33).
fn random() -> Result<SecretString, Error> {
    let mut bytes = [0; 32];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Error::new(Kind::Unexpected, "this system gives no random numbers"))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes).into())
}

/// What the sign-in page is shown of the verifier (RFC 7636, 4.2).
fn challenge_of(verifier: &SecretString) -> String {
    let bytes = verifier.expose_secret().as_bytes();
    BASE64_URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_must_come_from_the_server_that_was_asked() {
        const ISSUER: &str = "https://as.example";
        for (advertised, iss, proceeds) in [
            (true, Some(ISSUER), true),
            (true, None, false),
            (true, Some("https://evil.example"), false),
            (false, Some("https://evil.example"), false),
            (false, Some("https://as.example/"), false),
            (false, Some("HTTPS://as.example"), false),
            (false, Some(ISSUER), true),
            (false, None, true),
        ] {
            assert_eq!(is_from(ISSUER, advertised, iss), proceeds, "T114: {advertised} {iss:?}");
        }
    }

    #[test]
    fn the_challenge_is_that_of_the_standard() {
        // RFC 7636, appendix B.
        let verifier = SecretString::from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge_of(&verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        let (one, other) = (random().expect("random"), random().expect("random"));
        assert_eq!(one.expose_secret().len(), 43);
        assert_ne!(one.expose_secret(), other.expose_secret());
    }
}
