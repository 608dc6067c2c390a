//! A sign-in of mcp-remote, used where it stands: mcp-remote goes on working with it.

use std::time::Duration;

use secrecy::ExposeSecret;
use tracing::warn;

use super::{
    discovery::discover,
    exchange::Exchange,
    grant::{self, Failure},
    mcp_remote::{
        self, Lease, Place, Refreshed, Taking,
        lease::{LASTS, POLL},
    },
    registration,
    store::{Client, Proof, SignIn, Tokens},
};
use crate::{
    config::{Config, sign_in::Resource},
    error::{Error, Kind},
    kept::now,
};

/// A sign-in, and where it is.
pub struct Imported {
    /// The sign-in; its token endpoint is not yet known.
    pub sign_in: SignIn,
    place: Place,
}

/// What became of a renewal.
pub enum Renewal {
    /// These are the tokens now, kept where mcp-remote finds them.
    Shared(SignIn),
    /// These are the tokens now, and they could not be kept there.
    Unshared(SignIn),
    /// There is nothing to renew with.
    Impossible,
}

/// The first sign-in that there is.
pub fn read(config: &Config) -> Option<Imported> {
    let found = config.sign_in.mcp_remote.iter().find_map(Place::read)?;
    let client = match (&config.sign_in.client, &found.client) {
        (Some(client), _) => registration::named(client, &serde_json::Value::Null),
        (None, Some(client)) => registered(client),
        (None, None) => {
            let id = config.sign_in.client_metadata_url.clone().unwrap_or_default();
            Client { id, ..Client::default() }
        }
    };
    let tokens = &found.tokens;
    let expires_at = tokens.expires_at.map(|end| end / 1000);
    let given_at = expires_at.map(|end| end.saturating_sub(tokens.expires_in.unwrap_or_default()));
    let sign_in = SignIn {
        endpoint: config.endpoint.to_string(),
        issuer: found.issuer().unwrap_or_default().to_owned(),
        token_endpoint: String::new(),
        resource: None,
        is_program: false,
        signed_in_at: 0,
        client,
        tokens: Tokens {
            access: tokens.access_token.clone(),
            id: tokens.id_token.clone(),
            refresh: tokens.refresh_token.clone(),
            given_at: given_at.unwrap_or_default(),
            expires_at,
            scope: tokens.scope.clone().or_else(|| tokens.requested_scope.clone()),
        },
    };
    Some(Imported { sign_in, place: found.place })
}

fn registered(client: &mcp_remote::Client) -> Client {
    let usual = if client.client_secret.is_some() { Proof::Basic } else { Proof::None };
    let said = client.token_endpoint_auth_method.as_deref().and_then(Proof::named);
    Client {
        id: client.client_id.clone(),
        secret: client.client_secret.clone(),
        key: None,
        proof: said.unwrap_or(usual),
        redirect_uri: client.redirect_uris.first().cloned(),
        expires_at: client.client_secret_expires_at,
        is_named: false,
    }
}

impl Imported {
    /// Renews the tokens, unless mcp-remote or another bridge does: then their new ones.
    ///
    /// # Errors
    /// There are none.
    pub async fn renew(self, exchange: &Exchange, config: &Config) -> Result<Renewal, Failure> {
        let lease = lease(&self.place).await;
        let Some(mut imported) = read(config) else { return Ok(Renewal::Impossible) };
        let before = self.sign_in.tokens.access.expose_secret();
        if imported.sign_in.tokens.access.expose_secret() != before {
            return Ok(Renewal::Shared(imported.sign_in));
        }
        let Some(used) = imported.sign_in.tokens.refresh.clone() else {
            return Ok(Renewal::Impossible);
        };
        if imported.sign_in.client.id.is_empty() {
            return Ok(Renewal::Impossible);
        }
        imported.complete(exchange, config).await?;
        let mut sign_in = imported.sign_in;
        let Some(tokens) = grant::refresh(exchange, &sign_in).await.transpose()? else {
            return Ok(Renewal::Impossible);
        };
        let answer = Refreshed {
            access_token: tokens.access.clone(),
            token_type: None,
            refresh_token: tokens.refresh.clone(),
            id_token: tokens.id.clone(),
            expires_in: tokens.expires_at.map(|end| end.saturating_sub(tokens.given_at)),
            scope: tokens.scope.clone(),
        };
        sign_in.tokens = tokens;
        let kept = imported.place.write_back(&used, &answer, now().saturating_mul(1000));
        drop(lease);
        match kept {
            Ok(_) => Ok(Renewal::Shared(sign_in)),
            Err(cause) => {
                warn!("could not give mcp-remote its renewed sign-in: {cause}");
                Ok(Renewal::Unshared(sign_in))
            }
        }
    }

    /// Finds out what mcp-remote does not write down.
    async fn complete(&mut self, exchange: &Exchange, config: &Config) -> Result<(), Failure> {
        let discovered = discover(exchange, &config.endpoint, None).await?;
        let issuer = &mut self.sign_in.issuer;
        // mcp-remote takes an issuer with and without a slash at its end for the same.
        if !issuer.is_empty()
            && issuer.trim_end_matches('/') != discovered.issuer.trim_end_matches('/')
        {
            let error = Error::new(Kind::Authorization, "the sign-in of mcp-remote is of no use")
                .because("the server now belongs to another authorization server");
            return Err(Failure::Refused(String::new(), error));
        }
        *issuer = discovered.issuer.clone();
        self.sign_in.token_endpoint = discovered.endpoint("token_endpoint")?.to_string();
        self.sign_in.resource = match &config.sign_in.resource {
            Resource::Named(resource) => Some(resource.clone()),
            Resource::Discovered => discovered.resource,
            Resource::Unsaid => None,
        };
        Ok(())
    }
}

/// The lease that mcp-remote heeds; without one where it cannot be had in time.
async fn lease(place: &Place) -> Option<Lease> {
    for _ in 0..LASTS / POLL {
        match Lease::take(place, now().saturating_mul(1000)) {
            Taking::Held(lease) => return Some(lease),
            Taking::Impossible => return None,
            Taking::Elsewhere => tokio::time::sleep(Duration::from_millis(POLL)).await,
        }
    }
    None
}
