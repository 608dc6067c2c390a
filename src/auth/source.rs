//! The token for the next request: from the store, and renewed in time.

use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderValue;
use secrecy::ExposeSecret;
use tracing::{debug, warn};

use super::{
    exchange::Exchange,
    grant::{self, Failure},
    imported::{self, Renewal},
    registration,
    store::{Place, SignIn, Tokens},
};
use crate::{config::Config, error::Error, kept::now};

/// The longest time before its end at which a token is renewed, in seconds.
const MARGIN: u64 = 300;

/// The first and the longest wait after a renewal that failed, in seconds.
const WAITS: (u64, u64) = (5, 300);

/// How long a renewed token that is refused all the same is not renewed again, in seconds.
const PATIENCE: u64 = 30;

/// Gives the header that a request carries.
pub struct Source {
    place: Place,
    exchange: Exchange,
    config: Arc<Config>,
    current: Mutex<Option<Current>>,
    /// Held by the one request that looks or renews; the others wait for it.
    turn: tokio::sync::Mutex<Turn>,
}

/// What there is in the place of a token that was refused.
pub enum Instead {
    /// Another token.
    Token(HeaderValue),
    /// Nothing: somebody has to sign in.
    Nothing,
    /// Nothing now: renewing the sign-in failed, and may succeed later.
    Later,
}

/// What is sent at the moment.
#[derive(Clone)]
struct Current {
    header: Option<HeaderValue>,
    /// When to look again, in seconds since 1970.
    due: Option<u64>,
    /// Who signed in.
    identity: String,
}

/// What the one who renews remembers.
#[derive(Default)]
struct Turn {
    /// Renewing failed, and is not tried before this time.
    not_before: u64,
    wait: u64,
    /// It failed for a reason that passes.
    is_passing: bool,
    /// When a token was last renewed because the remote had refused it.
    forced_at: Option<u64>,
}

impl Source {
    /// A source for what the configuration describes; `None` where no sign-in may be used. Nothing
    /// is read yet.
    pub fn new(config: &Arc<Config>) -> Option<Self> {
        let place = Place::of(config).filter(|_| config.may_sign_in)?;
        Some(Source {
            place,
            exchange: Exchange::new(config),
            config: Arc::clone(config),
            current: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// The header for a request; `None` where nobody is signed in.
    pub async fn header(&self) -> Option<HeaderValue> {
        if let Some(current) = self.fresh() {
            return current.header;
        }
        let mut turn = self.turn.lock().await;
        if let Some(current) = self.fresh() {
            return current.header;
        }
        let sign_in = self.read();
        let is_due = sign_in.as_ref().is_some_and(|sign_in| is_due(&sign_in.tokens, now()));
        let sign_in = match sign_in {
            Some(sign_in) if is_due => Some(self.renewed(sign_in, &mut turn).await),
            other => other,
        };
        self.keep(sign_in.as_ref(), turn.not_before)
    }

    /// What to send instead of a header that was refused with 401.
    pub async fn instead_of(&self, refused: Option<&HeaderValue>) -> Instead {
        let mut turn = self.turn.lock().await;
        let Some(sign_in) = self.read() else { return Instead::Nothing };
        let stored = self.value(&sign_in.tokens);
        if let Some(stored) = stored.filter(|stored| Some(stored) != refused) {
            // Another process has renewed it, or somebody has signed in. What kept the old one from
            // being renewed is of no account.
            *turn = Turn::default();
            self.keep(Some(&sign_in), turn.not_before);
            return Instead::Token(stored);
        }
        let at = now();
        if turn
            .forced_at
            .is_none_or(|before| !(before..before.saturating_add(PATIENCE)).contains(&at))
        {
            turn.forced_at = Some(at);
            let sign_in = self.renewed(sign_in, &mut turn).await;
            let header = self.keep(Some(&sign_in), turn.not_before);
            if let Some(header) = header.filter(|header| Some(header) != refused) {
                return Instead::Token(header);
            }
        }
        if turn.is_passing { Instead::Later } else { Instead::Nothing }
    }

    /// Whether what is stored is not what was sent last: somebody has signed in, or renewed it.
    pub fn has_news(&self) -> bool {
        let stored = self.read().and_then(|sign_in| self.value(&sign_in.tokens));
        let sent = self.now_current().and_then(|current| current.header);
        stored.is_some() && stored != sent
    }

    /// What is stored, here or else by mcp-remote.
    pub fn stored(&self) -> Option<SignIn> {
        self.read()
    }

    /// Looks at what is stored before the next request.
    pub async fn look_again(&self) {
        let mut turn = self.turn.lock().await;
        *turn = Turn::default();
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Who is signed in, to tell what was remembered for whom. The same for all tokens of one
    /// sign-in.
    pub async fn identity(&self) -> String {
        let _ = self.header().await;
        self.now_current().map(|current| current.identity).unwrap_or_default()
    }

    fn now_current(&self) -> Option<Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fresh(&self) -> Option<Current> {
        self.now_current().filter(|current| current.due.is_none_or(|due| now() < due))
    }

    /// What is stored, here or else by mcp-remote.
    fn read(&self) -> Option<SignIn> {
        self.read_own().or_else(|| Some(imported::read(&self.config)?.sign_in))
    }

    /// What is stored here, in the name of the client that the options name.
    fn read_own(&self) -> Option<SignIn> {
        let mut sign_in = self.place.read()?;
        if let Some(client) = &self.config.sign_in.client
            && client.id == sign_in.client.id
            && client.can_prove()
        {
            let proof = sign_in.client.proof;
            sign_in.client = registration::named(client, &serde_json::Value::Null);
            sign_in.client.proof = proof;
        }
        Some(sign_in)
    }

    /// Keeps what to send, and when to look again.
    fn keep(&self, sign_in: Option<&SignIn>, not_before: u64) -> Option<HeaderValue> {
        let header = sign_in.and_then(|sign_in| self.value(&sign_in.tokens));
        let due = sign_in.and_then(|sign_in| due(&sign_in.tokens));
        let identity = sign_in.map(|sign_in| {
            format!("{}\n{}\n{}", sign_in.issuer, sign_in.client.id, sign_in.signed_in_at)
        });
        let current = Current {
            header: header.clone(),
            due: due.map(|due| due.max(not_before)),
            identity: identity.unwrap_or_default(),
        };
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(current);
        header
    }

    fn value(&self, tokens: &Tokens) -> Option<HeaderValue> {
        let id = tokens.id.as_ref().filter(|_| self.config.sign_in.use_id_token);
        let token = id.unwrap_or(&tokens.access).expose_secret();
        let mut value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Renews the tokens, unless another process does: then its new ones. Where that fails, the
    /// old ones stay.
    async fn renewed(&self, old: SignIn, turn: &mut Turn) -> SignIn {
        if now() < turn.not_before {
            return old;
        }
        let place = self.place.clone();
        let locked = tokio::task::spawn_blocking(move || place.lock()).await;
        let lock = match locked {
            Ok(Ok(lock)) => lock,
            Ok(Err(error)) => {
                warn!("{error}");
                return old;
            }
            Err(_) => return old,
        };
        let Some(mut sign_in) = self.read_own() else {
            return self.renewed_import(old, turn).await;
        };
        if sign_in.tokens.access.expose_secret() != old.tokens.access.expose_secret() {
            *turn = Turn { forced_at: turn.forced_at, ..Turn::default() };
            return sign_in;
        }
        match grant::refresh(&self.exchange, &sign_in).await {
            None => {
                turn.not_before = u64::MAX;
                return sign_in;
            }
            Some(Ok(tokens)) => {
                debug!("renewed the sign-in");
                *turn = Turn { forced_at: turn.forced_at, ..Turn::default() };
                sign_in.tokens = tokens;
            }
            Some(Err(Failure::Passing(error))) => {
                warn!("could not renew the sign-in: {error}");
                back_off(turn, now());
                turn.is_passing = true;
                return sign_in;
            }
            Some(Err(Failure::Refused(code, error))) => {
                warn!("could not renew the sign-in: {error}");
                back_off(turn, now());
                turn.is_passing = false;
                if code != "invalid_grant" {
                    return sign_in;
                }
                // It will never be good again (AU-52).
                sign_in.tokens.refresh = None;
            }
        }
        if let Err(error) = self.place.write(&sign_in) {
            warn!("{error}");
        }
        drop(lock);
        sign_in
    }

    /// The same for a sign-in of mcp-remote. What cannot be given back to it is kept here.
    async fn renewed_import(&self, old: SignIn, turn: &mut Turn) -> SignIn {
        let Some(imported) = imported::read(&self.config) else { return old };
        let is_old = |sign_in: &SignIn| {
            sign_in.tokens.access.expose_secret() == old.tokens.access.expose_secret()
        };
        if !is_old(&imported.sign_in) {
            // Another bridge, for whose lock this one waited, has renewed it.
            return imported.sign_in;
        }
        let renewal = imported.renew(&self.exchange, &self.config).await;
        let at = Turn { forced_at: turn.forced_at, ..Turn::default() };
        match renewal {
            Ok(Renewal::Shared(sign_in)) => {
                debug!("renewed the sign-in of mcp-remote");
                *turn = at;
                sign_in
            }
            Ok(Renewal::Unshared(sign_in)) => {
                *turn = at;
                if let Err(error) = self.place.write(&sign_in) {
                    warn!("{error}");
                }
                sign_in
            }
            Ok(Renewal::Impossible) => {
                turn.not_before = u64::MAX;
                old
            }
            Err(failure) => {
                turn.is_passing = matches!(failure, Failure::Passing(_));
                let error = Error::from(failure);
                warn!("could not renew the sign-in of mcp-remote: {error}");
                back_off(turn, now());
                old
            }
        }
    }
}

fn back_off(turn: &mut Turn, now: u64) {
    let (first, longest) = WAITS;
    turn.wait = (turn.wait * 2).clamp(first, longest);
    turn.not_before = now.saturating_add(turn.wait);
}

/// When tokens are to be renewed: a tenth of their life before its end, which is at most five
/// minutes; `None` where they say nothing of an end.
fn due(tokens: &Tokens) -> Option<u64> {
    let end = tokens.expires_at?;
    let life = end.saturating_sub(tokens.given_at);
    Some(end.saturating_sub((life / 10).min(MARGIN)))
}

fn is_due(tokens: &Tokens, now: u64) -> bool {
    due(tokens).is_some_and(|due| now >= due)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_renewed_a_part_of_their_life_before_the_end() {
        let tokens = |life: Option<u64>| Tokens {
            access: "a".into(),
            id: None,
            refresh: None,
            given_at: 1000,
            expires_at: life.map(|life| 1000 + life),
            scope: None,
        };
        for (life, expected) in [
            (None, None),
            (Some(86_400), Some(87_100)),
            (Some(60), Some(1054)),
            (Some(0), Some(1000)),
        ] {
            assert_eq!(due(&tokens(life)), expected, "{life:?}");
        }
        assert!(is_due(&tokens(Some(60)), 1054) && !is_due(&tokens(Some(60)), 1053));
    }

    #[test]
    fn after_failures_the_waits_grow() {
        let mut turn = Turn::default();
        let mut waits = Vec::new();
        for _ in 0..8 {
            back_off(&mut turn, 100);
            waits.push(turn.not_before - 100);
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300]);
    }
}
