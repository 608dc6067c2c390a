//! Composio sessions: what is asked of one, and which were made here.
//!
//! - [`body`]: what is asked, from options over a document. Pure.
//! - `check`: what is certainly wrong with it. Pure.
//! - [`remembered`]: the sessions that were made here.

pub mod body;
mod check;
pub mod remembered;
#[cfg(test)]
mod tests;

use std::time::Duration;

use serde_json::Value;

use super::rest::{Api, Call};
use crate::error::{Error, Kind};
use remembered::{Remembered, Store};

/// Where sessions are, below the version of the API.
pub const PATH: [&str; 2] = ["tool_router", "session"];

/// The session for a configuration: the one remembered for the same key and the same wish, or else a
/// new one, which is remembered. Of several processes that want the same at the same time, one makes
/// it.
///
/// A remembered session may be gone on the other side: whoever finds that out forgets it
/// ([`Store::forget`]) and asks again, with its id as the one that is `gone`.
///
/// # Errors
/// There is no key, the session cannot be made, or the answer holds none. That it cannot be
/// remembered is no reason to go without it: it is logged.
pub async fn obtain(
    api: &Api,
    store: Option<&Store>,
    body: &Value,
    gone: Option<&str>,
) -> Result<Remembered, Error> {
    let owner = api.identity().await?;
    // One that could not be forgotten is gone all the same.
    let is_other = |found: &Remembered| Some(found.id.as_str()) != gone;
    let found = || store.and_then(|store| store.find(&owner, body)).filter(is_other);
    if let Some(session) = found() {
        return Ok(session);
    }
    let lock = lock(store, PATIENCE).await;
    let session = match found() {
        Some(session) => session,
        None => create(api, store, body).await?.0,
    };
    drop(lock);
    Ok(session)
}

/// Makes a session and remembers it; what the API answered beside it.
///
/// # Errors
/// As [`obtain`].
pub async fn create(
    api: &Api,
    store: Option<&Store>,
    body: &Value,
) -> Result<(Remembered, Value), Error> {
    const ATTEMPTED: &str = "could not create the Composio session";
    let owner = api.identity().await?;
    let answer = api.send(&Call::create(ATTEMPTED, &PATH, body.clone())).await?;
    let Some(session) = Remembered::of(&answer, &owner, body) else {
        return Err(Error::new(Kind::Protocol, ATTEMPTED)
            .because("the answer holds no session id and MCP URL"));
    };
    if let Some(Err(error)) = store.map(|store| store.keep(&session)) {
        tracing::warn!("{error}");
    }
    Ok((session, answer))
}

/// How long another process may take to make the session, before this one makes its own.
const PATIENCE: Duration = Duration::from_secs(20);

/// Without the lock there may be one session too many, which harms nobody.
async fn lock(store: Option<&Store>, patience: Duration) -> Option<remembered::Lock> {
    let store = store?.clone();
    let held = tokio::task::spawn_blocking(move || store.lock());
    tokio::time::timeout(patience, held).await.ok()?.ok()?.ok()
}
