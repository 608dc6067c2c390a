//! The session that a bridge keeps for itself: remembered, made where there is none, and made anew
//! when it is gone.

use std::time::{Duration, Instant};

use reqwest::Url;
use tokio::sync::Mutex;

use super::{
    rest::{Api, Call},
    session::{
        self, PATH,
        remembered::{Remembered, Store},
    },
};
use crate::{
    config::{Config, session::Wish},
    error::{Error, Kind},
    origin::same_origin,
};

/// How soon after a session was made its loss is no reason to make another one.
const SETTLED: Duration = Duration::from_secs(10);

/// Keeps one session.
pub struct Keeper {
    api: Api,
    store: Option<Store>,
    wish: Wish,
    current: Mutex<Option<Current>>,
}

/// The session that there is.
struct Current {
    session: Remembered,
    url: Url,
    /// When it took the place of one that was gone.
    replaced_at: Option<Instant>,
}

impl Keeper {
    /// A keeper for what the configuration wishes for, if it does. Nothing happens yet.
    pub fn new(config: &Config) -> Option<Self> {
        let wish = config.session.clone()?;
        let api = Api::new(Config { endpoint: wish.base.clone(), ..config.clone() });
        let store = config.state_dir.as_deref().map(Store::below);
        Some(Keeper { api, store, wish, current: Mutex::default() })
    }

    /// The session's MCP endpoint.
    ///
    /// # Errors
    /// There is none, and none can be made; or it is not on the API's own origin, where alone the
    /// key may go.
    pub async fn url(&self) -> Result<Url, Error> {
        let mut current = self.current.lock().await;
        if let Some(current) = current.as_ref() {
            return Ok(current.url.clone());
        }
        let found = self.obtain(None).await?;
        let url = found.url.clone();
        *current = Some(found);
        Ok(url)
    }

    /// Whether there is another session in the place of the one at this URL, which answered as if it
    /// were gone.
    pub async fn has_replaced(&self, gone: &Url) -> bool {
        let mut current = self.current.lock().await;
        let Some(known) = current.as_ref() else { return true };
        if known.url != *gone {
            return true;
        }
        if known.replaced_at.is_some_and(|at| at.elapsed() < SETTLED) {
            return false;
        }
        match self.replacement(&known.session).await {
            Ok(found) => {
                tracing::debug!("the session was gone: another one is in its place");
                *current = Some(found);
                true
            }
            Err(error) => {
                tracing::warn!("{error}");
                false
            }
        }
    }

    async fn replacement(&self, before: &Remembered) -> Result<Current, Error> {
        let path = [PATH[0], PATH[1], &before.id];
        let looked = self.api.send(&Call::get("could not look up the session", &path)).await;
        match looked {
            Err(error) if error.http_status() == Some(404) => {}
            Err(error) => return Err(error),
            Ok(_) => {
                let what = "the session's MCP endpoint is gone, and the session is not";
                return Err(Error::new(Kind::Protocol, what));
            }
        }
        if let Some(Err(error)) = self.store.as_ref().map(|store| store.forget(&before.id)) {
            tracing::warn!("{error}");
        }
        self.obtain(Some(&before.id)).await
    }

    async fn obtain(&self, gone: Option<&str>) -> Result<Current, Error> {
        let (store, body) = (self.store.as_ref(), &self.wish.body);
        let session = session::obtain(&self.api, store, body, gone).await?;
        let replaced_at = gone.map(|_| Instant::now());
        let url = Url::parse(&session.url).ok();
        match url.filter(|url| same_origin(url, &self.wish.base)) {
            Some(url) => Ok(Current { session, url, replaced_at }),
            None => Err(Error::new(Kind::Protocol, "the session cannot be used")
                .because(
                    "its MCP endpoint is not on the API's own origin, where alone the key may go",
                )
                .hint("set COMPOSIO_BASE_URL to the origin that serves both")),
        }
    }
}
