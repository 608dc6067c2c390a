//! Connecting an account: the link for the user, and waiting until it was used.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{
    super::talk::{self, clean},
    Context,
};
use crate::{
    auth::browser,
    cli::value::PositiveSeconds,
    composio::{rest::Call, session::PATH},
    error::{Error, Kind},
    json::text,
    remote::refusal,
};

/// How long a person may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often Composio is asked meanwhile.
const LOOK: Duration = Duration::from_secs(2);

impl Context {
    pub(super) async fn authorize(&self) -> Result<(), Error> {
        let toolkit = self.options.text("for").unwrap_or_default();
        let mut body = self.members(&[
            ("for", "toolkit"),
            ("alias", "alias"),
            ("callback-url", "callback_url"),
        ]);
        self.add_json(&mut body, "experimental", "experimental")?;
        if self.options.is("shared") {
            let part = body.entry("experimental").or_insert_with(|| Value::Object(Map::new()));
            if !part.is_object() {
                return Err(talk::unusable("--experimental").because("it is no JSON object"));
            }
            part["account_type"] = json!("SHARED");
        }
        let id = self.session().await?;
        let waits = self.options.is("wait");
        let before = if waits { self.connected(&id, toolkit).await? } else { None };
        let path = [PATH[0], PATH[1], &id, "link"];
        let call = Call::create("could not make the link", &path, Value::Object(body));
        let link = self.api.send(&call).await?;
        let Some(url) = text(&link, "redirect_url") else {
            return Err(Error::new(Kind::Protocol, "could not make the link")
                .because("the answer holds no URL"));
        };
        self.print(&link, || {
            format!("The user connects {} here:\n\n  {}\n", clean(toolkit), clean(url))
        });
        if self.options.is("open") {
            match browser::open(&browser::parse(url)?, &self.environment).await {
                // The link is there to be copied, and somebody waits for what comes of it.
                Err(error) if waits => tracing::warn!("{error}"),
                opened => opened?,
            }
        }
        if waits {
            let new = text(&link, "connected_account_id").unwrap_or_default();
            let account = self.await_connection(&id, toolkit, new, before.as_ref()).await?;
            self.print(&account, || {
                let account = clean(text(&account, "id").unwrap_or_default());
                format!("Connected {}: {account}", clean(toolkit))
            });
        }
        Ok(())
    }

    /// The account that a toolkit is connected with, in whatever state.
    async fn connected(&self, session: &str, toolkit: &str) -> Result<Option<Value>, Error> {
        let path = [PATH[0], PATH[1], session, "toolkits"];
        let call = Call::get("could not look up the toolkit", &path);
        let query = vec![("toolkits", toolkit.to_owned())];
        let answer = self.api.send(&Call { query, ..call }).await?;
        let items = answer.get("items").and_then(Value::as_array);
        let mut items = items.into_iter().flatten();
        let is_it = |slug: &str| slug.eq_ignore_ascii_case(toolkit);
        let item = items.find(|item| text(item, "slug").is_some_and(is_it));
        let account = item.and_then(|item| item.get("connected_account"));
        Ok(account.filter(|account| account.is_object()).cloned())
    }

    async fn await_connection(
        &self,
        session: &str,
        toolkit: &str,
        new: &str,
        before: Option<&Value>,
    ) -> Result<Value, Error> {
        let named = self.options.text("timeout").and_then(|text| text.parse().ok());
        let limit = named.map_or(PATIENCE, |PositiveSeconds(wait)| wait);
        let watch = async {
            loop {
                match self.connected(session, toolkit).await {
                    Ok(Some(account)) if settled(&account, new, before)? => return Ok(account),
                    Ok(_) => {}
                    // The person at the browser goes on meanwhile.
                    Err(error) if is_passing(&error) => tracing::info!("{error}"),
                    Err(error) => return Err(error),
                }
                tokio::time::sleep(LOOK.min(limit / 4)).await;
            }
        };
        tokio::time::timeout(limit, watch).await.unwrap_or_else(|_| {
            let what = format!("{} was not connected", clean(toolkit));
            Err(Error::new(Kind::Limit, what)
                .because(format!("nobody did it within {} s", limit.as_secs_f64()))
                .hint("the link may still be good; `--timeout SECONDS` waits longer"))
        })
    }
}

/// Whether the next look may succeed.
fn is_passing(error: &Error) -> bool {
    error.kind() == Kind::Unreachable || error.http_status().is_some_and(refusal::is_passing)
}

/// Whether the account is the one that was waited for, and good.
///
/// # Errors
/// It is, and came to nothing.
fn settled(account: &Value, new: &str, before: Option<&Value>) -> Result<bool, Error> {
    let id = text(account, "id").unwrap_or_default();
    let status = text(account, "status").unwrap_or_default();
    let is_new = id == new;
    let was_there = before.is_some_and(|before| text(before, "id") == Some(id));
    match status {
        "ACTIVE" => Ok(is_new || !was_there),
        "FAILED" | "EXPIRED" if is_new => {
            Err(Error::new(Kind::Authorization, "the account was not connected")
                .because(format!("Composio says that it is {status}"))
                .hint("run the command again for a new link"))
        }
        _ => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_new_account_counts() {
        let account = |id: &str, status: &str| json!({"id": id, "status": status});
        let old = account("ca_old", "ACTIVE");
        for (now, before, expected) in [
            (account("ca_new", "ACTIVE"), None, Some(true)),
            (account("ca_new", "INITIATED"), None, Some(false)),
            (account("ca_new", "FAILED"), None, None),
            (account("ca_new", "EXPIRED"), None, None),
            (account("ca_old", "ACTIVE"), Some(&old), Some(false)),
            (account("ca_old", "EXPIRED"), Some(&old), Some(false)),
            (account("ca_new", "ACTIVE"), Some(&old), Some(true)),
            (account("ca_other", "ACTIVE"), Some(&old), Some(true)),
        ] {
            assert_eq!(settled(&now, "ca_new", before).ok(), expected, "{now} {before:?}");
        }
    }
}
