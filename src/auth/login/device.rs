//! Signing in in any browser, with a code that this machine shows (RFC 8628; AU-54).

use std::time::Duration;

use reqwest::Url;

use super::{Login, Notice};
use crate::{
    auth::{
        browser,
        discovery::Discovered,
        exchange::{clip, seconds},
        grant::{self, Failure, Grant},
        registration,
        store::{Client, Tokens},
    },
    error::{Error, Kind},
    json::text,
    kept::now,
};

/// How often a device's code is asked about, in seconds, where the server does not say.
const INTERVAL: u64 = 5;

/// How often at the most, whatever it says.
const LEAST: u64 = 1;

impl Login<'_> {
    /// A person signs in in any browser (RFC 8628; AU-54).
    pub(super) async fn with_device_code(
        &self,
        discovered: &Discovered,
        token_endpoint: &Url,
    ) -> Result<(Client, Tokens), Error> {
        let url = discovered.endpoint("device_authorization_endpoint")?;
        let options = &self.config.sign_in;
        let client = registration::client(self.exchange, discovered, options, None, None);
        let client = self.in_time(client).await?;
        let (scope, resource) = (self.scope(Some(discovered)), self.resource(Some(discovered)));
        let mut fields = Vec::new();
        fields.extend(scope.map(|scope| ("scope", scope)));
        fields.extend(resource.map(|resource| ("resource", resource)));
        let assertion = grant::assertion(&client, &discovered.issuer, now())?;
        let authorization = grant::prove(&client, assertion.as_ref(), &mut fields);
        let answer = self.exchange.post_form(&url, &fields, authorization).await?;
        let (device, user, page) = (
            text(&answer.body, "device_code"),
            text(&answer.body, "user_code"),
            text(&answer.body, "verification_uri"),
        );
        let (Some(device), Some(user), Some(page)) = (device, user, page) else {
            let what = "the authorization server gave no code to enter";
            return Err(Error::new(Kind::Authorization, what).because(grant::said(&answer)));
        };
        let page = browser::parse(page)?;
        self.exchange.may_be_shown(&page).await?;
        let user = clip(user);
        (self.tell)(Notice::Code { page: &page, user: &user });
        let limit = seconds(answer.body.get("expires_in")).map(Duration::from_secs);
        let limit = limit.map_or(options.patience, |limit| limit.min(options.patience));
        let interval = seconds(answer.body.get("interval")).unwrap_or(INTERVAL).max(LEAST);
        let asked = || Grant {
            fields: vec![
                ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
                ("device_code", device),
            ],
            client: &client,
            issuer: &discovered.issuer,
            resource,
            scope,
        };
        let tokens = tokio::time::timeout(limit, self.poll(token_endpoint, asked, interval)).await;
        let tokens = tokens.map_err(|_| {
            Error::new(Kind::Authorization, "nobody entered the code in time")
                .hint("try again; a code is good for a few minutes")
        })??;
        Ok((client, tokens))
    }

    /// Asks until somebody has entered the code.
    async fn poll<'g>(
        &self,
        token_endpoint: &Url,
        asked: impl Fn() -> Grant<'g>,
        interval: u64,
    ) -> Result<Tokens, Error> {
        let mut interval = interval;
        loop {
            tokio::time::sleep(Duration::from_secs(interval)).await;
            match grant::ask(self.exchange, token_endpoint, asked()).await {
                Ok(tokens) => return Ok(tokens),
                Err(Failure::Refused(code, _)) if code == "authorization_pending" => {}
                Err(Failure::Refused(code, _)) if code == "slow_down" => interval += INTERVAL,
                Err(Failure::Passing(error)) => tracing::debug!("{error}"),
                Err(Failure::Refused(_, error)) => return Err(error),
            }
        }
    }
}
