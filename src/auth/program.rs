//! Signing in as a program, without a person: with its own client (SEP-1046), with the identity of
//! its workload (SEP-1933), or with an identity that a company's provider vouches for (SEP-990).
//!
//! Renewing is the same once more. Nothing here is written to a terminal.

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::{
    discovery,
    exchange::Exchange,
    grant::{self, Failure, Grant},
    registration,
    store::{Client, SignIn, Tokens},
};
use crate::{
    config::{
        client::IdentityProvider,
        sign_in::{SignIn as Options, Way},
    },
    error::{Error, Kind},
    json::text,
    kept::now,
};

/// An assertion in the place of a code (RFC 7523, 2.1).
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// A token for another (RFC 8693).
const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// An assertion of who somebody is, for another authorization server.
const ID_JAG: &str = "urn:ietf:params:oauth:token-type:id-jag";

/// In whose name the program signs in. It never registers itself.
///
/// # Errors
/// There is no client, or none that can show that it is itself.
pub fn client(options: &Options, metadata: &Value) -> Result<Client, Error> {
    let known = registration::known(options, metadata);
    let needs = |what| {
        Err(Error::new(Kind::Config, what)
            .hint("pass `--static-oauth-client-info @FILE` with client_id and client_secret")
            .hint("or, in the place of the secret, with private_key_file"))
    };
    match options.way {
        Way::WorkloadIdentity => Ok(known.unwrap_or_default()),
        Way::IdentityProvider => match known {
            Some(client) => Ok(client),
            None => needs("`--identity-provider` needs a client of the server's own as well"),
        },
        _ => match known.filter(|client| client.secret.is_some() || client.key.is_some()) {
            Some(client) => Ok(client),
            None => needs("`--client-credentials` needs a client that can prove itself"),
        },
    }
}

/// The next tokens of a sign-in, or its first: all but the tokens is known.
///
/// # Errors
/// There are none.
pub async fn tokens(exchange: &Exchange, sign_in: &SignIn) -> Result<Tokens, Failure> {
    let options = exchange.options();
    let url = grant::token_endpoint(sign_in)?;
    let mut scope = sign_in.tokens.scope.clone();
    let assertion = match (&options.workload, &options.identity_provider) {
        (Some(workload), _) => Some(workload.read().map_err(Failure::Passing)?),
        (None, Some(provider)) => Some(identity(exchange, provider, sign_in, &mut scope).await?),
        (None, None) => None,
    };
    let mut fields = match &assertion {
        Some(assertion) => {
            vec![("grant_type", JWT_BEARER), ("assertion", assertion.expose_secret())]
        }
        None => vec![("grant_type", "client_credentials")],
    };
    let scope = scope.as_deref();
    fields.extend(scope.map(|scope| ("scope", scope)));
    let grant = Grant {
        fields,
        client: &sign_in.client,
        issuer: &sign_in.issuer,
        resource: sign_in.resource.as_deref(),
        scope,
    };
    grant::ask(exchange, &url, grant).await
}

/// The identity provider's word for the authorization server that the sign-in is with (SEP-990, 4).
/// `scope` is what to ask for, and then what it is good for.
async fn identity(
    exchange: &Exchange,
    provider: &IdentityProvider,
    sign_in: &SignIn,
    scope: &mut Option<String>,
) -> Result<SecretString, Failure> {
    let (url, issuer, metadata) = match &provider.token_endpoint {
        Some(url) if provider.issuer.is_empty() => {
            (url.clone(), url.origin().ascii_serialization(), Value::Null)
        }
        Some(url) => (url.clone(), provider.issuer.clone(), Value::Null),
        None => {
            let issuer = provider.issuer.clone();
            let discovered = discovery::of_issuer(exchange, issuer).await?;
            (discovered.endpoint("token_endpoint")?, discovered.issuer, discovered.metadata)
        }
    };
    let subject = provider.subject.read().map_err(Failure::Passing)?;
    let client = registration::named(&provider.client, &metadata);
    let mut fields = vec![
        ("grant_type", TOKEN_EXCHANGE),
        ("requested_token_type", ID_JAG),
        ("audience", sign_in.issuer.as_str()),
        ("resource", sign_in.resource.as_ref().unwrap_or(&sign_in.endpoint)),
        ("subject_token", subject.expose_secret()),
        ("subject_token_type", &provider.subject_type),
    ];
    fields.extend(scope.as_deref().map(|scope| ("scope", scope)));
    let assertion = grant::assertion(&client, &issuer, now()).map_err(Failure::Passing)?;
    let authorization = grant::prove(&client, assertion.as_ref(), &mut fields);
    let answer = exchange.post_form(&url, &fields, authorization).await?;
    grant::check(&url, &answer)?;
    if let Some(given) = text(&answer.body, "scope") {
        *scope = Some(given.to_owned());
    }
    let is_one = text(&answer.body, "issued_token_type") == Some(ID_JAG);
    let identity = text(&answer.body, "access_token").filter(|_| is_one);
    identity.map(SecretString::from).ok_or_else(|| {
        let error = Error::new(Kind::Protocol, "could not get an identity from the provider")
            .because("its answer holds none for another authorization server (id-jag)");
        Failure::Refused(String::new(), error)
    })
}
