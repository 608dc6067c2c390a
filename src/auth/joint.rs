//! One sign-in for all bridges to an endpoint: who comes first asks the person, and the others
//! wait for what comes of it (AU-55).

use std::{
    fs::{File, TryLockError},
    io::{self, Read, Seek, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    exchange::Exchange,
    login::{Login, NOTHING, Notice},
    news::{News, Want, union},
    source::Source,
    store::{Place, SignIn, WRITABLE},
};
use crate::{
    config::{Config, environment::Environment},
    error::{Error, Kind},
    json::text,
    kept::now,
};

/// How often it is looked what the others do, and whether somebody has signed in by other means.
const LOOK: Duration = Duration::from_millis(250);

/// Who signs in, for all bridges to the endpoint.
pub struct Joint<'a> {
    /// What for, and how.
    pub config: &'a Config,
    /// The tokens that there are.
    pub source: &'a Arc<Source>,
    /// What the remote wants.
    pub want: &'a Want,
    /// Hears what the person has to do.
    pub tell: &'a (dyn Fn(News) + Sync),
}

/// The right to ask the person. It ends with the process that has it.
struct Turn {
    file: File,
}

/// What whoever has the turn writes for the others.
#[derive(Default, PartialEq)]
struct Note {
    /// What the person has to do.
    waiting: Option<String>,
    /// How the last attempt failed, and when, in seconds since 1970.
    failed: Option<(u64, String)>,
}

impl Joint<'_> {
    /// Signs in, or waits until another bridge has; gives back how it ended.
    pub async fn sign_in(&self) -> News {
        match self.attempt().await {
            Ok(()) => {
                self.source.look_again().await;
                News::SignedIn
            }
            Err(news) => news,
        }
    }

    async fn attempt(&self) -> Result<(), News> {
        let place = Place::of(self.config).ok_or_else(|| {
            let error = Error::new(Kind::Config, "there is no directory to keep a sign-in in");
            failed(error.hint("set COMPOSIO_BRIDGE_STATE_DIR to one of yours"))
        })?;
        let began = now();
        let Some(mut turn) = self.turn(&place, began).await? else { return Ok(()) };
        turn.write(&Note::default());
        let outcome = self.login(&place, &mut turn).await;
        let failed = match &outcome {
            Err(News::Failed { error: Some(error), is_passing: false }) => {
                Some((now(), error.to_string()))
            }
            _ => None,
        };
        turn.write(&Note { failed, ..Note::default() });
        outcome
    }

    /// Waits for the turn; `None` where nobody has to sign in any more.
    async fn turn(&self, place: &Place, began: u64) -> Result<Option<Turn>, News> {
        let mut told = Note::default();
        loop {
            if self.is_settled() {
                return Ok(None);
            }
            let (turn, note) = Turn::take(place).map_err(|cause| {
                let error = Error::new(Kind::Unexpected, "could not begin to sign in");
                failed(error.because(cause).hint(WRITABLE))
            })?;
            if let Some(turn) = turn {
                return match note.failed {
                    // The person has said no while this process waited for the same.
                    Some((at, why)) if at >= began => {
                        Err(failed(Error::new(Kind::Authorization, why)))
                    }
                    // Between the two looks somebody may have done it.
                    _ => Ok(Some(turn).filter(|_| !self.is_settled())),
                };
            }
            if let Some(waiting) = &note.waiting
                && note != told
            {
                (self.tell)(News::Waiting(waiting.clone()));
            }
            told = note;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Whether what is stored is new, and enough.
    fn is_settled(&self) -> bool {
        let scope = || self.source.stored().and_then(|stored| stored.tokens.scope);
        let covers = |scope: Option<String>| {
            let scope = scope.unwrap_or_default();
            union(&scope, self.want.scope()) == union(&scope, "")
        };
        self.source.has_news() && (!self.want.is_step_up || covers(scope()))
    }

    async fn login(&self, place: &Place, turn: &mut Turn) -> Result<(), News> {
        let environment = Environment::of_process();
        let exchange = Exchange::new(self.config);
        let was_asked = AtomicBool::new(false);
        let turn = Mutex::new(turn);
        let tell = |notice: Notice<'_>| {
            let waiting = match notice {
                Notice::Page(url) => format!("open {url} in a browser on this machine"),
                Notice::Code { page, user } => format!("open {page} and enter the code {user}"),
                Notice::NoBrowser => return,
            };
            was_asked.store(true, Ordering::Relaxed);
            let note = Note { waiting: Some(waiting.clone()), ..Note::default() };
            turn.lock().unwrap_or_else(PoisonError::into_inner).write(&note);
            (self.tell)(News::Waiting(waiting));
        };
        let login = Login {
            config: self.config,
            environment: &environment,
            exchange: &exchange,
            want: Some(self.want),
            tell: &tell,
        };
        // That of mcp-remote too: its scopes are kept, and its client is known to the server.
        let known = self.source.stored().filter(|known| !known.issuer.is_empty());
        let ended = tokio::select! {
            ended = login.run(known.as_ref()) => ended,
            // `composio-bridge login` by hand is as good.
            () = self.settled() => return Ok(()),
        };
        match ended {
            Ok(sign_in) => keep(place, &sign_in).await.map_err(failed),
            Err(error) if error.attempted() == NOTHING => {
                Err(News::Failed { error: None, is_passing: false })
            }
            Err(error) => {
                let is_passing =
                    error.kind() == Kind::Unreachable && !was_asked.load(Ordering::Relaxed);
                Err(News::Failed { error: Some(error), is_passing })
            }
        }
    }

    async fn settled(&self) {
        while !self.is_settled() {
            tokio::time::sleep(LOOK * 4).await;
        }
    }
}

/// Keeps a sign-in, while no other process renews the one before.
///
/// # Errors
/// The file cannot be written.
pub async fn keep(place: &Place, sign_in: &SignIn) -> Result<(), Error> {
    let (place, sign_in) = (place.clone(), sign_in.clone());
    let kept = tokio::task::spawn_blocking(move || {
        let _lock = place.lock()?;
        place.write(&sign_in)
    });
    kept.await.unwrap_or_else(|broken| Err(Error::new(Kind::Unexpected, broken.to_string())))
}

fn failed(error: Error) -> News {
    News::Failed { error: Some(error), is_passing: false }
}

impl Turn {
    /// The turn, if it is free; and what was noted last.
    fn take(place: &Place) -> Result<(Option<Turn>, Note), String> {
        let mut file = place.turn_file()?;
        let is_mine = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => false,
            Err(TryLockError::Error(cause)) => return Err(cause.to_string()),
        };
        let mut bytes = Vec::new();
        // Where a lock keeps readers out too, the note is not known.
        let _ = file.read_to_end(&mut bytes);
        Ok((is_mine.then_some(Turn { file }), Note::from_json(&bytes)))
    }

    /// Notes something for the others. Where that fails they only know less.
    fn write(&mut self, note: &Note) {
        let mut write = || -> io::Result<()> {
            self.file.set_len(0)?;
            self.file.rewind()?;
            self.file.write_all(note.to_json().as_bytes())
        };
        if let Err(cause) = write() {
            tracing::debug!("could not note how the sign-in goes: {cause}");
        }
    }
}

impl Note {
    fn to_json(&self) -> String {
        let (at, why) = self.failed.as_ref().map(|(at, why)| (at, why)).unzip();
        json!({ "waiting": self.waiting, "failed_at": at, "why": why }).to_string()
    }

    fn from_json(bytes: &[u8]) -> Self {
        let value: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let owned = |name| text(&value, name).map(String::from);
        let at = value.get("failed_at").and_then(Value::as_u64);
        Note { waiting: owned("waiting"), failed: at.zip(owned("why")) }
    }
}
