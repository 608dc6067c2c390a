//! Tokens for something: a code, a refresh token, a device's code, a client's own name.

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use http::HeaderValue;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use ring::rand::{SecureRandom, SystemRandom};

use super::{
    exchange::{Answer, Exchange, failed, form},
    exchange::{clip, seconds},
    program,
    store::{Client, Proof, SignIn, Tokens},
};
use crate::{
    error::{Error, Kind},
    json::text,
    kept::now,
    origin::may_be_asked,
};

/// Why there is no token.
#[derive(Debug)]
pub enum Failure {
    /// The same request may succeed later: the network, or a problem of the server.
    Passing(Error),
    /// The server says no, with a code of RFC 6749, 5.2.
    Refused(String, Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Passing(error) | Failure::Refused(_, error) => error,
        }
    }
}

/// What a token is asked with.
pub struct Grant<'a> {
    /// `grant_type` and what belongs to it.
    pub fields: Vec<(&'a str, &'a str)>,
    /// In whose name.
    pub client: &'a Client,
    /// Of whom.
    pub issuer: &'a str,
    /// What for (AU-32).
    pub resource: Option<&'a str>,
    /// What was asked for, should the server not say what it gives.
    pub scope: Option<&'a str>,
}

/// Asks for a token.
///
/// # Errors
/// There is none.
pub async fn ask(
    exchange: &Exchange,
    token_endpoint: &Url,
    grant: Grant<'_>,
) -> Result<Tokens, Failure> {
    let Grant { mut fields, client, issuer, resource, scope } = grant;
    fields.extend(resource.map(|resource| ("resource", resource)));
    let assertion = assertion(client, issuer, now()).map_err(Failure::Passing)?;
    let authorization = prove(client, assertion.as_ref(), &mut fields);
    let answer = exchange.post_form(token_endpoint, &fields, authorization).await;
    let answer = answer.map_err(Failure::Passing)?;
    read(token_endpoint, &answer, scope, now())
}

/// The next tokens of a sign-in, as the program once more or with its refresh token; `None` where it
/// has nothing to ask with.
///
/// # Errors
/// There are none.
pub async fn refresh(exchange: &Exchange, sign_in: &SignIn) -> Option<Result<Tokens, Failure>> {
    if sign_in.is_program {
        return Some(program::tokens(exchange, sign_in).await);
    }
    let scope = sign_in.tokens.scope.as_deref();
    let refresh = sign_in.tokens.refresh.as_ref()?;
    let mut fields =
        vec![("grant_type", "refresh_token"), ("refresh_token", refresh.expose_secret())];
    // Some servers forget what was asked for.
    fields.extend(scope.map(|scope| ("scope", scope)));
    let url = match token_endpoint(sign_in) {
        Ok(url) => url,
        Err(failure) => return Some(Err(failure)),
    };
    let grant = Grant {
        fields,
        client: &sign_in.client,
        issuer: &sign_in.issuer,
        resource: sign_in.resource.as_deref(),
        scope,
    };
    Some(ask(exchange, &url, grant).await.map(|tokens| Tokens {
        // A server that gives no new ones leaves the old ones as they are.
        refresh: tokens.refresh.or_else(|| sign_in.tokens.refresh.clone()),
        id: tokens.id.or_else(|| sign_in.tokens.id.clone()),
        ..tokens
    }))
}

/// Where a sign-in's tokens are asked for.
///
/// # Errors
/// It is not an address that may be used (AU-60).
pub fn token_endpoint(sign_in: &SignIn) -> Result<Url, Failure> {
    may_be_asked(&sign_in.token_endpoint).map_err(|why| {
        Failure::Passing(Error::new(Kind::Config, "could not ask for a token").because(why))
    })
}

/// Adds what shows who asks; the header for it, if it goes there. `assertion` is what the client's
/// private key signed, for one that has a key.
pub fn prove<'a>(
    client: &'a Client,
    assertion: Option<&'a SecretString>,
    fields: &mut Vec<(&'a str, &'a str)>,
) -> Option<HeaderValue> {
    const JWT: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let secret = client.secret.as_ref().map(|secret| secret.expose_secret());
    if let Some(assertion) = assertion {
        fields.push(("client_assertion_type", JWT));
        fields.push(("client_assertion", assertion.expose_secret()));
    }
    match (client.proof, secret) {
        (Proof::Basic, Some(secret)) => {
            // Each part is encoded as in a form first (RFC 6749, 2.3.1).
            let encoded = |text| form(&[("", text)]).trim_start_matches('=').to_owned();
            let pair = format!("{}:{}", encoded(&client.id), encoded(secret));
            let value = format!("Basic {}", BASE64_STANDARD.encode(pair));
            let mut value = HeaderValue::from_str(&value).ok()?;
            value.set_sensitive(true);
            return Some(value);
        }
        (Proof::Post, Some(secret)) => fields.push(("client_secret", secret)),
        _ => {}
    }
    // A workload may have no client at all.
    fields.extend((!client.id.is_empty()).then_some(("client_id", client.id.as_str())));
    None
}

/// Whether a token endpoint gave something.
///
/// # Errors
/// It did not.
pub fn check(url: &Url, answer: &Answer) -> Result<(), Failure> {
    let status = answer.status;
    let passes =
        matches!(text(&answer.body, "error"), Some("temporarily_unavailable" | "server_error"));
    if passes || status.is_server_error() || status.as_u16() == 429 {
        return Err(Failure::Passing(failed(url).because(format!("HTTP {}", status.as_u16()))));
    }
    // GitHub refuses with 200.
    if !status.is_success() || answer.body.get("error").is_some() {
        return Err(refused(url, answer));
    }
    Ok(())
}

/// What the token endpoint answered.
fn read(url: &Url, answer: &Answer, asked: Option<&str>, now: u64) -> Result<Tokens, Failure> {
    check(url, answer)?;
    let body = &answer.body;
    if !body.is_object() {
        // What stands between may have said it, such as a network that wants a sign-in of its own.
        return Err(Failure::Passing(failed(url).because("its answer is no JSON object")));
    }
    let fit = text(body, "token_type").is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
    // What else it may hold cannot be sent (RFC 6750, 2.1).
    let access =
        text(body, "access_token").filter(|token| token.bytes().all(|b| b.is_ascii_graphic()));
    let (Some(access), true) = (access, fit) else {
        let error = Error::new(Kind::Protocol, "could not get a token")
            .because("the authorization server's answer holds no bearer token");
        return Err(Failure::Refused(String::new(), error));
    };
    let secret = |name| text(body, name).map(SecretString::from);
    Ok(Tokens {
        access: access.into(),
        id: secret("id_token"),
        refresh: secret("refresh_token"),
        given_at: now,
        // Who says 0 does not know, or the token would be of no use.
        expires_at: seconds(body.get("expires_in"))
            .filter(|seconds| *seconds > 0)
            .map(|seconds| now.saturating_add(seconds)),
        scope: text(body, "scope").or(asked).map(String::from),
    })
}

fn refused(url: &Url, answer: &Answer) -> Failure {
    let code = text(&answer.body, "error").unwrap_or_default().to_owned();
    let said = said(answer);
    let origin = url.origin().ascii_serialization();
    let error =
        Error::new(Kind::Authorization, format!("the authorization server {origin} gave no token"));
    Failure::Refused(code, error.because(said))
}

/// What a refusal says (RFC 6749, 5.2), fit for a terminal.
pub fn said(answer: &Answer) -> String {
    match (text(&answer.body, "error"), text(&answer.body, "error_description")) {
        (None, _) => format!("HTTP {}", answer.status.as_u16()),
        (Some(code), None) => clip(code),
        (Some(code), Some(description)) => clip(&format!("{code}: {description}")),
    }
}

/// What a client with a key shows to the authorization server `issuer`; `None` for a client that
/// shows who it is in another way. `now` is in seconds since 1970.
///
/// # Errors
/// The key is missing: it is never stored.
pub fn assertion(client: &Client, issuer: &str, now: u64) -> Result<Option<SecretString>, Error> {
    if client.proof != Proof::PrivateKey {
        return Ok(None);
    }
    let key = client.key.as_ref().ok_or_else(|| {
        Error::new(Kind::Config, "the client's private key is missing")
            .because("the client was signed in with a key, which is never stored")
            .hint("pass `--static-oauth-client-info @FILE` with client_id and private_key_file")
    })?;
    let mut unique = [0; 16];
    let filled = SystemRandom::new().fill(&mut unique);
    let unique = BASE64_URL_SAFE_NO_PAD.encode(unique);
    let assertion = filled.ok().and_then(|()| key.assertion(&client.id, issuer, &unique, now));
    let failed = || Error::new(Kind::Unexpected, "could not sign with the client's private key");
    assertion.map(Some).ok_or_else(failed)
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use serde_json::{Value, json};

    use super::*;

    fn answered(status: u16, body: Value) -> Result<Tokens, Failure> {
        let url = Url::parse("https://as.example/token").expect("a URL");
        let status = StatusCode::from_u16(status).expect("a status");
        read(&url, &Answer { status, body }, Some("asked"), 1000)
    }

    #[test]
    fn an_answer_is_a_token_a_refusal_or_a_problem_that_passes() {
        let full = json!({"access_token": "a", "token_type": "bearer", "expires_in": "60"});
        let tokens = answered(200, full).expect("a token");
        assert_eq!((tokens.expires_at, tokens.scope.as_deref()), (Some(1060), Some("asked")));
        for (life, end) in [
            (json!(0), None),
            (json!(-5), None),
            (json!("soon"), None),
            (json!(1e300), None),
            (json!([60]), None),
            (json!(1.9), Some(1001)),
            (json!(u64::MAX), Some(u64::MAX)),
        ] {
            let tokens = answered(200, json!({"access_token": "a", "expires_in": life}));
            assert_eq!(tokens.expect("a token").expires_at, end, "{life}");
        }
        for (status, body, code) in [
            (400, json!({"error": "invalid_grant"}), Some("invalid_grant")),
            (200, json!({"error": "bad_verification_code"}), Some("bad_verification_code")),
            (401, json!(null), Some("")),
            (200, json!({"access_token": "a", "token_type": "mac"}), Some("")),
            (200, json!({}), Some("")),
            (200, json!({"access_token": "a\r\nx-api-key: b"}), Some("")),
            (200, json!({"access_token": "é"}), Some("")),
            (200, json!({"access_token": ["a"]}), Some("")),
            (200, json!("a"), None),
            (200, json!(null), None),
            (503, json!({"error": "invalid_grant"}), None),
            (429, json!(null), None),
            (400, json!({"error": "temporarily_unavailable"}), None),
        ] {
            let found = match answered(status, body) {
                Err(Failure::Refused(code, _)) => Some(code),
                Err(Failure::Passing(_)) => None,
                Ok(_) => panic!("{status} is no token"),
            };
            assert_eq!(found.as_deref(), code, "{status}");
        }
    }

    #[test]
    fn a_client_proves_itself_as_it_was_registered() {
        let client = |proof, secret: Option<&str>| Client {
            id: "i d".into(),
            secret: secret.map(SecretString::from),
            proof,
            ..Client::default()
        };
        for (proof, secret, header, fields) in [
            (Proof::None, None, None, vec![("client_id", "i d")]),
            (Proof::Basic, Some("s:c"), Some("Basic aStkOnMlM0Fj"), vec![]),
            (Proof::Post, Some("s"), None, vec![("client_secret", "s"), ("client_id", "i d")]),
            (Proof::Basic, None, None, vec![("client_id", "i d")]),
        ] {
            let client = client(proof, secret);
            let mut found = vec![];
            let value = prove(&client, None, &mut found);
            assert_eq!((value.as_ref().and_then(|v| v.to_str().ok()), found), (header, fields));
        }
        let (client, assertion) = (client(Proof::PrivateKey, None), SecretString::from("a.b.c"));
        let mut found = vec![];
        assert!(prove(&client, Some(&assertion), &mut found).is_none());
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let expected =
            [("client_assertion_type", kind), ("client_assertion", "a.b.c"), ("client_id", "i d")];
        assert_eq!(found, expected);
    }
}
